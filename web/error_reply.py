"""Replies that the protocols write themselves, because no request reaches the application."""

from collections.abc import Sequence
from http import HTTPStatus

import orjson

from errors import ApiError, envelope
from web.reply_headers import SECURITY_HEADERS, new_request_id


def error_reply(error: ApiError, default_headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a complete HTTP/1.1 reply with the error envelope and `Connection: close`."""
    request_id = new_request_id()
    body = orjson.dumps(envelope(error, request_id.decode()))
    headers = [
        *default_headers,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"x-request-id", request_id),
        *SECURITY_HEADERS,
    ]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n".encode() + head + b"\r\n" + body
