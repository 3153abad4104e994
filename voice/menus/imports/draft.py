"""A menu file in the making, and what of the source has no place in it."""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

MAX_ID: Final = 64
EMPTY: Final[tuple[Any, ...]] = (None, "", [], {}, False)
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ImportOptions(BaseModel):
    """What the source does not tell."""

    model_config = ConfigDict(frozen=True)

    menu_id: str
    name: str = ""  # "": the source's, else the id
    currency: str = ""  # "": the source's
    language: str = "en"  # of names whose language the source does not tell
    timezone: str = "UTC"
    location: str = ""  # Square: the location whose prices and availability count
    service: str = ""  # GrabFood: the key of `advancedPricing` that counts
    now: datetime = Field(default_factory=lambda: datetime.now(UTC))


class SourceBroken(Exception):
    """The source cannot be imported; each line of the message is one reason."""


class Draft:
    """Items, groups and times in the form of a menu file."""

    def __init__(self, options: ImportOptions, *, name: str = "", currency: str = "") -> None:
        self.options = options
        self.name = options.name or name or options.menu_id
        self.currency = options.currency or currency
        self.items: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        self.times: dict[str, list[dict[str, Any]]] = {}
        self.languages: Counter[str] = Counter()
        self._lost: dict[str, list[str]] = {}
        self._variants: dict[tuple[str, str], str] = {}

    # --- What has no place

    def lose(self, what: str, where: str = "") -> None:
        """Name what has no place in a menu file; `where` is an example."""
        self._lost.setdefault(what, []).append(str(where))

    def lose_rest(self, kind: str, source: Mapping[str, Any], known: Collection[str], where: str) -> None:
        """Name the fields of a part of the source that have a value and are not known to the format's module."""
        for key, value in source.items():
            if key not in known and value not in EMPTY:
                self.lose(f"{kind}.{key}", where)

    @property
    def losses(self) -> list[str]:
        """What had no place, each with how often and an example."""
        lines = []
        for what, places in self._lost.items():
            examples = list(dict.fromkeys(filter(None, places)))
            shown = ", ".join(examples[:3]) + (", ..." if len(examples) > 3 else "")  # noqa: PLR2004 - enough to find them
            lines.append(f"{what}{f' ({len(places)} times)' if len(places) > 1 else ''}{f': {shown}' if shown else ''}")
        return lines

    # --- Parts

    def text(self, texts: Mapping[str, str]) -> Any:
        """Return a name by language as a menu file has it; the languages become those of the menu."""
        kept = {language: text.strip() for language, text in texts.items() if isinstance(text, str) and text.strip()}
        self.languages.update(kept.keys())
        return next(iter(kept.values()), "") if len(set(kept.values())) <= 1 else kept

    def plain(self, text: Any) -> Any:
        """Return a name in the language of the options."""
        return self.text({self.options.language: text if isinstance(text, str) else ""})

    def free_id(self, given: Any, name: Any, taken: Collection[str]) -> str:
        """Return an id: the source's if it is well-formed, else one made of the name; a number follows where it is taken."""
        first = next(iter(name.values())) if isinstance(name, dict) and name else name
        wanted = given if isinstance(given, str) and _ID.fullmatch(given) else slug(str(given or first or "x"))
        number = 2
        free = wanted
        while free in taken:
            free, number = f"{wanted[: MAX_ID - 4]}-{number}", number + 1
        return free

    def add_group(self, wanted: str, content: dict[str, Any], owner: str) -> str:
        """Add an option group and return its id; where an item has it otherwise than the others, it gets an id with the item's."""
        key = json.dumps(content, sort_keys=True, ensure_ascii=False)
        if (wanted, key) not in self._variants:
            free = self.free_id(wanted if wanted not in self.groups else f"{wanted}.{owner}"[:MAX_ID], wanted, self.groups)
            self.groups[free] = content
            self._variants[wanted, key] = free
        return self._variants[wanted, key]

    def document(self) -> dict[str, Any]:
        """Return the content of the menu file."""
        languages = [language for language, _ in self.languages.most_common()] or [self.options.language]
        document: dict[str, Any] = {"id": self.options.menu_id, "name": self.name, "currency": self.currency, "languages": languages}
        if self.times:
            document |= {"timezone": self.options.timezone, "times": self.times}
        if self.groups:
            document["option_groups"] = self.groups
        return document | {"items": self.items}


def slug(text: str) -> str:
    """Return a text as an id: letters without diacritics, digits and hyphens."""
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return re.sub(r"[^a-z0-9]+", "-", plain.encode("ascii", "ignore").decode().lower()).strip("-")[:MAX_ID] or "x"


def compact(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of a menu file without fields that say nothing: empty ones, and `available: true`."""
    said = {key: value for key, value in part.items() if value not in (None, "", [], {})}
    return {key: value for key, value in said.items() if value is not True or key == "required"}


def weekly(periods: Mapping[str, list[tuple[str, str]]]) -> list[dict[str, Any]]:
    """Return the entries of `times` for periods by day; equal periods of several days become one; none: it is always.

    A period that ends at 23:59 lasts until midnight.
    """
    by_period: dict[tuple[str, str], list[str]] = {}
    for day in DAYS:
        for begins, ends in periods.get(day, ()):
            until = "24:00" if ends[:5] in {"23:59", "00:00", "24:00"} else ends[:5]
            if (days := by_period.setdefault((begins[:5], until), [])) is not None and day not in days:
                days.append(day)
    if by_period == {("00:00", "24:00"): list(DAYS)}:
        return []
    return [{**({} if days == list(DAYS) else {"days": days}), "from": begins, "to": ends} for (begins, ends), days in by_period.items()]
