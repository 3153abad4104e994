"""Arcs of the lattice."""

from typing import Any, final

from voice.orders.parser.model import Features, Model
from voice.orders.parser.roles import Role


@final
class Arc:
    """A span of tokens in one role; its first token is the index of its row in the lattice. Never changed."""

    __slots__ = ("cost", "features", "is_partial", "length", "role", "value")

    def __init__(self, length: int, role: Role, value: Any, features: Features, cost: float, *, is_partial: bool = False) -> None:
        self.length = length  # tokens
        self.role = role
        self.value = value  # item ids, ChoiceRefs, a number, an amount
        self.features = features
        self.cost = cost
        self.is_partial = is_partial  # only some words of a name were spoken

    @staticmethod
    def scored(model: Model, length: int, role: Role, value: Any, features: Features, *, is_partial: bool = False) -> "Arc":
        """Return an arc with the cost of its features."""
        return Arc(length, role, value, features, model.cost_of(features), is_partial=is_partial)
