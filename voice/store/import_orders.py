"""Import a merchant's past orders, and fit the suggestions to them."""

import asyncio
import csv
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO
from uuid import UUID, uuid5

from errors import Overloaded
from schemas import LineRequest
from settings import Settings
from voice.dialog.turn import DialogEngine
from voice.menus.loading import MenuBook
from voice.menus.menu import Menu
from voice.menus.served import menu_of
from voice.recommend.sync import POLL_S, Recommenders
from voice.store.connection import RETRY_S
from voice.store.history_file import HistoryOrder, read_history
from voice.store.placing import Pricer, price_order
from voice.store.store import Store
from voice.store.stored_orders import NewOrder

# The namespace of the UUIDs of imported orders: arbitrary, but fixed.
IMPORT_NAMESPACE = UUID("6f1d3ab2-5d0e-4c3b-9a57-0b8c1f6e2d94")
# An import may run beside a server: a batch locks the database for about 20 ms, and the pause after it is as long.
BATCH_ORDERS = 250
PAUSE_S = 0.02
# An import retries for this long while the database does not answer.
PATIENCE_S = 60.0
# Time for running servers to load the fit.
SERVERS_LOAD_S = 2 * POLL_S
# The interval of progress lines if the output is not a terminal.
PROGRESS_S = 5.0


