"""What words can mean: a menu's and the languages' phrases in one index, and the lattice of meanings of an utterance."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import IntEnum, auto
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, field_validator

from schemas import Amount, Menu
from voice import words
from voice.menus import construct
from voice.words import Token

LANGUAGES = Path(__file__).parent / "languages"

# Costs of readings; the unit is a word that nothing explains. With those of voice.words they are all that the engine weighs.
SEGMENT = 0.1  # each phrase: one long phrase is likelier than two short ones over the same words (shortest description)
MISSING_HEAD = 0.45  # only the head of a name was said ("coffee" for "black coffee")
MISSING_REST = 0.7  # only its modifier was ("lemon" for "lemon tea")
MISSING_MORE = 0.15  # each further word that was not said
UNJOINED = 0.05  # "chicken bacon ranch" for "chicken and bacon ranch"
ROTATED = 0.15  # "đường ít" for "ít đường"
MENU_FIRST = 0.15  # a language's word that is also the menu's
TALK = 0.2  # a stretch that asks or tells something and orders nothing
NAME = 0.3  # "chị Ba"
ARTICLE = 0.02  # "a", "an": a weaker one
MAX_QUANTITY = 999
MAX_REMEMBERED = 20_000  # look-ups: a bound on memory
MAX_WORDS = 12  # of a phrase
MAX_ASKED_WORDS = 8  # between the two halves of a question
MAX_PARTIAL = 24  # a part of a name that fits more things than this says too little to ask about
MAX_FUNCTION_DISTANCE = 0.45  # a tone, a long phrase typed plain: beyond it, function words are other words


class Kind(IntEnum):
    """What a phrase does in an order."""

    ITEM = auto()
    OPTION = auto()
    NUMBER = auto()
    ARTICLE = auto()
    PORTION = auto()
    AMOUNT = auto()
    REMOVE = auto()
    REPLACE = auto()
    INTO = auto()
    INSTEAD = auto()
    SET = auto()
    MORE = auto()
    ONLY = auto()
    CORRECT = auto()
    CANCEL = auto()
    ALL = auto()
    PART = auto()
    REFER = auto()
    INQUIRY = auto()
    REQUEST = auto()
    CLASSIFIER = auto()
    JOIN = auto()
    OR = auto()
    WITH = auto()
    ONTO = auto()
    FILLER = auto()
    TALK = auto()
    PAUSE = auto()
    STOP = auto()
    UNKNOWN = auto()


class Sense(NamedTuple):
    """One meaning of a phrase."""

    kind: Kind
    value: object  # an item's id, an Entry, a number, an amount
    phrase: tuple[str, ...]
    cost: float


class Entry(NamedTuple):
    """A choice of an option group."""

    bit: int  # of its group
    group: str
    choice: str


class Edge(NamedTuple):
    """A stretch of tokens with one meaning."""

    start: int
    end: int
    kind: Kind
    value: object
    cost: float
    part: bool = False  # only a part of a name was said


class Numbers(BaseModel):
    """The words that numbers are made of, by what they do to the number so far."""

    model_config = ConfigDict(extra="forbid")

    units: dict[str, int]
    ends: dict[str, int]
    tens: dict[str, int]
    times: dict[str, int]
    wholes: dict[str, int]
    halves: list[str]
    joins: list[str]
    articles: dict[str, int]


class LanguagePack(BaseModel):
    """A language's words by what they do in an order; `voice/languages/*.yaml`."""

    model_config = ConfigDict(extra="forbid")

    language: str
    numbers: Numbers
    portions: dict[str, int]
    requests: list[str]
    fillers: list[str]
    classifiers: list[str]
    joins: list[str]
    ors: list[str]
    withs: list[str]
    ontos: list[str]
    amounts: dict[Amount, list[str]]
    removes: list[str]
    replaces: list[str]
    intos: list[str]
    insteads: list[str]
    sets: list[str]
    mores: list[str]
    onlys: list[str]
    corrects: list[str]
    cancels: list[str]
    alls: list[str]
    parts: list[str]
    refers: list[str]
    inquiries: list[str]
    questions: list[tuple[str, str]]
    asked: list[str]
    labels: list[str]
    measures: list[str]
    names: list[str]
    adjectives: list[str]
    synonyms: list[list[str]]
    sentences: dict[str, str]

    def function_words(self) -> Iterator[str]:
        """Yield the words that name nothing."""
        numbers = self.numbers
        rows = (
            self.fillers,
            self.classifiers,
            self.joins,
            self.ors,
            self.withs,
            *self.amounts.values(),
            numbers.units,
            numbers.tens,
            numbers.articles,
        )
        for row in rows:
            for way in row:
                phrase = words.phrase(way)
                if len(phrase) == 1:
                    yield phrase[0]

    @field_validator("requests", "fillers", "joins", "withs", mode="before")
    @classmethod
    def split_commas(cls, rows: list[str]) -> list[str]:
        """Let a long list be written several to a row."""
        return [part.strip() for row in rows for part in row.split(",")]


