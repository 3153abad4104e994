import pytest

from tests.orders.parser.kiosk import MENU, modifier
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import DraftLine, MenuIndex
from voice.orders.parser.model import Model
from voice.orders.parser.moves import MAX_REBATE, Shift
from voice.orders.parser.reduce import Reducer
from voice.orders.parser.roles import Role
from voice.orders.parser.shift import SHIFTS
from voice.orders.parser.state import ChunkFlag, Hypothesis, OpenQuestion

REDUCER = Reducer(MenuIndex(MENU), Model({}))
ITEM = (Role.ITEM, ("latte",))
TWO = (Role.NUMBER, 2)
LARGE = (Role.OPTION, modifier("size", "l").refs)


def shifted(*arcs, draft=(), question=None):
    """Return all hypotheses behind some arcs of one token each."""
    hypotheses = [Hypothesis.start(draft)]
    for at, (role, value) in enumerate(arcs):
        arc = Arc(1, role, value, (), 0.0)
        hypotheses = [new for hypothesis in hypotheses for new in SHIFTS[role](Shift(REDUCER, hypothesis, arc, at, question))]
    return hypotheses


def test_every_role_has_a_shift():
    assert set(SHIFTS) == set(Role)


def test_a_number_and_an_item_make_one_chunk():
    chunks = [hypothesis.chunk for hypothesis in shifted(TWO, ITEM)]
    assert any((chunk.number, chunk.items, chunk.start, chunk.end) == (2, ("latte",), 0, 2) for chunk in chunks)


def test_a_second_item_begins_a_chunk_and_reduces_the_one_before():
    hypotheses = shifted(ITEM, (Role.AND, None), (Role.ITEM, ("muffin",)))
    assert all(hypothesis.chunk.items == ("muffin",) for hypothesis in hypotheses)
    assert all(hypothesis.chunk.link == "and" for hypothesis in hypotheses)
    assert any(hypothesis.draft == (DraftLine(("latte",), 1),) for hypothesis in hypotheses)


def test_a_chunk_is_not_begun_if_it_is_dearer_than_the_beam_allows():
    (hypothesis,) = [one for one in shifted(ITEM) if one.chunk.items]
    arc = Arc(1, Role.REMOVE, 0, (), 0.0)
    assert Shift(REDUCER, hypothesis, arc, 1, None).begin()
    assert not Shift(REDUCER, hypothesis, arc, 1, None, -MAX_REBATE - 1).begin()


def test_an_item_that_does_not_accept_the_modifiers_begins_a_chunk():
    assert all(not hypothesis.chunk.modifiers for hypothesis in shifted(LARGE, (Role.ITEM, ("muffin",))))


def test_a_number_behind_an_option_may_multiply_it():
    (chunk, *_) = [hypothesis.chunk for hypothesis in shifted(LARGE, (Role.TIMES, None), (Role.NUMBER, 3)) if hypothesis.chunk.modifiers]
    assert [one.quantity for one in chunk.modifiers] == [3]


def test_an_amount_goes_to_the_next_option_and_may_carry_on_behind_a_connective():
    without = shifted((Role.AMOUNT, "no"), (Role.OPTION, modifier("extras", "shot").refs))
    assert {one.amount for hypothesis in without if not hypothesis.chunk.verb for one in hypothesis.chunk.modifiers} == {"no"}
    both = shifted(
        (Role.AMOUNT, "no"),
        (Role.OPTION, modifier("extras", "shot").refs),
        (Role.AND, None),
        (Role.OPTION, modifier("extras", "black").refs),
    )
    assert {tuple(one.amount for one in hypothesis.chunk.modifiers) for hypothesis in both} >= {("no", "no"), ("no", None)}


NONE = (Role.AMOUNT, "no")


def test_zero_behind_an_item_or_a_pronoun_removes_it():
    zero = (Role.AMOUNT_BEHIND, "no")
    for arcs in ((ITEM, zero), ((Role.SET_IT, None), zero), ((Role.INTO, None), zero)):
        assert any(hypothesis.chunk.verb == "remove" for hypothesis in shifted(*arcs, draft=TWO_LATTES))


def test_no_before_an_option_may_remove_the_line_that_has_it():
    chunks = [hypothesis.chunk for hypothesis in shifted(NONE, LARGE)]
    assert any(chunk.verb == "remove" and chunk.modifiers == (modifier("size", "l"),) for chunk in chunks)


def test_a_factor_stands_before_or_behind_its_line():
    double = (Role.PORTION, 2)
    for arcs in ((double, ITEM), (ITEM, double)):
        chunks = [hypothesis.chunk for hypothesis in shifted(*arcs)]
        assert any((chunk.factor, chunk.items) == (2, ("latte",)) for chunk in chunks)
    assert not any(hypothesis.chunk.factor for hypothesis in shifted(double, LARGE))  # portions of an option


