"""Serialise counts and the order window, so that a start need not count all orders again."""

import itertools
import zipfile
import zlib
from array import array
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice.recommend.counts import OrderCounts
from voice.recommend.history import MAX_CUSTOMER_ORDERS
from voice.recommend.order_window import OrderWindow
from voice.recommend.packing import pack, unpack

# A snapshot of another format is rejected, and its orders are counted again.
FORMAT = 1


def pack_snapshot(counts: OrderCounts, window: OrderWindow) -> bytes:
    """Serialise counts and the order window. They must not change meanwhile."""
    customers = list(counts.customers.items())
    baskets = [basket for _, orders in customers for basket in orders]
    arrays: dict[str, NDArray[Any]] = {
        "counts": counts.items,
        "hours": counts.hours,
        "weekdays": counts.weekdays,
        "recent": counts.recent,
        "growth": counts.growth,
        "pair_sizes": np.array([len(row) for row in counts.pairs], np.int32),
        "pair_items": np.fromiter(itertools.chain.from_iterable(counts.pairs), np.int32),
        "pair_counts": np.fromiter(itertools.chain.from_iterable(row.values() for row in counts.pairs), np.int32),
        "customers": np.array([customer_id for customer_id, _ in customers], np.int64),
        "customer_sizes": np.array([len(orders) for _, orders in customers], np.int32),
        "basket_sizes": np.array([len(basket) for basket in baskets], np.int32),
        "basket_items": np.fromiter(itertools.chain.from_iterable(baskets), np.int32),
        "past_items": np.array(window.items, np.int32),
        "past_sizes": np.array(window.sizes, np.int32),
        "past_placed_at_s": np.array(window.placed_at_s),
        "past_customers": np.array(window.customers, np.int64),
    }
    header = {"format": FORMAT, "item_ids": counts.item_ids, "n_orders": counts.n_orders}
    return zlib.compress(pack(header, arrays), level=1)


def restore_snapshot(packed: bytes, counts: OrderCounts, window: OrderWindow) -> None:
    """Fill empty counts and an empty order window from a snapshot.

    Raises:
        ValueError: the snapshot has another format.

    """
    try:
        header, arrays = unpack(zlib.decompress(packed))
    except (zlib.error, zipfile.BadZipFile, EOFError, KeyError) as error:
        message = "the snapshot's format is not known"
        raise ValueError(message) from error
    if header["format"] != FORMAT:
        message = f"the snapshot's format {header['format']} is not known"
        raise ValueError(message)
    counts.add_items(header["item_ids"])
    numbers = np.array([counts.numbers[item_id] for item_id in header["item_ids"]], np.int64)
    for table, name in ((counts.items, "counts"), (counts.hours, "hours"), (counts.weekdays, "weekdays"), (counts.recent, "recent")):
        table[..., numbers] = arrays[name]
    counts.growth = arrays["growth"]
    counts.n_orders = header["n_orders"]
    others = _cut(numbers[arrays["pair_items"]].tolist(), arrays["pair_sizes"])
    pair_counts = _cut(arrays["pair_counts"].tolist(), arrays["pair_sizes"])
    for item, row, together in zip(numbers.tolist(), others, pair_counts, strict=True):
        counts.pairs[item] = dict(zip(row, together, strict=True))
    counts.n_pairs = len(arrays["pair_items"])
    baskets = list(map(tuple, _cut(numbers[arrays["basket_items"]].tolist(), arrays["basket_sizes"])))
    for customer_id, orders in zip(arrays["customers"].tolist(), _cut(baskets, arrays["customer_sizes"]), strict=True):
        counts.customers[customer_id] = deque(orders, MAX_CUSTOMER_ORDERS)
    window.items = array("i", numbers[arrays["past_items"]].astype(np.int32).tobytes())
    window.sizes = array("i", arrays["past_sizes"].tobytes())
    window.placed_at_s = array("d", arrays["past_placed_at_s"].tobytes())
    window.customers = array("q", arrays["past_customers"].tobytes())
    window.n_dropped = counts.n_orders - len(window.sizes)


def _cut(values: list[Any], sizes: NDArray[np.int32]) -> Iterator[list[Any]]:
    """Cut a list into consecutive pieces of these sizes."""
    rest = iter(values)
    return (list(itertools.islice(rest, size)) for size in sizes.tolist())
