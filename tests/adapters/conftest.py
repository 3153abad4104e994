"""Clients of the adapters, and what callers say."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator

import httpx
import numpy as np
import openai
import pytest

from settings import ROOT
from tests.adapters.callers import SAMPLE_RATE, telephone
from tests.conftest import CLIENT_KEYS, KEYS
from tests.servers import Server
from voice.tts.sound import Samples

KEY = "demo~demo-secret"
BEARER = {"Authorization": f"Bearer {KEY}"}
CHAT, TRANSCRIPTIONS = "/v1/chat/completions", "/v1/audio/transcriptions"
MENU = "quan-nha"


def bearer(client: str) -> dict[str, str]:
    """Return the header of a client with one scope."""
    return {"Authorization": f"Bearer {client}~{CLIENT_KEYS[client]}"}


@pytest.fixture
def sdk(hearing_server: Server) -> Iterator[openai.OpenAI]:
    """The client of the OpenAI API, with a running service."""
    with openai.OpenAI(base_url=f"{hearing_server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


RECORDINGS = {
    "order": ROOT / "examples/order-en.wav",
    "black pearls": ROOT / "tests/recordings/en-black-pearls.wav",
    "nothing else": ROOT / "tests/recordings/en-nothing-else.wav",
    "yes": ROOT / "tests/recordings/en-yes-please.wav",
}


@pytest.fixture(scope="session")
def recordings() -> dict[str, Samples]:
    """What a caller says, in the order of a conversation."""
    return {name: telephone(path) for name, path in RECORDINGS.items()}


def resembles(recognised: str, said: str, least: float = 0.4) -> bool:
    """True if this share of the words said was recognised: a synthetic voice at 8 kHz is never spoken twice the same."""
    words = set(said.split())
    return len(words & set(re.findall(r"[a-z]+", recognised))) >= least * len(words)


@pytest.fixture
def recognised(hearing_server: Server) -> Callable[[Samples], Awaitable[str]]:
    """Recognise what a caller heard."""

    async def recognise(samples: Samples) -> str:
        if not samples.size:
            return ""
        async with httpx.AsyncClient(base_url=hearing_server.url, headers=KEYS, timeout=60) as client:
            query: dict[str, str | int] = {"encoding": "pcm_s16le", "sample_rate": SAMPLE_RATE, "language": "en", "menu": "quan-nha"}
            audio = np.asarray(samples, "<i2").tobytes()
            headers = {"Content-Type": "application/octet-stream"}
            while True:
                response = await client.post("/api/v1/voice/speech", params=query, content=audio, headers=headers)
                if response.status_code != 503:  # the call itself fills the short queue of this server
                    break
                await asyncio.sleep(0.5)
        text: str = response.json()["data"]["text"]
        return text.lower()

    return recognise
