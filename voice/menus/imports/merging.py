"""Import again: what the source changed since the last import, without what the merchant changed in the file.

A file beside the menu has what the last import wrote. A value that the merchant left as it was follows the source; an edited one stays.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

ABSENT: Final = object()
# The last steps of the places of lists that merchants and sources extend: their entries are merged one by one.
SETS: Final = frozenset({"aliases", "diet", "contains", "options", "languages", "when"})


class Merged(NamedTuple):
    """The menu after an import, and the places where both sides had changed the same."""

    content: dict[str, Any]
    conflicts: list[str]


def merge(base: Mapping[str, Any], source: Mapping[str, Any], file: Mapping[str, Any]) -> Merged:
    """Merge three menus: `base` is the last import, `source` the new one, `file` the merchant's."""
    conflicts: list[str] = []
    content = _mapping(base, source, file, (), conflicts)
    return Merged(content, conflicts)


def _mapping(base: Any, source: Any, file: Any, place: tuple[str, ...], conflicts: list[str]) -> dict[str, Any]:
    merged = {}
    for key in dict.fromkeys([*source, *file]):
        old = base.get(key, ABSENT) if isinstance(base, Mapping) else ABSENT
        value = _value(old, source.get(key, ABSENT), file.get(key, ABSENT), (*place, key), conflicts)
        if value is not ABSENT:
            merged[key] = value
    return merged


def _value(base: Any, source: Any, file: Any, place: tuple[str, ...], conflicts: list[str]) -> Any:
    if isinstance(source, Mapping) and isinstance(file, Mapping):
        return _mapping(base, source, file, place, conflicts)
    if place[-1] in SETS and isinstance(source, list) and isinstance(file, list):
        return _entries(base if isinstance(base, list) else [], source, file)
    if file in (base, source):
        return source
    if source != base:
        kept = "left out" if file is ABSENT else file
        conflicts.append(f"{'.'.join(place)}: the source has {'nothing' if source is ABSENT else source}, the file keeps {kept}")
    return file


def _entries(base: list[Any], source: list[Any], file: list[Any]) -> list[Any]:
    """Merge lists of names: what the source added, and what the merchant added, without what either removed."""
    removed = [entry for entry in base if entry not in file or entry not in source]
    return [entry for entry in dict.fromkeys([*file, *source]) if entry not in removed]
