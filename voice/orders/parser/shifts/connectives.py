"""Shifts of connectives, requests, and words without an effect on the chunk."""

from collections.abc import Mapping
from typing import Final

from voice.orders.parser.moves import PAUSES, Hypotheses, Shift
from voice.orders.parser.roles import Role
from voice.orders.parser.state import ADVERBS, ChunkFlag, Mood

JOINTS: Final[Mapping[Role, str]] = {Role.COMMA: "comma", Role.STOP: "stop", Role.AND: "and", Role.OR: "or", Role.TIMES: "times"}


def shift_joint(shift: Shift) -> Hypotheses:
    """Record the connective before the next token."""
    new = shift.pass_by()
    new.joint = JOINTS[shift.arc.role]
    if new.amount is not None and new.joint in PAUSES:
        shift.note(new, "apart", new.amount, new.joint)
    if shift.arc.value == "?":
        new.mood |= Mood.QUESTION_MARK
    if shift.hypothesis.amount == "no":  # "no, a coke"; "no gherkins and a coke", where gherkins are unknown
        new.amount = None
        new.is_negation_open = shift.is_behind_unread
        shift.note(new, "dangling", "amount")
    yield new


def shift_with(shift: Shift) -> Hypotheses:
    """Record a preposition, together with the connective before it."""
    new = shift.pass_by()
    joint, before = "with" if shift.arc.role is Role.WITH else "onto", shift.hypothesis.joint
    new.joint = f"{before}.{joint}" if before in {"and", "comma", "correction"} else joint
    yield new


def shift_filler(shift: Shift) -> Hypotheses:
    """Skip a word that orders nothing; record a classifier, the number of people, a question."""
    new = shift.pass_by()
    role = shift.arc.role
    if role is Role.CLASSIFIER:
        new.classifier = shift.arc.value
        chunk = new.chunk = new.chunk.copy()
        chunk.flags |= ChunkFlag.CLASSIFIED
    elif role is Role.PEOPLE:
        new.chunk = new.chunk.copy()  # its reductions may depend on the number
        new.n_people = shift.arc.value
    elif role is Role.INQUIRY:
        new.mood |= Mood.QUESTION
    yield new


def shift_unread(shift: Shift) -> Hypotheses:
    """Leave a token unread."""
    new = shift.pass_by()
    new.unread = (shift.at, new.unread)
    if shift.hypothesis.mood & (Mood.QUESTION | Mood.QUESTION_MARK):
        shift.note(new, "unread", "inquiry")
    yield new


def shift_request(shift: Shift) -> Hypotheses:
    """Read a request as the verb of an empty chunk, as a word without an effect, or as the beginning of a new chunk."""
    is_empty = shift.hypothesis.chunk.is_empty
    new = shift.pass_by()
    new.mood |= Mood.REQUEST
    if is_empty:
        new.chunk = new.chunk.copy()
        new.chunk.verb = "add"
    yield new
    is_negated = shift.hypothesis.amount == "no"  # "don't give me"
    for begun, fresh in (shift.without_amount() if is_negated else shift).begin("request") if not is_empty else ():
        begun.mood |= Mood.REQUEST
        begun.amount = "no" if is_negated else None
        fresh.verb = "add"
        yield begun


def shift_adverb(shift: Shift) -> Hypotheses:
    """Flag the open chunk."""
    new = shift.pass_by()
    chunk = new.chunk = new.chunk.copy()
    chunk.flags |= ADVERBS[shift.arc.role]
    yield new
