import asyncio
from uuid import uuid4

import orjson
import pytest

from errors import Overloaded
from tests.conftest import CLIENT_KEYS, SETTINGS, client_of
from tests.menus.menu_bodies import menu_body
from tests.web.routes import MENU, MENUS, ORDER, RECOMMEND, loc_of
from web.cors import Cors

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}
NEW = {**JSON, "If-None-Match": "*"}
OTHER = {"X-Secret-Id": "menu", "X-Secret-Key": CLIENT_KEYS["menu"]}


def error_of(response):
    return response.status_code, response.json()["data"]["error"]


@pytest.fixture
async def stall(client):
    """The path of a menu of the client's own, and its ETag."""
    menu_id = f"stall-{uuid4().hex[:8]}"
    path = f"{MENUS}/{menu_id}"
    response = await client.put(path, content=menu_body(menu_id), headers=NEW)
    assert response.status_code == 201
    yield path, menu_id, response.headers["etag"]
    await client.delete(path, headers={"If-Match": "*"})


async def test_a_menu_is_put_served_replaced_and_deleted(client, stall):
    path, menu_id, etag = stall
    found = await client.get(path)
    assert (found.status_code, found.headers["etag"]) == (200, etag)
    assert found.json()["data"]["menu"]["items"]["pho"]["price"] == 30000
    assert menu_id in [menu["id"] for menu in (await client.get(MENUS)).json()["data"]["menus"]]

    order = (await client.post(ORDER, json={"menu": menu_id, "text": "hai phở bò lớn"})).json()["data"]
    assert (order["total"], order["lines"][0]["item"]) == (76000, "pho")
    suggested = await client.post(RECOMMEND, json={"menu": menu_id, "items": [{"item": "pho"}]})
    assert [one["item"] for one in suggested.json()["data"]["items"]] == ["tra"]
    stored = await client.put(f"{ORDER}/{uuid4()}", json={"menu": menu_id, "lines": [{"item": "pho"}]})
    assert stored.status_code == 201

    replaced = await client.put(path, content=menu_body(menu_id, price=1), headers={**JSON, "If-Match": etag})
    assert (replaced.status_code, replaced.headers["etag"] != etag) == (200, True)
    assert replaced.json()["data"]["menu"]["items"]["pho"]["price"] == 1
    deleted = await client.delete(path, headers={"If-Match": replaced.headers["etag"]})
    assert (deleted.status_code, deleted.json()["data"]) == (200, {"id": menu_id})
    for response in (
        await client.get(path),
        await client.post(ORDER, json={"menu": menu_id, "text": "phở"}),
        await client.post(RECOMMEND, json={"menu": menu_id, "items": []}),
        await client.delete(path, headers={"If-Match": "*"}),
        await client.patch(f"{path}/items/pho", json={"available": False}),
        await client.patch(f"{path}/groups/size/choices/s", json={"available": False}),
    ):
        assert error_of(response) == (404, "MENU_NOT_FOUND")


async def test_a_menu_of_another_client_is_not_found(state, stall):
    path, menu_id, _ = stall
    async with client_of(state, headers=OTHER) as other:
        assert error_of(await other.get(path)) == (404, "MENU_NOT_FOUND")
        assert error_of(await other.delete(path, headers={"If-Match": "*"})) == (404, "MENU_NOT_FOUND")
        assert error_of(await other.patch(f"{path}/items/pho", json={"available": False})) == (404, "MENU_NOT_FOUND")
        assert menu_id not in [menu["id"] for menu in (await other.get(MENUS)).json()["data"]["menus"]]
        own = await other.put(path, content=menu_body(menu_id, price=7), headers=NEW)
        assert own.status_code == 201
        await other.delete(path, headers={"If-Match": own.headers["etag"]})
    for scope in ("speech", "order", "recommend"):
        async with client_of(state, headers={"X-Secret-Id": scope, "X-Secret-Key": CLIENT_KEYS[scope]}) as without:
            assert error_of(await without.put(path, content=b"{}", headers=NEW)) == (403, "AUTHORIZATION_FAILED")
            assert error_of(await without.patch(f"{path}/items/pho", json={"available": False})) == (403, "AUTHORIZATION_FAILED")
            assert error_of(await without.get(path)) == (404, "MENU_NOT_FOUND")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, (428, "PRECONDITION_REQUIRED")),
        ({"If-None-Match": "*"}, (412, "PRECONDITION_FAILED")),
        ({"If-Match": '"other"'}, (412, "PRECONDITION_FAILED")),
        ({"If-Match": "not quoted"}, (412, "PRECONDITION_FAILED")),
        ({"If-Match": ""}, (412, "PRECONDITION_FAILED")),
    ],
)
async def test_a_change_without_the_present_etag_is_refused(client, stall, headers, expected):
    path, menu_id, etag = stall
    assert error_of(await client.put(path, content=menu_body(menu_id, price=1), headers=JSON | headers)) == expected
    assert error_of(await client.delete(path, headers=headers)) == expected
    assert (await client.get(path)).headers["etag"] == etag


