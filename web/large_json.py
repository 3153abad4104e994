"""Read JSON with much audio in it, without holding up everybody else.

Neither the parser nor base64 decoding lets another thread run: 200 MB of audio would stop the event loop for over a second, and as much
of nested nonsense for half a minute. So the one long string is lifted out first, which costs two searches for a quotation mark; what is
left is small, and the string is decoded piece by piece.
"""

import base64
import secrets

import orjson

from errors import BadRequest, PayloadTooLarge
from schemas import decode_base64, unwrapped_base64

# Stands for the audio while the rest is validated. Random, so that nobody else says it.
STAND_IN = secrets.token_bytes(24)
_STAND_IN_BASE64 = base64.b64encode(STAND_IN)
# A piece takes about a millisecond; other threads run between two.
PIECE_BYTES = 128 * 1024
# The longest escape, \u002B: a piece does not end within one.
MAX_ESCAPE_BYTES = 6


def lift_audio(body: bytes, max_rest_bytes: int) -> tuple[bytes, memoryview]:
    """Return the body with STAND_IN in place of its longest string, and what stands between that string's quotation marks.

    The body is more than twice as long as the rest may be, so that the string reaches over the body's middle. Base64 contains no quotation
    mark; where the string is something else, the rest is no JSON or too large.

    Raises:
        PayloadTooLarge: no string is so long that `max_rest_bytes` are enough for the rest.

    """
    middle = len(body) // 2
    start, end = body.rfind(b'"', 0, middle) + 1, body.find(b'"', middle)
    if not start or end < 0 or len(body) - (end - start) > max_rest_bytes:
        raise PayloadTooLarge
    return body[:start] + _STAND_IN_BASE64 + body[end:], memoryview(body)[start:end]


def decode_string(string: memoryview) -> bytes:
    r"""Decode what stands between quotation marks as base64; some encoders write its `/` and `+` as `\/` and `\u002B`. Blocking.

    Raises:
        BadRequest: it is no JSON string.
        ValueError: it is not valid base64.

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
            raise BadRequest from error
        text = carried + (text.replace("\r", "").replace("\n", "") if decoded else unwrapped_base64(text))
        whole = len(text) if is_last else len(text) // 4 * 4
        text, carried = text[:whole], text[whole:]
        if not is_last and text.endswith("="):
            message = "not valid base64"
            raise ValueError(message)
        decoded.append(decode_base64(text))
    return b"".join(decoded)
