"""Uvicorn as this service runs it: deadlines for slow senders, refusals in the envelope, logs as JSON lines."""

import contextlib
import itertools
import logging
import os
import secrets
import select
import signal
import socket
import sys
import threading
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from queue import SimpleQueue
from typing import Any, cast

import httptools
import orjson
import uvicorn
from prometheus_client import Counter
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.supervisors import Multiprocess
from websockets.exceptions import InvalidHandshake
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from errors import ApiError, BadRequest, envelope
from settings import USERS_MISTAKE, Environment, Settings
from web.auth import DEMO_ID, DEMO_KEY
from web.telemetry import shared_by_workers

log = logging.getLogger("voice.server")

SECURITY_HEADERS = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)

# A whole request head takes a sound client milliseconds, a phone on a bad line a second or two.
HEAD_DEADLINE_S = 10.0
# A body has as long as its head to begin, and must then keep coming at this rate, below the slowest mobile line and above a trickle. Every
# 4096 bytes earn a second; at most HEAD_DEADLINE_S are saved up, so that a body which began fast may not pause for longer than that.
MIN_BODY_BYTES_S = 4096
# A reply of which no byte is read for as long has lost its reader.
WRITE_DEADLINE_S = 20.0
# What the kernel takes of replies beyond what is on its way, by default up to 4 MB a connection: some 10,000 replies for somebody who reads
# none of them.
UNSENT_BYTES = 128 * 1024
# A WebSocket whose application is through is aborted after this.
LINGER_S = 10.0
# A connection without a request stays open for longer than proxies and clients keep theirs (nginx and most clouds' balancers: 60 s). Who is
# the first to close cuts off the request that the other one is just sending.
KEEP_ALIVE_S = 75
# A browser's heads stay under 16 KiB and 50 fields; this is room for tokens and proxies.
MAX_HEAD_BYTES = 128 * 1024
MAX_HEAD_FIELDS = 128
# Parsed at once, unless it is one body: at most 113 pipelined requests, of which each takes 2.5 KB until it is answered. The rest waits as
# bytes. Nearly every request fits.
PARSE_BYTES = 2048
# A WebSocket's message: four minutes of sound at 16 kHz, in one piece.
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
# A WebSocket's bytes are parsed in such slices, until so many frames without a message took some 2 ms; then others have their turn.
SLICE_BYTES, TURN_FRAMES = 1024, 100
# Pings, pongs and fragments that a connection may send: so many, and so many more a second, and one for as many bytes of fragments.
FREE_FRAMES, FRAMES_PER_S, MIN_FRAGMENT_BYTES = 1000, 10, 64
# What a fragment of a message takes besides its bytes: a message may come in millions of empty ones.
FRAGMENT_BYTES = 64
# A peer that vanished is noticed after twice this.
PING_S = 20.0
# A worker answers its supervisor once its imports are done, which takes a second, and far longer on a machine that is busy with other
# starts; the server's own 5 s would kill and restart it without end.
WORKER_START_S = 60
# The event loop takes one new connection from a listener, then serves all that it has, then takes the next: of 32 callers that came at
# once the last waited through a thousand requests of the others. So the port is listened to this many times over.
LISTENERS = 16

_process = secrets.token_hex(6).encode()
_count = itertools.count(1)


def new_request_id() -> bytes:
    """Return an id that no other request has: random by process, then counted. A random one each would cost ten times as much."""
    return b"%b-%x" % (_process, next(_count))


