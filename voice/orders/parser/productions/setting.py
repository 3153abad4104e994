"""Productions that set options and quantities of lines, or split lines."""

from collections.abc import Iterator, Sequence
from typing import Final

from voice.orders.parser.draft import DraftLine, Modifier
from voice.orders.parser.edits import Context, Edit, with_line, with_part
from voice.orders.parser.productions.adding import added
from voice.orders.parser.productions.selecting import joined, other_lines
from voice.orders.parser.state import ChunkFlag

NON_SETTING_VERBS: Final = frozenset({"remove", "instead", "keep"})
MAX_SPLIT_LINES: Final = 3  # besides the one in focus

Target = tuple[tuple[int, ...], str]  # lines, and the attribute `target` of events


def _targets(context: Context) -> Iterator[Target]:
    """Yield the lines to which modifiers or a number may apply."""
    if context.is_line_named:
        yield from [((number,), "named") for number in context.named[-2:]]
        if len(context.named) > 1:
            yield tuple(context.named), "all_named"
        both = joined(context, tuple(context.named[-1:]))
        if both:
            yield both, "joined"
    elif context.selected and not context.has(ChunkFlag.ALL | ChunkFlag.REST):
        yield context.selected, "selected"
    elif context.has(ChunkFlag.REST | ChunkFlag.ALL):
        if context.has(ChunkFlag.REST):
            yield from [(one.numbers, one.target) for one in other_lines(context) if not one.part]
        if context.has(ChunkFlag.ALL):
            yield from _all_lines(context)
    else:
        yield from _nearest(context)


def _all_lines(context: Context) -> Iterator[Target]:
    new_lines, scope = context.new_lines, context.chunk.scope
    if len(new_lines) > 1:
        yield tuple(new_lines), "all_new"
        if 0 < scope < len(new_lines):
            yield tuple(new_lines[-scope:]), "last_new"
    if context.live:
        yield tuple(context.live), "all"
    if context.last is not None:
        yield (context.last,), "focus"


def _nearest(context: Context) -> Iterator[Target]:
    """Yield the line in focus, the nearest other line that accepts the modifiers, and all lines that the utterance added."""
    modifiers, last = context.chunk.modifiers, context.last
    if last is not None:
        yield (last,), "focus"
    if not modifiers:
        return
    accepting = [number for number in reversed(context.live) if number != last and context.modify(context.draft[number], modifiers)]
    if accepting:
        in_focus = last is not None and context.modify(context.draft[last], modifiers) is not None
        yield (accepting[0],), "other" if in_focus else "taker"
    if len(context.new_lines) > 1:
        yield tuple(context.new_lines), "all_new"


def set_options(context: Context) -> Iterator[Edit]:
    """Set options of lines."""
    chunk = context.chunk
    if not chunk.modifiers or chunk.verb in NON_SETTING_VERBS or (context.has(ChunkFlag.EACH) and not context.is_line_named):
        return
    for numbers, target in _targets(context):
        edit = _options_set(context, numbers, target)
        if edit is not None:
            yield edit


def _options_set(context: Context, numbers: tuple[int, ...], target: str) -> Edit | None:
    """Return the edit that sets options of the lines that accept them; None if no line does, or if the number means a part."""
    chunk = context.chunk
    changed = context.changed(numbers, context.part if target == "selected" else 0, chunk.modifiers)
    if changed is None:
        return None
    if target == "joined" and changed.numbers != numbers:
        return None
    draft, first = changed.draft, changed.numbers[0]
    if context.counted and len(numbers) == 1 and context.counted != draft[first].quantity:
        sets_number = chunk.verb in {"set", "into", "change"} or chunk.link == "correction" or context.has(ChunkFlag.ONLY)
        if not sets_number:
            return None
        draft = with_line(draft, first, draft[first]._replace(quantity=chunk.number))
    event = context.event("set_options", target, context.age(numbers[0]), _asked(context, numbers), changed.is_replacement)
    edit = Edit(context, event, draft, changed.numbers)
    edit.is_selected = target == "selected"
    if target == "joined":
        edit.target = None
    return edit


def _asked(context: Context, numbers: Sequence[int]) -> str:
    """Return how the modifiers answer the open question, as an attribute of events."""
    question = context.question
    if question is None or question.group is None:
        return "none"
    fits = any([ref.group == question.group for modifier in context.chunk.modifiers for ref in modifier.refs])
    return f"{'line' if question.line in numbers else 'other'}.{'fits' if fits else 'unfit'}.{min(1, context.progress.n_edits)}"


