from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Histogram

from settings import ROOT
from tests.calls.fakes import ScriptedStore, Telephoning, WordSynthesiser
from voice.dialog.turn import DialogEngine
from voice.menus.loading import read_menu
from voice.tts.speaker import Speaker


@pytest.fixture(scope="session")
def engine() -> DialogEngine:
    return DialogEngine(read_menu(ROOT / "menus/quan-nha.yaml"))


@pytest.fixture
def voice() -> WordSynthesiser:
    return WordSynthesiser()


@pytest.fixture
async def telephone(engine, voice) -> Any:
    """Start calls: `telephone(store, silence_s=...)`."""
    registry = CollectorRegistry()
    calls: list[Telephoning] = []

    def start(store: ScriptedStore | None = None, **options: Any) -> Telephoning:
        speaker = Speaker(voice, CollectorRegistry())
        histogram = Histogram(f"reply_{len(calls)}", "Seconds", registry=registry)
        calls.append(Telephoning(engine, speaker, histogram, store or ScriptedStore(), **options))
        return calls[-1]

    yield start
    for call in calls:
        call.running.cancel()
