"""The order after a draft: the sequence of lines, merging, and changes."""

from voice.dialog.settling import MAX_QUANTITY, settle
from voice.orders.parser.draft import DraftLine, DraftOption

TEA = DraftLine(("tea",), 1)
ICED = DraftOption("ice", ("iced",))
HOT = DraftOption("ice", ("hot",))


def order(*lines):
    return tuple(line._replace(origin=number) for number, line in enumerate(lines))


def settled(draft, before, notes=()):
    return settle(tuple(draft), before, {}, {}, notes)


def test_lines_keep_their_order_and_new_ones_come_last():
    before = order(TEA, DraftLine(("cake",), 1))
    after = settled([*before, DraftLine(("pie",), 1)], before)
    assert [line.items[0] for line in after.lines] == ["tea", "cake", "pie"]
    assert [(change.op, change.line) for change in after.changes] == [("add", 2)]


def test_the_parts_of_a_split_line_stay_in_its_place():
    before = order(TEA._replace(quantity=2), DraftLine(("cake",), 1))
    draft = [before[0]._replace(quantity=1, options=(ICED,)), before[1], TEA._replace(options=(HOT,), beside=0)]
    after = settled(draft, before)
    assert [(line.items[0], line.options) for line in after.lines] == [("tea", (ICED,)), ("tea", (HOT,)), ("cake", ())]
    assert after.places == {0: 0, 2: 1, 1: 2}
    assert not after.adds


def test_equal_lines_merge_into_the_earlier_one_if_the_turn_touched_one():
    before = order(TEA, DraftLine(("cake",), 1))
    after = settled([*before, TEA._replace(quantity=2)], before)
    assert [(line.items[0], line.quantity) for line in after.lines] == [("tea", 3), ("cake", 1)]
    assert [(change.op, change.line, change.quantity) for change in after.changes] == [("set", 0, 3)]
    assert after.adds


def test_equal_lines_that_the_turn_did_not_touch_stay_apart():
    before = order(TEA, TEA, DraftLine(("cake",), 1))
    after = settled([before[0], before[1], before[2]._replace(quantity=2)], before)
    assert [line.quantity for line in after.lines] == [1, 1, 2]


def test_the_sequence_of_options_makes_no_other_line():
    sweet = DraftOption("sugar", ("sweet",))
    before = order(TEA._replace(options=(ICED, sweet)))
    assert [line.quantity for line in settled([*before, TEA._replace(options=(sweet, ICED))], before).lines] == [2]


def test_lines_with_different_notes_stay_apart():
    before = order(TEA)
    assert len(settled([*before, TEA], before, ["for Sarah"]).lines) == 2


def test_a_merged_quantity_stays_within_what_a_line_may_have():
    before = order(TEA._replace(quantity=MAX_QUANTITY))
    assert [line.quantity for line in settled([*before, TEA], before).lines] == [MAX_QUANTITY, 1]


def test_a_removed_line_is_a_change_at_its_old_index():
    before = order(TEA, DraftLine(("cake",), 3))
    after = settled([before[0], before[1]._replace(quantity=0)], before)
    assert [(change.op, change.line, change.item, change.quantity) for change in after.changes] == [("remove", 1, "cake", 3)]


def test_spans_and_confidences_are_those_of_touched_lines():
    before = order(TEA, DraftLine(("cake",), 1))
    after = settle((*before, TEA._replace(options=(ICED,))), before, {0: (0, 3), 2: (4, 9)}, {0: 0.4, 2: 0.9}, ())
    assert after.spans == (None, None, (4, 9))
    assert after.confidences == (None, None, 0.9)
