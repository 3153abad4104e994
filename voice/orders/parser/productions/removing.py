"""Productions that remove lines or options, or change nothing."""

from collections.abc import Iterator
from typing import Final

from voice.orders.parser.edits import Context, Edit, with_line
from voice.orders.parser.state import ChunkFlag

REMOVING_VERBS: Final = frozenset({"remove", "instead"})
MAX_DROPPED: Final = 4  # tokens of a chunk that count as unread


def remove(context: Context) -> Iterator[Edit]:
    """Remove lines, or some of a line."""
    if context.chunk.verb not in REMOVING_VERBS:
        return
    is_found = False
    for numbers, target in _removable(context):
        is_found = True
        yield _removed(context, numbers, target)
    if context.chunk.verb == "instead" or not is_found:
        yield Edit(context, context.event("remove_absent", "none", "none"), context.draft, context.progress.focus)


def _removable(context: Context) -> Iterator[tuple[tuple[int, ...], str]]:
    chunk = context.chunk
    if context.is_line_named:
        yield from [((number,), "named") for number in (context.described or context.named)[-3:]]
        if len(context.named) > 1:
            yield tuple(context.named), "all_named"
    elif chunk.modifiers:
        yield from [((number,), "described") for number in context.described[-2:]]
    elif context.selected:
        yield context.selected, "selected"
    elif context.has(ChunkFlag.ALL) and context.live:
        yield tuple(context.live), "all"
    elif context.last is not None:
        yield (context.last,), "focus"


def _removed(context: Context, numbers: tuple[int, ...], target: str) -> Edit:
    draft = context.draft
    for number in numbers:
        line = draft[number]
        count = context.counted if context.counted and len(numbers) == 1 else line.quantity
        draft = with_line(draft, number, line._replace(quantity=max(0, line.quantity - count)))
    left = [number for number in context.progress.focus if draft[number].quantity > 0]
    left = left or [number for number, line in enumerate(draft) if line.quantity > 0][-1:]
    focus = numbers if draft[numbers[0]].quantity > 0 else tuple(left)
    edit = Edit(context, context.event("remove", target, context.age(numbers[0])), draft, focus)
    edit.target = None
    return edit


def remove_options(context: Context) -> Iterator[Edit]:
    """Leave options out of a line."""
    chunk = context.chunk
    if chunk.verb not in REMOVING_VERBS or not chunk.modifiers:
        return
    without = tuple([modifier._replace(amount="no") for modifier in chunk.modifiers])
    if context.is_line_named:
        pool = [(number, "named") for number in context.named[-2:]]
    else:
        having = [number for number in reversed(context.live) if context.index.describes(chunk.modifiers, context.draft[number])][:1]
        pool = [(number, "having") for number in having]
        pool += [(context.last, "focus")] if context.last is not None and context.last not in having else []
    for number, target in pool:
        modified = context.modify(context.draft[number], without)
        if modified is not None:
            event = context.event("remove_options", target, context.age(number))
            yield Edit(context, event, context.with_line(number, modified.line), (number,))
    if chunk.verb == "instead" and _is_replaced(context):
        yield Edit(context, context.event("remove_absent", "replaced", "none"), context.draft, context.progress.focus)


def _is_replaced(context: Context) -> bool:
    """Return whether the edit before took an option that the chunk describes off a line."""
    if context.progress.edits is None:
        return False
    before, after = context.progress.edits[0].before, context.progress.edits[0].after
    modifiers, describes = context.chunk.modifiers, context.index.describes
    return any([describes(modifiers, line) and not describes(modifiers, after[number]) for number, line in enumerate(before)])


def keep(context: Context) -> Iterator[Edit]:
    """Leave the draft as it is, as the customer asked."""
    if context.chunk.verb == "keep":
        yield Edit(context, context.event("keep", "none", "none"), context.draft, context.progress.focus)


def drop(context: Context) -> Iterator[Edit]:
    """Read the chunk as words that order nothing."""
    chunk = context.chunk
    named = "item" if chunk.items else "option" if chunk.modifiers else "number" if context.counted else "none"
    edit = Edit(context, context.event("drop", "none", "none", named), context.draft, context.progress.focus, is_edit=False)
    edit.more_events = (("unread", "dropped"),) * max(1, min(MAX_DROPPED, chunk.end - chunk.start))
    yield edit
