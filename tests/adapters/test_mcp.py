"""Language models take orders by tools: with the client of the official SDK, and with plain messages against what an attacker may send."""

import asyncio
import json
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from adapters.mcp_tools import ReadMenu, read_menu
from app import create_app
from settings import ROOT
from tests.adapters.conftest import BEARER, KEY, MENU, bearer
from tests.conftest import KEYS, MANY, SETTINGS
from tests.menus.menu_bodies import menu_body
from voice.menus.menu import Menu
from web.rate_limiter import RateLimiter

pytestmark = pytest.mark.anyio

PATH = "/mcp"
STATE = ("order_id", "menu", "lines", "questions", "changes", "notes")
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


def message(method, **params):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def call(tool, **arguments):
    return message("tools/call", name=tool, arguments=arguments)


LIST = message("tools/list")
WITHOUT_NOTES = {"menu": MENU, "text": "yes", "order_id": str(uuid4()), "lines": [], "questions": [], "changes": []}


class Replicas:
    """Two applications of one service, which answer in turn."""

    def __init__(self, state):
        self.apps = [create_app(SETTINGS.model_copy(update={"mcp": "on"})) for _ in range(2)]
        self.state = state

    async def __call__(self, scope, receive, send):
        self.apps.reverse()
        scope["state"] = dict(self.state)
        await self.apps[0](scope, receive, send)


@pytest.fixture(scope="module")
async def replicas(state):
    running = Replicas(state)
    async with asyncio.timeout(10):
        while not state["menus"].is_synchronised:  # noqa: ASYNC110 - it is no event
            await asyncio.sleep(0.01)
    async with running.apps[0].state.mcp.run(), running.apps[1].state.mcp.run():
        yield running


@asynccontextmanager
async def sending(replicas):
    """A client that sends messages as they are."""
    transport = httpx.ASGITransport(replicas)
    async with httpx.AsyncClient(transport=transport, base_url="http://voice.test", headers=BEARER | JSON) as client:
        yield client


@pytest.fixture
async def raw(replicas):
    async with sending(replicas) as client:
        yield client


@asynccontextmanager
async def connected(url, *, headers=BEARER, mode="auto"):
    """The client of the SDK."""
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(f"{url}{PATH}", http_client=http), mode=mode) as client,
    ):
        yield client


def the_mcp_error(group):
    """Return the only MCPError in groups of exceptions."""
    while isinstance(group, BaseExceptionGroup):
        (group,) = group.exceptions
    assert isinstance(group, MCPError), repr(group)
    return group


