"""Synchronise all clients' recommenders with a store that several processes share.

Each process has its own counts: it reads every stored order once, within POLL_S, whichever process stored it. A fit takes seconds of a
core, so one process fits and saves the fit in the store. The other running processes load it from there. A process that starts later loads
it, too. An import fits after its last order, and running servers load that fit. Snapshots of the counts are saved after each
SNAPSHOT_ORDERS orders, so that a start reads few orders again. Fits and snapshots only save work: if they are missing or unreadable,
everything is computed from the orders.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence

from errors import MenuNotFound, Overloaded
from voice.menus.menu import Menu
from voice.menus.names import Name
from voice.recommend.fit_process import FIT_COMMAND, run_fit
from voice.recommend.fitting import pack_task, unpack_fitted
from voice.recommend.past_orders import CountsSnapshot, PastOrder, RecommenderStore
from voice.recommend.recommender import BATCH_ORDERS, FIRST_FIT_ORDERS, Recommender

log = logging.getLogger(__name__)

Key = tuple[str, str]  # client and menu

POLL_S = 1.0
RETRY_S = 1.0
# After a start the first suggestions wait at most this long for the stored orders; then they use the orders counted so far.
START_PATIENCE_S = 5.0
# A start counts at most this many orders again (3,000 take 0.1 s), or this share of all, because large snapshots are slow to save.
SNAPSHOT_ORDERS = 10_000
SNAPSHOT_SHARE = 0.02
# A fit is abandoned when the next fit would use OUTDATED times as many orders.
OUTDATED = 1.5


class Recommenders:
    """All clients' recommenders, fed from a store.

    `find_menu` returns a menu by its client and id, or raises MenuNotFound or Overloaded; orders from an unknown menu are counted, too.
    """

    def __init__(  # noqa: PLR0913 - limits with defaults
        self,
        find_menu: Callable[[str, str], Menu],
        *,
        poll_s: float = POLL_S,
        retry_s: float = RETRY_S,
        start_patience_s: float = START_PATIENCE_S,
        snapshot_orders: int = SNAPSHOT_ORDERS,
        fit_command: Sequence[str] = FIT_COMMAND,
    ) -> None:
        self._find_menu = find_menu
        self._poll_s, self._retry_s, self._start_patience_s = poll_s, retry_s, start_patience_s
        self._snapshot_orders = snapshot_orders
        self._fit_command = fit_command
        self._recommenders: dict[Key, Recommender] = {}
        # The sequence of the last counted order, of all and by recommender.
        self._sequence = 0
        self._sequences: dict[Key, int] = {}
        self._n_orders = 0
        # The greatest sequence of a saved snapshot at the last look-up.
        self._saved_sequence = 0
        # The number of orders that each recommender's tuned model was fitted to.
        self._fitted_orders: dict[Key, int] = {}
        self._woken = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._started = asyncio.Event()
        self._patience_ends_s: float | None = None

    def get(self, client: str, menu: Menu) -> Recommender:
        """Return a client's recommender, with the menu in its present state."""
        recommender = self._recommenders.get((client, menu.id))
        if recommender is None:
            recommender = self._recommenders[client, menu.id] = Recommender(menu)
        elif recommender.menu is not menu:
            recommender.set_menu(menu)
        return recommender

    def wake(self) -> None:
        """Read new orders at once: one was stored."""
        self._woken.set()

    async def started(self) -> None:
        """Wait until the stored orders are counted, the store fails, or `start_patience_s` has passed since the start."""
        if self._started.is_set() or self._patience_ends_s is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._started.wait(), max(0, self._patience_ends_s - time.monotonic()))

    # Orders

    async def follow(self, store: RecommenderStore) -> None:
        """Count each stored order once and make the fits that are due, until cancelled; retry when the store fails."""
        self._patience_ends_s = time.monotonic() + self._start_patience_s
        fitting = asyncio.create_task(self._fit_when_due(store))
        try:
            while True:
                self._woken.clear()
                try:
                    await self._catch_up(store)
                except Overloaded:
                    log.warning("orders cannot be read; retrying")
                    self._started.set()
                    await asyncio.sleep(self._retry_s)
                    continue
                self._caught_up.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), self._poll_s)
        finally:
            fitting.cancel()
            await asyncio.gather(fitting, return_exceptions=True)

    async def fit_once(self, store: RecommenderStore, client: str, menu: Menu) -> bool:
        """Count all stored orders, fit to a client's orders from a menu, and save the fit; return False if no fit was needed.

        Raises:
            Overloaded: the store does not answer.

        """
        await self._catch_up(store)
        recommender = self.get(client, menu)
        if recommender.n_orders >= FIRST_FIT_ORDERS:
            recommender.due = recommender.n_orders  # beyond the last regular fit: the newest orders are the best evidence
        if await self._load_fit((client, menu.id), recommender, store):
            return False
        await self._fit((client, menu.id), recommender, store, quick=False)
        return True

    async def _catch_up(self, store: RecommenderStore) -> None:
        """Count the orders stored so far."""
        if not self._sequence:
            await self._load_snapshots(store)
        while True:
            orders = await store.orders_after(self._sequence, limit=BATCH_ORDERS)
            self._add_orders(orders)
            if len(orders) < BATCH_ORDERS:
                break
            await asyncio.sleep(0)
        await self._save_snapshots(store)

    def _add_orders(self, orders: Sequence[PastOrder]) -> None:
        by_key: dict[Key, list[PastOrder]] = {}
        for order in orders:
            by_key.setdefault((order.client, order.menu), []).append(order)
            self._sequence = order.sequence
        self._n_orders += len(orders)
        for key, orders_of_key in by_key.items():
            self._find_or_make(key).add_orders(orders_of_key)
            self._sequences[key] = orders_of_key[-1].sequence

    def _find_or_make(self, key: Key) -> Recommender:
        """Return a recommender; a new one has an empty menu if its own menu is unknown."""
        recommender = self._recommenders.get(key)
        if recommender is not None:
            return recommender
        client, menu_id = key
        try:
            menu = self._find_menu(client, menu_id)
        except (MenuNotFound, Overloaded):
            menu = Menu(id=menu_id, name=Name(menu_id), currency="XXX", items={})  # ISO 4217: no currency
        return self.get(client, menu)

    # Snapshots

    async def _load_snapshots(self, store: RecommenderStore) -> None:
        """Start from the saved snapshots, if all of them can be read."""
        snapshots: dict[Key, tuple[int, bytes]] = {}
        sequences: dict[Key, int] = {}
        while not sequences or any(snapshots[key][0] != sequence for key, sequence in sequences.items()):
            # Another process may save newer snapshots between two reads; these are read again.
            sequences = await store.snapshot_sequences()
            for key, sequence in sequences.items():
                if snapshots.get(key, (0,))[0] != sequence:
                    snapshots[key] = await store.get_snapshot(*key) or (0, b"")
            if not sequences:
                return
        restored = {}
        try:
            for key, (_, counts) in snapshots.items():
                restored[key] = Recommender(self._find_or_make(key).menu)
                await asyncio.to_thread(restored[key].restore, counts)
        except ValueError:
            log.exception("a snapshot cannot be read: all orders are counted again")
            return
        self._recommenders |= restored
        self._sequences, self._sequence = sequences, max(sequences.values())
        self._saved_sequence = self._sequence
        self._n_orders = sum(recommender.n_orders for recommender in restored.values())

    async def _save_snapshots(self, store: RecommenderStore) -> None:
        """If many orders were counted since the saved snapshots, save a snapshot of each recommender with new orders."""
        enough = max(self._snapshot_orders, int(self._n_orders * SNAPSHOT_SHARE))
        if self._sequence - self._saved_sequence < enough:
            return
        saved = await store.snapshot_sequences()
        self._saved_sequence = max(saved.values(), default=0)
        if self._sequence - self._saved_sequence < enough:
            return
        snapshots = []
        for (client, menu_id), sequence in self._sequences.items():
            if sequence > saved.get((client, menu_id), 0):
                counts = await asyncio.to_thread(self._recommenders[client, menu_id].snapshot)
                snapshots.append(CountsSnapshot(client, menu_id, sequence, counts))
        await store.save_snapshots(snapshots, since=self._saved_sequence)
        self._saved_sequence = self._sequence

    # Fits

    async def _fit_when_due(self, store: RecommenderStore) -> None:
        """Make the due fits, one at a time; first quick ones for recommenders without a model or with one fitted to few of the orders."""
        while True:
            await self._caught_up.wait()
            self._caught_up.clear()
            due = [(key, recommender) for key, recommender in self._recommenders.items() if recommender.due is not None]
            for key, recommender in due:
                await self._load_fit(key, recommender, store)
            self._started.set()
            for quick in (True, False):
                for key, recommender in due:
                    if recommender.due is None or (quick and not recommender.needs_quick_fit):
                        continue
                    if quick or await self._claim(key, recommender.due, store):
                        await self._fit(key, recommender, store, quick=quick)

    async def _claim(self, key: Key, n_orders: int, store: RecommenderStore) -> bool:
        """Return whether this process should fit; while the store does not answer, each process fits."""
        try:
            return await store.claim_fit(*key, n_orders, outdated=OUTDATED)
        except Overloaded:
            return True

    async def _load_fit(self, key: Key, recommender: Recommender, store: RecommenderStore) -> bool:
        """Use a newer fit of another process, if one is saved; return True if no fit is due now."""
        recommender.end_fit(self._fitted_orders.get(key, 0))
        if recommender.due is None:
            return True
        try:
            saved = await store.get_fit(*key, after=self._fitted_orders.get(key, 0))
            if saved is not None:
                self._use(key, recommender, *saved)
        except Overloaded:
            log.warning("fits cannot be read")
        except ValueError:
            log.exception("a saved fit cannot be read")
        return recommender.due is None

    def _use(self, key: Key, recommender: Recommender, n_orders: int, fitted: bytes) -> None:
        """Use a tuned fit from now on."""
        recommender.use(unpack_fitted(fitted))
        recommender.end_fit(n_orders)
        self._fitted_orders[key] = n_orders

    async def _fit(self, key: Key, recommender: Recommender, store: RecommenderStore, *, quick: bool) -> None:
        """Make the due fit; abandon it if OUTDATED times as many orders are due meanwhile, as during an import."""
        n_orders = recommender.due or 0
        task = await asyncio.to_thread(pack_task, *recommender.fit_input(n_orders), quick=quick)
        fitting = asyncio.create_task(run_fit(self._fit_command, task))
        try:
            while not fitting.done() and (recommender.due or 0) < n_orders * OUTDATED:
                await asyncio.wait({fitting}, timeout=self._poll_s)
                if not quick and not fitting.done() and await self._load_fit(key, recommender, store):
                    return
            if not fitting.done():
                return
            fitted = fitting.result()
            if quick:
                recommender.use(unpack_fitted(fitted))
                return
            with contextlib.suppress(Overloaded):
                await store.save_fit(*key, n_orders, fitted)
            self._use(key, recommender, n_orders, fitted)
        except (OSError, EOFError, ValueError):
            # The same task would fail again. Counts remain in use until the next fit is due.
            log.exception("the fit to %d orders failed", n_orders)
            recommender.end_fit(n_orders)
        finally:
            fitting.cancel()
            await asyncio.gather(fitting, return_exceptions=True)
