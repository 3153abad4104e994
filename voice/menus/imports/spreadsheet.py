"""A spreadsheet as CSV: one row an item, a group, a choice or a time; docs/menus.md has its columns."""

import csv
import io
import re
from collections.abc import Mapping
from typing import Any, Final

from voice.menus.advice import amount_of
from voice.menus.imports.draft import Draft, ImportOptions, SourceBroken, compact
from voice.menus.money import exponent_of, minor_unit_of

TEXTS: Final = ("name", "category", "description", "ask")
LISTS: Final = ("aliases", "options", "when", "diet", "contains", "days")
NUMBERS: Final = ("min", "max", "max_each", "free")
FLAGS: Final = ("available", "required", "default")
SINGLE: Final = ("type", "id", "group", "item", "price", "from", "to")
COLUMNS: Final = (*SINGLE, *TEXTS, *LISTS, *NUMBERS, *FLAGS)
TYPES: Final = ("item", "group", "choice", "time")
YES: Final = frozenset({"yes", "y", "true", "1", "x"})
NO: Final = frozenset({"no", "n", "false", "0"})
MAX_ROWS: Final = 50_000
_COLUMN: Final = re.compile(r"([a-z_ ]+?)(?::([a-z]{2,3}))?")


def is_spreadsheet(text: str) -> bool:
    """Return whether the first line of a text is a header of this format."""
    header = re.split("[,;\t]", text.split("\n", 1)[0].lower())
    return "name" in {cell.strip(' "\r\ufeff').partition(":")[0] for cell in header}


def import_spreadsheet(text: str, options: ImportOptions) -> Draft:
    """Build a menu of the rows.

    Raises:
        SourceBroken: rows with faults, each with its number; the header is row 1.

    """
    if not options.currency:
        message = "the format has no currency: give --currency"
        raise SourceBroken(message)
    return _Sheet(text, options).draft


