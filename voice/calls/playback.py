"""Play a text on a call at the pace of speech, so that it can be stopped at any moment."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol

import numpy as np

from schemas import RawEncoding
from voice.tts.sound import Samples, SpeechFailedError, encode
from voice.tts.speaker import Speaker

MAX_PIECES_AHEAD = 2  # made before they are heard


class Line(Protocol):
    """The caller's end of a call, as its protocol is spoken."""

    @property
    def frame_s(self) -> float:
        """Seconds of audio in a message."""

    @property
    def lead_s(self) -> float:
        """Seconds that audio may be sent before it is heard: 0 where the platform has no buffer."""

    async def play(self, audio: bytes) -> None:
        """Send a frame of audio.

        Raises:
            OSError: the caller's side has gone, or does not read.

        """

    async def clear(self) -> None:
        """Drop the audio that was sent and not heard yet."""

    async def wait_until_heard(self) -> None:
        """Wait until all audio that was sent was heard."""


class Playback:
    """Plays pieces of text on a line, one text at a time."""

    def __init__(self, speaker: Speaker, line: Line, *, encoding: RawEncoding, sample_rate: int) -> None:
        self.first_sound_at = 0.0  # of the last text, on the loop's clock; 0: none yet
        self._speaker, self._line = speaker, line
        self._encoding, self.sample_rate = encoding, sample_rate
        self._frame_samples = round(line.frame_s * sample_rate)
        self._sent_until = 0.0  # when the audio that was sent will have been heard, on the loop's clock
        self._unsent: Sequence[str] = ()  # pieces of the text that is played
        self._sent: list[tuple[float, str]] = []  # pieces that were sent, and when their end is heard

    def load(self, pieces: Sequence[str]) -> None:
        """Set the pieces that are played next."""
        self._unsent, self._sent, self.first_sound_at = list(pieces), [], 0.0

    def remaining(self) -> Sequence[str]:
        """Return the pieces that the caller has not heard to their end."""
        now = asyncio.get_running_loop().time()
        return [*(piece for heard_at, piece in self._sent if heard_at > now), *self._unsent]

    async def play(self, language: str) -> None:
        """Play the loaded pieces one after another; return when the last was heard.

        Raises:
            SpeechFailedError: a piece was not synthesised. OSError: the caller's side has gone.

        """
        pieces = self._unsent
        made: asyncio.Queue[Samples | Exception | None] = asyncio.Queue(MAX_PIECES_AHEAD)
        making = asyncio.ensure_future(self._make(pieces, language, made))
        waiting = np.zeros(0, np.int16)  # less than a frame
        try:
            while self._unsent:
                samples = await made.get()
                if isinstance(samples, Exception):
                    raise samples
                if samples is None:
                    self._sent.append((self._sent_until, self._unsent[0]))
                    self._unsent = self._unsent[1:]
                    continue
                waiting = await self._send(np.concatenate([waiting, samples]))
            if waiting.size:
                await self._send(np.pad(waiting, (0, self._frame_samples - len(waiting))))
            await asyncio.sleep(self._sent_until - asyncio.get_running_loop().time())
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)

    async def _make(self, pieces: Sequence[str], language: str, made: "asyncio.Queue[Samples | Exception | None]") -> None:
        """Put the audio of the pieces into the queue, and None behind each; an exception ends it."""
        loop = asyncio.get_running_loop()
        try:
            for piece in pieces:
                due_at = max(loop.time(), self._sent_until)
                async with aclosing(self._speaker.speak(piece, language, self.sample_rate, due_at=due_at)) as spoken:
                    async for samples in spoken:
                        await made.put(samples)
                await made.put(None)
        except Exception as error:  # noqa: BLE001 - `play` raises it; an OSError is not the line's
            failure = SpeechFailedError()
            failure.__cause__ = error
            await made.put(failure)

    async def _send(self, samples: Samples) -> Samples:
        """Send whole frames when they are due; return the rest."""
        loop, length = asyncio.get_running_loop(), self._frame_samples
        frames = [samples[start : start + length] for start in range(0, len(samples) - length + 1, length)]
        for frame in frames:
            # After a pause the clock starts anew: a platform without a buffer loses audio that comes in a burst.
            self._sent_until = max(self._sent_until, loop.time())
            await asyncio.sleep(max(0.0, self._sent_until - self._line.lead_s - loop.time()))
            await self._line.play(encode(frame, self._encoding))
            self.first_sound_at = self.first_sound_at or loop.time()
            self._sent_until += self._line.frame_s
        return samples[len(frames) * length :]

    async def clear(self) -> None:
        """Drop what was sent and not heard yet."""
        self._sent_until = 0.0
        await self._line.clear()

    async def wait_until_heard(self) -> None:
        """Wait until all that was sent was heard."""
        await self._line.wait_until_heard()
