"""Shifts of items and options, and of the amounts of options."""

from collections.abc import Iterator

from schemas import Amount
from voice.orders.parser.draft import Modifier
from voice.orders.parser.moves import ENUMERATING, MAX_PORTIONS, Hypotheses, Shift
from voice.orders.parser.state import ChunkFlag, Hypothesis


def shift_item(shift: Shift) -> Hypotheses:
    """Add items to the open chunk, or begin a new chunk with them."""
    hypothesis, arc = shift.hypothesis, shift.arc
    chunk = hypothesis.chunk
    asked = _asked_items(shift)
    is_negated = hypothesis.amount == "no" and not shift.is_behind_unread
    name_flag = ChunkFlag.PARTIAL_NAME if arc.is_partial else ChunkFlag.NONE
    items = shift.reducer.index.accepting(arc.value, chunk.modifiers) if chunk.modifiers else arc.value
    if not chunk.items and items and hypothesis.amount not in {"light", "extra", "regular"}:
        new, named = shift.extend()
        named.items = items
        named.flags |= name_flag | (ChunkFlag.ONTO if hypothesis.joint.endswith("onto") else ChunkFlag.NONE)
        if hypothesis.amount == "no":
            named.verb = "remove"
        if not named.number and hypothesis.portions > 0:
            named.number = hypothesis.portions
        new.amount, new.portions, new.joint = None, 0, ""
        content = "options" if chunk.modifiers else "number" if chunk.number else chunk.verb or "empty"
        shift.name(new, "item", hypothesis.joint, content, arc.is_partial, asked)
        yield new
    if not shift.cuts_nothing_off and not (is_negated and chunk.is_empty):
        for begun, fresh in (shift.without_amount() if is_negated else shift).begin():
            fresh.items = arc.value
            fresh.flags |= name_flag
            if is_negated:
                fresh.verb, fresh.number = "remove", max(0, hypothesis.portions)
            shift.name(begun, "item", "", "new", arc.is_partial, asked)
            yield begun


def _asked_items(shift: Shift) -> str:
    """Return how items relate to the open question, as an attribute of events."""
    question = shift.question
    if question is None or not question.choices:
        return "none"
    if question.group is not None:
        return "group"
    return "other" if set(shift.arc.value).isdisjoint(question.choices) else "asked"


def shift_option(shift: Shift) -> Hypotheses:
    """Read choices as a modifier in the open chunk, or as the beginning of a new chunk."""
    hypothesis, refs, asked = shift.hypothesis, shift.arc.value, "none"
    question = shift.question
    if question is not None and question.group is not None:
        fitting = tuple([ref for ref in refs if ref.group == question.group])
        refs = fitting or refs
        asked = "other" if not fitting else "asked" if any([ref.choice in question.choices for ref in fitting]) else "group"
    portions = max(1, min(MAX_PORTIONS, hypothesis.portions))
    beginning = shift.without_amount() if hypothesis.portions or not hypothesis.chunk.is_empty else None
    if hypothesis.amount == "no" and hypothesis.chunk.is_empty:
        yield from _remove_described(shift, Modifier(refs))
    beginning = shift.without_amount() if hypothesis.portions or not hypothesis.chunk.is_empty else None
    for amount, event in _amounts(hypothesis):
        modifier = Modifier(refs, amount, portions)
        yield from _extend_by_modifier(shift, modifier, asked, event)
        for begun, fresh in beginning.begin() if beginning is not None else ():
            fresh.modifiers = (modifier,)
            begun.is_negation_open = amount == "no"
            shift.name(begun, "option_begins", shift.arc.is_partial, asked)
            yield begun


def _remove_described(shift: Shift, modifier: Modifier) -> Hypotheses:
    """Read "no" as the verb that removes the line with an option: "skip the large one"."""
    new, removing = shift.extend()
    removing.verb, removing.modifiers = "remove", (modifier,)
    shift.note(new, "no_as_verb")
    new.amount, new.portions, new.joint = None, 0, ""
    yield new


