"""What the customer asks about the menu, from words."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from schemas import Menu
from voice.dialog.asking_patterns import Match, Patterns, Phrase, contains, fits, positions
from voice.dialog.state import Inquiry, InquiryKind, QuestionKind, State
from voice.menus.names import all_names
from voice.orders import words
from voice.orders.language_packs import Asks, LanguagePack, language_packs
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import ChoiceRef
from voice.orders.parser.roles import NAMING, Role
from voice.orders.words import Token

MIN_SIZES: Final = 2  # choices of a group of sizes that are called by a size
# Of kinds with patterns of equal length, the earlier one decides.
BY_LENGTH: Final = (InquiryKind.CHOICES, InquiryKind.ITEMS, InquiryKind.DESCRIPTION, InquiryKind.AVAILABLE, InquiryKind.OTHER)
# Kinds that may ask about the line that the turn before changed, or about the choices of the open question.
REFERRING: Final = frozenset({InquiryKind.PRICE, InquiryKind.DESCRIPTION, InquiryKind.DIET, InquiryKind.CHOICES, InquiryKind.HOURS})


class Entities(NamedTuple):
    """The parts of the menu that a question names."""

    items: tuple[str, ...]
    choices: tuple[ChoiceRef, ...]
    categories: tuple[str, ...]
    groups: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]  # of the names of items and choices

    def covers(self, start: int, end: int) -> bool:
        """Return whether a longer name has these tokens in it."""
        return any(first <= start and end <= last and end - start < last - first for first, last in self.spans)

    def touches(self, start: int, end: int) -> bool:
        """Return whether a name has one of these tokens in it."""
        return any(first < end and start < last for first, last in self.spans)


class InquiryFinder:
    """Finds what customers ask about one menu; compiled once, safe to share between threads."""

    def __init__(self, menu: Menu) -> None:
        packs = list(language_packs().values())
        asks = [pack.asks for pack in packs]
        self._menu = menu
        self._shorthand = {short: word for pack in packs for word, shorts in pack.shorthand.items() for short in shorts}
        self._patterns = Patterns(asks)
        self._pronouns = _phrases(ask.pronouns for ask in asks)
        self._negations = _phrases(ask.negations for ask in asks)
        self._sizes = _phrases(ask.sizes for ask in asks)
        self._diets = _valued(ask.diets for ask in asks)
        self._allergens = _valued(ask.allergens for ask in asks)
        self._categories = _categories(menu)
        self._groups = _groups(menu, packs)
        self._size_groups = _size_groups(menu, asks)

    def find(self, tokens: Sequence[Token], lattice: Sequence[Sequence[Arc]], state: State) -> Inquiry | None:
        """Return what the customer asks; None if no words ask. `lattice`: of the tokens, `state`: before the utterance."""
        surfaces = [self._shorthand.get(token.surface, token.surface) for token in tokens]
        matches = self._patterns.matches(surfaces)
        if not matches:
            return None
        entities = self._entities(surfaces, lattice, frozenset().union(*[match.tokens for match in matches]))
        kind = self._kind(matches, entities)
        value = None
        if kind not in (InquiryKind.PRICE, InquiryKind.TOTAL, InquiryKind.HOURS):
            value = self._diet(surfaces, entities)
            kind = kind if value is None else InquiryKind.DIET
        if kind is InquiryKind.TOTAL:
            return Inquiry(kind)
        is_negated = contains(surfaces, self._negations) and not contains(surfaces, self._pronouns)
        if kind is InquiryKind.ITEMS and entities.choices and not entities.items and is_negated:
            return Inquiry(InquiryKind.OTHER)
        items, choices = self._fitting(kind, surfaces, entities, state)
        category = entities.categories[0] if entities.categories else None
        return Inquiry(kind, items, choices, category, value, entities.groups)

    # --- The kind of question

    @staticmethod
    def _kind(matches: Sequence[Match], entities: Entities) -> InquiryKind:
        """Return what is asked for, by the words of the question and by what it names."""
        kinds = {match.kind for match in matches}
        is_named = bool(entities.items or entities.choices or entities.categories)
        if InquiryKind.TOTAL in kinds and not (is_named and InquiryKind.PRICE in kinds):
            return InquiryKind.TOTAL
        for kind in (InquiryKind.PRICE, InquiryKind.HOURS):
            if kind in kinds:
                return kind
        if InquiryKind.OTHER in kinds and not is_named:
            return InquiryKind.OTHER
        longest = max(matches, key=lambda match: (len(match.tokens), -BY_LENGTH.index(match.kind)))
        if longest.kind is InquiryKind.ITEMS and entities.groups and not (entities.items or entities.categories):
            return InquiryKind.CHOICES
        if longest.kind is InquiryKind.CHOICES and entities.categories and not (entities.groups or entities.items):
            return InquiryKind.ITEMS
        return longest.kind

    def _diet(self, surfaces: Sequence[str], entities: Entities) -> str | None:
        """Return the diet or the allergen that the question is about; an allergen that is a choice needs words that ask for contents."""
        for value, start, end in _found(surfaces, self._diets):
            if not entities.covers(start, end):
                return value
        asks_for_contents = self._patterns.ask_for_contents(surfaces)
        is_about_items = bool(entities.items) or contains(surfaces, self._pronouns)
        for value, start, end in _found(surfaces, self._allergens):
            if asks_for_contents and not entities.covers(start, end):
                return value
            if is_about_items and not entities.touches(start, end):
                return value
        return None

    # --- What it names

    def _entities(self, surfaces: Sequence[str], lattice: Sequence[Sequence[Arc]], asking: frozenset[int]) -> Entities:
        """Return what the question names: at each token the longest and then the cheapest name; `asking`: tokens of patterns."""
        items: list[str] = []
        choices: list[ChoiceRef] = []
        categories: list[str] = []
        spans: list[tuple[int, int]] = []
        at = 0
        while at < len(surfaces):
            arc = _longest([arc for arc in lattice[at] if _names_something(arc, at, asking)])
            n_category, category = self._category_at(surfaces, at)
            if category is not None and (arc is None or n_category > arc.length or (n_category == arc.length and arc.is_partial)):
                categories.append(category)
                at += n_category
                continue
            if arc is None:
                at += 1
                continue
            spans.append((at, at + arc.length))
            if arc.role is Role.ITEM:
                items += arc.value
            else:
                choices += arc.value
            at += arc.length
        groups = [group for phrase, group in self._groups if any(True for _ in positions(surfaces, phrase))]
        if contains(surfaces, self._sizes):
            groups += self._size_groups
        unique = dict.fromkeys
        return Entities(tuple(unique(items)), tuple(unique(choices)), tuple(unique(categories)), tuple(unique(groups)), tuple(spans))

    def _category_at(self, surfaces: Sequence[str], start: int) -> tuple[int, str | None]:
        """Return the longest category whose name begins at a token, with its number of tokens."""
        found: tuple[int, str | None] = (0, None)
        for phrase, category in self._categories:
            said = [words.singular(surface) for surface in surfaces[start : start + len(phrase)]]
            if len(phrase) > found[0] and len(said) == len(phrase) and all(map(fits, said, phrase)):
                found = len(phrase), category
        return found

    def _fitting(
        self, kind: InquiryKind, surfaces: Sequence[str], entities: Entities, state: State
    ) -> tuple[tuple[str, ...], tuple[ChoiceRef, ...]]:
        """Return the items and choices of the question that fit each other; else what it refers to."""
        items, choices = entities.items, entities.choices
        if not items and not choices and entities.categories:
            if kind is InquiryKind.PRICE:
                items = tuple([item_id for item_id, item in self._menu.items.items() if item.category in entities.categories])
            return items, choices
        if not items and kind in REFERRING:
            items, referred = self._referred(kind, surfaces, entities, state)
            choices = (*choices, *referred)
        if items and choices:
            accepting = tuple([item for item in items if all(self._accepts(item, choices, ref) for ref in choices)])
            items = accepting or items
            offered = {group for item in items for group in self._menu.items[item].options}
            choices = tuple([ref for ref in choices if ref.group in offered]) or choices
        return items, choices

    def _accepts(self, item: str, choices: Iterable[ChoiceRef], ref: ChoiceRef) -> bool:
        """Return whether an item offers a choice, or one of the same id in another group."""
        offered = self._menu.items[item].options
        return any(other.group in offered for other in choices if other.choice == ref.choice)

    def _referred(
        self, kind: InquiryKind, surfaces: Sequence[str], entities: Entities, state: State
    ) -> tuple[tuple[str, ...], tuple[ChoiceRef, ...]]:
        """Return the choices of the open question, or the line that the turn before changed, if the words refer to them."""
        asked = state.questions[0] if state.questions else None
        if asked is not None and asked.choices and asked.kind is not QuestionKind.CHECK and not entities.choices:
            if asked.group is None:
                return asked.choices, ()
            if kind is InquiryKind.PRICE:
                return (), tuple([ChoiceRef(asked.group, choice) for choice in asked.choices])
        if kind is InquiryKind.PRICE and not contains(surfaces, self._pronouns):
            return (), ()
        changed = [change.line for change in state.changes if change.op != "remove" and change.line < len(state.lines)]
        if not changed:
            return (), ()
        line = state.lines[changed[-1]]
        options = [option for option in line.options if len(option.choices) == 1 and option.amount != "no"]
        return line.items, tuple([ChoiceRef(option.group, option.choices[0]) for option in options])


def _phrases(lists: Iterable[Iterable[str]]) -> list[Phrase]:
    return [words.phrase(text) for texts in lists for text in texts]


def _valued(tables: Iterable[dict[str, list[str]]]) -> list[tuple[Phrase, str]]:
    """Return the phrases of tables with their values, long phrases first."""
    found = [(words.phrase(text), value) for table in tables for value, texts in table.items() for text in texts]
    return sorted(found, key=lambda entry: -len(entry[0]))


def _found(surfaces: Sequence[str], table: Iterable[tuple[Phrase, str]]) -> Iterable[tuple[str, int, int]]:
    """Yield the values whose phrases are said, with the bounds of the phrase."""
    for phrase, value in table:
        for start in positions(surfaces, phrase):
            yield value, start, start + len(phrase)


def _names_something(arc: Arc, start: int, asking: frozenset[int]) -> bool:
    """Return whether an arc is the name of an item or a choice, and no function word or part of the asking words."""
    if arc.role not in NAMING:
        return False
    tokens = range(start, start + arc.length)
    if arc.is_partial and any(feature.endswith("function_word") for feature, _ in arc.features):
        return False
    return not asking.issuperset(tokens) if arc.is_partial or arc.length == 1 else True


def _longest(arcs: Sequence[Arc]) -> Arc | None:
    return max(arcs, key=lambda arc: (arc.length, not arc.is_partial, -arc.cost), default=None)


def _categories(menu: Menu) -> list[tuple[Phrase, str]]:
    categories = dict.fromkeys([item.category for item in menu.items.values() if item.category is not None])
    return [
        (tuple([words.singular(word) for word in words.phrase(name)]), str(category))
        for category in categories
        for name in all_names(category)
    ]


def _groups(menu: Menu, packs: Sequence[LanguagePack]) -> list[tuple[Phrase, str]]:
    """Return phrases that name option groups: their names, and the noun that an English name ends with, in both numbers."""
    unfit = {word for pack in packs for phrase in (*pack.adjectives, *pack.function_words()) for word in phrase.split()}
    found = []
    for group_id, group in menu.option_groups.items():
        for name in all_names(group.name):
            phrase = words.phrase(name)
            found.append((phrase, group_id))
            if phrase and phrase[-1].isascii() and phrase[-1] not in unfit:
                found += [((word,), group_id) for word in {phrase[-1], f"{phrase[-1]}s", words.singular(phrase[-1])}]
    return [(phrase, group_id) for phrase, group_id in found if phrase]


def _size_groups(menu: Menu, asks: Sequence[Asks]) -> list[str]:
    """Return the groups of which several choices are called by a size."""
    sizes = {word for ask in asks for word in ask.size_names}
    found: dict[str, int] = defaultdict(int)
    for group_id, group in menu.option_groups.items():
        for choice in group.choices.values():
            names = [*all_names(choice.name), *choice.aliases]
            found[group_id] += not sizes.isdisjoint([word for name in names for word in words.phrase(name)])
    return [group_id for group_id, n_sizes in found.items() if n_sizes >= MIN_SIZES]
