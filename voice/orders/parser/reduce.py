"""Reductions: the open chunk becomes an edit on the draft, by each production that applies; the cheapest are followed."""

from collections.abc import Iterator
from typing import Final, final

from voice.orders.parser.draft import MenuIndex
from voice.orders.parser.edits import Context, Edit, Production, Reduction
from voice.orders.parser.model import Event, Model
from voice.orders.parser.productions.adding import add, add_each, add_implied, add_parallel, add_rest, forward, head
from voice.orders.parser.productions.answering import choose, choose_all_but, choose_by_role
from voice.orders.parser.productions.moving import keep_rest, move_options, spread, swap, take_back
from voice.orders.parser.productions.portions import add_portions, for_each, multiply, remove_portions, set_portions, set_portions_each
from voice.orders.parser.productions.removing import drop, keep, remove, remove_options
from voice.orders.parser.productions.repeating import add_like, copy_over, repeat, repeat_number, same_for, same_group
from voice.orders.parser.productions.replacing import correct_options, hold, replace, replace_options, take_over
from voice.orders.parser.productions.selecting import exclude, select
from voice.orders.parser.productions.setting import (
    add_alike,
    assign,
    increment,
    recount,
    set_asked,
    set_described,
    set_each,
    set_options,
    set_quantity,
    split,
)
from voice.orders.parser.productions.wholes import set_all, set_all_but
from voice.orders.parser.roles import Role
from voice.orders.parser.state import Chunk, ChunkFlag, Hypothesis, OpenQuestion

MAX_REDUCTIONS: Final = 12  # of a chunk

# What a chunk must have for a production to apply, as bits. A production checks it again, and more.
ANYTHING: Final = 0
ITEMS: Final = 1
MODIFIERS: Final = 2
NUMBER: Final = 4
AGAIN: Final = 8
MORE: Final = 16
PART: Final = 32  # a number, a fraction, or a reference to a part or the rest
REMOVING: Final = 64
INTO: Final = 256
KEEPING: Final = 512
EXCEPT: Final = 1024
QUESTION: Final = 2048
ALL: Final = 4096
FACTOR: Final = 8192
SWAP: Final = 16384

# Reductions of equal cost are in the order of their productions.
RULES: Final[tuple[tuple[Production, int], ...]] = (
    (add, ITEMS),
    (add_implied, MODIFIERS),
    (add_rest, ITEMS),
    (add_parallel, MODIFIERS),
    (repeat, AGAIN),
    (repeat_number, AGAIN | ITEMS),
    (same_for, AGAIN),
    (same_group, AGAIN),
    (copy_over, AGAIN),
    (add_like, AGAIN | ITEMS),
    (set_options, MODIFIERS),
    (assign, QUESTION | MODIFIERS),
    (set_asked, QUESTION | MODIFIERS),
    (set_portions, NUMBER | MODIFIERS),
    (set_portions_each, NUMBER),
    (recount, NUMBER | MODIFIERS),
    (set_all, ALL),
    (set_all_but, EXCEPT | MODIFIERS),
    (set_described, MODIFIERS),
    (set_quantity, NUMBER),
    (set_each, NUMBER),
    (increment, MORE),
    (add_alike, MORE | MODIFIERS),
    (add_portions, MORE | MODIFIERS),
    (multiply, FACTOR),
    (for_each, ANYTHING),
    (split, PART),
    (select, ANYTHING),
    (exclude, EXCEPT),
    (remove, REMOVING),
    (remove_options, REMOVING | MODIFIERS),
    (remove_portions, REMOVING | MODIFIERS),
    (hold, ANYTHING),
    (replace, ITEMS),
    (take_over, REMOVING),
    (replace_options, INTO),
    (correct_options, MODIFIERS),
    (forward, ANYTHING),
    (head, ITEMS | NUMBER),
    (keep, KEEPING),
    (keep_rest, KEEPING),
    (move_options, ANYTHING),
    (swap, SWAP),
    (spread, ANYTHING),
    (take_back, REMOVING),
    (add_each, ITEMS),
    (choose, QUESTION),
    (choose_all_but, QUESTION | EXCEPT),
    (drop, ANYTHING),
)
PRODUCTIONS: Final = tuple([production for production, _ in RULES])
FLAG_BITS: Final = (
    (ChunkFlag.REST | ChunkFlag.PART, PART),
    (ChunkFlag.AGAIN, AGAIN),
    (ChunkFlag.MORE, MORE),
    (ChunkFlag.ALL, ALL),
    (ChunkFlag.SWAP, SWAP),
)
VERB_BITS: Final = {"remove": REMOVING, "instead": REMOVING, "into": INTO, "keep": KEEPING}


