"""Read an utterance, text or audio, from a request: JSON, a form, or audio as the body itself."""

from typing import TypeVar

from starlette.requests import Request

from errors import UnsupportedMediaType
from schemas import OrderFields, OrderOptions, OrderRequest, SpeechOptions, SpeechRequest
from web.admission import Admission
from web.bodies import MAX_FIELD_BYTES, BodyReader
from web.media_types import AUDIO_MEDIA_TYPES, is_json, media_type_of
from web.validation import validate_fields

S = TypeVar("S", bound=SpeechOptions)
_AUDIO_PREFIXES = ("audio/", "video/", "multipart/", "application/octet-stream")
_L16_PARAMETERS = {"rate": "sample_rate", "channels": "channels"}


async def read_speech(request: Request, bodies: BodyReader) -> tuple[bytes, SpeechOptions]:
    """Return the audio of a speech request and its options."""
    if is_json(request):
        asked = await bodies.read_json(request, SpeechRequest)
        return asked.audio, asked
    return await _read_audio(request, bodies, SpeechOptions, MAX_FIELD_BYTES)


async def read_order(request: Request, bodies: BodyReader, admission: Admission) -> tuple[str, bytes | None, OrderOptions]:
    """Return the text or the audio of an order request, and its options.

    Raises:
        AuthorizationFailed, RateLimited: the caller may not send audio; raised before the body is read if the content type is not JSON.

    """
    if is_json(request):
        asked = await bodies.read_json(request, OrderRequest)
        if asked.audio is not None:
            await admission.admit_audio(request)
        return asked.text or "", asked.audio, asked
    if media_type_of(request)[0].startswith(_AUDIO_PREFIXES):
        await admission.admit_audio(request)
    audio, options = await _read_audio(request, bodies, OrderFields, bodies.max_json_bytes)
    return "", audio, options


async def _read_audio(request: Request, bodies: BodyReader, model: type[S], max_field_bytes: int) -> tuple[bytes, S]:
    """Return the audio (the `file` of a form, or the body itself) and the other fields (of the form or the query).

    Raises:
        UnsupportedMediaType: the body is neither a form nor audio.

    """
    media_type, parameters = media_type_of(request)
    if media_type == "multipart/form-data":
        audio, fields = await bodies.read_form(request, max_field_bytes)
        # Clients of OpenAI-compatible services always send `model`; this service chooses the model itself.
        return audio, validate_fields(model, [field for field in fields if field[0] != "model"])
    if media_type not in AUDIO_MEDIA_TYPES:
        raise UnsupportedMediaType
    fields = request.query_params.multi_items()
    if media_type == "audio/l16":
        fields += [
            ("encoding", "pcm_s16le"),
            *((_L16_PARAMETERS[name], value) for name, value in parameters.items() if name in _L16_PARAMETERS),
        ]
    options = validate_fields(model, fields)
    return await bodies.read(request), options
