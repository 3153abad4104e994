"""The cache of spoken pieces."""

from contextlib import aclosing

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from errors import Overloaded
from tests.calls.fakes import RATE, WordSynthesiser
from voice.tts.speaker import Speaker

pytestmark = pytest.mark.anyio


async def spoken(speaker: Speaker, text: str, sample_rate: int = RATE) -> np.ndarray:
    return np.concatenate([part async for part in speaker.speak(text, "en", sample_rate, due_at=0)])


async def test_a_piece_is_synthesised_once_for_each_rate():
    voice = WordSynthesiser()
    speaker = Speaker(voice, CollectorRegistry())
    first, again = await spoken(speaker, "Anything else?"), await spoken(speaker, "Anything else?")
    assert (first == again).all()
    assert len(await spoken(speaker, "Anything else?", 2 * RATE)) == pytest.approx(2 * len(first), abs=2)
    assert voice.texts == ["Anything else?"] * 2


async def test_the_cache_is_bounded_and_forgets_what_was_not_used_for_longest():
    voice = WordSynthesiser()
    piece_bytes = 2 * RATE // 10  # of ten characters
    speaker = Speaker(voice, CollectorRegistry(), max_cached_bytes=8 * piece_bytes)
    for number in range(8):
        await spoken(speaker, f"piece {number:04}")
    await spoken(speaker, "piece 0000")
    await spoken(speaker, "piece 0008")  # displaces the second
    voice.texts.clear()
    await spoken(speaker, "piece 0000")
    await spoken(speaker, "piece 0001")
    assert voice.texts == ["piece 0001"]


async def test_a_piece_that_was_not_heard_to_its_end_is_not_cached():
    voice = WordSynthesiser()
    speaker = Speaker(voice, CollectorRegistry())
    async with aclosing(speaker.speak("Anything else?", "en", RATE, due_at=0)) as parts:
        await anext(parts)
    await spoken(speaker, "Anything else?")
    assert voice.texts == ["Anything else?"] * 2


def test_a_voice_that_is_not_loaded_takes_no_call():
    speaker = Speaker(WordSynthesiser(), CollectorRegistry())
    with pytest.raises(Overloaded, match="voice is still being loaded"):
        speaker.check_ready()
    assert speaker.speaks("en")
    assert not speaker.speaks("vi")
