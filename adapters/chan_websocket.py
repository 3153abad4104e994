"""Asterisk's chan_websocket: binary messages are audio, text messages are events and commands; Asterisk buffers and paces the audio.

Events and commands are JSON (`f(json)`) or words with `name:value` fields; commands are sent in the form of the events. docs/telephony.md
has the dialplan. Source: docs/Configuration/Channel-Drivers/WebSocket.md of Asterisk's documentation.
"""

from typing import Any, Final

import orjson
from starlette.requests import ClientDisconnect

from adapters.phone_endpoint import AudioMark, BasicAuthEndpoint
from adapters.phone_socket import PhoneSocket
from errors import ApiError, BadRequest
from schemas import RawEncoding
from voice.calls.call import Call
from voice.calls.calls import Caller, Calls, reading
from voice.calls.outcome import FINISHED
from web.context import RequestContext

# Encoding and sample rate (Hz) of each format.
FORMATS: Final[dict[str, tuple[RawEncoding, int]]] = {
    "ulaw": ("mulaw", 8000),
    "alaw": ("alaw", 8000),
    "slin": ("pcm_s16le", 8000),
    "slin12": ("pcm_s16le", 12_000),
    "slin16": ("pcm_s16le", 16_000),
    "slin24": ("pcm_s16le", 24_000),
    "slin32": ("pcm_s16le", 32_000),
    "slin48": ("pcm_s16le", 48_000),
}


class ChanWebSocketLine:
    """The caller's end of a call; Asterisk buffers some 20 s."""

    frame_s, lead_s = 0.1, 5.0

    def __init__(self, socket: PhoneSocket, *, is_json: bool) -> None:
        self.socket, self.is_json = socket, is_json
        self.mark = AudioMark()

    async def play(self, audio: bytes) -> None:
        """Send audio."""
        await self.socket.send(audio)

    async def clear(self) -> None:
        """Empty Asterisk's buffer."""
        await self.command("FLUSH_MEDIA")

    async def wait_until_heard(self) -> None:
        """Wait for a mark behind the audio."""
        await self.command("MARK_MEDIA", self.mark.new())
        await self.mark.wait(self.lead_s)

    async def command(self, name: str, correlation_id: str = "") -> None:
        """Send a command."""
        if self.is_json:
            await self.socket.send({"command": name, **({"correlation_id": correlation_id} if correlation_id else {})})
        else:
            await self.socket.send(f"{name} {correlation_id}".strip())


class ChanWebSocketEndpoint(BasicAuthEndpoint):
    """Serves the channel of a call."""

    protocol, subprotocol = "chan_websocket", "media"

    async def _serve(self, socket: PhoneSocket, caller: Caller, calls: Calls, context: RequestContext) -> ApiError | None:
        start, is_json = parse(await socket.receive(self.limits.max_start_s))
        if start.get("event") != "MEDIA_START" or str(start.get("format")) not in FORMATS:
            message = f"The first message is not MEDIA_START with a format of {', '.join(FORMATS)}."
            raise BadRequest(message)
        caller.call_id = str(start.get("channel_id") or start.get("connection_id") or "")
        encoding, sample_rate = FORMATS[str(start["format"])]
        line = ChanWebSocketLine(socket, is_json=is_json)
        with calls.open(caller, line, encoding=encoding, sample_rate=sample_rate) as call:
            context.live = call.live
            async with reading(self._read(socket, call, line)):
                caller.outcome = await call.run()
                if caller.outcome in FINISHED:
                    await line.command("HANGUP")
            return call.live.ended_by

    @staticmethod
    async def _read(socket: PhoneSocket, call: Call, line: ChanWebSocketLine) -> None:
        """Pass on audio and keys until the caller hangs up or the call has to end."""
        try:
            while True:
                message = await socket.receive()
                if isinstance(message, bytes):
                    await call.live.receive_audio(message)
                    continue
                event, _ = parse(message)
                if event["event"] == "DTMF_END":
                    await call.press(str(event.get("digit") or ""))
                elif event["event"] == "MEDIA_MARK_PROCESSED":
                    line.mark.take(event.get("correlation_id") or line.mark.name)
        except ClientDisconnect:
            await call.hang_up()
        except ApiError as error:
            await call.fail(error)


def parse(message: bytes | str) -> tuple[dict[str, Any], bool]:
    """Return an event with its name as `event`, and whether it was JSON.

    Raises:
        BadRequest: it is no event.

    """
    if isinstance(message, str) and not message.lstrip().startswith("{"):
        name, *fields = message.split()[:64] or [""]
        return {"event": name} | {field.partition(":")[0]: field.partition(":")[2] for field in fields}, False
    try:
        event = orjson.loads(message)
    except orjson.JSONDecodeError:
        event = None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        text = "The message is not an event."
        raise BadRequest(text)
    return event, True
