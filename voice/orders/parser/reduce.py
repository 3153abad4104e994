"""Reductions: the edits on the draft that a chunk can become. Each schema yields its readings; the model weighs them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from voice.orders.parser.draft import NEW, ChoiceRef, Draft, Line, MenuIndex, Selection
from voice.orders.parser.model import Event, Model
from voice.orders.parser.roles import Role
from voice.orders.parser.state import MARK_NAMES, Change, Chunk, Hypothesis, Mark, Waiting

MAX_REDUCTIONS: Final = 8
MAX_IMPLIED: Final = 3  # items that options without an item may mean
TAKING_VERBS: Final = frozenset({"remove", "instead", "keep"})


@dataclass(frozen=True)
class Question:
    """The open question that an utterance may answer; the dialogue's state in the parser's terms."""

    kind: str
    line: int | None = None
    group: str | None = None
    choices: tuple[str, ...] = ()


class Context:
    """A hypothesis whose chunk is to be reduced, and what all schemas look up about it."""

    def __init__(self, hypothesis: Hypothesis, index: MenuIndex, question: Question | None) -> None:
        self.hypothesis = hypothesis
        self.chunk: Chunk = hypothesis.chunk
        self.draft: Draft = hypothesis.draft
        self.index = index
        self.question = question
        self.asked_group = question.group if question else None
        self.live = [number for number, line in enumerate(self.draft) if line.quantity > 0]
        self.named = self._named()
        chunk = self.chunk
        pool = self.named if chunk.items or chunk.place else self.live
        self.described = [number for number in pool if chunk.selections and index.describes(chunk.selections, self.draft[number])]
        focus = [number for number in hypothesis.focus if self.draft[number].quantity > 0]
        self.last = focus[-1] if focus else self.live[-1] if self.live else None
        self.fresh = [number for number in hypothesis.fresh if self.draft[number].quantity > 0]
        self.flags = tuple([name for mark, name in MARK_NAMES if mark in chunk.marks])

    def _named(self) -> list[int]:
        """Return the lines that the chunk names, by place or by item."""
        chunk = self.chunk
        if chunk.place:
            old = [number for number in self.live if not self.draft[number].is_new] or self.live
            place = chunk.place - 1 if chunk.place > 0 else len(old) + chunk.place
            return [old[place]] if 0 <= place < len(old) else []
        items = set(chunk.items)
        return [number for number in self.live if not items.isdisjoint(self.draft[number].items)]

    def has(self, mark: Mark) -> bool:
        """Return whether any of the marks was said."""
        return bool(self.chunk.marks & mark)

    def age(self, number: int) -> str:
        """Return whether this utterance made a line."""
        return "new" if self.draft[number].is_new else "old"

    def event(self, schema: str, target: str, age: str, *more: object) -> Event:
        """Return the event of a reduction."""
        chunk = self.chunk
        return (schema, chunk.link, chunk.verb, chunk.number_kind, min(2, len(chunk.selections)), self.flags, target, age, *more)

    def select(self, line: Line, selections: Sequence[Selection]) -> "tuple[Line, bool] | None":
        """Apply selections to a line: the line and whether a choice was replaced; None if it does not offer one."""
        selected = self.index.select_all(line, selections, self.asked_group)
        return None if selected is None else (selected.line, selected.replaced)


class Edit:
    """What a reduction makes of the draft."""

    __slots__ = ("change", "draft", "event", "extra", "focus", "fresh", "is_edit", "waiting")

    def __init__(
        self,
        context: Context,
        event: Event,
        draft: Draft,
        focus: tuple[int, ...],
        *,
        is_edit: bool = True,
    ) -> None:
        hypothesis = context.hypothesis
        self.event = event
        self.draft = draft
        self.focus = focus
        self.fresh = hypothesis.fresh
        self.waiting = hypothesis.waiting
        self.change = hypothesis.change
        self.is_edit = is_edit
        self.extra: tuple[Event, ...] = ()


def with_line(draft: Draft, number: int, line: Line) -> Draft:
    """Return a draft with one line replaced."""
    return (*draft[:number], line, *draft[number + 1 :])


Schema = Callable[[Context], Iterator[Edit]]


# --- Schemas that add lines


def add(context: Context) -> Iterator[Edit]:
    """Add a line; numbers and options that waited for its item become lines before it, or head it."""
    chunk, hypothesis = context.chunk, context.hypothesis
    if not chunk.items or chunk.verb in {*TAKING_VERBS, "change"} or context.has(Mark.REST | Mark.ALL) or chunk.place:
        return
    quantity = (chunk.number or 1) * (hypothesis.people if context.has(Mark.EACH) and hypothesis.people else 1)
    found = context.select(Line(chunk.items, quantity), chunk.selections)
    if found is None:
        return
    line = found[0]
    on_order = "on" if context.named else "off"
    asked = "none"
    if context.question is not None:
        fits = not set(line.items).isdisjoint(context.question.choices) and context.asked_group is None
        asked = f"{context.question.kind}.{'fits' if fits else 'other'}"
    event = context.event("add", "new", "new", on_order, asked, not hypothesis.n_edits)
    before = _forwarded(context, line)
    yield _added(context, event, (*before, line), waiting=())
    if hypothesis.waiting:
        head = hypothesis.waiting[-1]
        headed = context.select(line, head.selections) if head.number >= quantity and head.selections else None
        if headed is not None:
            left = head.number - quantity
            waiting = (*hypothesis.waiting[:-1], *([Waiting(left, head.selections)] if left else ()))
            edit = _added(context, event, (headed[0],), waiting=waiting)
            edit.extra = (("left", "headed"),)
            yield edit


def _forwarded(context: Context, line: Line) -> list[Line]:
    """Return the lines of numbers and options that were said before their item."""
    found = []
    for waiting in context.hypothesis.waiting:
        selected = context.select(Line(line.items, waiting.number or 1), waiting.selections)
        if selected is not None:
            found.append(selected[0])
    return found


def _added(context: Context, event: Event, lines: Sequence[Line], *, waiting: tuple[Waiting, ...]) -> Edit:
    first = len(context.draft)
    numbers = tuple(range(first, first + len(lines)))
    edit = Edit(context, event, (*context.draft, *lines), numbers[-1:])
    edit.fresh = (*context.hypothesis.fresh, *numbers)
    edit.waiting = waiting
    if len(lines[-1].items) > 1:
        edit.extra = (("open", "items"),)
    return edit


def add_implied(context: Context) -> Iterator[Edit]:
    """Add a line for options that only one item, or a few, can have."""
    chunk = context.chunk
    if chunk.items or not chunk.selections or chunk.verb not in {"", "add"} or context.has(Mark.REFERENCE | Mark.ALL) or chunk.place:
        return
    items = context.index.takers(context.index.menu.items, chunk.selections)
    if 0 < len(items) <= MAX_IMPLIED:
        found = context.select(Line(items, chunk.number or 1), chunk.selections)
        if found is not None:
            event = context.event("add_implied", "new", "new", len(found[0].items))
            yield _added(context, event, (found[0],), waiting=context.hypothesis.waiting)


def repeat(context: Context) -> Iterator[Edit]:
    """Add a line like the last one."""
    if context.has(Mark.AGAIN) and context.last is not None:
        line = context.draft[context.last]._replace(quantity=context.chunk.number or 1, origin=NEW)
        yield _added(context, context.event("repeat", "focus", context.age(context.last)), (line,), waiting=context.hypothesis.waiting)


# --- Schemas that set


def _targets(context: Context) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield the lines that options or a number may be said of."""
    chunk, last = context.chunk, context.last
    if chunk.items or chunk.place:
        yield from [((number,), "named") for number in context.named[-2:]]
        if len(context.named) > 1:
            yield tuple(context.named), "all_named"
    elif context.has(Mark.ALL):
        if len(context.fresh) > 1:
            yield tuple(context.fresh), "all_new"
            if 0 < chunk.scope < len(context.fresh):
                yield tuple(context.fresh[-chunk.scope :]), "last_new"
        if context.live:
            yield tuple(context.live), "all"
        if last is not None:
            yield (last,), "focus"
    elif not context.has(Mark.REST):
        yield from _nearest(context)


