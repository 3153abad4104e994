"""Suggest what a customer will want next, from the orders that a client stored.

Read `Recommender.recommend` first: a score is the logarithm of an item's popularity plus what each thing known about the moment adds.
Each addition is a shrunk logarithm of observed over expected counts: nothing known adds nothing, so that few orders fall back to
popularity, and none to the menu's order. Counts are exact after each order; nothing has to be fitted.
"""

import asyncio
import contextlib
import logging
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from errors import ItemNotFound, MenuNotFound, Overloaded
from schemas import Menu, Reason, Suggestion

if TYPE_CHECKING:
    from datetime import datetime

    from voice.store import PastOrder

logger = logging.getLogger(__name__)

Vector = NDArray[np.float64]

HOURS, WEEKDAYS = 24, 7
# The orders of a customer that are remembered: tastes change, and twenty tell them.
MAX_CUSTOMER_ORDERS = 20
# About 1 kB each: 100 MB at worst. Who has not ordered for longest is forgotten first.
MAX_CUSTOMERS = 100_000
# Orders read from the store at once: a few milliseconds of learning before requests have their turn.
BATCH_ORDERS = 200
POLL_S = 1.0
RETRY_S = 1.0


class Sentences(NamedTuple):
    """A language's reasons; `with_few` and `with_many` say of how many orders a share is made."""

    with_few: str
    with_many: str
    usual: str
    popular: str
    menu: str


SENTENCES = {
    "vi": Sentences(
        "{count} trong {orders} đơn có {item} gọi thêm món này",
        "Cứ {orders} đơn có {item} thì {count} đơn gọi thêm món này",
        "Món quen: có trong {count} trên {orders} đơn gần đây của bạn",
        "Nhiều khách gọi món này",
        "Có trong thực đơn",
    ),
    "en": Sentences(
        "{count} of {orders} orders with {item} add this",
        "{count} of {orders} orders with {item} add this",
        "Your usual: in {count} of your last {orders} orders",
        "Ordered by many",
        "On the menu",
    ),
}


class Weights(NamedTuple):
    """How much each part of a score counts, and how many imagined orders it is shrunk by."""

    pair: float = 0.9
    hour: float = 0.8
    weekday: float = 0.4
    customer: float = 1.0
    pair_prior: float = 2.0
    time_prior: float = 8.0
    customer_prior: float = 0.15


def log_lift(observed: Vector, expected: Vector, prior: float) -> Vector:
    """Return the logarithm of how much more often than by chance; 0 where nothing is known.

    Source: the mean of a gamma-Poisson ratio, DuMouchel, "Bayesian data mining in large frequency tables", 1999.
    """
    return np.log((observed + prior) / (expected + prior))


