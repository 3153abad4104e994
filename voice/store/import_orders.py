"""Bring in the orders that a merchant already has: `python -m voice.store.orders import FILE.csv --menu ID`."""

import argparse
import asyncio
import csv
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TextIO
from uuid import UUID, uuid5

from pydantic import BaseModel, BeforeValidator, TypeAdapter, ValidationError

from errors import Overloaded
from schemas import Id, Line, Menu, PrimaryKey, Quantity, Slug, StoredOrder, Timestamp
from settings import Settings, read_settings
from voice.commands import CommandParser
from voice.menus.loading import MenuBook
from voice.recommend.sync import POLL_S, Recommenders
from voice.store.database import RETRY_S
from voice.store.orders import NewOrder, Store, on_the_wire

# The names of imported orders; any fixed UUID.
IMPORTED = UUID("6f1d3ab2-5d0e-4c3b-9a57-0b8c1f6e2d94")
# An import may run beside a server: it holds the database for some 20 ms, and then leaves it for as long to others.
IMPORT_BATCH = 250
IMPORT_PAUSE_S = 0.02
# What a line takes.
MAX_QUANTITY = 999
# How long an import goes on trying when the database is away.
IMPORT_PATIENCE_S = 60.0
# Servers that run have taken up what was learned by then.
SERVERS_LOOK_S = 2 * POLL_S
# Where progress is not seen as it changes, a line every few seconds is enough.
PROGRESS_S = 5.0


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


class HistoryRow(BaseModel):
    """A row of a merchant's history: one item of an order."""

    order_id: Annotated[str, BeforeValidator(_none_if_empty)]
    timestamp: Annotated[Timestamp | None, BeforeValidator(_none_if_empty)]
    customer_id: Annotated[PrimaryKey | None, BeforeValidator(_none_if_empty)]
    item: Id
    quantity: Quantity


@dataclass(slots=True)
class HistoryOrder:
    """An order of a merchant's history."""

    placed_at: datetime | None
    customer_id: int | None
    quantities: Counter[str] = field(default_factory=Counter)


class RowRefused(Exception):
    """A row that does not come in; the message is the reason."""


def read_history(lines: Iterable[str], menu: Menu, refuse: Callable[[int, str], None]) -> dict[str, HistoryOrder]:
    """Gather the rows into orders, by their id in the file; rows of one order may stand anywhere.

    Each bad row is refused by its number (1 is the first below the head) with a reason.

    Raises:
        ValueError: a column is missing.

    """
    history: dict[str, HistoryOrder] = {}
    reader = csv.DictReader(lines)
    missing = HistoryRow.model_fields.keys() - set(reader.fieldnames or ())
    if missing:
        message = f"the columns {', '.join(sorted(missing))} are missing"
        raise ValueError(message)
    for number, fields in _numbered(reader, refuse):
        try:
            _take_up(fields, menu, history)
        except RowRefused as reason:
            refuse(number, str(reason))
    return history


