"""Suggest the most likely next items of an order, from a client's past orders from a menu.

A score is a weighted sum (`scoring.Scorer`) of popularity, the basket, the time, the customer's own orders and a ranking model. Counts are
exact after each order. `voice.recommend.sync` fits the model and the weights each time the orders have grown by a fortieth. Fits are due
at fixed numbers of orders, so all processes that share a store get the same model.
"""

import math
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from errors import ItemNotFound
from schemas import Suggestion
from voice.menus.availability import is_item_served
from voice.menus.menu import Menu
from voice.menus.names import all_names
from voice.recommend.counts import MAX_CUSTOMERS, MAX_PAIRS, CustomerOrders, OrderCounts
from voice.recommend.fitting import FittedModel, ItemDescription, fit_tuned
from voice.recommend.history import OrderArrays
from voice.recommend.order_window import OrderWindow
from voice.recommend.past_orders import PastOrder
from voice.recommend.ranking import limit_categories, top_items
from voice.recommend.reasons import Explainer
from voice.recommend.scoring import Scorer
from voice.recommend.snapshots import pack_snapshot, restore_snapshot

# The newest orders that a fit uses; the longest half-life is a tenth of it, so an older order weighs less than a thousandth.
MAX_WINDOW_ORDERS = 200_000
# From here on a model beats counts if the orders have a pattern, and loses little if they have none.
FIRST_FIT_ORDERS = 100
# Suggested items in the cache, about 0.4 kB each: most baskets are small, and many are the same.
MAX_CACHED_SUGGESTIONS = 20_000
# Orders counted at once: this blocks the event loop for some milliseconds.
BATCH_ORDERS = 200


