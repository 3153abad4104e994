from tests.order_notation import MENUS
from voice.orders.corpus import menu_of
from voice.orders.engine import OrderEngine
from voice.orders.explain import explain

PHO = OrderEngine(menu_of(MENUS / "quan-pho.menu.yaml"))


def test_an_explanation_has_the_lattice_both_parses_with_their_costs_and_the_order():
    text = explain(PHO, "hai phở gà không hành và kimbap")
    lattice, rest = text.split("Chosen: cost ")
    chosen, rest = rest.split("Runner-up: cost ")
    _, order = rest.split("Order: ")
    assert [row.split()[1] for row in lattice.splitlines() if "  hai  " in row] == ["NUMBER"]
    assert any(row.split()[1:] == ["ITEM", "phở", "gà", "pho-ga"] for row in lattice.splitlines())
    assert "pho-ga x2 {no rau.hanh}" in chosen
    assert "unread: kimbap" in chosen
    assert order.startswith("90000 VND\n    2 x Phở gà {no Hành} 90000, confidence ")
    assert order.endswith("unmatched: kimbap")


def test_an_explanation_names_the_flags_of_a_group():
    assert "REMOVE" in explain(PHO, "bỏ phở gà")
