"""Suspend edits that are not certain: they are asked about instead of made."""

from collections.abc import Mapping, Sequence
from typing import Final

from schemas import Menu
from voice.dialog.lines import is_changed
from voice.dialog.questions import unresolved_question
from voice.dialog.settling import MAX_LINES, MAX_QUANTITY
from voice.dialog.state import PendingEdit, Question, QuestionKind
from voice.orders.parser.draft import NEW, Draft, DraftLine
from voice.orders.parser.parser import Parse, Unresolved

MAX_LIKELY: Final = 99  # units of a line; the largest of the corpus's conversations is 55
MIN_PROBABILITY: Final = 0.02  # of a parse that counts towards the confidence of a line


def confidences(parses: Sequence[Parse], before: Draft) -> dict[int, float]:
    """Return the probability of each changed line of the best parse, by draft index: that of all parses with this line."""
    best = parses[0]
    changed = [number for number, line in enumerate(best.draft) if is_changed(line, before)]
    if not changed:
        return {}
    others = [parse for parse in parses[1:] if parse.probability >= MIN_PROBABILITY]
    return {
        number: min(1.0, best.probability + sum([parse.probability for parse in others if _has(parse.draft, best.draft[number])]))
        for number in changed
    }


def _has(draft: Draft, line: DraftLine) -> bool:
    """Return whether a draft has an equal line."""
    for other in draft:
        is_same = other.quantity == line.quantity and other.origin == line.origin and other.items == line.items
        if is_same and (other.options == line.options or set(other.options) == set(line.options)):
            return True
    return False


def suspend(draft: list[DraftLine], before: Draft, confidence_of: Mapping[int, float], ask_below: float) -> list[Question]:
    """Undo the edits whose confidence is below `ask_below` or whose quantity is unlikely; return the questions about them.

    `confidence_of`: of the lines that may be suspended, by draft index. The lines of the questions are draft indices.
    """
    questions = []
    parts = {line.beside for line in draft if line.beside >= 0}
    n_lines = sum([line.quantity > 0 for line in draft])
    for number, confidence in confidence_of.items():
        line = draft[number]
        if number in parts or line.beside >= 0 or (line.is_new and not line.quantity):
            continue
        surplus = line.is_new and n_lines > MAX_LINES
        if confidence >= ask_below and not surplus and not _is_unlikely(line, before):
            continue
        questions.append(_check(number, line, before))
        draft[number] = line._replace(quantity=0) if line.is_new else before[line.origin]
        n_lines -= line.is_new
    return questions


def suspend_unavailable(menu: Menu, draft: list[DraftLine], before: Draft) -> list[Question]:
    """Undo what adds units to lines whose item is no longer available; return the questions what to have instead."""
    questions = []
    for number, line in enumerate(draft):
        if line.is_new or menu.items[line.items[0]].available:
            continue
        old = before[line.origin]
        if line.items == old.items and line.quantity > old.quantity:
            more = line._replace(quantity=line.quantity - old.quantity)
            questions.append(unresolved_question(menu, Unresolved(more, is_available=False, replaces=NEW)))
            draft[number] = line._replace(quantity=old.quantity)
    return questions


def _is_unlikely(line: DraftLine, before: Draft) -> bool:
    """Return whether the new quantity of a line is higher than likely."""
    if not line.is_new and line.quantity <= before[line.origin].quantity:
        return False
    return line.quantity > MAX_LIKELY


def _check(number: int, line: DraftLine, before: Draft) -> Question:
    """Return the question whether to make an edit."""
    if line.is_new:
        return Question(QuestionKind.CHECK, choices=line.items, pending=PendingEdit("add", _pending(line)))
    old = before[line.origin]
    if line.quantity == 0:
        return Question(QuestionKind.CHECK, number, choices=old.items, pending=PendingEdit("remove", _pending(old)))
    return Question(QuestionKind.CHECK, number, choices=line.items, pending=PendingEdit("set", _pending(line)))


def _pending(line: DraftLine) -> DraftLine:
    return DraftLine(line.items, min(line.quantity, MAX_QUANTITY), line.options)
