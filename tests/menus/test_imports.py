import contextlib
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from settings import ROOT
from tests.conftest import client_of
from tests.web.routes import ORDER
from voice.__main__ import commands
from voice.dialog.turn import DialogEngine
from voice.menus.importing import run_import
from voice.menus.imports.draft import ImportOptions, SourceBroken, slug, weekly
from voice.menus.imports.formats import import_source
from voice.menus.imports.merging import merge
from voice.menus.loading import MenuBook, read_menu
from voice.menus.served import ServedMenus
from voice.menus.validation import validate

pytestmark = pytest.mark.anyio

SOURCES = Path(__file__).parent / "sources"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
FRIDAY, MONDAY_EARLY = "2026-12-04T12:00:00Z", "2026-11-30T01:00:00Z"
IMPORTS = {
    "square": (SOURCES / "square.json", {"location": "L1", "timezone": "America/New_York"}),
    "uber-eats": (SOURCES / "uber-eats.json", {"currency": "USD"}),
    "grabfood": (SOURCES / "grabfood.json", {"language": "vi", "timezone": "Asia/Ho_Chi_Minh"}),
    "csv": (ROOT / "examples/menu.csv", {"currency": "VND", "language": "vi", "timezone": "Asia/Ho_Chi_Minh"}),
}
# What is said, and the total: units times (item + options).
ORDERS = {
    "square": [
        ("a beef pho", 1250),
        ("two large beef pho with a poached egg", 2 * (1450 + 150)),
        ("a medium beef pho", 1250),
        ("a peach tea", 475),
        ("three peach teas and a beef pho", 3 * 475 + 1250),
        ("a club sandwich on rye bread", 900 + 75),
        ("a club sandwich with white bread", 900),
        ("a club sandwich on rye bread without fresh herbs", 900 + 75),
        ("a beef pho with fresh herbs and a poached egg", 1250 + 150),
        ("an iced coffee", 0),
        ("a large beef pho with chili oil", 1450),
    ],
    "uber-eats": [
        ("a beef pho", 1250),
        ("two large beef pho", 2 * (1250 + 200)),
        ("a large peach tea", 450 + 100),
        ("một phở bò lớn", 1250 + 200),
        ("hai trà đào vừa và một phở bò", 2 * 450 + 1250),
        ("a beef pho with two poached eggs", 1250 + 2 * 150),
        ("a pho combo with a peach tea", 1600 + 450),
        ("a pho combo with a cola", 1600),
        ("a bento box", 1100),
        ("a cheesecake", 0),
        ("a beef pho with extra beef", 1250),
    ],
    "grabfood": [
        ("một phở bò tô lớn", 55000 + 10000),
        ("hai phở bò tô vừa", 2 * 55000),
        ("một trà đào ly lớn", 35000 + 7000),
        ("một phở bò tô vừa thêm trứng chần", 55000 + 8000),
        ("một phở bò tô lớn thêm quẩy và trứng chần", 55000 + 10000 + 5000 + 8000),
        ("ba trà đào ly vừa", 3 * 35000),
        ("hai bia hơi", 2 * 15000),
        ("một xôi gà", 30000),
        ("a beef pho tô vừa with a poached egg", 55000 + 8000),
        ("một chè thái", 0),
        ("một phở bò tô lớn và một trà đào ly lớn", 65000 + 42000),
    ],
    "csv": [
        ("một cà phê sữa lớn", 25000 + 8000),
        ("hai trà đào", 2 * 30000),
        ("a large peach tea", 30000 + 8000),
        ("một bánh mì bò bánh mì đen thêm trứng", 35000 + 3000 + 5000),
        ("hai bánh mì bò bánh mì trắng", 2 * 35000),
        ("một xôi gà", 30000),
        ("một combo trưa với cà phê sữa", 55000),
        ("một combo trưa với sinh tố xoài", 55000 + 15000),
        ("một chè thái", 0),
        ("two milk coffees and a beef sandwich on rye bread", 2 * 25000 + 35000 + 3000),
        ("ba cà phê sữa vừa và một trà đào lớn", 3 * 25000 + 30000 + 8000),
    ],
}

SOLD_OUT = {"an iced coffee", "a large beef pho with chili oil", "a cheesecake", "a beef pho with extra beef", "một chè thái"}


def imported(name: str, directory: Path) -> list[str]:
    source, options = IMPORTS[name]
    return list(run_import(source, directory, ImportOptions(menu_id=name, now=NOW, **options)))


