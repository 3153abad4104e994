"""Suspend edits that are not certain, not likely or not available: they are asked about instead of made."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from voice.dialog.availability import Absent
from voice.dialog.lines import is_changed
from voice.dialog.nested_options import levels, options_at, with_options_at
from voice.dialog.questions import MAX_NEAR, unresolved_question
from voice.dialog.requirements import exceeds_limits
from voice.dialog.settling import MAX_LINES, MAX_OPTIONS, MAX_QUANTITY
from voice.dialog.state import PendingEdit, Question, QuestionKind
from voice.menus.menu import Menu
from voice.menus.names import spoken_names
from voice.orders import words
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import NEW, ChoiceRef, Draft, DraftLine
from voice.orders.parser.parser import Parse, Unresolved
from voice.orders.parser.roles import Role
from voice.orders.words import Token

# Default of the setting `ask_below`. Of 607 turns of conversations in which the parser changes the order, .45 asks in 60, 15 % of them
# right; between .45 and .75 it is right in 51 %, above in 85 %.
ASK_BELOW: Final = 0.45
MAX_LIKELY: Final = 99  # units of a line; the largest of the corpus's conversations is 55
MAX_LIKELY_PORTIONS: Final = 20  # of an option; the largest of the corpus is 5
MIN_PROBABILITY: Final = 0.02  # of a parse that counts towards the confidence of a line

NO_PARTS: Final[Mapping[str, AbstractSet[str]]] = {}
WHICH_ITEM: Final = frozenset({QuestionKind.AMBIGUOUS, QuestionKind.UNAVAILABLE})
MIN_LISTED: Final = 0.05  # the same for a parse with one more item, once two are asked about
MIN_RIVAL: Final = 0.25  # of a parse with another item, as a share of the best parse's probability


def confidences(parses: Sequence[Parse], before: Draft) -> dict[int, float]:
    """Return the probability of each changed line of the best parse, by draft index: that of all parses with this line."""
    best = parses[0]
    changed = [number for number, line in enumerate(best.draft) if is_changed(line, before)]
    if not changed:
        return {}
    others = [parse for parse in parses[1:] if parse.probability >= MIN_PROBABILITY]
    return {
        number: min(1.0, best.probability + sum([parse.probability for parse in others if _has(parse.draft, best.draft[number])]))
        for number in changed
    }


def _has(draft: Draft, line: DraftLine) -> bool:
    """Return whether a draft has an equal line."""
    for other in draft:
        is_same = other.quantity == line.quantity and other.origin == line.origin and other.items == line.items
        if is_same and (other.options == line.options or set(other.options) == set(line.options)):
            return True
    return False


def certain_answers(
    menu: Menu, confidence_of: Mapping[int, float], draft: Sequence[DraftLine], before: Draft, questions: Sequence[Question]
) -> dict[int, float]:
    """Return the confidences, 1 of what only answers a question: to check the answer would be to ask again.

    That is a line that only got choices of the question, or a new line of an item of which it was asked which is meant.
    """
    return {
        number: 1.0 if any(_only_answers(menu, number, draft[number], before, asked) for asked in questions) else confidence
        for number, confidence in confidence_of.items()
    }


def _only_answers(menu: Menu, number: int, line: DraftLine, before: Draft, asked: Question) -> bool:
    if asked.group is None:
        return asked.kind in WHICH_ITEM and line.is_new and line.items[0] in asked.choices
    return number in {*asked.lines, asked.line} and _is_answer(menu, before[number], line, asked)


def _is_answer(menu: Menu, old: DraftLine, new: DraftLine, asked: Question) -> bool:
    now, was = options_at(menu, new, asked.path), options_at(menu, old, asked.path)
    if now is None or was is None:
        return False
    chosen = [option for option in now if option.group == asked.group]
    others = tuple([option for option in now if option.group != asked.group])
    is_else_equal = others == tuple([one for one in was if one.group != asked.group]) and with_options_at(
        new, asked.path, ()
    ) == with_options_at(old, asked.path, ())
    return is_else_equal and bool(chosen) and all(set(option.choices) <= set(asked.choices) for option in chosen)


def suspend(menu: Menu, draft: list[DraftLine], before: Draft, confidence_of: Mapping[int, float], ask_below: float) -> list[Question]:
    """Undo the edits whose confidence is below `ask_below` or whose quantity is unlikely; return the questions about them.

    `confidence_of`: of the lines that may be suspended, by draft index. The lines of the questions are draft indices.
    """
    questions = []
    parts = {line.beside for line in draft if line.beside >= 0}
    n_lines = sum([line.quantity > 0 for line in draft])
    for number, confidence in confidence_of.items():
        line = draft[number]
        if number in parts or line.beside >= 0 or not is_changed(line, before) or (line.is_new and not line.quantity):
            continue
        surplus = line.is_new and n_lines > MAX_LINES
        if confidence >= ask_below and not surplus and not _is_unlikely(menu, line, before):
            continue
        questions.append(_check(number, line, before))
        draft[number] = line._replace(quantity=0) if line.is_new else before[line.origin]
        n_lines -= line.is_new
    return questions


def undo_surplus(draft: list[DraftLine], before: Draft) -> bool:
    """Undo all edits if they make more lines, by splitting some, or more options of a line than a request may have; return whether."""
    if sum([line.quantity > 0 for line in draft]) <= MAX_LINES and not any(len(line.options) > MAX_OPTIONS for line in draft):
        return False
    draft[:] = before
    return True


def _is_unlikely(menu: Menu, line: DraftLine, before: Draft) -> bool:
    """Return whether an edit makes a quantity higher than likely, or exceeds a limit of the menu."""
    old = None if line.is_new else before[line.origin]
    if line.quantity > MAX_LIKELY and (old is None or line.quantity > old.quantity):
        return True
    if not line.quantity:
        return False
    if _most_portions(menu, line) > max(MAX_LIKELY_PORTIONS, 0 if old is None else _most_portions(menu, old)):
        return True
    return exceeds_limits(menu, line) and (old is None or not exceeds_limits(menu, old))


def _most_portions(menu: Menu, line: DraftLine) -> int:
    """Return the most portions that an option of a line has."""
    return max([option.quantity for level in levels(menu, line) for option in level.options], default=0)


def suspend_unavailable(menu: Menu, absent: Absent, draft: list[DraftLine], before: Draft) -> list[Question]:
    """Undo what adds items or choices that are not available; return the questions what to have instead."""
    questions = []
    for number, line in enumerate(draft):
        if not line.quantity or not is_changed(line, before):
            continue
        old = None if line.is_new else before[line.origin]
        is_same = old is not None and old.items == line.items
        if line.items[0] in absent.items and (old is None or not is_same or line.quantity > old.quantity):
            more = line._replace(quantity=line.quantity - old.quantity) if old is not None and is_same else line
            replaces = number if old is not None and not is_same else NEW
            questions.append(unresolved_question(menu, absent, Unresolved(more, is_available=False, replaces=replaces)))
            draft[number] = line._replace(quantity=0) if old is None else old
        elif absent.choices:
            questions += _without_absent_choices(menu, absent, draft, number, old)
    return questions


def _without_absent_choices(menu: Menu, absent: Absent, draft: list[DraftLine], number: int, old: DraftLine | None) -> list[Question]:
    """Take the new options off a line that are not available; return the questions what to have instead."""
    line = draft[number]
    questions = []
    spoken = [(level.path, option) for level in levels(menu, line) for option in level.options if option.amount != "no"]
    for path, option in spoken:
        here = tuple([choice for choice in option.choices if ChoiceRef(option.group, choice) not in absent.choices])
        level = options_at(menu, draft[number], path)
        if len(here) == len(option.choices) or level is None or (old is not None and option in (options_at(menu, old, path) or ())):
            continue
        kept = tuple([other for other in level if other != option])
        draft[number] = with_options_at(draft[number], path, (*kept, option._replace(choices=here)) if here else kept)
        if not here:
            others = tuple(
                [choice for choice in menu.option_groups[option.group].choices if ChoiceRef(option.group, choice) not in absent.choices]
            )
            pending = PendingEdit("set", DraftLine(line.items, line.quantity, (option,)))
            questions.append(Question(QuestionKind.UNAVAILABLE, number, option.group, others[:MAX_NEAR], pending=pending, path=path))
    return questions


def suspend_ambiguous(
    menu: Menu, draft: list[DraftLine], parses: Sequence[Parse], tokens: Sequence[Token], parts: Mapping[str, AbstractSet[str]] = NO_PARTS
) -> list[Question]:
    """Take new lines off the draft whose words are only a part of their item's name and fit another item; return questions which is meant.

    Another item fits if a parse that is not much less likely differs in the item alone. `parts`: the items after which combos are named;
    where the words name both, the combo is meant.
    """
    best = parses[0]
    said = {words.fold(token.surface) for token in tokens}
    places = best.touched()
    partial = _partial_names(best)
    questions: list[Question] = []
    if not partial:
        return questions
    for number, line in enumerate(draft):
        start, end = places.get(number, (0, 0))
        if not line.is_new or line.beside != NEW or not line.quantity or not any(start <= at < end for at in partial):
            continue
        items = [line.items[0]]
        unsaid = _unsaid(menu, items[0], said)
        for other in parses[1:]:
            if other.probability < (MIN_RIVAL if len(items) == 1 else MIN_LISTED) * best.probability:
                break
            rivals = _other_items(best.draft, other, number)
            items += [item for item in rivals if not unsaid < _unsaid(menu, item, said) and item not in parts.get(items[0], ())]
        if len(items) > 1:
            pending = PendingEdit("add", DraftLine((), min(line.quantity, MAX_QUANTITY), line.options))
            questions.append(Question(QuestionKind.AMBIGUOUS, choices=tuple(dict.fromkeys(items)), pending=pending))
            draft[number] = line._replace(quantity=0)
    return questions


def _partial_names(parse: Parse) -> list[int]:
    """Return the tokens with which a part of an item's name begins."""
    found = []
    at = 0
    for event in parse.events:
        if isinstance(event, Arc):
            if event.role is Role.ITEM and event.is_partial:
                found.append(at)
            at += event.length
    return found


