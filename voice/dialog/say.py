"""The shop's next sentence."""

from schemas import Menu
from voice.dialog.question_text import question_text
from voice.dialog.state import Turn
from voice.orders.pricing import Pricing


def say(turn: Turn, menu: Menu, pricing: Pricing, language: str) -> str:
    """Return the shop's next sentence."""
    questions = turn.after.questions
    return question_text(questions[0], turn.after, menu, pricing, language) if questions else "OK."
