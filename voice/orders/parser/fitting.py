"""Estimate the weights from lists of parses: softmax-margin loss, latent parses, regularisation towards prior weights.

With the parses Y of an example, of which R are right, and the score s(y) = -cost(y) + margin if y is wrong:

    loss = weighted mean over examples of -log(sum over R of exp(s) / sum over Y of exp(s)) + lambda / 2 * |weights - prior|^2

Sources: Gimpel and Smith 2010, Softmax-margin CRFs; Liang, Jordan and Klein 2011, Learning dependency-based compositional semantics.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MIN_MISSPELLING: Final = 0.05  # weight of "spelt.*": no misspelling is cheaper than the exact word
MARGIN: Final = 0.5  # a wrong parse should cost this much more than a right one
N_EPOCHS: Final = 60
STEP: Final = 0.05
STEP_DECAY_EPOCHS: Final = 30  # the step is halved after this many epochs
REGULARISATION: Final = 2e-4  # lambda
# The weights that fitting begins with and is regularised towards: an unread word costs 1, a word that is read costs little.
PRIOR: Final[Mapping[str, float]] = {
    "unread": 1.0,
    "unread.function": -0.4,
    "unread.name": 0.6,
    "unread.what=dropped": 0.6,
    "drop": 0.5,
    "function": 0.08,
    "function.plain": 0.03,
    "function.plain_among_marked": 0.5,
    "function.tone": 0.4,
    "number": 0.1,
    "number.typed": 1.0,
    "article": 0.1,
    "name.item": 0.1,
    "name.option": 0.1,
    "name.partial": 0.25,
    "name.lack": 0.8,
    "name.category": 0.4,
    "name.items_of_kind": 0.4,
    "name.synonym": 0.1,
    "name.second_tier": 0.3,
    "name.order": 0.2,
    "name.connector": 0.1,
    "name.kind": 0.1,
    "name.item.figures.bare": 0.6,
    "name.option.figures.bare": 0.2,
    "spelt.plain": 0.03,
    "spelt.plain_among_marked": 0.4,
    "spelt.tone": 0.3,
    "spelt.vowel": 0.6,
    "spelt.plural": 0.03,
    "spelt.sound": 0.35,
    "spelt.typo": 0.5,
    "spelt.typo.share": 1.5,
    "spelt.prefix": 0.4,
    "spelt.stem": 0.3,
    "spelt.together": 0.1,
    "spelt.apart": 0.15,
    "spelt.skeleton": 0.7,
    "spelt.abbreviation": 0.6,
    "sibling": 0.5,
    "sibling.lack": 0.4,
    "sibling.open": 0.2,
    "asked.word": 0.2,
    "asked.spelling": 1.0,
    "set_options": 0.15,
    "set_quantity": 0.3,
    "set_all": 0.3,
    "set_all_but": 1.0,
    "whole_group": 0.3,
    "whole_group.how=largest": 0.5,
    "set_described": 0.4,
    "split": 0.1,
    "add_implied": 0.9,
    "remove": 0.1,
    "remove_options": 0.2,
    "remove_absent": 0.7,
    "hold": 0.1,
    "replace": 0.3,
    "replace.target=removed": 0.3,
    "replace.target=akin": 0.3,
    "correct_options": 0.2,
    "hold.target=rest": 0.1,
    "replace.kin=name": -0.3,
    "replace.kin=none": 0.3,
    "replace.target=selected": 1.0,
    "take_over": 0.3,
    "repeat.target=order": 1.0,
    "repeat.others=kept_over": 1.0,
    "repeat.others=replaced": 0.5,
    "add.on_order=also": -0.3,
    "copy_over": 0.5,
    "add_like": 0.2,
    "copy_over.target=selected": 0.5,
    "apart": 0.3,
    "resumed": -0.2,
    "forward": 0.3,
    "increment": 0.1,
    "add_alike": 0.3,
    "assign": 0.4,
    "add_rest": 0.1,
    "add_parallel": 0.6,
    "add_parallel.contrast=False": 0.4,
    "head": 0.3,
    "flag.role=more.joint=options": 0.3,
    "flag.role=more.joint=again": 0.1,
    "left.what=head": 1.0,
    "left.what=headed by one": 0.2,
    "set_asked": 0.3,
    "set_portions": 0.4,
    "set_portions.change=new": 0.3,
    "set_portions_each": 0.2,
    "add_portions": 0.3,
    "remove_portions": 0.3,
    "multiply": 0.2,
    "for_each": 0.2,
    "factor": 0.2,
    "recount": 0.6,
    "hold.verb=": 0.3,
    "hold.verb=set": 0.3,
    "same_group": 0.2,
    "repeated": 0.2,
    "group": 0.1,
    "begin": 0.03,
    "portions": 0.1,
    "carried": 0.2,
    "as_no": 0.15,
    "no_as_verb": 0.5,
    "number.zero": 0.2,
    "postposed": 0.2,
    "verb_behind": 0.2,
    "dangling": 0.6,
    "no_edit": 0.4,
    "left": 0.6,
    "open": 0.25,
    "extra.portion=True.counted=True": -0.5,
    "classified.name=option.word=side": 0.5,
    "classified.name=option.word=order": 0.5,
    "repeat.onto": 0.5,
    "add.onto": 0.3,
    "act.changed": 0.7,
    "act.unchanged": 0.7,
}


class Candidate(NamedTuple):
    """A parse of an example."""

    features: Mapping[str, float]  # sums of values
    is_right: bool  # its order is right
    agreement: Mapping[str, float] = {}  # sums of values of the features that only the ranker has


Pool = dict[Any, Candidate]  # the parses of one example from all rounds


def fit(pools: Iterable[tuple[Pool, float]], weights: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """Return the weights after `N_EPOCHS`, beginning with `weights`, and the last loss without its regularisation.

    `pools`: the parses of each example, and how much the example counts.
    """
    index: dict[str, int] = {feature: number for number, feature in enumerate(weights)}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    right: list[bool] = []
    starts: list[int] = []
    importance: list[float] = []
    for pool, weight in pools:
        if len({candidate.is_right for candidate in pool.values()}) < 2:  # noqa: PLR2004 - nothing to tell apart
            continue
        starts.append(len(right))
        importance.append(weight)
        for candidate in pool.values():
            for feature, value in candidate.features.items():
                rows.append(len(right))
                columns.append(index.setdefault(feature, len(index)))
                values.append(value)
            right.append(candidate.is_right)
    prior = np.array([PRIOR.get(feature, 0.0) for feature in index])
    fitted = np.array([weights.get(feature, 0.0) for feature in index])
    floor = np.array([MIN_MISSPELLING if feature.startswith("spelt.") else -np.inf for feature in index])
    share = np.array(importance) / max(sum(importance), 1e-9)
    problem = _Problem(np.array(rows), np.array(columns), np.array(values), np.array(right, bool), np.array(starts), share, prior, floor)
    loss = problem.minimise(fitted)
    return {feature: round(float(fitted[number]), 5) for feature, number in index.items()}, loss


class _Problem(NamedTuple):
    """The parses of all examples as the rows of a sparse matrix (coordinates), example by example."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]  # features
    values: NDArray[np.float64]
    right: NDArray[np.bool_]  # of each row
    starts: NDArray[np.int64]  # first row of each example
    share: NDArray[np.float64]  # of each example in the mean
    prior: NDArray[np.float64]  # of each feature
    floor: NDArray[np.float64]  # of each feature

    def minimise(self, weights: NDArray[np.float64]) -> float:
        """Change the weights in place and return the last loss. Source: RMSprop (Hinton 2012), on full batches."""
        squares = np.full(len(weights), 1e-6)
        loss = 0.0
        for epoch in range(N_EPOCHS):
            loss, gradient = self._loss(weights)
            squares = 0.9 * squares + 0.1 * gradient * gradient
            weights -= STEP / (1 + epoch / STEP_DECAY_EPOCHS) * gradient / (np.sqrt(squares) + 1e-4)
            np.maximum(weights, self.floor, out=weights)
        return loss

    def _loss(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the loss without its regularisation, and the gradient with it."""
        n_rows, n_examples = len(self.right), len(self.starts)
        example = np.repeat(np.arange(n_examples), np.diff(np.append(self.starts, n_rows)))
        scores = -np.bincount(self.rows, self.values * weights[self.columns], n_rows) + np.where(self.right, 0.0, MARGIN)
        mass = np.exp(scores - np.maximum.reduceat(scores, self.starts)[example])
        all_mass, right_mass = np.add.reduceat(mass, self.starts), np.add.reduceat(mass * self.right, self.starts) + 1e-12
        pull = (mass / all_mass[example] - mass * self.right / right_mass[example]) * self.share[example]
        gradient = -np.bincount(self.columns, self.values * pull[self.rows], len(weights))
        return float(-self.share @ np.log(right_mass / all_mass)), gradient + REGULARISATION * (weights - self.prior)
