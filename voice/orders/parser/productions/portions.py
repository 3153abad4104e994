"""Productions that count the portions of options, and multiply quantities."""

from collections.abc import Iterator, Sequence
from typing import Final

from voice.orders.parser.draft import DraftLine, DraftOption, Modifier
from voice.orders.parser.edits import Context, Edit, with_line
from voice.orders.parser.state import ChunkFlag

NON_SETTING_VERBS: Final = frozenset({"remove", "instead", "keep", "change"})
MAX_PORTIONS: Final = 99
MAX_QUANTITY: Final = 999


def set_portions(context: Context) -> Iterator[Edit]:
    """Set so many portions of an option as the number of the chunk: "two cherries", "two extra shots"."""
    chunk = context.chunk
    if not context.counted or not chunk.modifiers or chunk.verb in NON_SETTING_VERBS or context.has(ChunkFlag.MORE | ChunkFlag.EACH):
        return
    first, *others = chunk.modifiers
    if first.amount is not None or first.quantity > 1:
        return
    counted = (first._replace(quantity=min(MAX_PORTIONS, chunk.number)), *others)
    for number, target in _portion_lines(context):
        modified = context.modify(context.draft[number], counted)
        if modified is not None and _is_countable(context, modified.line, first):
            listed = listed_portions(context.draft[number], first)
            if chunk.number == 1 >= listed:
                continue  # "one cherry" is a cherry
            change = "new" if not listed else "same" if listed == chunk.number else "less" if listed > chunk.number else "more"
            event = context.event("set_portions", target, context.age(number), change)
            yield Edit(context, event, context.with_line(number, modified.line), (number,))


def add_portions(context: Context) -> Iterator[Edit]:
    """Add portions of an option to those that a line lists: "another egg in the biryani"."""
    chunk = context.chunk
    if not context.has(ChunkFlag.MORE) or not chunk.modifiers or chunk.verb not in {"", "add", "set"}:
        return
    for number, target in _portion_lines(context):
        line = context.draft[number]
        more = [
            modifier._replace(quantity=min(MAX_PORTIONS, listed_portions(line, modifier) + max(modifier.quantity, chunk.number)))
            for modifier in chunk.modifiers
            if modifier.amount is None
        ]
        modified = context.modify(line, more) if len(more) == len(chunk.modifiers) else None
        if modified is not None and _is_countable(context, modified.line, more[0]):
            listed = "listed" if listed_portions(line, more[0]) else "new"
            event = context.event("add_portions", target, context.age(number), listed)
            yield Edit(context, event, context.with_line(number, modified.line), (number,))


def remove_portions(context: Context) -> Iterator[Edit]:
    """Take some portions of an option off a line that lists more: "one egg less"."""
    chunk = context.chunk
    if chunk.verb != "remove" or len(chunk.modifiers) != 1:
        return
    (modifier,) = chunk.modifiers
    count = chunk.number or (modifier.quantity if modifier.quantity > 1 else 0)
    if not count:
        return
    for number, target in _portion_lines(context):
        line = context.draft[number]
        left = listed_portions(line, modifier) - count
        modified = context.modify(line, (modifier._replace(quantity=left),)) if left > 0 else None
        if modified is not None:
            event = context.event("remove_portions", target, context.age(number))
            yield Edit(context, event, context.with_line(number, modified.line), (number,))


def set_portions_each(context: Context) -> Iterator[Edit]:
    """Set the number of portions of each option that the chunk lists, or that the edit before has set: "two of each", "no, three"."""
    chunk = context.chunk
    is_correction = chunk.link == "correction" and not chunk.modifiers
    if (
        not (is_correction or context.has(ChunkFlag.EACH | ChunkFlag.ALL))
        or not context.counted
        or chunk.items
        or chunk.verb in NON_SETTING_VERBS
    ):
        return
    if context.last is None:
        return
    line = context.draft[context.last]
    if chunk.modifiers:
        counted = [modifier._replace(quantity=min(MAX_PORTIONS, chunk.number)) for modifier in chunk.modifiers]
        modified = context.modify(line, counted) if all([modifier.amount is None for modifier in chunk.modifiers]) else None
        after = modified.line if modified is not None else None
        target = "listed"
    else:
        after, target = _with_portions(context, line, _options_of_last_edit(context), chunk.number), "before"
    if after is not None and after != line:
        event = context.event("set_portions_each", target, context.age(context.last))
        yield Edit(context, event, context.with_line(context.last, after), (context.last,))