def _numbered(reader: "csv.DictReader[str]", refuse: Callable[[int, str], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give each row its number; go on behind what is not CSV."""
    number = 0
    while True:
        number += 1
        try:
            yield number, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            refuse(number, str(error))


def _take_up(fields: dict[str, Any], menu: Menu, history: dict[str, HistoryOrder]) -> None:
    """Add a row to its order.

    Raises:
        RowRefused: it cannot be one.

    """
    if None in fields:
        message = "more fields than columns"
        raise RowRefused(message)
    try:
        row = HistoryRow.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        message = f"{first['loc'][0]}: {first['msg']}"
        raise RowRefused(message) from error
    if row.item not in menu.items:
        message = f"item: {row.item!r} is not on the menu"
        raise RowRefused(message)
    order = history.get(row.order_id)
    if order is None:
        order = history[row.order_id] = HistoryOrder(None, None)
    if row.customer_id and order.customer_id and row.customer_id != order.customer_id:
        message = "customer_id: another than in the order's rows before"
        raise RowRefused(message)
    if order.quantities[row.item] + row.quantity > MAX_QUANTITY:
        message = "quantity: too much of one item in one order"
        raise RowRefused(message)
    order.placed_at = order.placed_at or row.timestamp
    order.customer_id = order.customer_id or row.customer_id
    order.quantities[row.item] += row.quantity


def priced(order: HistoryOrder, menu: Menu) -> list[Line]:
    """Price an order's items as the menu stands: what the item costs, and the defaults of its option groups."""
    lines: list[Line] = []
    for item_id, quantity in order.quantities.items():
        item = menu.items[item_id]
        groups = (menu.option_groups[group] for group in item.options)
        unit_price = item.price + sum(group.choices[group.default].price for group in groups if group.default is not None)
        lines.append(
            {
                "item": item_id,
                "name": item.name,
                "quantity": quantity,
                "options": [],
                "unit_price": unit_price,
                "total": unit_price * quantity,
                "confidence": None,
                "span": None,
            }
        )
    return lines


def imported_id(client: str, menu: Menu, name: str) -> str:
    """Name an order by what it is known by."""
    return str(uuid5(IMPORTED, f"{client}\n{menu.id}\n{name}"))


def new_orders(history: dict[str, HistoryOrder], client: str, menu: Menu, now: datetime) -> list[NewOrder]:
    """Turn a history into orders, oldest first. Those without a time are placed a second apart, the last one a second before now."""
    timeless = sum(order.placed_at is None for order in history.values())
    made = []
    for name, order in history.items():
        placed_at = order.placed_at
        if placed_at is None:
            placed_at = now - timedelta(seconds=timeless)
            timeless -= 1
        lines = priced(order, menu)
        stored: StoredOrder = {
            "order_id": imported_id(client, menu, name),
            "menu": menu.id,
            "lines": lines,
            "total": sum(line["total"] for line in lines),
            "currency": menu.currency,
            "customer_id": order.customer_id,
            "placed_at": on_the_wire(placed_at),
        }
        made.append(NewOrder(client, stored, placed_at_given=order.placed_at is not None))
    return sorted(made, key=lambda new: new.order["placed_at"])


class Progress:
    """Say how far it is: in place on a terminal, else a line every PROGRESS_S."""

    def __init__(self, total: int, out: TextIO) -> None:
        self._total, self._out = total, out
        self._began_s = self._said_s = time.monotonic()

    def say(self, done: int) -> None:
        """Say that so many orders are done."""
        now_s = time.monotonic()
        if not self._out.isatty() and now_s - self._said_s < PROGRESS_S:
            return
        self._said_s = now_s
        rate = done / max(now_s - self._began_s, 0.001)
        text = f"{done:,} of {self._total:,} orders, {rate:,.0f} a second"
        self._out.write(f"\r{text}\033[K" if self._out.isatty() else f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line that was written in place."""
        if self._out.isatty():
            self._out.write("\r\033[K")


async def import_orders(store: Store, new: Sequence[NewOrder], progress: Progress) -> tuple[int, set[str]]:
    """Store a history; return how many orders are new, and the ids of those that are stored with another content, which stays.

    Raises:
        Overloaded: the database stayed away. What is stored stays stored; the next import goes on there.

    """
    created, done = 0, 0
    conflicts: set[str] = set()
    patience_ends_s = time.monotonic() + IMPORT_PATIENCE_S
    while done < len(new):
        batch = new[done : done + IMPORT_BATCH]
        try:
            outcomes = await store.put_orders(batch)
        except Overloaded:
            if time.monotonic() > patience_ends_s:
                raise
            await asyncio.sleep(RETRY_S)
            continue
        patience_ends_s = time.monotonic() + IMPORT_PATIENCE_S
        created += sum(is_new for _, is_new in outcomes)
        conflicts.update(
            order.order["order_id"]
            for order, (kept, is_new) in zip(batch, outcomes, strict=True)
            if not is_new and not kept.is_meant_by(order)
        )
        done += len(batch)
        progress.say(done)
        await asyncio.sleep(IMPORT_PAUSE_S)
    progress.end()
    return created, conflicts


async def learn_from(store: Store, book: MenuBook[Menu], client: str, menu: Menu) -> float:
    """Learn from what came in, so that servers need not; return what it took. Where it cannot be done now they do it themselves."""
    began_s = time.monotonic()
    try:
        if await Recommenders(book.get).learn(store, client, menu):
            await asyncio.sleep(SERVERS_LOOK_S)
    except Overloaded:
        print("all orders came in; what they teach is learned by the servers", file=sys.stderr)  # noqa: T201
    return time.monotonic() - began_s


async def _import(arguments: argparse.Namespace, settings: Settings) -> None:
    """Import the file that the arguments name.

    Raises:
        SystemExit: it did not come in; the message says why.

    """
    book: MenuBook[Menu] = MenuBook(settings.menu_dir, lambda menu: menu)
    book.refresh()
    if arguments.menu not in book.menus:
        problem = next((problem for file, problem in book.problems.items() if Path(file).stem == arguments.menu), "there is none")
        sys.exit(f"menu {arguments.menu!r} in {settings.menu_dir}: {problem}; served are: {', '.join(book.menus) or 'none'}")
    menu, refused = book.menus[arguments.menu], 0

    def refuse(number: int, reason: str) -> None:
        nonlocal refused
        refused += 1
        print(f"row {number}: {reason}", file=sys.stderr)  # noqa: T201 - a command speaks to who runs it

    began_s = time.monotonic()
    try:
        store = Store(settings.database_url)
        with arguments.file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            history = read_history(lines, menu, refuse)
    except (OSError, ValueError, csv.Error) as error:
        sys.exit(f"nothing came in: {error}")
    new = new_orders(history, arguments.client, menu, datetime.now(UTC))
    await store.open(migrate=not settings.environment.is_deployed)
    try:
        created, conflicts = await import_orders(store, new, Progress(len(new), sys.stderr))
        stored_s = time.monotonic() - began_s
        learned_s = await learn_from(store, book, arguments.client, menu)
    except Overloaded as error:
        sys.exit(f"{error} Not all orders came in; the same command goes on where this one stopped.")
    finally:
        await store.close()
    for name in history if conflicts else ():
        if imported_id(arguments.client, menu, name) in conflicts:
            print(f"order {name}: stored before with another content, which stays", file=sys.stderr)  # noqa: T201
    print(  # noqa: T201
        f"{created:,} orders stored, {len(new) - created - len(conflicts):,} were there, {len(conflicts):,} differ from what was there, "
        f"{refused:,} rows refused; {stored_s:.1f} s, and {learned_s:.1f} s to learn from them"
    )


def main() -> None:
    """Run the command line."""
    parser = CommandParser(prog="python -m voice.store.orders", description="Bring in the orders that a merchant already has.")
    commands = parser.add_subparsers(dest="command", required=True)
    importing = commands.add_parser("import", help="import a CSV file with the columns order_id, timestamp, customer_id, item, quantity")
    importing.add_argument("file", type=Path, help="running it again changes nothing")
    importing.add_argument("--menu", required=True, help="the menu's id; item holds ids of its items")
    importing.add_argument("--client", help="whose orders they are (demo, in LOCAL and TESTING)")
    arguments = parser.parse_args()
    settings = read_settings(Settings)
    if arguments.client is None:
        if settings.environment.is_deployed:
            parser.error("--client is needed")
        arguments.client = "demo"
    try:
        TypeAdapter(Slug).validate_python(arguments.client)
    except ValidationError:
        parser.error("--client: not a client's id")
    asyncio.run(_import(arguments, settings))
