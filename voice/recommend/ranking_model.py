"""The ranking model: a multinomial logit over items, fitted to orders with one item left out."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice.recommend.blend import log_lift
from voice.recommend.history import N_CONTEXTS, Examples, History, Matrix, Vector, decay_weights, leave_one_out

Parameters = dict[str, NDArray[np.float32]]

# Each word costs time. The most frequent ones are used, except those of more than half of the names, which distinguish little.
MAX_WORDS = 150
LEARNING_RATE = 0.03


class RankingModel(NamedTuple):
    """A multinomial logit: an item's score is `bias + context + scale * (sum of the basket's rows) + (mean of the past's rows)`.

    Shapes: bias (n_items,), context (N_CONTEXTS, n_items), basket and past (n_items, n_items). The bias was initialised as
    log(count + 0.5) - `offset`, which is also the score of an item that the model lacks.
    """

    bias: Vector
    offset: float
    context: Matrix
    basket: Matrix
    past: Matrix

    def score(self, examples: Examples) -> Matrix:
        """Return each item's score for each example, shape (n_examples, n_items)."""
        scores = self.bias + examples.context @ self.context
        scores += examples.scaled_basket @ self.basket
        scores += examples.mean_past @ self.past
        return scores


class FitSettings(NamedTuple):
    """Hyperparameters of a fit: the half-life of an order's weight in orders, the strength of the L2 penalty, the customer's shrinkage."""

    half_life: float
    ridge: float
    customer_prior: float


class Effort(NamedTuple):
    """The number of gradient steps and their batch size: the cost of a fit does not depend on the length of the history."""

    steps: int
    batch: int


# QUICK suffices for comparing settings. Doubling THOROUGH gains less than the noise.
QUICK, THOROUGH = Effort(200, 512), Effort(300, 1024)


def word_features(names: Sequence[str]) -> Matrix:
    """Return the bag of words of each name, over the words that several names share: shape (n_names, n_words), 0 or 1.

    Shared words let the model generalise to rare or new items, such as another naan.
    """
    by_word: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        for word in set(re.findall(r"\w+", name.casefold())):
            by_word.setdefault(word, []).append(position)
    shared = sorted((-len(positions), word) for word, positions in by_word.items() if 1 < len(positions) <= len(names) / 2)[:MAX_WORDS]
    words = np.zeros((len(names), len(shared)), np.float32)
    for column, (_, word) in enumerate(shared):
        words[by_word[word], column] = 1
    return words


class _FactoredTable:
    """A table from rows to items: the sum of a table by item and tables by word, each penalised towards 0.

    An item in few orders falls back to its words, and rare words to 0. Without `n_rows` the rows are items, too, and have words.
    """

    def __init__(self, name: str, words: Matrix, n_rows: int | None = None) -> None:
        self.words, self.transposed = words, np.ascontiguousarray(words.T)
        n_items, n_words = words.shape
        self.shapes = {name: (n_rows or n_items, n_items), f"{name} to words": (n_rows or n_items, n_words)}
        if n_rows is None:
            self.shapes |= {f"{name} from words": (n_words, n_items), f"{name} between words": (n_words, n_words)}
        self.parameters = list(self.shapes)

    def compose(self, values: Parameters) -> Matrix:
        """Return the table."""
        own, to_words, *from_words = (values[name] for name in self.parameters)
        if not from_words:
            return own + to_words @ self.transposed
        return own + (to_words + self.words @ from_words[1]) @ self.transposed + self.words @ from_words[0]

    def gradients(self, gradient: Matrix) -> Parameters:
        """Return the gradient by each parameter, from the gradient by the table."""
        gradients = [gradient, gradient @ self.words]
        if len(self.parameters) > len(gradients):
            gradients += [self.transposed @ gradient, self.transposed @ gradients[1]]
        return dict(zip(self.parameters, gradients, strict=True))


class _Adam:
    """Adam with a learning rate that decays to 0; `mean` averages the parameters over the second half of the steps.

    Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015; Polyak and Juditsky, 1992, for the mean.
    """

    def __init__(self, parameters: Parameters, ridges: dict[str, float], n_steps: int) -> None:
        self.parameters, self.ridges, self.n_steps, self._step = parameters, ridges, n_steps, 0
        self._gradient = {name: np.zeros_like(value) for name, value in parameters.items()}
        self._square = {name: np.zeros_like(value) for name, value in parameters.items()}
        self.mean = {name: np.zeros_like(value) for name, value in parameters.items()}

    def step(self, gradients: Parameters) -> None:
        """Update the parameters in place."""
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


def fit(history: History, words: Matrix, settings: FitSettings, effort: Effort) -> RankingModel:
    """Fit the model to orders with one item left out, sampled by recency; deterministic. `words` are `word_features` of the items."""
    n_items, sizes = history.n_items, np.diff(history.starts)
    decay = decay_weights(history.n_orders, settings.half_life)
    mass = np.cumsum(decay * sizes)
    counts = np.bincount(history.items, np.repeat(decay, sizes), n_items)
    shares = (counts / decay.sum()).astype(np.float32)
    offset = float(np.log(counts + 0.5).mean())
    rng = np.random.default_rng(0)

    rows, strata = np.arange(effort.batch), np.arange(effort.batch) / effort.batch * mass[-1]
    context, basket, past = _FactoredTable("context", words, N_CONTEXTS), _FactoredTable("basket", words), _FactoredTable("past", words)
    # The context and the past are weaker evidence than the basket, and words pool many items: their penalties are larger.
    tables = [(context, 3.0), (basket, 1.0)]
    knows_customers = bool((history.previous >= 0).any())
    if knows_customers:
        tables.append((past, 15.0))
    shapes = {name: shape for table, _ in tables for name, shape in table.shapes.items()}
    parameters: Parameters = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    parameters["bias"] = (np.log(counts + 0.5) - offset).astype(np.float32)
    parameters["own"] = np.full(1, 0.5, np.float32)  # the weight of the customer's lift during the fit; the blend has its own
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
        # The gradient of the cross-entropy by the scores: probabilities minus the one-hot target.
        slope = softmax(scores, examples.basket > 0)
        slope[rows, examples.hidden] -= 1
        slope /= effort.batch
        gradients: Parameters = {"bias": slope.sum(axis=0)}
        gradients |= basket.gradients(examples.scaled_basket.T @ slope) | context.gradients(examples.context.T @ slope)
        if knows_customers:
            gradients |= past.gradients(examples.mean_past.T @ slope)
            gradients["own"] = np.array([(slope * own).sum()], np.float32)
        adam.step(gradients)
    past_table = past.compose(adam.mean) if knows_customers else np.zeros((n_items, n_items), np.float32)
    return RankingModel(adam.mean["bias"], offset, context.compose(adam.mean), basket.compose(adam.mean), past_table)


def softmax(scores: Matrix, excluded: NDArray[np.bool_]) -> Matrix:
    """Replace each row of scores by its probabilities, in place; excluded items have 0."""
    scores[excluded] = -np.inf
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores
