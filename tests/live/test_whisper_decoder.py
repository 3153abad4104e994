import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.live.fakes import ScriptedWhisper
from tests.live.recordings import SILENCE
from voice.asr.audio import SAMPLE_RATE
from voice.asr.transcript import text_of
from voice.live.whisper_decoder import WhisperDecoder


def decoder_of(whisper: ScriptedWhisper) -> WhisperDecoder:
    return WhisperDecoder(whisper, ("en",), (), start_s=0.0)


def decode(decoder: WhisperDecoder, seconds: float, *, silent_s: float = 0.0, waited_s: float = 0.0, before_s: float = 0.0) -> None:
    """Decode speech, which goes on from `before_s`, and silence after it, a tenth of a second at a time."""
    for tenth in range(1, round(10 * (seconds + silent_s)) + 1):
        speech_end = round((before_s + min(tenth / 10, seconds)) * SAMPLE_RATE)
        decoder.decode(np.zeros(SAMPLE_RATE // 10, np.float32), speech_end=speech_end, waited_s=waited_s)


def text(decoder: WhisperDecoder) -> str:
    return text_of(decoder.transcribe(lambda _: None))


def test_runs_commit_the_words_on_which_they_agree_except_the_last():
    decoder, transcripts = decoder_of(ScriptedWhisper(["one milk", "one milk tea and", "one milkshake tea and a"])), []
    for second in range(1, 4):
        decoder.decode(SILENCE, speech_end=second * SAMPLE_RATE, waited_s=0.0)
        transcripts.append((text(decoder), decoder.stable_chars))
    assert transcripts == [("one milk", 0), ("one milk tea and", 3), ("one milkshake tea and a", 3)]


def test_runs_in_quick_succession_commit_nothing_before_they_span_enough_audio():
    whisper = ScriptedWhisper(["one tea and", "one tea and", "one tea and"])
    decoder, stable_chars = decoder_of(whisper), []
    for tenth in range(16):
        decode(decoder, 0.1, before_s=tenth / 10)
        stable_chars.append(decoder.stable_chars)
    assert [seconds for seconds, _ in whisper.runs] == [0.3, 0.9, 1.5]
    assert stable_chars == [0] * 14 + [len("one tea")] * 2


def test_an_improbable_word_is_shown_once_two_runs_have_it():
    decoder, transcripts = decoder_of(ScriptedWhisper(["one ?melt", "one milk ?tree", "one milk ?tree two"])), []
    for second in range(1, 4):
        decoder.decode(SILENCE, speech_end=second * SAMPLE_RATE, waited_s=0.0)
        transcripts.append(text(decoder))
    assert transcripts == ["one", "one milk", "one milk tree two"]


def test_punctuation_and_capitals_of_drafts_stay_as_shown_until_the_end():
    script = ["i want tea,", "I want, tea, and", "I want tea and a milk,", "I want tea and a milk."]
    decoder, transcripts = decoder_of(ScriptedWhisper(script)), []
    for before_s, seconds in ((0.0, 0.4), (0.4, 0.6), (1.0, 0.6)):
        decode(decoder, seconds, before_s=before_s)
        transcripts.append(text(decoder))
    assert transcripts == ["i want tea", "i want tea, and", "i want tea, and a milk"]
    decoder.finish(np.zeros(0, np.float32), speech_end=2 * SAMPLE_RATE)
    assert text(decoder) == "i want tea and a milk."  # two words are committed


def test_the_first_run_comes_early_and_the_steps_grow_with_the_time_that_turns_are_queued():
    whisper = ScriptedWhisper(["one"] * 20)
    decode(decoder_of(whisper), 2.0)
    assert [seconds for seconds, _ in whisper.runs] == [0.3, 0.9, 1.5]
    busy = ScriptedWhisper(["one"] * 20)
    decode(decoder_of(busy), 3.0, waited_s=0.4)
    assert [seconds for seconds, _ in busy.runs] == [0.3, 1.3, 2.3]
    assert all(is_draft for _, is_draft in whisper.runs + busy.runs)


def test_speech_before_a_pause_is_decoded_carefully_once_and_not_again_at_the_end():
    whisper = ScriptedWhisper(["one", "one milk", "one milk tea", "one milk tea and"])
    decoder = decoder_of(whisper)
    decode(decoder, 1.0, silent_s=0.7)
    assert whisper.runs == [(0.3, True), (0.9, True), (1.25, False)]
    decoder.finish(np.zeros(0, np.float32), speech_end=SAMPLE_RATE)
    assert len(whisper.runs) == 3
    decoder.finish(SILENCE, speech_end=2 * SAMPLE_RATE)
    assert whisper.runs[3] == (2.25, False)


WORDS = st.sampled_from(["one", "two", "two,", "Two", "tea", "?tea", "tea.", "…", "?milk", "milkshake"])


@given(st.lists(st.lists(WORDS, max_size=6).map(" ".join), min_size=1, max_size=8))
def test_the_stable_characters_never_change(texts):
    decoder, stable = decoder_of(ScriptedWhisper(texts)), ""
    for number in range(1, len(texts) + 1):
        decoder.decode(np.zeros(SAMPLE_RATE * 2, np.float32), speech_end=number * SAMPLE_RATE * 2, waited_s=0.0)
        transcript = text(decoder)
        assert transcript.startswith(stable)
        assert decoder.stable_chars <= len(transcript)
        stable = transcript[: decoder.stable_chars]


def test_a_hypothesis_of_the_whole_speech_is_chosen_and_keeps_the_committed_words():
    runs = ["one milk tea and", "one milk tea and a", "one milk tea and a mug|One melt tea and a mocha"]
    decoder = decoder_of(ScriptedWhisper(runs))
    for second in (1, 2):
        decoder.decode(SILENCE, speech_end=second * SAMPLE_RATE, waited_s=0.0)
    decoder.finish(np.zeros(0, np.float32), speech_end=2 * SAMPLE_RATE)
    assert text_of(decoder.transcribe(lambda words: float("mug" in words))) == "one milk tea and a mocha"
    assert decoder.stable_chars == len("one milk tea")
