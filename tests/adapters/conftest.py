import asyncio
import re
from collections.abc import Awaitable, Callable

import httpx
import numpy as np
import pytest

from settings import ROOT
from tests.adapters.callers import SAMPLE_RATE, telephone
from tests.conftest import KEYS
from tests.servers import Server
from voice.tts.sound import Samples

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