def _nearest(context: Context) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield the line in focus, the next one that takes the options, all that the utterance made."""
    selections, last = context.chunk.selections, context.last
    if last is not None:
        yield (last,), "focus"
    if not selections:
        return
    takers = [number for number in reversed(context.live) if number != last and context.select(context.draft[number], selections)]
    if takers:
        in_focus = last is not None and context.select(context.draft[last], selections) is not None
        yield (takers[0],), "other" if in_focus else "taker"
    if len(context.fresh) > 1:
        yield tuple(context.fresh), "all_new"


def set_options(context: Context) -> Iterator[Edit]:
    """Set options of lines."""
    chunk = context.chunk
    if not chunk.selections or chunk.verb in TAKING_VERBS or context.has(Mark.EACH):
        return
    for numbers, target in _targets(context):
        edit = _options_set(context, numbers, target)
        if edit is not None:
            yield edit


def _options_set(context: Context, numbers: tuple[int, ...], target: str) -> Edit | None:
    chunk, draft = context.chunk, context.draft
    replaced = changed = False
    for number in numbers:
        found = context.select(draft[number], chunk.selections)
        if found is None:
            continue
        changed, replaced = True, replaced or found[1]
        draft = with_line(draft, number, found[0])
    single = numbers[0]
    counted = chunk.number and not chunk.is_article and len(numbers) == 1 and chunk.number != context.draft[single].quantity
    if not changed or (
        counted and chunk.verb not in {"set", "into", "change"} and chunk.link != "correction" and not context.has(Mark.ONLY)
    ):
        return None
    if counted:
        draft = with_line(draft, single, draft[single]._replace(quantity=chunk.number))
    return Edit(context, context.event("set_options", target, context.age(single), _asked(context, numbers), replaced), draft, numbers)


def _asked(context: Context, numbers: Sequence[int]) -> str:
    """Return how options meet the open question."""
    question = context.question
    if question is None or question.group is None:
        return "none"
    fits = any([ref.group == question.group for selection in context.chunk.selections for ref in selection.refs])
    return f"{'line' if question.line in numbers else 'other'}.{'fits' if fits else 'unfit'}.{min(1, context.hypothesis.n_edits)}"


def set_described(context: Context) -> Iterator[Edit]:
    """Set options of the one line that the first options describe: "the large one without ice"."""
    selections = context.chunk.selections
    if context.chunk.verb in TAKING_VERBS or len(context.live) < 2:  # noqa: PLR2004 - one line needs no description
        return
    for cut in range(1, len(selections)):
        pool = [number for number in context.named or context.live if context.index.describes(selections[:cut], context.draft[number])]
        found = context.select(context.draft[pool[0]], selections[cut:]) if len(pool) == 1 else None
        if found is not None:
            event = context.event("set_described", "described", context.age(pool[0]))
            yield Edit(context, event, with_line(context.draft, pool[0], found[0]), (pool[0],))


def set_quantity(context: Context) -> Iterator[Edit]:
    """Set the quantity of a line."""
    chunk = context.chunk
    if not chunk.number or chunk.selections or chunk.verb in TAKING_VERBS or context.has(Mark.MORE | Mark.EACH):
        return
    for numbers, target in _targets(context):
        if len(numbers) == 1:
            yield _quantity_set(context, numbers[0], target)


def _quantity_set(context: Context, number: int, target: str) -> Edit:
    line, quantity = context.draft[number], context.chunk.number
    direction = "same" if quantity == line.quantity else "less" if quantity < line.quantity else "more"
    event = context.event("set_quantity", target, context.age(number), direction)
    return Edit(context, event, with_line(context.draft, number, line._replace(quantity=quantity)), (number,))


def set_each(context: Context) -> Iterator[Edit]:
    """Set the quantity of every line: "two of each"."""
    chunk = context.chunk
    if not (context.has(Mark.EACH | Mark.ALL) and chunk.number) or chunk.selections or chunk.items or not context.live:
        return
    numbers = context.fresh or context.live
    draft = context.draft
    for number in numbers:
        draft = with_line(draft, number, draft[number]._replace(quantity=chunk.number))
    yield Edit(context, context.event("set_each", "all", context.age(numbers[0])), draft, tuple(numbers))


def increment(context: Context) -> Iterator[Edit]:
    """Add to the quantity of a line: "one more"."""
    chunk = context.chunk
    if not context.has(Mark.MORE) or chunk.selections or chunk.verb not in {"", "add", "set"}:
        return
    number = context.named[-1] if context.named else None if chunk.items else context.last
    if number is not None:
        line = context.draft[number]
        event = context.event("increment", "named" if chunk.items else "focus", context.age(number))
        yield Edit(context, event, with_line(context.draft, number, line._replace(quantity=line.quantity + (chunk.number or 1))), (number,))


# --- Schemas that split


def split(context: Context) -> Iterator[Edit]:
    """Give some of a line options, or an item, of their own: "two, one without ice"."""
    chunk = context.chunk
    said = chunk.number or chunk.share or context.has(Mark.REST | Mark.PART)
    if not said or chunk.verb in {*TAKING_VERBS, "change"} or context.has(Mark.ALL):
        return
    if chunk.items:
        pool = [number for number in context.named if context.draft[number].quantity > 1 or len(context.draft[number].items) > 1]
    else:
        nearest = [number for number in reversed(context.live) if number != context.last]
        pool = [*([context.last] if context.last is not None else ()), *nearest[:3]]
    for rank, number in enumerate(pool):
        edit = _split_off(context, number, rank)
        if edit is not None:
            yield edit


def _split_off(context: Context, number: int, rank: int) -> Edit | None:
    chunk, line = context.chunk, context.draft[number]
    share = line.quantity // chunk.share if chunk.share else 0
    part = chunk.number or share or (line.quantity if context.has(Mark.REST) else 1)
    base = line
    if chunk.items and len(line.items) > 1:
        base = line._replace(items=tuple([item for item in line.items if item in chunk.items]))
    told = chunk.selections or context.has(Mark.PLAIN | Mark.ONES | Mark.REST) or len(base.items) < len(line.items)
    found = context.select(base, chunk.selections) if told and 0 < part <= line.quantity else None
    if found is None:
        return None
    whole = part == line.quantity
    draft: Draft
    focus: tuple[int, ...]
    if whole:
        draft, focus = with_line(context.draft, number, found[0]._replace(quantity=part)), (number,)
    else:
        rest = with_line(context.draft, number, line._replace(quantity=line.quantity - part))
        draft, focus = (*rest, found[0]._replace(quantity=part, origin=NEW)), (len(rest), number)
    event = context.event("split", "part", context.age(number), min(rank, 2), whole, bool(chunk.items))
    return Edit(context, event, draft, focus)


# --- Schemas that remove


def remove(context: Context) -> Iterator[Edit]:
    """Remove lines, or some of a line."""
    if context.chunk.verb not in {"remove", "instead"}:
        return
    found = False
    for numbers, target in _removable(context):
        found = True
        yield _removed(context, numbers, target)
    if context.chunk.verb == "instead" or not found:
        yield Edit(context, context.event("remove_absent", "none", "none"), context.draft, context.hypothesis.focus)


def _removable(context: Context) -> Iterator[tuple[tuple[int, ...], str]]:
    chunk = context.chunk
    if chunk.items or chunk.place:
        yield from [((number,), "named") for number in (context.described or context.named)[-3:]]
        if len(context.named) > 1:
            yield tuple(context.named), "all_named"
    elif chunk.selections:
        yield from [((number,), "described") for number in context.described[-2:]]
    elif context.has(Mark.ALL) and context.live:
        yield tuple(context.live), "all"
    elif context.last is not None:
        yield (context.last,), "focus"


def _removed(context: Context, numbers: tuple[int, ...], target: str) -> Edit:
    chunk, draft = context.chunk, context.draft
    for number in numbers:
        line = draft[number]
        count = chunk.number if chunk.number and not chunk.is_article and len(numbers) == 1 else line.quantity
        draft = with_line(draft, number, line._replace(quantity=max(0, line.quantity - count)))
    left = [number for number in context.hypothesis.focus if draft[number].quantity > 0]
    left = left or [number for number, line in enumerate(draft) if line.quantity > 0][-1:]
    focus = numbers if draft[numbers[0]].quantity > 0 else tuple(left)
    return Edit(context, context.event("remove", target, context.age(numbers[0])), draft, focus)


def remove_options(context: Context) -> Iterator[Edit]:
    """Leave options out of a line."""
    chunk = context.chunk
    if chunk.verb not in {"remove", "instead"} or not chunk.selections:
        return
    without = tuple([selection._replace(amount="no") for selection in chunk.selections])
    if chunk.items or chunk.place:
        pool = [(number, "named") for number in context.named[-2:]]
    else:
        having = [number for number in reversed(context.live) if context.index.describes(chunk.selections, context.draft[number])][:1]
        pool = [(number, "having") for number in having]
        pool += [(context.last, "focus")] if context.last is not None and context.last not in having else []
    for number, target in pool:
        found = context.select(context.draft[number], without)
        if found is not None:
            event = context.event("remove_options", target, context.age(number))
            yield Edit(context, event, with_line(context.draft, number, found[0]), (number,))


# --- Schemas that replace


def hold(context: Context) -> Iterator[Edit]:
    """Keep a line, or options, in mind that what follows is to replace: "change the coke to ..."."""
    chunk = context.chunk
    if chunk.verb != "change":
        return
    if chunk.items or chunk.place:
        targets = [(number, "named") for number in (context.described or context.named)[-2:]]
    elif chunk.selections and context.described:
        targets = [(number, "described") for number in context.described[-2:]]
    else:
        targets = [(context.last, "focus")] if context.last is not None else []
    for number, target in targets:
        edit = Edit(context, context.event("hold", target, context.age(number)), context.draft, (number,), is_edit=False)
        edit.change = Change((number,), chunk.selections, chunk.number)
        yield edit


def replace(context: Context) -> Iterator[Edit]:
    """Put another item in place of a line's."""
    chunk, change = context.chunk, context.hypothesis.change
    if not chunk.items or not (chunk.verb in {"into", "set", "change"} or chunk.link == "correction"):
        return
    if chunk.verb == "into" and change is not None:
        number: int | None = change.lines[0]
        target = "held"
    else:
        number, target = context.last, "focus"
    if number is None or context.draft[number].quantity == 0:
        return
    line = context.draft[number]
    took = change.number if change is not None and target == "held" and 0 < change.number < line.quantity else 0
    quantity = chunk.number if chunk.number and not chunk.is_article else took or line.quantity
    kept = tuple([option for option in line.options if all([option.group in context.index.offers[item] for item in chunk.items])])
    for options in (kept, ()) if kept else ((),):
        found = context.select(Line(chunk.items, quantity, options, line.origin), chunk.selections)
        if found is not None:
            yield _replaced(context, "replace", (number, target, took), found[0], bool(options))


