"""Suggest what a customer will want next, from the orders that a client stored.

Read `Recommender.recommend` first: a score is a sum of what is known of an item (popularity, the basket, the hour, the customer's own
orders, a fitted model), each weighed by `ranking_model.Blend`. Counts are exact after each order. The model and the weights are fitted
elsewhere (`voice.recommend.sync`), as the orders grow by a fortieth, from exactly the orders up to certain numbers: so all that read the
same store come to the same model, whenever they were started.
"""

import itertools
import math
import zipfile
import zlib
from array import array
from collections import OrderedDict, deque
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from errors import ItemNotFound
from schemas import Menu, Reason, Suggestion
from voice.recommend import ranking_model
from voice.recommend.ranking_model import (
    COUNTS_ONLY,
    HOURS,
    MAX_CUSTOMER_ORDERS,
    RECENT_HALF_LIVES,
    WEEKDAYS,
    Described,
    Fitted,
    Orders,
    log_lift,
)

if TYPE_CHECKING:
    from datetime import datetime

    from voice.store.orders import PastOrder

Scores = NDArray[np.float64]
Basket = Sequence[int]
Past = Collection[tuple[int, ...]]

# About 1 kB each: 100 MB at worst. Who has not ordered for longest is forgotten first.
MAX_CUSTOMERS = 100_000
# Ordered pairs of items with their counts, about 100 bytes each. A menu of 1,000 items cannot reach it.
MAX_PAIRS = 1_000_000
# The orders that a fit looks back on; the longest half-life is a tenth of it, so what is older weighs less than a thousandth.
MAX_HISTORY_ORDERS = 200_000
# From here a model beats counting where there is something to learn, and loses little where there is nothing.
FIRST_FIT_ORDERS = 100
# Derived vectors kept for orders that have not changed: in floats, so that a large menu keeps fewer of them. 32 MB at worst.
MAX_CACHED_FLOATS = 4_000_000
MAX_CACHED_REASONS = 20_000
# Whole answers, until the next order: most baskets are small, and many are the same. About 0.4 kB for each item suggested.
MAX_CACHED_SUGGESTIONS = 20_000

# Up to so many items it is quicker to sort all than to find the best first.
SORTED_AT_ONCE = 400

# Orders read from the store at once: some milliseconds of learning before requests have their turn.
BATCH_ORDERS = 200
# How `Recommender.counted` writes. What was written in another way is counted again from the orders.
COUNTED_FORMAT = 1


class Sentences(NamedTuple):
    """A language's reasons."""

    few_with: str
    many_with: str
    rare_with: str
    usual: str
    sometimes: str
    last_time: str
    popular: str
    ordered: str
    menu: str


SENTENCES = {
    "vi": Sentences(
        few_with="%(count)d trong %(orders)d đơn có %(item)s gọi thêm món này",
        many_with="Cứ 10 đơn có %(item)s thì khoảng %(count)d đơn gọi thêm món này",
        rare_with="Được gọi cùng %(item)s nhiều hơn bình thường",
        usual="Món quen: có trong %d trên %d đơn gần đây của bạn",
        sometimes="Bạn từng gọi: có trong %d trên %d đơn gần đây của bạn",
        last_time="Lần trước bạn đã gọi món này",
        popular="Nhiều khách gọi món này",
        ordered="Đã có khách gọi món này",
        menu="Có trong thực đơn",
    ),
    "en": Sentences(
        few_with="%(count)d of %(orders)d orders with %(item)s have this too",
        many_with="About %(count)d of 10 orders with %(item)s have this too",
        rare_with="Ordered with %(item)s more often than otherwise",
        usual="Your usual: in %d of your last %d orders",
        sometimes="You have had this: in %d of your last %d orders",
        last_time="You had this last time",
        popular="Ordered by many",
        ordered="Ordered by others too",
        menu="On the menu",
    ),
}
# Below it the very numbers are told: "7 of 10" of three orders would claim too much.
FEW_ORDERS = 20
# What rounds to one in ten. "3 of 100" would be true, and no reason to order anything.
RARE_SHARE = 0.095
# A habit is what is in every third order.
USUAL_SHARE = 1 / 3
# Orders that are many, if they are also no fewer than an item has on average.
MANY_ORDERS = 10


