"""Fit the ranking model and the blend to past orders, in this process or in a separate one.

Fits are deterministic. `python -m voice.recommend.fitting` reads a task from its standard input and writes the fitted model to its
standard output: a fit in a thread would make requests wait for the GIL, and numpy would occupy every core.
"""

import os
import sys
import zipfile
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from voice.recommend.blend import WITH_MODEL, Blend
from voice.recommend.history import History, OrderArrays, make_history, restrict, select_model_items
from voice.recommend.packing import pack, unpack
from voice.recommend.ranking_model import QUICK, THOROUGH, RankingModel, fit, word_features
from voice.recommend.tuning import MIN_VALIDATION_ORDERS, UNTUNED, ValidationSet, tune

# Requests have priority: a fit gets a third of another process's weight. With less it would never end on a busy machine.
NICENESS = 5


class ItemDescription(NamedTuple):
    """An item's words and category, from its menu."""

    item_id: str
    words: str
    category: str | None


class FittedModel(NamedTuple):
    """A ranking model, the ids of its items, its blend, and the number of orders that it was fitted to."""

    item_ids: tuple[str, ...]
    model: RankingModel
    blend: Blend
    n_orders: int


def fit_quick(orders: OrderArrays, descriptions: Sequence[ItemDescription]) -> FittedModel:
    """Fit with untuned settings, which takes seconds. `descriptions[i]` describes item `i` of the orders."""
    history, items = _prepare(orders, descriptions)
    model = fit(history, word_features([item.words for item in items]), UNTUNED, QUICK)
    return FittedModel(tuple(item.item_id for item in items), model, WITH_MODEL, history.n_orders)


def fit_tuned(orders: OrderArrays, descriptions: Sequence[ItemDescription]) -> FittedModel:
    """Tune the settings on the newest orders, then fit to all. `descriptions[i]` describes item `i` of the orders."""
    history, items = _prepare(orders, descriptions)
    words = word_features([item.words for item in items])
    settings, blend = UNTUNED, WITH_MODEL
    validation = ValidationSet(history)
    if validation.n_examples >= MIN_VALIDATION_ORDERS:
        numbers = {category: number for number, category in enumerate(dict.fromkeys(item.category for item in items))}
        settings, blend = tune(validation, words, np.array([numbers[item.category] for item in items]))
    model = fit(history, words, settings, THOROUGH)
    return FittedModel(tuple(item.item_id for item in items), model, blend, history.n_orders)


def _prepare(orders: OrderArrays, descriptions: Sequence[ItemDescription]) -> tuple[History, list[ItemDescription]]:
    """Select the items of the model and number them by their ids, so that all processes get the same result."""
    by_id = np.array(sorted(range(len(descriptions)), key=lambda number: descriptions[number].item_id))
    numbers = np.empty(len(descriptions), np.int64)
    numbers[by_id] = np.arange(len(descriptions))
    history = make_history(orders, numbers)
    items = select_model_items(history)
    return restrict(history, items), [descriptions[by_id[item]] for item in items]


def pack_task(orders: OrderArrays, descriptions: Sequence[ItemDescription], *, quick: bool) -> bytes:
    """Serialise the input of a fit."""
    return pack({"descriptions": descriptions, "quick": quick}, orders._asdict())


def run_task(task: bytes) -> bytes:
    """Fit to the orders of a serialised task; return the serialised fitted model."""
    header, arrays = unpack(task)
    fit_orders = fit_quick if header["quick"] else fit_tuned
    return pack_fitted(fit_orders(OrderArrays(**arrays), [ItemDescription(*item) for item in header["descriptions"]]))


def pack_fitted(fitted: FittedModel) -> bytes:
    """Serialise a fitted model."""
    blend = fitted.blend._asdict()
    blend["crowding"] = blend.pop("category_penalty")  # the name in fits that other releases saved
    header = {"item_ids": fitted.item_ids, "n_orders": fitted.n_orders, "blend": blend, "offset": fitted.model.offset}
    arrays = fitted.model._asdict()
    del arrays["offset"]
    return pack(header, arrays)


def unpack_fitted(packed: bytes) -> FittedModel:
    """Deserialise a fitted model.

    Raises:
        ValueError: another release wrote it in another format.

    """
    try:
        header, arrays = unpack(packed)
        blend = header["blend"] | {"weights": tuple(header["blend"]["weights"])}
        blend["category_penalty"] = blend.pop("crowding")
        return FittedModel(tuple(header["item_ids"]), RankingModel(offset=header["offset"], **arrays), Blend(**blend), header["n_orders"])
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error


def main() -> None:
    """Run one task."""
    os.nice(NICENESS)
    sys.stdout.buffer.write(run_task(sys.stdin.buffer.read()))


if __name__ == "__main__":
    main()
