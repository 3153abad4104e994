import itertools

import numpy as np
import pytest

from tests.live.recordings import waveform
from voice.asr.audio import SAMPLE_RATE
from voice.live.decoder import STEP_S
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
