"""Productions that copy lines, or options of lines."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from voice.orders.parser.draft import NEW, DraftLine
from voice.orders.parser.edits import Context, Edit, with_line
from voice.orders.parser.productions.adding import added
from voice.orders.parser.productions.selecting import Reference, references
from voice.orders.parser.state import ChunkFlag

MAX_NEAR: Final = 3  # lines whose options may be copied, the last ones first
MAX_SOURCES: Final = 4  # that a copy may have
MAX_COPIED: Final = 12  # lines that are copied at once
RECEIVING_VERBS: Final = frozenset({"into", "set", "change"})

Source = tuple[tuple[int, ...], str]  # lines, and the attribute `target` of events


def repeat(context: Context) -> Iterator[Edit]:
    """Add copies of lines, or set the option that was asked about as on another line."""
    if not context.has(ChunkFlag.AGAIN) or context.last is None:
        return
    for numbers, target in _sources(context):
        for others, copies in _copies(context, numbers):
            event = context.event("repeat", target, context.age(numbers[0]), others, len(copies) > 1)
            edit = added(context, event, copies, forwarded=context.progress.forwarded)
            edit.focus = edit.new_lines[-len(copies) :]
            yield edit
        if len(numbers) == 1:
            yield from _copy_asked(context, numbers[0], target)


def _sources(context: Context) -> list[Source]:
    """Return the lines that copies may have as their patterns."""
    found: list[Source] = [(one.numbers, one.target) for one in references(context)]
    if context.last is not None and not context.named and (context.chunk.place > 0 or not context.is_line_named):
        found.append(((context.last,), "next" if context.chunk.place else "last"))  # "a second one just like it": it has no line yet
        if not context.chunk.place and 1 < len(context.live) <= MAX_COPIED:
            found.append((tuple(context.live), "order"))
    return found[:MAX_SOURCES]


def _copies(context: Context, numbers: Sequence[int]) -> Iterator[tuple[str, list[DraftLine]]]:
    """Yield copies of lines with the modifiers of the chunk, on at least one of them.

    The other choices of the groups of the modifiers are kept, and are replaced if there are any: the attribute `others` of events.
    """
    times = context.chunk.number or 1
    quantities = [context.draft[number].quantity * times for number in numbers] if len(numbers) > 1 else [times]
    patterns = [
        context.draft[number]._replace(quantity=quantity, origin=NEW, beside=NEW)
        for number, quantity in zip(numbers, quantities, strict=True)
    ]
    modifiers = context.chunk.modifiers
    groups = {
        ref.group for modifier in modifiers if modifier.amount is None for ref in modifier.refs if not context.index.is_one_of(ref.group)
    }
    modified = [context.modify(line, modifiers) for line in patterns]
    if not any(modified):
        return
    copies = [line if one is None else one.line for line, one in zip(patterns, modified, strict=True)]
    bare = [line._replace(options=tuple([option for option in line.options if option.group not in groups])) for line in patterns]
    if bare == patterns:
        yield "none", copies
        return
    limit = "_over" if any([_is_over(context, line, groups) for line in copies]) else ""
    yield f"kept{limit}", copies
    replaced = [context.modify(line, modifiers) for line in bare]
    yield f"replaced{limit}", [line if one is None else one.line for line, one in zip(bare, replaced, strict=True)]


def _is_over(context: Context, line: DraftLine, groups: AbstractSet[str]) -> bool:
    """Return whether a line has more portions of one of some groups than it may have."""
    for group in groups:
        limit = context.index.menu.option_groups[group].max_choices
        if limit is not None and sum([one.quantity for one in line.options if one.group == group and one.amount != "no"]) > limit:
            return True
    return False


def copy_over(context: Context) -> Iterator[Edit]:
    """Make a line the same as another one: the line that is held, or the one to which the chunk before referred."""
    chunk, held = context.chunk, context.progress.target
    if not context.has(ChunkFlag.AGAIN) or chunk.groups:
        return
    if held is not None:
        number, kind = held.line, "held"
    elif len(context.selected) == 1:
        number, kind = context.selected[0], "verb" if chunk.verb in RECEIVING_VERBS else "selected"
    else:
        return
    if context.draft[number].quantity == 0:
        return
    for reference in references(context):
        source = reference.numbers[-1]
        if len(reference.numbers) > 1 or source == number:
            continue
        line = context.draft[number]
        copy = context.modify(line._replace(items=context.draft[source].items, options=context.draft[source].options), chunk.modifiers)
        if copy is not None:
            edit = Edit(context, context.event("copy_over", kind, context.age(source)), context.with_line(number, copy.line), (number,))
            edit.target = None
            yield edit


def same_group(context: Context) -> Iterator[Edit]:
    """Set the options of the groups that the chunk names as on another line."""
    chunk, number = context.chunk, context.last
    if not chunk.groups or not context.has(ChunkFlag.AGAIN) or number is None or (chunk.items and not context.named):
        return
    line = context.draft[number]
    groups = [group for group in chunk.groups if group in context.index.offers[line.items[0]]]
    named = [(one.numbers[-1], f"named_{one.target}") for one in references(context)]
    near = [(other, "near") for other in reversed(context.live) if other != number and not context.named]
    for source, target in (*named, *near[:MAX_NEAR]):
        copied = [option for option in context.draft[source].options if option.group in groups]
        if copied and source != number:
            others = [option for option in line.options if option.group not in {option.group for option in copied}]
            copy = line._replace(options=(*others, *copied))
            more = [one for one in chunk.modifiers if not context.named and not any([ref.group in groups for ref in one.refs])]
            modified = context.modify(copy, more)
            if modified is not None:
                event = context.event("same_group", target, context.age(source))
                yield Edit(context, event, context.with_line(number, modified.line), (number,))


def add_like(context: Context) -> Iterator[Edit]:
    """Add a line with the options of the groups that the chunk names as on another line."""
    chunk, offers = context.chunk, context.index.offers
    groups = [group for group in chunk.groups if all([group in offers[item] for item in chunk.items])]
    if not groups or not chunk.items or not context.has(ChunkFlag.AGAIN):
        return
    for source in context.live[: -MAX_NEAR - 1 : -1]:
        copied = tuple([option for option in context.draft[source].options if option.group in groups])
        modified = context.modify(DraftLine(chunk.items, chunk.number or 1, copied), chunk.modifiers) if copied else None
        if modified is not None:
            event = context.event("add_like", "near", context.age(source))
            yield added(context, event, (modified.line,), forwarded=context.progress.forwarded)


def _copy_asked(context: Context, source: int, target: str) -> Iterator[Edit]:
    """Set the option of the group that was asked about as on another line."""
    question = context.question
    if question is None or question.group is None or question.line is None or question.line >= len(context.draft):
        return
    asked = context.draft[question.line]
    if source == question.line or asked.quantity == 0 or question.group not in context.index.offers[asked.items[0]]:
        return
    copied = [option for option in context.draft[source].options if option.group == question.group]
    if copied:
        options = (*[option for option in asked.options if option.group != question.group], *copied)
        event = context.event("copy_asked", target, context.age(source))
        yield Edit(context, event, context.with_line(question.line, asked._replace(options=options)), (question.line,))


def repeat_number(context: Context) -> Iterator[Edit]:
    """Add other items, as many as the line in focus has."""
    chunk = context.chunk
    if not context.has(ChunkFlag.AGAIN) or context.last is None or not chunk.items or chunk.number:
        return
    pattern = context.draft[context.last]
    if not set(pattern.items).isdisjoint(chunk.items):
        return
    offered = context.index.offers[chunk.items[0]]
    kept = tuple([option for option in pattern.options if option.group in offered])
    for options in (kept, ()) if kept else ((),):
        modified = context.modify(DraftLine(chunk.items, pattern.quantity, options), chunk.modifiers)
        if modified is not None:
            event = context.event("repeat_number", "options" if options else "number", context.age(context.last))
            yield added(context, event, (modified.line,), forwarded=context.progress.forwarded)


def same_for(context: Context) -> Iterator[Edit]:
    """Give other lines the options of the line in focus."""
    if not context.has(ChunkFlag.AGAIN) or context.last is None:
        return
    pattern = context.draft[context.last]
    for reference in references(context):
        edit = _same_for(context, pattern, reference)
        if edit is not None:
            yield edit


def _same_for(context: Context, pattern: DraftLine, reference: Reference) -> Edit | None:
    draft = context.draft
    for number in reference.numbers:
        line = draft[number]
        offered = context.index.offers[line.items[0]]
        filled = {option.group for option in line.options}
        more = [option for option in pattern.options if option.group in offered and option.group not in filled]
        if number != context.last and more:
            draft = with_line(draft, number, line._replace(options=(*line.options, *more)))
    if draft == context.draft:
        return None
    return Edit(context, context.event("same_for", reference.target, context.age(reference.numbers[0])), draft, reference.numbers)
