"""Arcs of the lattice."""

from typing import Any, NamedTuple

from voice.orders.parser.model import Features, Model
from voice.orders.parser.roles import Role


class Arc(NamedTuple):
    """A span of tokens in one role; its first token is the index of its row in the lattice."""

    length: int  # tokens
    role: Role
    value: Any  # item ids, ChoiceRefs, a number, an amount
    features: Features
    cost: float
    is_partial: bool = False  # only some words of a name were spoken

    @classmethod
    def scored(cls, model: Model, length: int, role: Role, value: Any, features: Features, *, is_partial: bool = False) -> "Arc":
        """Return an arc with the cost of its features."""
        return cls(length, role, value, features, model.cost_of(features), is_partial)
