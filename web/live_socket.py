"""The live route: a WebSocket that receives audio and commands, and sends partial and final orders."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import orjson
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Message, Receive, Scope, Send

from errors import (
    ApiError,
    AudioTooLong,
    BadRequest,
    InvalidToken,
    MenuNotFound,
    Overloaded,
    PayloadTooLarge,
    RateLimited,
    TimedOut,
    envelope,
)
from schemas import LiveCommand, LiveFinal, LiveKeepalive, LiveOptions, LivePartial, SpeechEnd, SpeechStart
from settings import Settings
from voice.live.connection import LiveConnection, client_bytes_exceeded
from voice.live.sessions import MAX_CLIENT_BYTES, MAX_CONNECTIONS
from voice.menus.menu import Menu
from voice.tts.speaker import Speaker
from web.admission import BEARER, Admission
from web.context import caller_of, context_of
from web.cors import ORIGIN_REJECTED, Cors, is_same_origin
from web.live_voice import LiveVoice
from web.validation import validate_fields, validate_json

# Source: RFC 6455, section 7.4.1, and its registry at IANA.
CLOSE_CODES = {AudioTooLong: 1009, TimedOut: 1008, RateLimited: 1008, MenuNotFound: 1008, Overloaded: 1013}
MESSAGES = {"partial": "Heard so far.", "final": "Understood.", "speech_start": "Speaking.", "speech_end": "Silent."}
SERVICE_RESTARTS, SERVER_FAILED = 1012, 1011
MAX_END_BYTES = 64  # of an `end` command with any spaces
SCOPES, LIMITS = frozenset({"speech", "order"}), ("requests", "speech")


SentEvent = LivePartial | LiveFinal | SpeechStart | SpeechEnd | ApiError


@dataclass(frozen=True, kw_only=True)
class LiveLimits:
    """Limits of the live route."""

    max_connections: int = MAX_CONNECTIONS
    max_client_bytes: int = MAX_CLIENT_BYTES  # queued over all connections of a client

    max_idle_s: float = 30.0  # without audio, commands and pings
    max_send_s: float = 10.0  # until the caller reads an event
    max_finish_s: float = 15.0  # until the last events are ready
    # Audio comes in 10 to 100 frames a second; more frames with the same audio only cost processor time.
    free_frames: int = 1000
    max_frames_per_audio_s: int = 500
    frames_per_s: int = 1  # keepalive commands of a long connection
    # A longer command counts as several: a megabyte of JSON takes 30 ms to validate.
    frame_characters: int = 128 * 1024


DEFAULT_LIVE_LIMITS = LiveLimits()


def is_end_command(frame: bytes) -> bool:
    """Return whether a binary frame is the command that ends the utterance, and not audio."""
    if len(frame) > MAX_END_BYTES or not frame.lstrip().startswith(b"{"):
        return False
    try:
        return bool(orjson.loads(frame) == {"type": "end"})
    except orjson.JSONDecodeError:
        return False


class LiveEndpoint:
    """Admits a WebSocket as an HTTP request is admitted, then serves it."""

    def __init__(self, settings: Settings, cors: Cors, limits: LiveLimits = LiveLimits()) -> None:
        self.public_url = settings.public_url
        self.max_command_bytes = settings.max_json_bytes
        self.cors = cors
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit the connection, or reply with an error before the handshake; then serve it."""
        connection = HTTPConnection(scope)
        state = scope["state"]
        subprotocol = await self._admit(connection, state["admission"])
        options = validate_fields(LiveOptions, connection.query_params.multi_items())
        client = caller_of(connection).id
        menu_id = state["menus"].get(client, options.menu).menu.id  # resolved once: another menu may be added later
        current_engine = partial(state["menus"].get, client, menu_id)
        speaking = state["calls"].speaking(_languages(options, current_engine().menu)) if options.speak else nullcontext()
        with speaking as speaker, state["live"].connect(current_engine, options, client, reports_speech=options.speak) as live:
            await receive()  # the handshake
            await send({"type": "websocket.accept", "subprotocol": subprotocol})
            context = context_of(scope)
            context.live = live
            socket = LiveSocket(live, receive, send, context.request_id, self.max_command_bytes, self.limits)
            if speaker is not None:
                socket.speak(speaker, options)
            scope["voice.buffered"] = socket.limit_buffered
            scope["voice.pinged"] = socket.hear
            await socket.serve()

    async def _admit(self, connection: HTTPConnection, admission: Admission) -> str | None:
        """Admit the connection and return the subprotocol.

        A browser cannot set headers, so it sends its token as a subprotocol. It always sends the origin of its page: only pages of this
        service and origins that CORS allows may connect.

        Raises:
            BadRequest: the origin may not call. InvalidToken: the subprotocols are malformed. Others: as `Admission.admit`.

        """
        headers = context_of(connection.scope).headers
        origin = headers.get(b"origin")
        if origin is not None and not is_same_origin(origin, headers.get(b"host", b""), self.public_url) and not self.cors.allows(origin):
            raise BadRequest(ORIGIN_REJECTED)
        offered: list[str] = connection.scope.get("subprotocols", [])
        subprotocol = "bearer" if offered and offered[0].lower() == "bearer" else None
        if subprotocol:
            if len(offered) != 2 or b"authorization" in headers:  # noqa: PLR2004 - the scheme and the token
                error = InvalidToken()
                await admission.limit_failed_credentials(connection, error)
                raise error
            headers[b"authorization"] = BEARER + offered[1].encode()
        await admission.admit(connection, SCOPES, LIMITS)
        return subprotocol


def _languages(options: LiveOptions, menu: Menu) -> Sequence[str]:
    """Return the languages that replies may have."""
    return [options.language] if options.language else menu.languages or ("en",)


