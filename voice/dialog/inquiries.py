"""What the customer asks about the menu, from words."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from voice.dialog.asking_patterns import Found, Match, Patterns, Phrase, PhraseTable
from voice.dialog.state import Inquiry, InquiryKind, QuestionKind, State
from voice.menus.menu import Menu
from voice.menus.names import all_names
from voice.orders import words
from voice.orders.language_packs import Asks, LanguagePack, language_packs
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import ChoiceRef
from voice.orders.parser.roles import NAMING, Role
from voice.orders.words import Token

MAX_COST: Final = 5.0  # of a name; a dearer one is another word that sounds like it
CERTAIN_COST: Final = 1.5  # of a name that is one although a pattern has its words
FUNCTION_WORD: Final = frozenset({"name.item.function_word", "name.option.function_word"})  # some words of a name
RIGHT_SPELLINGS: Final = frozenset({"spelt.plain", "spelt.plural", "spelt.digits", "spelt.apart", "spelt.together"})
MIN_FORM_WORDS: Final = 3  # of a question that has only the form of one
MIN_SIZES: Final = 2  # choices of a group of sizes that are called by a size
# Of kinds with patterns of equal length, the earlier one decides.
BY_LENGTH: Final = (InquiryKind.CHOICES, InquiryKind.ITEMS, InquiryKind.DESCRIPTION, InquiryKind.AVAILABLE, InquiryKind.OTHER)
DECISIVE: Final = (InquiryKind.PRICE, InquiryKind.HOURS)  # their words decide whatever else is said
# Kinds that may ask about the line that the turn before changed, or about the choices of the open question.
REFERRING: Final = frozenset({InquiryKind.PRICE, InquiryKind.DESCRIPTION, InquiryKind.AVAILABLE, InquiryKind.CHOICES, InquiryKind.HOURS})


class Named(NamedTuple):
    """Tokens that name items, choices or a category."""

    start: int
    end: int
    items: tuple[str, ...] = ()
    choices: tuple[ChoiceRef, ...] = ()
    category: str | None = None


class Entities(NamedTuple):
    """The parts of the menu that a question names."""

    named: tuple[Named, ...]
    groups: tuple[str, ...]

    @property
    def items(self) -> tuple[str, ...]:
        """The items, each once."""
        return tuple(dict.fromkeys([item for one in self.named for item in one.items]))

    @property
    def choices(self) -> tuple[ChoiceRef, ...]:
        """The choices, each once."""
        return tuple(dict.fromkeys([choice for one in self.named for choice in one.choices]))

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories."""
        return tuple([one.category for one in self.named if one.category is not None])

    def covers(self, start: int, end: int) -> bool:
        """Return whether a longer name has these tokens in it."""
        return any(one.start <= start and end <= one.end and end - start < one.end - one.start for one in self.named)

    def contains(self, start: int, end: int) -> bool:
        """Return whether a name has these tokens in it."""
        return any(one.start <= start and end <= one.end for one in self.named)

    def without(self, start: int, end: int) -> "Entities":
        """Return the entities whose names have none of these tokens."""
        return self._replace(named=tuple([one for one in self.named if one.end <= start or end <= one.start]))


