"""The state of a parse: the open question, the open chunk, and the hypothesis: the draft and its derivation."""

from typing import Any, Final, NamedTuple, final

from schemas import Amount
from voice.orders.parser.draft import Draft, DraftLine, Modifier
from voice.orders.parser.roles import Role

MAX_IN_VIEW: Final = 40  # lines to which a chunk may refer
EVERYTHING: Final = -1  # scope of a chunk behind "everything but"
ANY_ONE: Final = -1  # portions of an article: one portion, or the one choice of a group


class OpenQuestion(NamedTuple):
    """The question of the dialogue that an utterance may answer."""

    kind: str  # of `schemas.Question`, or "more", "confirm" or "offer" as in the corpus
    line: int | None = None
    group: str | None = None  # None: its choices are items
    choices: tuple[str, ...] = ()
    pending: DraftLine | None = None  # the line that an answer with an item completes: its quantity and options


class ChunkFlag:
    """Properties of a chunk besides its number, items and modifiers. The names are parts of feature names.

    Bits, not an `enum.Flag`: compiled code combines them in one instruction, a member of an enum in a call of Python code.
    """

    NONE: Final = 0
    REFERENCE: Final = 1
    REST: Final = 2
    MORE: Final = 4
    ONLY: Final = 8
    PART: Final = 16
    PLAIN: Final = 32
    ONES: Final = 64
    CLASSIFIED: Final = 128
    NUMBER_BEHIND: Final = 256
    AGAIN: Final = 512
    EACH: Final = 1024
    ALL: Final = 2048
    PARTIAL_NAME: Final = 4096
    PERSON: Final = 16384
    ALSO: Final = 32768
    OWN: Final = 65536  # one unit, for somebody
    SWAP: Final = 131072  # lines exchange options
    AT: Final = 262144  # a preposition stands before the last modifiers
    ONTO: Final = 8192  # a preposition stands before the lines that it refers to: "for the second one"


class Mood:
    """What the words so far do: request, ask, or end as a question. Bits, as in `ChunkFlag`."""

    NONE: Final = 0
    REQUEST: Final = 1  # "can i get"
    QUESTION: Final = 2  # "how much"
    QUESTION_MARK: Final = 4


MOOD_NAMES: Final = ("plain", "request", "question", "request.question", "mark", "request.mark", "question.mark", "request.question.mark")

FLAG_NAMES: Final = tuple([(bit, name.lower()) for name, bit in vars(ChunkFlag).items() if name.isupper() and bit])

FLAG_OF_ROLE: Final = {
    Role.EACH: ChunkFlag.EACH,
    Role.ALL: ChunkFlag.ALL,
    Role.PART: ChunkFlag.PART,
    Role.REST: ChunkFlag.REST,
    Role.PLAIN: ChunkFlag.PLAIN,
    Role.ONES: ChunkFlag.ONES,
    Role.REFERENCE: ChunkFlag.REFERENCE,
}
ADVERBS: Final = {Role.ONLY: ChunkFlag.ONLY, Role.ALSO: ChunkFlag.ALSO}


