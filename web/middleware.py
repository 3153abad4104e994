"""The outermost middleware: headers, metrics and log of every reply; turns unhandled exceptions into replies."""

import asyncio
import re
import time
from collections.abc import Awaitable, Mapping, Sequence

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from errors import NotFound
from voice.tracing import CURRENT, Segment, Tracing, read_trace
from web import reply_headers
from web.access_log import SWITCHING_PROTOCOLS, AccessLog, end_segment
from web.client_address import ClientAddresses
from web.context import CONTEXT_KEY, RequestContext
from web.cors import Cors
from web.fast_path import ExactRoutes
from web.http_metrics import HttpMetrics
from web.replies import on_error, to_api_error

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_REPLY_STARTS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


class EdgeMiddleware:
    """Adds the request id, security and CORS headers, records metrics and the access log, and replies to unhandled exceptions."""

    def __init__(  # noqa: PLR0913 - the parts of every reply
        self,
        app: ASGIApp,
        *,
        routes: Sequence[BaseRoute],
        cors: Cors,
        addresses: ClientAddresses,
        metrics: HttpMetrics,
        access_log: AccessLog,
        tracing: Tracing,
    ) -> None:
        self.app = app
        self.exact_routes = ExactRoutes(routes)
        self.sockets = {route.path: route for route in routes if isinstance(route, WebSocketRoute)}
        self.cors = cors
        self.addresses = addresses
        self.metrics = metrics
        self.access_log = access_log
        self.tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve an HTTP request or a WebSocket connection."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        started_s = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        scope[CONTEXT_KEY] = RequestContext(
            headers, request_id.decode(), self.addresses.address_of(scope, headers.get(b"x-forwarded-for", b""))
        )
        added = [(b"x-request-id", request_id), *reply_headers.SECURITY_HEADERS]
        is_http = scope["type"] == "http"
        if is_http:
            added += self.cors.headers_for(headers.get(b"origin"))
        else:
            scope["method"] = "GET"
        status = close_code = 0

        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status, close_code
            if message["type"] in _REPLY_STARTS:
                status = message.get("status", SWITCHING_PROTOCOLS)
                message["headers"] = [*message.get("headers", ()), *added]
            elif message["type"] == "websocket.close":
                close_code = message["code"]
            return send(message)

        segment = self._start_segment(scope, headers)
        self.metrics.in_flight.inc(is_http)
        try:
            await self._application_for(scope)(scope, receive, send_with_headers)
        except ClientDisconnect:
            self.metrics.disconnected.inc()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - every failure is a reply in the envelope
            response = await on_error(HTTPConnection(scope), to_api_error(scope, error))
            if not status:
                await response(scope, receive, send_with_headers)
        finally:
            self.metrics.in_flight.dec(is_http)
            self.access_log.record(scope, status, close_code, time.perf_counter() - started_s)
            if segment is not None:
                CURRENT.set(None)
                end_segment(segment, scope, status)

    def _start_segment(self, scope: Scope, headers: Mapping[bytes, bytes]) -> Segment | None:
        """Start the segment of the request, if it belongs to a trace."""
        parent = headers.get(b"traceparent")
        trace = None if parent is None else read_trace(parent.decode("latin-1"), headers.get(b"tracestate", b"").decode("latin-1"))
        segment = self.tracing.start(trace)
        if segment is not None:
            scope[CONTEXT_KEY].trace = segment.trace
            CURRENT.set(segment.trace)
        return segment

    def _application_for(self, scope: Scope) -> ASGIApp:
        """Return the application of the route.

        Raises:
            NotFound: there is no WebSocket at the path; the router would close the connection without an envelope.
            BadRequest: a preflight of an origin that may not call.

        """
        if scope["type"] == "websocket":
            socket = self.sockets.get(scope["path"])
            if socket is None:
                raise NotFound
            scope["route"] = socket
            return socket.app
        if route := self.exact_routes.find(scope):
            scope["route"], scope["endpoint"] = route, route.endpoint
            return route.app
        headers = scope[CONTEXT_KEY].headers
        if self.cors.enabled and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
            return self.cors.preflight(headers.get(b"origin"))
        return self.app


def _request_id(headers: Mapping[bytes, bytes]) -> bytes:
    """Return the caller's id of the request if it is well-formed, else a new one."""
    given = headers.get(b"x-request-id")
    return given if given is not None and _REQUEST_ID.fullmatch(given) is not None else reply_headers.new_request_id()
