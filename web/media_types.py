"""Parse the content type of a request; the media types that are accepted as audio."""

import re

from starlette.requests import Request

from errors import UnsupportedMediaType
from web.context import context_of
from web.fast_path import is_plain_json

# Media types of a body that is audio, as documented and in lower case.
AUDIO_TYPES = (
    "audio/wav",
    "audio/x-wav",
    "audio/wave",
    "audio/vnd.wave",
    "audio/webm",
    "audio/ogg",
    "audio/opus",
    "audio/flac",
    "audio/x-flac",
    "audio/mpeg",
    "audio/mp3",
    "audio/mp4",
    "audio/m4a",
    "audio/x-m4a",
    "audio/aac",
    "audio/L16",
    "video/webm",
    "video/mp4",
    "application/octet-stream",
)
AUDIO_MEDIA_TYPES = frozenset(media_type.lower() for media_type in AUDIO_TYPES)

# The longest legitimate content type, with a form's boundary, has about 200 bytes.
MAX_MEDIA_TYPE_BYTES = 256
# Source: RFC 9110 sections 5.6.2, 5.6.6 and 8.3.1; an unquoted value may contain commas, as browsers write `codecs=vp8,opus`.
_MEDIA_TYPE = re.compile(r"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?=;|$)")
_PARAMETER = re.compile(r';[ \t]*([^;=" \t]*)(?:=(?:"((?:[^"\\]|\\.)*)"|([^;"]*)))?[ \t]*(?=;|$)')


def media_type_of(request: Request) -> tuple[str, dict[str, str]]:
    """Return the media type in lower case and its parameters by lower-case name.

    Raises:
        UnsupportedMediaType: the content type is missing, malformed or too long, or the body is compressed.

    """
    headers = context_of(request.scope).headers
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise UnsupportedMediaType
    given = headers.get(b"content-type", b"").decode("latin-1")
    found = _MEDIA_TYPE.match(given) if len(given) <= MAX_MEDIA_TYPE_BYTES else None
    if found is None:
        raise UnsupportedMediaType
    media_type, parameters = found[1].lower(), dict[str, str]()
    while found.end() < len(given):
        found = _PARAMETER.match(given, found.end())
        if found is None:
            raise UnsupportedMediaType
        name, quoted, plain = found.groups(default="")
        if name:
            parameters[name.lower()] = re.sub(r"\\(.)", r"\1", quoted) or plain.rstrip(" \t")
    return media_type, parameters


def is_json(request: Request) -> bool:
    """True if the content type is application/json."""
    return is_plain_json(context_of(request.scope).headers) or media_type_of(request)[0] == "application/json"


def expect_json(request: Request) -> None:
    """Reject a body that is not declared as JSON in UTF-8.

    Raises:
        UnsupportedMediaType: the body is declared as something else, or compressed.

    """
    if is_plain_json(context_of(request.scope).headers):
        return
    media_type, parameters = media_type_of(request)
    if media_type != "application/json" or parameters.pop("charset", "utf-8").lower() != "utf-8" or parameters:
        raise UnsupportedMediaType