# --- Conversations ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_client_takes_an_order_with_a_question_and_stores_it_once(hearing_server, mode):
    async with connected(hearing_server.url, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert list(tools) == ["list_menus", "read_menu", "take_order", "answer", "suggest", "store_order"]
        assert [name for name, tool in tools.items() if not tool.annotations.read_only_hint] == ["store_order"]

        async def use(tool, **arguments):
            result = await client.call_tool(tool, arguments)  # checked against the tool's output schema
            assert not result.is_error, result.content
            return result.structured_content, [part.text for part in result.content]

        menus, (listed,) = await use("list_menus")
        assert [menu["id"] for menu in menus["menus"]] == [MENU]
        assert listed.startswith(f"{MENU}: ")
        menu, (read,) = await use("read_menu", menu=MENU)
        assert menu["menu"]["items"]["latte"]["price"] == 45000
        assert "\nlatte: Latte, 45000; options: size" in read

        order, (said, as_text) = await use("take_order", menu=MENU, text="hi, two large milk teas with pearls")
        assert (order["status"], order["questions"][0]["choices"]) == ("asking", ["black-pearls", "white-pearls"])
        assert said == order["say"]["text"]
        assert json.loads(as_text) == order, "a model that sees only text can go on"
        for utterance, status in (("the black ones", "open"), ("no that's all", "confirming"), ("yes", "confirmed")):
            order, _ = await use("answer", **{name: order[name] for name in STATE}, text=utterance)
            assert order["status"] == status
        basket = [{"item": line["item"], "quantity": line["quantity"]} for line in order["lines"]]
        suggestions, (offered,) = await use("suggest", menu=MENU, items=basket, limit=2)
        assert [offered.count(one["item"]) > 0 for one in suggestions["items"]] == [True, True]

        placed = {name: order[name] for name in ("order_id", "menu", "lines", "notes")}
        stored, (text,) = await use("store_order", **placed)
        assert (stored["total"], stored["is_new"]) == (108000, True)
        assert text == f"Stored as {order['order_id']}, total 108000 VND."
        again, (text,) = await use("store_order", **placed)
        assert again == stored | {"is_new": False}
        assert text.startswith("Nothing was stored")
    async with httpx.AsyncClient(base_url=hearing_server.url, headers=BEARER) as http:
        found = (await http.get(f"/api/v1/voice/order/{order['order_id']}")).json()["data"]
    assert (found["lines"], found["total"]) == (stored["lines"], 108000)


async def test_a_conversation_goes_on_in_another_replica_with_the_notes_of_before(raw):
    order = await result_of(raw, call("take_order", menu=MENU, text="a latte, I have a nut allergy"))
    asked = {name: order[name] for name in STATE}
    order = await result_of(raw, call("answer", **asked, text="and a croissant"))
    assert [note["kind"] for note in order["notes"]] == ["allergy"]
    assert order["order_id"] == asked["order_id"]
    # Some models write lists as text.
    order = await result_of(raw, call("answer", **asked | {"lines": json.dumps(asked["lines"]), "notes": "[]"}, text="and a croissant"))
    assert (len(order["lines"]), order["notes"]) == (2, [])


async def result_of(raw, sent):
    reply = await raw.post(PATH, json=sent)
    assert reply.status_code == 200, reply.text
    result = reply.json()["result"]
    return result["content"][0]["text"] if result.get("isError") else result["structuredContent"]


async def test_a_menu_with_names_by_language_is_read_with_all_of_them(raw, client):
    put = await client.put("/api/v1/voice/menus/stall", content=menu_body(), headers=KEYS | JSON | {"If-None-Match": "*"})
    assert put.status_code == 201
    text = (await raw.post(PATH, json=call("read_menu", menu="stall"))).json()["result"]["content"][0]["text"]
    assert text.splitlines() == [
        "Quán Nhỏ / The Stall, page 1 of 1; prices in the minor unit of VND",
        "pho: Phở bò / beef noodle soup, 30000; options: size, dip",
        "tra: Trà đá / iced tea, 5000",
        "option size (Cỡ): Nhỏ +0, Lớn +8000",
        "option dip (Chấm): Nước tương +0, Trứng +0",
    ]
    await client.delete("/api/v1/voice/menus/stall", headers=KEYS | {"If-Match": put.headers["etag"]})


async def test_a_large_menu_is_read_in_pages_with_the_options_of_their_items():
    groups = {
        "size": {"name": "Size", "choices": {"s": {"name": "Small", "options": ["cup"]}}},
        "cup": {"name": "Cup", "choices": {"paper": {"name": "Paper"}}},
        "sauce": {"name": "Sauce", "choices": {"soy": {"name": "Soy"}}},
    }
    items = {f"dish-{n}": {"name": f"Dish {n}", "price": n, "options": ["size"] if n == 200 else ["sauce"]} for n in range(201)}
    menu = Menu.model_validate({"id": "large", "name": "Large", "currency": "USD", "option_groups": groups, "items": items})

    class OneMenu:
        def get(self, _client, _menu):
            return SimpleNamespace(menu=menu)

    state: Any = {"menus": OneMenu()}
    first, second, third = [await read_menu(state, "demo", ReadMenu(page=page)) for page in (1, 2, 3)]
    assert (len(first.content["menu"]["items"]), list(first.content["menu"]["option_groups"])) == (200, ["sauce"])
    assert (list(second.content["menu"]["items"]), list(second.content["menu"]["option_groups"])) == (["dish-200"], ["size", "cup"])
    assert (second.content["pages"], second.texts[0].splitlines()[1]) == (2, "dish-200: Dish 200, 200; options: size")
    assert third.content["menu"]["items"] == {}


# --- Errors -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "arguments", "error"),
    [
        ("read_menu", {"menu": "nope"}, "MENU_NOT_FOUND: No menu has this id."),
        ("take_order", {"menu": "nope", "text": "a latte"}, "MENU_NOT_FOUND: No menu has this id."),
        ("take_order", {"menu": MENU}, "VALIDATION_FAILED: text: Field required"),
        ("take_order", {"menu": MENU, "text": "x" * 2001}, "VALIDATION_FAILED: text: String should have at most 2000 characters"),
        ("answer", WITHOUT_NOTES, "VALIDATION_FAILED: notes: Field required"),
        ("answer", WITHOUT_NOTES | {"notes": [], "lines": "["}, "VALIDATION_FAILED: lines: Input should be a valid array"),
        ("suggest", {"menu": MENU, "items": [{"item": "nope"}]}, "ITEM_NOT_FOUND: The menu has no item 'nope'."),
        (
            "store_order",
            {"menu": MENU, "order_id": str(uuid4()), "lines": [{"item": "combo-sang"}], "notes": []},
            "ORDER_INCOMPLETE: lines.0.options.combo-sandwich: 1 needed, 0 chosen",
        ),
        ("store_order", {"menu": MENU, "order_id": str(uuid4()), "lines": [], "notes": []}, "VALIDATION_FAILED: lines: "),
    ],
)
async def test_an_error_is_a_result_that_the_model_can_read(raw, tool, arguments, error):
    text = await result_of(raw, call(tool, **arguments))
    assert isinstance(text, str), text
    assert text.startswith(error)


