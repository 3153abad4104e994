"""Shifts of numbers."""

from voice.orders.parser.moves import MAX_PORTIONS, Hypotheses, Shift
from voice.orders.parser.roles import Role
from voice.orders.parser.state import ANY_ONE, ChunkFlag


def shift_number(shift: Shift) -> Hypotheses:
    """Add a number to the open chunk or as portions to the next option, or begin a new chunk with it."""
    hypothesis, value = shift.hypothesis, shift.arc.value
    chunk = hypothesis.chunk
    if hypothesis.joint == "times":
        yield from _multiply(shift)
        return
    is_article = shift.arc.role is Role.ARTICLE
    yield from _count_chunk(shift, is_article=is_article)
    is_asked = shift.question is not None and shift.question.group is not None
    is_added = hypothesis.joint.endswith("with")  # "add an extra shot"
    is_negated = hypothesis.amount == "no" and is_article  # "don't want a coke": the coke is left out
    if (chunk.items or chunk.modifiers or chunk.verb or is_asked or is_added or is_negated) and not hypothesis.portions:
        new = shift.pass_by()
        new.portions = ANY_ONE if is_article else value
        shift.note(new, "portions", hypothesis.joint, "article" if is_article else "one" if value == 1 else "many")
        yield new
    if (not shift.cuts_nothing_off or hypothesis.joint) and not is_negated:
        for begun, fresh in shift.begin():
            fresh.number, fresh.is_article = value, is_article
            yield begun


def _count_chunk(shift: Shift, *, is_article: bool) -> Hypotheses:
    """Yield the open chunk with a number, in front of its content or behind it."""
    hypothesis = shift.hypothesis
    chunk = hypothesis.chunk
    if hypothesis.amount is not None:
        return
    has_content = bool(chunk.items or chunk.modifiers)
    is_in_front = not has_content and (not chunk.number or chunk.is_article)
    is_onto = hypothesis.joint == "onto" and bool(chunk.modifiers) and not chunk.items
    is_behind = has_content and not chunk.number and (hypothesis.joint == "" or is_onto) and not is_article
    if is_in_front and hypothesis.joint in {"", "with"}:
        new, counted = shift.extend()
        counted.number, counted.is_article = shift.arc.value, is_article
        new.joint = ""
        yield new
    elif chunk.modifiers and not chunk.items and hypothesis.joint in {"", "comma"} and not is_article and _may_have_portions(shift):
        yield from _portions_behind(shift)
    if is_behind:
        new, counted = shift.extend()
        counted.number = shift.arc.value
        counted.flags |= ChunkFlag.NUMBER_BEHIND | (ChunkFlag.ONTO if is_onto else ChunkFlag.NONE)
        if is_onto:
            new.joint = ""
        shift.note(new, "postposed", "units" if is_onto else "options" if chunk.modifiers else "item")
        yield new


def _may_have_portions(shift: Shift) -> bool:
    """Return whether the last option has one portion and may have several."""
    index, last = shift.reducer.index, shift.hypothesis.chunk.modifiers[-1]
    return last.quantity == 1 and not all([index.is_one_of(ref.group) for ref in last.refs])


def _portions_behind(shift: Shift) -> Hypotheses:
    """Yield the open chunk with a number of portions of its last option, behind it."""
    new, multiplied = shift.extend()
    *before, last = multiplied.modifiers
    multiplied.modifiers = (*before, last._replace(quantity=min(MAX_PORTIONS, shift.arc.value)))
    new.joint = ""
    shift.note(new, "postposed", "portions")
    yield new


def _multiply(shift: Shift) -> Hypotheses:
    """Yield the open chunk with a factor: of its last modifier, or of its item."""
    chunk, value = shift.hypothesis.chunk, shift.arc.value
    if chunk.modifiers:
        new, multiplied = shift.extend()
        *before, last = chunk.modifiers
        multiplied.modifiers = (*before, last._replace(quantity=min(MAX_PORTIONS, value)))
        new.joint = ""
        yield new
    if not chunk.number:
        new, multiplied = shift.extend()
        multiplied.number = value
        new.joint = ""
        yield new


def shift_portion(shift: Shift) -> Hypotheses:
    """Record the portions of the next option, or a factor of the line to which the open chunk or a new one refers."""
    new = shift.pass_by()
    new.portions = shift.arc.value
    yield new
    chunk = shift.hypothesis.chunk
    if not chunk.modifiers and not chunk.number and not chunk.factor:
        new, multiplied = shift.extend()
        multiplied.factor = shift.arc.value
        shift.note(new, "factor", "behind" if chunk.items else "first")
        yield new