def refusal(error: ApiError, default_headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Write a whole reply that refuses what never became a request."""
    request_id = new_request_id()
    body = orjson.dumps(envelope(error, request_id.decode()))
    headers = [
        *default_headers,
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"x-request-id", request_id),
        *SECURITY_HEADERS,
    ]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    return f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n".encode() + head + b"\r\n" + body


class Exchange(RequestResponseCycle):
    """A request that nearly always is there as a whole, and its reply, of which head and body go out in one system call and one packet."""

    head: Any = None  # waits for the first of the body
    lingers = False  # the connection is closed once the rest of the body has come

    async def receive(self) -> Any:
        """Give the body at once if all of it is there, and any other message the library's way, which waits for it."""
        waits = self.more_body or not self.message_event.is_set() or self.flow.read_paused
        if waits or self.disconnected or self.response_complete or self.waiting_for_100_continue:
            return await super().receive()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        """Send a reply that is there as a whole at once, and any other the library's way, which takes three times as long."""
        if message["type"] == "http.response.start":
            self.head = message
            return
        head, self.head = self.head, None
        if head is not None:
            if self.send_whole(head, message):
                return
            await super().send(head)
            if self.more_body and not self.keep_alive:
                self.lingers = self.keep_alive = True
        await super().send(message)
        if self.lingers and self.response_complete:
            self.transport.write_eof()  # closing now would reset the connection, and the reply might be lost. Source: RFC 9112 section 9.6

    def send_whole(self, head: Any, message: Any) -> bool:
        """Send a reply if it is a plain one: all of its body is there, and the connection goes on."""
        body, headers = message.get("body", b""), head["headers"]
        if message.get("more_body") or (b"content-length", b"%d" % len(body)) not in headers:
            return False
        if not self.keep_alive or self.disconnected or self.flow.write_paused or self.scope["method"] == "HEAD":
            return False
        lines = [STATUS_LINE[head["status"]]]
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"\r\n")
        written = b"".join(lines)
        if not written.count(b"\r") == written.count(b"\n") == len(headers) + 2:
            return False  # a field with a line break in it, which the library refuses
        self.transport.write(written + body)
        self.response_started = self.response_complete = True
        self.waiting_for_100_continue = False
        self.message_event.set()
        self.on_response()
        return True


class Flow(FlowControl):
    """The library's flow control; by itself it resumes reading whenever an application waits: a block for each pipelined request."""

    def __init__(self, protocol: "Protocol") -> None:
        super().__init__(protocol.transport)
        self.protocol = protocol

    def resume_reading(self) -> None:
        """Read on if no request waits."""
        if self.read_paused and not (self.protocol.pipeline or self.protocol.unparsed):
            self.read_paused = False
            self.protocol.transport.resume_reading()


class Protocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, which by itself waits for ever for a sender and for a reader, and refuses in plain text.

    It is asked what is still owed only where it has been fed and something is: nearly always a request comes whole.
    """

    begun: Any = None  # the request (its scope) that is owed by `due_s`
    due_s = 0.0
    body_bytes = 0  # of all bodies on this connection
    counted_bytes = 0  # `body_bytes` when `expect_more` was last called
    body_from = 0  # `body_bytes` when the last request's body began
    framing_bytes = 0  # received since the last byte of a body: head, sizes of chunks, trailers
    unparsed = b""
    is_postponed = False  # the next request is not begun until replies are read
    idle_since_s = 0.0
    watch: Any = None  # one timer a connection: the library's own, made at each reply and cancelled at each request, cost 4 us of 50
    write_watch: Any = None

    @property
    def in_head(self) -> bool:
        """A head is owed, the first one of a connection too."""
        return self.scope is None or "method" not in self.scope

    @property
    def in_body(self) -> bool:
        """The rest of a body is owed."""
        return not self.in_head and self.cycle is not None and self.cycle.more_body

    @property
    def is_answered(self) -> bool:
        """No reply is owed."""
        return self.cycle is None or self.cycle.response_complete

    def connection_made(self, transport: Any) -> None:
        """Expect the first request."""
        super().connection_made(transport)
        self.flow = Flow(self)
        self.due_s = self.loop.time() + HEAD_DEADLINE_S
        self.watch = self.loop.call_later(HEAD_DEADLINE_S, self.close_if_late)

    # --- Parsing

    def data_received(self, data: bytes) -> None:
        """Parse, unless an earlier request is still to be begun; large data in slices."""
        if len(data) > PARSE_BYTES or self.pipeline or self.unparsed:
            self.unparsed += data
            self.parse_slices()
        else:
            self.parse(data)

    def parse(self, data: bytes) -> None:
        """Feed the parser; put a request that is incomplete under a deadline."""
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
            self.expect_more(len(data))

    def parse_slices(self) -> None:
        """Parse until a request has to wait for an earlier one; read on when all is parsed."""
        waiting, self.unparsed, start = self.unparsed, b"", 0
        while start < len(waiting) and not (self.pipeline or self.parser is None or self.transport.is_closing()):
            end = start + self.slice_bytes()
            self.parse(waiting[start:end])
            start = end
        rest = waiting[start:]
        if self.transport.is_closing():
            return
        if self.parser is None:
            self.hand_on(rest)
        elif rest or self.pipeline:
            self.unparsed = rest
            self.flow.pause_reading()
        elif self.cycle is None or len(self.cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.resume_reading()

    def slice_bytes(self) -> int:
        """Return how many bytes to parse at once: the rest of a body of declared length, else PARSE_BYTES, which may be many requests."""
        if not self.in_body:
            return PARSE_BYTES
        declared = next((int(value) for name, value in self.scope["headers"] if name == b"content-length"), 0)
        return max(PARSE_BYTES, declared - (self.body_bytes - self.body_from))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field, without the whitespace around it; drop trailers, which must not be merged. Source: RFC 9110 section 6.5.1."""
        if self.headers is None:
            return
        name = name.lower()
        if name == b"expect" and value.strip().lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value.strip()))

    def on_headers_complete(self) -> None:
        """Refuse a head of too many fields; begin, or enqueue, the request."""
        if len(self.headers) > MAX_HEAD_FIELDS:
            message = "too many fields"
            raise ValueError(message)  # the parser turns this into a refusal
        HttpToolsProtocol.on_headers_complete(self)
        cycle = self.cycle
        if cycle is not None and cycle.scope is self.scope:
            cycle.__class__ = Exchange  # the library makes its own, and asks nobody
        self.headers = None  # type: ignore[assignment]  # what follows are trailers
        self.body_from = self.body_bytes

    def on_body(self, body: bytes) -> None:
        """Keep a part of a body, unless the request was answered without it."""
        cycle = self.cycle
        self.body_bytes += len(body)
        if cycle.response_complete:
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """End a request's body."""
        cycle: Any = self.cycle
        if cycle is not None and cycle.scope is self.scope:  # else it asks for an upgrade
            cycle.more_body = False
            cycle.message_event.set()
            if cycle.lingers:
                self.close()
                message = "the connection is closed"
                raise ValueError(message)  # stops the parser

    # --- Upgrades

    def _should_upgrade(self) -> bool:
        """Leave all requests for an upgrade to `upgrade`: the parser has skipped their bodies."""
        return True

    def upgrade(self, rest: bytes) -> None:
        """Hand a WebSocket on; serve a request for any other protocol as plain HTTP. Source: RFC 9110 section 7.8.

        The parser takes a body for the other protocol, so that a new one is given the head without its Upgrade field.
        """
        if self.scope["method"] == "CONNECT":
            self.send_400_response("This is no proxy.")
        elif self.is_websocket():
            self.handle_websocket_upgrade()
            self.hand_on(rest)
        else:
            head = [self.scope["method"].encode(), b" ", self.url, b" HTTP/", self.scope["http_version"].encode(), b"\r\n"]
            for name, value in self.scope["headers"]:
                if name != b"upgrade":
                    head += (name, b": ", value, b"\r\n")
            self.parser = httptools.HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as the library does
            self.parse(b"".join([*head, b"\r\n", rest]))

    def is_websocket(self) -> bool:
        """Return whether a WebSocket may begin here: a GET without a body asks for it, and no reply is owed."""
        named = dict(self.scope["headers"])
        return (
            self.scope["method"] == "GET"
            and self.scope["http_version"] == "1.1"
            and [value.lower() for name, value in self.scope["headers"] if name == b"upgrade"] == [b"websocket"]
            and named.get(b"content-length", b"0") == b"0"
            and b"transfer-encoding" not in named
            and self.is_answered
            and not self.flow.write_paused
        )

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on; the request is complete."""
        self.stop_watching()
        self.flow.resume_reading()
        super().handle_websocket_upgrade()
        self.parser = None  # type: ignore[assignment]  # as after the end of a connection

    def hand_on(self, data: bytes) -> None:
        """Give the WebSocket what came behind its handshake."""
        cast("SocketProtocol", self.transport.get_protocol()).data_received(data)

    # --- Pipelining

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin a request, or postpone it while earlier replies are not read."""
        if self.flow.write_paused:
            self.pipeline.append((cycle, app))
            self.is_postponed = True
            self.flow.pause_reading()
            return
        task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def start_next(self) -> None:
        """Begin the next request that waits; parse on when there is no other."""
        self._start_asgi_task(*self.pipeline.pop())
        if self.unparsed and not self.pipeline:
            self.loop.call_soon(self.parse_slices)

    def on_response_complete(self) -> None:
        """Begin the next request if there is one, else read on."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            self.watch_writes()
            return
        if self.pipeline:
            self.start_next()
            return
        if self.unparsed:
            self.loop.call_soon(self.parse_slices)
        else:
            self.flow.resume_reading()
        self.idle_since_s = self.loop.time()
        if self.watch is None:
            self.watch = self.loop.call_later(self.timeout_keep_alive, self.close_if_late)

    # --- Deadlines

    def expect_more(self, n_bytes: int) -> None:
        """Count what came of a request, and see to it that the rest comes."""
        now_s = self.loop.time()
        if self.scope is not self.begun:
            self.begun, self.due_s, self.framing_bytes = self.scope, now_s + HEAD_DEADLINE_S, 0
        new_bytes, self.counted_bytes = self.body_bytes - self.counted_bytes, self.body_bytes
        self.framing_bytes = 0 if new_bytes else self.framing_bytes + n_bytes
        if new_bytes and not self.is_answered:
            self.due_s = min(now_s + HEAD_DEADLINE_S, self.due_s + new_bytes / MIN_BODY_BYTES_S)
        if self.framing_bytes > MAX_HEAD_BYTES:
            self.send_400_response("The request's head or trailers are too large.")
        elif self.watch is None:
            self.watch = self.loop.call_later(HEAD_DEADLINE_S, self.close_if_late)

    def close_if_late(self) -> None:
        """Close the connection if its request should have come by now, else look again later."""
        self.watch = None
        if self.transport.is_closing():
            return
        if not (self.in_head or self.in_body):
            self.close_if_idle()
            return
        now_s = self.loop.time()
        if self.unparsed or self.flow.read_paused or (self.in_head and not self.is_answered):
            self.due_s = now_s + HEAD_DEADLINE_S  # it is the server that keeps the rest waiting
        if now_s >= self.due_s:
            log.info("closed a connection: the rest of its request did not come in time")
            self.close()
        else:
            self.watch = self.loop.call_later(max(1.0, self.due_s - now_s), self.close_if_late)

    def close_if_idle(self) -> None:
        """Close the connection if nothing was asked for in a while, else look again later; not while an answer is awaited."""
        if self.cycle is None or not self.cycle.response_complete:
            return
        left_s = self.idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s <= 0:
            self.close()
        else:
            self.watch = self.loop.call_later(left_s, self.close_if_late)

    def pause_writing(self) -> None:
        """Expect that replies are read."""
        super().pause_writing()
        self.watch_writes()

    def resume_writing(self) -> None:
        """Begin the request that was postponed."""
        super().resume_writing()
        if self.write_watch is not None:
            self.write_watch.cancel()
            self.write_watch = None
        if self.is_postponed:
            self.is_postponed = False
            self.start_next()

    def watch_writes(self, waiting_bytes: int | None = None) -> None:
        """Abort the connection if none of the `waiting_bytes` was read since the last look, else look again later."""
        if self.write_watch is not None:
            self.write_watch.cancel()
        left_bytes = self.transport.get_write_buffer_size()
        if waiting_bytes is not None and left_bytes >= waiting_bytes:
            log.info("aborted a connection: its replies are not read")
            self.transport.abort()
        elif left_bytes:
            self.write_watch = self.loop.call_later(WRITE_DEADLINE_S, self.watch_writes, left_bytes)

    def close(self) -> None:
        """Close the connection once what is written is read, or not read for too long."""
        self.transport.close()
        self.watch_writes()

    def stop_watching(self) -> None:
        """Cancel the timers."""
        for timer in (self.watch, self.write_watch):
            if timer is not None:
                timer.cancel()
        self.watch = self.write_watch = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        self.stop_watching()
        self.unparsed = b""
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP as everything is refused, and close."""
        if self.transport.is_closing():
            return
        self.transport.write(refusal(BadRequest(msg), self.server_state.default_headers))
        self.close()


class SocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket protocol, which by itself lets a peer that never reads, or sends very many frames, cost what it likes.

    A message is kept whole until it is there, up to MAX_MESSAGE_BYTES; past it the connection is closed with 1009. Nothing is read while
    messages wait for the application, so that no queue grows. Frames that end no message are counted here, messages by the application.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.begun_s = self.loop.time()
        self.n_frames = self.fragment_bytes = 0
        self.is_scheduled = False
        # The access record is the application's to write, and what the library would tell while debugging names credentials.
        self.logger = self.conn.logger = logging.getLogger("voice.socket")
        self.conn.debug = False
        self.unread = b""
        self.heard_s = 0.0

    def data_received(self, data: bytes) -> None:
        """Parse, unless earlier bytes wait to be parsed."""
        self.unread += data
        self.heard_s = self.loop.time()
        if not self.is_scheduled:
            self.parse_slices()

    def parse_slices(self) -> None:
        """Parse until there is a message, or so many frames without one that others should have their turn."""
        self.is_scheduled = False
        waiting, self.unread, start, last_frame = self.unread, b"", 0, self.n_frames + TURN_FRAMES
        while start < len(waiting) and self.n_frames < last_frame and self.queue.empty() and not self.transport.is_closing():
            self.parse(waiting[start : start + SLICE_BYTES])
            start += SLICE_BYTES
        if self.transport.is_closing():
            return
        self.unread = waiting[start:]
        if self.unread and self.queue.empty():
            self.schedule()
        self.read_on()

    def schedule(self) -> None:
        """Parse on in the next turn."""
        self.is_scheduled = True
        self.loop.call_soon(self.parse_slices)

    def parse(self, data: bytes) -> None:
        """Feed the parser."""
        self.conn.receive_data(data)
        if self.conn.handshake_exc is not None:
            self.refuse()
        elif self.conn.parser_exc is None:
            self.handle_events()
        else:
            self.handle_parser_exception()

    def read_on(self) -> None:
        """Read only what can be parsed at once."""
        waits = bool(self.unread) or not self.queue.empty()
        if waits != self.read_paused and not self.transport.is_closing():
            self.read_paused = waits
            (self.transport.pause_reading if waits else self.transport.resume_reading)()

    async def receive(self) -> Any:
        """Give the next message; parse on, and then read on, when there is none left."""
        message = await self.queue.get()
        if self.queue.empty() and self.unread and not self.is_scheduled:
            self.schedule()
        else:
            self.read_on()
        return message

    def handle_connect(self, event: Request) -> None:
        """Refuse a handshake that is none as everything is refused."""
        try:
            self.conn.process_request(event)
        except InvalidHandshake:
            self.refuse()
        else:
            super().handle_connect(event)

    def refuse(self) -> None:
        """Say that this is no handshake, and close."""
        headers = [*self.default_headers, (b"sec-websocket-version", b"13")]  # RFC 6455 section 4.4
        self.handshake_complete = self.close_sent = True
        self.unread = b""
        if not self.transport.is_closing():
            self.transport.write(refusal(BadRequest("This is not a WebSocket handshake."), headers))
            self.transport.close()

    def keepalive_timeout(self) -> None:
        """Let go of a peer that vanished; of one that sends, the pong may only wait behind what is not read yet."""
        self.pong_timer = self.pending_ping_payload = None
        if self.read_paused or self.loop.time() - self.heard_s < PING_S:
            self.schedule_ping()
        else:
            super().keepalive_timeout()

    def handle_ping(self) -> None:
        """Answer, as long as the answers are read."""
        pong = b"".join(self.conn.data_to_send())
        if self.count_frame() and self.writable.is_set():
            self.transport.write(pong)

    def handle_pong(self, event: Frame) -> None:
        """Count it: it may answer no ping."""
        if self.count_frame():
            super().handle_pong(event)

    def handle_text(self, event: Frame) -> None:
        """Count it where it is only the beginning of a message."""
        if event.fin or self.count_frame(len(event.data)):
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count it where it is only the beginning of a message."""
        if event.fin or self.count_frame(len(event.data)):
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Count it where it does not end the message."""
        if event.fin or self.count_frame(len(event.data)):
            super().handle_cont(event)

    def count_frame(self, fragment_bytes: int = 0) -> bool:
        """Count a frame that ends no message; close the connection and return False if there are too many."""
        self.n_frames += 1
        self.fragment_bytes += fragment_bytes
        allowed = FREE_FRAMES + FRAMES_PER_S * (self.heard_s - self.begun_s) + self.fragment_bytes / MIN_FRAGMENT_BYTES
        if self.n_frames <= allowed:
            return True
        if not self.close_sent and self.handshake_complete:
            self.conn.fail(CloseCode.POLICY_VIOLATION, "RATE_LIMITED")
            self.handle_parser_exception()
        self.transport.close()
        return False

    async def run_asgi(self) -> None:
        """Let go of a peer that does not read, or does not close, some time after the application is through."""
        await super().run_asgi()
        self.loop.call_later(LINGER_S, self.transport.abort)


