from itertools import product
from typing import Any

import pytest

from tests.orders.parser.kiosk import MENU, modifier
from voice.orders.corpus import lines_of
from voice.orders.parser.draft import NEW, DraftLine, MenuIndex, denotation
from voice.orders.parser.edits import Context
from voice.orders.parser.model import EVENTS, Model
from voice.orders.parser.productions.adding import add
from voice.orders.parser.productions.repeating import repeat
from voice.orders.parser.reduce import PRODUCTIONS, RULES, Reducer, bits_of
from voice.orders.parser.state import EVERYTHING, Chunk, ChunkFlag, EditRecord, Forwarded, Hypothesis, OpenQuestion, ReplacementTarget

INDEX = MenuIndex(MENU)
REDUCER = Reducer(INDEX, Model({}))


def chunk(*, verb="", link="", **attributes):
    made = Chunk(link, verb, 0, 1)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def reductions(before, reduced, *, question=None, **attributes):
    """Return the orders that a chunk can become, by the production that makes each."""
    hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, before)))
    hypothesis.chunk = reduced
    for name, value in attributes.items():
        setattr(hypothesis.progress, name, value)
    found: dict[str, list[Any]] = {}
    for new in REDUCER.reduce(hypothesis, question):
        events = [event[0] for event in new.trace[0].events()]
        (production,) = [event for event in events if event in {one.__name__ for one in PRODUCTIONS} | {"accept", "remove_absent"}]
        found.setdefault(production, []).append(denotation(new.draft))
    return found


def order(text):
    return denotation(INDEX.draft(lines_of(MENU, text)))


LATTE, LARGE, SHOT = ("latte",), (modifier("size", "l"),), (modifier("extras", "shot"),)


WHITE = (modifier("extras", "white"),)
SMALL, PEARLS, NO_SHOT = (modifier("size", "s"),), modifier("extras", "black", "white"), modifier("extras", "shot", amount="no")


