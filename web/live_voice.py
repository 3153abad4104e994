"""The shop's voice on the live route: says each reply as audio frames, and stops when the caller speaks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from errors import ApiError, Overloaded
from schemas import RawEncoding, SpeechEnd, SpeechStart
from voice.calls.playback import Playback
from voice.live.session import Event
from voice.tts.pieces import cut
from voice.tts.sound import SpeechFailedError
from voice.tts.speaker import Speaker

log = logging.getLogger("voice.http")


class SpokenLine:
    """The caller's end of a connection: binary frames."""

    frame_s = 0.06
    # The caller plays what it has received; so much arrives before it is due, against the jitter of networks.
    lead_s = 0.5

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        self._send = send

    async def play(self, audio: bytes) -> None:
        """Send audio."""
        await self._send(audio)

    async def clear(self) -> None:
        """Do nothing: the event that the speech has ended tells the caller."""

    async def wait_until_heard(self) -> None:
        """Do nothing: the caller does not report what was heard."""


class LiveVoice:
    """Says the replies of one connection, one at a time."""

    def __init__(
        self,
        speaker: Speaker,
        send_audio: Callable[[bytes], Awaitable[None]],
        send_event: Callable[[SpeechStart | SpeechEnd | ApiError], Awaitable[None]],
        *,
        encoding: RawEncoding,
        sample_rate: int,
    ) -> None:
        self._speaker, self._send_event = speaker, send_event
        self._playback = Playback(speaker, SpokenLine(send_audio), encoding=encoding, sample_rate=sample_rate)
        self._language = ""
        self._speaking: asyncio.Task[None] | None = None
        self._interrupted: list[str] = []  # pieces that the caller talked over

    async def follow(self, event: Event) -> None:
        """Say the sentence of a final; stop for the caller's voice, and go on if it was no speech."""
        if isinstance(event, ApiError) or event["type"] == "partial":
            return
        if event["type"] == "speech":
            if event["is_started"]:
                await self._stop()
                self._interrupted = [*self._playback.remaining()]
            elif self._interrupted and self._speaking is None:
                await self._say(self._interrupted)
            return
        language, text = event["say"]["language"], event["say"]["text"]
        if not text or (not event["text"] and event["ended_by"] == "pause"):
            return  # noise: what it interrupted goes on
        await self._stop()
        if self._speaker.speaks(language):
            self._language = language
            await self._say(cut(text))

    async def close(self) -> None:
        """Stop speaking, without a word to the caller."""
        speaking, self._speaking = self._speaking, None
        if speaking is not None:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)

    async def _say(self, pieces: list[str]) -> None:
        self._interrupted = []
        self._playback.load(pieces)
        await self._send_event({"type": "speech_start", "text": " ".join(pieces), "language": self._language})
        self._speaking = asyncio.create_task(self._play())

    async def _play(self) -> None:
        """Play the loaded pieces and tell the caller that they have ended."""
        try:
            try:
                await self._playback.play(self._language)
            except SpeechFailedError as error:
                log.warning("a reply was not spoken", exc_info=error)
                message = "The voice failed; the reply is text alone."
                await self._send_event(Overloaded(1, message))
            self._speaking = None
            await self._send_event({"type": "speech_end", "interrupted": False})
        except OSError:  # the caller has gone or does not read, which ends the connection
            log.info("a reply was not heard")

    async def _stop(self) -> None:
        """Stop speaking; the caller drops the audio that it has not played."""
        if self._speaking is None:
            return
        await self.close()
        await self._playback.clear()
        await self._send_event({"type": "speech_end", "interrupted": True})
