"""What to write instead of a faulty value of a menu file."""

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, get_args

from rapidfuzz import process

from voice.menus.menu import Allergen, Choice, Day, Diet, Item, Menu, OptionGroup, Period
from voice.menus.money import exponent_of, minor_unit_of
from voice.menus.validation import KEY, Fault, Place

MIN_LIKENESS: Final = 60  # of 100
_MONEY: Final = re.compile(r"[^\d.,-]*(-?\d[\d.,  ]*)[^\d]*")
_LISTS: Final = frozenset({"aliases", "options", "when", "diet", "contains", "languages", "days"})
_BOOLEANS: Final[Mapping[str, str]] = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def advice(fault: Fault, content: Any) -> str:
    """Return what to write instead, as the end of a sentence; "" where the fault says it. `content`: the whole menu."""
    field = next((step for step in reversed(fault.place) if isinstance(step, str)), "")
    value = value_at(content, fault.place)
    if fault.type == "extra_forbidden":
        return (
            "quotes, if it belongs to the text or the number before the comma"
            if field.isdecimal()
            else _closest(field, _fields_at(fault.place))
        )
    if fault.type == "menu":
        return _about_ids(fault, content)
    if fault.type == "literal_error" and isinstance(value, str):
        return _closest(value.strip().lower().replace(" ", "-"), _literals_at(field))
    if field == "price" and fault.type != "missing":
        return _price(value, content)
    return _of_type(fault, field, value)


def _of_type(fault: Fault, field: str, value: Any) -> str:
    """Return the advice for a value that is missing or of another type."""
    what = ""
    if fault.type == "missing":
        what = f"add `{field}: ...`"
    elif field == KEY or (field == "id" and fault.type == "string_pattern_mismatch"):
        what = "an id has letters, digits, dots, hyphens and underscores only"
    elif fault.type == "string_type" and isinstance(value, int):  # booleans are integers
        what = f'write "{str(value).lower() if isinstance(value, bool) else value}", in quotes'
    elif field in _LISTS and isinstance(value, str):
        what = f"write a list: [{value}]"
    elif fault.type == "bool_type" and isinstance(value, str):
        what = f"write {_BOOLEANS.get(value.lower(), 'true or false')}"
    elif field == "currency" and isinstance(value, str):
        letters = value.strip().upper()
        what = f"write {letters if re.fullmatch('[A-Z]{3}', letters) else 'the three letters of ISO 4217, as VND or USD'}"
    elif field in {"from", "to"}:
        what = 'write a time in quotes: "06:30"'
    return what


def value_at(content: Any, place: Place) -> Any:
    """Return the value at a place, None if there is none."""
    for step in place:
        try:
            content = content[step]
        except (KeyError, IndexError, TypeError):
            return None
    return content


def _price(value: Any, content: Any) -> str:
    currency = content.get("currency") if isinstance(content, dict) else None
    if not isinstance(currency, str):
        return ""
    currency = currency.strip().upper()
    unit = minor_unit_of(currency)
    amount = amount_of(str(value), exponent_of(currency)) if isinstance(value, str | float) else None
    return f"write {amount}, in {unit}" if amount is not None else f"an integer, in {unit}"


def amount_of(text: str, exponent: int) -> int | None:
    """Return the minor units that a price as people write it means: 4.50, $4.5, 25.000 đ; None if it is none.

    A group of three digits behind a separator is one of thousands, where the currency has no such decimals.
    """
    found = _MONEY.fullmatch(text.strip())
    if found is None:
        return None
    digits = re.sub(r"[  ]", "", found[1]).rstrip(".,")
    separators = [character for character in digits if character in ".,"]
    decimals = len(digits) - 1 - max(digits.rfind("."), digits.rfind(",")) if separators else 0
    is_decimal = bool(separators) and 0 < decimals <= exponent and (len(separators) == 1 or separators[-1] not in separators[:-1])
    whole = re.sub(r"[.,]", "", digits[: -decimals - 1] if is_decimal else digits)
    if not re.fullmatch(r"-?\d+", whole):
        return None
    return int(Decimal(f"{whole}.{digits[-decimals:] if is_decimal else 0}") * 10**exponent)


def _about_ids(fault: Fault, content: Any) -> str:
    """Return the closest known id in place of an unknown one."""
    value = value_at(content, fault.place)
    steps = fault.place
    if not isinstance(value, str) or "unknown" not in fault.message:
        return ""
    kind = "items" if steps[-1] == "item" else "times" if "when" in steps else "option_groups"
    known = content.get(kind)
    return _closest(value, known if isinstance(known, dict) else ())


def _closest(given: str, known: Iterable[str]) -> str:
    ids = [*known]
    best = process.extractOne(given, ids, score_cutoff=MIN_LIKENESS)
    if best is not None:
        return f"write {best[0]}"
    return f"there are {', '.join(sorted(ids)[:12])}" if ids else ""


def _fields_at(place: Sequence[str | int]) -> list[str]:
    """Return the fields of the part of the menu in which a place lies."""
    model: type[Menu | Item | Choice | OptionGroup | Period] = Menu
    if place[0] == "items":
        model = Item
    elif place[0] == "option_groups":
        model = Choice if len(place) > 4 else OptionGroup  # noqa: PLR2004 - below a group's choices
    elif place[0] == "times":
        model = Period
    return [field.alias or name for name, field in model.model_fields.items()]


def _literals_at(field: str) -> tuple[str, ...]:
    return {"contains": get_args(Allergen), "diet": get_args(Diet), "days": get_args(Day), "select": ("one", "many")}.get(field, ())
