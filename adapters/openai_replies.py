"""Replies in the form of the OpenAI API: errors, with the statuses of this service, and server-sent events."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from starlette.responses import Response

from errors import ApiError, AudioInvalid, AudioTooLong, AuthorizationFailed, AuthRequired, MenuNotFound, NotFound, RateLimited

ERROR_TYPES = {
    AuthRequired.status: "authentication_error",
    AuthorizationFailed.status: "permission_error",
    NotFound.status: "not_found_error",
    RateLimited.status: "rate_limit_error",
}
DONE = b"data: [DONE]\n\n"


def openai_error(error: ApiError, request_id: str) -> dict[str, Any]:  # noqa: ARG001 - an `ErrorBody`; the request id is in the headers
    """Return the body of an error reply; `code` is the error word of this service, `param` the field that is wrong."""
    type_ = "server_error" if error.status >= ApiError.status else ERROR_TYPES.get(error.status, "invalid_request_error")
    message, param = str(error), _param_of(error)
    if error.errors:
        message = f"{param}: {error.errors[0]['msg']}"
    return {"error": {"message": message, "type": type_, "param": param, "code": error.error}}


def _param_of(error: ApiError) -> str | None:
    if error.errors:
        return ".".join(map(str, error.errors[0]["loc"])) or None
    if isinstance(error, AudioInvalid | AudioTooLong):
        return "file"
    return "model" if isinstance(error, MenuNotFound) else None


def event_reply(events: Iterable[Mapping[str, Any]], *, has_end: bool) -> Response:
    """Return a reply with all events; `has_end`: `[DONE]` is the last one. Source: HTML standard, section 9.2.

    The service knows the whole reply when it knows the first word, so all events are sent at once: nothing waits for a slow reader, and
    whatever fails, fails with its status before the first event.
    """
    body = b"".join([b"data: %b\n\n" % orjson.dumps(event) for event in events])
    return Response(body + DONE if has_end else body, media_type="text/event-stream")
