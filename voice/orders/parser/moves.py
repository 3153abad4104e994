"""The moves that the shifts of all roles share: pass the arc by, extend the open chunk, or begin a new chunk."""

from collections.abc import Iterator
from typing import Final

from voice.orders.parser.arc import Arc
from voice.orders.parser.reduce import Reducer
from voice.orders.parser.state import Chunk, Hypothesis, OpenQuestion

ENUMERATING: Final = frozenset({"and", "comma", "or"})  # connectives
MAX_PORTIONS: Final = 99  # of an option
INHERITED_VERBS: Final = frozenset({"remove", "instead", "set"})  # a chunk behind an enumerating connective may take them over

Hypotheses = Iterator[Hypothesis]


class Shift:
    """The shift of one arc onto one hypothesis; the hypothesis stays unchanged."""

    __slots__ = ("arc", "at", "hypothesis", "question", "reducer")

    def __init__(self, reducer: Reducer, hypothesis: Hypothesis, arc: Arc, at: int, question: OpenQuestion | None) -> None:
        self.reducer = reducer
        self.hypothesis = hypothesis
        self.arc = arc
        self.at = at  # first token of the arc
        self.question = question

    def note(self, hypothesis: Hypothesis, *event: object) -> None:
        """Add an event, with its cost, to a hypothesis."""
        self.reducer.note(hypothesis, event)

    def pass_by(self) -> Hypothesis:
        """Return a hypothesis behind the arc that shares the open chunk."""
        return self._behind(self.hypothesis)

    def extend(self) -> tuple[Hypothesis, Chunk]:
        """Return a hypothesis behind the arc, and its own copy of the open chunk, extended over the arc."""
        new = self.pass_by()
        chunk = new.chunk = new.chunk.copy()
        if chunk.start < 0:
            chunk.start = self.at
            chunk.link = chunk.link or self.hypothesis.joint
        chunk.end = self.at + self.arc.length
        return new, chunk

    def begin(self, link: str | None = None) -> Iterator[tuple[Hypothesis, Chunk]]:
        """Reduce the open chunk in each way and yield hypotheses with a new chunk; `link` replaces the connective before it."""
        hypothesis = self.hypothesis
        before = hypothesis.chunk
        link = hypothesis.joint if link is None else link
        if before.is_empty:
            link = link or before.link
        end = self.at + self.arc.length
        for reduced in self.reducer.reduce(hypothesis, self.question):
            new = self._behind(reduced)
            new.joint = ""
            new.is_negation_open = new.is_negation_open and link in ENUMERATING
            new.chunk = Chunk(link, "", self.at, end)
            if before.is_empty:
                new.chunk.verb = before.verb
            else:
                self.note(new, "begin", link, before.verb)
            yield new, new.chunk
            if before.verb in INHERITED_VERBS and link in ENUMERATING:
                heir = new.fork()
                heir.chunk = Chunk(link, before.verb, self.at, end)
                self.note(heir, "inherit", before.verb)
                yield heir, heir.chunk

    @property
    def cuts_nothing_off(self) -> bool:
        """True if the open chunk is empty and equal to a new one."""
        hypothesis = self.hypothesis
        return hypothesis.chunk.is_empty and hypothesis.amount is None and not hypothesis.portions

    def _behind(self, hypothesis: Hypothesis) -> Hypothesis:
        new = hypothesis.fork()
        if self.arc.features:
            new.cost += self.arc.cost
            new.trace = (self.arc, new.trace)
        return new
