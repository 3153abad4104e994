"""The policy: what is asked when nothing blocks, and where the conversation stands."""

from collections.abc import Sequence

from voice.dialog.questions import MAX_TIMES
from voice.dialog.state import Act, Question, QuestionKind, Status
from voice.orders.parser.draft import Draft


def is_read_back(question: Question) -> bool:
    """Return whether a question asks whether the whole order is right."""
    return question.kind is QuestionKind.CONFIRM and question.line is None


def closed(questions: Sequence[Question], lines: Draft, act: Act, *, is_confirmed: bool) -> list[Question]:
    """Return the questions with the read-back or "anything else?" last, as the act demands; a read-back that was denied is not in them.

    `is_confirmed`: the read-back was asked and the customer said yes.
    """
    kept = [question for question in questions if question.kind is not QuestionKind.MORE and not is_read_back(question)]
    blocks = any(question.blocks for question in kept)
    had_read_back = any(is_read_back(question) for question in questions)
    if not lines or act is Act.CANCEL or act is Act.HUMAN:
        return kept
    wants_read_back = act is Act.DONE or (had_read_back and not (is_confirmed and not blocks))
    if wants_read_back:
        return [*kept, Question(QuestionKind.CONFIRM)]
    if kept or is_confirmed:
        return kept
    return [Question(QuestionKind.MORE)]


def status_of(act: Act, questions: Sequence[Question], *, is_confirmed: bool, unanswered: Question | None) -> Status:
    """Return the first status that holds; `unanswered`: the question that was asked, if it is still open after a turn without an edit."""
    blocks = any(question.blocks for question in questions)
    if act is Act.HUMAN or (unanswered is not None and unanswered.blocks and unanswered.times >= MAX_TIMES):
        return Status.HANDOFF
    if act is Act.CANCEL:
        return Status.CANCELLED
    if blocks:
        return Status.ASKING
    if is_confirmed:
        return Status.CONFIRMED
    return Status.CONFIRMING if any(is_read_back(question) for question in questions) else Status.OPEN