class LiveSocket:
    """An accepted WebSocket: one task reads, one decodes, one writes. Deadlines keep the caller from blocking any of them."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a connection
        self, live: LiveConnection, receive: Receive, send: Send, request_id: str, max_command_bytes: int, limits: LiveLimits
    ) -> None:
        self.live = live
        self.receive, self.send = receive, send
        self.request_id = request_id
        self.max_command_bytes = max_command_bytes
        self.limits = limits
        self.n_frames = 0
        self.opened_s = self.heard_s = asyncio.get_running_loop().time()
        self.stopping: asyncio.Task[None] | None = None
        self.voice: LiveVoice | None = None

    def speak(self, speaker: Speaker, options: LiveOptions) -> None:
        """Say the replies from now on."""
        self.voice = LiveVoice(speaker, self._send_audio, self._send_event, encoding=options.encoding, sample_rate=options.sample_rate)

    def hear(self) -> None:
        """Notice that the caller is there."""
        self.heard_s = asyncio.get_running_loop().time()

    def limit_buffered(self, n_bytes: int) -> bool:
        """Count the bytes of unread messages; end the connection and return False if the client's connections buffer too many."""
        self.live.buffered_bytes = n_bytes
        if not self.live.is_over_limit():
            return True
        self.live.buffered_bytes = 0  # the protocol drops them
        self.stopping = asyncio.ensure_future(self.live.stop(client_bytes_exceeded()))
        return False

    async def serve(self) -> None:
        """Serve until the caller leaves or the service ends the connection.

        Raises:
            ClientDisconnect: the caller left, or did not read for too long.

        """
        reading, decoding, writing = (asyncio.ensure_future(work) for work in (self._read(), self.live.run(), self._write()))
        try:
            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()  # raises ClientDisconnect
                await asyncio.wait({writing}, timeout=self.limits.max_finish_s)
            for task in (writing, decoding):
                task.result() if task.done() else task.cancel()
            await self._close()
        except (TimeoutError, OSError) as error:
            raise ClientDisconnect from error
        finally:
            for task in (reading, decoding, writing):
                task.cancel()
            if self.voice is not None:
                await self.voice.close()
            await asyncio.gather(reading, decoding, writing, return_exceptions=True)

    async def _read(self) -> None:
        """Pass on audio and commands until the connection has to end.

        Raises:
            ClientDisconnect: the caller left.

        """
        limits = self.limits
        try:
            while True:
                message = await self._next_message()
                if message["type"] == "websocket.disconnect":
                    raise ClientDisconnect
                self.hear()
                self.n_frames += 1 + len(message.get("text") or "") // limits.frame_characters
                free = limits.free_frames + limits.frames_per_s * (self.heard_s - self.opened_s)
                if self.n_frames > free + limits.max_frames_per_audio_s * self.live.received_s:
                    await self.live.stop(RateLimited(1, "Too many frames with too little audio were received."))
                    return
                audio = message.get("bytes")
                if audio is None:
                    await self._execute(message["text"])
                elif is_end_command(audio):
                    await self._execute(audio.decode())
                else:
                    await self.live.receive_audio(audio)
        except TimeoutError:
            await self.live.stop(TimedOut(f"Nothing was received for {limits.max_idle_s:g} s."))
        except AudioTooLong as error:
            await self.live.stop(error)

    async def _next_message(self) -> Message:
        """Return the next message.

        Raises:
            TimeoutError: for `max_idle_s` there was neither a message nor a ping.

        """
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with asyncio.timeout_at(self.heard_s + self.limits.max_idle_s):
                    return await self.receive()
            except TimeoutError:
                if loop.time() >= self.heard_s + self.limits.max_idle_s:
                    raise

    async def _execute(self, text: str) -> None:
        """Execute a command; report a rejected one as an event and keep the connection."""
        try:
            if len(text) > self.max_command_bytes:
                raise PayloadTooLarge
            body = text.encode()
            command = validate_json(body, LiveCommand).root
            if not isinstance(command, LiveKeepalive):
                await self.live.receive_command(command, len(body))
        except ApiError as error:
            await self.live.reject_message(error)

    async def _write(self) -> None:
        """Send events until there are no more."""
        async for event in self.live.events():
            if isinstance(event, ApiError) or event["type"] != "speech":
                await self._send_event(event)
            if self.voice is not None:
                await self.voice.follow(event)

    async def _send_event(self, event: SentEvent) -> None:
        async with asyncio.timeout(self.limits.max_send_s):
            await self.send({"type": "websocket.send", "text": self._frame(event)})

    async def _send_audio(self, audio: bytes) -> None:
        async with asyncio.timeout(self.limits.max_send_s):
            await self.send({"type": "websocket.send", "bytes": audio})

    def _frame(self, event: SentEvent) -> str:
        """Put an event into the envelope."""
        if isinstance(event, ApiError):
            failed = envelope(event, self.request_id)
            failed["data"]["type"] = "error"
            return orjson.dumps(failed).decode()
        return orjson.dumps({"code": 200, "msg": MESSAGES[event["type"]], "data": event}).decode()

    async def _close(self) -> None:
        """Close with the code and the reason."""
        error = self.live.ended_by
        code = SERVICE_RESTARTS if error is None else CLOSE_CODES.get(type(error), SERVER_FAILED)
        async with asyncio.timeout(self.limits.max_send_s):
            if error is not None:
                await self.send({"type": "websocket.send", "text": self._frame(error)})
            reason = "The service restarts." if error is None else str(error.error)
            await self.send({"type": "websocket.close", "code": code, "reason": reason})