async def test_an_order_under_the_id_of_another_is_a_conflict(raw):
    arguments = {"menu": MENU, "order_id": str(uuid4()), "notes": []}
    assert (await result_of(raw, call("store_order", **arguments, lines=[{"item": "latte"}])))["is_new"]
    text = await result_of(raw, call("store_order", **arguments, lines=[{"item": "croissant"}]))
    assert text == "ORDER_CONFLICT: Another order is stored under this id."


async def test_a_client_calls_only_the_tools_of_its_scopes(raw):
    refused = "AUTHORIZATION_FAILED: The client lacks the scope that this route requires."
    arguments: dict[str, dict[str, Any]] = {
        "take_order": {"text": "a latte"},
        "answer": WITHOUT_NOTES,
        "suggest": {"menu": MENU, "items": []},
    }
    for client, scope in (("order", {"take_order", "answer", "store_order"}), ("recommend", {"suggest"})):
        raw.headers.update(bearer(client))
        tools = ("list_menus", "read_menu", "take_order", "answer", "suggest", "store_order")
        replies = {tool: await result_of(raw, call(tool, **arguments.get(tool, {}))) for tool in tools}
        assert {tool for tool in tools if replies[tool] != refused} == {"list_menus", "read_menu"} | scope


async def test_calls_are_counted_by_tool_and_outcome(state):
    app = create_app(SETTINGS.model_copy(update={"mcp": "on"}))
    alone = Replicas.__new__(Replicas)
    alone.apps, alone.state = [app], state
    async with app.state.mcp.run(), sending(alone) as raw:
        for menu in (MENU, "nope", "nope"):
            await result_of(raw, call("take_order", text="a latte", menu=menu))
        assert (await raw.post(PATH, json=call("nope"))).json()["error"]["message"] == "There is no tool 'nope'."
    counted = {
        (sample.labels["tool"], sample.labels["error"]): sample.value
        for metric in app.state.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "voice_mcp_calls_total"
    }
    assert counted == {("take_order", "none"): 1, ("take_order", "menu_not_found"): 2}


# --- Admission and attacks ----------------------------------------------------------------------------------------------------------


async def test_a_token_is_accepted_and_wrong_credentials_are_refused_with_their_sentence(hearing_server):
    url = hearing_server.url
    async with httpx.AsyncClient(base_url=url) as http:
        tokens = (await http.post("/api/v1/auth/token", json={"secret_id": "demo", "secret_key": "demo-secret"})).json()["data"]
        async with connected(url, headers={"Authorization": f"Bearer {tokens['access_token']}"}) as client:
            assert not (await client.call_tool("list_menus", {})).is_error
        for headers, status, sentence in (
            ({"Authorization": "Bearer demo~not-the-secret"}, 400, "INVALID_CREDENTIALS: No client has this id and this key."),
            ({"Authorization": "Bearer x.y.z"}, 401, "INVALID_TOKEN: "),
            ({}, 401, "AUTHENTICATION_REQUIRED: "),
        ):
            with pytest.raises((MCPError, BaseExceptionGroup)) as refused:
                async with connected(url, headers=headers):
                    pass
            assert the_mcp_error(refused.value).error.message.startswith(sentence)
            reply = await http.post(PATH, json=LIST, headers=JSON | headers)
            assert (reply.status_code, reply.headers.get("www-authenticate")) == (status, "Bearer" if status == 401 else None)
            assert (reply.json()["id"], reply.json()["error"]["data"]["request_id"]) == (None, reply.headers["x-request-id"])


