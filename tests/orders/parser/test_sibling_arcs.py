from voice.menus.menu import Menu
from voice.orders.corpus import lines_of
from voice.orders.parser.draft import MenuIndex
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import Model
from voice.orders.parser.sibling_arcs import SiblingIndex, with_sibling_arcs
from voice.orders.words import tokenize

NAMES = {"mango": "Mango Dawn Smoothie", "berry": "Berry Blitz Smoothie", "wings-3": "Wings (3 pieces)", "wings-6": "Wings (6 pieces)"}
MENU = Menu.model_validate(
    {"id": "bar", "name": "Bar", "currency": "USD", "items": {item: {"name": name, "price": 500} for item, name in NAMES.items()}}
)
MODEL = Model({"name.partial": 1.0})  # an arc to a sibling is not made beside an ordinary one that is no dearer
LEXICON, INDEX = Lexicon(MENU, MODEL), SiblingIndex(MENU)


def sibling_arcs(utterance, before):
    """Return the items of the arcs to siblings, each with the word at which it begins."""
    tokens = tokenize(utterance)
    draft = MenuIndex(MENU).draft(lines_of(MENU, before))
    lattice = with_sibling_arcs(tokens, LEXICON.lattice(tokens), draft, INDEX, MODEL)
    arcs = [(token.surface, arc) for token, row in zip(tokens, lattice, strict=True) for arc in row]
    return {(surface, arc.value, arc.length) for surface, arc in arcs if any(feature == "sibling" for feature, _ in arc.features)}


def test_siblings_share_the_first_or_the_last_word_of_a_name():
    assert [(one.item, one.words) for one in INDEX.of("mango")] == [("berry", frozenset({"berry", "blitz"}))]
    assert [one.item for one in INDEX.of("wings-3")] == ["wings-6"]


def test_where_something_is_replaced_the_words_that_tell_a_sibling_apart_name_it():
    assert ("blitz", ("berry",), 1) in sibling_arcs("change the mango to blitz", "mango")
    assert ("berry", ("berry",), 2) in sibling_arcs("change the mango to berry blitz", "mango")
    assert not sibling_arcs("a blitz", "mango")
    assert not sibling_arcs("change the wings to blitz", "wings-3")


def test_a_number_that_tells_a_sibling_apart_is_spoken_in_words():
    assert ("six", ("wings-6",), 1) in sibling_arcs("change the wings to six", "wings-3")


def test_the_numbers_of_a_printed_menu_hide_no_sibling():
    numbered = {"steak": "10. Noodle Soup, Rare Steak", "brisket": "11. Noodle Soup, Slow Brisket"}
    menu = Menu.model_validate(
        {
            "id": "soups",
            "name": "Soups",
            "currency": "USD",
            "items": {item: {"name": name, "price": 500} for item, name in numbered.items()},
        }
    )
    assert {one.item for one in SiblingIndex(menu).of("steak")} == {"brisket"}


def test_a_word_names_a_sibling_of_each_item_on_the_order():
    both = Menu.model_validate(
        {
            "id": "tofu",
            "name": "Tofu",
            "currency": "USD",
            "items": {
                "roll-prawn": {"name": "Prawn roll", "price": 5},
                "roll-tofu": {"name": "Tofu roll", "price": 5},
                "bun-pork": {"name": "Pork bun", "price": 5},
                "bun-tofu": {"name": "Silken tofu bun", "price": 5},
            },
        }
    )
    tokens = tokenize("change it to tofu")
    draft = MenuIndex(both).draft(lines_of(both, "roll-prawn; bun-pork"))
    lattice = with_sibling_arcs(tokens, Lexicon(both, MODEL).lattice(tokens), draft, SiblingIndex(both), MODEL)
    siblings = {arc.value for arc in lattice[3] if any(feature == "sibling" for feature, _ in arc.features)}
    assert siblings == {("roll-tofu",), ("bun-tofu",)}