def test_more_may_stand_behind_an_option():
    for arcs in ((LARGE, (Role.MORE, 1)), (LARGE, (Role.MORE, 0), (Role.MORE, 1))):
        chunks = [hypothesis.chunk for hypothesis in shifted(*arcs) if hypothesis.chunk.modifiers]
        assert any(chunk.flags & ChunkFlag.MORE and chunk.number == 1 for chunk in chunks)


def test_a_comma_behind_a_correction_does_not_end_it():
    links = {hypothesis.chunk.link for hypothesis in shifted(TWO, (Role.CORRECTION, None), (Role.COMMA, None), TWO)}
    assert links == {"correction"}


def test_a_list_of_numbered_items_is_removed_by_one_verb():
    removed = shifted((Role.REMOVE, None), (Role.NUMBER, 1), ITEM, (Role.NUMBER, 1), (Role.ITEM, ("muffin",)))
    assert any(hypothesis.chunk.verb == "remove" and hypothesis.chunk.items == ("muffin",) for hypothesis in removed)


def test_cancelling_empties_the_draft():
    assert all(hypothesis.draft == () for hypothesis in shifted((Role.CANCEL, None), draft=(DraftLine(("latte",), 1, origin=0),)))


def test_a_token_that_is_left_unread_is_listed():
    (hypothesis,) = shifted((Role.UNREAD, None))
    assert hypothesis.unread == (0, None)


@pytest.mark.parametrize(("role", "choice"), [(Role.MOST, "l"), (Role.LEAST, "s"), (Role.ANY, "s")])
def test_an_answer_by_preference_sets_a_choice_of_the_open_question(role, choice):
    choices = MENU.option_groups["size"].choices
    priced = MENU.model_copy(
        update={
            "option_groups": {
                **MENU.option_groups,
                "size": MENU.option_groups["size"].model_copy(
                    update={"choices": {"s": choices["s"], "l": choices["l"].model_copy(update={"price": 50})}}
                ),
            }
        }
    )
    reducer = Reducer(MenuIndex(priced), Model({}))
    start = Hypothesis.start((DraftLine(("latte",), 1, origin=0),))
    question = OpenQuestion("missing", 0, "size", ("s", "l"))
    found = list(SHIFTS[role](Shift(reducer, start, Arc(1, role, None, (), 0.0), 0, question)))
    assert any(option.choices == (choice,) for hypothesis in found for line in hypothesis.draft for option in line.options)


def test_an_option_said_twice_is_two_portions():
    shot = (Role.OPTION, modifier("extras", "shot").refs)
    assert any(modifier("extras", "shot", quantity=2) in hypothesis.chunk.modifiers for hypothesis in shifted(shot, shot))
    assert all(len(hypothesis.chunk.modifiers) != 1 or hypothesis.chunk.modifiers[0].quantity == 1 for hypothesis in shifted(LARGE, LARGE))


def test_a_group_may_be_named_before_or_behind_same():
    group, again = (Role.GROUP, ("size",)), (Role.AGAIN, None)
    for arcs in ((group, again), (again, group)):
        chunks = [hypothesis.chunk for hypothesis in shifted(*arcs)]
        assert any(chunk.groups == ("size",) and chunk.flags & ChunkFlag.AGAIN for chunk in chunks)


ONTO, SHOT = (Role.ONTO, None), (Role.OPTION, modifier("extras", "shot").refs)
TWO_LATTES = (DraftLine(("latte",), 1, origin=0), DraftLine(("latte",), 1, origin=1))


@pytest.mark.parametrize("reference", [(Role.REST, None), (Role.NUMBER, 1), (Role.ORDINAL, 2), (Role.PERSON, (1,))])
def test_the_lines_for_which_options_are_may_stand_behind_them(reference):
    chunks = [hypothesis.chunk for hypothesis in shifted(SHOT, ONTO, reference, draft=TWO_LATTES) if hypothesis.chunk.modifiers]
    referring = [chunk for chunk in chunks if chunk.flags & ChunkFlag.REST or chunk.number or chunk.place or chunk.lines]
    assert referring
    assert all(chunk.end == 3 for chunk in referring)


def test_the_lines_to_change_may_stand_before_same():
    chunks = [hypothesis.chunk for hypothesis in shifted((Role.REST, None), (Role.AGAIN, None), draft=TWO_LATTES)]
    assert any(chunk.flags & ChunkFlag.REST and chunk.flags & ChunkFlag.AGAIN for chunk in chunks)


def test_a_pronoun_a_number_and_a_verb_may_stand_before_again():
    for before in ((Role.REFERENCE, None), TWO, (Role.SET, None)):
        chunks = [hypothesis.chunk for hypothesis in shifted(before, (Role.AGAIN, None), draft=TWO_LATTES)]
        assert any(chunk.flags & ChunkFlag.AGAIN and chunk.start == 0 for chunk in chunks)


def test_two_groups_may_be_named_together():
    size, extras = (Role.GROUP, ("size",)), (Role.GROUP, ("extras",))
    assert any(hypothesis.chunk.groups == ("size", "extras") for hypothesis in shifted(size, (Role.AND, None), extras))


