import pytest

from tests.orders.parser.kiosk import MENU, modifier
from voice.menus.menu import Menu
from voice.orders.corpus import lines_of
from voice.orders.parser.draft import ChoiceRef, DraftLine, DraftOption, MenuIndex, Modifier, denotation

INDEX = MenuIndex(MENU)


def modified(line, *modifiers):
    """Apply modifiers that the line accepts."""
    found = INDEX.modify_all(line, modifiers)
    assert found is not None
    return found


def test_a_second_choice_of_a_one_of_group_replaces_the_first():
    large = modified(DraftLine(("latte",), 1), modifier("size", "s"), modifier("size", "l"))
    assert large.line.options == (DraftOption("size", ("l",)),)
    assert large.is_replacement


def test_a_second_choice_of_any_other_group_is_added():
    both = modified(DraftLine(("latte",), 1), modifier("extras", "shot"), modifier("extras", "black"))
    assert [option.choices for option in both.line.options] == [("shot",), ("black",)]
    assert not both.is_replacement


def test_words_that_fit_several_choices_do_not_replace_one_of_them():
    line = DraftLine(("latte",), 1, (DraftOption("size", ("l",)),))
    assert modified(line, modifier("size", "s", "l")).line == line


def test_leaving_out_a_listed_option_removes_it_and_any_other_lists_it():
    without = modifier("extras", "shot", amount="no")
    listed = DraftLine(("latte",), 1, (DraftOption("extras", ("shot",)),))
    assert modified(listed, without).line.options == ()
    assert modified(DraftLine(("latte",), 1), without).line.options == (DraftOption("extras", ("shot",), "no"),)


def test_an_item_accepts_only_the_groups_that_it_offers():
    assert INDEX.modify(DraftLine(("muffin",), 1), modifier("size", "l")) is None
    assert modified(DraftLine(("muffin", "latte"), 1), modifier("size", "l")).line.items == ("latte",)
    assert INDEX.modify_all(DraftLine(("latte",), 1), [modifier("size", "l"), modifier("rice", "white")]) is None


def test_modifiers_describe_the_lines_that_list_them_all():
    line = DraftLine(("latte",), 1, (DraftOption("size", ("l",)), DraftOption("extras", ("shot",), "no")))
    assert INDEX.describes([modifier("size", "l"), modifier("extras", "shot", amount="no")], line)
    assert not INDEX.describes([modifier("extras", "shot")], line)


def test_an_order_so_far_is_a_draft_of_lines_that_are_not_new():
    (line,) = INDEX.draft(lines_of(MENU, "2 x latte [no shot, black|white]"))
    assert line == DraftLine(("latte",), 2, (DraftOption("extras", ("shot",), "no"), DraftOption("extras", ("black", "white"))), origin=0)
    assert not line.is_new


def test_equal_orders_have_one_denotation():
    one, two = DraftLine(("latte",), 1), DraftLine(("muffin",), 2)
    assert denotation((one, two)) == denotation((two, one)) == denotation((two, one, one._replace(quantity=0)))
    assert denotation((one, one)) == denotation((one._replace(quantity=2),))


@pytest.mark.parametrize("other", [DraftLine(("latte",), 2), DraftLine(("latte",), 1, (DraftOption("size", ("l",)),))])
def test_different_orders_have_different_denotations(other):
    assert denotation((DraftLine(("latte",), 1),)) != denotation((other,))


ICE = Menu.model_validate(
    {
        "id": "ice",
        "name": "Ice",
        "currency": "USD",
        "option_groups": {
            "ice": {"name": "Ice", "choices": {"normal": {"name": "Normal ice"}, "less": {"name": "Less ice"}, "none": {"name": "No ice"}}}
        },
        "items": {"tea": {"name": "Tea", "price": 1, "options": ["ice"]}},
    }
)


def test_none_of_a_group_is_its_choice_that_stands_for_none():
    ice = Modifier(tuple(ChoiceRef("ice", choice) for choice in ICE.option_groups["ice"].choices), "no")
    changed = MenuIndex(ICE).modify(DraftLine(("tea",), 1, (DraftOption("ice", ("less",)),)), ice)
    assert changed is not None
    assert changed.line.options == (DraftOption("ice", ("none",)),)


def test_a_choice_that_is_left_out_by_its_own_name_is_removed():
    less = Modifier((ChoiceRef("ice", "less"),), "no")
    changed = MenuIndex(ICE).modify(DraftLine(("tea",), 1, (DraftOption("ice", ("less",)),)), less)
    assert changed is not None
    assert changed.line.options == ()


def test_a_choice_closes_an_option_that_is_open_between_it_and_others():
    line = DraftLine(("latte",), 1, (DraftOption("extras", ("black", "white")), DraftOption("extras", ("shot",))), 0)
    closed = modified(line, modifier("extras", "white")).line
    assert {option.choices for option in closed.options} == {("shot",), ("white",)}


def test_items_are_alike_by_words_of_their_names_or_else_by_category():
    items = {"mango-smoothie": "drinks", "mango-cake": "cakes", "berry-smoothie": "drinks", "fruit-tart": "cakes", "cola": "drinks"}
    menu = Menu.model_validate(
        {
            "id": "bar",
            "name": "Bar",
            "currency": "USD",
            "items": {item: {"name": item.replace("-", " "), "category": kind, "price": 1} for item, kind in items.items()},
        }
    )
    index = MenuIndex(menu)
    assert index.alike(("mango-smoothie", "mango-cake"), ("berry-smoothie",)) == ("mango-smoothie",)
    assert index.alike(("mango-cake", "cola"), ("fruit-tart",)) == ("mango-cake",)
    assert [index.kinship((item,), ("berry-smoothie",)) for item in ("mango-smoothie", "cola", "fruit-tart")] == [
        "name",
        "category",
        "none",
    ]