@pytest.mark.parametrize(
    ("production", "before", "reduced", "after"),
    [
        ("add", "muffin", chunk(items=LATTE, number=2, modifiers=LARGE), "muffin; 2 x latte [l]"),
        ("repeat", "2 x latte [l]", chunk(flags=ChunkFlag.AGAIN), "2 x latte [l]; latte [l]"),
        ("repeat", "muffin; latte [l]", chunk(flags=ChunkFlag.AGAIN), "2 x muffin; 2 x latte [l]"),
        ("repeat", "latte [l]", chunk(flags=ChunkFlag.AGAIN, place=2), "2 x latte [l]"),
        ("repeat", "latte [shot, black]", chunk(flags=ChunkFlag.AGAIN, modifiers=WHITE), "latte [shot, black]; latte [shot, black, white]"),
        ("repeat", "latte [shot, black]", chunk(flags=ChunkFlag.AGAIN, modifiers=WHITE), "latte [shot, black]; latte [white]"),
        ("add_like", "latte [l]", chunk(flags=ChunkFlag.AGAIN, items=("milk-tea",), groups=("size",)), "latte [l]; milk-tea [l]"),
        ("set_portions", "latte", chunk(number=2, modifiers=SHOT), "latte [2*shot]"),
        ("set_options", "latte; muffin", chunk(modifiers=LARGE), "latte [l]; muffin"),
        ("set_described", "latte [s]; latte [l]", chunk(modifiers=(*LARGE, *SHOT)), "latte [s]; latte [l, shot]"),
        ("set_described", "latte [s]; latte [l]", chunk(modifiers=(*SHOT, *LARGE), flags=ChunkFlag.AT), "latte [s]; latte [l, shot]"),
        ("set_described", "latte [s]; 2 x latte [l]", chunk(modifiers=(*LARGE, *SHOT), number=1), "latte [s]; latte [l]; latte [l, shot]"),
        ("swap", "latte [l]; muffin; milk-tea [s, shot]", chunk(flags=ChunkFlag.SWAP), "latte [s, shot]; muffin; milk-tea [l]"),
        ("swap", "latte [l]; milk-tea [s, shot]", chunk(flags=ChunkFlag.SWAP), "latte [s]; milk-tea [l, shot]"),
        ("add_each", "", chunk(items=("latte", "milk-tea"), number=2, flags=ChunkFlag.EACH), "2 x latte; 2 x milk-tea"),
        ("add_each", "", chunk(items=("latte", "milk-tea"), scope=2, flags=ChunkFlag.ALL), "latte; milk-tea"),
        ("set_quantity", "latte", chunk(number=3, verb="set"), "3 x latte"),
        ("set_each", "latte; muffin", chunk(number=2, flags=ChunkFlag.EACH), "2 x latte; 2 x muffin"),
        ("increment", "latte", chunk(number=2, flags=ChunkFlag.MORE), "3 x latte"),
        (
            "increment",
            "latte [s]; latte [l]",
            chunk(number=1, flags=ChunkFlag.MORE, modifiers=(modifier("size", "s"),)),
            "2 x latte [s]; latte [l]",
        ),
        ("add_alike", "latte [s, shot]", chunk(number=1, flags=ChunkFlag.MORE, modifiers=LARGE), "latte [s, shot]; latte [l, shot]"),
        ("set_all", "latte", chunk(flags=ChunkFlag.ALL, groups=("extras",)), "latte [shot, black, white]"),
        ("set_all", "latte", chunk(flags=ChunkFlag.ALL, modifiers=(PEARLS,)), "latte [black, white]"),
        ("set_all_but", "latte", chunk(link="except", modifiers=SHOT, scope=EVERYTHING), "latte [black, white]"),
        ("set_all_but", "latte [shot, black, white]", chunk(link="except", modifiers=SHOT), "latte [black, white]"),
        ("add", "", chunk(items=LATTE, flags=ChunkFlag.ALL, modifiers=(NO_SHOT,)), "latte [black, white]"),
        ("set_options", "latte [s]; latte [l]", chunk(modifiers=SHOT, flags=ChunkFlag.REST), "latte [s, shot]; latte [l]"),
        ("set_options", "latte; latte", chunk(modifiers=LARGE, lines=(1,)), "latte; latte [l]"),
        ("remove", "latte; muffin", chunk(lines=(0,), verb="remove"), "muffin"),
        ("same_for", "latte [l]; latte", chunk(flags=ChunkFlag.AGAIN | ChunkFlag.REST), "latte [l]; latte [l]"),
        ("split", "2 x latte", chunk(number=1, modifiers=LARGE), "latte; latte [l]"),
        ("set_portions", "latte [shot]", chunk(number=3, modifiers=SHOT), "latte [3*shot]"),
        ("add_portions", "latte [2*shot]", chunk(number=1, flags=ChunkFlag.MORE, modifiers=SHOT), "latte [3*shot]"),
        ("remove_portions", "latte [3*shot]", chunk(number=1, verb="remove", modifiers=SHOT), "latte [2*shot]"),
        (
            "set_portions_each",
            "latte",
            chunk(number=2, flags=ChunkFlag.EACH, modifiers=(*SHOT, modifier("extras", "black"))),
            "latte [2*shot, 2*black]",
        ),
        ("multiply", "2 x latte; muffin", chunk(items=LATTE, factor=2), "4 x latte; muffin"),
        ("recount", "latte [s]; latte [l]", chunk(number=3, modifiers=LARGE), "latte [s]; 3 x latte [l]"),
        (
            "set_options",
            "latte; muffin; latte",
            chunk(items=LATTE, flags=ChunkFlag.EACH, modifiers=SHOT),
            "latte [shot]; muffin; latte [shot]",
        ),
        ("replace", "3 x latte", chunk(items=("muffin",), number=1, flags=ChunkFlag.PART), "2 x latte; muffin"),
        ("remove", "latte; muffin", chunk(items=LATTE, verb="remove"), "muffin"),
        ("remove_options", "latte [shot]", chunk(modifiers=SHOT, verb="remove"), "latte"),
        ("replace", "2 x muffin", chunk(items=LATTE, link="correction"), "2 x latte"),
        ("keep", "latte", chunk(verb="keep"), "latte"),
        ("drop", "latte", chunk(items=("muffin",)), "latte"),
    ],
)
def test_a_production_makes_its_edit(production, before, reduced, after):
    focus = {"focus": (0,)} if production == "same_for" else {}
    assert order(after) in reductions(before, reduced, **focus)[production]


def test_the_number_of_all_lines_means_no_option_group():
    assert "set_all" not in reductions("latte; latte", chunk(flags=ChunkFlag.ALL, scope=2))


def test_an_exception_from_nothing_chooses_no_other_options():
    assert "set_all_but" not in reductions("latte", chunk(link="except", modifiers=SHOT))


def test_modifiers_without_an_item_add_a_line_that_is_open_between_the_items_that_accept_them():
    (latte,) = INDEX.draft(lines_of(MENU, "latte [l]"))
    assert reductions("", chunk(modifiers=LARGE))["add_implied"] == [denotation([latte._replace(items=("latte", "milk-tea"))])]