def replace_options(context: Context) -> Iterator[Edit]:
    """Put other options, or another number, in place of those that were held."""
    chunk, change = context.chunk, context.hypothesis.change
    if chunk.verb != "into" or chunk.items or not (chunk.selections or chunk.number):
        return
    number = change.lines[0] if change is not None else context.last
    if number is None or context.draft[number].quantity == 0:
        return
    line = context.draft[number]
    held = {(ref.group, ref.choice) for selection in (change.selections if change else ()) for ref in selection.refs}
    groups = {ref.group for selection in chunk.selections for ref in selection.refs}
    options = tuple([o for o in line.options if not (o.group in groups and any([(o.group, choice) in held for choice in o.choices]))])
    found = context.select(line._replace(options=options), chunk.selections)
    if found is None:
        return
    took = change.number if change is not None and chunk.selections and 0 < change.number < line.quantity else 0
    after = found[0]._replace(quantity=chunk.number if chunk.number and not chunk.is_article else took or line.quantity)
    yield _replaced(context, "replace_options", (number, "held" if change else "focus", took), after)


def _replaced(context: Context, schema: str, place: tuple[int, str, int], after: Line, *more: object) -> Edit:
    """Replace a line, or `took` of it."""
    number, target, took = place
    line = context.draft[number]
    event = context.event(schema, target, context.age(number), *more)
    if took:
        draft = (*with_line(context.draft, number, line._replace(quantity=line.quantity - took)), after._replace(origin=NEW))
        edit = Edit(context, event, draft, (len(draft) - 1,))
    else:
        edit = Edit(context, event, with_line(context.draft, number, after), (number,))
    edit.change = None
    return edit


