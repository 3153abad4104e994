"""The phrases of a menu and of the languages, and the lattice of arcs that they make of an utterance.

A name of the menu is found by any of its words, in any order, exactly, misspelt or misheard; how well it was said are features of the arc.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from rapidfuzz.distance import OSA

from schemas import Menu
from voice.orders import words
from voice.orders.language_packs import LanguagePack, language_packs
from voice.orders.numbers import Number, NumberWords
from voice.orders.parser.draft import ChoiceRef
from voice.orders.parser.model import Features, Model
from voice.orders.parser.roles import NAMING, Role, phrases
from voice.orders.spans import Span, SpanClassifier, SpanKind
from voice.orders.words import Token

MAX_NAME_TOKENS: Final = 7
MAX_TIERS: Final = 3  # readings of the same words as a name, by how well they fit
MAX_TIER_COST: Final = 1.5  # what a reading may cost more than the best one
MAX_OPEN: Final = 24  # things that a partial name may leave open
MIN_SHARE: Final = 0.2  # of a name's weight that must be said
HOLLOW_WEIGHT: Final = 0.25  # of a word that names nothing by itself: a number, a unit, a classifier
MIN_TYPO_LETTERS: Final = 4
MIN_SKELETON: Final = 3  # consonants
MAX_REMEMBERED: Final = 8192
MAX_QUANTITY: Final = 999
CONNECTORS: Final = frozenset({"and", "with", "of", "the", "&", ",", "n", "in", "on", "và", "với"})
UNITS: Final = frozenset({"oz", "ml", "cl", "g", "kg", "inch", "pc", "pcs", "piece", "pieces", "l", "cm", "ounce", "ounces", "lb"})
NO_FEATURES: Final[Features] = ()


class Arc(NamedTuple):
    """A span of tokens in one role; where it begins is told by the lattice's row."""

    length: int  # tokens
    role: Role
    value: Any  # item ids, ChoiceRefs, a number, an amount
    features: Features
    cost: float
    partial: bool = False  # only some words of a name were said


class Name(NamedTuple):
    """One way to name an item or a choice."""

    thing: str | ChoiceRef
    words: tuple[str, ...]
    weights: tuple[float, ...]  # of each word, by rarity
    is_synonym: bool


class Match(NamedTuple):
    """Tokens matched with words of one name so far."""

    said: int  # bits of the name's words
    cost: float
    features: Features
    next_word: int


