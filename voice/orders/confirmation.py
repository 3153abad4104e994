"""Ask before a change is made whose words were recognised with little confidence."""

from collections.abc import Sequence
from typing import Final, Literal

from schemas import Change, Line, Order, Pending, Question, Segment
from voice.orders.language_packs import sentence

# Of 272 spoken orders recognised in their own language, clean and in kitchen noise of 12 dB and 6 dB, 4 are below, all at 6 dB; of 43
# transcripts in a wrong language that would change an order, all (the surest has .57). `docs/decisions.md` has the curve.
CONFIRM_BELOW: Final = 0.6


def recognition_confidence(segments: Sequence[Segment]) -> float | None:
    """Average the segments' confidences, each by its words; None where nothing was recognised, or the engine gives none."""
    weighed = [(segment["confidence"], len(segment["text"].split())) for segment in segments]
    known = [(confidence, n_words) for confidence, n_words in weighed if confidence is not None]
    total = sum(n_words for _, n_words in known)
    return sum(confidence * n_words for confidence, n_words in known) / total if total else None


def is_doubtful(segments: Sequence[Segment]) -> bool:
    """Tell whether a change that comes of these words needs a confirmation."""
    confidence = recognition_confidence(segments)
    return confidence is not None and confidence < CONFIRM_BELOW


def confirmed(order: Order, before: Sequence[Line], segments: Sequence[Segment], languages: Sequence[str]) -> Order:
    """Return the order with its changes, or, where they are doubtful, as it was, with a question for each change.

    `before` are the priced lines from which `order` was made, `segments` the words, `languages` the menu's.
    """
    if not order["changes"] or not is_doubtful(segments):
        return order
    language = languages[0] if languages else "en"
    kept = _lines_before(order["changes"], len(before))
    questions = [_check(change, order["lines"], before, kept, language) for change in order["changes"]]
    changed = {change["line"] for change in order["changes"] if change["op"] != "remove"}
    for question in order["questions"]:
        line = question["line"]
        if line is None:
            questions.append(question)
        elif line not in changed and line < len(kept):
            questions.append({**question, "line": kept[line]})
    total = sum(line["total"] for line in before)
    return {**order, "lines": list(before), "total": total, "changes": [], "questions": questions}


def _lines_before(changes: Sequence[Change], n_before: int) -> list[int]:
    """List, for the lines after the changes, which lines they were; those that were added have none."""
    removed = {change["line"] for change in changes if change["op"] == "remove"}
    return [number for number in range(n_before) if number not in removed]


def _check(change: Change, after: Sequence[Line], before: Sequence[Line], kept: Sequence[int], language: str) -> Question:
    op: Literal["add", "set", "remove"] = change["op"]
    number: int | None = None
    if op == "remove":
        number, line = change["line"], before[change["line"]]
    else:
        line = after[change["line"]]
        if op == "set" and change["line"] < len(kept):
            number = kept[change["line"]]
    pending: Pending = {"op": op, "item": line["item"], "quantity": change["quantity"], "options": line["options"]}
    values = {"quantity": str(change["quantity"]), "name": line["name"]}
    return {
        "kind": "check",
        "line": number,
        "group": None,
        "choices": [line["item"]],
        "text": sentence(language, "check_remove" if op == "remove" else "check", values),
        "blocks": True,
        "pending": pending,
        "times": 1,
    }
