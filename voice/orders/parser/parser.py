"""Parse an utterance in the state of its dialogue: beam search over shifts and reductions to the k best drafts."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple, final

from schemas import LineRequest
from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.parser.acts import ActModel, act_features, masked
from voice.orders.parser.agreement import Agreement
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import NEW, Draft, DraftLine, MenuIndex, denotation
from voice.orders.parser.edits import Reduction
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import Event, Model, features_of
from voice.orders.parser.moves import Shift
from voice.orders.parser.person_arcs import Mention, with_person_arcs
from voice.orders.parser.question_arcs import with_question_arcs
from voice.orders.parser.ranker import Ranker
from voice.orders.parser.reduce import Reducer
from voice.orders.parser.roles import NAMING, Role
from voice.orders.parser.shift import SHIFTS
from voice.orders.parser.sibling_arcs import SiblingIndex, with_sibling_arcs
from voice.orders.parser.state import MOOD_NAMES, EditRecord, Hypothesis, OpenQuestion
from voice.orders.words import Token

MAX_HYPOTHESES: Final = 10  # that continue from a token
LONG: Final = 60  # tokens; the beam of longer utterances is narrower
MIN_HYPOTHESES: Final = 2
MAX_COST_BEHIND: Final = 5.0  # the best hypothesis at a token
MAX_PARSES: Final = 20
MIN_PROBABILITY: Final = 1e-6
MIN_RANKED: Final = 0.01  # probability of a parse that the ranker may put first, as a share of the best one's
MAX_EDIT_COST: Final = 0.15  # -log P of an edit, of a sentence that is taken for one
MIN_TALK_COST: Final = 0.9  # -log P of an edit, of a sentence that is taken for talk
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


@final
class Parse:
    """A parse of an utterance: the draft after it, its probability, and the arcs and events of the derivation."""

    __slots__ = ("_agreement", "_edits", "_events", "_hypothesis", "_unread", "draft", "probability", "unresolved")

    def __init__(
        self, hypothesis: Hypothesis, draft: Draft, probability: float, unresolved: tuple[Unresolved, ...], agreement: Agreement
    ) -> None:
        self._hypothesis = hypothesis
        self._agreement = agreement
        self.draft = draft
        self.probability = probability  # of the draft, over the parses found
        self.unresolved = unresolved
        self._events: tuple[Event | Arc, ...] | None = None
        self._edits: tuple[EditRecord, ...] | None = None
        self._unread: tuple[int, ...] | None = None

    @property
    def cost(self) -> float:
        """The cost of the events and arcs."""
        return self._hypothesis.cost

    @property
    def n_edits(self) -> int:
        """The number of edits."""
        return self._hypothesis.progress.n_edits

    @property
    def events(self) -> tuple[Event | Arc, ...]:
        """The arcs and events of the derivation."""
        if self._events is None:
            events: list[Event | Arc] = []
            for event in _unlinked(self._hypothesis.trace):
                if isinstance(event, Reduction):
                    events += event.events()
                elif isinstance(event, list):
                    events += event
                else:
                    events.append(event)
            self._events = tuple(events)
        return self._events

    def agreement(self) -> list[Event]:
        """Return how far the draft agrees with what was said."""
        return self._agreement.events(self.draft, [one.line for one in self.unresolved])

    @property
    def edits(self) -> tuple[EditRecord, ...]:
        """The edits that made another draft."""
        if self._edits is None:
            self._edits = tuple(_unlinked(self._hypothesis.progress.edits))
        return self._edits

    @property
    def unread(self) -> tuple[int, ...]:
        """The tokens that are left unread."""
        if self._unread is None:
            self._unread = tuple(_unlinked(self._hypothesis.unread))
        return self._unread

    def weighed(self, probability: float) -> "Parse":
        """Return the parse with another probability."""
        return Parse(self._hypothesis, self.draft, probability, self.unresolved, self._agreement)

    def with_draft(self, draft: Draft, unresolved: tuple[Unresolved, ...]) -> "Parse":
        """Return the parse with another draft, as the dialog has it."""
        return Parse(self._hypothesis, draft, self.probability, unresolved, self._agreement)

    def has_event(self, name: str) -> bool:
        """Return whether the derivation has an event of this name."""
        for event in self.events:  # noqa: SIM110 - as any(...) it takes longer
            if not isinstance(event, Arc) and event[0] == name:
                return True
        return False

    def arcs(self) -> list[Arc]:
        """Return the arcs of the derivation."""
        return [event for event in self.events if isinstance(event, Arc)]

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

    def __init__(self, menu: Menu, model: Model, act_model: ActModel | None = None, ranker: Ranker | None = None) -> None:
        """Compile the menu; without an act model all acts are as likely; without a ranker the parses are ranked by cost."""
        self.menu = menu
        self._ranker = ranker
        self._act_model = act_model or ActModel({})
        self.index = MenuIndex(menu)
        self._model = model
        self._lexicon = Lexicon(menu, model)
        self._siblings = SiblingIndex(menu)
        self._reducer = Reducer(self.index, model)

    def tokens(self, utterance: str) -> list[Token]:
        """Split an utterance into the tokens of an analysis."""
        return self._lexicon.tokens(utterance)

    def analyse(self, utterance: str, tokens: Sequence[Token] | None = None, persons: Sequence[Mention] = ()) -> Analysis:
        """Find the arcs of the tokens of an utterance; `tokens`: None tokenises it; `persons`: whom it mentions."""
        if tokens is None:
            tokens = self.tokens(words.nfc(utterance))
        return Analysis(tokens, with_person_arcs(self._lexicon.lattice(tokens), persons, self._model))

    def act_costs(self, analysis: Analysis, kind: str = "") -> Mapping[str, float]:
        """Return -log P of each act; `kind`: of the open question, "" if there is none."""
        surfaces = [token.surface for token in analysis.tokens]
        return self._act_model.costs(act_features(masked(surfaces, analysis.lattice), kind))

    def parse(
        self,
        utterance: str | Analysis,
        lines: Sequence[LineRequest | DraftLine] = (),
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
        before = _draft_of(self.index, lines)
        lattice: Sequence[Sequence[Arc]] = analysis.lattice
        if before:
            lattice = with_sibling_arcs(tokens, lattice, before, self._siblings, self._model)
        if question is not None and question.choices:
            none = self.index.none_choice(question.group) if question.group is not None else None
            lattice = with_question_arcs(tokens, lattice, question, self.menu, self._model, none=none)
        if question is not None and question.line is not None and question.line < len(before):
            focus = (question.line,)
        kind = question.kind if question is not None else ""
        if act_costs is None:
            act_costs = self.act_costs(analysis, kind)
        spoken = self._spoken([token.surface for token in tokens], lattice)
        acts = self._acts_of_sentences(tokens, lattice, kind)
        start = Hypothesis.start(before, tuple([number for number in focus if number < len(before)]), spoken, acts)
        talk = tuple(dict.fromkeys([word for word in spoken if word not in {"", "<name>"}]))
        ending = _Ending(self.menu, self._model, before, talk, question, _lead(lattice), _arcs_of_acts(act_costs, self._model))
        found = list(self._search(lattice, start, question, max_hypotheses))
        complete = [parsed for parsed in found if not _is_broken_off(parsed)]
        finished = [ending.finished(parsed) for parsed in complete or found]
        parses = _best(finished, max_parses, Agreement(lattice, before, question))
        return parses if self._ranker is None else _ranked(parses, self._ranker)

    def _search(
        self, lattice: Sequence[Sequence[Arc]], start: Hypothesis, question: OpenQuestion | None, max_hypotheses: int
    ) -> Iterator[Hypothesis]:
        """Yield the hypotheses at the end of the utterance, each with its last chunk reduced."""
        if len(lattice) > LONG:
            max_hypotheses = max(MIN_HYPOTHESES, max_hypotheses * LONG // len(lattice))
        beams: list[list[Hypothesis]] = [[] for _ in range(len(lattice) + 1)]
        beams[0].append(start)
        max_costs = [math.inf] * len(beams)  # dearer hypotheses at a token will be pruned
        for at, row in enumerate(lattice):
            for hypothesis in _pruned(beams[at], max_hypotheses):
                for arc in row:
                    behind = at + arc.length
                    beam, max_cost = beams[behind], max_costs[behind]
                    for new in SHIFTS[arc.role](Shift(self._reducer, hypothesis, arc, at, question, max_cost)):
                        if new.cost <= max_cost:
                            beam.append(new)
                            max_cost = min(max_cost, new.cost + MAX_COST_BEHIND)
                    max_costs[behind] = max_cost
            beams[at] = []
        for hypothesis in _pruned(beams[-1], max_hypotheses):
            yield from self._reducer.reduce(hypothesis, question)

    def _acts_of_sentences(self, tokens: Sequence[Token], lattice: Sequence[Sequence[Arc]], kind: str) -> tuple[str, ...]:
        """Return what the sentence of each token does, as an attribute of events; empty if there is one sentence."""
        surfaces = [token.surface for token in tokens]
        ends = [at + 1 for at, row in enumerate(lattice) if row[0].role is Role.STOP]
        bounds = [0, *ends] if ends and ends[-1] == len(tokens) else [0, *ends, len(tokens)]
        sentences = [(start, end) for start, end in pairwise(bounds) if end - start > 1]
        if len(sentences) < 2:  # noqa: PLR2004 - the act of the utterance is that of its only sentence
            return ()
        acts = ["unsure"] * len(tokens)
        for start, end in sentences:
            cost = self._act_model.costs(act_features(masked(surfaces[start:end], lattice[start:end]), kind))["edit"]
            acts[start:end] = ["edit" if cost < MAX_EDIT_COST else "talk" if cost > MIN_TALK_COST else "unsure"] * (end - start)
        return tuple(acts)

    def _spoken(self, surfaces: Sequence[str], lattice: Sequence[Sequence[Arc]]) -> tuple[str, ...]:
        """Return the words as features have them: names masked, and "" for words that no weight knows."""
        named, vocabulary = _named(lattice), self._model.vocabulary
        return tuple(["<name>" if at in named else word if word in vocabulary else "" for at, word in enumerate(surfaces)])


def _draft_of(index: MenuIndex, lines: Sequence[LineRequest | DraftLine]) -> Draft:
    """Return the order before an utterance, line by line of the origin at its place."""
    requests: list[LineRequest] = []
    draft: list[DraftLine] = []
    for number, line in enumerate(lines):
        if isinstance(line, DraftLine):
            draft.append(line if line.origin == number and line.beside == NEW else line._replace(origin=number, beside=NEW))
        else:
            requests.append(line)
    return tuple(draft) if draft else index.draft(requests)


def _is_open(line: DraftLine) -> bool:
    """Return whether a line has an option that is open between choices."""
    return line.quantity > 0 and any([len(option.choices) > 1 and option.amount != "no" for option in line.options])


def _arcs_of_acts(act_costs: Mapping[str, float], model: Model) -> tuple[Arc, Arc]:
    """Return arcs with the cost of the act, for parses that change the draft and for those that do not."""
    edit = act_costs["edit"]
    no_edit = -math.log(max(MIN_PROBABILITY, 1 - math.exp(-edit)))
    return (
        Arc.scored(model, 0, Role.UNREAD, None, (("act.changed", min(MAX_ACT_COST, edit)),)),
        Arc.scored(model, 0, Role.UNREAD, None, (("act.unchanged", min(MAX_ACT_COST, no_edit)),)),
    )


@final
class _Outcome:
    """A final draft: its lines that are not on the order, its meaning, and its events."""

    def __init__(self, draft: Draft, unresolved: tuple[Unresolved, ...], events: list[Event], cost: float, *, is_changed: bool) -> None:
        self.draft = draft
        self.unresolved = unresolved
        self.events = events
        self.cost = cost
        self.is_changed = is_changed
        self.meaning: Any = (denotation(draft), frozenset([waiting.line.items for waiting in unresolved]))


class _Finished(NamedTuple):
    """A hypothesis at the end of the utterance, with the events of the final draft."""

    hypothesis: Hypothesis
    outcome: _Outcome


@final
class _Ending:
    """Finishes the hypotheses of a parse; each final draft is looked at once."""

    def __init__(
        self, menu: Menu, model: Model, before: Draft, talk: Sequence[str], question: OpenQuestion | None, lead: str, acts: tuple[Arc, Arc]
    ) -> None:
        """`talk`: the words that name nothing of the menu; `lead`: how the utterance begins."""
        self._menu = menu
        self._model = model
        self._before = before
        self._talk = talk
        self._question = question
        self._kind = question.kind if question is not None else ""
        self._lead = lead
        self._acts = acts
        self._outcomes: dict[int, _Outcome] = {}  # by the number of the draft

    def finished(self, parsed: Hypothesis) -> _Finished:
        """Take the lines without a definite available item off the draft, and add the events of the final draft."""
        progress, kind, model = parsed.progress, self._kind, self._model
        outcome = self._outcomes.get(progress.draft_id)
        if outcome is None:
            outcome = self._outcomes[progress.draft_id] = self._outcome(progress.draft)
        events: list[Event] = []
        if progress.forwarded:
            events.append(("left", "head" if progress.forwarded[-1].items else "waiting"))
        if progress.target is not None:
            events.append(("left", "change"))
        if kind and not progress.n_edits:
            events.append(("unanswered", kind))
        events.append(("changed" if outcome.is_changed else "unchanged", kind, MOOD_NAMES[parsed.mood], self._lead))
        arc = self._acts[0 if outcome.is_changed else 1]
        for event in events:
            parsed.cost += model.cost(event)
        parsed.cost += outcome.cost + arc.cost
        parsed.trace = (arc, (outcome.events, (events, parsed.trace)))
        return _Finished(parsed, outcome)

    def _outcome(self, draft: Draft) -> _Outcome:
        before = self._before
        resolved, unresolved = self._resolved(draft)
        is_changed = resolved != before
        events: list[Event] = [("changed_by", word) for word in self._talk] if is_changed else []
        if any([one.is_available for one in unresolved]):  # an item that is not available is understood like any other
            events.append(("open", "items at the end"))
        events += [("open", "choices at the end") for line in resolved if _is_open(line) and line not in before]
        if self._question is not None:
            events.append(("answered", self._question.kind, self._answer(resolved, self._question), self._lead))
        cost = sum([self._model.cost(event) for event in events], 0.0)
        return _Outcome(resolved, unresolved, events, cost, is_changed=is_changed)

    def _answer(self, draft: Draft, question: OpenQuestion) -> str:
        """Return how a draft answers a question, as an attribute of events."""
        if question.group is None:
            if not question.choices:
                return "none"
            return (
                "item"
                if any([line.is_new and line.quantity > 0 and not set(line.items) - set(question.choices) for line in draft])
                else "no"
            )
        units = [line for line in draft if question.line is not None and question.line in {line.origin, line.beside} and line.quantity > 0]
        answered = [line for line in units if any([option.group == question.group and len(option.choices) == 1 for option in line.options])]
        return "all" if units and len(answered) == len(units) else "some" if answered else "no"

    def _resolved(self, draft: Draft) -> tuple[Draft, tuple[Unresolved, ...]]:
        """Return the draft with definite available items, and the lines that have none; a line that was to be replaced stays."""
        lines: list[DraftLine] = []
        unresolved: list[Unresolved] = []
        for number, line in enumerate(draft):
            old = None if line.is_new else self._before[line.origin]
            available = tuple([item for item in line.items if self._menu.items[item].available])
            if line.quantity == 0 or (old is not None and old.items == line.items) or len(available) == 1:
                lines.append(line if len(line.items) == 1 or not available else line._replace(items=available))
                continue
            unresolved.append(Unresolved(line._replace(items=available or line.items), bool(available), number if old is not None else NEW))
            lines.append(line._replace(items=line.items[:1], quantity=0) if old is None else old)
        return tuple(lines), tuple(unresolved)


def _is_broken_off(parsed: Hypothesis) -> bool:
    """Return whether a line that was named without a verb, as if it should become something else, became nothing."""
    return parsed.progress.target is not None and not parsed.progress.target.verb


def _lead(lattice: Sequence[Sequence[Arc]]) -> str:
    """Return whether the first word that is no filler is a yes or a no, as an attribute of events."""
    for row in lattice:
        roles = {arc.role for arc in row}
        if Role.NO in roles or Role.YES in roles:
            return "no" if Role.NO in roles else "yes"
        if roles.isdisjoint({Role.FILLER, Role.COMMA, Role.STOP}):
            break
    return "other"


def _named(lattice: Sequence[Sequence[Arc]]) -> set[int]:
    """Return the tokens that may belong to a whole name of the menu."""
    found: set[int] = set()
    for start, row in enumerate(lattice):
        for arc in row:
            if not arc.is_partial and arc.role in NAMING:
                found.update(range(start, start + arc.length))
    return found


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


def _best(finished: list["_Finished"], max_parses: int, agreement: Agreement) -> list[Parse]:
    """Return the cheapest parse of each meaning, the likeliest meaning first; its probability is that of all its parses.

    A meaning is an order, and the items of the lines that are not on it.
    """
    finished.sort(key=lambda one: one.hypothesis.cost)
    least_cost = finished[0].hypothesis.cost if finished else 0.0
    cheapest: dict[Any, _Finished] = {}
    mass: dict[Any, float] = {}
    for one in finished:
        meaning = one.outcome.meaning
        cheapest.setdefault(meaning, one)
        mass[meaning] = mass.get(meaning, 0.0) + math.exp(least_cost - one.hypothesis.cost)
    total = sum(mass.values())
    return [
        Parse(hypothesis, outcome.draft, mass[meaning] / total, outcome.unresolved, agreement)
        for meaning, (hypothesis, outcome) in sorted(cheapest.items(), key=lambda one: -mass[one[0]])[:max_parses]
    ]


def _ranked(parses: list[Parse], ranker: Ranker) -> list[Parse]:
    """Return the parses with the probabilities that the ranker gives them, the likeliest first."""
    likely = [parse for parse in parses if parse.probability >= MIN_RANKED * parses[0].probability]
    if len(likely) < 2:  # noqa: PLR2004 - nothing to compare
        return parses
    log_odds = ranker.log_odds([[*parse.events, *parse.agreement()] for parse in likely])
    masses = [parse.probability * math.exp(odds) for parse, odds in zip(likely, log_odds.tolist(), strict=True)]
    scale = sum([parse.probability for parse in likely], 0.0) / sum(masses, 0.0)
    weighed = [parse.weighed(mass * scale) for parse, mass in zip(likely, masses, strict=True)]
    weighed.sort(key=lambda parse: -parse.probability)
    return [*weighed, *parses[len(likely) :]]


def _unlinked(linked: Any) -> list[Any]:
    """Return the values of a linked list (last value, rest), first one first."""
    values = []
    while linked is not None:
        value, linked = linked
        values.append(value)
    values.reverse()
    return values
