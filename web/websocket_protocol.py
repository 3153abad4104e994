"""WebSocket: uvicorn's protocol with backpressure, rate-limited control frames, bounded buffers and error envelopes."""

import logging
from collections import deque
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidHandshake
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request

from errors import BadRequest
from web.error_reply import error_reply
from web.server_limits import DEFAULT_LIMITS, ServerLimits

# A message: four minutes of audio at 16 kHz.
MAX_MESSAGE_BYTES = 8 * 1024 * 1024
# Parse in slices of SLICE_BYTES; after SLICE_FRAMES frames without a message (about 2 ms) yield to the event loop.
SLICE_BYTES, SLICE_FRAMES = 1024, 100
# Allowed frames that end no message (pings, pongs, fragments): FREE_FRAMES, plus FRAMES_PER_S, plus one per MIN_FRAGMENT_BYTES.
FREE_FRAMES, FRAMES_PER_S, MIN_FRAGMENT_BYTES = 1000, 10, 64
# Memory of a fragment besides its bytes: a message may consist of millions of empty fragments.
FRAGMENT_OVERHEAD_BYTES = 64
# Interval of pings and deadline of pongs: a peer that vanished is noticed after twice this.
PING_S = 20.0
SUPPORTED_VERSION = (b"sec-websocket-version", b"13")  # RFC 6455 section 4.4


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket protocol, with limits for peers that never read or that flood the connection with frames.

    A message is assembled in memory up to MAX_MESSAGE_BYTES; a longer one closes the connection with 1009. Reading pauses while messages
    wait for the application, so no queue grows. The protocol limits frames that end no message, the application limits messages.

    The application may set `scope["voice.buffered"]` to a function of the number of unconsumed message bytes, to limit them over all
    connections of a client; if the function returns False, the connection ends. It may set `scope["voice.pinged"]` to a function that is
    called for each ping of the peer.
    """

    def __init__(self, *arguments: Any, limits: ServerLimits = DEFAULT_LIMITS, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.limits = limits
        # The application writes the access record, and the library's debug messages contain credentials.
        self.logger = self.conn.logger = logging.getLogger("voice.socket")
        self.conn.debug = False
        self.unparsed = b""
        self.is_parsing_scheduled = False
        self.opened_s = self.loop.time()
        self.received_s = 0.0  # the last data, on the loop's clock
        self.n_frames = self.fragment_bytes = 0  # frames that ended no message
        self.is_discarding = False
        self.incoming_bytes = 0  # of the message that is arriving
        self.queued_bytes: deque[int] = deque()  # of each message in the queue
        self.processed_bytes = 0  # of the message that the application processes

    # --- Parsing and flow control

    def data_received(self, data: bytes) -> None:
        """Parse, unless earlier bytes wait; if the application holds too much, drop all unparsed bytes."""
        if self.is_discarding:
            return
        self.unparsed += data
        self.received_s = self.loop.time()
        if not self.is_parsing_scheduled:
            self.parse_slices()
        if not self.report_buffered():
            self.is_discarding, self.unparsed, self.frames = True, b"", []
            self.conn.reader.buffer.clear()  # an unfinished frame would stay until the connection is closed

    def parse_slices(self) -> None:
        """Parse until there is a message, or SLICE_FRAMES frames without one."""
        self.is_parsing_scheduled = False
        waiting, self.unparsed, start, last_frame = self.unparsed, b"", 0, self.n_frames + SLICE_FRAMES
        while start < len(waiting) and self.n_frames < last_frame and self.queue.empty() and not self.transport.is_closing():
            self.parse(waiting[start : start + SLICE_BYTES])
            start += SLICE_BYTES
        if self.transport.is_closing():
            return
        self.unparsed = waiting[start:]
        if self.unparsed and self.queue.empty():
            self.schedule_parsing()
        self.update_reading()

    def schedule_parsing(self) -> None:
        """Continue parsing in the event loop's next iteration."""
        self.is_parsing_scheduled = True
        self.loop.call_soon(self.parse_slices)

    def parse(self, data: bytes) -> None:
        """Feed the parser."""
        self.conn.receive_data(data)
        if self.conn.handshake_exc is not None:
            self.reject_handshake()
        elif self.conn.parser_exc is None:
            self.handle_events()
        else:
            self.handle_parser_exception()

    def update_reading(self) -> None:
        """Pause reading while bytes or messages wait, else resume it."""
        waits = bool(self.unparsed) or not self.queue.empty()
        if waits != self.read_paused and not self.transport.is_closing():
            self.read_paused = waits
            (self.transport.pause_reading if waits else self.transport.resume_reading)()

    async def receive(self) -> Any:
        """Return the next message; the application has consumed the previous one. Continue parsing or reading if no message is left."""
        self.processed_bytes = 0
        self.report_buffered()
        message = await self.queue.get()
        if self.queue.empty() and self.unparsed and not self.is_parsing_scheduled:
            self.schedule_parsing()
        else:
            self.update_reading()
        if message["type"] == "websocket.receive":
            self.processed_bytes = self.queued_bytes.popleft()
        return message

    def report_buffered(self) -> bool:
        """Report the unconsumed bytes to the application; return whether the connection may continue."""
        report = getattr(self, "scope", {}).get("voice.buffered")
        if report is None:
            return True
        n_bytes = self.incoming_bytes + sum(self.queued_bytes) + self.processed_bytes + len(self.conn.reader.buffer)
        return bool(report(n_bytes))

    # --- Handshake and end

    def handle_connect(self, event: Request) -> None:
        """Reject a malformed handshake with the error envelope."""
        try:
            self.conn.process_request(event)
        except InvalidHandshake:
            self.reject_handshake()
        else:
            super().handle_connect(event)

    def reject_handshake(self) -> None:
        """Reply that this is not a WebSocket handshake, and close."""
        self.handshake_complete = self.close_sent = True
        self.unparsed = b""
        if not self.transport.is_closing():
            error = BadRequest("This is not a WebSocket handshake.")
            self.transport.write(error_reply(error, [*self.default_headers, SUPPORTED_VERSION]))
            self.transport.close()

    def keepalive_timeout(self) -> None:
        """Close the connection to a peer that vanished. A peer that still sends is kept: its pong may be queued behind unread bytes."""
        self.pong_timer = self.pending_ping_payload = None
        if self.read_paused or self.loop.time() - self.received_s < PING_S:
            self.schedule_ping()
        else:
            super().keepalive_timeout()

    async def run_asgi(self) -> None:
        """Run the application; afterwards abort the connection to a peer that does not read or close in time."""
        await super().run_asgi()
        self.loop.call_later(self.limits.close_deadline_s, self.transport.abort)

    # --- Frames

    def handle_ping(self) -> None:
        """Answer with a pong while the peer reads."""
        pong = b"".join(self.conn.data_to_send())
        if pinged := getattr(self, "scope", {}).get("voice.pinged"):
            pinged()
        if self.count_frame() and self.writable.is_set():
            self.transport.write(pong)

    def handle_pong(self, event: Frame) -> None:
        """Count the pong: a peer may send them unasked."""
        if self.count_frame():
            super().handle_pong(event)

    def handle_text(self, event: Frame) -> None:
        """Start a text message."""
        self.incoming_bytes = 0
        if self.count_message_frame(event):
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Start a binary message."""
        self.incoming_bytes = 0
        if self.count_message_frame(event):
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Continue a message."""
        if self.count_message_frame(event):
            super().handle_cont(event)

    def count_message_frame(self, event: Frame) -> bool:
        """Count a frame of a message; close the connection and return False if too many frames end no message."""
        self.incoming_bytes += len(event.data) + FRAGMENT_OVERHEAD_BYTES
        return event.fin or self.count_frame(len(event.data))

    def count_frame(self, fragment_bytes: int = 0) -> bool:
        """Count a frame that ends no message; close the connection and return False if there are too many such frames."""
        self.n_frames += 1
        self.fragment_bytes += fragment_bytes
        allowed = FREE_FRAMES + FRAMES_PER_S * (self.received_s - self.opened_s) + self.fragment_bytes / MIN_FRAGMENT_BYTES
        if self.n_frames <= allowed:
            return True
        if not self.close_sent and self.handshake_complete:
            self.conn.fail(CloseCode.POLICY_VIOLATION, "RATE_LIMITED")
            self.handle_parser_exception()
        self.transport.close()
        return False

    def send_receive_event_to_app(self) -> None:
        """Enqueue the message with its size; uvicorn drops one that arrives after the close."""
        n_waiting = self.queue.qsize()
        super().send_receive_event_to_app()
        if self.queue.qsize() > n_waiting:
            self.queued_bytes.append(self.incoming_bytes)
        self.incoming_bytes = 0