def next_fit_orders(n_orders: int) -> int:
    """Return the number of orders at which the fit after the one at `n_orders` is due: a fortieth more, but 50 to 20,000 more."""
    return n_orders + max(50, min(n_orders // 40, 20_000))


class Query(NamedTuple):
    """The key of cached suggestions; `basket` has item numbers in ascending order, `customer_id` is None without known orders.

    `closed`: items that the menu does not serve at that time.
    """

    basket: tuple[int, ...]
    customer_id: int | None
    hour: int
    weekday: int
    limit: int
    closed: tuple[str, ...]


class Recommender:
    """Suggestions from one menu for one client's customers. Not thread-safe."""

    def __init__(
        self,
        menu: Menu,
        *,
        max_customers: int = MAX_CUSTOMERS,
        max_pairs: int = MAX_PAIRS,
        max_window_orders: int = MAX_WINDOW_ORDERS,
        max_cached_suggestions: int = MAX_CACHED_SUGGESTIONS,
    ) -> None:
        self._max_window_orders = max_window_orders
        self._max_cached_suggestions = max_cached_suggestions
        self._counts = OrderCounts(max_customers=max_customers, max_pairs=max_pairs)
        self._window = OrderWindow()
        self._scorer = Scorer(self._counts)
        # The number of orders of the due fit.
        self.due: int | None = None
        self._next_fit_orders = FIRST_FIT_ORDERS
        self._suggestions: dict[Query, bytes] = {}
        self.set_menu(menu)

    @property
    def n_orders(self) -> int:
        """Return the number of orders counted."""
        return self._counts.n_orders

    @property
    def fitted(self) -> FittedModel | None:
        """Return the fitted model in use."""
        return self._scorer.fitted

    def set_menu(self, menu: Menu) -> None:
        """Suggest from `menu` from now on. All counts are kept: a removed item may come back."""
        self.menu = menu
        self._explainer = Explainer(self._counts, menu)
        self._counts.add_items(menu.items)
        self._scorer.set_items(menu.items)
        self._menu_numbers = {item_id: self._counts.numbers[item_id] for item_id in menu.items}
        categories = {category: number for number, category in enumerate({item.category: None for item in menu.items.values()})}
        self._categories = {self._menu_numbers[item_id]: categories[item.category] for item_id, item in menu.items.items()}
        self._has_categories = len(categories) > 1
        self._timed_items = [item_id for item_id, item in menu.items.items() if item.when]
        self._clear_caches()

    def add_orders(self, orders: Sequence[PastOrder]) -> None:
        """Count orders; the next suggestion reflects them. A batch takes a fraction of the time of single orders."""
        for start in range(0, len(orders), BATCH_ORDERS):
            batch = orders[start : start + BATCH_ORDERS]
            self._window.append(batch, *self._counts.add_orders(batch))
            self._schedule_fits()
            if self.due is not None:
                self._window.drop_until(self.due - self._max_window_orders)
        self._clear_caches()

    def _clear_caches(self) -> None:
        self._scorer.clear()
        self._explainer.clear()
        self._suggestions.clear()

    # Suggestions

    def recommend(
        self, basket: Sequence[tuple[str, int]], *, customer_id: int | None, at: datetime, limit: int, exclude: Collection[str]
    ) -> list[Suggestion]:
        """Return the `limit` most likely next items, best first; a score is the probability of being the next item.

        `basket` has item ids and quantities.

        Raises:
            ItemNotFound: the menu has no item with an id of the basket.

        """
        suggestions: list[Suggestion] = orjson.loads(
            self.recommend_json(basket, customer_id=customer_id, at=at, limit=limit, exclude=exclude)
        )
        return suggestions

    def recommend_json(
        self, basket: Sequence[tuple[str, int]], *, customer_id: int | None, at: datetime, limit: int, exclude: Collection[str]
    ) -> bytes:
        """Return the suggestions of `recommend` as JSON. A cached reply costs 1 us instead of 20 (a request takes 50).

        Raises:
            ItemNotFound: the menu has no item with an id of the basket.

        """
        try:
            # Sorted, so that the sum of floats does not depend on the order of the basket.
            numbers = sorted({self._menu_numbers[item_id] for item_id, _ in basket})
        except KeyError as error:
            message = f"The menu has no item {error.args[0]!r}."
            raise ItemNotFound(message) from error
        customer_orders = self._counts.orders_of(customer_id)
        closed = tuple([item_id for item_id in self._timed_items if not is_item_served(self.menu, item_id, at)])
        query = Query(tuple(numbers), customer_id if customer_orders else None, at.hour, at.weekday(), limit, closed)
        if exclude:
            return orjson.dumps(self._suggest(query, customer_orders, exclude))
        cached = self._suggestions.get(query)
        if cached is None:
            if len(self._suggestions) * limit > self._max_cached_suggestions:
                self._suggestions.clear()
            cached = self._suggestions[query] = orjson.dumps(self._suggest(query, customer_orders))
        return cached

    def next_item(
        self, basket: Sequence[tuple[str, int]], exclude: Collection[str], *, customer_id: int | None, at: datetime
    ) -> str | None:
        """Return the most likely next item; None if there is none."""
        suggestions = self.recommend(basket, customer_id=customer_id, at=at, limit=1, exclude=exclude)
        return suggestions[0]["item"] if suggestions else None

    def _suggest(self, query: Query, customer_orders: CustomerOrders, exclude: Collection[str] = ()) -> list[Suggestion]:
        basket, customer_id, hour, weekday, limit, closed = query
        scores = self._scorer.score(basket, hour, weekday, customer_id, customer_orders)
        for item_id in (*exclude, *closed):
            if item_id in self._menu_numbers:
                scores[self._menu_numbers[item_id]] = -math.inf
        if self._has_categories and self.n_orders:
            ranked = limit_categories(top_items(scores, 4 * limit), limit, self._categories, self._scorer.blend.category_penalty)
        else:
            ranked = top_items(scores, limit)
        suggestions: list[Suggestion] = []
        for number, probability in ranked:
            item_id = self._counts.item_ids[number]
            item = self.menu.items[item_id]
            suggestions.append(
                {
                    "item": item_id,
                    "name": item.name,
                    "price": item.price,
                    "currency": self.menu.currency,
                    "score": round(probability, 6),
                    "reason": self._explainer.explain(number, basket, customer_orders),
                }
            )
        return suggestions

    # Fits

    def _schedule_fits(self) -> None:
        """Set `due` to the latest fit that is due."""
        while self.n_orders >= self._next_fit_orders:
            self.due, self._next_fit_orders = self._next_fit_orders, next_fit_orders(self._next_fit_orders)

    @property
    def needs_quick_fit(self) -> bool:
        """True without a model, or with one fitted to less than half of the orders."""
        return self.fitted is None or self.fitted.n_orders * 2 < min(self.n_orders, self._max_window_orders)

    def fit_input(self, n_orders: int) -> tuple[OrderArrays, list[ItemDescription]]:
        """Return a copy of the newest `max_window_orders` of the first `n_orders` orders, and the descriptions of all items."""
        orders = self._window.between(n_orders - self._max_window_orders, n_orders)
        return orders, [self._describe(item_id) for item_id in self._counts.item_ids]

    def _describe(self, item_id: str) -> ItemDescription:
        item = self.menu.items.get(item_id)
        if item is None:  # not on the menu now; most ids are names in lower case
            return ItemDescription(item_id, item_id.replace("_", "-").replace("-", " "), None)
        return ItemDescription(item_id, " ".join([*all_names(item.name), *all_names(item.category or "")]), item.category)

    def use(self, fitted: FittedModel) -> None:
        """Use a fitted model from now on; it may have items that are not counted here yet."""
        self._counts.add_items(fitted.item_ids)
        self._scorer.use(fitted)
        self._clear_caches()

    def fit(self) -> None:
        """Fit to all orders in this process, which blocks: for commands."""
        self.use(fit_tuned(*self.fit_input(self.n_orders)))

    def end_fit(self, n_orders: int) -> None:
        """Record that the fit to the first `n_orders` orders is done, or failed."""
        if self.due is not None and self.due <= n_orders:
            self.due = None

    # Snapshots

    def snapshot(self) -> bytes:
        """Serialise the counts and the order window. No orders may be added meanwhile."""
        return pack_snapshot(self._counts, self._window)

    def restore(self, snapshot: bytes) -> None:
        """Continue from a snapshot; no orders may have been added before.

        Raises:
            ValueError: the snapshot has another format.

        """
        restore_snapshot(snapshot, self._counts, self._window)
        self._schedule_fits()
        self._clear_caches()
