"""Decode any language with Whisper; it is not a streaming model, so each run decodes the whole utterance so far."""

from collections.abc import Sequence

import numpy as np

from schemas import Segment
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.engine import AsrEngine, DecodeJob, SegmentHypothesis
from voice.asr.rescoring import OrderScorer, choose_hypotheses
from voice.asr.transcript import text_of
from voice.live.agreement import LocalAgreement, continue_committed
from voice.live.decoder import STEP_S
from voice.live.endpointing import MIN_PAUSE_S

# Whisper first runs after FIRST_S of speech, enough for a word, and then after each step. A step grows by the queueing time, and is at
# least WHISPER_STEP_SHARE of the utterance.
FIRST_S, WHISPER_STEP_S, WHISPER_STEP_SHARE = 0.3, 0.6, 0.1
# Silence decoded after the speech when an utterance has probably ended.
PAUSE_SAMPLES = int(MIN_PAUSE_S * SAMPLE_RATE)
# From this much audio on, the detected language is kept.
DECIDE_S = 2.0


class WhisperDecoder:
    """Decodes the whole utterance repeatedly; commits the words on which successive runs agree."""

    def __init__(self, whisper: AsrEngine, languages: Sequence[str], phrases: Sequence[str], *, start_s: float, lead: int = 0) -> None:
        """Start at `start_s`, the time of the first sample; `lead` samples precede the speech. No `languages`: any."""
        self.language = languages[0] if len(languages) == 1 else None
        self._whisper, self._languages, self._phrases, self._start_s = whisper, languages, phrases, start_s
        self._agreement = LocalAgreement()
        self._segments: list[Segment] = []
        self._hypotheses: list[SegmentHypothesis] = []  # of the last run, not rescored yet
        self._waveforms: list[Waveform] = []
        self._n_samples = 0
        self._next_run = lead + int(FIRST_S * SAMPLE_RATE)  # samples
        self._decoded_speech_end = 0  # end of the speech decoded with the silence after it

    @property
    def step_s(self) -> float:
        """Seconds of audio to collect before the next call of `decode`: up to the next run if that is soon."""
        missing_s = (self._next_run - self._n_samples) / SAMPLE_RATE
        return missing_s if 0 < missing_s < STEP_S else STEP_S

    @property
    def stable_chars(self) -> int:
        """Characters of the last transcript that will not change."""
        return len(self._agreement.committed_text)

    def transcribe_pause(self) -> list[Segment]:
        """Return the transcript: in a pause all speech is decoded."""
        return self._segments

    def buffer(self, waveform: Waveform) -> None:
        """Add audio without decoding it."""
        self._waveforms.append(waveform)
        self._n_samples += len(waveform)

    def decode(self, waveform: Waveform, *, speech_end: int, waited_s: float) -> None:
        """Add audio; run when the next step is complete, or on all speech once silence follows it: the probable end."""
        self.buffer(waveform)
        if self._n_samples >= speech_end + PAUSE_SAMPLES:
            self._decode_speech(speech_end)
        elif self._n_samples >= self._next_run:
            self._run(is_partial=True)
            step_s = max(WHISPER_STEP_S + waited_s, WHISPER_STEP_SHARE * self._n_samples / SAMPLE_RATE)
            self._next_run = self._n_samples + int(step_s * SAMPLE_RATE)

    def finish(self, waveform: Waveform, *, speech_end: int) -> None:
        """Add the last audio, and decode all speech unless it already is."""
        self.buffer(waveform)
        self._decode_speech(speech_end)

    def decode_unless(self, language: str) -> str | None:
        """Detect the language, and decode all audio unless it is in `language`; return the language, None without audio."""
        return self._run(excluded_languages=(language,))

    def transcribe(self, scorer: OrderScorer) -> list[Segment]:
        """Return the transcript so far: one segment, or none."""
        if self._hypotheses:
            choose_hypotheses(self._segments, self._hypotheses, scorer)
            self._hypotheses = []
        return self._segments

    def _decode_speech(self, speech_end: int) -> None:
        if speech_end > self._decoded_speech_end:
            self._run(speech_end + PAUSE_SAMPLES)
            self._decoded_speech_end = speech_end

    def _run(self, n_samples: int | None = None, *, excluded_languages: Sequence[str] = (), is_partial: bool = False) -> str | None:
        """Decode the first `n_samples` (None: all); return the language. Audio in a language of `excluded_languages` is not transcribed."""
        self._waveforms = [np.concatenate(self._waveforms)] if self._waveforms else []
        window = self._waveforms[0][:n_samples] if self._waveforms else np.zeros(0, np.float32)
        if not window.size:
            return self.language
        job = DecodeJob(
            window,
            [(0, len(window))],
            languages=self._languages,
            excluded_languages=excluded_languages,
            phrases=self._phrases,
            n_best=not is_partial,
            is_partial=is_partial,
        )
        job.language = self.language
        self._whisper.advance([job])
        if job.language in excluded_languages:
            return job.language
        if self._n_samples >= DECIDE_S * SAMPLE_RATE:
            self.language = job.language
        if job.segments:
            self._add(job)
        return job.language

    def _add(self, job: DecodeJob) -> None:
        """Merge the transcript of a run with the committed words."""
        text, may_commit = text_of(job.segments), self.language is not None
        if job.is_partial:
            text = self._agreement.add_partial(text, self._n_samples, job.word_probabilities, may_commit=may_commit)
        else:
            text = self._agreement.add(text, self._n_samples, may_commit=may_commit)
        end_s = self._start_s + job.segments[-1]["end_s"]
        self._segments = [{**job.segments[0], "start_s": self._start_s, "end_s": end_s, "text": text}]
        self._hypotheses = []
        if len(job.segments) == 1:
            committed = self._agreement.committed_text.split()
            for hypothesis in job.hypotheses:
                other = " ".join(continue_committed(committed, hypothesis.segment["text"].split()))
                merged: Segment = {**self._segments[0], "text": other, "confidence": hypothesis.segment["confidence"]}
                self._hypotheses.append(hypothesis._replace(segment=merged))
