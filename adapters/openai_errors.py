"""Errors in the form of the OpenAI API, with the statuses of this service."""

from typing import Any

from errors import ApiError, AudioInvalid, AudioTooLong, MenuNotFound, RateLimited

TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", RateLimited.status: "rate_limit_error"}


def openai_error(error: ApiError, request_id: str) -> dict[str, Any]:  # noqa: ARG001 - an `ErrorBody`; the request id is in the headers
    """Return the body of an error reply; `code` is the error word of this service, `param` the field that is wrong."""
    type_ = "server_error" if error.status >= ApiError.status else TYPES.get(error.status, "invalid_request_error")
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
