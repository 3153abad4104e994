"""Calibrate posteriors (Platt scaling): of words with a posterior of 97 % only 94 % are right, of those with 1 % one in twenty.

Logistic regression of "the word is right" on the network's log odds. Source: Platt 1999, Probabilistic outputs for support vector machines.
`bench.speech --only confidence` fits the constants on the words of every second clip of 111, clean and in white noise of 10 and 5 dB, and
checks them on the other clips.
"""

import math
from typing import NamedTuple

MAX_LOG_ODDS = 11.0  # beyond it a network's claims are float noise


class Calibration(NamedTuple):
    """A linear map from the log odds that a network claims to calibrated log odds."""

    offset: float
    slope: float

    def from_log_odds(self, log_odds: float) -> float:
        """Return the calibrated probability for claimed log odds."""
        clipped = max(-MAX_LOG_ODDS, min(MAX_LOG_ODDS, log_odds))
        return 1.0 / (1.0 + math.exp(-(self.offset + self.slope * clipped)))

    def from_probability(self, probability: float) -> float:
        """Return the calibrated probability for a claimed probability."""
        if not 0.0 < probability < 1.0:
            return self.from_log_odds(math.inf if probability >= 1.0 else -math.inf)
        return self.from_log_odds(math.log(probability / (1.0 - probability)))
