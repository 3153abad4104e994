"""Productions that remove lines or options, replace them, or change nothing."""

from collections.abc import Iterator
from typing import Final

from voice.orders.parser.draft import DraftLine
from voice.orders.parser.edits import Context, Edit, with_line, with_part
from voice.orders.parser.productions.portions import held_portions
from voice.orders.parser.state import ChunkFlag, ReplacementTarget

REMOVING_VERBS: Final = frozenset({"remove", "instead"})
HOLDING_VERBS: Final = frozenset({"change", "", "set"})
UNHELD: Final = ChunkFlag.MORE | ChunkFlag.ALL | ChunkFlag.EACH | ChunkFlag.AGAIN | ChunkFlag.ONTO
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


def hold(context: Context) -> Iterator[Edit]:
    """Keep a line, or options of it, for the object of a later chunk to replace; the verb may come with the object."""
    chunk = context.chunk
    if chunk.verb not in HOLDING_VERBS:
        return
    if chunk.verb != "change" and (context.has(UNHELD) or not (context.named or context.described)):
        return
    if context.is_line_named:
        targets = [(number, "named") for number in (context.described or context.named)[-2:]]
    elif chunk.modifiers and context.described:
        targets = [(number, "described") for number in context.described[-2:]]
    else:
        targets = [(context.last, "focus")] if context.last is not None else []
    for number, target in targets:
        if not chunk.verb and (context.draft[number].is_new or (chunk.modifiers and number not in context.described)):
            continue  # the words order something, or say how the line shall be
        edit = Edit(context, context.event("hold", target, context.age(number)), context.draft, (number,), is_edit=False)
        share = context.draft[number].quantity // chunk.share if chunk.share else 0
        edit.target = ReplacementTarget(number, chunk.modifiers, chunk.number or share, chunk.verb)
        yield edit


def replace(context: Context) -> Iterator[Edit]:
    """Replace the item of a line."""
    chunk = context.chunk
    held = context.progress.target
    if held is not None and not (chunk.verb == "into" or (chunk.verb in {"", "add"} and held.verb == "set")):
        held = None
    is_part = context.has(ChunkFlag.PART) and context.counted > 0
    if not chunk.items or not (chunk.verb in {"into", "set", "change"} or chunk.link == "correction" or held is not None or is_part):
        return
    number = held.line if held is not None else context.last
    if number is None or context.draft[number].quantity == 0:
        return
    line = context.draft[number]
    part = context.part
    if held is not None and 0 < held.number < line.quantity:
        part = held.number
    elif is_part and chunk.number < line.quantity:
        part = chunk.number
    quantity = context.counted or part or line.quantity
    kept = tuple([option for option in line.options if all([option.group in context.index.offers[item] for item in chunk.items])])
    for options in (kept, ()) if kept else ((),):
        modified = context.modify(DraftLine(chunk.items, quantity, options, line.origin), chunk.modifiers)
        if modified is not None:
            target = "held" if held is not None else "focus"
            yield _replaced(context, "replace", (number, target, part), modified.line, bool(options))


def replace_options(context: Context) -> Iterator[Edit]:
    """Replace the options that were held, or the quantity."""
    chunk, held = context.chunk, context.progress.target
    if chunk.verb != "into" or chunk.items or not (chunk.modifiers or chunk.number):
        return
    number = held.line if held is not None else context.last
    if number is None or context.draft[number].quantity == 0:
        return
    line = context.draft[number]
    refs = {(ref.group, ref.choice) for modifier in (held.modifiers if held else ()) for ref in modifier.refs}
    groups = {ref.group for modifier in chunk.modifiers for ref in modifier.refs}
    options = tuple([o for o in line.options if not (o.group in groups and any([(o.group, choice) in refs for choice in o.choices]))])
    if held is not None and held.modifiers and not chunk.modifiers:
        counted = held_portions(context, line, held.modifiers)
        if counted is not None:
            yield _replaced(context, "replace_options", (number, "portions", 0), counted)
        return
    modified = context.modify(line._replace(options=options), chunk.modifiers)
    if modified is None:
        return
    part = held.number if held is not None and chunk.modifiers and 0 < held.number < line.quantity else context.part
    after = modified.line._replace(quantity=context.counted or part or line.quantity)
    yield _replaced(context, "replace_options", (number, "held" if held else "focus", part), after)


def _replaced(context: Context, production: str, place: tuple[int, str, int], after: DraftLine, *more: object) -> Edit:
    """Return the edit that replaces a line, or a part of it; `place`: line, attribute `target`, and the part or 0."""
    number, target, part = place
    event = context.event(production, target, context.age(number), *more)
    draft, changed = with_part(context.draft, number, part, after)
    edit = Edit(context, event, draft, (changed,))
    edit.target = None
    return edit


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
