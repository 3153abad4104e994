"""The real engines on real speech, and on audio without any."""

import asyncio
import base64
from typing import Any

import numpy as np
import pytest

from errors import AudioInvalid, AudioTooLong, ValidationFailed
from settings import ROOT
from tests.asr.audio_files import riff, wave_format
from tests.asr.recognisers import EXAMPLES, example, pcm, transcribe, words_in
from tests.conftest import client_of
from voice.asr.waveform import SAMPLE_RATE
from voice.dialog.turn import DialogEngine
from voice.menus.loading import read_menu
from voice.orders.confirmation import CONFIRM_BELOW, recognition_confidence

WORDS_EN = {"could", "i", "get", "a", "large", "milk", "tea", "with", "pearls", "less", "sugar", "and", "two", "egg"}
WORDS_VI = {"cho", "anh", "hai", "ly", "sinh", "tố", "bơ", "lớn", "và", "ba", "bánh", "mì", "ốp", "la"}


QUAN_NHA = DialogEngine(read_menu(ROOT / "menus" / "quan-nha.yaml"))


@pytest.mark.parametrize(("name", "language", "expected"), [("order-en.wav", "en", WORDS_EN), ("order-vi.wav", "vi", WORDS_VI)])
@pytest.mark.parametrize("is_given", [True, False])
def test_a_spoken_order_is_recognised_in_its_language_given_or_detected(recogniser, name, language, expected, is_given):
    fields = {"language": language} if is_given else {"languages": ("vi", "en")}
    transcript = asyncio.run(recogniser.transcribe((EXAMPLES / name).read_bytes(), **fields))
    assert transcript["language"] == language
    assert (transcript["language_confidence"] is None) == is_given
    assert len(expected & words_in(transcript)) >= 0.8 * len(expected), transcript["text"]


def test_words_have_ordered_times_and_are_returned_on_request(recogniser):
    for name, language in (("order-en.wav", "en"), ("order-vi.wav", "vi")):
        waveform = example(name)
        transcript = asyncio.run(transcribe(recogniser, waveform, language=language, words=True))
        words = [word for segment in transcript["segments"] for word in segment["words"]]
        assert " ".join(word["word"] for word in words) == transcript["text"]
        times = [time_s for word in words for time_s in (word["start_s"], word["end_s"])]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= transcript["duration_s"] + 0.1
        assert all(0 <= word["confidence"] <= 1 for word in words)
        plain = asyncio.run(transcribe(recogniser, waveform, language=language))
        assert plain["text"] == transcript["text"]
        assert all("words" not in segment for segment in plain["segments"])


def test_silence_before_speech_shifts_its_times(recogniser):
    waveform = np.concatenate([np.zeros(3 * SAMPLE_RATE, np.float32), example("order-vi.wav")])
    transcript = asyncio.run(transcribe(recogniser, waveform, language="vi"))
    assert 2.5 < transcript["segments"][0]["start_s"] < 4.5


def test_confusable_words_are_rescored_and_the_transcript_is_consistent(recogniser):
    def scorer(text):
        return 1.0 if " hai " in text else 0.0

    waveform = example("order-vi.wav")
    phrases = ("hài", "hoài", "hải", "ba mươi")
    plain = asyncio.run(transcribe(recogniser, waveform, language="vi", phrases=phrases))
    rescored = asyncio.run(transcribe(recogniser, waveform, language="vi", phrases=phrases, scorer=scorer))
    assert " hai " in plain["text"]
    assert " hai " not in rescored["text"]
    assert rescored["text"] == " ".join(segment["text"] for segment in rescored["segments"])
    assert asyncio.run(transcribe(recogniser, waveform, language="vi", phrases=phrases, scorer=lambda _: None))["text"] == plain["text"]


@pytest.mark.anyio
@pytest.mark.parametrize(("name", "language", "wrong"), [("order-en.wav", "en", "vi"), ("order-vi.wav", "vi", "en")])
async def test_a_wrong_language_that_is_given_changes_no_order(state, recogniser, name, language, wrong):
    body = {"menu": "quan-nha", "audio": base64.b64encode((EXAMPLES / name).read_bytes()).decode(), "lines": [{"item": "latte"}]}
    async with client_of(state, recogniser=recogniser) as client:
        right, forced = [
            (await client.post("/api/v1/voice/order", json=body | {"language": given})).json()["data"] for given in (language, wrong)
        ]
    assert (recognition_confidence(right["transcript"]["segments"]) or 0) >= CONFIRM_BELOW
    assert len(right["lines"]) == 3
    assert ([line["item"] for line in forced["lines"]], forced["changes"]) == (["latte"], [])
    assert {question["kind"] for question in forced["questions"] if question["blocks"]} <= {"check"}


def noisy(waveform, level):
    return (waveform + np.random.default_rng(3).normal(0, level, len(waveform))).astype(np.float32)


@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(
    ("clip", "candidates", "engines", "language"),
    [
        (("order-vi.wav", 0.0), ("vi",), ("conformer",), "vi"),
        (("order-vi.wav", 0.0), ("vi", "en"), ("conformer",), "vi"),
        (("order-en.wav", 0.0), ("vi",), ("conformer",), "vi"),
        (("order-en.wav", 0.0), ("vi", "en"), ("conformer", "whisper"), "en"),
        (("order-vi.wav", 0.03), ("vi", "en"), ("conformer", "whisper", "conformer"), "vi"),
        (("order-en.wav", 0.0), ("en",), ("whisper",), "en"),
        (("order-vi.wav", 0.0), ("en",), ("whisper",), "en"),
        (("order-en.wav", 0.0), ("en", "de"), ("whisper",), "en"),
    ],
)
def test_only_alternatives_of_the_engine_that_decides_are_rescored(recogniser, clip, candidates, engines, language, words):  # noqa: PLR0913, PLR0917
    scored = []
    name, noise = clip

    def scorer(text):
        scored.append(text)
        return QUAN_NHA.score(text)

    before = {engine: n_calls(recogniser, engine) for engine in ("conformer", "whisper")}
    fields = {"languages": candidates, "phrases": QUAN_NHA.vocabulary, "scorer": scorer, "words": words}
    transcript = asyncio.run(transcribe(recogniser, noisy(example(name), noise), **fields))
    assert {engine for engine in before if n_calls(recogniser, engine) > before[engine]} == set(engines)
    assert transcript["language"] == language
    assert transcript["text"] == " ".join(segment["text"] for segment in transcript["segments"])
    assert scored or engines[-1] == "whisper"  # which gives hypotheses only if it is in doubt
    assert not scored or transcript["text"] in scored
    for segment in transcript["segments"]:
        assert ("words" in segment) == words
        assert not words or " ".join(word["word"] for word in segment["words"]) == segment["text"]


def n_calls(recogniser, engine):
    """Count an engine's calls in any language."""
    return recogniser.sample("voice_speech_batch_size_count", {"engine": engine}) or 0


@pytest.mark.anyio
@pytest.mark.parametrize("words", [True, False])
@pytest.mark.parametrize(("name", "language"), [("order-en.wav", "en"), ("order-vi.wav", "vi")])
async def test_the_examples_are_recognised_without_a_language_in_every_form_of_request(state, recogniser, name, language, words):
    audio, wav = (EXAMPLES / name).read_bytes(), {"Content-Type": "audio/wav"}
    body: dict[str, Any] = {"menu": "quan-nha", "words": words}
    in_json = body | {"audio": base64.b64encode(audio).decode()}
    fields = {"menu": "quan-nha", "words": str(words).lower()}
    async with client_of(state, recogniser=recogniser) as client:
        replies = [
            await client.post("/api/v1/voice/speech", json=in_json),
            await client.post("/api/v1/voice/speech", content=audio, headers=wav, params=fields),
            await client.post("/api/v1/voice/speech", files={"file": (name, audio)}, data=fields),
            await client.post("/api/v1/voice/order", json=in_json),
        ]
    assert [reply.status_code for reply in replies] == [200] * 4
    replied = [reply.json()["data"] for reply in replies]
    transcripts = [*replied[:3], replied[3]["transcript"]]
    assert {transcript["language"] for transcript in transcripts} == {language}
    assert len({transcript["text"] for transcript in transcripts}) == 1
    assert len(replied[3]["lines"]) == 2


def test_telephone_bandwidth_is_recognised(recogniser):
    waveform = example("order-en.wav")
    narrow = (waveform[:-1:2] + waveform[1::2]) / 2
    transcript = asyncio.run(
        recogniser.transcribe(pcm(narrow), encoding="pcm_s16le", sample_rate=8_000, language="en")
    )  # fmt: skip
    assert {"large", "sugar", "two"} <= words_in(transcript)


def telephone(waveform, peak_db):
    """Return raw samples at 8 kHz, at a peak level."""
    narrow = (waveform[:-1:2] + waveform[1::2]) / 2
    return pcm(narrow / np.abs(narrow).max() * 10 ** (peak_db / 20))


