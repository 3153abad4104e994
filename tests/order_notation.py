"""Compare orders by what they mean, for tests; `voice.orders.parser.corpus` reads their notation."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from schemas import LineRequest
from voice.orders.parser.corpus import SENTENCES, lines_of

__all__ = ["MENUS", "lines_of", "meaning"]
MENUS = SENTENCES / "basic"


def meaning(lines: Iterable[Any]) -> Counter[Any]:
    """What an order means, whatever the order of its lines and options."""
    plain: Iterable[Mapping[str, Any]] = [line.model_dump() if isinstance(line, LineRequest) else line for line in lines]
    return Counter(
        (
            line["item"],
            line["quantity"],
            frozenset(
                Counter(
                    (
                        option["group"],
                        option["choice"] or "|".join(sorted(option.get("alternatives", []))),
                        option["amount"],
                        option["quantity"],
                    )
                    for option in line["options"]
                ).items()
            ),
        )
        for line in plain
    )