# --- Schemas without an edit


def forward(context: Context) -> Iterator[Edit]:
    """Let a number and options wait for an item that comes later: "one large and one small coffee"."""
    chunk = context.chunk
    if chunk.items or not (chunk.selections or chunk.number) or chunk.verb not in {"", "add"} or chunk.place:
        return
    if not context.has(Mark.ALL | Mark.REST | Mark.REFERENCE):
        edit = Edit(context, context.event("forward", "none", "none"), context.draft, context.hypothesis.focus, is_edit=False)
        edit.waiting = (*context.hypothesis.waiting, Waiting(chunk.number, chunk.selections))
        yield edit


def keep(context: Context) -> Iterator[Edit]:
    """Leave the draft as it is, as was said."""
    if context.chunk.verb == "keep":
        yield Edit(context, context.event("keep", "none", "none"), context.draft, context.hypothesis.focus)


def drop(context: Context) -> Iterator[Edit]:
    """Read the chunk as words that order nothing."""
    chunk = context.chunk
    named = "item" if chunk.items else "option" if chunk.selections else "number" if chunk.number and not chunk.is_article else "none"
    edit = Edit(context, context.event("drop", "none", "none", named), context.draft, context.hypothesis.focus, is_edit=False)
    edit.extra = (("unread", "dropped"),) * max(1, min(4, chunk.end - chunk.start))
    yield edit


