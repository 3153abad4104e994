"""Productions that answer the open question by anything else than a name."""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from voice.orders.parser.draft import ChoiceRef, Draft, DraftLine, Modifier
from voice.orders.parser.edits import Context, Edit, with_part
from voice.orders.parser.productions.adding import added
from voice.orders.parser.roles import Role
from voice.orders.parser.state import ChunkFlag, Forwarded, OpenQuestion

MIN_FOR_MIDDLE: Final = 3  # choices


def choose(context: Context) -> Iterator[Edit]:
    """Accept choices of the open question by place, by a pronoun, all of them, or the only one that is not excluded."""
    question, chunk = context.question, context.chunk
    if question is None or not question.choices:
        return
    if context.progress.n_edits:
        yield from _choose_rest(context, question)
        return
    if chunk.items or chunk.modifiers:
        yield from _choose_named(context, question)
        yield from _choose_other(context, question)
        return
    choices = question.choices
    if chunk.place:
        count = max(1, context.counted)
        first = chunk.place - 1 if chunk.place > 0 else len(choices) + chunk.place - count + 1
        if first >= 0 and first + count <= len(choices):
            yield from _accept(context, choices[first : first + count], "place")
            yield from _forward_choices(context, question, choices[first : first + count])
        if count > 1 and 0 < chunk.place <= len(choices):
            yield from _accept(context, choices[chunk.place - 1 : chunk.place], "portions", count)
    elif context.has(ChunkFlag.ALL | ChunkFlag.EACH) and chunk.scope in {0, len(choices)}:
        yield from _accept(context, choices, "all")
    elif chunk.share == len(choices):
        yield from _accept(context, choices, "share")
    elif len(choices) == 1 and (context.has(ChunkFlag.REFERENCE | ChunkFlag.ONES) or chunk.number):
        yield from _accept(context, choices, "number" if chunk.number else "reference", max(1, context.counted))


def _forward_choices(context: Context, question: OpenQuestion, choices: Sequence[str]) -> Iterator[Edit]:
    """Keep choices of a group that were named by place, for lines to which a later chunk refers."""
    if question.group is not None:
        refs = tuple([Modifier((ChoiceRef(question.group, choice),)) for choice in choices])
        edit = Edit(context, context.event("forward", "place", "none"), context.draft, context.progress.focus, is_edit=False)
        edit.forwarded = (*context.progress.forwarded, Forwarded(0, refs))
        yield edit


def _choose_rest(context: Context, question: OpenQuestion) -> Iterator[Edit]:
    """Accept the only item of the choices that the utterance has not added yet."""
    chunk = context.chunk
    if question.group is not None or not context.has(ChunkFlag.REST) or chunk.items or chunk.modifiers:
        return
    added_items = {item for number in context.new_lines for item in context.draft[number].items}
    left = [item for item in question.choices if item not in added_items]
    if len(left) == 1 and len(left) < len(question.choices):
        yield from _accept(context, left, "rest")


def choose_all_but(context: Context) -> Iterator[Edit]:
    """Accept all choices but those that the chunk names, or take these back if the utterance has accepted all before."""
    question, chunk = context.question, context.chunk
    if question is None or chunk.link != "except":
        return
    group = question.group
    if group is None:
        excluded = set(chunk.items) if not chunk.modifiers else set()
    else:
        excluded = {choice for modifier in chunk.modifiers for choice in modifier.choices(group)} if not chunk.items else set()
    left = [choice for choice in question.choices if choice not in excluded]
    if not left or len(left) == len(question.choices):
        return
    if not context.progress.n_edits:
        yield from _accept(context, left, "all_but")
        return
    draft = tuple([_without(line, excluded, group) for line in context.draft])
    if draft != context.draft:
        yield Edit(context, ("accept", "all_but", question.kind, group is not None), draft, context.progress.focus)


def _without(line: DraftLine, excluded: AbstractSet[str], group: str | None) -> DraftLine:
    """Return a line without the choices of a group, or, if it is a new one of these items, without its units."""
    if group is None:
        return line._replace(quantity=0) if line.is_new and not excluded.isdisjoint(line.items) else line
    kept = [option for option in line.options if option.group != group or excluded.isdisjoint(option.choices)]
    return line if len(kept) == len(line.options) else line._replace(options=tuple(kept))


def _choose_named(context: Context, question: OpenQuestion) -> Iterator[Edit]:
    """Accept all choices that one name fits, one for each unit, or all of them: "one of each kind of rim", "both boba"."""
    modifiers = context.chunk.modifiers
    if question.group is None or context.chunk.items or len(modifiers) != 1 or modifiers[0].amount is not None:
        return
    choices = [choice for choice in question.choices if choice in modifiers[0].choices(question.group)]
    if len(choices) > 1 and context.has(ChunkFlag.EACH | ChunkFlag.ALL) and context.chunk.scope in {0, len(choices)}:
        yield from _accept(context, choices, "named")


def _choose_other(context: Context, question: OpenQuestion) -> Iterator[Edit]:
    """Accept the only choice that the chunk does not exclude."""
    chunk = context.chunk
    if question.group is None:
        excluded = set(chunk.items) if chunk.verb == "remove" and not chunk.modifiers else set()
    else:
        excluded = {choice for modifier in chunk.modifiers if modifier.amount == "no" for choice in modifier.choices(question.group)}
    left = [choice for choice in question.choices if choice not in excluded]
    if excluded and len(left) == 1:
        yield from _accept(context, left, "other")


