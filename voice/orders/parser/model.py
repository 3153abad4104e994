"""The log-linear model: the events of a parse, the features of an event, and a weight for each feature.

    cost(parse) = sum over its features of weight * value         P(parse | utterance, state) = exp(-cost(parse)) / Z

Z sums exp(-cost) over the parses that the beam search found.
Source: Berger, Della Pietra and Della Pietra 1996, A maximum entropy approach to natural language processing.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

Event = tuple[Any, ...]  # a name of EVENTS, then its attributes
Features = tuple[tuple[str, float], ...]  # names and values

WEIGHTS_FILE: Final = Path(__file__).with_name("weights.json")

# The attributes of each event, in order. A feature is the event alone, the event with one attribute, or with a pair that PAIRS lists.
# The names of events and attributes are parts of feature names: renaming one loses its weights.
_REDUCTION: Final = ("link", "verb", "number", "options", "flags", "target", "age")
EVENTS: Final[Mapping[str, tuple[str, ...]]] = {
    # A chunk becomes an edit: voice.orders.parser.productions
    "add": (*_REDUCTION, "on_order", "asked", "first"),
    "add_implied": (*_REDUCTION, "n_items"),
    "add_rest": _REDUCTION,
    "set_options": (*_REDUCTION, "asked", "replaced"),
    "add_parallel": (*_REDUCTION, "contrast", "over"),
    "head": _REDUCTION,
    "set_asked": _REDUCTION,
    "set_portions": (*_REDUCTION, "change"),
    "set_portions_each": _REDUCTION,
    "add_portions": (*_REDUCTION, "listed"),
    "remove_portions": _REDUCTION,
    "multiply": _REDUCTION,
    "for_each": _REDUCTION,
    "recount": (*_REDUCTION, "direction"),
    "assign": (*_REDUCTION, "left"),
    "same_group": _REDUCTION,
    "set_described": _REDUCTION,
    "set_all": _REDUCTION,
    "set_all_but": _REDUCTION,
    "whole_group": ("how",),
    "set_quantity": (*_REDUCTION, "direction", "asked"),
    "select": _REDUCTION,
    "set_on": _REDUCTION,
    "exclude": _REDUCTION,
    "set_each": _REDUCTION,
    "split": (*_REDUCTION, "rank", "whole", "named", "contrast"),
    "increment": _REDUCTION,
    "add_alike": _REDUCTION,
    "repeat": (*_REDUCTION, "others", "several"),
    "copy_over": _REDUCTION,
    "add_like": _REDUCTION,
    "copy_asked": _REDUCTION,
    "repeat_number": _REDUCTION,
    "same_for": _REDUCTION,
    "remove": _REDUCTION,
    "remove_options": _REDUCTION,
    "remove_absent": _REDUCTION,
    "hold": _REDUCTION,
    "replace": (*_REDUCTION, "keeps", "kin"),
    "take_over": (*_REDUCTION, "keeps", "kin"),
    "replace_options": _REDUCTION,
    "correct_options": _REDUCTION,
    "forward": _REDUCTION,
    "keep": _REDUCTION,
    "keep_rest": _REDUCTION,
    "move_options": _REDUCTION,
    "swap": _REDUCTION,
    "spread": _REDUCTION,
    "take_back": _REDUCTION,
    "add_each": _REDUCTION,
    "cancel": ("link", "verb"),
    "drop": (*_REDUCTION, "named"),
    "accept": ("how", "kind", "group"),
    # A token becomes part of a chunk: voice.orders.parser.shift
    "begin": ("link", "verb"),
    "inherit": ("verb",),
    "item": ("joint", "chunk", "partial", "asked"),
    "option": ("joint", "chunk", "partial", "asked"),
    "option_begins": ("partial", "asked"),
    "portions": ("joint", "number"),
    "carried": ("joint", "carried"),
    "repeated": (),
    "extra": ("portion", "counted"),
    "classified": ("name", "word"),
    "postposed": ("what",),
    "verb_behind": ("verb",),
    "as_no": (),
    "no_as_verb": (),
    "correction_by_no": ("joint",),
    "apart": ("what", "joint"),
    "resumed": ("joint",),
    "dangling": ("what",),
    "factor": ("place",),
    "skip": ("role",),
    "flag": ("role", "joint"),
    "group": ("joint", "chunk"),
    "unread": ("what",),
    "say": ("role", "kind", "first"),
    # The final draft: voice.orders.parser.parser
    "no_edit": ("production",),
    "unanswered": ("kind",),
    "word": ("production", "place", "word"),
    "sentence": ("production", "act"),
    "changed": ("kind", "mood", "lead"),
    "unchanged": ("kind", "mood", "lead"),
    "changed_by": ("word",),
    "answered": ("kind", "how", "lead"),
    "open": ("what",),
    "left": ("what",),
}
PAIRS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "drop": (("named", "verb"), ("named", "number"), ("named", "link")),
    "add": (("on_order", "number"), ("link", "number"), ("number", "options"), ("asked", "link"), ("on_order", "verb")),
    "set_options": (
        ("target", "link"),
        ("target", "verb"),
        ("target", "age"),
        ("asked", "target"),
        ("replaced", "link"),
        ("replaced", "verb"),
    ),
    "select": (("target", "link"), ("target", "verb"), ("target", "number")),
    "set_on": (("target", "link"),),
    "repeat": (("target", "options"), ("target", "link"), ("others", "link")),
    "set_quantity": (("asked", "direction"), ("target", "link"), ("target", "verb"), ("direction", "verb"), ("direction", "link")),
    "split": (("rank", "age"), ("whole", "options"), ("number", "link"), ("named", "options"), ("contrast", "age"), ("contrast", "whole")),
    "add_parallel": (("contrast", "over"), ("number", "link")),
    "set_portions": (("target", "change"), ("target", "number"), ("target", "verb")),
    "add_portions": (("target", "listed"),),
    "recount": (("target", "link"), ("direction", "link")),
    "hold": (("target", "verb"), ("verb", "options")),
    "remove": (("target", "verb"), ("target", "link"), ("target", "age")),
    "remove_options": (("target", "verb"),),
    "replace": (("link", "target"), ("verb", "target"), ("keeps", "verb"), ("kin", "target"), ("kin", "verb")),
    "option": (("joint", "chunk"), ("partial", "asked"), ("joint", "partial")),
    "item": (("joint", "chunk"), ("partial", "asked")),
    "portions": (("joint", "number"),),
    "say": (("role", "kind"), ("role", "first")),
    "accept": (("how", "kind"),),
    "flag": (("role", "joint"),),
    "extra": (("portion", "counted"),),
    "classified": (("name", "word"),),
    "answered": (("kind", "how"),),
    "sentence": (("production", "act"),),
}


# How far the result of a parse agrees with what was said: voice.orders.parser.agreement. Only the ranker has these. A feature is the event
# with all its attributes, and, of three or more, with the first one and one other.
AGREEMENT: Final[Mapping[str, tuple[str, ...]]] = {
    "said": ("what", "clarity", "effect"),
    "said_after": ("what", "operation", "effect"),
    "said_counted": ("what", "counted", "effect"),
    "lost": ("count",),
    "changes": ("count", "mentions"),
    "changes_asked": ("kind", "count"),
    "made": ("kind", "support", "number"),
    "made_often": ("kind", "lines"),
    "counted": ("direction", "number", "support"),
    "gone": ("support", "only"),
    "turned": ("support", "only"),
    "optional": ("kind", "support", "amount", "open"),
    "optional_asked": ("kind", "group", "line"),
    "optional_often": ("kind", "lines", "mentions"),
    "optional_after": ("kind", "amount", "operation"),
    "near": ("kind", "own", "behind", "ahead"),
    "number_said": ("size", "used"),
    "number_unsaid": ("number",),
}
WORD_PLACES: Final = ("before", "first", "last", "behind")  # of a chunk: its first word, its last one, and their neighbours
WORD_EVENTS: Final = frozenset({"word", "changed_by"})  # their last attribute is a word of the utterance


def features_of(event: Event) -> Features:
    """Return the features of an event; the attribute `flags` is a tuple and yields one feature for each flag."""
    name, attributes = event[0], event[1:]
    if name in WORD_EVENTS:
        return ((f"{name} {' '.join(attributes)}", 1.0),)
    if name in AGREEMENT:
        named = [f"{attribute}={value}" for attribute, value in zip(AGREEMENT[name], attributes, strict=True)]
        found = [".".join([name, *named])]
        if len(named) > 2:  # noqa: PLR2004 - with two, the pair is the whole
            found += [f"{name}.{named[0]}.{other}" for other in named[1:]]
        return tuple([(feature, 1.0) for feature in found])
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


@lru_cache(maxsize=4)
def read_weights(path: Path) -> Mapping[str, Any]:
    """Read a file of weights, once: each menu has a parser, all with the same weights."""
    weights: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return weights


class Model:
    """The weights, and a cache of the costs of events."""

    def __init__(self, weights: Mapping[str, float], vocabulary: Collection[str] | None = None) -> None:
        """`vocabulary`: the words that features may have; by default those with a weight."""
        self.weights = dict(weights)
        of_weights = [feature.rsplit(" ", 1)[-1] for feature in weights if feature.split(" ", 1)[0] in WORD_EVENTS]
        self.vocabulary = frozenset(of_weights if vocabulary is None else vocabulary)
        self._costs: dict[Event, float] = {}
        self._word_costs: dict[str, list[dict[str, float]]] = {}  # by production: for each of WORD_PLACES, by word
        for feature, weight in self.weights.items():
            if feature.startswith("word "):
                _, production, place, word = feature.split(" ", 3)
                self.word_costs(production)[WORD_PLACES.index(place)][word] = weight

    @classmethod
    def load(cls, path: Path = WEIGHTS_FILE) -> "Model":
        """Read the fitted weights."""
        return cls(read_weights(path))

    def cost(self, event: Event) -> float:
        """Return the cost of an event, computed once."""
        cost = self._costs.get(event)
        if cost is None:
            cost = self._costs[event] = self.cost_of(features_of(event))
        return cost

    def word_costs(self, production: str) -> list[dict[str, float]]:
        """Return the costs of the events "word" of a production: for each of `WORD_PLACES`, by word; other words cost nothing."""
        found = self._word_costs.get(production)
        if found is None:
            found = self._word_costs[production] = [{} for _ in WORD_PLACES]
        return found

    def cost_of(self, features: Sequence[tuple[str, float]]) -> float:
        """Return the sum of weight times value; a feature without a weight costs nothing."""
        weights = self.weights
        return sum([weights.get(feature, 0.0) * value for feature, value in features], 0.0)
