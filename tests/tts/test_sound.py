"""Telephone encodings and resampling."""

import numpy as np
import pytest

from voice.asr.audio import G711
from voice.tts.sound import Resampler, Sound, encode, silence


@pytest.mark.parametrize("encoding", ["mulaw", "alaw"])
def test_each_code_expands_and_compresses_to_itself(encoding):
    expanded = G711[encoding]
    codes = np.frombuffer(encode(expanded, encoding), np.uint8)
    assert (expanded[codes] == expanded).all()  # mu-law has two zeros
    assert np.count_nonzero(codes != np.arange(256)) <= 1


def test_a_sample_gets_the_nearest_code():
    samples = np.arange(-32768, 32768, 7, dtype=np.int16)
    error = np.abs(G711["mulaw"][np.frombuffer(encode(samples, "mulaw"), np.uint8)].astype(int) - samples)
    assert (error <= np.maximum(4, np.abs(samples.astype(int)) // 16 + 648 * (np.abs(samples.astype(int)) > 32_124))).all()
    assert silence(3, "mulaw") in (b"\xff\xff\xff", b"\x7f\x7f\x7f")
    assert encode(np.array([-2], np.int16), "pcm_s16le") == b"\xfe\xff"


def test_chunks_are_resampled_like_one_sound():
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050)).astype(np.int16)
    resampler = Resampler(8000)
    parts = [resampler.add(Sound(tone[start : start + 999], 22_050)) for start in range(0, len(tone), 999)]
    resampled = np.concatenate([*parts, resampler.finish()])
    assert abs(len(resampled) - 8000) <= 1
    expected = 8000 * np.sin(2 * np.pi * 440 * np.arange(len(resampled)) / 8000)
    assert np.abs(resampled - expected)[100:-100].max() < 200
    assert Resampler(22_050).add(Sound(tone, 22_050)) is tone
