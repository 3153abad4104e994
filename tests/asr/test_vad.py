"""Voice activity detection on whole clips and on streams, amplification, and the pieces of long audio."""

import itertools

import numpy as np
import pytest

from tests.asr.recognisers import example
from voice.asr.vad import FRAME_SAMPLES, MAX_GAIN, StreamingVad, speech_gain, speech_probabilities, split_at_pauses
from voice.asr.waveform import SAMPLE_RATE


def test_only_speech_is_amplified_and_within_bounds():
    waveform = example("order-vi.wav")
    speech = speech_probabilities(waveform)
    assert speech_gain(waveform, speech) == 1
    gains = [float(speech_gain(waveform * np.float32(share), speech)) for share in (0.1, 0.01, 1e-3, 1e-6, 0.0)]
    assert gains == pytest.approx([4.2, 42, MAX_GAIN, MAX_GAIN, MAX_GAIN], rel=0.1)
    assert speech_gain(waveform * np.float32(0.01), np.zeros_like(speech)) == 1
    clicks = waveform * np.float32(0.01)
    clicks[:: SAMPLE_RATE // 2] = 1.0
    assert float(speech_gain(clicks, speech)) == pytest.approx(42, rel=0.2)
    assert speech_gain(np.zeros(0, np.float32), np.zeros(0, np.float32)) == 1


def test_the_streaming_vad_returns_the_same_in_chunks_as_at_once():
    sound = example("order-vi.wav")
    sound = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES]
    vad = StreamingVad()
    cuts = [0, 1, 3, 10, 11, 60, len(sound) // FRAME_SAMPLES]
    chunks = [vad.accept(sound[a * FRAME_SAMPLES : b * FRAME_SAMPLES]) for a, b in itertools.pairwise(cuts)]
    np.testing.assert_allclose(np.concatenate(chunks)[:-1], speech_probabilities(sound.copy())[:-1], atol=1e-4)


def test_a_long_span_is_split_in_its_pauses():
    probabilities = np.ones(400, np.float32)
    probabilities[150:160] = 0
    cut = 155 * FRAME_SAMPLES
    end = len(probabilities) * FRAME_SAMPLES
    pieces = split_at_pauses(probabilities, 0, end, max_s=8.0)
    assert [start for start, _ in pieces[1:]] == [end for _, end in pieces[:-1]]
    assert (pieces[0][0], pieces[-1][1]) == (0, end)
    assert pieces[0][1] == pytest.approx(cut, abs=5 * FRAME_SAMPLES)
