"""Decode Vietnamese with the streaming Conformer and its CTC beam search."""

from collections.abc import Sequence
from typing import Final

from schemas import Segment, Word
from voice.asr import ctc_decoder
from voice.asr.audio import Waveform
from voice.asr.conformer import FRAME_SAMPLES as FEATURE_SAMPLES
from voice.asr.conformer import HOP_FRAMES, OVERLAP_FRAMES, REST_SAMPLES, SURE, TAIL_SAMPLES, Conformer, expected
from voice.asr.recogniser import VIETNAMESE
from voice.asr.rescoring import OrderScorer, rescore
from voice.live.decoder import STEP_S

# Hypotheses that differ only before the last so many frames are pruned to the best one, and a confusable word is committed once so many
# words follow it. Of the letters of partials .68 are stable (.31 without both) at the same word error rate of finals; with two words .75.
COMMIT_FRAMES, CONTEXT_WORDS = 15, 3


class VietnameseDecoder:
    """Decodes Vietnamese chunk by chunk; commits the words that all hypotheses of the beam share."""

    language: Final = VIETNAMESE
    step_s: Final = STEP_S

    def __init__(self, conformer: Conformer, phrases: Sequence[str], *, start_s: float) -> None:
        """Start at `start_s`, the time of the first sample; the search is biased towards `phrases`."""
        self._state = conformer.listen(phrases, start_s)
        self._conformer, self._phrases = conformer, expected(phrases)
        self._chunks_before = self._state.stream.chunks
        self._committed: list[tuple[str, float | None]] = []  # words with their confidences

    @property
    def n_tokens(self) -> int:
        """Tokens decoded so far, without blanks."""
        return self._state.n_heard

    @property
    def is_confident(self) -> bool:
        """True if the audio is Vietnamese by the decoder's own confidence."""
        return self._state.confidence() >= SURE

    @property
    def stable_chars(self) -> int:
        """Characters of the last transcript that will not change."""
        return len(" ".join(text for text, _ in self._committed))

    def decode(self, waveform: Waveform, *, speech_end: int = 0, waited_s: float = 0.0) -> None:  # noqa: ARG002 - the interface's
        """Decode the audio as far as it fills chunks."""
        self._state.stream.accept(waveform)
        self._search()

    def finish(self, waveform: Waveform, *, speech_end: int) -> None:
        """Decode the last audio, unless the chunks so far reach beyond the end of speech as far as the encoder needs."""
        stream = self._state.stream
        decoded = ((stream.chunks - self._chunks_before) * HOP_FRAMES + OVERLAP_FRAMES) * FEATURE_SAMPLES
        if decoded < speech_end + TAIL_SAMPLES:
            stream.accept(waveform, last=True)
            if stream.accepted + stream.silence - speech_end < REST_SAMPLES:
                stream.rest()
            self._search()

    def _search(self) -> None:
        self._conformer.hear([self._state.stream])
        self._state.read()
        search = self._state.search
        search.commit(search.frames - COMMIT_FRAMES)

    def transcribe(self, scorer: OrderScorer) -> list[Segment]:
        """Return the best hypothesis with its confusable words rescored, and commit its stable words."""
        best = self._state.search.best()
        words = self._spell(best)
        for word, (text, confidence) in zip(words, self._committed, strict=False):
            word["word"], word["confidence"] = text, confidence
        found = ctc_decoder.alternatives(best, self._conformer.tokens, self._phrases)
        alternatives = [alternative for alternative in found if alternative.place >= len(self._committed)]
        segments = ctc_decoder.segments(words)
        if alternatives:
            rescore(segments, alternatives, scorer)
        self._commit(best, words, alternatives)
        return segments

    def _commit(self, best: Sequence[ctc_decoder.Token], words: Sequence[Word], alternatives: Sequence[ctc_decoder.Alternative]) -> None:
        """Commit the words that all hypotheses share and no later frame can extend, up to the first that later context may rescore."""
        search = self._state.search
        shared = [token for token in best[: search.agreed()] if search.frames - token.frame > ctc_decoder.TOKEN_FRAMES]
        end = len(self._spell(shared))
        for alternative in alternatives:
            if alternative.place >= len(words) - CONTEXT_WORDS:
                end = min(end, alternative.place)
        self._committed += [(word["word"], word["confidence"]) for word in words[len(self._committed) : end]]

    def _spell(self, tokens: Sequence[ctc_decoder.Token]) -> list[Word]:
        return ctc_decoder.spell(tokens, self._conformer.tokens, start_s=self._state.start_s, end_s=self._state.end_s)
