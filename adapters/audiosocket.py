"""Asterisk's AudioSocket: a TCP listener for telephone calls.

A frame is a type (one byte), a length (two bytes, big-endian) and a payload. Asterisk connects, sends the UUID of the call and then 20 ms
of audio every 20 ms; it has no buffer, so audio is sent to it at the same pace. docs/telephony.md has the dialplan.

Source: include/asterisk/res_audiosocket.h and res/res_audiosocket.c of Asterisk.
"""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from errors import ApiError, BadRequest, Overloaded, RateLimited, TimedOut
from settings import PhoneLine
from voice.calls.call import Call
from voice.calls.calls import Caller, Calls, reading
from web.admission import Admission

log = logging.getLogger("voice.audiosocket")
HANG_UP, CALL_ID, DIGIT, ERROR = 0x00, 0x01, 0x03, 0xFF
# The sample rate (Hz) of each type of audio.
RATES: Final = (8000, 12_000, 16_000, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000)
SAMPLE_RATES: Final = {0x10 + number: rate for number, rate in enumerate(RATES)}
SCOPES, LIMITS = frozenset({"speech", "order"}), ("requests", "speech")
UUID_BYTES = 16
# Of a connection in the kernel: two seconds of audio, so that a peer that never reads is noticed.
UNSENT_BYTES = 32 * 1024


@dataclass(frozen=True, kw_only=True)
class AudioSocketLimits:
    """Limits of the listener."""

    max_start_s: float = 5.0  # until the id of the call and its first audio
    max_idle_s: float = 10.0  # without a frame; Asterisk ends a call after two seconds
    max_send_s: float = 5.0  # until the peer reads
    max_connections: int = 64  # without an id yet
    # Audio comes in 50 frames a second; more frames with the same audio only cost processor time.
    free_frames: int = 1000
    max_frames_per_audio_s: int = 500


DEFAULT_AUDIOSOCKET_LIMITS = AudioSocketLimits()


class Frame(NamedTuple):
    """A frame."""

    type: int
    payload: bytes


async def read_frame(reader: asyncio.StreamReader) -> Frame:
    """Read a frame.

    Raises:
        EOFError: the peer has closed the connection.

    """
    kind, length = struct.unpack("!BH", await reader.readexactly(3))
    return Frame(kind, await reader.readexactly(length))


def frame(kind: int, payload: bytes = b"") -> bytes:
    """Serialise a frame."""
    return struct.pack("!BH", kind, len(payload)) + payload


class AudioSocketLine:
    """The caller's end of a call."""

    frame_s, lead_s = 0.02, 0.0

    def __init__(self, writer: asyncio.StreamWriter, audio_type: int, limits: AudioSocketLimits) -> None:
        self.writer, self.audio_type, self.limits = writer, audio_type, limits

    async def play(self, audio: bytes) -> None:
        """Send a frame of audio: header and payload at once, since Asterisk waits for the payload 5 ms only."""
        self.writer.write(frame(self.audio_type, audio))
        async with asyncio.timeout(self.limits.max_send_s):
            await self.writer.drain()

    async def clear(self) -> None:
        """Do nothing: audio is sent as fast as it is played, so none waits."""

    async def wait_until_heard(self) -> None:
        """Wait for the last frame."""
        await asyncio.sleep(2 * self.frame_s)


