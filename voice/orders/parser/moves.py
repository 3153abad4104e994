"""The moves that the shifts of all roles share: pass the arc by, extend the open chunk, or begin a new chunk."""

import math
from collections.abc import Iterable
from typing import Any, Final, final

from voice.orders.parser.arc import Arc
from voice.orders.parser.model import Event
from voice.orders.parser.reduce import Reducer
from voice.orders.parser.roles import Role
from voice.orders.parser.state import Chunk, Hypothesis, OpenQuestion

ENUMERATING: Final = frozenset({"and", "comma", "or"})  # connectives
PAUSES: Final = frozenset({"comma", "stop"})  # connectives that a pause makes
MAX_PORTIONS: Final = 99  # of an option
MAX_REBATE: Final = 3.0  # on a new chunk, by the events of its first arc: "item" down to -2.0, "cancel" -0.6
INHERITED_VERBS: Final = frozenset({"remove", "instead", "set"})  # a chunk behind an enumerating connective may take them over

Hypotheses = Iterable[Hypothesis]


@final
class Shift:
    """The shift of one arc onto one hypothesis; the hypothesis stays unchanged."""

    __slots__ = ("arc", "at", "hypothesis", "max_cost", "question", "reducer")

    def __init__(
        self, reducer: Reducer, hypothesis: Hypothesis, arc: Arc, at: int, question: OpenQuestion | None, max_cost: float = math.inf
    ) -> None:
        """`max_cost`: of a hypothesis that is worth yielding."""
        self.reducer = reducer
        self.hypothesis = hypothesis
        self.arc = arc
        self.at = at  # first token of the arc
        self.question = question
        self.max_cost = max_cost

    def note(self, hypothesis: Hypothesis, *event: object) -> None:
        """Add an event, with its cost, to a hypothesis."""
        self.reducer.note(hypothesis, event)

    def name(self, hypothesis: Hypothesis, *event: object) -> None:
        """Add the event of a name, and one of the counting word before it: a side of fries is rather an item than an option."""
        self.note(hypothesis, *event)
        if self.hypothesis.classifier:
            self.note(hypothesis, "classified", self.arc.role.name.lower(), self.hypothesis.classifier)
            hypothesis.classifier = ""

    def pass_by(self) -> Hypothesis:
        """Return a hypothesis behind the arc that shares the open chunk."""
        new = self.hypothesis.fork()
        if self.arc.features:
            new.cost += self.arc.cost
            new.trace = (self.arc, new.trace)
        return new

    def extend(self) -> tuple[Hypothesis, Chunk]:
        """Return a hypothesis behind the arc, and its own copy of the open chunk, extended over the arc."""
        new = self.pass_by()
        chunk = new.chunk = new.chunk.copy()
        if chunk.start < 0:
            if _resumes(chunk, self.hypothesis.joint):
                self.note(new, "resumed", self.hypothesis.joint)
            chunk.start = self.at
            chunk.link = chunk.link or self.hypothesis.joint
        chunk.end = self.at + self.arc.length
        return new, chunk

    def begin(self, link: str | None = None, *, is_bounded: bool = True) -> list[tuple[Hypothesis, Chunk]]:
        """Reduce the open chunk in each way and return hypotheses with a new chunk; `link` replaces the connective before it.

        `is_bounded`: leave those out that are dearer than `max_cost`, even after a rebate by the events of the arc.
        """
        hypothesis, arc, trace = self.hypothesis, self.arc, self.hypothesis.trace
        before, verb = hypothesis.chunk, ""
        link = hypothesis.joint if link is None else link
        closing = _dangling(hypothesis) if hypothesis.amount is not None or hypothesis.portions else []
        if before.is_empty:
            if _resumes(before, link):
                closing.append(("resumed", link))
                link = before.link
            link, verb = link or before.link, before.verb
        else:
            closing.append(("begin", link, before.verb))
        cost = hypothesis.cost + (arc.cost if arc.features else 0.0)
        for event in closing:
            cost += self.reducer.cost(event)
        is_enumerated = link in ENUMERATING
        is_listed = link == "" and before.verb == "remove" and before.number > 0 and arc.role is Role.NUMBER  # "bớt một bún một bánh mì"
        inherits = is_listed or (is_enumerated and before.verb in INHERITED_VERBS)
        max_cost = self.max_cost + MAX_REBATE if is_bounded else math.inf
        begun: list[tuple[Hypothesis, Chunk]] = []
        for reduction in self.reducer.reductions(hypothesis, self.question):
            if cost + reduction.cost > max_cost:
                break  # the others are dearer
            chunk = Chunk(link, verb, self.at, self.at + arc.length)
            derived: Any = (closing, (reduction, trace))
            new = Hypothesis(
                reduction.progress(),
                chunk,
                hypothesis.utterance,
                cost + reduction.cost,
                "",
                None,
                0,
                hypothesis.is_negation_open and is_enumerated,
                hypothesis.n_people,
                hypothesis.mood,
                hypothesis.unread,
                (arc, derived) if arc.features else derived,
            )
            begun.append((new, chunk))
            if inherits:
                heir = new.fork()
                heir.chunk = Chunk(link, before.verb, self.at, self.at + arc.length)
                self.note(heir, "inherit", "listed" if is_listed else before.verb)
                begun.append((heir, heir.chunk))
        return begun

    def without_amount(self) -> "Shift":
        """Return the shift with amount and portions taken off the open chunk: they belong to the new one."""
        if self.hypothesis.amount is None and not self.hypothesis.portions:
            return self
        bare = self.hypothesis.fork()
        bare.amount, bare.portions = None, 0
        return Shift(self.reducer, bare, self.arc, self.at, self.question)

    @property
    def is_behind_unread(self) -> bool:
        """True if the token before the arc is unread."""
        unread = self.hypothesis.unread
        return unread is not None and bool(unread[0] == self.at - 1)

    @property
    def cuts_nothing_off(self) -> bool:
        """True if the open chunk is empty and equal to a new one."""
        hypothesis = self.hypothesis
        return hypothesis.chunk.is_empty and hypothesis.amount is None and not hypothesis.portions


def _resumes(chunk: Chunk, joint: str) -> bool:
    """Return whether a correction goes on behind a pause."""
    return chunk.link == "correction" and joint in PAUSES


def _dangling(hypothesis: Hypothesis) -> list[Event]:
    """Return the events of an amount and of portions that no option followed."""
    amount: list[Event] = [("dangling", "amount")] if hypothesis.amount is not None else []
    return [*amount, ("dangling", "portions")] if hypothesis.portions else amount
