"""Every error that a caller may receive.

    ApiError                      500 SERVER_ERROR
    ├── BadRequest                400 BAD_REQUEST
    │   ├── InvalidSecretId       400 SECRET_ID_INVALID
    │   ├── InvalidSecretKey      400 SECRET_KEY_INVALID
    │   └── InvalidCredentials    400 INVALID_CREDENTIALS
    ├── NotAuthenticated          401 AUTHENTICATION_REQUIRED
    │   ├── AuthRequired          401 AUTHENTICATION_REQUIRED
    │   ├── InvalidToken          401 INVALID_TOKEN
    │   └── RefreshTokenNotValid  401 REFRESH_TOKEN_NOT_VALID
    ├── PermissionDenied          403 AUTHORIZATION_FAILED
    │   └── AuthorizationFailed   403 AUTHORIZATION_FAILED
    ├── NotFound                  404 NOT_FOUND
    │   ├── MenuNotFound          404 MENU_NOT_FOUND
    │   └── OrderNotFound         404 ORDER_NOT_FOUND
    ├── MethodNotAllowed          405 METHOD_NOT_ALLOWED
    ├── TimedOut                  408 TIMED_OUT
    ├── OrderConflict             409 ORDER_CONFLICT
    │   └── OrderCancelled        409 ORDER_CONFLICT
    ├── MenuConflict              409 MENU_CONFLICT
    │   └── TooManyMenus          409 MENU_CONFLICT
    ├── PreconditionFailed        412 PRECONDITION_FAILED
    ├── PayloadTooLarge           413 PAYLOAD_TOO_LARGE
    │   └── AudioTooLong          413 AUDIO_TOO_LONG
    ├── UnsupportedMediaType      415 UNSUPPORTED_MEDIA_TYPE
    ├── ValidationFailed          422 VALIDATION_FAILED
    │   ├── ItemNotFound          422 ITEM_NOT_FOUND
    │   ├── OrderIncomplete       422 ORDER_INCOMPLETE
    │   └── AudioInvalid          422 AUDIO_INVALID
    ├── PreconditionRequired      428 PRECONDITION_REQUIRED
    ├── RateLimited               429 RATE_LIMITED
    └── Overloaded                503 OVERLOADED
        └── NotReady              503 OVERLOADED

A class's docstring is its public description: the OpenAPI document contains it, and a test compares the table in docs/api.md with it.
The message is for the caller; the cause goes into `raise ... from` and the log.
"""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, ClassVar

from typing_extensions import TypedDict


class ErrorCode(StrEnum):
    """The stable values of `data.error`."""

    SERVER_ERROR = "SERVER_ERROR"
    BAD_REQUEST = "BAD_REQUEST"
    SECRET_ID_INVALID = "SECRET_ID_INVALID"  # noqa: S105 - an error's name, not a secret
    SECRET_KEY_INVALID = "SECRET_KEY_INVALID"  # noqa: S105
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    AUTHENTICATION_REQUIRED = "AUTHENTICATION_REQUIRED"
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105
    REFRESH_TOKEN_NOT_VALID = "REFRESH_TOKEN_NOT_VALID"  # noqa: S105
    AUTHORIZATION_FAILED = "AUTHORIZATION_FAILED"
    NOT_FOUND = "NOT_FOUND"
    MENU_NOT_FOUND = "MENU_NOT_FOUND"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    TIMED_OUT = "TIMED_OUT"
    ORDER_CONFLICT = "ORDER_CONFLICT"
    MENU_CONFLICT = "MENU_CONFLICT"
    PRECONDITION_FAILED = "PRECONDITION_FAILED"
    PAYLOAD_TOO_LARGE = "PAYLOAD_TOO_LARGE"
    AUDIO_TOO_LONG = "AUDIO_TOO_LONG"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    VALIDATION_FAILED = "VALIDATION_FAILED"
    ITEM_NOT_FOUND = "ITEM_NOT_FOUND"
    ORDER_INCOMPLETE = "ORDER_INCOMPLETE"
    AUDIO_INVALID = "AUDIO_INVALID"
    PRECONDITION_REQUIRED = "PRECONDITION_REQUIRED"
    RATE_LIMITED = "RATE_LIMITED"
    OVERLOADED = "OVERLOADED"


class FieldError(TypedDict):
    """A field that did not validate, without its value."""

    loc: list[str | int]
    msg: str
    type: str


class ApiError(Exception):
    """Something failed on our side; the request id finds it in the log."""

    status: ClassVar[int] = 500
    error: ClassVar[ErrorCode] = ErrorCode.SERVER_ERROR
    headers: Mapping[str, str] = {}
    errors: Sequence[FieldError] = ()
    details: Mapping[str, object] = {}

    def __init__(self, message: str | None = None) -> None:
        """`message`: one sentence for the caller; by default the description of the class."""
        super().__init__(message or (type(self).__doc__ or "").split("\n", 1)[0])


class BadRequest(ApiError):
    """The request is malformed, for example because its body is not JSON."""

    status = 400
    error = ErrorCode.BAD_REQUEST


class InvalidSecretId(BadRequest):
    """The client's key was sent without the client's id, or the id is empty or malformed."""

    error = ErrorCode.SECRET_ID_INVALID


class InvalidSecretKey(BadRequest):
    """The client's id was sent without the client's key, or the key is empty or malformed."""

    error = ErrorCode.SECRET_KEY_INVALID


