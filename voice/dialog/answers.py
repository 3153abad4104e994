"""Resolve the question that was asked: what the parser's edits answer, and what a yes, a no or a number means."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from voice.dialog.combos import replace_parts
from voice.dialog.nested_options import group_at, options_at, with_choice_at, with_options_at
from voice.dialog.requirements import is_required
from voice.dialog.state import Note, PendingEdit, Question, QuestionKind
from voice.menus.menu import Menu
from voice.orders.parser.draft import NEW, ChoiceRef, Draft, DraftLine, DraftOption, MenuIndex, Modifier


class Outcome(Enum):
    """What a turn did to the question that was asked."""

    OPEN = auto()
    ANSWERED = auto()  # by an edit, or by a number that changes nothing
    ACCEPTED = auto()  # by yes
    DECLINED = auto()  # by no


@dataclass(slots=True)
class Resolution:
    """The question that was asked, and the draft while its answer is applied."""

    menu: Menu
    index: MenuIndex
    question: Question
    before: Draft
    draft: list[DraftLine]  # after the parser's edits
    says_yes: bool
    says_no: bool
    number: int  # said; 0: none
    names_lines: bool  # the utterance tells which lines it is about
    outcome: Outcome = Outcome.OPEN
    follow_up: Question | None = None  # asked instead; its lines are draft indices
    note: Note | None = None

    @property
    def lines(self) -> tuple[int, ...]:
        """The draft indices of the lines that the question is about."""
        question = self.question
        return question.lines or ((question.line,) if question.line is not None else ())

    def spoken(self, line: DraftLine) -> tuple[DraftOption, ...]:
        """Return the options of a line in the asked group."""
        group = self.question.group
        return () if group is None else group_at(self.menu, line, self.question.path, group) or ()

    def is_answered(self, question: Question) -> bool:
        """Return whether the edits chose for a question about a group which choice a line of it has."""
        if question.group is None:
            return False
        for number in question.lines or (() if question.line is None else (question.line,)):
            old = group_at(self.menu, self.before[number], question.path, question.group)
            new = group_at(self.menu, self.draft[number], question.path, question.group) if number < len(self.draft) else None
            if new and new != old and any(len(option.choices) == 1 and option.amount != "no" for option in new):
                return True
        return False

    def new_lines(self) -> list[int]:
        """Return the draft indices of the lines that the utterance made."""
        return [number for number, line in enumerate(self.draft) if line.is_new and line.beside == NEW and line.quantity > 0]

    def is_edited(self, number: int) -> bool:
        """Return whether the utterance changed a line of the order before, or split it."""
        if number >= len(self.draft):
            return True
        old, new = self.before[number], self.draft[number]
        return new.quantity != old.quantity or new.options != old.options or new.items != old.items


def resolve(resolution: Resolution) -> None:
    """Find out how the turn answers the question, and complete the draft."""
    asked = set(resolution.lines)
    for number, line in enumerate(resolution.draft):
        if number in asked or line.beside in asked:
            resolution.draft[number] = _decided(line)
    kind = resolution.question.kind
    if kind in {QuestionKind.CHECK, QuestionKind.CONFIRM} and resolution.question.group is None:
        if resolution.lines or resolution.question.pending is not None:
            _resolve_yes_or_no(resolution)
    elif kind is not QuestionKind.MORE:
        answered = (
            _answers_group
            if resolution.question.group is not None
            else _answers_quantity
            if _asks_quantity(resolution.question)
            else _answers_item
        )
        if answered(resolution):
            resolution.outcome = Outcome.ANSWERED
        elif resolution.says_yes:
            _accept(resolution)
        elif resolution.says_no:
            _decline(resolution)


def _decided(line: DraftLine) -> DraftLine:
    """Return a line without the open options of which a choice is on the line, too."""
    chosen = {(option.group, option.choices[0]) for option in line.options if len(option.choices) == 1 and option.amount != "no"}
    kept = tuple(
        [
            option
            for option in line.options
            if len(option.choices) == 1 or not any((option.group, choice) in chosen for choice in option.choices)
        ]
    )
    return line if len(kept) == len(line.options) else line._replace(options=kept)


def _asks_quantity(question: Question) -> bool:
    return question.kind is QuestionKind.MISSING and question.group is None and question.line is not None


# --- Edits that answer --------------------------------------------------------------------------------------------------------------


def _answers_group(resolution: Resolution) -> bool:
    """Return whether options of the asked group changed; the other lines of the question get the same options."""
    question = resolution.question
    changed = [number for number in resolution.lines if _group_changed(resolution, number)]
    if not changed:
        return False
    first = resolution.draft[changed[0]] if changed[0] < len(resolution.draft) else None
    options = resolution.spoken(first) if first is not None else ()
    is_split = any(line.beside == changed[0] for line in resolution.draft)
    if changed == [question.line] and options and not is_split and not resolution.names_lines:
        for number in resolution.lines:
            line = resolution.draft[number]
            level = options_at(resolution.menu, line, question.path)
            if number not in changed and level is not None and not resolution.spoken(line):
                resolution.draft[number] = with_options_at(line, question.path, (*level, *options))
    return True


def _group_changed(resolution: Resolution, number: int) -> bool:
    draft = resolution.draft
    if number >= len(draft):
        return True
    is_changed = resolution.spoken(draft[number]) != resolution.spoken(resolution.before[number])
    return is_changed or any(line.beside == number and resolution.spoken(line) for line in draft)


def _answers_quantity(resolution: Resolution) -> bool:
    lines = resolution.lines
    edited = [number for number in lines if resolution.is_edited(number)]
    if edited and (resolution.names_lines or len(edited) > 1 or not resolution.number):
        return True
    if not resolution.number:
        return False
    for number in lines:
        resolution.draft[number] = resolution.draft[number]._replace(quantity=resolution.number)
    return True


def _answers_item(resolution: Resolution) -> bool:
    """Return whether a line of a choice was added; it completes the pending edit."""
    question, draft = resolution.question, resolution.draft
    taken = [number for number in resolution.new_lines() if not question.choices or draft[number].items[0] in question.choices]
    if not taken:
        grown = [
            line
            for line in draft
            if not line.is_new and line.items[0] in question.choices and line.quantity > resolution.before[line.origin].quantity
        ]
        return bool(grown)
    for number in taken:
        offered = resolution.index.offers[draft[number].items[0]]
        draft[number] = draft[number]._replace(options=tuple([option for option in draft[number].options if option.group in offered]))
    pending = question.pending
    if pending is not None and len(taken) == 1 and draft[taken[0]].quantity == 1 and not resolution.number:
        draft[taken[0]] = draft[taken[0]]._replace(quantity=pending.line.quantity)
    if question.replaces_lines and pending is not None:
        for number in taken:
            said = {option.group for option in draft[number].options}
            unsaid = [option for option in pending.line.options if option.group not in said]
            draft[number] = draft[number]._replace(options=(*draft[number].options, *unsaid))
            replace_parts(resolution.menu, question, draft, draft[number].quantity)
    elif pending is not None and pending.op == "set" and question.line is not None and len(taken) == 1:
        old, new = draft[question.line], draft[taken[0]]
        draft[question.line] = old._replace(items=new.items, quantity=new.quantity, options=new.options)
        draft[taken[0]] = new._replace(quantity=0)
    elif (
        pending is not None
        and pending.line.quantity % len(taken)
        and all(draft[number].quantity == 1 for number in taken)
        and len(taken) > 1
    ):
        resolution.follow_up = Question(QuestionKind.MISSING, taken[0], lines=tuple(taken))
    return True


# --- Yes and no ---------------------------------------------------------------------------------------------------------------------


def _resolve_yes_or_no(resolution: Resolution) -> None:
    question = resolution.question
    if question.pending is not None:
        is_answered = _restates(resolution, question.pending)
    else:
        is_answered = question.line is not None and resolution.is_edited(question.line)
    if is_answered:
        resolution.outcome = Outcome.ANSWERED
    elif resolution.says_yes:
        resolution.outcome = Outcome.ACCEPTED
        if question.pending is not None:
            apply_pending(resolution.draft, question)
    elif resolution.says_no:
        resolution.outcome = Outcome.DECLINED
        if question.pending is None and question.line is not None:
            resolution.draft[question.line] = resolution.draft[question.line]._replace(quantity=0)


def _restates(resolution: Resolution, pending: PendingEdit) -> bool:
    """Return whether the customer made the pending edit in other words."""
    line = resolution.question.line
    if line is not None:
        return resolution.is_edited(line)
    return any(resolution.draft[number].items == pending.line.items for number in resolution.new_lines())


def apply_pending(draft: list[DraftLine], question: Question) -> None:
    """Make the edit that waited for a yes."""
    pending, number = question.pending, question.line
    if pending is None:
        return
    if pending.op == "add":
        draft += [pending.line] if pending.line.items else []
    elif number is not None and number < len(draft):
        line = draft[number]
        if pending.op == "set":
            draft[number] = line._replace(
                items=pending.line.items or line.items, quantity=pending.line.quantity, options=pending.line.options
            )
        else:
            draft[number] = line._replace(quantity=max(0, line.quantity - pending.line.quantity))


def _accept(resolution: Resolution) -> None:
    """Take the sole choice; of several, ask which."""
    question = resolution.question
    if len(question.choices) != 1:
        if question.kind is QuestionKind.OFFER and question.choices:
            resolution.outcome = Outcome.ACCEPTED
            pending = question.pending or (PendingEdit("add", DraftLine((), resolution.number or 1)) if question.group is None else None)
            resolution.follow_up = replace(question, kind=QuestionKind.AMBIGUOUS, pending=pending, times=0)
        return
    choice = question.choices[0]
    if question.group is None:
        _take_item(resolution, choice)
        return
    modifier = Modifier((ChoiceRef(question.group, choice),))
    for number in resolution.lines:
        line = resolution.draft[number]
        if question.path:
            chosen = with_choice_at(resolution.menu, line, question.path, DraftOption(question.group, (choice,)))
        else:
            modified = resolution.index.modify(line, modifier, question.group)
            chosen = modified.line if modified is not None else None
        if chosen is not None:
            resolution.draft[number] = chosen
            resolution.outcome = Outcome.ACCEPTED


def _take_item(resolution: Resolution, item: str) -> None:
    pending = resolution.question.pending
    offered = resolution.index.offers[item]
    options = tuple([option for option in pending.line.options if option.group in offered]) if pending is not None else ()
    line = DraftLine((item,), resolution.number or (pending.line.quantity if pending is not None else 1), options)
    number = resolution.question.line
    if resolution.question.replaces_lines:
        replace_parts(resolution.menu, resolution.question, resolution.draft, line.quantity)
        resolution.draft.append(line)
    elif pending is not None and pending.op == "set" and number is not None:
        resolution.draft[number] = resolution.draft[number]._replace(items=line.items, quantity=line.quantity, options=line.options)
    else:
        resolution.draft.append(line)
    resolution.outcome = Outcome.ACCEPTED


def _decline(resolution: Resolution) -> None:
    question = resolution.question
    DECLINES.get(question.kind, _close)(resolution)


def _close(resolution: Resolution) -> None:
    resolution.outcome = Outcome.DECLINED


def _decline_offer(resolution: Resolution) -> None:
    question = resolution.question
    resolution.outcome = Outcome.DECLINED
    if question.choices:
        resolution.note = Note("offer", "", question.line if question.group is not None else None, question.choices[0])


def _decline_missing(resolution: Resolution) -> None:
    """Close the question unless its group is required, or it asks for a quantity."""
    question = resolution.question
    if question.line is not None and (question.group is None or is_required(resolution.menu.option_groups[question.group])):
        return
    resolution.outcome = Outcome.DECLINED


def _decline_ambiguous(resolution: Resolution) -> None:
    """Drop the item, or the open option of a group that is not required."""
    question = resolution.question
    if question.group is None:
        resolution.outcome = Outcome.DECLINED
        return
    if is_required(resolution.menu.option_groups[question.group]):
        return
    for number in resolution.lines:
        line = resolution.draft[number]
        level = options_at(resolution.menu, line, question.path) or ()
        kept = tuple([option for option in level if option.group != question.group or len(option.choices) == 1])
        if kept != level:
            resolution.draft[number] = with_options_at(line, question.path, kept)
    resolution.outcome = Outcome.DECLINED


DECLINES: Final[Mapping[QuestionKind, Callable[[Resolution], None]]] = {
    QuestionKind.OFFER: _decline_offer,
    QuestionKind.MISSING: _decline_missing,
    QuestionKind.AMBIGUOUS: _decline_ambiguous,
}
