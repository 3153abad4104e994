from itertools import product
from typing import Any

import pytest

from tests.orders.parser.kiosk import MENU, modifier
from voice.orders.corpus import lines_of
from voice.orders.parser.draft import DraftLine, MenuIndex, denotation
from voice.orders.parser.edits import Context
from voice.orders.parser.model import Model
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


SMALL, PEARLS, NO_SHOT = (modifier("size", "s"),), modifier("extras", "black", "white"), modifier("extras", "shot", amount="no")


@pytest.mark.parametrize(
    ("production", "before", "reduced", "after"),
    [
        ("add", "muffin", chunk(items=LATTE, number=2, modifiers=LARGE), "muffin; 2 x latte [l]"),
        ("repeat", "2 x latte [l]", chunk(flags=ChunkFlag.AGAIN), "2 x latte [l]; latte [l]"),
        ("set_options", "latte; muffin", chunk(modifiers=LARGE), "latte [l]; muffin"),
        ("set_described", "latte [s]; latte [l]", chunk(modifiers=(*LARGE, *SHOT)), "latte [s]; latte [l, shot]"),
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
        ChunkFlag.REFERENCE,
    )
    applied = set()
    for verb, link, flag in product(("", "remove", "change", "into", "set", "keep", "instead"), ("", "correction", "except"), flags):
        for items, modifiers, number, place in product(((), LATTE), ((), LARGE, (*LARGE, *SHOT)), (0, 2), (0, 1)):
            hypothesis = Hypothesis.start(INDEX.draft(lines_of(MENU, "3 x milk-tea [l]; 2 x latte; muffin; milk-tea [s]")))
            hypothesis.progress.focus = (0,)
            hypothesis.progress.edits = (EditRecord(0, 1, hypothesis.draft, hypothesis.draft), None)
            hypothesis.progress.forwarded = (Forwarded(3, ()),)
            hypothesis.chunk = chunk(
                verb=verb, link=link, flags=flag, items=items, modifiers=modifiers, number=number, place=place, share=2 * (flag == 0)
            )
            hypothesis.chunk.scope = EVERYTHING if link == "except" and not flag else 0
            hypothesis.chunk.groups = ("size",) if flag & ChunkFlag.AGAIN and not items else ()
            for asked in questions:
                bits = bits_of(hypothesis.chunk, asked)
                for production, required in RULES:
                    if any(True for _ in production(Context(hypothesis, INDEX, asked))):
                        applied.add(production)
                        assert not required & ~bits, production.__name__
    assert applied == set(PRODUCTIONS)
