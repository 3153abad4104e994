"""The content type decides whether and how a body is read."""

import pytest

from tests.conftest import client_of
from tests.web.fakes import FixedRecogniser
from tests.web.routes import ORDER, RECOMMEND, SPEECH

pytestmark = pytest.mark.anyio


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
async def test_a_wrong_content_type_or_encoding_is_rejected(client, headers):
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
async def test_json_may_declare_utf8(client, content_type):
    response = await client.post(RECOMMEND, content=b'{"menu": "quan-nha", "items": []}', headers={"Content-Type": content_type})
    assert response.status_code == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "audio/unknown", ""])
async def test_an_order_of_another_media_type_is_rejected(client, content_type):
    response = await client.post(ORDER, content=b"x", headers={"Content-Type": content_type})
    assert (response.status_code, response.json()["data"]["error"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


RECORDED = ("audio/m4a", "audio/x-m4a", "audio/mp3", "audio/opus", "audio/aac", "audio/vnd.wave", "video/webm; codecs=opus", "video/mp4")


@pytest.mark.parametrize("content_type", RECORDED)
async def test_every_media_type_of_a_recording_is_accepted(state, content_type):
    recogniser = FixedRecogniser()
    async with client_of(state, recogniser=recogniser) as client:
        assert (await client.post(SPEECH, content=b"abc", headers={"Content-Type": content_type})).status_code == 200
    assert recogniser.calls[0]["audio"] == b"abc"


@pytest.mark.parametrize("parameters", ["", ";codecs=opus", "; codecs=vp8,opus", '; codecs="vp8, opus"', ";;a"])
async def test_unknown_parameters_of_a_media_type_are_ignored(state, parameters):
    async with client_of(state, recogniser=FixedRecogniser("xin chào")) as client:
        assert (await client.post(SPEECH, content=b"abc", headers={"Content-Type": f"audio/webm{parameters}"})).status_code == 200


@pytest.mark.parametrize(
    "content_type", ["audio/midi", "video/quicktime", "image/png", "", "audio/wav; x=" + "a" * 300, 'audio/wav; x="', "wav"]
)
async def test_a_body_that_is_not_declared_as_audio_is_rejected(client, content_type):
    assert (await client.post(SPEECH, content=b"abc", headers={"Content-Type": content_type})).status_code == 415