def choose_by_role(context: Context, role: Role) -> Iterator[Edit]:
    """Accept a sole choice by "yes", or one of several by preference: any, the dearest, the cheapest, the one between."""
    question = context.question
    if question is None or not question.choices:
        yield from _choose_unasked(context, role)
        return
    if role is Role.YES and len(question.choices) == 1:
        yield from _accept(context, question.choices, "yes")
    elif role in {Role.ANY, Role.MOST, Role.LEAST, Role.MIDDLE}:
        ranked = _by_price(context, question)
        if role is Role.MIDDLE and len(ranked) < MIN_FOR_MIDDLE:
            return
        if ranked:
            rank = {Role.MOST: len(ranked) - 1, Role.LEAST: 0, Role.ANY: 0, Role.MIDDLE: len(ranked) // 2}[role]
            group = context.index.menu.option_groups.get(question.group or "")
            picked = group.default if role is Role.ANY and group is not None and group.default in ranked else ranked[rank]
            yield from _accept(context, (picked or ranked[rank],), role.name.lower())


def _choose_unasked(context: Context, role: Role) -> Iterator[Edit]:
    """Choose the dearest, the cheapest or the middle choice of the first empty group of the line in focus that has different prices."""
    if context.last is None or role not in {Role.MOST, Role.LEAST, Role.MIDDLE}:
        return
    line, menu = context.draft[context.last], context.index.menu
    filled = {option.group for option in line.options}
    for group in menu.items[line.items[0]].options:
        prices = {choice.price for choice in menu.option_groups[group].choices.values()}
        if group in filled or not context.index.is_one_of(group) or len(prices) == 1:
            continue
        ranked = _by_price(context, OpenQuestion("none", context.last, group, tuple(menu.option_groups[group].choices)))
        picked = ranked[{Role.MOST: len(ranked) - 1, Role.LEAST: 0, Role.MIDDLE: len(ranked) // 2}[role]]
        modified = context.modify(line, (Modifier((ChoiceRef(group, picked),)),))
        if modified is not None:
            yield Edit(
                context, ("accept", role.name.lower(), "none", True), context.with_line(context.last, modified.line), (context.last,)
            )
        return


def _by_price(context: Context, question: OpenQuestion) -> list[str]:
    """Return the choices, the cheapest first, those of equal price in the order of the question."""
    menu = context.index.menu
    if question.group is None:
        return sorted([item for item in question.choices if item in menu.items], key=lambda item: menu.items[item].price)
    group = menu.option_groups.get(question.group)
    if group is None:
        return []
    choices = group.choices
    return sorted([choice for choice in question.choices if choice in choices], key=lambda choice: choices[choice].price)


def _accept(context: Context, choices: Sequence[str], how: str, portions: int = 1) -> Iterator[Edit]:
    """Accept choices of the open question: options of its line, in some portions each, or items."""
    question = context.question
    if question is None:
        return
    event = ("accept", how, question.kind, question.group is not None)
    if question.group is None:
        lines = _pending_lines(context, [choice for choice in choices if choice in context.index.menu.items])
        if lines:
            yield added(context, event, lines, forwarded=context.progress.forwarded)
        return
    number = question.line
    if number is None or number >= len(context.draft) or context.draft[number].quantity == 0:
        return
    if len(choices) > 1 and (context.index.is_one_of(question.group) or context.has(ChunkFlag.EACH)):
        yield from _distribute(context, event, number, choices)
    if len(choices) == 1 or not context.index.is_one_of(question.group):
        modifiers = [Modifier((ChoiceRef(question.group, choice),), None, portions) for choice in choices]
        modified = context.modify(_without_open(context.draft[number], question), modifiers)
        if modified is not None:
            yield Edit(context, event, context.with_line(number, modified.line), (number,))


def _without_open(line: DraftLine, question: OpenQuestion) -> DraftLine:
    """Return a line without the open option that the question is about."""
    open_options = [
        option
        for option in line.options
        if option.group == question.group and len(option.choices) > 1 and not set(option.choices).isdisjoint(question.choices)
    ]
    return line._replace(options=tuple([option for option in line.options if option not in open_options]))


def _distribute(context: Context, event: tuple[object, ...], number: int, choices: Sequence[str]) -> Iterator[Edit]:
    """Give equal parts of a line one choice each."""
    question = context.question
    if question is None or question.group is None:
        return
    line = _without_open(context.draft[number], question)
    part, rest = divmod(line.quantity, len(choices))
    is_counted = context.counted in {0, part} or (context.chunk.place and context.counted == len(choices))
    if rest or part < 1 or not is_counted:
        return
    draft: Draft = context.draft
    numbers = []
    for choice in reversed(choices):  # the first choice stays on the line
        modified = context.modify(line, (Modifier((ChoiceRef(question.group, choice),)),))
        if modified is None:
            return
        draft, changed = with_part(draft, number, part, modified.line._replace(quantity=part))
        numbers.append(changed)
    yield Edit(context, event, draft, tuple(numbers))


def _pending_lines(context: Context, items: Sequence[str]) -> list[DraftLine]:
    """Return the pending line with each item that was accepted: they share its quantity equally, or else have one unit each."""
    pending = context.question.pending if context.question is not None else None
    if pending is None:
        return [DraftLine((item,), context.chunk.number or 1) for item in items]
    share, rest = divmod(pending.quantity, max(1, len(items)))
    quantity = context.chunk.number or (share if share and not rest else 1)
    return [DraftLine((item,), quantity, pending.options) for item in items]
