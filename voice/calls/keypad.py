"""Turn pressed keys into answers to the open question."""

from collections.abc import Sequence
from typing import Final

from schemas import Question
from voice.menus.menu import Menu
from voice.menus.names import name_in
from voice.orders.language_packs import language_packs

PERSON, REPEAT, END_OF_NUMBER = "0", "*", "#"
YES, NO = "1", "2"
# Questions that one key accepts and another declines.
_CLOSED: Final = frozenset({"check", "offer", "confirm", "more"})


def asks_for_a_number(question: Question | None) -> bool:
    """Return whether the answer is a quantity, which may have several digits."""
    if question is None or question["kind"] != "missing" or question["line"] is None:
        return False
    return question["group"] is None and not question["choices"]


def answer(keys: str, question: Question | None, menu: Menu, language: str) -> str | None:
    """Return the answer that keys mean, in words of the menu and the language; None: they mean nothing here."""
    if question is None:
        return None
    if asks_for_a_number(question):
        return str(int(keys)) if keys.isdecimal() and int(keys) else None
    choices = _names(question, menu, language)
    if question["kind"] in _CLOSED and len(choices) < 2:  # noqa: PLR2004 - among several, a key chooses
        meaning = {YES: "yes", NO: "no"}.get(keys)
        answers = (language_packs().get(language) or language_packs()["en"]).answers
        return answers[meaning][0] if meaning is not None else None
    place = int(keys) if keys.isdecimal() else 0
    return choices[place - 1] if 1 <= place <= len(choices) else None


def _names(question: Question, menu: Menu, language: str) -> Sequence[str]:
    """Return the names of the choices, in the order in which they were named."""
    group = menu.option_groups.get(question["group"]) if question["group"] is not None else None
    named = group.choices if group is not None else menu.items
    return [name_in(named[choice].name, language) for choice in question["choices"] if choice in named]