class MeteredSocketProtocol(SocketProtocol):
    """Report how many bytes of messages the application has not consumed, so that it can limit them over all connections of a client.

    The application sets `scope["voice.buffered"]`: a function of that number, which returns False where the connection is to end.
    """

    fragments_bytes = 0  # of the message that is arriving
    given_bytes = 0  # of the message that the application is working on
    discarding = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.sizes: deque[int] = deque()  # of the messages in the queue

    def data_received(self, data: bytes) -> None:
        """Report what has come; drop it where it is too much: a frame in the parser would stay until the connection is closed."""
        if self.discarding:
            return
        super().data_received(data)
        if not self.report():
            self.discarding, self.unread, self.frames = True, b"", []
            self.conn.reader.buffer.clear()

    def report(self) -> bool:
        """Tell the application; return whether the connection may go on."""
        limit = getattr(self, "scope", {}).get("voice.buffered")
        return limit is None or limit(self.fragments_bytes + sum(self.sizes) + self.given_bytes + len(self.conn.reader.buffer))

    def handle_text(self, event: Frame) -> None:
        """Count the message's first fragment."""
        self.fragments_bytes = len(event.data) + FRAGMENT_BYTES
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count the message's first fragment."""
        self.fragments_bytes = len(event.data) + FRAGMENT_BYTES
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Count a fragment."""
        self.fragments_bytes += len(event.data) + FRAGMENT_BYTES
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Count the whole message."""
        n_waiting = self.queue.qsize()
        super().send_receive_event_to_app()
        if self.queue.qsize() > n_waiting:  # else it came after the end, and was dropped
            self.sizes.append(self.fragments_bytes)
        self.fragments_bytes = 0

    async def receive(self) -> Any:
        """Give the next message; the application is through with the one before."""
        self.given_bytes = 0
        self.report()
        message = await super().receive()
        if message["type"] == "websocket.receive":
            self.given_bytes = self.sizes.popleft()
        return message