@final
class Chunk:
    """Words that belong together: at most one item with its number and modifiers, or a verb and its object.

    Hypotheses share chunks: change only a copy, or a new one.
    """

    __slots__ = (
        "end",
        "factor",
        "flags",
        "groups",
        "is_article",
        "items",
        "lines",
        "link",
        "modifiers",
        "number",
        "number_of_key",
        "place",
        "reductions",
        "scope",
        "share",
        "start",
        "verb",
    )

    def __init__(self, link: str = "", verb: str = "", start: int = -1, end: int = -1) -> None:
        self.link = link  # the connective before the chunk: "", and, comma, stop, with, correction, ...
        self.verb = verb  # "", add, remove, change, into, instead, keep, set
        self.number = 0  # 0: none
        self.is_article = False  # the number is an article
        self.items: tuple[str, ...] = ()
        self.modifiers: tuple[Modifier, ...] = ()
        self.groups: tuple[str, ...] = ()  # option groups that are named
        self.flags = ChunkFlag.NONE
        self.lines: tuple[int, ...] = ()  # those of the person who is mentioned
        self.place = 0  # of the line, from 1; negative: from the end; 0: none
        self.scope = 0  # of ALL: the number of lines; 0: unknown; behind an "except": EVERYTHING, if it says so
        self.share = 0  # divisor of a line: 2 is one half; 0: none
        self.factor = 0  # of the quantity of a line: 2 doubles it; 0: none
        self.start = start  # token; -1: none yet
        self.end = end
        self.reductions: list[Any] | None = None  # `edits.Reduction`s, cheapest first; None: not computed yet
        self.number_of_key = -1  # `Utterance.number_of` its key; -1: not computed yet

    def copy(self) -> "Chunk":
        """Return a copy that may be changed."""
        new = Chunk(self.link, self.verb, self.start, self.end)
        new.number = self.number
        new.is_article = self.is_article
        new.items = self.items
        new.modifiers = self.modifiers
        new.groups = self.groups
        new.flags = self.flags
        new.lines = self.lines
        new.place = self.place
        new.scope = self.scope
        new.share = self.share
        new.factor = self.factor
        return new

    @property
    def is_empty(self) -> bool:
        """True if nothing in the chunk could edit the order."""
        if self.number or self.items or self.modifiers or self.groups or self.place or self.lines or self.share or self.factor:
            return False
        return self.verb in {"", "add"} and not self.flags & ~(ChunkFlag.ONLY | ChunkFlag.ALSO | ChunkFlag.CLASSIFIED)

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
            self.flags,
            self.lines,
            self.place,
            self.scope,
            self.share,
            self.factor,
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
    items: tuple[str, ...] = ()  # the head of a list, among which the items of its parts are: "four froyos: two mango, two taro"


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
    verb: str = "change"  # before it
    is_named: bool = True  # False: a pronoun, or nothing, stands for the line


@final
class Progress:
    """The draft and what else reductions change; all hypotheses since the last reduction share it."""

    __slots__ = (
        "draft",
        "draft_id",
        "drafts",
        "edits",
        "focus",
        "forwarded",
        "is_selected",
        "live",
        "n_edits",
        "new_lines",
        "number_of_key",
        "part",
        "target",
    )

    def __init__(self, draft: Draft, drafts: dict[Draft, int], focus: tuple[int, ...]) -> None:
        self.draft = draft
        self.drafts = drafts  # the drafts of this parse
        self.draft_id = 0  # of the draft in it: comparing drafts would take as long as they are
        self.focus = focus  # lines that were edited last
        self.new_lines: tuple[int, ...] = ()  # that this utterance added
        self.forwarded: tuple[Forwarded, ...] = ()
        self.target: ReplacementTarget | None = None
        self.is_selected = False  # the chunk before referred to the lines in focus
        self.part = 0  # units of the line in focus that it referred to; 0: all
        self.n_edits = 0
        self.edits: Any = None  # linked list of edit records, last one first: (record, rest)
        # The lines that are not removed; of very long orders the last ones, so that the time of a parse grows linearly.
        self.live = [number for number in range(max(0, len(draft) - MAX_IN_VIEW), len(draft)) if draft[number].quantity > 0]
        self.number_of_key = -1  # `Utterance.number_of` its key; -1: not computed yet

    @property
    def key(self) -> tuple[Any, ...]:
        """The parts that reductions depend on."""
        return (self.draft_id, self.focus, self.forwarded, self.target, self.is_selected, self.part)


