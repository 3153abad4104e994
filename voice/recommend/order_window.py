"""The newest orders of one client from one menu, in compact arrays, as the input of fits."""

from array import array
from collections.abc import Sequence

import numpy as np

from voice.recommend.history import Indices, OrderArrays
from voice.recommend.past_orders import PastOrder


class OrderWindow:
    """Orders by their stored sequence; the first `n_dropped` were dropped."""

    def __init__(self) -> None:
        self.items, self.sizes = array("i"), array("i")
        self.placed_at_s, self.customers = array("d"), array("q")
        self.n_dropped = 0

    def append(self, orders: Sequence[PastOrder], items: Indices, sizes: Sequence[int]) -> None:
        """Append orders; `items` has their distinct item numbers, concatenated, `sizes` the number of items of each order."""
        self.items.extend(items)
        self.sizes.extend(sizes)
        self.placed_at_s.extend(order.placed_at.timestamp() for order in orders)
        self.customers.extend(order.customer_id or 0 for order in orders)

    def drop_until(self, order: int) -> None:
        """Drop the orders before position `order` among all orders."""
        excess = order - self.n_dropped
        if excess > 0:
            del self.items[: sum(self.sizes[:excess])]
            del self.sizes[:excess], self.placed_at_s[:excess], self.customers[:excess]
            self.n_dropped = order

    def between(self, first: int, end: int) -> OrderArrays:
        """Return a copy of the orders at positions `first` to `end` (exclusive) among all orders, without dropped ones."""
        first, end = max(0, first - self.n_dropped), end - self.n_dropped
        starts = np.concatenate([[0], np.cumsum(np.array(self.sizes, np.int64)[:end])])[first:]
        items = np.array(self.items, np.int64)[starts[0] : starts[-1]]
        placed_at_s, customers = np.array(self.placed_at_s)[first:end], np.array(self.customers, np.int64)[first:end]
        return OrderArrays(items, starts - starts[0], placed_at_s, customers)
