"""Compare orders by their meaning; their notation is that of `voice.orders.corpus`."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from schemas import LineRequest
from voice.orders.corpus import SENTENCES, lines_of

__all__ = ["MENUS", "lines_of", "meaning"]
MENUS = SENTENCES / "basic"


def meaning(lines: Iterable[Any]) -> Counter[Any]:
    """Return the meaning of an order: independent of the sequence of lines and options."""
    plain: Iterable[Mapping[str, Any]] = [line.model_dump() if isinstance(line, LineRequest) else line for line in lines]
    return Counter(
        (
            line["item"],
            line["quantity"],
            frozenset(
                Counter(
                    (
                        option["group"],
                        option.get("choice") or "|".join(sorted(option.get("alternatives") or ())),
                        option.get("amount"),
                        option.get("quantity", 1),
                    )
                    for option in line["options"]
                ).items()
            ),
        )
        for line in plain
    )
