"""Rows of the contract: a state, an utterance and a part of the reply, read from a YAML file beside this module.

Lines are written as `2 milk-tea size=large pearls=black,2*jelly`: a quantity, an item, and the choices of each group. A choice may have an
amount before it (`no:black`), open ones are `black|white`, and nested options stand in brackets (`drink=cola[size=large]`).
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas import Conversation, Order
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of
from voice.menus.menu import Menu
from voice.orders.parser.model import Model

FOLDER = Path(__file__).parent
STATE = ("lines", "questions", "changes", "notes")
CHOICE = re.compile(r"(?:(?P<amount>no|light|extra|regular):)?(?:(?P<quantity>\d+)\*)?(?P<choices>[^\[\],]+)")


@cache
def engine() -> DialogEngine:
    """Return the engine of the menu of the rows."""
    menu = yaml.safe_load((FOLDER / "menu.yaml").read_text(encoding="utf-8"))
    return DialogEngine(Menu.model_validate(menu), model=Model.load())


def rows(section: str) -> list[Any]:
    """Return the rows of a section as parameters; a known miss is expected to fail."""
    entries = yaml.safe_load((FOLDER / f"{section}.yaml").read_text(encoding="utf-8"))
    return [
        pytest.param(entry, id=entry["id"], marks=[pytest.mark.xfail(strict=True, reason=entry["missed"])] if "missed" in entry else [])
        for entry in entries
    ]


def check(row: Mapping[str, Any]) -> None:
    """Take the turn of a row, and compare the parts of the reply that the row has."""
    reply = taken(row)
    expected = row["reply"]
    if "lines" in expected:
        assert [notation(line) for line in reply["lines"]] == expected["lines"]
    if "questions" in expected:
        assert [_asked(question) for question in reply["questions"]] == [_filled(one) for one in expected["questions"]]
    if "notes" in expected:
        found = [{"kind": note["kind"], "line": note["line"], "value": note.get("value"), "text": note["text"]} for note in reply["notes"]]
        assert [{key: one[key] for key in want} for one, want in zip(found, expected["notes"], strict=True)] == expected["notes"]
    if "changes" in expected:
        keys: tuple[str, ...] = ("op", "line", "quantity", "item")
        found_changes = [" ".join([str(dict(change)[key]) for key in keys]) for change in reply["changes"]]
        assert found_changes == expected["changes"]
    for key in ("act", "status", "unmatched", "total"):
        if key in expected:
            assert (key, dict(reply)[key]) == (key, expected[key])
    for words in expected.get("says", []):
        assert words in reply["say"]["text"]
    if "language" in expected:
        assert reply["say"]["language"] == expected["language"]


def taken(row: Mapping[str, Any]) -> Order:
    """Return the reply to the turn of a row: of the last of its utterances, if it has several."""
    state: Mapping[str, Any] = {**row, "lines": [line_of(text) for text in row.get("lines", [])]}
    texts = row["text"] if isinstance(row["text"], list) else [row["text"]]
    for text in texts:
        sent = json.dumps({key: state.get(key, []) for key in STATE})
        conversation = state_of(engine().menu, Conversation.model_validate_json(sent), row.get("at"))
        state = reply = engine().take_turn(text, conversation, reply_language=row.get("reply_language"))
    return reply


def _asked(question: Any) -> dict[str, Any]:
    found = {"kind": question["kind"], "line": question["line"], "group": question["group"], "times": question["times"]}
    optional = {key: question[key] for key in ("lines", "path") if question.get(key)}
    if "path" in optional:
        optional["path"] = [list(step) for step in optional["path"]]
    if question["group"] is None and question["choices"] and question["kind"] != "check":
        optional["choices"] = list(question["choices"])
    if question["kind"] not in {"check", "offer", "more", "confirm", "missing"} and question["group"] is not None:
        optional["choices"] = list(question["choices"])
    return found | optional


def _filled(question: Mapping[str, Any]) -> dict[str, Any]:
    return {"line": None, "group": None, "times": 0} | dict(question)


# --- The notation of lines ------------------------------------------------------------------------------------------------------------


def line_of(text: str) -> dict[str, Any]:
    """Return the line of a request that a text describes."""
    quantity, item, *groups = text.split()
    return {"item": item, "quantity": int(quantity), "options": [option for group in groups for option in _options(group)]}


def _options(text: str) -> Iterator[dict[str, Any]]:
    group, _, listed = text.partition("=")
    for part in re.findall(r"[^,\[\]]+(?:\[[^\]]*\])?", listed):
        choice, _, nested = part.removesuffix("]").partition("[")
        match = CHOICE.fullmatch(choice)
        assert match, text
        choices = match["choices"].split("|")
        option: dict[str, Any] = {"group": group, "amount": match["amount"], "quantity": int(match["quantity"] or 1)}
        option |= {"choice": choices[0]} if len(choices) == 1 else {"choice": None, "alternatives": choices}
        yield option | ({"options": [*_options(nested)]} if nested else {})


def notation(line: Any) -> str:
    """Return the text that describes a line of a reply."""
    return " ".join([str(line["quantity"]), line["item"], *_groups(line["options"])])


def _groups(options: Any) -> list[str]:
    by_group: dict[str, list[str]] = {}
    for option in options:
        choice = option["choice"] or "|".join(option["alternatives"])
        portions = f"{option['quantity']}*" if option["quantity"] > 1 else ""
        amount = f"{option['amount']}:" if option["amount"] else ""
        nested = f"[{' '.join(_groups(option['options']))}]" if option.get("options") else ""
        by_group.setdefault(option["group"], []).append(f"{amount}{portions}{choice}{nested}")
    return [f"{group}={','.join(choices)}" for group, choices in sorted(by_group.items())]
