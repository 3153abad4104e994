"""Productions that answer the open question."""

from collections.abc import Iterator, Sequence

from voice.orders.parser.draft import ChoiceRef, DraftLine, Modifier
from voice.orders.parser.edits import Context, Edit
from voice.orders.parser.productions.adding import added
from voice.orders.parser.roles import Role
from voice.orders.parser.state import ChunkFlag


def choose(context: Context) -> Iterator[Edit]:
    """Accept choices of the open question by place, by a pronoun, or all of them."""
    question, chunk = context.question, context.chunk
    if question is None or not question.choices or chunk.items or chunk.modifiers or context.hypothesis.n_edits:
        return
    choices = question.choices
    if chunk.place:
        place = chunk.place - 1 if chunk.place > 0 else len(choices) + chunk.place
        if 0 <= place < len(choices):
            yield from _accept(context, (choices[place],), "place")
    elif context.has(ChunkFlag.ALL | ChunkFlag.EACH) and chunk.scope in {0, len(choices)}:
        yield from _accept(context, choices, "all")
    elif len(choices) == 1 and (context.has(ChunkFlag.REFERENCE | ChunkFlag.ONES) or chunk.number):
        yield from _accept(context, choices, "number" if chunk.number else "reference")


def choose_by_role(context: Context, role: Role) -> Iterator[Edit]:
    """Accept a sole choice by "yes", or one of several by preference: any, the dearest, the cheapest."""
    question = context.question
    if question is None or not question.choices:
        return
    if role is Role.YES and len(question.choices) == 1:
        yield from _accept(context, question.choices, "yes")
    elif role in {Role.ANY, Role.MOST, Role.LEAST} and question.group in context.index.menu.option_groups:
        group = context.index.menu.option_groups[question.group]
        by_price = sorted(
            [choice for choice in question.choices if choice in group.choices], key=lambda choice: group.choices[choice].price
        )
        if by_price:
            picked = {Role.MOST: by_price[-1], Role.LEAST: by_price[0], Role.ANY: group.default or by_price[0]}[role]
            yield from _accept(context, (picked,), role.name.lower())


def _pending_lines(context: Context, items: Sequence[str]) -> list[DraftLine]:
    """Return the pending line with each item that was accepted: they share its quantity equally, or else have one unit each."""
    pending = context.question.pending if context.question is not None else None
    if pending is None:
        return [DraftLine((item,), context.chunk.number or 1) for item in items]
    share, rest = divmod(pending.quantity, max(1, len(items)))
    quantity = context.chunk.number or (share if share and not rest else 1)
    return [DraftLine((item,), quantity, pending.options) for item in items]


def _accept(context: Context, choices: Sequence[str], how: str) -> Iterator[Edit]:
    """Accept choices of the open question: options of its line, or items."""
    question = context.question
    if question is None:
        return
    event = ("accept", how, question.kind, question.group is not None)
    if question.group is None:
        lines = _pending_lines(context, [choice for choice in choices if choice in context.index.menu.items])
        if lines:
            yield added(context, event, lines, forwarded=context.hypothesis.forwarded)
        return
    number = question.line
    if number is None or number >= len(context.draft) or context.draft[number].quantity == 0:
        return
    modified = context.modify(context.draft[number], [Modifier((ChoiceRef(question.group, choice),)) for choice in choices])
    if modified is not None:
        yield Edit(context, event, context.with_line(number, modified.line), (number,))