def fit_after(n_orders: int) -> int:
    """Return at how many orders a fit is due after the one at `n_orders`: at a fortieth more, but 50 to 20,000."""
    return n_orders + max(50, min(n_orders // 40, 20_000))


def _cut(values: list[Any], sizes: NDArray[np.int32]) -> Iterator[list[Any]]:
    """Cut a list into pieces of these sizes."""
    rest = iter(values)
    return (list(itertools.islice(rest, size)) for size in sizes.tolist())


class Asked(NamedTuple):
    """What an answer depends on, besides the orders: the basket's items in order, the customer where some orders of theirs are known."""

    taken: tuple[int, ...]
    customer_id: int | None
    hour: int
    weekday: int
    limit: int


class Recommender:
    """What one client's customers order from one menu.

    Not safe for use from several threads at once.
    """

    def __init__(self, menu: Menu) -> None:
        self.n_orders = 0
        self.fitted: Fitted | None = None
        self._next_fit = FIRST_FIT_ORDERS
        # The number of orders from which a fit is due.
        self.due: int | None = None
        self._blend = COUNTS_ONLY
        self._modelled: NDArray[np.int64] = np.zeros(0, np.int64)
        self._slots: dict[int, int] = {}
        self._index: dict[str, int] = {}
        # By item: orders, orders by hour and by weekday, orders that fade by each half-life.
        self._counts = np.zeros(0)
        self._hours = np.zeros((HOURS, 0))
        self._weekdays = np.zeros((WEEKDAYS, 0))
        self._recent = np.zeros((len(RECENT_HALF_LIVES), 0))
        self._growth = np.ones(len(RECENT_HALF_LIVES))
        self._pairs: list[dict[int, int]] = []
        self._n_pairs = 0
        self._customers: OrderedDict[int, deque[tuple[int, ...]]] = OrderedDict()
        # All orders in the order of learning, for fits; the first may have been dropped.
        self._past_items, self._past_sizes = array("i"), array("i")
        self._past_placed_at_s, self._past_customers = array("d"), array("q")
        # What follows from the above, until the next order.
        self._bases: dict[tuple[int, int, int], Scores] = {}
        self._rows: dict[int, Scores] = {}
        self._tastes: dict[int, Scores] = {}
        self._reasons: dict[tuple[int, int], Reason] = {}
        self._suggested: dict[Asked, bytes] = {}  # as JSON
        self.serve(menu)

    # What comes in

    def serve(self, menu: Menu) -> None:
        """Suggest from `menu` from now on; what was learned is kept, also about items that may come back."""
        self.menu = menu
        self._sentences = SENTENCES.get(menu.languages[0] if menu.languages else "en", SENTENCES["en"])
        self._know(menu.items)
        self._positions = {item_id: self._index[item_id] for item_id in menu.items}
        # Where nothing else decides the menu's own order does: a billionth is less than any difference that orders make.
        self._menu_order = np.full(len(self._index), -math.inf)
        for rank, (item_id, item) in enumerate(menu.items.items()):
            if item.available:
                self._menu_order[self._index[item_id]] = -1e-9 * rank
        categories = {category: number for number, category in enumerate({item.category: None for item in menu.items.values()})}
        self._category = {self._index[item_id]: categories[item.category] for item_id, item in menu.items.items()}
        self._has_categories = len(categories) > 1
        self._ones = np.ones(len(self._index))
        self._forget_derived()

    def learn(self, order: "PastOrder") -> None:
        """Count an order; the next suggestion knows it."""
        self.learn_all((order,))

    def learn_all(self, orders: "Sequence[PastOrder]") -> None:
        """Count orders, several times as fast as one by one."""
        if len(orders) > BATCH_ORDERS:
            for start in range(0, len(orders), BATCH_ORDERS):
                self.learn_all(orders[start : start + BATCH_ORDERS])
            return
        if not orders:
            return
        self._know([item_id for order in orders for item_id, _ in order.items])
        index, baskets = self._index, []
        for order in orders:
            basket = sorted({index[item_id] for item_id, _ in order.items})
            baskets.append(basket)
            self._count_pairs(basket)
            if order.customer_id is not None:
                self._remember(order.customer_id, tuple(basket))
        if self._n_pairs > MAX_PAIRS:
            self._drop_rare_pairs()
        sizes = list(map(len, baskets))
        items = np.array(list(itertools.chain.from_iterable(baskets)), np.int64)
        hours, weekdays = [order.placed_at.hour for order in orders], [order.placed_at.weekday() for order in orders]
        self._counts += np.bincount(items, minlength=len(index))
        np.add.at(self._hours, (np.repeat(hours, sizes), items), 1)
        np.add.at(self._weekdays, (np.repeat(weekdays, sizes), items), 1)
        self._count_recent(items, sizes)
        self.n_orders += len(orders)

        self._past_items.extend(items)
        self._past_sizes.extend(sizes)
        self._past_placed_at_s.extend(order.placed_at.timestamp() for order in orders)
        self._past_customers.extend(order.customer_id or 0 for order in orders)
        if self.n_orders >= self._next_fit:
            self._expect_fit()
            self._drop_old_orders()
        self._forget_derived()

    def _count_pairs(self, basket: Basket) -> None:
        for item in basket:
            row = self._pairs[item]
            before = len(row)
            for other in basket:
                if other != item:
                    row[other] = row.get(other, 0) + 1
            self._n_pairs += len(row) - before

    def _count_recent(self, items: NDArray[np.int64], sizes: list[int]) -> None:
        """Weigh each order more than the one before it, instead of all before less; before that overflows all are scaled down."""
        if self._growth[0] > 1e100:  # noqa: PLR2004 - far below the greatest float, 1e308
            self._recent /= self._growth[:, None]
            self._growth[:] = 1
        half_lives = np.array(RECENT_HALF_LIVES)[:, None]
        weights = self._growth[:, None] * np.exp2(np.arange(1, len(sizes) + 1) / half_lives)
        for number, of_orders in enumerate(weights):
            self._recent[number] += np.bincount(items, np.repeat(of_orders, sizes), len(self._index))
        self._growth = weights[:, -1].copy()

    # What goes out

    def recommend(
        self, basket: Sequence[tuple[str, int]], *, customer_id: int | None, at: "datetime", limit: int, exclude: Collection[str]
    ) -> list[Suggestion]:
        """Return the `limit` items that are most likely wanted next, best first; an item's score is the probability that it is the next.

        Raises:
            ItemNotFound: the menu has no item that the basket names.

        """
        suggestions: list[Suggestion] = orjson.loads(
            self.recommend_json(basket, customer_id=customer_id, at=at, limit=limit, exclude=exclude)
        )
        return suggestions

    def recommend_json(
        self, basket: Sequence[tuple[str, int]], *, customer_id: int | None, at: "datetime", limit: int, exclude: Collection[str]
    ) -> bytes:
        """Return the same as JSON, as it is remembered: writing it anew for each reply costs more than finding it.

        Raises:
            ItemNotFound: see there.

        """
        positions = self._positions
        try:
            # Sorted, so that the sum of floats does not depend on the basket's order.
            taken = sorted({positions[item_id] for item_id, _ in basket})
        except KeyError as error:
            message = f"The menu has no item {error.args[0]!r}."
            raise ItemNotFound(message) from error
        past = self._customers.get(customer_id, ()) if customer_id is not None else ()
        asked = Asked(tuple(taken), customer_id if past else None, at.hour, at.weekday(), limit)
        if exclude:
            return orjson.dumps(self._suggest(asked, past, exclude))
        known = self._suggested.get(asked)
        if known is None:
            if len(self._suggested) * limit > MAX_CACHED_SUGGESTIONS:
                self._suggested.clear()
            known = self._suggested[asked] = orjson.dumps(self._suggest(asked, past))
        return known

    def _suggest(self, asked: Asked, past: Past, exclude: Collection[str] = ()) -> list[Suggestion]:
        taken, customer_id, hour, weekday, limit = asked
        positions = self._positions
        base = self._base(hour, weekday, len(taken))
        if taken:
            scores = self._row(taken[0])
            for item in taken[1:]:
                scores = scores + self._row(item)
            scores = scores * len(taken) ** ranking_model.BASKET_EXPONENT
            scores += base
        else:
            scores = base.copy()
        if past and customer_id is not None:
            scores += self._taste(customer_id, past)
        for item in taken:
            scores[item] = -math.inf
        for item_id in exclude:
            if item_id in positions:
                scores[positions[item_id]] = -math.inf

        items, item_ids, currency = self.menu.items, self._item_ids, self.menu.currency
        suggestions: list[Suggestion] = []
        for item, score in self._best(scores, limit):
            item_id = item_ids[item]
            served = items[item_id]
            suggestions.append(
                {
                    "item": item_id,
                    "name": served.name,
                    "price": served.price,
                    "currency": currency,
                    "score": int(score * 1e6 + 0.5) / 1e6,  # round() takes five times as long
                    "reason": self._reason(item, taken, past),
                }
            )
        return suggestions

    def _best(self, scores: Scores, limit: int) -> list[tuple[int, float]]:
        """Return the best items with their probabilities, not too many of one category where others are nearly as likely."""
        if not len(scores):
            return []
        highest = scores.item(scores.argmax())
        if highest == -math.inf:
            return []
        likelihood = np.exp(scores - highest)
        wanted = limit * 4 if self._has_categories and self.n_orders else limit
        # Equal scores do not occur, as each holds its rank on the menu: no sort needs to be stable.
        if len(scores) > max(SORTED_AT_ONCE, wanted):
            best = scores.argpartition(len(scores) - wanted)[-wanted:]
            best = best[scores[best].argsort()[::-1]]
        else:
            best = scores.argsort()[: -wanted - 1 : -1]
        scale = 1 / likelihood.dot(self._ones)
        ranked = [(item, likelihood.item(item) * scale) for item in best.tolist()]
        if scores.item(ranked[-1][0]) == -math.inf:
            ranked = [(item, probability) for item, probability in ranked if scores[item] > -math.inf]
        return self._spread(ranked, limit) if wanted > limit else ranked

    def _spread(self, ranked: list[tuple[int, float]], limit: int) -> list[tuple[int, float]]:
        """Lower what would be more of one category than half of the suggestions."""
        quota, category_of = (limit + 1) // 2, self._category
        seen: dict[int, int] = {}
        for item, _ in ranked[:limit]:
            category = category_of[item]
            seen[category] = seen.get(category, 0) + 1
        if max(seen.values()) <= quota:
            return ranked[:limit]
        seen.clear()
        spread = []
        for item, probability in ranked:
            category = category_of[item]
            seen[category] = count = seen.get(category, 0) + 1
            spread.append((item, probability * self._blend.crowding ** max(count - quota, 0)))
        spread.sort(key=lambda pair: -pair[1])
        return spread[:limit]

    def _reason(self, item: int, taken: Basket, past: Past) -> Reason:
        """Tell what speaks most for an item, with the share of orders as counted."""
        if past:
            usual = sum([item in items for items in past])
            if usual > 1 or usual == len(past):  # once in several orders is no habit
                text = self._tell_usual(usual, len(past))
                return {"kind": "usual", "item": None, "share": round(usual / len(past), 4), "text": text}
        count = self._counts.item(item)
        if not count:
            return {"kind": "menu", "item": None, "share": None, "text": self._sentences.menu}
        best, best_share, pairs = -1, count / self.n_orders, self._pairs[item]
        for other in taken:
            together = pairs.get(other, 0)
            if together < 2:  # noqa: PLR2004 - one order together may be chance
                continue
            share = together / self._counts.item(other)
            # Less often than everybody orders it is no reason. Of equal ones it is the same in all processes, whatever their numbering.
            if share > best_share or (share == best_share and best >= 0 and self._item_ids[other] < self._item_ids[best]):
                best, best_share = other, share
        reason = self._reasons.get((item, best))
        if reason is None:
            if best < 0:
                is_popular = count >= max(MANY_ORDERS, self._counts.sum() / np.count_nonzero(self._counts))
                text = self._sentences.popular if is_popular else self._sentences.ordered
                reason = {"kind": "popular", "item": None, "share": round(best_share, 4), "text": text}
            else:
                text = self._tell_with(best, pairs[best], int(self._counts[best]))
                reason = {"kind": "with", "item": self._item_ids[best], "share": round(best_share, 4), "text": text}
            if len(self._reasons) > MAX_CACHED_REASONS:
                self._reasons.clear()
            self._reasons[item, best] = reason
        return reason

    def _tell_with(self, other: int, together: int, orders: int) -> str:
        name = self.menu.items[self._item_ids[other]].name
        if orders < FEW_ORDERS:
            return self._sentences.few_with % {"count": together, "orders": orders, "item": name}
        if together < RARE_SHARE * orders:
            return self._sentences.rare_with % {"item": name}
        return self._sentences.many_with % {"count": round(together / orders * 10), "item": name}

    def _tell_usual(self, usual: int, orders: int) -> str:
        if orders == 1:
            return self._sentences.last_time
        return (self._sentences.usual if usual >= USUAL_SHARE * orders else self._sentences.sometimes) % (usual, orders)

    # The parts of a score; `next_item` has the same for a slice of the history.

    def _base(self, hour: int, weekday: int, size: int) -> Scores:
        """Return what is known before the basket's items and the customer; minus infinity where an item is not served."""
        bucket = int(ranking_model.SIZE_BUCKETS[min(size, len(ranking_model.SIZE_BUCKETS) - 1)]) if self.fitted else 0
        known = self._bases.get((hour, weekday, bucket))
        if known is not None:
            return known
        blend, weights = self._blend, self._blend.weights
        half_life = RECENT_HALF_LIVES.index(blend.recent_half_life)
        base: Scores = weights[0] * np.log(self._recent[half_life] / self._growth[half_life] + 0.5)
        total = max(self._counts.sum(), 1)
        by_hour = self._hours[[(hour - 1) % HOURS, hour, (hour + 1) % HOURS]].sum(axis=0)
        base += weights[2] * log_lift(by_hour, self._counts * (by_hour.sum() / total), blend.hour_prior)
        by_weekday = self._weekdays[weekday]
        base += weights[3] * log_lift(by_weekday, self._counts * (by_weekday.sum() / total), blend.hour_prior)
        if self.fitted:
            model = self.fitted.model
            context = model.context[HOURS + weekday] + model.context[HOURS + WEEKDAYS + bucket]
            for shift, weight in ranking_model.HOUR_KERNEL:
                context = context + weight * model.context[(hour + shift) % HOURS]
            # An item that the model does not know has what the model would begin with.
            modelled = np.log(self._counts + 0.5) - model.offset
            modelled[self._modelled] = model.bias + context
            base += weights[5] * modelled
        base += self._menu_order
        if len(self._bases) * len(base) > MAX_CACHED_FLOATS:
            self._bases.clear()
        self._bases[hour, weekday, bucket] = base
        return base

    def _row(self, item: int) -> Scores:
        """Return what an item in the basket says of each other, before the basket's size is known."""
        known = self._rows.get(item)
        if known is not None:
            return known
        pairs, observed = self._pairs[item], np.zeros(len(self._index))
        observed[np.fromiter(pairs.keys(), np.int64, len(pairs))] = np.fromiter(pairs.values(), np.float64, len(pairs))
        expected = self._counts * (self._counts[item] / max(self.n_orders, 1))
        row = self._blend.weights[1] * log_lift(observed, expected, self._blend.pair_prior)
        slot = self._slots.get(item)
        if self.fitted and slot is not None:
            row[self._modelled] += self._blend.weights[5] * self.fitted.model.basket[slot]
        if len(self._rows) * len(row) > MAX_CACHED_FLOATS:
            self._rows.clear()
        self._rows[item] = row
        return row

    def _taste(self, customer_id: int, past: Past) -> Scores:
        """Return what a customer's own orders say of each item."""
        known = self._tastes.get(customer_id)
        if known is not None:
            return known
        observed = np.zeros(len(self._index))
        for items in past:
            for item in items:
                observed[item] += 1
        expected = self._counts * (len(past) / max(self.n_orders, 1))
        taste = self._blend.weights[4] * log_lift(observed, expected, self._blend.customer_prior)
        if self.fitted:
            shares = observed[self._modelled] / len(past)
            ordered = np.flatnonzero(shares)
            taste[self._modelled] += self._blend.weights[5] * (shares[ordered] @ self.fitted.model.past[ordered])
        if len(self._tastes) * len(taste) > MAX_CACHED_FLOATS:
            self._tastes.clear()
        self._tastes[customer_id] = taste
        return taste

    # Handing the counts on

    def counted(self) -> bytes:
        """Write down what was counted, for `restore`. Nothing may be learned meanwhile."""
        pairs, customers = self._pairs[:], list(self._customers.items())
        baskets = [basket for _, past in customers for basket in past]
        arrays: dict[str, NDArray[Any]] = {
            "counts": self._counts,
            "hours": self._hours,
            "weekdays": self._weekdays,
            "recent": self._recent,
            "growth": self._growth,
            "pair_sizes": np.array([len(row) for row in pairs], np.int32),
            "pair_items": np.fromiter(itertools.chain.from_iterable(pairs), np.int32),
            "pair_counts": np.fromiter(itertools.chain.from_iterable(row.values() for row in pairs), np.int32),
            "customers": np.array([customer_id for customer_id, _ in customers], np.int64),
            "customer_sizes": np.array([len(past) for _, past in customers], np.int32),
            "basket_sizes": np.array([len(basket) for basket in baskets], np.int32),
            "basket_items": np.fromiter(itertools.chain.from_iterable(baskets), np.int32),
            "past_items": np.array(self._past_items, np.int32),
            "past_sizes": np.array(self._past_sizes, np.int32),
            "past_placed_at_s": np.array(self._past_placed_at_s),
            "past_customers": np.array(self._past_customers, np.int64),
        }
        about = {"format": COUNTED_FORMAT, "item_ids": self._item_ids[: len(self._counts)], "n_orders": self.n_orders}
        return zlib.compress(ranking_model.pack(about, arrays), level=1)

    def restore(self, counted: bytes) -> None:
        """Take up what another one counted; nothing was learned here yet.

        Raises:
            ValueError: it was written in another way.

        """
        try:
            about, arrays = ranking_model.unpack(zlib.decompress(counted))
        except (zlib.error, zipfile.BadZipFile, EOFError, KeyError) as error:
            message = "not in a format that is known"
            raise ValueError(message) from error
        if about["format"] != COUNTED_FORMAT:
            message = f"the format {about['format']} is not known"
            raise ValueError(message)
        self._know(about["item_ids"])
        here = np.array([self._index[item_id] for item_id in about["item_ids"]], np.int64)
        for mine, theirs in ((self._counts, "counts"), (self._hours, "hours"), (self._weekdays, "weekdays"), (self._recent, "recent")):
            mine[..., here] = arrays[theirs]
        self._growth = arrays["growth"]
        others = _cut(here[arrays["pair_items"]].tolist(), arrays["pair_sizes"])
        numbers = _cut(arrays["pair_counts"].tolist(), arrays["pair_sizes"])
        for item, row, together in zip(here.tolist(), others, numbers, strict=True):
            self._pairs[item] = dict(zip(row, together, strict=True))
        self._n_pairs = len(arrays["pair_items"])
        baskets = _cut(list(map(tuple, _cut(here[arrays["basket_items"]].tolist(), arrays["basket_sizes"]))), arrays["customer_sizes"])
        for customer_id, past in zip(arrays["customers"].tolist(), baskets, strict=True):
            self._customers[customer_id] = deque(past, MAX_CUSTOMER_ORDERS)
        self._past_items = array("i", here[arrays["past_items"]].astype(np.int32).tobytes())
        self._past_sizes = array("i", arrays["past_sizes"].tobytes())
        self._past_placed_at_s = array("d", arrays["past_placed_at_s"].tobytes())
        self._past_customers = array("q", arrays["past_customers"].tobytes())
        self.n_orders = about["n_orders"]
        self._expect_fit()
        self._forget_derived()

    # Fitting

    def _expect_fit(self) -> None:
        """Note the latest fit that is due, and when the next one will be."""
        while self.n_orders >= self._next_fit:
            self.due, self._next_fit = self._next_fit, fit_after(self._next_fit)

    def past_orders(self, n_orders: int) -> tuple[Orders, list[Described]]:
        """Return a copy of the first `n_orders` orders, or the newest MAX_HISTORY_ORDERS of them, and what the menu says of all items."""
        end = n_orders - (self.n_orders - len(self._past_sizes))
        start = max(0, end - MAX_HISTORY_ORDERS)
        starts = np.concatenate([[0], np.cumsum(np.array(self._past_sizes, np.int64)[:end])])[start:]
        items = np.array(self._past_items, np.int64)[starts[0] : starts[-1]]
        placed_at_s, customers = np.array(self._past_placed_at_s)[start:end], np.array(self._past_customers, np.int64)[start:end]
        return Orders(items, starts - starts[0], placed_at_s, customers), [self._describe(item_id) for item_id in self._item_ids]

    def adopt(self, fitted: Fitted) -> None:
        """Use a fit from now on, also one to orders that are not learned here yet."""
        self._know(fitted.item_ids)
        self.fitted, self._blend = fitted, fitted.blend
        self._modelled = np.array([self._index[item_id] for item_id in fitted.item_ids])
        self._slots = {item: slot for slot, item in enumerate(self._modelled.tolist())}
        self._forget_derived()

    @property
    def lags_behind(self) -> bool:
        """There is no fit, or one from less than half of the orders."""
        return self.fitted is None or self.fitted.n_orders * 2 < min(self.n_orders, MAX_HISTORY_ORDERS)

    def fit(self) -> None:
        """Fit to all orders, here and now: for a command that has nothing else to do."""
        self.adopt(ranking_model.learn(*self.past_orders(self.n_orders)))

    def settle(self, n_orders: int) -> None:
        """Note that a fit from the first `n_orders` orders is done, or cannot be."""
        if self.due is not None and self.due <= n_orders:
            self.due = None

    def _describe(self, item_id: str) -> Described:
        item = self.menu.items.get(item_id)
        if item is None:  # not served now; ids are mostly names in small letters
            return Described(item_id, item_id.replace("_", "-").replace("-", " "), None)
        return Described(item_id, f"{item.name} {item.category or ''}", item.category)

    # Bounds

    def _know(self, item_ids: Collection[str]) -> None:
        """Make room for items that are new."""
        new = [item_id for item_id in dict.fromkeys(item_ids) if item_id not in self._index]
        if not new:
            return
        for item_id in new:
            self._index[item_id] = len(self._index)
            self._pairs.append({})
        self._item_ids = list(self._index)
        self._counts = np.pad(self._counts, (0, len(new)))
        self._ones = np.ones(len(self._index))
        self._hours = np.pad(self._hours, ((0, 0), (0, len(new))))
        self._weekdays = np.pad(self._weekdays, ((0, 0), (0, len(new))))
        self._recent = np.pad(self._recent, ((0, 0), (0, len(new))))
        if len(self._index) > len(new):
            self._menu_order = np.pad(self._menu_order, (0, len(new)), constant_values=-math.inf)
        self._forget_derived()

    def _remember(self, customer_id: int, items: tuple[int, ...]) -> None:
        self._customers.setdefault(customer_id, deque(maxlen=MAX_CUSTOMER_ORDERS)).append(items)
        self._customers.move_to_end(customer_id)
        if len(self._customers) > MAX_CUSTOMERS:
            self._customers.popitem(last=False)

    def _drop_rare_pairs(self) -> None:
        """Forget the pairs that were ordered together least, until half are left: they tell least."""
        rare = 1
        while self._n_pairs > MAX_PAIRS // 2:
            self._pairs = [{other: count for other, count in row.items() if count > rare} for row in self._pairs]
            self._n_pairs = sum(map(len, self._pairs))
            rare *= 2

    def _drop_old_orders(self) -> None:
        """Keep the orders that a fit may need: it begins at the latest point, and none is older than the window before it."""
        excess = len(self._past_sizes) - MAX_HISTORY_ORDERS - (self.n_orders - (self.due or 0))
        if excess > 0:
            del self._past_items[: sum(self._past_sizes[:excess])]
            del self._past_sizes[:excess], self._past_placed_at_s[:excess], self._past_customers[:excess]

    def _forget_derived(self) -> None:
        self._bases.clear()
        self._rows.clear()
        self._tastes.clear()
        self._reasons.clear()
        self._suggested.clear()
