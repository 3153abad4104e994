"""Types shared by the recommender and a store of orders."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class PastOrder:
    """A stored order as the recommender reads it.

    `placed_at` is UTC, `items` are pairs of item id and quantity. Sequences ascend; an order never becomes visible after one with a higher
    sequence.
    """

    sequence: int
    client: str
    menu: str
    placed_at: datetime
    customer_id: int | None
    items: tuple[tuple[str, int], ...]


class CountsSnapshot(NamedTuple):
    """The serialised counts of a client's orders from a menu, up to the order with this sequence, inclusive."""

    client: str
    menu: str
    sequence: int
    counts: bytes


class RecommenderStore(Protocol):
    """A store of orders, fits and snapshots of counts, which several processes share.

    Each call raises Overloaded when the store does not answer.
    """

    async def orders_after(self, sequence: int, *, limit: int) -> list[PastOrder]:
        """Return up to `limit` orders of all clients with a greater sequence, in ascending order."""

    async def claim_fit(self, client: str, menu: str, n_orders: int, *, outdated: float) -> bool:
        """Claim the fit to `n_orders` orders; return False if another process is fitting to more than `n_orders / outdated` orders."""

    async def save_fit(self, client: str, menu: str, n_orders: int, fitted: bytes) -> None:
        """Save a fit for other processes, unless a fit to more orders is saved."""

    async def get_fit(self, client: str, menu: str, *, after: int) -> tuple[int, bytes] | None:
        """Return the saved fit and its number of orders, if that is greater than `after`."""

    async def snapshot_sequences(self) -> dict[tuple[str, str], int]:
        """Return the sequence of each saved snapshot, by client and menu."""

    async def get_snapshot(self, client: str, menu: str) -> tuple[int, bytes] | None:
        """Return a saved snapshot's sequence and counts."""

    async def save_snapshots(self, snapshots: Collection[CountsSnapshot], *, since: int) -> None:
        """Save snapshots, unless the greatest saved sequence is no longer `since`."""
