"""Traces of requests over several services: read, log and pass on `traceparent`; export spans where a collector is configured.

Source: https://www.w3.org/TR/trace-context/; spans as OpenTelemetry describes them.
"""

import random
import re
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

SAMPLED, RANDOM = 0x01, 0x02
# Source: Trace Context, section 3.3.1.5: at least 512 characters are passed on.
MAX_STATE_CHARACTERS = 512
CLOSE_S = 3.0
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_STATE: Final = re.compile(r"[\x20-\x7e\t]*")
_OLDEST, _INVALID = "00", "ff"


@dataclass(frozen=True, slots=True)
class Trace:
    """A place in a trace: the trace, and the span that what follows belongs to. Ids are lower-case hexadecimal digits."""

    trace_id: str
    span_id: str
    flags: int
    state: str = ""

    @property
    def parent(self) -> str:
        """Return the value of the header `traceparent` for what follows."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a request that belongs to the span."""
        return {"traceparent": self.parent} | ({"tracestate": self.state} if self.state else {})


# The trace of the request that this task serves; None: it has none.
CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)


def read_trace(parent: str, state: str = "") -> Trace | None:
    """Read the headers `traceparent` and `tracestate`; None if the first is invalid, and then the second counts for nothing."""
    read = _PARENT.fullmatch(parent)
    if read is None:
        return None
    version, trace_id, span_id, flags, further = read.groups()
    if version == _INVALID or (version == _OLDEST and further) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    kept = state if len(state) <= MAX_STATE_CHARACTERS and _STATE.fullmatch(state) else ""
    return Trace(trace_id, span_id, int(flags, 16) & (SAMPLED | RANDOM), kept)


class Segment:
    """The part of a trace that this service adds: a request that it serves, or one that it makes."""

    def __init__(self, trace: Trace, span: "Span | None") -> None:
        self.trace = trace
        self._span = span

    def end(self, name: str, attributes: Mapping[str, str | int], *, has_failed: bool) -> None:
        """End the span, and export it where a collector is configured."""
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - optional

        self._span.update_name(name)
        self._span.set_attributes(attributes)
        if has_failed:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class Tracing:
    """Starts segments, and exports their spans by OTLP over HTTP; the exporter's thread drops what a slow collector does not take."""

    def __init__(self, endpoint: str = "", version: str = "") -> None:
        """`endpoint`: the URL of a collector; empty: spans are not exported, and only traces of callers are continued."""
        self._endpoint, self._version = endpoint.rstrip("/"), version
        self._provider: TracerProvider | None = None
        self._tracer: Any = None

    def open(self) -> None:
        """Start to export, where a collector is configured."""
        if not self._endpoint:
            return
        # These packages are optional: requirements-tracing.txt has them.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        named = {"service.name": "voice-api", "service.version": self._version}
        self._provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{self._endpoint}/v1/traces")))
        self._tracer = self._provider.get_tracer("voice")

    def close(self) -> None:
        """Export what is left, as far as that succeeds within CLOSE_S: the library would try for half a minute."""
        if self._provider is not None:
            ending = threading.Thread(target=self._provider.shutdown, daemon=True)
            ending.start()
            ending.join(CLOSE_S)

    def start(self, parent: Trace | None, *, is_outgoing: bool = False) -> Segment | None:
        """Start a segment below `parent`; None if there is neither a parent nor a collector."""
        if self._tracer is not None:
            return self._start_span(parent, is_outgoing=is_outgoing)
        if parent is None:
            return None
        span_id = f"{random.getrandbits(64) or 1:016x}"
        return Segment(Trace(parent.trace_id, span_id, parent.flags, parent.state), None)

    def _start_span(self, parent: Trace | None, *, is_outgoing: bool) -> Segment:
        from opentelemetry import trace as api  # noqa: PLC0415

        context = None
        if parent is not None:
            remote = api.SpanContext(
                int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=api.TraceFlags(parent.flags)
            )
            context = api.set_span_in_context(api.NonRecordingSpan(remote))
        span = self._tracer.start_span("request", context, kind=api.SpanKind.CLIENT if is_outgoing else api.SpanKind.SERVER)
        made = span.get_span_context()
        bits = int(made.trace_flags) | ((parent.flags & RANDOM) if parent else 0)
        return Segment(Trace(f"{made.trace_id:032x}", f"{made.span_id:016x}", bits, parent.state if parent else ""), span)
