"""Parse JSON that contains much base64 audio without blocking the event loop.

Neither the JSON parser nor base64 decoding releases the GIL: 200 MB of audio would block the event loop for over a second, and 200 MB of
nested arrays for half a minute. So two searches for a quotation mark cut out the one long string; the small rest is parsed, and the
string is decoded piece by piece in a thread.
"""

import base64
import secrets

import orjson

from errors import BadRequest, PayloadTooLarge
from schemas import decode_base64, unwrap_base64
from web.validation import NOT_JSON

# Replaces the audio while the rest is validated. Random, so that no request contains it.
PLACEHOLDER = secrets.token_bytes(24)
_PLACEHOLDER_BASE64 = base64.b64encode(PLACEHOLDER)
# Decoding a piece takes about a millisecond; other threads run between two pieces.
PIECE_BYTES = 128 * 1024
# The longest escape, \u002B: a piece must not end within one.
MAX_ESCAPE_BYTES = 6


def cut_out_audio(body: bytes, max_rest_bytes: int) -> tuple[bytes, memoryview]:
    """Return the body with PLACEHOLDER in place of its longest string, and the content of that string.

    `body` must be longer than 2 * `max_rest_bytes`, so that the string reaches over its middle. Base64 contains no quotation mark; if the
    string is not base64, the rest is not JSON or too large.

    Raises:
        PayloadTooLarge: without its longest string the body is larger than `max_rest_bytes`.

    """
    middle = len(body) // 2
    start, end = body.rfind(b'"', 0, middle) + 1, body.find(b'"', middle)
    if not start or end < 0 or len(body) - (end - start) > max_rest_bytes:
        raise PayloadTooLarge
    return body[:start] + _PLACEHOLDER_BASE64 + body[end:], memoryview(body)[start:end]


def decode_json_base64(string: memoryview) -> bytes:
    r"""Decode the content of a JSON string as base64; some encoders write `/` and `+` as `\/` and `\u002B`. Blocking.

    Raises:
        BadRequest: not a JSON string.
        ValueError: not valid base64.

    """
    decoded: list[bytes] = []
    start, carried = 0, ""
    while start < len(string):
        piece = bytes(string[start : start + PIECE_BYTES])
        is_last = start + len(piece) == len(string)
        escape = -1 if is_last else piece.rfind(b"\\", len(piece) - MAX_ESCAPE_BYTES)
        piece = piece if escape < 0 else piece[:escape]
        start += len(piece)
        try:
            text: str = orjson.loads(b'"' + piece + b'"')
        except orjson.JSONDecodeError as error:
            raise BadRequest(NOT_JSON) from error
        text = carried + (text.replace("\r", "").replace("\n", "") if decoded else unwrap_base64(text))
        whole = len(text) if is_last else len(text) // 4 * 4
        text, carried = text[:whole], text[whole:]
        if not is_last and text.endswith("="):
            message = "not valid base64"
            raise ValueError(message)
        decoded.append(decode_base64(text))
    return b"".join(decoded)
