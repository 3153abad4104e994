"""Parse an utterance in the state of its dialogue: beam search over shifts and reductions to the k best drafts."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from schemas import LineRequest, Menu
from voice.orders import words
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import Draft, MenuIndex, denotation
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import Event, Model
from voice.orders.parser.moves import Shift
from voice.orders.parser.question_arcs import with_question_arcs
from voice.orders.parser.reduce import Reducer
from voice.orders.parser.roles import NAMING
from voice.orders.parser.shift import SHIFTS
from voice.orders.parser.state import Hypothesis, OpenQuestion

MAX_HYPOTHESES: Final = 14  # that continue from a token
MAX_COST_BEHIND: Final = 6.0  # the best hypothesis at a token
MAX_PARSES: Final = 20


class Parse(NamedTuple):
    """A parse of an utterance: the draft after it, its probability, and the arcs and events of the derivation."""

    draft: Draft
    cost: float
    probability: float  # of the draft, over the parses found
    events: tuple[Event | Arc, ...]
    unread: tuple[int, ...]  # tokens
    n_edits: int


class Parser:
    """Parses utterances about one menu; stateless between calls, and safe to share between threads."""

    def __init__(self, menu: Menu, model: Model) -> None:
        self.menu = menu
        self.index = MenuIndex(menu)
        self._model = model
        self._lexicon = Lexicon(menu, model)
        self._reducer = Reducer(self.index, model)

    def parse(
        self,
        utterance: str,
        lines: Sequence[LineRequest] = (),
        *,
        question: OpenQuestion | None = None,
        focus: tuple[int, ...] = (),
        max_parses: int = MAX_PARSES,
        max_hypotheses: int = MAX_HYPOTHESES,
    ) -> list[Parse]:
        """Return the best parse of each denotation, cheapest first; `focus`: lines that the turn before changed."""
        tokens = words.tokenize(words.nfc(utterance))
        before = self.index.draft(lines)
        lattice: list[Sequence[Arc]] = [*self._lexicon.lattice(tokens)]
        if question is not None and question.choices:
            lattice = with_question_arcs(tokens, lattice, question, self.menu, self._model)
        if question is not None and question.line is not None and question.line < len(before):
            focus = (question.line,)
        start = Hypothesis(before, tuple([number for number in focus if number < len(before)]))
        finished = list(self._search(lattice, start, question, max_hypotheses))
        named = _named(lattice)
        talk = tuple(dict.fromkeys([token.surface for number, token in enumerate(tokens) if number not in named]))
        for hypothesis in finished:
            self._finish(hypothesis, before, talk, question.kind if question is not None else "")
        return _best(finished, max_parses)

    def _search(
        self, lattice: Sequence[Sequence[Arc]], start: Hypothesis, question: OpenQuestion | None, max_hypotheses: int
    ) -> Iterator[Hypothesis]:
        """Yield the hypotheses at the end of the utterance, each with its last chunk reduced."""
        beams: list[list[Hypothesis]] = [[] for _ in range(len(lattice) + 1)]
        beams[0].append(start)
        for at, row in enumerate(lattice):
            for hypothesis in _pruned(beams[at], max_hypotheses):
                for arc in row:
                    beams[at + arc.length].extend(SHIFTS[arc.role](Shift(self._reducer, hypothesis, arc, at, question)))
            beams[at] = []
        for hypothesis in _pruned(beams[-1], max_hypotheses):
            yield from self._reducer.reduce(hypothesis, question)

    def _finish(self, parsed: Hypothesis, before: Draft, talk: Sequence[str], kind: str) -> None:
        """Take unavailable items off the draft, and add the events of the final draft.

        `talk`: the words that name nothing of the menu; `kind`: of the open question, "" if there is none.
        """
        note = self._reducer.note
        parsed.draft = tuple(
            [line._replace(quantity=0) if line.is_new and not self._is_available(line.items) else line for line in parsed.draft]
        )
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
        else:
            note(parsed, ("unchanged", kind, parsed.is_inquiry))
        for line in parsed.draft:
            if line.quantity and len(line.items) > 1:
                note(parsed, ("open", "items at the end"))
            if line.quantity and any([len(option.choices) > 1 and option.amount != "no" for option in line.options]) and line not in before:
                note(parsed, ("open", "choices at the end"))

    def _is_available(self, items: Sequence[str]) -> bool:
        return any([self.menu.items[item].available for item in items])


def _named(lattice: Sequence[Sequence[Arc]]) -> set[int]:
    """Return the tokens that may belong to a name of the menu."""
    return {number for start, row in enumerate(lattice) for arc in row if arc.role in NAMING for number in range(start, start + arc.length)}


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


def _best(finished: list[Hypothesis], max_parses: int) -> list[Parse]:
    """Return the cheapest parse of each denotation, with the probability of all parses of that denotation."""
    finished.sort(key=lambda hypothesis: hypothesis.cost)
    least_cost = finished[0].cost if finished else 0.0
    cheapest: dict[Any, Hypothesis] = {}
    mass: dict[Any, float] = {}
    for hypothesis in finished:
        meaning = denotation(hypothesis.draft)
        cheapest.setdefault(meaning, hypothesis)
        mass[meaning] = mass.get(meaning, 0.0) + math.exp(least_cost - hypothesis.cost)
    total = sum(mass.values())
    return [
        Parse(
            hypothesis.draft,
            hypothesis.cost,
            mass[meaning] / total,
            tuple(_unlinked(hypothesis.trace)),
            tuple(_unlinked(hypothesis.unread)),
            hypothesis.n_edits,
        )
        for meaning, hypothesis in list(cheapest.items())[:max_parses]
    ]


def _unlinked(linked: Any) -> list[Any]:
    """Return the values of a linked list (last value, rest), first one first."""
    values = []
    while linked is not None:
        value, linked = linked
        values.append(value)
    values.reverse()
    return values
