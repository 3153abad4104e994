"""A Whisper model on CTranslate2, called directly: features, encoder, language detection, decoder, and word alignment.

Whisper is trained on 30 s and by default pads a single word to it; here the input is padded to little more than the clip, with the same
accuracy (on two cores 86 ms at 10 s, 621 ms at 30 s).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import ctranslate2
import numpy as np
import orjson
import tokenizers
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.tokenizer import _LANGUAGE_CODES, Tokenizer
from numpy.typing import NDArray

from schemas import Word
from voice.asr.calibration import Calibration
from voice.asr.waveform import Waveform

Floats = NDArray[np.float32]

FRAMES_PER_S: Final = 100
FULL_FRAMES: Final = 3000  # 30 s: the length of Whisper's training examples
# With less than 10 s of context, or without a second of silence at the end, the decoder loops.
MIN_FRAMES, TAIL_FRAMES = 1000, 100
# The input is padded to a multiple of this, so that clips of similar length can be batched.
STEP_FRAMES = 200
ALIGNMENT_S: Final = 0.02  # an output frame of the encoder
# Expected calibration error on the held-out clips, by a word's least likely token: .055 uncalibrated, .036 calibrated.
WORD_CALIBRATION = Calibration(0.24, 0.59)


class GenerationRequest(NamedTuple):
    """Input of the decoder for one clip of a batch."""

    row: int  # of the encoder's output
    prompt: list[int]
    max_tokens: int
    with_logits: bool


class WhisperOutput(NamedTuple):
    """Output of the decoder for one clip."""

    token_ids: list[int]
    mean_log_prob: float
    no_speech_probability: float
    logits: Sequence[ctranslate2.StorageView]  # of each token; empty unless requested


class WhisperModel:
    """A CTranslate2 model with its tokenizer; thread-safe."""

    def __init__(self, directory: Path, *, device: str, compute_type: str, threads: int) -> None:
        """Load a CTranslate2 Whisper directory for `threads` simultaneous calls, each on one core."""
        self._model = ctranslate2.models.Whisper(
            str(directory), device=device, compute_type=compute_type, inter_threads=threads, intra_threads=1
        )
        self._tokenizer = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
        preprocessor = directory / "preprocessor_config.json"
        n_mels = orjson.loads(preprocessor.read_bytes()).get("feature_size", 80) if preprocessor.is_file() else 80
        self._extract_features = FeatureExtractor(feature_size=n_mels)
        self.is_multilingual: bool = self._model.is_multilingual
        self.languages: Sequence[str] = _LANGUAGE_CODES if self.is_multilingual else ("en",)
        # Digits are suppressed: the model guesses figures when digits are spoken one by one; words match the speech.
        # -1: the tokens suppressed by the model's own configuration.
        self._suppressed = [-1, *(number for token, number in self._tokenizer.get_vocab().items() if any(map(str.isdecimal, token)))]

    def mel(self, waveform: Waveform) -> Floats:
        """Return the log mel spectrogram, shape (n_mels, n_frames), frames of 10 ms."""
        spectrogram: Floats = self._extract_features(waveform)
        return spectrogram

    def encode(self, mels: Sequence[Floats], n_frames: int) -> Floats:
        """Encode spectrograms padded to `n_frames`; returns shape (n_mels, n_frames / 2, width) with one row for each."""
        # Padded with the minimum of each clip, not with zero: zero costs five points of word error rate.
        batch = np.stack([np.pad(mel, ((0, 0), (0, n_frames - mel.shape[1])), constant_values=mel.min()) for mel in mels])
        encoded = self._model.encode(_view(batch.astype(np.float32, copy=False)), to_cpu=True)
        return np.array(encoded)

    def language_probabilities(self, encoded: Floats) -> dict[str, float]:
        """Return the probability of each language of a clip, from its row of the encoder's output, most likely first."""
        detected = self._model.detect_language(_view(encoded))[0]
        return {token[2:-2]: probability for token, probability in detected}

    def tokenizer(self, language: str | None) -> Tokenizer:
        """Return the tokenizer with the prompt tokens of a language."""
        return Tokenizer(self._tokenizer, self.is_multilingual, task="transcribe", language=language)

    def to_text(self, token_ids: Sequence[int]) -> str:
        """Decode token ids to text."""
        text: str = self._tokenizer.decode(token_ids)
        return text

    def generate(self, encoded: Floats, requests: Sequence[GenerationRequest]) -> list[WhisperOutput]:
        """Decode greedily."""
        return [output for (output,) in self.n_best(encoded, requests, 1)]

    def n_best(self, encoded: Floats, requests: Sequence[GenerationRequest], n: int) -> list[list[WhisperOutput]]:
        """Return the n best hypotheses of each request, best first, by beam search with n beams."""
        outputs: dict[int, list[WhisperOutput]] = {}
        for length in sorted({len(request.prompt) for request in requests}):  # CTranslate2 takes prompts of one length in a call
            group = [number for number, request in enumerate(requests) if len(request.prompt) == length]
            results = self._model.generate(
                _view(encoded[[requests[number].row for number in group]]),
                [requests[number].prompt for number in group],
                beam_size=n,
                num_hypotheses=n,
                max_length=length + max(requests[number].max_tokens for number in group),
                return_scores=True,
                return_no_speech_prob=True,
                return_logits_vocab=any(requests[number].with_logits for number in group),
                suppress_tokens=self._suppressed,
            )
            outputs |= {
                number: [
                    WhisperOutput(token_ids, score, result.no_speech_prob, result.logits[place] if result.logits else ())
                    for place, (token_ids, score) in enumerate(zip(result.sequences_ids, result.scores, strict=True))
                ]
                for number, result in zip(group, results, strict=True)
            }
        return [outputs[number] for number in range(len(requests))]

    def word_probabilities(self, output: WhisperOutput) -> list[float]:
        """Return the probability of each word's least likely token, punctuation excluded; none without logits."""
        probabilities: list[float] = []
        for number, logits in enumerate(output.logits[: len(output.token_ids)]):
            row = np.array(logits.to_device(ctranslate2.Device.cpu), np.float32).ravel()
            word_index = len(self.to_text(output.token_ids[: number + 1]).split()) - 1
            probabilities += [1.0] * (word_index + 1 - len(probabilities))
            if word_index >= 0 and any(map(str.isalnum, self.to_text([output.token_ids[number]]))):
                logit = row[output.token_ids[number]]
                probability = float(np.exp(logit - row.max()) / np.exp(row - row.max()).sum())
                probabilities[word_index] = min(probabilities[word_index], probability)
        return probabilities

    def align_words(self, token_ids: Sequence[int], encoded: Floats, *, language: str | None, n_frames: int, start_s: float) -> list[Word]:
        """Align tokens with the audio and join them to words; `start_s` is the time of the first frame."""
        tokenizer = self.tokenizer(language)
        text_tokens = [token_id for token_id in token_ids if token_id < tokenizer.eot]
        alignment = self._model.align(_view(encoded), tokenizer.sot_sequence, [text_tokens], [n_frames])[0]
        first_frame: dict[int, int] = {}  # by position of the token
        for position, frame in alignment.alignments:
            first_frame.setdefault(position, frame)
        last_frame = max(first_frame.values(), default=0)
        words: list[Word] = []
        position = 0
        for text, group in zip(*tokenizer.split_to_word_tokens([*text_tokens, tokenizer.eot]), strict=True):
            end = position + len(group)
            if words and not any(map(str.isalnum, text)):  # punctuation
                words[-1]["word"] += text.strip()
            elif group[0] != tokenizer.eot:
                words.append(
                    {
                        "word": text.strip(),
                        "start_s": start_s + first_frame.get(position, last_frame) * ALIGNMENT_S,
                        "end_s": start_s + first_frame.get(end, last_frame) * ALIGNMENT_S,
                        "confidence": WORD_CALIBRATION.from_probability(min(alignment.text_token_probs[position:end], default=0.0)),
                    }
                )
            position = end
        return words


def padded_frames(n_frames: int, *, min_frames: int = MIN_FRAMES) -> int:
    """Return the padded length of the encoder's input for a clip of `n_frames`."""
    wanted = max(min_frames, n_frames + TAIL_FRAMES)
    return min(FULL_FRAMES, -(-wanted // STEP_FRAMES) * STEP_FRAMES)


def _view(array: Floats) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))
