"""The engine for all languages except Vietnamese: Whisper, in batches of pieces of similar length."""

import math
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from errors import ValidationFailed
from schemas import Segment
from voice.asr.calibration import Calibration
from voice.asr.engine import DecodeJob, SegmentHypothesis
from voice.asr.vad import FRAME_SAMPLES, SPEECH_PROBABILITY, split_at_pauses
from voice.asr.waveform import SAMPLE_RATE
from voice.asr.whisper_model import FRAMES_PER_S, FULL_FRAMES, MIN_FRAMES, GenerationRequest, WhisperModel, WhisperOutput, padded_frames

Floats = NDArray[np.float32]

# A partial is as accurate with less context than MIN_FRAMES, and loops little more often. Of 491 beginnings of 38 clips, loops and word
# error rate: 1000 frames 27, .154; 800 frames 31, .154; 600 frames 42, .168.
PARTIAL_MIN_FRAMES = 800
# Limits of the decoder's tokens. Fast speech has four tokens a second, twelve in languages that Whisper spells by the syllable.
MAX_TOKENS_PER_S, EXTRA_TOKENS, MAX_TOKENS = 14, 24, 224
EXTRA_PARTIAL_TOKENS = 8  # a loop in a partial ends sooner
# Fewer tokens per second mean skipped speech: a piece with at least MIN_SKIPPED_SPEECH_S of speech is split into pieces of at most
# SPLIT_SHARE of its length. The slowest speaker of 38 clips has 2.65 tokens per second; a sentence spoken three times and written once has
# 1.4.
MIN_TOKENS_PER_S, MIN_SKIPPED_SPEECH_S, SPLIT_SHARE = 2.1, 6.0, 0.67
# Text that zlib compresses further is repetitive. Source: openai/whisper, compression_ratio_threshold.
MAX_COMPRESSION = 2.4
# Text with more letters a second of audio was not spoken: on a fragment of a word, Whisper may go on counting where its prompt ends. The
# fastest of 111 clips has 17 with the margins of silence around it, the continued count on half a second of speech 24.
MAX_LETTERS_PER_S = 22
# Source: openai/whisper, no_speech_threshold and logprob_threshold.
NO_SPEECH_PROBABILITY, MIN_MEAN_LOG_PROB = 0.6, -1.0
# A rescorer gets N_BEST hypotheses of a piece if the mean log probability of the greedy output's tokens is below MAX_DOUBTFUL_LOG_PROB.
# Right of 150 spoken orders (clean, 12 dB, 6 dB of kitchen noise), and the time of encoder and decoder against greedy decoding alone:
# without a limit 150, 148, 141, 1.7 times; below -.2 150, 148, 140, 1.3 times; below -.3 149, 148, 138, 1.1 times.
N_BEST, MAX_DOUBTFUL_LOG_PROB = 5, -0.2
# Prompts get 200 of Whisper's 448 tokens; half is the maximum, and the difference is left to the text.
MAX_PROMPT_TOKENS = 200
# Biasing towards phrases includes biasing towards quantities (exact orders 20 -> 24 of 24).
QUANTITIES: Final = {"en": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")}
# Expected calibration error on the held-out clips, by the geometric mean of a segment's tokens: .080 uncalibrated, .048 calibrated.
SEGMENT_CALIBRATION = Calibration(0.09, 1.55)


class Whisper:
    """The engine for all languages except Vietnamese."""

    name = "whisper"
    max_piece_s = 28.0
    max_batch = 4  # saves a fifth of the time; larger batches save no more and make clips wait

    def __init__(
        self, model: WhisperModel, *, max_compression: float = MAX_COMPRESSION, max_doubtful_log_prob: float = MAX_DOUBTFUL_LOG_PROB
    ) -> None:
        """`max_compression`: ratio above which a text counts as a loop. `max_doubtful_log_prob`: see `MAX_DOUBTFUL_LOG_PROB`."""
        self._model = model
        self._max_compression = max_compression
        self._max_doubtful_log_prob = max_doubtful_log_prob

    def check_languages(self, languages: Sequence[str]) -> None:
        """Check that the model supports the languages.

        Raises:
            ValidationFailed: it does not; the message names the language.

        """
        for language in languages:
            if language not in self._model.languages:
                message = f"The language {language} is not supported."
                raise ValidationFailed(message)

    def can_batch(self, first_s: float, second_s: float) -> bool:
        """Return whether both pieces are padded to the same length."""
        first, second = (padded_frames(int(min(length_s, self.max_piece_s) * FRAMES_PER_S)) for length_s in (first_s, second_s))
        return first == second < FULL_FRAMES  # at 30 s batching saves nothing

    def advance(self, jobs: Sequence[DecodeJob]) -> None:
        """Decode the next piece of each job."""
        mels = [self._model.mel(job.waveform[slice(*job.pieces[0])]) for job in jobs]
        min_frames = PARTIAL_MIN_FRAMES if all(job.is_partial for job in jobs) else MIN_FRAMES
        encoded = self._model.encode(mels, padded_frames(max(mel.shape[1] for mel in mels), min_frames=min_frames))
        self._detect_languages(jobs, encoded)
        rows = [row for row, job in enumerate(jobs) if job.language not in job.excluded_languages]
        outputs = self._model.generate(encoded, [self._request(jobs[row], row) for row in rows])
        n_best = self._n_best(
            jobs, encoded, [row for row, output in zip(rows, outputs, strict=True) if self._is_doubtful(jobs[row], output)]
        )
        for row, output in zip(rows, outputs, strict=True):
            self._finish_piece(jobs[row], output, encoded[row : row + 1], mels[row], n_best.get(row, ()))

    def _n_best(self, jobs: Sequence[DecodeJob], encoded: Floats, rows: Sequence[int]) -> dict[int, Sequence[WhisperOutput]]:
        """Return further hypotheses of these rows of the batch."""
        found = self._model.n_best(encoded, [self._request(jobs[row], row) for row in rows], N_BEST) if rows else []
        return dict(zip(rows, found, strict=True))

    def _finish_piece(
        self, job: DecodeJob, output: WhisperOutput, encoded: Floats, mel: Floats, n_best: Sequence[WhisperOutput] = ()
    ) -> None:
        """Append the piece's segment and its hypotheses to the job; decode a loop again, and split a piece with skipped speech."""
        is_loop = self._is_loop(job, output)
        is_repeated = is_loop and not job.is_partial
        if is_repeated:
            encoded = self._model.encode([mel], FULL_FRAMES)
            output = self._model.generate(encoded, [self._request(job, 0)])[0]
            # With full context only an endless repetition is a loop: a speaker may repeat a sentence.
            is_loop = len(output.token_ids) >= token_limit(job) or self._is_too_fast(job, output)
        if self._has_skipped_speech(job, output):
            start, end = job.pieces[0]
            job.pieces[:1] = split_at_pauses(job.speech, start, end, max_s=SPLIT_SHARE * (end - start) / SAMPLE_RATE)
            return
        if output.token_ids and not _is_no_speech(output) and not is_loop:
            for other in () if is_repeated else self._different(job, output, n_best):
                hypothesis = self._segment(job, other, encoded, mel.shape[1])
                # Normalised by length: a hypothesis that leaves out words has a higher probability.
                cost = (output.mean_log_prob - other.mean_log_prob) * len(output.token_ids)
                job.hypotheses.append(SegmentHypothesis(len(job.segments), hypothesis, cost))
            job.segments.append(self._segment(job, output, encoded, mel.shape[1]))
            job.word_probabilities = self._model.word_probabilities(output)
        job.pieces.pop(0)

    def _is_doubtful(self, job: DecodeJob, output: WhisperOutput) -> bool:
        """Return whether further hypotheses are wanted and worth their time."""
        return job.n_best and not job.is_partial and output.mean_log_prob < self._max_doubtful_log_prob and not _is_no_speech(output)

    def _different(self, job: DecodeJob, output: WhisperOutput, n_best: Sequence[WhisperOutput]) -> Iterator[WhisperOutput]:
        """Yield the hypotheses whose words differ, each once."""
        seen = {self._spoken(output)}
        for other in n_best:
            if other.token_ids and (spoken := self._spoken(other)) not in seen and not self._is_loop(job, other):
                seen.add(spoken)
                yield other

    def _spoken(self, output: WhisperOutput) -> str:
        """Return the text without what is not spoken: capitals and punctuation."""
        return "".join(letter for letter in self._model.to_text(output.token_ids).lower() if letter.isalnum())

    def _detect_languages(self, jobs: Sequence[DecodeJob], encoded: Floats) -> None:
        """Set the most likely of each job's candidate languages, from the encoder's output."""
        for row, job in enumerate(jobs):
            if job.language is not None:
                continue
            if not self._model.is_multilingual:
                job.language = "en"
                continue
            probabilities = {
                language: probability
                for language, probability in self._model.language_probabilities(encoded[row : row + 1]).items()
                if not job.languages or language in job.languages
            }
            job.language = max(probabilities, key=lambda language: probabilities[language])
            job.language_confidence = probabilities[job.language] / (sum(probabilities.values()) or 1.0)

    def _request(self, job: DecodeJob, row: int) -> GenerationRequest:
        return GenerationRequest(row, self._prompt(job), token_limit(job), with_logits=job.is_partial)

    def _prompt(self, job: DecodeJob) -> list[int]:
        """Return the decoder's prompt: the phrases as previous text, then language and task."""
        tokenizer = self._model.tokenizer(job.language)
        start = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        if not job.phrases:
            return start
        # The last words have the most influence: phrases in the language's script (ASCII), then its numbers.
        expected = [*(phrase for phrase in job.phrases if phrase.isascii()), *QUANTITIES.get(job.language or "", ())]
        if not any(phrase.isascii() for phrase in job.phrases):
            expected = [*job.phrases, *expected]
        previous: list[int] = []
        for phrase in reversed(expected):
            tokens = tokenizer.encode(f" {phrase},")
            if len(previous) + len(tokens) > MAX_PROMPT_TOKENS:
                break
            previous = tokens + previous
        return [tokenizer.sot_prev, *previous, *start]

    def _is_loop(self, job: DecodeJob, output: WhisperOutput) -> bool:
        text = self._model.to_text(output.token_ids).encode()
        is_repetitive = len(text) > self._max_compression * len(zlib.compress(text))
        return is_repetitive or len(output.token_ids) >= token_limit(job) or self._is_too_fast(job, output)

    def _is_too_fast(self, job: DecodeJob, output: WhisperOutput) -> bool:
        """Return whether nobody speaks as many letters in the piece."""
        start, end = job.pieces[0]
        return len(self._spoken(output)) > MAX_LETTERS_PER_S * (end - start) / SAMPLE_RATE

    def _has_skipped_speech(self, job: DecodeJob, output: WhisperOutput) -> bool:
        """Return whether Whisper skipped most of a long piece, which shorter pieces avoid; repeated sentences cause it."""
        start, end = (sample // FRAME_SAMPLES for sample in job.pieces[0])
        speech_s = float((job.speech[start:end] >= SPEECH_PROBABILITY).sum()) * FRAME_SAMPLES / SAMPLE_RATE
        is_missing = speech_s >= MIN_SKIPPED_SPEECH_S and len(output.token_ids) < MIN_TOKENS_PER_S * speech_s
        return is_missing and not job.is_partial and not _is_no_speech(output)

    def _segment(self, job: DecodeJob, output: WhisperOutput, encoded: Floats, n_frames: int) -> Segment:
        start, end = job.pieces[0]
        segment: Segment = {
            "start_s": start / SAMPLE_RATE,
            "end_s": end / SAMPLE_RATE,
            "text": self._model.tokenizer(job.language).decode(output.token_ids).strip(),
            "confidence": SEGMENT_CALIBRATION.from_probability(math.exp(min(output.mean_log_prob, 0.0))),
        }
        if job.words:
            segment["words"] = self._model.align_words(
                output.token_ids, encoded, language=job.language, n_frames=n_frames, start_s=start / SAMPLE_RATE
            )
        return segment


def _is_no_speech(output: WhisperOutput) -> bool:
    return output.no_speech_probability > NO_SPEECH_PROBABILITY and output.mean_log_prob < MIN_MEAN_LOG_PROB


def token_limit(job: DecodeJob) -> int:
    """Return the maximum number of tokens of the next piece; only a loop reaches it."""
    start, end = job.pieces[0]
    extra = EXTRA_PARTIAL_TOKENS if job.is_partial else EXTRA_TOKENS
    return min(MAX_TOKENS, extra + int(MAX_TOKENS_PER_S * (end - start) / SAMPLE_RATE))
