"""Keep all clients' recommenders up to date with the store.

Each process reads every stored order once, also those that other processes stored, within POLL_S; the counts are its own. A fit takes
seconds of a core: one process makes it, keeps it in the store, and the others take it from there. So do a process that starts later, and
a server after an import, which fits at its end. The counts are kept, too, each KEPT_ORDERS orders, so that a start reads few orders again
however many there are. What is kept only saves work: without it, or where it cannot be read, everything is learned from the orders.
"""

import asyncio
import contextlib
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Protocol

from errors import MenuNotFound, Overloaded
from schemas import Menu
from voice.recommend import ranking_model
from voice.recommend.recommender import BATCH_ORDERS, FIRST_FIT_ORDERS, Recommender
from voice.store.orders import Counted, PastOrder

log = logging.getLogger(__name__)

Key = tuple[str, str]

POLL_S = 1.0
RETRY_S = 1.0
# What the first suggestions wait for what is stored, from the start on. A start that takes longer begins with what it knows by then.
START_PATIENCE_S = 5.0
# Read again at a start: a tenth of a second's work for each 3,000. A fiftieth of many, since writing all counts down takes longer, too.
KEPT_ORDERS = 10_000
KEPT_SHARE = 0.02

ROOT = Path(__file__).parents[2]
FIT_COMMAND = (sys.executable, "-m", "voice.recommend.ranking_model")
# Of the service's own environment, which holds secrets, a fit gets only what Python may need to start.
FIT_ENVIRONMENT = ("LD_LIBRARY_PATH", "PYTHONPATH")
# A fit is given up where the next one is due from so many times its orders.
OUTDATED = 1.5


class OrderLog(Protocol):
    """Where stored orders are read, each with a number that grows, and what was learned is kept; `voice.store.orders.Store` tells more.

    Each call raises Overloaded when it does not answer.
    """

    async def orders_after(self, sequence: int, *, limit: int) -> list[PastOrder]:
        """Return up to `limit` orders with a greater number, in order."""

    async def claim_fit(self, client: str, menu: str, n_orders: int, *, outdated: float) -> bool:
        """Return whether this process should fit, as no other one is at it."""

    async def keep_fit(self, client: str, menu: str, n_orders: int, fitted: bytes) -> None:
        """Keep a fit for the others."""

    async def get_fit(self, client: str, menu: str, *, after: int) -> tuple[int, bytes] | None:
        """Return the fit that is kept, if it is to more than `after` orders."""

    async def counted_sequences(self) -> dict[Key, int]:
        """Return the number of the last order in all counts that are kept."""

    async def get_counts(self, client: str, menu: str) -> tuple[int, bytes] | None:
        """Return the counts that are kept."""

    async def keep_counts(self, counted: Collection[Counted], *, since: int) -> None:
        """Keep the counts of all that had orders after the number `since`."""


