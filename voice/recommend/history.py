"""Past orders as arrays, and leave-one-out examples for fitting."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice.recommend.blend import BASKET_EXPONENT, RECENT_HALF_LIVES

Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]
Indices = NDArray[np.int64]

HOURS, WEEKDAYS = 24, 7
# The bucket of a basket of 0, 1, ... 10 and more items: the next items of large and of small orders differ.
SIZE_BUCKETS = np.array([0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 7])
N_CONTEXTS = HOURS + WEEKDAYS + 8
# Pairs of an hour's offset and its weight: neighbouring hours count about two thirds. The weights' Euclidean norm is about 1.
HOUR_KERNEL = ((0, 0.7), (-1, 0.5), (1, 0.5))
# A customer's older orders are not used: tastes change, and twenty orders show them.
MAX_CUSTOMER_ORDERS = 20
# The number of parameters grows with its square: 250 items take ten seconds of one core, 400 half a minute. Other items are only counted.
MAX_MODEL_ITEMS = 400


class OrderArrays(NamedTuple):
    """Orders in stored order: order k has the distinct items `items[starts[k] : starts[k + 1]]`; customer 0 is unknown."""

    items: Indices
    starts: Indices
    placed_at_s: NDArray[np.float64]
    customers: Indices


class History(NamedTuple):
    """Orders by time, oldest first; the items of an order ascend; `previous` is the index of the customer's previous order, or -1."""

    items: Indices
    starts: Indices
    hours: Indices
    weekdays: Indices
    previous: Indices
    n_items: int

    @property
    def n_orders(self) -> int:
        """Return the number of orders."""
        return len(self.hours)

    def until(self, order: int) -> "History":
        """Return the orders before `order`."""
        end = self.starts[order]
        hours, weekdays, previous = self.hours[:order], self.weekdays[:order], self.previous[:order]
        return History(self.items[:end], self.starts[: order + 1], hours, weekdays, previous, self.n_items)


def make_history(orders: OrderArrays, numbers: Indices) -> History:
    """Sort orders by time and renumber each item `i` as `numbers[i]`."""
    by_time = np.argsort(orders.placed_at_s, kind="stable")
    sizes = np.diff(orders.starts)[by_time]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    items = numbers[orders.items[_ragged_indices(orders.starts[:-1][by_time], sizes)]]
    items = items[np.lexsort((items, np.repeat(np.arange(len(sizes)), sizes)))]
    customers = orders.customers[by_time]
    by_customer = np.argsort(customers, kind="stable")
    same = (customers[by_customer][1:] == customers[by_customer][:-1]) & (customers[by_customer][1:] != 0)
    previous = np.full(len(customers), -1)
    previous[by_customer[1:][same]] = by_customer[:-1][same]
    seconds = orders.placed_at_s[by_time].astype(np.int64)
    # 1970-01-01 was a Thursday, day 3 of datetime.weekday().
    return History(items, starts, seconds // 3600 % HOURS, (seconds // 86_400 + 3) % WEEKDAYS, previous, len(numbers))


def select_model_items(history: History, half_life: float = RECENT_HALF_LIVES[-1]) -> Indices:
    """Return the ordered items, ascending: at most MAX_MODEL_ITEMS, chosen by recency-weighted popularity."""
    weights = np.repeat(decay_weights(history.n_orders, half_life), np.diff(history.starts))
    counts = np.bincount(history.items, weights, history.n_items)
    most_popular = np.argsort(-counts, kind="stable")[:MAX_MODEL_ITEMS]
    return np.sort(most_popular[counts[most_popular] > 0])


def restrict(history: History, items: Indices) -> History:
    """Return the history with only `items`, renumbered by their position."""
    positions = np.full(history.n_items, -1)
    positions[items] = np.arange(len(items))
    renumbered = positions[history.items]
    n_before = np.concatenate([[0], np.cumsum(renumbered >= 0)])
    return history._replace(items=renumbered[renumbered >= 0], starts=n_before[history.starts], n_items=len(items))


def decay_weights(n_orders: int, half_life: float) -> NDArray[np.float64]:
    """Return each order's weight by recency; the newest has 1."""
    return np.exp2(np.arange(1 - n_orders, 1) / half_life)


def _ragged_indices(starts: Indices, sizes: Indices) -> Indices:
    """Return the concatenated ranges `starts[k] .. starts[k] + sizes[k]`."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + sizes, sizes)


class Examples(NamedTuple):
    """Orders with one item left out; shapes (n_examples, n_items), `context` (n_examples, N_CONTEXTS), `n_past`, `hidden` (n_examples,).

    `past` counts the items of the customer's `n_past` earlier orders. `scaled_basket` and `mean_past` are the inputs of the model.
    """

    basket: Matrix
    scaled_basket: Matrix
    context: Matrix
    past: Matrix
    mean_past: Matrix
    n_past: Vector
    hidden: Indices


def leave_one_out(history: History, orders: Indices, hidden: NDArray[np.float64], known: int) -> Examples:
    """Hide one item of each of `orders`: the one at the fraction `hidden` (0..1) of its length.

    Orders from index `known` on do not count as a customer's past.
    """
    n, rows = len(orders), np.arange(len(orders))
    starts = history.starts[orders]
    sizes = history.starts[orders + 1] - starts
    hidden_items = history.items[starts + (hidden * sizes).astype(np.int64)]
    basket = np.zeros((n, history.n_items), np.float32)
    basket[np.repeat(rows, sizes), history.items[_ragged_indices(starts, sizes)]] = 1
    basket[rows, hidden_items] = 0
    n_left = sizes - 1
    context = np.zeros((n, N_CONTEXTS), np.float32)
    for offset, weight in HOUR_KERNEL:
        context[rows, (history.hours[orders] + offset) % HOURS] = weight
    context[rows, HOURS + history.weekdays[orders]] = 1
    context[rows, HOURS + WEEKDAYS + SIZE_BUCKETS[np.minimum(n_left, len(SIZE_BUCKETS) - 1)]] = 1
    past, n_past = _count_customer_items(history, orders, known)
    scaled_basket = basket * (np.maximum(n_left, 1) ** BASKET_EXPONENT).astype(np.float32)[:, None]
    mean_past = (past / np.maximum(n_past, 1)[:, None]).astype(np.float32, copy=False)
    return Examples(basket, scaled_basket, context, past, mean_past, n_past, hidden_items)


def _count_customer_items(history: History, orders: Indices, known: int) -> tuple[Matrix, Vector]:
    """Count each customer's last MAX_CUSTOMER_ORDERS earlier orders with index below `known`, and their items."""
    past, n_past = np.zeros((len(orders), history.n_items), np.float32), np.zeros(len(orders), np.float32)
    rows, at = np.arange(len(orders)), history.previous[orders]
    for _ in range(MAX_CUSTOMER_ORDERS):
        rows, at = rows[at >= 0], at[at >= 0]
        if not len(rows):
            break
        counted, there = rows[at < known], at[at < known]
        sizes = history.starts[there + 1] - history.starts[there]
        # `+=` adds only once at a repeated index; there is none: an order's items are distinct, and each row occurs once.
        past[np.repeat(counted, sizes), history.items[_ragged_indices(history.starts[there], sizes)]] += 1
        n_past[counted] += 1
        at = history.previous[at]
    return past, n_past
