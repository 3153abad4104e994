"""Decode media in child processes with limited processor time and memory; a crash of one does not affect this process.

Inside libav a few kilobytes can become gigabytes (an index of 60 million samples) or minutes (80,000 tags) before it returns.
`voice.asr.media_worker` is the child; `docs/decisions.md` has the costs.
"""

import json
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from errors import AudioInvalid, AudioTooLong, Overloaded
from voice.asr.media import Media, undecodable
from voice.asr.media_worker import REPLY_HEAD, REQUEST_HEAD, ReplyKind
from voice.asr.waveform import SAMPLE_RATE, Waveform

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[2]
REPLY_TIMEOUT_S = 20.0  # for a process that gets no processor time; hostile files hit the worker's own limits first
MAX_ATTEMPTS = 2
# Environment of the processes: the paths of the interpreter and of libraries, no settings, no secrets.
INHERITED_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")


class MediaProcessExited(Exception):
    """A media process ended before it replied; `status`: its exit status, or the negative number of the signal that ended it."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"status {status}")
        self.status = status


class MediaPool:
    """A pool of media processes, each started on first use; thread-safe."""

    def __init__(self, size: int, *, reply_timeout_s: float = REPLY_TIMEOUT_S) -> None:
        """`size`: number of clips that are decoded at once."""
        self._free: queue.LifoQueue[MediaProcess | None] = queue.LifoQueue()
        self._size, self._closed, self._reply_timeout_s = size, False, reply_timeout_s
        self._processes: set[MediaProcess] = set()
        for _ in range(size):
            self._free.put(None)

    @property
    def pids(self) -> list[int]:
        """Process ids of the running workers."""
        return [process.pid for process in self._processes]

    @property
    def n_free(self) -> int:
        """The number of processes that are free or not started."""
        return self._free.qsize()

    def start(self) -> None:
        """Start one process, so that the first clip does not wait for it (0.2 s)."""
        with self._process():
            pass

    def decode(self, clip: Media, *, max_audio_s: float) -> Waveform:
        """Decode as `voice.asr.media.decode` does; blocks, and releases the GIL.

        Raises:
            AudioInvalid: also if the file exceeds the limits of time or memory, or crashes the process.
            AudioTooLong: longer than `max_audio_s`.
            Overloaded: the process got no processor time, or the pool is closed.

        """
        for _ in range(MAX_ATTEMPTS):  # the system may have ended an idle process
            try:
                with self._process() as process:
                    return process.decode(clip, max_audio_s=max_audio_s)
            except TimeoutError as error:
                raise Overloaded from error
            except MediaProcessExited as exited:
                if exited.status == -signal.SIGPROF:  # the limit of its processor time
                    message = "The audio takes too long to decode."
                    raise AudioInvalid(message) from exited
                log.warning("speech: a media process ended, %s", exited)
        raise undecodable(clip)

    @contextmanager
    def _process(self) -> Iterator["MediaProcess"]:
        """Lend a process; it is reused if it replied, even with an error."""
        process = self._free.get()
        try:
            if self._closed:
                raise Overloaded
            if process is None:
                process = MediaProcess(reply_timeout_s=self._reply_timeout_s)
                self._processes.add(process)
            yield process
        except (MediaProcessExited, TimeoutError):
            if process:
                self._processes.discard(process)
                process.close()
            process = None
            raise
        finally:
            self._free.put(process)

    def close(self) -> None:
        """End all processes, busy ones too."""
        self._closed = True
        for process in self._processes.copy():
            process.kill()
        for free in [self._free.get() for _ in range(self._size)]:
            if free:
                free.close()
        for _ in range(self._size):
            self._free.put(None)


class MediaProcess:
    """A child process that decodes one clip after another."""

    def __init__(self, *, reply_timeout_s: float) -> None:
        self._reply_timeout_s = reply_timeout_s
        self._socket, child_socket = socket.socketpair()
        environment = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ}
        with child_socket:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "voice.asr.media_worker"],
                cwd=ROOT,
                env=environment | {"OPENBLAS_NUM_THREADS": "1"},
                stdin=child_socket.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the server only, which lets clips finish
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def decode(self, clip: Media, *, max_audio_s: float) -> Waveform:
        """Send a clip and wait for its waveform.

        Raises:
            MediaProcessExited, TimeoutError: the process cannot be used again.
            AudioInvalid, AudioTooLong: as `voice.asr.media.decode`.

        """
        deadline = time.monotonic() + self._reply_timeout_s
        header = json.dumps({**clip._asdict(), "audio": len(clip.audio), "max_audio_s": max_audio_s}).encode()
        try:
            self._socket.settimeout(self._reply_timeout_s)
            self._socket.sendall(REQUEST_HEAD.pack(len(header)) + header)
            self._socket.sendall(clip.audio)
            kind, size = REPLY_HEAD.unpack(self._receive(REPLY_HEAD.size, deadline))
            if size > (max_audio_s + 1) * SAMPLE_RATE * 4:
                raise ConnectionError
            reply = self._receive(size, deadline)
        except TimeoutError:
            raise
        except OSError as error:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)
            raise MediaProcessExited(self._process.returncode) from error
        if kind == ReplyKind.WAVEFORM:
            return np.frombuffer(reply, np.float32)
        raise (AudioTooLong if kind == ReplyKind.TOO_LONG else AudioInvalid)(reply.decode())

    def _receive(self, size: int, deadline: float) -> bytearray:
        received = bytearray(size)
        remaining = memoryview(received)
        while remaining:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            n_bytes = self._socket.recv_into(remaining)
            if not n_bytes:
                raise ConnectionError
            remaining = remaining[n_bytes:]
        return received

    def kill(self) -> None:
        """Kill the process; a thread that waits for its reply gets MediaProcessExited."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process and release its resources."""
        self._socket.close()
        self._process.kill()
        self._process.wait()
