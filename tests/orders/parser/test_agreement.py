"""What was said is compared with the order before and after."""

import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders.corpus import lines_of
from voice.orders.parser.agreement import Agreement, changes_of, said
from voice.orders.parser.draft import MenuIndex
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import AGREEMENT, Model, features_of
from voice.orders.parser.state import OpenQuestion
from voice.orders.words import tokenize

LEXICON, INDEX = Lexicon(MENU, Model.load()), MenuIndex(MENU)


def draft(text, origins=()):
    """Return an order; `origins`: for each line its index in the order before, None if it is new."""
    lines = INDEX.draft(lines_of(MENU, text))
    return tuple(line._replace(origin=-1 if origin is None else origin) for line, origin in zip(lines, origins or range(9), strict=False))


def lattice(utterance):
    return LEXICON.lattice(tokenize(utterance))


def events(utterance, before, after, question=None):
    return set(Agreement(lattice(utterance), draft(before), question).events(after, []))


def test_names_are_found_with_the_number_and_the_operation_before_them():
    found = said(lattice("two lattes without black pearls and remove the blueberry muffin"))
    assert [(sorted(one.items), one.number, one.operation, one.clarity) for one in found.mentions] == [
        (["latte"], 2, "", "exact"),
        ([], 0, "amount", "exact"),
        (["muffin"], 0, "remove", "exact"),
    ]
    assert found.mentions[1].options == {("extras", "black")}
    assert found.numbers == [2]


def test_what_counts_a_name_is_an_article_a_number_or_a_counting_word():
    found = said(lattice("a latte, two muffins and a side of black pearls with white pearls"))
    assert [(one.number, one.counted) for one in found.mentions] == [(1, "article"), (2, "number"), (1, "side"), (0, "")]


def test_an_order_that_lacks_what_was_said_loses_it():
    whole = events("two lattes and a milk tea", "", draft("2 x latte; milk-tea", [None, None]))
    assert {("said", "item", "exact", "new.equal"), ("lost", 0), ("number_said", "many", True)} <= whole
    part = events("two lattes and a milk tea", "", draft("milk-tea", [None]))
    assert {("said", "item", "exact", "lost"), ("lost", 1), ("number_said", "many", False)} <= part
    assert ("said", "item", "exact", "new.unequal") in events("two lattes", "", draft("3 x latte", [None]))


def test_changes_that_no_word_explains_are_told():
    unsaid = events("a latte", "", draft("latte; muffin", [None, None]))
    assert ("made", "new", "unsaid", "one") in unsaid
    assert ("optional", "set", "unsaid", "", False) in events("the latte please", "latte", draft("latte [l]"))
    assert ("number_unsaid", 4) in events("more lattes", "latte", draft("4 x latte"))


@pytest.mark.parametrize(
    ("before", "after", "kinds"),
    [
        ("latte", draft("2 x latte"), ["quantity"]),
        ("latte [s]; muffin", draft("latte [l]; muffin"), ["set"]),
        ("latte [s, black]", draft("latte [s]"), ["off"]),
        ("latte [black]", draft("latte [2*black]"), ["portions"]),
        ("latte", draft("milk-tea"), ["became"]),
        ("latte", (draft("latte")[0]._replace(quantity=0),), ["removed"]),
        ("latte", draft("latte; muffin", [0, None]), ["new"]),
        ("latte", draft("latte; latte [no black]", [0, None]), ["new", "no"]),
    ],
)
def test_orders_differ_line_by_line(before, after, kinds):
    assert [change.kind for change in changes_of(draft(before), after)] == kinds


def test_a_part_of_a_line_is_a_split():
    after = draft("latte; latte [l]", [0, None])
    after = (after[0], after[1]._replace(beside=0))
    assert [change.kind for change in changes_of(draft("2 x latte"), after)] == ["quantity", "split", "set"]
    assert ("counted", "less.split", "said", "unsaid") in events("one of them large", "2 x latte", after)


def test_an_option_is_near_the_name_of_its_line():
    before = "latte; milk-tea"
    own = events("make the latte large", before, draft("latte [l]; milk-tea"))
    other = events("make the latte large", before, draft("latte; milk-tea [l]"))
    assert ("near", "set", False, "own", "none") in own
    assert ("near", "set", False, "other", "none") in other


def test_an_option_of_the_open_question_is_told_from_others():
    question = OpenQuestion("missing", 0, "size", ("s", "l"))
    assert ("optional_asked", "set", True, True) in events("large", "latte", draft("latte [l]"), question)
    assert ("optional_asked", "set", False, True) in events("black pearls", "latte", draft("latte [black]"), question)


def test_each_event_has_its_attributes_and_features():
    found = events("two lattes large without black pearls", "latte; muffin", draft("2 x latte [l, no black]; muffin"))
    assert found
    for event in found:
        assert len(event) == 1 + len(AGREEMENT[event[0]])
        features = features_of(event)
        assert len(features) == (1 if len(event) <= 3 else len(event) - 1)