def test_a_held_part_of_a_line_is_replaced():
    target = ReplacementTarget(0, (), 1)
    assert reductions("2 x muffin", chunk(items=LATTE, verb="into"), target=target)["replace"] == [order("muffin; latte")]


def test_a_line_that_is_named_without_a_verb_is_held_for_what_it_becomes():
    hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, "latte; 2 x muffin")))
    hypothesis.chunk = chunk(items=("muffin",), number=2)
    (held,) = {new.progress.target for new in REDUCER.reduce(hypothesis, None) if new.progress.target is not None}
    assert (held.line, held.verb) == (1, "")
    assert order("latte; muffin") in reductions("latte; 2 x muffin", chunk(number=1, verb="into"), target=held)["replace_options"]


def test_a_line_with_options_that_it_lacks_is_not_held():
    held = [new.progress.target for new in _reduced("latte [s]; muffin", chunk(items=LATTE, modifiers=LARGE))]
    assert held
    assert all(target is None for target in held)


def test_half_of_a_line_is_held_for_what_it_becomes():
    hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, "6 x latte")))
    hypothesis.chunk = chunk(items=LATTE, share=2, verb="change")
    assert {new.progress.target.number for new in REDUCER.reduce(hypothesis, None) if new.progress.target is not None} == {3}


def test_the_object_of_make_is_replaced_by_an_item_without_a_verb():
    made, named = ReplacementTarget(0, (), 1, "set"), ReplacementTarget(0, (), 1, "")
    one = chunk(items=("muffin",), is_article=True, number=1)
    assert reductions("2 x latte", one.copy(), target=made)["replace"] == [order("latte; muffin")]
    assert "replace" not in reductions("2 x latte", one.copy(), target=named)


NEAR = MENU.model_copy(
    update={"items": {**MENU.items, "mocha": MENU.items["latte"].model_copy(update={"name": "Mocha latte", "category": "coffee"})}}
)


@pytest.mark.parametrize(
    ("before", "reduced", "target", "after"),
    [
        ("latte [l]; muffin", chunk(items=("mocha",), verb="into"), ReplacementTarget(1, (), 0, is_named=False), "mocha [l]; muffin"),
        ("2 x latte [l]; muffin", chunk(items=("mocha",), number=1, flags=ChunkFlag.PART), None, "latte [l]; mocha [l]; muffin"),
        ("latte [l]; muffin", chunk(items=("mocha",), link="correction"), None, "mocha [l]; muffin"),
        ("latte [l]; muffin", chunk(items=("mocha",), place=1, verb="change"), None, "mocha [l]; muffin"),
    ],
)
def test_an_item_replaces_the_line_to_which_it_is_nearest_if_none_is_named(before, reduced, target, after):
    index = MenuIndex(NEAR)
    hypothesis = Hypothesis.start(index.draft(lines_of(NEAR, before)))
    hypothesis.chunk, hypothesis.progress.target = reduced, target
    made = [new for new in Reducer(index, Model({})).reduce(hypothesis, None) if new.trace[0].events()[0][0] == "replace"]
    assert denotation(index.draft(lines_of(NEAR, after))) in [denotation(new.draft) for new in made]


def test_a_named_line_is_replaced_and_no_nearer_one():
    index = MenuIndex(NEAR)
    hypothesis = Hypothesis.start(index.draft(lines_of(NEAR, "latte; muffin")))
    hypothesis.chunk, hypothesis.progress.target = chunk(items=("mocha",), verb="into"), ReplacementTarget(1, (), 0)
    made = [new.draft for new in Reducer(index, Model({})).reduce(hypothesis, None) if new.trace[0].events()[0][0] == "replace"]
    assert {denotation(draft) for draft in made} == {denotation(index.draft(lines_of(NEAR, "latte; mocha")))}


def test_what_is_the_same_is_kept_where_an_item_is_replaced():
    same_size = chunk(items=LATTE, link="correction", flags=ChunkFlag.AGAIN, groups=("size",))
    assert order("latte [l]") in reductions("milk-tea [l]", same_size)["replace"]
    assert "replace" not in reductions("milk-tea [l]", chunk(items=LATTE, link="correction", flags=ChunkFlag.AGAIN))


