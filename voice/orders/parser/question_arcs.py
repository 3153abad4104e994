"""Arcs for the words that distinguish the choices of the open question: they may be shorter than names, and spelt worse."""

from collections.abc import Iterator, Sequence
from typing import Final

from schemas import Menu
from voice.menus.names import spoken_names
from voice.orders import spelling, words
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import ChoiceRef
from voice.orders.parser.model import Model
from voice.orders.parser.roles import Role
from voice.orders.parser.state import OpenQuestion
from voice.orders.words import Token

MAX_SPELLING: Final = 0.7  # spelling.distance between a spoken word and a word of a choice
MIN_LETTERS: Final = 2


def with_question_arcs(
    tokens: Sequence[Token], lattice: Sequence[Sequence[Arc]], question: OpenQuestion, menu: Menu, model: Model
) -> list[Sequence[Arc]]:
    """Return the lattice with an arc for each token that may name choices of the open question."""
    distinguishing = _distinguishing_words(question, menu)
    has_diacritics = words.has_diacritics(tokens)
    return [
        (*row, *_question_arcs(token, distinguishing, question, model, has_diacritics=has_diacritics))
        for token, row in zip(tokens, lattice, strict=True)
    ]


def _distinguishing_words(question: OpenQuestion, menu: Menu) -> dict[str, set[str]]:
    """Return the words of the choices that not all of them have, each with its choices."""
    group = menu.option_groups.get(question.group) if question.group is not None else None
    choices_of: dict[str, set[str]] = {}
    for choice in question.choices:
        named = menu.items.get(choice) if question.group is None else group.choices.get(choice) if group else None
        for name in spoken_names(named) if named else ():
            for word in words.phrase(name):
                choices_of.setdefault(word, set()).add(choice)
    n_choices = len(question.choices)
    return {word: choices for word, choices in choices_of.items() if len(choices) < n_choices or n_choices == 1}


def _question_arcs(
    token: Token, distinguishing: dict[str, set[str]], question: OpenQuestion, model: Model, *, has_diacritics: bool
) -> Iterator[Arc]:
    """Yield an arc to the choices with the nearest word, if any is near."""
    said = token.surface
    if len(said) < MIN_LETTERS and not said.isdecimal():
        return
    near: dict[str, float] = {}
    for word, choices in distinguishing.items():
        if token.key[:1] != words.phonetic_key(word)[:1]:
            continue
        distance = spelling.distance((said,), (word,), has_diacritics=has_diacritics)
        for choice in choices if distance <= MAX_SPELLING else ():
            near[choice] = min(near.get(choice, distance), distance)
    if near:
        nearest = min(near.values())
        chosen = [choice for choice in question.choices if near.get(choice) == nearest]
        features = (("asked.word", 1.0), ("asked.spelling", nearest), ("asked.open", float(len(chosen) > 1)))
        if question.group is None:
            yield Arc.scored(model, 1, Role.ITEM, tuple(chosen), features, is_partial=True)
        else:
            refs = tuple([ChoiceRef(question.group, choice) for choice in chosen])
            yield Arc.scored(model, 1, Role.OPTION, refs, features, is_partial=True)
