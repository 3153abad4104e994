import itertools
from typing import Any

import numpy as np
import pytest

from schemas import LiveEnd
from tests.live.fakes import ScriptedWhisper
from tests.live.recordings import waveform
from voice.asr.audio import SAMPLE_RATE
from voice.live.decoder import STEP_S
from voice.live.session import StreamingSession
from voice.live.utterance import Utterance

pytestmark = pytest.mark.anyio


def decoded(recogniser, sound: np.ndarray, *languages: str) -> Utterance:
    utterance, step = Utterance(recogniser.select_engines(languages), languages, (), start=0, lead=0), int(STEP_S * SAMPLE_RATE)
    for start in range(0, len(sound), step):
        utterance.speech_end = start + step
        utterance.decode(sound[start : start + step], waited_s=0.0)
    utterance.finish(np.zeros(0, np.float32))
    return utterance


@pytest.mark.parametrize("spoken", ["vi", "en"])
async def test_the_spoken_language_is_decided_whatever_the_order_of_the_candidates(recogniser, spoken):
    for languages in itertools.permutations(("vi", "en")):
        assert decoded(recogniser, waveform(spoken), *languages).language == spoken


def noisy() -> np.ndarray:
    """Return Vietnamese that is less clearly Vietnamese."""
    return (waveform("vi") + np.random.default_rng(3).normal(0, 0.03, len(waveform("vi")))).astype(np.float32)


@pytest.mark.parametrize(("expected", "is_asked"), [(None, True), ("en", True), ("vi", False)])
async def test_after_vietnamese_whisper_is_not_asked_about_speech_that_is_less_clearly_vietnamese(recogniser, expected, is_asked):
    conformer, _ = recogniser.select_engines(("vi",))
    whisper = ScriptedWhisper(["two teas"] * 20)
    utterance = Utterance((conformer, whisper), ("vi", "en"), (), start=0, lead=0, expected=expected)
    utterance.speech_end = len(noisy())
    utterance.finish(noisy())
    assert bool(whisper.runs) == is_asked


async def test_a_session_expects_the_language_of_the_utterance_before(state, recogniser):
    conformer, _ = recogniser.select_engines(("vi",))
    whisper = ScriptedWhisper(["two teas"] * 20)
    session = StreamingSession((conformer, whisper), ("vi", "en"), lambda: state["menus"].get("demo", "quan-nha"))
    events: list[Any] = [event for sound in (waveform("vi"), noisy()) for event in session.advance(sound, LiveEnd(type="end"))]
    assert [event["language"] for event in events if event["type"] == "final"] == ["vi", "vi"]
    assert not whisper.runs
