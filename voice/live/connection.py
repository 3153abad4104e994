"""Queue the input and the events of a live connection, and run its session on the recogniser's threads."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from errors import ApiError, AudioTooLong, RateLimited
from schemas import LiveLines
from voice.asr.audio import SAMPLE_RATE, RawStream, Waveform
from voice.asr.recogniser import Recogniser
from voice.live.metrics import LiveMetrics
from voice.live.session import Command, Event, StreamingSession

# Backpressure: stop reading when any of these is exceeded.
MAX_QUEUED_S = 4.0  # audio that is not decoded
MAX_QUEUED_BYTES = 64 * 1024  # text of queued commands; parsed they take up to 15 times as much
MAX_UNSENT_EVENTS = 16  # decoding stops too
MAX_STEP_S = 2.0
# An utterance ends after this much time without audio; interruptions of a bad line are shorter.
STALLED_S = 2.0


def client_bytes_exceeded() -> RateLimited:
    """Return the error for a client whose connections hold too many bytes."""
    return RateLimited(1, "The connections of this client hold too many unprocessed bytes.")


class QueuedInput(NamedTuple):
    """Audio or a command in the queue; None: the end."""

    content: Waveform | Command | None
    arrived_at: float
    n_bytes: int = 0  # of a command


@dataclass(eq=False)
class LiveConnection:
    """A session with its queues: audio and commands to process, events to send."""

    session: StreamingSession
    client: str
    audio: RawStream
    recogniser: Recogniser
    metrics: LiveMetrics
    max_audio_s: float
    client_has_room: Callable[[int], bool]  # for this many more bytes on all its connections
    received_s: float = 0.0
    ended_by: ApiError | None = None  # None: the service is stopping, or the client has left
    stopped: bool = False
    buffered_bytes: int = 0  # of messages that are incomplete, or being processed
    _draining: bool = False
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _state_bytes: int = 0  # of the command that set the order
    _inputs: deque[QueuedInput] = field(default_factory=deque)
    # Each counter has one writing thread: the event loop's counts arrivals, the recogniser's counts processed input.
    _arrived_samples: int = 0
    _processed_samples: int = 0
    _arrived_bytes: int = 0  # of commands
    _processed_bytes: int = 0
    _uncounted_s: float = 0.0  # processed, but not yet charged to a step
    _unsent: deque[Event] = field(default_factory=deque)
    _is_complete: bool = False  # all events were emitted

    async def receive_audio(self, audio: bytes) -> None:
        """Enqueue audio of any length; wait while the queue is full.

        Raises:
            AudioTooLong: the connection exceeds `max_audio_s`.

        """
        for start in range(0, len(audio), self.audio.bytes_per_s):
            piece = audio[start : start + self.audio.bytes_per_s]
            seconds = len(piece) / self.audio.bytes_per_s
            self.received_s += seconds
            self.metrics.audio_s.inc(seconds)
            if self.received_s > self.max_audio_s:
                message = f"More than {self.max_audio_s:g} s of audio were sent on one connection."
                raise AudioTooLong(message)
            await self._enqueue(self.audio.accept(piece))

    async def receive_command(self, command: Command, n_bytes: int) -> None:
        """Enqueue a command of `n_bytes` of text after the received audio; wait while the queue is full.

        Raises:
            RateLimited: the connections of this client hold too many bytes.

        """
        if self.is_over_limit(n_bytes):
            raise client_bytes_exceeded()
        await self._enqueue(command, n_bytes)
        if isinstance(command, LiveLines):
            self._state_bytes = n_bytes

    async def _enqueue(self, content: Waveform | Command, n_bytes: int = 0) -> None:
        async with self._changed:
            await self._changed.wait_for(self._has_room)
            self._inputs.append(QueuedInput(content, time.monotonic(), n_bytes))
            self._arrived_samples += len(content) if isinstance(content, np.ndarray) else 0
            self._arrived_bytes += n_bytes
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._queued_s < MAX_QUEUED_S and self._queued_bytes < MAX_QUEUED_BYTES and len(self._unsent) < MAX_UNSENT_EVENTS

    @property
    def _queued_s(self) -> float:
        return (self._arrived_samples - self._processed_samples) / SAMPLE_RATE

    @property
    def _queued_bytes(self) -> int:
        return self._arrived_bytes - self._processed_bytes

    @property
    def held_bytes(self) -> int:
        """Bytes that count towards the limit of the client."""
        return self.buffered_bytes + self._queued_bytes + self._state_bytes

    def is_over_limit(self, more_bytes: int = 0) -> bool:
        """Return True if the connections of this client hold too many bytes; a connection with few bytes is never over the limit."""
        return self.held_bytes + more_bytes > MAX_QUEUED_BYTES and not self.client_has_room(more_bytes)

    async def reject_message(self, error: ApiError) -> None:
        """Enqueue the error of a message; wait while the queue is full, so that reading stops."""
        async with self._changed:
            await self._changed.wait_for(self._has_room)
        await self._emit(error)

    async def _emit(self, event: Event) -> None:
        """Enqueue an event to send; a partial replaces one that was not sent yet."""
        async with self._changed:
            last = self._unsent[-1] if self._unsent else None
            if not isinstance(event, ApiError) and not isinstance(last, ApiError) and last and event["type"] == last["type"] == "partial":
                self._unsent[-1] = event
            else:
                self._unsent.append(event)
            self._changed.notify_all()

    async def stop(self, error: ApiError | None = None) -> None:
        """End the connection, by an error or because the service is stopping; queued audio is still decoded."""
        async with self._changed:
            if not self.stopped:
                self.stopped, self.ended_by = True, error
                self._inputs.append(QueuedInput(None, time.monotonic()))
                self._changed.notify_all()

    async def drain(self) -> None:
        """End the connection as soon as no utterance is in progress."""
        async with self._changed:
            self._draining = True
            self._changed.notify_all()

    async def events(self) -> AsyncIterator[Event]:
        """Yield the events to send, until the connection has ended."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._unsent or self._is_complete)
                if not self._unsent:
                    return
                event = self._unsent.popleft()
                self._changed.notify_all()
            yield event

    async def run(self) -> None:
        """Process the input step by step, until the connection is stopped or drained."""
        try:
            while not (self.stopped and not self._inputs) and not self._is_drained():
                await self._step()
        except ApiError as error:
            self.stopped, self.ended_by = True, error
        finally:
            async with self._changed:
                self._is_complete = True
                self._changed.notify_all()

    def _is_drained(self) -> bool:
        return self._draining and not self.session.utterance and not self._inputs

    def _has_command(self) -> bool:
        return any(not isinstance(queued.content, np.ndarray) for queued in self._inputs.copy())

    def _is_due(self) -> bool:
        """Return True if there is enough input for a step, and the client reads its events."""
        enough = self._has_command() or self._queued_s >= self.session.step_s or (self._draining and not self.session.utterance)
        return enough and len(self._unsent) < MAX_UNSENT_EVENTS

    async def _step(self) -> None:
        """Wait for enough audio, a command or STALLED_S; then process the input that has arrived when the step begins."""
        session, stalled = self.session, True
        with contextlib.suppress(TimeoutError):
            async with self._changed, asyncio.timeout(STALLED_S if session.utterance else None):
                await self._changed.wait_for(self._is_due)
                stalled = False
        queued_at = time.monotonic()
        cost_factor = session.utterance.cost_factor if session.utterance else 1.0
        counted_s = min(self._queued_s + self._uncounted_s, MAX_STEP_S)

        def advance() -> tuple[list[Event], float, float]:
            waited_s = time.monotonic() - queued_at
            waveform, command, arrived_at = self._dequeue()
            events = session.advance(waveform, command, waited_s=waited_s)
            ends = not self._inputs and (self.stopped or (stalled and not len(waveform)))
            return events + session.stall() if ends else events, len(waveform) / SAMPLE_RATE, arrived_at

        events, processed_s, arrived_at = await self.recogniser.run_step(
            advance, audio_s=cost_factor * counted_s, client=self.client, is_urgent=self._has_command
        )
        self._uncounted_s += processed_s - counted_s
        async with self._changed:
            self._changed.notify_all()
        for event in events:
            if not isinstance(event, ApiError) and event["type"] != "speech":
                self.metrics.delay_s.labels(event["type"]).observe(time.monotonic() - arrived_at)
            await self._emit(event)

    def _dequeue(self) -> tuple[Waveform, Command | None, float]:
        """Return the audio up to the next command or MAX_STEP_S, the command, and the arrival time of the last input.

        Runs on a thread of the recogniser.
        """
        pieces: list[Waveform] = [np.zeros(0, np.float32)]
        n_samples, arrived_at = 0, time.monotonic()
        while self._inputs and n_samples < MAX_STEP_S * SAMPLE_RATE:
            content, arrived_at, n_bytes = self._inputs.popleft()
            self._processed_bytes += n_bytes
            if not isinstance(content, np.ndarray):
                return np.concatenate(pieces), content, arrived_at
            pieces.append(content)
            n_samples += len(content)
            self._processed_samples += len(content)
        return np.concatenate(pieces), None, arrived_at
