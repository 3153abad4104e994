"""Record served requests and closed connections: their latency as a metric, and one log line each."""

import logging
from typing import Any

from starlette.types import Scope

from errors import ApiError
from voice.tracing import Segment
from web.context import context_of
from web.fast_path import labelled
from web.http_metrics import HttpMetrics

log = logging.getLogger("voice.http")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SWITCHING_PROTOCOLS = 101
NORMAL_CLOSURE = 1000  # RFC 6455 section 7.4.1; of calls that came to their end


class AccessLog:
    """Writes the access log, for HTTP and WebSocket."""

    def __init__(self, metrics: HttpMetrics, *, enabled: bool) -> None:
        """`enabled`: write log lines; the metrics are always kept."""
        self.metrics = metrics
        self.enabled = enabled

    def record(self, scope: Scope, status: int, close_code: int, duration_s: float) -> None:
        """Record a request or connection. `status`: 0 if no reply was sent. `close_code`: the server's, 0 if it closed no WebSocket."""
        live = context_of(scope).live
        if status == SWITCHING_PROTOCOLS and live is not None:
            reason = _reason(live.ended_by, close_code)
            live.metrics.ended.labels(reason).inc()
            self._write(
                "spoke", scope, status, duration_s, audio_s=round(live.received_s, 2), utterances=live.session.n_finals, ended=reason
            )
            return
        labelled(self.metrics.latency_s, _method(scope), _route(scope), status).observe(duration_s)
        self._write("answered" if status else "hung up", scope, status, duration_s)

    def _write(self, message: str, scope: Scope, status: int, duration_s: float, **further: Any) -> None:
        if not self.enabled or not log.isEnabledFor(logging.INFO):
            return
        context = context_of(scope)
        fields = {
            "request_id": context.request_id,
            "method": _method(scope),
            "route": _route(scope),
            "status": status,
            "duration_ms": round(1000 * duration_s, 3),
            "client": context.caller.id if context.caller else None,
            "address": context.address,
        }
        if context.trace is not None:
            fields |= {"trace_id": context.trace.trace_id, "span_id": context.trace.span_id}
        log.info(message, extra=fields | further)


def _reason(error: ApiError | None, close_code: int) -> str:
    """Return why a connection ended; `close_code`: 0 if the caller closed it."""
    if not close_code or error is not None:
        return str(error.error).lower() if close_code and error is not None else "left"
    return "complete" if close_code == NORMAL_CLOSURE else "drained"


def end_segment(segment: Segment, scope: Scope, status: int) -> None:
    """End the segment of a request or connection. `status`: 0 if no reply was sent."""
    attributes: dict[str, str | int] = {"http.request.method": _method(scope), "http.route": _route(scope)}
    context = context_of(scope)
    attributes |= {"http.response.status_code": status} if status else {}
    attributes |= {"voice.client": context.caller.id} if context.caller else {}
    attributes["voice.request_id"] = context.request_id
    segment.end(f"{_method(scope)} {_route(scope)}", attributes, has_failed=not status or status >= ApiError.status)


def _method(scope: Scope) -> str:
    """Return the method: callers may make up any number of others."""
    return scope["method"] if scope["method"] in _METHODS else "OTHER"


def _route(scope: Scope) -> str:
    """Return the path of the route with the names of its parameters: values as labels would be unbounded in number."""
    route = scope.get("route")
    return "none" if route is None else route.path
