import pytest

from tests.orders.parser.kiosk import MENU
from voice.orders import words
from voice.orders.parser.fitting import PRIOR
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import Model
from voice.orders.parser.roles import Role


def lattice(utterance):
    return Lexicon(MENU, Model(PRIOR)).lattice(words.tokenize(utterance))


def arcs(utterance, role, at=0):
    return [arc for arc in lattice(utterance)[at] if arc.role is role]


@pytest.mark.parametrize("utterance", ["latte", "lattes", "late", "Latté", "lat te"])
def test_a_misspelt_name_is_found(utterance):
    assert any(arc.value == ("latte",) for arc in arcs(utterance, Role.ITEM))


def test_the_words_of_a_name_are_found_in_any_order():
    exact, rotated = arcs("blueberry muffin", Role.ITEM), arcs("muffin blueberry", Role.ITEM)
    assert {arc.value for arc in exact if arc.length == 2} == {arc.value for arc in rotated if arc.length == 2} == {("muffin",)}
    assert min(arc.cost for arc in exact if arc.length == 2) < min(arc.cost for arc in rotated if arc.length == 2)


def test_a_part_of_a_name_is_a_partial_arc_with_the_share_that_is_missing():
    (large,) = arcs("large", Role.OPTION)
    (muffin,) = arcs("muffin", Role.ITEM)
    assert large.is_partial
    assert muffin.is_partial
    assert 0 < dict(large.features)["name.lack"] < dict(muffin.features)["name.lack"] < 1  # a size in ounces names little


def test_a_word_that_names_several_choices_is_one_arc_to_all_of_them():
    (pearls,) = arcs("pearls", Role.OPTION)
    assert [ref.choice for ref in pearls.value] == ["black", "white"]


def test_each_token_can_be_left_unread():
    assert all(any(arc.role is Role.UNREAD and arc.length == 1 for arc in row) for row in lattice("two lattes and a xylophone"))


def test_a_function_phrase_and_a_number_are_arcs():
    assert [arc.value for arc in arcs("no latte", Role.AMOUNT)] == ["no"]
    assert [arc.value for arc in arcs("twenty one lattes", Role.NUMBER) if arc.length == 2] == [21]
    assert arcs("a latte", Role.ARTICLE)


def test_a_phrase_may_be_typed_with_shorthand():
    assert [arc.length for arc in arcs("insted of da latte", Role.INSTEAD)] == [2, 3]
    assert not arcs("instant of latte", Role.INSTEAD)


def test_shorthand_of_one_language_is_no_word_of_a_phrase_of_another():
    assert not any(arc.length > 1 for arc in arcs("k đường n latte", Role.AND, at=2))
    assert [arc.length for arc in arcs("n latte", Role.AND)] == [1]


def test_the_cost_of_an_arc_is_that_of_its_features():
    assert all(arc.cost == pytest.approx(Model(PRIOR).cost_of(arc.features)) for row in lattice("two late no pearl") for arc in row)


def test_a_number_in_a_typed_span_gets_features_of_the_type():
    rows = lattice("a latte in 5 minutes")
    assert any("span.duration" in dict(arc.features) for row in rows for arc in row if arc.role is Role.TALK)
    numbers = [arc for row in rows for arc in row if arc.role is Role.NUMBER]
    assert numbers
    assert all("number.typed.duration" in dict(arc.features) for arc in numbers)


def arcs_of(rows):
    return [[(arc.length, arc.role, arc.value, arc.features, arc.is_partial) for arc in row] for row in rows]


def test_a_row_does_not_depend_on_what_was_asked_before():
    lexicon = Lexicon(MENU, Model(PRIOR))
    for utterance in ("latte", "latte two", "blueberry", "blueberry muffin", "two for two people"):
        assert arcs_of(lexicon.lattice(words.tokenize(utterance))) == arcs_of(lattice(utterance))


def test_a_noun_with_which_several_names_end_belongs_to_the_name_before_it():
    menu = MENU.model_copy(update={"languages": ("en",)})
    spoken = Lexicon(menu, Model(PRIOR)).lattice(words.tokenize("espresso shot pearls"))[0]
    assert [arc.value[0].choice for arc in spoken if arc.role is Role.OPTION and arc.length == 3] == ["shot"]
    vietnamese = Lexicon(MENU.model_copy(update={"languages": ("vi",)}), Model(PRIOR)).lattice(words.tokenize("espresso shot pearls"))[0]
    assert all(arc.length < 3 for arc in vietnamese if arc.role is Role.OPTION)


