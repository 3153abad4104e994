"""Rank the parses of an utterance by a small network over their features.

A log-linear cost adds up what each feature tells alone; the network also learns which features belong together. It is a mean of networks
of the same shape:

    log odds(parse) = output · relu(hidden · relu(bias + sum over features of value * embedding) + hidden_bias)

    P(parse) = exp(-cost(parse) + log odds(parse)) / Z

Features of words are left out, so that the network depends on no vocabulary.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from voice.orders.parser.arc import Arc
from voice.orders.parser.model import WORD_EVENTS, Event, features_of, read_weights

RANKER_FILE: Final = Path(__file__).with_name("ranker.json")
MAX_CACHED: Final = 1 << 14  # events and arcs whose embeddings are kept; a menu has some thousand

Array = NDArray[np.float32]


class Ranker:
    """The networks, and a cache of the embeddings of events and arcs; safe to share between threads."""

    def __init__(self, embeddings: Mapping[str, Sequence[float]], networks: Sequence[Mapping[str, Any]]) -> None:
        """`embeddings`: by feature, of all networks one behind another; `networks`: bias, hidden, hidden_bias and output of each."""
        self._embeddings = {feature: np.array(row, np.float32) for feature, row in embeddings.items()}
        self._networks = [{name: np.array(values, np.float32) for name, values in network.items()} for network in networks]
        self._width = sum(len(network["bias"]) for network in self._networks)
        self._rows: dict[Any, int] = {}  # by event, or by the features of an arc
        self._matrix = np.zeros((MAX_CACHED, self._width), np.float32)  # row 0 stays zero
        self._lock = threading.Lock()

    @staticmethod
    @lru_cache(maxsize=1)
    def load(path: Path = RANKER_FILE) -> "Ranker":
        """Read the fitted networks, once for all menus."""
        read = read_weights(path)
        return Ranker(read["embeddings"], read["networks"])

    def log_odds(self, derivations: Sequence[Iterable[Event | Arc]]) -> Array:
        """Return the mean log odds of each derivation, which is given by its events and arcs."""
        with self._lock:
            if len(self._rows) >= MAX_CACHED:
                self._rows.clear()
            rows: list[int] = []
            starts: list[int] = []
            for derivation in derivations:
                starts.append(len(rows))
                rows.append(0)  # so that no derivation is empty
                rows += [self._row(event) for event in derivation if isinstance(event, Arc) or event[0] not in WORD_EVENTS]
            sums = np.add.reduceat(self._matrix[rows], starts)
        return self._scores(sums)

    def _scores(self, sums: Array) -> Array:
        """Return the mean output of the networks for each row of summed embeddings."""
        total, start = np.zeros(len(sums), np.float32), 0
        for network in self._networks:
            own = sums[:, start : start + len(network["bias"])]
            hidden = np.maximum(np.maximum(own + network["bias"], 0) @ network["hidden"] + network["hidden_bias"], 0)
            total += hidden @ network["output"]
            start += own.shape[1]
        return np.asarray(total / max(1, len(self._networks)), np.float32)

    def _row(self, event: Event | Arc) -> int:
        """Return the row of the matrix with the embedding of an event or arc; row 0 is zero."""
        key = event.features if isinstance(event, Arc) else event
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = len(self._rows) + 1
            if row == len(self._matrix):
                self._matrix = np.concatenate([self._matrix, np.zeros_like(self._matrix)])
            self._matrix[row] = sum(
                [
                    self._embeddings[feature] * np.float32(value)
                    for feature, value in (event.features if isinstance(event, Arc) else features_of(event))
                    if feature in self._embeddings
                ],
                np.zeros(self._width, np.float32),
            )
        return row