class Recommenders:
    """All clients' recommenders, fed from the store.

    `menus` finds a menu by its id, or raises MenuNotFound: its orders are learned all the same, for when it is served.
    """

    def __init__(self, menus: Callable[[str], Menu]) -> None:
        self._menus = menus
        self._recommenders: dict[Key, Recommender] = {}
        self._sequence = 0
        self._sequences: dict[Key, int] = {}
        self._n_orders = 0
        # How far the counts are kept, when this process last looked.
        self._kept_to = 0
        # To how many orders the thorough fit is that each recommender has.
        self._fitted_to: dict[Key, int] = {}
        self._woken = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._started = asyncio.Event()
        self._patience_ends_s: float | None = None

    def get(self, client: str, menu: Menu) -> Recommender:
        """Return the recommender of a client for a menu as it is now."""
        recommender = self._recommenders.get((client, menu.id))
        if recommender is None:
            recommender = self._recommenders[client, menu.id] = Recommender(menu)
        elif recommender.menu is not menu:
            recommender.serve(menu)
        return recommender

    def wake(self) -> None:
        """Say that an order was stored: it is read at once."""
        self._woken.set()

    async def started(self) -> None:
        """Wait until what is stored is known; not long after the start, and not at all for a store that does not answer."""
        if self._started.is_set() or self._patience_ends_s is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._started.wait(), max(0, self._patience_ends_s - time.monotonic()))

    # Orders

    async def follow(self, store: OrderLog) -> None:
        """Learn each stored order once, also those that other processes stored, until cancelled. A store that fails is asked again."""
        self._patience_ends_s = time.monotonic() + START_PATIENCE_S
        fitting = asyncio.create_task(self._fit_when_due(store))
        try:
            while True:
                self._woken.clear()
                try:
                    await self._catch_up(store)
                except Overloaded:
                    log.warning("orders cannot be read; trying again")
                    self._started.set()
                    await asyncio.sleep(RETRY_S)
                    continue
                self._caught_up.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), POLL_S)
        finally:
            fitting.cancel()
            await asyncio.gather(fitting, return_exceptions=True)

    async def learn(self, store: OrderLog, client: str, menu: Menu) -> bool:
        """Learn all stored orders and fit to those of a client from a menu, for a command; return whether there is a new fit for servers.

        Raises:
            Overloaded: the store does not answer.

        """
        await self._catch_up(store)
        recommender = self.get(client, menu)
        if recommender.n_orders >= FIRST_FIT_ORDERS:
            recommender.due = recommender.n_orders  # not the last that would have been due: the newest orders tell most
        if await self._take_fit((client, menu.id), recommender, store):
            return False
        await self._fit((client, menu.id), recommender, store, quickly=False)
        return True

    async def _catch_up(self, store: OrderLog) -> None:
        """Learn what is stored by now."""
        if not self._sequence:
            await self._restore(store)
        while True:
            orders = await store.orders_after(self._sequence, limit=BATCH_ORDERS)
            self._learn(orders)
            if len(orders) < BATCH_ORDERS:
                break
            await asyncio.sleep(0)
        await self._keep_counts(store)

    def _learn(self, orders: Sequence[PastOrder]) -> None:
        by_menu: dict[Key, list[PastOrder]] = {}
        for order in orders:
            by_menu.setdefault((order.client, order.menu), []).append(order)
            self._sequence = order.sequence
        self._n_orders += len(orders)
        for key, theirs in by_menu.items():
            self._known(key).learn_all(theirs)
            self._sequences[key] = theirs[-1].sequence

    def _known(self, key: Key) -> Recommender:
        """Return a recommender, with an empty menu where its own is not served."""
        recommender = self._recommenders.get(key)
        if recommender is not None:
            return recommender
        client, menu_id = key
        try:
            menu = self._menus(menu_id)
        except MenuNotFound:
            menu = Menu(id=menu_id, name=menu_id, currency="XXX", items={})  # ISO 4217: no currency
        return self.get(client, menu)

    # Counts that are kept

    async def _restore(self, store: OrderLog) -> None:
        """Begin with the counts that are kept, if all of them can be read."""
        counted: dict[Key, tuple[int, bytes]] = {}
        sequences: dict[Key, int] = {}
        while not sequences or any(counted[key][0] != sequence for key, sequence in sequences.items()):
            # Another process may keep newer counts between two reads: then what changed is read again.
            sequences = await store.counted_sequences()
            for key, sequence in sequences.items():
                if counted.get(key, (0,))[0] != sequence:
                    counted[key] = await store.get_counts(*key) or (0, b"")
            if not sequences:
                return
        restored = {}
        try:
            for key, (_, written) in counted.items():
                restored[key] = Recommender(self._known(key).menu)
                await asyncio.to_thread(restored[key].restore, written)
        except ValueError:
            log.exception("the counts that are kept cannot be read: all orders are read again")
            return
        self._recommenders |= restored
        self._sequences, self._sequence = sequences, max(sequences.values())
        self._kept_to = self._sequence
        self._n_orders = sum(recommender.n_orders for recommender in restored.values())

    async def _keep_counts(self, store: OrderLog) -> None:
        """Keep the counts of all that had orders since they were kept, if there are many."""
        enough = max(KEPT_ORDERS, int(self._n_orders * KEPT_SHARE))
        if self._sequence - self._kept_to < enough:
            return
        kept = await store.counted_sequences()
        self._kept_to = max(kept.values(), default=0)
        if self._sequence - self._kept_to < enough:
            return
        counted = []
        for (client, menu_id), sequence in self._sequences.items():
            if sequence > kept.get((client, menu_id), 0):
                written = await asyncio.to_thread(self._recommenders[client, menu_id].counted)
                counted.append(Counted(client, menu_id, sequence, written))
        await store.keep_counts(counted, since=self._kept_to)
        self._kept_to = self._sequence

    # Fits

    async def _fit_when_due(self, store: OrderLog) -> None:
        """Fit what is due, one at a time; first something quick for those that have nothing that is nearly up to date."""
        while True:
            await self._caught_up.wait()
            self._caught_up.clear()
            due = [(key, recommender) for key, recommender in self._recommenders.items() if recommender.due is not None]
            for key, recommender in due:
                await self._take_fit(key, recommender, store)
            self._started.set()
            for quickly in (True, False):
                for key, recommender in due:
                    if recommender.due is None or (quickly and not recommender.lags_behind):
                        continue
                    if quickly or await self._claims(key, recommender.due, store):
                        await self._fit(key, recommender, store, quickly=quickly)

    async def _claims(self, key: Key, n_orders: int, store: OrderLog) -> bool:
        """Return whether it is this process that fits; without the store, each for itself."""
        try:
            return await store.claim_fit(*key, n_orders, outdated=OUTDATED)
        except Overloaded:
            return True

    async def _take_fit(self, key: Key, recommender: Recommender, store: OrderLog) -> bool:
        """Use what another process fitted, if it is newer; return whether nothing is due any more."""
        recommender.settle(self._fitted_to.get(key, 0))
        if recommender.due is None:
            return True
        try:
            kept = await store.get_fit(*key, after=self._fitted_to.get(key, 0))
            if kept is not None:
                self._use(key, recommender, *kept)
        except Overloaded:
            log.warning("fits cannot be read")
        except ValueError:
            log.exception("a fit that is kept cannot be read")
        return recommender.due is None

    def _use(self, key: Key, recommender: Recommender, n_orders: int, fitted: bytes) -> None:
        """Use a thorough fit from now on."""
        recommender.adopt(ranking_model.unpack_fitted(fitted))
        recommender.settle(n_orders)
        self._fitted_to[key] = n_orders

    async def _fit(self, key: Key, recommender: Recommender, store: OrderLog, *, quickly: bool) -> None:
        """Fit to the orders that are due, unless they become many more meanwhile, as in an import: then it is better begun anew."""
        n_orders = recommender.due or 0
        environment = {name: os.environ[name] for name in FIT_ENVIRONMENT if name in os.environ} | {"OPENBLAS_NUM_THREADS": "1"}
        task = await asyncio.to_thread(ranking_model.pack_task, *recommender.past_orders(n_orders), quickly=quickly)
        fitting = asyncio.create_task(_run(task, environment))
        try:
            while not fitting.done() and (recommender.due or 0) < n_orders * OUTDATED:
                await asyncio.wait({fitting}, timeout=POLL_S)
                if not quickly and not fitting.done() and await self._take_fit(key, recommender, store):
                    return
            if not fitting.done():
                return
            fitted = fitting.result()
            if quickly:
                recommender.adopt(ranking_model.unpack_fitted(fitted))
                return
            with contextlib.suppress(Overloaded):
                await store.keep_fit(*key, n_orders, fitted)
            self._use(key, recommender, n_orders, fitted)
        except (OSError, EOFError, ValueError):
            # Counting goes on, and the next fit is due in time: the same again would fail again.
            log.exception("the fit from %d orders failed", n_orders)
            recommender.settle(n_orders)
        finally:
            fitting.cancel()
            await asyncio.gather(fitting, return_exceptions=True)


async def _run(task: bytes, environment: dict[str, str]) -> bytes:
    """Return what a process makes of a task; when cancelled, end the process.

    Raises:
        OSError: there is no memory, or no descriptor, for one more process.
        ChildProcessError: an OSError, too: it failed.

    """
    process = await asyncio.create_subprocess_exec(*FIT_COMMAND, stdin=PIPE, stdout=PIPE, cwd=ROOT, env=environment)
    try:
        learned, _ = await process.communicate(task)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        status = await process.wait()
    if status:
        message = f"it ended with status {status}"
        raise ChildProcessError(message)
    return learned
