"""Productions that add lines."""

from collections.abc import Iterator, Sequence
from typing import Final

from voice.orders.parser.draft import NEW, DraftLine, DraftOption
from voice.orders.parser.edits import Context, Edit
from voice.orders.parser.model import Event
from voice.orders.parser.productions.wholes import whole_groups
from voice.orders.parser.state import ChunkFlag, Forwarded

MAX_KINDS: Final = 6  # items of a kind of which one each is ordered
MAX_IMPLIED: Final = 3  # items that modifiers without an item may mean
UNPARALLEL: Final = (
    ChunkFlag.MORE | ChunkFlag.REST | ChunkFlag.PART | ChunkFlag.ALL | ChunkFlag.EACH | ChunkFlag.REFERENCE | ChunkFlag.AGAIN
)
NON_ADDING_VERBS: Final = frozenset({"remove", "instead", "keep", "change"})


def add(context: Context) -> Iterator[Edit]:
    """Add a line for the items of the chunk, and lines for the forwarded numbers and modifiers that waited for them."""
    chunk = context.chunk
    if not chunk.items or chunk.verb in NON_ADDING_VERBS or context.has(ChunkFlag.REST) or chunk.place or chunk.factor:
        return
    n_people = context.n_people if context.has(ChunkFlag.EACH) else 0
    quantity = (chunk.number or 1) * (n_people or 1)
    new = _pending(context, DraftLine(chunk.items, quantity))
    is_whole = context.has(ChunkFlag.ALL)
    for modifiers, more_events in whole_groups(context, new) if is_whole else [(chunk.modifiers, ())]:
        modified = context.modify(new, modifiers)
        if modified is None:
            continue
        line = modified.line
        event = context.event("add", "new", "new", _on_order(context), _asked(context, line), not context.progress.n_edits)
        heads = tuple([one for one in context.progress.forwarded if one.items])
        edit = added(context, event, (*_forwarded_lines(context, line), line), forwarded=heads)
        edit.more_events = (*edit.more_events, *more_events)
        yield edit
        if not is_whole:
            yield from _add_as_part(context, event, line, quantity)
            yield from _add_corrected(context, event, line)


def _on_order(context: Context) -> str:
    """Return whether the items are on the order, and whether the words say that another line comes beside it, as an attribute of events."""
    if not context.named:
        return "off"
    return "also" if context.has(ChunkFlag.ALSO) else "on"


def _pending(context: Context, line: DraftLine) -> DraftLine:
    """Return a new line with the number and the options that were said before the open question, if it answers that question."""
    question = context.question
    pending = question.pending if question is not None else None
    if question is None or pending is None or question.group is not None or not (set(line.items) <= set(question.choices or line.items)):
        return line
    quantity = context.chunk.number or (1 if context.progress.n_edits else pending.quantity)
    return line._replace(quantity=quantity, options=pending.options)


def add_rest(context: Context) -> Iterator[Edit]:
    """Add a line of as many units as are left of the number that was said before: in this utterance, or before the open question."""
    chunk, forwarded = context.chunk, context.progress.forwarded
    if not chunk.items or chunk.number or chunk.verb in NON_ADDING_VERBS or not context.has(ChunkFlag.REST):
        return
    pending = context.question.pending if context.question is not None else None
    items = chunk.items
    if forwarded and forwarded[-1].number:
        left, waiting = forwarded[-1].number, forwarded[:-1]
        items = among(items, forwarded[-1].items)
    elif pending is not None:
        left, waiting = pending.quantity - sum([context.draft[number].quantity for number in context.new_lines]), forwarded
    else:
        return
    line = DraftLine(items, left, _offered(context, pending.options) if pending is not None else ())
    modifiers = (*forwarded[-1].modifiers, *chunk.modifiers) if forwarded and forwarded[-1].items else chunk.modifiers
    modified = context.modify(line, modifiers) if left > 0 and items else None
    if modified is not None:
        yield added(context, context.event("add_rest", "new", "new"), (modified.line,), forwarded=waiting)


def _offered(context: Context, options: Sequence[DraftOption]) -> tuple[DraftOption, ...]:
    """Return the options that all items of the chunk offer."""
    offers = [context.index.offers[item] for item in context.chunk.items]
    return tuple([option for option in options if all([option.group in offered for offered in offers])])


def _add_as_part(context: Context, event: Event, line: DraftLine, quantity: int) -> Iterator[Edit]:
    """Add a line as part of a forwarded number: it takes the modifiers, and the number that it leaves stays forwarded."""
    forwarded = context.progress.forwarded
    whole = forwarded[-1] if forwarded else None
    if whole is None or whole.number < quantity or not (whole.modifiers or context.counted or whole.number > 1):
        return
    items = among(line.items, whole.items)
    modified = context.modify(line._replace(items=items), whole.modifiers) if items else None
    if modified is None:
        return
    left = whole.number - quantity
    rest = (Forwarded(left, whole.modifiers, whole.items),) if left else ()
    edit = added(context, event, (modified.line,), forwarded=(*forwarded[:-1], *rest))
    edit.more_events = (("left", "headed" if whole.modifiers or context.counted else "headed by one"),)
    yield edit


