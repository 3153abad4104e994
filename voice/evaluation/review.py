"""Review kept utterances: what was asked again, corrected at once, left unmatched or below confidence, and what it should have been.

The turns of a conversation are linked by the digests of its state, which callers send back. The right order of a turn that was mended is
that of the turn that mended it: the correction, the answer that was understood, or the same wish in other words.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

from errors import ValidationFailed
from schemas import LineRequest
from voice.dialog.lines import draft_of
from voice.dialog.turn import DialogEngine
from voice.evaluation.aliases import Remedy, remedies
from voice.evaluation.cases import Case, ExpectedTurn
from voice.evaluation.scoring import Verdict, score
from voice.menus.menu import Menu
from voice.orders import words
from voice.review.kept import Kept

MAX_PAUSE: Final = timedelta(minutes=15)  # between two turns of a conversation
MAX_REPETITION: Final = timedelta(seconds=30)  # between two turns that no state links
MAX_EARLIER: Final = 8  # turns of a conversation before a finding
MAX_MENDING: Final = 3  # turns in which a question is answered after all
EDITS: Final = frozenset({"order", "answer", "change", "remove", "confirm"})


class Kind(StrEnum):
    """Why a turn is worth a look, the surest sign of a mistake first."""

    CORRECTED = "corrected at once"
    ASKED_AGAIN = "asked again"
    UNSURE = "below confidence"
    UNMATCHED = "left unmatched"


class Finding(NamedTuple):
    """Turns with the same unmatched words, else with the same words.

    `latest`: the last of them, if possible one that was mended. `case`: its conversation, with the right order.
    """

    kinds: Sequence[Kind]
    text: str
    n_turns: int
    unmatched: Sequence[str]
    latest: Kept
    case: Case | None


class Review(NamedTuple):
    """The findings, the most frequent first, and the aliases that would have helped, each with the findings that it mends."""

    n_turns: int
    findings: Sequence[Finding]
    remedies: Sequence[Remedy]


class _Mishap(NamedTuple):
    kinds: Sequence[Kind]
    turn: Kept
    earlier: Sequence[Kept]
    right: list[LineRequest] | None


def review(menu: Menu, turns: Sequence[Kept], ask_below: float) -> Review:
    """Find what went wrong in kept turns, oldest first."""
    groups: dict[str, list[_Mishap]] = defaultdict(list)
    for earlier, turn, after in _conversations(turns):
        kinds = [*_kinds(turn, after, ask_below)]
        if kinds:
            about = ", ".join(turn.document["unmatched"]) or turn.document["text"]
            groups[_spelling(about)].append(_Mishap(kinds, turn, earlier, _right(menu, after, kinds)))
    order = list(Kind)
    found: list[Finding] = []
    for group in sorted(groups.values(), key=lambda group: (-len(group), min(order.index(kind) for one in group for kind in one.kinds))):
        latest = next((one for one in reversed(group) if one.right is not None), group[-1])
        case = None if latest.right is None else _case(menu, len(found) + 1, [*latest.earlier, latest.turn], latest.right)
        kinds = sorted({kind for one in group for kind in one.kinds}, key=order.index)
        unmatched = tuple(dict.fromkeys([words_ for one in group for words_ in one.turn.document["unmatched"]]))
        found.append(Finding(kinds, latest.turn.document["text"], len(group), unmatched, latest.turn, case))
    cases = [finding.case for finding in found if finding.case is not None]
    scored = score(DialogEngine(menu), cases)
    helpful = remedies(menu, cases, scored) if scored.count(Verdict.EXACT) < len(scored.outcomes) else []
    return Review(len(turns), found, helpful)


def _spelling(text: str) -> str:
    return " ".join(words.phrase(text))


def _conversations(turns: Sequence[Kept]) -> Iterator[tuple[Sequence[Kept], Kept, Sequence[Kept]]]:
    """Yield each turn between those of its conversation before it and those after it, some of them."""
    following: dict[int, int] = {}
    latest: dict[bytes, int] = {}  # the last turn that left a state
    for number, turn in enumerate(turns):
        before = latest.get(turn.before) if turn.before is not None else _unanswered(turns, number)
        if before is not None and before not in following and turn.said_at - turns[before].said_at <= MAX_PAUSE:
            following[before] = number
        latest[turn.after] = number
    preceding = {later: number for number, later in following.items()}
    for number, turn in enumerate(turns):
        yield _linked(turns, preceding, number, MAX_EARLIER)[::-1], turn, _linked(turns, following, number, MAX_MENDING)


def _linked(turns: Sequence[Kept], links: Mapping[int, int], number: int, at_most: int) -> list[Kept]:
    found: list[Kept] = []
    at = links.get(number)
    while at is not None and len(found) < at_most:
        found.append(turns[at])
        at = links.get(at)
    return found


def _unanswered(turns: Sequence[Kept], number: int) -> int | None:
    """Return the turn right before one that begins a conversation, if nothing came of it: the customer says it again."""
    if not number:
        return None
    previous = turns[number - 1]
    nothing = not previous.document["lines"] and not previous.document["questions"] and previous.document["act"] == "none"
    return number - 1 if nothing and turns[number].said_at - previous.said_at <= MAX_REPETITION else None


def _kinds(turn: Kept, after: Sequence[Kept], ask_below: float) -> Iterator[Kind]:
    """Yield what went wrong in a turn."""
    document = turn.document
    if after and _corrects(document, after[0].document):
        yield Kind.CORRECTED
    first = document["questions"][0] if document["questions"] else None
    if first is not None and first["times"] > 1 and document["act"] not in {"question", "repeat", "human"}:
        yield Kind.ASKED_AGAIN
    confidence = document["confidence"]
    is_checked = first is not None and first["kind"] == "check" and first["times"] == 1
    if document["act"] == "none" or is_checked or (confidence is not None and confidence < ask_below):
        yield Kind.UNSURE
    if document["unmatched"]:
        yield Kind.UNMATCHED


def _corrects(document: Any, following: Any) -> bool:
    """Return whether a turn takes back or changes what the turn before it did."""
    done = {change["line"] for change in document["changes"] if change["op"] != "remove"}
    if not done or following["act"] not in {"change", "remove", "deny"}:
        return False
    kept_lines = {change["line"] for change in following["changes"] if change["op"] != "add"}
    return bool(done & kept_lines)


def _right(menu: Menu, after: Sequence[Kept], kinds: Sequence[Kind]) -> list[LineRequest] | None:
    """Return the order that a turn should have made: that of the turn that mended it. None if none did, or it is not on the menu."""
    for later in after[:1] if Kind.CORRECTED in kinds else after:
        document = later.document
        if document["act"] in EDITS and document["changes"] and not any(question["kind"] == "check" for question in document["questions"]):
            return _lines(menu, document["lines"])
        if document["act"] in {"cancel", "human"}:
            break
    return None


def _lines(menu: Menu, lines: Sequence[Any]) -> list[LineRequest] | None:
    """Return kept lines, None if the menu has changed so that it lacks a part of them."""
    asked = [LineRequest.model_validate(line) for line in lines]
    try:
        draft_of(menu, asked)
    except ValidationFailed:
        return None
    return asked


def _case(menu: Menu, row: int, turns: Sequence[Kept], right: list[LineRequest]) -> Case | None:
    """Return a conversation, with the right order after its last turn; None if the menu lacks a part of it."""
    while len(turns) > 1 and turns[1].before is None:  # "a sticky snail" - "a cinnamon bun": the second begins anew
        turns = turns[1:]
    orders = [_lines(menu, one.document["lines"]) for one in turns[:-1]]
    before = _lines(menu, turns[0].document["before"])
    if before is None or any(order is None for order in orders):
        return None
    expected = [ExpectedTurn(one.document["text"], [order or []], one.said_at) for one, order in zip(turns, [*orders, right], strict=True)]
    return Case(row, before, expected)


def written(cases: Iterable[Case]) -> Iterator[dict[str, Any]]:
    """Yield cases as rows of a JSONL file for `evaluate`."""
    for case in cases:
        turns = [
            {
                "said": turn.said,
                "order": [_as_written(line) for line in turn.right[0]],
                **({"at": f"{turn.at:%Y-%m-%dT%H:%M:%SZ}"} if turn.at else {}),
            }
            for turn in case.turns
        ]
        yield {"turns": turns, **({"before": [_as_written(line) for line in case.before]} if case.before else {})}


def _as_written(line: LineRequest) -> dict[str, Any]:
    return line.model_dump(exclude_defaults=True) | {"item": line.item}
