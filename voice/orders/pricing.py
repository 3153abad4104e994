"""The prices of options and lines, from the menu. Amounts are integers in the currency's minor unit."""

from collections.abc import Iterable, Sequence
from typing import final

from schemas import Amount, Line, Menu, Option


@final
class Pricing:
    """The prices of one menu."""

    def __init__(self, menu: Menu) -> None:
        """Price by `menu`."""
        self.menu = menu

    def option(self, group_id: str, choices: Sequence[str], amount: Amount | None, quantity: int) -> Option:
        """Return a priced option: the choice's price for each portion, 0 for "no".

        Several choices leave the option open; it costs 0.
        """
        group = self.menu.option_groups[group_id]
        if len(choices) == 1:
            choice = group.choices[choices[0]]
            price = 0 if amount == "no" else choice.price * quantity
            return {"group": group_id, "choice": choices[0], "name": choice.name, "amount": amount, "quantity": quantity, "price": price}
        return {
            "group": group_id,
            "choice": None,
            "alternatives": list(choices),
            "name": " / ".join(group.choices[choice].name for choice in choices),
            "amount": amount,
            "quantity": quantity,
            "price": 0,
        }

    def unit_price(self, item_id: str, options: Iterable[Option]) -> int:
        """Return the price of one unit: the item, its options, and the defaults of the groups without one ("no" does not count as one)."""
        item = self.menu.items[item_id]
        price = item.price
        groups_with_option = set()
        for option in options:
            price += option["price"]
            if option["amount"] != "no":
                groups_with_option.add(option["group"])
        for group_id in item.options:
            group = self.menu.option_groups[group_id]
            if group.default is not None and group_id not in groups_with_option:
                price += group.choices[group.default].price
        return price

    def line(
        self,
        item_id: str,
        quantity: int,
        options: list[Option],
        *,
        confidence: float | None = None,
        span: tuple[int, int] | None = None,
    ) -> Line:
        """Return a priced line; `confidence` and `span`: as `Line` has them, None for a line that the utterance did not touch."""
        unit_price = self.unit_price(item_id, options)
        return {
            "item": item_id,
            "name": self.menu.items[item_id].name,
            "quantity": quantity,
            "options": options,
            "unit_price": unit_price,
            "total": unit_price * quantity,
            "confidence": None if confidence is None else round(confidence, 3),
            "span": span,
        }
