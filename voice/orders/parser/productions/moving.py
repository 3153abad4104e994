"""Productions that move options from one line to another one, exchange them, give them to one more line, or leave a unit as it was."""

from collections.abc import Iterator
from typing import Final

from voice.orders.parser.draft import Draft, DraftLine, DraftOption
from voice.orders.parser.edits import Context, Edit, with_line, with_part
from voice.orders.parser.productions.selecting import JOINING, references
from voice.orders.parser.state import ChunkFlag

ONTO_VERBS: Final = frozenset({"", "add", "set", "into"})
SPREADING: Final = JOINING | {"onto", "and.onto", "comma.onto"}
MAX_PAIRS: Final = 3  # of lines that may exchange options, the last ones first
MAX_GROUPS: Final = 4  # in which two lines differ


def move_options(context: Context) -> Iterator[Edit]:
    """Put the options that are held, or that the edit before took off, on another line: "move the foam over to the matcha"."""
    chunk = context.chunk
    if chunk.modifiers or chunk.verb not in ONTO_VERBS or context.has(ChunkFlag.AGAIN | ChunkFlag.MORE):
        return
    if chunk.verb != "into" and not context.has(ChunkFlag.ONTO) and not chunk.link.endswith("onto"):
        return
    number, moved, kind = _moved(context)
    for reference in references(context) if moved else ():
        other = reference.numbers[0]
        if len(reference.numbers) > 1 or reference.part or other == number:
            continue
        line = context.draft[other]
        offered = context.index.offers[line.items[0]]
        if not all([option.group in offered for option in moved]):
            continue
        source = context.draft[number]
        draft = with_line(context.draft, number, _without(source, moved))
        draft = with_line(draft, other, _with(context, line, moved))
        edit = Edit(context, context.event("move_options", f"{kind}_{reference.target}", context.age(other)), draft, (other,))
        edit.target = None
        yield edit


def spread(context: Context) -> Iterator[Edit]:
    """Set the options of the edit before on one more line, too: "ice on the first one and on the third one"."""
    chunk = context.chunk
    if chunk.link not in SPREADING or chunk.modifiers or chunk.verb not in {"", "add"} or chunk.number > 1 or not context.is_line_named:
        return
    source, given = _given(context)
    for reference in references(context) if given else ():
        number = reference.numbers[0]
        if len(reference.numbers) > 1 or reference.part or number == source or number in context.new_lines:
            continue
        line = context.draft[number]
        if all([option.group in context.index.offers[line.items[0]] for option in given]):
            event = context.event("spread", reference.target, context.age(number))
            draft = with_line(context.draft, number, _with(context, line, given))
            edit = Edit(context, event, draft, (*context.progress.focus, number))
            edit.is_selected = True
            yield edit


def take_back(context: Context) -> Iterator[Edit]:
    """Take the options that the edit before set on a line off the named one: "ice on the latte instead of the mocha"."""
    chunk = context.chunk
    if chunk.verb != "instead" or chunk.modifiers or not context.is_line_named:
        return
    source, given = _given(context)
    for number in context.named if given else ():
        line = context.draft[number]
        if number != source and all([option in line.options for option in given]):
            event = context.event("take_back", "named", context.age(number))
            yield Edit(context, event, with_line(context.draft, number, _without(line, given)), (number,))


def _given(context: Context) -> tuple[int, tuple[DraftOption, ...]]:
    """Return the old line on which the edit before set options, and these; no options if it did anything else."""
    edits = context.progress.edits
    if edits is None or len(edits[0].before) != len(context.draft):
        return 0, ()
    changed = [number for number, line in enumerate(edits[0].before) if line != context.draft[number]]
    if len(changed) != 1 or context.draft[changed[0]].quantity != edits[0].before[changed[0]].quantity:
        return 0, ()
    before = edits[0].before[changed[0]].options
    return changed[0], tuple([option for option in context.draft[changed[0]].options if option not in before])


