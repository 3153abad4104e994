"""A client of speech servers, against a real HTTP server with the forms of replies that such servers have."""

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import numpy as np
import pytest

from voice.tts.sound import SpeechFailedError
from voice.tts.speech_server import SpeechServer

pytestmark = pytest.mark.anyio
SAMPLES = np.arange(-500, 500, dtype=np.int16)


def wav(samples: np.ndarray, *, n_channels: int = 1, bits: int = 16, length: int = 0xFFFFFFFF) -> bytes:
    """A WAV file as a server streams it: its lengths are not known."""
    head = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, n_channels, 22_050, 44_100 * n_channels, 2 * n_channels, bits)
    return b"RIFF\xff\xff\xff\xffWAVE" + b"LIST\x04\x00\x00\x00abcd" + head + struct.pack("<4sI", b"data", length) + samples.tobytes()


@asynccontextmanager
async def speech_server(content_type: str, body: bytes, status: str = "200 OK") -> AsyncIterator[tuple[SpeechServer, list[Any]]]:
    """Serve this body in small chunks to each request; yield a client of it and the requests."""
    requests: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split(b":")[1])
        requests.append((head.split(b" ")[1].decode(), json.loads(await reader.readexactly(length))))
        writer.write(f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n".encode())
        with suppress(ConnectionError):  # the client closes when it has seen enough
            for start in range(0, len(body), 101):
                writer.write(body[start : start + 101])
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    client = SpeechServer(url, key="k", model="tts-1", voices={"": "alloy", "vi": "vi-1"}, sample_rate=24_000)
    await client.open()
    yield client, requests
    await client.close()
    server.close()


async def spoken(client: SpeechServer, language: str = "en") -> tuple[set[int], np.ndarray]:
    sounds = [sound async for sound in client.synthesise("Anything else?", language, 0.0)]
    return {sound.sample_rate for sound in sounds}, np.concatenate([sound.samples for sound in sounds])


@pytest.mark.parametrize(
    ("content_type", "body", "sample_rate"),
    [
        ("audio/pcm", SAMPLES.tobytes(), 24_000),
        ("audio/pcm;rate=16000", SAMPLES.tobytes(), 16_000),
        ("audio/wav", wav(SAMPLES), 22_050),
        ("application/octet-stream", wav(np.repeat(SAMPLES, 2), n_channels=2), 22_050),
    ],
)
async def test_raw_audio_and_wav_of_any_rate_are_spoken(content_type, body, sample_rate):
    async with speech_server(content_type, body) as (client, requests):
        rates, samples = await spoken(client, "vi")
    assert (rates, samples.tolist()) == ({sample_rate}, SAMPLES.tolist())
    body_sent = {"model": "tts-1", "input": "Anything else?", "voice": "vi-1", "response_format": "pcm"}
    assert requests == [("/v1/audio/speech", body_sent)]


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("application/json", b'{"detail": "no such voice"}', "422 Unprocessable Entity"),
        ("audio/pcm", b"", "200 OK"),
        ("audio/wav", wav(SAMPLES, bits=24), "200 OK"),
        ("audio/wav", wav(SAMPLES)[:30], "200 OK"),
    ],
)
async def test_a_server_that_returns_no_audio_has_failed(content_type, body, status):
    async with speech_server(content_type, body, status) as (client, _):
        with pytest.raises(SpeechFailedError):
            await spoken(client)


async def test_a_server_that_cannot_be_reached_has_failed():
    client = SpeechServer("http://127.0.0.1:1/v1", key="", model="tts-1", voices={}, sample_rate=24_000)
    await client.open()
    with pytest.raises(SpeechFailedError, match="ConnectError"):
        await spoken(client)
    await client.close()
