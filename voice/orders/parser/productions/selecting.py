"""Productions that refer to lines: the next chunk edits them, or the options before the reference are set on them."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from voice.orders.parser.draft import Modifier  # noqa: TC001 - annotations may be evaluated
from voice.orders.parser.edits import Context, Edit, with_part
from voice.orders.parser.state import ChunkFlag

JOINING: Final = frozenset({"and", "comma", "with", "and.with", "comma.with"})  # links to a line before
MAX_SINGLE: Final = 2  # lines that a reference to one of several may mean, the last ones first


class Reference(NamedTuple):
    """Lines to which words refer."""

    numbers: tuple[int, ...]
    part: int  # units of the only line; 0: all units
    target: str  # attribute of events


def references(context: Context) -> list[Reference]:
    """Return the lines to which the chunk may refer."""
    chunk = context.chunk
    if chunk.place:
        found = _by_place(context)
    elif context.is_line_named:
        found = _counted(context, context.described if chunk.modifiers else context.named, "named")
    elif chunk.modifiers:
        found = _counted(context, context.described, "described")
    elif context.has(ChunkFlag.REST | ChunkFlag.ALL):
        found = other_lines(context) if context.has(ChunkFlag.REST) else []
        found += _all(context) if context.has(ChunkFlag.ALL) else []
    elif context.counted:
        found = _by_number(context)
    elif context.has(ChunkFlag.REFERENCE | ChunkFlag.ONES) and context.focus:
        found = [Reference(tuple(context.focus), 0, "focus")]
    else:
        found = []
    return found


def other_lines(context: Context) -> list[Reference]:
    """Return the lines that "the other one" or "the rest" may mean.

    Behind a part of a line, it is what is left of that line; else the lines out of focus, of the same item if there are any.
    """
    left = remainder(context)
    if left is not None:
        return [Reference((left,), 0, "rest")]
    others = [number for number in context.live if number not in context.focus]
    return _counted(context, _alike(context, others), "rest")


def remainder(context: Context) -> int | None:
    """Return the line that is left of the one of which the chunk before took a part; None if it took none."""
    for number in context.focus:
        whole = context.draft[number].beside
        if whole in context.live and whole in context.focus:
            return whole
    return None


def _by_place(context: Context) -> list[Reference]:
    """Return the lines at a place, and the unit at that place where lines have several units."""
    count = max(1, context.counted)
    found = []
    lines = _from_place(context.old, context.chunk.place, count)
    if lines:
        found.append(Reference(tuple(lines), 0, "place"))
    units = [number for number in context.old for _ in range(min(context.draft[number].quantity, 20))]
    if len(units) != len(context.old):
        chosen = _from_place(units, context.chunk.place, count)
        if chosen and len(set(chosen)) == 1:
            line = context.draft[chosen[0]]
            found.append(Reference((chosen[0],), len(chosen) if len(chosen) < line.quantity else 0, "unit"))
    return found


def _from_place(numbers: list[int], place: int, count: int) -> list[int]:
    """Return `count` elements from a place on, or up to a place that counts from the end; none if there are too few."""
    first = place - 1 if place > 0 else len(numbers) + place - count + 1
    return numbers[first : first + count] if first >= 0 and first + count <= len(numbers) else []


def _counted(context: Context, pool: list[int], target: str) -> list[Reference]:
    """Return all lines of the pool, or one of them, or a part of one, as the number of the chunk allows."""
    count = context.counted or (1 if context.chunk.is_article else 0)
    found = []
    if len(pool) > 1 and count in {0, len(pool)}:
        found.append(Reference(tuple(pool), 0, f"all_{target}"))
    for number in pool[: -MAX_SINGLE - 1 : -1]:
        quantity = context.draft[number].quantity
        if count in {0, quantity}:
            found.append(Reference((number,), 0, target))
        elif count < quantity:
            found.append(Reference((number,), count, f"part_{target}"))
    return found


def _all(context: Context) -> list[Reference]:
    scope = context.chunk.scope or context.counted
    found = []
    for pool, target in ((context.new_lines, "all_new"), (context.live, "all"), (_alike(context, context.live), "all_alike")):
        if len(pool) > 1 and scope in {0, len(pool), sum([context.draft[number].quantity for number in pool])}:
            found.append(Reference(tuple(pool), 0, target))
    if context.last is not None and scope in {0, context.draft[context.last].quantity}:
        found.append(Reference((context.last,), 0, "focus"))
    return found


def _by_number(context: Context) -> list[Reference]:
    """Return the lines with as many units, and a part of the line in focus."""
    count = context.counted
    found = [Reference((number,), 0, "quantity") for number in context.live if context.draft[number].quantity == count][:2]
    for pool, target in ((context.new_lines, "units_new"), (context.live, "units")):
        if len(pool) > 1 and sum([context.draft[number].quantity for number in pool]) == count:
            found.append(Reference(tuple(pool), 0, target))
    if context.last is not None and count < context.draft[context.last].quantity:
        found.append(Reference((context.last,), count, "part_focus"))
    return found


def _alike(context: Context, pool: list[int]) -> list[int]:
    """Return the lines of the pool that share an item with the line in focus, or else the pool."""
    if context.last is None:
        return pool
    items = set(context.draft[context.last].items)
    return [number for number in pool if not items.isdisjoint(context.draft[number].items)] or pool


def select(context: Context) -> Iterator[Edit]:
    """Refer to lines: later chunks edit them; options that were said before the reference are set on them."""
    chunk = context.chunk
    if chunk.verb not in {"", "add", "set", "keep"} or not context.live or chunk.factor:
        return
    if chunk.is_article and not context.has(ChunkFlag.PART) and not chunk.items:
        return
    for reference in references(context):
        yield _selected(context, reference)
        yield from _set_on(context, reference)
        both = joined(context, reference.numbers)
        if both and not reference.part:
            yield _selected(context, Reference(both, 0, "joined"))


def joined(context: Context, numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lines to which the chunk before referred, or that it held, and those that a conjunction adds; none if it adds none."""
    if context.chunk.link not in JOINING or not context.is_line_named or context.part:
        return ()
    held, edits = context.progress.target, context.progress.edits
    is_held = held is not None and not held.modifiers and not held.number and context.draft[held.line].quantity > 0
    before = context.selected or ((held.line,) if held is not None and is_held else ())
    if not before or not set(numbers).isdisjoint(before):
        return ()
    if edits is not None and any([n >= len(edits[0].before) or edits[0].before[n] != context.draft[n] for n in before]):
        return ()  # the lines before got something of their own
    return (*before, *numbers)