@pytest.mark.parametrize("given", ["{etag}", "W/{etag}", '"other", {etag}', "*"])
async def test_the_present_etag_is_recognised_in_every_form(client, stall, given):
    path, menu_id, etag = stall
    response = await client.put(path, content=menu_body(menu_id, price=1), headers={**JSON, "If-Match": given.format(etag=etag)})
    assert response.status_code == 200


async def test_a_menu_that_is_not_there_matches_no_etag(client):
    response = await client.put(f"{MENUS}/nowhere", content=menu_body("nowhere"), headers={**JSON, "If-Match": "*"})
    assert error_of(response) == (412, "PRECONDITION_FAILED")


async def test_of_ten_puts_at_once_one_is_taken(client, stall):
    path, menu_id, etag = stall
    puts = [client.put(path, content=menu_body(menu_id, price=price), headers={**JSON, "If-Match": etag}) for price in range(1, 6)]
    statuses = sorted([response.status_code for response in await asyncio.gather(*puts)])
    assert statuses == [200, 412, 412, 412, 412]


async def test_the_menus_of_the_service_are_no_clients(client):
    path = f"{MENUS}/{MENU}"
    etag = (await client.get(path)).headers["etag"]
    for headers in ({}, {"If-Match": etag}, {"If-None-Match": "*"}):
        assert error_of(await client.put(path, content=menu_body(MENU), headers=JSON | headers)) == (409, "MENU_CONFLICT")
        assert error_of(await client.delete(path, headers=headers)) == (409, "MENU_CONFLICT")


async def test_every_fault_is_at_its_place(client):
    menu = orjson.loads(menu_body("faulty", currency="dong"))
    menu["items"]["pho"] |= {"price": "4.50", "options": ["size", "colour"]}
    menu["option_groups"]["size"]["default"] = "m"
    response = await client.put(f"{MENUS}/other", json=menu, headers={"If-None-Match": "*"})
    assert error_of(response) == (422, "VALIDATION_FAILED")
    assert sorted(loc_of(response), key=str) == sorted(
        [["currency"], ["items", "pho", "price"], ["items", "pho", "options", 1], ["option_groups", "size", "default"], ["id"]], key=str
    )
    assert "4.50" not in response.text


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        (b"{", NEW, (400, "BAD_REQUEST")),
        (b"id: x", NEW, (400, "BAD_REQUEST")),
        (b"\xff", NEW, (400, "BAD_REQUEST")),
        (b"[]", NEW, (422, "VALIDATION_FAILED")),
        (b"{}", {"Content-Type": "application/yaml", "If-None-Match": "*"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
        (b" " * 1_048_577, NEW, (413, "PAYLOAD_TOO_LARGE")),
    ],
)
async def test_a_body_that_is_no_menu_is_refused(client, body, headers, expected):
    assert error_of(await client.put(f"{MENUS}/stall", content=body, headers=headers)) == expected


