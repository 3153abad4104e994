"""Decode media in a child process with limits on its processor time and memory: the process that a `MediaPool` starts.

The process imports no model and receives no settings and no credentials. Its standard input is a socket with this protocol:

    request: length of the header (REQUEST_HEAD), header as JSON, audio      reply: kind and length (REPLY_HEAD), samples or error message
"""

import json
import signal
import socket
import struct
import sys
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Any, Final

from errors import ApiError, AudioTooLong
from voice.asr import media
from voice.asr.media import Media
from voice.asr.waveform import SAMPLE_RATE

if sys.platform != "win32":
    import resource

REQUEST_HEAD: Final = struct.Struct("<I")
REPLY_HEAD: Final = struct.Struct("<BQ")

# Limits of processor time to open a file and to decode it. The slowest honest files (FLAC with 8 channels at 192 kHz, AAC with 6 at
# 96 kHz) decode 92 and 110 times as fast as they play, stereo AAC and MP3 260 times.
MAX_OPEN_S, MAX_DECODE_S, MAX_DECODE_SHARE = 1.0, 1.0, 0.02
# Memory limit beside the process's own, the sum of:
# - 2 x the received bytes;
# - 4 x the longest allowed waveform (two sides and their mix);
# - 32 MB for probing and the decoder, which take 8 MB for an honest file.
AUDIO_COPIES, WAVEFORM_COPIES = 2, 4
EXTRA_BYTES = 32 * 2**20


class ReplyKind(IntEnum):
    """Content of a reply."""

    WAVEFORM = 0  # float32 samples at 16 kHz
    INVALID = 1  # message of an AudioInvalid
    TOO_LONG = 2  # message of an AudioTooLong


class ProcessLimits:
    """Limits that the operating system enforces on this process."""

    def set_memory(self, max_bytes: int) -> None:
        """Limit the data segment; allocations beyond it fail."""
        with suppress(ValueError, OSError):  # the system has no such limit
            resource.setrlimit(resource.RLIMIT_DATA, (max_bytes, resource.getrlimit(resource.RLIMIT_DATA)[1]))

    def set_processor_time(self, max_s: float) -> None:
        """End the process by SIGPROF after `max_s` of processor time; 0 removes the limit."""
        signal.setitimer(signal.ITIMER_PROF, max_s)


class MediaWorker:
    """Decodes one clip after another."""

    def __init__(self, *, own_bytes: int, limits: ProcessLimits | None = None) -> None:
        """`own_bytes`: data segment of the process before the first clip."""
        self._own_bytes = own_bytes
        self._limits = limits or ProcessLimits()

    def decode(self, header: dict[str, Any], audio: bytes) -> tuple[ReplyKind, bytes | memoryview]:
        """Decode a clip; `header` has the fields of `Media`, without the audio, and `max_audio_s`."""
        max_audio_s = header.pop("max_audio_s")
        clip = Media(**{**header, "audio": audio})
        waveform_bytes = int(max_audio_s * SAMPLE_RATE * 4)
        self._limits.set_memory(self._own_bytes + AUDIO_COPIES * len(audio) + WAVEFORM_COPIES * waveform_bytes + EXTRA_BYTES)
        try:
            self._limits.set_processor_time(MAX_OPEN_S)
            waveform = media.decode(
                clip,
                max_audio_s=max_audio_s,
                on_opened=lambda: self._limits.set_processor_time(MAX_DECODE_S + MAX_DECODE_SHARE * max_audio_s),
            )
        except ApiError as error:
            return (ReplyKind.TOO_LONG if isinstance(error, AudioTooLong) else ReplyKind.INVALID), str(error).encode()
        finally:
            self._limits.set_processor_time(0)
        return ReplyKind.WAVEFORM, waveform.data.cast("B")


def serve(connection: socket.socket) -> None:
    """Answer requests until the other side closes the connection."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would contain audio of customers
    worker = MediaWorker(own_bytes=_data_segment_bytes())
    with connection, connection.makefile("rb") as requests:
        while head := requests.read(REQUEST_HEAD.size):
            header = json.loads(requests.read(*REQUEST_HEAD.unpack(head)))
            kind, reply = worker.decode(header, requests.read(header["audio"]))
            connection.sendall(REPLY_HEAD.pack(kind, len(reply)))
            connection.sendall(reply)


def _data_segment_bytes() -> int:
    """Return the size of this process's data segment; 0 where the system does not publish it."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    return 0


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
