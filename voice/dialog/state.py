"""The state of a conversation: it comes in with a request and goes out with the reply."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, NamedTuple

from schemas import NoteKind
from voice.orders.parser.draft import ChoiceRef, Draft, DraftLine


class QuestionKind(StrEnum):
    """What a question asks."""

    AMBIGUOUS = "ambiguous"  # which of several items, or which choice of a group
    MISSING = "missing"  # a required group; how many, if there is no group; which item, if there is no line either
    UNAVAILABLE = "unavailable"  # one of what is near, instead of an item that is not served
    CHECK = "check"  # whether to make the pending edit, or whether a line may stay
    OFFER = "offer"  # whether to add or choose what is offered
    MORE = "more"  # anything else
    CONFIRM = "confirm"  # whether the read-back is right, or one thing about a line


BLOCKING: Final = frozenset({QuestionKind.AMBIGUOUS, QuestionKind.MISSING, QuestionKind.UNAVAILABLE, QuestionKind.CHECK})


class PendingEdit(NamedTuple):
    """The edit that an answer completes. An `add` without items awaits one."""

    op: Literal["add", "set", "remove"]
    line: DraftLine


@dataclass(frozen=True, slots=True)
class Question:
    """An open question; `choices` are choices of `group`, or items where `group` is None, in the order in which they are named.

    `path`: the groups and choices above the group, outermost first; empty: it is a group of the item.
    """

    kind: QuestionKind
    line: int | None = None
    group: str | None = None
    choices: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()  # several lines that one answer may serve; `line` is the first
    pending: PendingEdit | None = None
    times: int = 0  # consecutive turns in which it was asked
    path: tuple[ChoiceRef, ...] = ()

    @property
    def blocks(self) -> bool:
        """True if the order is incomplete without the answer."""
        return self.kind in BLOCKING

    @property
    def replaces_lines(self) -> bool:
        """True if it offers an item, a combo, instead of units of its lines."""
        return self.kind is QuestionKind.OFFER and self.group is None and self.line is not None and self.pending is not None


class Note(NamedTuple):
    """What the customer said besides the order; `line` is an index, None for the whole order."""

    kind: NoteKind
    text: str
    line: int | None = None
    value: str | None = None


class Change(NamedTuple):
    """An edit of the order; `line` is an index in the new lines, except for `remove`: there in the old ones."""

    op: Literal["add", "set", "remove"]
    line: int
    item: str
    quantity: int


class State(NamedTuple):
    """A conversation between two turns."""

    lines: Draft = ()
    questions: tuple[Question, ...] = ()
    changes: tuple[Change, ...] = ()  # of the turn before: what "it" refers to
    notes: tuple[Note, ...] = ()
    at: datetime | None = None  # None: now
    line_notes: tuple[str | None, ...] = ()  # of the lines; empty: none has one


class Act(StrEnum):
    """The dialogue act of an utterance."""

    HUMAN = "human"
    CANCEL = "cancel"
    ANSWER = "answer"
    ORDER = "order"
    CHANGE = "change"
    REMOVE = "remove"
    DONE = "done"
    DENY = "deny"
    CONFIRM = "confirm"
    QUESTION = "question"
    REPEAT = "repeat"
    SMALLTALK = "smalltalk"
    NONE = "none"


class Status(StrEnum):
    """Where the conversation stands after a turn."""

    HANDOFF = "handoff"
    CANCELLED = "cancelled"
    ASKING = "asking"
    CONFIRMED = "confirmed"
    CONFIRMING = "confirming"
    OPEN = "open"


class InquiryKind(StrEnum):
    """What the customer asks about the menu."""

    PRICE = "price"  # of items, with options
    TOTAL = "total"  # of the order so far
    ITEMS = "items"  # what there is, of a category or at all
    CHOICES = "choices"  # sizes, or the choices of another group
    AVAILABLE = "available"  # whether there is an item or a choice
    HOURS = "hours"  # when an item is served
    DESCRIPTION = "description"  # what an item is
    DIET = "diet"  # what is vegan, or without an allergen; `Inquiry.value` is a diet or an allergen of the menu format
    OTHER = "other"  # anything that the menu does not tell


class Inquiry(NamedTuple):
    """A question of the customer about the menu."""

    kind: InquiryKind
    items: tuple[str, ...] = ()
    choices: tuple[ChoiceRef, ...] = ()
    category: str | None = None
    value: str | None = None
    groups: tuple[str, ...] = ()  # option groups that are asked about: sizes
    line: int | None = None  # of the order, that is asked about as it is


class Turn(NamedTuple):
    """The outcome of a turn, before it is put into words."""

    before: State
    after: State
    act: Act
    status: Status
    inquiry: Inquiry | None = None
    unmatched: tuple[str, ...] = ()
