import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from settings import ROOT
from tests.live.fakes import ChangingMenu, FakeRecogniser
from voice.live.session import StreamingSession
from voice.live.sessions import LiveSessions
from voice.menus.loading import read_menu


@pytest.fixture
async def recogniser(state):
    """The real one, once its models are loaded."""
    while not state["recogniser"].ready:  # noqa: ASYNC110 - it has no event to wait for
        await asyncio.sleep(0.1)
    return state["recogniser"]


@pytest.fixture
async def session(state, recogniser):
    """Start sessions with the real models: `session("vi")`."""

    def start(*languages: str, **limits: Any) -> StreamingSession:
        return StreamingSession(recogniser.select_engines(languages), languages, lambda: state["menus"].get("demo", "quan-nha"), **limits)

    return start


@pytest.fixture(scope="session")
def quan_nha():
    return read_menu(ROOT / "menus/quan-nha.yaml")


@pytest.fixture
def menu(quan_nha) -> ChangingMenu:
    return ChangingMenu(quan_nha)


def sessions_of(recogniser: FakeRecogniser, **limits: Any) -> LiveSessions:
    return LiveSessions(recogniser, **{"max_audio_s": 60, **limits}, registry=CollectorRegistry())  # type: ignore[arg-type]
