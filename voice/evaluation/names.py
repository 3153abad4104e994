"""Say every name of a menu to its engine, and doubt those that are not understood."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from schemas import Order
from voice.dialog.turn import DialogEngine
from voice.menus.doubts import Doubt
from voice.menus.menu import Choice, Item, Menu
from voice.menus.names import all_names
from voice.menus.parts import Part, with_own_parts
from voice.menus.validation import Place
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.numbers import NumberWords

MAX_TRIED: Final = 6_000  # names; each takes some milliseconds
MAX_NAMED: Final = 4  # items in a message
FILLER: Final = "customers say it for something else (a filler, an amount, yes or no)"
NUMBER: Final = "it is a number"
MAX_OFFERING: Final = 3  # items with which a choice is tried


class Spelling(NamedTuple):
    """A name or an alias, and its place in the file."""

    text: str
    place: Place


def name_doubts(menu: Menu, max_tried: int = MAX_TRIED) -> Iterator[Doubt]:
    """Yield the doubts about the names of items and choices, of which the first `max_tried` are tried."""
    trial = Trial(menu, max_tried)
    yield from trial.shared_names()
    for item_id in menu.items:
        yield from trial.item(item_id)
    for group_id in menu.option_groups:
        yield from trial.group(group_id)
    if trial.n_tried > max_tried:
        yield Doubt((), f"only the first {max_tried} names were tried")


class Trial:
    """An engine of a menu on which everything is available now, and what was said to it."""

    def __init__(self, menu: Menu, max_tried: int = MAX_TRIED) -> None:
        open_menu = with_own_parts(menu)
        for item_id, item in menu.items.items():
            open_menu.items[item_id] = item.model_copy(update={"available": True, "when": (), "max": None})
        for group_id, group in menu.option_groups.items():
            for choice_id in group.choices:
                Part(group_id, choice_id).set_available(open_menu, is_available=True)
        self._menu = menu
        self._engine = DialogEngine(open_menu, ask_below=0.0)
        packs = list(language_packs().values())
        self._fillers = {word for pack in packs for word in pack.function_words()}
        self._phrases = {words.phrase(way) for pack in packs for way in (*pack.requests, *pack.fillers)}
        self._numbers = NumberWords(packs, are_diacritics_optional=True)
        self._ways: dict[str, str] = {}  # a name of each item that is understood
        self.n_tried = 0
        self._max_tried = max_tried

    def shared_names(self) -> Iterator[Doubt]:
        """Yield names that several items have, or several choices of a group: it is asked each time which is meant.

        Aliases that all of them share are mere notes: a word for a whole kind, as "milk", is often one.
        """
        items = {item_id: _spellings(("items", item_id), item) for item_id, item in self._menu.items.items()}
        yield from _shared(items, "items")
        for group_id, group in self._menu.option_groups.items():
            place = ("option_groups", group_id, "choices")
            choices = {choice_id: _spellings((*place, choice_id), choice) for choice_id, choice in group.choices.items()}
            yield from _shared(choices, "choices of this group")

    def item(self, item_id: str) -> Iterator[Doubt]:
        """Yield the names of an item under which it is not understood."""
        item = self._menu.items[item_id]
        lost, asked = [], list[Spelling]()
        for spelling in _spellings(("items", item_id), item):
            order = self._say(f"1 {spelling.text}")
            if order is None:
                return
            phrase = words.phrase(spelling.text)
            if phrase in self._phrases:
                lost.append((spelling, FILLER))
            elif phrase and all(self._numbers.is_number_word(word) for word in phrase):
                lost.append((spelling, NUMBER))
            elif [line["item"] for line in order["lines"]] == [item_id]:
                self._ways.setdefault(item_id, spelling.text)
            elif any(item_id in question["choices"] for question in order["questions"] if question["group"] is None):
                asked.append(spelling)
            else:
                lost.append((spelling, self._misread(spelling.text, order)))
        for spelling, reading in lost:
            yield Doubt(spelling.place, f"{spelling.text!r} is not understood as this item: {reading}")
        if item_id not in self._ways and asked:
            yield Doubt(("items", item_id), "no name of this item is its own, so it is always asked which is meant: add an alias")

    def group(self, group_id: str) -> Iterator[Doubt]:
        """Yield the names of a group's choices that are not understood behind the name of an item that offers it."""
        offering = [self._ways[item_id] for item_id, item in self._menu.items.items() if group_id in item.options and item_id in self._ways]
        if not offering:
            return
        for choice_id, choice in self._menu.option_groups[group_id].choices.items():
            if choice.item is not None:
                continue  # its names are those of the item
            for spelling in _spellings(("option_groups", group_id, "choices", choice_id), choice):
                order = self._first_understood(spelling.text, offering[:MAX_OFFERING], group_id, choice_id)
                if order is not None and not _has_choice(order, group_id, choice_id):
                    reading = self._misread(spelling.text, order)
                    yield Doubt(spelling.place, f"{spelling.text!r} is not understood as this choice: {reading}")

    def _first_understood(self, text: str, offering: Sequence[str], group_id: str, choice_id: str) -> Order | None:
        """Return the order of a choice with the first item with which it is understood, else with the last one.

        An item and a choice may be the name of another item: "sausage, egg".
        """
        order = None
        for item in offering:
            order = self._say(f"1 {item}, {text}") or order
            if order is None or _has_choice(order, group_id, choice_id):
                break
        return order

    def _say(self, text: str) -> Order | None:
        self.n_tried += 1
        return self._engine.take_turn(text) if self.n_tried <= self._max_tried else None

    def _misread(self, text: str, order: Order) -> str:
        """Return as what a name was read."""
        phrase = words.phrase(text)
        if phrase and all(self._numbers.is_number_word(word) or word.isdecimal() for word in phrase):
            return NUMBER
        if self._fillers.issuperset(phrase):
            return FILLER
        found = [line["name"] for line in order["lines"]] + [option["name"] for line in order["lines"] for option in line["options"]]
        asked = [self._name(choice) for question in order["questions"] if question["group"] is None for choice in question["choices"]]
        named = [*found, *asked][:MAX_NAMED]
        return f"it is read as {', '.join(named)}" if named else "no part of it is used"

    def _name(self, item_id: str) -> str:
        return str(self._menu.items[item_id].name) if item_id in self._menu.items else item_id


