"""Read an utterance: what each word does to what was read before it."""

from collections.abc import Iterator, Sequence
from typing import Final

from voice.orders.costs import (
    ABSENT,
    AIMLESS,
    CONTRADICTED,
    DANGLING_AMOUNT,
    EARLY_JOINED,
    IDLE,
    REFERENCE,
    RETRACTED,
    TALK,
    TALK_WORD,
    UNCOUNTED,
    UNSAID,
)
from voice.orders.lexicon import NAMING, UNKNOWN, Arc, Lexicon, Role
from voice.orders.names import CLAUSE_END_KINDS, Names
from voice.orders.search import (
    AGAIN,
    ALL,
    ALSO,
    APART,
    ARTICLE,
    AS_IS,
    CANCEL,
    CLASSIFIED,
    CORRECT,
    DESCRIBED,
    EACH,
    EVERYONE,
    INTO,
    IS_PART,
    ITS,
    JOINED,
    MORE,
    NONE,
    NOT_THAT,
    ONLY,
    ONTO_NEXT,
    OPERATIONS,
    PAUSED,
    PEOPLE,
    PLAIN,
    REFER,
    REMOVE,
    REPLACE,
    REST,
    SET,
    WITH,
    Reading,
    Steps,
    Walk,
    cheapest,
)
from voice.orders.words import Token

_INSTEAD_OF_INTO: Final = frozenset({Role.WITH, Role.FILLER, Role.ONTO})  # what "with" and "to" are where nothing is changed
POSTPOSED_WORDS: Final = 2  # between an item and "thì bỏ"


