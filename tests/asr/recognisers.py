"""Recognisers for tests, on the real engines or on a fake one, and audio for them."""

import asyncio
import threading
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from settings import ROOT
from voice.asr.audio import decode
from voice.asr.recogniser import Recogniser
from voice.asr.waveform import SAMPLE_RATE

EXAMPLES = ROOT / "examples"
MODEL_DIR = ROOT / ".cache" / "models"


def recogniser_with(**changed):
    """Return a recogniser, without models, with the default settings except `changed`; `sample` reads its metrics."""
    registry = CollectorRegistry()
    defaults: dict[str, Any] = {
        "model": "base",
        "model_vi": "conformer",
        "model_dir": MODEL_DIR,
        "default_language": None,
        "device": "auto",
        "compute_type": "int8",
        "threads": 2,
        "queue_s": 600.0,
        "max_audio_s": 120.0,
        "registry": registry,
    }
    recogniser: Any = Recogniser(**(defaults | changed))
    recogniser.sample = registry.get_sample_value
    return recogniser


def example(name):
    """Return the waveform of an example."""
    return decode((EXAMPLES / name).read_bytes(), encoding="auto", sample_rate=None, channels=None, max_audio_s=60)


def pcm(waveform):
    """Return a waveform as raw samples."""
    return (np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes()


async def transcribe(recogniser, waveform, **fields):
    """Recognise a waveform as raw samples."""
    return await recogniser.transcribe(pcm(waveform), encoding="pcm_s16le", sample_rate=SAMPLE_RATE, **fields)


def words_in(transcript):
    """Return the set of words, lower case, without punctuation."""
    return {word.strip(".,!?").lower() for word in transcript["text"].split()}


def speech(seconds):
    """Return so many seconds of speech without a pause."""
    return np.resize(example("order-vi.wav")[SAMPLE_RATE // 2 : -SAMPLE_RATE // 2], int(seconds * SAMPLE_RATE))


async def until(condition):
    """Wait until a condition holds, 4 s at most."""
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("the condition never held")


class FakeEngine:
    """An engine that waits while `released` is not set, records its calls, and returns a fixed text."""

    name, max_piece_s, max_batch = "fake", 10.0, 1

    def __init__(self):
        self.released = threading.Event()
        self.released.set()
        self.calls = []  # the phrases of each job of each call
        self.on_job = lambda _: None

    def check_languages(self, languages):
        pass

    def can_batch(self, first_s, second_s):  # noqa: ARG002 - the protocol's
        return True

    def advance(self, jobs):
        self.released.wait(20)
        self.calls.append([job.phrases for job in jobs])
        for job in jobs:
            self.on_job(job)
            start, end = job.pieces.pop(0)
            job.segments.append({"start_s": start / SAMPLE_RATE, "end_s": end / SAMPLE_RATE, "text": "decoded", "confidence": 0.5})
