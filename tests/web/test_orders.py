from uuid import uuid4

import pytest

from tests.conftest import CLIENT_KEYS, client_of

pytestmark = pytest.mark.anyio

ORDER, ORDERS = "/api/v1/voice/order", "/api/v1/voice/orders"
BODY = {"menu": "quan-nha", "lines": [{"item": "ca-phe-muoi"}], "placed_at": "2026-11-22T10:00:00Z"}


@pytest.fixture
async def stranger_with_orders(state):
    async with client_of(state, headers={"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}) as client:
        yield client


async def test_an_order_is_listed_cancelled_and_listed_again(client):
    path = f"{ORDER}/{uuid4()}"
    await client.put(path, json=BODY)
    listed = (await client.get(ORDERS, params={"limit": 200})).json()["data"]
    while listed["more"]:
        listed = (await client.get(ORDERS, params={"limit": 200, "after": listed["after"]})).json()["data"]
    assert listed["orders"][-1] == (await client.get(path)).json()["data"]
    cancelled = await client.delete(path, params={"reason": "Khách đổi ý."})
    assert (cancelled.status_code, cancelled.json()["data"]["cancelled"]["reason"]) == (200, "Khách đổi ý.")
    again = (await client.get(ORDERS, params={"after": listed["after"]})).json()["data"]
    assert again["orders"] == [cancelled.json()["data"]]
    assert (await client.delete(path)).json()["data"] == cancelled.json()["data"]
    conflict = await client.delete(path, params={"reason": "Sold out."})
    assert (conflict.status_code, conflict.json()["data"]["error"]) == (409, "ORDER_CONFLICT")
    assert (await client.put(path, json=BODY)).json()["data"] == cancelled.json()["data"]


async def test_another_clients_order_is_neither_listed_nor_cancelled(client, stranger_with_orders):
    path = f"{ORDER}/{uuid4()}"
    order = (await client.put(path, json=BODY)).json()["data"]
    assert (await stranger_with_orders.delete(path)).json()["data"]["error"] == "ORDER_NOT_FOUND"
    assert order not in (await stranger_with_orders.get(ORDERS)).json()["data"]["orders"]
    assert "cancelled" not in (await client.get(path)).json()["data"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"after": "1"}, "after"),
        ({"after": "-1-1"}, "after"),
        ({"after": "9999999999999999999-1"}, "after"),
        ({"limit": "0"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"status": "eaten"}, "status"),
        ({"placed_from": "noon"}, "placed_from"),
        ({"customer_id": "0"}, "customer_id"),
        ({"page": "2"}, "page"),
    ],
)
async def test_a_malformed_query_names_its_field(client, query, field):
    reply = await client.get(ORDERS, params=query)
    assert (reply.status_code, [error["loc"] for error in reply.json()["data"]["errors"]]) == (422, [[field]])


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\nb", "\x00"])
async def test_a_malformed_reason_cancels_nothing(client, reason):
    path = f"{ORDER}/{uuid4()}"
    await client.put(path, json=BODY)
    reply = await client.delete(path, params={"reason": reason})
    assert (reply.status_code, reply.json()["data"]["errors"][0]["loc"]) == (422, ["reason"])
    assert "cancelled" not in (await client.get(path)).json()["data"]


async def test_an_order_id_that_is_none_is_not_found(client):
    assert (await client.delete(f"{ORDER}/7")).json()["data"]["error"] == "ORDER_NOT_FOUND"


async def test_listing_and_cancelling_need_the_scope(state, stranger):
    async with client_of(state, headers={"X-Secret-Id": "recommend", "X-Secret-Key": CLIENT_KEYS["recommend"]}) as client:
        for reply in (await client.get(ORDERS), await client.delete(f"{ORDER}/{uuid4()}")):
            assert reply.json()["data"]["error"] == "AUTHORIZATION_FAILED"
    assert (await stranger.get(ORDERS)).status_code == 401