def test_an_option_of_several_corrects_the_one_that_was_just_added():
    old, new = INDEX.draft(lines_of(MENU, "latte [l]")), INDEX.draft(lines_of(MENU, "latte [l, black, shot]"))
    corrected = chunk(link="correction", modifiers=WHITE)
    after = reductions("latte [l, black, shot]", corrected.copy(), edits=(EditRecord(0, 1, old, new), None))
    assert after["correct_options"] == [order("latte [l, black, white]")]
    assert "correct_options" not in reductions("latte [l, black, shot]", corrected, edits=(EditRecord(0, 1, new, new), None))


def test_the_other_units_of_a_line_are_held_for_what_they_become():
    hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, "3 x latte [l]")))
    hypothesis.progress.focus, hypothesis.progress.is_selected, hypothesis.progress.part = (0,), True, 1
    hypothesis.chunk = chunk(flags=ChunkFlag.REST)
    (held,) = {new.progress.target for new in REDUCER.reduce(hypothesis, None) if new.progress.target is not None}
    replaced = reductions("3 x latte [l]", chunk(items=("muffin",)), target=held)["replace"]
    assert replaced == [order("latte [l]; 2 x muffin")]


def test_an_item_without_a_number_is_one_part_of_a_list_that_was_counted():
    counted = reductions("", chunk(items=LATTE), forwarded=(Forwarded(3, ()),))
    assert order("latte") in counted["add"]


def test_the_portions_of_held_options_become_a_number():
    target = ReplacementTarget(0, SHOT, 0, "")
    assert reductions("latte [2*shot, black]", chunk(number=3, verb="into"), target=target)["replace_options"] == [
        order("latte [3*shot, black]")
    ]


def test_a_number_corrects_the_portions_that_were_set_before_it():
    before, after = INDEX.draft(lines_of(MENU, "latte")), INDEX.draft(lines_of(MENU, "latte [2*shot]"))
    corrected = reductions("latte [2*shot]", chunk(number=3, link="correction"), edits=(EditRecord(0, 1, before, after), None))
    assert corrected["set_portions_each"] == [order("latte [3*shot]")]


def test_units_with_another_option_are_of_the_item_before_them():
    found = reductions("5 x latte [shot]", chunk(number=10, modifiers=(modifier("extras", "black"),)), new_lines=(0,))
    assert order("5 x latte [shot]; 10 x latte [black]") in found["add_parallel"]
    assert "add_parallel" not in reductions("5 x latte [shot]", chunk(number=10, modifiers=SHOT))  # the line is no new one


def test_no_units_are_added_while_those_of_a_line_are_divided():
    (whole,) = INDEX.draft(lines_of(MENU, "3 x latte"))
    part = whole._replace(quantity=1, options=INDEX.draft(lines_of(MENU, "latte [shot]"))[0].options)
    draft = (whole._replace(quantity=2, origin=NEW), part._replace(origin=NEW, beside=0))
    hypothesis = Hypothesis.start(draft)
    hypothesis.chunk, hypothesis.progress.new_lines = chunk(number=1, modifiers=LARGE), (0,)
    found = [event[0] for new in REDUCER.reduce(hypothesis, None) for event in new.trace[0].events()]
    assert "split" in found
    assert "add_parallel" not in found


def test_the_parts_of_a_list_are_among_the_items_of_its_head():
    (headed,) = _forwarded_by(chunk(items=("latte", "milk-tea"), number=4, modifiers=LARGE))
    assert headed == Forwarded(4, LARGE, ("latte", "milk-tea"))
    part = reductions("", chunk(items=("muffin", "latte"), number=1), forwarded=(headed,))["add"]
    assert order("latte [l]") in part
    rest = reductions("", chunk(items=("latte",), flags=ChunkFlag.REST), forwarded=(headed._replace(number=3),))["add_rest"]
    assert rest == [order("3 x latte [l]")]
    assert "add_rest" not in reductions("", chunk(items=("muffin",), flags=ChunkFlag.REST), forwarded=(headed,))


def _forwarded_by(reduced):
    hypothesis = Hypothesis.start(())
    hypothesis.chunk = reduced
    return {one for new in REDUCER.reduce(hypothesis, None) for one in new.progress.forwarded if one.items}


def test_an_item_for_each_unit_of_a_line_is_multiplied():
    each = chunk(items=LATTE, flags=ChunkFlag.EACH)
    assert reductions("3 x latte; muffin", each, new_lines=(1,), focus=(1,))["for_each"] == [order("3 x latte; 3 x muffin")]


