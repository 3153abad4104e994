"""Names that customers use for combos: "burger combo" for "Burger meal", "number two" for "Combo 2"."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from voice.menus.menu import Item, Menu
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.language_packs import language_packs

Phrase = tuple[str, ...]


class _Words(NamedTuple):
    """Words of all language packs."""

    in_names: frozenset[Phrase]  # that stand for a combo in a name
    spoken: Sequence[Phrase]  # by which customers ask for a combo
    before_numbers: Sequence[Phrase]


def with_spoken_names(menu: Menu) -> Menu:
    """Return a menu whose combos also have the names that customers give them; the same menu if there are none."""
    taken = {words.phrase(name) for item in menu.items.values() for name in spoken_names(item)}
    used = {(word,) for name in taken for word in name}
    packs = language_packs().values()
    of_combos = _Words(
        frozenset([words.phrase(word) for pack in packs for word in pack.combos]),
        [phrase for pack in packs for word in pack.combo_names if (phrase := words.phrase(word)) not in used],
        [words.phrase(word) for pack in packs for word in pack.combo_numbers],
    )
    known = frozenset([words.phrase(word) for pack in packs for word in pack.combo_names])
    items = dict(menu.items)
    for item_id, item in menu.items.items():
        replaced = of_combos if _has_items_as_choices(menu, item) else of_combos._replace(in_names=known)
        found = dict.fromkeys([phrase for name in spoken_names(item) for phrase in _spoken(words.phrase(name), replaced)])
        new = [" ".join(phrase) for phrase in found if phrase not in taken]
        if new:
            items[item_id] = item.model_copy(update={"aliases": (*item.aliases, *new)})
    return menu.model_copy(update={"items": items}) if items != menu.items else menu


def _spoken(name: Phrase, of_combos: _Words) -> Iterator[Phrase]:
    """Yield the other names of a combo: with another word for it, and by its number."""
    for at, word in enumerate(name):
        if (word,) in of_combos.in_names:
            yield from [(*name[:at], *other, *name[at + 1 :]) for other in of_combos.spoken]
            number = name[at + 1 : at + 2]
            if at == 0 and number and number[0].isdecimal():
                for sign in of_combos.before_numbers:
                    yield (*sign, *number)
                    yield from [(*other, *sign, *number) for other in dict.fromkeys([(word,), *of_combos.spoken])]
            return


def _has_items_as_choices(menu: Menu, item: Item) -> bool:
    return any(choice.item is not None for group in item.options for choice in menu.option_groups[group].choices.values())
