"""Placing an order: priced from the menu, stored once, and known after the menu changed."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from errors import ItemNotFound, MenuNotFound, OrderConflict, OrderIncomplete, ValidationFailed
from schemas import StoreOrderRequest
from voice.dialog.turn import DialogEngine
from voice.menus.menu import Menu
from voice.store.placing import place_order

pytestmark = pytest.mark.anyio

LINES = [{"item": "coffee", "quantity": 2, "options": [{"group": "size", "choice": "l"}]}, {"item": "tea"}]


def make_request(**changes):
    return StoreOrderRequest.model_validate({"menu": "cafe", "lines": LINES, "customer_id": 7} | changes)


@pytest.fixture
def engine(menu):
    return DialogEngine(menu)


@pytest.fixture
def place(store, engine):
    """Return a call that places an order of one client from the menu, or from another engine."""

    async def call(order_id, request, find_engine=lambda _: engine):
        return await place_order(store, find_engine, "a", order_id, request)

    return call


def no_menu(_):
    raise MenuNotFound


def without_coffee(menu):
    engine = DialogEngine(Menu.model_validate(menu.model_dump() | {"items": {"tea": menu.items["tea"].model_dump()}}))
    return lambda _: engine


async def test_an_order_is_priced_and_stored(place, store):
    order_id = uuid4()
    order, is_new = await place(order_id, make_request(placed_at=datetime(2026, 11, 22, 10, tzinfo=UTC)))
    assert is_new
    assert [(line["item"], line["unit_price"], line["total"]) for line in order["lines"]] == [
        ("coffee", 33000, 66000),
        ("tea", 10000, 10000),
    ]
    expected = {"order_id": str(order_id), "menu": "cafe", "total": 76000, "currency": "VND", "customer_id": 7, "notes": []}
    assert order == expected | {"lines": order["lines"], "placed_at": "2026-11-22T10:00:00Z"}
    assert await store.get_order("a", order_id) == order


async def test_an_order_without_a_time_is_placed_now(place):
    before = datetime.now(UTC).replace(microsecond=0)
    order, _ = await place(uuid4(), make_request())
    assert before <= datetime.fromisoformat(order["placed_at"]) <= datetime.now(UTC)


async def test_the_same_order_again_is_returned_and_another_one_conflicts(place):
    order_id, request = uuid4(), make_request()
    order, _ = await place(order_id, request)
    assert await place(order_id, request) == (order, False)
    with pytest.raises(OrderConflict):
        await place(order_id, make_request(customer_id=8))


@pytest.mark.parametrize("change", ["the menu is gone", "an item is gone"])
async def test_an_order_that_cannot_be_priced_any_more_is_returned_as_it_was_stored(place, menu, change):
    find_engine = no_menu if change == "the menu is gone" else without_coffee(menu)
    order_id, request = uuid4(), make_request()
    order, _ = await place(order_id, request)
    assert await place(order_id, request, find_engine) == (order, False)
    with pytest.raises(OrderConflict):
        await place(order_id, make_request(customer_id=8), find_engine)


async def test_an_order_that_cannot_be_priced_and_is_not_stored_fails_with_the_reason(place, menu):
    with pytest.raises(MenuNotFound):
        await place(uuid4(), make_request(), no_menu)
    with pytest.raises(ItemNotFound):
        await place(uuid4(), make_request(), without_coffee(menu))
    with pytest.raises(ValidationFailed):
        await place(uuid4(), make_request(lines=[{"item": "coffee", "options": [{"group": "size", "choice": "xl"}]}]))


OPEN_CHOICE = [{"item": "coffee", "options": [{"group": "size", "alternatives": ["s", "l"]}]}]
NOTES = [{"kind": "allergy", "line": 1, "text": "no nuts please", "value": "tree-nut"}, {"kind": "rumour", "text": "of an unknown kind"}]


def requiring(menu, **group):
    """Return the menu with another group of sizes."""
    data = menu.model_dump(mode="json")
    data["option_groups"]["size"] |= group
    engine = DialogEngine(Menu.model_validate(data))
    return lambda _: engine


async def test_an_open_choice_makes_an_order_incomplete_at_its_place(place):
    with pytest.raises(OrderIncomplete) as caught:
        await place(uuid4(), make_request(lines=[LINES[1], *OPEN_CHOICE]))
    assert [error["loc"] for error in caught.value.errors] == [["lines", 1, "options", "size"]]


async def test_an_open_choice_that_is_left_out_is_complete(place):
    left_out = [{"item": "coffee", "options": [{"group": "size", "alternatives": ["s", "l"], "amount": "no"}]}]
    assert (await place(uuid4(), make_request(lines=left_out)))[1]


async def test_a_required_group_without_a_choice_makes_an_order_incomplete(place, menu):
    find_engine = requiring(menu, required=True, default=None)
    with pytest.raises(OrderIncomplete) as caught:
        await place(uuid4(), make_request(lines=[{"item": "coffee"}, *LINES]), find_engine)
    assert [error["loc"] for error in caught.value.errors] == [["lines", 0, "options", "size"]]
    assert (await place(uuid4(), make_request(), find_engine))[1]


async def test_nested_options_are_stored_and_missing_ones_make_an_order_incomplete(place, menu):
    large = {"name": "Large", "price": 8000, "options": ["topping"]}
    find_engine = requiring(menu, default=None, choices={"l": large, "s": {"name": "Small"}})
    data = find_engine("cafe").menu.model_dump(mode="json")
    data["option_groups"]["topping"] |= {"required": True}
    data["items"]["coffee"]["options"] = ["size"]
    engine, order_id = DialogEngine(Menu.model_validate(data)), uuid4()

    def line(*nested):
        return {"item": "coffee", "options": [{"group": "size", "choice": "l", "options": list(nested)}]}

    pearls = {"group": "topping", "choice": "pearls", "quantity": 2}
    with pytest.raises(OrderIncomplete) as caught:
        await place(order_id, make_request(lines=[line()]), lambda _: engine)
    assert [error["loc"] for error in caught.value.errors] == [["lines", 0, "options", "topping"]]
    order, is_new = await place(order_id, make_request(lines=[line(pearls)]), lambda _: engine)
    assert (is_new, order["total"]) == (True, 25000 + 8000 + 2 * 5000)
    assert await place(order_id, make_request(lines=[line(pearls)]), lambda _: engine) == (order, False)
    with pytest.raises(OrderConflict):
        await place(order_id, make_request(lines=[line({**pearls, "quantity": 1})]), lambda _: engine)
    with pytest.raises(ValidationFailed) as rejected:
        await place(uuid4(), make_request(lines=[line({"group": "size", "choice": "s"})]), lambda _: engine)
    assert [error["loc"] for error in rejected.value.errors] == [["lines", 0, "options", 0, "options", 0, "group"]]


async def test_an_order_stored_before_the_menu_required_more_is_returned(place, menu):
    order_id, request = uuid4(), make_request(lines=[{"item": "coffee"}])
    order, _ = await place(order_id, request)
    find_engine = requiring(menu, required=True, default=None)
    assert await place(order_id, request, find_engine) == (order, False)
    with pytest.raises(OrderConflict):
        await place(order_id, make_request(lines=[{"item": "coffee", "quantity": 2}]), find_engine)


async def test_the_notes_of_an_order_are_stored_and_belong_to_its_meaning(place, store):
    order_id = uuid4()
    order, _ = await place(order_id, make_request(notes=NOTES))
    assert order["notes"] == NOTES[:1]
    assert (await store.get_order("a", order_id))["notes"] == NOTES[:1]
    assert await place(order_id, make_request(notes=NOTES)) == (order, False)
    with pytest.raises(OrderConflict):
        await place(order_id, make_request())
