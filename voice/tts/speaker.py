"""Speak: turn sentences into the audio of a call, piece by piece, with a cache."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram

from errors import Overloaded
from voice.tts.sound import Resampler, Samples, Sound

LOADING_RETRY_S = 2
MAX_CACHED_BYTES = 32 * 1024 * 1024  # a third of an hour at 8 kHz


class Synthesiser(Protocol):
    """What makes audio of a text: `PiperVoices`, `SpeechServer`."""

    @property
    def languages(self) -> frozenset[str] | None:
        """The languages that it speaks; None: any."""

    async def open(self) -> None:
        """Load what it needs."""

    async def close(self) -> None:
        """Release what it holds."""

    def synthesise(self, text: str, language: str, due_at: float) -> AsyncGenerator[Sound]:
        """Yield the audio of a piece; `due_at`: when its call needs it, on the loop's clock."""


class Speaker:
    """A synthesiser with a cache of audio, shared by all calls."""

    def __init__(self, synthesiser: Synthesiser, registry: CollectorRegistry, *, max_cached_bytes: int = MAX_CACHED_BYTES) -> None:
        self.ready = False
        self._synthesiser = synthesiser
        self._max_cached_bytes, self._cached_bytes = max_cached_bytes, 0
        self._cache: OrderedDict[tuple[str, str, int], Samples] = OrderedDict()  # the least recently used first
        self._first_s = Histogram(
            "voice_speech_synthesis_seconds",
            "Seconds from a piece of text to its first audio, without pieces from the cache.",
            buckets=(0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
            registry=registry,
        )
        self._pieces = Counter("voice_speech_pieces", "Pieces of text that were spoken.", ("source",), registry=registry)

    async def open(self) -> None:
        """Load the voices."""
        await self._synthesiser.open()
        self.ready = True

    async def close(self) -> None:
        """Release the voices."""
        self.ready = False
        await self._synthesiser.close()

    def check_ready(self) -> None:
        """Check that the voices are loaded.

        Raises:
            Overloaded: they are not.

        """
        if not self.ready:
            message = "The voice is still being loaded."
            raise Overloaded(LOADING_RETRY_S, message)

    def speaks(self, language: str) -> bool:
        """True if there is a voice of the language."""
        languages = self._synthesiser.languages
        return languages is None or language in languages

    async def speak(self, text: str, language: str, sample_rate: int, *, due_at: float) -> AsyncGenerator[Samples]:
        """Yield the audio of a piece at `sample_rate`; whole pieces are cached.

        Raises:
            Exception: the synthesiser's.

        """
        key = text, language, sample_rate
        cached = self._cache.get(key)
        self._pieces.labels("cache" if cached is not None else "synthesis").inc()
        if cached is not None:
            self._cache.move_to_end(key)
            yield cached
            return
        loop = asyncio.get_running_loop()
        asked_at, made = loop.time(), list[Samples]()
        resampler = Resampler(sample_rate)
        async with aclosing(self._synthesiser.synthesise(text, language, due_at)) as sounds:
            async for sound in sounds:
                if not made:
                    self._first_s.observe(loop.time() - asked_at)
                made.append(resampler.add(sound))
                yield made[-1]
        made.append(resampler.finish())
        yield made[-1]
        self._remember(key, np.concatenate(made))

    async def prepare(self, text: str, language: str, sample_rate: int) -> None:
        """Put the audio of a piece into the cache, after the pieces that calls wait for."""
        async for _ in self.speak(text, language, sample_rate, due_at=asyncio.get_running_loop().time() + 1):
            pass

    def _remember(self, key: tuple[str, str, int], samples: Samples) -> None:
        """Cache a piece; forget the least recently used ones beyond the limit."""
        if samples.nbytes > self._max_cached_bytes // 8 or key in self._cache:
            return
        self._cache[key] = samples
        self._cached_bytes += samples.nbytes
        while self._cached_bytes > self._max_cached_bytes:
            self._cached_bytes -= self._cache.popitem(last=False)[1].nbytes
