"""Lines of an order: from a request to the draft that the parser edits, and back to priced lines."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from errors import ItemNotFound, ValidationFailed
from schemas import Line, LineRequest, Option, OptionRequest
from voice.menus.menu import Menu
from voice.orders.parser.draft import NEW, Draft, DraftLine, DraftOption
from voice.orders.pricing import Pricing


def draft_of(menu: Menu, lines: Sequence[LineRequest]) -> Draft:
    """Return the lines of a request as a draft.

    Raises:
        ItemNotFound: the menu lacks an item.
        ValidationFailed: the item lacks an option group, or the group a choice.

    """
    return tuple(
        [
            DraftLine((_item_of(menu, number, line),), line.quantity, _options_of(menu, number, line), number)
            for number, line in enumerate(lines)
        ]
    )


def _item_of(menu: Menu, number: int, line: LineRequest) -> str:
    if line.item not in menu.items:
        raise ItemNotFound(errors=[{"loc": ["lines", number, "item"], "msg": "The menu has no such item", "type": "item_not_found"}])
    return line.item


def _options_of(menu: Menu, number: int, line: LineRequest) -> tuple[DraftOption, ...]:
    _check_options(menu, ["lines", number], "item", frozenset(menu.items[line.item].options), line.options)
    return draft_options(line.options)


def _check_options(menu: Menu, place: list[str | int], parent: str, offered: AbstractSet[str], options: Sequence[OptionRequest]) -> None:
    """Reject options that the item or the choice above them does not offer, and choices that their groups lack."""
    for position, option in enumerate(options):
        location = [*place, "options", position]
        if option.group not in offered:
            raise ValidationFailed(
                errors=[{"loc": [*location, "group"], "msg": f"The {parent} has no such option group", "type": "group_not_found"}]
            )
        choices, group = choices_of(option), menu.option_groups[option.group]
        if not choices or any(choice not in group.choices for choice in choices):
            raise ValidationFailed(
                errors=[{"loc": [*location, "choice"], "msg": "The option group has no such choice", "type": "choice_not_found"}]
            )
        if option.options:
            below = frozenset([nested for choice in choices for nested in group.choices[choice].options])
            _check_options(menu, location, "choice", below, option.options)


def choices_of(option: OptionRequest) -> tuple[str, ...]:
    """Return the choice of an option, or the alternatives between which it is open."""
    return (option.choice,) if option.choice is not None else tuple(option.alternatives)


def draft_options(options: Iterable[OptionRequest]) -> tuple[DraftOption, ...]:
    """Return options of a request as options of a draft; what is left out has none below it."""
    return tuple(
        [
            DraftOption(
                option.group,
                choices_of(option),
                option.amount,
                option.quantity,
                draft_options(option.options) if option.options and option.amount != "no" else (),
            )
            for option in options
        ]
    )


def priced_options(pricing: Pricing, options: Iterable[DraftOption]) -> list[Option]:
    """Return options with their prices."""
    return [
        pricing.option(option.group, option.choices, option.amount, option.quantity, priced_options(pricing, option.options))
        for option in options
    ]


def priced(pricing: Pricing, line: DraftLine, *, confidence: float | None = None, span: tuple[int, int] | None = None) -> Line:
    """Return a line with its price; `span`: in code points of the utterance."""
    return pricing.line(line.items[0], line.quantity, priced_options(pricing, line.options), confidence=confidence, span=span)


def with_note(line: Line, note: str | None) -> Line:
    """Add a note to a line, if there is one."""
    if note is not None:
        line["note"] = note
    return line


def meaning_of(line: DraftLine) -> tuple[object, ...]:
    """Return the item and the options of a line: equal lines share them."""
    return line.items, _meaning_of_options(line.options)


def _meaning_of_options(options: Iterable[DraftOption]) -> frozenset[object]:
    return frozenset(
        [
            (option.group, frozenset(option.choices), option.amount, option.quantity, _meaning_of_options(option.options))
            if option.options
            else (option.group, frozenset(option.choices), option.amount, option.quantity)
            for option in options
        ]
    )


def is_changed(line: DraftLine, before: Draft) -> bool:
    """Return whether an utterance made or changed a line of its draft."""
    if line.origin == NEW:
        return True
    old = before[line.origin]
    return line.quantity != old.quantity or line.options != old.options or line.items != old.items