class AudioSocketServer:
    """The listener."""

    def __init__(
        self, calls: Calls, admission: Admission, lines: Mapping[str, PhoneLine], limits: AudioSocketLimits = DEFAULT_AUDIOSOCKET_LIMITS
    ) -> None:
        """`lines`: by the first hexadecimal digits of their calls' ids."""
        self.calls, self.admission, self.limits = calls, admission, limits
        self.lines = sorted(lines.items(), key=lambda line: -len(line[0]))
        self.port = 0
        self._server: asyncio.Server | None = None
        self._n_starting = 0
        self._connections: set[asyncio.Task[None]] = set()

    async def open(self, host: str, port: int, *, is_shared: bool) -> None:
        """Listen; `is_shared`: several workers listen on the same port.

        Raises:
            OSError: the address is in use, or not this machine's.

        """
        self._server = await asyncio.start_server(self._accept, host, port, reuse_port=is_shared or None)
        self.port = self._server.sockets[0].getsockname()[1]
        log.info("listening for AudioSocket", extra={"host": host, "port": self.port})

    async def close(self) -> None:
        """Stop listening, and end the calls in progress."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection. At the end, also after an error, tell Asterisk to continue with its dialplan."""
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES)
        writer.transport.set_write_buffer_limits(high=UNSENT_BYTES)
        try:
            await self._serve_call(reader, writer)
        except ApiError as error:
            log.warning("call not taken", extra={"error": error.error, "reason": str(error)})
        except (EOFError, OSError):
            pass  # the peer has gone
        except Exception:
            log.exception("call failed")
        finally:
            with contextlib.suppress(OSError):
                writer.write(frame(HANG_UP))
                async with asyncio.timeout(1):
                    await writer.drain()
            writer.close()
            if writer.transport.get_write_buffer_size():
                writer.transport.abort()  # the peer does not read

    async def _serve_call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take the call.

        Raises:
            ApiError: the call is not taken. EOFError, OSError: the peer has gone.

        """
        caller, first = await self._start(reader)
        sample_rate = SAMPLE_RATES[first.type]
        line = AudioSocketLine(writer, first.type, self.limits)
        with self.calls.open(caller, line, encoding="pcm_s16le", sample_rate=sample_rate) as call:
            async with reading(self._read(reader, call, first)):
                caller.outcome = await call.run()

    async def _start(self, reader: asyncio.StreamReader) -> tuple[Caller, Frame]:
        """Read the id and the first audio; return the caller and the audio.

        Raises:
            ApiError: it is no call, or a call that is not taken.

        """
        if self._n_starting >= self.limits.max_connections:
            message = "Too many connections have not sent the id of a call."
            raise Overloaded(1, message)
        self._n_starting += 1
        try:
            async with asyncio.timeout(self.limits.max_start_s):
                first = await read_frame(reader)
                if first.type != CALL_ID or len(first.payload) != UUID_BYTES:
                    message = "The first frame is not the id of a call."
                    raise BadRequest(message)
                call_id = UUID(bytes=first.payload)
                line = self._line_of(call_id)
                self.calls.check_admission()
                await self.admission.admit_named(line.client, SCOPES, LIMITS)
                received = await read_frame(reader)
                while received.type not in SAMPLE_RATES:
                    received = await read_frame(reader)
        except TimeoutError:
            raise TimedOut from None
        finally:
            self._n_starting -= 1
        caller = Caller(
            protocol="audiosocket",
            call_id=str(call_id),
            client=line.client,
            menu=line.menu,
            language=line.language,
            greeting=line.greeting,
        )
        return caller, received

    def _line_of(self, call_id: UUID) -> PhoneLine:
        """Return the line of a call: the one that names the most digits of its id.

        Raises:
            BadRequest: no line has such ids.

        """
        line = next((line for prefix, line in self.lines if call_id.hex.startswith(prefix)), None)
        if line is None:
            message = "No line of AUDIOSOCKET_LINES has calls with this id."
            raise BadRequest(message)
        return line

    async def _read(self, reader: asyncio.StreamReader, call: Call, first: Frame) -> None:
        """Pass on audio and keys until the caller hangs up or the call has to end."""
        received, n_frames = first, 0
        try:
            while received.type != HANG_UP:
                n_frames += 1
                if n_frames > self.limits.free_frames + self.limits.max_frames_per_audio_s * call.live.received_s:
                    raise RateLimited(1, "Too many frames with too little audio were received.")
                if received.type == first.type:
                    await call.live.receive_audio(received.payload)
                elif received.type == DIGIT:
                    await call.press(received.payload.decode("latin-1"))
                elif received.type == ERROR:
                    log.info("Asterisk reports an error", extra={"code": received.payload[:8].hex()})
                async with asyncio.timeout(self.limits.max_idle_s):
                    received = await read_frame(reader)
            await call.hang_up()
        except (EOFError, OSError):
            await call.hang_up()
        except ApiError as error:
            await call.fail(error)