def _unsaid(menu: Menu, item: str, said: AbstractSet[str]) -> frozenset[str]:
    """Return the words that are missing of the name of an item of which most was said."""
    names = [frozenset([words.fold(word) for word in words.phrase(name)]) - said for name in spoken_names(menu.items[item])]
    return min(names, key=len)


def _other_items(draft: Draft, other: Parse, number: int) -> tuple[str, ...]:
    """Return the items of a line in another parse, if it is equal to the draft except for these."""
    if len(draft) != len(other.draft):
        return ()
    line = other.draft[number]
    items = line.items
    if not line.quantity and len(other.unresolved) == 1 and other.unresolved[0].replaces == NEW:  # open between several
        items = other.unresolved[0].line.items
        line = line._replace(items=draft[number].items, quantity=draft[number].quantity)
    same = (*draft[:number], draft[number]._replace(items=line.items), *draft[number + 1 :])
    return items if items != draft[number].items and (*other.draft[:number], line, *other.draft[number + 1 :]) == same else ()


def suspend_part_numbers(
    draft: list[DraftLine], before: Draft, numbers: Sequence[tuple[int, int]], places: Mapping[int, tuple[int, int]], last: int | None
) -> list[Question]:
    """Return the questions how many units lines have whose number is no number of units; they keep the number that they had.

    `numbers`, `places`: of these numbers, and of the words of each changed line, in code points. `last`: the line in focus.
    """
    questions = []
    for number in _nearest_lines(draft, before, numbers, places, last):
        line = draft[number]
        draft[number] = (
            line._replace(quantity=max(1, line.quantity)) if line.is_new else line._replace(quantity=before[line.origin].quantity)
        )
        questions.append(Question(QuestionKind.MISSING, number))
    return questions


