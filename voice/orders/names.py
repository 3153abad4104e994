"""What items, options, numbers and amounts do to a reading."""

from collections.abc import Iterator, Sequence
from typing import Final

from schemas import Amount
from voice.orders.costs import (
    ABSENT,
    ACROSS_JOIN,
    ACROSS_STOP,
    ADDED_BARE,
    ADDED_ITEM,
    AIMLESS,
    BARE_ITEM,
    CARRIED_BARE,
    CONFLICT,
    COUNTABLE,
    COUNTED,
    COUNTED_ONE,
    DANGLING_AMOUNT,
    DANGLING_NUMBER,
    EARLY,
    EARLY_JOINED,
    HEAD_AGAIN,
    IDLE,
    JOINED_ITEM,
    LESS_LIKELY,
    MISHEARD,
    NOT_CARRIED,
    ONE_AMOUNT,
    PART,
    PLURAL_ALONE,
    POSTPOSED,
    POSTPOSED_BARE,
    REFERENCE,
    RETRACTED,
    SEGMENT,
    SEPARATED,
    TALK_WORD,
    UNDECIDED_OPTION,
    UNFIT,
    UNSAID,
)
from voice.orders.groups import Groups
from voice.orders.lattice import NO
from voice.orders.lexicon import NAMING, Arc, ChoiceRef, Role
from voice.orders.search import (
    ADDED,
    ALL,
    ALSO,
    ANY_ONE,
    APART,
    ARTICLE,
    BREAK,
    CLASSIFIED,
    CORRECT,
    EACH,
    INTO,
    IS_PART,
    JOINED,
    LISTED,
    MORE,
    MULTIPLIED,
    NONE,
    NOT_THAT,
    ONLY,
    ONTO_NEXT,
    PAUSED,
    POST,
    REMOVE,
    REPLACE,
    SET,
    WITH,
    Group,
    Reading,
    Spoken,
    Walk,
)
from voice.orders.words import is_punctuation, singular

COUNTED_KINDS: Final = frozenset({Role.ITEM, Role.OPTION, Role.CLASSIFIER, Role.AMOUNT, Role.MORE})  # what may stand behind a number
CLAUSE_END_KINDS: Final = frozenset({Role.PAUSE, Role.STOP, Role.FILLER, Role.REQUEST})
MAX_CORRECTION: Final = 2  # tokens between a choice and the one that replaces it: ", à"
OPENINGS: Final = {WITH: ADDED, ONTO_NEXT: ADDED, JOINED: ALSO}  # what a joint says of the number behind it


