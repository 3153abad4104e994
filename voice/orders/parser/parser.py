"""Parse an utterance in the state of its dialogue: beam search over shifts and reductions to the k best drafts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from schemas import LineRequest
from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.parser.acts import ActModel, act_features, masked
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import NEW, Draft, DraftLine, MenuIndex, denotation
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import Event, Model, features_of
from voice.orders.parser.moves import Shift
from voice.orders.parser.question_arcs import with_question_arcs
from voice.orders.parser.reduce import Reducer
from voice.orders.parser.roles import NAMING, Role
from voice.orders.parser.shift import SHIFTS
from voice.orders.parser.state import EditRecord, Hypothesis, OpenQuestion
from voice.orders.words import Token

MAX_HYPOTHESES: Final = 10  # that continue from a token
LONG: Final = 60  # tokens; the beam of longer utterances is narrower
MIN_HYPOTHESES: Final = 2
MAX_COST_BEHIND: Final = 5.0  # the best hypothesis at a token
MAX_PARSES: Final = 20
MIN_PROBABILITY: Final = 1e-6
MAX_ACT_COST: Final = 4.0  # -log P; a very improbable act counts as much as one of 2 %


class Analysis(NamedTuple):
    """The tokens of an utterance, and the arcs that begin at each."""

    tokens: Sequence[Token]
    lattice: Sequence[Sequence[Arc]]


class Unresolved(NamedTuple):
    """A line that is not on the order, because its words fit several items, or none that is available."""

    line: DraftLine  # its items are the available ones of several, or all that are unavailable
    is_available: bool
    replaces: int  # draft index of the line whose item it would replace; NEW: it would be added


class Parse(NamedTuple):
    """A parse of an utterance: the draft after it, its probability, and the arcs and events of the derivation."""

    draft: Draft
    cost: float
    probability: float  # of the draft, over the parses found
    events: tuple[Event | Arc, ...]
    edits: tuple[EditRecord, ...]
    unread: tuple[int, ...]  # tokens
    n_edits: int
    unresolved: tuple[Unresolved, ...]

    def says(self, role: Role) -> bool:
        """Return whether a word of the utterance is read in the role of an answer: yes, no, done, any, most, least."""
        return any([event[0] == "say" and event[1] == role.name.lower() for event in self.events if not isinstance(event, Arc)])

    def placed(self, tokens: Sequence[Token]) -> Iterator[tuple[int, Arc]]:
        """Yield the arcs of the derivation, each with its first token; the trace has none for punctuation, and an empty one for the act."""
        at = 0
        for event in self.events:
            if isinstance(event, Arc):
                while event.length and words.is_punctuation(tokens[at].surface):
                    at += 1
                yield at, event
                at += event.length

    def features(self) -> dict[str, float]:
        """Return the values of the features of all arcs and events."""
        found: dict[str, float] = {}
        for event in self.events:
            for feature, value in event.features if isinstance(event, Arc) else features_of(event):
                found[feature] = found.get(feature, 0.0) + value
        return found

    def touched(self) -> dict[int, tuple[int, int]]:
        """Return the tokens that changed each line, by draft index: the first one, and the one behind the last."""
        found: dict[int, tuple[int, int]] = {}
        for start, end, before, after in self.edits:
            for number, line in enumerate(after):
                if start >= 0 and (number >= len(before) or line != before[number]):
                    first, last = found.get(number, (start, end))
                    found[number] = min(first, start), max(last, end)
        return found


class Parser:
    """Parses utterances about one menu; stateless between calls, and safe to share between threads."""

    def __init__(self, menu: Menu, model: Model, act_model: ActModel | None = None) -> None:
        """Compile the menu; without an act model all acts are as likely."""
        self.menu = menu
        self._act_model = act_model or ActModel({})
        self.index = MenuIndex(menu)
        self._model = model
        self._lexicon = Lexicon(menu, model)
        self._reducer = Reducer(self.index, model)

    def analyse(self, utterance: str) -> Analysis:
        """Tokenise an utterance and find the arcs of its tokens."""
        tokens = words.tokenize(words.nfc(utterance))
        return Analysis(tokens, self._lexicon.lattice(tokens))

    def act_costs(self, analysis: Analysis, kind: str = "") -> Mapping[str, float]:
        """Return -log P of each act; `kind`: of the open question, "" if there is none."""
        surfaces = [token.surface for token in analysis.tokens]
        return self._act_model.costs(act_features(masked(surfaces, analysis.lattice), kind))

    def parse(
        self,
        utterance: str | Analysis,
        lines: Sequence[LineRequest] = (),
        *,
        question: OpenQuestion | None = None,
        focus: tuple[int, ...] = (),
        act_costs: Mapping[str, float] | None = None,
        max_parses: int = MAX_PARSES,
        max_hypotheses: int = MAX_HYPOTHESES,
    ) -> list[Parse]:
        """Return the best parse of each meaning, the likeliest meaning first.

        `focus`: lines that the turn before changed; `act_costs`: -log P of each act, by default of the act model.
        """
        analysis = self.analyse(utterance) if isinstance(utterance, str) else utterance
        tokens = analysis.tokens
        before = self.index.draft(lines)
        lattice: list[Sequence[Arc]] = [*analysis.lattice]
        if question is not None and question.choices:
            lattice = with_question_arcs(tokens, lattice, question, self.menu, self._model)
        if question is not None and question.line is not None and question.line < len(before):
            focus = (question.line,)
        kind = question.kind if question is not None else ""
        if act_costs is None:
            act_costs = self.act_costs(analysis, kind)
        spoken = self._spoken([token.surface for token in tokens], lattice)
        start = Hypothesis(before, tuple([number for number in focus if number < len(before)]), spoken)
        talk = tuple(dict.fromkeys([word for word in spoken if word not in {"", "<name>"}]))
        acts = _arcs_of_acts(act_costs, self._model)
        finished = [self._finished(parsed, before, talk, kind, acts) for parsed in self._search(lattice, start, question, max_hypotheses)]
        return _best(finished, max_parses)

    def _search(
        self, lattice: Sequence[Sequence[Arc]], start: Hypothesis, question: OpenQuestion | None, max_hypotheses: int
    ) -> Iterator[Hypothesis]:
        """Yield the hypotheses at the end of the utterance, each with its last chunk reduced."""
        if len(lattice) > LONG:
            max_hypotheses = max(MIN_HYPOTHESES, max_hypotheses * LONG // len(lattice))
        beams: list[list[Hypothesis]] = [[] for _ in range(len(lattice) + 1)]
        beams[0].append(start)
        for at, row in enumerate(lattice):
            for hypothesis in _pruned(beams[at], max_hypotheses):
                for arc in row:
                    beams[at + arc.length].extend(SHIFTS[arc.role](Shift(self._reducer, hypothesis, arc, at, question)))
            beams[at] = []
        for hypothesis in _pruned(beams[-1], max_hypotheses):
            yield from self._reducer.reduce(hypothesis, question)

    def _spoken(self, surfaces: Sequence[str], lattice: Sequence[Sequence[Arc]]) -> tuple[str, ...]:
        """Return the words as features have them: names masked, and "" for words that no weight knows."""
        named, vocabulary = _named(lattice), self._model.vocabulary
        return tuple(["<name>" if at in named else word if word in vocabulary else "" for at, word in enumerate(surfaces)])

    def _finished(self, parsed: Hypothesis, before: Draft, talk: Sequence[str], kind: str, acts: Sequence[Arc]) -> "_Finished":
        """Take the lines without a definite available item off the draft, and add the events of the final draft.

        `talk`: the words that name nothing of the menu; `kind`: of the open question, "" if there is none.
        """
        note = self._reducer.note
        parsed.draft, unresolved = self._resolved(parsed.draft, before)
        if parsed.forwarded:
            note(parsed, ("left", "waiting"))
        if parsed.target is not None:
            note(parsed, ("left", "change"))
        if kind and not parsed.n_edits:
            note(parsed, ("unanswered", kind))
        if parsed.draft != before:
            note(parsed, ("changed", kind, parsed.is_inquiry))
            for word in talk:
                note(parsed, ("changed_by", word))
            arc = acts[0]
        else:
            arc = acts[1]
            note(parsed, ("unchanged", kind, parsed.is_inquiry))
        parsed.cost += arc.cost
        parsed.trace = (arc, parsed.trace)
        if any([one.is_available for one in unresolved]):  # an item that is not available is understood like any other
            note(parsed, ("open", "items at the end"))
        for line in parsed.draft:
            if line.quantity and any([len(option.choices) > 1 and option.amount != "no" for option in line.options]) and line not in before:
                note(parsed, ("open", "choices at the end"))

        return _Finished(parsed, unresolved)

    def _resolved(self, draft: Draft, before: Draft) -> tuple[Draft, tuple[Unresolved, ...]]:
        """Return the draft with definite available items, and the lines that have none; a line that was to be replaced stays."""
        lines: list[DraftLine] = []
        unresolved: list[Unresolved] = []
        for number, line in enumerate(draft):
            old = None if line.is_new else before[line.origin]
            available = tuple([item for item in line.items if self.menu.items[item].available])
            if line.quantity == 0 or (old is not None and old.items == line.items) or len(available) == 1:
                lines.append(line if len(line.items) == 1 or not available else line._replace(items=available))
                continue
            unresolved.append(Unresolved(line._replace(items=available or line.items), bool(available), number if old is not None else NEW))
            lines.append(line._replace(items=line.items[:1], quantity=0) if old is None else old)
        return tuple(lines), tuple(unresolved)


def _arcs_of_acts(act_costs: Mapping[str, float], model: Model) -> tuple[Arc, Arc]:
    """Return arcs with the cost of the act, for parses that change the draft and for those that do not."""
    edit = act_costs["edit"]
    no_edit = -math.log(max(MIN_PROBABILITY, 1 - math.exp(-edit)))
    return (
        Arc.scored(model, 0, Role.UNREAD, None, (("act.changed", min(MAX_ACT_COST, edit)),)),
        Arc.scored(model, 0, Role.UNREAD, None, (("act.unchanged", min(MAX_ACT_COST, no_edit)),)),
    )


class _Finished(NamedTuple):
    """A hypothesis at the end of the utterance, and its lines that are not on the order."""

    hypothesis: Hypothesis
    unresolved: tuple[Unresolved, ...]


def _named(lattice: Sequence[Sequence[Arc]]) -> set[int]:
    """Return the tokens that may belong to a whole name of the menu."""
    return {
        number
        for start, row in enumerate(lattice)
        for arc in row
        if arc.role in NAMING and not arc.is_partial
        for number in range(start, start + arc.length)
    }


def _pruned(beam: list[Hypothesis], max_hypotheses: int) -> list[Hypothesis]:
    """Return the cheapest hypothesis of each state, cheapest first, within the bounds on number and cost."""
    if len(beam) < 2:  # noqa: PLR2004 - nothing to compare
        return beam
    beam.sort(key=lambda hypothesis: hypothesis.cost)
    max_cost = beam[0].cost + MAX_COST_BEHIND
    followed: list[Hypothesis] = []
    seen: set[Any] = set()
    for hypothesis in beam:
        if hypothesis.cost > max_cost or len(followed) == max_hypotheses:
            break
        key = hypothesis.key
        if key not in seen:
            seen.add(key)
            followed.append(hypothesis)
    return followed


def _best(finished: list["_Finished"], max_parses: int) -> list[Parse]:
    """Return the cheapest parse of each meaning, the likeliest meaning first; its probability is that of all its parses.

    A meaning is an order, and the items of the lines that are not on it.
    """
    finished.sort(key=lambda one: one.hypothesis.cost)
    least_cost = finished[0].hypothesis.cost if finished else 0.0
    cheapest: dict[Any, _Finished] = {}
    mass: dict[Any, float] = {}
    for one in finished:
        meaning = denotation(one.hypothesis.draft), frozenset([waiting.line.items for waiting in one.unresolved])
        cheapest.setdefault(meaning, one)
        mass[meaning] = mass.get(meaning, 0.0) + math.exp(least_cost - one.hypothesis.cost)
    total = sum(mass.values())
    return [
        Parse(
            hypothesis.draft,
            hypothesis.cost,
            mass[meaning] / total,
            tuple(_unlinked(hypothesis.trace)),
            tuple(_unlinked(hypothesis.edits)),
            tuple(_unlinked(hypothesis.unread)),
            hypothesis.n_edits,
            unresolved,
        )
        for meaning, (hypothesis, unresolved) in sorted(cheapest.items(), key=lambda one: -mass[one[0]])[:max_parses]
    ]


def _unlinked(linked: Any) -> list[Any]:
    """Return the values of a linked list (last value, rest), first one first."""
    values = []
    while linked is not None:
        value, linked = linked
        values.append(value)
    values.reverse()
    return values
