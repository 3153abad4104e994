"""Calibrate a line's confidence: the probability that its item and quantity are right, from what its reading cost.

Logistic regression over the 6,992 lines that 7,329 development turns add or set (97 % right). Scaled so that a line without any doubt has
probability 1. Source: Platt 1999, Probabilistic outputs for support vector machines.
"""

import math
from typing import Final

from voice.orders.costs import SEGMENT
from voice.orders.search import Group

# The default of the setting. Of the turns, right edits asked about / wrong edits asked about: 12 / 14 at 0.75, 17 / 21 at 0.8, 33 / 39 at
# 0.85, 88 / 64 at 0.9. From 0.85 on, right orders are asked about that were spoken with many options.
ASK_BELOW: Final = 0.75
CERTAIN: Final = 4.41  # log odds
NUMBERED: Final = 2.15  # a unit of an item's cost, where a number was said
BARE: Final = 2.98  # where none was
OPTIONS: Final = 0.74  # a unit of the options' costs
REST: Final = 1.33  # a unit of any other cost
UNCOUNTED: Final = 0.64  # an item without a number
NUMBER_ALONE: Final = 1.02  # a group that names nothing
UNUSED: Final = 0.54  # a word of substance that nothing used
MAX_UNUSED: Final = 4


def doubt_of(group: Group) -> float:
    """Return by how much what a group says lowers the log odds."""
    item = max(0.0, group.item_cost) if group.items else 0.0
    options = 0.0
    for option in group.options:
        options += max(0.0, option.cost - SEGMENT)
    rest = max(0.0, group.cost - item - options)
    doubt = OPTIONS * options + REST * rest
    if not group.items:
        return doubt + NUMBER_ALONE if group.number and not group.options else doubt
    return doubt + (NUMBERED * item if group.number else BARE * item + UNCOUNTED)


def confidence_of(doubt: float, unused: int) -> float:
    """Return the probability of a line, 0..1; `unused`: words of substance of the utterance that nothing used."""
    log_odds = CERTAIN - doubt - UNUSED * min(unused, MAX_UNUSED)
    return (1.0 + math.exp(-CERTAIN)) / (1.0 + math.exp(-max(-50.0, log_odds)))
