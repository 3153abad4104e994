"""Transcription in the form of the OpenAI API."""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Literal, NamedTuple, TypedDict

from starlette.requests import Request
from starlette.responses import Response

from adapters.openai_replies import event_reply
from adapters.transcript_formats import as_events, as_json, as_srt, as_verbose_json, as_vtt
from errors import BadRequest, UnsupportedMediaType, ValidationFailed
from schemas import SpeechOptions, Transcript
from voice.asr.recogniser import Recogniser
from voice.dialog.turn import DialogEngine
from voice.menus.served import ServedMenus
from web.bodies import BodyReader
from web.context import caller_of
from web.endpoint import endpoint
from web.media_types import media_type_of
from web.recognition import recognise
from web.replies import JsonResponse
from web.validation import validate_fields

ResponseFormat = Literal["json", "text", "srt", "verbose_json", "vtt"]
# A client may send each word of a menu as a field of its own.
MAX_FIELDS = 1000
# Of all phrases that bias a clip: a biasing trie has a node of 300 bytes for each character.
MAX_BIAS_CHARACTERS = 4000
# Fields with one value; those of the speech route may be added by clients that know it.
_OPTIONS = frozenset({"response_format", "stream", "sample_rate", "hertz", "encoding", "channels", "menu"})
_BETWEEN_PHRASES = re.compile(r"[,;:.!?\n\r]+")
_PRIMARY_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_].*)?")


class AudioState(TypedDict):
    """The part of the application's state that these endpoints need."""

    bodies: BodyReader
    menus: ServedMenus[DialogEngine]
    recogniser: Recogniser


class TranscriptionOptions(SpeechOptions):
    """The fields that have one value."""

    response_format: ResponseFormat = "json"
    stream: bool = False


class TranscriptionRequest(NamedTuple):
    """The fields of a transcription beside the audio."""

    options: TranscriptionOptions
    with_segments: bool
    with_words: bool
    with_log_probs: bool
    languages: Sequence[str]
    phrases: Sequence[str]


@endpoint(
    "speech",
    scope="speech",
    body=TranscriptionOptions,
    audio=TranscriptionOptions,
    status={200: "Recognised."},
)
async def create_transcription(request: Request) -> Response:
    """Turn speech into text."""
    state: AudioState = request.scope["state"]
    if media_type_of(request)[0] != "multipart/form-data":
        raise UnsupportedMediaType
    audio, fields = await state["bodies"].read_form(request, state["bodies"].max_json_bytes, MAX_FIELDS)
    client = caller_of(request).id
    asked = read_transcription(fields, {menu.id for menu in state["menus"].menus_of(client)})
    menu = asked.options.menu
    engine = state["menus"].get(client, menu) if menu is not None else None
    recognised = partial(recognise, languages=asked.languages, phrases=asked.phrases)
    return _reply(asked, await recognised(request, state["recogniser"], audio, asked.options, engine))


@endpoint(scope="speech", status={200: "Never."})
async def create_translation(request: Request) -> Response:  # noqa: ARG001 - an endpoint's signature
    """Refuse to translate."""
    message = "This service does not translate: /v1/audio/transcriptions returns the words in the language in which they were spoken."
    raise BadRequest(message)


def read_transcription(fields: Sequence[tuple[str, str]], menus: Collection[str]) -> TranscriptionRequest:
    """Return the fields of a form. Lists come as `name[]` or `name`, repeated; a `model` that is a menu's id is the `menu`.

    Raises:
        ValidationFailed: a field of this list is malformed. Others are ignored: clients send many.

    """
    given: dict[str, list[str]] = {}
    for name, value in fields:
        given.setdefault(name.removesuffix("[]"), []).append(value)

    options = [(name, value) for name, value in fields if name in _OPTIONS and value]
    model = given.get("model", [""])[-1]
    if "menu" not in given and model in menus:
        options.append(("menu", model))
    language = given.get("language", [""])[-1]
    if language:
        options.append(("language", _language_of(language, "language")))
    granularities = given.get("timestamp_granularities", ["segment"])
    with_log_probs = "logprobs" in given.get("include", ())
    with_words = "word" in granularities
    options.append(("words", "true" if with_words or with_log_probs else "false"))
    return TranscriptionRequest(
        validate_fields(TranscriptionOptions, options),
        "segment" in granularities,
        with_words,
        with_log_probs,
        [_language_of(one, "languages") for one in given.get("languages", ()) if one],
        _phrases(given),
    )


def _language_of(given: str, field: str) -> str:
    """Return the language of a tag, as "vi" of "vi-VN".

    Raises:
        ValidationFailed: it is no language tag.

    """
    found = _PRIMARY_LANGUAGE.fullmatch(given)
    if found is None:
        raise ValidationFailed(errors=[{"loc": [field], "msg": "Not a language of two or three letters", "type": "value_error"}])
    return found[1].lower()


def _phrases(given: Mapping[str, Sequence[str]]) -> Sequence[str]:
    """Return the phrases to expect: `keywords`, and what stands between the punctuation marks of `prompt` and `hotwords`.

    Raises:
        ValidationFailed: there are too many.

    """
    texts, keywords = [*given.get("prompt", ()), *given.get("hotwords", ())], given.get("keywords", ())
    if sum(map(len, (*texts, *keywords))) > MAX_BIAS_CHARACTERS:
        message = f"prompt and keywords have more than {MAX_BIAS_CHARACTERS} characters"
        raise ValidationFailed(errors=[{"loc": ["prompt"], "msg": message, "type": "too_long"}])
    parts = [part for text in texts for part in _BETWEEN_PHRASES.split(text)]
    return tuple(dict.fromkeys(phrase for part in (*parts, *keywords) if (phrase := " ".join(part.split()))))


def _reply(asked: TranscriptionRequest, transcript: Transcript) -> Response:
    """Return the transcript in the format that was asked for."""
    response_format = asked.options.response_format
    if asked.options.stream:
        return event_reply(as_events(transcript, with_log_probs=asked.with_log_probs), has_end=False)
    if response_format == "json":
        return JsonResponse(as_json(transcript, with_log_probs=asked.with_log_probs))
    if response_format == "verbose_json":
        return JsonResponse(as_verbose_json(transcript, with_segments=asked.with_segments, with_words=asked.with_words))
    if response_format == "vtt":
        return Response(as_vtt(transcript), media_type="text/vtt")
    return Response(as_srt(transcript) if response_format == "srt" else f"{transcript['text']}\n", media_type="text/plain")
