"""Counts of one client's orders from one menu: exact after each order, and bounded in memory."""

import itertools
from collections import OrderedDict, deque
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from voice.recommend.blend import RECENT_HALF_LIVES
from voice.recommend.history import HOURS, MAX_CUSTOMER_ORDERS, WEEKDAYS, Indices
from voice.recommend.past_orders import PastOrder

Basket = Sequence[int]
CustomerOrders = Collection[tuple[int, ...]]

# About 1 kB each: 100 MB at worst.
MAX_CUSTOMERS = 100_000
# Ordered pairs of items with their counts, about 100 bytes each. A menu of 1,000 items cannot reach it.
MAX_PAIRS = 1_000_000


class OrderCounts:
    """Counts by item; an item's number is its position in `item_ids`, which grows in order of first occurrence.

    Beyond `max_customers` the customer with the oldest last order is dropped, beyond `max_pairs` the rarest pairs.
    """

    def __init__(self, *, max_customers: int = MAX_CUSTOMERS, max_pairs: int = MAX_PAIRS) -> None:
        self._max_customers, self._max_pairs = max_customers, max_pairs
        self.numbers: dict[str, int] = {}
        self.item_ids: list[str] = []
        self.n_orders = 0
        # Orders with each item; shapes (n_items,), (HOURS, n_items), (WEEKDAYS, n_items).
        self.items = np.zeros(0)
        self.hours = np.zeros((HOURS, 0))
        self.weekdays = np.zeros((WEEKDAYS, 0))
        # Recency-weighted orders by half-life, scaled by `growth`, the weight of the newest order.
        self.recent = np.zeros((len(RECENT_HALF_LIVES), 0))
        self.growth = np.ones(len(RECENT_HALF_LIVES))
        # By item, the number of orders with each other item.
        self.pairs: list[dict[int, int]] = []
        self.n_pairs = 0
        # The newest orders of each customer; the customer of the newest order is last.
        self.customers: OrderedDict[int, deque[tuple[int, ...]]] = OrderedDict()

    def add_items(self, item_ids: Collection[str]) -> None:
        """Give each new item the next number."""
        new = [item_id for item_id in dict.fromkeys(item_ids) if item_id not in self.numbers]
        for item_id in new:
            self.numbers[item_id] = len(self.numbers)
            self.pairs.append({})
        self.item_ids = [*self.item_ids, *new]
        self.items = np.pad(self.items, (0, len(new)))
        self.hours = np.pad(self.hours, ((0, 0), (0, len(new))))
        self.weekdays = np.pad(self.weekdays, ((0, 0), (0, len(new))))
        self.recent = np.pad(self.recent, ((0, 0), (0, len(new))))

    def add_orders(self, orders: Sequence[PastOrder]) -> tuple[Indices, list[int]]:
        """Count orders; return their distinct items, concatenated, and the number of items of each order."""
        self.add_items([item_id for order in orders for item_id, _ in order.items])
        baskets = [sorted({self.numbers[item_id] for item_id, _ in order.items}) for order in orders]
        for order, basket in zip(orders, baskets, strict=True):
            self._add_pairs(basket)
            if order.customer_id is not None:
                self._add_customer_order(order.customer_id, tuple(basket))
        if self.n_pairs > self._max_pairs:
            self._drop_rare_pairs()
        sizes = list(map(len, baskets))
        items = np.array(list(itertools.chain.from_iterable(baskets)), np.int64)
        hours, weekdays = [order.placed_at.hour for order in orders], [order.placed_at.weekday() for order in orders]
        self.items += np.bincount(items, minlength=len(self.numbers))
        np.add.at(self.hours, (np.repeat(hours, sizes), items), 1)
        np.add.at(self.weekdays, (np.repeat(weekdays, sizes), items), 1)
        self._add_recent(items, sizes)
        self.n_orders += len(orders)
        return items, sizes

    def _add_pairs(self, basket: Basket) -> None:
        for item in basket:
            row = self.pairs[item]
            n_before = len(row)
            for other in basket:
                if other != item:
                    row[other] = row.get(other, 0) + 1
            self.n_pairs += len(row) - n_before

    def _add_customer_order(self, customer_id: int, items: tuple[int, ...]) -> None:
        self.customers.setdefault(customer_id, deque(maxlen=MAX_CUSTOMER_ORDERS)).append(items)
        self.customers.move_to_end(customer_id)
        if len(self.customers) > self._max_customers:
            self.customers.popitem(last=False)

    def _add_recent(self, items: Indices, sizes: list[int]) -> None:
        """Weight each order more than the previous one, so that older counts need not decay; rescale before floats overflow."""
        if self.growth[0] > 1e100:  # noqa: PLR2004 - far below the greatest float, 1e308
            self.recent /= self.growth[:, None]
            self.growth[:] = 1
        half_lives = np.array(RECENT_HALF_LIVES)[:, None]
        weights = self.growth[:, None] * np.exp2(np.arange(1, len(sizes) + 1) / half_lives)
        for number, of_orders in enumerate(weights):
            self.recent[number] += np.bincount(items, np.repeat(of_orders, sizes), len(self.numbers))
        self.growth = weights[:, -1].copy()

    def _drop_rare_pairs(self) -> None:
        """Drop the pairs with the lowest counts, the weakest evidence, until at most half of `max_pairs` are left."""
        rare = 1
        while self.n_pairs > self._max_pairs // 2:
            self.pairs = [{other: count for other, count in row.items() if count > rare} for row in self.pairs]
            self.n_pairs = sum(map(len, self.pairs))
            rare *= 2

    def orders_of(self, customer_id: int | None) -> CustomerOrders:
        """Return the item numbers of a customer's newest orders, oldest first; empty for an unknown customer."""
        return self.customers.get(customer_id, ()) if customer_id is not None else ()

    def popularity(self, half_life: float) -> NDArray[np.float64]:
        """Return each item's recency-weighted number of orders; the newest order has the weight 1."""
        number = RECENT_HALF_LIVES.index(half_life)
        popularity: NDArray[np.float64] = self.recent[number] / self.growth[number]
        return popularity
