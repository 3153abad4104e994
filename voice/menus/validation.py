"""Validate the content of a menu file, and find all of its faults at once."""

import copy
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from pydantic import ValidationError

from voice.menus.menu import Menu
from voice.menus.names import Named, spoken_names

Place = tuple[str | int, ...]

# A word in a name costs the order engine up to 70 us and 6 KB: 4 s and 300 MB at most. 5,000 items with two aliases have 45,000.
MAX_WORDS: Final = 50_000
MAX_PARTS: Final = 20_000  # items, groups, choices and times
MAX_FIELDS: Final = 50  # keys of a part, and periods of a time
MAX_ENTRIES: Final = 60_000  # of all lists in the parts, as aliases
MAX_FAULTS: Final = 1000
MAX_ROUNDS: Final = 6  # each looks behind the faults of the one before: types, unknown ids, nesting
KEY: Final = "[key]"  # ends the place of a faulty id
_PARTS: Final = frozenset({"items", "option_groups", "choices", "times"})
_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
# What stands in for a faulty value while the rest is checked; every other field can be left out.
_STAND_INS: Final[Mapping[str, Any]] = {
    "id": "x",
    "name": "x",
    "currency": "XXX",
    "price": 0,
    "items": {},
    "choices": {"x": {"name": "x"}},
    "from": "00:00",
    "to": "24:00",
}
# The same for a whole part of the menu.
_STAND_IN_PARTS: Final[Mapping[str, Any]] = {
    "items": {"name": "x", "price": 0},
    "option_groups": {"name": "x", "choices": {"x": {"name": "x"}}},
    "choices": {"name": "x"},
    "times": [{"from": "00:00", "to": "24:00"}],
}


class Fault(NamedTuple):
    """A fault of a menu; `place` leads from the menu to the value, `type` is a word for programs."""

    place: Place
    message: str
    type: str