async def test_floods_are_limited_in_the_form_of_the_protocol(raw, replicas, state, monkeypatch):
    def limit(**amounts):
        limiter = RateLimiter({"requests": MANY, "speech": MANY, "failed": MANY} | amounts)
        monkeypatch.setattr(replicas, "state", state | {"admission": replace(state["admission"], limiter=limiter)})

    limit(requests="2/minute")
    replies = [await raw.post(PATH, json=LIST) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert replies[2].json()["error"]["data"]["error"] == "RATE_LIMITED"
    assert int(replies[2].headers["retry-after"]) >= 1
    limit(failed="2/minute")
    wrong = {"Authorization": f"Bearer {KEY}x"}
    assert [(await raw.post(PATH, json=LIST, headers=wrong)).status_code for _ in range(3)] == [400, 400, 429]
    assert (await raw.post(PATH, json=LIST)).status_code == 200, "the right key still works"


async def test_a_message_that_is_too_large_is_refused_before_it_is_parsed(raw):
    large = json.dumps(call("take_order", text="x" * 1_048_576)).encode()

    async def chunks():
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    for content in (large, chunks()):
        reply = await raw.post(PATH, content=content)
        assert (reply.status_code, reply.json()["error"]["data"]["error"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("version", [{}, {"MCP-Protocol-Version": "2025-06-18"}, {"MCP-Protocol-Version": "2026-07-28"}])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"[%b]" % json.dumps(LIST).encode(),
        b"[" * 100_000,
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": %b1%b}' % (b'{"a":' * 10_000, b"}" * 10_000),
        b'{"jsonrpc": "2.0", "id": %b, "method": "tools/list"}' % (b"9" * 5000),
        json.dumps(call("take_order", text="a\ud800")).encode(),
        b'{"jsonrpc": "2.0", "id": null, "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": [1]}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "answer", "arguments": []}}',
    ],
)
async def test_malformed_messages_get_an_error_of_the_protocol(raw, body, version):
    reply = await raw.post(PATH, content=body, headers=version)
    assert reply.status_code in {200, 400, 404, 422}, reply.text
    assert set(reply.json()) == {"jsonrpc", "id", "error"}
    assert "input_value" not in reply.text, "the message is quoted"


async def test_other_methods_and_types_are_refused(raw):
    for method in ("GET", "DELETE", "PUT"):  # a GET would be a stream without events
        reply = await raw.request(method, PATH)
        assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert (await raw.post(PATH, content=b"{}", headers={"Content-Type": "text/plain"})).status_code == 415
    assert (await raw.post(PATH, json=LIST, headers={"Accept": "text/html"})).status_code == 406
    assert (await raw.post(PATH, json={"jsonrpc": "2.0", "method": "notifications/initialized"})).status_code == 202


async def test_others_are_served_while_the_endpoint_is_flooded(hearing_server):
    bodies = [
        json.dumps(call("take_order", text="hai ly sinh tố bơ lớn và ba bánh mì ốp la")),
        json.dumps(call("read_menu")),
        "[" * 200_000,
    ]
    async with httpx.AsyncClient(base_url=hearing_server.url, timeout=60) as http:
        flood = [asyncio.create_task(http.post(PATH, content=body, headers=BEARER | JSON)) for body in bodies * 10]
        longest_s, n_answered = 0.0, 0
        while not all(one.done() for one in flood):
            started = time.perf_counter()
            assert (await http.get("/healthcheck")).status_code == 200
            longest_s = max(longest_s, time.perf_counter() - started)
            n_answered += 1
        assert sorted({(await one).status_code for one in flood}) == [200, 400]
    assert n_answered
    assert longest_s < 1


# --- The setting --------------------------------------------------------------------------------------------------------------------


async def test_the_tools_are_off_by_default(client):
    assert (await client.post(PATH, json=LIST)).status_code == 404


def test_the_setting_without_its_packages_stops_the_start():
    program = (
        "import importlib.util as util; find = util.find_spec; util.find_spec = lambda name: None if name == 'mcp' else find(name); "
        "from settings import Settings, read_settings; read_settings(Settings)"
    )
    started = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"MCP": "on"}, capture_output=True, check=False, text=True
    )
    assert (started.returncode, started.stderr) == (2, "MCP: needs the packages of requirements-mcp.txt\n")
