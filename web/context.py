"""The context of a request while it is served: set by the middleware, read by admission, endpoints and the access log."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection
from starlette.types import Scope

from voice.tracing import Trace
from web.auth import Caller

if TYPE_CHECKING:
    from voice.live.connection import LiveConnection

CONTEXT_KEY = "voice.context"


@dataclass(slots=True)
class RequestContext:
    """The context of one HTTP request or WebSocket connection."""

    headers: dict[bytes, bytes]  # by lower-case name; the last of a repeated header
    request_id: str
    address: str  # the caller's, behind trusted proxies
    caller: Caller | None = None  # None before admission and on open routes
    max_body_bytes: int = 0  # the route's limit
    live: "LiveConnection | None" = None  # of an accepted WebSocket
    trace: Trace | None = None


def context_of(scope: Scope) -> RequestContext:
    """Return the context of the request or connection with this scope."""
    context: RequestContext = scope[CONTEXT_KEY]
    return context


def caller_of(connection: HTTPConnection) -> Caller:
    """Return the admitted caller."""
    caller = context_of(connection.scope).caller
    assert caller is not None  # noqa: S101 - the endpoint's facts ask for credentials
    return caller
