"""Arcs for the words that distinguish the choices of the open question: they may be shorter than names, and spelt worse."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from voice.menus.menu import Menu
from voice.menus.names import spoken_names
from voice.orders import spelling, words
from voice.orders.language_packs import language_packs
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import ChoiceRef
from voice.orders.parser.model import Model
from voice.orders.parser.roles import NAMING, Role
from voice.orders.parser.state import OpenQuestion
from voice.orders.words import Token

MAX_SPELLING: Final = 0.7  # spelling.distance between a spoken word and a word of a choice
MIN_LETTERS: Final = 2


def with_question_arcs(
    tokens: Sequence[Token],
    lattice: Sequence[Sequence[Arc]],
    question: OpenQuestion,
    menu: Menu,
    model: Model,
    *,
    none: str | None = None,
) -> list[Sequence[Arc]]:
    """Return the lattice with an arc for each token that may name choices of the open question; `none`: the one that stands for none."""
    distinguishing = _distinguishing_words(question, menu)
    has_diacritics = words.has_diacritics(tokens)
    some = _opposite(question, menu, none)
    return [
        (
            *row,
            *_question_arcs(token, _figures(row), distinguishing, question, model, has_diacritics=has_diacritics),
            *_arcs_of_numbers(row, distinguishing, question, model),
            *_arcs_of_polarity(token, behind, {"no": none, "yes": some}, question, model),
        )
        for token, row, behind in zip(tokens, lattice, (*lattice[1:], ())[: len(lattice)], strict=True)
    ]


def _opposite(question: OpenQuestion, menu: Menu, none: str | None) -> str | None:
    """Return the choice that "with" means beside one that stands for none: the only other one, or the default one."""
    if question.group is None or none not in question.choices:
        return None
    others = [choice for choice in question.choices if choice != none]
    default = menu.option_groups[question.group].default
    return others[0] if len(others) == 1 else default if default in others else None


def _arcs_of_polarity(
    token: Token, behind: Sequence[Arc], meant: dict[str, str | None], question: OpenQuestion, model: Model
) -> Iterator[Arc]:
    """Yield an arc for a word that chooses by having or not having: "one with, one without"; before a name it belongs to that."""
    said = _polarities().get(token.surface, "") if meant["no"] else ""
    choice = meant.get(said)
    if choice is not None and choice in question.choices and not any([arc.role in NAMING for arc in behind]):
        named = _arc_of(question, [choice], 1, 0.0, model)
        yield Arc.scored(model, 1, named.role, named.value, (*named.features, (f"asked.polarity.{said}", 1.0)), is_partial=True)


@lru_cache(maxsize=1)
def _polarities() -> dict[str, str]:
    """Return the words for having or not having in all languages: "yes" or "no", by word."""
    return {
        spelt: kind
        for pack in language_packs().values()
        for kind, ways in pack.havings.items()
        for way in ways
        for spelt in (way, words.fold(way), *pack.shorthand.get(way, ()))
    }


def _distinguishing_words(question: OpenQuestion, menu: Menu) -> dict[str, dict[str, int]]:
    """Return the words of the choices that not all of them have, each with its choices and the words of the shortest name with it."""
    group = menu.option_groups.get(question.group) if question.group is not None else None
    choices_of: dict[str, dict[str, int]] = {}
    for choice in question.choices:
        named = menu.items.get(choice) if question.group is None else group.choices.get(choice) if group else None
        for name in spoken_names(named) if named else ():
            phrase = words.phrase(name)
            for word in phrase:
                lengths = choices_of.setdefault(word, {})
                lengths[choice] = min(len(phrase), lengths.get(choice, len(phrase)))
    n_choices = len(question.choices)
    return {word: choices for word, choices in choices_of.items() if len(choices) < n_choices or n_choices == 1}


def _figures(row: Sequence[Arc]) -> str:
    """Return the number of one token in figures, "" if it is none."""
    return next((str(arc.value) for arc in row if arc.role is Role.NUMBER and arc.length == 1), "")


def _arcs_of_numbers(row: Sequence[Arc], distinguishing: dict[str, dict[str, int]], question: OpenQuestion, model: Model) -> Iterator[Arc]:
    """Yield an arc for each number of several tokens that is a word of a choice: "seventy five" of "75%"."""
    for arc in row:
        if arc.role is Role.NUMBER and arc.length > 1:
            choices = [choice for choice in question.choices if choice in distinguishing.get(str(arc.value), {})]
            if choices:
                yield _arc_of(question, choices, arc.length, 0.0, model)


def _question_arcs(
    token: Token, figures: str, distinguishing: dict[str, dict[str, int]], question: OpenQuestion, model: Model, *, has_diacritics: bool
) -> Iterator[Arc]:
    """Yield an arc to the choices with the nearest word, if any is near."""
    said = token.surface
    if len(said) < MIN_LETTERS and not said.isdecimal():
        return
    near: dict[str, tuple[float, int]] = {}  # distance and words of the name, by choice
    for word, choices in distinguishing.items():
        if token.key[:1] != words.phonetic_key(word)[:1] and word != figures:
            continue
        distance = 0.0 if word == figures else spelling.distance((said,), (word,), has_diacritics=has_diacritics)
        for choice, length in choices.items() if distance <= MAX_SPELLING else ():
            near[choice] = min(near.get(choice, (distance, length)), (distance, length))
    if not near:
        return
    nearest = min(near.values())
    as_near = [choice for choice in question.choices if choice in near and near[choice][0] == nearest[0]]
    chosen = [choice for choice in as_near if near[choice] == nearest]
    for named in (chosen, as_near) if len(as_near) > len(chosen) else (chosen,):
        yield _arc_of(question, named, 1, nearest[0], model)


def _arc_of(question: OpenQuestion, named: Sequence[str], length: int, distance: float, model: Model) -> Arc:
    """Return an arc to choices of the question; `distance`: between the spoken word and the word of the choices."""
    features = (("asked.word", 1.0), ("asked.spelling", distance), ("asked.open", float(len(named) > 1)))
    if question.group is None:
        return Arc.scored(model, length, Role.ITEM, tuple(named), features, is_partial=True)
    refs = tuple([ChoiceRef(question.group, choice) for choice in named])
    return Arc.scored(model, length, Role.OPTION, refs, features, is_partial=True)
