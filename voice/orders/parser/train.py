"""Fit the model's weights to examples (menu, state, utterance -> order after): `python -m voice.orders.parser.train`.

Denotation supervision: which parse led to the right order is latent. Each round parses all examples with the present weights, adds the
parses to each example's list, and minimises the softmax-margin loss over the lists, regularised towards the prior weights.
Source: Gimpel and Smith 2010 (softmax-margin); Liang, Jordan and Klein 2011 (latent derivations from denotations).
"""

import json
import multiprocessing
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voice.orders.parser.corpus import DEVELOPMENT, TRAINING, Example, conversations, sentences
from voice.orders.parser.draft import denotation
from voice.orders.parser.lexicon import Arc
from voice.orders.parser.model import WEIGHTS_FILE, Model, features_of
from voice.orders.parser.parser import Parse, Parser

BEST: Final = 30  # parses of an example
MARGIN: Final = 0.5  # cost that a wrong parse must be behind
ROUNDS: Final = 5
EPOCHS: Final = 60
STEP: Final = 0.05
REGULARISATION: Final = 2e-4
MIN_WEIGHT: Final = 1e-3  # of those that are written down
# Where fitting begins, and what it is drawn to: an unread word costs one, what adds nothing costs nothing.
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
    "name.synonym": 0.1,
    "name.second_tier": 0.3,
    "name.order": 0.2,
    "name.connector": 0.1,
    "spelt.plain": 0.03,
    "spelt.plain_among_marked": 0.4,
    "spelt.tone": 0.3,
    "spelt.vowel": 0.6,
    "spelt.plural": 0.03,
    "spelt.sound": 0.35,
    "spelt.typo": 0.5,
    "spelt.typo.share": 1.5,
    "spelt.prefix": 0.4,
    "spelt.together": 0.1,
    "spelt.apart": 0.15,
    "spelt.skeleton": 0.7,
    "asked.word": 0.2,
    "asked.spelling": 1.0,
    "set_options": 0.15,
    "set_quantity": 0.3,
    "set_described": 0.4,
    "split": 0.1,
    "add_implied": 0.9,
    "remove": 0.1,
    "remove_options": 0.2,
    "remove_absent": 0.7,
    "hold": 0.1,
    "replace": 0.3,
    "forward": 0.3,
    "increment": 0.1,
    "begin": 0.03,
    "portions": 0.1,
    "carried": 0.2,
    "as_no": 0.15,
    "postposed": 0.2,
    "verb_behind": 0.2,
    "dangling": 0.6,
    "no_edit": 0.4,
    "left": 0.6,
    "open": 0.25,
}


class Candidate(NamedTuple):
    """A parse of an example: its features, and whether its order is right."""

    features: Mapping[str, float]
    is_right: bool


Pool = dict[Any, Candidate]  # the parses of one example, by round and meaning


def features_of_parse(parse: Parse) -> dict[str, float]:
    """Sum the features of a parse's arcs and events."""
    found: dict[str, float] = {}
    for event in parse.events:
        for feature, value in event.features if isinstance(event, Arc) else features_of(event):
            found[feature] = found.get(feature, 0.0) + value
    return found


def candidates(parser: Parser, example: Example, *, with_features: bool = True) -> list[tuple[Any, Candidate]]:
    """Parse an example; the likeliest parse comes first."""
    right = {denotation(parser.index.draft(lines)) for lines in example.right}
    found = []
    for parse in parser.parse(example.utterance, example.lines, question=example.question, best=BEST):
        meaning = denotation(parse.draft)
        found.append((meaning, Candidate(features_of_parse(parse) if with_features else {}, meaning in right)))
    return found


