"""Synthesise speech with a server that has OpenAI's `POST /v1/audio/speech`.

Servers differ (docs/telephony.md): only the fields that all accept are sent, and audio is accepted raw or as WAV, at any rate.
"""

import asyncio
import re
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Final, NamedTuple

import httpx2
import numpy as np

from voice.tracing import CURRENT
from voice.tts.sound import Sound, SpeechFailedError

# Until the first bytes; later ones come while earlier ones are heard.
FIRST_BYTES_S, NEXT_BYTES_S, CONNECT_S = 10.0, 5.0, 3.0
MAX_CONNECTIONS = 16
MAX_PIECE_BYTES = 32 * 1024 * 1024  # five minutes at 48 kHz
RIFF_HEAD_BYTES = 12
_RATE: Final = re.compile(r"rate=(\d{4,6})")


class Head(NamedTuple):
    """What a header tells."""

    sample_rate: int
    n_channels: int
    start: int  # of the samples


class SpeechServer:
    """A client of one speech server."""

    languages: frozenset[str] | None = None  # any: the server is asked

    def __init__(self, url: str, *, key: str, model: str, voices: Mapping[str, str], sample_rate: int) -> None:
        """`url`: of the server, or of its route. `voices`: names by language, "" for all others.

        `sample_rate` (Hz): of raw audio whose rate the server does not tell.
        """
        base = url.rstrip("/")
        self.url = base if base.endswith("/audio/speech") else f"{base.removesuffix('/v1')}/v1/audio/speech"
        self.model, self.voices, self.sample_rate = model, voices, sample_rate
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client: httpx2.AsyncClient | None = None

    async def open(self) -> None:
        """Create the client; the server is called with the first sentence."""
        limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
        timeout = httpx2.Timeout(FIRST_BYTES_S, connect=CONNECT_S, pool=FIRST_BYTES_S)
        self._client = httpx2.AsyncClient(headers=self._headers, limits=limits, timeout=timeout, follow_redirects=False)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def synthesise(self, text: str, language: str, due_at: float) -> AsyncGenerator[Sound]:  # noqa: ARG002 - the interface's
        """Yield the audio of a piece as it arrives.

        Raises:
            SpeechFailedError: the server cannot be reached, refuses, or returns no audio.

        """
        assert self._client is not None  # noqa: S101 - `open` was called
        voice = self.voices.get(language) or self.voices.get("", "")
        body = {"model": self.model, "input": text, "voice": voice, "response_format": "pcm"}
        trace = CURRENT.get()
        try:
            async with self._client.stream("POST", self.url, json=body, headers=trace.headers if trace else None) as response:
                if response.status_code != httpx2.codes.OK:
                    message = f"the speech server replied with status {response.status_code}"
                    raise SpeechFailedError(message)
                content_type = response.headers.get("content-type", "")
                declared = _RATE.search(content_type)
                sounds = _sounds(response.aiter_bytes(), int(declared[1]) if declared else self.sample_rate)
                async with aclosing(sounds):
                    async for sound in sounds:
                        yield sound
        except (httpx2.HTTPError, TimeoutError) as error:
            message = f"the speech server failed: {type(error).__name__}"
            raise SpeechFailedError(message) from error


async def _sounds(received: AsyncIterator[bytes], sample_rate: int) -> AsyncGenerator[Sound]:
    """Turn the bytes of a reply into sounds; WAV is known by its first bytes.

    Raises:
        SpeechFailedError: no audio, too much of it, or a WAV file that is not 16-bit PCM.

    """
    waiting, n_samples, n_channels, is_in_samples = b"", 0, 1, False
    async for chunk in _bounded(received):
        waiting += chunk
        if not is_in_samples:
            head = _wav_head(waiting) if waiting.startswith(b"RIFF") else Head(sample_rate, 1, 0)
            if head is None or len(waiting) < RIFF_HEAD_BYTES:
                continue
            sample_rate, n_channels, start = head
            waiting, is_in_samples = waiting[start:], True
        n_whole = len(waiting) - len(waiting) % (2 * n_channels)
        samples = np.frombuffer(waiting[:n_whole], "<i2").astype(np.int16)
        waiting = waiting[n_whole:]
        n_samples += samples.size
        if samples.size:
            yield Sound(samples.reshape(-1, n_channels)[:, 0], sample_rate)
    if not n_samples:
        message = "the speech server returned no audio"
        raise SpeechFailedError(message)


async def _bounded(received: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    """Yield the chunks; each has to come in time, and all together may have `MAX_PIECE_BYTES`.

    Raises:
        TimeoutError: a chunk is late. SpeechFailedError: there are too many bytes.

    """
    n_bytes, chunks = 0, aiter(received)
    while True:
        async with asyncio.timeout(NEXT_BYTES_S if n_bytes else FIRST_BYTES_S):
            chunk = await anext(chunks, None)
        if chunk is None:
            return
        n_bytes += len(chunk)
        if n_bytes > MAX_PIECE_BYTES:
            message = "the speech server sent too much audio"
            raise SpeechFailedError(message)
        yield chunk


def _wav_head(head: bytes) -> Head | None:
    """Read the header of a WAV file; None if more bytes are needed. Lengths of a streamed file are not trusted.

    Raises:
        SpeechFailedError: not 16-bit PCM.

    """
    sample_rate = n_channels = 0
    offset = RIFF_HEAD_BYTES
    while offset + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, offset)
        offset += 8
        if name == b"data":
            if not sample_rate:
                break
            return Head(sample_rate, n_channels, offset)
        if name == b"fmt ":
            if offset + 16 > len(head):
                return None
            _, n_channels, sample_rate, _, _, bits = struct.unpack_from("<HHIIHH", head, offset)
            if bits != 16 or not 1 <= n_channels <= 2 or not sample_rate:  # noqa: PLR2004 - the only form that is decoded
                message = "the speech server's WAV is not 16-bit PCM"
                raise SpeechFailedError(message)
        offset += length + length % 2
    return None