def test_a_noun_that_is_a_name_of_its_own_is_said_for_itself():
    extras = MENU.option_groups["extras"]
    choices = {**extras.choices, "pearls": extras.choices["black"].model_copy(update={"name": "Pearls"})}
    groups = {**MENU.option_groups, "extras": extras.model_copy(update={"choices": choices})}
    menu = MENU.model_copy(update={"languages": ("en",), "option_groups": groups})
    spoken = Lexicon(menu, Model(PRIOR)).lattice(words.tokenize("espresso shot pearls"))[0]
    assert all(arc.length < 3 for arc in spoken if arc.role is Role.OPTION)


def test_a_measure_that_no_name_has_is_an_arc_of_its_type():
    assert [arc.value for arc in arcs("sixty ounce latte", Role.TALK)] == ["size"]


@pytest.mark.parametrize(("utterance", "is_reference"), [("no", False), ("cho no it da", True), ("nó", True)])
def test_a_word_without_its_mark_counts_beside_an_exact_one_only_in_its_language(utterance, is_reference):
    at = next(number for number, token in enumerate(words.tokenize(utterance)) if words.fold(token.surface) == "no")
    assert any(arc.role is Role.REFERENCE for arc in lattice(utterance)[at]) is is_reference


def test_zero_of_something_is_none():
    assert {arc.role for arc in lattice("0 lattes")[0]} >= {Role.AMOUNT, Role.AMOUNT_BEHIND}
    assert not arcs("0 lattes", Role.NUMBER)


def _with_items(**names):
    muffin = MENU.items["muffin"]
    return MENU.model_copy(
        update={"languages": ("en",), "items": {item: muffin.model_copy(update={"name": name}) for item, name in names.items()}}
    )


def _items(menu, utterance, length):
    row = Lexicon(menu, Model(PRIOR)).lattice(words.tokenize(utterance))[0]
    return {item for arc in row if arc.role is Role.ITEM and arc.length == length for item in arc.value}


def test_a_number_in_a_name_may_be_said_in_words():
    menu = _with_items(malt="Route 66 malt", thali="No. 8 thali")
    assert _items(menu, "route sixty six", 3) == {"malt"}
    assert _items(menu, "number eights", 2) == {"thali"}


def test_the_head_of_a_long_name_is_a_name():
    menu = _with_items(
        one="Combo 1 - chicken, fries, salad, soup and a soft drink", two="Combo 2 (burger, fries, salad, soup and a soft drink)"
    )
    assert (_items(menu, "combo 1", 2), _items(menu, "combo 2", 2)) == ({"one"}, {"two"})


def test_the_noun_with_which_the_names_of_a_category_end_means_all_of_them():
    muffin = MENU.items["muffin"].model_copy(update={"category": "Sweets"})
    names = {"plain": "Plain scone", "fruit": "Red fruit scone", "tart": "Tart"}
    items = {item: muffin.model_copy(update={"name": name}) for item, name in names.items()}
    menu = MENU.model_copy(update={"languages": ("en",), "items": items})
    (row, *_) = Lexicon(menu, Model(PRIOR)).lattice(words.tokenize("scones"))
    assert ("plain", "fruit") in [arc.value for arc in row]


def test_a_multiplier_that_begins_a_name_leaves_a_shorter_number_before_it():
    size = MENU.option_groups["size"]
    groups = {
        **MENU.option_groups,
        "size": size.model_copy(update={"choices": {**size.choices, "d": size.choices["s"].model_copy(update={"name": "Dozen"})}}),
    }
    lexicon = Lexicon(MENU.model_copy(update={"option_groups": groups}), Model(PRIOR))
    numbers = {arc.value for arc in lexicon.lattice(words.tokenize("two dozen"))[0] if arc.role is Role.NUMBER}
    assert numbers == {2, 24}
    assert {arc.value for arc in arcs("two dozen", Role.NUMBER)} == {24}


def test_a_word_of_another_language_than_the_menu_is_no_hollow_word_of_a_name():
    menu = _with_items(chai="Masala chai", tea="Green tea")  # "chai" counts bottles in Vietnamese
    assert _items(menu, "chai", 1) == {"chai"}


@pytest.mark.parametrize("utterance", ["khỏi đá", "ko đá", "đừng bỏ đá", "no đá"])
def test_a_choice_that_begins_with_an_amount_is_found_by_other_phrases_for_it_of_all_languages(utterance):
    extras = MENU.option_groups["extras"]
    choices = {**extras.choices, "ice": extras.choices["black"].model_copy(update={"name": "Không đá"})}
    menu = MENU.model_copy(update={"option_groups": {**MENU.option_groups, "extras": extras.model_copy(update={"choices": choices})}})
    spoken = Lexicon(menu, Model(PRIOR)).lattice(words.tokenize(utterance))[0]
    assert [ref.choice for arc in spoken if arc.role is Role.OPTION and not arc.is_partial for ref in arc.value] == ["ice"]
