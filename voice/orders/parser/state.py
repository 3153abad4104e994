"""What a parse knows on its way through an utterance: the open chunk, the draft, and how it came there."""

from enum import Flag, auto
from typing import Any, NamedTuple, final

from schemas import Amount  # noqa: TC001 - compiled or not, annotations may be read
from voice.orders.parser.draft import Draft, Selection
from voice.orders.parser.roles import Role


class Mark(Flag):
    """What was said of a chunk besides its number, items and options."""

    NONE = 0
    REFERENCE = auto()
    REST = auto()
    MORE = auto()
    ONLY = auto()
    PART = auto()
    PLAIN = auto()
    ONES = auto()
    CLASSIFIED = auto()
    NUMBER_BEHIND = auto()
    AGAIN = auto()
    EACH = auto()
    ALL = auto()
    PARTIAL_NAME = auto()


MARK_NAMES = tuple((mark, str(mark.name).lower()) for mark in Mark if mark is not Mark.NONE)

MARK_OF_ROLE = {
    Role.EACH: Mark.EACH,
    Role.ALL: Mark.ALL,
    Role.PART: Mark.PART,
    Role.REST: Mark.REST,
    Role.PLAIN: Mark.PLAIN,
    Role.ONES: Mark.ONES,
    Role.REFERENCE: Mark.REFERENCE,
}


@final
class Chunk:
    """Words that belong together: at most one item, with its number and options, or an operation and its object."""

    __slots__ = ("end", "is_article", "items", "link", "marks", "number", "place", "scope", "selections", "share", "start", "verb")

    def __init__(self, link: str = "", verb: str = "", start: int = -1, end: int = -1) -> None:
        self.link = link  # what stands before it: "", and, comma, stop, with, correction, ...
        self.verb = verb  # "", add, remove, change, into, instead, keep, set
        self.number = 0  # 0: none was said
        self.is_article = False
        self.items: tuple[str, ...] = ()
        self.selections: tuple[Selection, ...] = ()
        self.marks = Mark.NONE
        self.place = 0  # which line, from 1; negative: from the end; 0: not told
        self.scope = 0  # of ALL: how many lines; 0: not told
        self.share = 0  # 2: one half of a line
        self.start = start  # tokens
        self.end = end

    def copy(self) -> "Chunk":
        """Return a copy to be changed."""
        new = Chunk(self.link, self.verb, self.start, self.end)
        new.number = self.number
        new.is_article = self.is_article
        new.items = self.items
        new.selections = self.selections
        new.marks = self.marks
        new.place = self.place
        new.scope = self.scope
        new.share = self.share
        return new

    @property
    def is_empty(self) -> bool:
        """True if nothing was said that could edit the order."""
        said = self.number or self.items or self.selections or self.place or self.share
        return not said and self.verb in {"", "add"} and not self.marks & ~(Mark.ONLY | Mark.CLASSIFIED)

    @property
    def key(self) -> tuple[Any, ...]:
        """What decides about the edits that it can become."""
        return (
            self.link,
            self.verb,
            self.number,
            self.is_article,
            self.items,
            self.selections,
            self.marks.value,
            self.place,
            self.scope,
            self.share,
        )

    @property
    def number_kind(self) -> str:
        """Return how a number was said."""
        if not self.number:
            return "none"
        return "article" if self.is_article else "one" if self.number == 1 else "many"


class Waiting(NamedTuple):
    """A number and options whose item comes with a later chunk."""

    number: int
    selections: tuple[Selection, ...]


class Change(NamedTuple):
    """A line, or some options of it, that something else is to replace."""

    lines: tuple[int, ...]
    selections: tuple[Selection, ...]
    number: int


@final
class Hypothesis:
    """One way to read the utterance up to a token."""

    __slots__ = (
        "amount",
        "carried",
        "change",
        "chunk",
        "cost",
        "draft",
        "focus",
        "fresh",
        "inquiry",
        "joint",
        "n_edits",
        "people",
        "portions",
        "reductions",
        "trace",
        "unread",
        "waiting",
    )

    def __init__(self, draft: Draft, focus: tuple[int, ...]) -> None:
        self.cost = 0.0
        self.draft = draft
        self.focus = focus  # lines that were edited last
        self.fresh: tuple[int, ...] = ()  # lines that this utterance made
        self.chunk = Chunk()
        self.joint = ""  # what stands right before the next token
        self.amount: Amount | None = None  # of the next option
        self.portions = 0  # of the next option; -1: an article
        self.carried = False  # "no" may go on behind "and"
        self.waiting: tuple[Waiting, ...] = ()
        self.change: Change | None = None
        self.people = 0  # whom the order is for
        self.inquiry = False  # the customer asks
        self.n_edits = 0
        self.unread: Any = None  # linked list of token numbers
        self.trace: Any = None  # linked list of events and arcs
        self.reductions: list[Hypothesis] | None = None

    def fork(self) -> "Hypothesis":
        """Return a copy to be changed; the open chunk is shared."""
        new = Hypothesis.__new__(Hypothesis)
        new.cost = self.cost
        new.draft = self.draft
        new.focus = self.focus
        new.fresh = self.fresh
        new.chunk = self.chunk
        new.joint = self.joint
        new.amount = self.amount
        new.portions = self.portions
        new.carried = self.carried
        new.waiting = self.waiting
        new.change = self.change
        new.people = self.people
        new.inquiry = self.inquiry
        new.n_edits = self.n_edits
        new.unread = self.unread
        new.trace = self.trace
        new.reductions = None
        return new

    @property
    def key(self) -> tuple[Any, ...]:
        """What decides about all that may follow."""
        return (
            self.draft,
            self.focus,
            self.joint,
            self.amount,
            self.portions,
            self.carried,
            self.waiting,
            self.change,
            self.inquiry,
            self.chunk.key,
        )
