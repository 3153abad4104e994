"""Record served requests and closed connections: their latency as a metric, and one log line each."""

import logging
from typing import Any

from starlette.types import Scope

from errors import ApiError
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
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        labelled(self.metrics.latency_s, method, _route(scope), status).observe(duration_s)
        self._write("answered" if status else "hung up", scope, status, duration_s)

    def _write(self, message: str, scope: Scope, status: int, duration_s: float, **further: Any) -> None:
        if not self.enabled or not log.isEnabledFor(logging.INFO):
            return
        context = context_of(scope)
        fields = {
            "request_id": context.request_id,
            "method": scope["method"] if scope["method"] in _METHODS else "OTHER",
            "route": _route(scope),
            "status": status,
            "duration_ms": round(1000 * duration_s, 3),
            "client": context.caller.id if context.caller else None,
            "address": context.address,
        }
        log.info(message, extra=fields | further)


def _reason(error: ApiError | None, close_code: int) -> str:
    """Return why a connection ended; `close_code`: 0 if the caller closed it."""
    if not close_code or error is not None:
        return str(error.error).lower() if close_code and error is not None else "left"
    return "complete" if close_code == NORMAL_CLOSURE else "drained"


def _route(scope: Scope) -> str:
    """Return the path of the route with the names of its parameters: values as labels would be unbounded in number."""
    route = scope.get("route")
    return "none" if route is None else route.path
