"""Transcription in the form of the OpenAI API, with its own client, with curl and field by field."""

import json
import re
import subprocess

import openai
import pytest

from settings import ROOT
from tests.adapters.conftest import BEARER, KEY, MENU, TRANSCRIPTIONS, bearer
from tests.conftest import client_of
from tests.web.fakes import FixedRecogniser

pytestmark = pytest.mark.anyio
CLIP, TEXT, LENGTH_S = ROOT / "tests/recordings/vi-mau-trang.wav", "màu trắng", 1.531
CLOCK = r"\d\d:\d\d:\d\d"


def transcribe(sdk, **fields):
    return sdk.audio.transcriptions.create(file=CLIP, model=MENU, **fields)


def test_the_client_transcribes_to_json_with_probabilities(sdk):
    transcription = transcribe(sdk, language="vi", include=["logprobs"], temperature=0.2, chunking_strategy="auto")
    assert transcription.text == TEXT
    assert transcription.usage.seconds == 2
    assert "".join(one.token for one in transcription.logprobs) == transcription.text
    assert all(-7 < one.logprob <= 0 and one.bytes == [*one.token.encode()] for one in transcription.logprobs)
    assert [one.code for one in transcription.languages] == ["vi"]


def test_the_client_transcribes_to_verbose_json_with_times(sdk):
    transcription = transcribe(sdk, response_format="verbose_json", timestamp_granularities=["word", "segment"])
    assert (transcription.text, transcription.language, transcription.duration) == (TEXT, "vietnamese", LENGTH_S)
    assert [word.word for word in transcription.words] == TEXT.split()
    assert all(0 <= word.start < word.end <= LENGTH_S for word in transcription.words)
    (segment,) = transcription.segments
    assert (segment.id, segment.text) == (0, TEXT)
    assert (segment.start, segment.end) == (transcription.words[0].start, transcription.words[-1].end)
    assert -1 < segment.avg_logprob <= 0
    assert transcribe(sdk, response_format="verbose_json").words is None


def test_the_client_transcribes_to_text_and_subtitles(sdk):
    assert transcribe(sdk, response_format="text") == f"{TEXT}\n"
    subtitles = transcribe(sdk, response_format="srt")
    assert re.fullmatch(rf"1\n{CLOCK},\d+ --> {CLOCK},\d+\n{TEXT}\n\n", subtitles)
    subtitles = transcribe(sdk, response_format="vtt")
    assert re.fullmatch(rf"WEBVTT\n\n{CLOCK}\.\d+ --> {CLOCK}\.\d+\n{TEXT}\n\n", subtitles)


def test_the_client_transcribes_to_events(sdk):
    *deltas, done = transcribe(sdk, stream=True)
    assert "".join(event.delta for event in deltas) == done.text == TEXT
    assert ({event.type for event in deltas}, done.type) == ({"transcript.text.delta"}, "transcript.text.done")


def test_curl_receives_events(hearing_server):
    form = ["-F", f"file=@{CLIP}", "-F", f"model={MENU}", "-F", "stream=true"]
    request = ["curl", "-si", f"{hearing_server.url}{TRANSCRIPTIONS}", "-H", f"Authorization: Bearer {KEY}", *form]
    reply = subprocess.run(request, capture_output=True, check=True).stdout.decode()  # noqa: S603
    head, body = reply.split("\r\n\r\n", 1)
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "content-type: text/event-stream" in head
    usage, languages = {"type": "duration", "seconds": 2}, [{"code": "vi"}]
    delta = {"type": "transcript.text.delta", "delta": TEXT}
    whole = {"type": "transcript.text.done", "text": TEXT, "usage": usage, "languages": languages}
    assert body == "".join(f"data: {json.dumps(event, ensure_ascii=False, separators=(',', ':'))}\n\n" for event in (delta, whole))


@pytest.mark.parametrize(
    ("fields", "ending"), [({}, "pearl."), ({"keywords": ["black pearls"]}, "pearls."), ({"prompt": "Tea. Black pearls"}, "pearls.")]
)
def test_keywords_and_a_prompt_bias_the_recogniser(sdk, fields, ending):
    file = ROOT / "tests/recordings/en-black-pearls.wav"
    assert sdk.audio.transcriptions.create(file=file, model="whisper-1", language="en", **fields).text.lower().endswith(ending)


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (openai.UnprocessableEntityError, {"file": b"no sound"}),
        (openai.UnprocessableEntityError, {"file": b""}),
        (openai.UnprocessableEntityError, {"file": CLIP, "response_format": "diarized_json"}),
        (openai.NotFoundError, {"file": CLIP, "extra_body": {"menu": "nope"}}),
    ],
)
def test_the_client_raises_what_the_service_refuses(sdk, error, fields):
    with pytest.raises(error) as refused:
        sdk.audio.transcriptions.create(model="whisper-1", **fields)
    assert refused.value.request_id
    assert refused.value.param in {"file", "response_format", "model"}


async def test_a_translation_is_refused(state):
    async with client_of(state, headers=BEARER) as client:
        reply = await client.post("/v1/audio/translations", files={"file": b"abc"}, data={"model": "whisper-1"})
    assert reply.status_code == 400
    assert "does not translate" in reply.json()["error"]["message"]


# --- Fields -------------------------------------------------------------------------------------------------------------------------


async def heard(state, *fields, model="whisper-1", text="xin chào"):
    """Send a form; return the reply and what the recogniser was asked."""
    recogniser = FixedRecogniser(text)
    form = [("model", (None, model)), *((name, (None, value)) for name, value in fields), ("file", ("upload", b"abc"))]
    async with client_of(state, headers=BEARER, recogniser=recogniser) as client:
        reply = await client.post(TRANSCRIPTIONS, files=form)
    return reply, recogniser.calls[0] if recogniser.calls else {}


