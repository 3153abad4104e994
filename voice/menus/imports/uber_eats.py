"""Uber Eats Menu v2: the document of GET or PUT /v2/eats/stores/{store_id}/menus.

Source: https://developer.uber.com/docs/eats/references/api/v2; what stands for what is in docs/menus.md.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from voice.menus.imports.draft import DAYS, Draft, ImportOptions, SourceBroken, compact, weekly
from voice.menus.money import exponent_of

HUNDREDTHS: Final = 2  # prices are hundredths of every currency
DEFAULT_LOCALE_LETTERS: Final = 2
MENU: Final = {"id", "title", "subtitle", "service_availability", "category_ids"}
CATEGORY: Final = {"id", "title", "entities"}
ITEM: Final = {"id", "title", "description", "price_info", "quantity_info", "modifier_group_ids", "suspension_info", "visibility_info",
               "external_data", "tax_info", "nutritional_info"}  # fmt: skip
GROUP: Final = {"id", "title", "modifier_options", "quantity_info", "external_data"}
QUANTITY: Final = {"min_permitted", "max_permitted", "default_quantity", "charge_above"}
ALLERGENS: Final = {
    "celery": "celery", "crustacean": "crustacean", "crustaceans": "crustacean", "egg": "egg", "eggs": "egg", "fish": "fish",
    "gluten": "gluten", "lupin": "lupin", "milk": "milk", "dairy": "milk", "mollusc": "mollusc", "molluscs": "mollusc",
    "mustard": "mustard", "peanut": "peanut", "peanuts": "peanut", "sesame": "sesame", "soy": "soy", "soya": "soy", "soybeans": "soy",
    "sulphites": "sulphite", "sulfites": "sulphite", "treenuts": "tree-nut", "nuts": "tree-nut",
}  # fmt: skip


def is_uber_eats(content: Any) -> bool:
    """Return whether a JSON document is of this format."""
    return isinstance(content, dict) and {"menus", "categories", "items"} <= content.keys() and isinstance(content["items"], list)


def import_uber_eats(content: Any, options: ImportOptions) -> Draft:
    """Build a menu of the items that a category has; items that only groups have become choices.

    Raises:
        SourceBroken: the currency is not given, or the prices do not fit it.

    """
    if not options.currency:
        message = "the format has no currency: give --currency"
        raise SourceBroken(message)
    return _Document(content, options).draft


class _Document:
    """The parts of a document by id."""

    def __init__(self, content: Mapping[str, Any], options: ImportOptions) -> None:
        self._items = {one["id"]: one for one in content.get("items") or ()}
        self._groups = {one["id"]: one for one in content.get("modifier_groups") or ()}
        self._categories = {one["id"]: one for one in content.get("categories") or ()}
        self._menus = list(content.get("menus") or ())
        self.draft = Draft(options, name=_first_text(self._menus[0].get("title")) if self._menus else "")
        self.draft.lose_rest("document", content, {"menus", "categories", "items", "modifier_groups", "display_options"}, "")
        self.draft.lose_rest("display_options", content.get("display_options") or {}, (), "")
        self._served: dict[str, list[str]] = {}  # ids of menus by item, in the order of the categories
        self._category_of: dict[str, str] = {}
        for menu in self._menus:
            self.draft.lose_rest("menu", menu, MENU, menu["id"])
            for category_id in menu.get("category_ids") or ():
                for entity in (self._categories.get(category_id) or {}).get("entities") or ():
                    self._served.setdefault(entity["id"], []).append(menu["id"])
                    self._category_of.setdefault(entity["id"], category_id)
        self._times_of_menus = self._times()
        for category in self._categories.values():
            self.draft.lose_rest("category", category, CATEGORY, category["id"])
        self._above: list[str] = []  # groups of which an option is being read
        for item_id in self._served:
            if item_id in self._items:
                self.draft.items[item_id] = self._item(item_id)
            else:
                self.draft.lose("items of a category that the document lacks", item_id)

    def _times(self) -> dict[str, str]:
        """Add the times of the menus that are not always served; return their names by menu."""
        names = {}
        for menu in self._menus:
            by_day: dict[str, list[tuple[str, str]]] = defaultdict(list)
            for day in menu.get("service_availability") or ():
                periods = [(period["start_time"], period["end_time"]) for period in day.get("time_periods") or ()]
                by_day[day["day_of_week"][:3].lower()] += periods
            if entries := weekly(by_day):
                self.draft.times[menu["id"]] = entries
                names[menu["id"]] = menu["id"]
        return names

    def _text(self, title: Mapping[str, Any] | None) -> Any:
        translations = (title or {}).get("translations") or {}
        texts: dict[str, str] = {}
        for locale, text in translations.items():
            language = locale[:DEFAULT_LOCALE_LETTERS].lower()
            if language in texts and texts[language] != text:
                self.draft.lose("translations of one language that differ", f"{locale}: {text}")
                continue
            texts.setdefault(language, text)
        return self.draft.text(texts)

    def _money(self, hundredths: Any, where: str) -> int:
        """Return an amount in the minor unit of the currency."""
        shift = exponent_of(self.draft.currency) - HUNDREDTHS
        amount = int(hundredths or 0) * 10 ** max(shift, 0)
        divisor: int = 10 ** max(-shift, 0)
        if amount % divisor:
            message = f"{where}: {hundredths} hundredths are no whole {self.draft.currency}"
            raise SourceBroken(message)
        return int(amount // divisor)

    def _price(self, item: Mapping[str, Any], contexts: Mapping[str, str]) -> int:
        """Return the price in contexts by type; the most specific override counts: of the group, of the item, of the menu."""
        info = item.get("price_info") or {}
        overrides = info.get("overrides") or ()
        for kind in ("MODIFIER_GROUP", "ITEM", "MENU"):
            for override in overrides:
                if override.get("context_type") == kind and override.get("context_value") == contexts.get(kind):
                    return self._money(override.get("price"), item["id"])
        known = {"price", "overrides", "core_price"}
        self.draft.lose_rest("price_info", info, known, item["id"])
        return self._money(info.get("price"), item["id"])

    def _is_available(self, item: Mapping[str, Any], contexts: Mapping[str, str]) -> bool:
        info = item.get("suspension_info") or {}
        suspension = info.get("suspension")
        for override in info.get("overrides") or ():
            if contexts.get(str(override.get("context_type"))) == override.get("context_value"):
                suspension = override.get("suspension")
        until = (suspension or {}).get("suspend_until") or 0
        if until > self.draft.options.now.timestamp():
            self.draft.lose("suspend_until and its reason: it is sold out until it is brought back", item["id"])
            return False
        return True

    def _item(self, item_id: str) -> dict[str, Any]:
        item, menus = self._items[item_id], list(dict.fromkeys(self._served[item_id]))
        contexts = {"MENU": menus[0]}
        prices = {self._price(item, {"MENU": menu}) for menu in menus}
        if len(prices) > 1:
            self.draft.lose(f"prices that differ between menus: that of {menus[0]} counts", item_id)
        times = [self._times_of_menus.get(menu) for menu in menus]
        category = self._categories.get(self._category_of[item_id]) or {}
        return compact(
            {
                "name": self._text(item.get("title")) or item_id,
                "category": self._text(category.get("title")),
                "price": self._price(item, contexts),
                **self._common(item, item_id),
                "available": self._is_available(item, contexts),
                "when": self._visibility(item) or ([name for name in times if name] if all(times) else []),
            }
        )

    def _common(self, item: Mapping[str, Any], owner: str) -> dict[str, Any]:
        """Return the fields that items and choices share."""
        item_id = item["id"]
        self.draft.lose_rest("item", item, ITEM, item_id)
        self.draft.lose_rest("tax_info", item.get("tax_info") or {}, (), item_id)
        if item.get("external_data"):
            self.draft.lose("external_data", item_id)
        info = item.get("modifier_group_ids") or {}
        if info.get("overrides"):
            self.draft.lose("modifier_group_ids.overrides", item_id)
        groups = []
        for group_id in info.get("ids") or ():
            if group_id not in self._groups or group_id in self._above:
                self.draft.lose("modifier groups that the document lacks, or that are nested in a circle", f"{item_id} {group_id}")
                continue
            self._above.append(group_id)
            groups.append(self._group(group_id, owner))
            self._above.pop()
        return {"description": self._text(item.get("description")), "options": groups, "contains": self._allergens(item)}

    def _allergens(self, item: Mapping[str, Any]) -> list[str]:
        """Return the allergens that are known; the format does not define how they are written."""
        info = item.get("nutritional_info") or {}
        self.draft.lose_rest("nutritional_info", info, {"allergens"}, item["id"])
        found = []
        given = info.get("allergens") or []
        for allergen in given if isinstance(given, list) else [given]:
            name = str(allergen.get("name") or allergen.get("type") or "" if isinstance(allergen, dict) else allergen)
            known = ALLERGENS.get("".join(filter(str.isalpha, name)).lower())
            if known:
                found.append(known)
            else:
                self.draft.lose("allergens that are none of the list", f"{item['id']} {name}".strip())
        return list(dict.fromkeys(found))

    def _visibility(self, item: Mapping[str, Any]) -> list[str]:
        """Add the hours in which an item is visible; return the name of the times."""
        by_day: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for hours in (item.get("visibility_info") or {}).get("hours") or ():
            self.draft.lose_rest("visibility_info.hours", hours, {"hours_of_week"}, item["id"])
            for day in hours.get("hours_of_week") or ():
                name = day["day_of_week"][:3].lower()
                by_day[name] += [(period["start_time"], period["end_time"]) for period in day.get("time_periods") or () if name in DAYS]
        entries = weekly(by_day)
        if not entries:
            return []
        name = self.draft.free_id(item["id"], item["id"], self.draft.times)
        self.draft.times[name] = entries
        return [name]

    def _group(self, group_id: str, owner: str) -> str:
        """Add a modifier group as an item has it."""
        group = self._groups[group_id]
        self.draft.lose_rest("modifier_group", group, GROUP, group_id)
        quantity = _in_context(group.get("quantity_info"), "ITEM", owner)
        unique = {"min_permitted_unique", "max_permitted_unique"}
        self.draft.lose_rest("quantity", quantity, QUANTITY | unique, group_id)
        at_least, at_most = quantity.get("min_permitted") or 0, quantity.get("max_permitted")
        choices, each, defaults = dict[str, Any](), dict[str, int | None](), []
        for option in group.get("modifier_options") or ():
            item = self._items.get(option["id"])
            if item is None:
                self.draft.lose("options that the document lacks", f"{group_id} {option['id']}")
                continue
            own = _in_context(item.get("quantity_info"), "MODIFIER_GROUP", group_id)
            self.draft.lose_rest("quantity", own, QUANTITY - {"charge_above", "min_permitted"}, item["id"])
            choices[item["id"]] = self._choice(item, {"MODIFIER_GROUP": group_id, "ITEM": owner})
            each[item["id"]] = own.get("max_permitted")
            if own.get("default_quantity"):
                defaults += [item["id"]] * min(own["default_quantity"], 2)
        if len(defaults) > 1:
            self.draft.lose("more than one portion by default: the first option is the default", f"{owner} {group_id}")
        limits = set(each.values())
        if len(limits) > 1:
            self.draft.lose("max_permitted that differ between the options of a group: the largest counts for all", group_id)
        for key, value in (("min_permitted_unique", at_least), ("max_permitted_unique", at_most)):
            if quantity.get(key) not in {None, 0, value, len(choices)}:
                self.draft.lose(f"{key}", group_id)
        most_each = None if None in limits or not limits else max(limit for limit in limits if limit is not None)
        if quantity.get("max_permitted_unique") == 1 and at_most == 1:
            most_each = None
        content = compact(
            {
                "name": self._text(group.get("title")) or group_id,
                "min": at_least or None,
                "max": at_most or None,
                "select": None if at_most else "many",
                "max_each": most_each if at_most != 1 else None,
                "free": quantity.get("charge_above") or None,
                "default": next(iter(defaults), None),
                "choices": choices,
            }
        )
        return self.draft.add_group(group_id, content, owner)

    def _choice(self, item: Mapping[str, Any], contexts: Mapping[str, str]) -> dict[str, Any]:
        """Return an option as a choice; one that a category has, too, is that item."""
        price = self._price(item, contexts)
        if item["id"] in self._served:
            return compact({"item": item["id"], "price": price or None})
        common = self._common(item, item["id"])
        if common.pop("description"):
            self.draft.lose("descriptions of options", item["id"])
        if item.get("visibility_info"):
            self.draft.lose("visibility_info of options", item["id"])
        return compact(
            {
                "name": self._text(item.get("title")) or item["id"],
                "price": price or None,
                **common,
                "available": self._is_available(item, contexts),
            }
        )


def _in_context(info: Mapping[str, Any] | None, kind: str, value: str) -> Mapping[str, Any]:
    """Return the quantities in a context: those of its override stand before the general ones."""
    general = (info or {}).get("quantity") or {}
    overrides = [
        one for one in (info or {}).get("overrides") or () if one.get("context_type") == kind and one.get("context_value") == value
    ]
    return {**general, **(overrides[0].get("quantity") or {} if overrides else {})}


def _first_text(title: Mapping[str, Any] | None) -> str:
    return next(iter(((title or {}).get("translations") or {}).values()), "")