@lru_cache(maxsize=131_072)
def spelling_features(said: str, meant: str) -> Features | None:
    """Return how a spoken word differs from a menu's, or None if it is another word."""
    if said == meant:
        return NO_FEATURES
    said_plain, meant_plain = words.fold(said), words.fold(meant)
    if said_plain == meant_plain:
        if said == said_plain:
            return (("spelt.plain", 1.0),)
        return (("spelt.tone", 1.0),) if words.toneless(said) == words.toneless(meant) else (("spelt.vowel", 1.0),)
    if words.singular(said_plain) == words.singular(meant_plain):
        return (("spelt.plural", 1.0),)
    if (said[:1] == "đ") != (meant[:1] == "đ") and said != said_plain:
        return None  # a stop, never heard for the fricatives d, gi, r
    if words.key_of(said) == words.key_of(meant):
        return (("spelt.sound", 1.0),)
    if len(said_plain) >= 3 and len(meant_plain) >= len(said_plain) + 3 and meant_plain.startswith(said_plain):  # noqa: PLR2004 - "mayo"
        return (("spelt.prefix", 1.0),)
    letters = max(len(said_plain), len(meant_plain))
    edits = OSA.distance(said_plain, meant_plain, score_cutoff=letters // 4)
    if letters >= MIN_TYPO_LETTERS and edits * 4 <= letters:
        return (("spelt.typo", 1.0), ("spelt.typo.share", edits / letters))
    return None


def _deletions(key: str) -> Iterator[str]:
    yield key
    for place in range(len(key)):
        yield key[:place] + key[place + 1 :]


class _Spellings:
    """Finds the words of a vocabulary that a spoken word may stand for."""

    def __init__(self, vocabulary: Iterable[str], guarded: frozenset[str]) -> None:
        """`guarded`: function words, which stand for no other word by a typing error."""
        self._vocabulary = frozenset(vocabulary)
        self._guarded = guarded
        self._by_key: dict[str, set[str]] = defaultdict(set)
        self._by_deletion: dict[str, set[str]] = defaultdict(set)  # Garbe 2012, symmetric deletes
        self._by_prefix: dict[str, set[str]] = defaultdict(set)
        self._by_skeleton: dict[str, set[str]] = defaultdict(set)
        self._found: dict[tuple[str, bool], list[tuple[str, Features]]] = {}
        for word in self._vocabulary:
            key, plain = words.key_of(word), words.fold(word)
            self._by_key[key].add(word)
            for variant in _deletions(key) if len(key) >= MIN_TYPO_LETTERS else ():
                self._by_deletion[variant].add(word)
            for length in range(3, len(plain) - 2):
                self._by_prefix[plain[:length]].add(word)
            if len(words.skeleton(word)) >= MIN_SKELETON:
                self._by_skeleton[words.skeleton(word)].add(word)

    def near(self, said: str, *, marked: bool) -> list[tuple[str, Features]]:
        """Return vocabulary words with the features of the difference; `marked`: the utterance is written with diacritics."""
        found = self._found.get((said, marked))
        if found is None:
            if len(self._found) > MAX_REMEMBERED:
                self._found.clear()
            found = self._found[said, marked] = list(self._search(said, marked=marked))
        return found

    def _search(self, said: str, *, marked: bool) -> Iterator[tuple[str, Features]]:
        key = words.key_of(said)
        candidates = set(self._by_key.get(key, ()))
        if said not in self._vocabulary and said not in self._guarded and len(said) > 2:  # noqa: PLR2004 - too many neighbours
            for variant in _deletions(key) if len(key) >= MIN_TYPO_LETTERS else ():
                candidates |= self._by_deletion.get(variant, set())
            candidates |= self._by_prefix.get(words.fold(said), set())
        found = False
        for word in sorted(candidates):
            features = spelling_features(said, word)
            if features is None or (features == (("spelt.sound", 1.0),) and said in self._guarded):
                continue
            found = True
            yield word, (("spelt.plain_among_marked", 1.0),) if marked and features == (("spelt.plain", 1.0),) else features
        skeleton = words.skeleton(said) if not found and said not in self._guarded else ""
        if len(skeleton) >= MIN_SKELETON:
            for word in sorted(self._by_skeleton.get(skeleton, ())):
                yield word, (("spelt.skeleton", 1.0),)


class Lexicon:
    """The phrases of one menu and of all languages; compiled once, asked often."""

    def __init__(self, menu: Menu, model: Model) -> None:
        self.menu = menu
        self.model = model
        packs = list(language_packs().values())
        self._numbers = NumberWords(packs, plain=True)
        self._spans = self._span_classifier(packs)
        self.function_words = frozenset({word for pack in packs for word in pack.function_words()})
        self._adjectives = frozenset({word for pack in packs for word in pack.adjectives})
        self._people = frozenset({words.phrase(spelt) for pack in packs for way in pack.people for spelt in (way, words.fold(way))})
        self._digits = {word: str(value) for pack in packs for word, value in {**pack.numbers.units, **pack.numbers.tens}.items()}
        self._hollow = frozenset({word for pack in packs for word in pack.uninformative_words()}) | UNITS
        self._names: list[Name] = []
        self._postings: dict[str, list[tuple[int, int, int]]] = defaultdict(list)  # word -> name, place, words covered
        self._add_names(packs)
        self._categories: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for item_id, item in menu.items.items():
            if item.category is not None:
                self._categories[tuple(map(words.singular, words.phrase(item.category)))].append(item_id)
        self._spellings = _Spellings(self._postings, self.function_words)
        self._named = {"".join(map(words.key_of, name.words)) for name in self._names}
        self._functions: dict[str, list[tuple[tuple[str, ...], Role, Any]]] = defaultdict(list)
        for pack in packs:
            for role, value, ways in phrases(pack):
                for phrase in filter(None, map(words.phrase, ways)):
                    self._functions[words.key_of(phrase[0])].append((phrase, role, value))
        self._rows: dict[tuple[object, ...], tuple[Arc, ...]] = {}
        self._reach: dict[tuple[str, bool], int] = {}

    # --- Compilation

    def _add_names(self, packs: Sequence[LanguagePack]) -> None:
        named: list[tuple[str | ChoiceRef, tuple[str, ...], bool]] = []
        for item_id, item in self.menu.items.items():
            named += [(item_id, words.phrase(way), False) for way in (item.name, *item.aliases)]
        for group_id, group in self.menu.option_groups.items():
            for choice_id, choice in group.choices.items():
                named += [(ChoiceRef(group_id, choice_id), words.phrase(way), False) for way in (choice.name, *choice.aliases)]
        synonyms = _synonyms(packs)
        named += [(thing, variant, True) for thing, phrase, _ in list(named) for variant in _variants(phrase, synonyms)]
        things: dict[tuple[bool, str], set[object]] = defaultdict(set)
        for thing, phrase, _ in named:
            for word in phrase:
                things[isinstance(thing, str), word].add(thing)
        count = {is_item: max(1, len({thing for thing, _, _ in named if isinstance(thing, str) is is_item})) for is_item in (True, False)}
        for thing, phrase, is_synonym in dict.fromkeys(named):
            if phrase:
                is_item = isinstance(thing, str)
                weights = tuple([self._weight(word, phrase, count[is_item] / len(things[is_item, word])) for word in phrase])
                self._post(Name(thing, phrase, weights, is_synonym))

    def _weight(self, word: str, phrase: tuple[str, ...], rarity: float) -> float:
        is_hollow = len(phrase) > 1 and (word in self._hollow or word.isdecimal())
        return HOLLOW_WEIGHT if is_hollow else 0.4 + math.log(1 + rarity)  # inverse document frequency, smoothed

    def _post(self, name: Name) -> None:
        number, phrase = len(self._names), name.words
        self._names.append(name)
        for place, word in enumerate(phrase):
            self._postings[word].append((number, place, 1))
        for place in range(len(phrase) - 1):
            self._postings[phrase[place] + phrase[place + 1]].append((number, place, 2))
        if len(phrase) > 2:  # noqa: PLR2004 - two are posted above
            self._postings["".join(phrase)].append((number, 0, len(phrase)))

    # --- The lattice

    def lattice(self, tokens: Sequence[Token]) -> list[tuple[Arc, ...]]:
        """Return the arcs that begin at each token; each token has one that leaves it unread."""
        marked = words.is_marked(tokens)
        surfaces = tuple([token.surface for token in tokens])
        numbers = self._numbers.parse_all(tokens, marked=marked)
        rows = [self._row(tokens, surfaces, numbers, start, marked=marked) for start in range(len(tokens))]
        if self._spans.needed(surfaces, numbers):
            for span in self._spans.classify(tokens, numbers, marked=marked):
                self._add_span(span, rows)
        return rows

    def _add_span(self, span: Span, rows: list[tuple[Arc, ...]]) -> None:
        """Add an arc that a typed number orders nothing, and mark the numbers within it."""
        start, length = span.start, span.end - span.start
        if span.kind is SpanKind.QUANTITY:
            if span.value:
                features: Features = (("number", 1.0), ("number.typed.quantity", 1.0))
                rows[start] = (*rows[start], self._arc(length, Role.NUMBER, int(span.value), features))
            return
        kind = span.kind.value
        for at in range(start, span.end):
            rows[at] = tuple([self._typed(arc, kind) if arc.role is Role.NUMBER else arc for arc in rows[at]])
        rows[start] = (*rows[start], self._arc(length, Role.TALK, None, (("span", 1.0), (f"span.{kind}", 1.0))))

    def _typed(self, arc: Arc, kind: str) -> Arc:
        return self._arc(arc.length, arc.role, arc.value, (*arc.features, ("number.typed", 1.0), (f"number.typed.{kind}", 1.0)))

    def _span_classifier(self, packs: Sequence[LanguagePack]) -> SpanClassifier:
        menu = self.menu
        items = [name for item in menu.items.values() for name in (item.name, *item.aliases)]
        choices = [choice for group in menu.option_groups.values() for choice in group.choices.values()]
        named = [name for choice in choices for name in (choice.name, *choice.aliases)]
        return SpanClassifier(packs, self._numbers, items, named, currency=menu.currency, languages=menu.languages)

    def _row(
        self, tokens: Sequence[Token], surfaces: tuple[str, ...], numbers: Sequence[Number | None], start: int, *, marked: bool
    ) -> tuple[Arc, ...]:
        """Return a row, remembered under the tokens that were looked at for it."""
        first = surfaces[start], marked
        window = (marked, *surfaces[start : start + self._reach.get(first, 1)], start + self._reach.get(first, 1) >= len(surfaces))
        row = self._rows.get(window)
        if row is None:
            arcs, reach = self._arcs_at(tokens, surfaces, numbers, start, marked=marked)
            row = tuple(arcs)
            if len(self._rows) > MAX_REMEMBERED:
                self._rows.clear()
                self._reach.clear()
            reach = self._reach[first] = max(reach, self._reach.get(first, 1))
            self._rows[marked, *surfaces[start : start + reach], start + reach >= len(surfaces)] = row
        return row

    def _arcs_at(
        self, tokens: Sequence[Token], surfaces: tuple[str, ...], numbers: Sequence[Number | None], start: int, *, marked: bool
    ) -> tuple[list[Arc], int]:
        surface = surfaces[start]
        if words.is_punctuation(surface):
            return [Arc(1, Role.COMMA if surface == "," else Role.STOP, surface, NO_FEATURES, 0.0)], 1
        arcs, reach = self._name_arcs(surfaces, start, marked=marked)
        functions = list(self._function_arcs(tokens, surfaces, start, marked=marked))
        functions += self._number_arcs(surfaces, numbers[start], start)
        longest = max([arc.length for arc in functions], default=1)
        reach = max(reach, longest + 2, self._phrase_reach(tokens[start].key))
        arcs += functions
        arcs.append(self._unread(surface, arcs, is_function=bool(functions)))
        return arcs, reach

    def _phrase_reach(self, key: str) -> int:
        return max([len(phrase) for phrase, _, _ in self._functions.get(key, ())], default=1)

    def _arc(self, length: int, role: Role, value: Any, features: Features, *, partial: bool = False) -> Arc:
        return Arc(length, role, value, features, self.model.cost_of(features), partial)

    def _unread(self, surface: str, arcs: Sequence[Arc], *, is_function: bool) -> Arc:
        names = [arc for arc in arcs if arc.role in NAMING]
        features = [("unread", 1.0)]
        if is_function:
            features.append(("unread.function", 1.0))
        if names:
            features.append(("unread.partial_name" if all(arc.partial for arc in names) else "unread.name", 1.0))
        if len(surface) < 3:  # noqa: PLR2004 - "uh", "ạ"
            features.append(("unread.short", 1.0))
        return self._arc(1, Role.UNREAD, None, tuple(features))

    # --- Names

    def _words_at(self, surfaces: tuple[str, ...], start: int, *, marked: bool) -> Iterator[tuple[int, list[tuple[str, Features]]]]:
        """Yield menu words that one token, or two written apart, may stand for, with how many tokens that takes."""
        surface = surfaces[start]
        near = self._spellings.near(surface, marked=marked)
        digits = self._digits.get(surface)
        if digits in self._postings:
            near = [*near, (str(digits), (("spelt.digits", 1.0),))]
        yield 1, near
        behind = surfaces[start + 1] if start + 1 < len(surfaces) else ""
        if surface.isalpha() and behind.isalpha() and len(surface + behind) > MIN_TYPO_LETTERS:
            joined = surface + behind
            if joined in self._postings or not near or not self._spellings.near(behind, marked=marked):
                yield 2, [(word, (*features, ("spelt.apart", 1.0))) for word, features in self._spellings.near(joined, marked=marked)]

    def _name_arcs(self, surfaces: tuple[str, ...], start: int, *, marked: bool) -> tuple[list[Arc], int]:
        """Return the names that begin at a token, and how many tokens were looked at."""
        arcs: list[Arc] = []
        matches: dict[int, dict[int, Match]] = {start: {}}
        reach = start + 2
        for end in range(start, min(len(surfaces), start + MAX_NAME_TOKENS) + 1):
            found = matches.pop(end, None)
            if found is None:
                continue
            if end > start:
                if not found:
                    continue
                arcs += self._emit(surfaces, start, end, found)
            if end == len(surfaces):
                break
            reach = max(reach, end + 2)
            self._extend(matches, found, surfaces, end, is_first=end == start, marked=marked)
            if end > start and surfaces[end] in CONNECTORS and end + 1 < len(surfaces):
                reach = max(reach, end + 3)
                skipped = {number: match._replace(features=(*match.features, ("name.connector", 1.0))) for number, match in found.items()}
                self._extend(matches, skipped, surfaces, end + 1, is_first=False, marked=marked)
        arcs += self._category_arcs(surfaces, start)
        return arcs, reach - start

    def _extend(
        self,
        matches: dict[int, dict[int, Match]],
        found: Mapping[int, Match],
        surfaces: tuple[str, ...],
        at: int,
        *,
        is_first: bool,
        marked: bool,
    ) -> None:
        """Match the next token with one more word of the names found so far; the cheapest match of each name stays."""
        for length, near in self._words_at(surfaces, at, marked=marked):
            reached = matches.setdefault(at + length, {})
            for word, features in near:
                cost = self.model.cost_of(features)
                for number, place, count in self._postings[word]:
                    bits = ((1 << count) - 1) << place
                    before = found.get(number)
                    if before is None and not is_first:
                        continue
                    match = self._match(before, bits, place, count, cost, features)
                    if match is not None and (number not in reached or match.cost < reached[number].cost):
                        reached[number] = match

    def _match(self, before: Match | None, bits: int, place: int, count: int, cost: float, features: Features) -> Match | None:
        if count > 1:
            features = (*features, ("spelt.together", 1.0))
        if before is None:
            return Match(bits, cost, features, place + count)
        if before.said & bits:
            return None
        if place < before.next_word:
            features = (*features, ("name.order", 1.0))
        return Match(before.said | bits, before.cost + cost, (*before.features, *features), place + count)

    def _emit(self, surfaces: tuple[str, ...], start: int, end: int, matches: Mapping[int, Match]) -> Iterator[Arc]:
        """Yield arcs for the items and choices that the tokens may name: those that fit equally well together."""
        best: dict[str | ChoiceRef, tuple[float, Features, bool]] = {}
        for number, match in matches.items():
            name = self._names[number]
            share = sum([weight for place, weight in enumerate(name.weights) if match.said >> place & 1]) / sum(name.weights)
            if share < MIN_SHARE:
                continue
            features = match.features + self._name_features(name, match.said, share, surfaces[start:end])
            cost = self.model.cost_of(features)
            if name.thing not in best or cost < best[name.thing][0]:
                best[name.thing] = cost, features, match.said.bit_count() < len(name.words)
        items = [(cost, thing, features, partial) for thing, (cost, features, partial) in best.items() if isinstance(thing, str)]
        choices = [(cost, thing, features, partial) for thing, (cost, features, partial) in best.items() if not isinstance(thing, str)]
        yield from self._tiers(end - start, Role.ITEM, items)
        yield from self._tiers(end - start, Role.OPTION, choices)

    def _name_features(self, name: Name, said: int, share: float, surfaces: tuple[str, ...]) -> Features:
        kind = "item" if isinstance(name.thing, str) else "option"
        features = [(f"name.{kind}", 1.0)]
        if name.is_synonym:
            features.append(("name.synonym", 1.0))
        lonely = len(surfaces) == 1 and surfaces[0] in self.function_words
        if said.bit_count() == len(name.words):
            return tuple([*features, ("name.whole.function_word", 1.0)] if lonely else features)
        words_said = [word for place, word in enumerate(name.words) if said >> place & 1]
        features += [
            ("name.partial", 1.0),
            ("name.lack", 1 - share),
            (f"name.{kind}.partial", 1.0),
            (f"name.{kind}.lack", 1 - share),
            ("name.head_first" if said & 1 else "name.head_missing", 1.0),
            (f"name.words={min(3, len(words_said))}", 1.0),
        ]
        if self._adjectives.issuperset(words_said):
            features.append((f"name.{kind}.adjective", 1.0))
        if lonely:
            features.append((f"name.{kind}.function_word", 1.0))
        return tuple(features)

    def _tiers(self, length: int, role: Role, found: list[tuple[float, Any, Features, bool]]) -> Iterator[Arc]:
        found.sort(key=lambda row: row[0])
        tiers: list[tuple[float, list[Any], Features, bool]] = []
        for cost, thing, features, partial in found:
            if tiers and cost - tiers[-1][0] < 1e-6:  # noqa: PLR2004 - equal but for rounding
                tiers[-1][1].append(thing)
            elif len(tiers) == MAX_TIERS or (tiers and cost > tiers[0][0] + MAX_TIER_COST):
                break
            else:
                tiers.append((cost, [thing], features, partial))
        for rank, (_, things, features, partial) in enumerate(tiers):
            if len(things) <= MAX_OPEN:
                more: list[tuple[str, float]] = [("name.second_tier", 1.0)] if rank else []
                if len(things) > 1 and role is Role.ITEM:
                    more.append(("name.open_items", 1.0))
                yield self._arc(length, role, tuple(things), (*features, *more), partial=partial)

    def _category_arcs(self, surfaces: tuple[str, ...], start: int) -> Iterator[Arc]:
        for phrase, item_ids in self._categories.items():
            if tuple(map(words.singular, surfaces[start : start + len(phrase)])) == phrase:
                features = (("name.item", 1.0), ("name.category", 1.0))
                yield self._arc(len(phrase), Role.ITEM, tuple(item_ids), features, partial=True)

    # --- Function words and numbers

    def _function_arcs(self, tokens: Sequence[Token], surfaces: tuple[str, ...], start: int, *, marked: bool) -> Iterator[Arc]:
        best: dict[tuple[int, Role, Any], Arc] = {}
        for phrase, role, value in self._functions.get(tokens[start].key, ()):
            spelling = _function_spelling(surfaces[start : start + len(phrase)], phrase, marked=marked)
            if spelling is None:
                continue
            features = (("function", 1.0), (f"function.{role.name}", 1.0), *spelling)
            if "".join([token.key for token in tokens[start : start + len(phrase)]]) in self._named:
                features = (*features, ("function.named", 1.0), (f"function.named.{role.name}", 1.0))
            arc = self._arc(len(phrase), role, value, features)
            key = len(phrase), role, value
            if key not in best or arc.cost < best[key].cost:
                best[key] = arc
        yield from best.values()

    def _number_arcs(self, surfaces: tuple[str, ...], number: Number | None, start: int) -> Iterator[Arc]:
        if number is None:
            return
        length = number.end - start
        if number.article:
            yield self._arc(length, Role.ARTICLE, 1, (("article", 1.0),))
            return
        if not 1 <= number.value <= MAX_QUANTITY:
            return
        features: Features = (("number", 1.0), ("number.spelling", number.cost)) if number.cost else (("number", 1.0),)
        yield self._arc(length, Role.NUMBER, number.value, features)
        for longer in (1, 2):
            people = surfaces[number.end : number.end + longer]
            if len(people) == longer and people in self._people:
                yield self._arc(length + longer, Role.PEOPLE, number.value, (*features, ("number.people", 1.0)))


def _function_spelling(said: Sequence[str], phrase: Sequence[str], *, marked: bool) -> Features | None:
    """Return how spoken words differ from a function phrase: by diacritics only; None: they are other words."""
    if len(said) < len(phrase):
        return None
    features: list[tuple[str, float]] = []
    for word, meant in zip(said, phrase, strict=True):
        if word == meant:
            continue
        plain = words.fold(meant)
        if word == plain:
            features.append(("function.plain_among_marked" if marked else "function.plain", 1.0))
        elif words.fold(word) == plain and words.toneless(word) == words.toneless(meant):
            features.append(("function.tone", 1.0))
        else:
            return None
    return tuple(features)


def _synonyms(packs: Iterable[LanguagePack]) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    found: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for pack in packs:
        for row in pack.synonyms:
            for word in row:
                found[words.phrase(word)] += [words.phrase(other) for other in row if other != word]
        # A choice that is an amount of something is said with any way of saying that amount: "less ice", "ít đá".
        for amount in ("light", "extra", "no"):
            ways = [words.phrase(way) for pack_ in packs for way in pack_.amounts[amount]][:40]
            for way in [words.phrase(way) for way in pack.amounts[amount]]:
                found[(*way, "")] += ways
    return found


def _variants(phrase: tuple[str, ...], synonyms: Mapping[tuple[str, ...], list[tuple[str, ...]]]) -> Iterator[tuple[str, ...]]:
    """Yield a name with one phrase of it in other words."""
    for start in range(len(phrase)):
        for end in range(start + 1, min(len(phrase), start + 3) + 1):
            for other in synonyms.get(phrase[start:end], ()):
                yield (*phrase[:start], *other, *phrase[end:])
    for length in range(1, len(phrase)):
        for way in synonyms.get((*phrase[:length], ""), ()):
            yield (*way, *phrase[length:])