# --- Logs ---------------------------------------------------------------------------------------------------------------------------


# What every record has; anything else was given as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; of a library's exception its type and its places, never its message, which may quote what a caller sent."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = traceback_of(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


def traceback_of(error: BaseException) -> list[str]:
    """Name an exception, the places it passed, and the same of its causes; the message only of our own, which quote no caller."""
    lines: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        named = f"{type(seen).__module__}.{type(seen).__qualname__}"
        lines.append(f"{named}: {seen}" if type(seen).__module__.partition(".")[0] in ("voice", "errors") else named)
        place = seen.__traceback__
        while place is not None:
            lines.append(f"  {place.tb_frame.f_code.co_filename}:{place.tb_lineno} {place.tb_frame.f_code.co_name}")
            place = place.tb_next
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return lines


# Lines that wait to be written, some 4 MB; a service at full speed writes as many in two seconds.
MAX_WAITING_LINES = 10_000
# A write takes so many lines at most.
MAX_WRITTEN_LINES = 100
# Before the process ends, a reader that has stalled is waited for so long.
FLUSH_S = 1.0
DROPPED_LINES = Counter("voice_log_dropped_lines", "Log lines that were dropped, as their reader had stalled or gone.", registry=None)


class LineHandler(logging.Handler):
    """Write lines to a descriptor from a thread of its own: a reader that stalls or goes away costs lines, not the service.

    Not through `sys.stdout`: its lock, held by a write that has stalled, aborts the interpreter when it ends.
    """

    def __init__(self, descriptor: int = 1) -> None:
        """`descriptor`: standard output."""
        super().__init__()
        self.descriptor = descriptor
        self.waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        threading.Thread(target=self.write_all, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Enqueue a line; drop it where too many wait."""
        if self.waiting.qsize() >= MAX_WAITING_LINES:
            DROPPED_LINES.inc()
            return
        try:
            self.waiting.put(self.format(record).encode() + b"\n")
        except Exception:  # noqa: BLE001 - a record that cannot be formatted must not fail what it tells of
            DROPPED_LINES.inc()

    def flush(self) -> None:
        """Wait until what was enqueued is written, at most FLUSH_S."""
        written = threading.Event()
        self.waiting.put(written)
        written.wait(FLUSH_S)

    def write_all(self) -> None:
        """Write what is enqueued, for ever."""
        while True:
            batch = [self.waiting.get()]
            batch += [self.waiting.get() for _ in range(min(self.waiting.qsize(), MAX_WRITTEN_LINES - 1))]
            lines = [line for line in batch if isinstance(line, bytes)]
            try:
                self.write(b"".join(lines))
            except OSError:
                DROPPED_LINES.inc(len(lines))
            for entry in batch:
                if isinstance(entry, threading.Event):
                    entry.set()

    def write(self, data: bytes) -> None:
        """Write all of it; whoever shares the descriptor may have made it non-blocking.

        Raises:
            OSError: the reader has gone, or the disk is full.

        """
        while data:
            try:
                data = data[os.write(self.descriptor, data) :]
            except BlockingIOError:
                select.select((), (self.descriptor,), ())


def line_handler() -> LineHandler:
    """Return the handler for standard output, and let no signal end this process before its last lines are written.

    Uvicorn raises the signal that stopped it once more when all is closed; by default that ends the process at once.
    """
    handler = LineHandler()

    def flush_and_end(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's signature
        handler.flush()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, flush_and_end)
    return handler


def log_config(level: str) -> dict[str, Any]:
    """Return the logging set-up for this process and the workers it starts."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "web.server.JsonFormatter"}},
        "handlers": {"lines": {"()": "web.server.line_handler", "formatter": "json"}},
        "root": {"handlers": ["lines"], "level": "WARNING"},
        "loggers": {"voice": {"level": level}, "uvicorn": {"level": level}, "voice.socket": {"level": "WARNING"}},
    }