def _moved(context: Context) -> tuple[int, tuple[DraftOption, ...], str]:
    """Return a line, the options of it that go to another one, and whether they are held or were removed; no options if there are none."""
    held = context.progress.target
    if held is not None:
        options = context.draft[held.line].options
        matching = tuple([option for option in options if any([modifier.matches(option) for modifier in held.modifiers])])
        return held.line, matching, "held"
    if context.progress.edits is None:
        return 0, (), "none"
    before, after = context.progress.edits[0].before, context.progress.edits[0].after
    if len(before) == len(after) == len(context.draft):
        for number, line in enumerate(before):
            gone = tuple([option for option in line.options if option not in after[number].options and option.amount != "no"])
            if gone and after[number].quantity == line.quantity and len(after[number].options) < len(line.options):
                return number, gone, "removed"
    return 0, (), "none"


def _without(line: DraftLine, options: tuple[DraftOption, ...]) -> DraftLine:
    return line._replace(options=tuple([option for option in line.options if option not in options]))


def _with(context: Context, line: DraftLine, options: tuple[DraftOption, ...]) -> DraftLine:
    """Return a line with more options; they replace the same ones, and the choice of a one-of group."""
    replaced = {option.group for option in options if context.index.is_one_of(option.group)}
    choices = [(option.group, option.choices) for option in options]
    others = [one for one in line.options if one.group not in replaced and (one.group, one.choices) not in choices]
    return line._replace(options=(*others, *options))


def swap(context: Context) -> Iterator[Edit]:
    """Exchange the options of two lines in all groups in which they differ, or in one: "the other way round"."""
    if not context.has(ChunkFlag.SWAP) or context.chunk.items:
        return
    live = context.focus if len(context.focus) == 2 else context.live  # noqa: PLR2004 - a pair
    pairs = [(first, second) for second in reversed(live) for first in reversed(live) if first < second]
    for first, second in pairs[:MAX_PAIRS]:
        groups = _differing(context, first, second)
        kind = "focus" if len(live) == 2 else "near"  # noqa: PLR2004 - a pair
        for some, extent in [(groups, "all")] + [([group], "one") for group in groups if len(groups) > 1]:
            if some:
                draft = _exchanged(context.draft, first, second, some)
                yield Edit(context, context.event("swap", f"{kind}_{extent}", context.age(second)), draft, (first, second))


def _differing(context: Context, first: int, second: int) -> list[str]:
    """Return the groups that two lines both offer and in which their options differ."""
    one, other = context.draft[first], context.draft[second]
    shared = [group for group in context.index.menu.items[one.items[0]].options if group in context.index.offers[other.items[0]]]
    return [group for group in shared if _of_group(one, group) != _of_group(other, group)][:MAX_GROUPS]


def _of_group(line: DraftLine, group: str) -> tuple[DraftOption, ...]:
    return tuple([option for option in line.options if option.group == group])


def _exchanged(draft: Draft, first: int, second: int, groups: list[str]) -> Draft:
    """Return the draft in which two lines have exchanged their options of some groups."""
    one, other = draft[first], draft[second]
    for number, line, source in ((first, one, other), (second, other, one)):
        kept = [option for option in line.options if option.group not in groups]
        taken = [option for option in source.options if option.group in groups]
        draft = with_line(draft, number, line._replace(options=(*kept, *taken)))
    return draft


def keep_rest(context: Context) -> Iterator[Edit]:
    """Leave units of the line that the edit before changed as they were: "make hers large, mine stays"."""
    chunk, edits = context.chunk, context.progress.edits
    if chunk.verb != "keep" or edits is None or not context.has(ChunkFlag.REST | ChunkFlag.OWN | ChunkFlag.PERSON):
        return
    before, after = edits[0].before, edits[0].after
    if not len(before) == len(after) == len(context.draft):
        return  # the edit has told a part apart
    changed = [number for number, line in enumerate(before) if line != context.draft[number]]
    if len(changed) != 1:
        return
    number = changed[0]
    quantity = before[number].quantity
    part = context.counted or quantity - 1
    if quantity == context.draft[number].quantity and 0 < part < quantity:
        draft, kept = with_part(context.draft, number, part, before[number])
        yield Edit(context, context.event("keep_rest", "rest", context.age(number)), draft, (number, kept))
