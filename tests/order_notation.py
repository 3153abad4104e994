"""Orders as one line of text, for tests: `2 x pho-tai [lon, no hanh, 2*quay]; tra-da`."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from schemas import LineRequest, Menu

MENUS = Path(__file__).parent / "menus"
_LINE = re.compile(r"(?:(\d+) x )?([\w.-]+)(?: \[(.*)\])?")
_OPTION = re.compile(r"(?:(no|light|extra|regular) )?(?:(\d+)\*)?([\w|-]+)")


def lines_of(menu: Menu, text: str) -> list[LineRequest]:
    """Read the notation; a choice is found in the first of the item's groups that has it."""
    lines = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        line = _LINE.fullmatch(part)
        assert line, part
        item = menu.items[line[2]]
        options = []
        for said in filter(None, (option.strip() for option in (line[3] or "").split(","))):
            option = _OPTION.fullmatch(said)
            assert option, said
            choices = option[3].split("|")
            group = next(group for group in item.options if choices[0] in menu.option_groups[group].choices)
            choice = {"choice": choices[0]} if len(choices) == 1 else {"alternatives": choices}
            options.append({"group": group, "amount": option[1], "quantity": int(option[2] or 1), **choice})
        lines.append(LineRequest.model_validate({"item": line[2], "quantity": int(line[1] or 1), "options": options}))
    return lines


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
