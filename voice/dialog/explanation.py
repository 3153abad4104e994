"""Explain how an utterance was read: `data.explain` of a reply.

    {"utterance": "two lattes", "tokens": [{"text": "two", "span": [0, 3]}, ...], "asked": {"kind", "line", "group", "choices"} | null,
     "act": "order", "acts": {"edit": 0.99, ...},
     "chosen": {"order": ["2 x latte [large]"], "unresolved": [], "probability": 0.97, "cost": 6.1,
                "arcs": [{"span", "text", "role": "item", "value": null, "fits": [{"id", "name"}], "partial", "cost", "features": [...]}],
                "events": [{"event": "add", "attributes": {"number": "many", ...}, "n_arcs": 2, "cost", "features": [...]}],
                "edits": [{"span", "text", "lines": [{"line": 0, "before": null, "after": "2 x latte [large]"}]}], "unread": []},
     "runner_up": {"order", "unresolved", "probability", "cost", "arcs", "differences": [...]} | null}

`schemas.Explanation` describes each field. Costs of arcs and events add up to the cost of the parse; the probability of an order is that of
all its parses, weighed by the ranker. Orders are in the notation of `voice.orders.corpus`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from math import exp
from typing import Any, Final

from schemas import (
    AskedQuestion,
    ChosenParse,
    Explanation,
    FeatureCost,
    FeatureDifference,
    LineEdit,
    NamedId,
    ParsedArc,
    ParsedEdit,
    ParsedEvent,
    RunnerUp,
)
from voice.dialog.flat_menu import FlatMenu
from voice.dialog.reading import Reading
from voice.dialog.state import Act, Question
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import ChoiceRef, Draft, DraftLine, DraftOption
from voice.orders.parser.model import EVENTS, WORD_EVENTS, Event, Features, Model, features_of
from voice.orders.parser.parser import Parse
from voice.orders.parser.roles import NAMING
from voice.orders.parser.state import EditRecord

MAX_ENTRIES: Final = 100  # of a list
MAX_FEATURES: Final = 10  # the heaviest
MAX_NAMES: Final = 10  # that an arc fits, options of a line, or lines of an edit
DIGITS: Final = 4  # behind the point


def explanation(reading: Reading, act: Act, act_costs: Mapping[str, float], menu: FlatMenu, model: Model) -> Explanation:
    """Return how an utterance was read; `act`: of the turn; `act_costs`: -log P of each act of the parser."""
    described = _Described(reading, menu, model)
    probabilities = {name: round(exp(-cost), DIGITS) for name, cost in act_costs.items()}
    return {
        "utterance": reading.utterance,
        "tokens": [{"text": token.surface, "span": (token.start, token.end)} for token in reading.tokens[:MAX_ENTRIES]],
        "asked": _asked(reading.asked) if reading.asked is not None else None,
        "act": act.value,
        "acts": dict(sorted(probabilities.items(), key=lambda one: -one[1])),
        "chosen": described.chosen(reading.parse),
        "runner_up": described.runner_up(reading.parse, reading.parses[1]) if len(reading.parses) > 1 else None,
    }


def in_short(line: DraftLine) -> str:
    """Return a line as `2 x meal [cola [large], no sugar, 2*shot]`; open items and choices are separated by bars."""
    return f"{line.quantity} x {'|'.join(line.items[:MAX_NAMES])}{_options_in_short(line.options)}"


def _options_in_short(options: Sequence[DraftOption]) -> str:
    listed = [_option_in_short(option) for option in options[:MAX_NAMES]]
    listed += ["..."] if len(options) > MAX_NAMES else []
    return f" [{', '.join(listed)}]" if listed else ""


def _option_in_short(option: DraftOption) -> str:
    amount = f"{option.amount} " if option.amount else ""
    portions = f"{option.quantity}*" if option.quantity > 1 else ""
    return f"{amount}{portions}{'|'.join(option.choices[:MAX_NAMES])}{_options_in_short(option.options)}"


class _Described:
    """The parses of one utterance, as replies have them."""

    def __init__(self, reading: Reading, menu: FlatMenu, model: Model) -> None:
        self._utterance = reading.utterance
        self._tokens = reading.tokens
        self._menu = menu.menu
        self._groups = menu
        self._model = model

    def chosen(self, parse: Parse) -> ChosenParse:
        """Return the parse that the reply follows, with its derivation."""
        placed = [(start, arc) for start, arc in parse.placed(self._tokens) if arc.length]
        return {
            "order": _orders(parse.draft),
            "unresolved": _orders([one.line for one in parse.unresolved]),
            "probability": round(parse.probability, DIGITS),
            "cost": round(parse.cost, DIGITS),
            "arcs": [self._arc(start, arc) for start, arc in placed[:MAX_ENTRIES]],
            "events": list(islice(self._events(parse.events), MAX_ENTRIES)),
            "edits": [self._edit(record) for record in parse.edits[:MAX_ENTRIES]],
            "unread": [self._tokens[at].surface for at in parse.unread[:MAX_ENTRIES]],
        }

    def runner_up(self, chosen: Parse, other: Parse) -> RunnerUp:
        """Return a parse that was not chosen, by its differences from the one that was."""
        known = set(chosen.placed(self._tokens))
        new = [(start, arc) for start, arc in other.placed(self._tokens) if arc.length and (start, arc) not in known]
        return {
            "order": _orders(other.draft),
            "unresolved": _orders([one.line for one in other.unresolved]),
            "probability": round(other.probability, DIGITS),
            "cost": round(other.cost, DIGITS),
            "arcs": [self._arc(start, arc) for start, arc in new[:MAX_ENTRIES]],
            "differences": self._differences(chosen.features(), other.features()),
        }

    def _arc(self, start: int, arc: Arc) -> ParsedArc:
        is_name = arc.role in NAMING
        span = self._span(start, start + arc.length)
        return {
            "span": span,
            "text": self._utterance[slice(*span)],
            "role": arc.role.name.lower(),
            "value": None if is_name else _plain(arc.value),
            "fits": [self._named(one) for one in self._meant(arc.value)[:MAX_NAMES]] if is_name else [],
            "partial": arc.is_partial,
            "cost": round(arc.cost, DIGITS),
            "features": self._features(arc.features),
        }

    def _meant(self, values: Sequence[str | ChoiceRef]) -> list[str | ChoiceRef]:
        """Return items and choices of the menu, each once, for those of the flat menu."""
        return list(
            dict.fromkeys(
                [ChoiceRef(self._groups.group_of(one.group), one.choice) if isinstance(one, ChoiceRef) else one for one in values]
            )
        )

    def _named(self, value: str | ChoiceRef) -> NamedId:
        if isinstance(value, ChoiceRef):
            name = self._menu.option_groups[value.group].choices[value.choice].name
            return {"group": value.group, "id": value.choice, "name": str(name)}
        return {"id": value, "name": str(self._menu.items[value].name)}

    def _events(self, events: Iterable[Event | Arc]) -> Iterator[ParsedEvent]:
        """Yield the events in order, and the arc without words that weighs the act; words without a weight are left out."""
        n_arcs = 0
        for event in events:
            if isinstance(event, Arc):
                if event.length:
                    n_arcs += 1
                    continue
                name, attributes, features, cost = "act", {}, event.features, event.cost
            else:
                name, features, cost = event[0], features_of(event), self._model.cost(event)
                if name in WORD_EVENTS and not cost:
                    continue
                values = [list(value) if isinstance(value, tuple) else value for value in event[1:]]
                attributes = dict(zip(EVENTS[name], values, strict=True))
            yield {
                "event": name,
                "attributes": attributes,
                "n_arcs": n_arcs,
                "cost": round(cost, DIGITS),
                "features": self._features(features),
            }

    def _features(self, features: Features) -> list[FeatureCost]:
        """Return the features that have a weight, the heaviest first."""
        found: list[FeatureCost] = []
        for name, value in features:
            weight = self._weight(name)
            if weight:
                found.append({"feature": name, "value": round(value, DIGITS), "weight": weight, "cost": round(weight * value, DIGITS)})
        return sorted(found, key=_heaviest)[:MAX_FEATURES]

    def _differences(self, chosen: Mapping[str, float], other: Mapping[str, float]) -> list[FeatureDifference]:
        """Return the features whose costs differ most."""
        found: list[FeatureDifference] = []
        for name in dict.fromkeys([*chosen, *other]):
            ours, theirs, weight = chosen.get(name, 0.0), other.get(name, 0.0), self._weight(name)
            cost = round(weight * (theirs - ours), DIGITS)
            if cost:
                values: FeatureDifference = {"feature": name, "chosen": ours, "runner_up": theirs, "weight": weight, "cost": cost}
                found.append(values)
        return sorted(found, key=_heaviest)[:MAX_FEATURES]

    def _weight(self, feature: str) -> float:
        return self._model.cost_of(((feature, 1.0),))

    def _edit(self, record: EditRecord) -> ParsedEdit:
        lines = _edited(record.before, record.after)
        if record.start < 0:
            return {"span": None, "text": "", "lines": lines}
        span = self._span(record.start, record.end)
        return {"span": span, "text": self._utterance[slice(*span)], "lines": lines}

    def _span(self, start: int, end: int) -> tuple[int, int]:
        """Return the code points of some tokens."""
        return self._tokens[start].start, self._tokens[end - 1].end


def _heaviest(entry: FeatureCost | FeatureDifference) -> float:
    return -abs(entry["cost"])


def _asked(question: Question) -> AskedQuestion:
    choices = list(question.choices[:MAX_ENTRIES])
    return {"kind": question.kind.value, "line": question.line, "group": question.group, "choices": choices}


def _orders(lines: Iterable[DraftLine]) -> list[str]:
    """Return the lines that are not removed, in short."""
    return [in_short(line) for line in islice((line for line in lines if line.quantity), MAX_ENTRIES)]


def _edited(before: Draft, after: Draft) -> list[LineEdit]:
    """Return the lines that differ between two drafts."""
    edits: list[LineEdit] = []
    for number, line in enumerate(after):
        old = before[number] if number < len(before) else None
        if line != old and len(edits) < MAX_NAMES:
            was = in_short(old) if old is not None and old.quantity else None
            edits.append({"line": number, "before": was, "after": in_short(line) if line.quantity else None})
    return edits


def _plain(value: Any) -> str | int | None:
    return value if value is None or isinstance(value, int) else str(value)
