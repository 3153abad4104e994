"""Productions that copy lines, or options of lines."""

from collections.abc import Iterator
from typing import Final

from voice.orders.parser.draft import NEW, DraftLine
from voice.orders.parser.edits import Context, Edit, with_line
from voice.orders.parser.productions.adding import added
from voice.orders.parser.productions.selecting import Reference, references
from voice.orders.parser.state import ChunkFlag

MAX_NEAR: Final = 3  # lines whose options may be copied, the last ones first


def repeat(context: Context) -> Iterator[Edit]:
    """Add a copy of a line, or set the option that was asked about as on another line."""
    if not context.has(ChunkFlag.AGAIN) or context.last is None:
        return
    for source, target in _sources(context):
        line = context.draft[source]
        copy = context.modify(line._replace(quantity=context.chunk.number or 1, origin=NEW, beside=NEW), context.chunk.modifiers)
        if copy is not None:
            event = context.event("repeat", target, context.age(source), not context.progress.n_edits)
            yield added(context, event, (copy.line,), forwarded=context.progress.forwarded)
        yield from _copy_asked(context, source, target)


def _sources(context: Context) -> list[tuple[int, str]]:
    """Return the lines that the copy may have as its pattern."""
    found = [(one.numbers[-1], one.target) for one in references(context) if len(one.numbers) == 1]
    if not context.is_line_named and context.last is not None:
        found.append((context.last, "last"))
    return found[:3]


def same_group(context: Context) -> Iterator[Edit]:
    """Set the options of the groups that the chunk names as on another line."""
    chunk, number = context.chunk, context.last
    if not chunk.groups or not context.has(ChunkFlag.AGAIN) or number is None or chunk.items:
        return
    line = context.draft[number]
    groups = [group for group in chunk.groups if group in context.index.offers[line.items[0]]]
    named = [(one.numbers[-1], f"named_{one.target}") for one in references(context)]
    near = [(other, "near") for other in reversed(context.live) if other != number]
    for source, target in (*named, *near[:MAX_NEAR]):
        copied = [option for option in context.draft[source].options if option.group in groups]
        if copied and source != number:
            others = [option for option in line.options if option.group not in {option.group for option in copied}]
            draft = context.with_line(number, line._replace(options=(*others, *copied)))
            yield Edit(context, context.event("same_group", target, context.age(source)), draft, (number,))


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