def test_a_word_behind_an_item_may_say_that_this_corrects():
    assert any(one.chunk.link == "correction" and one.chunk.items == ("latte",) for one in shifted(ITEM, (Role.CORRECTION, None)))
    apart = shifted(ITEM, (Role.COMMA, None), (Role.CORRECTION, None))
    assert not any(one.chunk.link == "correction" and one.chunk.items for one in apart)


def test_a_correction_goes_on_behind_a_pause():
    hypotheses = shifted(ITEM, (Role.CORRECTION, None), (Role.COMMA, ","), (Role.NUMBER, 3))
    corrected = [hypothesis for hypothesis in hypotheses if hypothesis.chunk.link == "correction" and hypothesis.chunk.number == 3]
    assert corrected
    assert all(("resumed", "comma") in hypothesis.trace[0] for hypothesis in corrected)


def test_an_amount_that_a_pause_parts_from_its_option_is_told_apart():
    for parted in ((Role.AMOUNT, "no"), (Role.COMMA, ",")), ((Role.COMMA, ","), (Role.AMOUNT, "no")):
        (hypothesis,) = [one for one in shifted(*parted, LARGE) if one.chunk.modifiers and not one.chunk.verb]
        assert (("apart", "no", "comma") in _events(hypothesis)) is (parted[0][0] is Role.AMOUNT)


@pytest.mark.parametrize(("role", "flag"), [(Role.ONLY, ChunkFlag.ONLY), (Role.ALSO, ChunkFlag.ALSO)])
def test_an_adverb_flags_the_open_chunk(role, flag):
    (chunk,) = [hypothesis.chunk for hypothesis in shifted(ITEM, (role, None)) if hypothesis.chunk.items]
    assert chunk.flags & flag


def test_no_before_a_person_removes_the_lines_of_this_person():
    chunks = [hypothesis.chunk for hypothesis in shifted((Role.AMOUNT, "no"), (Role.PERSON, (1,)), draft=TWO_LATTES)]
    assert any((chunk.verb, chunk.lines) == ("remove", (1,)) for chunk in chunks)


def test_a_counting_word_tells_of_the_next_name_alone():
    named = shifted((Role.CLASSIFIER, "side"), ITEM, SHOT)
    events = [_events(hypothesis) for hypothesis in named]
    assert all(found.count(("classified", "item", "side")) == 1 for found in events)
    assert not any(("classified", "option", "side") in found for found in events)


def test_an_extra_option_that_is_counted_may_be_one_portion():
    shots = shifted((Role.WITH, None), (Role.ARTICLE, 1), (Role.AMOUNT, "extra"), SHOT)
    one_portion = [hypothesis.chunk.modifiers for hypothesis in shots if ("extra", True, True) in _events(hypothesis)]
    more = [hypothesis.chunk.modifiers for hypothesis in shots if ("extra", False, True) in _events(hypothesis)]
    assert (modifier("extras", "shot"),) in one_portion
    assert (modifier("extras", "shot", amount="extra"),) in more
    assert all(hypothesis.chunk.flags & ChunkFlag.MORE for hypothesis in shots if ("extra", True, True) in _events(hypothesis))


def _events(hypothesis):
    found, trace = [], hypothesis.trace
    while trace is not None:
        event, trace = trace
        found.append(event)
    return found


def test_a_possessive_is_one_unit_of_the_open_chunk_or_of_a_new_one():
    own = (Role.OWN, None)
    for arcs in ((LARGE, (Role.ONTO, None), own), (own, LARGE), (LARGE, (Role.COMMA, None), own)):
        assert any(
            hypothesis.chunk.number == 1 and hypothesis.chunk.flags & ChunkFlag.OWN for hypothesis in shifted(*arcs, draft=TWO_LATTES)
        )
    assert any(not hypothesis.chunk.number for hypothesis in shifted(own))  # it may be of no account


def test_everything_but_sets_the_options_before_it_on_all_lines():
    draft = (DraftLine(("latte",), 1, origin=0), DraftLine(("milk-tea",), 1, origin=1))
    but = shifted(LARGE, (Role.EXCEPT, True), draft=draft)
    assert any(all(line.options for line in hypothesis.draft) for hypothesis in but)
    assert not any(all(line.options for line in hypothesis.draft) for hypothesis in shifted(LARGE, (Role.EXCEPT, False), draft=draft))


def test_options_behind_a_preposition_describe_a_line():
    described = shifted((Role.OPTION, modifier("extras", "shot").refs), (Role.ONTO, None), LARGE)
    assert any(hypothesis.chunk.flags & ChunkFlag.AT for hypothesis in described)


def test_one_of_several_units_of_a_line_may_be_for_a_person():
    person = (Role.PERSON, (0,))
    assert any((one.chunk.lines, one.chunk.number) == ((0,), 1) for one in shifted(person, draft=(DraftLine(("latte",), 2, origin=0),)))
    assert not any(one.chunk.number for one in shifted(person, draft=(DraftLine(("latte",), 1, origin=0),)))
