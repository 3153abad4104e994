"""Turn how sure a network says it is into how often it is right: it says 97 % where 94 % are right, and 1 % where one in twenty is.

Logistic regression of "the word is right" on the network's log odds. Source: Platt 1999, Probabilistic outputs for support vector machines.
`bench.speech --only confidence` fits and checks the constants: on the words of every second clip of 111, clean and in white noise of 10 and
5 dB, and on the others.
"""

import math
from typing import NamedTuple

MOST = 11.0  # log odds: what a network claims beyond is float noise


class Calibration(NamedTuple):
    """A line from the log odds that a network claims to those that hold."""

    offset: float
    slope: float

    def of_odds(self, odds: float) -> float:
        """Give the share that is right where a network claims these log odds."""
        claimed = max(-MOST, min(MOST, odds))
        return 1.0 / (1.0 + math.exp(-(self.offset + self.slope * claimed)))

    def of_probability(self, probability: float) -> float:
        """Give the share that is right where a network claims this probability."""
        if not 0.0 < probability < 1.0:
            return self.of_odds(math.inf if probability >= 1.0 else -math.inf)
        return self.of_odds(math.log(probability / (1.0 - probability)))
