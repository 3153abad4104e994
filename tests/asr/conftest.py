"""Fixtures for speech recognition."""

import pytest

from tests.asr.recognisers import MODEL_DIR, FakeEngine, recogniser_with
from voice.asr.engine_selection import Engines
from voice.asr.model_files import whisper_directory
from voice.asr.whisper_model import WhisperModel


@pytest.fixture(scope="session")
def recogniser():
    """A recogniser with the real models."""
    recogniser = recogniser_with()
    recogniser.load()
    yield recogniser
    recogniser.close()


@pytest.fixture(scope="session")
def whisper_model():
    return WhisperModel(whisper_directory("base", MODEL_DIR), device="cpu", compute_type="int8", threads=1)


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def start_recogniser(engine):
    """Start recognisers of one thread with the fake engine: `start_recogniser(queue_s=10.0)`."""
    started = []

    def start(**changed):
        recogniser = recogniser_with(**({"threads": 1} | changed))
        recogniser.start(Engines(engine))
        engine.calls.clear()
        started.append(recogniser)
        return recogniser

    yield start
    engine.released.set()
    for recogniser in started:
        recogniser.close()