class Names(Groups):
    """Steps of a reading over what is ordered: items, options, numbers, amounts."""

    def _lose(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        new = reading.fork(TALK_WORD if reading.talk else edge.cost)
        new.own = reading.own + SEGMENT
        if reading.amount != "no" or edge.role is Role.UNUSED:
            new.amount = None  # it was said of the unknown word; "no" may have a verb: "đừng chan mỡ hành"
        new.lose(edge, start)
        yield new
        if new.amount is not None and not any(other.role is Role.OPTION for other in walk.edges_at(start + edge.length)):
            new = new.fork(IDLE)
            new.amount = None  # "no anchovies", of which there are none
            yield new

    def _talked(self, reading: Reading, edge: Arc, start: int) -> Reading:
        new = reading.fork(TALK_WORD)
        new.lose(edge, start)
        return new

    def _number(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield self._talked(reading, edge, start)
            return
        if edge.cost > MISHEARD and not any(other.role in COUNTED_KINDS for other in walk.edges_at(start + edge.length)):
            return  # "iced for him"
        if reading.items and self._counts_unknown(reading, edge, start, walk):
            yield from self._lose(reading, edge, start, walk)
            return
        article = ARTICLE if edge.role is Role.ARTICLE else 0
        near = reading.amount == "no" and not reading.bare and reading.number and reading.end >= start - 2
        if near and reading.headless and not reading.options and not article:
            new = reading.fork(edge.cost + RETRACTED)  # "three, no, four lattes"
            new.amount = None
            yield self._count(new, edge, start, 0)
        yield from self._number_of_options(reading, edge, start, walk)
        empty = reading.headless and not reading.options and (not reading.number or (reading.flags & ARTICLE and not article))
        apart = reading.joint in APART and reading.flags & ALL
        if empty and not apart and not (reading.amount is not None and reading.joint in LISTED):
            new = reading.fork(edge.cost)
        else:
            made = article and reading.flags & SET and reading.items and reading.joint == NONE  # "make that coke a large", a sprite
            onto = reading.joint == ONTO_NEXT and reading.headless and reading.options  # "an egg in one of them"
            new = self._open(reading, walk, edge.cost + (BARE_ITEM if made else REFERENCE if onto else 0.0))
            counted = reading.headless and reading.number and not reading.options  # "bớt một ly còn ba": the amount was of that number
            if reading.amount is not None and reading.joint not in LISTED and not counted:  # "remove two lattes"
                new.amount, new.bare = reading.amount, reading.bare
                new.cost -= DANGLING_AMOUNT
        new.flags &= ~ARTICLE
        if new.amount == "no" and not new.bare:
            corrects = reading.items and reading.number and self._answers_no(edge, start, walk)  # "two lattes, no, three"
            new.amount = None if corrects else "no"
            new.flags |= CORRECT if corrects else NOT_THAT  # unless something follows that is counted
        yield self._count(new, edge, start, article | OPENINGS.get(reading.joint, 0))
        if article:
            if reading.items and reading.flags & (SET | INTO | REPLACE):
                yield reading.fork(edge.cost)  # "make that coke a large"
        elif (
            reading.items
            and not reading.number
            and reading.amount is None
            and not reading.flags & (ALL | INTO)
            and (not reading.flags & SET or walk.there.issuperset(reading.items))  # "make the colas three"
        ):
            classified = reading.joint == MULTIPLIED or any(other.role is Role.CLASSIFIER for other in walk.edges_at(start + edge.length))
            anew = reading.joint == BREAK and not is_punctuation(walk.spoken[start - 1].surface) and walk.there.issuperset(reading.items)
            flags = POST | ONLY if anew else POST  # "trà vải cho ba ly", of which there are two
            yield self._count(reading.fork(edge.cost + (POSTPOSED if classified else POSTPOSED_BARE)), edge, start, flags)

    def _answers_no(self, edge: Arc, start: int, walk: Walk) -> bool:
        """Tell whether the "no" before a number takes back the number before: where it is no "not", and no option follows."""
        behind = {other.role for other in walk.edges_at(start + edge.length)}
        return walk.spoken[start - 1].surface in self.lexicon.statements.noes and (Role.OPTION not in behind or Role.ITEM in behind)

    @staticmethod
    def _counts_unknown(reading: Reading, edge: Arc, start: int, walk: Walk) -> bool:
        """Tell whether a number behind an item counts something that is not on the menu: "coffee with two creams"."""
        behind = start + edge.length
        if behind >= len(walk.spoken) or any(other.role is not Role.UNKNOWN for other in walk.edges_at(behind)):
            return False
        if edge.role is Role.ARTICLE or any(other.role in NAMING for other in walk.edges_at(behind + 1)):
            return False
        surface = walk.spoken[behind].surface
        return reading.joint in {WITH, JOINED} or (edge.value > 1 and surface != singular(surface))

    @staticmethod
    def _count(reading: Reading, edge: Arc, start: int, flags: int) -> Reading:
        reading.number = edge.value
        reading.flags |= flags
        reading.carry = False
        reading.touch(edge, start)
        return reading

    def _number_of_options(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        """Read a number that goes with options: before it, or behind it."""
        article = edge.role is Role.ARTICLE
        last = reading.options[-1] if reading.options else None
        if last is not None and reading.headless and not reading.number:
            if not reading.flags and reading.done is None:  # "with jalapeños one bacon burger"
                yield self._count(reading.fork(edge.cost + PART), edge, start, ARTICLE if article else 0)
            if reading.joint == ONTO_NEXT:  # "whipped cream on one of them"
                yield self._count(reading.fork(edge.cost), edge, start, IS_PART)
        if last is not None and reading.joint == ONTO_NEXT and last.end == reading.end and edge.value < reading.number and reading.items:
            new = self._detach(reading, walk, edge.cost + EARLY_JOINED)  # "three shakes, whipped cream on one of them"
            yield self._count(new, edge, start, IS_PART)
        if reading.amount is None and self._counts_portions(reading, edge, start, walk):
            one_of_several = edge.value < reading.number and reading.joint != WITH
            new = reading.fork(edge.cost + (0.0 if article else COUNTED_ONE if one_of_several else COUNTED))
            new.count = ANY_ONE if article else edge.value
            yield new
        if last is not None and last.end == reading.end and self._counts_last(reading, last, edge, start, walk):
            new = reading.fork(edge.cost + POSTPOSED)  # "trân châu hai phần"
            new.options = (*reading.options[:-1], last._replace(portions=edge.value))
            new.touch(edge, start)
            yield new

    def _counts_portions(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> bool:
        """Tell whether a number may count portions of the option behind it: "with two shots"."""
        if edge.value == NO or reading.flags & REPLACE:
            return False
        position = start + edge.length
        behind = walk.edges_at(position)
        classified = [position + other.length for other in behind if other.role is Role.CLASSIFIER]
        for place in classified:
            behind = behind + walk.edges_at(place)
        if not any(other.role is Role.OPTION or (other.role is Role.AMOUNT and other.value == "extra") for other in behind):
            return False
        added, has_item = reading.joint == WITH, bool(reading.items)
        if edge.role is Role.ARTICLE:
            if any(other.role is Role.AMOUNT and other.value == "extra" for other in behind):
                return has_item  # "and an extra shot"
            if classified:
                return False  # "with a side of": a line of its own
            if added or (reading.joint == ONTO_NEXT and (has_item or reading.number)):  # "on a croissant"
                return has_item or reading.number > 0 or reading.flags & (ALL | SET) > 0
            return reading.joint == JOINED and has_item and self._goes_on(reading, position, walk)
        if has_item or (reading.flags & SET and reading.options):
            listed = bool(reading.options) and reading.options[-1].portions > 1
            return added or listed or not classified or edge.value > max(1, reading.number)
        if reading.number and reading.flags & CLASSIFIED and classified and not reading.options and reading.done is not None:
            return True  # "hai bát cháo, một bát hai cái quẩy"
        if reading.number:
            return added and not reading.flags & ARTICLE
        return added or reading.flags & (MORE | ONLY | CORRECT) > 0

    def _counts_last(self, reading: Reading, last: Spoken, edge: Arc, start: int, walk: Walk) -> bool:
        """Tell whether a number with a classifier counts portions of the option before it: the line has its own, and the clause ends."""
        if not reading.number or reading.flags & ARTICLE or edge.role is Role.ARTICLE or edge.value == NO:
            return False
        if (
            reading.joint in {JOINED, BREAK}
            or last.amount is not None
            or last.portions > 1
            or all(entry.bit & self._one for entry in last.entries)
        ):
            return False
        behind = start + edge.length
        ends = [behind + other.length for other in walk.edges_at(behind) if other.role is Role.CLASSIFIER]
        if reading.joint == MULTIPLIED:
            ends.append(behind)
        return any(all(other.role in CLAUSE_END_KINDS for other in walk.edges_at(end)) for end in ends)

    @staticmethod
    def _is_dual(options: Sequence[Spoken], walk: Walk) -> bool:
        """Tell whether the last option might have been an item: then an item behind it may be an option, too."""
        last = options[-1] if options else None
        return last is not None and any(
            edge.role is Role.ITEM and edge.length == last.end - last.start for edge in walk.edges_at(last.start)
        )

    def _goes_on(self, reading: Reading, start: int, walk: Walk) -> bool:
        """Tell whether an item that begins here may be one more choice of the line: "a combo with slaw and a diet coke"."""
        return self._is_dual(reading.options, walk) or self._fills(reading, start, walk)

    def _fills(self, reading: Reading, start: int, walk: Walk) -> bool:
        """Tell whether what begins here may be of a group that the line still lacks, behind another choice."""
        if not reading.options or reading.options[-1].amount or not all(entry.bit & self._one for entry in reading.options[-1].entries):
            return False
        lacking = 0
        for item in reading.items:
            lacking |= self._mask[item] & self._one & ~reading.used
        return any(
            entry.bit & lacking for edge in walk.edges_at(start) if edge.role is Role.OPTION and not edge.part for entry in edge.value
        )

    def _portion(self, reading: Reading, edge: Arc, start: int, _: Walk) -> Iterator[Reading]:
        new = reading.fork(edge.cost)
        if not reading.talk:
            new.count = edge.value
            new.say_amount(edge, start, negative=False)
        yield new

    def _amount(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield reading.fork(edge.cost)
            return
        amount: Amount = edge.value
        last = reading.options[-1] if reading.options else None
        if last is not None and last.end == reading.end and last.amount is None and len(last.entries) > 1:
            measured = tuple(self.lexicon.measured(amount, walk.spoken, last.start, last.end))
            if measured:  # the amount behind its noun: "đường thì ít thôi"
                new = reading.fork(edge.cost)
                new.options = (*reading.options[:-1], last._replace(entries=measured))
                new.touch(edge, start)
                yield new
        if reading.amount == "no" and amount == "extra":
            amount = "regular"
            new = reading.fork(edge.cost)
        else:
            new = reading.fork(edge.cost + (DANGLING_AMOUNT if reading.amount is not None else 0.0))
        new.amount = amount
        new.bare = False
        new.carry = False
        if amount == "regular" and reading.amount == "no":
            new.use_amount()  # "no extra"
        new.say_amount(edge, start, negative=amount == "no")
        yield new

    def _after(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        last = reading.options[-1] if reading.options else None
        apart = reading.joint in APART
        known = tuple([item for item in reading.items if item in walk.there])
        named = any(other.role in NAMING for other in walk.edges_at(start + edge.length))
        if known and edge.value == "no" and not (reading.options or apart or named) and reading.end == start:
            new = reading.fork(edge.cost + IDLE)  # "take the lemonade off"
            new.items = known
            new.flags |= REMOVE
            new.touch(edge, start)
            yield new
            return
        if (
            last is None
            or last.end != reading.end
            or (last.amount is not None and (last.amount, edge.value) != ("extra", "no"))  # "take the extra garlic off"
            or apart
            or any(entry.bit & self._one for entry in last.entries)
        ):
            yield from self._lose(reading, edge.at(UNSAID), start, walk)
            return
        new = reading.fork(edge.cost + IDLE)  # "mỡ hành nhiều vô", "take the anchovies off"
        new.options = (*reading.options[:-1], last._replace(amount=edge.value))
        new.touch(edge, start)
        yield new

    def _option(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield self._talked(reading, edge, start)
            return
        amount = reading.amount
        bare = IDLE if reading.bare and amount is not None else 0.0
        joint = reading.joint
        found: tuple[ChoiceRef, ...] = edge.value
        carries = reading.carry and not all(entry.bit & self._one for entry in found)
        if amount is None and carries and joint != WITH:
            carried = self._spoken(found, "no", edge, start, walk)
            cost = min(edge.cost, HEAD_AGAIN) if carried.amount is None else edge.cost
            yield from self._attach(reading, carried, edge, start, walk, cost + (0.0 if joint in LISTED else CARRIED_BARE))
            extra = NOT_CARRIED if joint in LISTED else 0.0
        else:
            extra = 0.0
        if reading.bare and amount == "no" and reading.headless and not reading.options and walk.order:
            new = reading.fork(edge.cost)  # "take off the small fries": which line is meant
            new.amount, new.bare = None, False
            new.flags |= REMOVE
            self._put(new, Spoken(found, None, 1, start, start + edge.length, edge.cost), edge, start)
            yield new
        spoken = self._spoken(found, amount, edge, start, walk)
        if spoken.amount == amount:
            yield from self._attach(reading, spoken, edge, start, walk, edge.cost + extra + bare)
            return
        # "no" + "ice" says the whole name "no ice".
        yield from self._attach(reading, spoken, edge, start, walk, min(edge.cost, HEAD_AGAIN) + extra + bare)
        if not {entry.group for entry in found} <= {entry.group for entry in spoken.entries}:  # "no sugar" of what has no levels of it
            plain = Spoken(found, amount, 1, start, start + edge.length, edge.cost)
            yield from self._attach(reading, plain, edge, start, walk, edge.cost + LESS_LIKELY + extra + bare)

    def _spoken(self, found: tuple[ChoiceRef, ...], amount: Amount | None, edge: Arc, start: int, walk: Walk) -> Spoken:
        if amount is not None:
            measured = self.lexicon.measured(amount, walk.spoken, start, start + edge.length)
            if measured:
                found, amount = tuple(measured), None
        return Spoken(found, amount, 1, start, start + edge.length, edge.cost)

    def _attach(self, reading: Reading, option: Spoken, edge: Arc, start: int, walk: Walk, cost: float) -> Iterator[Reading]:
        """Put an option where it may belong: on the present line, on the next one, on the one before."""
        joint = reading.joint
        negative = option.amount == "no"
        if reading.options and reading.options[-1].end == start and option.amount is None:
            head_only = edge.part and edge.length == 1 and not any(other.role is Role.NUMBER for other in walk.edges_at(start))
            same = self._same(reading.options[-1], option, head_only=head_only)
            if same:
                new = reading.fork(min(HEAD_AGAIN, cost) if head_only else cost)
                new.options = (*reading.options[:-1], reading.options[-1]._replace(entries=same, end=start + edge.length))
                new.touch(edge, start)
                yield new
                return
        if (option.amount in {"light", "extra", "regular"} or (reading.bare and walk.order and reading.headless)) and all(
            entry.bit & self._one for entry in option.entries
        ):
            cost += ONE_AMOUNT
        cost += UNDECIDED_OPTION if not negative and len({entry.group for entry in option.entries}) < len(option.entries) else 0.0
        if reading.count:
            one_of = all(entry.bit & self._one for entry in option.entries)
            if one_of and reading.count != ANY_ONE:
                return
            option = option._replace(portions=abs(reading.count), amount=None if option.amount == "extra" else option.amount)
        if reading.headless:
            yield from self._attach_to_open_group(reading, option, edge, start, walk, cost)
            return
        fitting = tuple([item for item in reading.items if self.takes(item, option)])
        if fitting and not reading.flags & (REPLACE if not reading.options else 0):
            left = ACROSS_JOIN if joint in LISTED else ACROSS_STOP if joint == BREAK else 0.0
            new = reading.fork(cost + left + self._conflict(reading, fitting, option, joint))
            new.items = fitting
            self._put(new, option, edge, start)
            yield new
        elif (
            fitting and walk.there.issuperset(fitting) and not any(other.role is Role.INTO for other in walk.edges_at(start + edge.length))
        ):
            new = reading.fork(cost + REFERENCE)  # "trà đào đổi lại size M"
            new.flags = (new.flags & ~REPLACE) | SET
            self._put(new, option, edge, start)
            yield new
        waits = walk.last_item > start and any(entry.bit & self.taken_behind(start, walk) for entry in option.entries)
        if not fitting or waits:
            new = self._open(reading, walk, cost + (self._early(joint, edge, start, walk) if fitting else EARLY_JOINED))
            if reading.amount is not None:
                new.cost -= DANGLING_AMOUNT
            self._put(new, option, edge, start)
            yield new

    def _attach_to_open_group(self, reading: Reading, option: Spoken, edge: Arc, start: int, walk: Walk, cost: float) -> Iterator[Reading]:
        """Put an option behind a number or other options, whose item is still to come or stands before."""
        joint = reading.joint
        base = reading.done.value if reading.done is not None else None
        counts = reading.number > max(1, base.number if isinstance(base, Group) else 0) and not reading.options and joint != WITH
        if counts and option.amount in {None, "extra"} and not all(entry.bit & self._one for entry in option.entries):
            cost += COUNTABLE
        if reading.number > 1 and not reading.options and joint in APART:
            cost += SEPARATED
        again = all(entry.bit & self._one & reading.used for entry in self._offered(option.entries, reading.base))
        replaces = REFERENCE if self._replaces_last(reading, option, joint) else CONFLICT
        new = reading.fork(cost + (replaces if again else 0.0))
        self._put(new, option, edge, start)
        yield new
        if again:
            new = self._open(reading, walk, cost + EARLY_JOINED)  # "hai ly vừa, ly lớn thêm sầu riêng"
            self._put(new, option, edge, start)
            yield new

    def _early(self, joint: int, edge: Arc, start: int, walk: Walk) -> float:
        """Return what it costs that an option which the line before could have belongs to the one behind."""
        behind = walk.edges_at(start + edge.length)
        if joint in APART:
            return EARLY_JOINED if any(other.role in NAMING for other in behind) else EARLY
        nouns = [item for other in behind if other.role is Role.ITEM and not other.part for item in other.value]
        taken = any(entry.bit & self._mask[item] for entry in edge.value for item in nouns)
        said = walk.spoken[start : start + edge.length]
        adjective = taken and all(token.surface in self.lexicon.before_nouns for token in said)
        return EARLY_JOINED if adjective else EARLY  # "breaded haddock small chips"

    def _detach(self, reading: Reading, walk: Walk, cost: float) -> Reading:
        """Begin a new group with the last option of the present one."""
        last = reading.options[-1]
        before = reading.fork(0.0)
        before.options = reading.options[:-1]
        new = self._open(before, walk, cost)
        new.options, new.start, new.end = (last,), last.start, last.end
        return new

    def _offered(self, entries: tuple[ChoiceRef, ...], items: tuple[str, ...]) -> tuple[ChoiceRef, ...]:
        """Return those choices that some of the items offer; all, where none does."""
        return tuple([entry for entry in entries if any(entry.bit & self._mask.get(item, 0) for item in items)]) or entries

    @staticmethod
    def _same(before: Spoken, option: Spoken, *, head_only: bool) -> tuple[ChoiceRef, ...]:
        """Return what two adjacent phrases for one thing mean together; nothing where they are two things.

        "cheddar cheese", where either may stand alone; "ranch dressing", where "dressing" only ever ends other names.
        """
        common = tuple([entry for entry in option.entries if entry in before.entries])
        if common:
            return common if len(common) < max(len(before.entries), len(option.entries)) else ()
        groups_before = {entry.group for entry in before.entries}
        return before.entries if head_only and any(entry.group in groups_before for entry in option.entries) else ()

    def _put(self, reading: Reading, option: Spoken, edge: Arc, start: int) -> None:
        reading.options = (*reading.options, option)
        reading.flags &= ~NOT_THAT
        for entry in option.entries:
            reading.used |= entry.bit
        reading.use_amount()
        reading.carry = option.amount == "no" or (reading.amount == "no" and option.amount is None)
        reading.amount = None
        reading.bare = False
        reading.count = 0
        reading.touch(edge, start)

    def _replaces_last(self, reading: Reading, option: Spoken, joint: int) -> bool:
        """Tell whether an option corrects the choice said right before it: of the same one-of group, and of one thing."""
        last = reading.options[-1] if reading.options else None
        if last is None or joint in {JOINED, WITH} or last.end < option.start - MAX_CORRECTION or last.amount or option.amount:
            return False
        groups = {entry.group for entry in last.entries if entry.bit & self._one}
        near = reading.number <= 1 if reading.items else last.end == option.start
        return near and all(entry.group in groups for entry in option.entries)

    def _conflict(self, reading: Reading, fitting: tuple[str, ...], option: Spoken, joint: int) -> float:
        mask = 0
        for item in fitting:
            mask |= self._mask[item]
        free = any(entry.bit & mask and not entry.bit & self._one & reading.used for entry in option.entries)
        if free:
            return 0.0
        return REFERENCE if self._replaces_last(reading, option, joint) else CONFLICT

    def _item(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        if reading.talk:
            yield self._talked(reading, edge, start)
            return
        items: tuple[str, ...] = edge.value
        if reading.joint == ONTO_NEXT or reading.amount == "no" or reading.flags & (REMOVE | REPLACE | SET | ALL | IS_PART | MORE):
            there = walk.mentioned(reading)
            if there.isdisjoint(items):
                known = tuple([item for item in there if self.lexicon.says_part(item, walk.spoken, start, start + edge.length)])
                if known:  # "jalapeños on the burrito", where there is a burrito combo on the order, and a burrito on the menu
                    items, edge = known, Arc(edge.length, edge.role, known, max(edge.cost, SEGMENT + HEAD_AGAIN), part=True)
        if reading.flags & SET and reading.items and not reading.number and not walk.there.isdisjoint(reading.items):
            new = reading.fork(0.0)  # "make the large coke a diet coke"
            new.flags = (reading.flags & ~SET) | REPLACE
            new.items = tuple([item for item in reading.items if item in walk.there])
            new = self._open(new, walk, edge.cost + REFERENCE)
            new.flags |= INTO
            self._head(new, items, edge, start)
            yield new
        if reading.items and reading.amount is None and reading.end >= start - (1 if len(reading.items) > 1 else 0):
            same = tuple([item for item in items if item in reading.items])
            if same:  # two words for one thing: "pizza pie"; two parts of its name, and one word between that is not: "phở bò tái"
                new = reading.fork(min(edge.cost, HEAD_AGAIN) + self._uncounted(reading, edge))
                new.items = same
                new.touch(edge, start)
                yield new
        options = reading.options
        if reading.joint == ONTO_NEXT and options and options[-1].end == reading.end and (reading.items or len(options) > 1):
            known = tuple([item for item in items if item in walk.mentioned(reading)])
            if known:
                new = self._detach(reading, walk, edge.cost + EARLY_JOINED)  # "large, and no mushrooms on the supreme"
                new.flags = SET
                self._head(new, known, edge, start)
                yield new
        if reading.amount == "no":
            yield self._taken(reading, items, edge, start, walk)
        elif reading.headless:
            yield from self._item_of_open_group(reading, items, edge, start, walk)
        else:
            yield from self._item_behind_line(reading, items, edge, start, walk)

    def _ordinal(self, reading: Reading, edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        """Read "the second one" as that line's item."""
        place: int = edge.value
        if reading.flags & EACH:
            yield reading.fork(edge.cost + AIMLESS)  # "mỗi thứ hai ly": two of each, not of the second
            return
        said = walk.said(reading)
        if len(said) > 1 and place <= len(said):  # "a latte and a mocha, the first one iced"
            yield from self._item(reading, edge.of((said[place - 1 if place > 0 else place],)), start, walk)
        elif 0 < place <= len(walk.order) or (place < 0 and walk.order):
            line = place - 1 if place > 0 else len(walk.order) + place
            for new in self._item(reading, edge.of((walk.order[line],)), start, walk):
                if new.items:
                    new.line = line
                yield new
        else:
            yield from self._lose(reading, edge.at(edge.cost + IDLE), start, walk)

    def _item_of_open_group(self, reading: Reading, items: tuple[str, ...], edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        """Read an item behind a number or options: they are its own, or there are two groups."""
        joint = reading.joint
        fitting, cost = self._fitting(reading, items, edge, walk)
        if fitting and not (joint == ONTO_NEXT and reading.flags & REMOVE):  # "bỏ sầu riêng trong chè thái" leaves the chè
            dangling = 0.0 if reading.amount is None else UNFIT if reading.amount == "no" else DANGLING_AMOUNT
            apart = self._apart(reading, start, walk) + dangling
            new = reading.fork(cost + apart + self._uncounted(reading, edge))
            if reading.options and joint == ONTO_NEXT:
                new.flags |= SET  # "put onions on the pizza": one that is there already
            self._head(new, fitting, edge.at(cost) if cost < edge.cost else edge, start)
            yield new
            there = walk.mentioned(reading) if joint == ONTO_NEXT else walk.there
            known = tuple([item for item in fitting if item in there])
            if known and edge.part and not reading.number and (not reading.options or joint == ONTO_NEXT):
                cut = self._cut_short(edge, known, walk)
                new = reading.fork(cut + apart + REFERENCE)  # "bia lấy ba lon thôi"
                new.flags |= SET if reading.options else 0
                exact = all(self.lexicon.says_part(item, walk.spoken, start, start + edge.length) for item in known)
                self._head(new, known, edge.at(cut) if exact else edge, start)
                yield new
            if known and (len(known) < len(fitting) or (reading.options and joint == WITH)):
                new = reading.fork(edge.cost + REFERENCE + (0.0 if joint == WITH else apart))
                new.flags |= SET if reading.options else 0
                self._head(new, known, edge, start)
                yield new
        if reading.options or not fitting:
            apart = JOINED_ITEM if reading.number and not reading.flags & ARTICLE else 0.0
            yield self._line(
                reading, items, edge, start, walk, ADDED_ITEM if joint == WITH else BARE_ITEM if joint in {NONE, ONTO_NEXT} else apart
            )

    def _fitting(self, reading: Reading, items: tuple[str, ...], edge: Arc, walk: Walk) -> tuple[tuple[str, ...], float]:
        """Return which of the items an open group may have, and what that costs."""
        cost, fitting = edge.cost, items
        if reading.options:
            fitting = tuple([item for item in items if all(self.takes(item, option) for option in reading.options)])
        there = walk.mentioned(reading) if reading.flags & (SET | REPLACE | ALL | REMOVE | MORE) and not reading.flags & EACH else set()
        present = tuple([item for item in fitting if item in there])
        if reading.flags & (SET | REPLACE | ALL | REMOVE) and not reading.flags & EACH:
            if present:
                cost = self._cut_short(edge, present, walk)
            elif reading.flags & (REPLACE | ALL):
                cost += AIMLESS
            if present or not reading.flags & (SET | REPLACE) or (reading.flags & REPLACE and not reading.base):
                fitting = present
        elif edge.part and len(present) == 1:  # "one more sandwich"
            cost, fitting = self._cut_short(edge, present, walk), present
        source = reading.done.value if reading.flags & INTO and reading.done is not None else None
        if isinstance(source, Group) and source.flags & REPLACE:
            if source.options and not source.items:
                fitting = ()  # an option is changed into an option
            elif edge.part and source.items:
                kinds = {self.lexicon.menu.items[item].category for item in source.items} - {None}
                alike = tuple([item for item in fitting if self.lexicon.menu.items[item].category in kinds])
                if alike:  # "the pilau rice for boiled"
                    fitting, cost = alike, min(cost, SEGMENT + HEAD_AGAIN)
        return fitting, cost

    def _apart(self, reading: Reading, start: int, walk: Walk) -> float:
        """Return what it costs that something stands between a number or options and their item."""
        joint, flags = reading.joint, reading.flags
        if reading.options:
            if flags & ALL and (joint in {PAUSED, JOINED, WITH} or reading.end < start - 1):
                return SEPARATED + REFERENCE
            return SEPARATED if joint in {PAUSED, JOINED, WITH} else 0.0
        if not reading.number:
            return 0.0
        if flags & ARTICLE:
            if joint in APART:
                return SEPARATED
            if flags & (ADDED | ALSO) and not flags & CLASSIFIED:
                return self._added(reading, start, walk)
            return ADDED_ITEM if self._takes_place(reading, start, walk) else 0.0
        for place in range(max(0, reading.start), reading.end):
            sizes = [other for other in walk.edges_at(place) if other.role is Role.OPTION and place + other.length == reading.end]
            if any(not other.part and other.cost <= SEGMENT for other in sizes):
                return PART + REFERENCE  # "a dozen wings", where wings come by the dozen
        # "make that two, and a coke"; "one with pepperoni", where that is a pizza too
        return SEPARATED if joint in APART else ADDED_ITEM if joint == WITH else 0.0

    def _takes_place(self, reading: Reading, start: int, walk: Walk) -> bool:
        """Tell whether what begins here may take the place of a choice that was just taken back: "instead of the coke a dr pepper"."""
        base = reading.done.value if reading.done is not None else None
        if not isinstance(base, Group) or base.items or not base.options or base.options[-1].amount != "no":
            return False
        groups = {entry.group for entry in base.options[-1].entries if entry.bit & self._one}
        return any(entry.group in groups for edge in walk.edges_at(start) if edge.role is Role.OPTION for entry in edge.value)

    def _added(self, reading: Reading, start: int, walk: Walk) -> float:
        """Return what it costs to take "with a lemonade" for a line of its own, or "and a lemonade" behind such an option."""
        if reading.flags & ADDED:
            return ADDED_ITEM
        base = reading.done.value if reading.done is not None else None
        if not isinstance(base, Group) or not base.items or not self._is_dual(base.options, walk):
            return 0.0
        options = [edge.value for edge in walk.edges_at(start) if edge.role is Role.OPTION and not edge.part]
        taken = any(entry.bit & self._mask[item] for entries in options for entry in entries for item in base.items)
        return ADDED_ITEM if taken else 0.0

    def _item_behind_line(self, reading: Reading, items: tuple[str, ...], edge: Arc, start: int, walk: Walk) -> Iterator[Reading]:
        """Read an item behind a line: another line, or another one that something is done to."""
        joint = reading.joint
        bare = REFERENCE if reading.flags & POST else JOINED_ITEM if joint in {PAUSED, JOINED, BREAK} else BARE_ITEM
        if joint == WITH or (joint == JOINED and self._goes_on(reading, start, walk)):
            offered = [one for other in walk.edges_at(start) if other.role is Role.OPTION for one in other.value]
            if any(one.bit & self._mask[item] for one in offered for item in reading.items):
                bare = ADDED_BARE  # "bowl with rice and beans"
        there = walk.mentioned(reading) if joint == ONTO_NEXT else walk.there
        known = tuple([item for item in items if item in there])
        if joint == ONTO_NEXT and known:
            bare += BARE_ITEM  # "no ice in the Thai tea": not another one
        yield self._line(reading, items, edge, start, walk, bare)
        if known and edge.part and joint in APART:
            cut = edge.at(self._cut_short(edge, known, walk))
            yield self._line(reading, known, cut, start, walk, bare + REFERENCE)
        elif known and len(known) < len(items):
            yield self._line(reading, known, edge, start, walk, bare + REFERENCE)
        if (
            reading.flags & REMOVE and joint in {PAUSED, JOINED} and known and not set(known) <= set(reading.items)
        ):  # "remove the salad and the soda"
            new = self._line(reading, known, edge, start, walk, 0.0)
            new.flags |= REMOVE
            yield new

    def _line(self, reading: Reading, items: tuple[str, ...], edge: Arc, start: int, walk: Walk, cost: float) -> Reading:
        new = self._open(reading, walk, edge.cost + cost)
        new.cost += self._uncounted(new, edge)
        self._head(new, items, edge, start)
        return new

    @staticmethod
    def _uncounted(reading: Reading, edge: Arc) -> float:
        return PLURAL_ALONE if edge.plural and (reading.number == 0 or reading.flags & ARTICLE) else 0.0

    def _head(self, reading: Reading, items: tuple[str, ...], edge: Arc, start: int) -> None:
        reading.items = items
        if reading.count:  # portions of what? "có một cái bánh xèo"
            reading.cost += DANGLING_NUMBER
            reading.count = 0
        reading.flags &= ~NOT_THAT
        reading.item_cost = edge.cost - SEGMENT
        reading.amount = None
        reading.amount_at = -1
        reading.carry = False
        reading.touch(edge, start)

    def _taken(self, reading: Reading, items: tuple[str, ...], edge: Arc, start: int, walk: Walk) -> Reading:
        """Take something off the order."""
        present = walk.mentioned(reading)
        known = tuple([item for item in items if item in present])
        number, flags = reading.number, reading.flags
        cost = self._cut_short(edge, known, walk) if known else edge.cost + ABSENT + (DANGLING_NUMBER if reading.number else 0.0)
        if reading.headless and not reading.options:
            new = reading.fork(cost)
        else:
            new = self._open(reading, walk, cost + REFERENCE)
            new.cost -= DANGLING_AMOUNT
            number, flags = 0, 0
        new.number = 0 if flags & ARTICLE else number
        new.flags |= REMOVE
        self._head(new, known or items, edge, start)
        new.carry = False
        return new

    @staticmethod
    def _cut_short(edge: Arc, known: Sequence[str], walk: Walk) -> float:
        """Return the cost of a name where only what is on the order can be meant: a part of it is enough."""
        return min(edge.cost, SEGMENT + HEAD_AGAIN) if edge.part and walk.there.issuperset(known) else edge.cost