# --- Answers to the open question


def choose(context: Context) -> Iterator[Edit]:
    """Take choices of the open question by place, by a pronoun, or all of them."""
    question, chunk = context.question, context.chunk
    if question is None or not question.choices or chunk.items or chunk.selections or context.hypothesis.n_edits:
        return
    choices = question.choices
    if chunk.place:
        place = chunk.place - 1 if chunk.place > 0 else len(choices) + chunk.place
        if 0 <= place < len(choices):
            yield from accept(context, (choices[place],), "place")
    elif context.has(Mark.ALL | Mark.EACH) and chunk.scope in {0, len(choices)}:
        yield from accept(context, choices, "all")
    elif len(choices) == 1 and (context.has(Mark.REFERENCE | Mark.ONES) or chunk.number):
        yield from accept(context, choices, "number" if chunk.number else "reference")


def accept(context: Context, choices: Sequence[str], how: str) -> Iterator[Edit]:
    """Take choices of the open question: options of its line, or items."""
    question = context.question
    if question is None:
        return
    event = ("accept", how, question.kind, question.group is not None)
    if question.group is None:
        lines = [Line((choice,), context.chunk.number or 1) for choice in choices if choice in context.index.menu.items]
        if lines:
            yield _added(context, event, lines, waiting=context.hypothesis.waiting)
        return
    number = question.line
    if number is None or number >= len(context.draft) or context.draft[number].quantity == 0:
        return
    selections = [Selection((ChoiceRef(question.group, choice),)) for choice in choices]
    found = context.select(context.draft[number], selections)
    if found is not None:
        yield Edit(context, event, with_line(context.draft, number, found[0]), (number,))


