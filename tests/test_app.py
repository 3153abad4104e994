import asyncio
import base64
import json
from typing import ClassVar
from uuid import uuid4

import httpx
import pytest

from errors import Overloaded
from schemas import LineRequest, OptionRequest
from settings import ROOT, project_version
from tests.conftest import CLIENT_KEYS, DOCUMENT, client_of
from tests.web.fakes import FixedRecogniser
from tests.web.routes import MENU, ORDER, RECOMMEND, SPEECH
from voice.asr.audio import decode
from voice.dialog.turn import DialogEngine
from voice.menus.menu import Menu
from voice.menus.served import ServedMenus

pytestmark = pytest.mark.anyio
ORDER_ID = "5f0c2f1e-8d3b-4a51-9c56-d1f2b7a9e604"  # of no order

# --- Routing and the edge -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/healthcheck", "/api/v1/healthcheck"])
async def test_health_answers_without_credentials(stranger, path):
    response = await stranger.get(path)
    healthy = {"code": 200, "msg": "Healthy.", "data": {"status": "ok", "version": project_version()}}
    assert (response.status_code, response.json()) == (200, healthy)


@pytest.mark.parametrize(
    "path",
    ["/nope", "/healthcheck/", "/api/v1/voice/order/", "//evil.example/", "/api/v1/voice/../../etc", "/%00", "/api/v2/voice/order"],
)
async def test_an_odd_path_is_not_found_in_the_envelope_and_never_redirected(client, path):
    response = await client.get(httpx.URL("http://voice.test", raw_path=path.encode()), headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["data"]["error"]) == (404, "NOT_FOUND")
    assert "evil" not in response.text + str(response.headers)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("TRACE", "/healthcheck", "GET, HEAD"),
        ("PROPFIND", ORDER, "POST"),
        ("OPTIONS", ORDER, "POST"),
        ("PATCH", f"{ORDER}/{ORDER_ID}", "DELETE, GET, HEAD, PUT"),
        ("GET", "/api/v1/auth/token", "POST"),
    ],
)
async def test_another_method_is_rejected_with_the_allowed_ones(client, method, path, allow):
    response = await client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allow)
    assert response.json()["data"]["error"] == "METHOD_NOT_ALLOWED"


# --- Orders -------------------------------------------------------------------------------------------------------------------------


async def test_an_utterance_becomes_a_priced_order(client):
    response = await client.post(ORDER, json={"menu": MENU, "text": "cho mình hai cà phê sữa"})
    order = response.json()["data"]
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("ca-phe-sua", 2)]
    assert order["total"] == sum(line["total"] for line in order["lines"]) > 0


async def test_a_line_may_be_sent_back_and_its_price_comes_from_the_menu(client):
    first = (await client.post(ORDER, json={"menu": MENU, "text": "một cà phê sữa"})).json()["data"]
    cheap = [{**line, "unit_price": 1, "total": 1, "name": "canary"} for line in first["lines"]]
    again = (await client.post(ORDER, json={"menu": MENU, "text": "và một cà phê đen", "lines": cheap})).json()["data"]
    assert again["lines"][0]["total"] == first["total"]
    assert len(again["lines"]) == 2


@pytest.mark.parametrize("value", [[{}], {"a": [1]}, "x", 7, 1.5, True, None], ids=repr)
def test_an_ignored_field_accepts_any_value_and_drops_it(value):
    ignored = {"line": ("name", "unit_price", "total", "confidence", "span"), "option": ("name", "price")}
    option = {"group": "size", "choice": "l"} | dict.fromkeys(ignored["option"], value)
    line = {"item": "latte", "options": [option]} | dict.fromkeys(ignored["line"], value)
    for read in (LineRequest.model_validate_json(json.dumps(line)), LineRequest.model_validate(line)):
        assert [getattr(read, name) for name in ignored["line"]] == [None] * 5
        assert [getattr(read.options[0], name) for name in ignored["option"]] == [None] * 2
        assert read.options == [OptionRequest(group="size", choice="l")]


def test_ignored_fields_are_described_as_any_value():
    for schema in (
        DOCUMENT["components"]["schemas"]["LineRequest"]["properties"]["span"],
        DOCUMENT["components"]["schemas"]["OptionRequest"]["properties"]["price"],
    ):
        assert not {"type", "anyOf", "$ref"} & schema.keys()


@pytest.fixture
def sold_out(state, tmp_path):
    """The menu without lattes: they stand there, and are not available."""
    menu = (ROOT / f"menus/{MENU}.yaml").read_text("utf-8")
    (tmp_path / f"{MENU}.yaml").write_text(menu.replace("latte: {", "latte: {available: false, ", 1), "utf-8")
    menus = ServedMenus(tmp_path, DialogEngine, state["store"])
    menus.refresh()
    return client_of(state, menus=menus)


