"""The Vietnamese engine on real speech: the ends of clips, and several clips at a time."""

import asyncio

from tests.asr.recognisers import example, transcribe
from voice.asr.engine import DecodeJob
from voice.asr.vad import speech_probabilities
from voice.asr.waveform import SAMPLE_RATE


def test_a_last_word_that_is_cut_off_right_behind_its_vowel_is_recognised(recogniser):
    waveform = example("order-vi.wav")
    words = asyncio.run(transcribe(recogniser, waveform, language="vi", words=True))["segments"][0]["words"]
    for word in words:
        if word["word"] in ("anh", "bơ", "lớn", "ốp"):
            cut = waveform[: int((word["start_s"] + 0.08) * SAMPLE_RATE)]
            assert asyncio.run(transcribe(recogniser, cut, language="vi"))["text"].split()[-1] == word["word"]


def test_a_quiet_end_that_the_vad_misses_is_recognised(recogniser):
    waveform = example("order-vi.wav")[: int(5.9 * SAMPLE_RATE)]
    vietnamese, _ = recogniser.select_engines(("vi",))
    texts = []
    for silent_s in (0.0, 1.5):
        speech = speech_probabilities(waveform)
        speech[len(speech) - int(silent_s / 0.032) :] = 0
        job = DecodeJob(waveform, [(0, len(waveform))], speech=speech, language="vi")
        vietnamese.advance([job])
        texts.append(job.segments[0]["text"])
    assert texts[0].endswith("ốp la")
    assert texts[0] == texts[1]


def test_clips_that_are_decoded_at_the_same_time_do_not_affect_each_other(recogniser):
    async def run():
        clips = [example("order-vi.wav"), example("order-vi.wav")[: 5 * SAMPLE_RATE]] * 2
        alone = [(await transcribe(recogniser, clip, language="vi"))["text"] for clip in clips]
        together = await asyncio.gather(*[transcribe(recogniser, clip, language="vi") for clip in clips])
        assert [transcript["text"] for transcript in together] == alone

    asyncio.run(run())
