"""Check a menu file: its faults, else its doubts, as lines for a terminal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from voice.evaluation.names import MAX_TRIED, name_doubts
from voice.menus.checking import CheckedFile, Finding, check_file
from voice.menus.doubts import doubts
from voice.menus.loading import MenuBroken
from voice.menus.menu import Menu

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class ReportedLine(NamedTuple):
    """A line of the report."""

    text: str
    is_fault: bool


def check(path: Path) -> Iterator[ReportedLine]:
    """Yield the faults of a menu file, else its doubts and notes in the order of the file, and a summary."""
    try:
        checked = check_file(path)
    except MenuBroken as error:
        yield ReportedLine(f"{path}: fault: {error}", is_fault=True)
        return
    for finding in checked.faults:
        position, rest = str(finding).split(": ", 1)
        yield ReportedLine(f"{path}:{position}: fault: {rest}", is_fault=True)
    if checked.menu is None:
        return
    found = doubts_of(checked, checked.menu)
    for finding, is_note in found:
        position, rest = str(finding).split(": ", 1)
        yield ReportedLine(f"{path}:{position}: {'note' if is_note else 'doubt'}: {rest}", is_fault=False)
    n_choices = sum(len(group.choices) for group in checked.menu.option_groups.values())
    n_doubts = sum(not is_note for _, is_note in found)
    summary = f"{len(checked.menu.items)} items, {n_choices} choices, no faults, {n_doubts} {'doubt' if n_doubts == 1 else 'doubts'}"
    yield ReportedLine(f"{path}: {summary}", is_fault=False)


def doubts_of(checked: CheckedFile, menu: Menu, max_tried: int = MAX_TRIED) -> list[tuple[Finding, bool]]:
    """Return the doubts about a menu in the order of its file, each with whether it is a mere note."""
    found = [(checked.at(doubt.place, doubt.message), doubt.is_note) for doubt in (*doubts(menu), *name_doubts(menu, max_tried))]
    return sorted(found, key=lambda one: (one[0].position, one[0].message))


def schema_text() -> str:
    """Return the JSON Schema of menu files, which docs/menu.schema.json has."""
    schema = {"$schema": DIALECT, **Menu.model_json_schema(), "title": "Menu file"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
