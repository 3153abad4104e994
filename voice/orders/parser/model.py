"""The log-linear model: what a parse did, as events with attributes; features of events; a weight for each feature.

A parse costs the sum of weight times value over its features; exp(-cost), normalised over the parses found, is its probability.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

Event = tuple[Any, ...]  # a name of EVENTS, then its attributes
Features = tuple[tuple[str, float], ...]

WEIGHTS_FILE: Final = Path(__file__).with_name("weights.json")

# The attributes of each event, in order. A feature is the event alone, with one attribute, or with a pair of those that are named in PAIRS.
_REDUCTION: Final = ("link", "verb", "number", "options", "flags", "target", "age")
EVENTS: Final[Mapping[str, tuple[str, ...]]] = {
    # chunks to edits: voice.orders.parser.reduce
    "add": (*_REDUCTION, "on_order", "asked", "first"),
    "add_implied": (*_REDUCTION, "n_items"),
    "set_options": (*_REDUCTION, "asked", "replaced"),
    "set_described": _REDUCTION,
    "set_quantity": (*_REDUCTION, "direction"),
    "set_each": _REDUCTION,
    "split": (*_REDUCTION, "rank", "whole", "named"),
    "increment": _REDUCTION,
    "repeat": _REDUCTION,
    "remove": _REDUCTION,
    "remove_options": _REDUCTION,
    "remove_absent": _REDUCTION,
    "hold": _REDUCTION,
    "replace": (*_REDUCTION, "keeps"),
    "replace_options": _REDUCTION,
    "forward": _REDUCTION,
    "keep": _REDUCTION,
    "cancel": ("link", "verb"),
    "drop": (*_REDUCTION, "named"),
    "accept": ("how", "kind", "group"),
    # tokens to chunks: voice.orders.parser.shift
    "begin": ("link", "verb"),
    "inherit": ("verb",),
    "item": ("joint", "chunk", "partial", "asked"),
    "option": ("joint", "chunk", "partial", "asked"),
    "option_begins": ("partial", "asked"),
    "portions": ("joint", "number"),
    "carried": ("joint", "carried"),
    "extra": ("portion", "counted"),
    "postposed": ("what",),
    "verb_behind": ("verb",),
    "as_no": (),
    "correction_by_no": (),
    "dangling": ("what",),
    "skip": ("role",),
    "flag": ("role", "joint"),
    "unread": ("what",),
    "say": ("role", "kind", "first"),
    # the result: voice.orders.parser.parser
    "no_edit": ("schema",),
    "unanswered": ("kind",),
    "changed": ("kind", "inquiry"),
    "unchanged": ("kind", "inquiry"),
    "changed_by": ("word",),
    "open": ("what",),
    "left": ("what",),
}
PAIRS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "add": (("on_order", "number"), ("link", "number"), ("number", "options"), ("asked", "link"), ("on_order", "verb")),
    "set_options": (
        ("target", "link"),
        ("target", "verb"),
        ("target", "age"),
        ("asked", "target"),
        ("replaced", "link"),
        ("replaced", "verb"),
    ),
    "set_quantity": (("target", "link"), ("target", "verb"), ("direction", "verb"), ("direction", "link")),
    "split": (("rank", "age"), ("whole", "options"), ("number", "link"), ("named", "options")),
    "remove": (("target", "verb"), ("target", "link"), ("target", "age")),
    "remove_options": (("target", "verb"),),
    "replace": (("link", "target"), ("verb", "target"), ("keeps", "verb")),
    "option": (("joint", "chunk"), ("partial", "asked")),
    "item": (("joint", "chunk"), ("partial", "asked")),
    "portions": (("joint", "number"),),
    "say": (("role", "kind"), ("role", "first")),
    "accept": (("how", "kind"),),
    "flag": (("role", "joint"),),
}


def features_of(event: Event) -> Features:
    """Return the features of an event; flags, a tuple, give one each."""
    name, attributes = event[0], event[1:]
    names = EVENTS[name]
    found = [name]
    for attribute, value in zip(names, attributes, strict=True):
        if attribute == "flags":
            found += [f"{name}.{flag}" for flag in value]
        else:
            found.append(f"{name}.{attribute}={value}")
    values = dict(zip(names, attributes, strict=True))
    found += [f"{name}.{first}={values[first]}.{second}={values[second]}" for first, second in PAIRS.get(name, ())]
    return tuple([(feature, 1.0) for feature in found])


class Model:
    """Weights, and the costs of events, computed once each."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self.weights = dict(weights)
        self._costs: dict[Event, float] = {}

    @classmethod
    def load(cls, path: Path = WEIGHTS_FILE) -> "Model":
        """Read the fitted weights."""
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def cost(self, event: Event) -> float:
        """Return the cost of an event."""
        cost = self._costs.get(event)
        if cost is None:
            cost = self._costs[event] = self.cost_of(features_of(event))
        return cost

    def cost_of(self, features: Sequence[tuple[str, float]]) -> float:
        """Return the cost of features."""
        weights = self.weights
        return sum([weights.get(feature, 0.0) * value for feature, value in features])