class InquiryFinder:
    """Finds what customers ask about one menu; compiled once, safe to share between threads."""

    def __init__(self, menu: Menu) -> None:
        packs = list(language_packs().values())
        asks = [pack.asks for pack in packs]
        self._menu = menu
        tables = [table for pack in packs for table in (pack.shorthand, pack.asks.shorthand)]
        self._shorthand = {short: word for table in tables for word, shorts in table.items() for short in shorts}
        self._patterns = Patterns(asks)
        self._openings = PhraseTable((words.phrase(text), None) for ask in asks for text in ask.openings)
        self._topics = PhraseTable((words.phrase(text), None) for ask in asks for text in ask.topics)
        self._no_questions = PhraseTable((words.phrase(text), None) for pack in packs for text in _statements(pack))
        self._pronouns = PhraseTable((words.phrase(text), None) for ask in asks for text in ask.pronouns)
        self._negations = PhraseTable((words.phrase(text), None) for ask in asks for text in ask.negations)
        self._sizes = PhraseTable((words.phrase(text), None) for ask in asks for text in ask.sizes)
        self._diets = _valued(ask.diets for ask in asks)
        self._allergens = _valued(ask.allergens for ask in asks)
        self._categories = PhraseTable(_categories(menu))
        self._groups = PhraseTable(_groups(menu, packs))
        self._size_groups = _size_groups(menu, asks)

    def find(self, tokens: Sequence[Token], lattice: Sequence[Sequence[Arc]], state: State) -> Inquiry | None:
        """Return what the customer asks; None if no words ask. `lattice`: of the tokens, `state`: before the utterance."""
        surfaces = [self._shorthand.get(token.surface, token.surface) for token in tokens]
        matches = self._uncovered(self._patterns.matches(surfaces), surfaces)
        kinds = [match for match in matches if match.kind is not None]
        if not kinds and not self._asks_anything(matches, surfaces):
            return None
        pronouns = [frozenset(range(found.start, found.end)) for found in self._pronouns.find(surfaces)]
        entities = self._entities(surfaces, lattice, frozenset().union(*[match.tokens for match in kinds], *pronouns))
        kinds = [match for match in kinds if entities.named or not match.needs_name]
        if not kinds and not self._asks_anything(matches, surfaces):
            return None
        kind = self._kind(kinds, entities, is_off_topic=self._topics.is_in(surfaces))
        if kind is InquiryKind.TOTAL:
            return Inquiry(kind)
        value, may_refer = None, kind in REFERRING
        if kind not in DECISIVE:
            found = self._diet(surfaces, entities)
            if found is not None:
                kind, value, entities = InquiryKind.DIET, found.value, entities.without(found.start, found.end)
        is_excluding = kind is InquiryKind.ITEMS and entities.named and not entities.categories and self._negations.is_in(surfaces)
        if kind is InquiryKind.OTHER or is_excluding:
            return Inquiry(InquiryKind.OTHER)
        refers = may_refer and (kind is InquiryKind.CHOICES or self._pronouns.is_in(surfaces))
        items, choices = self._fitting(kind, entities, state, refers=refers)
        category = entities.categories[0] if entities.categories else None
        line = _line_in_focus(state) if refers and not entities.named and self._asked(kind, state) is None else None
        return Inquiry(kind, items, choices, category, value, entities.groups, line)

    def asks(self, tokens: Sequence[Token]) -> bool:
        """Return whether words of an utterance ask about the menu, whatever they name."""
        surfaces = [self._shorthand.get(token.surface, token.surface) for token in tokens]
        return any(match.kind is not None for match in self._uncovered(self._patterns.matches(surfaces), surfaces))

    # --- The kind of question

    def _uncovered(self, matches: Sequence[Match], surfaces: Sequence[str]) -> list[Match]:
        """Return the matches that are no part of an answer, of small talk or of a diet: "how are you", "nut free"."""
        if not matches:
            return []
        said = [frozenset(range(found.start, found.end)) for found in self._no_questions.find(surfaces)]
        of_diets = {at for found in self._diets.find(surfaces) for at in range(found.start, found.end)}
        return [
            match
            for match in matches
            if not any(match.tokens <= tokens for tokens in said)
            and (match.kind is not InquiryKind.PRICE or match.tokens.isdisjoint(of_diets))
        ]

    def _asks_anything(self, matches: Sequence[Match], surfaces: Sequence[str]) -> bool:
        """Return whether words ask what no pattern tells: by a form of questions, or by a topic and a sign."""
        if self._openings.is_in(surfaces):
            return True
        is_form = any(match.kind is None for match in matches) and len(surfaces) >= MIN_FORM_WORDS
        return is_form or ("?" in surfaces and self._topics.is_in(surfaces))

    @staticmethod
    def _kind(matches: Sequence[Match], entities: Entities, *, is_off_topic: bool) -> InquiryKind:
        """Return what is asked for, by the words of the question and by what it names."""
        kinds = {match.kind for match in matches}
        is_named = bool(entities.items or entities.choices or entities.categories)
        if InquiryKind.TOTAL in kinds and not (is_named and InquiryKind.PRICE in kinds):
            return InquiryKind.TOTAL
        is_off_topic = is_off_topic or InquiryKind.OTHER in kinds or not kinds
        if is_off_topic and not is_named and InquiryKind.PRICE not in kinds:
            return InquiryKind.OTHER
        if decisive := [kind for kind in DECISIVE if kind in kinds]:
            return decisive[0]
        n_tokens = {kind: max([len(match.tokens) for match in matches if match.kind is kind], default=0) for kind in BY_LENGTH}
        longest = max(BY_LENGTH, key=n_tokens.__getitem__) if kinds else InquiryKind.OTHER
        if longest is InquiryKind.ITEMS and entities.groups and not (entities.items or entities.categories):
            return InquiryKind.CHOICES
        if longest is InquiryKind.CHOICES and entities.categories and not (entities.groups or entities.items):
            return InquiryKind.ITEMS
        return longest

    def _diet(self, surfaces: Sequence[str], entities: Entities) -> Found[str] | None:
        """Return the allergen or the diet that the question is about; an allergen that is a choice needs words that ask for contents."""
        asks_for_contents = self._patterns.ask_for_contents(surfaces)
        is_about_items = bool(entities.items) or self._pronouns.is_in(surfaces)
        candidates = [
            found
            for found in self._allergens.find(surfaces)
            if (asks_for_contents and not entities.covers(found.start, found.end))
            or (is_about_items and not self._names_a_choice(found, entities))
        ]
        candidates += [found for found in self._diets.find(surfaces) if not entities.covers(found.start, found.end)]
        return max(candidates, key=lambda found: found.end - found.start, default=None)

    def _names_a_choice(self, found: Found[str], entities: Entities) -> bool:
        """Return whether the word of an allergen stands in a name of an item, or of a choice that an item of the question offers."""
        if not entities.items:
            return entities.contains(found.start, found.end)
        offered = {group for item in entities.items for group in self._menu.items[item].options}
        return any(
            one.start <= found.start and found.end <= one.end and (one.items or any(ref.group in offered for ref in one.choices))
            for one in entities.named
        )

    # --- What it names

    def _entities(self, surfaces: Sequence[str], lattice: Sequence[Sequence[Arc]], asking: frozenset[int]) -> Entities:
        """Return what the question names: at each token the longest and then the cheapest name; `asking`: tokens of patterns."""
        least = [min([arc.cost for arc in row if arc.length == 1 and arc.role not in NAMING]) for row in lattice]
        names = [
            [arc for arc in row if _is_name(arc, at, least, asking) and not (arc.length == 1 and self._is_other_word(surfaces[at], arc))]
            for at, row in enumerate(lattice)
        ]
        if any(arc.role is Role.ITEM and not arc.is_partial for row in names for arc in row):
            names = [[arc for arc in row if arc.role is not Role.ITEM or not arc.is_partial] for row in names]
        singular = [words.singular(surface) for surface in surfaces]
        named = []
        at = 0
        while at < len(surfaces):
            arc = max(names[at], key=lambda arc: (arc.length, not arc.is_partial, -arc.cost), default=None)
            category = max(self._categories.at(singular, at), key=lambda found: found.end, default=None)
            if category is not None and (arc is None or category.end - at > arc.length - arc.is_partial):
                named.append(Named(at, category.end, category=category.value))
            elif arc is not None:
                named.append(_named(arc, at, names[at]))
            at = named[-1].end if named and named[-1].end > at else at + 1
        entities = Entities(tuple(named), ())
        groups = [found.value for found in self._groups.find(surfaces) if not entities.covers(found.start, found.end)]
        if self._sizes.is_in(surfaces):
            groups += self._size_groups
        return entities._replace(groups=tuple(dict.fromkeys(groups)))

    def _is_other_word(self, surface: str, arc: Arc) -> bool:
        """Return whether a token is a word of patterns, which only resembles a name."""
        return surface in self._patterns.words and _is_misspelt(feature for feature, _ in arc.features)

    def _fitting(
        self, kind: InquiryKind, entities: Entities, state: State, *, refers: bool
    ) -> tuple[tuple[str, ...], tuple[ChoiceRef, ...]]:
        """Return the items and choices of the question that fit each other; `refers`: it is about what was said before."""
        items, choices = entities.items, entities.choices
        if kind is InquiryKind.PRICE and items:
            items, choices = self._parts_of_wholes(items, choices, state, refers=refers)
        if not items and entities.categories:
            if kind is InquiryKind.PRICE:
                items = tuple([item_id for item_id, item in self._menu.items.items() if item.category in entities.categories])
        elif not items:
            asked = self._asked(kind, state) if not choices else None
            if asked is not None:
                return asked
            if refers:
                items, referred = _changed(state)
                choices = (*choices, *referred)
        if items and choices:
            accepting = tuple([item for item in items if all(self._accepts(item, choices, ref) for ref in choices)])
            items = accepting or items
            offered = {group for item in items for group in self._menu.items[item].options}
            choices = tuple([ref for ref in choices if ref.group in offered]) or choices
        return items, choices

    def _parts_of_wholes(
        self, items: tuple[str, ...], choices: tuple[ChoiceRef, ...], state: State, *, refers: bool
    ) -> tuple[tuple[str, ...], tuple[ChoiceRef, ...]]:
        """Return items and choices; items that another named item, or the line that is referred to, has as choices are these choices."""
        referred, on_line = _changed(state) if refers else ((), ())
        for whole in (*items, *referred):
            offered = self._menu.items[whole].options
            refs = {
                choice.item: ChoiceRef(group, choice_id)
                for group in offered
                for choice_id, choice in self._menu.option_groups[group].choices.items()
                if choice.item in items and choice.item != whole
            }
            if refs:
                others = tuple([item for item in items if item not in refs])
                return (others, (*refs.values(), *choices)) if whole in items else ((whole, *others), (*refs.values(), *choices, *on_line))
        return items, choices

    def _asked(self, kind: InquiryKind, state: State) -> tuple[tuple[str, ...], tuple[ChoiceRef, ...]] | None:
        """Return the choices of the open question, for which a price or a description may be asked; None if there are none.

        Choices that all cost nothing are not meant, but what they are for.
        """
        asked = state.questions[0] if state.questions else None
        if asked is None or not asked.choices or asked.kind is QuestionKind.CHECK:
            return None
        if asked.group is None:
            return (asked.choices, ()) if kind in (InquiryKind.PRICE, InquiryKind.DESCRIPTION) else None
        of_group = self._menu.option_groups[asked.group].choices
        if kind is not InquiryKind.PRICE or not any(of_group[choice].price for choice in asked.choices):
            return None
        return (), tuple([ChoiceRef(asked.group, choice) for choice in asked.choices])

    def _accepts(self, item: str, choices: Iterable[ChoiceRef], ref: ChoiceRef) -> bool:
        """Return whether an item offers a choice, or one of the same id in another group."""
        offered = self._menu.items[item].options
        return any(other.group in offered for other in choices if other.choice == ref.choice)