@pytest.mark.parametrize("suffix", ["", "[]"])
async def test_lists_come_with_and_without_brackets(state, suffix):
    lists = [("keywords", "trà sen"), ("keywords", "bún  bò"), ("languages", "vi"), ("languages", "en-US")]
    lists += [("timestamp_granularities", "word"), ("timestamp_granularities", "segment")]
    reply, asked = await heard(state, *((f"{name}{suffix}", value) for name, value in lists), ("response_format", "verbose_json"))
    assert (asked["phrases"], asked["languages"], asked["words"]) == (("trà sen", "bún bò"), ["vi", "en"], True)
    assert {"segments", "words"} <= set(reply.json())


async def test_a_prompt_is_split_into_phrases_at_its_punctuation(state):
    _, asked = await heard(state, ("prompt", "Menu: trà sen, bún bò.\nBánh mì"), ("hotwords", "trà sen, phở"))
    assert asked["phrases"] == ("Menu", "trà sen", "bún bò", "Bánh mì", "phở")


async def test_the_model_or_a_field_names_the_menu_whose_words_are_expected(state):
    expected = state["menus"].get("demo", MENU).phrases()
    for reply, asked in [await heard(state, model=MENU), await heard(state, ("menu", MENU), ("keywords", "phở"))]:
        assert reply.status_code == 200
        assert asked["phrases"][: len(expected)] == expected
        assert asked["languages"] == ["vi", "en"] or asked["languages"] == ("vi", "en")
    assert asked["phrases"][-1] == "phở"
    assert (await heard(state))[1]["phrases"] == ()
    assert (await heard(state, model="gpt-4o-transcribe"))[1]["phrases"] == ()


@pytest.mark.parametrize(("given", "language"), [("vi", "vi"), ("vi-VN", "vi"), ("EN_us", "en"), ("", None)])
async def test_the_language_may_be_a_tag(state, given, language):
    assert (await heard(state, ("language", given)))[1]["language"] == language


async def test_fields_of_others_are_ignored_and_those_of_the_speech_route_are_known(state):
    others = [
        ("known_speaker_references[]", "data:audio/wav;base64," + "A" * 500_000),
        ("temperature", "x"),
        ("chunking_strategy[type]", "server_vad"),
        ("known_speaker_names[]", "a"),
        ("without_timestamps", "true"),
    ]
    reply, asked = await heard(state, *others, ("encoding", "pcm_s16le"), ("sample_rate", "8000"), ("channels", "1"))
    assert (reply.status_code, reply.json()["text"]) == (200, "xin chào")
    assert (asked["encoding"], asked["sample_rate"], asked["channels"]) == ("pcm_s16le", 8000, 1)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ([("response_format", "docx")], "response_format"),
        ([("language", "tiếng Việt")], "language"),
        ([("languages[]", "1")], "languages"),
        ([("stream", "maybe")], "stream"),
        ([("menu", "a b")], "menu"),
        ([("keywords[]", "x" * 3000), ("prompt", "y" * 3000)], "prompt"),
        ([("hotwords", "x" * 500_000)], "prompt"),
        ([("response_format", "json"), ("response_format", "srt")], "response_format"),
    ],
)
async def test_a_malformed_field_is_named(state, fields, param):
    reply, asked = await heard(state, *fields)
    assert (reply.status_code, reply.json()["error"]["param"], asked) == (422, param, {})
    assert set(reply.json()["error"]) == {"message", "type", "param", "code"}


async def test_silence_has_a_reply_in_every_format(state):
    for response_format, body in (("text", "\n"), ("srt", ""), ("vtt", "WEBVTT\n\n")):
        assert (await heard(state, ("response_format", response_format), text=""))[0].text == body
    reply, _ = await heard(state, ("stream", "true"), text="")
    (event,) = re.findall(r"data: (.*)\n\n", reply.text)
    assert (json.loads(event)["type"], json.loads(event)["text"]) == ("transcript.text.done", "")


@pytest.mark.parametrize(
    ("headers", "request_", "status", "code"),
    [
        ({}, {"files": {"file": b"abc"}}, 401, "AUTHENTICATION_REQUIRED"),
        ({"Authorization": "Bearer demo~wrong-secret"}, {"files": {"file": b"abc"}}, 400, "INVALID_CREDENTIALS"),
        ({"Authorization": "Bearer sk-something"}, {"files": {"file": b"abc"}}, 401, "INVALID_TOKEN"),
        (bearer("order"), {"files": {"file": b"abc"}}, 403, "AUTHORIZATION_FAILED"),
        (BEARER, {"json": {"file": "abc"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (BEARER, {"data": {"file": "abc"}}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        (BEARER, {"files": {"sound": b"abc"}}, 422, "VALIDATION_FAILED"),
        (BEARER, {"content": b"--x--", "headers": {"Content-Type": "multipart/form-data"}}, 400, "BAD_REQUEST"),
    ],
)
async def test_errors_have_the_status_of_the_service_in_the_form_of_the_protocol(state, headers, request_, status, code):
    async with client_of(state, headers=headers, recogniser=FixedRecogniser()) as client:
        reply = await client.post(TRANSCRIPTIONS, **request_)
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, code)
    assert error["message"]
    assert error["type"] == {401: "authentication_error", 403: "permission_error"}.get(status, "invalid_request_error")
