"""Choose hyperparameters and weights: counts and models come from the older orders, the newest orders validate."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voice.recommend.blend import RECENT_HALF_LIVES, WITH_MODEL, Blend, Part, log_lift
from voice.recommend.history import HOURS, WEEKDAYS, History, Indices, Matrix, decay_weights, leave_one_out
from voice.recommend.ranking_model import QUICK, FitSettings, fit, softmax

MODEL_HALF_LIVES = (1500.0, 5000.0, 20_000.0)
RIDGES = (0.4, 1.0, 3.0)
PAIR_PRIORS = (1.0, 3.0, 10.0)
CUSTOMER_PRIORS = (0.05, 0.15, 0.5)
CATEGORY_PENALTIES = (0.1, 0.25, 0.5, 1.0)
UNTUNED = FitSettings(MODEL_HALF_LIVES[1], RIDGES[1], WITH_MODEL.customer_prior)
# The standard deviation of the Gaussian prior of the weights, around those of WITH_MODEL.
WEIGHT_DEVIATION = 0.5
# The newest fifth of the history validates; more than MAX_VALIDATION_ORDERS would change the weights by less than 0.01.
VALIDATION_SHARE = 0.2
MAX_VALIDATION_ORDERS = 1500
MIN_VALIDATION_ORDERS = 30


class ValidationSet:
    """The newest orders, each with one item left out, and counts of the older orders."""

    def __init__(self, history: History) -> None:
        n_before = int(history.n_orders * (1 - VALIDATION_SHARE))
        self.past = history.until(n_before)
        orders = n_before + np.flatnonzero(np.diff(history.starts[n_before:]) > 1)
        if len(orders) > MAX_VALIDATION_ORDERS:
            orders = orders[np.linspace(0, len(orders) - 1, MAX_VALIDATION_ORDERS).astype(np.int64)]
        self.examples = leave_one_out(history, orders, np.random.default_rng(1).random(len(orders)), n_before)
        self._pairs = _count_pairs(self.past)
        self._counts = np.bincount(self.past.items, minlength=history.n_items).astype(np.float64)
        self._hours = _count_by(self.past, self.past.hours, HOURS)
        self._weekdays = _count_by(self.past, self.past.weekdays, WEEKDAYS)

    @property
    def n_examples(self) -> int:
        """Return the number of examples."""
        return len(self.examples.hidden)

    def part(self, part: Part, blend: Blend) -> Matrix:
        """Return an unweighted part of each item's score in each example, from counts; `scoring.Scorer` does the same for one basket."""
        examples, n_orders, total = self.examples, self.past.n_orders, self._counts.sum()
        if part is Part.POPULARITY:
            decay = np.repeat(decay_weights(n_orders, blend.recent_half_life), np.diff(self.past.starts))
            recent = np.bincount(self.past.items, decay, self.past.n_items)
            scores = np.broadcast_to(np.log(recent + 0.5), examples.basket.shape)
        elif part is Part.PAIRS:
            lifts = log_lift(self._pairs, np.outer(self._counts, self._counts) / n_orders, blend.pair_prior)
            np.fill_diagonal(lifts, 0)
            scores = examples.scaled_basket @ lifts
        elif part is Part.HOUR:
            around = self._hours + np.roll(self._hours, 1, axis=0) + np.roll(self._hours, -1, axis=0)
            lifts = log_lift(around, np.outer(around.sum(axis=1), self._counts) / total, blend.hour_prior)
            scores = lifts[examples.context[:, :HOURS].argmax(axis=1)]
        elif part is Part.WEEKDAY:
            lifts = log_lift(self._weekdays, np.outer(self._weekdays.sum(axis=1), self._counts) / total, blend.hour_prior)
            scores = lifts[examples.context[:, HOURS : HOURS + WEEKDAYS].argmax(axis=1)]
        else:
            expected = examples.n_past[:, None] * (self._counts / n_orders)
            scores = log_lift(examples.past.astype(np.float64), expected, blend.customer_prior)
        return scores.astype(np.float32)

    def fit_weights(self, parts: Sequence[Matrix], start: Sequence[float]) -> tuple[tuple[float, ...], float]:
        """Return the weights of greatest posterior probability and their loss in nats, by Newton's method from `start`."""
        features = np.stack(parts, axis=2)
        n_examples, _, n_parts = features.shape
        rows, in_basket, hidden = np.arange(n_examples), self.examples.basket > 0, self.examples.hidden
        prior = np.array(WITH_MODEL.weights)
        best, least_loss, weights = prior, np.inf, np.array(start)
        for _ in range(8):
            probabilities = softmax(features @ weights.astype(np.float32), in_basket)
            distance = (weights - prior) / WEIGHT_DEVIATION
            loss = float(distance @ distance / 2 - np.log(np.maximum(probabilities[rows, hidden], 1e-30)).sum())
            if loss > least_loss - 0.05:
                break
            best, least_loss = weights, loss
            expected = np.einsum("qn,qnk->qk", probabilities, features)
            gradient = (features[rows, hidden] - expected).sum(axis=0) - distance / WEIGHT_DEVIATION
            weighted = (features * probabilities[:, :, None]).reshape(-1, n_parts)
            curvature = weighted.T @ features.reshape(-1, n_parts) - expected.T @ expected
            weights = weights + np.linalg.solve(curvature + np.eye(n_parts) / WEIGHT_DEVIATION**2, gradient)
        return tuple(best.tolist()), least_loss

    def choose_category_penalty(self, scores: Matrix, categories: Indices) -> float:
        """Return the strongest category penalty that loses no hit among the first five suggestions."""
        quota, limit, n_candidates = 3, 5, min(20, scores.shape[1])
        probabilities = softmax(scores, self.examples.basket > 0)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :n_candidates]
        by_rank = categories[best]
        n_before = np.stack([(by_rank[:, :k] == by_rank[:, k, None]).sum(axis=1) for k in range(n_candidates)], axis=1)
        hits = {}
        for category_penalty in CATEGORY_PENALTIES:
            lowered = np.take_along_axis(probabilities, best, axis=1) * category_penalty ** np.maximum(n_before - quota + 1, 0)
            suggested = np.take_along_axis(best, np.argsort(-lowered, axis=1, kind="stable")[:, :limit], axis=1)
            hits[category_penalty] = int((suggested == self.examples.hidden[:, None]).sum())
        return min(category_penalty for category_penalty in CATEGORY_PENALTIES if hits[category_penalty] >= hits[1.0])


