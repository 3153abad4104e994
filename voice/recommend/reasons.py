"""Explain a suggestion by its strongest supporting count, in the menu's language."""

from typing import NamedTuple

import numpy as np

from schemas import Reason
from voice.menus.menu import Menu
from voice.recommend.counts import Basket, CustomerOrders, OrderCounts


class Sentences(NamedTuple):
    """A language's sentences."""

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
# Below this the text gives the counts: "7 of 10" would overstate two of three.
FEW_ORDERS = 20
# Shares from here on round to at least one in ten. Below this the text gives no share.
RARE_SHARE = 0.095
USUAL_SHARE = 1 / 3
# Popular items have at least this many orders, and at least as many as the average item.
MIN_POPULAR_ORDERS = 10
MAX_CACHED_REASONS = 20_000


class Explainer:
    """Reasons from the counts of a menu's orders."""

    def __init__(self, counts: OrderCounts, menu: Menu) -> None:
        self._counts, self._menu = counts, menu
        self._sentences = SENTENCES.get(menu.languages[0] if menu.languages else "en", SENTENCES["en"])
        # By item and supporting item, until the counts change. Five suggestions take 30 us; building their reasons anew takes 15 of them.
        self._reasons: dict[tuple[int, int | None], Reason] = {}

    def clear(self) -> None:
        """Empty the cache."""
        self._reasons.clear()

    def explain(self, item: int, basket: Basket, customer_orders: CustomerOrders) -> Reason:
        """Return the strongest reason for an item, with the exact share of orders."""
        if customer_orders:
            n_orders, n_usual = len(customer_orders), sum(item in items for items in customer_orders)
            if n_usual > 1 or n_usual == n_orders:  # one of several orders is no habit
                return {"kind": "usual", "item": None, "share": round(n_usual / n_orders, 4), "text": self._usual_text(n_usual, n_orders)}
        if not self._counts.items.item(item):
            return {"kind": "menu", "item": None, "share": None, "text": self._sentences.menu}
        other = self._best_support(item, basket)
        reason = self._reasons.get((item, other))
        if reason is None:
            if len(self._reasons) > MAX_CACHED_REASONS:
                self._reasons.clear()
            reason = self._reasons[item, other] = self._explain_by_popularity(item) if other is None else self._explain_by_pair(item, other)
        return reason

    def _best_support(self, item: int, basket: Basket) -> int | None:
        """Return the basket item whose orders most often contain `item`; None if they contain it no more often than all orders."""
        best, best_share, pairs = None, self._counts.items.item(item) / self._counts.n_orders, self._counts.pairs[item]
        for other in basket:
            together = pairs.get(other, 0)
            if together < 2:  # noqa: PLR2004 - one order together may be chance
                continue
            share = together / self._counts.items.item(other)
            # Equal shares are decided by the ids, since the numbers differ between processes.
            is_first = best is not None and self._counts.item_ids[other] < self._counts.item_ids[best]
            if share > best_share or (share == best_share and is_first):
                best, best_share = other, share
        return best

    def _explain_by_popularity(self, item: int) -> Reason:
        items = self._counts.items
        is_popular = items[item] >= max(MIN_POPULAR_ORDERS, items.sum() / np.count_nonzero(items))
        text = self._sentences.popular if is_popular else self._sentences.ordered
        return {"kind": "popular", "item": None, "share": round(items.item(item) / self._counts.n_orders, 4), "text": text}

    def _explain_by_pair(self, item: int, other: int) -> Reason:
        other_id = self._counts.item_ids[other]
        name, together, n_orders = self._menu.items[other_id].name, self._counts.pairs[item][other], int(self._counts.items[other])
        if n_orders < FEW_ORDERS:
            text = self._sentences.few_with % {"count": together, "orders": n_orders, "item": name}
        elif together < RARE_SHARE * n_orders:
            text = self._sentences.rare_with % {"item": name}
        else:
            text = self._sentences.many_with % {"count": round(together / n_orders * 10), "item": name}
        return {"kind": "with", "item": other_id, "share": round(together / n_orders, 4), "text": text}

    def _usual_text(self, n_usual: int, n_orders: int) -> str:
        if n_orders == 1:
            return self._sentences.last_time
        return (self._sentences.usual if n_usual >= USUAL_SHARE * n_orders else self._sentences.sometimes) % (n_usual, n_orders)
