"""The prices of options and lines, from the menu. Amounts are integers in the currency's minor unit."""

from collections.abc import Iterable, Sequence
from typing import final

from errors import ValidationFailed
from schemas import Amount, Line, Option
from voice.menus.menu import MAX_PORTIONS, Menu
from voice.menus.names import name_in


@final
class Pricing:
    """The prices of one menu, with names in one language."""

    def __init__(self, menu: Menu, language: str = "") -> None:
        """Price by `menu`; `language` "": the menu's first."""
        self.menu = menu
        self._language = language
        self._unspoken: dict[str, int] = {}  # the price of each group that nobody speaks of: its default's, and of the groups below
        for group_id in menu.option_groups:
            self._price_unspoken(group_id)
        self._free = frozenset({group_id for group_id, group in menu.option_groups.items() if group.free})

    def _price_unspoken(self, group_id: str) -> int:
        """Price a group with the groups below its default; the menu's validation bounds the depth."""
        if group_id not in self._unspoken:
            group = self.menu.option_groups[group_id]
            price = 0
            if group.default is not None:
                default = group.choices[group.default]
                price = sum([self._price_unspoken(below) for below in dict.fromkeys(default.options)], 0 if group.free else default.price)
            self._unspoken[group_id] = price
        return self._unspoken[group_id]

    def option(
        self,
        group_id: str,
        choices: Sequence[str],
        amount: Amount | None,
        quantity: int,
        nested: Sequence[Option] = (),
    ) -> Option:
        """Return an option with its price if no portion of its group is free; `nested`: the options below it.

        Several choices leave the option open; it costs 0.
        """
        group = self.menu.option_groups[group_id]
        names = " / ".join([name_in(group.choices[choice].name, self._language) for choice in choices])
        option: Option
        if len(choices) == 1:
            price = 0 if amount == "no" else group.choices[choices[0]].price * quantity
            option = {"group": group_id, "choice": choices[0], "name": names, "amount": amount, "quantity": quantity, "price": price}
        else:
            option = {
                "group": group_id,
                "choice": None,
                "alternatives": list(choices),
                "name": names,
                "amount": amount,
                "quantity": quantity,
                "price": 0,
            }
        if nested:
            option["options"] = list(nested)
        return option

    def unit_price(self, item_id: str, options: Iterable[Option]) -> int:
        """Return the price of one unit: the item, its options, and the defaults of the groups without one ("no" does not count as one)."""
        item = self.menu.items[item_id]
        return item.price + self._charge(item.options, [*options])[1]

    def line(
        self,
        item_id: str,
        quantity: int,
        options: list[Option],
        *,
        confidence: float | None = None,
        span: tuple[int, int] | None = None,
    ) -> Line:
        """Return a priced line; `confidence` and `span`: as `Line` has them, None for a line that the utterance did not touch.

        Raises:
            ValidationFailed: a unit has more than MAX_PORTIONS portions of options.

        """
        if _n_portions(options) > MAX_PORTIONS:
            message = f"A unit has more than {MAX_PORTIONS} portions of options"
            raise ValidationFailed(errors=[{"loc": ["lines"], "msg": message, "type": "too_many_portions"}])
        item = self.menu.items[item_id]
        options, price = self._charge(item.options, options)
        unit_price = item.price + price
        return {
            "item": item_id,
            "name": name_in(item.name, self._language),
            "quantity": quantity,
            "options": options,
            "unit_price": unit_price,
            "total": unit_price * quantity,
            "confidence": None if confidence is None else round(confidence, 3),
            "span": span,
        }

    def _charge(self, groups: Sequence[str], options: list[Option]) -> tuple[list[Option], int]:
        """Return the options of one level with their prices, and the price of the level with all below it.

        `groups`: those that the item or the choice above offers.
        """
        charged: list[Option] = []
        spoken = set()
        total = 0
        for option in options:
            with_price, below = self._charge_option(option)
            charged.append(with_price)
            total += with_price["price"] + below * option["quantity"]
            if option["amount"] != "no":
                spoken.add(option["group"])
        for group_id in spoken & self._free:
            total -= self._waive(group_id, charged)
        return charged, total + sum([self._unspoken[group_id] for group_id in dict.fromkeys(groups) if group_id not in spoken])

    def _charge_option(self, option: Option) -> tuple[Option, int]:
        """Return a copy with the price of all portions, and the price of what is below one portion, unspoken groups included."""
        charged = option.copy()
        charged["price"] = self._portion_price(option) * option["quantity"]
        if option["amount"] == "no":
            return charged, 0
        choice = option["choice"]
        groups = () if choice is None else self.menu.option_groups[option["group"]].choices[choice].options
        if not groups and "options" not in option:
            return charged, 0
        nested, below = self._charge(groups, option.get("options", []))
        if "options" in option:
            charged["options"] = nested
        return charged, below

    def _portion_price(self, option: Option) -> int:
        if option["choice"] is None or option["amount"] == "no":
            return 0
        return self.menu.option_groups[option["group"]].choices[option["choice"]].price

    def _waive(self, group_id: str, options: list[Option]) -> int:
        """Take the price of a group's free portions off its options; return what was taken off."""
        left = self.menu.option_groups[group_id].free
        waived = 0
        portions = [option for option in options if option["group"] == group_id and option["amount"] != "no"]
        for option in sorted(portions, key=self._portion_price):
            n_free = min(left, option["quantity"])
            left -= n_free
            off = self._portion_price(option) * n_free
            option["price"] -= off
            waived += off
        return waived


def _n_portions(options: Sequence[Option]) -> int:
    """Return the portions of options, those of nested options once for each portion above."""
    return sum([option["quantity"] * (1 + (_n_portions(option["options"]) if "options" in option else 0)) for option in options])
