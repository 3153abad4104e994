"""Weigh the parses of an utterance with the order of the rule-based engine, which is better on plain orders of many options."""

import math
from collections.abc import Sequence
from typing import Final

from schemas import LineRequest, Menu
from voice.orders.engine import OrderEngine
from voice.orders.parser.draft import MenuIndex, denotation
from voice.orders.parser.parser import Parse

# Log-odds of an order on which both agree. Without it .859 of 191 burrito orders are right, with 2 .921, with 3 .927; of 1,024 turns of
# conversations .765, .762 and .758.
AGREEMENT: Final = 2.0


class SecondOpinion:
    """The rule-based engine of a menu. It knows no questions: ask it only about utterances that answer none."""

    def __init__(self, menu: Menu, index: MenuIndex) -> None:
        self._engine = OrderEngine(menu, ask_below=0.0)
        self._index = index

    def weigh(self, parses: Sequence[Parse], utterance: str, lines: Sequence[LineRequest]) -> list[Parse]:
        """Return the parses with their probabilities given the engine's order, the likeliest first."""
        understood = [LineRequest.model_validate(line) for line in self._engine.understand(utterance, lines)["lines"]]
        order = denotation(self._index.draft(understood))
        factors = [math.exp(AGREEMENT) if denotation(parse.draft) == order else 1.0 for parse in parses]
        total = sum([parse.probability * factor for parse, factor in zip(parses, factors, strict=True)])
        weighed = [parse._replace(probability=parse.probability * factor / total) for parse, factor in zip(parses, factors, strict=True)]
        return sorted(weighed, key=lambda parse: -parse.probability)