def for_each(context: Context) -> Iterator[Edit]:
    """Multiply the line that the utterance added last by the units of the named lines: "a raita for each biryani"."""
    chunk, last = context.chunk, context.last
    if not context.has(ChunkFlag.EACH) or not context.is_line_named or chunk.number or chunk.modifiers or last not in context.new_lines:
        return
    n_units = sum([context.draft[number].quantity for number in context.named if number not in context.new_lines])
    if last is not None and 1 < n_units <= MAX_QUANTITY:
        line = context.draft[last]
        quantity = min(MAX_QUANTITY, line.quantity * n_units)
        yield Edit(context, context.event("for_each", "named", "new"), context.with_line(last, line._replace(quantity=quantity)), (last,))


def multiply(context: Context) -> Iterator[Edit]:
    """Multiply the quantity of lines: "double the fries", "gấp đôi gà lên"."""
    chunk = context.chunk
    if not chunk.factor or chunk.modifiers or chunk.verb in NON_SETTING_VERBS:
        return
    targets: list[tuple[tuple[int, ...], str]]
    if context.is_line_named:
        targets = [((number,), "named") for number in context.named[-2:]]
    elif context.has(ChunkFlag.ALL):
        targets = [(tuple(context.live), "all")] if context.live else []
    else:
        targets = [((context.last,), "focus")] if context.last is not None else []
    for numbers, target in targets:
        draft = context.draft
        for number in numbers:
            quantity = min(MAX_QUANTITY, draft[number].quantity * chunk.factor)
            draft = with_line(draft, number, draft[number]._replace(quantity=quantity))
        yield Edit(context, context.event("multiply", target, context.age(numbers[0])), draft, numbers)


def held_portions(context: Context, line: DraftLine, held: Sequence[Modifier]) -> DraftLine | None:
    """Return a line with so many portions of the options that were held as the number of the chunk; None if it lists none of them."""
    listed = [option for option in line.options for modifier in held if modifier.matches(option)]
    return _with_portions(context, line, listed, context.chunk.number)


def listed_portions(line: DraftLine, modifier: Modifier) -> int:
    """Return the portions of an option that a line lists; 0: none."""
    return max([option.quantity for option in line.options if option.amount != "no" and modifier.matches(option)], default=0)


def _portion_lines(context: Context) -> list[tuple[int, str]]:
    """Return the lines whose portions a chunk may mean: the named ones, or the last one with the option and the one in focus."""
    if context.is_line_named:
        return [(number, "named") for number in context.named[-2:]]
    if context.selected:
        return [(number, "selected") for number in context.selected[-1:]]
    having = [
        number
        for number in reversed(context.live)
        if any([m.matches(o) for m in context.chunk.modifiers for o in context.draft[number].options])
    ]
    found = [(number, "having") for number in having[:1]]
    if context.last is not None and context.last not in having[:1]:
        found.append((context.last, "focus"))
    return found


def _is_countable(context: Context, line: DraftLine, modifier: Modifier) -> bool:
    """Return whether a line may have several portions of the option that a modifier chose."""
    return any([modifier.matches(option) and not context.index.is_one_of(option.group) for option in line.options])


def _options_of_last_edit(context: Context) -> list[DraftOption]:
    """Return the options that the edit before has set on the line in focus."""
    edits, last = context.progress.edits, context.last
    if edits is None or last is None:
        return []
    before = edits[0].before
    old = before[last].options if last < len(before) else ()
    return [option for option in context.draft[last].options if option not in old and option.amount is None]


def _with_portions(context: Context, line: DraftLine, counted: Sequence[DraftOption], portions: int) -> DraftLine | None:
    """Return a line with so many portions of some of its options; None if none of them can be counted."""
    countable = [option for option in counted if not context.index.is_one_of(option.group)]
    if not countable:
        return None
    quantity = min(MAX_PORTIONS, portions)
    return line._replace(options=tuple([option._replace(quantity=quantity) if option in countable else option for option in line.options]))