def among(items: tuple[str, ...], head: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items that the head of a list leaves open; all of them if it names none."""
    return tuple([item for item in items if item in head]) if head else items


def _add_corrected(context: Context, event: Event, line: DraftLine) -> Iterator[Edit]:
    """Add a line whose number corrects the forwarded one."""
    forwarded = context.progress.forwarded
    if context.chunk.link == "correction" and context.counted and forwarded and forwarded[-1].number:
        modified = context.modify(line, forwarded[-1].modifiers)
        if modified is not None:
            edit = added(context, event, (modified.line,), forwarded=forwarded[:-1])
            edit.more_events = (("left", "corrected"),)
            yield edit


def _asked(context: Context, line: DraftLine) -> str:
    """Return how a line answers the open question, as an attribute of events."""
    question = context.question
    if question is None:
        return "none"
    fits = question.group is None and not set(line.items).isdisjoint(question.choices or line.items)
    return f"{question.kind}.{'fits' if fits else 'other'}"


def _forwarded_lines(context: Context, line: DraftLine) -> list[DraftLine]:
    """Return lines of the same items for forwarded numbers and modifiers."""
    waiting = [one for one in context.progress.forwarded if not one.items]
    modified = [context.modify(DraftLine(line.items, one.number or 1), one.modifiers) for one in waiting]
    return [one.line for one in modified if one is not None]


def added(context: Context, event: Event, lines: Sequence[DraftLine], *, forwarded: tuple[Forwarded, ...]) -> Edit:
    """Return the edit that adds lines."""
    first = len(context.draft)
    numbers = tuple(range(first, first + len(lines)))
    edit = Edit(context, event, (*context.draft, *lines), numbers[-1:])
    edit.new_lines = (*context.progress.new_lines, *numbers)
    edit.forwarded = forwarded
    if len(lines[-1].items) > 1:
        edit.more_events = (("open", "items"),)
    return edit


def add_implied(context: Context) -> Iterator[Edit]:
    """Add a line for modifiers that only one item, or a few, accept."""
    chunk = context.chunk
    if not chunk.modifiers or chunk.verb not in {"", "add"} or context.is_line_named or "with" in chunk.link:
        return
    if context.has(ChunkFlag.REFERENCE | ChunkFlag.ALL):
        return
    items = context.index.accepting(context.index.menu.items, chunk.modifiers)
    modified = context.modify(DraftLine(items, chunk.number or 1), chunk.modifiers) if 0 < len(items) <= MAX_IMPLIED else None
    if modified is not None:
        event = context.event("add_implied", "new", "new", len(modified.line.items))
        yield added(context, event, (modified.line,), forwarded=context.progress.forwarded)


def add_parallel(context: Context) -> Iterator[Edit]:
    """Add units of the item that the utterance added last, with other options: "ten with nuts and ten with jam"."""
    chunk = context.chunk
    if not chunk.modifiers or context.is_line_named or chunk.verb not in {"", "add"} or not context.new_lines:
        return
    if not (context.counted or context.has(ChunkFlag.ONES)) or context.has(UNPARALLEL):
        return
    pattern = context.draft[context.new_lines[-1]]
    if any([line.is_new and line.beside != NEW for line in context.draft]):
        return  # the units of a line are being divided
    groups = {ref.group for modifier in chunk.modifiers for ref in modifier.refs}
    is_contrast = any([option.group in groups for option in pattern.options])
    kept = tuple([option for option in pattern.options if option.group not in groups])
    quantity = chunk.number or 1
    for options in (kept, ()) if kept else ((),):
        modified = context.modify(DraftLine(pattern.items, quantity, options), chunk.modifiers)
        if modified is not None:
            target = "options" if options else "item"
            event = context.event("add_parallel", target, "new", is_contrast, quantity > pattern.quantity)
            yield added(context, event, (modified.line,), forwarded=context.progress.forwarded)


def head(context: Context) -> Iterator[Edit]:
    """Keep the number, modifiers and items of a list; later chunks name its parts: "four small froyos: two mango, two taro"."""
    chunk = context.chunk
    if len(chunk.items) < 2 or context.counted < 2 or chunk.verb not in {"", "add"} or context.has(UNPARALLEL):  # noqa: PLR2004 - parts
        return
    edit = Edit(context, context.event("head", "none", "none"), context.draft, context.progress.focus, is_edit=False)
    edit.forwarded = (*context.progress.forwarded, Forwarded(chunk.number, chunk.modifiers, chunk.items))
    yield edit


def forward(context: Context) -> Iterator[Edit]:
    """Keep a number and modifiers for an item that comes in a later chunk."""
    chunk = context.chunk
    if context.is_line_named or not (chunk.modifiers or chunk.number) or chunk.verb not in {"", "add"}:
        return
    if not context.has(ChunkFlag.ALL | ChunkFlag.REST | ChunkFlag.REFERENCE):
        edit = Edit(context, context.event("forward", "none", "none"), context.draft, context.progress.focus, is_edit=False)
        edit.forwarded = (*context.progress.forwarded, Forwarded(chunk.number, chunk.modifiers))
        yield edit


def add_each(context: Context) -> Iterator[Edit]:
    """Add a line of each item that the words fit: "one of each of the mango ones", "both of the lattes"."""
    chunk = context.chunk
    if not 1 < len(chunk.items) <= MAX_KINDS or chunk.verb not in {"", "add"} or chunk.place:
        return
    if not context.has(ChunkFlag.EACH) and (chunk.scope != len(chunk.items) or context.named):
        return
    modified = [context.modify(DraftLine((item,), chunk.number or 1), chunk.modifiers) for item in chunk.items]
    lines = [one.line for one in modified if one is not None]
    if len(lines) == len(chunk.items):
        yield added(context, context.event("add_each", "new", "new"), lines, forwarded=context.progress.forwarded)
