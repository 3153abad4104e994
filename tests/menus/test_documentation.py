"""docs/menus.md: its examples are menus, and it explains every key, allergen and diet."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import ROOT
from voice.menus.diets import ALLERGENS, DIETS
from voice.menus.loading import read_menu
from voice.menus.menu import Choice, Item, Menu, OptionGroup, Period
from voice.orders.pricing import Pricing

TEXT = (ROOT / "docs/menus.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)


def read(example: str, directory: Path) -> Menu:
    path = directory / f"{yaml.safe_load(example)['id']}.yaml"
    path.write_text(example, encoding="utf-8")
    return read_menu(path)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.split("\n")[0].split()[1])
def test_every_example_is_a_menu(example, tmp_path):
    assert read(example, tmp_path).items


def keys_of(*models: type) -> set[str]:
    return {field.alias or name for model in models for name, field in model.model_fields.items()}  # type: ignore[attr-defined]


def keys_in(content: Any) -> set[str]:
    if isinstance(content, dict):
        return set(content) | {key for part in content.values() for key in keys_in(part)}
    return {key for part in content for key in keys_in(part)} if isinstance(content, list) else set()


def test_every_key_of_the_format_is_in_an_example():
    shown = {key for example in EXAMPLES for key in keys_in(yaml.safe_load(example))}
    assert keys_of(Menu, Item, OptionGroup, Choice, Period) - shown == set()


def test_every_allergen_and_diet_is_listed():
    for words in (ALLERGENS, DIETS):
        assert ", ".join(words) in re.sub(r"\s+", " ", TEXT)


def test_the_prices_of_the_combo_are_those_of_the_text(tmp_path):
    pricing = Pricing(read(next(example for example in EXAMPLES if "quan-combo" in example), tmp_path))
    large = pricing.option("size", ["l"], None, 1)
    units = [
        pricing.unit_price("combo", [pricing.option("drink", ["coffee"], None, 1)]),
        pricing.unit_price("combo", [pricing.option("drink", ["juice"], None, 1)]),
        pricing.unit_price("combo", [pricing.option("drink", ["coffee"], None, 1, [large])]),
    ]
    assert [f"{price:,}" for price in units] == re.findall(r"\b\d\d,\d{3}\b", TEXT[TEXT.index("this combo costs") :])[:3]
