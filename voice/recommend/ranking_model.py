"""Learn from past orders which item comes next.

Two kinds of knowledge are combined. Counts (popularity, pairs, hours, weekdays, a customer's own orders) are exact after each order and
need little data. A multinomial logit, fitted by leaving one item out of each order, knows which of two things that go together explains
the other, but has to be fitted. `Blend` weighs them; `tune` chooses its weights, and every half-life and shrinkage, on the newest orders
after learning from those before. Nothing is chosen by hand but where the search begins.

The same history gives the same model. `python -m voice.recommend.ranking_model` reads orders from its standard input and writes what it
learned: a process of its own, because a fit in a thread would make requests wait for the interpreter, and numpy would take every core.
"""

import io
import json
import os
import re
import sys
import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
Matrix = NDArray[np.float32]
Indices = NDArray[np.int64]
Real = TypeVar("Real", np.float32, np.float64)
Parameters = dict[str, NDArray[np.float32]]

HOURS, WEEKDAYS = 24, 7
# Baskets of 0, 1, ... 4, 5-6, 7-9, 10 and more items: what a large order still lacks differs from what a small one does.
SIZE_BUCKETS = np.array([0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 7])
CONTEXTS = HOURS + WEEKDAYS + 8
# An hour is a soft thing: its neighbours say two thirds as much. (The three have the length 1.)
HOUR_KERNEL = ((0, 0.7), (-1, 0.5), (1, 0.5))
# What a basket says grows with the root of its size: its items repeat each other. (0.35 to 0.75 do equally well.)
BASKET_EXPONENT = -0.5
# The orders of a customer that are remembered: tastes change, and twenty tell them.
MAX_CUSTOMER_ORDERS = 20
# The logit has this many items squared as parameters: 250 take ten seconds of one core, 400 half a minute. Rarer items have their counts.
MAX_MODEL_ITEMS = 400

PARTS = ("recent", "pairs", "hour", "weekday", "customer", "model")


class Blend(NamedTuple):
    """How the parts of a score are weighed, shrunk and aged; half-lives are in orders, priors in imagined orders.

    The probability of what would be more than half of the suggestions from one category is multiplied with `crowding`, of the next with
    its square, and so on.
    """

    weights: tuple[float, ...]
    recent_half_life: float = 750.0
    pair_prior: float = 3.0
    hour_prior: float = 8.0
    customer_prior: float = 0.15
    crowding: float = 0.25


# Where the search begins, and all there is while orders are few: naive Bayes, with the weekday, which repeats the hour, held back.
COUNTS_ONLY = Blend((1.0, 1.2, 0.9, 0.3, 1.0, 0.0))
WITH_MODEL = Blend((0.45, 0.5, 0.45, 0.0, 0.9, 0.55))
# How far the weights may move from there per unit of evidence: the standard deviation of a Gaussian prior.
WEIGHT_DEVIATION = 0.5
RECENT_HALF_LIVES = (250.0, 750.0, 2500.0, 10_000.0)
PAIR_PRIORS = (1.0, 3.0, 10.0)
CUSTOMER_PRIORS = (0.05, 0.15, 0.5)
CROWDINGS = (0.1, 0.25, 0.5, 1.0)
MODEL_HALF_LIVES = (1500.0, 5000.0, 20_000.0)
RIDGES = (0.4, 1.0, 3.0)
# The newest fifth of the history, and no more than decides between two weights to a hundredth, is kept for choosing.
SLICE_SHARE = 0.2
MAX_SLICE_ORDERS = 1500
MIN_SLICE_ORDERS = 30


class Described(NamedTuple):
    """What a menu says of an item."""

    item_id: str
    words: str
    category: str | None


class Orders(NamedTuple):
    """Orders as they came: order k has the distinct items `items[starts[k] : starts[k + 1]]`; `customers` is 0 where unknown."""

    items: Indices
    starts: Indices
    placed_at_s: NDArray[np.float64]
    customers: Indices


class History(NamedTuple):
    """Orders, oldest first; `previous` is the same customer's order before, or -1. Within an order items rise."""

    items: Indices
    starts: Indices
    hours: Indices
    weekdays: Indices
    previous: Indices
    n_items: int

    @property
    def n_orders(self) -> int:
        """Return how many orders there are."""
        return len(self.hours)

    def until(self, order: int) -> "History":
        """Return the orders before `order`."""
        end = self.starts[order]
        hours, weekdays, previous = self.hours[:order], self.weekdays[:order], self.previous[:order]
        return History(self.items[:end], self.starts[: order + 1], hours, weekdays, previous, self.n_items)


