"""The lexicon of one menu: an index of its names and of the function words of all languages, and the arcs that begin at a token.

These arcs depend only on the tokens that follow; `voice.orders.lattice` adds the arcs that depend on the whole utterance.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum, auto
from typing import Any, Final, NamedTuple, final

from rapidfuzz.distance import OSA

from schemas import Amount
from voice.menus.menu import Choice, Item, Menu
from voice.menus.names import spoken_names
from voice.orders import spelling, words
from voice.orders.cooperation import let_others_run
from voice.orders.costs import (
    ADJECTIVE,
    AN_ARTICLE,
    BROKEN,
    CATEGORY,
    ELSEWHERE,
    EMPTY,
    LESS_LIKELY,
    MENU_FIRST,
    MISSING_ALONE,
    MISSING_EMPTY,
    MISSING_HEAD,
    MISSING_MORE,
    MISSING_REST,
    MISSING_SILENT,
    NOUN_OF_NONE,
    OTHER_REGION,
    ROTATED,
    SEGMENT,
    UNJOINED,
    UNREAD_NAME,
)
from voice.orders.language_packs import LanguagePack, language_packs
from voice.orders.numbers import Number, NumberWords
from voice.orders.spans import SpanClassifier
from voice.orders.words import Token

MAX_REMEMBERED: Final = 4096  # cached look-ups: bounds the memory and the duration of a garbage collection
MAX_WORDS: Final = 12  # of a phrase
MAX_CORRECTIONS: Final = 8  # menu words as corrections of an unknown token
MIN_CORRECTED: Final = 3  # letters of its key
MIN_DELETION_KEY: Final = 4  # letters: shorter words have too many neighbours
MIN_GLUED: Final = 6  # letters: a shorter token is a word more often than several words without a space
MIN_GLUED_NAME: Final = 4
MIN_CORRECTED_FUNCTION_WORD: Final = 6  # letters: shorter words have too many neighbours
MAX_PEOPLE_WORDS: Final = 2  # behind their number
MAX_PARTIAL: Final = 24  # items or choices: a part of more names is too ambiguous to ask about
MAX_FUNCTION_DISTANCE: Final = 0.45  # one wrong tone, or a long phrase without diacritics


class Role(Enum):
    """The function of a phrase in an order."""

    __hash__ = object.__hash__  # each member exists once; Enum would hash its name

    ITEM = auto()
    OPTION = auto()
    NUMBER = auto()
    ARTICLE = auto()
    PORTION = auto()
    AMOUNT = auto()
    AFTER = auto()
    REMOVE = auto()
    REPLACE = auto()
    INTO = auto()
    INSTEAD = auto()
    KEEP = auto()
    SET = auto()
    MORE = auto()
    ONLY = auto()
    CORRECT = auto()
    CANCEL = auto()
    ALL = auto()
    EACH = auto()
    PEOPLE = auto()
    ORDINAL = auto()
    PART = auto()
    REST = auto()
    SHARE = auto()
    PLAIN = auto()
    ONES = auto()
    TIMES = auto()
    REFER = auto()
    INQUIRY = auto()
    REQUEST = auto()
    CLASSIFIER = auto()
    JOIN = auto()
    OR = auto()
    WITH = auto()
    ONTO = auto()
    FILLER = auto()
    STATEMENT = auto()
    PAUSE = auto()
    STOP = auto()
    UNKNOWN = auto()
    UNUSED = auto()


NAMING: Final = (Role.ITEM, Role.OPTION)
# Roles of arcs that are not phrases of a language pack.
_WITHOUT_PHRASE: Final = (*NAMING, Role.NUMBER, Role.ARTICLE, Role.PEOPLE, Role.UNUSED)


class LexicalEntry(NamedTuple):
    """A phrase in one role."""

    role: Role
    value: Any  # the id of an item, a ChoiceRef, a number, an amount
    phrase: tuple[str, ...]
    cost: float


class ChoiceRef(NamedTuple):
    """A choice of an option group."""

    bit: int  # of its group
    group: str
    choice: str


@final
class Arc:
    """A span of tokens in one role; the row of the lattice gives its first token."""

    __slots__ = ("cost", "length", "part", "plural", "role", "value")

    def __init__(self, length: int, role: Role, value: Any, cost: float, *, part: bool = False, plural: bool = False) -> None:
        self.length = length  # tokens
        self.role = role
        self.value = value
        self.cost = cost
        self.part = part  # only some words of a name were said
        self.plural = plural  # said in the plural, where the menu has the singular

    def at(self, cost: float) -> "Arc":
        """Return the arc with another cost."""
        return Arc(self.length, self.role, self.value, cost, part=self.part, plural=self.plural)

    def over(self, length: int) -> "Arc":
        """Return the arc with another length."""
        return Arc(length, self.role, self.value, self.cost, part=self.part, plural=self.plural)

    def of(self, value: Any) -> "Arc":
        """Return the arc with another value."""
        return Arc(self.length, self.role, value, self.cost, part=self.part, plural=self.plural)


class Row(NamedTuple):
    """The arcs that begin at a token."""

    arcs: list[Arc]
    wholes: list[int]  # lengths of complete names
    sharing: list[Arc]  # items that may share words with another name
    may_be_foreign_filler: bool  # may be a filler of a language that is not the menu's
    has_only_whole_names: bool  # no part of a name, and not unknown


REPORTED_WHOLE: Final = 1  # value of a STATEMENT arc that is reported with its function words
UNKNOWN: Final = Arc(1, Role.UNKNOWN, None, 1.0)


@final
class Statements:
    """The words of all languages that begin or end a statement without an order: the name of a person, an allergy."""

    def __init__(self, packs: Iterable[LanguagePack]) -> None:
        """Collect the words, with diacritics and without."""
        packs = list(packs)
        others = {(word,) for pack in packs for word in pack.function_words()}  # "tên" without its diacritic is an English number
        self.name_openings = {words.phrase(way) for pack in packs for way in pack.name_openings}
        self.name_openings |= {spelt for pack in packs for spelt in _spellings(pack.name_openings) if spelt not in others}
        self.allergies = {spelt for pack in packs for spelt in _spellings(pack.allergies)}
        self.allergy_nouns = {word for pack in packs for word in pack.allergy_nouns}
        self.allergy_verbs = {word for pack in packs for word in pack.allergy_verbs}
        self.retractions = {word for pack in packs for word in pack.retractions}
        self.fillers = {words.phrase(way) for pack in packs for way in pack.fillers}
        self.openings = {phrase[0] for phrase in (*self.name_openings, *self.allergies)} | self.allergy_nouns


class Lexicon:
    """The index of a menu's names and of all languages' function words."""

    _glued: tuple[dict[str, tuple[str, ...]], set[str]] | None = None  # built for the first unknown word

    def __init__(self, menu: Menu) -> None:
        """Compile the menu."""
        self.menu = menu
        self.bits = {group: 1 << number for number, group in enumerate(menu.option_groups)}
        self.index: dict[str, list[LexicalEntry] | None] = {}
        self._joins: set[str] = set()
        self.linking: set[str] = {",", ":"}
        self._adjectives: set[str] = set()
        self.names: set[str] = set()
        self._people: set[tuple[str, ...]] = set()
        self.questions: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.asked: set[tuple[str, ...]] = set()
        self._near: dict[str, tuple[str, ...]] = {}
        self.skeletons: dict[str, list[LexicalEntry]] = defaultdict(list)
        # Cached rows and the number of tokens on which they depend, without diacritics and with them.
        self._rows: tuple[tuple[dict[tuple[str, ...], Row], dict[str, int]], ...] = (({}, {}), ({}, {}))
        packs = language_packs().values()
        # Words may lack their diacritics only on a menu in a language with diacritics.
        spoken = [pack for pack in packs if pack.language in menu.languages or not menu.languages]
        self._has_marks = any(not word.isascii() for pack in spoken for word in pack.function_words())
        self.numbers = NumberWords(packs, are_diacritics_optional=self._has_marks)
        item_names = [name for item in menu.items.values() for name in spoken_names(item)]
        choices = [choice for group in menu.option_groups.values() for choice in group.choices.values()]
        choice_names = [name for choice in choices for name in spoken_names(choice)]
        self.spans = SpanClassifier(packs, self.numbers, item_names, choice_names, currency=menu.currency, languages=menu.languages)
        self._synonyms: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
        for row in [row for pack in packs for row in pack.synonyms]:
            for word in row:
                self._synonyms[words.phrase(word)] += [words.phrase(other) for other in row if other != word]
        menu_phrases = self._add_menu()
        for pack in packs:
            self._add_language(pack, menu_phrases)
        articles = any(pack.numbers.articles for pack in packs if not menu.languages or pack.language in menu.languages)
        self._an_article = AN_ARTICLE if articles else ELSEWHERE
        self.sold_by = self._sold_by(packs)
        self._deletions = self._spelling_index()
        self._part_names: dict[tuple[str, bool], list[tuple[str, ...]]] = {}
        self.function_words = {word for pack in packs for word in pack.function_words()}
        self._misspelt: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self.function_words):
            for variant in _deletions(word) if len(word) >= MIN_CORRECTED_FUNCTION_WORD - 1 and word.isascii() else ():
                self._misspelt[variant].append(word)
        self.before_nouns = {word for pack in packs if pack.adjectives_first for word in pack.adjectives}
        self.labels_of = self._group_labels(packs, menu_phrases)
        self.statements = Statements(packs)
        asked = (*self.asked, *[opening for opening, _ in self.questions])
        self.statement_openings = self.statements.openings | self.names | {phrase[0] for phrase in asked}

    def _group_labels(
        self, packs: Iterable[LanguagePack], menu_phrases: set[tuple[str, ...]]
    ) -> dict[str, list[tuple[tuple[str, ...], str]]]:
        """Return the names of option groups and parts of them, by their first key; a part must not consist of names and conjunctions."""
        categories = {words.phrase(item.category) for item in self.menu.items.values() if item.category is not None}
        known = {words.phrase(way) for pack in packs for way in (*pack.joins, *pack.withs, *pack.ors, *pack.ontos)}
        known |= menu_phrases - categories
        amounts = {words.phonetic_key(way) for pack in packs for ways in pack.amounts.values() for way in ways}
        labels: list[tuple[tuple[str, ...], str]] = []
        names = [(words.phrase(group.name), group_id) for group_id, group in self.menu.option_groups.items()]
        names += [(name[:length], group_id) for name, group_id in names for length in range(2, len(name))]
        for name, group_id in names:
            if len(name) == 1 or any((word,) not in known for word in name):
                labels.append((name, group_id))
        labels += [((word,), group_id) for name, group_id in labels for word in name if len(name) > 1 and (word,) not in known]
        by_key: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        for name, group_id in labels:
            keys = tuple(map(words.phonetic_key, name))
            if not amounts.issuperset(keys):
                by_key[keys[0]].append((keys, group_id))
        return by_key

    # --- Compilation ----------------------------------------------------------------------------------------------------------------

    def _add(self, role: Role, value: object, phrase: tuple[str, ...], cost: float = 0.0) -> None:
        let_others_run()
        if not phrase or len(phrase) > MAX_WORDS:
            return
        key = "".join(map(words.phonetic_key, phrase))
        for length in range(1, len(key)):
            self.index.setdefault(key[:length], None)
        entries = self.index.get(key)
        if entries is None:
            self.index[key] = entries = []
        entry = LexicalEntry(role, value, phrase, cost)
        for number, other in enumerate(entries):
            if other.role == role and other.value == value and other.phrase == phrase:
                if cost < other.cost:
                    entries[number] = entry
                return
        entries.append(entry)

    def _variants(self, phrase: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Yield the phrase, and the phrase with one word replaced by each of its synonyms."""
        let_others_run()
        yield phrase
        for start in range(len(phrase)):
            for end in range(start + 1, min(len(phrase), start + 3) + 1):
                for other in self._synonyms.get(phrase[start:end], ()):
                    yield (*phrase[:start], *other, *phrase[end:])

    def _add_menu(self) -> set[tuple[str, ...]]:
        named: list[tuple[Role, object, tuple[str, ...]]] = []
        for item_id, item in self.menu.items.items():
            named += [(Role.ITEM, item_id, words.phrase(alias)) for alias in spoken_names(item)]
        for group_id, group in self.menu.option_groups.items():
            for choice_id, choice in group.choices.items():
                entry = ChoiceRef(self.bits[group_id], group_id, choice_id)
                named += [(Role.OPTION, entry, words.phrase(alias)) for alias in spoken_names(choice)]
        packs = language_packs().values()
        self._name_joins = {words.phrase(way) for pack in packs for way in (*pack.joins, *pack.withs)}
        self._name_fillers = {words.phrase(way) for pack in packs if pack.language in self.menu.languages for way in pack.fillers}
        self._name_classifiers = {words.phrase(way) for pack in packs for way in pack.classifiers}
        phrases = set()
        items = {name: tuple(map(words.phonetic_key, name)) for role, _, name in named if role is Role.ITEM}
        heads = Counter([name[:2] for name in items])
        begins: Counter[str] = Counter()
        ends: Counter[str] = Counter()
        for keys in items.values():
            let_others_run()
            begins.update(["".join(keys[:length]) for length in range(1, len(keys))])
            ends.update(["".join(keys[length:]) for length in range(1, len(keys))])
        self.shared_heads = {head for head, count in begins.items() if count > 1}
        self.shared_tails = {tail for tail, count in ends.items() if count > 1}
        amounts = {words.phrase(way) for pack in packs for ways in (pack.amounts["light"], pack.amounts["extra"]) for way in ways}
        for role, value, name in dict.fromkeys(named):
            for phrase in self._variants(name):
                phrases.add(phrase)
                # A word that is both a choice and an amount is less likely the choice.
                self._add(role, value, phrase, OTHER_REGION if phrase != name else LESS_LIKELY if phrase in amounts else 0.0)
                self.skeletons[words.skeleton("".join(phrase))].append(LexicalEntry(role, value, phrase, 0.0))
            for phrase, cost in self._short_forms(role, name, heads):
                self._add(role, value, phrase, cost)
        figured = [(role, value, figures) for role, value, name in named for figures in self.spans.spellings(name) if figures != name]
        for role, value, name in figured:
            self._add(role, value, name)
        self._add_amounts(named)
        self._add_parts(named, figured)
        self._comma_names = any("," in way for item in self.menu.items.values() for way in spoken_names(item))
        phrases |= {words.phrase(item.category) for item in self.menu.items.values() if item.category is not None}
        for item_id, item in self.menu.items.items():
            if item.category is not None:
                category, name = words.phrase(item.category), words.phrase(item.name)
                self._add(Role.ITEM, item_id, category, CATEGORY)
                if category[:1] == name[:1] and len(category) > 1:
                    self._add(Role.ITEM, item_id, category + name[1:], UNJOINED)  # the category in place of its first word
        return phrases

    def _short_forms(self, role: Role, name: tuple[str, ...], heads: Counter[tuple[str, ...]]) -> Iterator[tuple[tuple[str, ...], float]]:
        """Yield other forms of a name and their costs; `heads`: how many items share the first two words."""
        unjoined = tuple([word for word in name if (word,) not in self._name_joins and word != "%"])
        if role is Role.ITEM and name[-1:] in self._name_classifiers:
            yield (name[-1], *name[:-1]), EMPTY  # the classifier before its noun
        if role is Role.ITEM and name[:1] in self._name_fillers and len(name) > 1 and not self._is_number(name[1:]):
            yield name[1:], MISSING_SILENT  # a code keeps its letter
        if unjoined != name and len(unjoined) > 1:
            yield unjoined, UNJOINED
        if role is Role.ITEM and len(name) == 3 and name != tuple(map(words.fold, name)):  # noqa: PLR2004 - a head and two syllables
            yield (name[0], name[1][0] + name[2][0]), OTHER_REGION  # their initials: "bia sg"
        if role is Role.ITEM and heads[name[:2]] > 1 and len(name) > 2:  # noqa: PLR2004 - a head of two words and more
            yield (name[0][0] + name[1][0], *name[2:]), UNJOINED  # the initials of the head: "bm trứng"

    def _add_amounts(self, named: Iterable[tuple[Role, object, tuple[str, ...]]]) -> None:
        """Index choices named by an amount and a noun ("no ice") under every language's phrases for that amount."""
        self._measured: dict[tuple[Amount, str], list[tuple[tuple[str, ...], ChoiceRef]]] = defaultdict(list)
        ways = {words.phrase(way): amount for pack in language_packs().values() for amount, ways in pack.amounts.items() for way in ways}
        for role, value, phrase in named:
            for length in range(1, len(phrase)):
                amount = ways.get(phrase[:length])
                if role is Role.OPTION and amount is not None and isinstance(value, ChoiceRef):
                    for rest in self._variants(phrase[length:]):
                        entries = self._measured[amount, "".join(map(words.phonetic_key, rest))]
                        if (rest, value) not in entries:
                            entries.append((rest, value))
                        other = OTHER_REGION if rest != phrase[length:] else 0.0
                        self._add(role, value, rest + phrase[:length], ROTATED + other)
                        self._add(role, value, rest, (NOUN_OF_NONE if amount == "no" else MISSING_HEAD) + other)
                        for way, meant in ways.items():
                            if meant == amount:
                                self._add(role, value, way + rest, spelling.PLURAL + other)

    def _add_parts(
        self, named: Sequence[tuple[Role, object, tuple[str, ...]]], figured: Sequence[tuple[Role, object, tuple[str, ...]]]
    ) -> None:
        """Index parts of names: the head, or a modifier alone, unless it is a complete name of the same option group, or of an item.

        `figured`: the same names with numbers in digits; a single digit is not indexed as a part.
        """
        whole: dict[tuple[Role, tuple[str, ...]], int] = defaultdict(int)
        for role, value, phrase in named:
            let_others_run()
            whole[role, phrase] |= value.bit if isinstance(value, ChoiceRef) else 1
        parts: dict[tuple[Role, tuple[str, ...]], dict[object, float]] = defaultdict(dict)
        packs = language_packs().values()
        adjectives = {words.phrase(way) for pack in packs for way in pack.adjectives}
        amounts = {words.phrase(way) for pack in packs for amount, ways in pack.amounts.items() if amount != "regular" for way in ways}
        empty = {word for pack in packs for word in pack.function_words()}
        hollow = {word for pack in packs for word in pack.uninformative_words()}
        figures = set(figured)
        for role, value, phrase in (*named, *figured):
            let_others_run()
            vietnamese = any(word != words.fold(word) for word in phrase)
            for length in range(1, len(phrase)):
                first, last = (phrase[:length], phrase[length:], vietnamese), (phrase[-length:], phrase[:-length], not vietnamese)
                for part, missing, is_head in (first, last):
                    if whole.get((role, part), 0) & (value.bit if isinstance(value, ChoiceRef) else 1):
                        continue
                    if empty.issuperset(part) and not (role is Role.OPTION and part in adjectives - amounts):
                        continue
                    if self._is_number(part) and (role is Role.ITEM or ((role, value, phrase) in figures and len(part[0]) == 1)):
                        continue
                    cost = MISSING_HEAD if is_head else MISSING_REST + (ADJECTIVE if part in adjectives else 0.0)
                    more = len(missing) - 1 if is_head or len(missing) > len(part) else 0
                    cost = MISSING_EMPTY if hollow.issuperset(missing) else cost + MISSING_MORE * more
                    parts[role, part][value] = min(parts[role, part].get(value, cost), cost)
        for (role, part), values in parts.items():
            if len(values) <= MAX_PARTIAL:
                cheapest = min(values.values())
                alone = len(values) == 1 and cheapest == MISSING_REST  # no other name has these words
                for variant in self._variants(part):
                    for value, cost in values.items():
                        if cost <= cheapest + MISSING_MORE * 2:
                            self._add(
                                role, value, variant, (MISSING_ALONE if alone else cheapest) + (OTHER_REGION if variant != part else 0.0)
                            )

    def _is_number(self, phrase: tuple[str, ...]) -> bool:
        return all([word[0].isdecimal() or self.numbers.is_number_word(word) for word in phrase])

    def _add_language(self, pack: LanguagePack, menu_phrases: set[tuple[str, ...]]) -> None:
        roles: list[tuple[Role, object, Iterable[str]]] = [
            (Role.REQUEST, None, pack.requests),
            (Role.FILLER, bool(self.menu.languages) and pack.language not in self.menu.languages, pack.fillers),
            (Role.CLASSIFIER, None, pack.classifiers),
            (Role.JOIN, None, pack.joins),
            (Role.PAUSE, None, pack.buts),
            (Role.OR, None, pack.ors),
            (Role.WITH, None, pack.withs),
            (Role.ONTO, None, pack.ontos),
            (Role.REMOVE, 0, pack.removes),
            (Role.REPLACE, None, pack.replaces),
            (Role.INTO, None, pack.intos),
            (Role.INSTEAD, None, pack.insteads),
            (Role.KEEP, None, pack.keeps),
            (Role.SET, False, pack.sets),
            (Role.SET, True, pack.set_pronouns),
            (Role.MORE, 2, pack.agains),
            (Role.ONLY, None, pack.onlys),
            (Role.CORRECT, None, pack.corrects),
            (Role.CANCEL, None, pack.cancels),
            (Role.EACH, False, pack.eaches),
            (Role.EACH, True, pack.everyones),
            (Role.PART, None, pack.parts),
            (Role.REST, None, pack.rests),
            (Role.PLAIN, None, pack.plains),
            (Role.ONES, None, pack.ones),
            (Role.TIMES, None, pack.multiplies),
            (Role.REFER, None, pack.refers),
            (Role.INQUIRY, None, pack.inquiries),
            (Role.STATEMENT, REPORTED_WHOLE, pack.likewise),
            *[(Role.AMOUNT, amount, ways) for amount, ways in pack.amounts.items()],
            *[(Role.AFTER, amount, ways) for amount, ways in pack.amounts_behind.items()],
            *[(Role.MORE, count, [way]) for way, count in pack.mores.items()],
            *[(Role.REMOVE, count, [way]) for way, count in pack.fewers.items()],
            *[(Role.SHARE, count, [way]) for way, count in pack.shares.items()],
            *[(Role.ORDINAL, place, [way]) for way, place in pack.ordinals.items()],
            *[(Role.ALL, count, [way]) for way, count in pack.all_references.items()],
            *[(Role.PORTION, count, [way]) for way, count in pack.portions.items()],
            *[(Role.NUMBER, number, [way]) for way, number in pack.numbers.wholes.items()],
        ]
        menu_keys = {"".join(map(words.phonetic_key, phrase)) for phrase in menu_phrases}
        for role, value, ways in roles:
            for phrase in [spelt for way in ways for spelt in self._spelt(words.phrase(way), pack)]:
                keys = [words.phonetic_key(word) for word in phrase]
                own = "".join(keys) in menu_keys
                if role is Role.REQUEST:
                    own = own or keys[-1] in menu_keys
                elif role is Role.CLASSIFIER:
                    own = own or keys[0] in menu_keys
                if own and role is Role.CLASSIFIER:
                    self._add(role, value, phrase, MENU_FIRST + SEGMENT)
                    continue
                cost = MENU_FIRST if own and role is not Role.AMOUNT else 0.0
                self._add(role, value, phrase, cost + (EMPTY if role in {Role.FILLER, Role.REFER, Role.PLAIN} else 0.0))
        self._people |= {words.phrase(spelt) for way in pack.people for spelt in (way, words.fold(way))}
        self.names |= set(pack.names)
        self.questions += [(words.phrase(opening), words.phrase(closing)) for opening, closing in pack.questions]
        self.asked |= {spelt for way in pack.asked for spelt in (words.phrase(way), words.phrase(words.fold(way)))}
        self._joins |= {way for way in pack.joins if " " not in way}
        self.linking |= {way for way in (*pack.joins, *pack.numbers.units, *pack.numbers.articles) if " " not in way}
        self._adjectives |= {way for way in pack.adjectives if " " not in way}

    def _sold_by(self, packs: Iterable[LanguagePack]) -> dict[tuple[str, int], ChoiceRef]:
        """Return the choice that is a number of pieces ("12 pieces"), by item and number."""
        counted = {words.singular(word) for pack in packs for word in pack.classifiers}
        found: dict[tuple[str, int], ChoiceRef] = {}
        for item_id, item in self.menu.items.items():
            for group_id in item.options:
                group = self.menu.option_groups[group_id]
                for choice_id, choice in group.choices.items() if group.select == "one" else ():
                    for way in spoken_names(choice):
                        said = words.phrase(way)
                        if len(said) == 2 and said[0].isdecimal() and words.singular(said[1]) in counted:  # noqa: PLR2004 - "12 pieces"
                            found[item_id, int(said[0])] = ChoiceRef(self.bits[group_id], group_id, choice_id)
        return found

    def _glued_phrases(self, packs: Iterable[LanguagePack]) -> tuple[dict[str, tuple[str, ...]], set[str]]:
        """Return names without spaces with their words, and the numbers and requests that may be written together with a name."""
        named: list[Item | Choice] = [*self.menu.items.values()]
        named += [choice for group in self.menu.option_groups.values() for choice in group.choices.values()]
        phrases = [words.phrase(way) for one in named for way in spoken_names(one)]
        spelt = [one for phrase in phrases for one in (phrase, tuple(map(words.fold, phrase)))]
        names = {"".join(phrase): phrase for phrase in spelt if len("".join(phrase)) >= MIN_GLUED_NAME and "".join(phrase).isalpha()}
        numbers = [pack.numbers for pack in packs]
        openings = {way for number in numbers for way in (*number.units, *number.tens)} | {way for pack in packs for way in pack.requests}
        return names, {one for way in openings if " " not in way for one in (way, words.fold(way))}

    def split_glued(self, token: Token) -> list[Token]:
        """Split a token of numbers, requests and names that are written without spaces: "haitradao"."""
        surface = token.surface
        if len(surface) < MIN_GLUED or len(surface) != token.end - token.start or token.key in self.known or self.index.get(token.key):
            return [token]
        if self._glued is None:
            self._glued = self._glued_phrases(language_packs().values())
        names, openings = self._glued
        parts = _split(surface, names, openings)
        found, start = [], token.start
        for part in parts or (surface,):
            found.append(Token(part, words.phonetic_key(part), start, start + len(part), token.capital))
            start += len(part)
        return found if parts else [token]

    @staticmethod
    def _spelt(phrase: tuple[str, ...], pack: LanguagePack) -> Iterator[tuple[str, ...]]:
        """Yield a phrase, and the phrase with one word in shorthand or digits: "k lấy" for "không lấy", "cả 2" for "cả hai"."""
        yield phrase
        for place, word in enumerate(phrase) if len(phrase) > 1 else ():
            number = pack.numbers.units.get(word)
            for short in (*pack.shorthand.get(word, ()), *([str(number)] if number else ())):
                yield (*phrase[:place], short, *phrase[place + 1 :])

    def _spelling_index(self) -> dict[str, list[str]]:
        """Return the keys of the menu's words by these keys with one letter deleted. Source: Garbe 2012, symmetric deletes."""
        index: dict[str, list[str]] = defaultdict(list)
        self.known: set[str] = set()
        vocabulary: set[str] = set()
        for entries in self.index.values():
            let_others_run()
            for entry in entries or ():
                self.known.update(map(words.phonetic_key, entry.phrase))
                if entry.role in NAMING:
                    vocabulary.update(entry.phrase)
        for key in sorted({words.phonetic_key(word) for word in vocabulary}):
            if len(key) >= MIN_DELETION_KEY:
                let_others_run()
                for variant in _deletions(key):
                    index[variant].append(key)
        self._prefixes: dict[str, list[str]] = defaultdict(list)
        for word in sorted({words.fold(word) for word in vocabulary}):
            let_others_run()
            for length in range(spelling.MIN_ABBREVIATION, len(word) - spelling.MIN_OMITTED + 1):
                self._prefixes[word[:length]].append(words.phonetic_key(word))
        return index

    # --- Look-up --------------------------------------------------------------------------------------------------------------------

    def _corrections(self, token: Token) -> tuple[str, ...]:
        """Return the keys of menu words that an unknown token may misspell."""
        found = self._near.get(token.surface)
        if found is None:
            candidates = dict.fromkeys([key for variant in _deletions(token.key) for key in self._deletions.get(variant, ())])
            candidates.update(dict.fromkeys(self._prefixes.get(words.fold(token.surface), ())))
            found = tuple(candidates)[:MAX_CORRECTIONS] if len(token.key) >= MIN_CORRECTED else ()
            if len(self._near) > MAX_REMEMBERED:
                self._near.clear()
            self._near[token.surface] = found
        return found

    def corrected_function_word(self, token: Token) -> Token:
        """Return the function word that an unknown token misspells, else the token itself."""
        if token.key in self.known or len(token.surface) < MIN_CORRECTED_FUNCTION_WORD or not token.surface.isascii():
            return token
        near = [word for variant in _deletions(token.surface) for word in self._misspelt.get(variant, ())]
        word = next((word for word in near if OSA.distance(token.surface, word) == 1), None)
        named = self._corrections(token)  # a word of the menu is likelier
        if word is None or (named and words.phonetic_key(word) not in named):
            return token
        return Token(word, words.phonetic_key(word), token.start, token.end, token.capital)

    def _phrases(
        self, tokens: Sequence[Token], surfaces: tuple[str, ...], numbers: Sequence[Number | None], start: int
    ) -> Iterator[tuple[int, tuple[str, ...], list[LexicalEntry]]]:
        """Yield the phrases that begin at a token: end, words and entries, near spellings included.

        The last element has no entries; its end is the end of the tokens on which the result depends.
        """
        index = self.index
        paths: list[tuple[str, int, tuple[str, ...]]] = [
            ("", start, ())
        ]  # key, position, words if they differ from the tokens (a number in digits)
        reach = start
        while paths:
            key, position, said = paths.pop()
            reach = max(reach, position + 1)
            if position == len(tokens) or position - start == MAX_WORDS:
                continue
            token = tokens[position]
            if self._comma_names and token.surface == "," and position > start:
                paths.append((key, position + 1, said or surfaces[start:position]))
                continue
            figures = key[-1:].isdecimal()  # two numbers in digits are not one
            longer = [] if figures and token.key[0].isdecimal() else [key + token.key]
            if token.key not in self.known:
                longer += [key + other for other in self._corrections(token) if other != token.key]
            for path in longer:
                if path in index:
                    words_said = (*said, surfaces[position]) if said else ()
                    entries = index[path]
                    if entries:
                        yield position + 1, words_said or surfaces[start : position + 1], entries
                    paths.append((path, position + 1, words_said))
            number = numbers[position]
            if number is not None:
                reach = max(reach, number.end + 1)
                path = key + str(number.value)
                if path in index and not number.article and not figures and path not in longer:
                    digits = (*surfaces[start:position], str(number.value))
                    entries = index[path]
                    if entries:
                        yield number.end, digits, entries
                    paths.append((path, number.end, digits))
        yield reach, (), []

    # --- The lattice ----------------------------------------------------------------------------------------------------------------

    def row(
        self, tokens: Sequence[Token], surfaces: tuple[str, ...], numbers: Sequence[Number | None], start: int, *, has_diacritics: bool
    ) -> Row:
        """Return the arcs that begin at a token.

        A row depends on the next n tokens; n is kept per first token, and the row is cached under those n tokens. The end of the
        utterance counts as a token.
        """
        rows, reaches = self._rows[has_diacritics]
        first = surfaces[start]
        window = (*surfaces, "")[start : start + reaches.get(first, 1)]
        row = rows.get(window)
        if row is None:
            found, reach = self._arcs_at(tokens, surfaces, numbers, start, has_diacritics=has_diacritics)
            whole = [arc for arc in found if arc.role in NAMING and not arc.part and arc.cost < MISSING_HEAD]
            sharing = [arc for arc in found if arc.role is Role.ITEM and (len(arc.value) > 1 if arc.part else arc.length > 1)]
            may_be_foreign_filler = any(arc.role is Role.FILLER and arc.value for arc in found)
            has_only_whole_names = not any(arc.part or arc.role is Role.UNKNOWN for arc in found)
            row = Row(found, [arc.length for arc in whole], sharing, may_be_foreign_filler, has_only_whole_names)
            length = max(reach - start, reaches.get(first, 1))
            if len(rows) > MAX_REMEMBERED:
                rows.clear()
                reaches.clear()
            reaches[first] = length
            rows[(*surfaces, "")[start : start + length]] = row
        return row

    def _arcs_at(
        self, tokens: Sequence[Token], surfaces: tuple[str, ...], numbers: Sequence[Number | None], start: int, *, has_diacritics: bool
    ) -> tuple[list[Arc], int]:
        found: list[Arc] = []
        reach = start + 1
        for end, said, entries in self._phrases(tokens, surfaces, numbers, start):
            if not entries:
                reach = max(reach, end)
                continue
            length = end - start
            meant = self._arcs_of(said, entries, has_diacritics=has_diacritics)
            found += meant if length == len(said) else [arc.over(length) for arc in meant]
        if surfaces[start] in self._adjectives:
            found += self._ellipsis(tokens, start)
            reach = max(reach, start + 5)
        number = numbers[start]
        if number is not None:
            found = _distinct(found)
            found += self._counted(surfaces, start, number)
            reach = max(reach, number.end + MAX_PEOPLE_WORDS)
        counts = {arc.length for arc in found if arc.role is Role.CLASSIFIER}  # an option that is also a classifier may be followed by "of"
        found += [arc.over(arc.length + 1) for arc in found if arc.role is Role.OPTION and arc.length + 1 in counts and not arc.part]
        unused: dict[int, Arc] = {}
        for arc in found:
            if arc.role in NAMING and (arc.length not in unused or arc.cost + UNREAD_NAME < unused[arc.length].cost):
                unused[arc.length] = Arc(arc.length, Role.UNUSED, None, arc.cost + UNREAD_NAME, part=arc.part)
        found += unused.values()
        phrases = [arc for arc in found if arc.role not in _WITHOUT_PHRASE]
        whole = max([arc.length for arc in phrases if arc.cost <= SEGMENT], default=1)
        if whole > 1:  # "instead" corrects, "instead of" does not
            found = [arc for arc in found if arc.length >= whole or arc.role is not Role.CORRECT]
            found = [arc.at(arc.cost + BROKEN) if arc.length < whole and arc in phrases else arc for arc in found]
        # A phrase that is certainly a function word has no unknown arc.
        if not any(arc.cost <= SEGMENT + EMPTY and arc.role not in NAMING for arc in found):
            found.append(UNKNOWN)
        return found, reach

    def _arcs_of(self, said: tuple[str, ...], entries: list[LexicalEntry], *, has_diacritics: bool) -> list[Arc]:
        """Return an arc for each role of a phrase; the arc of a name lists all items or choices that fit equally well."""
        best: dict[Role, list[tuple[float, LexicalEntry]]] = {}
        length = len(said)
        exact = length == 1 and self.numbers.is_number_word(said[0])
        ascii_said = "".join(said).isascii()
        # A function word that is spelt with its diacritics is no misspelling of a name.
        spelt = has_diacritics and length == 1 and not ascii_said and said[0] in self.function_words
        for entry in entries:
            named = entry.role in NAMING
            if not (named or self._has_marks) and ascii_said and not "".join(entry.phrase).isascii():
                continue  # diacritics are missing only where the menu's language has some
            compare = spelling.distance if named else spelling.function_distance
            distance = compare(said, entry.phrase, has_diacritics=has_diacritics)
            if named and spelt and distance > 0.0:
                continue
            if distance <= (spelling.MAX_NEAR if named else MAX_FUNCTION_DISTANCE):
                best.setdefault(entry.role, []).append((distance + entry.cost, entry))
                exact = exact or (not named and distance == 0.0)
        if exact and (has_diacritics or not self._has_marks):  # a function word without an error is no misspelling of another one
            best = {role: weighed for role, weighed in best.items() if role in NAMING or any(entry.phrase == said for _, entry in weighed)}
        found = []
        for role, weighed in best.items():
            cost, entry = min(weighed, key=lambda pair: pair[0])
            if role in NAMING:
                # The context decides between names of equal cost.
                level = tuple(dict.fromkeys([other.value for other_cost, other in weighed if other_cost <= cost + 1e-9]))
                plural = said[-1].endswith("s") and not entry.phrase[-1].endswith("s") and words.singular(said[-1]) == entry.phrase[-1]
                found.append(Arc(length, role, level, cost + SEGMENT, part=entry.cost >= MISSING_HEAD, plural=plural))
                if role is Role.OPTION:
                    found += self._other_groups(length, level, weighed, 0.0 if has_diacritics else spelling.MISSING_DIACRITICS * len(said))
            else:
                found.append(Arc(length, role, entry.value, cost + SEGMENT))
        return found

    @staticmethod
    def _other_groups(
        length: int, level: tuple[Any, ...], weighed: Sequence[tuple[float, LexicalEntry]], missing_diacritics: float
    ) -> Iterator[Arc]:
        """Yield an arc for choices of other groups, at a higher cost: an item may lack the cheapest choice's group.

        `missing_diacritics`: the cost of missing diacritics, equal for all groups.
        """
        groups = {entry.group for entry in level}
        others = [
            (cost, entry)
            for cost, entry in weighed
            if cost <= entry.cost + (spelling.PLURAL if entry.cost > 0.0 else missing_diacritics) and entry.value.group not in groups
        ]
        if others:
            cost = min(cost for cost, _ in others)
            entries = dict.fromkeys([entry.value for other, entry in others if other <= cost + 1e-9])
            yield Arc(length, Role.OPTION, tuple(entries), cost + SEGMENT)

    def _ellipsis(self, tokens: Sequence[Token], start: int) -> Iterator[Arc]:
        """Yield the option of an adjective that shares the noun behind a conjunction: "red and green peppers"."""
        if start + 2 >= len(tokens) or tokens[start + 1].surface not in self._joins:
            return
        for head in range(start + 3, min(start + 5, len(tokens))):
            for entry in self.index.get(tokens[start].key + tokens[head].key) or ():
                if entry.role is Role.OPTION and entry.phrase[0] == tokens[start].surface and not entry.cost:
                    yield Arc(1, Role.OPTION, (entry.value,), SEGMENT * 2)
                    return

    def _counted(self, surfaces: tuple[str, ...], start: int, number: Number) -> Iterator[Arc]:
        """Yield the arcs of a number; `voice.orders.spans` classifies the numbers that count nothing."""
        length = number.end - start
        if number.article:
            yield Arc(length, Role.ARTICLE, 1, SEGMENT + self._an_article)
        elif number.value:
            yield Arc(length, Role.NUMBER, number.value, SEGMENT + number.cost)
            for longer in range(1, MAX_PEOPLE_WORDS + 1):
                if number.end + longer <= len(surfaces) and surfaces[number.end : number.end + longer] in self._people:
                    yield Arc(length + longer, Role.PEOPLE, number.value, SEGMENT + LESS_LIKELY + number.cost)

    def is_function_word(self, token: Token) -> bool:
        """Return whether a word is a function word of some language."""
        entries = self.index.get(token.key) or ()
        return words.is_punctuation(token.surface) or any(
            entry.role not in NAMING and entry.phrase == (token.surface,) for entry in entries
        )

    def says_part(self, item_id: str, tokens: Sequence[Token], start: int, end: int) -> bool:
        """Return whether the tokens are a part of an item's name; diacritics count if the utterance has some."""
        has_diacritics = words.has_diacritics(tokens)
        names = self._part_names.get((item_id, has_diacritics))
        if names is None:
            item = self.menu.items[item_id]
            ways = [words.phrase(way) for way in spoken_names(item)]
            names = [tuple([words.singular(word) if has_diacritics else words.phonetic_key(word) for word in way]) for way in ways]
            self._part_names[item_id, has_diacritics] = names
        if has_diacritics:
            said = tuple([words.singular(token.surface) for token in tokens[start:end]])
        else:
            keys = [token.key if token.key in self.known else next(iter(self._corrections(token)), "") for token in tokens[start:end]]
            said = tuple(keys)
        return any(name[place : place + len(said)] == said for name in names for place in range(len(name) - len(said) + 1))

    def measured(self, amount: Amount, tokens: Sequence[Token], start: int, end: int) -> list[ChoiceRef]:
        """Return the choices whose names consist of an amount and the tokens: "no" and "ice" give the choice "no ice"."""
        measured = self._measured.get((amount, "".join([token.key for token in tokens[start:end]])))
        if not measured:
            return []
        said = tuple([token.surface for token in tokens[start:end]])
        near = [(spelling.distance(said, phrase, has_diacritics=words.has_diacritics(tokens)), entry) for phrase, entry in measured]
        nearest = min(distance for distance, _ in near)
        return list(dict.fromkeys([entry for distance, entry in near if distance == nearest])) if nearest <= MAX_FUNCTION_DISTANCE else []


