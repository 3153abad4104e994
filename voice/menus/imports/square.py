"""Square Catalog: the objects of list-catalog, or of a batch upsert.

Source: https://developer.squareup.com/reference/square/catalog-api; what stands for what is in docs/menus.md.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from voice.menus.imports.draft import Draft, ImportOptions, SourceBroken, compact, weekly

ALLERGENS: Final = {
    "CELERY": "celery", "CRUSTACEANS": "crustacean", "EGGS": "egg", "FISH": "fish", "GLUTEN": "gluten", "LUPIN": "lupin", "MILK": "milk",
    "MOLLUSCS": "mollusc", "MUSTARD": "mustard", "PEANUTS": "peanut", "SESAME": "sesame", "SOY": "soy", "SULPHITES": "sulphite",
    "TREE_NUTS": "tree-nut",
}  # fmt: skip
DIETS: Final = {
    "DAIRY_FREE": "dairy-free", "GLUTEN_FREE": "gluten-free", "HALAL": "halal", "KOSHER": "kosher", "NUT_FREE": "nut-free",
    "VEGAN": "vegan", "VEGETARIAN": "vegetarian",
}  # fmt: skip
OBJECT: Final = {
    "type", "id", "version", "updated_at", "created_at", "is_deleted", "present_at_all_locations", "present_at_location_ids",
    "absent_at_location_ids",
}  # fmt: skip
ITEM: Final = {
    "name", "description", "description_plaintext", "description_html", "product_type", "categories", "category_id", "variations",
    "modifier_list_info", "food_and_beverage_details", "is_archived", "reporting_category", "is_taxable",
}  # fmt: skip
VARIATION: Final = {"item_id", "name", "ordinal", "pricing_type", "price_money", "location_overrides", "sellable", "stockable"}
MODIFIER_LIST: Final = {
    "name", "modifier_type", "selection_type", "min_selected_modifiers", "max_selected_modifiers", "allow_quantities", "modifiers",
    "ordinal", "internal_name",
}  # fmt: skip
MODIFIER: Final = {"name", "price_money", "on_by_default", "ordinal", "location_overrides", "modifier_list_id", "hidden_online"}
LIST_INFO: Final = {
    "modifier_list_id", "enabled", "min_selected_modifiers", "max_selected_modifiers", "modifier_overrides", "ordinal",
    "allow_quantities",
}  # fmt: skip
IGNORED_TYPES: Final = {"CATEGORY", "AVAILABILITY_PERIOD", "MODIFIER_LIST", "ITEM", "ITEM_VARIATION", "MODIFIER"}


def is_square(content: Any) -> bool:
    """Return whether a JSON document is of this format."""
    objects = content.get("objects") if isinstance(content, dict) else None
    return isinstance(objects, list) and any(isinstance(one, dict) and "type" in one for one in objects)


def import_square(content: Any, options: ImportOptions) -> Draft:
    """Build a menu of the catalogue's items.

    Raises:
        SourceBroken: the objects do not fit together.

    """
    return _Catalogue(content, options).draft


class _Catalogue:
    """The objects of a catalogue by id."""

    def __init__(self, content: Mapping[str, Any], options: ImportOptions) -> None:
        self._objects = {one["id"]: one for one in content["objects"] if isinstance(one, dict) and "id" in one}
        self._options = options
        currencies = {money["currency"] for one in self._objects.values() for money in _moneys(one) if "currency" in money}
        if len(currencies) > 1 and not options.currency:
            message = f"prices in several currencies: {', '.join(sorted(currencies))}"
            raise SourceBroken(message)
        self.draft = Draft(options, currency=next(iter(currencies), ""))
        if content.get("cursor"):
            self.draft.lose("cursor: the list has more pages; import all objects in one file")
        for one in self._objects.values():
            if one.get("type") not in IGNORED_TYPES:
                self.draft.lose(f"objects of type {one.get('type')}", one["id"])
        self._names_of_times: dict[str, str] = {}
        for one in self._objects.values():
            if one.get("type") == "ITEM":
                self._add_item(one)

    def _is_present(self, one: Mapping[str, Any]) -> bool:
        if one.get("is_deleted"):
            return False
        location = self._options.location
        if not location:
            return True
        if one.get("present_at_all_locations", True):
            return location not in (one.get("absent_at_location_ids") or ())
        return location in (one.get("present_at_location_ids") or ())

    def _override(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the override of the location; without one in the options, the only one, if there is one alone."""
        overrides = part.get("location_overrides") or []
        if self._options.location:
            return next((one for one in overrides if one.get("location_id") == self._options.location), {})
        if len(overrides) > 1:
            self.draft.lose("location_overrides of several locations: choose one with --location", str(part.get("name", "")))
        return overrides[0] if len(overrides) == 1 else {}

    def _price(self, part: Mapping[str, Any]) -> int | None:
        override = self._override(part)
        if (override.get("pricing_type") or part.get("pricing_type")) == "VARIABLE_PRICING":
            return None
        money = override.get("price_money") or part.get("price_money")
        return int(money["amount"]) if money and "amount" in money else None

    def _is_sold_out(self, part: Mapping[str, Any], where: str) -> bool:
        override = self._override(part)
        if override.get("sold_out") and override.get("sold_out_valid_until"):
            self.draft.lose("sold_out_valid_until: it is sold out until it is brought back", where)
        return bool(override.get("sold_out")) or part.get("sellable") is False

    def _add_item(self, one: Mapping[str, Any]) -> None:
        data, where = one.get("item_data") or {}, str(one["id"])
        if not self._is_present(one) or data.get("is_archived"):
            self.draft.lose("items that are deleted, archived or not at the location", where)
            return
        self.draft.lose_rest("item", one, OBJECT | {"item_data"}, where)
        self.draft.lose_rest("item_data", data, ITEM, where)
        variations = self._variations(data, where)
        if not variations:
            self.draft.lose("items without a fixed price", where)
            return
        first = min(variations, key=lambda variation: variation["ordinal"])
        groups = [self._sizes(where, variations, first)] if len(variations) > 1 else []
        infos = [info for info in data.get("modifier_list_info") or () if info.get("enabled", True)]
        groups += filter(None, [self._modifiers(info, where) for info in sorted(infos, key=lambda info: info.get("ordinal", 0))])
        category, when = self._category(data)
        name = self.draft.plain(data.get("name") or where)
        item = compact(
            {
                "name": name,
                "category": category,
                "description": self.draft.plain(data.get("description_plaintext") or data.get("description")),
                "price": first["price"],
                "options": groups,
                "available": not all(variation["is_sold_out"] for variation in variations),
                "when": when,
                **self._food(data.get("food_and_beverage_details") or {}, where),
            }
        )
        self.draft.items[self.draft.free_id(one["id"], name, self.draft.items)] = item

    def _variations(self, data: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
        """Return the variations with a price, in order."""
        found = []
        for number, one in enumerate(data.get("variations") or ()):
            variation = one.get("item_variation_data") or {}
            price = self._price(variation)
            if not self._is_present(one):
                continue
            if price is None:
                self.draft.lose("variations without a fixed price", f"{where} {variation.get('name', '')}".strip())
                continue
            self.draft.lose_rest("item_variation_data", variation, VARIATION, where)
            name = variation.get("name") or "Regular"
            is_sold_out = self._is_sold_out(variation, where)
            found.append(
                {"id": one["id"], "name": name, "price": price, "ordinal": variation.get("ordinal", number), "is_sold_out": is_sold_out}
            )
        return sorted(found, key=lambda variation: variation["ordinal"])

    def _sizes(self, where: str, variations: Sequence[Mapping[str, Any]], first: Mapping[str, Any]) -> str:
        """Add the variations as a group whose default costs the item's price."""
        choices = {
            variation["id"]: compact(
                {
                    "name": self.draft.plain(variation["name"]),
                    "price": (variation["price"] - first["price"]) or None,
                    "available": not variation["is_sold_out"],
                }
            )
            for variation in variations
        }
        return self.draft.add_group(f"{where}.size", {"name": "Size", "default": first["id"], "choices": choices}, where)

    def _modifiers(self, info: Mapping[str, Any], where: str) -> str | None:
        """Add a modifier list as the item has it."""
        list_id = str(info.get("modifier_list_id"))
        one = self._objects.get(list_id)
        if one is None or not self._is_present(one):
            self.draft.lose("modifier lists that are missing or deleted", f"{where} {list_id}")
            return None
        data = one.get("modifier_list_data") or {}
        if data.get("modifier_type") == "TEXT":
            self.draft.lose("modifier lists of free text", list_id)
            return None
        self.draft.lose_rest("modifier_list_info", info, LIST_INFO, where)
        self.draft.lose_rest("modifier_list_data", data, MODIFIER_LIST, list_id)
        at_least, at_most = _limits(info, data)
        overrides = {override.get("modifier_id"): override for override in info.get("modifier_overrides") or ()}
        choices, defaults = dict[str, Any](), []
        for modifier in sorted(data.get("modifiers") or (), key=lambda modifier: (modifier.get("modifier_data") or {}).get("ordinal", 0)):
            part = modifier.get("modifier_data") or {}
            if not self._is_present(modifier) or part.get("hidden_online"):
                self.draft.lose("modifiers that are deleted or hidden", str(modifier["id"]))
                continue
            self.draft.lose_rest("modifier_data", part, MODIFIER, modifier["id"])
            choices[modifier["id"]] = compact(
                {
                    "name": self.draft.plain(part.get("name") or modifier["id"]),
                    "price": self._price(part) or None,
                    "available": not self._is_sold_out(part, modifier["id"]),
                }
            )
            override = (overrides.get(modifier["id"]) or {}).get("on_by_default_override")
            if override == "YES" or (override != "NO" and part.get("on_by_default")):
                defaults.append(modifier["id"])
        if len(defaults) > 1:
            self.draft.lose("more than one modifier on by default: the first one is the default", f"{where} {list_id}")
        allows = info.get("allow_quantities") if info.get("allow_quantities") in {True, False} else data.get("allow_quantities")
        content = compact(
            {
                "name": self.draft.plain(data.get("name") or list_id),
                "min": at_least or None,
                "max": at_most,
                "select": "many" if at_most is None else None,
                "max_each": None if allows or at_most == 1 else 1,
                "default": next(iter(defaults), None),
                "choices": choices,
            }
        )
        return self.draft.add_group(list_id, content, where)

    def _category(self, data: Mapping[str, Any]) -> tuple[Any, list[str]]:
        """Return the name of the first category, and the times of all of them; none if one of them has no periods."""
        ids = [one.get("id") for one in data.get("categories") or ()] or [data.get("category_id")]
        categories = [self._objects[id_] for id_ in ids if id_ in self._objects]
        if not categories:
            return None, []
        when: list[str] = []
        for one in categories:
            periods = (one.get("category_data") or {}).get("availability_period_ids") or []
            times = self._times(one["id"], periods) if periods else None
            if times is None:
                when = []
                break
            when.append(times)
        if len(categories) > 1:
            self.draft.lose("categories of an item behind the first one", str(data.get("name")))
        return self.draft.plain((categories[0].get("category_data") or {}).get("name")), when

    def _times(self, category_id: str, period_ids: Iterable[str]) -> str | None:
        if category_id not in self._names_of_times:
            by_day: dict[str, list[tuple[str, str]]] = defaultdict(list)
            for id_ in period_ids:
                period = (self._objects.get(id_) or {}).get("availability_period_data") or {}
                if period.get("day_of_week") and period.get("start_local_time") and period.get("end_local_time"):
                    by_day[period["day_of_week"][:3].lower()].append((period["start_local_time"], period["end_local_time"]))
            entries = weekly(by_day)
            name = self.draft.free_id(category_id, category_id, self.draft.times)
            if not entries:
                return None
            self.draft.times[name] = entries
            self._names_of_times[category_id] = name
        return self._names_of_times[category_id]

    def _food(self, details: Mapping[str, Any], where: str) -> dict[str, list[str]]:
        contains, diet = [], []
        for ingredient in details.get("ingredients") or ():
            known = ALLERGENS.get(str(ingredient.get("standard_name")))
            if known:
                contains.append(known)
            else:
                self.draft.lose("ingredients that are no allergen of the list", f"{where} {ingredient.get('custom_name', '')}".strip())
        for preference in details.get("dietary_preferences") or ():
            known = DIETS.get(str(preference.get("standard_name")))
            if known:
                diet.append(known)
            else:
                self.draft.lose("dietary preferences of one's own", f"{where} {preference.get('custom_name', '')}".strip())
        self.draft.lose_rest("food_and_beverage_details", details, {"ingredients", "dietary_preferences"}, where)
        return {"diet": diet, "contains": contains}


def _limits(info: Mapping[str, Any], data: Mapping[str, Any]) -> tuple[int, int | None]:
    """Return the least and the most selected modifiers; None: no limit.

    The item's count unless both are -1 or absent. 0 and less are no minimum, and no limit.
    """
    at_least, at_most = info.get("min_selected_modifiers", -1), info.get("max_selected_modifiers", -1)
    if (at_least is None or at_least == -1) and (at_most is None or at_most == -1):
        at_least, at_most = data.get("min_selected_modifiers", -1), data.get("max_selected_modifiers", -1)
        if data.get("selection_type") == "SINGLE" and (at_most or 0) <= 0:
            at_most = 1
    return max(at_least or 0, 0), at_most if at_most is not None and at_most > 0 else None


def _moneys(value: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(value, dict):
        for key, child in value.items():
            if key == "price_money" and isinstance(child, dict):
                yield child
            else:
                yield from _moneys(child)
    elif isinstance(value, list):
        for child in value:
            yield from _moneys(child)
