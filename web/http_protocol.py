"""HTTP/1.1: uvicorn's protocol with deadlines for slow peers, bounded pipelining, lingering close and error envelopes."""

import logging
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from errors import BadRequest
from web.error_reply import error_reply
from web.fast_path import complete_reply
from web.server_limits import DEFAULT_LIMITS, ServerLimits

log = logging.getLogger("voice.server")

# Browsers send heads of less than 16 KiB and 50 fields; the rest is for tokens and proxies.
MAX_HEAD_BYTES = 128 * 1024
MAX_HEAD_FIELDS = 128
# Parse this much at a time, except of a body: it holds at most 113 pipelined requests, and each takes 2.5 KB of memory until its reply. The
# rest waits unparsed. Nearly every request fits.
PARSE_BYTES = 2048


class PipeliningFlowControl(FlowControl):
    """Flow control that, unlike uvicorn's, does not resume reading while pipelined requests wait (64 KiB for each)."""

    def __init__(self, protocol: "HttpProtocol") -> None:
        super().__init__(protocol.transport)
        self.protocol = protocol

    def resume_reading(self) -> None:
        """Resume reading if no request waits."""
        if self.read_paused and not (self.protocol.pipeline or self.protocol.unparsed):
            self.read_paused = False
            self.protocol.transport.resume_reading()


class RequestCycle(RequestResponseCycle):
    """A request and its reply. A complete reply is written at once, any other by uvicorn.

    A reply that ends the connection before the end of the request's body closes only the sending side: closing both sides would reset the
    connection, and the reply might be lost. Source: RFC 9112 section 9.6.
    """

    start: Any = None  # the message that starts the reply, until the first message of its body
    is_lingering = False  # the connection is closed after the rest of the request's body

    async def send(self, message: Any) -> None:
        """Hold the start of the reply until the body is there, then write."""
        if not self.response_started and message["type"] == "http.response.start":
            self.start, self.response_started = message, True
            return
        start, self.start = self.start, None
        if start is not None:
            if self.write_complete(start, message):
                return
            self.response_started = False
            await super().send(start)
            if self.more_body and not self.keep_alive:
                self.is_lingering = self.keep_alive = True  # or uvicorn closes the connection after the reply
        await super().send(message)
        if self.is_lingering and self.response_complete:
            self.transport.write_eof()

    def write_complete(self, start: Any, message: Any) -> bool:
        """Write the reply if it is complete and the connection goes on; return whether it was written."""
        if not self.keep_alive or self.disconnected or self.flow.write_paused or self.scope["method"] == "HEAD":
            return False
        reply = complete_reply(start, message, self.default_headers)
        if reply is None:
            return False
        self.waiting_for_100_continue = False
        self.transport.write(reply)
        self.response_complete = True
        self.message_event.set()
        self.on_response()
        return True


class HttpProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol with deadlines for senders and readers, and the error envelope for malformed HTTP.

    Deadlines are checked only when received data leaves a request incomplete; nearly every request arrives complete.
    """

    deadline_scope: Any = None  # the scope of the request to which `deadline_s` applies
    deadline_s = 0.0  # on the loop's clock
    body_bytes = 0  # of all bodies on this connection
    counted_body_bytes = 0  # `body_bytes` at the last call of `extend_deadline`
    body_start_bytes = 0  # `body_bytes` at the start of the last request's body
    framing_bytes = 0  # received since the last byte of a body: head, chunk sizes, trailers
    unparsed = b""
    is_start_postponed = False  # the next request starts when the peer reads its replies again
    idle_since_s = 0.0
    # For the head, the body and the idle timeout; starting and cancelling a timer for each request, as uvicorn does, costs 2 us.
    timer: Any = None
    write_timer: Any = None

    def __init__(self, *arguments: Any, limits: ServerLimits = DEFAULT_LIMITS, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.limits = limits

    @property
    def is_head_incomplete(self) -> bool:
        """True until the request's head is complete; also before its first byte."""
        return self.scope is None or "method" not in self.scope

    @property
    def is_body_incomplete(self) -> bool:
        """True from the end of a head to the end of its body."""
        return not self.is_head_incomplete and self.cycle is not None and self.cycle.more_body

    @property
    def is_answered(self) -> bool:
        """True if every parsed request has its reply."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Start the deadline of the first request."""
        super().connection_made(transport)
        self.flow = PipeliningFlowControl(self)
        self.deadline_s = self.loop.time() + self.limits.head_deadline_s
        self.timer = self.loop.call_later(self.limits.head_deadline_s, self.check_deadline)

    # --- Parsing

    def data_received(self, data: bytes) -> None:
        """Parse, large data in slices; only enqueue while an earlier request waits to be started."""
        if len(data) > PARSE_BYTES or self.pipeline or self.unparsed:
            self.unparsed += data
            self.parse_slices()
        else:
            self.parse(data)

    def parse(self, data: bytes) -> None:
        """Feed the parser; set a deadline for a request that is incomplete."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self.upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self.send_400_response("This is not valid HTTP.")
            return
        cycle = self.cycle
        if cycle is None or cycle.more_body or cycle.scope is not self.scope:
            self.extend_deadline(len(data))

    def parse_slices(self) -> None:
        """Parse until a request has to wait for an earlier one; resume reading when everything is parsed."""
        waiting, self.unparsed, start = self.unparsed, b"", 0
        while start < len(waiting) and not (self.pipeline or self.parser is None or self.transport.is_closing()):
            end = start + self.slice_bytes()
            self.parse(waiting[start:end])
            start = end
        rest = waiting[start:]
        if self.transport.is_closing():
            return
        if self.parser is None:
            self.forward_to_websocket(rest)
        elif rest or self.pipeline:
            self.unparsed = rest
            self.flow.pause_reading()
        elif self.cycle is None or len(self.cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.resume_reading()

    def slice_bytes(self) -> int:
        """Return the number of bytes to parse at once: the rest of a body of declared length, else PARSE_BYTES."""
        if not self.is_body_incomplete:
            return PARSE_BYTES
        declared = next((int(value) for name, value in self.scope["headers"] if name == b"content-length"), 0)
        return max(PARSE_BYTES, declared - (self.body_bytes - self.body_start_bytes))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a field without the whitespace around it; drop trailers, which must not be merged. Source: RFC 9110 section 6.5.1."""
        if self.headers is None:
            return
        name, value = name.lower(), value.strip()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Reject a head of too many fields; start or enqueue the request."""
        if len(self.headers) > MAX_HEAD_FIELDS:
            message = "too many fields"
            raise ValueError(message)  # the parser raises HttpParserError
        super().on_headers_complete()
        if self.cycle is not None:
            self.cycle.__class__ = RequestCycle  # uvicorn makes its own class, and has no setting for it
        self.headers = None  # type: ignore[assignment]  # later fields are trailers
        self.body_start_bytes = self.body_bytes

    def on_body(self, body: bytes) -> None:
        """Store a part of a body, unless its request is already answered."""
        cycle = self.cycle
        self.body_bytes += len(body)
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """End a request's body; close a lingering connection."""
        cycle: Any = self.cycle
        if cycle is None or cycle.scope is not self.scope:
            return  # a request for an upgrade has no cycle
        cycle.more_body = False
        cycle.message_event.set()
        if cycle.is_lingering:
            self.close()
            message = "the connection is closed"
            raise ValueError(message)  # stops the parser

    # --- Upgrades

    def _should_upgrade(self) -> bool:
        """Return True, so that `upgrade` decides about every request for an upgrade: the parser has skipped their bodies."""
        return True

    def upgrade(self, rest: bytes) -> None:
        """Switch to WebSocket; serve a request for another protocol as plain HTTP. Source: RFC 9110 section 7.8.

        The parser reads a body after such a head as the other protocol, so a new parser gets the head without its Upgrade field.
        """
        if self.scope["method"] == "CONNECT":
            self.send_400_response("This server is not a proxy.")
        elif self.is_websocket():
            self.handle_websocket_upgrade()
            self.forward_to_websocket(rest)
        else:
            head = b"%b %b HTTP/%b\r\n" % (self.scope["method"].encode(), self.url, self.scope["http_version"].encode())
            fields = [b"%b: %b\r\n" % (name, value) for name, value in self.scope["headers"] if name != b"upgrade"]
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn sets it
            self.parse(b"".join([head, *fields, b"\r\n", rest]))

    def is_websocket(self) -> bool:
        """Return whether the request may open a WebSocket: a GET without a body, and every earlier request is answered."""
        headers = dict(self.scope["headers"])
        return (
            self.scope["method"] == "GET"
            and self.scope["http_version"] == "1.1"
            and [value.lower() for name, value in self.scope["headers"] if name == b"upgrade"] == [b"websocket"]
            and headers.get(b"content-length", b"0") == b"0"
            and b"transfer-encoding" not in headers
            and self.is_answered
            and not self.flow.write_paused
        )

    def handle_websocket_upgrade(self) -> None:
        """Pass the connection and the request to the WebSocket protocol."""
        self.cancel_timers()
        self.flow.resume_reading()
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # as after the end of a connection

    def forward_to_websocket(self, data: bytes) -> None:
        """Pass on the bytes that followed the handshake."""
        protocol: Any = self.transport.get_protocol()
        protocol.data_received(data)

    # --- Pipelining

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Start a request; postpone it while the peer does not read earlier replies."""
        if self.flow.write_paused:
            self.pipeline.append((cycle, app))
            self.is_start_postponed = True
            self.flow.pause_reading()
            return
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def start_next_request(self) -> None:
        """Start the next pipelined request; continue parsing if there is no other."""
        self._start_asgi_task(*self.pipeline.pop())
        if self.unparsed and not self.pipeline:
            self.loop.call_soon(self.parse_slices)

    def on_response_complete(self) -> None:
        """Start the next pipelined request if there is one, else resume reading."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self.check_write_progress()
            return
        if self.pipeline:
            self.start_next_request()
            return
        if self.unparsed:
            self.loop.call_soon(self.parse_slices)
        else:
            self.flow.resume_reading()
        self.idle_since_s = self.loop.time()
        if self.timer is None:
            self.timer = self.loop.call_later(self.timeout_keep_alive, self.check_deadline)

    # --- Deadlines

    def extend_deadline(self, n_bytes: int) -> None:
        """Count received bytes of an incomplete request, and extend its deadline by the time that its body earned."""
        now_s = self.loop.time()
        if self.scope is not self.deadline_scope:
            self.deadline_scope, self.deadline_s, self.framing_bytes = self.scope, now_s + self.limits.head_deadline_s, 0
        new_bytes, self.counted_body_bytes = self.body_bytes - self.counted_body_bytes, self.body_bytes
        self.framing_bytes = 0 if new_bytes else self.framing_bytes + n_bytes
        if new_bytes and not self.is_answered:
            earned_s = new_bytes / self.limits.min_body_bytes_s
            self.deadline_s = min(now_s + self.limits.head_deadline_s, self.deadline_s + earned_s)
        if self.framing_bytes > MAX_HEAD_BYTES:
            self.send_400_response("The request's head or trailers are too large.")
        elif self.timer is None:
            self.timer = self.loop.call_later(self.limits.head_deadline_s, self.check_deadline)

    def check_deadline(self) -> None:
        """Close the connection if its request is incomplete past the deadline, else restart the timer."""
        self.timer = None
        if self.transport.is_closing():
            return
        if not (self.is_head_incomplete or self.is_body_incomplete):
            self.check_idle_timeout()
            return
        now_s = self.loop.time()
        if self.unparsed or self.flow.read_paused or (self.is_head_incomplete and not self.is_answered):
            self.deadline_s = now_s + self.limits.head_deadline_s  # the server itself delays the rest
        if now_s >= self.deadline_s:
            log.info("closed a connection: its request was incomplete at the deadline")
            self.close()
        else:
            self.timer = self.loop.call_later(max(1.0, self.deadline_s - now_s), self.check_deadline)

    def check_idle_timeout(self) -> None:
        """Close the connection if it is idle past the timeout, else restart the timer; not while a reply is due."""
        if self.cycle is None or not self.cycle.response_complete:
            return
        left_s = self.idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s <= 0:
            self.close()
        else:
            self.timer = self.loop.call_later(left_s, self.check_deadline)

    def pause_writing(self) -> None:
        """Start the deadline for the reader."""
        super().pause_writing()
        self.check_write_progress()

    def resume_writing(self) -> None:
        """Cancel the deadline for the reader; start the request that was postponed."""
        super().resume_writing()
        if self.write_timer is not None:
            self.write_timer.cancel()
            self.write_timer = None
        if self.is_start_postponed:
            self.is_start_postponed = False
            self.start_next_request()

    def check_write_progress(self, unsent_bytes: int | None = None) -> None:
        """Abort the connection if none of `unsent_bytes` was sent since the last check, else check again later."""
        if self.write_timer is not None:
            self.write_timer.cancel()
        left_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes is not None and left_bytes >= unsent_bytes:
            log.info("aborted a connection: the peer does not read its replies")
            self.transport.abort()
        elif left_bytes:
            self.write_timer = self.loop.call_later(self.limits.write_deadline_s, self.check_write_progress, left_bytes)

    def close(self) -> None:
        """Close the connection when everything written is sent, or abort it when the peer stops reading."""
        self.transport.close()
        self.check_write_progress()

    def cancel_timers(self) -> None:
        """Cancel the timers."""
        for timer in (self.timer, self.write_timer):
            if timer is not None:
                timer.cancel()
        self.timer = self.write_timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers and drop unparsed bytes."""
        self.cancel_timers()
        self.unparsed = b""
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Reject malformed HTTP with the error envelope, and close."""
        if self.transport.is_closing():
            return
        self.transport.write(error_reply(BadRequest(msg), self.server_state.default_headers))
        self.close()
