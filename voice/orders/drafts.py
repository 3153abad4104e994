"""Draft lines: the lines of an order while an utterance changes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from errors import ItemNotFound, ValidationFailed
from schemas import Line, LineRequest, Option
from voice.orders.line_confidence import log_odds_penalty_of
from voice.orders.pricing import Pricing
from voice.orders.search import Group
from voice.orders.words import Token


@dataclass(slots=True, eq=False)  # equal lines are still two lines
class Draft:
    """A line that may be changed."""

    item: str
    quantity: int
    options: list[Option] = field(default_factory=list)
    index: int | None = None  # in the order before the utterance; None: new
    cost: float | None = None  # of the groups that changed it; None: the utterance did not touch it
    start: int = -1  # tokens
    end: int = -1
    counted: bool = True  # the utterance said the quantity
    origin: "Draft | None" = None  # the line from which it was split
    log_odds_penalty: float = 0.0  # of the groups that changed it, in log odds
    touched_at: int = -1  # first token of the last of these groups

    def touch(self, group: Group) -> None:
        """Extend the span over a group that changes the line, and add the group's cost and penalty once."""
        if self.cost is None or group.start != self.touched_at:
            self.cost = (self.cost or 0.0) + max(0.0, group.cost)
            self.log_odds_penalty += log_odds_penalty_of(group)
        self.touched_at = group.start
        if group.start >= 0:
            self.start = group.start if self.start < 0 else min(self.start, group.start)
            self.end = max(self.end, group.end)

    @property
    def meaning(self) -> tuple[str, frozenset[tuple[object, ...]]]:
        """The item and the options: lines that share them are merged."""
        return self.item, frozenset(
            (option["group"], option["choice"], tuple(option.get("alternatives", ())), option["amount"], option["quantity"])
            for option in self.options
        )

    def priced(self, pricing: Pricing, tokens: Sequence[Token], confidence: float | None) -> Line:
        """Return the line with its price; `tokens`: the utterance's."""
        span = (tokens[self.start].start, tokens[self.end - 1].end) if self.start >= 0 else None
        return pricing.line(self.item, self.quantity, self.options, confidence=confidence, span=span)


def drafts_of(pricing: Pricing, lines: Sequence[LineRequest]) -> list[Draft]:
    """Return the lines of a request as drafts.

    Raises:
        ItemNotFound: the menu lacks an item.
        ValidationFailed: the item lacks an option group, or the group a choice.

    """
    return [Draft(_item_id(pricing, index, line), line.quantity, _options(pricing, index, line), index) for index, line in enumerate(lines)]


def _item_id(pricing: Pricing, index: int, line: LineRequest) -> str:
    if line.item not in pricing.menu.items:
        raise ItemNotFound(errors=[{"loc": ["lines", index, "item"], "msg": "The menu has no such item", "type": "item_not_found"}])
    return line.item


def _options(pricing: Pricing, index: int, line: LineRequest) -> list[Option]:
    menu = pricing.menu
    options = []
    for position, option in enumerate(line.options):
        location: list[str | int] = ["lines", index, "options", position]
        if option.group not in menu.items[line.item].options:
            raise ValidationFailed(
                errors=[{"loc": [*location, "group"], "msg": "The item has no such option group", "type": "group_not_found"}]
            )
        choices = menu.option_groups[option.group].choices
        chosen = [option.choice] if option.choice is not None else option.alternatives
        if not chosen or any(choice not in choices for choice in chosen):
            raise ValidationFailed(
                errors=[{"loc": [*location, "choice"], "msg": "The option group has no such choice", "type": "choice_not_found"}]
            )
        options.append(pricing.option(option.group, chosen, option.amount, option.quantity))
    return options
