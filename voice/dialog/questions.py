"""The open questions: which are valid, which stay, and which the order raises."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from voice.dialog.availability import Absent
from voice.dialog.nested_options import Path, group_at, levels
from voice.dialog.requirements import open_groups, unmet_groups
from voice.dialog.settling import MAX_QUANTITY
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
        return question.line, question.path, question.group
    return question.kind, question.group, question.choices, question.pending


def _exists(question: Question, menu: Menu, lines: Draft) -> bool:
    numbers = {*question.lines, *(() if question.line is None else (question.line,))}
    if any(number >= len(lines) for number in numbers):
        return False
    if question.group is not None:
        group = menu.option_groups.get(question.group)
        offered = all(_offers(menu, lines[number], question.path, question.group) for number in numbers)
        return bool(numbers) and group is not None and offered and all(choice in group.choices for choice in question.choices)
    if any(item not in menu.items for item in question.choices):
        return False
    return question.pending is None or _is_offered(question.pending.line, menu)


def _offers(menu: Menu, line: DraftLine, path: Path, group: str) -> bool:
    """Return whether a line has all choices of a path, and the last one, or the item, offers a group."""
    return any(level.path == path and group in level.groups for level in levels(menu, line))


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
    needing = [number for number in (question.lines or (question.line,)) if _needs(question, question.group, lines[number], menu)]
    if not needing:
        return None
    return replace(question, line=needing[0], lines=tuple(needing) if len(needing) > 1 else ())


def _needs(question: Question, group: str, line: DraftLine, menu: Menu) -> bool:
    place = question.path, group
    if question.kind is QuestionKind.AMBIGUOUS:
        return any((one.path, one.group) == place for one in open_groups(menu, line))
    spoken = group_at(menu, line, question.path, group)
    if spoken:
        return any((one.path, one.group) == place for one in unmet_groups(menu, line))
    return spoken is not None


def unresolved_question(menu: Menu, absent: Absent, unresolved: Unresolved) -> Question:
    """Return the question for a line whose words fit several items, or none that is available; its line is a draft index."""
    line = unresolved.line
    number = unresolved.replaces if unresolved.replaces >= 0 else None
    edit = PendingEdit("add" if number is None else "set", DraftLine(line.items, min(line.quantity, MAX_QUANTITY), line.options))
    if unresolved.is_available:
        pending = edit._replace(line=edit.line._replace(items=()))
        here = tuple([item for item in line.items if item not in absent.items])
        return Question(QuestionKind.AMBIGUOUS, number, choices=here or line.items, pending=pending)
    pending = edit._replace(line=edit.line._replace(items=line.items[:1]))
    return Question(QuestionKind.UNAVAILABLE, number, choices=near(menu, absent, line.items[0]), pending=pending)


def nameless(number: int) -> list[Question]:
    """Return the question which item is meant, by a number of units without an item; 0: none was said."""
    return [Question(QuestionKind.MISSING, pending=PendingEdit("add", DraftLine((), min(number, MAX_QUANTITY))))] if number else []


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
    asked = {
        (number, question.path, question.group)
        for question in covered
        for number in (question.lines or (question.line,))
        if number is not None
    }
    questions = []
    missing: dict[tuple[Path, str], list[int]] = {}
    for number, line in enumerate(lines):
        for path, group, choices in open_groups(menu, line):
            if (number, path, group) not in asked:
                asked.add((number, path, group))
                questions.append(Question(QuestionKind.AMBIGUOUS, number, group, choices, path=path))
        for path, group, _ in unmet_groups(menu, line):
            if (number, path, group) not in asked:
                missing.setdefault((path, group), []).append(number)
    for (path, group), numbers in missing.items():
        choices = tuple([choice for choice in menu.option_groups[group].choices if ChoiceRef(group, choice) not in absent.choices])
        several = tuple(numbers) if len(numbers) > 1 else ()
        questions.append(Question(QuestionKind.MISSING, numbers[0], group, choices, lines=several, path=path))
    return questions


def merged(questions: Iterable[Question]) -> list[Question]:
    """Return the questions with those for the same required group of several lines as one, which one answer may serve."""
    found: list[Question] = []
    places: dict[object, int] = {}
    for question in questions:
        if question.kind is not QuestionKind.MISSING or question.group is None or question.line is None:
            found.append(question)
            continue
        key = question.path, question.group, question.choices
        if key not in places:
            places[key] = len(found)
            found.append(question)
            continue
        first = found[places[key]]
        lines = sorted({*(first.lines or (first.line,)), *(question.lines or (question.line,))}, key=lambda line: line or 0)
        found[places[key]] = replace(first, line=lines[0], lines=tuple([line for line in lines if line is not None]))
    return found


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


def uncounted(questions: Sequence[Question], before: Sequence[Question]) -> list[Question]:
    """Return the questions with the counts that they had; a new first one is asked now."""
    times = {_place(question): question.times for question in before}
    return [replace(question, times=times.get(_place(question), int(number == 0))) for number, question in enumerate(questions)]


def _place(question: Question) -> tuple[object, ...]:
    return question.kind, question.line, question.path, question.group


def counted(questions: Sequence[Question], unanswered: Question | None) -> list[Question]:
    """Return the questions with the number of consecutive turns in which each was asked; the first is asked now.

    `unanswered`: the question that was asked before a turn that neither answered it nor edited, with the present indices of its lines.
    """
    if not questions:
        return []
    first, times = questions[0], 1
    if unanswered is not None and _place(first) == _place(unanswered):
        times = min(unanswered.times + 1, MAX_TIMES)
    return [
        question if question.times == asked else replace(question, times=asked)
        for question, asked in zip(questions, [times, *[0] * len(questions[1:])], strict=True)
    ]
