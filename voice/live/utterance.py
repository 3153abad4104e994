"""Decode one utterance, and decide its language."""

from collections.abc import Sequence

from schemas import Segment
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.conformer import MIN_VIETNAMESE_CONFIDENCE, Conformer
from voice.asr.engine import AsrEngine
from voice.asr.engine_selection import VIETNAMESE
from voice.asr.rescoring import OrderScorer
from voice.live.decoder import MARGIN_SAMPLES, STEP_S, StreamingDecoder
from voice.live.vietnamese_decoder import VietnameseDecoder
from voice.live.whisper_decoder import DECIDE_S, WHISPER_STEP_S, WhisperDecoder

# While the language is undecided, the Vietnamese decoder decides for Vietnamese if it is confident after DECIDE_TOKENS tokens: after three,
# 0 of 38 English clips seem Vietnamese. Whisper detects the language after DECIDE_S unless the Vietnamese decoder is confident by then,
# even after few words, since slow speakers say few.
DECIDE_TOKENS = 3
# The same confidence after Vietnamese: the customer hardly changes the language. 37 of 37 Vietnamese clips and 2 of 19 English ones reach
# it, where 32 and 0 reach MIN_VIETNAMESE_CONFIDENCE.
EXPECTED_CONFIDENCE = 0.75

EnginePair = tuple[AsrEngine | None, AsrEngine]  # the Vietnamese engine if Vietnamese is a candidate, and Whisper


class Utterance:
    """One utterance. While its language is undecided, the Vietnamese decoder runs and the Whisper decoder only buffers."""

    def __init__(  # noqa: PLR0913 - where it begins, and what to expect
        self,
        engines: EnginePair,
        languages: Sequence[str],
        phrases: Sequence[str],
        *,
        start: int,
        lead: int,
        expected: str | None = None,
    ) -> None:
        """Start at sample `start` of the session; `lead` samples precede the speech.

        `languages`: candidates; empty: any. `expected`: the language that the customer spoke before.
        """
        vietnamese, whisper = engines
        start_s = start / SAMPLE_RATE
        self.language: str | None = languages[0] if len(languages) == 1 else None
        self.n_samples = 0
        self.speech_end = 0  # sample after the last speech so far
        self._vietnamese: VietnameseDecoder | None = None
        if isinstance(vietnamese, Conformer):
            min_confidence = EXPECTED_CONFIDENCE if expected == VIETNAMESE else MIN_VIETNAMESE_CONFIDENCE
            self._vietnamese = VietnameseDecoder(vietnamese, phrases, start_s=start_s, min_confidence=min_confidence)
        is_vietnamese = self._vietnamese is not None and self.language == VIETNAMESE
        self._whisper = None if is_vietnamese else WhisperDecoder(whisper, languages, phrases, start_s=start_s, lead=lead)

    @property
    def seconds(self) -> float:
        """Length of the decoded audio."""
        return self.n_samples / SAMPLE_RATE

    @property
    def cost_factor(self) -> float:
        """Seconds decoded for each second received: Whisper decodes the whole utterance again."""
        return 1.0 if self._whisper is None else max(1.0, self.seconds / WHISPER_STEP_S)

    @property
    def step_s(self) -> float:
        """Seconds of audio to collect before the next step."""
        decoder = self._decoder
        return decoder.step_s if decoder else STEP_S

    @property
    def stable_chars(self) -> int:
        """Characters of the transcript that will not change."""
        decoder = self._decoder
        return decoder.stable_chars if decoder else 0

    def transcribe_pause(self) -> list[Segment]:
        """Return the transcript of all speech before a pause, not rescored; empty while the language is undecided."""
        decoder = self._decoder
        return decoder.transcribe_pause() if decoder else []

    @property
    def _decoder(self) -> StreamingDecoder | None:
        """The decoder of the utterance's language; None while both are possible."""
        return None if self._vietnamese and self._whisper else self._vietnamese or self._whisper

    def decode(self, waveform: Waveform, *, waited_s: float) -> None:
        """Decode more audio; `waited_s`: time this step was queued."""
        self.n_samples += len(waveform)
        if decoder := self._decoder:
            decoder.decode(waveform, speech_end=self.speech_end, waited_s=waited_s)
            self.language = decoder.language
        elif self._vietnamese and self._whisper:
            self._vietnamese.decode(waveform)
            self._whisper.buffer(waveform)
            self._decide(self._vietnamese, self._whisper, min_tokens=DECIDE_TOKENS, is_last=False)

    def finish(self, waveform: Waveform) -> None:
        """Decode the rest of the speech, with a margin of silence after it."""
        rest = waveform[: max(0, self.speech_end + MARGIN_SAMPLES - self.n_samples)]
        self.n_samples += len(rest)
        if decoder := self._decoder:
            decoder.finish(rest, speech_end=self.speech_end)
            self.language = decoder.language
        elif self._vietnamese and self._whisper:
            self._vietnamese.finish(rest, speech_end=self.speech_end)
            self._whisper.buffer(rest)
            self._decide(self._vietnamese, self._whisper, min_tokens=0, is_last=True)

    def _decide(self, vietnamese: VietnameseDecoder, whisper: WhisperDecoder, *, min_tokens: int, is_last: bool) -> None:
        """Drop a decoder: Whisper's if the Vietnamese decoder is confident; otherwise Whisper detects the language."""
        if vietnamese.is_confident and vietnamese.n_tokens >= min_tokens:
            self.language, self._whisper = VIETNAMESE, None
        elif is_last or (self.seconds >= DECIDE_S and not vietnamese.is_confident):
            self.language = whisper.decode_unless(VIETNAMESE)
            if self.language == VIETNAMESE:
                self._whisper = None
            else:
                self._vietnamese = None

    def transcribe(self, scorer: OrderScorer) -> list[Segment]:
        """Return the transcript so far; empty while the language is undecided."""
        if self._vietnamese and (self._whisper is None or self._vietnamese.is_confident):
            return self._vietnamese.transcribe(scorer)
        return self._whisper.transcribe(scorer) if self._whisper else []