class Recommender:
    """What one client's customers order from one menu.

    Not safe for use from several threads at once: the event loop learns and recommends.
    """

    def __init__(self, menu: Menu) -> None:
        self._index: dict[str, int] = {}
        self._orders = 0
        self._counts = np.zeros(0)
        self._hours = np.zeros((0, HOURS))
        self._weekdays = np.zeros((0, WEEKDAYS))
        self._pairs: list[dict[int, int]] = []
        self._customers: OrderedDict[int, deque[tuple[int, ...]]] = OrderedDict()
        self._weights = Weights()
        self._bases: dict[tuple[int, int], Vector] = {}
        self._rows: dict[int, Vector] = {}
        self.serve(menu)

    def serve(self, menu: Menu) -> None:
        """Suggest from `menu` from now on; what was learned is kept, also about items that may come back."""
        self.menu = menu
        self._sentences = SENTENCES.get(menu.languages[0] if menu.languages else "en", SENTENCES["en"])
        self._know(menu.items)
        # Without orders the menu's own order decides; a billionth is less than any difference that orders make.
        self._menu_order = np.full(len(self._index), -math.inf)
        for position, (item_id, item) in enumerate(menu.items.items()):
            if item.available:
                self._menu_order[self._index[item_id]] = -1e-9 * position
        self._item_ids = list(self._index)
        self._forget_derived()

    def learn(self, order: "PastOrder") -> None:
        """Count an order; the next suggestion knows it."""
        if any(item not in self._index for item, _ in order.items):
            self._know([item for item, _ in order.items])
        items = sorted({self._index[item] for item, _ in order.items})
        self._orders += 1
        self._counts[items] += 1
        self._hours[items, order.placed_at.hour] += 1
        self._weekdays[items, order.placed_at.weekday()] += 1
        for item in items:
            row = self._pairs[item]
            for other in items:
                if other != item:
                    row[other] = row.get(other, 0) + 1
        if order.customer_id is not None:
            self._customers.setdefault(order.customer_id, deque(maxlen=MAX_CUSTOMER_ORDERS)).append(tuple(items))
            self._customers.move_to_end(order.customer_id)
            if len(self._customers) > MAX_CUSTOMERS:
                self._customers.popitem(last=False)
        self._forget_derived()

    def recommend(
        self, basket: Sequence[tuple[str, int]], *, customer_id: int | None, at: "datetime", limit: int, exclude: Collection[str]
    ) -> list[Suggestion]:
        """Return the `limit` items that are most likely wanted next, best first; an item's score is the probability that it is the next.

        Raises:
            ItemNotFound: the menu has no item that the basket names.

        """
        for item_id, _ in basket:
            if item_id not in self.menu.items:
                message = f"The menu has no item {item_id!r}."
                raise ItemNotFound(message)
        # Sorted, so that the sum of floats does not depend on the basket's order.
        in_basket = sorted({self._index[item_id] for item_id, _ in basket})
        past = self._customers.get(customer_id, ()) if customer_id is not None else ()

        scores = self._base(at.hour, at.weekday()).copy()
        for item in in_basket:
            scores += self._row(item)
        if past:
            scores += self._taste(past)
        scores[in_basket] = -math.inf
        if exclude:
            scores[[self._index[item_id] for item_id in exclude if item_id in self._index]] = -math.inf

        best = np.argsort(-scores, kind="stable")[:limit].tolist()
        likelihood = np.exp(scores - scores[best[0]]) if best and scores[best[0]] > -math.inf else np.zeros_like(scores)
        total = float(likelihood.sum())
        return [self._suggest(item, float(likelihood[item]) / total, in_basket, past) for item in best if scores[item] > -math.inf]

    def _suggest(self, item: int, score: float, in_basket: Sequence[int], past: Collection[tuple[int, ...]]) -> Suggestion:
        item_id = self._item_ids[item]
        served = self.menu.items[item_id]
        return {
            "item": item_id,
            "name": served.name,
            "price": served.price,
            "currency": self.menu.currency,
            "score": round(score, 6),
            "reason": self._reason(item, in_basket, past),
        }

    def _reason(self, item: int, in_basket: Sequence[int], past: Collection[tuple[int, ...]]) -> Reason:
        """Tell what speaks most for an item, with the share of orders as counted."""
        sentences = self._sentences
        usual = sum(item in items for items in past)
        if usual >= 2 or (usual and len(past) == 1):  # noqa: PLR2004 - once in several orders is no habit
            text = sentences.usual.format(count=usual, orders=len(past))
            return {"kind": "usual", "item": None, "share": round(usual / len(past), 4), "text": text}
        count = int(self._counts[item])
        if not count:
            return {"kind": "menu", "item": None, "share": None, "text": sentences.menu}
        popularity = count / self._orders
        best, best_share = -1, 0.0
        for other in in_basket:
            together = self._pairs[other].get(item, 0)
            # One order together may be chance; and less often than everybody orders it is no reason.
            if together > 1 and together / self._counts[other] > max(best_share, popularity):
                best, best_share = other, together / int(self._counts[other])
        if best < 0:
            return {"kind": "popular", "item": None, "share": round(popularity, 4), "text": sentences.popular}
        other_id = self._item_ids[best]
        few = 20  # below it the very numbers are told: "7 of 10" of three orders would claim too much
        if self._counts[best] < few:
            sentence, together, orders = sentences.with_few, self._pairs[best][item], int(self._counts[best])
        else:
            orders = 10 if best_share >= 0.095 else 100  # noqa: PLR2004 - what rounds to one in ten
            sentence, together = sentences.with_many, max(1, round(best_share * orders))
        text = sentence.format(count=together, orders=orders, item=self.menu.items[other_id].name)
        return {"kind": "with", "item": other_id, "share": round(best_share, 4), "text": text}

    def _base(self, hour: int, weekday: int) -> Vector:
        """Return each item's score before the basket and the customer are known; what is not served has minus infinity."""
        base = self._bases.get((hour, weekday))
        if base is None:
            weights, orders = self._weights, max(self._orders, 1)
            # One imagined order that had every item: an item that nobody ordered yet is possible.
            base = np.log((self._counts + 1) / (orders + 1)) + self._menu_order
            around = [(hour - 1) % HOURS, hour, (hour + 1) % HOURS]
            by_hour = self._hours[:, around]
            base += weights.hour * log_lift(
                by_hour.sum(axis=1), self._counts * (by_hour.sum() / max(self._counts.sum(), 1)), weights.time_prior
            )
            by_weekday = self._weekdays[:, weekday]
            share = by_weekday.sum() / max(self._counts.sum(), 1)
            base += weights.weekday * log_lift(by_weekday, self._counts * share, weights.time_prior)
            self._bases[hour, weekday] = base
        return base

    def _row(self, item: int) -> Vector:
        """Return what an item in the basket adds to each other's score."""
        row = self._rows.get(item)
        if row is None:
            pairs, observed = self._pairs[item], np.zeros(len(self._index))
            observed[list(pairs.keys())] = list(pairs.values())
            expected = self._counts * (self._counts[item] / max(self._orders, 1))
            row = self._rows[item] = self._weights.pair * log_lift(observed, expected, self._weights.pair_prior)
        return row

    def _taste(self, past: Collection[tuple[int, ...]]) -> Vector:
        """Return what a customer's own orders add to each item's score."""
        observed = np.zeros(len(self._index))
        for items in past:
            for item in items:
                observed[item] += 1
        expected = self._counts * (len(past) / max(self._orders, 1))
        return self._weights.customer * log_lift(observed, expected, self._weights.customer_prior)

    def _know(self, item_ids: Collection[str]) -> None:
        """Make room for items that are new."""
        before = len(self._index)
        for item_id in item_ids:
            if item_id not in self._index:
                self._index[item_id] = len(self._index)
                self._pairs.append({})
        new = len(self._index) - before
        if new:
            self._counts = np.pad(self._counts, (0, new))
            self._hours = np.pad(self._hours, ((0, new), (0, 0)))
            self._weekdays = np.pad(self._weekdays, ((0, new), (0, 0)))
            if before:
                self._menu_order = np.pad(self._menu_order, (0, new), constant_values=-math.inf)
                self._item_ids = list(self._index)
            self._forget_derived()

    def _forget_derived(self) -> None:
        self._bases.clear()
        self._rows.clear()


