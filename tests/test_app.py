import asyncio
import base64
import gc
import json
import weakref
from typing import Any, ClassVar, cast
from uuid import uuid4

import httpx
import pytest
from starlette.requests import Request

from app import create_app
from errors import AudioTooLong, Overloaded
from schemas import LineRequest, OptionRequest, SpeechOptions
from settings import ROOT, project_version
from tests.conftest import APP, CLIENT_KEYS, DOCUMENT, REGISTRY, SETTINGS, client_of
from voice.asr.audio import decode
from voice.menus.loading import MenuBook
from voice.orders.engine import OrderEngine
from web.auth import Clients
from web.bodies import UNCOUNTED_BODY_BYTES
from web.context import CONTEXT_KEY, RequestContext
from web.recognition import recognise

pytestmark = pytest.mark.anyio

ORDER, SPEECH, RECOMMEND = "/api/v1/voice/order", "/api/v1/voice/speech", "/api/v1/voice/recommend_order"
MENU = "quan-nha"


class Heard:
    """A recogniser that hears what it is told to."""

    ready = True

    def __init__(self, text: str = "", error: Exception | None = None) -> None:
        self.text, self.error = text, error
        self.asked: list[dict[str, Any]] = []

    async def transcribe(self, audio, **how):
        self.asked.append({"audio": audio, **how})
        if self.error is not None:
            raise self.error
        return {"text": self.text, "language": "vi", "language_confidence": None, "duration_s": 1.0, "segments": [], "processing_ms": 1.0}


def scope_of(path: str, content_type: str, state: dict[str, Any]) -> dict[str, Any]:
    headers = [(b"x-secret-id", b"demo"), (b"x-secret-key", b"demo-secret"), (b"content-type", content_type.encode())]
    return {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers, "state": state}


def value_of(metric):
    return REGISTRY.get_sample_value(metric)


def loc_of(response):
    return [error["loc"] for error in response.json()["data"]["errors"]]


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
        ("DELETE", f"{ORDER}/{uuid4()}", "GET, HEAD, PUT"),
        ("GET", "/api/v1/auth/token", "POST"),
    ],
)
async def test_another_method_is_refused_with_those_that_are_allowed(client, method, path, allow):
    response = await client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allow)
    assert response.json()["data"]["error"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("given", "kept"), [("a.B_9-", True), ("x" * 64, True), ("x" * 65, False), ("a b", False), ("a\tb", False), ("é", False), ("", False)]
)
async def test_a_well_formed_request_id_comes_back_and_another_is_replaced(stranger, given, kept):
    response = await stranger.get("/healthcheck", headers={"X-Request-ID": given.encode()})
    assert (response.headers["x-request-id"] == given) is kept


