"""Read a merchant's own sentences and conversations, each with the order that is right after it.

- CSV with two columns: what was said, and the order. A header is skipped.
- JSONL, an object a line: {"said": ..., "order": ...} or {"turns": [{"said": ..., "order": ...}, ...]}, and with "before" the order so far,
  "or" other right orders, "at" the time.

An order is `2 x latte [large, no sugar, 2*shot]; tea`, with ids of the menu, or the lines of a reply. `combo [cola [large], fries]` has an
option below a choice.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from errors import ValidationFailed
from schemas import LineRequest, Timestamp, Utterance
from voice.dialog.lines import draft_of
from voice.menus.menu import Menu
from voice.orders.corpus import lines_of

MAX_BYTES: Final = 20_000_000
MAX_CASES: Final = 20_000
COLUMNS: Final = 2

Lines = list[LineRequest]
GivenOrder = str | list[Any]


class CasesBroken(Exception):
    """The file has faults; each line of the message is one."""


class ExpectedTurn(NamedTuple):
    """What is said, and the right orders after it."""

    said: str
    right: Sequence[Lines]
    at: datetime | None


class Case(NamedTuple):
    """A sentence, or a conversation of several turns; `row` is its line in the file, 1 the first."""

    row: int
    before: Lines
    turns: Sequence[ExpectedTurn]


class _Turn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    said: Utterance
    order: GivenOrder
    alternatives: list[GivenOrder] = Field([], alias="or")
    at: Timestamp | None = None


class _Sentence(_Turn):
    before: GivenOrder = ""


class _Conversation(BaseModel):
    model_config = ConfigDict(extra="forbid")

    turns: Annotated[list[_Turn], Field(min_length=1)]
    before: GivenOrder = ""


def read_cases(path: Path, menu: Menu) -> list[Case]:
    """Read all cases of a file.

    Raises:
        CasesBroken: it cannot be read, or has faults.

    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise CasesBroken(message) from error
    except UnicodeDecodeError as error:
        message = "not UTF-8"
        raise CasesBroken(message) from error
    if len(data) > MAX_BYTES:
        message = f"larger than {MAX_BYTES} bytes"
        raise CasesBroken(message)
    rows = _json_rows(text) if text.lstrip().startswith("{") else _csv_rows(text)
    cases, faults = [], []
    for row, given in rows:
        try:
            cases.append(_case(row, given, menu))
        except (ValueError, ValidationFailed) as error:  # ValidationError is a ValueError
            faults.append(f"line {row}: {_reason(error)}")
    if not cases and not faults:
        faults = ["there are no sentences"]
    if len(cases) > MAX_CASES:
        faults.append(f"more than {MAX_CASES} sentences")
    if faults:
        raise CasesBroken("\n".join(faults))
    return cases


def _json_rows(text: str) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line


def _csv_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Yield two cells of a row as the fields of a sentence."""
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if reader.line_num == 1 and cells[0].strip().lower() in {"said", "say", "sentence", "text", "utterance"}:
            continue
        if len(cells) != COLUMNS:
            yield reader.line_num, ValueError(f"{len(cells)} cells in place of two; a text with {delimiter!r} needs quotes")
            continue
        said, order = cells
        yield reader.line_num, {"said": said, "order": json.loads(order) if order.strip().startswith("[") else order}


def _case(row: int, given: Any, menu: Menu) -> Case:
    """Return a case.

    Raises:
        ValueError, ValidationFailed: the row has a fault.

    """
    if isinstance(given, ValueError):
        raise given
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (json.JSONDecodeError, RecursionError) as error:
            message = "not JSON"
            raise ValueError(message) from error
    kind: type[_Conversation | _Sentence] = _Conversation if isinstance(given, dict) and "turns" in given else _Sentence
    asked = kind.model_validate(given)
    turns = asked.turns if isinstance(asked, _Conversation) else [asked]
    expected = [ExpectedTurn(turn.said, [_lines(menu, order) for order in (turn.order, *turn.alternatives)], turn.at) for turn in turns]
    return Case(row, _lines(menu, asked.before), expected)


def _lines(menu: Menu, order: GivenOrder) -> Lines:
    lines = lines_of(menu, order) if isinstance(order, str) else TypeAdapter(Lines).validate_python(order)
    draft_of(menu, lines)  # raises where the menu lacks a part
    return lines


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
    if isinstance(error, ValidationFailed) and error.errors:
        first_field = error.errors[0]
        return f"{'.'.join(map(str, first_field['loc']))}: {first_field['msg']}"
    return str(error)
