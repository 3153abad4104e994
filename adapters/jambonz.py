"""The verb `listen` of jambonz, with streamed audio in both directions: binary messages are audio, text messages are JSON.

The first message describes the call; docs/telephony.md has the verb. Source: https://docs.jambonz.org, "listen";
https://github.com/jambonz/jambonz-feature-server, lib/tasks/listen.js.
"""

import asyncio
from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect

from adapters.phone_endpoint import HANG_UP_S, AudioMark, BasicAuthEndpoint
from adapters.phone_socket import PhoneSocket
from errors import ApiError, BadRequest
from voice.calls.call import Call
from voice.calls.calls import Caller, Calls, reading
from voice.calls.outcome import FINISHED
from web.context import RequestContext

SAMPLE_RATES: Final = frozenset({8000, 16_000, 24_000, 48_000})


class JambonzLine:
    """The audio line to the caller; jambonz buffers the audio."""

    frame_s, lead_s = 0.1, 2.0

    def __init__(self, socket: PhoneSocket) -> None:
        self.socket = socket
        self.mark = AudioMark()

    async def play(self, audio: bytes) -> None:
        """Send audio."""
        await self.socket.send(audio)

    async def clear(self) -> None:
        """Empty the buffer of jambonz, then drop the marks behind the audio."""
        await self.socket.send({"type": "killAudio"})
        await self.socket.send({"type": "clearMarks"})

    async def wait_until_heard(self) -> None:
        """Wait for a mark behind the audio."""
        await self.socket.send({"type": "mark", "data": {"name": self.mark.new()}})
        await self.mark.wait(self.lead_s)


class JambonzEndpoint(BasicAuthEndpoint):
    """Serves the verb of a call."""

    protocol, subprotocol = "jambonz", "audio.jambonz.org"  # jambonz goes on only if its subprotocol is selected

    async def _serve(self, socket: PhoneSocket, caller: Caller, calls: Calls, context: RequestContext) -> ApiError | None:
        described = await socket.receive_json(self.limits.max_start_s)
        sample_rate = described.get("sampleRate", 8000)
        if not isinstance(sample_rate, int) or sample_rate not in SAMPLE_RATES:
            message = f"The sampleRate of the verb is not supported: {', '.join(map(str, sorted(SAMPLE_RATES)))}."
            raise BadRequest(message)
        caller.call_id = str(described.get("callSid") or described.get("call_sid") or "")
        line = JambonzLine(socket)
        with calls.open(caller, line, encoding="pcm_s16le", sample_rate=sample_rate) as call:
            context.live = call.live
            async with reading(_read(socket, call, line)) as messages:
                caller.outcome = await call.run()
                if caller.outcome in FINISHED:
                    await asyncio.wait({messages}, timeout=HANG_UP_S)
                if not messages.done():
                    await socket.send({"type": "disconnect"})
            return call.live.ended_by


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
            elif event.get("type") == "mark" and isinstance(event.get("data"), dict):
                line.mark.take(event["data"].get("name"))
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
