"""Language packs: the function of each word of a language in an order, loaded from `languages/*.yaml`. A file adds a language."""

from collections.abc import Iterable, Mapping
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from schemas import Amount
from voice import bounded_yaml
from voice.orders import words
from voice.orders.phrase_patterns import PhrasePatterns

LANGUAGES = Path(__file__).parent / "languages"

# Keys whose phrases are written out.
LITERAL: Final = frozenset(
    {"variables", "shorthand", "numbers", "spans", "combos", "combo_names", "combo_numbers", "adjectives", "synonyms", "speech", "asks"}
)

SpanName = Literal["money", "time", "date", "duration", "temperature", "size", "percentage", "age", "label", "phone", "party"]


class Numbers(BaseModel):
    """The words of cardinal numbers, by their function within one."""

    model_config = ConfigDict(extra="forbid")

    units: dict[str, int]  # 1 to 9
    ends: dict[str, int]  # units behind a ten; alone behind a unit, which then counts tens: "hai lăm" is 25
    tens: dict[str, int]  # 10 to 19, and the multiples of ten, before a unit
    times: dict[str, int]  # multipliers
    wholes: dict[str, int]  # complete numbers that combine with no other
    homophones: dict[str, int]  # other words that the recogniser confuses with numbers
    zeros: list[str]  # among digits that are spoken one by one
    zero_determiners: list[str]  # zeros before a noun
    halves: list[str]  # before a multiplier
    joins: list[str]  # between hundreds and units
    articles: dict[str, int]  # count one: "a"


class SpanWords(BaseModel):
    """The words that give a number another type than a quantity."""

    model_config = ConfigDict(extra="forbid")

    units: dict[SpanName, list[str]]  # behind the number
    articles: list[str]  # units before which an article counts: "an hour"
    glued: dict[SpanName, list[str]]  # units that are written together with digits
    decimal: dict[SpanName, list[str]]  # units that are written together with a decimal
    openings: dict[SpanName, list[str]]  # before the number
    weak_openings: dict[SpanName, list[str]]  # before a number without a countable noun behind it
    figure_labels: list[str]  # before digits that end a name of the menu
    streets: list[str]  # behind the name of a street
    no_openings: list[str]  # phrases that end like a weak opening and are none
    closings: dict[SpanName, list[str]]  # the last words of a span of that type
    ordinals: list[str]  # suffixes of digits
    ordinal_openings: list[str]  # before the number
    weekdays: list[str]  # beside an ordinal that is a day of the week
    halves: list[str]  # behind a number
    half_of: list[str]  # half of the noun that follows
    shares_of: list[str]  # other shares of the noun that follows
    points: list[str]  # between the digits of a decimal
    ranges: list[str]  # alternatives, between two numbers: "or"
    betweens: list[str]  # before two bounds
    throughs: list[str]  # between two bounds

    def phrases(self) -> set[str]:
        """Return all phrases."""
        return set(_phrases_of(getattr(self, name) for name in type(self).model_fields))


class Plurals(BaseModel):
    """How names form their plural. Names with other letters than ASCII have none."""

    model_config = ConfigDict(extra="forbid")

    heads: list[str]  # the noun is the last word before one of these: "cup of tea"
    unchanged: list[str]  # nouns whose plural is the singular
    irregular: dict[str, str]  # plurals by their singular
    endings: list[tuple[str, str]]  # of the singular and of the plural; the first that fits


class MoneyPatterns(BaseModel):
    """How amounts of money are spoken. An empty pattern is not used."""

    model_config = ConfigDict(extra="forbid")

    thousands: list[str]  # currencies that are left out behind thousands
    whole: str  # no subunits
    part: str  # below one unit
    both: str  # units and subunits
    short: str  # instead of `both`, below a hundred
    short_ones: str  # the same, with fewer than ten subunits
    negative: str  # a rebate


