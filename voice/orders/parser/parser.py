"""Parse an utterance in the state of its conversation: a beam search over shifts and reductions, to the k best drafts.

tokens ─▶ lattice of arcs ─▶ shifts into chunks ─▶ reductions to edits on the draft ─▶ the k best drafts, with probabilities
          (lexicon)           (shift)               (reduce)                            (scored by model)
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from schemas import LineRequest, Menu
from voice.orders import spelling, words
from voice.orders.parser.draft import ChoiceRef, Draft, MenuIndex, denotation
from voice.orders.parser.lexicon import Arc, Lexicon
from voice.orders.parser.model import Event, Model
from voice.orders.parser.reduce import Question, Reducer
from voice.orders.parser.roles import NAMING, Role
from voice.orders.parser.shift import Shifter
from voice.orders.parser.state import Hypothesis
from voice.orders.words import Token

WIDTH: Final = 14  # hypotheses that are followed from a token
MAX_BEHIND: Final = 6.0  # cost behind the best one
BEST: Final = 20
MAX_ASKED_SPELLING: Final = 0.7  # spelling.distance between a spoken word and a word of a choice that was asked about


class Parse(NamedTuple):
    """One way to understand an utterance."""

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
        self.model = model
        self.index = MenuIndex(menu)
        self.lexicon = Lexicon(menu, model)
        self._reducer = Reducer(self.index, model)
        self._shifter = Shifter(self.index, model, self._reducer)

    def parse(
        self,
        utterance: str,
        lines: Sequence[LineRequest] = (),
        *,
        question: Question | None = None,
        focus: tuple[int, ...] = (),
        best: int = BEST,
        width: int = WIDTH,
    ) -> list[Parse]:
        """Return the best parses, one for each draft that differs in meaning, the likeliest first.

        `focus`: the lines that the turn before changed; `question`: the open question that is answered first.
        """
        tokens = words.tokenize(words.nfc(utterance))
        before = self.index.draft(lines)
        lattice: list[Sequence[Arc]] = [*self.lexicon.lattice(tokens)]
        if question is not None and question.choices:
            lattice = self._with_asked(tokens, lattice, question)
        if question is not None and question.line is not None and question.line < len(before):
            focus = (question.line,)
        start = Hypothesis(before, tuple([number for number in focus if number < len(before)]))
        finished = self._search(lattice, start, question, width)
        named = _named(lattice)
        talk = tuple(dict.fromkeys([token.surface for number, token in enumerate(tokens) if number not in named]))
        kind = question.kind if question is not None else ""
        closed = [self._finished(reduced, before, talk, kind) for reduced in finished]
        return _best(closed, best)

    def _search(self, lattice: Sequence[Sequence[Arc]], start: Hypothesis, question: Question | None, width: int) -> Iterator[Hypothesis]:
        beams: list[list[Hypothesis]] = [[] for _ in range(len(lattice) + 1)]
        beams[0].append(start)
        for at, row in enumerate(lattice):
            for hypothesis in _pruned(beams[at], width):
                for arc in row:
                    beams[at + arc.length].extend(self._shifter.shift(hypothesis, arc, at, question))
            beams[at] = []
        for hypothesis in _pruned(beams[-1], width):
            yield from self._reducer.reduce(hypothesis, question)

    def _finished(self, parsed: Hypothesis, before: Draft, talk: Sequence[str], kind: str) -> Hypothesis:
        """Take unavailable items off, and note what the result is like."""
        note = self._reducer.note
        parsed.draft = tuple(
            [line._replace(quantity=0) if line.is_new and not self._available(line.items) else line for line in parsed.draft]
        )
        if parsed.waiting:
            note(parsed, ("left", "waiting"))
        if parsed.change is not None:
            note(parsed, ("left", "change"))
        if kind and not parsed.n_edits:
            note(parsed, ("unanswered", kind))
        if parsed.draft != before:
            note(parsed, ("changed", kind, parsed.inquiry))
            for word in talk:
                note(parsed, ("changed_by", word))
        else:
            note(parsed, ("unchanged", kind, parsed.inquiry))
        for line in parsed.draft:
            if line.quantity and len(line.items) > 1:
                note(parsed, ("open", "items at the end"))
            if line.quantity and any([len(option.choices) > 1 and option.amount != "no" for option in line.options]) and line not in before:
                note(parsed, ("open", "choices at the end"))
        return parsed

    def _available(self, items: Sequence[str]) -> bool:
        return any([self.menu.items[item].available for item in items])

    def _with_asked(self, tokens: Sequence[Token], lattice: Sequence[Sequence[Arc]], question: Question) -> list[Sequence[Arc]]:
        """Add arcs for words that tell the choices of the open question apart."""
        telling = self._telling_words(question)
        marked = words.is_marked(tokens)
        return [(*row, *self._asked_arcs(token, telling, question, marked=marked)) for token, row in zip(tokens, lattice, strict=True)]

    def _telling_words(self, question: Question) -> dict[str, set[str]]:
        """Return the words of the choices that not all of them have."""
        group = self.menu.option_groups.get(question.group) if question.group is not None else None
        telling: dict[str, set[str]] = {}
        for choice in question.choices:
            named = self.menu.items.get(choice) if question.group is None else group.choices.get(choice) if group else None
            for way in (named.name, *named.aliases) if named else ():
                for word in words.phrase(way):
                    telling.setdefault(word, set()).add(choice)
        return {word: choices for word, choices in telling.items() if len(choices) < len(question.choices) or len(question.choices) == 1}

    def _asked_arcs(self, token: Token, telling: dict[str, set[str]], question: Question, *, marked: bool) -> Iterator[Arc]:
        said = token.surface
        if len(said) < 2 and not said.isdecimal():  # noqa: PLR2004 - a letter tells nothing
            return
        near: dict[str, float] = {}
        for word, choices in telling.items():
            if token.key[:1] != words.key_of(word)[:1]:
                continue
            distance = spelling.distance((said,), (word,), marked=marked)
            for choice in choices if distance <= MAX_ASKED_SPELLING else ():
                near[choice] = min(near.get(choice, distance), distance)
        if near:
            nearest = min(near.values())
            chosen = [choice for choice in question.choices if near.get(choice) == nearest]
            features = (("asked.word", 1.0), ("asked.spelling", nearest), ("asked.open", float(len(chosen) > 1)))
            value = tuple(chosen) if question.group is None else tuple([ChoiceRef(question.group, choice) for choice in chosen])
            role = Role.ITEM if question.group is None else Role.OPTION
            yield Arc(1, role, value, features, self.model.cost_of(features), partial=True)


def _named(lattice: Sequence[Sequence[Arc]]) -> set[int]:
    """Return the tokens that may name something of the menu."""
    return {number for start, row in enumerate(lattice) for arc in row if arc.role in NAMING for number in range(start, start + arc.length)}


def _pruned(beam: list[Hypothesis], width: int) -> list[Hypothesis]:
    """Return the cheapest hypotheses, one for each state."""
    if len(beam) < 2:  # noqa: PLR2004 - nothing to compare
        return beam
    beam.sort(key=lambda hypothesis: hypothesis.cost)
    limit = beam[0].cost + MAX_BEHIND
    kept: list[Hypothesis] = []
    seen: set[Any] = set()
    for hypothesis in beam:
        if hypothesis.cost > limit or len(kept) == width:
            break
        key = hypothesis.key
        if key not in seen:
            seen.add(key)
            kept.append(hypothesis)
    return kept


def _best(finished: list[Hypothesis], best: int) -> list[Parse]:
    """Return the cheapest parse of each meaning; its probability counts all parses of that meaning."""
    finished.sort(key=lambda hypothesis: hypothesis.cost)
    lowest = finished[0].cost if finished else 0.0
    found: dict[Any, Hypothesis] = {}
    mass: dict[Any, float] = {}
    for hypothesis in finished:
        meaning = denotation(hypothesis.draft)
        found.setdefault(meaning, hypothesis)
        mass[meaning] = mass.get(meaning, 0.0) + math.exp(lowest - hypothesis.cost)
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
        for meaning, hypothesis in list(found.items())[:best]
    ]


def _unlinked(linked: Any) -> list[Any]:
    found = []
    while linked is not None:
        value, linked = linked
        found.append(value)
    found.reverse()
    return found
