import numpy as np
import pytest

from voice.asr.audio import SAMPLE_RATE
from voice.asr.vad import FRAME_SAMPLES
from voice.live.endpointing import MARGIN_FRAMES, MAX_UTTERANCE_S, ONSET_FRAMES, OnsetDetector, is_end

FRAME = np.full(FRAME_SAMPLES, 0.1, np.float32)
QUIET = FRAME * np.float32(0.01)


def test_one_frame_of_speech_is_no_onset_and_two_within_half_a_second_are():
    detector = OnsetDetector()
    silence = [detector.add(FRAME, is_speech=False) for _ in range(50)]
    assert detector.add(FRAME, is_speech=True) is None
    for _ in range(ONSET_FRAMES):
        assert detector.add(FRAME, is_speech=False) is None
    assert detector.add(FRAME, is_speech=True) is None
    onset = detector.add(FRAME, is_speech=True)
    assert silence == [None] * 50
    assert onset is not None
    assert (len(onset.frames), onset.lead) == (MARGIN_FRAMES + 2, MARGIN_FRAMES * FRAME_SAMPLES)


def test_quiet_speech_is_amplified():
    detector = OnsetDetector()
    detector.add(QUIET, is_speech=True)
    onset = detector.add(QUIET, is_speech=True)
    assert onset is not None
    assert onset.gain == pytest.approx(25)


@pytest.mark.parametrize(
    ("length_s", "pause_s", "max_pause_s", "ends"),
    [
        (3, 0.0, 0.7, False),
        (3, 0.6, 0.7, False),
        (3, 0.8, 0.7, True),
        (3, 0.6, 0.5, True),
        (21, 0.1, 1.5, False),
        (21, 0.3, 1.5, True),
        (27.9, 0.0, 0.7, False),
        (28.0, 0.0, 1.5, True),
    ],
)
def test_an_utterance_ends_after_a_pause_and_sooner_the_longer_it_is(length_s, pause_s, max_pause_s, ends):
    length = round(length_s * SAMPLE_RATE)
    speech_end = length - round(pause_s * SAMPLE_RATE)
    assert is_end(length, speech_end, max_pause_s=max_pause_s, max_utterance_s=MAX_UTTERANCE_S) == ends