class Clock(BaseModel):
    """How times of day are spoken, in hours from 1 to 12."""

    model_config = ConfigDict(extra="forbid")

    parts: dict[int, str]  # of the day, by their first hour
    hour: str  # a full hour
    minutes: str  # an hour with minutes
    few_minutes: str  # fewer than ten


class Speech(BaseModel):
    """What the shop says, as a synthesiser reads it: words and punctuation alone."""

    model_config = ConfigDict(extra="forbid")

    digits: list[str]  # 0 to 9, spoken one by one
    decimal_point: str  # between the digits of a decimal
    repeats_billions: bool  # higher powers of ten are multiples of a billion
    symbols: dict[str, str]  # signs in names and their words
    measures: dict[str, str]  # abbreviations behind a number
    plurals: Plurals  # of names behind a number
    currencies: dict[str, tuple[str, str, str, str]]  # one unit, several; one subunit, several
    money: MoneyPatterns  # prices and totals
    clock: Clock  # opening times
    weekdays: dict[str, str]  # by their names in menu files
    options: dict[Amount, str]  # the phrase with a choice, by its amount: "no {choice}"
    services: dict[str, str]  # by the values of service notes
    diets: dict[str, str]  # behind "is"; by their names in menu files
    allergens: dict[str, str]  # by their names in menu files
    opening: str  # of polite sentences, said once in a reply; "" if there is none
    sentences: dict[str, str]  # by the name that `Wording.sentence` says; the languages share names and `{values}`


class Asks(BaseModel):
    """How customers ask.

    In a pattern "*" is a gap of some words, a first "^" begins a clause, a last "$" ends one, a last "@" asks for a name of the menu.
    """

    model_config = ConfigDict(extra="forbid")

    total: list[str]  # for what the order costs so far
    price: list[str]  # for the price of items or choices
    hours: list[str]  # when an item or a category is served
    choices: list[str]  # what an item can have: sizes, options
    items: list[str]  # what the menu, or a category, has; for a recommendation
    available: list[str]  # whether the shop, or an item, has something
    description: list[str]  # what something is, or tastes like
    other: list[str]  # what no menu tells
    topics: list[str]  # the same, where a form, a sign or an opening makes a question of them
    forms: list[str]  # patterns of questions about anything
    lead_ins: list[str]  # words that may stand before the beginning of a clause
    not_before: list[str]  # words behind a pattern that make it no question: "gì cũng được"
    openings: list[str]  # announce a question
    shorthand: dict[str, list[str]]  # spellings of question words in chats
    contains: list[str]  # beside an allergen, they ask for it
    negations: list[str]  # turn a question about a choice round
    pronouns: list[str]  # for the line that the turn before changed
    closings: list[str]  # words that may follow the end of a clause
    sizes: list[str]  # ask for a group of sizes
    size_names: list[str]  # of its choices
    diets: dict[str, list[str]]  # by their names in menu files
    allergens: dict[str, list[str]]  # by their names in menu files

    @field_validator("*", mode="before")
    @classmethod
    def expand_rows(cls, rows: Any) -> Any:
        """Replace rows of patterns by all patterns."""
        return PhrasePatterns({}).expanded(rows)


