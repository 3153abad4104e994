"""Uvicorn as this service runs it: deadlines for slow senders, refusals in the envelope, logs as JSON lines."""

import contextlib
import itertools
import logging
import secrets
import socket
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TextIO

import orjson
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.supervisors import Multiprocess
from websockets.exceptions import InvalidHandshake
from websockets.http11 import Request

from auth import DEMO_ID, DEMO_KEY
from errors import ApiError, BadRequest, envelope
from settings import USERS_MISTAKE, Environment, Settings
from telemetry import shared_by_workers

log = logging.getLogger("voice.server")

SECURITY_HEADERS = (
    (b"strict-transport-security", b"max-age=31536000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)

# A whole request head takes a sound client milliseconds, a phone on a bad line a second or two.
HEAD_DEADLINE_S = 10.0
# A body has as long as its head, and then must have come at this rate since it began: below the slowest mobile line, above a trickle.
MIN_BODY_BYTES_S = 4096
# What a client still sends after it was answered is read and dropped for as long, so that it sees the answer.
LINGER_S = 10.0
# A connection without a request stays open for longer than proxies and clients keep theirs (nginx and most clouds' balancers: 60 s). Who is
# the first to close cuts off the request that the other one is just sending.
KEEP_ALIVE_S = 75
# A browser's heads stay under 16 KiB and 50 fields; this is room for tokens and proxies.
MAX_HEAD_BYTES = 128 * 1024
MAX_HEAD_FIELDS = 128
# A WebSocket's message: four minutes of sound at 16 kHz, in one piece.
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
# What is parsed of it before others have their turn; of the smallest frames there are, 600, which take some 10 ms.
SLICE_BYTES = 4096
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
        await super().send(message)

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


class Protocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, which by itself waits for ever for the rest of a request, and refuses in plain text.

    It is asked what is still owed only where it has been fed and something is: nearly always a request comes whole.
    """

    begun: Any = None  # the request (its scope) that is owed since `begun_s`
    begun_s = 0.0
    received_bytes = 0
    idle_since_s = 0.0
    watch: Any = None  # one timer a connection: the library's own, made at each reply and cancelled at each request, cost 4 us of 50

    @property
    def in_head(self) -> bool:
        """A head is owed, the first one of a connection too."""
        return self.scope is None or "method" not in self.scope

    @property
    def in_body(self) -> bool:
        """The rest of a body is owed."""
        return not self.in_head and self.cycle is not None and self.cycle.more_body

    def connection_made(self, transport: Any) -> None:
        """Expect the first request."""
        super().connection_made(transport)
        self.begun_s = self.loop.time()
        self.watch = self.loop.call_later(HEAD_DEADLINE_S, self.close_if_late)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what has come in part only is put under a deadline."""
        HttpToolsProtocol.data_received(self, data)
        cycle = self.cycle
        if cycle is None or cycle.more_body or cycle.scope is not self.scope:
            self.expect_more(len(data))

    def expect_more(self, n_bytes: int) -> None:
        """Count what has come of a request, and see to it that the rest comes."""
        if self.scope is not self.begun:
            self.begun, self.begun_s, self.received_bytes = self.scope, self.loop.time(), 0
        self.received_bytes += n_bytes
        if self.in_head and self.received_bytes > MAX_HEAD_BYTES:
            self.send_400_response("The request's head is too large.")
        elif self.watch is None:
            self.watch = self.loop.call_later(HEAD_DEADLINE_S, self.close_if_late)

    def on_headers_complete(self) -> None:
        """Refuse a head of too many fields."""
        if len(self.headers) > MAX_HEAD_FIELDS:
            message = "too many fields"
            raise ValueError(message)  # the parser turns this into a refusal
        HttpToolsProtocol.on_headers_complete(self)
        if self.cycle is not None and self.cycle.scope is self.scope:
            self.cycle.__class__ = Exchange  # the library makes its own, and asks nobody

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection on; the request is complete."""
        if self.watch is not None:
            self.watch.cancel()
            self.watch = None
        super().handle_websocket_upgrade()

    def on_response_complete(self) -> None:
        """Begin with the next request if there is one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
            return
        self.idle_since_s = self.loop.time()
        if self.watch is None:
            self.watch = self.loop.call_later(self.timeout_keep_alive, self.close_if_late)

    def close_if_idle(self) -> None:
        """Close the connection if nothing was asked for in a while, else look again later; not while an answer is awaited."""
        if self.cycle is None or not self.cycle.response_complete:
            return
        left_s = self.idle_since_s + self.timeout_keep_alive - self.loop.time()
        if left_s <= 0:
            self.transport.close()
        else:
            self.watch = self.loop.call_later(left_s, self.close_if_late)

    def close_if_late(self) -> None:
        """Close the connection if its request should have come by now, else look again later."""
        self.watch = None
        if self.transport.is_closing():
            return
        in_body = self.in_body
        if not (self.in_head or in_body):
            self.close_if_idle()
            return
        allowed_s = HEAD_DEADLINE_S
        if in_body:
            allowed_s += self.received_bytes / MIN_BODY_BYTES_S
        if in_body and self.cycle.response_complete:
            allowed_s = min(allowed_s, HEAD_DEADLINE_S + LINGER_S)
        late_s = self.loop.time() - self.begun_s - allowed_s
        if late_s >= 0:
            log.info("closed a connection: the rest of its request did not come in time")
            self.transport.close()
        else:
            self.watch = self.loop.call_later(max(1.0, -late_s), self.close_if_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop watching."""
        if self.watch is not None:
            self.watch.cancel()
            self.watch = None
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP as everything is refused, and close."""
        if self.transport.is_closing():
            return
        self.transport.write(refusal(BadRequest(msg), self.server_state.default_headers))
        self.transport.close()


class SocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket protocol, which by itself lets a peer that never reads, or sends very many frames, cost what it likes.

    A message is kept whole until it is there, up to MAX_MESSAGE_BYTES; past it the connection is closed with 1009. Nothing is read while
    messages wait for the application, so that no queue grows.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # The access record is the application's to write, and what the library would tell while debugging names credentials.
        self.logger = self.conn.logger = logging.getLogger("voice.socket")
        self.conn.debug = False
        self.unread = b""
        self.heard_s = 0.0

    def data_received(self, data: bytes) -> None:
        """Feed the parser in slices: a block of a thousand tiny frames would hold up everybody else."""
        self.unread += data
        self.heard_s = self.loop.time()
        while self.unread and self.queue.empty() and not self.transport.is_closing():
            part, self.unread = self.unread[:SLICE_BYTES], self.unread[SLICE_BYTES:]
            self.conn.receive_data(part)
            if self.conn.handshake_exc is not None:
                self.refuse()
            elif self.conn.parser_exc is None:
                self.handle_events()
            else:
                self.handle_parser_exception()
        self.read_on()

    def read_on(self) -> None:
        """Read only what can be parsed at once."""
        waits = bool(self.unread) or not self.queue.empty()
        if waits != self.read_paused and not self.transport.is_closing():
            self.read_paused = waits
            (self.transport.pause_reading if waits else self.transport.resume_reading)()

    async def receive(self) -> Any:
        """Give the next message; parse on, and then read on, when there is none left."""
        message = await self.queue.get()
        if self.queue.empty() and self.unread:
            self.loop.call_soon(self.data_received, b"")
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
        if self.writable.is_set():
            self.transport.write(pong)

    async def run_asgi(self) -> None:
        """Let go of a peer that does not read, or does not close, some time after the application is through."""
        await super().run_asgi()
        self.loop.call_later(LINGER_S, self.transport.abort)


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


class LineHandler(logging.StreamHandler[TextIO]):
    """Standard output, as it is now; a reader that went away costs its lines, not the service."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Go on."""


def log_config(level: str) -> dict[str, Any]:
    """Return the logging set-up for this process and the workers it starts."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "server.JsonFormatter"}},
        "handlers": {"lines": {"()": "server.LineHandler", "formatter": "json"}},
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
        http="server:Protocol",
        ws="server:SocketProtocol",
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
    links = links_of(settings, listener.getsockname()[1])
    listeners = [listener, *(listener.dup() for _ in range(LISTENERS - 1))]
    with contextlib.suppress(KeyboardInterrupt):
        if settings.workers > 1:
            with shared_by_workers():
                sys.stdout.write(links)
                Multiprocess(config, listeners).run()
        else:
            LinkingServer(config, links).run(listeners)