def _extend_by_modifier(shift: Shift, modifier: Modifier, asked: str, event: tuple[object, ...] | None) -> Hypotheses:
    chunk, joint = shift.hypothesis.chunk, shift.hypothesis.joint
    items = shift.reducer.index.accepting(chunk.items, (modifier,))
    if (chunk.items and not items) or chunk.factor:
        return
    yield from _repeat_modifier(shift, modifier)
    new, modified = shift.extend()
    modified.items = items
    modified.modifiers = (*chunk.modifiers, modifier)
    if chunk.modifiers and not items and joint.endswith("onto"):
        modified.flags |= ChunkFlag.AT
    content = "item" if chunk.items else "options" if chunk.modifiers else "empty"
    shift.name(new, "option", joint, content, shift.arc.is_partial, asked)
    if event is not None:
        shift.note(new, *event)
        if event == ("extra", True, True) and not chunk.items and chunk.number <= 1:
            modified.flags |= ChunkFlag.MORE  # "an extra shot" is another one
    new.is_negation_open = modifier.amount == "no"
    new.amount, new.portions, new.joint = None, 0, ""
    yield new


def _repeat_modifier(shift: Shift, modifier: Modifier) -> Hypotheses:
    """Count one more portion of a modifier that the open chunk has already."""
    index = shift.reducer.index
    if modifier.amount is not None or all([index.is_one_of(ref.group) for ref in modifier.refs]):
        return
    for place, before in enumerate(shift.hypothesis.chunk.modifiers):
        if before.refs == modifier.refs and before.amount is None:
            new, repeated = shift.extend()
            counted = before._replace(quantity=min(MAX_PORTIONS, before.quantity + modifier.quantity))
            repeated.modifiers = (*repeated.modifiers[:place], counted, *repeated.modifiers[place + 1 :])
            new.amount, new.portions, new.joint = None, 0, ""
            shift.note(new, "repeated")
            yield new


def _amounts(hypothesis: Hypothesis) -> Iterator[tuple[Amount | None, tuple[object, ...] | None]]:
    """Yield the amounts that an option may have, each with its event."""
    amount, joint, chunk = hypothesis.amount, hypothesis.joint, hypothesis.chunk
    if amount == "extra":  # more of the option, or one more portion
        is_counted = bool(hypothesis.portions or (chunk.number and not joint and not chunk.items and not chunk.modifiers))
        yield amount, ("extra", False, is_counted)
        yield None, ("extra", True, is_counted)
    elif amount is None and hypothesis.is_negation_open and (joint in ENUMERATING or joint == ""):
        yield None, ("carried", joint, False)
        if not hypothesis.portions:  # "no onions and two pickles" has pickles
            yield "no", ("carried", joint, True)
    else:
        yield amount, None


def shift_group(shift: Shift) -> Hypotheses:
    """Read the name of an option group into the open chunk, or as a word without an effect."""
    chunk = shift.hypothesis.chunk
    if not chunk.groups or shift.hypothesis.joint in ENUMERATING:
        new, grouped = shift.extend()
        grouped.groups = (*chunk.groups, *shift.arc.value)
        shift.note(new, "group", shift.hypothesis.joint, "again" if chunk.flags & ChunkFlag.AGAIN else "items" if chunk.items else "other")
        yield new
    new = shift.pass_by()
    shift.note(new, "skip", "group")
    yield new


def shift_amount(shift: Shift) -> Hypotheses:
    """Record the amount of the next option; "no" may also begin a correction."""
    before, value = shift.hypothesis.amount, shift.arc.value
    new = shift.pass_by()
    if before is not None:
        shift.note(new, "dangling", "amount")
    new.amount = "regular" if (before, value) == ("no", "extra") else value
    yield new
    if value == "no" and not shift.hypothesis.chunk.is_empty:
        for begun, _ in shift.begin("correction"):
            shift.note(begun, "correction_by_no", shift.hypothesis.joint)
            yield begun


def shift_amount_behind(shift: Shift) -> Hypotheses:
    """Apply an amount to the modifier before it. "No" may also remove the item before it, or set a line to zero."""
    hypothesis, value = shift.hypothesis, shift.arc.value
    chunk = hypothesis.chunk
    if chunk.modifiers and hypothesis.joint == "" and chunk.modifiers[-1].amount is None:
        new, changed = shift.extend()
        *before, last = chunk.modifiers
        changed.modifiers = (*before, last._replace(amount=value))
        new.is_negation_open = False
        yield new
    if value == "no" and (chunk.items or chunk.flags & ChunkFlag.REFERENCE) and chunk.verb in {"", "add", "set"}:
        new, removed = shift.extend()
        removed.verb = "remove"
        shift.note(new, "verb_behind", "no")
        yield new
    elif value == "no" and chunk.verb == "into" and not chunk.modifiers and not chunk.items:
        new, removed = shift.extend()
        removed.verb = "remove"
        shift.note(new, "verb_behind", "zero")
        yield new
