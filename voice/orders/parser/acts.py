"""The dialogue act of an utterance from its words: a log-linear classifier of n-grams, with the names of the menu masked.

P(act | words, question) = exp(sum of weights) / Z          Source: Berger, Della Pietra and Della Pietra 1996, as `model`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from voice.orders.parser.arc import Arc
from voice.orders.parser.model import read_weights
from voice.orders.parser.roles import Role

ACT_WEIGHTS_FILE: Final = Path(__file__).with_name("act_weights.json")
# "edit" stands for order, change, remove and answer; "other" for smalltalk and what is not addressed to the shop.
ACTS: Final = ("edit", "cancel", "confirm", "deny", "done", "human", "other", "question", "repeat")
MASKS: Final[Mapping[Role, str]] = {
    Role.ITEM: "<item>",
    Role.OPTION: "<option>",
    Role.NUMBER: "<number>",
    Role.TALK: "<span>",
    Role.PERSON: "<item>",
}
MAX_LENGTH: Final = 8  # tokens that are counted

ActWeights = Mapping[str, Sequence[float]]  # one weight for each of ACTS, by feature


def masked(surfaces: Sequence[str], lattice: Sequence[Sequence[Arc]]) -> tuple[str, ...]:
    """Return the words with the longest whole names, numbers and typed spans replaced by their role."""
    found: list[str] = []
    at = 0
    while at < len(surfaces):
        length, mask = 1, surfaces[at]
        for arc in lattice[at]:
            if arc.role in MASKS and not arc.is_partial and (arc.length > length or mask == surfaces[at]):
                length, mask = arc.length, MASKS[arc.role]
        found.append(mask)
        at += length
    return tuple(found)


def act_features(masked_words: Sequence[str], kind: str) -> list[str]:
    """Return the features of an utterance; `kind`: of the open question, "" if there is none."""
    padded = ["<s>", *masked_words, "</s>"]
    n_names = min(3, sum([word in {"<item>", "<option>"} for word in masked_words]))
    features = [f"1 {word}" for word in masked_words]
    features += [f"2 {first} {second}" for first, second in pairwise(padded)]
    features += [f"3 {first} {second} {third}" for first, second, third in zip(padded, padded[1:], padded[2:], strict=False)]
    features += [f"{kind} {word}" for word in masked_words]
    features += [f"kind {kind}", f"names {n_names}", f"names {n_names} {kind}", f"length {min(MAX_LENGTH, len(masked_words))}"]
    return list(dict.fromkeys(features))


class ActModel:
    """The weights of the classifier."""

    def __init__(self, weights: ActWeights) -> None:
        self._weights = weights if isinstance(weights, dict) else dict(weights)

    @classmethod
    def load(cls, path: Path = ACT_WEIGHTS_FILE) -> "ActModel":
        """Read the fitted weights."""
        return cls(read_weights(path))

    def costs(self, features: Iterable[str]) -> dict[str, float]:
        """Return -log P of each act; all are as likely if no word is known."""
        rows: list[Sequence[float]] = []
        has_words = False
        for feature in features:
            weights = self._weights.get(feature)
            if weights is not None:
                rows.append(weights)
                has_words = has_words or feature.startswith("1 ")
        rows = rows if has_words else []
        scores = [sum(column) for column in zip(*rows, strict=True)] or [0.0] * len(ACTS)
        top = max(scores)
        log_z = top + math.log(sum([math.exp(score - top) for score in scores]))
        return {act: log_z - score for act, score in zip(ACTS, scores, strict=True)}


def fit_acts(examples: Sequence[tuple[Sequence[str], str]], *, strength: float = 0.7, n_epochs: int = 120) -> dict[str, list[float]]:
    """Fit the weights to pairs of features and act by RMSprop on full batches; `strength`: of the regularisation towards 0."""
    import numpy as np  # noqa: PLC0415 - only fitting needs it

    count: dict[str, int] = {}
    for features, _ in examples:
        for feature in features:
            count[feature] = count.get(feature, 0) + 1
    index = {feature: number for number, feature in enumerate([feature for feature, n in count.items() if n > 1])}
    rows = np.array([row for row, (features, _) in enumerate(examples) for feature in features if feature in index])
    columns = np.array([index[feature] for features, _ in examples for feature in features if feature in index])
    right = np.array([ACTS.index(act) for _, act in examples])
    n_examples, n_acts = len(examples), len(ACTS)
    weights: Any = np.zeros((n_acts, len(index)))
    squares = np.full(weights.shape, 1e-6)
    for epoch in range(n_epochs):
        scores = np.stack([np.bincount(rows, weights[act][columns], n_examples) for act in range(n_acts)])
        mass = np.exp(scores - scores.max(0))
        mass /= mass.sum(0)
        mass[right, np.arange(n_examples)] -= 1
        gradient = np.stack([np.bincount(columns, mass[act][rows], len(index)) for act in range(n_acts)])
        gradient = (gradient + strength * weights) / n_examples
        squares = 0.9 * squares + 0.1 * gradient * gradient
        weights -= 0.05 / (1 + epoch / 40) * gradient / (np.sqrt(squares) + 1e-5)
    return {feature: [round(float(weights[act][number]), 2) for act in range(n_acts)] for feature, number in index.items()}
