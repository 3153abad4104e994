"""The state of a parse: the open question, the open chunk, and the hypothesis: the draft and its derivation."""

from enum import Flag, auto
from typing import Any, Final, NamedTuple, final

from schemas import Amount  # noqa: TC001 - annotations may be evaluated
from voice.orders.parser.draft import Draft, DraftLine, Modifier
from voice.orders.parser.roles import Role

ANY_ONE: Final = -1  # portions of an article: one portion, or the one choice of a group


class OpenQuestion(NamedTuple):
    """The question of the dialogue that an utterance may answer."""

    kind: str  # of `schemas.Question`, or "more", "confirm" or "offer" as in the corpus
    line: int | None = None
    group: str | None = None  # None: its choices are items
    choices: tuple[str, ...] = ()
    pending: DraftLine | None = None  # the line that an answer with an item completes: its quantity and options


class ChunkFlag(Flag):
    """Properties of a chunk besides its number, items and modifiers. The names are parts of feature names."""

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


FLAG_NAMES: Final = tuple((flag, str(flag.name).lower()) for flag in ChunkFlag if flag is not ChunkFlag.NONE)

FLAG_OF_ROLE: Final = {
    Role.EACH: ChunkFlag.EACH,
    Role.ALL: ChunkFlag.ALL,
    Role.PART: ChunkFlag.PART,
    Role.REST: ChunkFlag.REST,
    Role.PLAIN: ChunkFlag.PLAIN,
    Role.ONES: ChunkFlag.ONES,
    Role.REFERENCE: ChunkFlag.REFERENCE,
}


@final
class Chunk:
    """Words that belong together: at most one item with its number and modifiers, or a verb and its object."""

    __slots__ = ("end", "flags", "groups", "is_article", "items", "link", "modifiers", "number", "place", "scope", "share", "start", "verb")

    def __init__(self, link: str = "", verb: str = "", start: int = -1, end: int = -1) -> None:
        self.link = link  # the connective before the chunk: "", and, comma, stop, with, correction, ...
        self.verb = verb  # "", add, remove, change, into, instead, keep, set
        self.number = 0  # 0: none
        self.is_article = False  # the number is an article
        self.items: tuple[str, ...] = ()
        self.modifiers: tuple[Modifier, ...] = ()
        self.groups: tuple[str, ...] = ()  # option groups that are named
        self.flags = ChunkFlag.NONE
        self.place = 0  # of the line, from 1; negative: from the end; 0: none
        self.scope = 0  # of ALL: the number of lines; 0: unknown
        self.share = 0  # divisor of a line: 2 is one half; 0: none
        self.start = start  # token; -1: none yet
        self.end = end

    def copy(self) -> "Chunk":
        """Return a copy that may be changed."""
        new = Chunk(self.link, self.verb, self.start, self.end)
        new.number = self.number
        new.is_article = self.is_article
        new.items = self.items
        new.modifiers = self.modifiers
        new.groups = self.groups
        new.flags = self.flags
        new.place = self.place
        new.scope = self.scope
        new.share = self.share
        return new

    @property
    def is_empty(self) -> bool:
        """True if nothing in the chunk could edit the order."""
        content = self.number or self.items or self.modifiers or self.groups or self.place or self.share
        return not content and self.verb in {"", "add"} and not self.flags & ~(ChunkFlag.ONLY | ChunkFlag.CLASSIFIED)

    @property
    def key(self) -> tuple[Any, ...]:
        """The parts that reductions depend on."""
        return (
            self.link,
            self.verb,
            self.number,
            self.is_article,
            self.items,
            self.modifiers,
            self.groups,
            self.flags.value,
            self.place,
            self.scope,
            self.share,
        )

    @property
    def number_kind(self) -> str:
        """The kind of number, as an attribute of events."""
        if not self.number:
            return "none"
        return "article" if self.is_article else "one" if self.number == 1 else "many"


class Forwarded(NamedTuple):
    """A number and modifiers that await their item in a later chunk."""

    number: int
    modifiers: tuple[Modifier, ...]


class EditRecord(NamedTuple):
    """The tokens of a chunk, and the drafts before and after its edit."""

    start: int
    end: int
    before: Draft
    after: Draft


class ReplacementTarget(NamedTuple):
    """A line, or some options of it, that the object of a later chunk replaces."""

    line: int
    modifiers: tuple[Modifier, ...]
    number: int


@final
class Hypothesis:
    """A partial parse: the draft, the open chunk, and the cost of the events so far."""

    __slots__ = (
        "amount",
        "chunk",
        "cost",
        "draft",
        "draft_id",
        "drafts",
        "edits",
        "focus",
        "forwarded",
        "is_inquiry",
        "is_negation_open",
        "is_selected",
        "joint",
        "n_edits",
        "n_people",
        "new_lines",
        "part",
        "portions",
        "reductions",
        "target",
        "trace",
        "unread",
        "words",
    )

    def __init__(self, draft: Draft, focus: tuple[int, ...], words: tuple[str, ...] = ()) -> None:
        self.words = words  # of the utterance, as features have them; "" for a word that features leave out
        self.cost = 0.0
        self.draft = draft
        self.drafts: dict[Draft, int] = {}  # the drafts of this parse, shared by its hypotheses
        self.draft_id = 0  # of the draft in it: comparing drafts would take as long as they are
        self.focus = focus  # lines that were edited last
        self.new_lines: tuple[int, ...] = ()  # that this utterance added
        self.chunk = Chunk()
        self.joint = ""  # the connective right before the next token
        self.amount: Amount | None = None  # of the next option
        self.portions = 0  # of the next option; 0: none given; ANY_ONE: an article
        self.is_negation_open = False  # "no" may cover the next option of an enumeration
        self.forwarded: tuple[Forwarded, ...] = ()
        self.target: ReplacementTarget | None = None
        self.is_selected = False  # the chunk before referred to the lines in focus
        self.part = 0  # units of the line in focus that it referred to; 0: all
        self.n_people = 0  # number of people; 0: unknown
        self.is_inquiry = False  # the customer asks
        self.n_edits = 0
        self.edits: Any = None  # linked list of edit records, last one first: (record, rest)
        self.unread: Any = None  # linked list of token indices, last one first: (index, rest)
        self.trace: Any = None  # linked list of events and arcs, last one first
        self.reductions: list[Hypothesis] | None = None  # of the open chunk, once computed

    def fork(self) -> "Hypothesis":
        """Return a copy that may be changed; both share the open chunk."""
        new = Hypothesis(self.draft, self.focus, self.words)
        new.cost = self.cost
        new.drafts = self.drafts
        new.draft_id = self.draft_id
        new.new_lines = self.new_lines
        new.chunk = self.chunk
        new.joint = self.joint
        new.amount = self.amount
        new.portions = self.portions
        new.is_negation_open = self.is_negation_open
        new.forwarded = self.forwarded
        new.target = self.target
        new.is_selected = self.is_selected
        new.part = self.part
        new.n_people = self.n_people
        new.is_inquiry = self.is_inquiry
        new.n_edits = self.n_edits
        new.edits = self.edits
        new.unread = self.unread
        new.trace = self.trace
        return new

    @property
    def key(self) -> tuple[Any, ...]:
        """The parts that further shifts and reductions depend on; of hypotheses with equal keys only the cheapest is followed."""
        return (
            self.draft_id,
            self.focus,
            self.joint,
            self.amount,
            self.portions,
            self.is_negation_open,
            self.forwarded,
            self.target,
            self.is_inquiry,
            self.is_selected,
            self.part,
            self.chunk.key,
        )
