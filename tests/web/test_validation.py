"""Bodies and fields are validated strictly; errors name the field and quote no input."""

import json

import pytest

from tests.web.routes import MENU, ORDER, RECOMMEND, SPEECH, loc_of

pytestmark = pytest.mark.anyio


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
async def test_malformed_json_is_a_bad_request(client, body):
    response = await client.post(RECOMMEND, content=body, headers={"Content-Type": "application/json"})
    assert (response.status_code, response.json()["data"]["error"]) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "number",
    [str(2**64), "9" * 5000, "-" + "9" * 5000, "1e308", "1e400", "NaN", "Infinity", "-0", "0", "1000", "1.0", "true", '"2"', "null", "[1]"],
)
async def test_an_invalid_number_is_rejected_with_its_field_and_never_coerced(client, number):
    body = b'{"menu": "quan-nha", "items": [{"item": "ca-phe-den", "quantity": %s}], "at": "2026-11-22T10:00:00Z"}' % number.encode()
    response = await client.post(RECOMMEND, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 422
    assert loc_of(response) == [["items", 0, "quantity"]]
    assert "999999" not in response.text


async def test_the_last_of_duplicate_keys_counts(client):
    body = b'{"menu": "nope", "menu": "quan-nha", "items": [], "limit": 2, "limit": 1}'
    response = await client.post(RECOMMEND, content=body, headers={"Content-Type": "application/json"})
    assert len(response.json()["data"]["items"]) == 1


@pytest.mark.parametrize("field", ["client_id", "discount", "__class__", "total"])
async def test_an_unknown_field_is_rejected_and_named(client, field):
    response = await client.post(ORDER, json={"menu": MENU, "text": "một cà phê", field: 1})
    assert loc_of(response) == [[field]]


async def test_an_error_never_quotes_the_input(client):
    response = await client.post(ORDER, json={"menu": MENU, "text": {"canary": "canary"}, "audio": "canary!", "customer_id": "canary"})
    assert response.status_code == 422
    assert "canary" not in response.text
    assert all(set(error) == {"loc", "msg", "type"} for error in response.json()["data"]["errors"])


@pytest.mark.parametrize("text", ["", "a\u0000b", "a\u0085b", "a\nb", "x" * 2001])
async def test_text_that_cannot_be_an_utterance_is_rejected(client, text):
    response = await client.post(ORDER, json={"menu": MENU, "text": text})
    assert loc_of(response) == [["text"]]


@pytest.mark.parametrize("text", ["e" + "\u0301" * 500, "\u202eevil", "y" * 2000, "🍜" * 100])
async def test_unusual_text_is_accepted(client, text):
    response = await client.post(ORDER, json={"menu": MENU, "text": text})
    assert response.status_code == 200


async def test_an_unknown_field_of_a_line_or_an_option_is_rejected_in_the_same_words(client):
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