def bind(host: str, port: int) -> socket.socket:
    """Bind a listening socket; where that fails, end with one line and status 2."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        sys.stderr.write(f"HOST, PORT: cannot listen on {host}, port {port}: {error.strerror}\n")
        raise SystemExit(USERS_MISTAKE) from None
    listener.set_inheritable(True)
    log.info("listening", extra={"host": host, "port": listener.getsockname()[1]})
    return listener


def links_of(settings: Settings, port: int) -> str:
    """Return where a developer begins, a line each; nothing elsewhere than in LOCAL, where logs are read by machines."""
    if settings.environment is not Environment.LOCAL:
        return ""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    lines = (
        f"Page to try it:  {url}/api/v1/try",
        f"Documentation:   {url}/api/v1/docs",
        f"Demo client:     X-Secret-Id: {DEMO_ID}, X-Secret-Key: {DEMO_KEY}",
    )
    return "".join(f"{line}\n" for line in lines)


class LinkingServer(uvicorn.Server):
    """A server that prints links once it serves."""

    def __init__(self, config: uvicorn.Config, links: str) -> None:
        super().__init__(config)
        self.links = links

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then print."""
        await super().startup(sockets)
        sys.stdout.write(self.links)
        sys.stdout.flush()


def run(app: str, settings: Settings) -> None:
    """Serve `app` ("module:name") until told to stop."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="web.server:Protocol",
        ws="web.server:MeteredSocketProtocol",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_S,
        ws_ping_timeout=PING_S,
        ws_per_message_deflate=False,  # sound hardly gets smaller, and a small message may become a large one
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        log_config=log_config(settings.log_level),
        access_log=False,
        server_header=False,
        timeout_worker_healthcheck=WORKER_START_S,
        proxy_headers=False,  # TRUSTED_PROXIES decides, in app.py
        timeout_graceful_shutdown=max(1, int(0.75 * settings.drain_seconds)),  # a quarter went by before
    )
    listener = bind(settings.host, settings.port)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)  # accepted connections inherit it
    links = links_of(settings, listener.getsockname()[1])
    listeners = [listener, *(listener.dup() for _ in range(LISTENERS - 1))]
    with contextlib.suppress(KeyboardInterrupt):
        if settings.workers > 1:
            with shared_by_workers():
                sys.stdout.write(links)
                Multiprocess(config, listeners).run()
        else:
            LinkingServer(config, links).run(listeners)