@pytest.mark.parametrize("peak_db", [-36, -45])
@pytest.mark.parametrize(("name", "language"), [("order-en.wav", "en"), ("order-vi.wav", "vi")])
def test_quiet_speech_by_telephone_is_recognised(recogniser, name, language, peak_db):
    audio, expected = telephone(example(name), peak_db), WORDS_EN if language == "en" else WORDS_VI
    transcript = asyncio.run(recogniser.transcribe(audio, encoding="pcm_s16le", sample_rate=8_000, language=language))
    assert len(expected & words_in(transcript)) >= 0.8 * len(expected) - 1, transcript["text"]


@pytest.mark.parametrize(("name", "language"), [("order-en.wav", "en"), ("order-vi.wav", "vi")])
def test_long_audio_is_recognised_to_its_end_without_losses_at_the_seams(recogniser, name, language):
    once = example(name)
    gap = np.zeros(SAMPLE_RATE // 2, np.float32)
    times = 7
    transcript = asyncio.run(transcribe(recogniser, np.concatenate([once, gap] * times), language=language))
    spoken = transcript["text"].lower().replace(",", "").replace("?", "").replace(".", "").split()
    once_spoken = len(asyncio.run(transcribe(recogniser, once, language=language))["text"].split())
    assert len(spoken) == pytest.approx(times * once_spoken, rel=0.16)  # Whisper may skip one of seven repetitions of a sentence
    assert transcript["segments"][-1]["end_s"] > times * len(once) / SAMPLE_RATE - 2


SECONDS = np.arange(4 * SAMPLE_RATE) / SAMPLE_RATE
NOISE = np.random.default_rng(5)


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(4 * SAMPLE_RATE),
        np.zeros(1),
        np.full(1, 0.7),
        np.full(4 * SAMPLE_RATE, 0.5),
        NOISE.normal(0, 0.3, 4 * SAMPLE_RATE),
        NOISE.normal(0, 0.003, 4 * SAMPLE_RATE),
        0.01 * np.cumsum(NOISE.normal(0, 1, 4 * SAMPLE_RATE)).clip(-90, 90),
        0.5 * np.sin(2 * np.pi * 440 * SECONDS),
        0.3 * np.sign(np.sin(2 * np.pi * 100 * SECONDS)),
        0.5 * np.sin(2 * np.pi * (100 + 300 * SECONDS) * SECONDS),
        0.3 * (np.sin(2 * np.pi * 697 * SECONDS) + np.sin(2 * np.pi * 1209 * SECONDS)) * (np.sin(4 * np.pi * SECONDS) > 0),
        (np.arange(4 * SAMPLE_RATE) % 4000 == 0) * 0.9,
    ],
    ids=["silence", "a zero", "a sample", "dc", "white", "faint", "brown", "tone", "square", "sweep", "dialling", "clicks"],
)
def test_audio_without_speech_yields_no_words(recogniser, waveform):
    for fields in ({"language": "vi"}, {"language": "en"}, {"languages": ("vi", "en")}):
        transcript = asyncio.run(transcribe(recogniser, waveform.astype(np.float32), **fields))
        assert transcript["text"] == ""
        assert transcript["segments"] == []


def test_nan_samples_yield_no_words(recogniser):
    samples = np.array([np.nan, np.inf, -np.inf, 0.1] * SAMPLE_RATE, np.float32)
    audio = riff(wave_format(tag=3, bits=32), (b"data", samples.tobytes()))
    assert asyncio.run(recogniser.transcribe(audio, languages=("vi", "en")))["text"] == ""


def test_an_unknown_language_is_rejected(recogniser):
    with pytest.raises(ValidationFailed, match="qq"):
        asyncio.run(transcribe(recogniser, np.zeros(100, np.float32), language="qq"))


def test_invalid_and_too_long_audio_is_rejected(recogniser):
    with pytest.raises(AudioInvalid):
        asyncio.run(recogniser.transcribe(b"no audio", language="vi"))
    with pytest.raises(AudioTooLong):
        asyncio.run(transcribe(recogniser, np.zeros(121 * SAMPLE_RATE, np.float32), language="vi"))


def test_biasing_towards_phrases_that_were_not_spoken_inserts_none(recogniser):
    phrases = ("peach lemongrass tea", "avocado smoothie", "bạc xỉu", "phở bò tái")
    for name, language in (("order-en.wav", "en"), ("order-vi.wav", "vi")):
        plain = asyncio.run(transcribe(recogniser, example(name), language=language))
        biased = asyncio.run(transcribe(recogniser, example(name), language=language, phrases=phrases))
        assert not {"lemongrass", "avocado", "xỉu", "phở"} & words_in(biased)
        assert len(words_in(plain) & words_in(biased)) >= 0.8 * len(words_in(plain))