def test_an_answer_for_all_reaches_every_line_that_lacks_the_option():
    everybody = chunk(modifiers=LARGE, flags=ChunkFlag.EACH)
    before = "2 x latte; milk-tea; muffin; latte [s]"
    assert reductions(before, everybody, question=SIZE_ASKED)["set_asked"] == [order("2 x latte [l]; milk-tea [l]; muffin; latte [s]")]
    assert "set_asked" in reductions(before, chunk(modifiers=LARGE, number=3), question=SIZE_ASKED)
    assert "set_asked" not in reductions(before, chunk(modifiers=LARGE, number=2), question=SIZE_ASKED)  # there are three units


@pytest.mark.parametrize("reference", [chunk(number=3), chunk(number=3, flags=ChunkFlag.ALL)])
def test_a_number_of_units_refers_to_all_lines_that_have_as_many(reference):
    set_on = [
        new.draft
        for new in _reduced("2 x latte; milk-tea", reference, forwarded=(Forwarded(0, LARGE),))
        if any(event[0] == "set_on" for event in new.trace[0].events())
    ]
    assert order("2 x latte [l]; milk-tea [l]") in [denotation(draft) for draft in set_on]


def _reduced(before, reduced, **attributes):
    hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, before)))
    hypothesis.chunk = reduced.copy()
    for name, value in attributes.items():
        setattr(hypothesis.progress, name, value)
    return REDUCER.reduce(hypothesis, None)


def then(before, *chunks):
    """Return the orders that the last of several chunks can lead to, by its production."""
    hypotheses = [Hypothesis.start(INDEX.draft(lines_of(MENU, before)))]
    found: dict[str, list[Any]] = {}
    for reduced in chunks:
        found = {}
        for hypothesis in hypotheses:
            hypothesis.chunk = reduced.copy()
        hypotheses = [new for hypothesis in hypotheses for new in REDUCER.reduce(hypothesis, None)]
        for new in hypotheses:
            found.setdefault(new.trace[0].events()[0][0], []).append(denotation(new.draft))
    return found


def test_what_make_names_is_replaced_by_the_item_behind_it_and_keeps_the_options_that_fit():
    latte = chunk(items=LATTE, is_article=True, number=1)
    assert order("milk-tea [l]; latte [l]") in then("2 x milk-tea [l]", chunk(verb="set", number=1, items=("milk-tea",)), latte)["replace"]
    assert order("latte [l]") in then("milk-tea [l]", chunk(items=("milk-tea",)), latte)["replace"]


def test_a_share_of_a_line_is_replaced():
    half = chunk(verb="change", items=("muffin",), share=2)
    assert order("2 x muffin; 2 x latte") in then("4 x muffin", half, chunk(verb="into", items=LATTE))["replace"]


def test_an_item_behind_a_removed_one_may_take_its_place():
    removed = chunk(verb="remove", items=("milk-tea",))
    assert order("2 x latte [l]; muffin") in then("2 x milk-tea [l]; muffin", removed, chunk(items=LATTE))["replace"]
    assert "replace" not in then("milk-tea; muffin", removed, chunk(items=LATTE))  # nothing is kept: the new line is the same


def test_nothing_takes_the_place_of_a_line_of_an_order_that_was_cancelled_since():
    plain, with_shot = [INDEX.draft(lines_of(MENU, text)) for text in ("2 x latte [l]", "2 x latte [l, shot]")]
    removed = (plain[0]._replace(quantity=0),)
    for after, reduced in ((removed, chunk(items=LATTE)), (with_shot, chunk(link="correction", number=3))):
        found = reductions("", reduced, edits=(EditRecord(0, 1, plain, after), None))
        assert not {"replace", "set_portions"} & set(found)


def test_an_item_that_is_ordered_instead_of_another_one_takes_over_its_options():
    instead = chunk(verb="instead", items=("milk-tea",))
    assert order("latte [l, shot]") in then("milk-tea [l]", chunk(items=LATTE, modifiers=SHOT), instead)["take_over"]


def test_an_option_that_was_replaced_already_is_not_removed_from_another_line():
    instead = chunk(verb="instead", modifiers=SMALL)
    assert order("latte [s]; latte [l]") in then("latte [s]; latte [s]", chunk(modifiers=LARGE), instead)["remove_absent"]