@pytest.mark.parametrize("text", ["thêm một ly nữa", "một latte nữa", "make it three lattes", "another one", "one more", "mỗi thứ ba phần"])
async def test_the_quantity_of_an_unavailable_item_is_not_increased(sold_out, text):
    async with sold_out as client:
        order = (await client.post(ORDER, json={"menu": MENU, "text": text, "lines": [{"item": "latte", "quantity": 2}]})).json()["data"]
    assert [(line["item"], line["quantity"], line["span"]) for line in order["lines"]] == [("latte", 2, None)]
    assert [question["kind"] for question in order["questions"]] == ["unavailable"]
    assert "latte" not in order["questions"][0]["choices"]
    assert order["changes"] == []


@pytest.mark.parametrize(("text", "left"), [("bớt một latte", [("latte", 1)]), ("bỏ latte", [])])
async def test_an_unavailable_item_may_be_reduced_or_removed(sold_out, text, left):
    async with sold_out as client:
        order = (await client.post(ORDER, json={"menu": MENU, "text": text, "lines": [{"item": "latte", "quantity": 2}]})).json()["data"]
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == left
    assert not any(question["blocks"] for question in order["questions"])


async def test_the_only_menu_need_not_be_named(client):
    assert (await client.post(ORDER, json={"text": "một cà phê sữa"})).json()["data"]["menu"] == MENU


async def test_an_unknown_menu_is_not_found(client):
    for path, body in ((ORDER, {"menu": "nope", "text": "x"}), (RECOMMEND, {"menu": "nope", "items": []})):
        response = await client.post(path, json=body)
        assert (response.status_code, response.json()["data"]["error"]) == (404, "MENU_NOT_FOUND")
    assert (await client.get("/api/v1/voice/menus/nope")).json()["data"]["error"] == "MENU_NOT_FOUND"


async def test_a_menu_is_given_as_loaded_and_could_be_loaded_again(client, state):
    loaded = state["menus"].get("demo", MENU).menu
    given = (await client.get(f"/api/v1/voice/menus/{MENU}")).json()["data"]["menu"]
    assert given["items"]["ca-phe-sua"]["name"] == {"vi": "Cà phê sữa", "en": "Milk coffee"}
    assert given["option_groups"]["combo-drink"]["choices"]["juice"] == {"item": "nuoc-cam", "price": 6000, "available": True}
    assert Menu.model_validate(given).model_dump() == loaded.model_dump()


async def test_a_spoken_order_is_recognised_with_the_menus_words_and_carries_its_transcript(state):
    recogniser = FixedRecogniser("hai cà phê sữa")
    async with client_of(state, recogniser=recogniser) as client:
        order = (await client.post(ORDER, json={"menu": MENU, "audio": "AAAA", "language": "vi"})).json()["data"]
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("ca-phe-sua", 2)]
    assert order["transcript"]["text"] == "hai cà phê sữa"
    (asked,) = recogniser.calls
    engine = state["menus"].get("demo", MENU)
    assert (asked["audio"], asked["language"], asked["client"]) == (b"\0\0\0", "vi", "demo")
    assert (asked["phrases"], asked["languages"]) == (engine.vocabulary, engine.menu.languages)


async def test_confusable_words_are_scored_by_the_menu_and_the_order_so_far(state):
    recogniser = FixedRecogniser("hai cà phê sữa")
    lines = [{"item": "ca-phe-sua", "quantity": 2}]
    async with client_of(state, recogniser=recogniser) as client:
        await client.post(ORDER, json={"menu": MENU, "audio": "AAAA", "lines": lines})
        await client.post(SPEECH, json={"menu": MENU, "audio": "AAAA"})
        await client.post(SPEECH, json={"audio": "AAAA"})
    with_order, with_menu, alone = (asked["scorer"] for asked in recogniser.calls)
    assert with_menu("bỏ cà phê sữa") > with_order("bỏ cà phê sữa")
    assert with_menu("năm cà phê sữa") < with_menu("làm cà phê sữa")
    assert with_menu("hôm nay trời đẹp quá") is None
    assert alone is None


async def test_silence_leaves_the_order_unchanged(state, client):
    first = (await client.post(ORDER, json={"menu": MENU, "text": "một cà phê sữa"})).json()["data"]
    async with client_of(state, recogniser=FixedRecogniser("")) as deaf:
        after = (await deaf.post(ORDER, json={"menu": MENU, "audio": "AAAA", "lines": first["lines"]})).json()["data"]
    assert (after["total"], after["changes"]) == (first["total"], [])
    assert [line["item"] for line in after["lines"]] == [line["item"] for line in first["lines"]]