def _distinct(found: Sequence[Arc]) -> list[Arc]:
    """Keep the cheapest of equal arcs: a number may match a name in words and in digits."""
    cheapest: dict[tuple[Role, int, Any], Arc] = {}
    for arc in found:
        other = cheapest.setdefault((arc.role, arc.length, arc.value), arc)
        if arc.cost < other.cost:
            cheapest[arc.role, arc.length, arc.value] = arc
    return list(cheapest.values())


def _spellings(ways: Iterable[str]) -> set[tuple[str, ...]]:
    return {spelt for way in ways for spelt in (words.phrase(way), words.phrase(words.fold(way)))}


def _split(surface: str, names: dict[str, tuple[str, ...]], openings: set[str]) -> tuple[str, ...]:
    """Split a token into numbers, requests and names, longest first; () unless it has a name behind an opening word."""
    ways: list[tuple[str, ...] | None] = [()] + [None] * len(surface)  # the split of the letters before each position
    named = [False] * (len(surface) + 1)
    for end in range(1, len(surface) + 1):
        for start in range(end):
            before, part = ways[start], surface[start:end]
            if before is None:
                continue
            if start and part in names:
                ways[end], named[end] = (*before, *names[part]), True
                break
            if part in openings and not (start and not named[start] and before[-1] in openings and part == before[-1]):
                ways[end], named[end] = (*before, part), False
                break
    return (ways[-1] or ()) if named[-1] else ()


def _deletions(key: str) -> Iterator[str]:
    yield key
    for number in range(len(key)):
        yield key[:number] + key[number + 1 :]
