"""Productions that replace lines or options."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from voice.orders.parser.draft import DraftLine, DraftOption
from voice.orders.parser.edits import Context, Edit, with_line, with_part
from voice.orders.parser.productions.portions import held_portions
from voice.orders.parser.state import ChunkFlag, ReplacementTarget

REPLACING_VERBS: Final = frozenset({"into", "set", "change"})
HOLDING_VERBS: Final = frozenset({"change", "set", ""})
UNHELD: Final = ChunkFlag.MORE | ChunkFlag.ALL | ChunkFlag.EACH | ChunkFlag.AGAIN | ChunkFlag.ONTO
STATING_VERBS: Final = frozenset({"", "add"})  # the chunk may name the new part of a replacement whose old part came before
MAX_NAMED: Final = 2  # lines of an item that may be replaced, the last ones


def hold(context: Context) -> Iterator[Edit]:
    """Keep a line, or options of it, for the object of a later chunk to replace; the verb may come with the object."""
    chunk = context.chunk
    if chunk.verb not in HOLDING_VERBS or (chunk.verb == "set" and not _is_told_apart(context)):
        return
    if context.has(ChunkFlag.REST) and not context.is_line_named and not chunk.modifiers:
        yield from _hold_rest(context)
    if not chunk.verb and (context.has(UNHELD) or not (context.named or context.described)):
        return
    if context.is_line_named:
        targets = [(number, "named") for number in (context.described or context.named)[-MAX_NAMED:]]
    elif chunk.modifiers and context.described:
        targets = [(number, "described") for number in context.described[-MAX_NAMED:]]
    else:
        targets = [(context.last, "focus")] if context.last is not None else []
    for number, target in targets:
        if not chunk.verb and (context.draft[number].is_new or (chunk.modifiers and number not in context.described)):
            continue  # the words order something, or say how the line shall be
        edit = Edit(context, context.event("hold", target, context.age(number)), context.draft, (number,), is_edit=False)
        share = context.draft[number].quantity // chunk.share if chunk.share else 0
        edit.target = ReplacementTarget(number, chunk.modifiers, chunk.number or share, chunk.verb, target != "focus")
        yield edit


def _hold_rest(context: Context) -> Iterator[Edit]:
    """Keep the other units of a line of which the chunk before named some: "one peach tea, and the other one a lemonade"."""
    if len(context.selected) == 1 and context.part:
        (number,) = context.selected
        edit = Edit(context, context.event("hold", "rest", context.age(number)), context.draft, (number,), is_edit=False)
        edit.target = ReplacementTarget(number, (), context.draft[number].quantity - context.part, "set")
        edit.part, edit.is_selected = 0, False
        yield edit


def _is_told_apart(context: Context) -> bool:
    """Return whether the chunk only names a line; its modifiers, if any, describe it."""
    return context.is_line_named and (not context.chunk.modifiers or bool(context.described))


class _Old(NamedTuple):
    """The old part of a replacement."""

    number: int
    line: DraftLine
    part: int  # units of the line; 0: all
    target: str  # attribute of events


def replace(context: Context) -> Iterator[Edit]:
    """Replace the item of a line."""
    chunk = context.chunk
    if not chunk.items or context.has(ChunkFlag.REST) or (chunk.place and chunk.verb != "change"):
        return
    if context.has(ChunkFlag.AGAIN) and not chunk.groups:
        return  # with groups it says what is kept: "same size"
    for old in _old_parts(context):
        line, part = old.line, old.part
        items = context.index.alike(chunk.items, line.items)
        quantity = context.counted or part or line.quantity
        kept = _kept(context, items, line)
        for options in (kept, ()) if kept else ((),):
            modified = context.modify(DraftLine(items, quantity, options, line.origin), chunk.modifiers)
            if modified is not None:
                kin = context.index.kinship(items, line.items)
                yield _replaced(context, "replace", (old.number, old.target, part), modified.line, bool(options), kin)


def _old_parts(context: Context) -> Iterator[_Old]:
    """Yield what the item of the chunk may replace: the line that is held, that was removed or selected before, or that is in focus."""
    chunk, draft, held = context.chunk, context.draft, context.progress.target
    is_stated = chunk.verb in STATING_VERBS
    if chunk.place:
        yield from [_Old(number, draft[number], 0, "place") for number in context.named]
        return
    if held is not None and (chunk.verb == "into" or (is_stated and held.verb)) and draft[held.line].quantity > 0:
        line = draft[held.line]
        yield _Old(held.line, line, held.number if 0 < held.number < line.quantity else context.part, "held")
        yield from () if held.is_named else _akin(context, held.line, held.number)
    elif context.last is not None and context.has(ChunkFlag.PART) and context.counted:
        line = draft[context.last]
        yield _Old(context.last, line, chunk.number if chunk.number < line.quantity else context.part, "focus")
        yield from _akin(context, context.last, chunk.number)
    elif (chunk.verb in REPLACING_VERBS or chunk.link == "correction") and context.last is not None:
        yield _Old(context.last, draft[context.last], context.part, "focus")
        yield from _akin(context, context.last, 0)
    elif is_stated and len(context.selected) == 1 and set(draft[context.selected[0]].items).isdisjoint(chunk.items[:1]):
        yield _Old(context.selected[0], draft[context.selected[0]], context.part, "selected")
    removed = _removed_before(context) if is_stated or chunk.verb in {"into", "set"} else None
    if removed is not None:
        yield removed


def _akin(context: Context, other: int, part: int) -> Iterator[_Old]:
    """Yield the line of the order to which the items of the chunk are nearest; `other`: a line that is yielded already."""
    items, nearness = context.chunk.items, context.index.nearness
    pool = [number for number in context.old if number != other and not context.draft[number].is_new]
    ranked = [(nearness(items, context.draft[number].items), number) for number in pool if number not in context.named]
    best, number = max(ranked, default=((0, False), 0))
    if best > (0, False):
        line = context.draft[number]
        yield _Old(number, line, part if part < line.quantity else 0, "akin")


def _removed_before(context: Context) -> _Old | None:
    """Return the only line that the edit before removed."""
    if context.progress.edits is None:
        return None
    before, after = context.progress.edits[0].before, context.progress.edits[0].after
    if len(context.draft) < len(after):
        return None  # the order was cancelled since
    gone = [
        number for number, line in enumerate(before) if line.quantity > 0 and context.draft[number].quantity == after[number].quantity == 0
    ]
    if len(gone) != 1:
        return None
    line = before[gone[0]]
    return _Old(gone[0], line, 0, "removed") if line.options or line.quantity > 1 else None  # else it is the same to add the new line


def _kept(context: Context, items: tuple[str, ...], line: DraftLine) -> tuple[DraftOption, ...]:
    """Return the options of a line that other items offer, too."""
    offers = [context.index.offers[item] for item in items]
    return tuple([option for option in line.options if all([option.group in offered for offered in offers])])


def take_over(context: Context) -> Iterator[Edit]:
    """Replace the line behind "instead of" by the line that was just added, which keeps the options that fit."""
    chunk, draft = context.chunk, context.draft
    if chunk.verb != "instead" or not context.is_line_named or not context.new_lines:
        return
    new = context.new_lines[-1]
    taken = draft[new]
    for number in (context.described or context.named)[-MAX_NAMED:]:
        line = draft[number]
        items = context.index.alike(taken.items, line.items)
        filled = {option.group for option in taken.options}
        kept = tuple([option for option in _kept(context, items, line) if option.group not in filled])
        quantity = taken.quantity if taken.quantity > 1 else line.quantity
        if number == new or (not kept and items == taken.items and quantity == taken.quantity):
            continue  # the same as removing the line
        after = with_line(draft, new, taken._replace(quantity=0))
        after = with_line(after, number, DraftLine(items, quantity, (*taken.options, *kept), line.origin))
        event = context.event("take_over", "named", context.age(number), bool(kept), context.index.kinship(items, line.items))
        yield Edit(context, event, after, (number,))


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


def correct_options(context: Context) -> Iterator[Edit]:
    """Replace the options that the edit before added, in groups of which a line may have several: "black pearls, no, white ones"."""
    chunk, number, edits = context.chunk, context.last, context.progress.edits
    if chunk.link != "correction" or not chunk.modifiers or chunk.items or chunk.verb not in {"", "add", "set"}:
        return
    if edits is None or number is None or any([modifier.amount is not None for modifier in chunk.modifiers]):
        return
    line, before = context.draft[number], edits[0].before
    old = before[number].options if number < len(before) else ()
    groups = {ref.group for modifier in chunk.modifiers for ref in modifier.refs if not context.index.is_one_of(ref.group)}
    corrected = [one for one in line.options if one.group in groups and one not in old and one.amount != "no"]
    corrected = corrected[-len(chunk.modifiers) :]  # the last ones that were said
    left = tuple([one for one in line.options if one not in corrected])
    modified = context.modify(line._replace(options=left), chunk.modifiers)
    if corrected and modified is not None and modified.line != line:
        event = context.event("correct_options", "focus", context.age(number))
        yield Edit(context, event, context.with_line(number, modified.line), (number,))


def _replaced(context: Context, production: str, place: tuple[int, str, int], after: DraftLine, *more: object) -> Edit:
    """Return the edit that replaces a line, or a part of it; `place`: line, attribute `target`, and the part or 0."""
    number, target, part = place
    event = context.event(production, target, context.age(number), *more)
    draft, changed = with_part(context.draft, number, part, after)
    edit = Edit(context, event, draft, (changed,))
    edit.target = None
    return edit
