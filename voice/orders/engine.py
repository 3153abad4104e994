"""Turn an utterance into the order after it: read it against the menu, do what the reading says, price what is left.

The way of an utterance: words.tokens -> lattice.Lattice -> reader.Reader (the cheapest consistent reading) -> ordering.Ordering (its
groups, one after another, change the order so far) -> priced lines, changes, questions, unmatched words.
"""

from collections.abc import Sequence
from typing import Final

from schemas import Choice, Item, Line, LineRequest, Menu, Order
from voice.orders import search, words
from voice.orders.drafts import drafts_of
from voice.orders.editor import Editor
from voice.orders.language_packs import language_packs
from voice.orders.lexicon import Arc, Lexicon
from voice.orders.line_confidence import ASK_BELOW
from voice.orders.pricing import Pricing
from voice.orders.reader import Reader
from voice.orders.search import Reading
from voice.orders.words import Token

# An item that is spoken of without a number: before it stands a number that was misheard more often than a word that does nothing there.
# Tuned together with voice.asr.rescoring.SOUND on 151 spoken orders: at .06 there, 128 are exact with .3, 131 with .4,
# 140 with .6 and with .8.
UNCOUNTED: Final = 0.6
NAMED: Final = 2  # words of "cho bà"


class OrderEngine:
    """Understands orders from one menu; stateless, and safe to share between threads."""

    def __init__(self, menu: Menu, ask_below: float = ASK_BELOW) -> None:
        """Compile the menu: about 0.1 s, and 1 ms for each 7 items; edits of a lower confidence than `ask_below` are asked about."""
        self.menu = menu
        self.ask_below = ask_below
        self.lexicon = Lexicon(menu)
        self.reader = Reader(self.lexicon)
        self._pricing = Pricing(menu)
        self.vocabulary = _vocabulary(menu)
        packs = language_packs().values()
        self._names = {name for pack in packs for name in pack.names}
        self._givers = {giver for pack in packs for giver in pack.givers}

    def understand(self, utterance: str, lines: Sequence[LineRequest] = ()) -> Order:
        """Return the order after the utterance; `lines` is the order so far. Spans count in the utterance's NFC form.

        Raises:
            ItemNotFound, ValidationFailed: a line names what the menu does not have.

        """
        before = drafts_of(self._pricing, lines)
        utterance = words.nfc(utterance)
        spoken = self._spoken(utterance)
        readings = self.reader.read(spoken, tuple([draft.item for draft in before]))
        return Editor(self._pricing, self.reader, utterance, spoken, before, self.ask_below).carry_out(readings[0])

    def readings(self, utterance: str, lines: Sequence[LineRequest] = ()) -> tuple[list[Token], list[list[Arc]], list[Reading]]:
        """Return what `understand` weighs: tokens, lattice, and the readings, cheapest first."""
        spoken = self._spoken(words.nfc(utterance))
        return spoken, self.reader.lattice.read(spoken), self.reader.read(spoken, tuple([line.item for line in lines]), 2)

    def cost(self, utterance: str, lines: Sequence[LineRequest] = ()) -> float | None:
        """Return how little an utterance that was heard makes sense: what its reading costs, and each item that nobody counted.

        None where it speaks of no item.
        """
        spoken = self._spoken(words.nfc(utterance))
        said = self.reader.read(spoken, tuple([line.item for line in lines]))[0]
        groups = [group for group in search.groups(said) if group.items]
        uncounted = [group for group in groups if not group.number and not group.flags & ~search.ALSO]
        return said.cost + UNCOUNTED * sum(not self._given(spoken, group.start) for group in uncounted) if groups else None

    def _spoken(self, utterance: str) -> list[Token]:
        spoken = []
        for token in words.tokenize(utterance):
            if token.key in self.lexicon.known:
                spoken.append(token)
            else:
                spoken += [self.lexicon.mended(part) for part in self.lexicon.unglued(token)]
        return spoken

    def _given(self, spoken: Sequence[Token], start: int) -> bool:
        """Tell whether somebody is named who gets what begins here: "cho bà cơm tấm"."""
        return start >= NAMED and spoken[start - 1].surface in self._names and spoken[start - NAMED].surface in self._givers

    def price(self, lines: Sequence[LineRequest]) -> list[Line]:
        """Return the lines priced from the menu, none merged.

        Raises:
            ItemNotFound, ValidationFailed: a line names what the menu does not have.

        """
        return [draft.priced(self._pricing, (), None) for draft in drafts_of(self._pricing, lines)]


def _vocabulary(menu: Menu) -> tuple[str, ...]:
    """Return the menu's spoken phrases, most distinctive first: names of items, then of choices, then aliases."""
    named: list[Item | Choice] = [*menu.items.values()]
    named += [choice for group in menu.option_groups.values() for choice in group.choices.values()]
    names = [one.name for one in named]
    return tuple(dict.fromkeys(names + [alias for one in named for alias in one.aliases]))