class OrderLog(Protocol):
    """Where stored orders are read, each with a number that grows."""

    async def orders_after(self, sequence: int, *, limit: int) -> "list[PastOrder]":
        """Return up to `limit` orders with a greater number, in order. Raises: Overloaded."""


class Recommenders:
    """All clients' recommenders, fed from the store.

    `menus` finds a menu by its id, or raises MenuNotFound: its orders are learned all the same, for when it is served.
    """

    def __init__(self, menus: Callable[[str], Menu]) -> None:
        self._menus = menus
        self._recommenders: dict[tuple[str, str], Recommender] = {}
        self._woken = asyncio.Event()
        self._sequence = 0

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

    async def follow(self, store: OrderLog) -> None:
        """Learn each stored order once, also those that other processes stored, until cancelled. A store that fails is asked again."""
        while True:
            self._woken.clear()
            try:
                orders = await store.orders_after(self._sequence, limit=BATCH_ORDERS)
            except Overloaded:
                logger.warning("orders cannot be read, trying again", exc_info=True)
                await asyncio.sleep(RETRY_S)
                continue
            for order in orders:
                self._learn(order)
            if len(orders) < BATCH_ORDERS:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), POLL_S)
            else:
                await asyncio.sleep(0)

    def _learn(self, order: "PastOrder") -> None:
        recommender = self._recommenders.get((order.client, order.menu))
        if recommender is None:
            try:
                menu = self._menus(order.menu)
            except MenuNotFound:
                menu = Menu(id=order.menu, name=order.menu, currency="XXX", items={})  # ISO 4217: no currency
            recommender = self.get(order.client, menu)
        recommender.learn(order)
        self._sequence = order.sequence