def assign(context: Context) -> Iterator[Edit]:
    """Give options of the group that was asked about to the next unit without one: answers listed unit by unit."""
    chunk, question = context.chunk, context.question
    if question is None or question.group is None or question.line is None or not context.index.is_one_of(question.group):
        return
    if not chunk.modifiers or context.is_line_named:
        return
    if chunk.verb not in {"", "add", "set"} or not all([modifier.choices(question.group) for modifier in chunk.modifiers]):
        return
    waiting = [number for number in context.live if number >= question.line and _lacks(context, number, question.group)]
    n_units = sum([context.draft[number].quantity for number in waiting])
    part = max(1, context.counted)
    if context.selected and not set(waiting[:1]) <= set(context.selected):
        return  # the words before referred to other lines
    if not waiting or part > context.draft[waiting[0]].quantity or (n_units == part and not context.progress.n_edits):
        return
    modified = context.modify(context.draft[waiting[0]], chunk.modifiers)
    if modified is not None:
        draft, number = with_part(context.draft, waiting[0], part, modified.line)
        yield Edit(context, context.event("assign", "asked", "old", min(1, n_units - part)), draft, (number,))


def _lacks(context: Context, number: int, group: str) -> bool:
    """Return whether a line offers a group and has no choice of it yet."""
    line = context.draft[number]
    chosen = [option for option in line.options if option.group == group and len(option.choices) == 1]
    return group in context.index.offers[line.items[0]] and not chosen


def set_described(context: Context) -> Iterator[Edit]:
    """Set the later modifiers on the one line that the first ones describe, or the first ones on the line that the later ones do."""
    modifiers = context.chunk.modifiers
    if context.chunk.verb in NON_SETTING_VERBS or len(context.live) < 2:  # noqa: PLR2004 - one line needs no description
        return
    for cut in range(1, len(modifiers)):
        parts = [(modifiers[:cut], modifiers[cut:], "described")]
        if context.has(ChunkFlag.AT):  # "cheese in the chicken one"
            parts.append((modifiers[cut:], modifiers[:cut], "behind"))
        for described, changes, target in parts:
            pool = [number for number in context.named or context.live if context.index.describes(described, context.draft[number])]
            modified = context.modify(context.draft[pool[0]], changes) if len(pool) == 1 else None
            if modified is not None and context.counted <= context.draft[pool[0]].quantity:
                draft, number = with_part(context.draft, pool[0], context.counted, modified.line)
                yield Edit(context, context.event("set_described", target, context.age(pool[0])), draft, (number,))


def set_asked(context: Context) -> Iterator[Edit]:
    """Answer the open question for all lines that lack the option: "garlic naan for everybody", "trắng cho cả mười tám ly"."""
    chunk, question = context.chunk, context.question
    if question is None or question.group is None or not chunk.modifiers or chunk.items or chunk.verb in NON_SETTING_VERBS:
        return
    if not (context.has(ChunkFlag.EACH | ChunkFlag.ALL) or context.counted) or not all(
        [modifier.choices(question.group) for modifier in chunk.modifiers]
    ):
        return
    lacking = [number for number in context.live if _lacks(context, number, question.group)]
    n_units = sum([context.draft[number].quantity for number in lacking])
    changed = context.changed(lacking, 0, chunk.modifiers) if len(lacking) > 1 and context.counted in {0, n_units} else None
    if changed is not None:
        yield Edit(context, context.event("set_asked", "lacking", context.age(lacking[0])), changed.draft, changed.numbers)


def recount(context: Context) -> Iterator[Edit]:
    """Set the quantity of the line that the modifiers describe: "no, two large ones"."""
    chunk = context.chunk
    if not context.counted or not chunk.modifiers or chunk.verb in NON_SETTING_VERBS or context.has(ChunkFlag.MORE | ChunkFlag.EACH):
        return
    pool = [number for number in context.described if context.draft[number].quantity != chunk.number]
    for number in pool[-2:]:
        line = context.draft[number]
        direction = "less" if chunk.number < line.quantity else "more"
        event = context.event("recount", "named" if context.is_line_named else "described", context.age(number), direction)
        yield Edit(context, event, context.with_line(number, line._replace(quantity=chunk.number)), (number,))


def set_quantity(context: Context) -> Iterator[Edit]:
    """Set the quantity of a line."""
    chunk = context.chunk
    if not chunk.number or chunk.modifiers or chunk.verb in NON_SETTING_VERBS or context.has(ChunkFlag.MORE | ChunkFlag.EACH):
        return
    for numbers, target in _targets(context):
        if len(numbers) == 1:
            yield _quantity_set(context, numbers[0], target)