class ImportFailed(Exception):
    """Not all orders were imported; the message is the reason."""


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The outcome of an import: numbers of orders and rows, and durations."""

    n_created: int  # orders that this import stored
    n_present: int  # orders that were stored before, with the same content
    n_conflicts: int  # orders that were stored before, with other content, which remains
    n_rejected_rows: int
    stored_s: float
    fitted_s: float

    def __str__(self) -> str:
        """Return one line for a terminal."""
        return (
            f"{self.n_created:,} orders stored, {self.n_present:,} were there, {self.n_conflicts:,} differ from what was there, "
            f"{self.n_rejected_rows:,} rows rejected; {self.stored_s:.1f} s, and {self.fitted_s:.1f} s to fit the suggestions"
        )


class Progress:
    """Print the progress: in place on a terminal, else a line every PROGRESS_S."""

    def __init__(self, total: int, out: TextIO) -> None:
        self._total, self._out = total, out
        self._began_s = self._printed_s = time.monotonic()

    def update(self, n_done: int) -> None:
        """Print the number of orders done."""
        now_s = time.monotonic()
        if not self._out.isatty() and now_s - self._printed_s < PROGRESS_S:
            return
        self._printed_s = now_s
        rate = n_done / max(now_s - self._began_s, 0.001)
        text = f"{n_done:,} of {self._total:,} orders, {rate:,.0f} a second"
        self._out.write(f"\r{text}\033[K" if self._out.isatty() else f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        """Clear the line that was printed in place."""
        if self._out.isatty():
            self._out.write("\r\033[K")


def imported_id(client: str, menu: Menu, name: str) -> UUID:
    """Derive the id of an imported order from its client, menu and id in the file."""
    return uuid5(IMPORT_NAMESPACE, f"{client}\n{menu.id}\n{name}")


def new_orders(history: dict[str, HistoryOrder], client: str, pricer: Pricer, now: datetime) -> list[NewOrder]:
    """Price a history from the menu, oldest order first.

    Orders without a time are placed one second apart, the last one a second before `now`.
    """
    n_timeless = sum(order.placed_at is None for order in history.values())
    new = []
    for name, order in history.items():
        placed_at = order.placed_at
        if placed_at is None:
            placed_at = now - timedelta(seconds=n_timeless)
            n_timeless -= 1
        lines = [LineRequest(item=item, quantity=quantity) for item, quantity in order.quantities.items()]
        order_id = imported_id(client, pricer.menu, name)
        stored = price_order(pricer, order_id, lines, customer_id=order.customer_id, placed_at=placed_at)
        new.append(NewOrder(client, stored, placed_at_given=order.placed_at is not None))
    return sorted(new, key=lambda one: one.order["placed_at"])


async def store_orders(store: Store, new: Sequence[NewOrder], progress: Progress) -> tuple[int, set[str]]:
    """Store orders in batches; return the number created, and the ids of orders stored before with other content, which remains.

    Raises:
        Overloaded: the database did not answer for PATIENCE_S. The next import continues where this one stopped.

    """
    n_created, n_done = 0, 0
    conflicts: set[str] = set()
    patience_ends_s = time.monotonic() + PATIENCE_S
    while n_done < len(new):
        batch = new[n_done : n_done + BATCH_ORDERS]
        try:
            outcomes = await store.put_orders(batch)
        except Overloaded:
            if time.monotonic() > patience_ends_s:
                raise
            await asyncio.sleep(RETRY_S)
            continue
        patience_ends_s = time.monotonic() + PATIENCE_S
        for one, (record, is_new) in zip(batch, outcomes, strict=True):
            n_created += is_new
            if not is_new and not one.is_stored_as(record):
                conflicts.add(one.order["order_id"])
        n_done += len(batch)
        progress.update(n_done)
        await asyncio.sleep(PAUSE_S)
    progress.end()
    return n_created, conflicts


async def fit_suggestions(store: Store, book: MenuBook[Menu], client: str, menu: Menu, report: TextIO) -> float:
    """Fit to the stored orders, so that servers need not; return the seconds. If the database fails, the servers fit."""
    began_s = time.monotonic()
    try:
        if await Recommenders(lambda _, menu_id: menu if menu_id == menu.id else book.get(menu_id)).fit_once(store, client, menu):
            await asyncio.sleep(SERVERS_LOAD_S)
    except Overloaded:
        report.write("all orders were imported; the servers will fit the suggestions to them\n")
    return time.monotonic() - began_s


async def find_menu(book: MenuBook[Menu], store: Store, client: str, menu_id: str, settings: Settings) -> Menu:
    """Return a menu of MENU_DIR, or one that the client put.

    Raises:
        ImportFailed: neither is there. Overloaded: the database does not answer.

    """
    if menu_id in book.menus:
        return book.menus[menu_id]
    document = await store.menu_document(client, menu_id)
    if document is not None:
        return menu_of(document, menu_id)[0]
    problem = next((problem for file, problem in book.problems.items() if Path(file).stem == menu_id), "no such menu")
    message = f"menu {menu_id!r} in {settings.menu_dir}: {problem}; served are: {', '.join(book.menus) or 'none'}"
    raise ImportFailed(message)


async def _import(file: Path, menu_id: str, client: str, settings: Settings, report: TextIO) -> ImportSummary:
    book: MenuBook[Menu] = MenuBook(settings.menu_dir, lambda menu: menu)
    book.refresh()
    try:
        store = Store(settings.database_url)
    except ValueError as error:
        message = f"nothing was imported: {error}"
        raise ImportFailed(message) from error
    await store.open(migrate=not settings.environment.is_deployed)
    try:
        menu = await find_menu(book, store, client, menu_id, settings)
        return await _import_orders(file, menu, client, store, book, report)
    except Overloaded as error:
        message = f"{error} Not all orders were imported; the same command continues where this one stopped."
        raise ImportFailed(message) from error
    finally:
        await store.close()


async def _import_orders(  # noqa: PLR0913, PLR0917 - the parts of an import
    file: Path, menu: Menu, client: str, store: Store, book: MenuBook[Menu], report: TextIO
) -> ImportSummary:
    rejected: list[int] = []

    def reject(number: int, reason: str) -> None:
        rejected.append(number)
        report.write(f"row {number}: {reason}\n")

    began_s = time.monotonic()
    try:
        with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
            history = read_history(lines, menu, reject)
    except (OSError, ValueError, csv.Error) as error:
        message = f"nothing was imported: {error}"
        raise ImportFailed(message) from error
    new = new_orders(history, client, DialogEngine(menu), datetime.now(UTC))
    n_created, conflicts = await store_orders(store, new, Progress(len(new), report))
    stored_s = time.monotonic() - began_s
    fitted_s = await fit_suggestions(store, book, client, menu, report)
    for name in history if conflicts else ():
        if str(imported_id(client, menu, name)) in conflicts:
            report.write(f"order {name}: stored before with other content, which remains\n")
    return ImportSummary(n_created, len(new) - n_created - len(conflicts), len(conflicts), len(rejected), stored_s, fitted_s)


def import_orders(file: Path, *, menu_id: str, client: str, settings: Settings, report: TextIO = sys.stderr) -> ImportSummary:
    """Import a CSV file; importing it again changes nothing. Progress, rejected rows and conflicts are printed to `report`.

    Raises:
        ImportFailed: the menu is not served, the file or the database cannot be used, or the database stopped answering.

    """
    return asyncio.run(_import(file, menu_id, client, settings, report))
