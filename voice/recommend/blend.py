"""The parts of a suggestion's score, and the weights, half-lives and shrinkage that combine them."""

from enum import IntEnum
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)


class Part(IntEnum):
    """A part of a score; the value is its position in `Blend.weights`."""

    POPULARITY = 0
    PAIRS = 1
    HOUR = 2
    WEEKDAY = 3
    CUSTOMER = 4
    MODEL = 5


class Blend(NamedTuple):
    """Weights by `Part`; half-lives in orders, priors (the strength of the shrinkage) in imagined orders.

    At most half of the suggestions from one category keep their probability. That of the first item beyond is multiplied by
    `category_penalty` (1: no penalty), that of the next by its square, and so on.
    """

    weights: tuple[float, ...]
    recent_half_life: float = 750.0
    pair_prior: float = 3.0
    hour_prior: float = 8.0
    customer_prior: float = 0.15
    category_penalty: float = 0.25


# Without a model: naive Bayes, with a low weight of the weekday, because it correlates with the hour.
COUNTS_ONLY = Blend((1.0, 1.2, 0.9, 0.3, 1.0, 0.0))
# With an untuned model; tuning starts here.
WITH_MODEL = Blend((0.45, 0.5, 0.45, 0.0, 0.9, 0.55))
# Popularity is counted with each of these half-lives; tuning chooses one.
RECENT_HALF_LIVES = (250.0, 750.0, 2500.0, 10_000.0)
# The sum over a basket's items is scaled by this power of its size: their evidence overlaps. (-0.35 to -0.75 do as well.)
BASKET_EXPONENT = -0.5


def log_lift(observed: NDArray[Real], expected: NDArray[Real], prior: float) -> NDArray[Real]:
    """Return the logarithm of the lift, the ratio of observed to expected counts, shrunk towards 0 by `prior` imagined orders.

    Source: the mean of a gamma-Poisson ratio, DuMouchel, "Bayesian data mining in large frequency tables", 1999.
    """
    lift: NDArray[Real] = np.log((observed + prior) / (expected + prior))
    return lift
