"""Apply a parse to the order so far: each group edits it; the reply has prices, changes, questions and unmatched words."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, Literal

from schemas import Change, Option, Order, Pending, Question
from voice.orders import search
from voice.orders.drafts import Draft
from voice.orders.language_packs import sentence
from voice.orders.lattice import NO, UNCLEAR
from voice.orders.line_confidence import confidence_of, log_odds_penalty_of
from voice.orders.pricing import Pricing
from voice.orders.reader import Reader
from voice.orders.search import Group, Parse, SpokenOption, UnusedSpan
from voice.orders.words import Token

# An item of a higher cost becomes a question: one wrong vowel and one wrong letter, or the modifier of a name alone.
MAX_ITEM_COST: Final = 0.8
MAX_COUNTED_COST: Final = 1.3  # of an item with a number: rarely misunderstood
MAX_OFFERED: Final = 3  # items offered in place of an unavailable one
MAX_CHOICES: Final = 8  # of a question
MAX_LINE_QUANTITY: Final = 999
# The bounds of schemas.OrderRequest: the next request could not contain a reply beyond them.
MAX_LINES: Final = 200
MAX_OPTIONS: Final = 100  # of a line
MAX_ALTERNATIVES: Final = 100  # of an open option
MAX_QUESTIONS: Final = 200
QuestionKind = Literal["ambiguous", "unavailable", "missing", "check"]
_EVERYBODYS: Final = search.EACH | search.EVERYONE


class Editor:
    """The edits of one utterance on one order."""

    def __init__(
        self, pricing: Pricing, reader: Reader, utterance: str, tokens: list[Token], before: list[Draft], ask_below: float
    ) -> None:
        """Begin with the order so far; an edit of a confidence below `ask_below` becomes a question."""
        self.pricing = pricing
        self.reader = reader
        self.menu = pricing.menu
        self.language = self.menu.languages[0] if self.menu.languages else "en"
        self.utterance = utterance
        self.tokens = tokens
        self.before = before
        self.ask_below = ask_below
        self.drafts = [replace(draft, options=list(draft.options)) for draft in before]
        self.new_lines: list[Draft] = []  # that this utterance added
        self.line_in_focus: Draft | None = self.drafts[-1] if self.drafts else None
        self.replaced: Group | None = None  # the group to be replaced by a later one
        self.removed: Draft | None = None  # the last line that was removed
        self.removals: list[tuple[Draft, float]] = []  # removed lines of the order so far, with the log-odds penalty of the removal
        self.chosen: set[str] = set()  # option groups with a choice in the utterance
        self.excluded: list[SpokenOption] = []  # options with the amount "no"
        self.has_unread_words = False  # some words are unread
        self.rest = False  # a group names the remainder of a line
        self.people = 0  # number of people; 0: unknown
        self.people_span: tuple[int, int] | None = None  # tokens of the number of people, until a group uses it
        self.unused_spans: list[tuple[int, int]] = []  # tokens that no group uses
        self.unknown: set[int] = set()  # first tokens of unread spans
        self.statements: set[int] = set()  # unread tokens that certainly order nothing: a sum of money, a time, a question
        self.reported_whole: set[int] = set()  # unread tokens that are reported even if they are function words
        self.questions: dict[tuple[object, ...], tuple[Draft | None, Question]] = {}  # by the key of their subject

    def apply(self, chosen: Parse) -> Order:
        """Apply the groups of a parse and return the order."""
        said = self._resolved(search.groups(chosen))
        options = [option for group in said for option in group.options]
        self.rest = any(group.flags & search.REMAINDER for group in said)
        self.excluded = [option for option in options if option.amount == "no"]
        skipped = search.unused_spans(chosen)
        unread = [span for span in skipped if span.kind < search.SPAN_AMOUNT]
        self.has_unread_words = bool(unread)
        self.unknown = {span.start for span in unread}
        self.chosen = {entry.group for option in options if option.amount != "no" for entry in option.entries}
        position = 0
        while position < len(said):
            group = said[position]
            behind = position + 1
            if group.number > MAX_LINE_QUANTITY and not group.flags & (search.PEOPLE | search.NOT_THAT):
                self._question_quantity(group)
            elif self._is_part(group):
                while behind < len(said) and self._is_part(said[behind]) and not self._is_apart(said[behind]):
                    behind += 1
                self._parts(said[position:behind])
            else:
                self._apply(group, said[behind] if behind < len(said) else None)
            position = behind
        self.unused_spans += [(span.start, span.end) for span in unread]
        if self.people_span is not None:
            self.unused_spans.append(self.people_span)
        if skipped:
            self._report(skipped)
        for item_id in dict.fromkeys([draft.item for draft in self.before]):
            if not self.menu.items[item_id].available:
                self._undo_unavailable(item_id)
        return self._reply()

    def _undo_unavailable(self, item_id: str) -> None:
        """Undo the additional units of an item that has become unavailable since it was ordered, and ask."""
        lines = [draft for draft in self.drafts if draft.item == item_id]
        excess = sum([line.quantity for line in lines]) - sum([line.quantity for line in self.before if line.item == item_id])
        if excess <= 0:
            return
        for line in lines:
            old = self.before[line.index] if line.index is not None else None
            taken = min(excess, line.quantity - (old.quantity if old is not None else 0))
            if taken <= 0:
                continue
            excess -= taken
            line.quantity -= taken
            if line.quantity == 0:
                self._drop(line)
            elif old is not None and line.quantity == old.quantity and line.meaning == old.meaning:
                line.cost, line.start, line.end = None, -1, -1
        self._ask_unavailable(item_id)

    def _report(self, skipped: Sequence[UnusedSpan]) -> None:
        """Report whole statements that are not understood, amounts without an option, and negations with their object."""
        unused = {position for start, end in self.unused_spans for position in range(start, end)}
        for start, end, kind in skipped:
            if kind == search.SPAN_STATEMENT:
                self.statements.update(range(start, end))
            if kind < search.SPAN_REPORTED_WHOLE:
                continue
            negative = kind == search.SPAN_NEGATION
            goes_on = self._is_empty if negative else self._is_label  # articles behind a negation; the name of a group behind an amount
            while kind != search.SPAN_REPORTED_WHOLE and end < len(self.tokens) and end not in unused and goes_on(end):
                end += 1  # noqa: PLW2901 - the stretch grows
            if not negative or end in unused:
                self.unused_spans.append((start, end))
                self.reported_whole.update(range(start, end))

    def _is_label(self, position: int) -> bool:
        """Return whether a word is the name of an option group."""
        return self.tokens[position].key in self.reader.lexicon.labels_of

    def _is_empty(self, position: int) -> bool:
        surface = self.tokens[position].surface
        return (surface,) in self.reader.lexicon.statements.fillers and surface not in self.reader.lexicon.linking

    def _resolved(self, said: list[Group]) -> list[Group]:
        """Resolve ellipsis: items named later, options named earlier."""
        found: list[Group] = []
        for position, one in enumerate(said):
            group = one
            if self._copy_options_forward(said, position):
                continue
            if group.flags & search.FORWARD:  # the item comes with a later group
                items = next((later.items for later in said[position:] if later.items), ())
                items = tuple([item for item in items if all(self.reader.takes(item, option) for option in group.options)])
                if items:
                    found.append(group._replace(items=items, flags=group.flags & ~search.FORWARD))
                else:  # its item was not understood
                    self.unused_spans.append((group.start, group.end))
                continue
            if found:
                group = self._continued(found[-1], group)
            found.append(group)
        return found

    def _copy_options_forward(self, said: list[Group], position: int) -> bool:
        """Copy the options of a counted group to the groups behind it that name its items one by one; False if there are none."""
        group = said[position]
        open_ = group.flags == search.FORWARD or (len(group.items) > 1 and not group.flags)
        if not open_ or not group.number:
            return False
        end, left = position + 1, group.number
        while end < len(said) and left > 0:
            one = said[end]
            named = len(one.items) == 1 and (not group.items or one.items[0] in group.items)
            if not named or not all(self.reader.takes(one.items[0], option) for option in group.options):
                break
            left -= one.number or 1
            end += 1
        if left != 0 or end < position + 3:  # at least two groups share its options
            return False
        said[position + 1 : end] = [one._replace(options=(*group.options, *one.options)) for one in said[position + 1 : end]]
        return True

    def _continued(self, before: Group, group: Group) -> Group:
        """Copy to a group the flags of the group before it that apply to both."""
        if before.flags & search.INTO and before.items and before.number and group.number and group.flags & (search.ALSO | search.ADDED):
            there = [line for line in self.before if line.item in group.items]
            if len(there) == 1:
                return group._replace(flags=search.INTO)  # the verb sets both lines on the order
        if before.items and group.items and group.start <= before.end + 1 and group.flags & (search.ALSO | search.ADDED):
            return group._replace(flags=group.flags | before.flags & _EVERYBODYS)  # both items are for everybody
        changed = group.flags & (search.REPLACE | search.INTO)
        if before.flags & search.ALL and changed and group.options and not group.items:
            return group._replace(flags=(group.flags & ~changed) | search.ALL, number=before.number)  # options of all lines are replaced
        return group

    # --- Edits -------------------------------------------------------------------------------------------------------------

    def _is_part(self, group: Group) -> bool:
        """Return whether a group is a part of a line: a number and options, without an item."""
        flags = group.flags
        part = (group.number or flags & search.IS_PART) if group.options else flags & (search.NO_OPTIONS | search.REMAINDER)
        whole = search.SET | search.INTO | search.ALL | search.REMOVE | search.REPLACE | search.AS_IS
        return bool(not group.items and part) and not flags & whole

    @staticmethod
    def _is_apart(group: Group) -> bool:
        """Return whether a part is applied separately from the parts before it."""
        return bool(group.flags & search.CORRECT) or group.number > MAX_LINE_QUANTITY

    @staticmethod
    def _is_number(group: Group) -> bool:
        """Return whether a group is only a number."""
        return bool(group.number) and not group.items and not group.options and not group.flags & ~(search.CLASSIFIED | search.IS_PART)

    def _is_miscounted(self, group: Group, following: Group | None) -> bool:
        """Return whether a line is removed only to get another quantity."""
        if following is None or following.items or following.options or not following.number or following.flags & search.ARTICLE:
            return False
        lines = self._referred(group)
        return bool(lines) and group.number == lines[-1].quantity

    def _apply(self, group: Group, following: Group | None) -> None:
        flags = group.flags
        if flags & search.AS_IS:
            return
        if flags & search.PEOPLE:
            self.people = group.number
            self.people_span = group.start, group.end
        elif flags & search.EACH and (group.items or group.number):
            self._each(group)
        elif flags & search.NOT_THAT:
            self._take_back(group)
        elif flags & search.CANCEL:
            self.removals += [(line, log_odds_penalty_of(group)) for line in self.drafts]
            self.drafts.clear()
            self.new_lines.clear()
            self.questions.clear()
            self.line_in_focus = None
        elif flags & search.REMOVE and self._is_miscounted(group, following):
            self.line_in_focus = self._referred(group)[-1]  # the quantity is corrected
        elif flags & search.REMOVE:
            self._remove(group)
        elif following is not None and following.flags & search.INTO and (flags & search.REPLACE or self._is_number(group)):
            self.replaced = group
        elif flags & search.REPLACE:
            lines = self._referred(group)
            if lines:
                self._set(group._replace(items=(), number=0), lines)  # options of the named line
            elif self.line_in_focus is not None:
                takers = [line for line in self._nearest() if all(self.reader.takes(line.item, option) for option in group.options)]
                self._set(group, takers[:1] or [self.line_in_focus])  # an item or options for the line in focus
        elif flags & search.INTO:
            self._replace(self.replaced, group)
            self.replaced = None
        elif flags & search.ALL:
            self._all(group)
        elif flags & search.SET and self._referred(group):
            self._set_referred(group)
        elif flags & search.SET and group.items and flags & search.ITS and self.line_in_focus is not None and group.number <= 1:
            self._set(group._replace(number=0), [self.line_in_focus])  # a pronoun: the line in focus
        elif flags & search.SET and not group.items:
            takers = [line for line in self._nearest() if all(self.reader.takes(line.item, option) for option in group.options)]
            self._set(group, takers[:1] or ([self.line_in_focus] if self.line_in_focus else []))
        elif (flags & search.REFER and self._referred(group)) or self._restates(group, following):
            self.line_in_focus = self._referred(group)[-1]
            self._put(self.line_in_focus, group)  # options of a line on the order
        elif group.items:
            self._add(group)
        elif group.options:
            self._late(group)
        elif group.number:
            self._number(group)

    def _question_quantity(self, group: Group) -> None:
        """Ask for the quantity if it is no integer; ask for a confirmation if it exceeds `MAX_LINE_QUANTITY`; zero removes the line."""
        lines = self._referred(group) if group.items else [self.line_in_focus] if self.line_in_focus is not None else []
        if group.number == NO:
            if not lines:
                self.unused_spans.append((group.start, group.end))
            for line in lines:
                self._take_off(line, group)
        elif group.items and not (lines and group.flags & (search.MORE | search.REMOVE | search.SET)):
            self._question_new_line(group)
        elif not lines:
            self._ask("missing", None, None, [], [])
        elif group.number == UNCLEAR or group.flags & search.REMOVE:
            self._ask_how_many(lines[-1])
        else:
            more = lines[-1].quantity if group.flags & search.MORE else 0
            self._ask_so_many("set", lines[-1], more + group.number)

    def _question_new_line(self, group: Group) -> None:
        """Ask about the quantity of a new line; if the number is no integer, the line is added with quantity 1."""
        if group.number == UNCLEAR:
            before = len(self.new_lines)
            self._add(group._replace(number=0, flags=0))
            if len(self.new_lines) > before and self.line_in_focus is not None:
                self._ask_how_many(self.line_in_focus)
            return
        item = self._decide(group)
        if item is not None:
            draft = Draft(item, group.number)
            self._put(draft, group)
            self._ask_so_many("add", draft, group.number)

    def _ask_how_many(self, line: Draft) -> None:
        text = sentence(self.language, "quantity", {"name": self.menu.items[line.item].name})
        self._question(line, "missing", None, [], text)

    def _ask_so_many(self, op: Literal["add", "set"], line: Draft, quantity: int) -> None:
        text = sentence(self.language, "check", {"quantity": str(quantity), "name": self.menu.items[line.item].name})
        pending: Pending = {"op": op, "item": line.item, "quantity": quantity, "options": list(line.options)}
        self._question(line if op == "set" else None, "check", None, [], text, pending)

    def _count_more(self, line: Draft, group: Group) -> None:
        """Add to the quantity of a line, or ask if the sum exceeds `MAX_LINE_QUANTITY`."""
        quantity = line.quantity + (group.number or 1)
        if quantity > MAX_LINE_QUANTITY:
            self._ask_so_many("set", line, quantity)
        else:
            line.quantity = quantity
            line.touch(group)

    def _add(self, group: Group) -> None:
        if group.flags & search.CORRECT and self.new_lines and self.line_in_focus in self.new_lines:
            again = [line for line in self._nearest() if line in self.new_lines and line.item in group.items]
            if again and not group.options:
                again[0].quantity = group.number or again[0].quantity
                again[0].touch(group)
                return
            self._drop(self.line_in_focus)
        item = self._decide(group)
        if item is None:
            self.unused_spans += [(option.start, option.end) for option in group.options]
            return
        entry = self.reader.lexicon.sold_by.get((item, group.number))
        if (
            entry is not None
            and group.number > 1
            and not any(other.group == entry.group for option in group.options for other in option.entries)
        ):
            portion = SpokenOption((entry,), None, 1, group.start, group.start + 1, 0.0)  # the number is the name of a size
            group = group._replace(number=1, options=(portion, *group.options))
        if self._change_existing_line(group, item):
            return
        draft = Draft(item, group.number or 1, counted=group.number > 0)
        if group.flags & search.AGAIN:
            draft.options = next((list(line.options) for line in self._nearest() if line.item == item), [])
        self._put(draft, group)
        if self._is_guess(group):
            self._check("check", None, "add", draft)
            return
        self.drafts.append(draft)
        self.new_lines.append(draft)
        self.line_in_focus = draft

    def _change_existing_line(self, group: Group, item: str) -> bool:
        """Change the line of the draft to which a group refers; False if it refers to none."""
        if group.flags & search.MORE:
            before = [line for line in self.drafts if line.item == item and line.index is not None]
            before = [line for line in before if all(self._has(line, option) for option in group.options)]
            if len(before) == 1:
                self._count_more(before[0], group)
                self.line_in_focus = before[0]
                return True
        only = group.flags & search.ONLY and group.number and not group.options
        if group.flags & (search.MORE | search.ALSO) and not only:
            return False
        there = [line for line in self.drafts if line.item == item and (line.index is not None or line.counted)]
        if len(there) > 1:
            there = [line for line in there if any(self._lists(line, option) for option in group.options)]
        if len(there) != 1:
            return False
        line = there[0]
        chosen = {option["group"] for option in line.options}
        new = not any(entry.group in chosen and self._one(entry.group) for option in group.options for entry in option.entries)
        fewer = group.number < line.quantity
        some = group.flags & search.IS_PART or (self.rest and fewer) or (group.flags & search.POST and fewer and new)
        if some and group.number and group.options:
            self.line_in_focus = line  # a part of the line
            self._parts([group._replace(items=())])
            return True
        if only:
            line.quantity = group.number
        elif not group.number and (group.options or group.flags & search.ONLY):
            pass  # options of a line that was named before
        elif group.flags & search.CORRECT and group.number and not (group.flags & search.ARTICLE and line.index is not None):
            line.quantity = group.number
        else:
            return False
        self._put(line, group)
        self.line_in_focus = line
        return True

    def _decide(self, group: Group) -> str | None:
        """Return the item of a group; ask and return None if it is ambiguous or unavailable."""
        items = self.menu.items
        available = [item for item in group.items if items[item].available]
        if not available:
            self._ask_unavailable(group.items[0])
            return None
        if len(available) > 1:
            self._ask("ambiguous", None, None, available[:MAX_CHOICES], [items[item].name for item in available[:MAX_CHOICES]])
            return None
        return available[0]

    @staticmethod
    def _is_guess(group: Group) -> bool:
        """Return whether the name of an item is too uncertain, independently of `ask_below`."""
        return bool(group.items) and group.item_cost > (MAX_COUNTED_COST if group.number else MAX_ITEM_COST)

    def _each(self, group: Group) -> None:
        """Add a number of an item for each person, or set the quantity of all lines."""
        lines = self.new_lines or self.drafts
        if group.items:
            heads = 1
            if group.flags & search.EVERYONE:
                self.people_span = None
                heads = self.people = self.people or sum(line.quantity for line in lines) or 1
            everybodys = group._replace(number=(group.number or 1) * heads, flags=group.flags & ~(search.ALL | search.EACH))
            if everybodys.number > MAX_LINE_QUANTITY:
                self._question_quantity(everybodys)
            else:
                self._add(everybodys)
        elif group.options:
            number = group.number if group.number <= search.MAX_PORTIONS else 0
            portions = [option._replace(portions=max(option.portions, number)) for option in group.options]
            self._all(group._replace(number=0, options=tuple(portions)))
        else:
            for line in lines:
                line.quantity = group.number
                line.touch(group)

    def _restates(self, group: Group, following: Group | None) -> bool:
        """Return whether a line of the order so far is only named to be changed."""
        if following is None or group.options or group.flags & ~(search.CLASSIFIED | search.IS_PART):
            return False
        if following.items:
            return following.items == group.items and bool(following.flags & search.REMOVE) and bool(self._referred(group))
        lines = self._referred(group)
        if len(lines) != 1 or (lines[0].index is None and group.number):
            return False
        if self._is_part(following) or (self._is_number(following) and group.number):
            return lines[0].quantity > (following.number or 1) and group.number in {0, lines[0].quantity}
        counted = search.ONLY | search.MORE | search.SET | search.REMOVE
        changes = following.options or (following.number and following.flags & counted)
        return group.number in {0, lines[0].quantity} and bool(changes) and not following.flags & (search.ALL | search.CORRECT)

    def _replace(self, old: Group | None, new: Group) -> None:
        """Replace the group that is on the order, whichever was said first."""
        lines = self._replaceable(old) if old is not None else []
        if not lines and (old is None or not (old.items or old.options)):
            if self.removed is not None and new.items:
                self._add(new._replace(flags=0, number=new.number or self.removed.quantity))  # in place of the line that was just removed
                return
            there = [line for line in self.drafts if line.item in new.items and new.number and (old is None or not old.number)]
            takers = [line for line in self._nearest() if all(self.reader.takes(line.item, option) for option in new.options)]
            lines = there if len(there) == 1 else takers[:1]  # a new quantity, or new options
        elif old is not None and not lines:
            lines = self._replaceable(new)
            if lines:
                old, new = new, old
        if old is not None and old.options and not old.items:
            for line in lines:
                for option in old.options:  # a negated option only describes the line
                    line.options = [
                        listed for listed in line.options if not self._names(option, listed) or (option.amount == listed["amount"] == "no")
                    ]
        self._set(
            new._replace(flags=0),
            self._some(lines, old.number if old is not None else 0) or ([self.line_in_focus] if self.line_in_focus else []),
        )

    def _replaceable(self, group: Group) -> list[Draft]:
        """Return the lines to replace: the lines of the group's items, or with its options."""
        if group.items:
            return self._referred(group)
        return next(([line] for line in self._nearest() if group.options and all(self._lists(line, one) for one in group.options)), [])

    def _late(self, group: Group) -> None:
        """Put options on the nearest line that accepts them, else on a new line if only one item accepts them."""
        described = self._described(group)
        if described is not None:
            self._put(described, group._replace(options=tuple(one for one in group.options if not self._lists(described, one))))
            self.line_in_focus = described
            return
        if group.flags & search.CORRECT and self.line_in_focus in self.new_lines:
            self._take_option_back(self.line_in_focus, group.options[0])
        rest: list[SpokenOption] = []
        for option in group.options:
            line = next((draft for draft in self._nearest() if self.reader.takes(draft.item, option)), None)
            replaced = option.amount == "no" and all(self._one(entry.group) and entry.group in self.chosen for entry in option.entries)
            if replaced:  # another option of the utterance replaces the choice
                self.line_in_focus = next((draft for draft in self._nearest() if self._lists(draft, option)), self.line_in_focus)
            elif line is None:
                rest.append(option)
            else:
                self._put(line, group._replace(options=(option,)))
                self.line_in_focus = line
        if rest:
            self._imply(group._replace(options=tuple(rest)))

    def _take_option_back(self, line: Draft, corrected: SpokenOption) -> None:
        """Remove the last option where a correction names another choice of its group."""
        last = line.options[-1] if line.options else None
        if last is None or (last["amount"] != "no" and any(self._names(option, last) for option in self.excluded)):
            return  # the negation already removes the other choice
        if last["amount"] == corrected.amount and last["group"] in {entry.group for entry in corrected.entries}:
            line.options = line.options[:-1]

    def _imply(self, group: Group) -> None:
        takers = [item for item in self.reader.takers(group.options) if self.menu.items[item].available]
        if len(takers) == 1:
            self._add(group._replace(items=(takers[0],), flags=0))
        else:
            self.unused_spans += [(option.start, option.end) for option in group.options]

    def _parts(self, parts: list[Group]) -> None:
        """Split the line before into parts, or add lines like it."""
        if len(parts) == 1 and parts[0].flags & search.REMAINDER and self.line_in_focus is not None:
            others = [line for line in self.drafts if line.item == self.line_in_focus.item and line is not self.line_in_focus]
            for line in others:  # the other lines of the item
                self._put(line, parts[0])
            if others:
                return
        options = [option for part in parts for option in part.options]
        takers = [line for line in self._nearest() if all(self.reader.takes(line.item, option) for option in options)]
        base = takers[0] if takers else self.line_in_focus
        if base is None or not takers:
            for part in parts:
                if base is not None and all(self.reader.takes(base.item, option) for option in part.options):
                    self._like(base, part)
                elif part.number and not part.flags & search.ARTICLE:
                    self._imply(part)
                else:
                    self._late(part)
            return
        rest = base.quantity - sum(part.number or 1 for part in parts if not part.flags & search.REMAINDER)
        parts = [part._replace(number=max(1, rest)) if part.flags & search.REMAINDER else part for part in parts]
        total = sum(part.number or 1 for part in parts)
        has_part_flag = any(part.flags & search.IS_PART for part in parts)
        counted = any(part.number and (not part.flags & search.ARTICLE or part.flags & (search.AGAIN | search.MORE)) for part in parts)
        if not counted and not has_part_flag and (len(parts) == 1 or total != base.quantity):  # articles do not split a line
            for part in parts:
                self._late(part)
            return
        if len(parts) == 1 and self._counts_whole(base, parts[0]):
            return
        if not base.counted and len(parts) > 1:
            base.quantity = total  # the parts count the line
        further = any(part.flags & (search.ALSO | search.MORE) for part in parts) and bool(base.options)
        if base.quantity > 1 and total <= base.quantity and (has_part_flag or total == base.quantity or not further):
            place = self._place(base)
            for part in parts:
                place += 1
                piece = self._piece(base, part.number or 1)
                self._put(piece, part)
                self.drafts.insert(place, piece)
                self.new_lines.append(piece)
                self.line_in_focus = piece
            base.quantity -= total
            base.cost = base.cost or 0.0
            if base.quantity == 0:
                self._drop(base)
                self.line_in_focus = self.new_lines[-1]
        else:
            for part in parts:
                self._like(base, part)

    def _counts_whole(self, base: Draft, part: Group) -> bool:
        """Change the quantity of a line if a number with options counts the whole line; False if it counts a part."""
        listed = all(self._lists(base, option) for option in part.options)
        bare = (
            base in self.new_lines
            and not base.counted
            and not base.options
            and not part.flags & (search.ALSO | search.MORE | search.IS_PART)
        )
        if bare or (part.flags & search.CORRECT and base in self.new_lines):
            base.quantity, base.counted = part.number or 1, True
        elif part.flags & search.MORE and part.options and listed and not part.flags & (search.IS_PART | search.AGAIN):
            self._count_more(base, part)
        else:
            return False
        self._put(base, part)
        self.line_in_focus = base
        return True

    def _like(self, base: Draft, part: Group) -> None:
        same = part.flags & search.AGAIN  # keeps the options
        draft = Draft(base.item, part.number or 1, list(base.options) if same else [])
        self._put(draft, part)
        self.drafts.append(draft)
        self.new_lines.append(draft)
        self.line_in_focus = draft

    def _number(self, group: Group) -> None:
        line = self.line_in_focus
        if line is None:
            if not group.flags & search.ARTICLE:
                self._ask("missing", None, None, [], [])
        elif group.end in self.unknown and group.flags & (search.ADDED | search.ALSO):
            self.unused_spans.append((group.start, group.end))
        elif (group.flags & search.IS_PART and group.number < line.quantity) or (self.has_unread_words and not group.flags):
            self.unused_spans.append((group.start, group.end))  # a part without any other understood word
        elif group.flags & search.ARTICLE and not group.flags & search.MORE:
            return
        elif group.flags & search.AGAIN:
            alike = [other for other in self.drafts if other is not line and (other.item == line.item or other in self.new_lines)]
            if alike and alike[-1].options and not line.options and line in self.new_lines:
                line.options = self._offered(line.item, alike[-1].options)  # copies the options of the line before
                line.touch(group)
            elif line.index is None or line.cost is None:  # unless it has just been added
                self._like(line, group)
        elif group.flags & search.MORE:
            self._count_more(line, group)
        else:
            line.quantity = group.number
            line.touch(group)

    def _remove(self, group: Group) -> None:
        if group.flags & search.REMAINDER:
            lines = [line for line in self.drafts if line.cost is None]
        elif group.items:
            lines = self._referred(group)
        elif group.options:
            lines = self._replaceable(group)
        else:
            lines = [self.line_in_focus] if self.line_in_focus else []
        if not lines:
            self.unused_spans.append((group.start, group.end))
            return
        if group.number and not group.flags & search.REMAINDER:
            line = lines[-1]
            if group.number < line.quantity:
                line.quantity -= group.number
                line.touch(group)
                self.line_in_focus = line  # a quantity may follow
                return
            lines = [line]
        for line in lines:
            self._take_off(line, group)

    def _take_off(self, line: Draft, group: Group) -> None:
        self.removals.append((line, log_odds_penalty_of(group)))
        self._drop(line)
        self.removed = line

    def _some(self, lines: list[Draft], number: int) -> list[Draft]:
        """Split a number off a line."""
        lines = [line for line in lines if any(line is draft for draft in self.drafts)]  # some may have been removed since
        if not lines or not 0 < number < lines[-1].quantity:
            return lines
        line = lines[-1]
        line.quantity -= number
        line.cost = line.cost or 0.0
        piece = self._piece(line, number)
        self.drafts.insert(self._place(line) + 1, piece)
        self.new_lines.append(piece)
        return [piece]

    @staticmethod
    def _piece(line: Draft, number: int) -> Draft:
        """Return a part of a line as a line of its own."""
        origin = line if line.index is not None else line.origin
        return replace(line, quantity=number, options=list(line.options), index=None, origin=origin)

    def _take_back(self, group: Group) -> None:
        """Retract a number: the older line with that number gets the quantity of the new line."""
        line = self.line_in_focus
        if line is None or line not in self.new_lines:
            return
        old = next(
            (draft for draft in self.drafts if draft.item == line.item and draft is not line and draft.quantity == group.number), None
        )
        if old is not None:
            old.quantity = line.quantity
            old.cost = (old.cost or 0.0) + (line.cost or 0.0)
            old.start, old.end = line.start, line.end
            self._drop(line)
            self.line_in_focus = old

    def _set_referred(self, group: Group) -> None:
        self._set(group._replace(items=()), self._referred(group))

    def _set(self, group: Group, lines: list[Draft]) -> None:
        """Change lines: their item, their quantity, their options."""
        if not lines:
            if group.items:
                self._add(group._replace(flags=0))
            else:
                self._late(group)
            return
        item = self._decide(group) if group.items else None
        if group.items and item is None:
            return
        if group.number and group.options and not group.flags & search.ARTICLE and not item and group.number < lines[-1].quantity:
            self.line_in_focus = lines[-1]
            self._parts([group._replace(flags=group.flags | search.IS_PART)])
            return
        for line in lines:
            if item is not None and item != line.item:
                if self._is_guess(group):
                    self._check("check", line, "set", replace(line, item=item, quantity=group.number or line.quantity, options=[]))
                    continue
                line.item = item
                line.options = self._offered(item, line.options)
            if group.number and not group.flags & search.ARTICLE:
                line.quantity = group.number
            if group.flags & search.CORRECT and group.options and line in self.new_lines:
                self._take_option_back(line, group.options[0])  # the last option is corrected
            self._put(line, group)
            self.line_in_focus = line

    def _all(self, group: Group) -> None:
        if group.items:
            lines = self._referred(group)
            if not lines:
                self._add(group._replace(flags=group.flags & ~search.ALL))
                return
        elif self.line_in_focus is not None and self.line_in_focus.quantity == group.number > 1:
            lines = [self.line_in_focus]  # all units of one line
        else:
            lines = list(self.new_lines) or list(self.drafts)
        if not group.options and not lines:
            return
        for option in group.options:
            takers = [line for line in lines if self.reader.takes(line.item, option)]
            for line in takers:
                self._put(line, group._replace(options=(option,)))
            if not takers:
                self._late(group._replace(options=(option,)))

    # --- Lines ----------------------------------------------------------------------------------------------------------------------

    def _nearest(self) -> Iterable[Draft]:
        if self.line_in_focus is not None:
            yield self.line_in_focus
        for draft in reversed(self.drafts):
            if draft is not self.line_in_focus:
                yield draft

    def _referred(self, group: Group) -> list[Draft]:
        """Return the lines of a group's items; of these, if it removes or replaces, the lines with its options."""
        lines = [draft for draft in self.drafts if draft.item in group.items and group.line in (-1, draft.index)]
        if group.flags & (search.REMOVE | search.REPLACE) and group.options:
            listed = [line for line in lines if all(self._lists(line, option) for option in group.options)]
            lines = listed or [line for line in lines if line.cost is None]  # not the line that was just changed
        return lines

    def _described(self, group: Group) -> Draft | None:
        """Return the line that an option of a group describes, if the line in focus has another choice."""
        if len(group.options) < 2 or group.flags & search.CORRECT or self.line_in_focus is None:  # noqa: PLR2004 - a description, a new option
            return None
        for option in group.options:
            if option.amount is not None or not all(self._one(entry.group) for entry in option.entries):
                continue
            listing = [line for line in self.drafts if self._lists(line, option)]
            chosen = {listed["group"] for listed in self.line_in_focus.options}
            if len(listing) == 1 and (group.flags & search.DESCRIBED or any(entry.group in chosen for entry in option.entries)):
                return listing[0]
        return None

    @staticmethod
    def _names(option: SpokenOption, listed: Option) -> bool:
        return any(entry.group == listed["group"] and entry.choice == listed["choice"] for entry in option.entries)

    def _lists(self, line: Draft, option: SpokenOption) -> bool:
        return any(self._names(option, listed) for listed in line.options)

    def _has(self, line: Draft, option: SpokenOption) -> bool:
        """Return whether a line lists an option with the same amount."""
        return any(self._names(option, listed) and listed["amount"] == option.amount for listed in line.options)

    def _place(self, draft: Draft) -> int:
        return next(number for number, other in enumerate(self.drafts) if other is draft)

    def _drop(self, draft: Draft) -> None:
        self.drafts = [other for other in self.drafts if other is not draft]
        self.new_lines = [other for other in self.new_lines if other is not draft]
        self.questions = {key: asked for key, asked in self.questions.items() if asked[0] is not draft}
        if self.line_in_focus is draft:
            self.line_in_focus = self.new_lines[-1] if self.new_lines else self.drafts[-1] if self.drafts else None

    def _put(self, line: Draft, group: Group) -> None:
        """Put the options of a group on a line."""
        line.touch(group)
        halves = [option for option in group.options if self._is_half(option)]
        for option in group.options:  # two halves are no small amounts
            self._put_option(line, option._replace(amount=None) if option in halves and len(halves) > 1 else option)

    def _is_half(self, option: SpokenOption) -> bool:
        return option.amount == "light" and self.reader.lexicon.numbers.is_half(self.tokens[option.start - 1].surface)

    def _put_option(self, line: Draft, spoken: SpokenOption) -> None:
        offered = self.menu.items[line.item].options
        by_group: dict[str, list[str]] = {}
        for entry in spoken.entries:
            if entry.group in offered:
                by_group.setdefault(entry.group, []).append(entry.choice)
        if not by_group:
            self.unused_spans.append((spoken.start, spoken.end))
            return
        taken = {option["group"] for option in line.options}
        group_id = min(by_group, key=lambda group: (self._one(group) and group in taken, offered.index(group)))
        choices = by_group[group_id][:MAX_ALTERNATIVES]
        if spoken.amount == "regular" and self._one(group_id):
            spoken = spoken._replace(amount=None)  # a one-of group has no amounts
        if spoken.amount == "no":
            listed = [
                option
                for option in line.options
                if option["group"] == group_id and option["choice"] in choices and option["amount"] != "no"
            ]
            line.options = [option for option in line.options if not (option["group"] == group_id and option["choice"] in choices)]
            if listed or (self._one(group_id) and any(option["group"] == group_id for option in line.options)):
                return  # removed from the line, or another choice is on it
        elif self._one(group_id):
            line.options = [option for option in line.options if option["group"] != group_id]
        elif len(choices) == 1:  # said again, or said more exactly
            again = [
                option
                for option in line.options
                if option["group"] == group_id and (choices[0] == option["choice"] or choices[0] in option.get("alternatives", ()))
            ]
            line.options = [option for option in line.options if option not in again]
        else:
            line.options = [option for option in line.options if option["group"] != group_id or option.get("alternatives") != choices]
        if len(line.options) >= MAX_OPTIONS:
            self.unused_spans.append((spoken.start, spoken.end))
            return
        if spoken.portions > search.MAX_PORTIONS:
            self._ask_portions(line, group_id, choices)
            return
        option = self.pricing.option(group_id, choices, spoken.amount, spoken.portions)
        line.options.append(option)
        if option["choice"] is None and spoken.amount != "no":
            names = [self.menu.option_groups[group_id].choices[choice].name for choice in choices]
            self._ask("ambiguous", line, group_id, choices, names)

    def _ask_portions(self, line: Draft, group_id: str, choices: list[str]) -> None:
        """Ask for a confirmation of one portion, if the number is no integer or exceeds `MAX_PORTIONS`."""
        option = self.pricing.option(group_id, choices, None, 1)
        pending: Pending = {"op": "set", "item": line.item, "quantity": line.quantity, "options": [*line.options, option]}
        text = sentence(self.language, "check", {"quantity": "1", "name": option["name"]})
        self._question(line, "check", group_id, choices, text, pending)

    def _offered(self, item: str, options: Iterable[Option]) -> list[Option]:
        """Return the options that an item offers."""
        offered = self.menu.items[item].options
        return [option for option in options if option["group"] in offered]

    def _one(self, group_id: str) -> bool:
        return self.menu.option_groups[group_id].select == "one"

    # --- The reply ------------------------------------------------------------------------------------------------------------------

    def _ask(self, kind: QuestionKind, line: Draft | None, group: str | None, choices: Sequence[str], names: Sequence[str]) -> None:
        if (kind, id(line), group, *choices) not in self.questions:
            self._question(line, kind, group, list(choices), sentence(self.language, kind, {"choices": ", ".join(names)}))

    def _question(
        self, line: Draft | None, kind: QuestionKind, group: str | None, choices: list[str], text: str, pending: Pending | None = None
    ) -> None:
        """Add a question; a later question about the same line, group and choices, or the same edit, replaces the earlier."""
        question: Question = {"kind": kind, "line": None, "group": group, "choices": choices, "text": text, "blocks": True, "times": 1}
        if pending is not None:
            question["pending"] = pending
        if line is not None:
            self.questions[kind, id(line), group, *choices] = line, question
        else:
            self.questions[_edit(pending) if pending is not None else (kind, text)] = line, question

    def _ask_unavailable(self, item_id: str) -> None:
        item = self.menu.items[item_id]
        near = [
            other_id
            for other_id, other in self.menu.items.items()
            if other.available and other.category == item.category and other.category is not None
        ]
        near.sort(key=lambda other_id: abs(self.menu.items[other_id].price - item.price))
        near = near[:MAX_OFFERED]
        values = {"name": item.name, "choices": ", ".join(self.menu.items[other].name for other in near)}
        text = sentence(self.language, "unavailable" if near else "unavailable_alone", values)
        self._question(None, "unavailable", None, near, text)

    def _merge(self) -> None:
        """Merge equal lines that the utterance touched."""
        merged: dict[tuple[object, ...], Draft] = {}
        into: dict[int, Draft] = {}
        kept = []
        crowded = len(self.drafts) > MAX_LINES  # then a split may be undone
        for draft in self.drafts:
            if crowded and draft.origin is not None:
                kept.append(draft)
                continue
            other = merged.get(draft.meaning)
            untouched = other is not None and other.cost is None and draft.cost is None
            if other is None or untouched or other.quantity + draft.quantity > MAX_LINE_QUANTITY:
                merged[draft.meaning] = draft
                kept.append(draft)
                continue
            other.quantity += draft.quantity
            if draft.cost is not None:
                other.cost = (other.cost or 0.0) + draft.cost
                if draft.start >= 0:
                    other.start = draft.start if other.start < 0 else min(other.start, draft.start)
                    other.end = max(other.end, draft.end)
            into[id(draft)] = other
        self.drafts = kept
        self.questions = {key: (into.get(id(line), line), question) for key, (line, question) in self.questions.items()}

    def _reply(self) -> Order:
        unused = self._unused() if self.unused_spans else 0
        self._suspend_uncertain(unused)
        if self.new_lines or any(draft.cost is not None for draft in self.drafts):
            self._merge()
        self._suspend_surplus()
        lines = [
            draft.priced(self.pricing, self.tokens, None if draft.cost is None else confidence_of(draft.log_odds_penalty, unused))
            for draft in self.drafts
        ]
        return {  # type: ignore[typeddict-item]  # without the fields of a conversation
            "menu": self.menu.id,
            "lines": lines,
            "total": sum(line["total"] for line in lines),
            "currency": self.menu.currency,
            "changes": self._changes(),
            "unmatched": self._unmatched(),
            "questions": self._open_questions(),
        }

    def _open_questions(self) -> list[Question]:
        """Return the questions that are still open: one per line and group, at most `MAX_QUESTIONS`."""
        if not self.questions:
            return []
        places = {id(draft): number for number, draft in enumerate(self.drafts)}
        found: dict[object, Question] = {}
        for key, (line, question) in self.questions.items():
            if line is None:
                found[key] = question
                continue
            group, choices = question["group"], question["choices"]
            still_open = any(option["group"] == group and option.get("alternatives") == choices for option in line.options)
            if question["kind"] != "ambiguous" or still_open:
                question["line"] = places.get(id(line))
                if question["line"] is not None or question["kind"] == "check":
                    found.setdefault((id(line), group), question)
        return list(found.values())[:MAX_QUESTIONS]

    # --- Confidence ----------------------------------------------------------------------------------------------------------------------

    def _suspend_uncertain(self, unused: int) -> None:
        """Undo the edits whose confidence is below `ask_below`, and ask: new lines, and changes of lines."""
        for draft in list(self.drafts):
            if draft.index is None and draft.origin is None and self._is_below_threshold(draft.log_odds_penalty, unused):
                self._drop(draft)
                self._check("check", None, "add", draft)
        removals = {_root(draft): penalty for draft, penalty in self.removals}
        families: dict[int, list[Draft]] = {}
        for draft in self.drafts:
            families.setdefault(_root(draft), []).append(draft)
        for index, before in enumerate(self.before):
            family = families.get(index, [])
            if len(family) == 1 and (family[0].item, family[0].quantity) == (before.item, before.quantity):
                continue
            penalties = [draft.log_odds_penalty for draft in family if draft.cost is not None] + [removals.get(index, 0.0)]
            if self._is_below_threshold(max(penalties), unused):
                self._restore(index, family)

    def _is_below_threshold(self, log_odds_penalty: float, unused: int) -> bool:
        return confidence_of(log_odds_penalty, unused) < self.ask_below

    def _restore(self, index: int, family: list[Draft]) -> None:
        """Restore a line in place of its changed self and the lines split off it, and ask about the change."""
        line = replace(self.before[index], options=list(self.before[index].options))
        place = self._place(family[0]) if family else sum(0 <= _root(draft) < index for draft in self.drafts)
        for draft in family:
            self._drop(draft)
        self.drafts.insert(place, line)
        pieces = [draft for draft in family if draft.index is None]
        became = pieces[0] if pieces else family[0] if family else line
        self._check("check", line, "set" if family else "remove", became)

    def _suspend_surplus(self) -> None:
        """Undo the last new lines beyond `MAX_LINES`, and ask about them."""
        while len(self.drafts) > MAX_LINES:
            draft = next(draft for draft in reversed(self.drafts) if draft.index is None)
            if draft.origin is None:
                self._drop(draft)
                self._check("full", None, "add", draft)
            else:
                index = _root(draft)
                self._restore(index, [other for other in self.drafts if _root(other) == index])

    def _check(self, sentence_name: str, line: Draft | None, op: Literal["add", "set", "remove"], draft: Draft) -> None:
        """Ask whether to make an edit."""
        pending: Pending = {"op": op, "item": draft.item, "quantity": draft.quantity, "options": list(draft.options)}
        asked = self.questions.get(_edit(pending)) if line is None else None
        if asked is not None:  # the item is added twice
            pending["quantity"] = min(MAX_LINE_QUANTITY, draft.quantity + asked[1]["pending"]["quantity"])
        values = {"quantity": str(pending["quantity"]), "name": self.menu.items[draft.item].name, "count": str(MAX_LINES)}
        self._question(line, "check", None, [], sentence(self.language, sentence_name, values), pending)

    def _unused(self) -> int:
        """Return the number of content words that no group uses."""
        unused = {position for start, end in self.unused_spans for position in range(start, end)}
        return sum(self._is_reported(position) for position in unused - self.reported_whole - self.statements)

    def _is_reported(self, position: int) -> bool:
        return position in self.reported_whole or not self.reader.lexicon.is_function_word(self.tokens[position])

    def _changes(self) -> list[Change]:
        changes: list[Change] = []
        kept = set()
        for number, draft in enumerate(self.drafts):
            if draft.index is None:
                changes.append({"op": "add", "line": number, "item": draft.item, "quantity": draft.quantity})
                continue
            kept.add(draft.index)
            old = self.before[draft.index]
            if old.quantity != draft.quantity or old.meaning != draft.meaning:
                changes.append({"op": "set", "line": number, "item": draft.item, "quantity": draft.quantity})
        changes += [
            {"op": "remove", "line": number, "item": old.item, "quantity": old.quantity}
            for number, old in enumerate(self.before)
            if number not in kept
        ]
        return changes

    def _unmatched(self) -> list[str]:
        """Return the content words that no group uses, as written in the utterance; adjacent words are one string."""
        stretches: list[tuple[int, int]] = []
        for start, end in sorted(set(self.unused_spans)):
            if stretches and start <= stretches[-1][1]:
                start, end = stretches[-1][0], max(end, stretches.pop()[1])  # noqa: PLW2901 - one stretch with the one before
            stretches.append((start, end))
        found = []
        for start, end in stretches:
            tokens = [self.tokens[position] for position in range(start, end) if self._is_reported(position)]
            if tokens:
                found.append(self.utterance[tokens[0].start : tokens[-1].end])
        return found


def _edit(pending: Pending) -> tuple[object, ...]:
    """Return the key of a suspended addition; additions with equal keys become one question."""
    return pending.get("item"), repr(pending["options"])


def _root(draft: Draft) -> int:
    """Return the index, in the order so far, of a line or of the line from which it was split; -1: none."""
    origin = draft if draft.index is not None else draft.origin
    return -1 if origin is None or origin.index is None else origin.index
