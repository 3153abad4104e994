"""Notes: what the customer says besides the order, and what it means for the lines.

The words of an allergy, a diet or a person never reach the parser, so that they become neither options nor quantities.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from schemas import Option
from voice.dialog.lines import priced_options
from voice.dialog.phrases import Phrases, is_asking, is_counting, is_function_word, is_negation, names_of, phrases_of
from voice.dialog.settling import Settled
from voice.dialog.state import Note, Question, QuestionKind
from voice.menus.diets import ALLERGENS, DIETS, Verdict, verdict_on
from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.language_packs import LanguagePack, language_packs
from voice.orders.parser.draft import DraftLine
from voice.orders.pricing import Pricing
from voice.orders.words import Token

MAX_NOTES: Final = 200
MAX_BEFORE: Final = 3  # tokens between an allergen and the phrase that makes it a statement
MAX_SUBJECT: Final = 4  # tokens
MAX_NAME: Final = 3  # more words of the name of a person
MAX_DISTANCE: Final = 10  # characters between a diet and the line that it describes

Label = tuple[str, str]  # what a phrase is, and its value


class FoundNote(NamedTuple):
    """A note, and its place in code points of the utterance.

    The words of a statement order nothing; an attribute describes what is beside it.
    """

    note: Note
    start: int
    end: int
    is_statement: bool = True
    is_attribute: bool = False


class Mentioned(NamedTuple):
    """A person, mentioned in the utterance, with the lines that notes tell to be for this person; the place is in code points."""

    lines: tuple[int, ...]
    start: int
    end: int


class NoteFinder:
    """Finds the notes of utterances about one menu: phrases that its names contain are no notes."""

    def __init__(self, menu: Menu) -> None:
        """Index the words of the menu's names."""
        self._named = frozenset([way for name in names_of(menu) for way in _parts(words.phrase(name))])
        self._whole = frozenset([phrase for name in names_of(menu) if (phrase := words.phrase(name))])
        self._words = frozenset([word for name in self._whole for word in name])

    def find(self, utterance: str, tokens: Sequence[Token]) -> list[FoundNote]:
        """Return the notes of an utterance; who asks about a diet does not state one."""
        labels = _labels(is_folded=not words.has_diacritics(tokens))
        surfaces = [token.surface for token in tokens]
        if not any(map(labels.begins, surfaces)):
            return []
        found = labels.find(surfaces)
        notes: list[FoundNote] = []
        covered = 0
        for number, (label, start, end) in enumerate(found):
            if tokens[start].start < covered:
                continue
            kind = label[0]
            if kind == "allergy":
                notes += _allergies(utterance, tokens, found[number + 1 :], self._subject(tokens, start), end)
            elif kind == "allergy_noun":
                notes += self._allergies_before(utterance, tokens, found[:number], start, end)
            elif kind in {"statement", "diet"}:
                notes += self._diet(utterance, tokens, found[number : number + 2])
            elif kind == "owner":
                notes += self._person(utterance, tokens, found[number : number + 2])
            elif kind in {"introduction", "introduction_of_name"}:
                notes += self._introduced(utterance, tokens, start, end, needs_capital=kind == "introduction_of_name")
            elif kind == "service" and tuple(surfaces[start:end]) not in self._named:
                notes.append(_found(Note("service", "", value=label[1]), utterance, tokens, start, end)._replace(is_statement=False))
            covered = max([covered, *[one.end for one in notes]])
        return notes

    def _person(self, utterance: str, tokens: Sequence[Token], found: Sequence[tuple[Label, int, int]]) -> list[FoundNote]:
        """Return the note of the person behind a word like "for": a name in capitals, or a person without a name."""
        _, start, end = found[0]
        if len(found) > 1 and found[1][0][0] == "person" and found[1][1] == end:
            note = _found(Note("person", ""), utterance, tokens, end, found[1][2])
        elif end < len(tokens) and tokens[end].capital and (not self._is_named(tokens, end) or self._describes_owner(tokens, start, end)):
            note = _found(Note("person", ""), utterance, tokens, end, end + 1)
        elif end + 1 < len(tokens) and tokens[end].surface in _titles() and tokens[end + 1].capital and not self._begins(tokens, end + 1):
            note = _found(Note("person", ""), utterance, tokens, end, end + 2)
        else:
            return []
        return [note._replace(start=tokens[start].start, is_attribute=True)]

    def _introduced(self, utterance: str, tokens: Sequence[Token], start: int, end: int, *, needs_capital: bool) -> list[FoundNote]:
        """Return a person note with the name behind "my name is", even if the name is also a word of the menu."""
        at = end + 1 if end + 1 < len(tokens) and tokens[end].surface in _titles() else end
        if at == len(tokens) or is_function_word(tokens[at]) or (needs_capital and not tokens[at].capital):
            return []
        last = at
        while last + 1 < len(tokens) and last - at < MAX_NAME and tokens[last].capital and tokens[last + 1].capital:
            last += 1
        note = _found(Note("person", ""), utterance, tokens, end, last + 1)
        return [note._replace(start=tokens[start].start)]

    def _describes_owner(self, tokens: Sequence[Token], start: int, end: int) -> bool:
        """Return whether a word of the menu in capitals names a person: behind an item, a part of a name that the next words do not end."""
        if (start and not self._is_named(tokens, start - 1)) or any(is_counting(token) for token in tokens[start:end]):
            return False  # "cho" is "for", and "give me"
        return (tokens[end].surface,) not in self._whole and not self._begins(tokens, end, to_the_end=True)

    def _begins(self, tokens: Sequence[Token], at: int, *, to_the_end: bool = False) -> bool:
        """Return whether a name of the menu begins with a token; `to_the_end`: and the tokens behind it are its other words."""
        surfaces = tuple([token.surface for token in tokens[at:]])
        return any(name == surfaces[: len(name)] if to_the_end else name[0] == surfaces[0] for name in self._whole)

    def _is_named(self, tokens: Sequence[Token], at: int) -> bool:
        """Return whether a token is a word of the menu; with diacritics around it, it is none without its own: "Nam" is no "nấm"."""
        surface = tokens[at].surface
        return surface in self._words if words.has_diacritics(tokens) else (surface,) in self._named

    def _subject(self, tokens: Sequence[Token], start: int) -> int:
        """Return the start of a statement with its subject: the words before that neither name nor count anything."""
        first = start
        while first and start - first < MAX_SUBJECT:
            token = tokens[first - 1]
            if words.is_punctuation(token.surface) or (token.surface,) in self._named or is_counting(token) or is_negation(token):
                break
            first -= 1
        return first

    def _allergies_before(
        self, utterance: str, tokens: Sequence[Token], before: Sequence[tuple[Label, int, int]], start: int, end: int
    ) -> list[FoundNote]:
        """Return a note for each allergen right before the noun that ends a statement, such as "allergy"."""
        allergens = [(label[1], first) for label, first, at in before if label[0] == "allergen" and at >= start - MAX_BEFORE]
        first = self._subject(tokens, min([first for _, first in allergens], default=max(0, start - 1)))
        values: list[str | None] = [*dict.fromkeys([value for value, _ in allergens])] or [None]
        return [_found(Note("allergy", "", value=value), utterance, tokens, first, end) for value in values]

    def _diet(self, utterance: str, tokens: Sequence[Token], found: Sequence[tuple[Label, int, int]]) -> list[FoundNote]:
        """Return the note of a diet: behind the beginning of a statement, or alone if it is no name and nothing is asked."""
        (kind, value), start, end = found[0]
        if kind == "statement":
            if len(found) == 1 or found[1][0][0] != "diet" or found[1][1] != end:
                return []
            (_, value), _, end = found[1]
        elif tuple([token.surface for token in tokens[start:end]]) in self._named or is_negation(tokens[start]) or is_asking(tokens):
            return []
        note = _found(Note("diet", "", value=value), utterance, tokens, start, end)
        return [note._replace(is_attribute=kind == "diet")]


