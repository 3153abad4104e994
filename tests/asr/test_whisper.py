"""Whisper: loops, skipped speech, partials, and languages."""

import asyncio
from typing import cast

import numpy as np
import pytest

from errors import ValidationFailed
from tests.asr.recognisers import example, recogniser_with, transcribe
from voice.asr.engine import DecodeJob
from voice.asr.engine_selection import Engines
from voice.asr.waveform import SAMPLE_RATE
from voice.asr.whisper import MAX_COMPRESSION, PARTIAL_MIN_FRAMES, Whisper
from voice.asr.whisper_model import FULL_FRAMES, MIN_FRAMES, WhisperModel

LONG_PIECE_TOKENS = 24 + 14 * 12  # the limit for a piece of 12 s


class ModelWrapper:
    """Delegates to a WhisperModel."""

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        return getattr(self._model, name)


class SkippingModel(ModelWrapper):
    """Ends the text of long pieces after 19 tokens."""

    def generate(self, encoded, requests):
        outputs = self._model.generate(encoded, requests)
        return [
            output._replace(token_ids=output.token_ids[:19]) if request.max_tokens > LONG_PIECE_TOKENS else output
            for request, output in zip(requests, outputs, strict=True)
        ]


class RecordingModel(ModelWrapper):
    """Records the lengths to which the encoder's input is padded."""

    def __init__(self, model):
        super().__init__(model)
        self.n_frames = []

    def encode(self, mels, n_frames):
        self.n_frames.append(n_frames)
        return self._model.encode(mels, n_frames)


class CountingModel(ModelWrapper):
    """Counts, whatever is said."""

    def generate(self, encoded, requests):
        token_ids = self.tokenizer("en").encode(" one, two, five, six, seven, eight,")
        outputs = self._model.generate(encoded, requests)
        return [output._replace(token_ids=token_ids) for output in outputs]


def begun(*, is_partial):
    waveform = example("order-en.wav")[: 2 * SAMPLE_RATE]
    return DecodeJob(waveform, [(0, len(waveform))], language="en", is_partial=is_partial)


def test_speech_that_was_skipped_in_a_long_piece_is_decoded_in_shorter_ones(whisper_model):
    recogniser, model = recogniser_with(threads=1), cast("WhisperModel", SkippingModel(whisper_model))
    recogniser.start(Engines(Whisper(model)))
    waveform = np.concatenate([example("order-en.wav"), np.zeros(SAMPLE_RATE // 2, np.float32)] * 3)
    transcript = asyncio.run(transcribe(recogniser, waveform, language="en"))
    recogniser.close()
    assert len(transcript["text"].split()) == 45
    starts, ends = ([segment[at] for segment in transcript["segments"]] for at in ("start_s", "end_s"))
    assert len(starts) > 1
    assert starts[1:] == ends[:-1]


def test_a_partial_has_a_probability_for_each_word(whisper_model):
    whisper, partial, final = Whisper(whisper_model), begun(is_partial=True), begun(is_partial=False)
    whisper.advance([partial])
    whisper.advance([final])
    assert len(partial.word_probabilities) == len(partial.segments[0]["text"].split()) > 2
    assert all(0 < probability <= 1 for probability in partial.word_probabilities)
    assert not final.word_probabilities


@pytest.mark.parametrize(
    ("max_compression", "is_partial", "n_frames", "n_segments"),
    [
        (MAX_COMPRESSION, True, [PARTIAL_MIN_FRAMES], 1),
        (MAX_COMPRESSION, False, [MIN_FRAMES], 1),
        (0.0, True, [PARTIAL_MIN_FRAMES], 0),
        (0.0, False, [MIN_FRAMES, FULL_FRAMES], 1),
    ],
)
def test_a_loop_is_dropped_from_a_partial_and_decoded_again_with_full_context_otherwise(
    whisper_model, max_compression, is_partial, n_frames, n_segments
):
    model, job = RecordingModel(whisper_model), begun(is_partial=is_partial)
    Whisper(cast("WhisperModel", model), max_compression=max_compression).advance([job])  # with 0, any text counts as a loop
    assert (model.n_frames, len(job.segments), job.pieces) == (n_frames, n_segments, [])


@pytest.mark.parametrize(("seconds", "is_partial", "n_segments"), [(0.9, True, 0), (0.9, False, 0), (2.0, True, 1)])
def test_text_that_nobody_speaks_as_fast_is_dropped(whisper_model, seconds, is_partial, n_segments):
    job = begun(is_partial=is_partial)
    job.pieces = [(0, int(seconds * SAMPLE_RATE))]
    Whisper(cast("WhisperModel", CountingModel(whisper_model))).advance([job])
    assert (len(job.segments), job.pieces) == (n_segments, [])


@pytest.mark.parametrize(
    ("n_best", "is_partial", "max_doubtful_log_prob", "has_hypotheses"),
    [(True, False, 0.0, True), (True, False, -9.0, False), (True, True, 0.0, False), (False, False, 0.0, False)],
)
def test_a_doubtful_piece_has_different_hypotheses_if_they_are_wanted(
    whisper_model, n_best, is_partial, max_doubtful_log_prob, has_hypotheses
):
    job = begun(is_partial=is_partial)
    job.n_best, job.words = n_best, has_hypotheses
    Whisper(whisper_model, max_doubtful_log_prob=max_doubtful_log_prob).advance([job])
    texts = [segment["text"].lower() for segment in (job.segments[0], *(hypothesis.segment for hypothesis in job.hypotheses))]
    assert len(set(texts)) == len(texts)
    assert (len(texts) > 1) == has_hypotheses
    for hypothesis in job.hypotheses:
        assert " ".join(word["word"] for word in hypothesis.segment["words"]) == hypothesis.segment["text"]
        assert hypothesis.segment_index == 0


def test_a_scorer_chooses_among_the_hypotheses_of_a_clip(whisper_model):
    recogniser, waveform = recogniser_with(threads=1), begun(is_partial=False).waveform
    recogniser.start(Engines(Whisper(whisper_model, max_doubtful_log_prob=0.0)))
    scored = []

    def prefer_the_last(text):
        scored.append(text)
        return -float(len(scored))

    plain = asyncio.run(transcribe(recogniser, waveform, language="en"))
    chosen = asyncio.run(transcribe(recogniser, waveform, language="en", scorer=prefer_the_last))
    recogniser.close()
    assert scored[0] == plain["text"]
    assert chosen["text"] == scored[-1] != plain["text"]


def test_pieces_that_are_padded_to_the_same_length_are_batched(whisper_model):
    whisper = Whisper(whisper_model)
    assert whisper.can_batch(2.0, 7.0)
    assert not whisper.can_batch(2.0, 12.0)
    assert not whisper.can_batch(29.0, 29.0)


def test_an_unknown_language_is_rejected_by_name(whisper_model):
    Whisper(whisper_model).check_languages(["en", "vi"])
    with pytest.raises(ValidationFailed, match="qq"):
        Whisper(whisper_model).check_languages(["en", "qq"])
