"""The search steps for items, options, numbers and amounts."""

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
    QUESTION_WORD,
    REFERENCE,
    RETRACTED,
    SEGMENT,
    SEPARATED,
    UNDECIDED_OPTION,
    UNFIT,
    UNREAD_NAME,
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
    Parse,
    SearchSpace,
    SpokenOption,
)
from voice.orders.words import is_punctuation, singular

COUNTED_KINDS: Final = frozenset({Role.ITEM, Role.OPTION, Role.CLASSIFIER, Role.AMOUNT, Role.MORE})  # roles that may follow a number
CLAUSE_END_KINDS: Final = frozenset({Role.PAUSE, Role.STOP, Role.FILLER, Role.REQUEST})
MAX_CORRECTION: Final = 2  # tokens between a choice and the one that replaces it
OPENINGS: Final = {WITH: ADDED, ONTO_NEXT: ADDED, JOINED: ALSO}  # the flag of a number behind a connective


class ItemSteps(Groups):
    """The search steps for items, options, numbers and amounts; a step yields the parses that an arc extends a parse to."""

    def _leave_unread(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        new = parse.fork(QUESTION_WORD if parse.in_question else arc.cost)
        new.own = parse.own + SEGMENT
        if parse.amount != "no" or arc.role is Role.UNUSED:
            new.amount = None  # the unknown word was the amount's object; behind "no" it may be a verb
        new.leave_unread(arc, start)
        yield new
        if new.amount is not None and not any(other.role is Role.OPTION for other in space.arcs_at(start + arc.length)):
            new = new.fork(IDLE)
            new.amount = None  # the unknown word may be the object of "no"
            yield new

    def _read_in_question(self, parse: Parse, arc: Arc, start: int) -> Parse:
        new = parse.fork(QUESTION_WORD)
        new.leave_unread(arc, start)
        return new

    def _number(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield self._read_in_question(parse, arc, start)
            return
        if arc.cost > MISHEARD and not any(other.role in COUNTED_KINDS for other in space.arcs_at(start + arc.length)):
            return  # a homophone of a number, without a countable word behind it
        if parse.items and self._counts_unknown(parse, arc, start, space):
            yield from self._leave_unread(parse, arc, start, space)
            return
        article = ARTICLE if arc.role is Role.ARTICLE else 0
        near = parse.amount == "no" and not parse.bare and parse.number and parse.end >= start - 2
        if near and parse.headless and not parse.options and not article:
            new = parse.fork(arc.cost + RETRACTED)  # a number before its item is corrected
            new.amount = None
            yield self._count(new, arc, start, 0)
        yield from self._number_of_options(parse, arc, start, space)
        empty = parse.headless and not parse.options and (not parse.number or (parse.flags & ARTICLE and not article))
        apart = parse.joint in APART and parse.flags & ALL
        if empty and not apart and not (parse.amount is not None and parse.joint in LISTED):
            new = parse.fork(arc.cost)
        else:
            made = article and parse.flags & SET and parse.items and parse.joint == NONE  # article of the new option or item
            onto = parse.joint == ONTO_NEXT and parse.headless and parse.options  # some of the lines before
            new = self._open(parse, space, arc.cost + (BARE_ITEM if made else REFERENCE if onto else 0.0))
            counted = parse.headless and parse.number and not parse.options  # the amount belonged to the number before
            if parse.amount is not None and parse.joint not in LISTED and not counted:  # the amount belongs to this number
                new.amount, new.bare = parse.amount, parse.bare
                new.cost -= DANGLING_AMOUNT
        new.flags &= ~ARTICLE
        if new.amount == "no" and not new.bare:
            corrects = parse.items and parse.number and self._answers_no(arc, start, space)  # a correction, not a negation
            new.amount = None if corrects else "no"
            new.flags |= CORRECT if corrects else NOT_THAT  # until a counted word follows
        yield self._count(new, arc, start, article | OPENINGS.get(parse.joint, 0))
        if article:
            if parse.items and parse.flags & (SET | INTO | REPLACE):
                yield parse.fork(arc.cost)  # article of the new option
        elif (
            parse.items
            and not parse.number
            and parse.amount is None
            and not parse.flags & (ALL | INTO)
            and (not parse.flags & SET or space.there.issuperset(parse.items))  # a line on the order is set
        ):
            classified = parse.joint == MULTIPLIED or any(other.role is Role.CLASSIFIER for other in space.arcs_at(start + arc.length))
            anew = parse.joint == BREAK and not is_punctuation(space.tokens[start - 1].surface) and space.there.issuperset(parse.items)
            flags = POST | ONLY if anew else POST  # the number of a line on the order
            yield self._count(parse.fork(arc.cost + (POSTPOSED if classified else POSTPOSED_BARE)), arc, start, flags)

    def _answers_no(self, arc: Arc, start: int, space: SearchSpace) -> bool:
        """Return whether a "no" before a number retracts an earlier number: the word is a retraction, and no option follows."""
        behind = {other.role for other in space.arcs_at(start + arc.length)}
        return space.tokens[start - 1].surface in self.lexicon.statements.retractions and (Role.OPTION not in behind or Role.ITEM in behind)

    @staticmethod
    def _counts_unknown(parse: Parse, arc: Arc, start: int, space: SearchSpace) -> bool:
        """Return whether a number behind an item counts an unknown word."""
        behind = start + arc.length
        if behind >= len(space.tokens) or any(other.role is not Role.UNKNOWN for other in space.arcs_at(behind)):
            return False
        if arc.role is Role.ARTICLE or any(other.role in NAMING for other in space.arcs_at(behind + 1)):
            return False
        surface = space.tokens[behind].surface
        return parse.joint in {WITH, JOINED} or (arc.value > 1 and surface != singular(surface))

    @staticmethod
    def _count(parse: Parse, arc: Arc, start: int, flags: int) -> Parse:
        parse.number = arc.value
        parse.flags |= flags
        parse.carry = False
        parse.extend_span(arc, start)
        return parse

    def _number_of_options(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        """Read a number of options or portions, before them or behind them."""
        article = arc.role is Role.ARTICLE
        last = parse.options[-1] if parse.options else None
        if last is not None and parse.headless and not parse.number:
            if not parse.flags and parse.done is None:  # options before number and item
                yield self._count(parse.fork(arc.cost + PART), arc, start, ARTICLE if article else 0)
            if parse.joint == ONTO_NEXT:  # the part of the line that gets the options
                yield self._count(parse.fork(arc.cost), arc, start, IS_PART)
        if last is not None and parse.joint == ONTO_NEXT and last.end == parse.end and arc.value < parse.number and parse.items:
            new = self._detach(parse, space, arc.cost + EARLY_JOINED)  # the part of the line that gets the last option
            yield self._count(new, arc, start, IS_PART)
        if parse.amount is None and self._counts_portions(parse, arc, start, space):
            one_of_several = arc.value < parse.number and parse.joint != WITH
            new = parse.fork(arc.cost + (0.0 if article else COUNTED_ONE if one_of_several else COUNTED))
            new.count = ANY_ONE if article else arc.value
            yield new
        if last is not None and last.end == parse.end and self._counts_last(parse, last, arc, start, space):
            new = parse.fork(arc.cost + POSTPOSED)  # portions behind the option
            new.options = (*parse.options[:-1], last._replace(portions=arc.value))
            new.extend_span(arc, start)
            yield new

    def _counts_portions(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> bool:
        """Return whether a number may count portions of the option behind it."""
        if arc.value == NO or parse.flags & REPLACE:
            return False
        position = start + arc.length
        behind = space.arcs_at(position)
        classified = [position + other.length for other in behind if other.role is Role.CLASSIFIER]
        for place in classified:
            behind = behind + space.arcs_at(place)
        if not any(other.role is Role.OPTION or (other.role is Role.AMOUNT and other.value == "extra") for other in behind):
            return False
        added, has_item = parse.joint == WITH, bool(parse.items)
        if arc.role is Role.ARTICLE:
            if any(other.role is Role.AMOUNT and other.value == "extra" for other in behind):
                return has_item  # the article belongs to the amount
            if classified:
                return False  # a classifier begins a line
            if added or (parse.joint == ONTO_NEXT and (has_item or parse.number)):  # the article belongs to the option
                return has_item or parse.number > 0 or parse.flags & (ALL | SET) > 0
            return parse.joint == JOINED and has_item and self._goes_on(parse, position, space)
        if has_item or (parse.flags & SET and parse.options):
            listed = bool(parse.options) and parse.options[-1].portions > 1
            return added or listed or not classified or arc.value > max(1, parse.number)
        if parse.number and parse.flags & CLASSIFIED and classified and not parse.options and parse.done is not None:
            return True  # a part of the line, then portions
        if parse.number:
            return added and not parse.flags & ARTICLE
        return added or parse.flags & (MORE | ONLY | CORRECT) > 0

    def _counts_last(self, parse: Parse, last: SpokenOption, arc: Arc, start: int, space: SearchSpace) -> bool:
        """Return whether a number with a classifier, at the end of a clause of a counted line, counts portions of the option before it."""
        if not parse.number or parse.flags & ARTICLE or arc.role is Role.ARTICLE or arc.value == NO:
            return False
        if (
            parse.joint in {JOINED, BREAK}
            or last.amount is not None
            or last.portions > 1
            or all(entry.bit & self._one for entry in last.entries)
        ):
            return False
        behind = start + arc.length
        ends = [behind + other.length for other in space.arcs_at(behind) if other.role is Role.CLASSIFIER]
        if parse.joint == MULTIPLIED:
            ends.append(behind)
        return any(all(other.role in CLAUSE_END_KINDS for other in space.arcs_at(end)) for end in ends)

    @staticmethod
    def _is_dual(options: Sequence[SpokenOption], space: SearchSpace) -> bool:
        """Return whether the last option is also the name of an item; then the next item name may be an option, too."""
        last = options[-1] if options else None
        return last is not None and any(arc.role is Role.ITEM and arc.length == last.end - last.start for arc in space.arcs_at(last.start))

    def _goes_on(self, parse: Parse, start: int, space: SearchSpace) -> bool:
        """Return whether an item name here may be a further choice of the line, as in a combo."""
        return self._is_dual(parse.options, space) or self._fills(parse, start, space)

    def _fills(self, parse: Parse, start: int, space: SearchSpace) -> bool:
        """Return whether a choice here may fill a group in which the line has no choice yet."""
        if not parse.options or parse.options[-1].amount or not all(entry.bit & self._one for entry in parse.options[-1].entries):
            return False
        lacking = 0
        for item in parse.items:
            lacking |= self._mask[item] & self._one & ~parse.used
        return any(entry.bit & lacking for arc in space.arcs_at(start) if arc.role is Role.OPTION and not arc.part for entry in arc.value)

    def _portion(self, parse: Parse, arc: Arc, start: int, _: SearchSpace) -> Iterator[Parse]:
        new = parse.fork(arc.cost)
        if not parse.in_question:
            new.count = arc.value
            new.note_amount(arc, start, negative=False)
        yield new

    def _amount(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield parse.fork(arc.cost)
            return
        amount: Amount = arc.value
        last = parse.options[-1] if parse.options else None
        if last is not None and last.end == parse.end and last.amount is None and len(last.entries) > 1:
            measured = tuple(self.lexicon.measured(amount, space.tokens, last.start, last.end))
            if measured:  # the amount behind its noun
                new = parse.fork(arc.cost)
                new.options = (*parse.options[:-1], last._replace(entries=measured))
                new.extend_span(arc, start)
                yield new
        if parse.amount == "no" and amount == "extra":
            amount = "regular"
            new = parse.fork(arc.cost)
        else:
            new = parse.fork(arc.cost + (DANGLING_AMOUNT if parse.amount is not None else 0.0))
        new.amount = amount
        new.bare = False
        new.carry = False
        if amount == "regular" and parse.amount == "no":
            new.use_amount()  # a negated "extra" is the regular amount
        new.note_amount(arc, start, negative=amount == "no")
        yield new

    def _after(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        last = parse.options[-1] if parse.options else None
        apart = parse.joint in APART
        known = tuple([item for item in parse.items if item in space.there])
        named = any(other.role in NAMING for other in space.arcs_at(start + arc.length))
        if known and arc.value == "no" and not (parse.options or apart or named) and parse.end == start:
            new = parse.fork(arc.cost + IDLE)  # a particle behind an item on the order
            new.items = known
            new.flags |= REMOVE
            new.extend_span(arc, start)
            yield new
            return
        if (
            last is None
            or last.end != parse.end
            or (last.amount is not None and (last.amount, arc.value) != ("extra", "no"))  # "off" removes an option with its amount
            or apart
            or any(entry.bit & self._one for entry in last.entries)
        ):
            yield from self._leave_unread(parse, arc.at(UNREAD_NAME), start, space)
            return
        new = parse.fork(arc.cost + IDLE)  # amount or particle behind the option
        new.options = (*parse.options[:-1], last._replace(amount=arc.value))
        new.extend_span(arc, start)
        yield new

    def _option(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield self._read_in_question(parse, arc, start)
            return
        amount = parse.amount
        bare = IDLE if parse.bare and amount is not None else 0.0
        joint = parse.joint
        found: tuple[ChoiceRef, ...] = arc.value
        carries = parse.carry and not all(entry.bit & self._one for entry in found)
        if amount is None and carries and joint != WITH:
            carried = self._spoken_option(found, "no", arc, start, space)
            cost = min(arc.cost, HEAD_AGAIN) if carried.amount is None else arc.cost
            yield from self._attach(parse, carried, arc, start, space, cost + (0.0 if joint in LISTED else CARRIED_BARE))
            extra = NOT_CARRIED if joint in LISTED else 0.0
        else:
            extra = 0.0
        if parse.bare and amount == "no" and parse.headless and not parse.options and space.order:
            new = parse.fork(arc.cost)  # the option describes the line to remove
            new.amount, new.bare = None, False
            new.flags |= REMOVE
            self._add_option(new, SpokenOption(found, None, 1, start, start + arc.length, arc.cost), arc, start)
            yield new
        spoken = self._spoken_option(found, amount, arc, start, space)
        if spoken.amount == amount:
            yield from self._attach(parse, spoken, arc, start, space, arc.cost + extra + bare)
            return
        # The amount and the noun may together be the name of a choice.
        yield from self._attach(parse, spoken, arc, start, space, min(arc.cost, HEAD_AGAIN) + extra + bare)
        if not {entry.group for entry in found} <= {entry.group for entry in spoken.entries}:  # or the choice by itself
            uncombined = SpokenOption(found, amount, 1, start, start + arc.length, arc.cost)
            yield from self._attach(parse, uncombined, arc, start, space, arc.cost + LESS_LIKELY + extra + bare)

    def _spoken_option(self, found: tuple[ChoiceRef, ...], amount: Amount | None, arc: Arc, start: int, space: SearchSpace) -> SpokenOption:
        if amount is not None:
            measured = self.lexicon.measured(amount, space.tokens, start, start + arc.length)
            if measured:
                found, amount = tuple(measured), None
        return SpokenOption(found, amount, 1, start, start + arc.length, arc.cost)

    def _attach(self, parse: Parse, option: SpokenOption, arc: Arc, start: int, space: SearchSpace, cost: float) -> Iterator[Parse]:
        """Attach an option to the present line, to the next one, or to the one before."""
        joint = parse.joint
        negative = option.amount == "no"
        if parse.options and parse.options[-1].end == start and option.amount is None:
            head_only = arc.part and arc.length == 1 and not any(other.role is Role.NUMBER for other in space.arcs_at(start))
            same = self._same(parse.options[-1], option, head_only=head_only)
            if same:
                new = parse.fork(min(HEAD_AGAIN, cost) if head_only else cost)
                new.options = (*parse.options[:-1], parse.options[-1]._replace(entries=same, end=start + arc.length))
                new.extend_span(arc, start)
                yield new
                return
        if (option.amount in {"light", "extra", "regular"} or (parse.bare and space.order and parse.headless)) and all(
            entry.bit & self._one for entry in option.entries
        ):
            cost += ONE_AMOUNT
        cost += UNDECIDED_OPTION if not negative and len({entry.group for entry in option.entries}) < len(option.entries) else 0.0
        if parse.count:
            one_of = all(entry.bit & self._one for entry in option.entries)
            if one_of and parse.count != ANY_ONE:
                return
            option = option._replace(portions=abs(parse.count), amount=None if option.amount == "extra" else option.amount)
        if parse.headless:
            yield from self._attach_to_open_group(parse, option, arc, start, space, cost)
            return
        fitting = tuple([item for item in parse.items if self.takes(item, option)])
        if fitting and not parse.flags & (REPLACE if not parse.options else 0):
            left = ACROSS_JOIN if joint in LISTED else ACROSS_STOP if joint == BREAK else 0.0
            new = parse.fork(cost + left + self._conflict(parse, fitting, option, joint))
            new.items = fitting
            self._add_option(new, option, arc, start)
            yield new
        elif (
            fitting and space.there.issuperset(fitting) and not any(other.role is Role.INTO for other in space.arcs_at(start + arc.length))
        ):
            new = parse.fork(cost + REFERENCE)  # an option of the line is replaced
            new.flags = (new.flags & ~REPLACE) | SET
            self._add_option(new, option, arc, start)
            yield new
        waits = space.last_item > start and any(entry.bit & self.taken_behind(start, space) for entry in option.entries)
        if not fitting or waits:
            new = self._open(parse, space, cost + (self._early(joint, arc, start, space) if fitting else EARLY_JOINED))
            if parse.amount is not None:
                new.cost -= DANGLING_AMOUNT
            self._add_option(new, option, arc, start)
            yield new

    def _attach_to_open_group(
        self, parse: Parse, option: SpokenOption, arc: Arc, start: int, space: SearchSpace, cost: float
    ) -> Iterator[Parse]:
        """Attach an option behind a number or other options without an item."""
        joint = parse.joint
        base = parse.done.value if parse.done is not None else None
        counts = parse.number > max(1, base.number if isinstance(base, Group) else 0) and not parse.options and joint != WITH
        if counts and option.amount in {None, "extra"} and not all(entry.bit & self._one for entry in option.entries):
            cost += COUNTABLE
        if parse.number > 1 and not parse.options and joint in APART:
            cost += SEPARATED
        again = all(entry.bit & self._one & parse.used for entry in self._offered(option.entries, parse.base))
        replaces = REFERENCE if self._replaces_last(parse, option, joint) else CONFLICT
        new = parse.fork(cost + (replaces if again else 0.0))
        self._add_option(new, option, arc, start)
        yield new
        if again:
            new = self._open(parse, space, cost + EARLY_JOINED)  # or a line of its own
            self._add_option(new, option, arc, start)
            yield new

    def _early(self, joint: int, arc: Arc, start: int, space: SearchSpace) -> float:
        """Return the cost of attaching an option to the next line although the present one accepts it."""
        behind = space.arcs_at(start + arc.length)
        if joint in APART:
            return EARLY_JOINED if any(other.role in NAMING for other in behind) else EARLY
        nouns = [item for other in behind if other.role is Role.ITEM and not other.part for item in other.value]
        taken = any(entry.bit & self._mask[item] for entry in arc.value for item in nouns)
        said = space.tokens[start : start + arc.length]
        adjective = taken and all(token.surface in self.lexicon.before_nouns for token in said)
        return EARLY_JOINED if adjective else EARLY  # these adjectives precede their noun

    def _detach(self, parse: Parse, space: SearchSpace, cost: float) -> Parse:
        """Begin a new group with the last option of the present one."""
        last = parse.options[-1]
        before = parse.fork(0.0)
        before.options = parse.options[:-1]
        new = self._open(before, space, cost)
        new.options, new.start, new.end = (last,), last.start, last.end
        return new

    def _offered(self, entries: tuple[ChoiceRef, ...], items: tuple[str, ...]) -> tuple[ChoiceRef, ...]:
        """Return the choices that any of the items offers; all choices if none is offered."""
        return tuple([entry for entry in entries if any(entry.bit & self._mask.get(item, 0) for item in items)]) or entries

    @staticmethod
    def _same(before: SpokenOption, option: SpokenOption, *, head_only: bool) -> tuple[ChoiceRef, ...]:
        """Return the choices that two adjacent phrases name together; none if they name two choices.

        Either word may name the choice alone ("cheddar cheese"), or the second ends the names of other choices ("ranch dressing").
        """
        common = tuple([entry for entry in option.entries if entry in before.entries])
        if common:
            return common if len(common) < max(len(before.entries), len(option.entries)) else ()
        groups_before = {entry.group for entry in before.entries}
        return before.entries if head_only and any(entry.group in groups_before for entry in option.entries) else ()

    def _add_option(self, parse: Parse, option: SpokenOption, arc: Arc, start: int) -> None:
        parse.options = (*parse.options, option)
        parse.flags &= ~NOT_THAT
        for entry in option.entries:
            parse.used |= entry.bit
        parse.use_amount()
        parse.carry = option.amount == "no" or (parse.amount == "no" and option.amount is None)
        parse.amount = None
        parse.bare = False
        parse.count = 0
        parse.extend_span(arc, start)

    def _replaces_last(self, parse: Parse, option: SpokenOption, joint: int) -> bool:
        """Return whether an option corrects the choice right before it, of the same one-of group."""
        last = parse.options[-1] if parse.options else None
        if last is None or joint in {JOINED, WITH} or last.end < option.start - MAX_CORRECTION or last.amount or option.amount:
            return False
        groups = {entry.group for entry in last.entries if entry.bit & self._one}
        near = parse.number <= 1 if parse.items else last.end == option.start
        return near and all(entry.group in groups for entry in option.entries)

    def _conflict(self, parse: Parse, fitting: tuple[str, ...], option: SpokenOption, joint: int) -> float:
        mask = 0
        for item in fitting:
            mask |= self._mask[item]
        free = any(entry.bit & mask and not entry.bit & self._one & parse.used for entry in option.entries)
        if free:
            return 0.0
        return REFERENCE if self._replaces_last(parse, option, joint) else CONFLICT

    def _item(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        if parse.in_question:
            yield self._read_in_question(parse, arc, start)
            return
        items: tuple[str, ...] = arc.value
        if parse.joint == ONTO_NEXT or parse.amount == "no" or parse.flags & (REMOVE | REPLACE | SET | ALL | IS_PART | MORE):
            there = space.mentioned(parse)
            if there.isdisjoint(items):
                # Lines of the order first, in their order: the order of a set depends on PYTHONHASHSEED.
                ordered = dict.fromkeys([*space.order, *sorted(there)])
                known = tuple([item for item in ordered if self.lexicon.says_part(item, space.tokens, start, start + arc.length)])
                if known:  # an item on the order is likelier than another item with the same words
                    items, arc = known, Arc(arc.length, arc.role, known, max(arc.cost, SEGMENT + HEAD_AGAIN), part=True)
        if parse.flags & SET and parse.items and not parse.number and not space.there.isdisjoint(parse.items):
            new = parse.fork(0.0)  # the first item is replaced by the second
            new.flags = (parse.flags & ~SET) | REPLACE
            new.items = tuple([item for item in parse.items if item in space.there])
            new = self._open(new, space, arc.cost + REFERENCE)
            new.flags |= INTO
            self._set_item(new, items, arc, start)
            yield new
        if parse.items and parse.amount is None and parse.end >= start - (1 if len(parse.items) > 1 else 0):
            same = tuple([item for item in items if item in parse.items])
            if same:  # two names of an item, or two parts of its name around an unknown word
                new = parse.fork(min(arc.cost, HEAD_AGAIN) + self._uncounted(parse, arc))
                new.items = same
                new.extend_span(arc, start)
                yield new
        options = parse.options
        if parse.joint == ONTO_NEXT and options and options[-1].end == parse.end and (parse.items or len(options) > 1):
            known = tuple([item for item in items if item in space.mentioned(parse)])
            if known:
                new = self._detach(parse, space, arc.cost + EARLY_JOINED)  # the last option belongs to this item
                new.flags = SET
                self._set_item(new, known, arc, start)
                yield new
        if parse.amount == "no":
            yield self._removed_item(parse, items, arc, start, space)
        elif parse.headless:
            yield from self._item_of_open_group(parse, items, arc, start, space)
        else:
            yield from self._item_behind_line(parse, items, arc, start, space)

    def _ordinal(self, parse: Parse, arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        """Read an ordinal as the item of the line at that position."""
        place: int = arc.value
        if parse.flags & EACH:
            yield parse.fork(arc.cost + AIMLESS)  # behind "each" it is a number
            return
        said = space.said(parse)
        if len(said) > 1 and place <= len(said):  # an item of this utterance
            yield from self._item(parse, arc.of((said[place - 1 if place > 0 else place],)), start, space)
        elif 0 < place <= len(space.order) or (place < 0 and space.order):
            line = place - 1 if place > 0 else len(space.order) + place
            for new in self._item(parse, arc.of((space.order[line],)), start, space):
                if new.items:
                    new.line = line
                yield new
        else:
            yield from self._leave_unread(parse, arc.at(arc.cost + IDLE), start, space)

    def _item_of_open_group(self, parse: Parse, items: tuple[str, ...], arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        """Read an item behind a number or options: it joins their group or begins another one."""
        joint = parse.joint
        fitting, cost = self._fitting(parse, items, arc, space)
        if fitting and not (joint == ONTO_NEXT and parse.flags & REMOVE):  # the option is removed, not its item
            dangling = 0.0 if parse.amount is None else UNFIT if parse.amount == "no" else DANGLING_AMOUNT
            apart = self._apart(parse, start, space) + dangling
            new = parse.fork(cost + apart + self._uncounted(parse, arc))
            if parse.options and joint == ONTO_NEXT:
                new.flags |= SET  # the item is on the order
            self._set_item(new, fitting, arc.at(cost) if cost < arc.cost else arc, start)
            yield new
            there = space.mentioned(parse) if joint == ONTO_NEXT else space.there
            known = tuple([item for item in fitting if item in there])
            if known and arc.part and not parse.number and (not parse.options or joint == ONTO_NEXT):
                cut = self._cut_short(arc, known, space)
                new = parse.fork(cut + apart + REFERENCE)  # a part of its name suffices for an item on the order
                new.flags |= SET if parse.options else 0
                exact = all(self.lexicon.says_part(item, space.tokens, start, start + arc.length) for item in known)
                self._set_item(new, known, arc.at(cut) if exact else arc, start)
                yield new
            if known and (len(known) < len(fitting) or (parse.options and joint == WITH)):
                new = parse.fork(arc.cost + REFERENCE + (0.0 if joint == WITH else apart))
                new.flags |= SET if parse.options else 0
                self._set_item(new, known, arc, start)
                yield new
        if parse.options or not fitting:
            apart = JOINED_ITEM if parse.number and not parse.flags & ARTICLE else 0.0
            yield self._line(
                parse, items, arc, start, space, ADDED_ITEM if joint == WITH else BARE_ITEM if joint in {NONE, ONTO_NEXT} else apart
            )

    def _fitting(self, parse: Parse, items: tuple[str, ...], arc: Arc, space: SearchSpace) -> tuple[tuple[str, ...], float]:
        """Return the items that fit an open group, and the cost."""
        cost, fitting = arc.cost, items
        if parse.options:
            fitting = tuple([item for item in items if all(self.takes(item, option) for option in parse.options)])
        there = space.mentioned(parse) if parse.flags & (SET | REPLACE | ALL | REMOVE | MORE) and not parse.flags & EACH else set()
        present = tuple([item for item in fitting if item in there])
        if parse.flags & (SET | REPLACE | ALL | REMOVE) and not parse.flags & EACH:
            if present:
                cost = self._cut_short(arc, present, space)
            elif parse.flags & (REPLACE | ALL):
                cost += AIMLESS
            if present or not parse.flags & (SET | REPLACE) or (parse.flags & REPLACE and not parse.base):
                fitting = present
        elif arc.part and len(present) == 1:  # one more of an item on the order
            cost, fitting = self._cut_short(arc, present, space), present
        source = parse.done.value if parse.flags & INTO and parse.done is not None else None
        if isinstance(source, Group) and source.flags & REPLACE:
            if source.options and not source.items:
                fitting = ()  # an option is replaced by an option
            elif arc.part and source.items:
                kinds = {self.lexicon.menu.items[item].category for item in source.items} - {None}
                alike = tuple([item for item in fitting if self.lexicon.menu.items[item].category in kinds])
                if alike:  # an item of the same category replaces it
                    fitting, cost = alike, min(cost, SEGMENT + HEAD_AGAIN)
        return fitting, cost

    def _apart(self, parse: Parse, start: int, space: SearchSpace) -> float:
        """Return the cost of words between a number or options and their item."""
        joint, flags = parse.joint, parse.flags
        if parse.options:
            if flags & ALL and (joint in {PAUSED, JOINED, WITH} or parse.end < start - 1):
                return SEPARATED + REFERENCE
            return SEPARATED if joint in {PAUSED, JOINED, WITH} else 0.0
        if not parse.number:
            return 0.0
        if flags & ARTICLE:
            if joint in APART:
                return SEPARATED
            if flags & (ADDED | ALSO) and not flags & CLASSIFIED:
                return self._added(parse, start, space)
            return ADDED_ITEM if self._takes_place(parse, start, space) else 0.0
        for place in range(max(0, parse.start), parse.end):
            sizes = [other for other in space.arcs_at(place) if other.role is Role.OPTION and place + other.length == parse.end]
            if any(not other.part and other.cost <= SEGMENT for other in sizes):
                return PART + REFERENCE  # the number is also the name of a size
        # the number more likely belongs to the line before
        return SEPARATED if joint in APART else ADDED_ITEM if joint == WITH else 0.0

    def _takes_place(self, parse: Parse, start: int, space: SearchSpace) -> bool:
        """Return whether a choice here may replace the choice that the group before negates."""
        base = parse.done.value if parse.done is not None else None
        if not isinstance(base, Group) or base.items or not base.options or base.options[-1].amount != "no":
            return False
        groups = {entry.group for entry in base.options[-1].entries if entry.bit & self._one}
        return any(entry.group in groups for arc in space.arcs_at(start) if arc.role is Role.OPTION for entry in arc.value)

    def _added(self, parse: Parse, start: int, space: SearchSpace) -> float:
        """Return the cost of a new line behind "with", or behind "and" if the last option is also the name of an item."""
        if parse.flags & ADDED:
            return ADDED_ITEM
        base = parse.done.value if parse.done is not None else None
        if not isinstance(base, Group) or not base.items or not self._is_dual(base.options, space):
            return 0.0
        options = [arc.value for arc in space.arcs_at(start) if arc.role is Role.OPTION and not arc.part]
        taken = any(entry.bit & self._mask[item] for entries in options for entry in entries for item in base.items)
        return ADDED_ITEM if taken else 0.0

    def _item_behind_line(self, parse: Parse, items: tuple[str, ...], arc: Arc, start: int, space: SearchSpace) -> Iterator[Parse]:
        """Read an item behind a line: another line, or another object of the operation."""
        joint = parse.joint
        bare = REFERENCE if parse.flags & POST else JOINED_ITEM if joint in {PAUSED, JOINED, BREAK} else BARE_ITEM
        if joint == WITH or (joint == JOINED and self._goes_on(parse, start, space)):
            offered = [one for other in space.arcs_at(start) if other.role is Role.OPTION for one in other.value]
            if any(one.bit & self._mask[item] for one in offered for item in parse.items):
                bare = ADDED_BARE  # an option rather than a line
        there = space.mentioned(parse) if joint == ONTO_NEXT else space.there
        known = tuple([item for item in items if item in there])
        if joint == ONTO_NEXT and known:
            bare += BARE_ITEM  # more likely the line on the order than another one
        yield self._line(parse, items, arc, start, space, bare)
        if known and arc.part and joint in APART:
            cut = arc.at(self._cut_short(arc, known, space))
            yield self._line(parse, known, cut, start, space, bare + REFERENCE)
        elif known and len(known) < len(items):
            yield self._line(parse, known, arc, start, space, bare + REFERENCE)
        if parse.flags & REMOVE and joint in {PAUSED, JOINED} and known and not set(known) <= set(parse.items):  # the verb has two objects
            new = self._line(parse, known, arc, start, space, 0.0)
            new.flags |= REMOVE
            yield new

    def _line(self, parse: Parse, items: tuple[str, ...], arc: Arc, start: int, space: SearchSpace, cost: float) -> Parse:
        new = self._open(parse, space, arc.cost + cost)
        new.cost += self._uncounted(new, arc)
        self._set_item(new, items, arc, start)
        return new

    @staticmethod
    def _uncounted(parse: Parse, arc: Arc) -> float:
        return PLURAL_ALONE if arc.plural and (parse.number == 0 or parse.flags & ARTICLE) else 0.0

    def _set_item(self, parse: Parse, items: tuple[str, ...], arc: Arc, start: int) -> None:
        parse.items = items
        if parse.count:  # portions without an option
            parse.cost += DANGLING_NUMBER
            parse.count = 0
        parse.flags &= ~NOT_THAT
        parse.item_cost = arc.cost - SEGMENT
        parse.amount = None
        parse.amount_at = -1
        parse.carry = False
        parse.extend_span(arc, start)

    def _removed_item(self, parse: Parse, items: tuple[str, ...], arc: Arc, start: int, space: SearchSpace) -> Parse:
        """Remove items from the order."""
        present = space.mentioned(parse)
        known = tuple([item for item in items if item in present])
        number, flags = parse.number, parse.flags
        cost = self._cut_short(arc, known, space) if known else arc.cost + ABSENT + (DANGLING_NUMBER if parse.number else 0.0)
        if parse.headless and not parse.options:
            new = parse.fork(cost)
        else:
            new = self._open(parse, space, cost + REFERENCE)
            new.cost -= DANGLING_AMOUNT
            number, flags = 0, 0
        new.number = 0 if flags & ARTICLE else number
        new.flags |= REMOVE
        self._set_item(new, known or items, arc, start)
        new.carry = False
        return new

    @staticmethod
    def _cut_short(arc: Arc, known: Sequence[str], space: SearchSpace) -> float:
        """Return the cost of a name that refers to a line of the order: a part of the name suffices."""
        return min(arc.cost, SEGMENT + HEAD_AGAIN) if arc.part and space.there.issuperset(known) else arc.cost