@final
class Utterance:
    """The words of an utterance, and what the hypotheses of its parse have in common."""

    __slots__ = ("acts", "numbers", "words")

    def __init__(self, words: tuple[str, ...], acts: tuple[str, ...]) -> None:
        self.words = words  # as features have them: names masked, "" for a word that features leave out
        self.acts = acts  # of the sentence of each word, an attribute of events; empty if there is one sentence
        self.numbers: dict[tuple[Any, ...], int] = {}  # of keys of chunks and of progress

    def word(self, at: int) -> str:
        """Return a word; beyond both ends there are words, too."""
        return self.words[at] if 0 <= at < len(self.words) else "<end>"

    def words_of(self, start: int, end: int) -> tuple[str, str, str, str]:
        """Return the words of a chunk at `model.WORD_PLACES`; "" for all if it has no words."""
        return (self.word(start - 1), self.word(start), self.word(end - 1), self.word(end)) if start >= 0 else ("", "", "", "")

    def act_at(self, at: int) -> str:
        """Return the act of the sentence of a word, "" if there is only one sentence, or no word."""
        return self.acts[at] if self.acts and at >= 0 else ""

    def number_of(self, key: tuple[Any, ...]) -> int:
        """Return a number that equal keys share."""
        return self.numbers.setdefault(key, len(self.numbers))


@final
class Hypothesis:
    """A partial parse: the draft, the open chunk, and the cost of the events so far."""

    __slots__ = (
        "amount",
        "chunk",
        "classifier",
        "cost",
        "is_negation_open",
        "joint",
        "mood",
        "n_people",
        "portions",
        "progress",
        "trace",
        "unread",
        "utterance",
    )

    def __init__(
        self,
        progress: Progress,
        chunk: Chunk,
        utterance: Utterance,
        cost: float,
        joint: str,
        amount: Amount | None,
        portions: int,
        is_negation_open: bool,  # noqa: FBT001 - passed by place, as all
        n_people: int,
        mood: int,
        unread: Any,
        trace: Any,
        classifier: str = "",
    ) -> None:
        self.progress = progress
        self.chunk = chunk
        self.utterance = utterance
        self.cost = cost
        self.joint = joint  # the connective right before the next token
        self.amount = amount  # of the next option
        self.portions = portions  # of the next option; 0: none given; ANY_ONE: an article
        self.is_negation_open = is_negation_open  # "no" may cover the next option of an enumeration
        self.n_people = n_people  # number of people; 0: unknown
        self.mood = mood  # bits of `Mood`
        self.unread = unread  # linked list of token indices, last one first: (index, rest)
        self.classifier = classifier  # a counting word before the next name; "": none
        self.trace = trace  # linked list of arcs, events, lists of events and `edits.Reduction`s, last one first

    @staticmethod
    def start(draft: Draft, focus: tuple[int, ...] = (), words: tuple[str, ...] = (), acts: tuple[str, ...] = ()) -> "Hypothesis":
        """Return the hypothesis before the first token."""
        return Hypothesis(Progress(draft, {}, focus), Chunk(), Utterance(words, acts), 0.0, "", None, 0, False, 0, Mood.NONE, None, None)  # noqa: FBT003

    @property
    def draft(self) -> Draft:
        """The draft so far."""
        return self.progress.draft

    def fork(self) -> "Hypothesis":
        """Return a copy that may be changed; both share the progress and the open chunk."""
        return Hypothesis(
            self.progress,
            self.chunk,
            self.utterance,
            self.cost,
            self.joint,
            self.amount,
            self.portions,
            self.is_negation_open,
            self.n_people,
            self.mood,
            self.unread,
            self.trace,
            self.classifier,
        )

    @property
    def key(self) -> tuple[Any, ...]:
        """The parts that further shifts and reductions depend on; of hypotheses with equal keys only the cheapest is followed."""
        progress, chunk = self.progress, self.chunk
        if progress.number_of_key < 0:
            progress.number_of_key = self.utterance.number_of(progress.key)
        if chunk.number_of_key < 0:
            chunk.number_of_key = self.utterance.number_of(chunk.key)
        return (
            progress.number_of_key,
            chunk.number_of_key,
            self.joint,
            self.amount,
            self.portions,
            self.is_negation_open,
            self.mood,
            self.classifier,
        )
