"""Reductions: the open chunk becomes an edit on the draft, by each production that applies; the cheapest are followed."""

from collections.abc import Iterator
from typing import Final, final

from voice.orders.parser.draft import MenuIndex
from voice.orders.parser.edits import Context, Edit, Production
from voice.orders.parser.model import Event, Model
from voice.orders.parser.productions.adding import add, add_implied, add_rest, forward
from voice.orders.parser.productions.answering import choose, choose_by_role
from voice.orders.parser.productions.removing import drop, hold, keep, remove, remove_options, replace, replace_options
from voice.orders.parser.productions.repeating import repeat, repeat_number, same_for, same_group
from voice.orders.parser.productions.selecting import exclude, select
from voice.orders.parser.productions.setting import assign, increment, set_described, set_each, set_options, set_quantity, split
from voice.orders.parser.roles import Role
from voice.orders.parser.state import Chunk, EditRecord, Hypothesis, OpenQuestion, Progress, Reduction

MAX_REDUCTIONS: Final = 8  # of a chunk
# Reductions of equal cost are in the order of their productions.
PRODUCTIONS: Final[tuple[Production, ...]] = (
    add,
    add_implied,
    add_rest,
    repeat,
    repeat_number,
    same_for,
    same_group,
    set_options,
    assign,
    set_described,
    set_quantity,
    set_each,
    increment,
    split,
    select,
    exclude,
    remove,
    remove_options,
    hold,
    replace,
    replace_options,
    forward,
    keep,
    choose,
    drop,
)


@final
class Reducer:
    """Reduces chunks about one menu."""

    def __init__(self, index: MenuIndex, model: Model) -> None:
        self.index = index
        self._model = model

    def reductions(self, hypothesis: Hypothesis, question: OpenQuestion | None) -> list[Reduction]:
        """Return what the open chunk can become, cheapest first; computed once for a chunk."""
        chunk = hypothesis.chunk
        if chunk.reductions is None:
            if chunk.is_empty:
                chunk.reductions = [Reduction(0.0, [], hypothesis.progress)]
            else:
                chunk.reductions = self._reductions(hypothesis, question)
        return chunk.reductions

    def reduce(self, hypothesis: Hypothesis, question: OpenQuestion | None) -> list[Hypothesis]:
        """Return new hypotheses for what the open chunk can become, cheapest first."""
        return [self._applied(hypothesis, reduction) for reduction in self.reductions(hypothesis, question)]

    def answer(self, hypothesis: Hypothesis, role: Role, question: OpenQuestion | None) -> Iterator[Hypothesis]:
        """Yield the hypotheses in which a word of this role answers the open question, or chooses among sizes."""
        for edit in choose_by_role(Context(hypothesis, self.index, question), role):
            yield self._applied(hypothesis, self._reduction(hypothesis, edit))

    def _reductions(self, hypothesis: Hypothesis, question: OpenQuestion | None) -> list[Reduction]:
        """Return the `MAX_REDUCTIONS` cheapest reductions of the open chunk."""
        context = Context(hypothesis, self.index, question)
        found = [self._reduction(hypothesis, edit) for production in PRODUCTIONS for edit in production(context)]
        found.sort(key=lambda reduction: reduction.cost)
        return found[:MAX_REDUCTIONS]

    def _reduction(self, hypothesis: Hypothesis, edit: Edit) -> Reduction:
        """Return the progress after an edit, and its events: the production's, and those of the chunk's words."""
        before, chunk = hypothesis.progress, hypothesis.chunk
        after = Progress(edit.draft, before.drafts, edit.focus)
        after.new_lines, after.forwarded, after.target = edit.new_lines, edit.forwarded, edit.target
        after.part, after.is_selected = edit.part, edit.is_selected
        after.n_edits = before.n_edits + edit.is_edit
        after.draft_id, after.edits = before.draft_id, before.edits
        if edit.draft is not before.draft:
            after.draft_id = before.drafts.setdefault(edit.draft, len(before.drafts) + 1)
            after.edits = (EditRecord(chunk.start, chunk.end, before.draft, edit.draft), before.edits)
        production = edit.event[0]
        events = [edit.event, *edit.more_events]
        events += self._word_events(chunk, hypothesis.words, production)
        if edit.is_edit and edit.draft == before.draft:
            events.append(("no_edit", production))
        cost = 0.0
        for event in events:
            cost += self._model.cost(event)
        return Reduction(cost, events, after)

    @staticmethod
    def _word_events(chunk: Chunk, spoken: tuple[str, ...], production: str) -> list[Event]:
        """Return an event for the first word of a chunk, the last one, and its neighbours."""
        start, end = chunk.start, chunk.end
        events: list[Event] = []
        if start < 0:
            return events
        for place, at in (("before", start - 1), ("first", start), ("last", end - 1), ("behind", end)):
            word = spoken[at] if 0 <= at < len(spoken) else "<end>"
            if word:
                events.append(("word", production, place, word))
        return events

    def _applied(self, hypothesis: Hypothesis, reduction: Reduction) -> Hypothesis:
        """Return the hypothesis after a reduction; an amount or portions without an option dangle."""
        reduced = hypothesis.fork()
        reduced.progress = reduction.progress
        reduced.cost += reduction.cost
        reduced.trace = (reduction.events, reduced.trace)
        if reduced.amount is not None:
            self.note(reduced, ("dangling", "amount"))
        if reduced.portions:
            self.note(reduced, ("dangling", "portions"))
        reduced.amount, reduced.portions = None, 0
        reduced.chunk = Chunk()
        return reduced

    def cost(self, event: Event) -> float:
        """Return the cost of an event."""
        return self._model.cost(event)

    def note(self, hypothesis: Hypothesis, event: Event) -> None:
        """Add an event to a hypothesis, with its cost."""
        hypothesis.cost += self._model.cost(event)
        hypothesis.trace = (event, hypothesis.trace)
