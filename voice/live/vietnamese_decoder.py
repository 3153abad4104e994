"""Decode Vietnamese with the streaming Conformer and its CTC beam search."""

from collections.abc import Sequence
from typing import Final

from schemas import Segment, Word
from voice.asr import ctc_decoder
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.conformer import FRAME_SAMPLES as FEATURE_SAMPLES
from voice.asr.conformer import (
    HOP_FRAMES,
    MIN_PADDING_SAMPLES,
    MIN_VIETNAMESE_CONFIDENCE,
    OVERLAP_FRAMES,
    TAIL_SAMPLES,
    Conformer,
    with_quantities,
)
from voice.asr.engine_selection import VIETNAMESE
from voice.asr.rescoring import OrderScorer, rescore
from voice.asr.vad import FRAME_SAMPLES

# Prune hypotheses that differ before the last COMMIT_FRAMES frames; commit a confusable word once CONTEXT_WORDS follow. This makes .68 of
# the letters of partials stable (.31 without both; .75 with two words) at the same word error rate of finals.
COMMIT_FRAMES, CONTEXT_WORDS = 15, 3


class VietnameseDecoder:
    """Decodes Vietnamese chunk by chunk; commits the words that all hypotheses of the beam share."""

    language: Final = VIETNAMESE

    def __init__(
        self, conformer: Conformer, phrases: Sequence[str], *, start_s: float, min_confidence: float = MIN_VIETNAMESE_CONFIDENCE
    ) -> None:
        """Start at `start_s`, the time of the first sample; the search is biased towards `phrases`.

        `min_confidence`: from which the audio is taken for Vietnamese.
        """
        self._min_confidence = min_confidence
        self._state = conformer.start_decoding(phrases, start_s)
        self._conformer, self._phrases = conformer, with_quantities(phrases)
        self._chunks_before = self._state.stream.n_chunks
        self._committed: list[tuple[str, float | None]] = []  # words with their confidences

    @property
    def step_s(self) -> float:
        """Seconds of audio that complete the next chunk, rounded up to a frame of the VAD."""
        return -(-self._state.stream.n_missing_samples // FRAME_SAMPLES) * FRAME_SAMPLES / SAMPLE_RATE

    @property
    def n_tokens(self) -> int:
        """Tokens decoded so far, without blanks."""
        return self._state.n_tokens

    @property
    def is_confident(self) -> bool:
        """True if the audio is Vietnamese by the decoder's own confidence."""
        return self._state.confidence() >= self._min_confidence

    @property
    def stable_chars(self) -> int:
        """Characters of the last transcript that will not change."""
        return len(" ".join(text for text, _ in self._committed))

    def decode(self, waveform: Waveform, *, speech_end: int = 0, waited_s: float = 0.0) -> None:  # noqa: ARG002 - the interface's
        """Decode the audio as far as it fills chunks."""
        self._state.stream.accept(waveform)
        self._search()

    def transcribe_pause(self) -> list[Segment]:
        """Return the transcript of all speech before a pause, as if silence followed."""
        state = self._state.with_silence()
        self._conformer.encode([state.stream])
        state.advance()
        words = ctc_decoder.to_words(state.search.best_tokens(), self._conformer.vocabulary, start_s=state.start_s, end_s=state.end_s)
        return ctc_decoder.to_segments(words)

    def finish(self, waveform: Waveform, *, speech_end: int) -> None:
        """Decode the last audio, unless the encoded chunks already include TAIL_SAMPLES after the speech."""
        stream = self._state.stream
        decoded = ((stream.n_chunks - self._chunks_before) * HOP_FRAMES + OVERLAP_FRAMES) * FEATURE_SAMPLES
        if decoded < speech_end + TAIL_SAMPLES:
            stream.accept(waveform, is_last=True)
            if stream.n_samples + stream.n_padding_samples - speech_end < MIN_PADDING_SAMPLES:
                stream.pad_chunk()
            self._search()

    def _search(self) -> None:
        self._conformer.encode([self._state.stream])
        self._state.advance()
        search = self._state.search
        search.commit(search.n_frames - COMMIT_FRAMES)

    def transcribe(self, scorer: OrderScorer) -> list[Segment]:
        """Return the best hypothesis with its confusable words rescored, and commit its stable words."""
        best = self._state.search.best_tokens()
        words = self._spell(best)
        for word, (text, confidence) in zip(words, self._committed, strict=False):
            word["word"], word["confidence"] = text, confidence
        found = ctc_decoder.word_alternatives(best, self._conformer.vocabulary, self._phrases)
        alternatives = [alternative for alternative in found if alternative.word_index >= len(self._committed)]
        segments = ctc_decoder.to_segments(words)
        if alternatives:
            rescore(segments, alternatives, scorer)
        self._commit(best, words, alternatives)
        return segments

    def _commit(
        self, best: Sequence[ctc_decoder.DecodedToken], words: Sequence[Word], alternatives: Sequence[ctc_decoder.WordAlternative]
    ) -> None:
        """Commit the shared words that no later frame can extend, up to the first confusable word without CONTEXT_WORDS after it."""
        search = self._state.search
        shared = [token for token in best[: search.n_stable_tokens()] if search.n_frames - token.frame > ctc_decoder.MAX_TOKEN_FRAMES]
        end = len(self._spell(shared))
        for alternative in alternatives:
            if alternative.word_index >= len(words) - CONTEXT_WORDS:
                end = min(end, alternative.word_index)
        self._committed += [(word["word"], word["confidence"]) for word in words[len(self._committed) : end]]

    def _spell(self, tokens: Sequence[ctc_decoder.DecodedToken]) -> list[Word]:
        return ctc_decoder.to_words(tokens, self._conformer.vocabulary, start_s=self._state.start_s, end_s=self._state.end_s)