def _parts(name: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Yield all runs of words of a name, also without diacritics."""
    for folded in {name, tuple([words.fold(word) for word in name])}:
        for start in range(len(folded)):
            for end in range(start + 1, min(len(folded), start + 4) + 1):
                yield folded[start:end]


@lru_cache(maxsize=2)
def _labels(*, is_folded: bool) -> Phrases[Label]:
    """Return the phrases of notes of all languages."""

    def of_pack(pack: LanguagePack) -> Iterable[tuple[Label, Iterable[str]]]:
        yield from [(("allergen", value), ways) for value, ways in pack.asks.allergens.items()]
        yield from [(("diet", value), ways) for value, ways in pack.asks.diets.items()]
        yield from [(("service", value), ways) for value, ways in pack.services.items()]
        yield ("allergy", ""), pack.allergies
        yield ("allergy_noun", ""), pack.allergy_nouns
        yield ("statement", ""), pack.diet_openings
        yield ("person", ""), pack.persons
        yield ("owner", ""), pack.owners
        yield ("introduction", ""), pack.introductions
        yield ("introduction_of_name", ""), pack.introductions_of_names

    return phrases_of(of_pack, is_folded=is_folded)


@lru_cache(maxsize=1)
def _titles() -> frozenset[str]:
    return frozenset([spelt for pack in language_packs().values() for way in pack.titles for spelt in (way, words.fold(way))])


def is_addressing(tokens: Sequence[Token]) -> bool:
    """Return whether a name in capitals stands behind a title: "chị Đào"."""
    return any(token.surface in _titles() and behind.capital for token, behind in pairwise(tokens))


def _found(note: Note, utterance: str, tokens: Sequence[Token], start: int, end: int) -> FoundNote:
    """Return a note with its words; `start`, `end`: tokens."""
    first, last = tokens[start].start, tokens[end - 1].end
    return FoundNote(note._replace(text=utterance[first:last]), first, last)


def _allergies(utterance: str, tokens: Sequence[Token], behind: Sequence[tuple[Label, int, int]], start: int, end: int) -> list[FoundNote]:
    """Return a note for each allergen right behind the beginning of a statement; one without a value if it names none."""
    values: list[str | None] = []
    last, reach = end, MAX_BEFORE
    for label, first, at in behind:
        gap = [token.surface for token in tokens[last:first]]
        if label[0] != "allergen" or len(gap) > reach or any(words.is_punctuation(surface) and surface != "," for surface in gap):
            break
        values.append(label[1])
        last, reach = at, 1  # a conjunction or a comma
    if not values:
        values, last = [None], _end_of_object(tokens, end)
    return [_found(Note("allergy", "", value=value), utterance, tokens, start, last) for value in dict.fromkeys(values)]


def _end_of_object(tokens: Sequence[Token], start: int) -> int:
    """Return the end of the words of substance behind the beginning of a statement."""
    at = start
    while at < len(tokens) and at - start < MAX_BEFORE and is_function_word(tokens[at]) and not words.is_punctuation(tokens[at].surface):
        at += 1
    first = at
    while at < len(tokens) and at - first < MAX_BEFORE and not is_function_word(tokens[at]):
        at += 1
    return at if at > first else start


def placed(found: Sequence[FoundNote], settled: Settled) -> list[Note]:
    """Return new notes; an attribute belongs to the line whose words are nearest."""
    notes = []
    for one in found:
        distances = {}
        for number in settled.touched if one.is_attribute else ():
            start, end = settled.spans[number] or (0, 0)
            distances[number] = max(start - one.end, one.start - end, 0)
        nearest = min(distances, key=distances.__getitem__, default=None)
        notes.append(one.note._replace(line=nearest if nearest is not None and distances[nearest] <= MAX_DISTANCE else None))
    return notes


def mentioned(notes: Iterable[Note], tokens: Sequence[Token], n_lines: int) -> list[Mentioned]:
    """Return the persons of an order of so many lines whom an utterance mentions by their names or by possessive pronouns."""
    lines_of: dict[str, list[int]] = {}
    for note in notes:
        if note.kind == "person" and note.line is not None:
            lines_of.setdefault(note.text, []).append(note.line)
    named: dict[tuple[str, ...], tuple[int, ...]] = {
        (*name[:-1], name[-1].removesuffix("s")): tuple(lines) for text, lines in lines_of.items() if (name := words.phrase(text))
    }
    surfaces = [token.surface for token in tokens]
    found: list[Mentioned] = []
    for start in range(len(surfaces)):
        for length in {len(name) for name in named}:
            said = surfaces[start : start + length]
            lines = named.get((*said[:-1], said[-1].removesuffix("s")))
            if lines is not None and len(said) == length:
                found.append(Mentioned(lines, tokens[start].start, tokens[start + length - 1].end))
    for persons, start, end in _possessives(is_folded=not words.has_diacritics(tokens)).find(surfaces):
        lines = _lines_of_pronoun(persons, named, n_lines) if named else ()
        found.append(Mentioned(lines, tokens[start].start, tokens[end - 1].end))
    return found


def _lines_of_pronoun(persons: Sequence[str], named: Mapping[tuple[str, ...], tuple[int, ...]], n_lines: int) -> tuple[int, ...]:
    """Return the lines of the person whom a pronoun means: the last one of those whom it fits, or of those who have a name.

    `persons`: whom it fits; none: the speaker, whose lines are those of nobody else.
    """
    if not persons:
        others = {line for lines in named.values() for line in lines}
        return tuple([line for line in range(n_lines) if line not in others])
    unnamed = {words.phrase(person) for pack in language_packs().values() for person in pack.persons}
    fitting = [lines for name, lines in named.items() if name in {words.phrase(person) for person in persons}]
    with_name = [lines for name, lines in named.items() if name not in unnamed]
    return (fitting or with_name or [()])[-1]


@lru_cache(maxsize=2)
def _possessives(*, is_folded: bool) -> Phrases[tuple[str, ...]]:
    """Return the possessive pronouns of all languages, each with the persons whom it fits."""
    return phrases_of(lambda pack: [(tuple(persons), [way]) for way, persons in pack.possessives.items()], is_folded=is_folded)


def kept(notes: Iterable[Note], places: Mapping[int, int], *, is_cancelled: bool) -> list[Note]:
    """Return the notes before the turn; they follow their lines. Of removed lines, allergies and diets stay."""
    found = []
    for note in notes:
        if note.line is None:
            found.append(note)
        elif is_cancelled:
            continue
        elif note.line in places:
            found.append(note._replace(line=places[note.line]))
        elif note.kind in {"allergy", "diet"}:
            found.append(note._replace(line=None))
    return found


def merged(before: Sequence[Note], new: Iterable[Note]) -> tuple[Note, ...]:
    """Return all notes once; a new service replaces the one before."""
    notes = list(before)
    for note in new:
        if note.kind == "service":
            notes = [other for other in notes if other.kind != "service"]
        if not any(_is_same(note, other) for other in notes):
            notes.append(note)
    return tuple(notes[-MAX_NOTES:])


def _is_same(note: Note, other: Note) -> bool:
    """Return whether two notes say the same; those without a value do in the same words."""
    return note._replace(text="") == other._replace(text="") and (note.value is not None or note.text == other.text)


def diet_checks(menu: Menu, pricing: Pricing, settled: Settled, before: Sequence[Note], new: Sequence[Note]) -> list[Question]:
    """Return the questions whether lines may stay that the menu does not vouch for: new lines and choices, or a new note."""
    wishes = [note for note in (*before, *new) if note.kind in {"allergy", "diet"}]
    if not wishes:
        return []
    questions = []
    for number, line in enumerate(settled.lines):
        options = priced_options(pricing, line.options)
        relevant = [note for note in wishes if note.line in {None, number} and (number in settled.touched or note in new)]
        if any(not _is_vouched(menu, options, line, note) for note in relevant):
            questions.append(Question(QuestionKind.CHECK, number, choices=line.items))
    return questions


def _is_vouched(menu: Menu, options: Sequence[Option], line: DraftLine, note: Note) -> bool:
    """Return whether the menu vouches that a line fits a diet or an allergy; it cannot for one without a name in the menu format."""
    if note.value not in {*ALLERGENS, *DIETS}:
        return False
    return verdict_on(menu, line.items[0], options, note.value) is Verdict.VOUCHED
