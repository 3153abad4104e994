"""Score items for a basket: the sum of the parts of `blend.Part`, each from the counts or the ranking model."""

import math
from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from voice.menus.menu import Item
from voice.recommend.blend import BASKET_EXPONENT, COUNTS_ONLY, Blend, Part, log_lift
from voice.recommend.counts import Basket, CustomerOrders, OrderCounts
from voice.recommend.fitting import FittedModel
from voice.recommend.history import HOUR_KERNEL, HOURS, SIZE_BUCKETS, WEEKDAYS

K = TypeVar("K")
Scores = NDArray[np.float64]

# Floats in each cache of score vectors, 32 MB at worst: the larger the menu, the fewer vectors.
MAX_CACHED_FLOATS = 4_000_000


class _ScoreCache(dict[K, Scores]):
    """Vectors of one length, at most MAX_CACHED_FLOATS in all."""

    def add(self, key: K, scores: Scores) -> Scores:
        """Cache and return a vector; a full cache is emptied first."""
        if len(self) * len(scores) > MAX_CACHED_FLOATS:
            self.clear()
        self[key] = scores
        return scores


class Scorer:
    """Scores of all counted items, with caches of their parts. Call `clear` when the counts change."""

    def __init__(self, counts: OrderCounts) -> None:
        self._counts = counts
        self.fitted: FittedModel | None = None
        self.blend: Blend = COUNTS_ONLY
        # Item numbers of the model's items, and the inverse.
        self._modelled: NDArray[np.int64] = np.zeros(0, np.int64)
        self._model_positions: dict[int, int] = {}
        self._available: NDArray[np.int64] = np.zeros(0, np.int64)
        self._menu_ranks: NDArray[np.int64] = np.zeros(0, np.int64)
        self._contexts = _ScoreCache[tuple[int, int, int]]()
        self._pairs = _ScoreCache[int]()
        self._customers = _ScoreCache[int]()

    def set_items(self, items: Mapping[str, Item]) -> None:
        """Score only these items, if available; the menu's order breaks ties."""
        ranks = {self._counts.numbers[item_id]: rank for rank, (item_id, item) in enumerate(items.items()) if item.available}
        self._available = np.array(list(ranks), np.int64)
        self._menu_ranks = np.array(list(ranks.values()), np.int64)
        self.clear()

    def use(self, fitted: FittedModel) -> None:
        """Use a fitted model from now on; the counts must have all of its items."""
        self.fitted, self.blend = fitted, fitted.blend
        self._modelled = np.array([self._counts.numbers[item_id] for item_id in fitted.item_ids], np.int64)
        self._model_positions = {item: position for position, item in enumerate(self._modelled.tolist())}
        self.clear()

    def clear(self) -> None:
        """Empty the caches."""
        self._contexts.clear()
        self._pairs.clear()
        self._customers.clear()

    def score(self, basket: Basket, hour: int, weekday: int, customer_id: int | None, customer_orders: CustomerOrders) -> Scores:
        """Return the score of each item, shape (n_items,): minus infinity for an item that is in the basket or not available."""
        scores = self._context_scores(hour, weekday, len(basket)).copy()
        if basket:
            scores += sum(map(self._pair_scores, basket)) * len(basket) ** BASKET_EXPONENT
        if customer_orders and customer_id is not None:
            scores += self._customer_scores(customer_id, customer_orders)
        for item in basket:
            scores[item] = -math.inf
        return scores

    def _context_scores(self, hour: int, weekday: int, basket_size: int) -> Scores:
        """Return the scores by popularity, time and the size of the basket."""
        bucket = int(SIZE_BUCKETS[min(basket_size, len(SIZE_BUCKETS) - 1)]) if self.fitted else 0
        cached = self._contexts.get((hour, weekday, bucket))
        if cached is not None:
            return cached
        counts, blend, weights = self._counts, self.blend, self.blend.weights
        scores: Scores = weights[Part.POPULARITY] * np.log(counts.popularity(blend.recent_half_life) + 0.5)
        total = max(counts.items.sum(), 1)
        by_hour = counts.hours[[(hour - 1) % HOURS, hour, (hour + 1) % HOURS]].sum(axis=0)
        scores += weights[Part.HOUR] * log_lift(by_hour, counts.items * (by_hour.sum() / total), blend.hour_prior)
        by_weekday = counts.weekdays[weekday]
        scores += weights[Part.WEEKDAY] * log_lift(by_weekday, counts.items * (by_weekday.sum() / total), blend.hour_prior)
        if self.fitted:
            model = self.fitted.model
            context = model.context[HOURS + weekday] + model.context[HOURS + WEEKDAYS + bucket]
            for offset, weight in HOUR_KERNEL:
                context = context + weight * model.context[(hour + offset) % HOURS]
            modelled = np.log(counts.items + 0.5) - model.offset  # an item that the model lacks gets the initial value of a bias
            modelled[self._modelled] = model.bias + context
            scores += weights[Part.MODEL] * modelled
        menu_order = np.full(len(scores), -math.inf)
        # Differences of 1e-9 are smaller than any effect of an order.
        menu_order[self._available] = -1e-9 * self._menu_ranks
        scores += menu_order
        return self._contexts.add((hour, weekday, bucket), scores)

    def _pair_scores(self, item: int) -> Scores:
        """Return each item's score given one item in the basket, before scaling by the basket's size."""
        cached = self._pairs.get(item)
        if cached is not None:
            return cached
        counts, pairs = self._counts, self._counts.pairs[item]
        observed = np.zeros(len(counts.items))
        observed[np.fromiter(pairs.keys(), np.int64, len(pairs))] = np.fromiter(pairs.values(), np.float64, len(pairs))
        expected = counts.items * (counts.items[item] / max(counts.n_orders, 1))
        scores = self.blend.weights[Part.PAIRS] * log_lift(observed, expected, self.blend.pair_prior)
        position = self._model_positions.get(item)
        if self.fitted and position is not None:
            scores[self._modelled] += self.blend.weights[Part.MODEL] * self.fitted.model.basket[position]
        return self._pairs.add(item, scores)

    def _customer_scores(self, customer_id: int, orders: CustomerOrders) -> Scores:
        """Return each item's score given a customer's own orders."""
        cached = self._customers.get(customer_id)
        if cached is not None:
            return cached
        counts, observed = self._counts, np.zeros(len(self._counts.items))
        for items in orders:
            observed[list(items)] += 1  # distinct within an order
        expected = counts.items * (len(orders) / max(counts.n_orders, 1))
        scores = self.blend.weights[Part.CUSTOMER] * log_lift(observed, expected, self.blend.customer_prior)
        if self.fitted:
            shares = observed[self._modelled] / len(orders)
            ordered = np.flatnonzero(shares)
            scores[self._modelled] += self.blend.weights[Part.MODEL] * (shares[ordered] @ self.fitted.model.past[ordered])
        return self._customers.add(customer_id, scores)
