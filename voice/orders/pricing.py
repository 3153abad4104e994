"""What an order costs: drafts of lines out of what a caller sends, and lines with their prices from the menu."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from errors import ItemNotFound, ValidationFailed
from schemas import Amount, Line, LineRequest, Menu, Option
from voice.orders.line_confidence import doubt_of
from voice.orders.search import Group
from voice.orders.words import Token


@dataclass(slots=True, eq=False)  # two lines may say the same and are two
class Draft:
    """A line while the order is being made."""

    item: str
    quantity: int
    options: list[Option] = field(default_factory=list)
    index: int | None = None  # in the order so far
    cost: float | None = None  # None: the utterance did not touch it
    start: int = -1  # tokens
    end: int = -1
    counted: bool = True  # the quantity was said
    origin: "Draft | None" = None  # the line of the order so far that it was split from
    doubt: float = 0.0  # of what was said about it
    touched_at: int = -1  # token where the last group began that said something of it

    def touch(self, group: Group) -> None:
        """Widen the line's span by what was said about it, and count the group's cost and doubt once."""
        if self.cost is None or group.start != self.touched_at:
            self.cost = (self.cost or 0.0) + max(0.0, group.cost)
            self.doubt += doubt_of(group)
        self.touched_at = group.start
        if group.start >= 0:
            self.start = group.start if self.start < 0 else min(self.start, group.start)
            self.end = max(self.end, group.end)

    @property
    def meaning(self) -> tuple[str, frozenset[tuple[object, ...]]]:
        """What two lines have in common that are one."""
        return self.item, frozenset(
            (option["group"], option["choice"], tuple(option.get("alternatives", ())), option["amount"], option["quantity"])
            for option in self.options
        )


class Pricing:
    """One menu's prices."""

    def __init__(self, menu: Menu) -> None:
        """Keep the menu."""
        self.menu = menu

    def drafts(self, lines: Sequence[LineRequest]) -> list[Draft]:
        """Return the order so far as it may be changed.

        Raises:
            ItemNotFound, ValidationFailed: a line names what the menu does not have.

        """
        return [
            Draft(line.item, line.quantity, self._options(number, line), index=number)
            if line.options
            else Draft(self._known(number, line), line.quantity, index=number)
            for number, line in enumerate(lines)
        ]

    def _known(self, number: int, line: LineRequest) -> str:
        if line.item not in self.menu.items:
            raise ItemNotFound(errors=[{"loc": ["lines", number, "item"], "msg": "The menu has no such item", "type": "item_not_found"}])
        return line.item

    def _options(self, number: int, line: LineRequest) -> list[Option]:
        item = self.menu.items[self._known(number, line)]
        options = []
        for position, option in enumerate(line.options):
            place: list[str | int] = ["lines", number, "options", position]
            if option.group not in item.options:
                raise ValidationFailed(
                    errors=[{"loc": [*place, "group"], "msg": "The item has no such option group", "type": "group_not_found"}]
                )
            choices = self.menu.option_groups[option.group].choices
            named = [option.choice] if option.choice is not None else option.alternatives
            if not named or any(choice not in choices for choice in named):
                raise ValidationFailed(
                    errors=[{"loc": [*place, "choice"], "msg": "The option group has no such choice", "type": "choice_not_found"}]
                )
            options.append(self.option(option.group, named, option.amount, option.quantity))
        return options

    def option(self, group_id: str, choices: Sequence[str], amount: Amount | None, quantity: int) -> Option:
        """Return a priced option; several choices leave it open."""
        group = self.menu.option_groups[group_id]
        if len(choices) == 1:
            choice = group.choices[choices[0]]
            price = 0 if amount == "no" else choice.price * quantity
            return {"group": group_id, "choice": choices[0], "name": choice.name, "amount": amount, "quantity": quantity, "price": price}
        name = " / ".join(group.choices[choice].name for choice in choices)
        return {
            "group": group_id,
            "choice": None,
            "alternatives": list(choices),
            "name": name,
            "amount": amount,
            "quantity": quantity,
            "price": 0,
        }

    def priced(self, draft: Draft, spoken: Sequence[Token], confidence: float | None) -> Line:
        """Return a line with its prices: the item's, its options', and the defaults of groups that were not spoken of."""
        item = self.menu.items[draft.item]
        unit_price = item.price
        settled = set()
        for option in draft.options:
            unit_price += option["price"]
            if option["amount"] != "no":
                settled.add(option["group"])
        for group_id in item.options:
            group = self.menu.option_groups[group_id]
            if group.default is not None and group_id not in settled:
                unit_price += group.choices[group.default].price
        span = (spoken[draft.start].start, spoken[draft.end - 1].end) if draft.start >= 0 else None
        return {
            "item": draft.item,
            "name": item.name,
            "quantity": draft.quantity,
            "options": draft.options,
            "unit_price": unit_price,
            "total": unit_price * draft.quantity,
            "confidence": None if confidence is None else round(confidence, 3),
            "span": span,
        }