def suspend_part_portions(
    draft: list[DraftLine], before: Draft, numbers: Sequence[tuple[int, int]], places: Mapping[int, tuple[int, int]]
) -> list[Question]:
    """Undo the edits of lines with an option whose number is no number of portions; return the questions whether one is meant."""
    questions = []
    for number in dict.fromkeys(_nearest_lines(draft, before, numbers, places, None)):
        line = draft[number]
        questions.append(_check(number, line, before))
        draft[number] = line._replace(quantity=0) if line.is_new else before[line.origin]
    return questions


def _nearest_lines(
    draft: Sequence[DraftLine],
    before: Draft,
    numbers: Sequence[tuple[int, int]],
    places: Mapping[int, tuple[int, int]],
    last: int | None,
) -> Iterator[int]:
    """Yield the changed line whose words are nearest to each number, else the line in focus."""
    for start, end in numbers:
        distances = {
            number: max(first - end, start - behind, 0) for number, (first, behind) in places.items() if is_changed(draft[number], before)
        }
        number = min(distances, key=distances.__getitem__, default=last)
        if number is not None:
            yield number


def _check(number: int, line: DraftLine, before: Draft) -> Question:
    """Return the question whether to make an edit."""
    if line.is_new:
        return Question(QuestionKind.CHECK, choices=line.items, pending=PendingEdit("add", _pending(line)))
    old = before[line.origin]
    if line.quantity == 0:
        return Question(QuestionKind.CHECK, number, choices=old.items, pending=PendingEdit("remove", _pending(old)))
    return Question(QuestionKind.CHECK, number, choices=line.items, pending=PendingEdit("set", _pending(line)))


def _pending(line: DraftLine) -> DraftLine:
    return DraftLine(line.items, min(line.quantity, MAX_QUANTITY), line.options)
