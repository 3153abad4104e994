"""Shifts of references to lines, and of answers to the open question."""

from collections.abc import Iterator

from voice.orders.parser.moves import Hypotheses, Shift
from voice.orders.parser.state import FLAG_OF_ROLE, Chunk, ChunkFlag, Hypothesis


def shift_reference(shift: Shift) -> Hypotheses:
    """Apply a reference to the open chunk, or begin a new one with it; a pronoun may have no effect."""
    flag, chunk, joint = FLAG_OF_ROLE[shift.arc.role], shift.hypothesis.chunk, shift.hypothesis.joint
    is_behind = chunk.flags & ChunkFlag.AGAIN or (chunk.modifiers and joint == "onto")  # "same for the rest", "ice for the rest"
    if flag != ChunkFlag.REST or chunk.is_empty or chunk.verb not in {"", "add"} or is_behind:
        new, flagged = shift.extend()
        _set_flag(flagged, flag, shift)
        if joint == "onto":
            flagged.flags |= ChunkFlag.ONTO
        if chunk.is_empty:
            new.joint = ""
        shift.note(new, "flag", shift.arc.role.name.lower(), joint)
        yield new
    if not chunk.is_empty and flag != ChunkFlag.ONES:
        for begun, fresh in shift.begin():
            _set_flag(fresh, flag, shift)
            yield begun
    if flag == ChunkFlag.REFERENCE:
        new = shift.pass_by()
        shift.note(new, "skip", "reference")
        yield new


def _set_flag(chunk: Chunk, flag: int, shift: Shift) -> None:
    chunk.flags |= flag
    if flag == ChunkFlag.ALL:
        chunk.scope = shift.arc.value


def shift_ordinal(shift: Shift) -> Hypotheses:
    """Read the place of a line into the open chunk or a new one; it may have no effect."""
    for new, chunk in _open_and_new(shift):
        chunk.place = shift.arc.value
        if shift.hypothesis.joint == "onto":
            chunk.flags |= ChunkFlag.ONTO
        yield new
    new = shift.pass_by()
    shift.note(new, "skip", "ordinal")
    yield new


def shift_person(shift: Shift) -> Hypotheses:
    """Read the lines of a person into the open chunk or a new one; behind "no" they are removed. The person may be of no account.

    Of several units of a line one may be for the person.
    """
    draft, lines = shift.hypothesis.draft, shift.arc.value
    is_shared = len(lines) == 1 and lines[0] < len(draft) and draft[lines[0]].quantity > 1
    for new, chunk in _open_and_new(shift):
        chunk.lines = shift.arc.value
        chunk.flags |= ChunkFlag.PERSON
        if new.amount == "no" and not chunk.verb:
            new.amount, chunk.verb = None, "remove"
        yield new
        if is_shared and not chunk.number:
            one = new.fork()
            one.chunk = chunk.copy()
            one.chunk.number = 1
            yield one
    new = shift.pass_by()
    shift.note(new, "skip", "person")
    yield new


def shift_own(shift: Shift) -> Hypotheses:
    """Read the possessive of somebody whose line is not known as one unit, in the open chunk or a new one; it may be of no account."""
    joint = shift.hypothesis.joint
    for new, chunk in _open_and_new(shift):
        chunk.number = chunk.number or 1
        chunk.flags |= ChunkFlag.OWN | (ChunkFlag.ONTO if joint == "onto" else ChunkFlag.NONE)
        new.joint = ""
        yield new
    new = shift.pass_by()
    shift.note(new, "skip", "own")
    yield new


def shift_swap(shift: Shift) -> Hypotheses:
    """Begin a chunk that exchanges options of two lines."""
    for begun, fresh in shift.begin():
        fresh.flags |= ChunkFlag.SWAP
        begun.chunk = fresh
        yield begun


def shift_share(shift: Shift) -> Hypotheses:
    """Read a fraction of a line into the open chunk or a new one."""
    for new, chunk in _open_and_new(shift):
        chunk.share = shift.arc.value
        yield new


def _open_and_new(shift: Shift) -> Iterator[tuple[Hypothesis, Chunk]]:
    """Yield hypotheses with the open chunk extended, and, unless it is empty, with a new one."""
    yield shift.extend()
    if not shift.hypothesis.chunk.is_empty:
        yield from shift.begin()


def shift_answer(shift: Shift) -> Hypotheses:
    """Read an answer as one to the open question, and as a word without an effect."""
    question = shift.question
    for begun, _ in shift.begin(is_bounded=False):
        shift.note(begun, "say", shift.arc.role.name.lower(), question.kind if question else "", shift.at == 0)
        yield begun
        if question is not None and question.choices and begun.progress.n_edits:
            continue
        for answered in shift.reducer.answer(begun, shift.arc.role, question):
            answered.chunk = Chunk("answer")
            yield answered