async def test_request_ids_differ(stranger):
    ids = {(await stranger.get("/healthcheck")).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


async def test_an_unforeseen_failure_is_answered_in_the_envelope_and_logged_without_its_message(state, caplog):
    async with client_of(state, recogniser=Heard(error=RuntimeError("canary-of-the-engine"))) as client:
        response = await client.post(SPEECH, content=b"abc", headers={"Content-Type": "audio/wav"})
        assert (response.status_code, response.json()["data"]["error"]) == (500, "SERVER_ERROR")
        assert "canary" not in response.text
        assert (await client.get("/healthcheck")).status_code == 200
    assert any(record.getMessage() == "failed" for record in caplog.records)


async def test_a_cancelled_request_is_answered_before_the_server_closes(state):
    sent = []

    async def send(message):
        sent.append(message)

    class Hanging(Heard):
        async def transcribe(self, *_, **__):
            await asyncio.sleep(60)

    scope = scope_of(SPEECH, "audio/wav", {**state, "recogniser": Hanging()})
    messages = [{"type": "http.request", "body": b"abc"}]

    async def receive():
        return messages.pop() if messages else await asyncio.sleep(60)

    task = asyncio.ensure_future(APP(scope, receive, send))
    await asyncio.sleep(0.05)
    task.cancel()
    await task
    assert sent[0]["status"] == 503
    assert json.loads(sent[1]["body"])["data"]["error"] == "OVERLOADED"


# --- Cross-origin -------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cross_origin_app():
    origins = {"cors_origins": ("https://shop.example",), "cors_origins_regex": r"https://[a-z]+\.pos\.example"}
    return create_app(SETTINGS.model_copy(update=origins))


@pytest.fixture
def crossed(state, cross_origin_app):
    """Call an application that one browser origin may call."""

    def call(origin: str, method: str = "GET", path: str = "/healthcheck", **headers: str):
        async def application(scope, receive, send):
            scope["state"] = dict(state)
            await cross_origin_app(scope, receive, send)

        client = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://voice.test")
        return client.request(method, path, headers={"Origin": origin, **headers})

    return call


@pytest.mark.parametrize("origin", ["https://shop.example", "https://a.pos.example"])
async def test_an_origin_that_is_set_may_call(crossed, client, origin):
    await client.get("/healthcheck")
    response = await crossed(origin)
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-credentials"] == "true"
    preflight = await crossed(origin, "OPTIONS", ORDER, **{"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == preflight.json()["code"] == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "X-Secret-Key" in preflight.headers["access-control-allow-headers"]
    assert preflight.headers["x-request-id"]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://shop.example.evil.example", "https://a.pos.example.evil.example", "http://shop.example"],
)
async def test_another_origin_gets_no_allowing_header(crossed, client, origin):
    await client.get("/healthcheck")
    for response in (
        await crossed(origin),
        await crossed(origin, "OPTIONS", ORDER, **{"Access-Control-Request-Method": "POST"}),
        await crossed(origin, "POST", ORDER),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-allow")]
        assert response.headers["vary"] == "Origin"
        assert set(response.json()) == {"code", "msg", "data"}


async def test_a_failure_tells_an_allowed_origin_too(crossed, client):
    await client.get("/healthcheck")
    response = await crossed("https://shop.example", "POST", ORDER)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, "https://shop.example")


async def test_without_the_setting_no_origin_may_call(client):
    response = await client.get("/healthcheck", headers={"Origin": "https://shop.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]


# --- Bodies -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": ""},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json; charset*=utf-8''utf-8"},
        {"Content-Type": "application/json; a*" + "9" * 200 + "=x"},
        {"Content-Type": "application/json; boundary*="},
        {"Content-Type": 'application/json; charset="utf-8'},
        {"Content-Type": 'application/json; charset="utf-8"x'},
        {"Content-Type": "application/json; " + ";" * 300},
        {"Content-Type": "application/jsonp"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json", "Content-Encoding": "br"},
    ],
)
async def test_a_wrong_content_type_or_encoding_is_refused(client, headers):
    response = await client.post(RECOMMEND, content=b'{"menu": "quan-nha", "items": []}', headers=headers)
    assert (response.status_code, response.json()["data"]["error"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json; charset=utf-8",
        "Application/JSON",
        'application/json; charset="UTF-8"',
        "application/json;",
        " application/json ;; Charset=utf-8 ; ",
        r'application/json; charset="ut\f-8"',
    ],
)
async def test_json_may_say_that_it_is_utf8(client, content_type):
    response = await client.post(RECOMMEND, content=b'{"menu": "quan-nha", "items": []}', headers={"Content-Type": content_type})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"menu": "\xff"}',
        b'\xef\xbb\xbf{"menu": "quan-nha", "items": []}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        rb'{"menu": "\ud800", "items": []}',
        b'{"menu": "quan-nha", "items": [], "limit": 01}',
        b'{"menu": "quan-nha", "items": []} x',
        b"{" + b"9" * 5000,
    ],
)
async def test_what_is_not_json_is_a_bad_request(client, body):
    response = await client.post(RECOMMEND, content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["data"]["error"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "number",
    [str(2**64), "9" * 5000, "-" + "9" * 5000, "1e308", "1e400", "NaN", "Infinity", "-0", "0", "1000", "1.0", "true", '"2"', "null", "[1]"],
)
async def test_an_odd_number_is_refused_by_name_and_never_coerced(client, number):
    body = b'{"menu": "quan-nha", "items": [{"item": "ca-phe-den", "quantity": %s}], "at": "2026-11-22T10:00:00Z"}' % number.encode()
    response = await client.post(RECOMMEND, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert loc_of(response) == [["items", 0, "quantity"]]
    assert "999999" not in response.text


async def test_of_duplicate_keys_the_last_counts(client):
    body = b'{"menu": "nope", "menu": "quan-nha", "items": [], "limit": 2, "limit": 1}'
    response = await client.post(RECOMMEND, content=body, headers={"Content-Type": "application/json"})
    assert len(response.json()["data"]["items"]) == 1


@pytest.mark.parametrize("field", ["client_id", "discount", "__class__", "total"])
async def test_an_unknown_field_is_refused_by_name(client, field):
    response = await client.post(ORDER, json={"menu": MENU, "text": "một cà phê", field: 1})
    assert loc_of(response) == [[field]]


async def test_a_refusal_never_quotes_the_input(client):
    response = await client.post(ORDER, json={"menu": MENU, "text": {"canary": "canary"}, "audio": "canary!", "customer_id": "canary"})
    assert response.status_code == 422
    assert "canary" not in response.text
    assert all(set(error) == {"loc", "msg", "type"} for error in response.json()["data"]["errors"])


@pytest.mark.parametrize("text", ["", "a\u0000b", "a\u0085b", "a\nb", "x" * 2001])
async def test_text_that_cannot_be_an_utterance_is_refused(client, text):
    response = await client.post(ORDER, json={"menu": MENU, "text": text})
    assert loc_of(response) == [["text"]]


@pytest.mark.parametrize("text", ["e" + "\u0301" * 500, "\u202eevil", "y" * 2000, "🍜" * 100])
async def test_odd_text_is_taken_as_it_is(client, text):
    response = await client.post(ORDER, json={"menu": MENU, "text": text})
    assert response.status_code == 200


async def test_a_declared_length_over_the_limit_is_refused_before_the_body_and_the_credentials(stranger):
    async def body():
        pytest.fail("the body was read")
        yield b""

    headers = {"Content-Length": str(SETTINGS.max_json_bytes + 1), "Content-Type": "application/json"}
    response = await stranger.post(RECOMMEND, content=body(), headers=headers)
    assert (response.status_code, response.json()["data"]["error"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("path", ["/api/v1/auth/token", "/api/v1/auth/refresh"])
async def test_without_credentials_a_body_is_small(stranger, path):
    async def body():
        for _ in range(9):
            yield b" " * 1024

    headers = {"Content-Type": "application/json"}
    for response in (
        await stranger.post(path, content=b" " * 8193, headers=headers),
        await stranger.post(path, content=body(), headers=headers),
    ):
        assert (response.status_code, response.json()["data"]["error"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_while_other_clients_send_all_that_fits_a_large_body_is_told_to_come_later(client, state):
    budget = state["bodies"].budget
    small, headers = b'{"menu": "quan-nha", "items": []}', {"Content-Type": "application/json"}
    large = small + b" " * UNCOUNTED_BODY_BYTES

    async def in_pieces():
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    held_bytes, half = budget.held_bytes, budget.max_bytes // 2
    budget.hold("one", half)
    budget.hold("another", half)
    try:
        for body in (large, in_pieces()):
            response = await client.post(RECOMMEND, content=body, headers=headers)
            assert (response.status_code, response.json()["data"]["error"]) == (503, "OVERLOADED")
            assert int(response.headers["retry-after"]) >= 1
        assert (await client.post(RECOMMEND, content=small, headers=headers)).status_code == 200
    finally:
        budget.release("one", half)
        budget.release("another", half)
    for body in (large, in_pieces()):
        assert (await client.post(RECOMMEND, content=body, headers=headers)).status_code == 200
    assert budget.held_bytes == held_bytes


async def test_a_chunked_body_is_refused_as_soon_as_it_is_too_long(client):
    taken = 0

    async def body():
        nonlocal taken
        for _ in range(100):
            taken += 1
            yield b" " * 100_000

    response = await client.post(RECOMMEND, content=body(), headers={"Content-Type": "application/json"})
    assert response.status_code == 413
    assert taken * 100_000 <= SETTINGS.max_json_bytes + 100_000


async def test_a_body_in_pieces_is_one_body(client):
    async def body():
        for piece in (b'{"menu": "quan', b"", b'-nha", "items"', b": []}"):
            yield piece

    assert (await client.post(RECOMMEND, content=body(), headers={"Content-Type": "application/json"})).status_code == 200


async def test_json_without_audio_has_the_smaller_limit_where_audio_is_taken(client):
    body = json.dumps({"menu": MENU, "text": "một cà phê", "lines": []}) + " " * SETTINGS.max_json_bytes
    response = await client.post(ORDER, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 413


async def test_a_caller_that_hangs_up_within_its_body_is_counted_and_not_answered(state):
    sent = []
    before = value_of("voice_http_disconnected_total")

    async def send(message):
        sent.append(message)

    messages = [{"type": "http.request", "body": b"abc", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    scope = scope_of(RECOMMEND, "application/json", dict(state))
    await APP(scope, receive, send)
    assert sent == []
    assert value_of("voice_http_disconnected_total") == before + 1
    assert value_of("voice_http_in_flight") == 0


# --- Orders -------------------------------------------------------------------------------------------------------------------------


async def test_an_utterance_becomes_a_priced_order(client):
    response = await client.post(ORDER, json={"menu": MENU, "text": "cho mình hai cà phê sữa"})
    order = response.json()["data"]
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("ca-phe-sua", 2)]
    assert order["total"] == sum(line["total"] for line in order["lines"]) > 0


async def test_a_line_goes_back_as_it_came_and_its_price_comes_from_the_menu(client):
    first = (await client.post(ORDER, json={"menu": MENU, "text": "một cà phê sữa"})).json()["data"]
    cheap = [{**line, "unit_price": 1, "total": 1, "name": "canary"} for line in first["lines"]]
    again = (await client.post(ORDER, json={"menu": MENU, "text": "và một cà phê đen", "lines": cheap})).json()["data"]
    assert again["lines"][0]["total"] == first["total"]
    assert len(again["lines"]) == 2


@pytest.mark.parametrize("value", [[{}], {"a": [1]}, "x", 7, 1.5, True, None], ids=repr)
def test_an_ignored_field_may_hold_anything_and_nothing_of_it_is_kept(value):
    ignored = {"line": ("name", "unit_price", "total", "confidence", "span"), "option": ("name", "price")}
    option = {"group": "size", "choice": "l"} | dict.fromkeys(ignored["option"], value)
    line = {"item": "latte", "options": [option]} | dict.fromkeys(ignored["line"], value)
    for read in (LineRequest.model_validate_json(json.dumps(line)), LineRequest.model_validate(line)):
        assert [getattr(read, name) for name in ignored["line"]] == [None] * 5
        assert [getattr(read.options[0], name) for name in ignored["option"]] == [None] * 2
        assert read.options == [OptionRequest(group="size", choice="l")]


def test_what_is_accepted_and_ignored_is_described_as_any_value():
    for schema in (
        DOCUMENT["components"]["schemas"]["LineRequest"]["properties"]["span"],
        DOCUMENT["components"]["schemas"]["OptionRequest"]["properties"]["price"],
    ):
        assert not {"type", "anyOf", "$ref"} & schema.keys()


async def test_an_unknown_field_of_a_line_or_an_option_is_refused_in_the_same_words(client):
    option = {"group": "size", "choice": "l", "cost": 1}
    response = await client.post(ORDER, json={"menu": MENU, "text": "x", "lines": [{"item": "latte", "cost": 1, "options": [option]}]})
    assert loc_of(response) == [["lines", 0, "options", 0, "cost"], ["lines", 0, "cost"]]
    assert {(error["type"], error["msg"]) for error in response.json()["data"]["errors"]} == {
        ("extra_forbidden", "Extra inputs are not permitted")
    }


@pytest.mark.parametrize("quantity", [b'"2"', b"2.0", b"true", b"0", b"100", b"null"])
async def test_the_quantity_of_an_option_is_never_coerced(client, quantity):
    body = b'{"menu": "quan-nha", "text": "x", "lines": [{"item": "latte", "options": [{"group": "size", "choice": "l", "quantity": %b}]}]}'
    response = await client.post(ORDER, content=body % quantity, headers={"Content-Type": "application/json"})
    assert loc_of(response) == [["lines", 0, "options", 0, "quantity"]]


@pytest.fixture
def sold_out(state, tmp_path):
    """The menu without lattes: they stand there, and are not available."""
    menu = (ROOT / f"menus/{MENU}.yaml").read_text("utf-8")
    (tmp_path / f"{MENU}.yaml").write_text(menu.replace("latte: {", "latte: {available: false, ", 1), "utf-8")
    menus = MenuBook(tmp_path, OrderEngine)
    menus.refresh()
    return client_of(state, menus=menus)


@pytest.mark.parametrize("text", ["thêm một ly nữa", "một latte nữa", "make it three lattes", "one more", "mỗi thứ ba phần"])
async def test_no_more_is_ordered_of_what_has_become_unavailable(sold_out, text):
    async with sold_out as client:
        order = (await client.post(ORDER, json={"menu": MENU, "text": text, "lines": [{"item": "latte", "quantity": 2}]})).json()["data"]
    assert [(line["item"], line["quantity"], line["span"]) for line in order["lines"]] == [("latte", 2, None)]
    assert [question["kind"] for question in order["questions"]] == ["unavailable"]
    assert "latte" not in order["questions"][0]["choices"]
    assert order["changes"] == []


@pytest.mark.parametrize(("text", "left"), [("bớt một latte", [("latte", 1)]), ("bỏ latte", [])])
async def test_less_may_be_ordered_of_what_has_become_unavailable(sold_out, text, left):
    async with sold_out as client:
        order = (await client.post(ORDER, json={"menu": MENU, "text": text, "lines": [{"item": "latte", "quantity": 2}]})).json()["data"]
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == left
    assert order["questions"] == []


async def test_the_only_menu_need_not_be_named(client):
    assert (await client.post(ORDER, json={"text": "một cà phê sữa"})).json()["data"]["menu"] == MENU


async def test_an_unknown_menu_is_not_found(client):
    for path, body in ((ORDER, {"menu": "nope", "text": "x"}), (RECOMMEND, {"menu": "nope", "items": []})):
        response = await client.post(path, json=body)
        assert (response.status_code, response.json()["data"]["error"]) == (404, "MENU_NOT_FOUND")
    assert (await client.get("/api/v1/voice/menus/nope")).json()["data"]["error"] == "MENU_NOT_FOUND"


async def test_text_and_audio_are_one_or_the_other(client):
    for body in ({"menu": MENU}, {"menu": MENU, "text": "x", "audio": "AAAA"}):
        assert (await client.post(ORDER, json=body)).status_code == 422


async def test_a_spoken_order_is_recognised_with_the_menus_words_and_carries_its_transcript(state):
    heard = Heard("hai cà phê sữa")
    async with client_of(state, recogniser=heard) as client:
        order = (await client.post(ORDER, json={"menu": MENU, "audio": "AAAA", "language": "vi"})).json()["data"]
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("ca-phe-sua", 2)]
    assert order["transcript"]["text"] == "hai cà phê sữa"
    (asked,) = heard.asked
    engine = state["menus"].get(MENU)
    assert (asked["audio"], asked["language"], asked["client"]) == (b"\0\0\0", "vi", "demo")
    assert (asked["phrases"], asked["languages"]) == (engine.vocabulary, engine.menu.languages)


LINES = [{"item": "latte", "quantity": 2, "options": [{"group": "size", "choice": "l"}]}]
MANY_LINES = [{"item": "latte", "name": "Latte " * 10}] * 200
SPOKEN_FORMS = {
    "json": lambda lines: {"json": {"audio": "AAAA", "menu": MENU, "language": "vi", "customer_id": 7, "lines": lines}},
    "body": lambda lines: {
        "params": {"menu": MENU, "language": "vi", "customer_id": 7, "lines": json.dumps(lines)},
        "content": b"\0\0\0",
        "headers": {"Content-Type": "audio/ogg"},
    },
    "form": lambda lines: {
        "data": {"menu": MENU, "language": "vi", "customer_id": 7, "lines": json.dumps(lines), "model": "any"},
        "files": {"file": ("order.ogg", b"\0\0\0")},
    },
}


@pytest.mark.parametrize("lines", [[], LINES, MANY_LINES], ids=["none", "one", "many"])
@pytest.mark.parametrize("form", SPOKEN_FORMS.values(), ids=SPOKEN_FORMS)
async def test_a_spoken_order_comes_in_the_same_three_forms_as_speech(state, form, lines):
    heard = Heard("hai cà phê sữa")
    async with client_of(state, recogniser=heard) as client:
        response = await client.post(ORDER, **form(lines))
    order = response.json()["data"]
    expected = state["menus"].get(MENU).understand("hai cà phê sữa", [LineRequest.model_validate(line) for line in lines])
    assert {name: order[name] for name in expected} == json.loads(json.dumps(expected))
    assert order["transcript"]["text"] == "hai cà phê sữa"
    assert [(asked["audio"], asked["language"]) for asked in heard.asked] == [(b"\0\0\0", "vi")]


@pytest.mark.parametrize(
    ("lines", "loc"),
    [
        ("{", ["lines"]),
        ("", ["lines"]),
        ("7", ["lines"]),
        ("[" * 5000, ["lines"]),
        ('[{"item": "latte", "quantity": "2"}]', ["lines", 0, "quantity"]),
        ('[{"item": "latte", "cost": 1}]', ["lines", 0, "cost"]),
        (json.dumps([{"item": "latte"}] * 201), ["lines"]),
    ],
    ids=["no json", "empty", "no list", "deep", "coerced", "unknown", "too many"],
)
async def test_a_list_in_a_query_or_a_form_is_checked_as_in_json_and_named(client, lines, loc):
    audio = {"content": b"x", "headers": {"Content-Type": "audio/wav"}}
    for response in (
        await client.post(ORDER, data={"lines": lines}, files={"file": ("x", b"x")}),
        await client.post(ORDER, params={"lines": lines}, **audio),
    ):
        assert (response.status_code, loc_of(response)) == (422, [loc])


async def test_an_utterance_is_either_text_or_audio_in_a_form_and_a_query_too(client):
    for response in (
        await client.post(ORDER, data={"text": "x"}, files={"file": ("x", b"x")}),
        await client.post(ORDER, params={"text": "x"}, content=b"x", headers={"Content-Type": "audio/wav"}),
    ):
        assert (response.status_code, loc_of(response)) == (422, [["text"]])
    without = await client.post(ORDER, files={"menu": (None, MENU)})
    assert (without.status_code, loc_of(without)) == (422, [["file"]])


@pytest.mark.parametrize("content_type", ["audio/wav", "multipart/form-data; boundary=x", "application/octet-stream", "audio/unknown"])
async def test_a_spoken_order_without_the_scope_is_refused_before_its_body_is_read(state, content_type):
    async def body():
        pytest.fail("the body was read")
        yield b""

    headers = {"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"], "Content-Type": content_type}
    async with client_of(state, headers=headers) as client:
        response = await client.post(ORDER, content=body())
    assert (response.status_code, response.json()["data"]["error"]) == (403, "AUTHORIZATION_FAILED")


async def test_the_scope_of_a_spoken_order_comes_before_its_menu(state):
    async with client_of(state, headers={"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}) as client:
        response = await client.post(ORDER, json={"audio": "AAAA", "menu": "nope"})
    assert response.status_code == 403


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "audio/unknown", ""])
async def test_an_order_of_another_type_is_refused(client, content_type):
    response = await client.post(ORDER, content=b"x", headers={"Content-Type": content_type})
    assert (response.status_code, response.json()["data"]["error"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_what_sounds_alike_is_judged_by_the_menu_and_the_order_so_far(state):
    heard = Heard("hai cà phê sữa")
    lines = [{"item": "ca-phe-sua", "quantity": 2}]
    async with client_of(state, recogniser=heard) as client:
        await client.post(ORDER, json={"menu": MENU, "audio": "AAAA", "lines": lines})
        await client.post(SPEECH, json={"menu": MENU, "audio": "AAAA"})
        await client.post(SPEECH, json={"audio": "AAAA"})
    with_order, with_menu, alone = (asked["scorer"] for asked in heard.asked)
    assert with_menu("bỏ cà phê sữa") > with_order("bỏ cà phê sữa")
    assert with_menu("năm cà phê sữa") < with_menu("làm cà phê sữa")
    assert with_menu("hôm nay trời đẹp quá") is None
    assert alone is None


async def test_silence_leaves_the_order_as_it_was(state, client):
    first = (await client.post(ORDER, json={"menu": MENU, "text": "một cà phê sữa"})).json()["data"]
    async with client_of(state, recogniser=Heard("")) as deaf:
        after = (await deaf.post(ORDER, json={"menu": MENU, "audio": "AAAA", "lines": first["lines"]})).json()["data"]
    assert (after["total"], after["changes"]) == (first["total"], [])
    assert [line["item"] for line in after["lines"]] == [line["item"] for line in first["lines"]]


async def test_an_order_is_stored_once_and_found_again(client):
    path = f"{ORDER}/{uuid4()}"
    body = {"menu": MENU, "lines": [{"item": "ca-phe-sua", "quantity": 2}], "customer_id": 7}
    created = await client.put(path, json=body)
    again = await client.put(path, json=body)
    found = await client.get(path)
    assert [created.status_code, again.status_code, found.status_code] == [201, 200, 200]
    assert created.json()["data"] == again.json()["data"] == found.json()["data"]
    assert created.json()["data"]["placed_at"].endswith("Z")
    conflict = await client.put(path, json={**body, "customer_id": 8})
    assert (conflict.status_code, conflict.json()["data"]["error"]) == (409, "ORDER_CONFLICT")


async def test_an_order_that_comes_again_after_its_menu_went_is_the_one_that_is_kept(state, client, tmp_path):
    path = f"{ORDER}/{uuid4()}"
    body = {"menu": MENU, "lines": [{"item": "ca-phe-sua", "quantity": 2}]}
    created = await client.put(path, json=body)
    async with client_of(state, menus=MenuBook(tmp_path, OrderEngine)) as later:
        again = await later.put(path, json=body)
        other = await later.put(path, json={**body, "customer_id": 8})
        unknown = await later.put(f"{ORDER}/{uuid4()}", json=body)
    assert (again.status_code, again.json()["data"]) == (200, created.json()["data"])
    assert [other.status_code, unknown.status_code] == [409, 404]


async def test_fifty_puts_of_one_id_at_once_store_one_order(client):
    path, body = f"{ORDER}/{uuid4()}", {"menu": MENU, "lines": [{"item": "ca-phe-sua"}]}
    statuses = [response.status_code for response in await asyncio.gather(*(client.put(path, json=body) for _ in range(50)))]
    assert sorted(statuses) == [200] * 49 + [201]


@pytest.mark.parametrize("order_id", ["x", str(uuid4()).replace("-", ""), f"{{{uuid4()}}}", f"urn:uuid:{uuid4()}", str(uuid4()) + "%0a"])
async def test_an_id_that_is_no_uuid_is_no_orders(client, order_id):
    for response in (
        await client.get(f"{ORDER}/{order_id}"),
        await client.put(f"{ORDER}/{order_id}", json={"menu": MENU, "lines": [{"item": "ca-phe-sua"}]}),
    ):
        assert (response.status_code, response.json()["data"]["error"]) == (404, "ORDER_NOT_FOUND")


async def test_an_item_that_is_not_on_the_menu_is_named_an_error(client):
    for method, path, body in (
        ("PUT", f"{ORDER}/{uuid4()}", {"menu": MENU, "lines": [{"item": "nope"}]}),
        ("POST", RECOMMEND, {"menu": MENU, "items": [{"item": "nope"}]}),
        ("POST", ORDER, {"menu": MENU, "text": "x", "lines": [{"item": "nope"}]}),
    ):
        response = await client.request(method, path, json=body)
        assert (response.status_code, response.json()["data"]["error"]) == (422, "ITEM_NOT_FOUND")


async def test_suggestions_leave_out_the_basket_and_what_is_excluded(client):
    body = {"menu": MENU, "items": [{"item": "ca-phe-sua"}], "exclude": ["ca-phe-den"], "limit": 50}
    items = [suggestion["item"] for suggestion in (await client.post(RECOMMEND, json=body)).json()["data"]["items"]]
    assert items
    assert not {"ca-phe-sua", "ca-phe-den"} & set(items)


async def test_menus_are_listed_and_given_whole(client):
    (menu,) = (await client.get("/api/v1/voice/menus")).json()["data"]["menus"]
    assert (menu["id"], menu["currency"]) == (MENU, "VND")
    whole = (await client.get(f"/api/v1/voice/menus/{MENU}")).json()["data"]["menu"]
    assert len(whole["items"]) == menu["items"]


async def test_a_store_that_is_away_is_an_overload_and_nothing_else(state):
    class Away:
        async def fail(self, *_, **__):
            raise Overloaded(2)

        put_order = get_order = begin_family = rotate = ping = fail

    async with client_of(state) as client:
        pair = {"secret_id": "demo", "secret_key": "demo-secret"}
        tokens = (await client.post("/api/v1/auth/token", json=pair)).json()["data"]
    async with client_of(state, store=Away()) as client:
        for response in (
            await client.put(f"{ORDER}/{uuid4()}", json={"menu": MENU, "lines": [{"item": "ca-phe-sua"}]}),
            await client.get(f"{ORDER}/{uuid4()}"),
            await client.post("/api/v1/auth/token", json=pair),
            await client.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}),
        ):
            assert (response.status_code, response.headers["retry-after"]) == (503, "2")
        assert (await client.post(ORDER, json={"text": "một cà phê"})).status_code == 200
        ready = await client.get("/readiness")
        assert (ready.status_code, ready.json()["data"]["checks"]["store"]) == (503, False)


# --- Speech -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SPEECH, ORDER])
@pytest.mark.parametrize("error", [AudioTooLong, Overloaded])
async def test_what_recognition_refuses_is_told_on_both_routes(state, path, error):
    async with client_of(state, recogniser=Heard(error=error())) as client:
        response = await client.post(path, json={"audio": "YWJj", **({"menu": MENU} if path == ORDER else {})})
        assert (response.status_code, response.json()["data"]["error"]) == (error.status, error.error)


async def test_speech_for_a_menu_that_is_not_there_is_refused(state):
    heard = Heard()
    async with client_of(state, recogniser=heard) as client:
        response = await client.post(SPEECH, json={"audio": "YWJj", "menu": "no-such-menu"})
        assert (response.status_code, response.json()["data"]["error"]) == (404, "MENU_NOT_FOUND")
    assert heard.asked == []


async def test_the_three_forms_say_the_same(state):
    heard = Heard("xin chào")
    async with client_of(state, recogniser=heard) as client:
        replies = [
            await client.post(SPEECH, json={"audio": "YWJj", "hertz": 16000, "encoding": "pcm_s16le", "channels": 1, "words": True}),
            await client.post(
                f"{SPEECH}?sample_rate=16000&encoding=pcm_s16le&channels=1&words=true",
                content=b"abc",
                headers={"Content-Type": "application/octet-stream"},
            ),
            await client.post(f"{SPEECH}?words=true", content=b"abc", headers={"Content-Type": "audio/L16;rate=16000; channels=1"}),
            await client.post(
                SPEECH,
                files={"file": ("a.wav", b"abc")},
                data={"sample_rate": "16000", "encoding": "pcm_s16le", "channels": "1", "words": "true", "model": "any"},
            ),
        ]
    assert {reply.text.split('"request_id"')[0] for reply in replies} == {replies[0].text}
    assert heard.asked == [heard.asked[0]] * 4
    assert heard.asked[0]["audio"] == b"abc"
    assert heard.asked[0]["words"] is True
    assert heard.asked[0]["phrases"] == ()


@pytest.mark.parametrize(
    ("query", "loc"),
    [
        ("sample_rate=x", "sample_rate"),
        ("sample_rate=1", "sample_rate"),
        ("words=perhaps", "words"),
        ("language=", "language"),
        ("colour=red", "colour"),
        ("channels=1&channels=2", "channels"),
        ("sample_rate=8000&hertz=16000", "hertz"),
        ("encoding=mp3", "encoding"),
    ],
)
async def test_a_query_is_as_strict_as_a_body(client, query, loc):
    response = await client.post(f"{SPEECH}?{query}", content=b"abc", headers={"Content-Type": "audio/wav"})
    assert loc_of(response) == [[loc]]


@pytest.mark.parametrize(
    "audio",
    [
        "AA A",
        "AAA",
        "A-_A",
        "AAAA=",
        "AAAA====",
        "AAAA\tAAAA",
        "data:audio/wav,AAAA",
        "data:;base64,data:;base64,AAAA",
        "http://evil.example/a.wav",
        "",
        "\n",
        5,
        None,
    ],
)
async def test_base64_is_strict(client, audio):
    assert loc_of(await client.post(SPEECH, json={"audio": audio})) == [["audio"]]


@pytest.mark.parametrize(
    "audio",
    ["YWJjYWJj", "YWJj\r\nYWJj\r\n", "YWJ\njYWJj", "data:audio/webm;codecs=opus;base64,YWJjYWJj", "DATA:;base64,YWJj\nYWJj"],
)
async def test_base64_may_have_line_breaks_and_be_a_data_url(state, audio):
    heard = Heard()
    async with client_of(state, recogniser=heard) as client:
        assert (await client.post(SPEECH, json={"audio": audio})).status_code == 200
    assert heard.asked[0]["audio"] == b"abcabc"


RECORDED = ("audio/m4a", "audio/x-m4a", "audio/mp3", "audio/opus", "audio/aac", "audio/vnd.wave", "video/webm; codecs=opus", "video/mp4")


@pytest.mark.parametrize("content_type", RECORDED)
async def test_every_name_of_a_recording_is_taken_as_the_body(state, content_type):
    heard = Heard()
    async with client_of(state, recogniser=heard) as client:
        assert (await client.post(SPEECH, content=b"abc", headers={"Content-Type": content_type})).status_code == 200
    assert heard.asked[0]["audio"] == b"abc"


class Decoding(Heard):
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
async def test_a_url_in_place_of_audio_is_refused_and_nobody_connects(state, pointer):
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


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"--x\r\n", 422),
        (b"", 422),
        (b"nothing of the kind", 400),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--x--\r\n', 422),
        (b'--x\r\nContent-Disposition: form-data; name="words"\r\n\r\ntrue\r\n--x--\r\n', 422),
        (b'--x\r\nContent-Disposition: form-data; name="words"\r\n\r\n' + b"t" * 5000 + b"\r\n--x--\r\n", 400),
        (b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\na\r\n' * 2 + b"--x--\r\n", 400),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\na\r\n' * 50 + b"--x--\r\n", 400),
    ],
)
async def test_a_broken_form_is_refused(client, body, status):
    response = await client.post(SPEECH, content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert response.status_code == status, response.text


async def test_a_form_without_a_boundary_is_refused(client):
    assert (await client.post(SPEECH, content=b"--x", headers={"Content-Type": "multipart/form-data"})).status_code == 400


@pytest.mark.parametrize("charset", ["utf-8", "idna", "zlib", "nonsense"])
async def test_a_form_is_read_as_utf8_whatever_it_says(state, charset):
    body = '--Ä\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--Ä\r\n'
    body += 'Content-Disposition: form-data; name="language"\r\n\r\nvi\r\n--Ä--\r\n'
    body, heard = body.replace("Ä", "A-b'()+_,./:=?"), Heard("xin chào")
    headers = {"Content-Type": f'multipart/form-data; charset={charset}; boundary="A-b\'()+_,./:=?"'}
    async with client_of(state, recogniser=heard) as client:
        assert (await client.post(SPEECH, content=body, headers=headers)).status_code == 200
    assert (heard.asked[0]["audio"], heard.asked[0]["language"]) == (b"abc", "vi")


@pytest.mark.parametrize("parameters", ["", ";codecs=opus", "; codecs=vp8,opus", '; codecs="vp8, opus"', ";;a"])
async def test_a_media_type_may_have_parameters_that_say_nothing_here(state, parameters):
    async with client_of(state, recogniser=Heard("xin chào")) as client:
        assert (await client.post(SPEECH, content=b"abc", headers={"Content-Type": f"audio/webm{parameters}"})).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["audio/midi", "video/quicktime", "image/png", "", "audio/wav; x=" + "a" * 300, 'audio/wav; x="', "wav"]
)
async def test_what_is_no_audio_by_its_type_is_refused(client, content_type):
    assert (await client.post(SPEECH, content=b"abc", headers={"Content-Type": content_type})).status_code == 415


async def test_until_the_models_are_loaded_speech_says_so_and_the_rest_is_served(state):
    recogniser = Heard()
    recogniser.ready = False
    async with client_of(state, recogniser=recogniser) as client:
        response = await client.post(SPEECH, content=b"abc", headers={"Content-Type": "audio/wav"})
        assert (response.status_code, response.json()["data"]["error"]) == (503, "OVERLOADED")
        assert int(response.headers["retry-after"]) >= 1
        assert (await client.get("/healthcheck")).status_code == 200
        ready = await client.get("/readiness")
        assert (ready.status_code, ready.json()["data"]["checks"]["speech"]) == (503, False)


async def test_a_recognition_that_hangs_is_given_up_at_its_deadline():
    class Hanging(Heard):
        async def transcribe(self, *_, **__):
            await asyncio.sleep(60)

    async def receive():
        await asyncio.sleep(60)

    scope = scope_of(SPEECH, "audio/wav", {})
    scope[CONTEXT_KEY] = RequestContext({}, "1", "127.0.0.1", Clients({}, demo=True).authenticate(b"demo", b"demo-secret"))
    with pytest.raises(Overloaded):
        await recognise(Request(scope, receive), cast("Any", Hanging()), b"", SpeechOptions(), None, deadline_s=0.05)


async def test_a_recogniser_that_returns_rubbish_fails_in_the_envelope_and_the_next_request_is_served(state):
    class Rubbish(Heard):
        async def transcribe(self, *_, **__):
            return {"text": object()}

    for recogniser, status in ((Rubbish(), 500), (Heard("xin chào"), 200)):
        async with client_of(state, recogniser=recogniser) as client:
            assert (await client.post(SPEECH, json={"audio": "AAAA"})).status_code == status


async def test_recognition_is_cancelled_when_the_caller_hangs_up(state):
    cancelled, sent = asyncio.Event(), []

    class Slow(Heard):
        async def transcribe(self, *_, **__):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise

    messages = [{"type": "http.request", "body": b"abc"}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = scope_of(SPEECH, "audio/wav", {**state, "recogniser": Slow()})
    await APP(scope, receive, send)
    await asyncio.wait_for(cancelled.wait(), 5)
    assert sent == []


async def test_a_refusal_is_gone_with_its_reply_and_does_not_keep_the_audio(state):
    refusals = []

    class Full(Heard):
        async def transcribe(self, *_, **__):
            error = Overloaded()
            refusals.append(weakref.ref(error))
            try:
                raise error
            finally:
                del error  # else it would hold itself here

    gc.disable()
    try:
        async with client_of(state, recogniser=Full()) as client:
            assert (await client.post(SPEECH, json={"audio": "AAAA"})).status_code == 503
        assert [refusal() for refusal in refusals] == [None]
    finally:
        gc.enable()


# --- Service ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/v1/try", "/api/v1/docs/redoc.standalone.js"])
@pytest.mark.parametrize("given", ["bytes=x-y", "bytes=9-1", "bytes=99999999-", "lines=1-2", "bytes=0-3"])
async def test_a_page_comes_whole_whatever_range_of_it_is_asked_for(client, path, given):
    response = await client.get(path, headers={"Range": given})
    assert (response.status_code, response.content) == (200, (await client.get(path)).content)


async def test_a_broken_menu_is_named_while_the_rest_is_served(state):
    class Broken:
        menus = state["menus"].menus
        problems: ClassVar = {"new.yaml": "line 3: items: Field required"}

    ready = Heard()
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