def tune(validation: ValidationSet, words: Matrix, categories: Indices) -> tuple[FitSettings, Blend]:
    """Choose one setting after another by the loss on the validation set, settings with the largest effect first."""
    parts: dict[Part, Matrix] = {part: validation.part(part, WITH_MODEL) for part in Part if part is not Part.MODEL}
    least_loss, settings, blend = np.inf, UNTUNED, WITH_MODEL
    changes: list[dict[str, Any]] = [{"half_life": half_life} for half_life in MODEL_HALF_LIVES]
    changes += [{"ridge": ridge} for ridge in RIDGES if ridge != settings.ridge]
    for change in changes:
        candidate = settings._replace(**change)
        candidate_parts = parts | {Part.MODEL: fit(validation.past, words, candidate, QUICK).score(validation.examples)}
        weights, loss = validation.fit_weights(list(candidate_parts.values()), blend.weights)
        if loss < least_loss:
            least_loss, settings, parts, blend = loss, candidate, candidate_parts, blend._replace(weights=weights)
    searches: list[tuple[Part, str, tuple[float, ...]]] = [
        (Part.POPULARITY, "recent_half_life", RECENT_HALF_LIVES),
        (Part.PAIRS, "pair_prior", PAIR_PRIORS),
        (Part.CUSTOMER, "customer_prior", CUSTOMER_PRIORS if validation.examples.n_past.any() else ()),
    ]
    for part, field, values in searches:
        for value in values:
            changed: dict[str, Any] = {field: value}
            candidate_blend = blend._replace(**changed)
            candidate_parts = parts | {part: validation.part(part, candidate_blend)}
            weights, loss = validation.fit_weights(list(candidate_parts.values()), blend.weights)
            if loss < least_loss:
                least_loss, blend, parts = loss, candidate_blend._replace(weights=weights), candidate_parts
    scores: NDArray[np.float32] = np.stack([parts[part] for part in Part], axis=2) @ np.array(blend.weights, np.float32)
    return settings, blend._replace(category_penalty=validation.choose_category_penalty(scores, categories))


def _count_by(history: History, rows: Indices, n_rows: int) -> NDArray[np.float64]:
    """Count items by a number of their orders, the hour or the weekday: shape (n_rows, n_items)."""
    flat = np.repeat(rows, np.diff(history.starts)) * history.n_items + history.items
    return np.bincount(flat, minlength=n_rows * history.n_items).reshape(n_rows, history.n_items).astype(np.float64)


def _count_pairs(history: History) -> NDArray[np.float64]:
    """Count the orders of each pair of items, 2,048 orders at a time: a dense matrix of a large history would not fit in memory."""
    pairs = np.zeros((history.n_items, history.n_items))
    for start in range(0, history.n_orders, 2048):
        starts = history.starts[start : start + 2049]
        basket = np.zeros((len(starts) - 1, history.n_items), np.float32)
        basket[np.repeat(np.arange(len(starts) - 1), np.diff(starts)), history.items[starts[0] : starts[-1]]] = 1
        pairs += basket.T @ basket
    np.fill_diagonal(pairs, 0)
    return pairs