@pytest.mark.parametrize("first", [chunk(place=1), chunk(place=1, verb="set")])
def test_an_option_is_set_on_all_lines_that_a_conjunction_joins(first):
    second = chunk(link="and", items=("milk-tea",), modifiers=LARGE)
    assert order("latte [l]; muffin; milk-tea [l]") in then("latte; muffin; milk-tea", first, second)["set_options"]
    own = then("latte; muffin; milk-tea", chunk(items=LATTE, modifiers=SHOT), second)["set_options"]
    assert order("latte [shot, l]; muffin; milk-tea [l]") not in own  # the first one got something else


def test_the_lines_that_a_conjunction_joins_get_what_is_said_behind_them():
    second = chunk(link="and", place=3)
    after = then("latte; muffin; milk-tea", chunk(place=1), second, chunk(verb="set", modifiers=LARGE))["set_options"]
    assert order("latte [l]; muffin; milk-tea [l]") in after


def test_an_option_goes_to_one_more_line_behind_a_conjunction():
    first, second = chunk(items=LATTE, modifiers=LARGE), chunk(link="and", items=("milk-tea",))
    assert then("latte; muffin; milk-tea", first, second)["spread"] == [order("latte [l]; muffin; milk-tea [l]")]
    assert "spread" not in then("latte; muffin", first, chunk(link="and", items=("muffin",)))  # it offers no size


def test_what_is_left_of_a_line_is_the_other_one():
    part, rest = chunk(items=LATTE, number=1, modifiers=LARGE), chunk(flags=ChunkFlag.REST, modifiers=SHOT)
    after = then("2 x latte; milk-tea", part, rest)["set_options"]
    assert order("latte [shot]; latte [l]; milk-tea") in after
    assert order("latte; latte [l]; milk-tea [shot]") not in after


def test_the_other_units_of_a_line_stay_as_they_were():
    changed, other = chunk(modifiers=LARGE), chunk(verb="keep", flags=ChunkFlag.REST)
    assert order("latte [s]; latte [l]") in then("2 x latte [s]", changed, other)["keep_rest"]
    assert "keep_rest" not in then("latte [s]", changed, other)
    assert "keep_rest" not in then("2 x latte [s]", changed, chunk(verb="keep"))


def test_an_option_moves_to_another_line():
    onto = chunk(items=("milk-tea",), flags=ChunkFlag.ONTO)
    for first, second in (
        (chunk(verb="change", modifiers=SHOT), chunk(verb="into", items=("milk-tea",))),
        (chunk(verb="remove", modifiers=SHOT), onto),
    ):
        assert order("latte [l]; milk-tea [shot]") in then("latte [l, shot]; milk-tea", first, second)["move_options"]
    assert "move_options" not in then(
        "latte [shot]; muffin", chunk(verb="remove", modifiers=SHOT), chunk(items=("muffin",), flags=ChunkFlag.ONTO)
    )


def test_an_option_that_is_set_on_a_line_instead_of_another_one_is_taken_off_that_one():
    instead = chunk(verb="instead", items=("milk-tea",))
    assert then("latte; milk-tea [shot]", chunk(items=LATTE, modifiers=SHOT), instead)["take_back"] == [order("latte [shot]; milk-tea")]


def test_a_line_becomes_the_same_as_another_one():
    same = chunk(flags=ChunkFlag.AGAIN, place=1)
    for change in (chunk(place=2), chunk(verb="change", place=2)):
        assert order("2 x latte [l]") in then("latte [l]; milk-tea", change, same)["copy_over"]


def test_an_option_is_copied_from_the_line_that_is_named():
    same = chunk(groups=("size",), flags=ChunkFlag.AGAIN, items=LATTE)
    copied = reductions("latte [l]; milk-tea [s]; milk-tea", same, focus=(2,))["same_group"]
    assert copied == [order("latte [l]; milk-tea [s]; milk-tea [l]")]


def test_a_number_corrects_the_portions_or_the_number_before_it():
    correction = chunk(link="correction", number=3)
    assert order("latte [3*shot]") in then("latte", chunk(modifiers=SHOT), correction)["set_portions_each"]
    corrected = chunk(link="correction", number=3, items=LATTE)
    assert order("3 x latte") in reductions("", corrected, forwarded=(Forwarded(2, ()),))["add"]


def test_a_copy_with_more_portions_than_a_group_may_have_is_told_apart():
    extras = MENU.option_groups["extras"].model_copy(update={"max": 2})
    index = MenuIndex(MENU.model_copy(update={"option_groups": {**MENU.option_groups, "extras": extras}}))
    hypothesis = Hypothesis.start(index.draft(lines_of(MENU, "latte [shot, black]")))
    hypothesis.chunk = chunk(flags=ChunkFlag.AGAIN, modifiers=WHITE)
    events = [edit.event for edit in repeat(Context(hypothesis, index, None))]
    assert [event[EVENTS["repeat"].index("others") + 1] for event in events] == ["kept_over", "replaced_over"]