async def test_an_order_is_stored_once_and_found_again(client):
    path = f"{ORDER}/{uuid4()}"
    body = {"menu": MENU, "lines": [{"item": "ca-phe-sua", "quantity": 2}], "customer_id": 2**53 - 1}
    created = await client.put(path, json=body)
    again = await client.put(path, json=body)
    found = await client.get(path)
    assert [created.status_code, again.status_code, found.status_code] == [201, 200, 200]
    assert created.json()["data"] == again.json()["data"] == found.json()["data"]
    assert created.json()["data"]["placed_at"].endswith("Z")
    conflict = await client.put(path, json={**body, "customer_id": 8})
    assert (conflict.status_code, conflict.json()["data"]["error"]) == (409, "ORDER_CONFLICT")


async def test_a_stored_order_is_returned_after_its_menu_was_removed(state, client, tmp_path):
    path = f"{ORDER}/{uuid4()}"
    body = {"menu": MENU, "lines": [{"item": "ca-phe-sua", "quantity": 2}]}
    created = await client.put(path, json=body)
    menus = ServedMenus(tmp_path, DialogEngine, state["store"])
    await menus.catch_up()
    async with client_of(state, menus=menus) as later:
        again = await later.put(path, json=body)
        other = await later.put(path, json={**body, "customer_id": 8})
        unknown = await later.put(f"{ORDER}/{uuid4()}", json=body)
    assert (again.status_code, again.json()["data"]) == (200, created.json()["data"])
    assert [other.status_code, unknown.status_code] == [409, 404]


async def test_fifty_puts_of_one_id_at_once_store_one_order(client):
    path, body = f"{ORDER}/{uuid4()}", {"menu": MENU, "lines": [{"item": "ca-phe-sua"}]}
    statuses = [response.status_code for response in await asyncio.gather(*(client.put(path, json=body) for _ in range(50)))]
    assert sorted(statuses) == [200] * 49 + [201]


@pytest.mark.parametrize("order_id", ["x", ORDER_ID.replace("-", ""), f"{{{ORDER_ID}}}", f"urn:uuid:{ORDER_ID}", f"{ORDER_ID}%0a"])
async def test_an_order_id_that_is_not_a_canonical_uuid_is_not_found(client, order_id):
    for response in (
        await client.get(f"{ORDER}/{order_id}"),
        await client.put(f"{ORDER}/{order_id}", json={"menu": MENU, "lines": [{"item": "ca-phe-sua"}]}),
    ):
        assert (response.status_code, response.json()["data"]["error"]) == (404, "ORDER_NOT_FOUND")


async def test_an_item_missing_from_the_menu_is_rejected(client):
    for method, path, body in (
        ("PUT", f"{ORDER}/{uuid4()}", {"menu": MENU, "lines": [{"item": "nope"}]}),
        ("POST", RECOMMEND, {"menu": MENU, "items": [{"item": "nope"}]}),
        ("POST", ORDER, {"menu": MENU, "text": "x", "lines": [{"item": "nope"}]}),
    ):
        response = await client.request(method, path, json=body)
        assert (response.status_code, response.json()["data"]["error"]) == (422, "ITEM_NOT_FOUND")


async def test_suggestions_omit_the_basket_and_the_excluded_items(client):
    body = {"menu": MENU, "items": [{"item": "ca-phe-sua"}], "exclude": ["ca-phe-den"], "limit": 50}
    items = [suggestion["item"] for suggestion in (await client.post(RECOMMEND, json=body)).json()["data"]["items"]]
    assert items
    assert not {"ca-phe-sua", "ca-phe-den"} & set(items)


async def test_menus_are_listed_and_returned(client):
    (menu,) = (await client.get("/api/v1/voice/menus")).json()["data"]["menus"]
    assert (menu["id"], menu["currency"]) == (MENU, "VND")
    whole = (await client.get(f"/api/v1/voice/menus/{MENU}")).json()["data"]["menu"]
    assert len(whole["items"]) == menu["items"]


async def test_an_unreachable_store_is_an_overload_and_other_routes_work(state):
    class Away:
        async def fail(self, *_, **__):
            raise Overloaded(2)

        put_order = get_order = list_orders = cancel_order = begin_family = rotate = ping = fail

    async with client_of(state) as client:
        pair = {"secret_id": "demo", "secret_key": "demo-secret"}
        tokens = (await client.post("/api/v1/auth/token", json=pair)).json()["data"]
    async with client_of(state, store=Away()) as client:
        for response in (
            await client.put(f"{ORDER}/{uuid4()}", json={"menu": MENU, "lines": [{"item": "ca-phe-sua"}]}),
            await client.get(f"{ORDER}/{uuid4()}"),
            await client.delete(f"{ORDER}/{uuid4()}"),
            await client.get(f"{ORDER}s"),
            await client.post("/api/v1/auth/token", json=pair),
            await client.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}),
        ):
            assert (response.status_code, response.headers["retry-after"]) == (503, "2")
        assert (await client.post(ORDER, json={"text": "một cà phê"})).status_code == 200
        ready = await client.get("/readiness")
        assert (ready.status_code, ready.json()["data"]["checks"]["store"]) == (503, False)


