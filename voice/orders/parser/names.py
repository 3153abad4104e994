"""The names of a menu's items and choices, found by any of their words in any order, exactly or misspelt."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from voice.menus.menu import Menu
from voice.orders import words
from voice.orders.cooperation import let_others_run
from voice.orders.language_packs import LanguagePack
from voice.orders.parser.arc import Arc
from voice.orders.parser.draft import ChoiceRef
from voice.orders.parser.model import Features, Model
from voice.orders.parser.name_phrases import Entity, Phrase, names_of, synonyms_of
from voice.orders.parser.roles import Role
from voice.orders.parser.spelling import MIN_TYPO_LETTERS, SpellingIndex

MAX_NAME_TOKENS: Final = 7
MAX_TIERS: Final = 3  # arcs of the same tokens in the same role, by how well names fit
MAX_TIER_COST: Final = 1.5  # of a tier beyond the best one
SAME_COST: Final = 1e-6  # a smaller difference is rounding
MAX_OPEN: Final = 100  # items or choices that a partial name may leave open
MIN_SHARE: Final = 0.2  # of a name's weight that must be spoken
HOLLOW_WEIGHT: Final = 0.25  # of a word that names nothing by itself: a number, a unit, a classifier
MIN_WEIGHT: Final = 0.4  # of any other word, besides its rarity
TOGETHER: Final[Features] = (("spelt.together", 1.0),)  # two words of a name written as one
CONNECTORS: Final = frozenset({"and", "with", "of", "the", "&", ",", "n", "in", "on", "và", "với"})
UNITS: Final = frozenset({"oz", "ml", "cl", "g", "kg", "inch", "pc", "pcs", "piece", "pieces", "l", "cm", "ounce", "ounces", "lb"})


class Name(NamedTuple):
    """A name of an item or a choice."""

    entity: Entity
    words: Phrase
    weights: tuple[float, ...]  # of each word, by rarity
    is_synonym: bool


class Posting(NamedTuple):
    """An occurrence of a word in a name."""

    name: int
    place: int
    n_words: int  # of the name that it covers


class Match(NamedTuple):
    """Tokens matched with words of one name so far."""

    said: int  # bits of the name's words
    cost: float
    features: Features
    next_word: int


class MatchedEntity(NamedTuple):
    """An item or a choice that the tokens may name, by its best name."""

    cost: float
    entity: Entity
    features: Features
    is_partial: bool


class NameIndex:
    """An inverted index from words to the names of a menu."""

    def __init__(self, menu: Menu, packs: Sequence[LanguagePack], model: Model) -> None:
        self._model = model
        self._function_words = frozenset({word for pack in packs for word in pack.function_words()})
        self._adjectives = frozenset({word for pack in packs for word in pack.adjectives})
        self._quantifiers = frozenset({spelt for pack in packs for word in pack.quantifiers() for spelt in (word, words.fold(word))})
        # Elsewhere the last word of a name is no noun.
        self._has_noun_last = any(pack.adjectives_first and pack.language in menu.languages for pack in packs)
        self._units = {word: value for pack in packs for word, value in pack.numbers.units.items()}
        self._tens = {word: value for pack in packs for word, value in pack.numbers.tens.items()}
        self._digits = {word: str(value) for word, value in {**self._units, **self._tens}.items()}
        spoken = [pack for pack in packs if pack.language in menu.languages] or packs
        self._hollow = frozenset({word for pack in spoken for word in pack.uninformative_words()}) | UNITS
        with_diacritics = [pack for pack in packs if not all(map(str.isascii, pack.fillers))]
        self._hollow_with_diacritics = frozenset({word for pack in with_diacritics for word in pack.uninformative_words()}) | UNITS
        self._neighbours = _groups_offered_together(menu)
        self._names: list[Name] = []
        self._postings: dict[str, list[Posting]] = defaultdict(list)
        self._index(dict.fromkeys([*names_of(menu), *synonyms_of(menu, packs)]))
        self._categories: dict[Phrase, list[str]] = defaultdict(list)
        for item_id, item in menu.items.items():
            if item.category is not None:
                self._categories[tuple(map(words.singular, words.phrase(item.category)))].append(item_id)
        self._family_of = {name.entity: self._family(menu, name.entity) for name in self._names}
        self._kinds = self._kinds_of(menu)
        self._items_of_kind = self._by_kind(menu)
        self._spellings = SpellingIndex(self._postings, self._function_words)
        self.keys = frozenset({_sound_key(name) for name in self._names})  # of whole names

    # --- Compilation

    def _index(self, named: Collection[tuple[Entity, Phrase, bool]]) -> None:
        entities: dict[tuple[bool, str], set[Entity]] = defaultdict(set)
        for entity, phrase, _ in named:
            let_others_run()
            for word in phrase:
                entities[isinstance(entity, str), word].add(entity)
        n_entities = {
            is_item: max(1, len({entity for entity, _, _ in named if isinstance(entity, str) is is_item})) for is_item in (True, False)
        }
        for entity, phrase, is_synonym in named:
            if phrase:
                is_item = isinstance(entity, str)
                weights = tuple([self._weight(word, phrase, n_entities[is_item] / len(entities[is_item, word])) for word in phrase])
                self._post(Name(entity, phrase, weights, is_synonym))

    def _kinds_of(self, menu: Menu) -> dict[str, frozenset[str]]:
        """Return the nouns that say of what kind a name is, by group or category: several names in it end with them."""
        if not self._has_noun_last:
            return {}
        ending: dict[str, dict[str, set[Entity]]] = defaultdict(lambda: defaultdict(set))
        for name in self._names:
            if len(name.words) > 1 and not name.is_synonym and all(map(str.isascii, name.words)):
                ending[self._family_of[name.entity]][words.singular(name.words[-1])].add(name.entity)
        for item_id, item in menu.items.items():
            for word in words.phrase(item.category or ""):
                ending[self._family_of[item_id]][words.singular(word)].update(("", item_id))
        own = {words.singular(name.words[0]) for name in self._names if len(name.words) == 1}  # "sausage peppers" are two choices
        return {
            family: frozenset([noun for noun, entities in nouns.items() if len(entities) > 1]) - self._function_words - own
            for family, nouns in ending.items()
            if family
        }

    def _by_kind(self, menu: Menu) -> dict[str, tuple[str, ...]]:
        """Return the items whose names end with each noun of a kind."""
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for name in self._names:
            noun = words.singular(name.words[-1])
            if isinstance(name.entity, str) and noun in self._kinds.get(self._family_of[name.entity], ()):
                found[noun][name.entity] = None
        return {noun: tuple([item for item in menu.items if item in items]) for noun, items in found.items()}

    @staticmethod
    def _family(menu: Menu, entity: Entity) -> str:
        if isinstance(entity, str):
            category = menu.items[entity].category
            return "" if category is None else f"category {category}"
        return f"group {entity.group}"

    def _weight(self, word: str, phrase: Phrase, rarity: float) -> float:
        """Return the weight of a word: its smoothed inverse document frequency (Spärck Jones 1972)."""
        hollow = self._hollow if all(map(str.isascii, phrase)) else self._hollow_with_diacritics  # the "me" of "Trà me" is no English word
        is_hollow = len(phrase) > 1 and (word in hollow or word.isdecimal())
        return HOLLOW_WEIGHT if is_hollow else MIN_WEIGHT + math.log(1 + rarity)

    def _post(self, name: Name) -> None:
        """Index a name by each word, each pair of neighbours written together, and all words written together."""
        let_others_run()
        number, phrase = len(self._names), name.words
        self._names.append(name)
        for place, word in enumerate(phrase):
            self._postings[word].append(Posting(number, place, 1))
        for place in range(len(phrase) - 1):
            self._postings[phrase[place] + phrase[place + 1]].append(Posting(number, place, 2))
        if len(phrase) > 2:  # noqa: PLR2004 - pairs are indexed above
            self._postings["".join(phrase)].append(Posting(number, 0, len(phrase)))

    # --- Look-up

    def arcs_at(self, surfaces: Sequence[str], start: int, *, has_diacritics: bool) -> tuple[list[Arc], int]:
        """Return the arcs of names that begin at a token, and the number of tokens that were looked at."""
        arcs: list[Arc] = []
        by_end: dict[int, dict[int, Match]] = {start: {}}  # matches by the token behind them and by name
        reach = start + 2
        for end in range(start, min(len(surfaces), start + MAX_NAME_TOKENS) + 1):
            matches = by_end.pop(end, None)
            if matches is None or (end > start and not matches):
                continue
            if end > start:
                named = list(self._arcs_of(matches, surfaces[start:end]))
                arcs += named
                if end < len(surfaces):
                    arcs += [self._with_kind(arc) for arc in named if self._is_kind(surfaces[end], arc)]
            if end == len(surfaces):
                break
            reach = max(reach, end + 2)
            self._extend(by_end, matches, surfaces, end, is_first=end == start, has_diacritics=has_diacritics)
            if end > start and surfaces[end] in CONNECTORS and end + 1 < len(surfaces):
                reach = max(reach, end + 3)
                skipped = {number: match._replace(features=(*match.features, ("name.connector", 1.0))) for number, match in matches.items()}
                self._extend(by_end, skipped, surfaces, end + 1, is_first=False, has_diacritics=has_diacritics)
        arcs += self._category_arcs(surfaces, start)
        arcs += self._kind_arcs(surfaces[start])
        return arcs, reach - start

    def begins(self, surface: str) -> bool:
        """Return whether a word is the first one of a name."""
        return any([posting.place == 0 for posting in self._postings.get(surface, ())])

    def vocabulary(self) -> dict[str, bool]:
        """Return the words of names; True: several words, written as one."""
        return {word: all([posting.n_words > 1 for posting in postings]) for word, postings in self._postings.items()}

    def _is_kind(self, surface: str, arc: Arc) -> bool:
        """Return whether a word behind a whole name says of what kind it is: "jalapeno peppers" beside "banana peppers"."""
        kinds = self._kinds.get(self._family_of[arc.value[0]], frozenset()) if not arc.is_partial else frozenset()
        return words.singular(surface) in kinds

    def _kind_arcs(self, surface: str) -> Iterator[Arc]:
        """Yield an arc for all items of a kind, by the noun with which their names end: "froyos"."""
        items = self._items_of_kind.get(words.singular(surface), ())
        if 1 < len(items) <= MAX_OPEN:
            features = (("name.item", 1.0), ("name.category", 1.0), ("name.items_of_kind", 1.0))
            yield Arc.scored(self._model, 1, Role.ITEM, items, features, is_partial=True)

    def _with_kind(self, arc: Arc) -> Arc:
        return Arc.scored(self._model, arc.length + 1, arc.role, arc.value, (*arc.features, ("name.kind", 1.0)))

    def _words_at(self, surfaces: Sequence[str], start: int, *, has_diacritics: bool) -> Iterator[tuple[int, list[tuple[str, Features]]]]:
        """Yield indexed words that one token, or two tokens written apart, may stand for, with the number of tokens."""
        surface = surfaces[start]
        near = self._spellings.near(surface, has_diacritics=has_diacritics)
        digits = self._digits.get(surface) or self._digits.get(words.singular(surface))
        if digits in self._postings:
            near = [*near, (str(digits), (("spelt.digits", 1.0),))]
        yield 1, near
        behind = surfaces[start + 1] if start + 1 < len(surfaces) else ""
        if surface in self._tens and behind in self._units:
            digits = str(self._tens[surface] + self._units[behind])
            if digits in self._postings:
                yield 2, [(digits, (("spelt.digits", 1.0),))]
        if surface.isalpha() and behind.isalpha() and len(surface + behind) > MIN_TYPO_LETTERS:
            joined = surface + behind
            if joined in self._postings or not near or not self._spellings.near(behind, has_diacritics=has_diacritics):
                yield (
                    2,
                    [
                        (word, (*features, ("spelt.apart", 1.0)))
                        for word, features in self._spellings.near(joined, has_diacritics=has_diacritics)
                    ],
                )

    def _extend(
        self,
        by_end: dict[int, dict[int, Match]],
        matches: Mapping[int, Match],
        surfaces: Sequence[str],
        at: int,
        *,
        is_first: bool,
        has_diacritics: bool,
    ) -> None:
        """Match the next token with one more word of each name; keep the cheapest match of a name."""
        together = self._model.cost_of(TOGETHER)
        for length, near in self._words_at(surfaces, at, has_diacritics=has_diacritics):
            reached = by_end.setdefault(at + length, {})
            for word, features in near:
                cost = self._model.cost_of(features)
                for posting in self._postings[word]:
                    before = matches.get(posting.name)
                    if before is None and not is_first:
                        continue
                    match = _matched(before, posting, cost + together if posting.n_words > 1 else cost, features)
                    if match is not None and (posting.name not in reached or match.cost < reached[posting.name].cost):
                        reached[posting.name] = match

    def _arcs_of(self, matches: Mapping[int, Match], surfaces: Sequence[str]) -> Iterator[Arc]:
        """Yield arcs for the items and the choices that the tokens may name."""
        best: dict[Entity, MatchedEntity] = {}
        for number, match in matches.items():
            name = self._names[number]
            share = sum([weight for place, weight in enumerate(name.weights) if match.said >> place & 1], 0.0) / sum(name.weights, 0.0)
            if share < MIN_SHARE or (len(surfaces) == 1 and surfaces[0] in self._quantifiers and match.said.bit_count() < len(name.words)):
                continue
            features = match.features + self._name_features(name, match.said, share, surfaces)
            cost = self._model.cost_of(features)
            if name.entity not in best or cost < best[name.entity].cost:
                best[name.entity] = MatchedEntity(cost, name.entity, features, match.said.bit_count() < len(name.words))
        yield from self._tiers(len(surfaces), Role.ITEM, [found for found in best.values() if isinstance(found.entity, str)])
        yield from self._tiers(len(surfaces), Role.OPTION, [found for found in best.values() if not isinstance(found.entity, str)])

    def _name_features(self, name: Name, said: int, share: float, surfaces: Sequence[str]) -> Features:
        """Return features of how much of a name was spoken; `said`: bits of its words, `share`: of its weight, 0..1."""
        kind = "item" if isinstance(name.entity, str) else "option"
        features = [(f"name.{kind}", 1.0)]
        if name.is_synonym:
            features.append(("name.synonym", 1.0))
        is_function_word = len(surfaces) == 1 and surfaces[0] in self._function_words
        if said.bit_count() == len(name.words):
            return tuple([*features, ("name.whole.function_word", 1.0)] if is_function_word else features)
        words_said = [word for place, word in enumerate(name.words) if said >> place & 1]
        features += [
            ("name.partial", 1.0),
            ("name.lack", 1 - share),
            (f"name.{kind}.partial", 1.0),
            (f"name.{kind}.lack", 1 - share),
            ("name.head_first" if said & 1 else "name.head_missing", 1.0),
            (f"name.words={min(3, len(words_said))}", 1.0),
        ]
        if said & (said + (said & -said)):  # a word between those that were spoken is missing
            features.append((f"name.gap.{'noun_last' if self._has_noun_last else 'noun_first'}", 1.0))
        if self._has_noun_last and all(map(str.isascii, name.words)):
            features.append((f"name.{kind}.noun" if said >> (len(name.words) - 1) else f"name.{kind}.no_noun", 1.0))
        if self._adjectives.issuperset(words_said):
            features.append((f"name.{kind}.adjective", 1.0))
        if is_function_word:
            features.append((f"name.{kind}.function_word", 1.0))
        return tuple(features)

    def _tiers(self, length: int, role: Role, found: list[MatchedEntity]) -> Iterator[Arc]:
        """Yield one arc for all entities of equal cost, for the `MAX_TIERS` lowest costs.

        Choices that no item offers beside the better ones are never hidden by these: they have tiers of their own.
        """
        found.sort(key=lambda matched: matched.cost)
        tiers: list[tuple[MatchedEntity, list[Any]]] = []  # the first one, and all entities
        hidden: list[MatchedEntity] = []
        seen: set[str] = set()  # groups of the better choices
        for matched in found:
            if tiers and matched.cost - tiers[-1][0].cost < SAME_COST:
                tiers[-1][1].append(matched.entity)
            elif len(tiers) == MAX_TIERS or (tiers and matched.cost > tiers[0][0].cost + MAX_TIER_COST):
                if isinstance(matched.entity, ChoiceRef) and self._neighbours[matched.entity.group].isdisjoint(seen):
                    hidden.append(matched)
                continue
            else:
                tiers.append((matched, [matched.entity]))
            if isinstance(matched.entity, ChoiceRef):
                seen.add(matched.entity.group)
        if hidden:
            yield from self._tiers(length, role, hidden)
        for rank, (first, entities) in enumerate(tiers):
            if len(entities) <= MAX_OPEN:
                more: list[tuple[str, float]] = [("name.second_tier", 1.0)] if rank else []
                if len(entities) > 1 and role is Role.ITEM:
                    more.append(("name.open_items", 1.0))
                features = (*first.features, *more)
                yield Arc.scored(self._model, length, role, tuple(entities), features, is_partial=first.is_partial)

    def _category_arcs(self, surfaces: Sequence[str], start: int) -> Iterator[Arc]:
        for phrase, item_ids in self._categories.items():
            if tuple(map(words.singular, surfaces[start : start + len(phrase)])) == phrase:
                features = (("name.item", 1.0), ("name.category", 1.0))
                yield Arc.scored(self._model, len(phrase), Role.ITEM, tuple(item_ids), features, is_partial=True)


def _groups_offered_together(menu: Menu) -> dict[str, set[str]]:
    """Return the groups that items offer beside each group, with the group itself."""
    found: dict[str, set[str]] = {group: {group} for group in menu.option_groups}
    for item in menu.items.values():
        for group in item.options:
            found[group].update(item.options)
    return found


def _sound_key(name: Name) -> str:
    let_others_run()
    return "".join(map(words.phonetic_key, name.words))


def _matched(before: Match | None, posting: Posting, cost: float, features: Features) -> Match | None:
    """Return a match with one more word; None if the word is matched already."""
    _, place, n_words = posting
    bits = ((1 << n_words) - 1) << place
    if n_words > 1:
        features = (*features, *TOGETHER)
    if before is None:
        return Match(bits, cost, features, place + n_words)
    if before.said & bits:
        return None
    if place < before.next_word:
        features = (*features, ("name.order", 1.0))
    return Match(before.said | bits, before.cost + cost, (*before.features, *features), place + n_words)
