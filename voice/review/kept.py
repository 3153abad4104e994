"""The record of a turn: what was said and what was made of it, without audio, notes, names and customers' ids."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import orjson

from schemas import Order
from voice.dialog.state import State
from voice.orders.parser.draft import DraftOption

DIGEST_BYTES: Final = 16
# Six digits and more are telephone, card and other numbers of persons, none of an order.
LONG_NUMBERS: Final = re.compile(r"\d(?:[\s.()/-]{0,2}\d){5,}")
HIDDEN: Final = "#"


class Kept(NamedTuple):
    """A turn that is kept. `before` is None at the beginning of a conversation, else the `after` of the turn before it."""

    client: str
    menu: str
    said_at: datetime
    before: bytes | None
    after: bytes
    document: Mapping[str, Any]


def kept(client: str, utterance: str, before: State, order: Order, said_at: datetime) -> Kept:
    """Return the record of a turn."""
    lines = [_line_reply(line) for line in order["lines"]]
    confidences = [line["confidence"] for line in order["lines"] if line["confidence"] is not None]
    first = before.questions[0] if before.questions else None
    lines_before = [
        {"item": line.items[0], "quantity": line.quantity, "options": [_draft_option(option) for option in line.options]}
        for line in before.lines
    ]
    document = {
        "text": LONG_NUMBERS.sub(HIDDEN, utterance),
        "before": lines_before,
        "asked": None if first is None else {"kind": first.kind.value, "line": first.line, "group": first.group},
        "act": order["act"],
        "status": order["status"],
        "lines": lines,
        "changes": order["changes"],
        "questions": [{name: question[name] for name in ("kind", "line", "group", "times")} for question in order["questions"]],
        "unmatched": [LONG_NUMBERS.sub(HIDDEN, words) for words in order["unmatched"]],
        "confidence": min(confidences, default=None),
    }
    questions_before = [(question.kind.value, question.line, question.group, list(question.choices)) for question in before.questions]
    questions_after = [(question["kind"], question["line"], question["group"], question["choices"]) for question in order["questions"]]
    key = _digest(lines_before, questions_before) if before.lines or before.questions else None
    return Kept(client, order["menu"], said_at, key, _digest(lines, questions_after), document)


def _digest(lines: Sequence[Mapping[str, Any]], questions: Sequence[object]) -> bytes:
    return blake2b(orjson.dumps([lines, questions]), digest_size=DIGEST_BYTES).digest()


def _line_reply(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"item": line["item"], "quantity": line["quantity"], "options": _options_of_reply(line["options"])}


def _options_of_reply(options: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        _option(
            option["group"],
            [option["choice"]] if option["choice"] is not None else list(option["alternatives"]),
            option["amount"],
            option["quantity"],
            _options_of_reply(option.get("options", ())),
        )
        for option in options
    ]


def _draft_option(option: DraftOption) -> dict[str, Any]:
    below = [_draft_option(nested) for nested in option.options]
    return _option(option.group, list(option.choices), option.amount, option.quantity, below)


def _option(group: str, choices: list[str], amount: str | None, quantity: int, below: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an option as a request has it, the same for equal options."""
    choice = choices[0] if len(choices) == 1 else None
    alternatives = choices if len(choices) != 1 else []
    return {"group": group, "choice": choice, "alternatives": alternatives, "amount": amount, "quantity": quantity, "options": below}
