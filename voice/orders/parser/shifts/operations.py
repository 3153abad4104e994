"""Shifts of verbs and other operations."""

from collections.abc import Mapping
from typing import Final

from voice.orders.parser.moves import Hypotheses, Shift
from voice.orders.parser.roles import Role
from voice.orders.parser.state import EVERYTHING, Chunk, ChunkFlag, Progress

VERBS: Final[Mapping[Role, str]] = {
    Role.REMOVE: "remove",
    Role.CHANGE: "change",
    Role.INTO: "into",
    Role.INSTEAD: "instead",
    Role.KEEP: "keep",
    Role.SET: "set",
    Role.SET_IT: "set",
}
BEFORE_AGAIN: Final = ChunkFlag.REST | ChunkFlag.ALL | ChunkFlag.REFERENCE | ChunkFlag.ONES | ChunkFlag.MORE
POSTPOSED_VERBS: Final = frozenset({"remove", "change", "set", "keep"})  # they may stand behind their object


def shift_verb(shift: Shift) -> Hypotheses:
    """Begin a new chunk with a verb, or apply the verb to the open chunk before it; "remove" may also mean "no"."""
    arc, chunk = shift.arc, shift.hypothesis.chunk
    verb = VERBS[arc.role]
    for begun, fresh in shift.begin("correction" if chunk.link == "correction" and chunk.is_empty else None):
        fresh.verb = verb
        fresh.flags |= ChunkFlag.REFERENCE if arc.role is Role.SET_IT else ChunkFlag.NONE
        if arc.role is Role.REMOVE and arc.value:
            fresh.number = arc.value
        yield begun
    if verb in POSTPOSED_VERBS and not chunk.is_empty and chunk.verb in {"", "add"} and shift.hypothesis.joint == "":
        new, changed = shift.extend()
        changed.verb = verb
        shift.note(new, "verb_behind", verb)
        yield new
    if verb == "remove":
        new = shift.pass_by()
        new.amount = "no"
        shift.note(new, "as_no")
        yield new


def shift_more(shift: Shift) -> Hypotheses:
    """Apply "more" to the open chunk or to a new one, or read it as a connective like "with"."""
    chunk, value = shift.hypothesis.chunk, shift.arc.value
    if (chunk.items or chunk.number or chunk.modifiers or chunk.flags & ChunkFlag.MORE) and shift.hypothesis.joint == "":
        new, more = shift.extend()
        more.number = more.number or value
        shift.note(
            new, "flag", "more", "again" if more.flags & ChunkFlag.MORE else "options" if chunk.modifiers and not chunk.items else ""
        )
        more.flags |= ChunkFlag.MORE
        yield new
    for begun, fresh in shift.begin():
        fresh.flags |= ChunkFlag.MORE
        fresh.number = value
        yield begun
    if chunk.items or chunk.modifiers:
        new = shift.pass_by()
        new.joint = "with"
        shift.note(new, "skip", "more")
        yield new


def shift_again(shift: Shift) -> Hypotheses:
    """Begin a chunk that repeats a line, or an option of a group; a number, the group, or the lines may stand before."""
    chunk = shift.hypothesis.chunk
    is_begun = chunk.groups or chunk.items or chunk.place or chunk.lines or chunk.number or chunk.flags & BEFORE_AGAIN
    if is_begun or chunk.verb in {"set", "into"}:
        new, again = shift.extend()
        again.flags |= ChunkFlag.AGAIN
        shift.note(new, "flag", "again", shift.hypothesis.joint)
        yield new
    for begun, fresh in shift.begin():
        fresh.flags |= ChunkFlag.AGAIN
        yield begun


def shift_correction(shift: Shift) -> Hypotheses:
    """Begin a chunk that corrects the one before; behind an item it may say that this corrects: "the tofu one instead"."""
    for begun, _ in shift.begin("correction"):
        yield begun
    chunk = shift.hypothesis.chunk
    if chunk.items and chunk.verb in {"", "add"} and chunk.link != "correction" and shift.hypothesis.joint == "":
        new, correcting = shift.extend()
        correcting.link = "correction"
        shift.note(new, "verb_behind", "correction")
        yield new


def shift_except(shift: Shift) -> Hypotheses:
    """Begin a chunk that names the lines to which the edit before does not apply; "all but" also applies that edit to all lines."""
    for begun, fresh in shift.begin("except"):
        fresh.scope = EVERYTHING if shift.arc.value else 0
        yield begun
    before = shift.hypothesis.chunk
    if shift.arc.value and before.modifiers and not before.items:
        whole = shift.hypothesis.fork()
        whole.chunk = before.copy()
        whole.chunk.flags |= ChunkFlag.ALL
        for begun, _ in Shift(shift.reducer, whole, shift.arc, shift.at, shift.question, shift.max_cost).begin("except"):
            yield begun


def shift_cancel(shift: Shift) -> Hypotheses:
    """Empty the draft."""
    for begun, fresh in shift.begin():
        shift.note(begun, "cancel", fresh.link, fresh.verb)
        before = begun.progress
        empty = begun.progress = Progress((), before.drafts, ())
        empty.draft_id = before.drafts.setdefault((), len(before.drafts) + 1)
        empty.n_edits, empty.edits = before.n_edits + 1, before.edits
        empty.is_selected, empty.part = before.is_selected, before.part
        begun.chunk = Chunk()
        yield begun