class LanguagePack(BaseModel):
    """The phrases of a language, by their function in an order.

    A row may have several phrases, with commas between them, `{name}` for each word of a variable ("{noun} kia"), and `(a|b)` for each of
    some alternatives, the last of which may be empty ("take (the|that|) back"). A word with other spellings in `shorthand` may have them in
    every phrase.
    """

    model_config = ConfigDict(extra="forbid")

    language: str  # ISO 639-1
    variables: dict[str, list[str]]  # the words that take the place of `{name}`
    # Quantities
    numbers: Numbers  # cardinal numbers
    spans: SpanWords  # numbers that count nothing: times, prices, addresses
    portions: dict[str, int]  # how many portions of an option: "double"
    classifiers: list[str]  # between a number and its noun: "ly", "cups of"
    people: list[str]  # countable nouns for persons
    multiplies: list[str]  # before a number that follows its item: "latte x 2"
    mores: dict[str, int]  # ask for more of something; the value is how many more, 0 if unknown
    fewers: dict[str, int]  # ask for fewer of something; the value is how many fewer
    all_references: dict[str, int]  # refers to all lines or units; the value is how many there are, 0 if unknown
    shares: dict[str, int]  # one of several equal parts of a line; the value is how many parts
    eaches: list[str]  # apply a number or an option to each unit: "each"
    everyones: list[str]  # apply a number or an option to each person
    # Function words
    requests: list[str]  # before an ordered item or option
    fillers: list[str]  # without a function; their single words tell little in a name
    joins: list[str]  # conjunctions
    buts: list[str]  # conjunctions that end a list
    excepts: list[str]  # before what an edit does not apply to
    ors: list[str]  # between alternatives
    withs: list[str]  # before an option
    ontos: list[str]  # before the item to which an option is added
    onlys: list[str]  # limit the number or option beside them: "two only"
    # Options and their amounts
    amounts: dict[Amount, list[str]]  # before the option
    amounts_behind: dict[Amount, list[str]]  # behind the option
    plains: list[str]  # the item before or behind it has no options: "on its own"
    # Edits
    removes: list[str]  # before or behind the line or option that goes
    replaces: list[str]  # before the old part of a replacement; `intos` stand before the new one
    intos: list[str]  # between the old and the new part of a replacement
    insteads: list[str]  # before the old part
    swaps: list[str]  # exchange the options of two lines: "the other way round"
    keeps: list[str]  # leave a line or an option unchanged; a negated removal is one: "don't remove"
    sets: list[str]  # before the new quantity or option of a line
    set_pronouns: list[str]  # before the new quantity or option of the last line, with a pronoun: "make it"
    agains: list[str]  # repeat the last line, or one that is named beside it: "same again"
    corrects: list[str]  # retract the words before them
    cancels: list[str]  # empty the order
    # References
    parts: list[str]  # some units of the line before: "of them"
    rests: list[str]  # its other units
    ones: list[str]  # a pronoun in place of a noun: "the large one"
    alsos: list[str]  # with a line that comes beside the others
    refers: list[str]  # pronouns for a line of the order
    ordinals: dict[str, int]  # the position of a line, or of a choice that the shop offered; -1: the last
    # Questions and answers
    inquiries: list[str]  # begin a question, so that names behind them are less likely ordered; `asks` tells the kind of question
    asked: list[str]  # complete questions
    answers: dict[str, list[str]]  # by their kind: yes, no, done, any, most, least, middle
    havings: dict[Literal["yes", "no"], list[str]]  # single words that choose by having or not having: "with", "without"
    acts: dict[str, list[str]]  # phrases that tell a dialogue act: human, repeat, smalltalk
    unfinished: list[str]  # the last words of an utterance that goes on after a pause
    # Statements
    likewise: list[str]  # ask for the order of somebody else
    allergies: list[str]  # begin a statement of an allergy
    allergy_nouns: list[str]  # end one: "a nut allergy"
    diet_openings: list[str]  # before a diet: "I'm"
    owners: list[str]  # before the person for whom a line is: "for"
    persons: list[str]  # persons without a name: "my wife"
    titles: list[str]  # before the name of a person: "Mr"
    introductions: list[str]  # before the name of the customer or the order: "my name is"
    introductions_of_names: list[str]  # the same, if a name in capitals follows: "it's for"
    possessives: dict[str, list[str]]  # pronouns for a person's line, each with the `persons` whom it fits; none: the speaker
    recipients: list[str]  # for whom one unit of several is: "for him"
    services: dict[Literal["takeaway", "dine_in", "delivery", "pickup"], list[str]]  # how the order leaves the counter
    # Vocabulary
    combos: list[str]  # words in the name of a combo, beside that of its main part
    combo_names: list[str]  # words of customers for a combo
    combo_numbers: list[str]  # words before the number of a combo
    adjectives: list[str]  # no names without a noun
    adjectives_first: bool  # they stand before their noun
    shorthand: dict[str, list[str]]  # short and wrong spellings of a word in chats; they count in all phrases with the word
    synonyms: list[list[str]]  # words of names that mean the same, in rows
    speech: Speech  # what the shop says
    asks: Asks  # what the customer asks

    def phrases(self) -> frozenset[str]:
        """Return the phrases of function words.

        Left out are `spans`, `people`, `adjectives`, questions, answers and statements, and of `numbers` everything but
        `units`, `ends`, `tens`, `times` and `articles`.
        """
        return self._phrases

    @cached_property
    def _phrases(self) -> frozenset[str]:
        numbers = self.numbers
        return frozenset(
            _phrases_of(
                [
                    *(numbers.units, numbers.ends, numbers.tens, numbers.times, numbers.articles),
                    *(self.portions, self.classifiers, self.multiplies, self.mores, self.fewers, self.all_references, self.shares),
                    *(self.eaches, self.everyones, self.requests, self.fillers, self.joins, self.buts, self.ors, self.withs),
                    *(self.ontos, self.onlys, self.amounts, self.amounts_behind, self.plains, self.removes, self.replaces, self.intos),
                    *(self.insteads, self.keeps, self.sets, self.set_pronouns, self.agains, self.corrects, self.cancels),
                    *(self.parts, self.rests, self.ones, self.alsos, self.refers, self.ordinals, self.inquiries),
                ]
            )
        )

    def function_words(self) -> frozenset[str]:
        """Return the single words that name nothing."""
        return self._function_words

    @cached_property
    def _function_words(self) -> frozenset[str]:
        return _single_words(self.phrases())

    def quantifiers(self) -> set[str]:
        """Return the words before a noun that are no part of its name: "no", "extra", "all"; alone they name nothing."""
        everything = [way for way in self.all_references if any(other.startswith(f"{way} ") for other in self.all_references)]
        return {way for way in (*self.amounts["extra"], *everything, *self.answers["no"]) if " " not in way}

    def uninformative_words(self) -> frozenset[str]:
        """Return the single words that do not distinguish two names: "ly" in "ly lớn", "size", "có" in "có đá"."""
        return _single_words(chain(self.fillers, self.classifiers, self.withs))

    @model_validator(mode="before")
    @classmethod
    def expand(cls, pack: dict[str, Any]) -> dict[str, Any]:
        """Put all phrases in the place of their patterns."""
        patterns = PhrasePatterns(pack.get("variables", {}))
        return {key: field if key in LITERAL else patterns.expanded(field) for key, field in pack.items()}


def _phrases_of(fields: Iterable[Iterable[str] | Mapping[str, object]]) -> Iterable[str]:
    """Yield the phrases of fields: the elements of a list, the keys of a dictionary of numbers, the lists in a dictionary of lists."""
    for field in fields:
        if isinstance(field, dict):
            for key, value in field.items():
                yield from value if isinstance(value, list) else [key]
        else:
            yield from field


def _single_words(phrases: Iterable[str]) -> frozenset[str]:
    surfaces = [words.phrase(phrase) for phrase in phrases if " " not in phrase]
    return frozenset([phrase[0] for phrase in surfaces if len(phrase) == 1])


@lru_cache(maxsize=1)
def language_packs() -> dict[str, LanguagePack]:
    """Load all language packs, by language; customers may speak any of them to any menu."""
    packs = {}
    for path in sorted(LANGUAGES.glob("*.yaml")):
        content = bounded_yaml.parse(path.read_bytes()).content  # YAML 1.2: "no" is a string
        pack = LanguagePack.model_validate(content)
        packs[pack.language] = pack
    return packs


def speech_of(language: str) -> Speech:
    """Return what the shop says in a language, in English for an unknown one."""
    packs = language_packs()
    return (packs.get(language) or packs["en"]).speech