def fit(pools: Iterable[Pool], weights: Mapping[str, float]) -> tuple[dict[str, float], float]:
    """Return weights that make right parses cheaper than wrong ones, and the loss; begins at `weights`."""
    useful = [pool for pool in pools if len({candidate.is_right for candidate in pool.values()}) == 2]  # noqa: PLR2004 - right and wrong
    index: dict[str, int] = {feature: number for number, feature in enumerate(weights)}
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    right: list[bool] = []
    starts: list[int] = []
    for pool in useful:
        starts.append(len(right))
        for candidate in pool.values():
            for feature, value in candidate.features.items():
                rows.append(len(right))
                columns.append(index.setdefault(feature, len(index)))
                values.append(value)
            right.append(candidate.is_right)
    prior = np.array([PRIOR.get(feature, 0.0) for feature in index])
    fitted = np.array([weights.get(feature, 0.0) for feature in index])
    problem = _Problem(np.array(rows), np.array(columns), np.array(values), np.array(right, bool), np.array(starts), prior)
    loss = problem.minimise(fitted)
    return {feature: round(float(fitted[number]), 5) for feature, number in index.items()}, loss


class _Problem(NamedTuple):
    """The lists of parses as one sparse matrix, row after row."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: NDArray[np.float64]
    right: NDArray[np.bool_]
    starts: NDArray[np.int64]  # the first row of each example
    prior: NDArray[np.float64]

    def minimise(self, weights: NDArray[np.float64]) -> float:
        """Change the weights by RMSprop (Hinton 2012), whole lists at a time; return the last loss."""
        squares = np.full(len(weights), 1e-6)
        loss = 0.0
        for epoch in range(EPOCHS):
            loss, gradient = self._loss(weights)
            squares = 0.9 * squares + 0.1 * gradient * gradient
            weights -= STEP / (1 + epoch / 30) * gradient / (np.sqrt(squares) + 1e-4)
        return loss

    def _loss(self, weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        n_rows, n_examples = len(self.right), len(self.starts)
        example = np.repeat(np.arange(n_examples), np.diff(np.append(self.starts, n_rows)))
        scores = -np.bincount(self.rows, self.values * weights[self.columns], n_rows) + np.where(self.right, 0.0, MARGIN)
        mass = np.exp(scores - np.maximum.reduceat(scores, self.starts)[example])
        all_mass, right_mass = np.add.reduceat(mass, self.starts), np.add.reduceat(mass * self.right, self.starts) + 1e-12
        pull = (mass / all_mass[example] - mass * self.right / right_mass[example]) / n_examples
        gradient = -np.bincount(self.columns, self.values * pull[self.rows], len(weights))
        return float(-np.mean(np.log(right_mass / all_mass))), gradient + REGULARISATION * (weights - self.prior)


def examples() -> list[Example]:
    """Return what the weights are fitted to, menu by menu."""
    found = [example for name in TRAINING for example in sentences(name)]
    found += [example for name in DEVELOPMENT for example in conversations(name)]
    return sorted(found, key=lambda example: example.menu.id)


def _begin(weights: Mapping[str, float]) -> None:
    """Prepare a process: the model, and a parser for the menu in hand."""
    _STATE["model"], _STATE["parser"] = Model(weights), None


_STATE: dict[str, Any] = {}


def _parse(example: Example) -> list[tuple[Any, Candidate]]:
    parser = _STATE["parser"]
    if parser is None or parser.menu is not example.menu:
        parser = _STATE["parser"] = Parser(example.menu, _STATE["model"])
    return candidates(parser, example)


def main() -> None:
    """Fit the weights and write them; some ten minutes on two cores."""
    taught = examples()
    pools: list[Pool] = [{} for _ in taught]
    weights: dict[str, float] = dict(PRIOR)
    for number in range(ROUNDS):
        with multiprocessing.get_context("fork").Pool(os.cpu_count(), _begin, (weights,)) as processes:
            found = processes.map(_parse, taught, chunksize=len(taught) // 64 + 1)
        for pool, parsed in zip(pools, found, strict=True):
            pool.update({(number, meaning): candidate for meaning, candidate in parsed})
        right = sum(bool(parsed) and parsed[0][1].is_right for parsed in found)
        weights, loss = fit(pools, weights)
        sys.stdout.write(f"round {number + 1}: {right} of {len(taught)} right, loss {loss:.4f}, {len(weights)} features\n")
        sys.stdout.flush()
    kept = {feature: round(weight, 4) for feature, weight in weights.items() if abs(weight) >= MIN_WEIGHT}
    WEIGHTS_FILE.write_text(json.dumps(kept, indent=0, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