@lru_cache(maxsize=1)
def language_packs() -> dict[str, LanguagePack]:
    """Read every language there is; all of them may be spoken to every menu."""
    packs = (
        LanguagePack.model_validate(construct(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)))
        for path in sorted(LANGUAGES.glob("*.yaml"))
    )
    return {pack.language: pack for pack in packs}


class Role(NamedTuple):
    """What a word does in a number."""

    name: str
    value: int
    surface: str


class Lexicon:
    """The index of one menu's phrases and all languages' words; compiled once, asked often."""

    def __init__(self, menu: Menu) -> None:
        """Compile; about 1 ms for each 20 items."""
        self.menu = menu
        self.bits = {group: 1 << number for number, group in enumerate(menu.option_groups)}
        self._index: dict[str, list[Sense] | None] = {}
        self._roles: dict[str, list[Role]] = defaultdict(list)
        self._articles: set[str] = set()
        self._joins: set[str] = set()
        self._adjectives: set[str] = set()
        self._names: set[str] = set()
        self._labels: set[tuple[str, ...]] = set()
        self._measures: set[str] = set()
        self._questions: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self._asked: set[tuple[str, ...]] = set()
        self._near: dict[str, tuple[str, ...]] = {}
        self._meant: tuple[dict[tuple[str, ...], list[tuple[Kind, object, float, bool]]], ...] = ({}, {})  # typed plain, typed with marks
        packs = language_packs().values()
        self._synonyms: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
        for row in (row for pack in packs for row in pack.synonyms):
            for word in row:
                self._synonyms[words.phrase(word)] += [words.phrase(other) for other in row if other != word]
        menu_phrases = self._add_menu()
        for pack in packs:
            self._add_pack(pack, menu_phrases)
        self._deletions = self._spelling_index()
        openings = (*self._labels, *self._asked, *(opening for opening, _ in self._questions))
        self._talk_openings = {phrase[0] for phrase in openings} | self._names

    # --- Compilation ----------------------------------------------------------------------------------------------------------------

    def _add(self, kind: Kind, value: object, phrase: tuple[str, ...], cost: float = 0.0) -> None:
        if not phrase or len(phrase) > MAX_WORDS:
            return
        key = "".join(map(words.key_of, phrase))
        for length in range(1, len(key)):
            self._index.setdefault(key[:length], None)
        senses = self._index.get(key)
        if senses is None:
            self._index[key] = senses = []
        sense = Sense(kind, value, phrase, cost)
        for number, other in enumerate(senses):
            if other.kind == kind and other.value == value and other.phrase == phrase:
                if cost < other.cost:
                    senses[number] = sense
                return
        senses.append(sense)

    def _variants(self, phrase: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Yield the phrase, and the phrase in other regions' words, one word changed at a time."""
        yield phrase
        for start in range(len(phrase)):
            for end in range(start + 1, min(len(phrase), start + 3) + 1):
                for other in self._synonyms.get(phrase[start:end], ()):
                    yield (*phrase[:start], *other, *phrase[end:])

    def _add_menu(self) -> set[tuple[str, ...]]:
        named: list[tuple[Kind, object, tuple[str, ...]]] = []
        for item_id, item in self.menu.items.items():
            named += [(Kind.ITEM, item_id, words.phrase(alias)) for alias in (item.name, *item.aliases)]
        for group_id, group in self.menu.option_groups.items():
            for choice_id, choice in group.choices.items():
                entry = Entry(self.bits[group_id], group_id, choice_id)
                named += [(Kind.OPTION, entry, words.phrase(alias)) for alias in (choice.name, *choice.aliases)]
        phrases = set()
        joins = {words.phrase(way) for pack in language_packs().values() for way in (*pack.joins, *pack.withs)}
        for kind, value, name in dict.fromkeys(named):
            for phrase in self._variants(name):
                phrases.add(phrase)
                self._add(kind, value, phrase)
            unjoined = tuple([word for word in name if (word,) not in joins])
            if unjoined != name:
                self._add(kind, value, unjoined, UNJOINED)
        self._add_amounts(named)
        self._add_parts(named, phrases)
        return phrases

    def _add_amounts(self, named: Iterable[tuple[Kind, object, tuple[str, ...]]]) -> None:
        """Index choices that are amounts of something ("no ice") under every language's way of saying that amount."""
        self._measured: dict[tuple[Amount, str], list[tuple[tuple[str, ...], Entry]]] = defaultdict(list)
        ways = {words.phrase(way): amount for pack in language_packs().values() for amount, ways in pack.amounts.items() for way in ways}
        for kind, value, phrase in named:
            for length in range(1, len(phrase)):
                amount = ways.get(phrase[:length])
                if kind is Kind.OPTION and amount is not None and isinstance(value, Entry):
                    rest = phrase[length:]
                    entries = self._measured[amount, "".join(map(words.key_of, rest))]
                    if (rest, value) not in entries:
                        entries.append((rest, value))
                    self._add(kind, value, rest + phrase[:length], ROTATED)
                    self._add(kind, value, rest, MISSING_HEAD)
                    for way, meant in ways.items():
                        if meant == amount:
                            self._add(kind, value, way + rest, words.PLURAL)

    def _add_parts(self, named: Iterable[tuple[Kind, object, tuple[str, ...]]], phrases: set[tuple[str, ...]]) -> None:
        """Index parts of names: their head, or a modifier alone, where no whole name is spelt so."""
        parts: dict[tuple[Kind, tuple[str, ...]], dict[object, float]] = defaultdict(dict)
        packs = language_packs().values()
        adjectives = {words.phrase(way) for pack in packs for way in pack.adjectives}
        empty = {word for pack in packs for word in pack.function_words()}
        for kind, value, phrase in named:
            vietnamese = any(word != words.fold(word) for word in phrase)
            for length in range(1, len(phrase)):
                first, last = phrase[:length], phrase[-length:]
                missing = len(phrase) - length
                head, rest = (first, last) if vietnamese else (last, first)
                more = MISSING_MORE * (missing - 1)
                for part, cost in ((head, MISSING_HEAD + more), (rest, MISSING_REST + more)):
                    if part not in phrases and not (part is rest and part in adjectives) and not empty.issuperset(part):
                        found = parts[kind, part]
                        found[value] = min(found.get(value, cost), cost)
        for (kind, part), values in parts.items():
            if len(values) <= MAX_PARTIAL:
                cheapest = min(values.values())
                for value, cost in values.items():
                    if cost <= cheapest + MISSING_MORE * 2:
                        self._add(kind, value, part, cheapest)

    def _add_pack(self, pack: LanguagePack, menu_phrases: set[tuple[str, ...]]) -> None:
        kinds: list[tuple[Kind, object, Iterable[str]]] = [
            (Kind.REQUEST, None, pack.requests),
            (Kind.FILLER, None, pack.fillers),
            (Kind.CLASSIFIER, None, pack.classifiers),
            (Kind.JOIN, None, pack.joins),
            (Kind.OR, None, pack.ors),
            (Kind.WITH, None, pack.withs),
            (Kind.ONTO, None, pack.ontos),
            (Kind.REMOVE, None, pack.removes),
            (Kind.REPLACE, None, pack.replaces),
            (Kind.INTO, None, pack.intos),
            (Kind.INSTEAD, None, pack.insteads),
            (Kind.SET, None, pack.sets),
            (Kind.MORE, None, pack.mores),
            (Kind.ONLY, None, pack.onlys),
            (Kind.CORRECT, None, pack.corrects),
            (Kind.CANCEL, None, pack.cancels),
            (Kind.ALL, None, pack.alls),
            (Kind.PART, None, pack.parts),
            (Kind.REFER, None, pack.refers),
            (Kind.INQUIRY, None, pack.inquiries),
            *((Kind.AMOUNT, amount, ways) for amount, ways in pack.amounts.items()),
            *((Kind.PORTION, count, [way]) for way, count in pack.portions.items()),
            *((Kind.NUMBER, number, [way]) for way, number in pack.numbers.wholes.items()),
        ]
        menu_keys = {"".join(map(words.key_of, phrase)) for phrase in menu_phrases}
        for kind, value, ways in kinds:
            for way in ways:
                phrase = words.phrase(way)
                own = "".join(map(words.key_of, phrase)) in menu_keys or (words.key_of(phrase[0]) in menu_keys and kind is Kind.CLASSIFIER)
                self._add(kind, value, phrase, MENU_FIRST if own else 0.0)
        numbers = pack.numbers
        for name, values in (
            ("unit", numbers.units),
            ("end", numbers.ends),
            ("ten", numbers.tens),
            ("times", numbers.times),
            ("article", numbers.articles),
        ):
            for way, number in values.items():
                self._add_role(name, number, way)
        for name, ways in (("half", numbers.halves), ("join", numbers.joins)):
            for way in ways:
                self._add_role(name, 0, way)
        self._labels |= {words.phrase(way) for way in pack.labels}
        self._measures |= {way for way in pack.measures if len(words.phrase(way)) == 1}
        self._names |= set(pack.names)
        self._questions += [(words.phrase(opening), words.phrase(closing)) for opening, closing in pack.questions]
        self._asked |= {words.phrase(way) for way in pack.asked}
        self._joins |= {way for way in pack.joins if " " not in way}
        self._adjectives |= {way for way in pack.adjectives if " " not in way}
        self._articles |= set(pack.numbers.articles)

    def _add_role(self, name: str, value: int, way: str) -> None:
        phrase = words.phrase(way)
        if len(phrase) == 1:
            self._roles[words.key_of(phrase[0])].append(Role(name, value, phrase[0]))

    def _spelling_index(self) -> dict[str, list[str]]:
        """Map each key with one letter left out to the menu's words (Garbe 2012, symmetric deletes)."""
        index: dict[str, list[str]] = defaultdict(list)
        self._known = {words.key_of(word) for senses in self._index.values() if senses for sense in senses for word in sense.phrase}
        vocabulary = {
            word for senses in self._index.values() if senses for sense in senses if sense.kind <= Kind.OPTION for word in sense.phrase
        }
        for key in sorted({words.key_of(word) for word in vocabulary}):
            if len(key) > 3:  # noqa: PLR2004 - shorter words have too many neighbours
                for variant in _deletions(key):
                    index[variant].append(key)
        self._prefixes: dict[str, list[str]] = defaultdict(list)
        for word in sorted({words.fold(word) for word in vocabulary}):
            if len(word) >= 7:  # noqa: PLR2004 - words.ABBREVIATION needs four letters said and three left out
                for length in range(4, len(word) - 2):
                    self._prefixes[word[:length]].append(words.key_of(word))
        return index

    # --- Look-up --------------------------------------------------------------------------------------------------------------------

    def _corrections(self, token: Token) -> tuple[str, ...]:
        """Return keys of menu words that an unknown token may stand for."""
        found = self._near.get(token.surface)
        if found is None:
            candidates = dict.fromkeys(key for variant in _deletions(token.key) for key in self._deletions.get(variant, ()))
            candidates.update(dict.fromkeys(self._prefixes.get(words.fold(token.surface), ())))
            found = tuple(candidates)[:8] if len(token.key) > 2 else ()  # noqa: PLR2004
            if len(self._near) > MAX_REMEMBERED:
                self._near.clear()
            self._near[token.surface] = found
        return found

    def _phrases(self, spoken: Sequence[Token], start: int) -> Iterator[tuple[int, list[Sense]]]:
        """Yield the ends of phrases that begin at a token, with all they may mean, near spellings included."""
        index = self._index
        paths = [("", start)]
        while paths:
            key, position = paths.pop()
            if position == len(spoken) or position - start == MAX_WORDS:
                continue
            token = spoken[position]
            longer = [key + token.key]
            if token.key not in self._known:
                longer += [key + other for other in self._corrections(token) if other != token.key]
            for path in longer:
                if path in index:
                    senses = index[path]
                    if senses:
                        yield position + 1, senses
                    paths.append((path, position + 1))

    def _number(self, spoken: Sequence[Token], start: int, *, marked: bool) -> tuple[int, int, float] | None:
        """Read the longest number that begins at a token: its end, value and cost."""
        token = spoken[start]
        if token.surface.isdigit():
            return (start + 1, int(token.surface), 0.0) if len(token.surface) <= 6 else None  # noqa: PLR2004
        total, current, base, half, cost = 0, 0, 0, False, 0.0
        last, position, end = "", start, start
        while position < len(spoken):
            token = spoken[position]
            step = None
            for role in self._roles.get(token.key, ()):
                distance = words.function_distance((token.surface,), (role.surface,), marked=marked)
                if distance > (0 if role.name == "article" else MAX_FUNCTION_DISTANCE) or not _continues(role.name, last, base):
                    continue
                if step is None or distance < step[1]:
                    step = (role, distance)
            if step is None:
                break
            role, distance = step
            if role.name == "half":
                half = True
            elif role.name == "times":
                current = (current or 1) * role.value
                if half:
                    current, half = current // 2, False
                if role.value >= 100:  # noqa: PLR2004 - hundreds are closed: what follows is added
                    total, current = total + current, 0
                base = role.value
            elif role.name != "join" and last != "half":
                current += role.value
                base = 10 if role.name == "ten" and role.value % 10 == 0 else base if role.name == "ten" else 0
            position += 1
            cost += distance
            last = role.name
            if role.name not in {"join", "half"}:
                end = position
        if end == start or half:
            return None
        return end, total + current, cost

    # --- The lattice ----------------------------------------------------------------------------------------------------------------

    def lattice(self, spoken: Sequence[Token]) -> list[list[Edge]]:
        """Return the edges that begin at each token; the whole is covered, if only by UNKNOWN."""
        edges: list[list[Edge]] = []
        marked = words.is_marked(spoken)
        covered = [0] * len(spoken)  # how far names that were said whole reach over each token
        for start, token in enumerate(spoken):
            if words.is_punctuation(token.surface):
                edges.append([Edge(start, start + 1, Kind.PAUSE if token.surface == "," else Kind.STOP, None, 0.0)])
                continue
            row = self._edges_at(spoken, start, marked=marked)
            edges.append(row)
            for edge in row:
                if edge.kind <= Kind.OPTION and not edge.part:
                    for position in range(start, edge.end):
                        covered[position] = max(covered[position], edge.end)
        for start, reach in enumerate(covered):
            # A name said whole is never broken into parts of names and unknown words, only into other whole names.
            if reach:
                edges[start] = [edge for edge in edges[start] if not (edge.part or edge.kind is Kind.UNKNOWN) or edge.end > reach]
        self._add_talk(spoken, edges)
        return edges

    def _edges_at(self, spoken: Sequence[Token], start: int, *, marked: bool) -> list[Edge]:
        found = []
        known = False  # a meaning that costs nothing: the word is not in question
        for end, senses in self._phrases(spoken, start):
            for kind, value, cost, part in self._meanings(tuple([token.surface for token in spoken[start:end]]), senses, marked=marked):
                found.append(Edge(start, end, kind, value, cost, part))
                known = known or (cost <= SEGMENT and kind > Kind.OPTION)
        if spoken[start].surface in self._adjectives:
            found += self._ellipsis(spoken, start)
        if spoken[start].key in self._roles or spoken[start].surface.isdigit():
            number = self._number(spoken, start, marked=marked)
            if number is not None:
                edge = self._counted(spoken, start, *number)
                if edge is not None:
                    found.append(edge)
                    known = known or edge.cost <= SEGMENT + ARTICLE
        if not known:
            found.append(Edge(start, start + 1, Kind.UNKNOWN, None, 1.0))
        return found

    def _meanings(self, said: tuple[str, ...], senses: list[Sense], *, marked: bool) -> list[tuple[Kind, object, float, bool]]:
        """Return what a phrase means with its cost: one meaning a kind, of which a name may fit several things."""
        remembered = self._meant[marked]
        found = remembered.get(said)
        if found is not None:
            return found
        best: dict[Kind, list[tuple[float, Sense]]] = {}
        exact = len(said) == 1 and any(role.surface == said[0] for role in self._roles.get(words.key_of(said[0]), ()))
        for sense in senses:
            named = sense.kind <= Kind.OPTION
            distance = (
                words.distance(said, sense.phrase, marked=marked) if named else words.function_distance(said, sense.phrase, marked=marked)
            )
            if distance <= (words.MAX_NEAR if named else MAX_FUNCTION_DISTANCE):
                best.setdefault(sense.kind, []).append((distance + sense.cost, sense))
                exact = exact or (not named and distance == 0.0)
        if exact:  # a function word as it is spelt is not another one misspelt
            best = {kind: weighed for kind, weighed in best.items() if kind <= Kind.OPTION or any(sense.phrase == said for _, sense in weighed)}
        found = []
        for kind, weighed in best.items():
            cost, sense = min(weighed, key=lambda pair: pair[0])
            if kind <= Kind.OPTION:
                # Meanings that are as good as the best stand together; the rest of the order decides between them.
                level = tuple(dict.fromkeys(other.value for other_cost, other in weighed if other_cost <= cost + 1e-9))
                found.append((kind, level, cost + SEGMENT, sense.cost >= MISSING_HEAD))
            else:
                found.append((kind, sense.value, cost + SEGMENT, False))
        if len(remembered) > MAX_REMEMBERED:
            remembered.clear()
        remembered[said] = found
        return found

    def _ellipsis(self, spoken: Sequence[Token], start: int) -> Iterator[Edge]:
        """Yield what an adjective means whose noun follows behind "and": "red and green peppers"."""
        if start + 2 >= len(spoken) or spoken[start + 1].surface not in self._joins:
            return
        for head in range(start + 3, min(start + 5, len(spoken))):
            for sense in self._index.get(spoken[start].key + spoken[head].key) or ():
                if sense.kind is Kind.OPTION and sense.phrase[0] == spoken[start].surface and not sense.cost:
                    yield Edge(start, start + 1, Kind.OPTION, (sense.value,), SEGMENT * 2)
                    return

    def _counted(self, spoken: Sequence[Token], start: int, end: int, value: int, cost: float) -> Edge | None:
        """Return what a number is: a quantity, or a sum, a time, a percentage, which order nothing."""
        if end < len(spoken) and spoken[end].surface in self._measures:
            return Edge(start, end + 1, Kind.TALK, None, cost + SEGMENT)
        if not 1 <= value <= MAX_QUANTITY:
            return None
        article = end == start + 1 and value == 1 and spoken[start].surface in self._articles
        return Edge(start, end, Kind.ARTICLE if article else Kind.NUMBER, value, SEGMENT + (ARTICLE if article else cost))

    def _add_talk(self, spoken: Sequence[Token], edges: list[list[Edge]]) -> None:
        """Add the stretches that order nothing: table numbers, names, questions."""
        surfaces = tuple([token.surface for token in spoken])
        count = len(spoken)
        for start in range(count):
            if surfaces[start] not in self._talk_openings:
                continue
            for length in (1, 2, 3):
                end = start + length
                label = surfaces[start:end]
                if label in self._labels and end < count:
                    for edge in edges[end]:
                        if edge.kind is Kind.NUMBER:
                            edges[start].append(Edge(start, edge.end, Kind.TALK, None, SEGMENT))
                elif length == 1 and label[0] in self._names and end < count:
                    for edge in edges[end]:
                        if edge.kind is Kind.NUMBER:
                            edges[start].append(Edge(start, edge.end, Kind.TALK, None, SEGMENT + NAME))
                if label in self._asked:
                    edges[self._clause_start(edges, start)].append(
                        Edge(self._clause_start(edges, start), end, Kind.TALK, None, SEGMENT + TALK)
                    )
            for opening, closing in self._questions:
                if surfaces[start : start + len(opening)] == opening:
                    self._add_question(surfaces, edges, start, opening, closing)

    def _add_question(
        self, surfaces: tuple[str, ...], edges: list[list[Edge]], start: int, opening: tuple[str, ...], closing: tuple[str, ...]
    ) -> None:
        after = start + len(opening)
        for close in range(after + 1, min(len(surfaces), after + MAX_ASKED_WORDS) + 1):
            end = close + len(closing)
            if surfaces[close:end] != closing:
                continue
            if end >= len(surfaces) or any(
                edge.kind in {Kind.FILLER, Kind.REQUEST, Kind.STOP, Kind.PAUSE} and edge.cost <= SEGMENT for edge in edges[end]
            ):
                begin = self._clause_start(edges, start)
                edges[begin].append(Edge(begin, end, Kind.TALK, None, SEGMENT + TALK))
            return

    @staticmethod
    def _clause_start(edges: list[list[Edge]], position: int) -> int:
        """Go back to where the clause begins: behind a stop, a pause or a word that asks for something."""
        while position > 0:
            before = position - 1
            if any(
                edge.end == position and edge.kind in {Kind.STOP, Kind.PAUSE, Kind.REQUEST, Kind.JOIN} and edge.cost == 0
                for edge in edges[before]
            ):
                break
            position = before
        return position

    def is_function_word(self, token: Token) -> bool:
        """Tell whether a language uses the word for other things than naming something."""
        senses = self._index.get(token.key) or ()
        return words.is_punctuation(token.surface) or any(sense.kind > Kind.OPTION and sense.phrase == (token.surface,) for sense in senses)

    def measured(self, amount: Amount, spoken: Sequence[Token], start: int, end: int) -> list[Entry]:
        """Return choices that are this amount of what was said ("no" + "ice" is the choice "no ice")."""
        measured = self._measured.get((amount, "".join([token.key for token in spoken[start:end]])))
        if not measured:
            return []
        said = tuple([token.surface for token in spoken[start:end]])
        near = [(words.distance(said, phrase, marked=words.is_marked(spoken)), entry) for phrase, entry in measured]
        nearest = min(distance for distance, _ in near)
        return list(dict.fromkeys(entry for distance, entry in near if distance == nearest)) if nearest <= MAX_FUNCTION_DISTANCE else []


def _continues(role: str, last: str, base: int) -> bool:
    """Tell whether a number goes on with this role behind that one."""
    if last == "":
        return role != "end" and role != "join"
    if last == "half":
        return role in {"times", "article"}
    if last == "join":
        return role in {"unit", "ten", "end"} and base >= 10  # noqa: PLR2004
    if role == "join":
        return base >= 100 and last == "times"  # noqa: PLR2004
    if role == "unit":
        return base >= 10 and last in {"ten", "times"}  # noqa: PLR2004
    if role == "end":
        return base == 10 and last in {"ten", "times"}  # noqa: PLR2004
    if role == "ten":
        return base >= 100 and last == "times"  # noqa: PLR2004
    return role == "times" and last in {"unit", "article", "ten"}


def _deletions(key: str) -> Iterator[str]:
    yield key
    for number in range(len(key)):
        yield key[:number] + key[number + 1 :]


def entries(edge: Edge) -> Sequence[Entry]:
    """Return the choices that an OPTION edge may mean."""
    return edge.value  # type: ignore[return-value]


def sentence(language: str, name: str, values: Mapping[str, str]) -> str:
    """Return a sentence of a language, English where there is none."""
    packs = language_packs()
    return (packs.get(language) or packs["en"]).sentences[name].format(**values)
