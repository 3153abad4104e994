"""The context in which productions make edits."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, final

from voice.orders.parser.draft import NEW, Draft, DraftLine, MenuIndex, ModifiedLine, Modifier
from voice.orders.parser.model import WORD_PLACES, Event
from voice.orders.parser.state import FLAG_NAMES, EditRecord, Hypothesis, OpenQuestion, Progress


@final
class Context:
    """A hypothesis before the reduction of its chunk, and the lines to which the chunk may refer."""

    def __init__(self, hypothesis: Hypothesis, index: MenuIndex, question: OpenQuestion | None) -> None:
        self.progress = progress = hypothesis.progress
        self.n_people = hypothesis.n_people
        self.chunk = chunk = hypothesis.chunk
        self.draft = draft = progress.draft
        self.index = index
        self.question = question
        self.asked_group = question.group if question else None
        self.live = progress.live
        self.named = self._named()  # lines that the chunk names
        self.is_line_named = bool(chunk.items or chunk.place or chunk.lines)
        pool = self.named if self.is_line_named else self.live
        self.described = [number for number in pool if chunk.modifiers and index.describes(chunk.modifiers, draft[number])]
        focus = [number for number in progress.focus if draft[number].quantity > 0]
        self.focus = focus
        self.last = focus[-1] if focus else self.live[-1] if self.live else None  # the line in focus
        self.selected = tuple(focus) if progress.is_selected else ()  # lines to which the chunk before referred
        self.part = progress.part if progress.is_selected else 0  # units of the selected line; 0: all
        self.new_lines = [number for number in progress.new_lines if draft[number].quantity > 0]
        self._flags = tuple([name for bit, name in FLAG_NAMES if chunk.flags & bit]) if chunk.flags else ()

    def _named(self) -> list[int]:
        """Return the lines that the chunk names, by place, by person or by item."""
        chunk = self.chunk
        if chunk.place:
            old = self.old
            place = chunk.place - 1 if chunk.place > 0 else len(old) + chunk.place
            return [old[place]] if 0 <= place < len(old) else []
        items = set(chunk.items)
        pool = [number for number in chunk.lines if number in self.live] if chunk.lines else self.live
        return [number for number in pool if not items or not items.isdisjoint(self.draft[number].items)] if items or chunk.lines else []

    @property
    def old(self) -> list[int]:
        """The lines of the order before the utterance; those of the utterance if there are none."""
        return [number for number in self.live if not self.draft[number].is_new] or self.live

    @property
    def counted(self) -> int:
        """The number of the chunk; 0: none, or an article."""
        return 0 if self.chunk.is_article else self.chunk.number

    def has(self, flags: int) -> bool:
        """Return whether the chunk has any of the flags."""
        return self.chunk.flags & flags != 0

    def age(self, number: int) -> str:
        """Return whether this utterance added a line, as an attribute of events."""
        return "new" if self.draft[number].is_new else "old"

    def event(self, production: str, target: str, age: str, *more: object) -> Event:
        """Return the event of a reduction."""
        chunk = self.chunk
        return (production, chunk.link, chunk.verb, chunk.number_kind, min(2, len(chunk.modifiers)), self._flags, target, age, *more)

    def modify(self, line: DraftLine, modifiers: Sequence[Modifier]) -> ModifiedLine | None:
        """Apply modifiers to a line; None if it does not accept one of them."""
        return self.index.modify_all(line, modifiers, self.asked_group)

    def changed(self, numbers: Sequence[int], part: int, modifiers: Sequence[Modifier]) -> "ChangedLines | None":
        """Apply modifiers to the lines that accept them, or to a part of the only line; None if no line accepts them."""
        draft, changed = self.draft, []
        is_replacement = False
        for number in numbers:
            modified = self.modify(draft[number], modifiers)
            if modified is not None:
                is_replacement = is_replacement or modified.is_replacement
                draft, number = with_part(draft, number, part, modified.line)  # noqa: PLW2901 - a part is a line of its own
                changed.append(number)
        return ChangedLines(draft, tuple(changed), is_replacement) if changed else None

    def with_line(self, number: int, line: DraftLine) -> Draft:
        """Return the draft with one line replaced."""
        return with_line(self.draft, number, line)


class ChangedLines(NamedTuple):
    """A draft with changed lines."""

    draft: Draft
    numbers: tuple[int, ...]  # of the changed lines
    is_replacement: bool  # a one-of group had another choice


@final
class Edit:
    """What a production makes of a chunk; productions change the attributes that differ from the progress before it."""

    __slots__ = ("draft", "event", "focus", "forwarded", "is_edit", "is_selected", "more_events", "new_lines", "part", "target")

    def __init__(self, context: Context, event: Event, draft: Draft, focus: tuple[int, ...], *, is_edit: bool = True) -> None:
        before = context.progress
        self.event = event
        self.draft = draft
        self.focus = focus
        self.new_lines = before.new_lines
        self.forwarded = before.forwarded
        self.target = before.target
        self.is_edit = is_edit  # False: nothing is edited yet
        self.part = 0 if is_edit else before.part
        self.is_selected = not is_edit and before.is_selected
        self.more_events: tuple[Event, ...] = ()


@final
class Reduction:
    """What a chunk can become: an edit, and the cost of its events."""

    __slots__ = ("_after", "_before", "_edit", "_is_void", "_span", "_words", "cost")

    def __init__(
        self,
        cost: float,
        before: Progress,
        edit: Edit | None,
        span: tuple[int, int] = (-1, -1),
        words: tuple[str, ...] = (),
        *,
        is_void: bool = False,
    ) -> None:
        """`edit`: None if the chunk is empty; `words`: of the chunk, at `WORD_PLACES`; `is_void`: the edit leaves the draft equal."""
        self.cost = cost
        self._before = before
        self._edit = edit
        self._span = span  # not the chunk, which keeps the reduction: a cycle would wait for the garbage collector
        self._words = words
        self._is_void = is_void
        self._after: Progress | None = None

    def events(self) -> list[Event]:
        """Return the production's events, and those of the chunk's words."""
        if self._edit is None:
            return []
        production = self._edit.event[0]
        void: list[Event] = [("no_edit", production)] if self._is_void else []
        spoken = [("word", production, place, word) for place, word in zip(WORD_PLACES, self._words, strict=True) if word]
        return [self._edit.event, *self._edit.more_events, *void, *spoken]

    def progress(self) -> Progress:
        """Return the progress after the edit; most edits are too dear for anybody to ask."""
        after = self._after
        if after is None:
            after = self._after = self._before if self._edit is None else self._edited(self._edit)
        return after

    def _edited(self, edit: Edit) -> Progress:
        before = self._before
        after = Progress(edit.draft, before.drafts, edit.focus)
        after.new_lines, after.forwarded, after.target = edit.new_lines, edit.forwarded, edit.target
        after.part, after.is_selected = edit.part, edit.is_selected
        after.n_edits = before.n_edits + edit.is_edit
        after.draft_id, after.edits = before.draft_id, before.edits
        if edit.draft is not before.draft:
            after.draft_id = before.drafts.setdefault(edit.draft, len(before.drafts) + 1)
            after.edits = (EditRecord(self._span[0], self._span[1], before.draft, edit.draft), before.edits)
        return after


Production = Callable[[Context], Iterator[Edit]]


def with_part(draft: Draft, number: int, part: int, line: DraftLine) -> tuple[Draft, int]:
    """Replace some units of a line, which become a line of their own; part 0: all units. Return the draft and the line's number."""
    quantity = draft[number].quantity
    if not 0 < part < quantity:
        return with_line(draft, number, line), number
    rest = with_line(draft, number, draft[number]._replace(quantity=quantity - part))
    return (*rest, line._replace(quantity=part, origin=NEW, beside=number)), len(rest)


def with_line(draft: Draft, number: int, line: DraftLine) -> Draft:
    """Return a draft with one line replaced."""
    return (*draft[:number], line, *draft[number + 1 :])
