"""The order engine of a menu: an utterance and the order so far become the order after the utterance.

    utterance ─▶ tokens ─▶ lattice ─▶ cheapest parse ─▶ edits on the order ─▶ priced lines, changes, questions, unmatched words
                 (words)   (lexicon,   (reader, search)   (editor)             (pricing)
                            lattice)

The same parser scores the hypotheses of a recogniser: `OrderEngine.score` is the `OrderScorer` of `voice.asr.rescoring`.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from schemas import Line, LineRequest, Order
from voice.menus.menu import Choice, Item, Menu
from voice.menus.names import all_names
from voice.orders import search, words
from voice.orders.drafts import drafts_of
from voice.orders.editor import Editor
from voice.orders.language_packs import language_packs
from voice.orders.lexicon import Arc, Lexicon
from voice.orders.line_confidence import ASK_BELOW
from voice.orders.pricing import Pricing
from voice.orders.reader import Reader
from voice.orders.search import Parse
from voice.orders.words import Token

# Added by `score`: a recogniser omits the number before an item more often than it inserts a word there.
# Tuned with voice.asr.rescoring.ACOUSTIC_WEIGHT (.06) on 151 spoken orders: 128 are exact with .3, 131 with .4, 140 with .6 and .8.
ITEM_WITHOUT_NUMBER: Final = 0.6
N_RECIPIENT_TOKENS: Final = 2  # a preposition and a person


class Analysis(NamedTuple):
    """The best parses of an utterance, with its tokens and its lattice."""

    tokens: list[Token]
    lattice: list[list[Arc]]  # the arcs that begin at each token
    parses: list[Parse]  # cheapest first


class OrderEngine:
    """Understands and prices orders from one menu; stateless, and safe to share between threads."""

    def __init__(self, menu: Menu, ask_below: float = ASK_BELOW) -> None:
        """Compile the menu: 50 ms, and 1 ms for each 17 items (`bench.orders`).

        An edit of a confidence below `ask_below` becomes a question.
        """
        self.menu = menu
        self.ask_below = ask_below
        self.vocabulary = _vocabulary(menu)
        self._lexicon = Lexicon(menu)
        self._reader = Reader(self._lexicon)
        self._pricing = Pricing(menu)
        packs = language_packs().values()
        self._people = frozenset([name for pack in packs for name in pack.names])
        self._recipient_prepositions = frozenset([giver for pack in packs for giver in pack.givers])

    def understand(self, utterance: str, lines: Sequence[LineRequest] = ()) -> Order:
        """Return the order after the utterance; `lines` is the order so far. Spans count code points of the utterance in NFC.

        Raises:
            ItemNotFound, ValidationFailed: a line names an item, group or choice that the menu lacks.

        """
        before = drafts_of(self._pricing, lines)
        utterance = words.nfc(utterance)
        tokens = self._tokens(utterance)
        parses = self._reader.read(tokens, tuple([draft.item for draft in before]))
        return Editor(self._pricing, self._reader, utterance, tokens, before, self.ask_below).apply(parses[0])

    def price(self, lines: Sequence[LineRequest]) -> list[Line]:
        """Return the lines priced from the menu, none merged.

        Raises:
            ItemNotFound, ValidationFailed: a line names an item, group or choice that the menu lacks.

        """
        return [draft.priced(self._pricing, (), None) for draft in drafts_of(self._pricing, lines)]

    def score(self, utterance: str, lines: Sequence[LineRequest] = ()) -> float | None:
        """Return the cost of the utterance as an order, lower is better.

        It is the cost of the cheapest parse plus ITEM_WITHOUT_NUMBER per item without a number; the unit is an unread word. None if the
        utterance names no item.
        """
        tokens = self._tokens(words.nfc(utterance))
        parse = self._reader.read(tokens, tuple([line.item for line in lines]))[0]
        with_items = [group for group in search.groups(parse) if group.items]
        if not with_items:
            return None
        uncounted = [group for group in with_items if not group.number and not group.flags & ~search.ALSO]
        return parse.cost + ITEM_WITHOUT_NUMBER * sum(not self._has_recipient(tokens, group.start) for group in uncounted)

    def parses(self, utterance: str, lines: Sequence[LineRequest] = (), max_parses: int = 2) -> Analysis:
        """Return the best parses with the tokens and the lattice; `understand` applies the first parse."""
        tokens = self._tokens(words.nfc(utterance))
        parses = self._reader.read(tokens, tuple([line.item for line in lines]), max_parses)
        return Analysis(tokens, self._reader.lattice.build(tokens), parses)

    def _tokens(self, utterance: str) -> list[Token]:
        """Return the tokens of an utterance; an unknown word is split where words are written together, and corrected."""
        tokens = []
        for token in words.tokenize(utterance):
            if token.key in self._lexicon.known:
                tokens.append(token)
            else:
                tokens += [self._lexicon.corrected_function_word(part) for part in self._lexicon.split_glued(token)]
        return tokens

    def _has_recipient(self, tokens: Sequence[Token], start: int) -> bool:
        """Return whether a recipient is named right before an item ("for Anna a latte"): such an item needs no number."""
        if start < N_RECIPIENT_TOKENS:
            return False
        preposition, person = tokens[start - N_RECIPIENT_TOKENS], tokens[start - 1]
        return person.surface in self._people and preposition.surface in self._recipient_prepositions


def _vocabulary(menu: Menu) -> tuple[str, ...]:
    """Return the menu's phrases for a recogniser, most distinctive first: names of items, names of choices, aliases."""
    named: list[Item | Choice] = [*menu.items.values()]
    named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    names = [name for one in named for name in all_names(one.name)]
    return tuple(dict.fromkeys(names + [alias for one in named for alias in one.aliases]))