@pytest.fixture(scope="module")
def menus(tmp_path_factory):
    """A directory with a menu of each format."""
    directory = tmp_path_factory.mktemp("imported")
    for name in IMPORTS:
        imported(name, directory)
    return directory


@pytest.mark.parametrize("name", IMPORTS)
async def test_orders_from_an_imported_menu_cost_what_the_source_says(state, menus, name):
    served = ServedMenus(menus, DialogEngine, state["store"])
    served.refresh()
    async with client_of(state, menus=served) as client:
        for text, total in ORDERS[name]:
            at = FRIDAY if name == "uber-eats" else MONDAY_EARLY if name != "square" else "2026-11-30T13:00:00Z"
            order = (await client.post(ORDER, json={"menu": name, "text": text, "at": at})).json()["data"]
            assert (text, order["total"]) == (text, total)
            blocking = [question["kind"] for question in order["questions"] if question["blocks"]]
            is_sold_out = text in SOLD_OUT
            assert blocking == (["unavailable"] if is_sold_out else [])


def test_square_items_have_sizes_limits_defaults_times_and_allergens(menus):
    menu = read_menu(menus / "square.yaml")
    pho, sandwich = menu.items["I1"], menu.items["I3"]
    size, own, shared = (menu.option_groups[group_id] for group_id in (*pho.options, sandwich.options[1]))
    assert (size.default, [choice.price for choice in size.choices.values()]) == ("V1", [0, 200])
    assert (own.max, own.max_each, own.default) == (2, 1, None)
    assert (shared.max, shared.default) == (3, "M2")
    assert not shared.choices["M3"].available
    assert menu.option_groups["ML2"].min_choices == menu.option_groups["ML2"].max_choices == 1
    assert (pho.diet, pho.contains) == (("dairy-free",), ("gluten",))
    assert [(period.days, period.begins, period.ends) for period in menu.times["C2"]] == [(("mon", "tue"), "06:00", "10:30")]
    assert sandwich.when == ("C2",)
    assert not menu.items["I4"].available


def test_uber_eats_items_have_overrides_nesting_languages_and_times(menus):
    menu = read_menu(menus / "uber-eats.yaml")
    assert menu.items["tea"].options == ("g_size.tea",)
    assert menu.option_groups["g_size.tea"].choices["o_l"].price == 100
    assert menu.option_groups["g_top"].max_each == 2
    drink = menu.option_groups["g_drink"].choices
    assert (drink["o_cola"].options, drink["tea"].item, drink["tea"].price) == (("g_ice",), "tea", 450)
    assert menu.items["pho"].name.by_language == {"en": "Beef pho", "vi": "Phở bò"}
    assert (menu.items["bento"].when, menu.items["pho"].when) == (("lunch",), ())
    assert menu.items["pho"].contains == ("fish",)


def test_hundredths_of_a_currency_without_decimals_become_whole_units():
    content = json.loads((SOURCES / "uber-eats.json").read_text("utf-8"))
    for item in content["items"]:
        item["price_info"] = {"price": 2500000}
    source = json.dumps(content).encode()
    _, draft = import_source(source, ImportOptions(menu_id="x", currency="VND"))
    assert draft.items["pho"]["price"] == 25000
    with pytest.raises(SourceBroken, match="2500050 hundredths are no whole VND"):
        import_source(source.replace(b"2500000", b"2500050"), ImportOptions(menu_id="x", currency="VND"))


def test_modifier_groups_in_a_circle_are_named_and_left_out():
    content = json.loads((SOURCES / "uber-eats.json").read_text("utf-8"))
    next(item for item in content["items"] if item["id"] == "o_ice")["modifier_group_ids"] = {"ids": ["g_drink", "none"]}
    _, draft = import_source(json.dumps(content).encode(), ImportOptions(menu_id="x", currency="USD"))
    assert any("o_ice g_drink, o_ice none" in loss for loss in draft.losses)
    assert validate(draft.document())[1] == []


def test_grabfood_items_have_statuses_times_and_groups_of_their_own(menus):
    menu = read_menu(menus / "grabfood.yaml")
    assert set(menu.items) == {"pho", "tra", "che", "bia", "xoi"}
    assert (menu.items["pho"].options, menu.items["tra"].options) == (("size", "top"), ("size.tra",))
    assert not menu.items["che"].available
    assert not menu.option_groups["top"].choices["beef"].available
    assert (menu.items["xoi"].when, menu.items["pho"].when) == (("t-sang",), ())
    assert [period.days for period in menu.times["t-sang"]] == [("mon", "tue")]


