"""Settle the draft of a parse: the sequence of the lines, equal lines merged, and the changes since the order before."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from voice.dialog.lines import is_changed, meaning_of
from voice.dialog.state import Change
from voice.orders.parser.draft import NEW, Draft, DraftLine

MAX_QUANTITY: Final = 999
MAX_LINES: Final = 200
MAX_OPTIONS: Final = 100  # of a line

Span = tuple[int, int]


class Settled(NamedTuple):
    """The order after the edits of a turn.

    `spans` counts code points of the utterance; it and `confidences` are None for lines that were not touched.
    """

    lines: Draft  # `origin`: the index before the turn
    spans: tuple[Span | None, ...]
    confidences: tuple[float | None, ...]
    changes: tuple[Change, ...]
    places: Mapping[int, int]  # from draft indices to indices of `lines`
    adds: bool  # the turn made a line, which may have been merged into an old one

    @property
    def touched(self) -> frozenset[int]:
        """The lines that the turn made or changed."""
        return frozenset([change.line for change in self.changes if change.op != "remove"])


class _Entry:
    """A line while equal lines are merged into it."""

    __slots__ = ("confidence", "is_touched", "line", "numbers", "span")

    def __init__(self, line: DraftLine, number: int, span: Span | None, confidence: float | None, *, is_touched: bool) -> None:
        self.line = line
        self.numbers = [number]  # draft indices
        self.span = span
        self.confidence = confidence
        self.is_touched = is_touched


def settle(
    draft: Draft, before: Draft, spans: Mapping[int, Span], confidences: Mapping[int, float], notes: Sequence[str | None]
) -> Settled:
    """Settle a draft. `spans`, `confidences`: of the changed lines, by draft index; `notes`: of the lines before."""
    merged: dict[object, _Entry] = {}
    entries: list[_Entry] = []
    for number in _sequence(draft, spans):
        line = draft[number]
        if line.quantity <= 0:
            continue
        if line.quantity > MAX_QUANTITY:
            line = line._replace(quantity=MAX_QUANTITY)
        entry = _Entry(line, number, spans.get(number), confidences.get(number), is_touched=is_changed(line, before))
        note = notes[line.origin] if 0 <= line.origin < len(notes) else None
        key = (*meaning_of(line), note)
        other = merged.get(key)
        if other is None or not (other.is_touched or entry.is_touched) or other.line.quantity + line.quantity > MAX_QUANTITY:
            merged[key] = entry
            entries.append(entry)
        else:
            _merge(other, entry)
    return Settled(
        tuple([entry.line for entry in entries]),
        tuple([entry.span if entry.is_touched else None for entry in entries]),
        tuple([entry.confidence if entry.is_touched else None for entry in entries]),
        tuple(_changes(entries, before)),
        {number: place for place, entry in enumerate(entries) for number in entry.numbers},
        any(line.is_new and line.beside == NEW and line.quantity > 0 for line in draft),
    )


def _sequence(draft: Draft, spans: Mapping[int, Span]) -> list[int]:
    """Return the draft indices in the sequence of the order: the parts of a split line stand in its place, as they were said."""
    parts: dict[int, list[int]] = {}
    roots = []
    for number, line in enumerate(draft):
        if 0 <= line.beside < number:
            parts.setdefault(line.beside, []).append(number)
        else:
            roots.append(number)
    if not parts:
        return roots
    sequence: list[int] = []
    waiting = roots[::-1]
    while waiting:
        number = waiting.pop()
        if number in parts:
            whole = [number, *parts.pop(number)]
            whole.sort(key=lambda part: spans.get(part, (0, 0)))
            waiting.extend(reversed(whole))
        else:
            sequence.append(number)
    return sequence


def _merge(into: _Entry, entry: _Entry) -> None:
    """Merge a line into an equal earlier one."""
    into.line = into.line._replace(quantity=into.line.quantity + entry.line.quantity)
    into.numbers += entry.numbers
    into.is_touched = True
    if entry.span is not None:
        start, end = into.span or entry.span
        into.span = min(start, entry.span[0]), max(end, entry.span[1])
    if entry.confidence is not None:
        into.confidence = min(into.confidence if into.confidence is not None else 1.0, entry.confidence)


def _changes(entries: Sequence[_Entry], before: Draft) -> list[Change]:
    changes = []
    kept = set()
    for place, entry in enumerate(entries):
        line = entry.line
        if line.origin == NEW:
            changes.append(Change("add", place, line.items[0], line.quantity))
            continue
        kept.add(line.origin)
        if is_changed(line, before):
            changes.append(Change("set", place, line.items[0], line.quantity))
    changes += [Change("remove", number, old.items[0], old.quantity) for number, old in enumerate(before) if number not in kept]
    return changes
