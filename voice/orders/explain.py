"""Describe how an utterance is understood, for `python -m voice explain`."""

from collections.abc import Sequence

from voice.orders import search
from voice.orders.engine import OrderEngine
from voice.orders.lexicon import Arc, ChoiceRef, Role
from voice.orders.search import Group, Parse
from voice.orders.words import Token

# The flags of a group are the constants of voice.orders.search from MORE to DESCRIBED.
_CONSTANTS = list(vars(search))
FLAGS = _CONSTANTS[_CONSTANTS.index("MORE") : _CONSTANTS.index("OPERATIONS")]


def explain(engine: OrderEngine, utterance: str) -> str:
    """Return the lattice, the chosen parse and the runner-up with their costs, and the order."""
    tokens, lattice, parses = engine.parses(utterance)
    rows = ["Lattice: cost, role, words, value", *_lattice_rows(tokens, lattice)]
    for name, parse in zip(("Chosen", "Runner-up"), parses, strict=False):
        rows += [f"{name}: cost {parse.cost:.2f}", *_parse_rows(tokens, parse)]
    return "\n".join([*rows, *_order_rows(engine, utterance)])


def _lattice_rows(tokens: Sequence[Token], lattice: Sequence[Sequence[Arc]]) -> list[str]:
    return [
        f"  {arc.cost:5.2f}  {arc.role.name:10}  {_words(tokens, start, start + arc.length):30}  {_value(arc.value)}"
        for start, row in enumerate(lattice)
        for arc in row
        if arc.role is not Role.UNUSED
    ]


def _parse_rows(tokens: Sequence[Token], parse: Parse) -> list[str]:
    rows = [_group_row(tokens, group) for group in search.groups(parse)]
    rows += [f"          unread: {_words(tokens, start, end)}" for start, end in search.unread_spans(parse)]
    return rows


def _group_row(tokens: Sequence[Token], group: Group) -> str:
    options = [
        f"{option.amount + ' ' if option.amount else ''}{f'{option.portions} x ' if option.portions > 1 else ''}{_value(option.entries)}"
        for option in group.options
    ]
    line = f"{'|'.join(group.items) or '-'} x{group.number or '-'} {{{', '.join(options)}}}"
    flags = " ".join(name for name in FLAGS if group.flags & getattr(search, name))
    return f"    {group.cost:5.2f}  {line} {flags}  « {_words(tokens, group.start, group.end)} »"


def _order_rows(engine: OrderEngine, utterance: str) -> list[str]:
    order = engine.understand(utterance)
    rows = [f"Order: {order['total']} {order['currency']}"]
    for line in order["lines"]:
        options = ", ".join(f"{option['amount'] + ' ' if option['amount'] else ''}{option['name']}" for option in line["options"])
        rows.append(f"    {line['quantity']} x {line['name']} {{{options}}} {line['total']}, confidence {line['confidence']}")
    rows += [f"    {question['text']}" for question in order["questions"]]
    rows += [f"    unmatched: {unmatched}" for unmatched in order["unmatched"]]
    return rows


def _words(tokens: Sequence[Token], start: int, end: int) -> str:
    return " ".join(token.surface for token in tokens[max(0, start) : max(0, end)])


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return "|".join(f"{one.group}.{one.choice}" if isinstance(one, ChoiceRef) else str(one) for one in value)
    return "" if value is None else str(value)
