"""GrabFood: the menu that a partner serves to Grab.

Source: https://developer.grab.com/docs/grabfood; what stands for what is in docs/menus.md.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from voice.menus.imports.draft import DAYS, Draft, ImportOptions, SourceBroken, compact, weekly
from voice.menus.money import exponent_of

MAX_EXPONENT: Final = 4
ALWAYS: Final = ("00:00", "24:00")
STATUSES: Final = {"AVAILABLE": True, "UNAVAILABLE": False, "UNAVAILABLETODAY": False}
DOCUMENT: Final = {"merchantID", "partnerMerchantID", "currency", "sellingTimes", "categories", "sections"}
CATEGORY: Final = {"id", "name", "nameTranslation", "availableStatus", "sellingTimeID", "items", "sequence"}
ITEM: Final = {"id", "name", "nameTranslation", "description", "descriptionTranslation", "availableStatus", "price", "advancedPricing",
               "modifierGroups", "maxStock", "sellingTimeID", "sequence"}  # fmt: skip
GROUP: Final = {"id", "name", "nameTranslation", "availableStatus", "selectionRangeMin", "selectionRangeMax", "modifiers", "sequence"}
MODIFIER: Final = {"id", "name", "nameTranslation", "availableStatus", "price", "advancedPricing", "sequence"}
SELLING_TIME: Final = {"id", "name", "startTime", "endTime", "serviceHours"}


def is_grabfood(content: Any) -> bool:
    """Return whether a JSON document is of this format."""
    return isinstance(content, dict) and isinstance(content.get("currency"), dict) and ("categories" in content or "sections" in content)


def import_grabfood(content: Any, options: ImportOptions) -> Draft:
    """Build a menu of all categories.

    Raises:
        SourceBroken: a price does not fit the currency.

    """
    return _Document(content, options).draft


class _Document:
    """A menu of Grab."""

    def __init__(self, content: Mapping[str, Any], options: ImportOptions) -> None:
        self.draft = Draft(options, currency=str(content["currency"].get("code", "")))
        self._exponent = int(content["currency"].get("exponent", exponent_of(self.draft.currency)))
        if not 0 <= self._exponent <= MAX_EXPONENT:
            message = f"currency.exponent {self._exponent} is out of range"
            raise SourceBroken(message)
        self.draft.lose_rest("document", content, DOCUMENT, "")
        for time in content.get("sellingTimes") or ():
            self._add_times(time["id"], time)
        for category in content.get("categories") or ():
            self._add_category(category, [])
        for section in content.get("sections") or ():  # the older form
            self.draft.lose_rest("section", section, {"id", "name", "serviceHours", "categories"}, section["id"])
            self._add_times(section["id"], section)
            for category in section.get("categories") or ():
                self._add_category(category, [section["id"]])

    def _add_times(self, time_id: str, time: Mapping[str, Any]) -> None:
        """Add the weekly hours of a selling time, or of a section; one without an entry is always."""
        by_day: dict[str, list[tuple[str, str]]] = {}
        for day, hours in (time.get("serviceHours") or {}).items():
            kind = str(hours.get("openPeriodType", ""))
            if kind == "OpenAllDay":
                by_day[day] = [ALWAYS]
            elif kind in {"OpenPeriod", "Period"}:
                by_day[day] = [(period["startTime"], period["endTime"]) for period in hours.get("periods") or ()]
            elif kind != "CloseAllDay":
                self.draft.lose(f"serviceHours of the kind {kind}", time_id)
        if time.get("startTime") or time.get("endTime"):
            self.draft.lose("sellingTimes.startTime and endTime: the weekly hours count on every date", time_id)
        entries = weekly({day: periods for day, periods in by_day.items() if day in DAYS})
        if entries:
            self.draft.times[time_id] = entries

    def _when(self, time_id: Any, otherwise: list[str]) -> list[str]:
        if time_id is None:
            return [name for name in otherwise if name in self.draft.times]
        return [time_id] if time_id in self.draft.times else []

    def _text(self, part: Mapping[str, Any], field: str = "name") -> Any:
        own = {self.draft.options.language: part.get(field) or ""}
        translations = {language: text for language, text in (part.get(f"{field}Translation") or {}).items() if language not in own}
        return self.draft.text({**own, **translations})

    def _price(self, part: Mapping[str, Any]) -> int:
        """Return the price of the service of the options in the minor unit of the currency."""
        price = part.get("price") or 0
        advanced = part.get("advancedPricing") or {}
        if self.draft.options.service in advanced:
            price = advanced[self.draft.options.service]
        elif advanced:
            self.draft.lose(f"advancedPricing ({', '.join(sorted(advanced))}): choose one with --service", str(part["id"]))
        shift = exponent_of(self.draft.currency) - self._exponent
        amount, divisor = int(price) * 10 ** max(shift, 0), 10 ** max(-shift, 0)
        if amount % divisor:
            message = f"{part['id']}: {price} is no whole amount of {self.draft.currency}"
            raise SourceBroken(message)
        return int(amount // divisor)

    def _shown(self, parts: Iterable[Mapping[str, Any]], kind: str) -> list[Mapping[str, Any]]:
        """Return the parts that are not hidden, in their sequence."""
        found = []
        for part in parts:
            status = part.get("availableStatus", "AVAILABLE")
            if status == "HIDE":
                self.draft.lose(f"{kind} that are hidden", str(part["id"]))
                continue
            if status not in STATUSES:
                self.draft.lose(f"availableStatus {status}: taken as available", str(part["id"]))
            if status == "UNAVAILABLETODAY":
                self.draft.lose("UNAVAILABLETODAY: it is sold out until it is brought back", str(part["id"]))
            found.append(part)
        return sorted(found, key=lambda part: part.get("sequence") or 0)

    @staticmethod
    def _is_available(part: Mapping[str, Any]) -> bool:
        return STATUSES.get(part.get("availableStatus", "AVAILABLE"), True)

    def _add_category(self, category: Mapping[str, Any], otherwise: list[str]) -> None:
        for shown in self._shown([category], "categories"):
            self.draft.lose_rest("category", shown, CATEGORY, shown["id"])
            when = self._when(shown.get("sellingTimeID"), otherwise)
            for item in self._shown(shown.get("items") or (), "items"):
                self._add_item(item, shown, when)

    def _add_item(self, item: Mapping[str, Any], category: Mapping[str, Any], when: list[str]) -> None:
        where = str(item["id"])
        self.draft.lose_rest("item", item, ITEM, where)
        if item.get("maxStock"):
            self.draft.lose("maxStock: the stock is not counted", where)
        name = self._text(item)
        self.draft.items[self.draft.free_id(where, name, self.draft.items)] = compact(
            {
                "name": name,
                "category": self._text(category),
                "description": self._text(item, "description"),
                "price": self._price(item),
                "options": [self._group(group, where) for group in self._shown(item.get("modifierGroups") or (), "modifier groups")],
                "available": self._is_available(item) and self._is_available(category) and item.get("maxStock") != 0,
                "when": self._when(item.get("sellingTimeID"), when),
            }
        )

    def _group(self, group: Mapping[str, Any], owner: str) -> str:
        self.draft.lose_rest("modifierGroup", group, GROUP, group["id"])
        is_open = self._is_available(group)
        choices = {}
        for modifier in self._shown(group.get("modifiers") or (), "modifiers"):
            self.draft.lose_rest("modifier", modifier, MODIFIER, modifier["id"])
            available = is_open and self._is_available(modifier)
            choices[modifier["id"]] = compact(
                {"name": self._text(modifier), "price": self._price(modifier) or None, "available": available}
            )
        at_most = group.get("selectionRangeMax") or None
        content = compact(
            {
                "name": self._text(group),
                "min": (group.get("selectionRangeMin") or None) if is_open else None,
                "max": at_most,
                "select": None if at_most else "many",
                "choices": choices,
            }
        )
        return self.draft.add_group(group["id"], content, owner)