def test_the_price_of_a_service_is_chosen():
    data = (SOURCES / "grabfood.json").read_bytes()
    _, draft = import_source(data, ImportOptions(menu_id="x", service="SelfPickUp_OnDemand_GrabApp"))
    assert draft.items["tra"]["price"] == 30000
    _, draft = import_source(data.replace(b'"exponent": 0', b'"exponent": 2').replace(b"VND", b"USD"), ImportOptions(menu_id="x"))
    assert draft.items["pho"]["price"] == 55000


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("square", ["objects of type TAX: T1", "item_data.tax_ids: I1", "variations without a fixed price", "sold_out_valid_until",
                    "modifiers that are deleted or hidden", "modifier lists of free text: ML3", "I1 star anise", "calorie_count: I1",
                    "items that are deleted, archived or not at the location: I5", "items without a fixed price: I6"]),
        ("uber-eats", ["image_url: pho", "tax_info.tax_rate: pho", "external_data: pho", "suspend_until", "pho Pixie dust",
                       "display_type: g_drink", "disable_item_instructions"]),
        ("grabfood", ["sellingTimes.startTime and endTime", "UNAVAILABLETODAY", "items that are hidden: test", "item.photos: pho",
                      "maxStock", "advancedPricing (Delivery_OnDemand_GrabApp, SelfPickUp_OnDemand_GrabApp)", "item.specialType: bia"]),
        ("csv", []),
    ],
)  # fmt: skip
def test_what_has_no_place_is_named(tmp_path, name, lost):
    said = [line.removeprefix("no place for ") for line in imported(name, tmp_path) if line.startswith("no place for ")]
    assert len(said) == len(lost) + (1 if name == "square" else 0)  # pictures
    for expected in lost:
        assert any(expected in line for line in said), expected


def places_of(value, place=()):
    yield place
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places_of(child, (*place, key))


@pytest.mark.parametrize("name", ["square", "uber-eats", "grabfood"])
def test_a_source_with_wrong_values_is_imported_or_refused(name):
    dice = random.Random(5)  # noqa: S311 - a test's dice
    source, options = IMPORTS[name]
    text = source.read_text("utf-8")
    places = [place for place in places_of(json.loads(text)) if place]
    for _ in range(150):
        content = json.loads(text)
        *above, last = dice.choice(places)
        part = content
        for step in above:
            part = part[step]
        part[last] = dice.choice([None, "", 7, -1, True, [], {}, "x" * 300, 1e9, ["a"], {"a": 1}, "25:99", -(10**12)])
        with contextlib.suppress(SourceBroken):
            _, draft = import_source(json.dumps(content).encode(), ImportOptions(menu_id="x", **options))
            validate(draft.document())
            assert all(draft.losses)


# --- Spreadsheets


def sheet(text: str, **options: str):
    return import_source(text.encode(), ImportOptions(menu_id="x", **{"currency": "USD", **options}))[1]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_sheet_needs_names_and_prices_alone(delimiter):
    draft = sheet("\ufeffName,Price\nTea,4.50\nBánh mì đen,$12\n".replace(",", delimiter))
    assert draft.items == {"tea": {"name": "Tea", "price": 450}, "banh-mi-den": {"name": "Bánh mì đen", "price": 1200}}


