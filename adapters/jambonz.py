"""The verb `listen` of jambonz, with streamed audio in both directions: binary messages are audio, text messages are JSON.

The first message describes the call; docs/telephony.md has the verb. Source: https://docs.jambonz.org, "listen";
https://github.com/jambonz/jambonz-feature-server, lib/tasks/listen.js.
"""

import asyncio
import itertools
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from adapters.phone_socket import DEFAULT_PHONE_LIMITS, PhoneAdmission, PhoneLimits, PhoneSocket, accept_basic
from errors import ApiError, BadRequest
from settings import Settings
from voice.calls.call import Call
from voice.calls.outcome import Outcome
from web.context import context_of

LIMITS = ("requests", "speech")
SUBPROTOCOL = "audio.jambonz.org"  # jambonz goes on only if it is selected
SAMPLE_RATES: Final = frozenset({8000, 16_000, 24_000, 48_000})
# After the goodbye the caller may hang up; then jambonz goes on with the next verb, which may call a person.
FINISHED, HANG_UP_S = frozenset({Outcome.CONFIRMED, Outcome.CANCELLED}), 10.0


class JambonzLine:
    """The audio line to the caller; jambonz buffers the audio."""

    frame_s, lead_s = 0.1, 2.0

    def __init__(self, socket: PhoneSocket) -> None:
        self.socket = socket
        self.heard = asyncio.Event()
        self._marks = itertools.count(1)
        self._awaited = ""

    async def play(self, audio: bytes) -> None:
        """Send audio."""
        await self.socket.send(audio)

    async def clear(self) -> None:
        """Empty the buffer of jambonz, then drop the marks behind the audio."""
        await self.socket.send({"type": "killAudio"})
        await self.socket.send({"type": "clearMarks"})

    async def wait_until_heard(self) -> None:
        """Wait for a mark behind the audio."""
        self.heard.clear()
        self._awaited = f"end-{next(self._marks)}"
        await self.socket.send({"type": "mark", "data": {"name": self._awaited}})
        try:
            async with asyncio.timeout(self.lead_s + 2):
                await self.heard.wait()
        except TimeoutError:
            return

    def mark(self, content: object) -> None:
        """Take a mark that came back: it was played, or cleared."""
        if isinstance(content, dict) and content.get("name") == self._awaited:
            self.heard.set()


class JambonzEndpoint:
    """Serves the verb of a call."""

    def __init__(self, settings: Settings, limits: PhoneLimits = DEFAULT_PHONE_LIMITS) -> None:
        self.admission = PhoneAdmission(settings)
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the call before the handshake, or take it."""
        connection, state = HTTPConnection(scope), scope["state"]
        state["calls"].check_admission()
        accept_basic(connection)
        parameters: dict[str, Any] = dict(connection.query_params)
        caller = await self.admission.admit(connection, state["admission"], parameters, None, LIMITS, "jambonz", "")
        socket = PhoneSocket(scope, receive, send, self.limits)
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in scope.get("subprotocols", ()) else None)
        error: ApiError | None = None
        try:
            described = await socket.receive_json(self.limits.max_start_s)
            sample_rate = described.get("sampleRate", 8000)
            if not isinstance(sample_rate, int) or sample_rate not in SAMPLE_RATES:
                message = f"The sampleRate of the verb is not supported: {', '.join(map(str, sorted(SAMPLE_RATES)))}."
                raise BadRequest(message)
            caller.call_id = str(described.get("callSid") or described.get("call_sid") or "")
            line = JambonzLine(socket)
            with state["calls"].open(caller, line, encoding="pcm_s16le", sample_rate=sample_rate) as call:
                context_of(scope).live = call.live
                reading = asyncio.ensure_future(_read(socket, call, line))
                try:
                    caller.outcome = await call.run()
                    if caller.outcome in FINISHED:
                        await asyncio.wait({reading}, timeout=HANG_UP_S)
                    if not reading.done():
                        await socket.send({"type": "disconnect"})
                finally:
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
                error = call.live.ended_by
        except ApiError as refused:
            error = refused
        except OSError as gone:
            raise ClientDisconnect from gone
        await socket.close(error)


async def _read(socket: PhoneSocket, call: Call, line: JambonzLine) -> None:
    """Pass on audio and keys until the caller hangs up or the call has to end. Other texts are ignored."""
    try:
        while True:
            message = await socket.receive()
            if isinstance(message, bytes):
                await call.live.receive_audio(message)
                continue
            event = parse(message)
            if event.get("event") == "dtmf":
                await call.press(str(event.get("dtmf") or ""))
            elif event.get("type") == "mark":
                line.mark(event.get("data"))
    except ClientDisconnect:
        await call.hang_up()
    except ApiError as error:
        await call.fail(error)


def parse(message: str) -> dict[str, Any]:
    """Return an event; an empty one if it is none."""
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError:
        return {}
    return event if isinstance(event, dict) else {}