def make_history(orders: Orders, numbers: Indices) -> History:
    """Put orders in the order of time, and give each item the number that `numbers` has for it."""
    by_time = np.argsort(orders.placed_at_s, kind="stable")
    sizes = np.diff(orders.starts)[by_time]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    items = numbers[orders.items[_ragged(orders.starts[:-1][by_time], sizes)]]
    items = items[np.lexsort((items, np.repeat(np.arange(len(sizes)), sizes)))]
    customers = orders.customers[by_time]
    by_customer = np.argsort(customers, kind="stable")
    same = (customers[by_customer][1:] == customers[by_customer][:-1]) & (customers[by_customer][1:] != 0)
    previous = np.full(len(customers), -1)
    previous[by_customer[1:][same]] = by_customer[:-1][same]
    seconds = orders.placed_at_s[by_time].astype(np.int64)
    # 1970-01-01 was a Thursday, day 3 of datetime.weekday().
    return History(items, starts, seconds // 3600 % HOURS, (seconds // 86_400 + 3) % WEEKDAYS, previous, len(numbers))


def choose_items(history: History, half_life: float = RECENT_HALF_LIVES[-1]) -> Indices:
    """Return the items that a model is worth fitting for: all that were ordered, or the most ordered of late where they are too many."""
    weights = np.repeat(_ages(history.n_orders, half_life), np.diff(history.starts))
    counts = np.bincount(history.items, weights, history.n_items)
    kept = np.argsort(-counts, kind="stable")[:MAX_MODEL_ITEMS]
    return np.sort(kept[counts[kept] > 0])


def restrict(history: History, items: Indices) -> History:
    """Return the history as if `items` were all there is, numbered in that order."""
    slots = np.full(history.n_items, -1)
    slots[items] = np.arange(len(items))
    renamed = slots[history.items]
    kept = np.concatenate([[0], np.cumsum(renamed >= 0)])
    return history._replace(items=renamed[renamed >= 0], starts=kept[history.starts], n_items=len(items))


def words_of(names: Sequence[str]) -> Matrix:
    """Return which words that several names share stand in each name: shape (n_names, n_words), 0 or 1.

    By them the model knows something of items that were ordered rarely, or that are new: another naan is still a naan.
    """
    by_word: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        for word in set(re.findall(r"\w+", name.casefold())):
            by_word.setdefault(word, []).append(position)
    # A word in more than half of the names tells nothing apart. Many words would only cost time: the commonest 150 stay.
    shared = sorted((-len(positions), word) for word, positions in by_word.items() if 1 < len(positions) <= len(names) / 2)[:150]
    words = np.zeros((len(names), len(shared)), np.float32)
    for column, (_, word) in enumerate(shared):
        words[by_word[word], column] = 1
    return words


def log_lift(observed: NDArray[Real], expected: NDArray[Real], prior: float) -> NDArray[Real]:
    """Return the logarithm of how much more often than by chance something happened; 0 where nothing is known.

    Source: the mean of a gamma-Poisson ratio, DuMouchel, "Bayesian data mining in large frequency tables", 1999.
    """
    lift: NDArray[Real] = np.log((observed + prior) / (expected + prior))
    return lift


def _ages(n_orders: int, half_life: float) -> NDArray[np.float64]:
    """Return each order's weight; the newest has 1."""
    return np.exp2(np.arange(1 - n_orders, 1) / half_life)


def _ragged(starts: Indices, sizes: Indices) -> Indices:
    """Return the positions `starts[k] .. starts[k] + sizes[k]` of all k, one after another."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + sizes, sizes)


# --- Leaving one item out -----------------------------------------------------------------------------------------------------------


class Examples(NamedTuple):
    """Orders with one item left out; rows are examples, columns items.

    `past` counts the items of the customer's `n_past` earlier orders; `scaled_basket` and `mean_past` are what the model multiplies.
    """

    basket: Matrix
    scaled_basket: Matrix
    context: Matrix
    past: Matrix
    mean_past: Matrix
    n_past: Vector
    hidden: Indices


def leave_one_out(history: History, orders: Indices, hidden: NDArray[np.float64], known: int) -> Examples:
    """Hide from each of `orders` the item at the part `hidden` (0..1) of its length; only customers' orders before `known` are known."""
    n, rows = len(orders), np.arange(len(orders))
    starts = history.starts[orders]
    sizes = history.starts[orders + 1] - starts
    hidden_items = history.items[starts + (hidden * sizes).astype(np.int64)]
    basket = np.zeros((n, history.n_items), np.float32)
    basket[np.repeat(rows, sizes), history.items[_ragged(starts, sizes)]] = 1
    basket[rows, hidden_items] = 0
    left = sizes - 1
    context = np.zeros((n, CONTEXTS), np.float32)
    for shift, weight in HOUR_KERNEL:
        context[rows, (history.hours[orders] + shift) % HOURS] = weight
    context[rows, HOURS + history.weekdays[orders]] = 1
    context[rows, HOURS + WEEKDAYS + SIZE_BUCKETS[np.minimum(left, len(SIZE_BUCKETS) - 1)]] = 1
    past, n_past = _past(history, orders, known)
    scaled_basket = basket * (np.maximum(left, 1) ** BASKET_EXPONENT).astype(np.float32)[:, None]
    mean_past = (past / np.maximum(n_past, 1)[:, None]).astype(np.float32, copy=False)
    return Examples(basket, scaled_basket, context, past, mean_past, n_past, hidden_items)


def _past(history: History, orders: Indices, known: int) -> tuple[Matrix, Vector]:
    past, n_past = np.zeros((len(orders), history.n_items), np.float32), np.zeros(len(orders), np.float32)
    rows, at = np.arange(len(orders)), history.previous[orders]
    for _ in range(MAX_CUSTOMER_ORDERS):
        rows, at = rows[at >= 0], at[at >= 0]
        if not len(rows):
            break
        counted, there = rows[at < known], at[at < known]
        sizes = history.starts[there + 1] - history.starts[there]
        # An order's items are distinct and each row is there once: no place is added to twice.
        past[np.repeat(counted, sizes), history.items[_ragged(history.starts[there], sizes)]] += 1
        n_past[counted] += 1
        at = history.previous[at]
    return past, n_past


# --- The logit ----------------------------------------------------------------------------------------------------------------------


class Model(NamedTuple):
    """A multinomial logit: an item's score is `bias + context + scale * (sum of the basket's rows) + (mean of the past's rows)`.

    Shapes: bias (n_items,), context (CONTEXTS, n_items), basket and past (n_items, n_items). The bias began as the logarithm of an
    item's count plus one half, minus `offset`: so would that of an item that is not in the model.
    """

    bias: Vector
    offset: float
    context: Matrix
    basket: Matrix
    past: Matrix

    def score(self, examples: Examples) -> Matrix:
        """Return each item's score for each example."""
        scores = self.bias + examples.context @ self.context
        scores += examples.scaled_basket @ self.basket
        scores += examples.mean_past @ self.past
        return scores


class Effort(NamedTuple):
    """How long a fit works: its cost does not depend on the history's length."""

    steps: int
    batch: int


# Enough to compare settings, and to have something soon; and enough that another doubling gains less than the noise.
QUICK, THOROUGH = Effort(200, 512), Effort(300, 1024)
LEARNING_RATE = 0.03


class _Table:
    """A table from rows to items as a sum over items and words, each ridged towards 0.

    So what few orders tell of an item falls back to what its words tell, and that to nothing. Where the rows are items, too, their
    words count as well.
    """

    def __init__(self, name: str, words: Matrix, n_rows: int | None = None) -> None:
        self.words, self.transposed = words, np.ascontiguousarray(words.T)
        n_items, n_words = words.shape
        self.shapes = {name: (n_rows or n_items, n_items), f"{name} to words": (n_rows or n_items, n_words)}
        if n_rows is None:
            self.shapes |= {f"{name} from words": (n_words, n_items), f"{name} between words": (n_words, n_words)}
        self.parameters = list(self.shapes)

    def compose(self, values: Parameters) -> Matrix:
        """Return the whole table."""
        own, to_words, *from_words = (values[name] for name in self.parameters)
        if not from_words:
            return own + to_words @ self.transposed
        return own + (to_words + self.words @ from_words[1]) @ self.transposed + self.words @ from_words[0]

    def decompose(self, gradient: Matrix) -> Parameters:
        """Return what the whole table's gradient is for each parameter."""
        gradients = [gradient, gradient @ self.words]
        if len(self.parameters) > len(gradients):
            gradients += [self.transposed @ gradient, self.transposed @ gradients[1]]
        return dict(zip(self.parameters, gradients, strict=True))


class _Adam:
    """Gradient descent with adaptive steps that shrink to 0, and the mean of the second half of the way.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015; Polyak and Juditsky, 1992, for the mean.
    """

    def __init__(self, parameters: Parameters, ridges: dict[str, float], n_steps: int) -> None:
        self.parameters, self.ridges, self.n_steps, self._step = parameters, ridges, n_steps, 0
        self._gradient = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._square = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.mean = {name: np.zeros_like(value) for name, value in parameters.items()}

    def descend(self, gradients: Parameters) -> None:
        """Take a step."""
        rate = LEARNING_RATE * (1 - self._step / self.n_steps)
        self._step += 1
        rate /= 1 - 0.9**self._step
        for name, slope in gradients.items():
            value, average, square = self.parameters[name], self._gradient[name], self._square[name]
            gradient = slope + np.float32(self.ridges[name]) * value
            average += np.float32(0.1) * (gradient - average)
            square += np.float32(0.01) * (gradient * gradient - square)
            value -= np.float32(rate) * average / (np.sqrt(square / np.float32(1 - 0.99**self._step)) + np.float32(1e-8))
            if 2 * self._step > self.n_steps:
                self.mean[name] += value / np.float32(self.n_steps - self.n_steps // 2)


class Settings(NamedTuple):
    """What a fit depends on but the orders: a half-life in orders, and how strongly tables are held at 0."""

    half_life: float
    ridge: float
    customer_prior: float


def fit(history: History, words: Matrix, settings: Settings, effort: Effort) -> Model:
    """Fit the logit to orders with one item left out, on samples weighted by recency."""
    n_items, sizes = history.n_items, np.diff(history.starts)
    ages = _ages(history.n_orders, settings.half_life)
    mass = np.cumsum(ages * sizes)
    counts = np.bincount(history.items, np.repeat(ages, sizes), n_items)
    shares = (counts / ages.sum()).astype(np.float32)
    offset = float(np.log(counts + 0.5).mean())
    rng = np.random.default_rng(0)

    rows, strata = np.arange(effort.batch), np.arange(effort.batch) / effort.batch * mass[-1]
    context, basket, past = _Table("context", words, CONTEXTS), _Table("basket", words), _Table("past", words)
    tables = [(context, 3.0), (basket, 1.0)]
    knows_customers = bool((history.previous >= 0).any())
    if knows_customers:
        tables.append((past, 15.0))
    shapes = {name: shape for table, _ in tables for name, shape in table.shapes.items()}
    parameters: Parameters = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    parameters["bias"] = (np.log(counts + 0.5) - offset).astype(np.float32)
    parameters["own"] = np.full(1, 0.5, np.float32)  # how much having ordered an item speaks for it; the blend has its own weight
    # A context and the past say less than the basket, and words share the evidence of many items: they are held back more.
    ridges = {name: max(factor, 5.0 * ("words" in name)) for table, factor in tables for name in table.parameters}
    ridges = {name: ridge * settings.ridge / mass[-1] for name, ridge in ridges.items()} | {"bias": 0.01 / mass[-1], "own": 0.0}
    adam = _Adam(parameters, ridges, effort.steps)

    for _ in range(effort.steps):
        orders = np.searchsorted(mass, strata + rng.random(effort.batch) * (mass[-1] / effort.batch), side="right")
        orders = np.minimum(orders, history.n_orders - 1)
        examples = leave_one_out(history, orders, rng.random(effort.batch), history.n_orders)
        scores = examples.scaled_basket @ basket.compose(parameters)
        scores += examples.context @ context.compose(parameters)
        scores += parameters["bias"]
        if knows_customers:
            own = log_lift(examples.past, examples.n_past[:, None] * shares, settings.customer_prior)
            scores += examples.mean_past @ past.compose(parameters)
            scores += parameters["own"] * own
        # The gradient of the cross-entropy by the scores: probabilities minus the truth.
        slope = _softmax(scores, examples.basket > 0)
        slope[rows, examples.hidden] -= 1
        slope /= effort.batch
        gradients: Parameters = {"bias": slope.sum(axis=0)}
        gradients |= basket.decompose(examples.scaled_basket.T @ slope) | context.decompose(examples.context.T @ slope)
        if knows_customers:
            gradients |= past.decompose(examples.mean_past.T @ slope)
            gradients["own"] = np.array([(slope * own).sum()], np.float32)
        adam.descend(gradients)
    past_table = past.compose(adam.mean) if knows_customers else np.zeros((n_items, n_items), np.float32)
    return Model(adam.mean["bias"], offset, context.compose(adam.mean), basket.compose(adam.mean), past_table)


def _softmax(scores: Matrix, impossible: NDArray[np.bool_]) -> Matrix:
    """Turn scores into probabilities, in place."""
    scores[impossible] = -np.inf
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


# --- The blend ----------------------------------------------------------------------------------------------------------------------


class Fitted(NamedTuple):
    """A model for the items with these ids, and the blend to use it with."""

    item_ids: tuple[str, ...]
    model: Model
    blend: Blend
    n_orders: int


class _Slice:
    """The newest orders, each with one item left out, and what the orders before say of them."""

    def __init__(self, history: History) -> None:
        before = int(history.n_orders * (1 - SLICE_SHARE))
        self.past = history.until(before)
        orders = before + np.flatnonzero(np.diff(history.starts[before:]) > 1)
        if len(orders) > MAX_SLICE_ORDERS:
            orders = orders[np.linspace(0, len(orders) - 1, MAX_SLICE_ORDERS).astype(np.int64)]
        self.examples = leave_one_out(history, orders, np.random.default_rng(1).random(len(orders)), before)
        self._pairs = _pairs(self.past)
        self._counts = np.bincount(self.past.items, minlength=history.n_items).astype(np.float64)
        self._hours = _table(self.past, self.past.hours, HOURS)
        self._weekdays = _table(self.past, self.past.weekdays, WEEKDAYS)

    def part(self, name: str, blend: Blend) -> Matrix:
        """Return what a counted part says of each item in each example."""
        examples, n_orders, total = self.examples, self.past.n_orders, self._counts.sum()
        if name == "recent":
            ages = np.repeat(_ages(n_orders, blend.recent_half_life), np.diff(self.past.starts))
            recent = np.bincount(self.past.items, ages, self.past.n_items)
            scores = np.broadcast_to(np.log(recent + 0.5), examples.basket.shape)
        elif name == "pairs":
            lifts = log_lift(self._pairs, np.outer(self._counts, self._counts) / n_orders, blend.pair_prior)
            np.fill_diagonal(lifts, 0)
            scores = examples.scaled_basket @ lifts
        elif name == "hour":
            around = self._hours + np.roll(self._hours, 1, axis=0) + np.roll(self._hours, -1, axis=0)
            lifts = log_lift(around, np.outer(around.sum(axis=1), self._counts) / total, blend.hour_prior)
            scores = lifts[examples.context[:, :HOURS].argmax(axis=1)]
        elif name == "weekday":
            lifts = log_lift(self._weekdays, np.outer(self._weekdays.sum(axis=1), self._counts) / total, blend.hour_prior)
            scores = lifts[examples.context[:, HOURS : HOURS + WEEKDAYS].argmax(axis=1)]
        else:
            expected = examples.n_past[:, None] * (self._counts / n_orders)
            scores = log_lift(examples.past.astype(np.float64), expected, blend.customer_prior)
        return scores.astype(np.float32)

    def weigh(self, parts: Sequence[Matrix], start: Sequence[float]) -> tuple[tuple[float, ...], float]:
        """Return the weights with the greatest posterior, and the loss in nats, by Newton's method from `start`."""
        features = np.stack(parts, axis=2)
        n_examples, _, n_parts = features.shape
        rows, taken, hidden = np.arange(n_examples), self.examples.basket > 0, self.examples.hidden
        prior = np.array(WITH_MODEL.weights)
        best, least, weights = prior, np.inf, np.array(start)
        for _ in range(8):
            probabilities = _softmax(features @ weights.astype(np.float32), taken)
            distance = (weights - prior) / WEIGHT_DEVIATION
            loss = float(distance @ distance / 2 - np.log(np.maximum(probabilities[rows, hidden], 1e-30)).sum())
            if loss > least - 0.05:
                break
            best, least = weights, loss
            expected = np.einsum("qn,qnk->qk", probabilities, features)
            gradient = (features[rows, hidden] - expected).sum(axis=0) - distance / WEIGHT_DEVIATION
            weighted = (features * probabilities[:, :, None]).reshape(-1, n_parts)
            curvature = weighted.T @ features.reshape(-1, n_parts) - expected.T @ expected
            weights = weights + np.linalg.solve(curvature + np.eye(n_parts) / WEIGHT_DEVIATION**2, gradient)
        return tuple(best.tolist()), least

    def choose_crowding(self, scores: Matrix, categories: Indices) -> float:
        """Return the strongest penalty for suggestions of one category that costs no hit among five."""
        quota, limit, looked_at = 3, 5, min(20, scores.shape[1])
        probabilities = _softmax(scores, self.examples.basket > 0)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :looked_at]
        sorted_categories = categories[best]
        before = np.stack([(sorted_categories[:, :k] == sorted_categories[:, k, None]).sum(axis=1) for k in range(looked_at)], axis=1)
        hits = {}
        for crowding in CROWDINGS:
            lowered = np.take_along_axis(probabilities, best, axis=1) * crowding ** np.maximum(before - quota + 1, 0)
            suggested = np.take_along_axis(best, np.argsort(-lowered, axis=1, kind="stable")[:, :limit], axis=1)
            hits[crowding] = int((suggested == self.examples.hidden[:, None]).sum())
        return min(crowding for crowding in CROWDINGS if hits[crowding] >= hits[1.0])


def _table(history: History, when: Indices, n_rows: int) -> NDArray[np.float64]:
    """Count items by a time of their orders."""
    flat = np.repeat(when, np.diff(history.starts)) * history.n_items + history.items
    return np.bincount(flat, minlength=n_rows * history.n_items).reshape(n_rows, history.n_items).astype(np.float64)


def _pairs(history: History) -> NDArray[np.float64]:
    """Count in how many orders two items are together, in pieces: a large history as a dense matrix would not fit."""
    pairs = np.zeros((history.n_items, history.n_items))
    for start in range(0, history.n_orders, 2048):
        starts = history.starts[start : start + 2049]
        basket = np.zeros((len(starts) - 1, history.n_items), np.float32)
        basket[np.repeat(np.arange(len(starts) - 1), np.diff(starts)), history.items[starts[0] : starts[-1]]] = 1
        pairs += basket.T @ basket
    np.fill_diagonal(pairs, 0)
    return pairs


# --- Learning -----------------------------------------------------------------------------------------------------------------------


def learn_quickly(orders: Orders, described: Sequence[Described]) -> Fitted:
    """Fit with the settings where the search begins: something good within seconds."""
    history, chosen = _prepare(orders, described)
    settings = Settings(MODEL_HALF_LIVES[1], RIDGES[1], WITH_MODEL.customer_prior)
    model = fit(history, words_of([item.words for item in chosen]), settings, QUICK)
    return Fitted(tuple(item.item_id for item in chosen), model, WITH_MODEL, history.n_orders)


def learn(orders: Orders, described: Sequence[Described]) -> Fitted:
    """Choose every setting on the newest orders, then fit to all.

    `described` tells of each item in the numbering of `orders`.
    """
    history, chosen = _prepare(orders, described)
    words = words_of([item.words for item in chosen])
    settings, blend = Settings(MODEL_HALF_LIVES[1], RIDGES[1], WITH_MODEL.customer_prior), WITH_MODEL
    newest = _Slice(history)
    if len(newest.examples.hidden) >= MIN_SLICE_ORDERS:
        numbers = {category: number for number, category in enumerate(dict.fromkeys(item.category for item in chosen))}
        settings, blend = _tune(newest, words, np.array([numbers[item.category] for item in chosen]))
    model = fit(history, words, settings, THOROUGH)
    return Fitted(tuple(item.item_id for item in chosen), model, blend, history.n_orders)


def _prepare(orders: Orders, described: Sequence[Described]) -> tuple[History, list[Described]]:
    """Keep the items worth a model, numbered by their ids: it does not matter in which order a process came to know them."""
    by_id = np.array(sorted(range(len(described)), key=lambda number: described[number].item_id))
    numbers = np.empty(len(described), np.int64)
    numbers[by_id] = np.arange(len(described))
    history = make_history(orders, numbers)
    items = choose_items(history)
    return restrict(history, items), [described[by_id[item]] for item in items]


def _tune(newest: _Slice, words: Matrix, categories: Indices) -> tuple[Settings, Blend]:
    """Improve one setting after another, what matters most first."""
    parts = {name: newest.part(name, WITH_MODEL) for name in PARTS[:-1]}
    least, settings, blend = np.inf, Settings(MODEL_HALF_LIVES[1], RIDGES[1], WITH_MODEL.customer_prior), WITH_MODEL
    changes: list[dict[str, Any]] = [{"half_life": half_life} for half_life in MODEL_HALF_LIVES]
    changes += [{"ridge": ridge} for ridge in RIDGES if ridge != settings.ridge]
    for settings_change in changes:
        attempt = settings._replace(**settings_change)
        attempted = parts | {"model": fit(newest.past, words, attempt, QUICK).score(newest.examples)}
        weights, loss = newest.weigh(list(attempted.values()), blend.weights)
        if loss < least:
            least, settings, parts, blend = loss, attempt, attempted, blend._replace(weights=weights)
    searches: list[tuple[str, str, tuple[float, ...]]] = [
        ("recent", "recent_half_life", RECENT_HALF_LIVES),
        ("pairs", "pair_prior", PAIR_PRIORS),
        ("customer", "customer_prior", CUSTOMER_PRIORS if newest.examples.n_past.any() else ()),
    ]
    for part, setting, candidates in searches:
        for candidate in candidates:
            change: dict[str, Any] = {setting: candidate}
            changed = blend._replace(**change)
            attempted = parts | {part: newest.part(part, changed)}
            weights, loss = newest.weigh(list(attempted.values()), blend.weights)
            if loss < least:
                least, blend, parts = loss, changed._replace(weights=weights), attempted
    scores = np.stack([parts[name] for name in PARTS], axis=2) @ np.array(blend.weights, np.float32)
    return settings, blend._replace(crowding=newest.choose_crowding(scores, categories))


# --- A process of its own -----------------------------------------------------------------------------------------------------------

# Requests come first: a fit has a third of a process's weight. With less, a busy machine would leave it none.
NICENESS = 5


def pack_task(orders: Orders, described: Sequence[Described], *, quickly: bool) -> bytes:
    """Write down what to learn from."""
    return pack({"described": described, "quickly": quickly}, orders._asdict())


def pack_fitted(fitted: Fitted) -> bytes:
    """Write down what was learned."""
    about = {"item_ids": fitted.item_ids, "n_orders": fitted.n_orders, "blend": fitted.blend._asdict(), "offset": fitted.model.offset}
    arrays = fitted.model._asdict()
    del arrays["offset"]
    return pack(about, arrays)


def unpack_fitted(packed: bytes) -> Fitted:
    """Read what `pack_fitted` wrote.

    Raises:
        ValueError: another release wrote it, in another way.

    """
    try:
        about, arrays = unpack(packed)
        about["blend"]["weights"] = tuple(about["blend"]["weights"])
        return Fitted(tuple(about["item_ids"]), Model(offset=about["offset"], **arrays), Blend(**about["blend"]), about["n_orders"])
    except (zipfile.BadZipFile, EOFError, KeyError, TypeError) as error:
        raise ValueError(str(error)) from error


def pack(about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> bytes:
    """Write down arrays, and what JSON can say about them."""
    buffer, contents = io.BytesIO(), cast("dict[str, Any]", arrays)
    np.savez(buffer, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **contents)
    return buffer.getvalue()


def unpack(packed: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `pack` wrote."""
    with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(arrays.pop("about").tobytes()), arrays


def main() -> None:
    """Read a task, write what was learned."""
    os.nice(NICENESS)
    about, arrays = unpack(sys.stdin.buffer.read())
    orders, described = Orders(**arrays), [Described(*item) for item in about["described"]]
    fitted = learn_quickly(orders, described) if about["quickly"] else learn(orders, described)
    sys.stdout.buffer.write(pack_fitted(fitted))


if __name__ == "__main__":
    main()