def _selected(context: Context, reference: Reference) -> Edit:
    event = context.event("select", reference.target, context.age(reference.numbers[0]))
    edit = Edit(context, event, context.draft, reference.numbers, is_edit=False)
    edit.part = reference.part
    edit.is_selected = True
    if reference.target == "joined":
        edit.target = None
    return edit


def _set_on(context: Context, reference: Reference) -> Iterator[Edit]:
    """Set the options that were said before the reference."""
    forwarded = context.progress.forwarded
    modifiers: tuple[Modifier, ...] = tuple([modifier for one in forwarded for modifier in one.modifiers])
    if not modifiers:
        return
    changed = context.changed(reference.numbers, reference.part, modifiers)
    if changed is not None:
        event = context.event("set_on", reference.target, context.age(reference.numbers[0]))
        edit = Edit(context, event, changed.draft, changed.numbers)
        edit.forwarded = ()
        edit.is_selected = True
        yield edit


def exclude(context: Context) -> Iterator[Edit]:
    """Take the last edit back for the lines to which the chunk refers."""
    if context.chunk.link != "except" or context.progress.edits is None:
        return
    last = context.progress.edits[0]
    for reference in references(context):
        if any([number >= len(last.before) for number in reference.numbers]):
            continue
        draft, numbers = context.draft, []
        for number in reference.numbers:
            draft, number = with_part(draft, number, reference.part, last.before[number])  # noqa: PLW2901 - a part is a line of its own
            numbers.append(number)
        edit = Edit(context, context.event("exclude", reference.target, context.age(reference.numbers[0])), draft, tuple(numbers))
        edit.is_selected = True
        yield edit
