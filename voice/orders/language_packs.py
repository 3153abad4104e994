"""Language packs: the role of each word of a language, read from `languages/*.yaml`. Another language is another file."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator

from schemas import Amount
from voice.menus import bounded_yaml
from voice.orders import words

LANGUAGES = Path(__file__).parent / "languages"


class Numbers(BaseModel):
    """The words that numbers are made of, by what they do to the number so far."""

    model_config = ConfigDict(extra="forbid")

    units: dict[str, int]
    ends: dict[str, int]
    tens: dict[str, int]
    times: dict[str, int]
    wholes: dict[str, int]
    homophones: dict[str, int]  # words that are heard for numbers
    zeros: list[str]  # in a row of figures
    nones: list[str]  # the same, before a noun
    halves: list[str]
    joins: list[str]
    articles: dict[str, int]


SpanName = Literal["money", "time", "date", "duration", "temperature", "size", "percentage", "age", "label", "phone", "party"]


class SpanWords(BaseModel):
    """What tells what a number is that is no quantity."""

    model_config = ConfigDict(extra="forbid")

    units: dict[SpanName, list[str]]  # behind the number
    articles: list[str]  # units of which an article is one
    glued: dict[SpanName, list[str]]  # units that are written together with figures
    decimal: dict[SpanName, list[str]]  # the same, with a decimal figure
    openings: dict[SpanName, list[str]]  # before the number
    weak_openings: dict[SpanName, list[str]]  # the same, where nothing that is counted stands behind the number
    figure_labels: list[str]  # before a figure that ends a name
    streets: list[str]  # behind the name of one
    no_openings: list[str]  # phrases that end like a weak opening and are none
    closings: dict[SpanName, list[str]]  # behind such a span, and part of it
    ordinals: list[str]  # glued behind figures
    ordinal_openings: list[str]
    weekdays: list[str]  # beside an ordinal that is a day of the week
    halves: list[str]  # behind a number
    half_of: list[str]  # before what there is half of
    shares_of: list[str]  # the same, of another share
    points: list[str]  # between the figures of a decimal
    ranges: list[str]  # between two numbers of which one is meant
    betweens: list[str]  # before two numbers that bound one
    throughs: list[str]  # between two numbers of one unit

    def phrases(self) -> set[str]:
        """Return all phrases."""
        tables = (self.units, self.glued, self.decimal, self.openings, self.weak_openings, self.closings)
        rows = [
            self.articles,
            self.streets,
            self.no_openings,
            self.ordinals,
            self.ordinal_openings,
            self.weekdays,
            self.halves,
            self.half_of,
        ]
        rows += [
            self.shares_of,
            self.points,
            self.ranges,
            self.betweens,
            self.throughs,
            *[ways for table in tables for ways in table.values()],
        ]
        return {way for row in rows for way in row}


class LanguagePack(BaseModel):
    """A language's words by what they do in an order; `voice/orders/languages/*.yaml`."""

    model_config = ConfigDict(extra="forbid")

    language: str
    numbers: Numbers
    portions: dict[str, int]
    requests: list[str]
    fillers: list[str]
    classifiers: list[str]
    joins: list[str]
    buts: list[str]  # join what is otherwise: no further one
    ors: list[str]
    withs: list[str]
    ontos: list[str]
    amounts: dict[Amount, list[str]]
    afters: dict[Amount, list[str]]  # amounts that stand behind what they are of
    removes: list[str]
    fewers: dict[str, int]  # the same, of so many
    replaces: list[str]
    intos: list[str]
    insteads: list[str]
    keeps: list[str]
    sets: list[str]
    its: list[str]  # the same, of the line before: "make it"
    agains: list[str]  # another line like the one before
    mores: dict[str, int]  # how many more; 0: not told
    onlys: list[str]
    corrects: list[str]
    cancels: list[str]
    alls: dict[str, int]  # of how many; 0: whatever number there is
    eaches: list[str]  # so much on everything, so many of each
    everyones: list[str]  # so many for everyone
    people: list[str]  # those whom a number behind such a word counts
    parts: list[str]
    rests: list[str]  # those of a line that were not spoken of
    shares: dict[str, int]  # of a line: 2 is one half of it
    plains: list[str]  # nothing is said of those
    ones: list[str]  # in place of a name: "the large one"
    multiplies: list[str]  # before a number that stands behind its item
    refers: list[str]
    ordinals: dict[str, int]  # which line of the order so far; -1: the last
    inquiries: list[str]
    questions: list[tuple[str, str]]
    asked: list[str]
    answers: dict[str, list[str]]  # to a question: yes, no, done, any, most, least
    names: list[str]
    calls: list[str]  # behind them somebody's name stands
    noes: list[str]  # take back a number that stands before them; "not" takes back the one behind it
    likewise: list[str]  # somebody wants the same
    allergies: list[str]  # begin a statement on an allergy
    allergy_nouns: list[str]  # end one: "a nut allergy"
    allergy_verbs: list[str]  # begin one that ends so
    givers: list[str]  # behind them somebody is named who gets something
    adjectives: list[str]
    adjectives_first: bool  # before their noun
    shorthand: dict[str, list[str]]  # of function words, as they are typed in a hurry
    synonyms: list[list[str]]
    sentences: dict[str, str]
    spans: SpanWords

    def phrases(self) -> set[str]:
        """Return everything that the language knows to say."""
        numbers = self.numbers
        rows: list[Iterable[str]] = [
            *(
                self.requests,
                self.fillers,
                self.classifiers,
                self.joins,
                self.buts,
                self.ors,
                self.withs,
                self.ontos,
                *self.amounts.values(),
            ),
            *(
                *self.afters.values(),
                self.removes,
                self.fewers,
                self.replaces,
                self.intos,
                self.insteads,
                self.keeps,
                self.sets,
                self.its,
                self.agains,
                self.mores,
            ),
            *(
                self.onlys,
                self.corrects,
                self.cancels,
                self.alls,
                self.eaches,
                self.everyones,
                self.parts,
                self.rests,
                self.shares,
                self.plains,
                self.ones,
            ),
            *(self.refers, self.ordinals, self.inquiries, self.portions, self.multiplies),
            *(numbers.units, numbers.ends, numbers.tens, numbers.times, numbers.articles),
        ]
        return {way for row in rows for way in row}

    def hollow_words(self) -> set[str]:
        """Return the words that add nothing to a name: "ly" in "ly lớn", "size", "có" in "có đá"."""
        return _single_words(self.fillers, self.classifiers, self.withs)

    def function_words(self) -> set[str]:
        """Return all words that name nothing."""
        return _single_words(self.phrases())

    @field_validator("requests", "fillers", "joins", "withs", mode="before")
    @classmethod
    def split_commas(cls, rows: list[str]) -> list[str]:
        """Let a long list be written several to a row."""
        return [part.strip() for row in rows for part in row.split(",")]


def _single_words(*rows: Iterable[str]) -> set[str]:
    phrases = (words.phrase(way) for row in rows for way in row)
    return {phrase[0] for phrase in phrases if len(phrase) == 1}


@lru_cache(maxsize=1)
def language_packs() -> dict[str, LanguagePack]:
    """Read every language there is; all of them may be spoken to every menu."""
    packs = {}
    for path in sorted(LANGUAGES.glob("*.yaml")):
        pack = LanguagePack.model_validate(bounded_yaml.parse(path.read_bytes()).content)
        packs[pack.language] = pack
    return packs


def sentence(language: str, name: str, values: Mapping[str, str]) -> str:
    """Return a sentence of a language, English where there is none."""
    packs = language_packs()
    return (packs.get(language) or packs["en"]).sentences[name].format(**values)
