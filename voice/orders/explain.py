"""Show how an utterance is understood: `python -m voice.orders.explain "hai cà phê sữa đá" --menu ID`."""

import sys

from errors import MenuNotFound
from schemas import Menu
from settings import Settings, read_settings
from voice.commands import CommandParser
from voice.menus.loading import MenuBook
from voice.orders import search
from voice.orders.engine import OrderEngine
from voice.orders.lexicon import Arc, ChoiceRef, Role
from voice.orders.search import Group, Reading
from voice.orders.words import Token

# The bits that say more of a group, as they are listed there.
_NAMES = list(vars(search))
FLAGS = _NAMES[_NAMES.index("MORE") : _NAMES.index("OPERATIONS")]


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return "|".join(f"{one.group}.{one.choice}" if isinstance(one, ChoiceRef) else str(one) for one in value)
    return "" if value is None else str(value)


def _said(spoken: list[Token], start: int, end: int) -> str:
    return " ".join(token.surface for token in spoken[max(0, start) : max(0, end)])


def _lattice(spoken: list[Token], edges: list[list[Arc]]) -> list[str]:
    return [
        f"  {edge.cost:5.2f}  {edge.role.name:10}  {_said(spoken, start, start + edge.length):30}  {_value(edge.value)}"
        for start, row in enumerate(edges)
        for edge in row
        if edge.role is not Role.UNUSED
    ]


def _group(spoken: list[Token], group: Group) -> str:
    flags = [name for name in FLAGS if group.flags & getattr(search, name)]
    options = [
        f"{option.amount + ' ' if option.amount else ''}{f'{option.portions} x ' if option.portions > 1 else ''}{_value(option.entries)}"
        for option in group.options
    ]
    said = _said(spoken, group.start, group.end)
    line = f"{'|'.join(group.items) or '-'} x{group.number or '-'} {{{', '.join(options)}}}"
    return f"    {group.cost:5.2f}  {line} {' '.join(flags)}  « {said} »"


def _reading(spoken: list[Token], chosen: Reading) -> list[str]:
    rows = [_group(spoken, group) for group in search.groups(chosen)]
    rows += [f"          unused: {_said(spoken, *stretch)}" for stretch in search.lost(chosen)]
    return rows


def explain(engine: OrderEngine, utterance: str) -> str:
    """Return the lattice, the reading chosen beside the runner-up, each with its cost, and the lines."""
    spoken, edges, readings = engine.readings(utterance)
    rows = ["Lattice: cost, meaning, words, value", *_lattice(spoken, edges)]
    for name, chosen in zip(("Chosen", "Runner-up"), readings, strict=False):
        rows += [f"{name}: cost {chosen.cost:.2f}", *_reading(spoken, chosen)]
    order = engine.understand(utterance)
    rows.append(f"Order: {order['total']} {order['currency']}")
    for line in order["lines"]:
        options = ", ".join(f"{option['amount'] + ' ' if option['amount'] else ''}{option['name']}" for option in line["options"])
        rows.append(f"    {line['quantity']} x {line['name']} {{{options}}} {line['total']}, confidence {line['confidence']}")
    rows += [f"    {question['text']}" for question in order["questions"]]
    rows += [f"    unmatched: {words}" for words in order["unmatched"]]
    return "\n".join(rows)


def main() -> int:
    """Explain one utterance."""
    parser = CommandParser(prog="python -m voice.orders.explain", description=__doc__)
    parser.add_argument("text")
    parser.add_argument("--menu", help="id of a menu in MENU_DIR; may be left out where there is one")
    arguments = parser.parse_args()
    book: MenuBook[OrderEngine] = MenuBook(read_settings(Settings).menu_dir, _engine)
    book.refresh()
    try:
        engine = book.get(arguments.menu)
    except MenuNotFound as error:
        problems = "".join(f"; {file}: {problem}" for file, problem in book.problems.items())
        parser.error(f"--menu: {error} There are: {', '.join(book.menus) or 'none'}{problems}")
    sys.stdout.write(explain(engine, arguments.text) + "\n")
    return 0


def _engine(menu: Menu) -> OrderEngine:
    return OrderEngine(menu)


if __name__ == "__main__":
    sys.exit(main())
