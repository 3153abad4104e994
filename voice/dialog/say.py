"""The shop's next sentence."""

from schemas import Menu
from voice.dialog.state import Question, QuestionKind, State, Turn


def say(turn: Turn, menu: Menu, language: str) -> str:
    """Return the shop's next sentence."""
    questions = turn.after.questions
    return ask(questions[0], turn.after, menu, language) if questions else "OK."


def ask(question: Question, state: State, menu: Menu, language: str) -> str:  # noqa: ARG001
    """Return the words of a question."""
    if question.kind is QuestionKind.MORE:
        return "Anything else?"
    if question.group is not None:
        group = menu.option_groups[question.group]
        return f"{group.name}: " + ", ".join(group.choices[choice].name for choice in question.choices) + "?"
    return f"{question.kind.value}: " + ", ".join(menu.items[item].name for item in question.choices) + "?"
