"""Reductions: the open chunk becomes an edit on the draft, by each production that applies; the cheapest are followed."""

from collections.abc import Iterator
from typing import Final

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
from voice.orders.parser.state import Chunk, EditRecord, Hypothesis, OpenQuestion

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


class Reducer:
    """Reduces chunks about one menu."""

    def __init__(self, index: MenuIndex, model: Model) -> None:
        self.index = index
        self._model = model

    def reduce(self, hypothesis: Hypothesis, question: OpenQuestion | None) -> list[Hypothesis]:
        """Return the hypotheses that the open chunk can become, cheapest first; computed once for a hypothesis."""
        if hypothesis.reductions is None:
            hypothesis.reductions = self._reduce(hypothesis, question)
        return hypothesis.reductions

    def _reduce(self, hypothesis: Hypothesis, question: OpenQuestion | None) -> list[Hypothesis]:
        if hypothesis.chunk.is_empty:
            return [self._closed(hypothesis.fork())]
        context = Context(hypothesis, self.index, question)
        reduced = [self._applied(hypothesis, edit) for production in PRODUCTIONS for edit in production(context)]
        reduced.sort(key=lambda new: new.cost)
        return reduced[:MAX_REDUCTIONS]

    def answer(self, hypothesis: Hypothesis, role: Role, question: OpenQuestion | None) -> Iterator[Hypothesis]:
        """Yield the hypotheses in which a word of this role answers the open question, or chooses among sizes."""
        for edit in choose_by_role(Context(hypothesis, self.index, question), role):
            yield self._applied(hypothesis, edit)

    def _applied(self, hypothesis: Hypothesis, edit: Edit) -> Hypothesis:
        """Return the hypothesis after an edit."""
        reduced = hypothesis.fork()
        reduced.draft, reduced.focus, reduced.new_lines = edit.draft, edit.focus, edit.new_lines
        reduced.forwarded, reduced.target = edit.forwarded, edit.target
        reduced.n_edits += edit.is_edit
        reduced.part, reduced.is_selected = edit.part, edit.is_selected
        if edit.draft is not hypothesis.draft:
            reduced.draft_id = hypothesis.drafts.setdefault(edit.draft, len(hypothesis.drafts) + 1)
            reduced.edits = (EditRecord(hypothesis.chunk.start, hypothesis.chunk.end, hypothesis.draft, edit.draft), hypothesis.edits)
        self.note(reduced, edit.event)
        for event in edit.more_events:
            self.note(reduced, event)
        self._note_words(reduced, hypothesis, edit.event[0])
        if edit.is_edit and edit.draft == hypothesis.draft:
            self.note(reduced, ("no_edit", edit.event[0]))
        return self._closed(reduced)

    def _note_words(self, reduced: Hypothesis, hypothesis: Hypothesis, production: str) -> None:
        """Add an event for the first word of a chunk, the last one, and its neighbours."""
        start, end, spoken = hypothesis.chunk.start, hypothesis.chunk.end, hypothesis.words
        if start < 0:
            return
        for place, at in (("before", start - 1), ("first", start), ("last", end - 1), ("behind", end)):
            word = spoken[at] if 0 <= at < len(spoken) else "<end>"
            if word:
                self.note(reduced, ("word", production, place, word))

    def _closed(self, reduced: Hypothesis) -> Hypothesis:
        """Begin an empty chunk; an amount or portions without an option dangle."""
        if reduced.amount is not None:
            self.note(reduced, ("dangling", "amount"))
        if reduced.portions:
            self.note(reduced, ("dangling", "portions"))
        reduced.amount, reduced.portions = None, 0
        reduced.chunk = Chunk()
        return reduced

    def note(self, hypothesis: Hypothesis, event: Event) -> None:
        """Add an event to a hypothesis, with its cost."""
        hypothesis.cost += self._model.cost(event)
        hypothesis.trace = (event, hypothesis.trace)