class _Sheet:
    """The rows of a sheet."""

    def __init__(self, text: str, options: ImportOptions) -> None:
        self.draft = Draft(options)
        self._faults: list[str] = []
        self._groups: dict[str, str] = {}  # ids by the names and ids that other rows use
        rows = self._rows(text.removeprefix("\ufeff"))
        for kind, add in (("time", self._add_time), ("group", self._add_group), ("choice", self._add_choice), ("item", self._add_item)):
            for number, row in rows:
                if row["type"] == kind:
                    add(number, row)
        for number, row in rows:
            unknown = [given for given in self._list(row, "options") if given.lower() not in self._groups]
            self._faults += [f"row {number}: options: no row has the group {given!r}" for given in unknown]
        self._connect()
        if self._faults:
            raise SourceBroken("\n".join(self._faults))

    def _rows(self, text: str) -> list[tuple[int, dict[str, Any]]]:
        """Return the rows with their numbers, cells by column; those of a language are by (column, language)."""
        header = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=header.count)
        reader = csv.reader(io.StringIO(text), delimiter=delimiter)
        columns = [self._column(cell) for cell in next(reader, [])]
        if "name" not in {column[0] for column in columns if column}:
            message = f"row 1: no column `name`; the columns are {', '.join(COLUMNS)}"
            raise SourceBroken(message)
        rows = []
        for number, cells in enumerate(reader, 2):
            if number > MAX_ROWS:
                message = f"more than {MAX_ROWS} rows"
                raise SourceBroken(message)
            if not any(cell.strip() for cell in cells):
                continue
            if any(cell.strip() for cell in cells[len(columns) :]):
                self._faults.append(f"row {number}: more cells than columns; a text with {delimiter!r} needs quotes")
            row: dict[str, Any] = {"texts": {}}
            for column, cell in zip(columns, cells, strict=False):
                if column is None or not cell.strip():
                    continue
                if column[0] in TEXTS:
                    row["texts"].setdefault(column[0], {})[column[1] or self.draft.options.language] = cell.strip()
                else:
                    row[column[0]] = cell.strip()
            row["type"] = self._type(number, row)
            rows.append((number, row))
        return rows

    def _column(self, cell: str) -> tuple[str, str | None] | None:
        found = _COLUMN.fullmatch(cell.strip().lower())
        name = found[1].replace(" ", "_") if found else ""
        if name in COLUMNS and found is not None:
            return name, found[2]
        if cell.strip():
            self.draft.lose(f"the column {cell.strip()!r}")
        return None

    def _type(self, number: int, row: Mapping[str, Any]) -> str:
        kind = str(row.get("type", "choice" if row.get("group") else "item")).lower()
        if kind not in TYPES:
            self._faults.append(f"row {number}: type {kind!r} is none of {', '.join(TYPES)}")
        return kind

    # --- Cells

    def _list(self, row: Mapping[str, Any], column: str) -> list[str]:
        return [part.strip() for part in re.split("[|;]", row.get(column, "")) if part.strip()]

    def _number(self, number: int, row: Mapping[str, Any], column: str) -> int | None:
        cell = row.get(column)
        if cell is None:
            return None
        if not re.fullmatch(r"\d{1,4}", cell):
            self._faults.append(f"row {number}: {column} {cell!r} is no number")
            return None
        return int(cell)

    def _flag(self, number: int, row: Mapping[str, Any], column: str) -> bool | None:
        cell = row.get(column)
        if cell is None:
            return None
        if cell.lower() not in YES | NO:
            self._faults.append(f"row {number}: {column} {cell!r} is neither yes nor no")
        return cell.lower() in YES

    def _price(self, number: int, row: Mapping[str, Any], *, is_needed: bool) -> int | None:
        cell = row.get("price")
        if cell is None:
            if is_needed:
                self._faults.append(f"row {number}: an item needs a price")
            return None
        exponent = exponent_of(self.draft.currency)
        amount = amount_of(cell, exponent)
        if amount is None:
            example = "25000" if exponent == 0 else "4.50"
            self._faults.append(
                f"row {number}: price {cell!r} is no price; write {example} (it becomes {minor_unit_of(self.draft.currency)})"
            )
        return amount

    def _text(self, row: Mapping[str, Any], column: str) -> Any:
        return self.draft.text(row["texts"].get(column, {}))

    # --- Rows

    def _add_time(self, number: int, row: Mapping[str, Any]) -> None:
        name = self.draft.free_id(row.get("id") or self._text(row, "name"), "", ())
        if not row.get("from") or not row.get("to"):
            self._faults.append(f"row {number}: a time needs from and to, as 06:00 and 10:30")
            return
        days = [day.lower()[:3] for day in re.split(r"[|;,\s]+", row.get("days", "")) if day]
        self.draft.times.setdefault(name, []).append(compact({"days": days, "from": row["from"], "to": row["to"]}))

    def _add_group(self, number: int, row: Mapping[str, Any]) -> None:
        name = self._text(row, "name")
        group_id = self.draft.free_id(row.get("id"), name, self.draft.groups)
        for known in {group_id, *(name.values() if isinstance(name, dict) else [name])}:
            self._groups[known.lower()] = group_id
        numbers = {column: self._number(number, row, column) for column in NUMBERS}
        self.draft.groups[group_id] = compact(
            {
                "name": name or group_id,
                "ask": self._text(row, "ask"),
                "select": "many" if numbers["max"] is None and any(numbers.values()) else None,
                "required": self._flag(number, row, "required"),
                **numbers,
                "choices": {},
            }
        ) | {"choices": {}}

    def _add_choice(self, number: int, row: Mapping[str, Any]) -> None:
        given = row.get("group", "")
        if not given:
            self._faults.append(f"row {number}: a choice needs the name or the id of its group")
            return
        group_id = self._groups.get(given.lower())
        if group_id is None:  # a group that has no row of its own
            group_id = self._groups[given.lower()] = self.draft.free_id(None, given, self.draft.groups)
            self.draft.groups[group_id] = {"name": given, "choices": {}}
        choices = self.draft.groups[group_id]["choices"]
        name = self._text(row, "name")
        choice_id = self.draft.free_id(row.get("id"), name or row.get("item"), choices)
        choices[choice_id] = compact(
            {"name": name, "item": row.get("item"), "price": self._price(number, row, is_needed=False), **self._shared(number, row)}
        )
        if self._flag(number, row, "default"):
            self.draft.groups[group_id]["default"] = choice_id

    def _add_item(self, number: int, row: Mapping[str, Any]) -> None:
        name = self._text(row, "name")
        if not name:
            self._faults.append(f"row {number}: an item needs a name")
            return
        item_id = self.draft.free_id(row.get("id"), name, self.draft.items)
        self.draft.items[item_id] = compact(
            {
                "name": name,
                "category": self._text(row, "category"),
                "description": self._text(row, "description"),
                "price": self._price(number, row, is_needed=True),
                **self._shared(number, row),
                "when": self._list(row, "when"),
                "max": self._number(number, row, "max"),
            }
        )

    def _shared(self, number: int, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "aliases": self._list(row, "aliases"),
            "options": self._list(row, "options"),
            "available": self._flag(number, row, "available"),
            "diet": [diet.lower().replace(" ", "-") for diet in self._list(row, "diet")],
            "contains": [allergen.lower().replace(" ", "-") for allergen in self._list(row, "contains")],
        }

    def _connect(self) -> None:
        """Replace the names of groups and items, by which rows refer to each other, by their ids."""
        by_name: dict[str, str] = {}
        for item_id, item in self.draft.items.items():
            names = item["name"].values() if isinstance(item["name"], dict) else [item["name"]]
            by_name |= {name.lower(): item_id for name in (*names, item_id)}
        choices = [choice for group in self.draft.groups.values() for choice in group["choices"].values()]
        for choice in choices:
            if "item" in choice:
                choice["item"] = by_name.get(choice["item"].lower(), choice["item"])
        for part in (*self.draft.items.values(), *choices):
            if "options" in part:
                part["options"] = [self._groups.get(given.lower(), given) for given in part["options"]]