def test_every_fault_of_a_sheet_is_named_with_its_row():
    header = "type,name,group,price,options,max,available,colour\n"
    text = f"{header}item,Tea,,cheap,,,,red\nitem,,,1,,,,\nitem,Bun,,1,Size,many,maybe,\nthing,X,,,,,,\n"
    with pytest.raises(SourceBroken) as broken:
        sheet(text)
    lines = str(broken.value).splitlines()
    assert sorted(line.split(":")[0] for line in lines) == ["row 2", "row 3", "row 4", "row 4", "row 4", "row 5"]


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (b"price\n1\n", {}, "none of the formats|neither JSON nor"),
        (b"name,price\nTea,1\n", {"currency": ""}, "--currency"),
        (b"\xff\xfe", {}, "UTF-8"),
        (b"{}", {}, "none of the formats"),
        (b'{"objects": [{"type": "ITEM", "id": "I", "item_data": {"variations": 7}}]}', {}, "a part lacks a field"),
        (b'{"menus": [], "categories": [], "items": []}', {"currency": ""}, "--currency"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_in_one_line(data, options, expected):
    with pytest.raises(SourceBroken, match=expected):
        import_source(data, ImportOptions(menu_id="x", **options))


# --- Importing again


def test_importing_again_follows_the_source_and_keeps_the_merchants_edits(tmp_path):
    source = tmp_path / "menu.csv"
    options = ImportOptions(menu_id="cafe", currency="USD")
    source.write_text("name,price,aliases,category\nTea,4.50,chai,Drinks\nBun,2,,Food\nPie,3,,Food\nSoup,5,,Food\n", "utf-8")
    list(run_import(source, tmp_path, options))
    path = tmp_path / "cafe.yaml"
    file = yaml.safe_load(path.read_text("utf-8"))
    file["items"]["tea"]["aliases"] = ["chai", "cuppa"]
    file["items"]["bun"] |= {"price": 250, "max": 9}
    del file["items"]["soup"]
    file["items"]["scone"] = {"name": "Scone", "price": 300}
    path.write_text(yaml.safe_dump(file), "utf-8")
    source.write_text("name,price,aliases,category\nTea,4.75,chai|brew,Drinks\nBun,2.25,,Food\nSoup,5,,Food\nCake,6,,Food\n", "utf-8")
    said = list(run_import(source, tmp_path, options))
    items = yaml.safe_load(path.read_text("utf-8"))["items"]
    assert items["tea"] == {"name": "Tea", "category": "Drinks", "price": 475, "aliases": ["chai", "cuppa", "brew"]}
    assert (items["bun"]["price"], items["bun"]["max"]) == (250, 9)
    assert set(items) == {"tea", "bun", "scone", "cake"}
    assert [line for line in said if "both sides" in line] == [
        "edited on both sides: items.bun.price: the source has 225, the file keeps 250"
    ]
    again = list(run_import(source, tmp_path, options))
    assert not [line for line in again if "both sides" in line]
    assert yaml.safe_load(path.read_text("utf-8"))["items"] == items
    book = MenuBook(tmp_path, lambda menu: menu)
    book.refresh()
    assert (list(book.menus), book.problems) == (["cafe"], {})


def test_an_alias_that_the_merchant_removed_stays_removed():
    base, source = {"a": {"aliases": ["x", "y"]}}, {"a": {"aliases": ["x", "y", "z"]}}
    assert merge(base, source, {"a": {"aliases": ["y"]}}).content == {"a": {"aliases": ["y", "z"]}}


def test_a_menu_that_was_not_imported_is_not_overwritten(tmp_path):
    (tmp_path / "cafe.yaml").write_text("id: cafe\n", "utf-8")
    source = tmp_path / "menu.csv"
    source.write_text("name,price\nTea,1\n", "utf-8")
    with pytest.raises(SourceBroken, match="not imported here"):
        list(run_import(source, tmp_path, ImportOptions(menu_id="cafe", currency="USD")))
    assert (tmp_path / "cafe.yaml").read_text("utf-8") == "id: cafe\n"


# --- The command


def test_the_command_writes_the_menu_and_a_mistake_is_one_line(tmp_path):
    run = CliRunner()
    arguments = ["import-menu", str(ROOT / "examples/menu.csv"), "--id", "cafe", "--currency", "VND", "--output", str(tmp_path)]
    done = run.invoke(commands, arguments)
    assert (done.exit_code, done.output.splitlines()[0]) == (0, f"{tmp_path}/cafe.yaml: written from csv: 6 items, 8 choices")
    again = run.invoke(commands, [*arguments[:-1], str(tmp_path / "cafe.yaml")])
    assert again.output.startswith(f"{tmp_path}/cafe.yaml: imported again from csv")
    for wrong, expected in (
        ([*arguments[:-1], str(tmp_path / "tea.yaml")], "--output: tea.yaml: the file of the menu is cafe.yaml"),
        (
            ["import-menu", "/nowhere.csv", "--id", "x", "--output", str(tmp_path)],
            "/nowhere.csv: cannot be read: No such file or directory",
        ),
        ([*arguments[:4], "--output", str(tmp_path)], "the format has no currency"),
        ([*arguments[:3], "no id", *arguments[4:]], "id: "),
    ):
        failed = run.invoke(commands, wrong)
        assert failed.exit_code == 2
        assert expected in failed.output


def test_ids_and_weeks():
    assert slug("Cà phê sữa (đá)") == "ca-phe-sua-da"
    assert weekly({"mon": [("09:00:00", "23:59:00")], "fri": [("09:00", "00:00")]}) == [
        {"days": ["mon", "fri"], "from": "09:00", "to": "24:00"}
    ]
    assert weekly({day: [("00:00", "24:00")] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}) == []