async def test_an_order_of_another_client_is_not_found(state, client):
    path = f"{ORDER}/{uuid4()}"
    assert (await client.put(path, json={"menu": MENU, "lines": [{"item": "ca-phe-sua"}]})).status_code == 201
    async with client_of(state, headers={"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}) as other:
        response = await other.get(path)
    assert (response.status_code, response.json()["data"]["error"]) == (404, "ORDER_NOT_FOUND")


# --- Speech -------------------------------------------------------------------------------------------------------------------------


async def test_speech_for_an_unknown_menu_is_rejected(state):
    recogniser = FixedRecogniser()
    async with client_of(state, recogniser=recogniser) as client:
        response = await client.post(SPEECH, json={"audio": "YWJj", "menu": "no-such-menu"})
        assert (response.status_code, response.json()["data"]["error"]) == (404, "MENU_NOT_FOUND")
    assert recogniser.calls == []


class Decoding(FixedRecogniser):
    """A recogniser that decodes as the real one does."""

    async def transcribe(self, audio, **how):
        declared = {name: how[name] for name in ("encoding", "sample_rate", "channels")}
        await asyncio.to_thread(decode, audio, **declared, max_audio_s=60)
        return await super().transcribe(audio, **how)


@pytest.mark.parametrize(
    "pointer",
    [
        "{url}",
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{url}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{url}'\n",
        "[playlist]\nFile1={url}\nNumberOfEntries=1\n",
        "RIFF\x24\0\0\0WAVE{url}",
        "ID3\x04\0\0\0\0\0\0{url}",
    ],
)
async def test_a_url_in_place_of_audio_is_rejected_and_not_fetched(state, pointer):
    accepted = []

    async def accept(_, writer):
        accepted.append(writer)
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/order.wav"
        audio = pointer.format(url=url).encode()
        async with client_of(state, recogniser=Decoding()) as client:
            replies = [
                await client.post(SPEECH, json={"audio": url}),
                await client.post(SPEECH, json={"audio": base64.b64encode(audio).decode()}),
                await client.post(SPEECH, content=audio, headers={"Content-Type": "audio/wav"}),
                await client.post(SPEECH, files={"file": ("order.wav", audio)}),
            ]
        assert [reply.status_code for reply in replies] == [422] * 4
        # A connection of our own comes after any that was opened before, and is the only one.
        reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
        await reader.read()
        writer.close()
        assert len(accepted) == 1


# --- Service ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/v1/try", "/api/v1/docs/redoc.standalone.js"])
@pytest.mark.parametrize("given", ["bytes=x-y", "bytes=9-1", "bytes=99999999-", "lines=1-2", "bytes=0-3"])
async def test_pages_ignore_range_headers(client, path, given):
    response = await client.get(path, headers={"Range": given})
    assert (response.status_code, response.content) == (200, (await client.get(path)).content)


async def test_a_broken_menu_is_named_while_the_rest_is_served(state):
    class Broken:
        is_synchronised = True
        problems: ClassVar = {"new.yaml": "line 3: items: Field required"}

    ready = FixedRecogniser()
    async with client_of(state, menus=Broken(), recogniser=ready) as client:
        response = await client.get("/readiness")
    assert response.status_code == 200
    assert response.json()["data"]["checks"]["menus"] is False
    assert response.json()["data"]["problems"] == {"new.yaml": "line 3: items: Field required"}


async def test_metrics_count_by_route_and_not_by_path(client):
    for _ in range(2):
        await client.get(f"{ORDER}/{uuid4()}")
    await client.get("/nope/canary")
    text = (await client.get("/metrics")).text
    assert 'voice_http_request_seconds_count{method="GET",route="/api/v1/voice/order/{order_id}",status="404"}' in text
    assert 'route="none",status="404"' in text
    assert "canary" not in text
    for name in ("in_flight", "body_bytes_total", "disconnected_total"):
        assert f"voice_http_{name}" in text


async def test_the_documentation_page_loads_nothing_from_elsewhere(client):
    page = await client.get("/api/v1/docs")
    assert "//" not in page.text.replace("<!doctype", "")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    script = await client.get("/api/v1/docs/redoc.standalone.js")
    assert (script.status_code, script.headers["content-type"].partition(";")[0]) == (200, "text/javascript")
    assert len(script.content) > 500_000