def test_a_line_of_an_item_on_the_order_is_told_apart_if_it_comes_beside_the_others():
    hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, "latte")))
    place = EVENTS["add"].index("on_order") + 1
    for flags, on_order in ((ChunkFlag.NONE, "on"), (ChunkFlag.ALSO, "also")):
        hypothesis.chunk = chunk(items=LATTE, flags=flags)
        assert {edit.event[place] for edit in add(Context(hypothesis, INDEX, None))} == {on_order}


def test_forwarded_modifiers_become_lines_of_the_item_that_follows():
    forwarded = (Forwarded(1, LARGE),)
    added = reductions("", chunk(items=LATTE, number=1, modifiers=(modifier("size", "s"),)), forwarded=forwarded)["add"]
    assert order("latte [l]; latte [s]") in added


def test_the_open_question_is_answered_by_place():
    question = OpenQuestion("ambiguous", 0, "extras", ("black", "white"))
    assert reductions("milk-tea", chunk(place=2), question=question)["accept"] == [order("milk-tea [white]")]


def test_removing_an_absent_item_leaves_the_draft():
    assert reductions("muffin", chunk(items=LATTE, verb="remove"))["remove_absent"] == [order("muffin")]


def test_the_rest_of_a_number_said_before_becomes_a_line():
    rest = chunk(items=("muffin",), flags=ChunkFlag.REST)
    assert reductions("", rest.copy(), forwarded=(Forwarded(3, ()),))["add_rest"] == [order("3 x muffin")]
    options = INDEX.draft(lines_of(MENU, "latte [l]"))[0].options
    asked = OpenQuestion("ambiguous", None, None, ("latte", "muffin"), DraftLine(("latte", "muffin"), 5, options))
    assert reductions("3 x latte", rest, question=asked, new_lines=(0,), n_edits=1)["add_rest"] == [order("3 x latte; 2 x muffin")]


def test_a_number_that_heads_a_list_is_shared_by_its_parts():
    (part, whole) = sorted(
        reductions("", chunk(items=LATTE, number=2), forwarded=(Forwarded(5, ()),))["add"], key=lambda meaning: sum(n for _, n in meaning)
    )
    assert (part, whole) == (order("2 x latte"), order("7 x latte"))


SIZE_ASKED = OpenQuestion("missing", 0, "size", ("s", "l"))


def test_answers_listed_unit_by_unit_go_to_one_unit_each():
    assert order("2 x latte; latte [l]") in reductions("3 x latte", chunk(modifiers=LARGE), question=SIZE_ASKED)["assign"]
    last = reductions("latte [s]; latte", chunk(modifiers=LARGE), question=SIZE_ASKED, n_edits=1)
    assert last["assign"] == [order("latte [s]; latte [l]")]
    assert "assign" not in reductions("latte", chunk(modifiers=LARGE), question=SIZE_ASKED)
    selected = {"is_selected": True, "focus": (1,)}  # "the milk tea large"
    assert "assign" not in reductions("latte; milk-tea", chunk(modifiers=LARGE), question=SIZE_ASKED, **selected)
    assert "assign" not in reductions("2 x latte", chunk(modifiers=SHOT), question=PEARLS_ASKED)  # both pearls may be for each unit


def test_an_option_of_a_named_group_is_copied_from_another_line():
    same = chunk(groups=("size",), flags=ChunkFlag.AGAIN)
    assert order("latte [l]; milk-tea [l]") in reductions("latte [l]; milk-tea", same, focus=(1,))["same_group"]


PEARLS_ASKED = OpenQuestion("ambiguous", 0, "extras", ("black", "white"))


def test_the_answer_with_all_choices_closes_the_open_option():
    both = reductions("latte [black|white]", chunk(flags=ChunkFlag.ALL), question=PEARLS_ASKED)["accept"]
    assert both == [order("latte [black, white]")]


def test_one_of_each_shares_the_choices_among_the_units():
    each = reductions("2 x latte [black|white]", chunk(flags=ChunkFlag.EACH), question=PEARLS_ASKED)["accept"]
    assert order("latte [black]; latte [white]") in each