def _spellings(place: Place, named: Item | Choice) -> list[Spelling]:
    """Return the names and aliases of an item or a choice with their places, each spelling once."""
    by_language = getattr(named.name, "by_language", {})
    names = [Spelling(text, (*place, "name", language)) for language, text in by_language.items()]
    names = names or [Spelling(name, (*place, "name")) for name in all_names(named.name)]
    aliases = [Spelling(alias, (*place, "aliases", number)) for number, alias in enumerate(named.aliases)]
    return list({spelling.text: spelling for spelling in reversed([*names, *aliases])}.values())[::-1]


def _shared(named: dict[str, list[Spelling]], what: str) -> Iterator[Doubt]:
    by_phrase: dict[tuple[str, ...], dict[str, Spelling]] = defaultdict(dict)
    for id_, spellings in named.items():
        for spelling in spellings:
            by_phrase[tuple(map(words.singular, words.phrase(spelling.text)))].setdefault(id_, spelling)
    for phrase, owners in by_phrase.items():
        if len(owners) > 1 and phrase:
            first = next(iter(owners.values()))
            message = f"{first.text!r} also names the {what} {_listed(list(owners)[1:])}: it is asked each time"
            yield Doubt(first.place, message, is_note=all("aliases" in spelling.place for spelling in owners.values()))


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids[:MAX_NAMED]) + (f" and {len(ids) - MAX_NAMED} more" if len(ids) > MAX_NAMED else "")


def _has_choice(order: Order, group_id: str, choice_id: str) -> bool:
    return any(
        option["group"] == group_id and choice_id in (option["choice"], *option.get("alternatives", ()))
        for line in order["lines"]
        for option in line["options"]
    )