SCHEMAS: Final[tuple[Schema, ...]] = (
    add,
    add_implied,
    repeat,
    set_options,
    set_described,
    set_quantity,
    set_each,
    increment,
    split,
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
    """Reduces chunks with every schema and keeps the cheapest edits."""

    def __init__(self, index: MenuIndex, model: Model) -> None:
        self.index = index
        self.model = model

    def reduce(self, hypothesis: Hypothesis, question: Question | None) -> list[Hypothesis]:
        """Return what the open chunk can become, cheapest first; computed once a hypothesis."""
        if hypothesis.reductions is None:
            hypothesis.reductions = self._reduce(hypothesis, question)
        return hypothesis.reductions

    def _reduce(self, hypothesis: Hypothesis, question: Question | None) -> list[Hypothesis]:
        if hypothesis.chunk.is_empty:
            return [self._closed(hypothesis.fork())]
        context = Context(hypothesis, self.index, question)
        found = [self.applied(hypothesis, edit) for schema in SCHEMAS for edit in schema(context)]
        found.sort(key=lambda reduced: reduced.cost)
        return found[:MAX_REDUCTIONS]

    def accepted(self, hypothesis: Hypothesis, role: Role, question: Question) -> Iterator[Edit]:
        """Yield what yes, any, the most and the least choose of the open question."""
        context = Context(hypothesis, self.index, question)
        if role is Role.YES and len(question.choices) == 1:
            yield from accept(context, question.choices, "yes")
        elif role in {Role.ANY, Role.MOST, Role.LEAST} and question.group in self.index.menu.option_groups and question.choices:
            group = self.index.menu.option_groups[question.group]
            by_price = sorted(
                [choice for choice in question.choices if choice in group.choices], key=lambda choice: group.choices[choice].price
            )
            if by_price:
                picked = {Role.MOST: by_price[-1], Role.LEAST: by_price[0], Role.ANY: group.default or by_price[0]}[role]
                yield from accept(context, (picked,), role.name.lower())

    def applied(self, hypothesis: Hypothesis, edit: Edit) -> Hypothesis:
        """Return the hypothesis after an edit."""
        reduced = hypothesis.fork()
        reduced.draft, reduced.focus, reduced.fresh = edit.draft, edit.focus, edit.fresh
        reduced.waiting, reduced.change = edit.waiting, edit.change
        reduced.n_edits += edit.is_edit
        self.note(reduced, edit.event)
        for event in edit.extra:
            self.note(reduced, event)
        if edit.is_edit and edit.draft == hypothesis.draft:
            self.note(reduced, ("no_edit", edit.event[0]))
        return self._closed(reduced)

    def _closed(self, reduced: Hypothesis) -> Hypothesis:
        if reduced.amount is not None:
            self.note(reduced, ("dangling", "amount"))
        if reduced.portions:
            self.note(reduced, ("dangling", "portions"))
        reduced.amount, reduced.portions = None, 0
        reduced.chunk = Chunk()
        return reduced

    def note(self, hypothesis: Hypothesis, event: Event) -> None:
        """Add an event to a hypothesis, with its cost."""
        hypothesis.cost += self.model.cost(event)
        hypothesis.trace = (event, hypothesis.trace)