class Reader(Names):
    """Reads utterances against one menu: what each kind of word does to a reading, and the cheapest way through all of them."""

    def __init__(self, lexicon: Lexicon) -> None:
        """List the step of each kind of meaning."""
        super().__init__(lexicon)
        self._steps: Steps = {
            Role.ITEM: self._item,
            Role.OPTION: self._option,
            Role.NUMBER: self._number,
            Role.ARTICLE: self._number,
            Role.PORTION: self._portion,
            Role.AMOUNT: self._amount,
            Role.AFTER: self._after,
            Role.REMOVE: self._remove,
            Role.REPLACE: self._operation,
            Role.INTO: self._into,
            Role.INSTEAD: self._operation,
            Role.SET: self._operation,
            Role.KEEP: self._keep,
            Role.MORE: self._more,
            Role.ONLY: self._only,
            Role.CORRECT: self._correct,
            Role.CANCEL: self._cancel,
            Role.ALL: self._all,
            Role.EACH: self._each,
            Role.PEOPLE: self._people,
            Role.ORDINAL: self._ordinal,
            Role.PART: self._part,
            Role.REST: self._rest,
            Role.SHARE: self._share,
            Role.PLAIN: self._plain,
            Role.ONES: self._ones,
            Role.REFER: self._refer,
            Role.INQUIRY: self._inquiry,
            Role.REQUEST: self._boundary,
            Role.STOP: self._boundary,
            Role.CLASSIFIER: self._classifier,
            Role.JOIN: self._join,
            Role.OR: self._join,
            Role.WITH: self._with,
            Role.ONTO: self._skip,
            Role.FILLER: self._skip,
            Role.PAUSE: self._pause,
            Role.TIMES: self._skip,
            Role.TALK: self._lose,
            Role.UNKNOWN: self._lose,
            Role.UNUSED: self._lose,
        }

    def read(self, spoken: Sequence[Token], order: tuple[str, ...], count: int = 1) -> list[Reading]:
        """Return the cheapest `count` readings of the whole; `order` holds the items of the order so far, line by line."""
        edges = self.lattice.read(spoken)
        walk = Walk(spoken, edges, order)
        found = cheapest(walk, self._steps, lambda reading: self._finish(reading, walk), count)
        if found:
            return found
        # No way leads through: what each meaning would need is nowhere. Then any word may be one that orders nothing.
        walk = Walk(spoken, [[*row, UNKNOWN] for row in edges], order)
        return cheapest(walk, self._steps, lambda reading: self._finish(reading, walk), count)

    def _skip(self, reading: Reading, edge: Arc, start: int, _: Walk) -> Iterator[Reading]:
        yield reading.fork(edge.cost)

    def _pause(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        answers = reading.amount == "no" and reading.done is None and reading.headless and not reading.options  # "no, over medium"
        new = reading.fork(edge.cost + (CONTRADICTED if answers else 0.0))
        if reading.amount is not None and walk.spoken[start].surface != ",":
            new.amount = None  # "my friend is not eating, but the barley"
            new.cost += REFERENCE
        yield new
        if reading.amount == "no" and not reading.bare and not reading.talk:
            if reading.headless and reading.options:
                yield self._retracted(reading, edge.cost)
            new = reading.fork(edge.cost)  # ", no, two of them"
            new.amount = None
            new = self._open(new, walk, REFERENCE)
            new.flags |= CORRECT
            yield new

    def _join(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.flags & NOT_THAT and reading.headless and not reading.options:
            new = self._close(reading, walk)  # "three lemonades, not four, and a pint of bitter"
            new.cost += edge.cost
            yield new
            return
        new = reading.fork(edge.cost + self._corrected_by_more(reading))
        without = self._without(reading) if reading.amount == "no" else ()
        if without:
            new.options, new.amount = without, None  # "two with cockles and one without, and one tea"
        elif reading.amount == "no":
            new.amount = None  # "no sides and ...": it was said of something that is not on the menu
            new.cost += REFERENCE
        yield new

    @staticmethod
    def _corrected_by_more(reading: Reading) -> float:
        """Return what it costs that a correction begins with "and" or "with"."""
        return CONTRADICTED if reading.flags == CORRECT and reading.headless and not reading.options and not reading.number else 0.0

    def _with(self, reading: Reading, edge: Arc, start: int, _: Walk) -> Iterator[Reading]:
        new = reading.fork(edge.cost + self._corrected_by_more(reading))
        new.carry = False
        yield new

    def _boundary(self, reading: Reading, edge: Arc, start: int, _: Walk) -> Iterator[Reading]:
        if not reading.talk and reading.amount is None and not reading.carry:
            yield reading.fork(edge.cost)
            return
        without = self._without(reading) if reading.amount == "no" else ()
        dangling = 0.0 if reading.amount is None or without else ABSENT if reading.amount == "no" else DANGLING_AMOUNT
        new = reading.fork(edge.cost + dangling)
        new.options = new.options or without  # "hai ly có đá, một ly không."
        new.talk = new.carry = False
        new.amount = None
        yield new

    def _remove(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        if reading.flags & REST and not reading.options:
            new = reading.fork(edge.cost)  # "mấy món kia bỏ"
            new.flags |= REMOVE
            yield new
        if reading.flags & REMOVE and reading.items and not reading.options:
            yield reading.fork(edge.cost)  # "khăn lạnh cancel giúp anh, không lấy": the same again
        yield from self._taken_off(reading, edge, start, walk)
        new = self._open(reading, walk, edge.cost) if reading.flags & NOT_THAT else reading.fork(edge.cost)
        if edge.value:
            new = self._open(reading, walk, edge.cost)
            new.number = edge.value  # "one less coffee"
            new.touch(edge, start)
        new.amount = "no"
        new.bare = True
        new.carry = False
        yield new

    @staticmethod
    def _taken_off(reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        """Take off an item that was named right before: "nước cam thì bỏ"."""
        known = tuple([item for item in reading.items if item in walk.there])
        near = start - reading.end <= POSTPOSED_WORDS
        if known and near and not reading.options and not reading.flags & ~(ALSO | ARTICLE | ALL | SET):
            new = reading.fork(edge.cost + REFERENCE)
            new.items = known
            new.flags |= REMOVE
            new.touch(edge, start)
            yield new

    def _operation(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        if edge.role is Role.SET and not reading.base and not reading.items:
            yield reading.fork(edge.cost)  # nothing to set yet: "make me a latte"
            return
        if edge.role is Role.SET and not reading.options and reading.flags & (ALL if reading.headless else IS_PART):
            new = reading.fork(edge.cost)  # "everything should be large", "one of those should be iced"
            if reading.items and reading.number and not walk.there.isdisjoint(reading.items):
                new.flags = REPLACE  # "one of the cokes should be a sprite"
                new = self._open(new, walk, REFERENCE)
                new.flags = INTO
            yield new
            return
        if edge.role is Role.SET and reading.flags == CORRECT and reading.headless and not (reading.options or reading.number):
            new = reading.fork(edge.cost)  # "no wait, make it a lemonade"
            new.flags |= SET | (ITS if edge.value else 0)
            yield new
            return
        if (
            edge.role is Role.REPLACE
            and reading.items
            and not reading.options
            and not reading.flags & REMOVE
            and walk.there.intersection(reading.items)
        ):
            new = reading.fork(edge.cost)  # "coca đổi sang pepsi"
            new.items = tuple([item for item in reading.items if item in walk.there])
            new.flags |= REPLACE
            yield new
            return
        if edge.role is Role.REPLACE and walk.order and reading.headless and reading.options and not (reading.number or reading.flags):
            new = reading.fork(edge.cost)  # "trứng đổi sang lòng đào"
            new.flags |= REPLACE
            yield new
        new = self._open(reading, walk, edge.cost)
        if edge.role is Role.INSTEAD:
            new.amount = "no"
        else:
            new.flags |= REPLACE if edge.role is Role.REPLACE else SET | ITS if edge.value else SET
        yield new

    def _keep(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.flags & REST and not reading.options:
            new = reading.fork(edge.cost)  # "tô còn lại giữ nguyên"
            new.flags, new.number = AS_IS | REST, 0
            yield new
            return
        if reading.headless and reading.number and not reading.options:
            yield from self._plain(reading, edge, start, walk)  # "ba con giữ nguyên"
            return
        if reading.items and not reading.options and not reading.number:
            new = reading.fork(edge.cost + (CONTRADICTED if reading.flags & REMOVE else 0.0))
            new.cost -= REFERENCE if walk.there.issuperset(reading.items) else 0.0  # one expects no number then
            new.flags = AS_IS  # "trà đá giữ nguyên"
            yield new
        new = self._open(reading, walk, edge.cost)
        new.flags |= AS_IS  # "keep the tea"
        yield new

    def _into(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.flags & (REPLACE | SET) and not reading.talk:
            empty = reading.headless and not reading.options and not reading.number
            new = reading.fork(edge.cost) if empty else self._open(reading, walk, edge.cost)
            if reading.options and not reading.items and reading.flags & REPLACE:
                new.cost -= AIMLESS - REFERENCE
            new.flags = (new.flags & ~(REPLACE | SET)) | INTO
            yield new
        elif not any(other.role in _INSTEAD_OF_INTO and other.length == edge.length for other in walk.edges_at(start)):
            yield reading.fork(edge.cost + DANGLING_AMOUNT)

    def _more(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        named = any(other.role in NAMING for other in walk.edges_at(start + edge.length))
        apart = reading.number and (reading.joint == PAUSED or (reading.options and named))  # "một suất, thêm đậu": the beans are more
        if reading.headless and not (reading.options or reading.talk or apart):
            new = reading.fork(edge.cost)
        elif reading.headless and reading.number and not (reading.talk or edge.value or apart):
            new = reading.fork(edge.cost)  # "bốn lon nữa"
        else:
            yield reading.fork(edge.cost + (AIMLESS if edge.value else IDLE))  # "another one" is one
            if reading.talk:
                return
            if edge.value > 1 and reading.items and not reading.options and not walk.there.isdisjoint(reading.items):
                new = reading.fork(edge.cost)  # "thêm một pizza gà giống vậy nhưng đế dày"
                new.flags |= MORE | AGAIN
                yield new
            new = self._open(reading, walk, edge.cost)
        new.flags |= MORE
        if edge.value and not new.number:
            new.number = 1
            new.flags |= ARTICLE  # "another two"
        if edge.value > 1:
            new.flags |= AGAIN
        new.touch(edge, start)
        yield new

    def _only(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.headless and not reading.options and not reading.talk:
            new = reading.fork(edge.cost)
            new.flags |= ONLY
            yield new
            return
        yield reading.fork(edge.cost + IDLE)
        counts = any(other.role is Role.NUMBER for other in walk.edges_at(start + edge.length))
        if (reading.joint in APART and counts) or (reading.flags & REMOVE and reading.items):
            new = self._open(reading, walk, edge.cost)  # "with prawns, and only one coconut"
            new.flags |= ONLY
            yield new
        if reading.number and reading.items and not reading.options and not walk.there.isdisjoint(reading.items):
            new = reading.fork(edge.cost)  # "trà đá lấy hai ly thôi"
            new.flags |= ONLY
            yield new

    def _correct(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.done is None and not reading.items and not reading.options and not reading.number:
            new = reading.fork(edge.cost)
            new.amount = None  # "no wait, I meant two lattes", of which there is one
            new.flags |= CORRECT if walk.order else 0
            yield new
            return
        if reading.headless and reading.options:
            yield self._retracted(reading, edge.cost)
        if reading.headless and reading.number and not reading.options:
            new = reading.fork(edge.cost + RETRACTED)  # "hai, à không, ba ly"
            new.number = 0
            yield new
        behind = any(other.role is Role.PAUSE for other in walk.edges_at(start + edge.length))
        closing = behind and reading.end == start and reading.joint == NONE  # "hai đen đá thôi, một nâu": no more than two
        new = self._open(reading, walk, edge.cost + (2 * IDLE if closing else 0.0))
        new.flags |= CORRECT
        yield new

    @staticmethod
    def _retracted(reading: Reading, cost: float) -> Reading:
        """Take back what was said before an item: "a small, no, medium white pizza"."""
        new = reading.fork(cost + RETRACTED)
        new.options, new.used, new.amount = (), 0, None
        return new

    def _cancel(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        named = list(self._taken_off(reading, edge, start, walk))  # "khoai tây thôi không lấy nữa"
        if named:
            yield from named
            return
        new = self._open(reading, walk, edge.cost)
        new.flags |= CANCEL
        new.touch(edge, start)
        yield self._close(new, walk)
        behind = walk.edges_at(start + edge.length)
        if any(other.role is Role.ITEM for other in behind) and not reading.talk:
            new = reading.fork(edge.cost)  # "bỏ hết bia": that alone
            new.amount, new.bare, new.carry = "no", True, False
            yield new

    def _all(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        if reading.flags & REPLACE and reading.items and not reading.options:
            yield reading.fork(edge.cost)  # "ba lon tiger đổi hết sang sài gòn"
            return
        new = (
            reading.fork(edge.cost)
            if reading.headless and not reading.options and (not reading.number or reading.flags & ALL)
            else self._open(reading, walk, edge.cost)
        )
        new.flags |= ALL
        new.number = new.number or edge.value  # "cả hai đều"
        yield new
        last = reading.options[-1] if reading.options else None
        if (
            last is not None
            and last.end == reading.end
            and reading.amount is None
            and reading.joint in {NONE, WITH, ONTO_NEXT}
            and not reading.flags & ALL
            and (len(reading.options) > 1 or reading.items)
        ):
            new = self._detach(reading, walk, edge.cost + EARLY_JOINED)  # "một hấp bia, một rang muối, đĩa to cả hai"
            new.flags, new.number = ALL, edge.value
            yield new
        behind_options = reading.headless and reading.options and not reading.number and reading.amount is None
        if behind_options and reading.joint not in {JOINED, WITH}:
            new = reading.fork(edge.cost)  # "ranch for both", "ít đường cả hai"
            new.flags |= ALL
            new.number = 0 if reading.flags & EACH else edge.value
            new.carry = False
            new.touch(edge, start)
            yield new

    def _each(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        whose = EVERYONE if edge.value else 0
        if reading.headless and not (reading.options and reading.number):
            new = reading.fork(edge.cost)  # "two of each", "a shot on each"
            new.flags |= ALL | EACH | whose
        else:
            ends = all(other.role in CLAUSE_END_KINDS for other in walk.edges_at(start + edge.length))
            named = whose or not (reading.options and reading.options[-1].end == reading.end)
            if ends and named and reading.items and not reading.flags & EACH:
                new = reading.fork(edge.cost)  # "hai trà đá mỗi người", "a large latte each"
                new.flags |= EACH | EVERYONE
                yield new
            new = self._open(reading, walk, edge.cost)
            new.flags |= ALL | EACH | whose
            last = reading.options[-1] if reading.options else None
            if last is not None and last.end == reading.end and reading.amount is None:
                late = self._detach(reading, walk, edge.cost + REFERENCE)  # "one with chicken, one with pork, and an egg on each"
                late.flags = ALL | EACH | whose
                yield late
        new.carry = False
        yield new

    def _people(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        new = self._open(reading, walk, edge.cost)
        new.flags, new.number = PEOPLE, edge.value
        new.touch(edge, start)
        yield self._close(new, walk)

    def _rest(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if not reading.base and not reading.items:
            yield from self._lose(reading, edge.at(TALK), start, walk)
            return
        counted = reading.headless and reading.number and not (reading.options or reading.flags & PLAIN)  # "hai phần còn lại"
        new = reading.fork(edge.cost) if counted else self._open(reading, walk, edge.cost)
        new.flags |= IS_PART | REST
        new.number = reading.number if counted else 1  # or more: what the other parts leave
        new.touch(edge, start)
        yield new

    def _share(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        """Read a share of a line: "six tacos, half on corn and half on flour"."""
        whole, done = reading.number if reading.items else 0, reading.done
        while done is not None and not whole:
            whole, done = done.value.number if done.value.items else 0, done.past
        if reading.talk or not whole or whole % edge.value:
            yield from self._lose(reading, edge.at(UNSAID), start, walk)
            return
        new = self._open(reading, walk, edge.cost)
        new.flags |= IS_PART
        new.number = whole // edge.value
        new.touch(edge, start)
        yield new

    def _plain(self, reading: Reading, edge: Arc, start: int, _: Walk) -> Iterator[Reading]:
        if reading.headless and reading.number and not reading.options and not reading.flags & ARTICLE:
            new = reading.fork(edge.cost)  # "and one plain"
            new.flags |= IS_PART | PLAIN
            new.touch(edge, start)
            yield new
        else:
            yield reading.fork(edge.cost + AIMLESS)

    def _ones(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        described = reading.headless and reading.options and reading.options[-1].end == start
        if described and reading.flags & ARTICLE and reading.base:
            new = reading.fork(edge.cost)  # "a paneer one as well": another line like the one before
            new.flags |= MORE
            new.touch(edge, start)
            yield new
        elif described and not reading.number and not reading.flags & ALL:
            new = reading.fork(edge.cost)  # "the large one"
            new.flags |= DESCRIBED
            new.touch(edge, start)
            yield new
        elif reading.items and reading.options and reading.options[-1].end == start and not walk.there.issuperset(reading.items):
            yield reading.fork(edge.cost)  # "a chicken pho, a large one with extra lime"
        elif reading.items and reading.end == start and (reading.flags & SET or not walk.there.isdisjoint(reading.items)):
            new = reading.fork(edge.cost)  # "the taro one"
            new.touch(edge, start)
            yield new
        else:
            yield from self._lose(reading, edge.at(UNSAID), start, walk)

    def _part(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        counted = reading.items and reading.number and not reading.options and not reading.flags & OPERATIONS
        if counted and not any(other.role is Role.NUMBER for other in walk.edges_at(start + edge.length)):
            new = reading.fork(edge.cost)  # "hai ly pepsi trong đó không đá"
            new.flags |= IS_PART
            yield new
            return
        if reading.headless and reading.number and reading.flags & MORE and not reading.options:
            new = reading.fork(edge.cost)  # "two more of those"
            new.flags |= AGAIN
            yield new
            return
        used = reading.headless and (not reading.options or reading.flags & IS_PART)
        new = reading.fork(edge.cost) if used else self._open(reading, walk, edge.cost)
        new.flags |= IS_PART
        yield new

    def _refer(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.bare and reading.amount is not None:
            new = self._open(reading, walk, edge.cost)
            new.cost -= DANGLING_AMOUNT if reading.items or reading.options or reading.number else 0.0
            new.amount, new.bare = None, False
            new.flags |= REMOVE | REFER
            new.touch(edge, start)
            yield new
        if reading.items and not reading.options and not reading.flags & ~CLASSIFIED and not walk.there.isdisjoint(reading.items):
            new = reading.fork(edge.cost)  # "hai ly sinh tố lúc nãy"
            new.items = tuple([item for item in reading.items if item in walk.there])
            new.flags |= REFER
            yield new
        yield reading.fork(edge.cost)

    def _inquiry(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        new = self._open(reading, walk, edge.cost + TALK_WORD)
        new.talk = True
        new.lose(edge, start)
        yield new

    def _classifier(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.headless and reading.number and not reading.options and not reading.flags & CLASSIFIED:
            new = reading.fork(edge.cost)
            new.flags |= CLASSIFIED
            yield new
        else:
            named = any(other.role is Role.OPTION for other in walk.edges_at(start))  # "pizza lon": a large one, no can
            yield reading.fork(edge.cost + (UNCOUNTED if named else 0.0))