class DuplicateKeys(dict[str, Any]):
    """A JSON object that has a key twice; the last value counts."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        seen: set[str] = set()
        self.duplicates = list(dict.fromkeys(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]


def parse_json(body: bytes) -> tuple[Any, list[Fault]]:
    """Parse JSON; a key that occurs twice is a fault.

    Raises:
        ValueError: the text is not JSON, or nested too deeply.

    """
    try:
        orjson.loads(body)  # strict: UTF-8, no NaN, no lone surrogates, bounded depth
        content = json.loads(body, object_pairs_hook=_object, parse_int=_integer)
    except (orjson.JSONDecodeError, RecursionError) as error:
        message = "not JSON, or nested too deeply"
        raise ValueError(message) from error
    return content, [*_duplicates(content, ())]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else DuplicateKeys(pairs)


def _integer(digits: str) -> float:
    """Parse an integer; one beyond 64 bits, which every field rejects, takes no quadratic time."""
    return int(digits) if len(digits) < len(str(2**63)) else 1e308


def _duplicates(value: Any, place: Place) -> Iterator[Fault]:
    if isinstance(value, DuplicateKeys):
        yield from [Fault((*place, key), f"the key {key[:100]!r} occurs twice", "duplicate_key") for key in value.duplicates]
    if isinstance(value, dict | list):
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _duplicates(child, (*place, key))


def validate(content: Any) -> tuple[Menu | None, list[Fault]]:
    """Return the menu, None if it has faults, and all faults.

    pydantic compares the parts of a menu with each other only if each of them is right. Faulty values are replaced by stand-ins, so that
    the rest is compared, too.
    """
    if (fault := excess(content)) is not None:
        return None, [fault]
    faults: dict[tuple[Place, str], Fault] = {}
    menu = None
    for _ in range(MAX_ROUNDS):
        try:
            menu = Menu.model_validate(content)
            break
        except ValidationError as error:
            details = error.errors(include_url=False, include_context=False, include_input=False)
        before = len(faults)
        places = [detail["loc"] for detail in details]
        above = {place[:length] for place in places for length in range(len(place))}
        for detail in details:
            place = detail["loc"]
            if detail["type"] == "too_short" and place in above:
                continue  # pydantic does not count entries with faults
            faults.setdefault((place, detail["msg"]), Fault(place, detail["msg"], detail["type"]))
        if len(faults) == before or len(faults) >= MAX_FAULTS or not isinstance(content, dict):
            break
        content = _with_stand_ins(content, places)
    if menu is not None and (n_words := count_words(menu)) > MAX_WORDS:
        fault = Fault((), f"{n_words} words in names and aliases; the maximum is {MAX_WORDS}", "too_many_words")
        faults.setdefault((fault.place, fault.message), fault)
    return (None if faults else menu), list(faults.values())[:MAX_FAULTS]


def excess(content: Any) -> Fault | None:
    """Return the fault of a menu that is too large to look for others: every value of it might be one."""
    n_entries = 0
    for n_parts, (place, part) in enumerate(_parts(content, ()), 1):
        if n_parts > MAX_PARTS:
            return Fault((), f"more than {MAX_PARTS} items, groups, choices and times", "too_many_parts")
        if len(part) > MAX_FIELDS:
            return Fault(place, f"more than {MAX_FIELDS} keys or entries", "too_many_fields")
        lists = [part[key] for key in part.keys() - _PARTS] if isinstance(part, dict) else []
        n_entries += sum(len(value) for value in lists if isinstance(value, list | dict))
        if n_entries > MAX_ENTRIES:
            return Fault((), f"more than {MAX_ENTRIES} entries of lists", "too_many_entries")
    return None


def _parts(container: Any, place: Place) -> Iterator[tuple[Place, dict[Any, Any] | list[Any]]]:
    """Yield the menu, and its items, groups, choices and times, where they are mappings or lists."""
    if isinstance(container, dict):
        yield place, container
        for key in _PARTS & container.keys():
            parts = container[key]
            for part_id, part in parts.items() if isinstance(parts, dict) else ():
                if key == "times" and isinstance(part, list):
                    yield (*place, key, part_id), part
                else:
                    yield from _parts(part if isinstance(part, dict) else {}, (*place, key, part_id))


def count_words(menu: Menu) -> int:
    """Return the number of words in the names and aliases of all items and choices."""
    named: list[Named] = [*menu.items.values(), *[choice for group in menu.option_groups.values() for choice in group.choices.values()]]
    return sum(len(_WORD.findall(name)) for one in named for name in spoken_names(one))


def _with_stand_ins(content: dict[str, Any], places: Sequence[Place]) -> dict[str, Any]:
    """Return the content without the faulty values at these places."""
    content = copy.deepcopy(content)
    for place in places:
        field = place[:-1] if place[-1:] == (KEY,) else _place_of_field(place)
        container: Any = content
        for step in field[:-1]:
            container = container[step] if _has(container, step) else None
        if not field or container is None:
            continue
        key = field[-1]
        if place[-1] == KEY and isinstance(container, dict):
            container.pop(key, None)
        elif _is_part(field):
            stand_in = copy.deepcopy(_STAND_IN_PARTS[str(field[-2])])
            old = container.get(key)
            container[key] = {**stand_in, **old} if isinstance(old, dict) else stand_in
        elif isinstance(container, dict):
            _stand_in(container, key)
    return content


def _stand_in(part: dict[Any, Any], key: Any) -> None:
    if key in _STAND_INS:
        part[key] = copy.deepcopy(_STAND_INS[key])
    else:
        part.pop(key, None)
        if key == "item":  # a choice has a name or an item
            part.setdefault("name", "x")


def _has(container: Any, step: str | int) -> bool:
    return (
        step in container
        if isinstance(container, dict)
        else isinstance(container, list) and isinstance(step, int) and step < len(container)
    )


def _place_of_field(place: Place) -> Place:
    """Return the place of the field, or of the part of the menu, in which a fault lies."""
    if not place or place[0] not in {"items", "option_groups", "times"}:
        return place[:1]
    if place[0] == "option_groups" and len(place) > 2 and place[2] == "choices":  # noqa: PLR2004 - a group's choices
        return place[:5]
    return place[:2] if place[0] == "times" else place[:3]


def _is_part(field: Place) -> bool:
    """Return whether a place is that of a whole item, group, choice or time."""
    return (len(field) == 2 and field[0] in {"items", "option_groups", "times"}) or (len(field) == 4 and field[2] == "choices")  # noqa: PLR2004
