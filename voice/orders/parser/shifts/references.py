"""Shifts of references to lines, and of answers to the open question."""

from voice.orders.parser.moves import Hypotheses, Shift
from voice.orders.parser.state import FLAG_OF_ROLE, Chunk, ChunkFlag


def shift_reference(shift: Shift) -> Hypotheses:
    """Read a reference as said of the open chunk, or as the beginning of a new one; a pronoun may have no effect."""
    flag, chunk = FLAG_OF_ROLE[shift.arc.role], shift.hypothesis.chunk
    if flag is not ChunkFlag.REST or chunk.is_empty or chunk.verb not in {"", "add"}:
        new, flagged = shift.extend()
        _set_flag(flagged, flag, shift)
        if chunk.is_empty:
            new.joint = ""
        shift.note(new, "flag", shift.arc.role.name.lower(), shift.hypothesis.joint)
        yield new
    if not chunk.is_empty and flag is not ChunkFlag.ONES:
        for begun, fresh in shift.begin():
            _set_flag(fresh, flag, shift)
            yield begun
    if flag is ChunkFlag.REFERENCE:
        new = shift.pass_by()
        shift.note(new, "skip", "reference")
        yield new


def _set_flag(chunk: Chunk, flag: ChunkFlag, shift: Shift) -> None:
    chunk.flags |= flag
    if flag is ChunkFlag.ALL:
        chunk.scope = shift.arc.value


def shift_ordinal(shift: Shift) -> Hypotheses:
    """Read the place of a line into the open chunk or a new one; it may have no effect."""
    new, placed = shift.extend()
    placed.place = shift.arc.value
    yield new
    if not shift.hypothesis.chunk.is_empty:
        for begun, fresh in shift.begin():
            fresh.place = shift.arc.value
            yield begun
    new = shift.pass_by()
    shift.note(new, "skip", "ordinal")
    yield new


def shift_share(shift: Shift) -> Hypotheses:
    """Read a fraction of a line into the open chunk or a new one."""
    new, shared = shift.extend()
    shared.share = shift.arc.value
    yield new
    if not shift.hypothesis.chunk.is_empty:
        for begun, fresh in shift.begin():
            fresh.share = shift.arc.value
            yield begun


def shift_answer(shift: Shift) -> Hypotheses:
    """Read an answer as one to the open question, and as a word without an effect."""
    question = shift.question
    for begun, _ in shift.begin():
        shift.note(begun, "say", shift.arc.role.name.lower(), question.kind if question else "", shift.at == 0)
        yield begun
        if question is None or begun.n_edits:
            continue
        for answered in shift.reducer.answer(begun, shift.arc.role, question):
            answered.chunk = Chunk("answer")
            yield answered