def test_the_choices_that_a_name_fits_are_shared_among_the_units_or_all_chosen():
    each = reductions("2 x latte", chunk(modifiers=(PEARLS,), flags=ChunkFlag.EACH), question=PEARLS_ASKED)["accept"]
    assert order("latte [black]; latte [white]") in each
    both = reductions("latte", chunk(modifiers=(PEARLS,), flags=ChunkFlag.ALL, scope=2), question=PEARLS_ASKED)["accept"]
    assert both == [order("latte [black, white]")]


def test_one_of_each_of_the_first_choices_shares_these_among_the_units():
    first_two = chunk(place=1, number=2, flags=ChunkFlag.EACH)
    assert order("latte [s]; latte [l]") in reductions("2 x latte", first_two, question=SIZE_ASKED)["accept"]


def test_a_number_before_a_place_means_so_many_choices_or_portions():
    first_two = reductions("latte", chunk(place=1, number=2), question=PEARLS_ASKED)["accept"]
    assert set(first_two) == {order("latte [black, white]"), order("latte [2*black]")}


def test_a_choice_named_by_place_may_be_for_another_line():
    hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, "latte; milk-tea")))
    hypothesis.chunk = chunk(place=2)
    forwarded = [new.progress.forwarded for new in REDUCER.reduce(hypothesis, SIZE_ASKED)]
    assert (Forwarded(0, LARGE),) in forwarded


def test_the_item_that_is_left_is_chosen():
    asked = OpenQuestion("ambiguous", None, None, ("latte", "muffin"))
    other = reductions("2 x latte", chunk(flags=ChunkFlag.REST), question=asked, new_lines=(0,), n_edits=1)["accept"]
    assert other == [order("2 x latte; muffin")]


def test_a_chunk_that_hypotheses_share_is_reduced_once():
    hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, "latte")))
    hypothesis.chunk = chunk(modifiers=LARGE)
    assert REDUCER.reductions(hypothesis, None) is REDUCER.reductions(hypothesis.fork(), None)


def test_no_rule_keeps_a_production_from_a_chunk_to_which_it_applies():
    questions = (None, SIZE_ASKED, PEARLS_ASKED)
    flags = (
        ChunkFlag.NONE,
        ChunkFlag.AGAIN,
        ChunkFlag.AGAIN | ChunkFlag.ALL,
        ChunkFlag.MORE,
        ChunkFlag.REST,
        ChunkFlag.EACH,
        ChunkFlag.ALL,
        ChunkFlag.REFERENCE | ChunkFlag.SWAP,
    )
    others_said = "2 x latte [3*black]; muffin; 2 x milk-tea [s]; latte [l]"
    corrected, draft = [INDEX.draft(lines_of(MENU, f"3 x milk-tea [{options}]; {others_said}")) for options in ("l, white", "l")]
    applied = set()
    for verb, link, flag in product(("", "remove", "change", "into", "set", "keep", "instead"), ("", "and", "correction", "except"), flags):
        for items, modifiers, number, place in product(
            ((), LATTE, ("latte", "milk-tea")), ((), LARGE, (*LARGE, *SHOT), (modifier("extras", "black"),)), (0, 2), (0, 1)
        ):
            hypothesis = Hypothesis.start(corrected if link == "correction" else draft)
            hypothesis.progress.focus = (0,)
            first, *others = hypothesis.draft
            hypothesis.progress.edits = (EditRecord(0, 1, (first._replace(options=()), *others), hypothesis.draft), None)
            hypothesis.progress.forwarded = (Forwarded(3, ()),)
            hypothesis.progress.new_lines = (0, 1)
            hypothesis.progress.target = (
                ReplacementTarget(0, LARGE if flag & ChunkFlag.REFERENCE else (), 0)
                if flag & (ChunkFlag.AGAIN | ChunkFlag.REFERENCE)
                else None
            )
            hypothesis.chunk = chunk(
                verb=verb, link=link, flags=flag, items=items, modifiers=modifiers, number=number, place=place, share=2 * (flag == 0)
            )
            hypothesis.chunk.factor = 2 * (place == 0 and not number and flag == ChunkFlag.ALL)
            hypothesis.chunk.groups = ("size",) if flag & ChunkFlag.AGAIN and bool(items) is bool(place) else ()
            hypothesis.chunk.scope = EVERYTHING if link == "except" and not flag else 0
            for asked in questions:
                bits = bits_of(hypothesis.chunk, asked)
                for production, required in RULES:
                    if any(True for _ in production(Context(hypothesis, INDEX, asked))):
                        applied.add(production)
                        assert not required & ~bits, production.__name__
    assert applied == set(PRODUCTIONS)
