"""Replies in the envelope `{"code", "msg", "data"}`."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Scope

from errors import ApiError, MethodNotAllowed, NotFound, Overloaded, envelope
from web.context import context_of

log = logging.getLogger("voice.http")

# Returns the body of an error reply from the error and the request id.
ErrorBody = Callable[[ApiError, str], Mapping[str, Any]]


class JsonResponse(Response):
    """A reply whose content is serialised by orjson."""

    def __init__(self, content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Set every attribute. Optimisation: the library's constructor works out the headers of each reply, which takes 1.3 us."""
        self.status_code = status
        self.background = None
        self.body = orjson.dumps(content)
        self.raw_headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body))]
        if headers:
            self.raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def reply(connection: HTTPConnection, data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> JsonResponse:
    """Return a success with the message that the endpoint's facts declare for the status."""
    message = connection.scope["endpoint"].facts.status[status]
    return JsonResponse({"code": status, "msg": message, "data": data}, status, headers)


async def on_error(connection: HTTPConnection, error: Exception) -> JsonResponse:
    """Turn an exception into an error reply in the form of its path: the envelope, or the form of another protocol."""
    known = _known(connection, error)
    request_id = context_of(connection.scope).request_id
    if known.__cause__ is not None:
        log.info("refused", extra={"request_id": request_id, "error": known.error}, exc_info=known)
    return JsonResponse(_error_body_of(connection)(known, request_id), known.status, known.headers)


def _error_body_of(connection: HTTPConnection) -> ErrorBody:
    """Return the function of the application's `error_bodies` (by the beginning of a path) for this path, else `envelope`."""
    bodies: Mapping[str, ErrorBody] = connection.app.state.error_bodies
    path: str = connection.scope["path"]
    return next((body for start, body in bodies.items() if path.startswith(start)), envelope)


def _known(connection: HTTPConnection, error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    status = error.status_code if isinstance(error, HTTPException) else None
    if status == NotFound.status:
        return NotFound()
    if status == MethodNotAllowed.status:
        return MethodNotAllowed(", ".join(_methods_at(connection)))
    return ApiError()


def _methods_at(connection: HTTPConnection) -> list[str]:
    """Return the methods of the routes that match the path."""
    routes = [route for route in connection.app.routes if isinstance(route, Route)]
    return sorted({method for route in routes if route.matches(connection.scope)[0] is not Match.NONE for method in route.methods or ()})


def to_api_error(scope: Scope, error: BaseException) -> ApiError:
    """Return the reply to an exception that no endpoint handled; a cancellation means that the server closes."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, asyncio.CancelledError):
        return Overloaded()
    log.error("failed", extra={"request_id": context_of(scope).request_id}, exc_info=error)
    return ApiError()