def _changed(state: State) -> tuple[tuple[str, ...], tuple[ChoiceRef, ...]]:
    """Return the item and the options of the line that the turn before changed last."""
    number = _line_in_focus(state)
    if number is None:
        return (), ()
    line = state.lines[number]
    options = [option for option in line.options if len(option.choices) == 1 and option.amount != "no"]
    return line.items, tuple([ChoiceRef(option.group, option.choices[0]) for option in options])


def _line_in_focus(state: State) -> int | None:
    """Return the line that the turn before changed last."""
    lines = [change.line for change in state.changes if change.op != "remove" and change.line < len(state.lines)]
    return lines[-1] if lines else None


def _statements(pack: LanguagePack) -> Iterable[str]:
    """Yield answers, small talk and requests for a person or a repetition."""
    for ways in (*pack.answers.values(), *pack.acts.values(), pack.cancels):
        yield from ways


def _valued(tables: Iterable[dict[str, list[str]]]) -> PhraseTable[str]:
    return PhraseTable((words.phrase(text), value) for table in tables for value, texts in table.items() for text in texts)


def _is_name(arc: Arc, start: int, least: Sequence[float], asking: frozenset[int]) -> bool:
    """Return whether an arc is likelier a name than anything else; `least`: the cost of each token as no name, `asking`: of patterns."""
    if arc.role not in NAMING:
        return False
    is_certain = not arc.is_partial and arc.cost < CERTAIN_COST
    if is_certain:
        return True
    tokens = range(start, start + arc.length)
    if asking.issuperset(tokens) or arc.cost > min(MAX_COST, sum(least[start : start + arc.length])):
        return False
    features = {feature for feature, _ in arc.features}
    return FUNCTION_WORD.isdisjoint(features) and not (arc.is_partial and _is_misspelt(features))


def is_spelt_name(arc: Arc) -> bool:
    """Return whether an arc is a name, or a part of one, as it is written."""
    features = {feature for feature, _ in arc.features}
    return arc.role in NAMING and FUNCTION_WORD.isdisjoint(features) and not _is_misspelt(features)


def _is_misspelt(features: Iterable[str]) -> bool:
    return any(feature.startswith("spelt.") and feature not in RIGHT_SPELLINGS for feature in features)


def _named(arc: Arc, start: int, arcs: Iterable[Arc]) -> Named:
    """Return what the tokens of an arc name; if they are some words of several names, all of these."""
    end = start + arc.length
    values = arc.value
    if arc.is_partial:
        values = [value for other in arcs if other.role is arc.role and other.length == arc.length for value in other.value]
    return Named(start, end, items=tuple(values)) if arc.role is Role.ITEM else Named(start, end, choices=tuple(values))


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
            if len(phrase) > 1 or unfit.isdisjoint(phrase):
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
