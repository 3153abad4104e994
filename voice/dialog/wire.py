"""The state of a conversation as requests have it, and as replies have it."""

from collections.abc import Sequence
from datetime import datetime

import schemas
from schemas import NOTE_KINDS, Conversation, PendingRequest
from voice.dialog.lines import draft_of, draft_options, priced, priced_options, with_note
from voice.dialog.question_text import question_text
from voice.dialog.say import say
from voice.dialog.settling import Settled
from voice.dialog.state import Change, Note, PendingEdit, Question, QuestionKind, State, Turn
from voice.menus.menu import Menu
from voice.orders.parser.draft import ChoiceRef, DraftLine
from voice.orders.pricing import Pricing

_QUESTION_KINDS = {kind.value: kind for kind in QuestionKind}
MAX_CHANGES = 200  # that a request may have


def state_of(menu: Menu, request: Conversation, at: datetime | None = None) -> State:
    """Return the state that a request has; questions, changes and notes of an unknown kind are left out. `at`: now if None.

    Raises:
        ItemNotFound, ValidationFailed: a line names an item, group or choice that the menu lacks.

    """
    lines = draft_of(menu, request.lines)
    notes = tuple([line.note for line in request.lines])
    return State(
        lines,
        tuple([_question_of(asked) for asked in request.questions if asked.kind in _QUESTION_KINDS]),
        tuple([change for asked in request.changes if (change := _change_of(asked)) is not None]),
        tuple([_note_of(asked, len(lines)) for asked in request.notes if asked.kind in NOTE_KINDS]),
        at=at,
        line_notes=notes if any(notes) else (),
    )


def conversation_of(order: schemas.Order) -> Conversation:
    """Return the state of a reply as the next request has it."""
    return Conversation.model_validate({name: order[name] for name in ("lines", "questions", "changes", "notes")})


def _question_of(asked: schemas.QuestionRequest) -> Question:
    lines = tuple(dict.fromkeys(asked.lines))
    line = asked.line if asked.line is not None or not lines else lines[0]
    return Question(
        _QUESTION_KINDS[asked.kind],
        line,
        asked.group,
        tuple(asked.choices),
        lines if len(lines) > 1 else (),
        _pending_of(asked.pending) if asked.pending is not None else None,
        asked.times,
        tuple([ChoiceRef(*step) for step in asked.path]),
    )


def _pending_of(pending: PendingRequest) -> PendingEdit:
    items = (pending.item,) if pending.item is not None else ()
    return PendingEdit(pending.op, DraftLine(items, pending.quantity, draft_options(pending.options)))


def _change_of(asked: schemas.ChangeRequest) -> Change | None:
    if asked.line is None or asked.op not in {"add", "set"}:
        return None
    return Change("add" if asked.op == "add" else "set", asked.line, asked.item or "", asked.quantity or 0)


def _note_of(asked: schemas.NoteRequest, n_lines: int) -> Note:
    line = asked.line if asked.line is not None and asked.line < n_lines else None
    return Note(NOTE_KINDS[asked.kind], asked.text, line, asked.value)


def order_reply(turn: Turn, settled: Settled, menu: Menu, pricing: Pricing, language: str) -> schemas.Order:
    """Return the reply to a turn."""
    after = turn.after
    lines = [_line_reply(after, settled, number, pricing) for number in range(len(after.lines))]
    texts = [question_text(question, after, menu, pricing, language) for question in after.questions]
    return {
        "menu": menu.id,
        "lines": lines,
        "total": sum([line["total"] for line in lines]),
        "currency": menu.currency,
        "act": turn.act.value,
        "status": turn.status.value,
        "say": {"text": say(turn, menu, pricing, language), "language": language},
        "changes": change_replies(after.changes[:MAX_CHANGES]),
        "questions": [question_reply(question, text, pricing) for question, text in zip(after.questions, texts, strict=True)],
        "unmatched": list(turn.unmatched),
        "notes": note_replies(after.notes),
    }


def _line_reply(after: State, settled: Settled, number: int, pricing: Pricing) -> schemas.Line:
    reply = priced(pricing, after.lines[number], confidence=settled.confidences[number], span=settled.spans[number])
    return with_note(reply, after.line_notes[number] if after.line_notes else None)


def question_reply(question: Question, text: str, pricing: Pricing) -> schemas.Question:
    """Return a question as a reply has it."""
    reply: schemas.Question = {
        "kind": question.kind.value,
        "line": question.line,
        "group": question.group,
        "choices": list(question.choices),
        "text": text,
        "blocks": question.blocks,
        "times": question.times,
    }
    if question.path:
        reply["path"] = [(step.group, step.choice) for step in question.path]
    if question.lines:
        reply["lines"] = list(question.lines)
    if question.pending is not None:
        line = question.pending.line
        pending: schemas.Pending = {"op": question.pending.op, "quantity": line.quantity, "options": priced_options(pricing, line.options)}
        if len(line.items) == 1:
            pending["item"] = line.items[0]
        reply["pending"] = pending
    return reply


def change_replies(changes: Sequence[Change]) -> list[schemas.Change]:
    """Return changes as a reply has them."""
    return [{"op": change.op, "line": change.line, "item": change.item, "quantity": change.quantity} for change in changes]


def note_replies(notes: Sequence[Note]) -> list[schemas.Note]:
    """Return notes as a reply has them."""
    replies: list[schemas.Note] = []
    for note in notes:
        reply: schemas.Note = {"kind": note.kind, "line": note.line, "text": note.text}
        if note.value is not None:
            reply["value"] = note.value
        replies.append(reply)
    return replies
