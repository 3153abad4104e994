"""Clients of the adapters."""

from collections.abc import Iterator

import openai
import pytest

from tests.conftest import CLIENT_KEYS
from tests.servers import Server

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
