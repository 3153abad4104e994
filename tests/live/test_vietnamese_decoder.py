import zlib

import pytest

from tests.live.recordings import waveform
from voice.asr import vad
from voice.asr.audio import SAMPLE_RATE
from voice.asr.transcript import text_of
from voice.live.decoder import STEP_S
from voice.live.vietnamese_decoder import CONTEXT_WORDS, VietnameseDecoder

pytestmark = pytest.mark.anyio

STEP = int(STEP_S * SAMPLE_RATE)


@pytest.fixture
async def decoder(state, recogniser) -> VietnameseDecoder:
    conformer, _ = recogniser.select_engines(("vi",))
    return VietnameseDecoder(conformer, state["menus"].get("demo", "quan-nha").vocabulary, start_s=0.0)


async def test_all_but_the_last_words_are_committed_although_many_are_confusable(decoder):
    sound, uncommitted = waveform("vi"), []
    for start in range(0, len(sound), STEP):
        decoder.decode(sound[start : start + STEP])
        text = text_of(decoder.transcribe(lambda _: None))
        uncommitted.append(len(text.split()) - len(text[: decoder.stable_chars].split()))
    assert max(uncommitted) <= CONTEXT_WORDS + 1
    assert len(text.split()) > 2 * CONTEXT_WORDS


async def test_a_committed_word_stays_although_a_confusable_one_scores_better_later(decoder):
    sound, committed, n_different = waveform("vi"), "", 0
    for start in range(0, len(sound), STEP):
        decoder.decode(sound[start : start + STEP])
        plain = text_of(decoder.transcribe(lambda _: 0.0))
        assert plain.startswith(committed)
        committed = plain[: decoder.stable_chars]
        random = text_of(decoder.transcribe(lambda text: -float(zlib.crc32(text.encode()))))
        assert random.startswith(committed)
        committed = random[: decoder.stable_chars]
        n_different += random != plain
    assert n_different


async def test_in_a_pause_the_transcript_has_the_last_words_and_decoding_goes_on_undisturbed(decoder, recogniser):
    sound = waveform("vi")
    speech_end = vad.speech_end(vad.speech_probabilities(sound)) or 0
    other = VietnameseDecoder(recogniser.select_engines(("vi",))[0], (), start_s=0.0)
    n_earlier = 0
    for start in range(0, speech_end + SAMPLE_RATE // 4, STEP):
        piece = sound[start : min(start + STEP, speech_end + SAMPLE_RATE // 4)]
        other.decode(piece)
        decoder.decode(piece)
        n_earlier += len(text_of(decoder.transcribe_pause())) > len(text_of(decoder.transcribe(lambda _: None)))
    whole = text_of(decoder.transcribe_pause())
    for each in (decoder, other):
        each.finish(sound[speech_end + SAMPLE_RATE // 4 :], speech_end=speech_end)
    assert n_earlier
    assert whole == text_of(decoder.transcribe(lambda _: None)) == text_of(other.transcribe(lambda _: None))