class InvalidCredentials(BadRequest):
    """No client has this id and this key."""

    error = ErrorCode.INVALID_CREDENTIALS


class NotAuthenticated(ApiError):
    """The request is not authenticated."""

    status = 401
    error = ErrorCode.AUTHENTICATION_REQUIRED
    headers = {"WWW-Authenticate": "Bearer"}  # noqa: RUF012 - read only


class AuthRequired(NotAuthenticated):
    """Credentials are needed: X-Secret-Id and X-Secret-Key, or a bearer token."""


class InvalidToken(NotAuthenticated):
    """The access token is malformed, forged, expired or of another type."""

    error = ErrorCode.INVALID_TOKEN


class RefreshTokenNotValid(NotAuthenticated):
    """The refresh token is unknown, expired or used."""

    error = ErrorCode.REFRESH_TOKEN_NOT_VALID


class PermissionDenied(ApiError):
    """The client lacks permission."""

    status = 403
    error = ErrorCode.AUTHORIZATION_FAILED


class AuthorizationFailed(PermissionDenied):
    """The client lacks the scope that this route requires."""


class NotFound(ApiError):
    """Nothing is served under this path."""

    status = 404
    error = ErrorCode.NOT_FOUND


class MenuNotFound(NotFound):
    """No menu has this id."""

    error = ErrorCode.MENU_NOT_FOUND


class OrderNotFound(NotFound):
    """The client has stored no order under this id."""

    error = ErrorCode.ORDER_NOT_FOUND


class MethodNotAllowed(ApiError):
    """The path is served, but not with this method."""

    status = 405
    error = ErrorCode.METHOD_NOT_ALLOWED

    def __init__(self, allow: str) -> None:
        """`allow`: the methods of the path, comma-separated."""
        super().__init__()
        self.headers = {"Allow": allow}


class TimedOut(ApiError):
    """A live connection was idle for too long."""

    status = 408
    error = ErrorCode.TIMED_OUT


class OrderConflict(ApiError):
    """Another order is stored under this id."""

    status = 409
    error = ErrorCode.ORDER_CONFLICT


class OrderCancelled(OrderConflict):
    """The order was cancelled before, with another reason."""


class MenuConflict(ApiError):
    """The menu belongs to the service, or the client keeps as many menus as it may."""

    status = 409
    error = ErrorCode.MENU_CONFLICT


class TooManyMenus(MenuConflict):
    """The client keeps as many menus, or as many words in their names, as it may; delete one first."""


class PreconditionFailed(ApiError):
    """The menu is not in the state that If-Match or If-None-Match asks for: another change was faster."""

    status = 412
    error = ErrorCode.PRECONDITION_FAILED


class PayloadTooLarge(ApiError):
    """The body is larger than this route accepts."""

    status = 413
    error = ErrorCode.PAYLOAD_TOO_LARGE


class AudioTooLong(PayloadTooLarge):
    """The audio is longer than this service accepts."""

    error = ErrorCode.AUDIO_TOO_LONG


class UnsupportedMediaType(ApiError):
    """The route does not accept the content type or the content encoding."""

    status = 415
    error = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class ValidationFailed(ApiError):
    """The body has the wrong shape; `data.errors` names each place."""

    status = 422
    error = ErrorCode.VALIDATION_FAILED

    def __init__(self, message: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        """`errors`: each field that did not validate."""
        super().__init__(message)
        self.errors = errors


class ItemNotFound(ValidationFailed):
    """The menu has no such item."""

    error = ErrorCode.ITEM_NOT_FOUND


class OrderIncomplete(ValidationFailed):
    """A line has an open choice, or lacks a required one; `data.errors` names each option group."""

    error = ErrorCode.ORDER_INCOMPLETE


class AudioInvalid(ValidationFailed):
    """The audio cannot be decoded, or contradicts its declared sample rate or channels."""

    error = ErrorCode.AUDIO_INVALID


class PreconditionRequired(ApiError):
    """The request needs If-Match with the ETag of the menu, or `If-None-Match: *` for a new menu."""

    status = 428
    error = ErrorCode.PRECONDITION_REQUIRED


class RateLimited(ApiError):
    """Too many requests; `Retry-After` says when the next one is accepted."""

    status = 429
    error = ErrorCode.RATE_LIMITED

    def __init__(self, retry_after_s: float, message: str | None = None) -> None:
        """`retry_after_s`: seconds until the next request is accepted."""
        super().__init__(message)
        self.headers = {"Retry-After": str(max(1, math.ceil(retry_after_s)))}


class Overloaded(ApiError):
    """The service cannot accept this request now; `Retry-After` says when to try again."""

    status = 503
    error = ErrorCode.OVERLOADED

    def __init__(self, retry_after_s: float = 1, message: str | None = None) -> None:
        """`retry_after_s`: seconds after which a retry is useful."""
        super().__init__(message)
        self.headers = {"Retry-After": str(max(1, math.ceil(retry_after_s)))}


class NotReady(Overloaded):
    """A part of the service is not ready; `data.checks` names it."""

    def __init__(self, details: Mapping[str, object]) -> None:
        """`details`: fields of the reply's data."""
        super().__init__()
        self.details = details


def envelope(error: ApiError, request_id: str) -> dict[str, Any]:
    """Return the error envelope of every error reply."""
    data: dict[str, Any] = {"error": error.error, "request_id": request_id, **error.details}
    if isinstance(error, ValidationFailed):
        data["errors"] = list(error.errors)
    return {"code": error.status, "msg": str(error), "data": data}
