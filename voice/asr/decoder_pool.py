"""Decode media in child processes, whose processor time and memory are limited, and which end with no harm to this one.

    pool ──request: header as JSON, audio──▶ child ──reply: kind, samples or a refusal──▶ pool

Inside libav a few kilobytes can become gigabytes (an index of 60 million samples) or minutes (80,000 tags), before it gives control back.
The children import no model, get no setting, and see no credential. `docs/decisions.md` has what they cost.
"""

import json
import logging
import os
import queue
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from errors import ApiError, AudioInvalid, AudioTooLong, Overloaded
from voice.asr import media
from voice.asr.media import SAMPLE_RATE, Media, Waveform, undecodable

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
# Of processor time. The slowest honest files that were found (8 channels of FLAC at 192 kHz, 6 of AAC at 96) decode 92 and 110 times as
# fast as they play, stereo AAC and MP3 260 times.
OPEN_S, DECODE_S, DECODE_SHARE = 1.0, 1.0, 0.02
DEADLINE_S = 20.0  # a child that others leave no processor time; a hostile file meets the limits above
# Beside the received bytes, which are held up to twice, and what they may become: probing and the decoder of an honest file take 8 MB.
EXTRA_BYTES = 32 * 2**20
COPIES = 4  # of a waveform of the allowed length: two sides, and their mix
ATTEMPTS = 2
# What a child needs of the environment: where its interpreter and libraries are. Settings and secrets are none of it.
PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")

_WAVEFORM, _INVALID, _TOO_LONG = range(3)
_SIZE: Final = struct.Struct("<I")
_REPLY: Final = struct.Struct("<BQ")  # kind, bytes that follow


class Died(Exception):
    """The child ended before it answered; `status`: the negative number of the signal that ended it, else its exit status."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"status {status}")
        self.status = status


class Decoders:
    """A pool of child processes, each started when it is first needed; safe to share between threads."""

    def __init__(self, size: int) -> None:
        """`size`: how many clips are decoded at once."""
        self._free: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        self._size, self._closed = size, False
        self._children: set[_Child] = set()
        for _ in range(size):
            self._free.put(None)

    def start(self) -> None:
        """Start one child, so that the first clip does not wait for it (0.2 s)."""
        with self._child():
            pass

    def decode(self, asked: Media, *, max_audio_s: float) -> Waveform:
        """Decode as `voice.asr.media.decode` does; blocking, and the interpreter is free meanwhile.

        Raises:
            AudioInvalid: also where a file takes more time or memory than any of its length needs, or ends the child.
            AudioTooLong: see there.
            Overloaded: the child got no processor time, or the pool was closed.

        """
        for _ in range(ATTEMPTS):  # a child may have been ended by the system since its last clip
            try:
                with self._child() as child:
                    return child.decode(asked, max_audio_s=max_audio_s)
            except TimeoutError as error:
                raise Overloaded from error
            except Died as died:
                if died.status == -signal.SIGPROF:  # it had used up its processor time
                    message = "The audio takes too long to decode."
                    raise AudioInvalid(message) from died
                log.warning("speech: a decoder ended, %s", died)
        raise undecodable(asked)

    @contextmanager
    def _child(self) -> Iterator["_Child"]:
        """Lend a child; one that answered goes back, even if its answer is a refusal."""
        child = self._free.get()
        try:
            if self._closed:
                raise Overloaded
            if child is None:
                child = _Child()
                self._children.add(child)
            yield child
        except (Died, TimeoutError):
            if child:
                self._children.discard(child)
                child.end()
            child = None
            raise
        finally:
            self._free.put(child)

    def close(self) -> None:
        """End the children, whatever they do."""
        self._closed = True
        for child in self._children.copy():
            child.kill()
        for free in [self._free.get() for _ in range(self._size)]:
            if free:
                free.end()
        for _ in range(self._size):
            self._free.put(None)


class _Child:
    """A process that decodes one clip after another."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - this module
                [sys.executable, "-m", __name__],
                cwd=ROOT,
                env=environment | {"OPENBLAS_NUM_THREADS": "1"},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the server, which lets clips end
            )

    def decode(self, asked: Media, *, max_audio_s: float) -> Waveform:
        """Send a clip, and wait for its waveform.

        Raises:
            Died, TimeoutError: the child is of no more use.
            AudioInvalid, AudioTooLong: see `voice.asr.media.decode`.

        """
        deadline = time.monotonic() + DEADLINE_S
        header = json.dumps({**asked._asdict(), "audio": len(asked.audio), "max_audio_s": max_audio_s}).encode()
        try:
            self._socket.settimeout(DEADLINE_S)
            self._socket.sendall(_SIZE.pack(len(header)) + header)
            self._socket.sendall(asked.audio)
            kind, size = _REPLY.unpack(self._receive(_REPLY.size, deadline))
            if size > (max_audio_s + 1) * SAMPLE_RATE * 4:
                raise ConnectionError
            reply = self._receive(size, deadline)
        except TimeoutError:
            raise
        except OSError as error:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            raise Died(self._process.returncode) from error
        if kind == _WAVEFORM:
            return np.frombuffer(reply, np.float32)
        raise (AudioTooLong if kind == _TOO_LONG else AudioInvalid)(reply.decode())

    def _receive(self, size: int, deadline: float) -> bytearray:
        received = bytearray(size)
        rest = memoryview(received)
        while rest:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            n_bytes = self._socket.recv_into(rest)
            if not n_bytes:
                raise ConnectionError
            rest = rest[n_bytes:]
        return received

    def kill(self) -> None:
        """Kill the process; who waits for its answer learns that it died."""
        self._process.kill()

    def end(self) -> None:
        """Kill the process, and leave nothing of it behind."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


# --- In the child -------------------------------------------------------------------------------------------------------------------


def serve(connection: socket.socket) -> None:
    """Answer requests until the other side closes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # what customers say is written nowhere
    own_bytes = _data_bytes()
    with connection, connection.makefile("rb") as requests:
        while size := requests.read(_SIZE.size):
            header = json.loads(requests.read(*_SIZE.unpack(size)))
            kind, reply = answer(header, requests.read(header["audio"]), own_bytes)
            connection.sendall(_REPLY.pack(kind, len(reply)))
            connection.sendall(reply)


def answer(header: dict[str, Any], audio: bytes, own_bytes: int) -> tuple[int, bytes | memoryview]:
    """Decode within limits; SIGPROF ends the process where its time is up."""
    max_audio_s = header.pop("max_audio_s")
    asked = Media(**{**header, "audio": audio})
    _limit_data(own_bytes + 2 * len(audio) + COPIES * int(max_audio_s * SAMPLE_RATE * 4) + EXTRA_BYTES)
    try:
        signal.setitimer(signal.ITIMER_PROF, OPEN_S)
        waveform = media.decode(
            asked,
            max_audio_s=max_audio_s,
            opened=lambda: signal.setitimer(signal.ITIMER_PROF, DECODE_S + DECODE_SHARE * max_audio_s),
        )
    except ApiError as refused:
        return (_TOO_LONG if isinstance(refused, AudioTooLong) else _INVALID), str(refused).encode()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return _WAVEFORM, waveform.data.cast("B")


def _data_bytes() -> int:
    """Measure this process's data segment, where the system tells; else 0."""
    with suppress(OSError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    return 0


def _limit_data(limit_bytes: int) -> None:
    with suppress(ValueError, OSError):  # where the system knows no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, resource.getrlimit(resource.RLIMIT_DATA)[1]))


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
