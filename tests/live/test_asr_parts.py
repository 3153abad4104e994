"""The parts of speech recognition that streaming depends on; each belongs beside the tests of its module in tests/asr."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.live.fakes import ScriptedWhisper
from tests.live.recordings import AUDIO, SILENCE, waveform
from voice.asr import ctc_decoder
from voice.asr.audio import SAMPLE_RATE, RawStream, decode
from voice.asr.engine import DecodeJob
from voice.asr.scheduler import FairQueue, Job
from voice.asr.vad import FRAME_SAMPLES, Activity, speech_probabilities

pytestmark = pytest.mark.anyio

# --- audio, vad ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoding", "sample_rate"), [("pcm_s16le", 16_000), ("pcm_s16le", 48_000), ("mulaw", 8_000), ("alaw", 16_000)])
def test_raw_audio_decodes_alike_wherever_it_is_split(encoding, sample_rate):
    audio = AUDIO["vi"][:40_000]
    whole = decode(audio, encoding=encoding, sample_rate=sample_rate, channels=1, max_audio_s=60)
    stream = RawStream(encoding=encoding, sample_rate=sample_rate)
    pieces = np.concatenate([stream.accept(audio[start : start + 333]) for start in range(0, len(audio), 333)])
    assert 0 <= len(whole) - len(pieces) < 0.01 * SAMPLE_RATE  # the delay of the resampler
    np.testing.assert_allclose(pieces, whole[: len(pieces)], atol=1e-3)


def test_speech_probabilities_are_alike_in_pieces_and_at_once():
    sound = waveform("vi")
    sound = sound[: len(sound) // FRAME_SAMPLES * FRAME_SAMPLES]
    activity = Activity()
    cuts = [0, 1, 3, 10, 11, 60, len(sound) // FRAME_SAMPLES]
    pieces = [activity.hear(sound[a * FRAME_SAMPLES : b * FRAME_SAMPLES]) for a, b in itertools.pairwise(cuts)]
    np.testing.assert_allclose(np.concatenate(pieces)[:-1], speech_probabilities(sound.copy())[:-1], atol=1e-4)


# --- ctc_decoder --------------------------------------------------------------------------------------------------------------------

TOKENS, PHRASES = ["<blank>", "▁a", "▁b", "c", "▁ab", "b", "▁c", "a", "d", "▁d"], ("a b", "ab c")


def random_posteriors(seed: int) -> np.ndarray:
    """Shape (30 frames, tokens), log probabilities."""
    draw = np.random.default_rng(seed)
    return np.log(draw.dirichlet(np.full(len(TOKENS), 0.3), 30) + 1e-9).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_the_tokens_that_all_hypotheses_share_never_change(seed, step):
    scores, search = random_posteriors(seed), ctc_decoder.Search(TOKENS, PHRASES)
    shared: list[int] = []
    for start in range(0, len(scores), step):
        search.hear(scores[start : start + step])
        best = [token.number for token in search.best()]
        assert best[: len(shared)] == shared
        assert search.agreed() >= len(shared)
        shared = best[: search.agreed()]
    whole = ctc_decoder.Search(TOKENS, PHRASES)
    whole.hear(scores)
    assert [token.number for token in whole.best()] == [token.number for token in search.best()]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(0, 12))
def test_committed_tokens_are_shared_by_all_hypotheses_and_never_change(seed, step, behind):
    scores, search = random_posteriors(seed), ctc_decoder.Search(TOKENS, PHRASES)
    committed: list[int] = []
    for start in range(0, len(scores), step):
        search.hear(scores[start : start + step])
        best = search.best()
        assert [token.number for token in best[: len(committed)]] == committed
        search.commit(search.frames - behind)
        assert search.best() == best
        begun = [token.number for token in best if token.frame < search.frames - behind]
        assert search.agreed() >= len(begun)
        committed = [token.number for token in best[: search.agreed()]]


# --- whisper ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def whisper(recogniser) -> Any:
    return recogniser.engines(("en",))[1]


def decoded(whisper: Any, sound: np.ndarray, *, draft: bool) -> DecodeJob:
    job = DecodeJob(sound, [(0, len(sound))], language="en", draft=draft)
    whisper.advance([job])
    return job


async def test_a_draft_has_the_probability_of_each_word(whisper):
    sound = waveform("en")[: 2 * SAMPLE_RATE]
    draft, careful = decoded(whisper, sound, draft=True), decoded(whisper, sound, draft=False)
    assert len(draft.chances) == len(draft.segments[0]["text"].split()) > 2
    assert all(0 < chance <= 1 for chance in draft.chances)
    assert not careful.chances


async def test_a_repetitive_draft_is_dropped_and_what_was_said_repeatedly_is_kept_in_the_end(whisper):
    sound = np.tile(waveform("en")[round(3.9 * SAMPLE_RATE) : round(4.9 * SAMPLE_RATE)], 8)  # "sandwiches"
    draft, careful = decoded(whisper, sound, draft=True), decoded(whisper, sound, draft=False)
    assert (draft.segments, draft.pieces) == ([], [])
    assert careful.segments[0]["text"].lower().count("sandwiches") >= 6


# --- scheduler ----------------------------------------------------------------------------------------------------------------------


def test_a_streaming_step_comes_before_the_clips_of_its_client_and_after_earlier_steps():
    queue = FairQueue()

    def job(*, started: float) -> Job:
        made = Job(SILENCE, "one", (), (), False, ScriptedWhisper(), 0.0, settle=lambda _: None)  # noqa: FBT003
        made.started = started
        queue.put(made)
        return made

    clip, first, second = job(started=0.0), job(started=1.0), job(started=1.0)
    order = []
    while turn := queue.next():
        queue.take(turn)
        order.append(turn)
    assert order == [first, second, clip]


def test_a_hurried_step_comes_before_all_others_of_its_client():
    queue, hurried = FairQueue(), []

    def job(number: int) -> Job:
        made = Job(SILENCE, "one", (), (), False, ScriptedWhisper(), 0.0, settle=lambda _: None)  # noqa: FBT003
        made.started, made.hurries = 1.0, lambda: number in hurried
        queue.put(made)
        return made

    first, second, third = map(job, range(3))
    hurried.append(2)
    order = []
    while turn := queue.next():
        queue.take(turn)
        order.append(turn)
    assert order == [third, first, second]
