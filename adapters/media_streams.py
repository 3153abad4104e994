"""Twilio Media Streams and Telnyx media streaming: audio of a call as base64 in JSON, in both directions.

Telnyx has the same messages with other spellings of the fields; both are accepted. docs/telephony.md has the TwiML.

Source: https://www.twilio.com/docs/voice/media-streams/websocket-messages
"""

import asyncio
import base64
import binascii
from typing import Any, Final

from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from adapters.phone_endpoint import HANG_UP_S, LIMITS, AudioMark
from adapters.phone_socket import DEFAULT_PHONE_LIMITS, PhoneAdmission, PhoneLimits, PhoneSocket
from errors import ApiError, BadRequest
from schemas import RawEncoding
from settings import Settings
from voice.calls.call import Call
from voice.calls.calls import reading
from voice.calls.outcome import FINISHED
from web.context import context_of

# The encodings as the platforms name them, without "audio/" and "x-".
ENCODINGS: Final[dict[str, RawEncoding]] = {"mulaw": "mulaw", "pcmu": "mulaw", "alaw": "alaw", "pcma": "alaw", "l16": "pcm_s16le"}
MIN_RATE, MAX_RATE = 8000, 48_000
MAX_INVALID_MESSAGES = 10


class MediaLine:
    """The audio line to the caller. The platform buffers the audio."""

    frame_s, lead_s = 0.1, 10.0

    def __init__(self, socket: PhoneSocket, stream_id: str) -> None:
        self.socket, self.stream_id = socket, stream_id
        self.mark = AudioMark()

    async def play(self, audio: bytes) -> None:
        """Send audio."""
        await self._send("media", media={"payload": base64.b64encode(audio).decode()})

    async def clear(self) -> None:
        """Empty the platform's buffer."""
        await self._send("clear")

    async def wait_until_heard(self) -> None:
        """Wait for a mark behind the audio, which the platform sends back once it was heard."""
        await self._send("mark", mark={"name": self.mark.new()})
        await self.mark.wait(self.lead_s)

    async def _send(self, event: str, **content: Any) -> None:
        await self.socket.send({"event": event, "streamSid": self.stream_id, **content})


class MediaStreamEndpoint:
    """Serves the stream of a call."""

    def __init__(self, settings: Settings, limits: PhoneLimits = DEFAULT_PHONE_LIMITS) -> None:
        self.admission = PhoneAdmission(settings)
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the call before the handshake, or take it."""
        connection, state = HTTPConnection(scope), scope["state"]
        line = await self.admission.check_signature(connection, state["admission"])
        state["calls"].check_admission()
        socket = PhoneSocket(scope, receive, send, self.limits)
        error: ApiError | None = None
        try:
            with self.admission.starting():
                await socket.accept()
                start = await self._start(socket)
                parameters = _field(start, "customParameters", "custom_parameters") or {}
                call_id = str(_field(start, "callSid", "call_control_id") or start["stream"])
                caller = await self.admission.admit(connection, state["admission"], parameters, line, LIMITS, "media_streams", call_id)
            encoding, sample_rate = _format(_field(start, "mediaFormat", "media_format") or {})
            media = MediaLine(socket, start["stream"])
            with state["calls"].open(caller, media, encoding=encoding, sample_rate=sample_rate) as call:
                context_of(scope).live = call.live
                async with reading(self._read(socket, call, media)) as messages:
                    caller.outcome = await call.run()
                    if caller.outcome in FINISHED:
                        await asyncio.wait({messages}, timeout=HANG_UP_S)
                error = call.live.ended_by
        except ApiError as refused:
            if not socket.is_accepted:
                raise
            error = refused
        await socket.close(error)

    async def _start(self, socket: PhoneSocket) -> dict[str, Any]:
        """Return the content of the message that names the call, with the id of the stream as `stream`.

        Raises:
            BadRequest: other messages come. Others: as `PhoneSocket.receive`.

        """
        for _ in range(MAX_INVALID_MESSAGES):
            message = await socket.receive_json(self.limits.max_start_s)
            start = message.get("start")
            if message.get("event") == "start" and isinstance(start, dict):
                return {**start, "stream": str(_field(message, "streamSid", "stream_id") or _field(start, "streamSid", "stream_id") or "")}
        message_text = "The stream does not start."
        raise BadRequest(message_text)

    @staticmethod
    async def _read(socket: PhoneSocket, call: Call, line: MediaLine) -> None:
        """Pass on audio and keys until the caller hangs up or the call has to end."""
        n_invalid = 0
        try:
            while True:
                try:
                    if not await _accept(await socket.receive_json(), call, line):
                        break
                except BadRequest:
                    n_invalid += 1
                    if n_invalid >= MAX_INVALID_MESSAGES:
                        raise
            await call.hang_up()
        except ClientDisconnect:
            await call.hang_up()
        except ApiError as error:
            await call.fail(error)


async def _accept(message: dict[str, Any], call: Call, line: MediaLine) -> bool:
    """Take a message; return False if the call has ended. Unknown messages are ignored.

    Raises:
        BadRequest: the message is malformed. AudioTooLong: more audio came than one call may send.

    """
    event = message.get("event")
    content = message.get(event) if isinstance(event, str) else None
    content = content if isinstance(content, dict) else {}
    if event == "media" and str(content.get("track") or "inbound").startswith("inbound"):
        try:
            audio = base64.b64decode(content.get("payload") or "", validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            text = "The audio is not base64."
            raise BadRequest(text) from error
        await call.live.receive_audio(audio)
    elif event == "dtmf":
        await call.press(str(content.get("digit") or ""))
    elif event == "mark":
        line.mark.take(content.get("name"))
    return event != "stop"


def _field(content: dict[str, Any], *names: str) -> Any:
    """Return the first field that is present."""
    return next((content[name] for name in names if content.get(name) is not None), None)


def _format(media_format: dict[str, Any]) -> tuple[RawEncoding, int]:
    """Return encoding and sample rate (Hz); mu-law at 8 kHz where they are missing.

    Raises:
        BadRequest: the encoding or the rate is not supported.

    """
    named = str(media_format.get("encoding") or "mulaw").lower().removeprefix("audio/").removeprefix("x-")
    sample_rate = _field(media_format, "sampleRate", "sample_rate") or MIN_RATE
    encoding = ENCODINGS.get(named)
    if encoding is None or not str(sample_rate).isdecimal() or not MIN_RATE <= int(sample_rate) <= MAX_RATE:
        message = "The encoding of the stream is not supported: mu-law, A-law or L16, from 8 kHz."
        raise BadRequest(message)
    return encoding, int(sample_rate)
