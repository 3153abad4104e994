"""How calls end."""

from enum import StrEnum


class Outcome(StrEnum):
    """How a call ended."""

    CONFIRMED = "confirmed"  # the order is stored
    CANCELLED = "cancelled"
    HANDOFF = "handoff"  # a person has to go on
    HUNG_UP = "hung_up"  # by the caller


# By the status of a turn; other statuses do not end the call.
OUTCOMES = {"confirmed": Outcome.CONFIRMED, "cancelled": Outcome.CANCELLED, "handoff": Outcome.HANDOFF}
# After these no person has to go on.
FINISHED = frozenset({Outcome.CONFIRMED, Outcome.CANCELLED})