def _quantity_set(context: Context, number: int, target: str) -> Edit:
    line, quantity = context.draft[number], context.chunk.number
    direction = "same" if quantity == line.quantity else "less" if quantity < line.quantity else "more"
    asked = context.question.kind if context.question is not None and context.question.group is None else "none"
    event = context.event("set_quantity", target, context.age(number), direction, asked)
    return Edit(context, event, context.with_line(number, line._replace(quantity=quantity)), (number,))


def set_each(context: Context) -> Iterator[Edit]:
    """Set the quantity of all lines, or of all that the utterance added."""
    chunk = context.chunk
    if not (context.has(ChunkFlag.EACH | ChunkFlag.ALL) and chunk.number) or chunk.modifiers or chunk.items or not context.live:
        return
    numbers = context.new_lines or context.live
    draft = context.draft
    for number in numbers:
        draft = with_line(draft, number, draft[number]._replace(quantity=chunk.number))
    yield Edit(context, context.event("set_each", "all", context.age(numbers[0])), draft, tuple(numbers))


def increment(context: Context) -> Iterator[Edit]:
    """Add to the quantity of a line: the one that is named or described, or the one in focus."""
    chunk = context.chunk
    if not context.has(ChunkFlag.MORE) or chunk.verb not in {"", "add", "set"}:
        return
    if chunk.modifiers:
        numbers = context.described[-1:]
    else:
        numbers = context.named[-1:] if context.is_line_named else [context.last] if context.last is not None else []
    for number in numbers:
        line = context.draft[number]
        target = "described" if chunk.modifiers else "named" if context.is_line_named else "focus"
        quantity = line.quantity + (chunk.number or 1)
        yield Edit(
            context,
            context.event("increment", target, context.age(number)),
            context.with_line(number, line._replace(quantity=quantity)),
            (number,),
        )


def add_alike(context: Context) -> Iterator[Edit]:
    """Add units of the item in focus with other options: "another small one"."""
    chunk = context.chunk
    if not context.has(ChunkFlag.MORE) or not chunk.modifiers or context.is_line_named or chunk.verb not in {"", "add"}:
        return
    if context.last is None or not (chunk.number or context.has(ChunkFlag.ONES | ChunkFlag.CLASSIFIED)):
        return
    pattern = context.draft[context.last]
    for options in (pattern.options, ()) if pattern.options else ((),):
        modified = context.modify(DraftLine(pattern.items, chunk.number or 1, options), chunk.modifiers)
        if modified is not None:
            event = context.event("add_alike", "options" if options else "item", context.age(context.last))
            yield added(context, event, (modified.line,), forwarded=context.progress.forwarded)


def split(context: Context) -> Iterator[Edit]:
    """Give a part of a line options or an item of its own."""
    chunk = context.chunk
    is_part = chunk.number or chunk.share or context.has(ChunkFlag.REST | ChunkFlag.PART)
    if not is_part or chunk.verb in {*NON_SETTING_VERBS, "change"} or context.has(ChunkFlag.ALL):
        return
    if chunk.items:
        pool = [number for number in context.named if context.draft[number].quantity > 1 or len(context.draft[number].items) > 1]
    else:
        nearest = [number for number in reversed(context.live) if number != context.last]
        pool = [*([context.last] if context.last is not None else ()), *nearest[:MAX_SPLIT_LINES]]
    for rank, number in enumerate(pool):
        edit = _split_off(context, number, rank)
        if edit is not None:
            yield edit


def _split_off(context: Context, number: int, rank: int) -> Edit | None:
    """Return the edit that splits a part off a line; None if nothing distinguishes the part, or if it is larger than the line."""
    chunk, line = context.chunk, context.draft[number]
    share = line.quantity // chunk.share if chunk.share else 0
    part = chunk.number or share or (line.quantity if context.has(ChunkFlag.REST) else 1)
    base = line
    if chunk.items and len(line.items) > 1:
        base = line._replace(items=tuple([item for item in line.items if item in chunk.items]))
    is_told_apart = chunk.modifiers or context.has(ChunkFlag.PLAIN | ChunkFlag.REST) or len(base.items) < len(line.items)
    modified = context.modify(base, chunk.modifiers) if is_told_apart and 0 < part <= line.quantity else None
    if modified is None:
        return None
    is_whole = part == line.quantity
    draft, split_off = with_part(context.draft, number, part, modified.line)
    focus = (number,) if is_whole else (split_off, number)
    event = context.event(
        "split", "part", context.age(number), min(rank, 2), is_whole, bool(chunk.items), _is_contrast(chunk.modifiers, line)
    )
    return Edit(context, event, draft, focus)


def _is_contrast(modifiers: Sequence[Modifier], line: DraftLine) -> bool:
    """Return whether a line has an option of a group of the modifiers already."""
    groups = {ref.group for modifier in modifiers for ref in modifier.refs}
    return any([option.group in groups for option in line.options])
