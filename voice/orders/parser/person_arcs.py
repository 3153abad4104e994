"""Arcs for the persons whom an utterance mentions and for whom lines of the order are: "Sarah's", "mine", "phần của mẹ"."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from voice.orders.parser.arc import Arc
from voice.orders.parser.model import Features, Model
from voice.orders.parser.roles import Role

FEATURES: Final[Features] = (("function", 1.0), ("function.PERSON", 1.0))


class Mention(NamedTuple):
    """The tokens that mention a person, and the lines for this person, if any are known."""

    start: int
    end: int
    lines: tuple[int, ...]


def with_person_arcs(lattice: Sequence[Sequence[Arc]], persons: Sequence[Mention], model: Model) -> list[Sequence[Arc]]:
    """Return the lattice with an arc for each mention; it has no effect if the person has no line."""
    rows = [*lattice]
    for start, end, lines in persons:
        role = Role.PERSON if lines else Role.FILLER
        others = [arc for arc in rows[start] if not (lines and arc.role is Role.OWN)]
        rows[start] = (*others, Arc.scored(model, end - start, role, lines or None, FEATURES))
    return rows
