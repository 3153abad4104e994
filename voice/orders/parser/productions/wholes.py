"""Productions that choose all of an option group: "with everything on it", "all the toppings except olives", "all the pearls"."""

from collections.abc import Iterator, Sequence
from typing import Final

from voice.orders.parser.draft import ChoiceRef, DraftLine, Modifier
from voice.orders.parser.edits import Context, Edit
from voice.orders.parser.model import Event
from voice.orders.parser.state import EVERYTHING, ChunkFlag

MAX_WHOLE: Final = 40  # choices that are all chosen at once
NON_SETTING_VERBS: Final = frozenset({"remove", "instead", "keep"})

Whole = tuple[tuple[Modifier, ...], tuple[Event, ...]]  # modifiers, and the events of their choice


def whole_groups(context: Context, line: DraftLine) -> Iterator[Whole]:
    """Yield the modifiers of the chunk with all choices that it means.

    These are the choices that its words fit, those of the groups that it names, or those of the largest group of the line.
    """
    if context.chunk.scope:
        return  # a number of lines or of units: "both"
    menu, index, modifiers = context.index.menu, context.index, context.chunk.modifiers
    offered = [group for group in menu.items[line.items[0]].options if not index.is_one_of(group)]
    fitting = [ref for modifier in modifiers for ref in _open_choices(modifier, offered)]
    if fitting:
        yield _with_choices(fitting, modifiers), (("whole_group", "fitting"),)
    named = [group for group in context.chunk.groups if group in offered]
    groups = named or sorted(offered, key=lambda group: -len(menu.option_groups[group].choices))[:1]
    whole = _choices_of(context, groups)
    if whole:
        yield _with_choices(whole, modifiers), (("whole_group", "named" if named else "largest"),)


def _open_choices(modifier: Modifier, groups: Sequence[str]) -> list[ChoiceRef]:
    """Return the choices of some groups that words fit, if they are several."""
    refs = [ref for ref in modifier.refs if ref.group in groups] if modifier.amount is None else []
    return refs if len(refs) > 1 else []


def _choices_of(context: Context, groups: Sequence[str]) -> list[ChoiceRef]:
    """Return all available choices of groups; none if they are too many to be meant."""
    menu = context.index.menu
    refs = [ChoiceRef(group, choice) for group in groups for choice, one in menu.option_groups[group].choices.items() if one.available]
    return refs if 1 < len(refs) <= MAX_WHOLE else []


def _with_choices(refs: Sequence[ChoiceRef], modifiers: Sequence[Modifier]) -> tuple[Modifier, ...]:
    """Return a modifier for each choice, and those modifiers that say more than that."""
    others = [modifier for modifier in modifiers if modifier.amount is not None or not set(modifier.refs) & set(refs)]
    return (*[Modifier((ref,)) for ref in refs], *others)


def set_all(context: Context) -> Iterator[Edit]:
    """Set all choices that the chunk means on the line in focus or the one that is named."""
    chunk = context.chunk
    if not context.has(ChunkFlag.ALL) or chunk.verb in NON_SETTING_VERBS or chunk.number:
        return
    numbers = context.named[-1:] if context.is_line_named else [context.last] if context.last is not None else []
    for number in numbers:
        line = context.draft[number]
        for modifiers, more_events in whole_groups(context, line):
            modified = context.modify(line, modifiers)
            if modified is not None:
                event = context.event("set_all", "named" if context.is_line_named else "focus", context.age(number))
                edit = Edit(context, event, context.with_line(number, modified.line), (number,))
                edit.more_events = more_events
                yield edit


def _has_all(line: DraftLine, refs: Sequence[ChoiceRef]) -> bool:
    """Return whether a line has some choices, each as an option."""
    had = {(option.group, option.choices) for option in line.options}
    return had.issuperset([(ref.group, (ref.choice,)) for ref in refs])


def set_all_but(context: Context) -> Iterator[Edit]:
    """Set all choices of a group on the line in focus, except those that the chunk names."""
    chunk = context.chunk
    if chunk.link != "except" or context.is_line_named or context.last is None:
        return
    line = context.draft[context.last]
    groups = [group for modifier in chunk.modifiers for group in modifier.by_group() if group in context.index.offers[line.items[0]]]
    refs = _choices_of(context, [group for group in dict.fromkeys(groups) if not context.index.is_one_of(group)])
    if chunk.scope != EVERYTHING and not _has_all(line, refs):
        return  # "not the olives" asks for nothing else
    left_out = [modifier._replace(amount="no") for modifier in chunk.modifiers]
    modified = context.modify(line, (*[Modifier((ref,)) for ref in refs], *left_out)) if refs else None
    if modified is not None:
        event = context.event("set_all_but", "focus", context.age(context.last))
        yield Edit(context, event, context.with_line(context.last, modified.line), (context.last,))
