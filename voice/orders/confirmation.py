"""Confirmation of edits from speech that was recognised with low confidence: each edit becomes a question."""

from collections.abc import Sequence
from typing import Final, Literal

from schemas import Change, Line, Order, Pending, Question, Segment
from voice.orders.language_packs import sentence

# This threshold asks about 4 of 272 right transcripts (clean, and in kitchen noise of 12 dB and 6 dB; all 4 at 6 dB) and stops all 43
# wrong-language ones that would change an order (the highest has .57). `docs/decisions.md` has the curve.
CONFIRM_BELOW: Final = 0.6


def recognition_confidence(segments: Sequence[Segment]) -> float | None:
    """Return the mean confidence of the segments, weighted by their words; None without words, or if the recogniser gives no confidence."""
    weighted = [(confidence, len(segment["text"].split())) for segment in segments if (confidence := segment["confidence"]) is not None]
    total_words = sum(n_words for _, n_words in weighted)
    return sum(confidence * n_words for confidence, n_words in weighted) / total_words if total_words else None


def is_spoken(segments: Sequence[Segment]) -> bool:
    """Return whether the segments were recognised; those of a typed text have no confidence."""
    return any(segment["confidence"] is not None for segment in segments)


def is_recognition_uncertain(segments: Sequence[Segment]) -> bool:
    """Return whether an edit from these segments needs a confirmation."""
    confidence = recognition_confidence(segments)
    return confidence is not None and confidence < CONFIRM_BELOW


def confirmed(order: Order, before: Sequence[Line], segments: Sequence[Segment], languages: Sequence[str]) -> Order:
    """Return the order after an utterance, or, if its edits need a confirmation, the order before it with a question for each edit.

    `before`: the priced lines before the utterance; `languages`: the menu's.
    """
    if not order["changes"] or not is_recognition_uncertain(segments):
        return order
    language = languages[0] if languages else "en"
    old_indices = _old_indices(order["changes"], len(before))
    questions = [_check(change, order["lines"], before, old_indices, language) for change in order["changes"]]
    edited = {change["line"] for change in order["changes"] if change["op"] != "remove"}
    for question in order["questions"]:
        line = question["line"]
        if line is None:
            questions.append(question)
        elif line not in edited and line < len(old_indices):
            questions.append({**question, "line": old_indices[line]})
    total = sum(line["total"] for line in before)
    return {**order, "lines": list(before), "total": total, "changes": [], "questions": questions}


def _old_indices(changes: Sequence[Change], n_before: int) -> list[int]:
    """Map each old line that is left to its index before the changes; added lines come last and are left out."""
    removed = {change["line"] for change in changes if change["op"] == "remove"}
    return [index for index in range(n_before) if index not in removed]


def _check(change: Change, after: Sequence[Line], before: Sequence[Line], old_indices: Sequence[int], language: str) -> Question:
    """Return the question whether to make a change."""
    op: Literal["add", "set", "remove"] = change["op"]
    old_index: int | None = None
    if op == "remove":
        old_index, line = change["line"], before[change["line"]]
    else:
        line = after[change["line"]]
        if op == "set" and change["line"] < len(old_indices):
            old_index = old_indices[change["line"]]
    pending: Pending = {"op": op, "item": line["item"], "quantity": change["quantity"], "options": line["options"]}
    values = {"quantity": str(change["quantity"]), "name": line["name"]}
    return {
        "kind": "check",
        "line": old_index,
        "group": None,
        "choices": [line["item"]],
        "text": sentence(language, "check_remove" if op == "remove" else "check", values),
        "blocks": True,
        "pending": pending,
        "times": 1,
    }