async def test_an_item_and_a_choice_sell_out_and_come_back(client, stall):
    path, menu_id, etag = stall

    async def ordered(text):
        order = (await client.post(ORDER, json={"menu": menu_id, "text": text})).json()["data"]
        return len(order["lines"]), [question["kind"] for question in order["questions"] if question["blocks"]]

    assert await ordered("một trà đá") == (1, [])
    gone = await client.patch(f"{path}/items/tra", json={"available": False})
    assert (gone.status_code, gone.json()["data"]) == (200, {"menu": menu_id, "item": "tra", "available": False})
    assert await ordered("một trà đá") == (0, ["unavailable"])
    large = await client.patch(f"{path}/groups/size/choices/l", json={"available": False})
    assert large.json()["data"] == {"menu": menu_id, "group": "size", "choice": "l", "available": False}
    found = await client.get(path)
    assert found.headers["etag"] == etag
    menu = found.json()["data"]["menu"]
    assert (menu["items"]["tra"]["available"], menu["option_groups"]["size"]["choices"]["l"]["available"]) == (False, False)
    assert "tra" not in (await client.post(RECOMMEND, json={"menu": menu_id, "items": []})).text
    await client.patch(f"{path}/items/tra", json={"available": True})
    assert await ordered("một trà đá") == (1, [])
    assert "tra" in (await client.post(RECOMMEND, json={"menu": menu_id, "items": []})).text


async def test_on_a_menu_of_the_service_it_acts_for_all(client, state):
    path = f"{MENUS}/{MENU}/items/latte"
    await client.patch(path, json={"available": False})
    try:
        async with client_of(state, headers={"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}) as other:
            order = (await other.post(ORDER, json={"menu": MENU, "text": "một latte"})).json()["data"]
        assert [question["kind"] for question in order["questions"]] == ["unavailable"]
    finally:
        await client.patch(path, json={"available": True})
    assert (await client.get(f"{MENUS}/{MENU}")).json()["data"]["menu"]["items"]["latte"]["available"]


@pytest.mark.parametrize(
    ("place", "body", "expected"),
    [
        ("items/bun", {"available": False}, (422, "ITEM_NOT_FOUND")),
        ("groups/colour/choices/s", {"available": False}, (422, "VALIDATION_FAILED")),
        ("groups/size/choices/xl", {"available": False}, (422, "VALIDATION_FAILED")),
        ("items/pho", {"available": "no"}, (422, "VALIDATION_FAILED")),
        ("items/pho", {"available": False, "price": 1}, (422, "VALIDATION_FAILED")),
        ("items/pho", {}, (422, "VALIDATION_FAILED")),
    ],
)
async def test_what_the_menu_lacks_cannot_sell_out(client, stall, place, body, expected):
    assert error_of(await client.patch(f"{stall[0]}/{place}", json=body)) == expected


async def test_without_a_store_nothing_is_changed(state, client, stall):
    class Unreachable:
        def __getattr__(self, name):
            async def call(*_):
                raise Overloaded

            return call

    menus = type(state["menus"])(state["menus"]._shared._directory, state["menus"]._compile_menu, Unreachable())  # noqa: SLF001
    path, menu_id, _ = stall
    async with client_of(state, menus=menus) as lonely:
        for response in (
            await lonely.get(path),
            await lonely.put(path, content=menu_body(menu_id), headers=NEW),
            await lonely.delete(path, headers={"If-Match": "*"}),
            await lonely.patch(f"{path}/items/pho", json={"available": False}),
        ):
            assert error_of(response) == (503, "OVERLOADED")
            assert response.headers["retry-after"] == "1"
    assert (await client.get(path)).status_code == 200


def test_a_browser_may_read_the_etag_and_send_it_back():
    origin = b"https://till.example"
    cors = Cors([origin.decode()], None, SETTINGS.cors_headers)
    assert b"ETag" in dict(cors.headers_for(origin))[b"access-control-expose-headers"].split(b", ")
    assert {"If-Match", "If-None-Match"} <= set(cors.preflight(origin).headers["access-control-allow-headers"].split(", "))
