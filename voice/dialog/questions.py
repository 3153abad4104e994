"""The open questions: which are valid, which stay, and which the order raises."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from voice.dialog.availability import Absent
from voice.dialog.requirements import open_groups, unmet_groups
from voice.dialog.state import PendingEdit, Question, QuestionKind
from voice.menus.menu import Menu
from voice.orders.parser.draft import ChoiceRef, Draft, DraftLine
from voice.orders.parser.parser import Unresolved

MAX_QUESTIONS: Final = 200
MAX_TIMES: Final = 3  # consecutive turns in which a blocking question is asked; then a person takes over
MAX_NEAR: Final = 4  # items that are offered instead of one that is not available


def valid(questions: Iterable[Question], menu: Menu, lines: Draft) -> list[Question]:
    """Return the questions about lines, groups, choices and items that exist; at most one for a line and group."""
    kept: list[Question] = []
    seen: set[object] = set()
    for question in questions:
        key = _key(question)
        if key not in seen and _exists(question, menu, lines):
            seen.add(key)
            kept.append(question)
    return kept


def _key(question: Question) -> object:
    if question.line is not None:
        return question.line, question.group
    return question.kind, question.group, question.choices, question.pending


def _exists(question: Question, menu: Menu, lines: Draft) -> bool:
    numbers = {*question.lines, *(() if question.line is None else (question.line,))}
    if any(number >= len(lines) for number in numbers):
        return False
    if question.group is not None:
        group = menu.option_groups.get(question.group)
        offered = all(question.group in menu.items[lines[number].items[0]].options for number in numbers)
        return bool(numbers) and group is not None and offered and all(choice in group.choices for choice in question.choices)
    if any(item not in menu.items for item in question.choices):
        return False
    return question.pending is None or _is_offered(question.pending.line, menu)


def _is_offered(line: DraftLine, menu: Menu) -> bool:
    """Return whether the menu has the item and the options of a pending line."""
    if any(item not in menu.items for item in line.items):
        return False
    if any(option.group not in menu.option_groups for option in line.options):
        return False
    return all(choice in menu.option_groups[option.group].choices for option in line.options for choice in option.choices)


def moved(question: Question, places: Mapping[int, int]) -> Question | None:
    """Return a question with the new indices of its lines; None if its lines are removed."""
    if question.line is None:
        return question
    lines = tuple(dict.fromkeys([places[number] for number in (question.lines or (question.line,)) if number in places]))
    if not lines:
        return None
    several = lines if len(lines) > 1 else ()
    return question if (question.line, question.lines) == (lines[0], several) else replace(question, line=lines[0], lines=several)


def still_open(question: Question, menu: Menu, lines: Draft) -> Question | None:
    """Return a question about a group without the lines that no longer need an answer; None if it is closed."""
    if question.line is None or question.group is None or question.kind not in {QuestionKind.MISSING, QuestionKind.AMBIGUOUS}:
        return question
    group = question.group
    needing = [number for number in (question.lines or (question.line,)) if _needs(question.kind, lines[number], group, menu)]
    if not needing:
        return None
    return replace(question, line=needing[0], lines=tuple(needing) if len(needing) > 1 else ())


def _needs(kind: QuestionKind, line: DraftLine, group: str, menu: Menu) -> bool:
    if kind is QuestionKind.AMBIGUOUS:
        return any(open_group == group for open_group, _ in open_groups(line))
    if any(option.group == group for option in line.options):
        return group in unmet_groups(menu, line)
    return True


def unresolved_question(menu: Menu, absent: Absent, unresolved: Unresolved) -> Question:
    """Return the question for a line whose words fit several items, or none that is available; its line is a draft index."""
    line = unresolved.line
    number = unresolved.replaces if unresolved.replaces >= 0 else None
    edit = PendingEdit("add" if number is None else "set", DraftLine(line.items, line.quantity, line.options))
    if unresolved.is_available:
        pending = edit._replace(line=edit.line._replace(items=()))
        here = tuple([item for item in line.items if item not in absent.items])
        return Question(QuestionKind.AMBIGUOUS, number, choices=here or line.items, pending=pending)
    pending = edit._replace(line=edit.line._replace(items=line.items[:1]))
    return Question(QuestionKind.UNAVAILABLE, number, choices=near(menu, absent, line.items[0]), pending=pending)


def near(menu: Menu, absent: Absent, item_id: str) -> tuple[str, ...]:
    """Return the available items of the same category, nearest in price first."""
    item = menu.items[item_id]
    if item.category is None:
        return ()
    others = [
        other for other, one in menu.items.items() if one.category == item.category and other not in absent.items and other != item_id
    ]
    others.sort(key=lambda other: abs(menu.items[other].price - item.price))
    return tuple(others[:MAX_NEAR])


def raised(menu: Menu, absent: Absent, lines: Draft, covered: Sequence[Question]) -> list[Question]:
    """Return the questions that the lines raise, except those that are asked already: open choices, then required groups."""
    asked = {(number, question.group) for question in covered for number in (question.lines or (question.line,)) if number is not None}
    questions = []
    missing: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        for group, choices in open_groups(line):
            if (number, group) not in asked:
                asked.add((number, group))
                questions.append(Question(QuestionKind.AMBIGUOUS, number, group, choices))
        for group in unmet_groups(menu, line):
            if (number, group) not in asked:
                missing.setdefault(group, []).append(number)
    for group, numbers in missing.items():
        choices = tuple([choice for choice in menu.option_groups[group].choices if ChoiceRef(group, choice) not in absent.choices])
        questions.append(Question(QuestionKind.MISSING, numbers[0], group, choices, lines=tuple(numbers) if len(numbers) > 1 else ()))
    return questions


def in_order_of_asking(questions: Iterable[Question]) -> list[Question]:
    """Return the questions that block before the others, else in their order; at most one for a line and group."""
    ordered = sorted(questions, key=lambda question: not question.blocks)
    seen: set[object] = set()
    kept = []
    for question in ordered:
        key = _key(question)
        if key not in seen:
            seen.add(key)
            kept.append(question)
    return kept[:MAX_QUESTIONS]


def counted(questions: Sequence[Question], unanswered: Question | None) -> list[Question]:
    """Return the questions with the number of consecutive turns in which each was asked; the first is asked now.

    `unanswered`: the question that was asked before a turn that neither answered it nor edited, with the present indices of its lines.
    """
    if not questions:
        return []
    first, times = questions[0], 1
    if unanswered is not None and (first.kind, first.line, first.group) == (unanswered.kind, unanswered.line, unanswered.group):
        times = min(unanswered.times + 1, MAX_TIMES)
    return [
        question if question.times == asked else replace(question, times=asked)
        for question, asked in zip(questions, [times, *[0] * len(questions[1:])], strict=True)
    ]
