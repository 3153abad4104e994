"""Open questions in words."""

from schemas import Menu
from voice.dialog.state import Question, QuestionKind, State
from voice.orders.pricing import Pricing


def question_text(question: Question, state: State, menu: Menu, pricing: Pricing, language: str) -> str:  # noqa: ARG001 - placeholder
    """Return the words of a question."""
    if question.kind is QuestionKind.MORE:
        return "Anything else?"
    if question.group is not None:
        group = menu.option_groups[question.group]
        return f"{group.name}: " + ", ".join(group.choices[choice].name for choice in question.choices) + "?"
    return f"{question.kind.value}: " + ", ".join(menu.items[item].name for item in question.choices) + "?"