@final
class Reducer:
    """Reduces chunks about one menu."""

    def __init__(self, index: MenuIndex, model: Model) -> None:
        self.index = index
        self._model = model
        self._productions: dict[int, list[Production]] = {}  # by the bits of a chunk

    def reductions(self, hypothesis: Hypothesis, question: OpenQuestion | None) -> list[Reduction]:
        """Return what the open chunk can become, cheapest first; computed once for a chunk."""
        chunk = hypothesis.chunk
        if chunk.reductions is None:
            if chunk.is_empty:
                chunk.reductions = [Reduction(0.0, hypothesis.progress, None)]
            else:
                chunk.reductions = self._reductions(hypothesis, question)
        return chunk.reductions

    def reduce(self, hypothesis: Hypothesis, question: OpenQuestion | None) -> list[Hypothesis]:
        """Return new hypotheses for what the open chunk can become, cheapest first."""
        return [self._applied(hypothesis, reduction) for reduction in self.reductions(hypothesis, question)]

    def answer(self, hypothesis: Hypothesis, role: Role, question: OpenQuestion | None) -> Iterator[Hypothesis]:
        """Yield the hypotheses in which a word of this role answers the open question, or chooses among sizes."""
        words = hypothesis.utterance.words_of(hypothesis.chunk.start, hypothesis.chunk.end)
        for edit in choose_by_role(Context(hypothesis, self.index, question), role):
            yield self._applied(hypothesis, self._reduction(hypothesis, edit, words))

    def _reductions(self, hypothesis: Hypothesis, question: OpenQuestion | None) -> list[Reduction]:
        """Return the `MAX_REDUCTIONS` cheapest reductions of the open chunk."""
        bits = bits_of(hypothesis.chunk, question)
        productions = self._productions.get(bits)
        if productions is None:
            productions = self._productions[bits] = [production for production, required in RULES if not required & ~bits]
        context = Context(hypothesis, self.index, question)
        words = hypothesis.utterance.words_of(hypothesis.chunk.start, hypothesis.chunk.end)
        found: list[Reduction] = []
        for production in productions:
            for edit in production(context):
                found.append(self._reduction(hypothesis, edit, words))  # noqa: PERF401 - a nested comprehension is slower
        found.sort(key=lambda reduction: reduction.cost)
        return found[:MAX_REDUCTIONS]

    def _reduction(self, hypothesis: Hypothesis, edit: Edit, words: tuple[str, ...]) -> Reduction:
        """Return a reduction with the cost of its events; `words`: of the chunk, at `WORD_PLACES`."""
        before, chunk, production, model = hypothesis.progress, hypothesis.chunk, edit.event[0], self._model
        cost = model.cost(edit.event)
        for event in edit.more_events:
            cost += model.cost(event)
        for word, costs in zip(words, model.word_costs(production), strict=True):
            cost += costs.get(word, 0.0)
        act = hypothesis.utterance.act_at(chunk.start)
        if act:
            edit.more_events = (*edit.more_events, ("sentence", production, act))
            cost += model.cost(edit.more_events[-1])
        is_void = edit.is_edit and edit.draft == before.draft
        if is_void:
            cost += model.cost(("no_edit", production))
        return Reduction(cost, before, edit, (chunk.start, chunk.end), words, is_void=is_void)

    def _applied(self, hypothesis: Hypothesis, reduction: Reduction) -> Hypothesis:
        """Return the hypothesis after a reduction; an amount or portions without an option dangle."""
        reduced = hypothesis.fork()
        reduced.progress = reduction.progress()
        reduced.cost += reduction.cost
        reduced.trace = (reduction, reduced.trace)
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


def bits_of(chunk: Chunk, question: OpenQuestion | None) -> int:
    """Return what a chunk has of what productions require."""
    flags = chunk.flags
    bits = VERB_BITS.get(chunk.verb, 0)
    if chunk.items:
        bits |= ITEMS
    if chunk.modifiers:
        bits |= MODIFIERS
    if chunk.number:
        bits |= NUMBER | PART
    if chunk.factor:
        bits |= FACTOR
    if chunk.share:
        bits |= PART
    for flag, bit in FLAG_BITS:
        if flags & flag:
            bits |= bit
    if chunk.link == "except":
        bits |= EXCEPT
    return bits if question is None else bits | QUESTION
