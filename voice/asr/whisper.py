"""Recognise any other language: Whisper on CTranslate2, called directly.

Whisper's encoder is made for 30 s and costs as much for a word; here it hears what the clip needs and a little more (measured on two
cores: 86 ms at 10 s, 621 ms at 30 s, at the same accuracy), and pieces of like length go through it together.
"""

import math
import zlib
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

from errors import ValidationFailed
from schemas import Segment, Word
from voice.asr.audio import SAMPLE_RATE
from voice.asr.calibration import Calibration
from voice.asr.engine import DecodeJob
from voice.asr.vad import FRAME_SAMPLES, SPEECH_PROBABILITY, windows

Floats = NDArray[np.float32]

FRAMES_PER_S: Final = 100
FULL_FRAMES: Final = 3000  # 30 s: what Whisper was trained on
# Under 10 s of context, or without a second of quiet at the end, it loops.
MIN_FRAMES, TAIL_FRAMES = 1000, 100
# A draft is as right with less, only that it loops more often: of 491 beginnings of 38 clips 31, at 1000 frames 27. (600: word error rate
# .168, at both others .154, and 42 loops.)
DRAFT_FRAMES = 800
# Padded to multiples, so that clips of like length go together.
STEP_FRAMES = 200
# Four tokens a second are fast speech, in languages that Whisper spells by the syllable twelve.
TOKENS_PER_S, MIN_TOKENS, MAX_TOKENS = 14, 24, 224
# Fewer tokens a second of speech are no slow speaker: of 38 clips the slowest has 2.65, of a sentence said three times, of which Whisper
# wrote one, it is 1.4. So long a piece is cut in the quietest place between half of this share of it and all.
SLOW_TOKENS_PER_S, LONG_SPEECH_S, CUT = 2.1, 6.0, 0.67
DRAFT_TOKENS = 8  # instead of MIN_TOKENS: a loop is given up soon
# Text that zlib makes this much smaller repeats itself. Source: openai/whisper, compression_ratio_threshold.
MAX_COMPRESSION = 2.4
NO_SPEECH, UNLIKELY = 0.6, -1.0
# Half of Whisper's context of 448 tokens may be a prompt; what is not needed is left to the text.
MAX_HINT_TOKENS = 200
# Where phrases are expected, so are quantities: "three iced teas" is heard as "free iced tea" without (exact orders 20 -> 24 of 24).
QUANTITIES: Final = {"en": ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")}
ALIGNMENT_S: Final = 0.02  # a frame of the encoder
# Expected calibration error on the clips that had no part in the fit: of a word, by its least likely token, .055 as claimed and .036 as
# told here; of a segment, by its tokens' geometric mean, .080 and .048.
WORD_CALIBRATION, SEGMENT_CALIBRATION = Calibration(0.24, 0.59), Calibration(0.09, 1.55)


class Whisper:
    """The engine for every language that the Vietnamese one does not speak."""

    name = "whisper"
    max_piece_s = 28.0
    max_batch = 4  # four gain a fifth; more only wait

    def __init__(self, directory: Path, *, device: str, compute_type: str, threads: int) -> None:
        """Load a CTranslate2 Whisper directory; `threads` runs at once, each on one core."""
        self._model = ctranslate2.models.Whisper(
            str(directory), device=device, compute_type=compute_type, inter_threads=threads, intra_threads=1
        )
        self._tokens = tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))
        preprocessor = directory / "preprocessor_config.json"
        n_mels = orjson.loads(preprocessor.read_bytes()).get("feature_size", 80) if preprocessor.is_file() else 80
        self._features = FeatureExtractor(feature_size=n_mels)
        self._languages = _LANGUAGE_CODES if self._model.is_multilingual else ("en",)
        # Figures are guessed from sound alone ("1,001 90210" for nine digits said one by one); words are what was said. -1: what the
        # model's own settings suppress.
        self._suppressed = [-1, *(number for token, number in self._tokens.get_vocab().items() if any(map(str.isdecimal, token)))]

    def check(self, languages: Sequence[str]) -> None:
        """Refuse languages that the model does not know.

        Raises:
            ValidationFailed: naming one.

        """
        for language in languages:
            if language not in self._languages:
                message = f"The language {language} is not one that can be recognised."
                raise ValidationFailed(message)

    def go_together(self, first_s: float, second_s: float) -> bool:
        """Take pieces that are padded to the same length."""
        longest = self.max_piece_s
        first, second = (padded_frames(int(min(seconds, longest) * FRAMES_PER_S)) for seconds in (first_s, second_s))
        return first == second < FULL_FRAMES  # at 30 s, two cost what they cost one after the other

    def advance(self, hearings: Sequence[DecodeJob]) -> None:
        """Hear the next piece of each."""
        mels = [self._features(hearing.waveform[slice(*hearing.pieces[0])]) for hearing in hearings]
        least = DRAFT_FRAMES if all(hearing.draft for hearing in hearings) else MIN_FRAMES
        encoded = self._encode(mels, padded_frames(max(mel.shape[1] for mel in mels), least=least))
        self._decide_languages(hearings, encoded)
        rows = [row for row, hearing in enumerate(hearings) if hearing.language not in hearing.elsewhere]
        texts = self._generate(encoded, [hearings[row] for row in rows], rows)
        for row, text in zip(rows, texts, strict=True):
            hearing, features = hearings[row], encoded[row : row + 1]
            loops = self._loops(text, hearing)
            if loops and not hearing.draft:
                features = self._encode([mels[row]], FULL_FRAMES)
                text = self._generate(features, [hearing], [0])[0]  # noqa: PLW2901 - the second try takes the first one's place
                # Words that repeat without end were not said; a sentence that was said several times does end.
                loops = len(text.tokens) >= token_limit(hearing)
            if self._skips(text, hearing):
                start, end = hearing.pieces[0]
                hearing.pieces[:1] = windows(hearing.speech, start, end, max_s=CUT * (end - start) / SAMPLE_RATE)
                continue
            if text.tokens and not text.is_nothing() and not loops:
                hearing.segments.append(self._segment(hearing, text, features, mels[row].shape[1]))
                hearing.chances = self._chances(text)
            hearing.pieces.pop(0)

    def _encode(self, mels: Sequence[Floats], frames: int) -> Floats:
        """Encode together what is padded to `frames`; gives shape (clips, frames / 2, width)."""
        # Padded with the quietest value of each clip, not with zero: zero costs five points of word error rate.
        batch = np.stack([np.pad(mel, ((0, 0), (0, frames - mel.shape[1])), constant_values=mel.min()) for mel in mels])
        encoded = self._model.encode(_view(batch.astype(np.float32, copy=False)), to_cpu=True)
        return np.array(encoded)

    def _decide_languages(self, hearings: Sequence[DecodeJob], encoded: Floats) -> None:
        """Choose the likeliest of the languages that each may be in, on the encoding that is there anyway."""
        for row, hearing in enumerate(hearings):
            if hearing.language is not None:
                continue
            if not self._model.is_multilingual:
                hearing.language = "en"
                continue
            found = self._model.detect_language(_view(encoded[row : row + 1]))[0]
            chances = {token[2:-2]: chance for token, chance in found if not hearing.languages or token[2:-2] in hearing.languages}
            hearing.language = max(chances, key=lambda language: chances[language])
            hearing.language_confidence = chances[hearing.language] / (sum(chances.values()) or 1.0)

    def _tokenizer_of(self, language: str | None) -> Tokenizer:
        return Tokenizer(self._tokens, self._model.is_multilingual, task="transcribe", language=language)

    def _prompt(self, hearing: DecodeJob) -> list[int]:
        """Begin what the decoder goes on with: the phrases as if they had been said before, then language and task."""
        tokenizer = self._tokenizer_of(hearing.language)
        start = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        if not hearing.phrases:
            return start
        # The last words weigh most: those that the language is written in, and its numbers.
        expected = [*(phrase for phrase in hearing.phrases if phrase.isascii()), *QUANTITIES.get(hearing.language or "", ())]
        if not any(phrase.isascii() for phrase in hearing.phrases):
            expected = [*hearing.phrases, *expected]
        hints: list[int] = []
        for phrase in reversed(expected):
            hint = tokenizer.encode(f" {phrase},")
            if len(hints) + len(hint) > MAX_HINT_TOKENS:
                break
            hints = hint + hints
        return [tokenizer.sot_prev, *hints, *start]

    def _generate(self, encoded: Floats, hearings: Sequence[DecodeJob], rows: Sequence[int]) -> list["Text"]:
        """Decode each hearing from its row; those with prompts of one length go together, as CTranslate2 wants it."""
        prompts = [self._prompt(hearing) for hearing in hearings]
        texts: dict[int, Text] = {}
        for length in sorted(set(map(len, prompts))):
            group = [i for i, prompt in enumerate(prompts) if len(prompt) == length]
            results = self._model.generate(
                _view(encoded[[rows[i] for i in group]]),
                [prompts[i] for i in group],
                beam_size=1,
                max_length=length + max(token_limit(hearings[i]) for i in group),
                return_scores=True,
                return_no_speech_prob=True,
                return_logits_vocab=any(hearings[i].draft for i in group),
                suppress_tokens=self._suppressed,
            )
            texts |= {
                i: Text(result.sequences_ids[0], result.scores[0], result.no_speech_prob, result.logits[0] if result.logits else ())
                for i, result in zip(group, results, strict=True)
            }
        return [texts[i] for i in range(len(hearings))]

    def _loops(self, text: "Text", hearing: DecodeJob) -> bool:
        written = self._tokens.decode(text.tokens).encode()
        return len(text.tokens) >= token_limit(hearing) or len(written) > MAX_COMPRESSION * len(zlib.compress(written))

    def _skips(self, text: "Text", hearing: DecodeJob) -> bool:
        """Tell whether most of a long piece was passed over, as happens where somebody says the same again: shorter pieces help."""
        start, end = (place // FRAME_SAMPLES for place in hearing.pieces[0])
        speech_s = float((hearing.speech[start:end] >= SPEECH_PROBABILITY).sum()) * FRAME_SAMPLES / SAMPLE_RATE
        passed_over = speech_s >= LONG_SPEECH_S and len(text.tokens) < SLOW_TOKENS_PER_S * speech_s
        return passed_over and not hearing.draft and not text.is_nothing()

    def _chances(self, text: "Text") -> list[float]:
        """Give for each word the probability of its least likely token, marks apart; nothing where the logits are not there."""
        chances: list[float] = []
        for number, logits in enumerate(text.logits[: len(text.tokens)]):
            row = np.array(logits.to_device(ctranslate2.Device.cpu), np.float32).ravel()
            place = len(self._tokens.decode(text.tokens[: number + 1]).split()) - 1
            chances += [1.0] * (place + 1 - len(chances))
            if place >= 0 and any(map(str.isalnum, self._tokens.decode([text.tokens[number]]))):
                token = row[text.tokens[number]]
                chances[place] = min(chances[place], float(np.exp(token - row.max()) / np.exp(row - row.max()).sum()))
        return chances

    def _segment(self, hearing: DecodeJob, text: "Text", features: Floats, frames: int) -> Segment:
        start, end = hearing.pieces[0]
        segment: Segment = {
            "start_s": start / SAMPLE_RATE,
            "end_s": end / SAMPLE_RATE,
            "text": self._tokenizer_of(hearing.language).decode(text.tokens).strip(),
            "confidence": SEGMENT_CALIBRATION.of_probability(math.exp(min(text.score, 0.0))),
        }
        if hearing.words:
            segment["words"] = self._words(hearing, text.tokens, features, frames, start / SAMPLE_RATE)
        return segment

    def _words(self, hearing: DecodeJob, tokens: Sequence[int], features: Floats, frames: int, start_s: float) -> list[Word]:
        """Align the tokens with the sound, and gather them into words."""
        tokenizer = self._tokenizer_of(hearing.language)
        spoken = [token for token in tokens if token < tokenizer.eot]
        alignment = self._model.align(_view(features), tokenizer.sot_sequence, [spoken], [frames])[0]
        first_frame: dict[int, int] = {}
        for token, frame in alignment.alignments:
            first_frame.setdefault(token, frame)
        last_frame = max(first_frame.values(), default=0)
        words: list[Word] = []
        position = 0
        for text, group in zip(*tokenizer.split_to_word_tokens([*spoken, tokenizer.eot]), strict=True):
            after = position + len(group)
            if words and not any(map(str.isalnum, text)):  # punctuation
                words[-1]["word"] += text.strip()
            elif group[0] != tokenizer.eot:
                words.append(
                    {
                        "word": text.strip(),
                        "start_s": start_s + first_frame.get(position, last_frame) * ALIGNMENT_S,
                        "end_s": start_s + first_frame.get(after, last_frame) * ALIGNMENT_S,
                        "confidence": WORD_CALIBRATION.of_probability(min(alignment.text_token_probs[position:after], default=0.0)),
                    }
                )
            position = after
        return words


class Text(NamedTuple):
    """What was decoded: token ids, their mean log probability, the probability that there was no speech; of drafts the logits."""

    tokens: list[int]
    score: float
    no_speech: float
    logits: Sequence[ctranslate2.StorageView]

    def is_nothing(self) -> bool:
        """Tell whether the model itself doubts that there was speech. Source: openai/whisper, no_speech_threshold, logprob_threshold."""
        return self.no_speech > NO_SPEECH and self.score < UNLIKELY


def _view(array: Floats) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(array))


def padded_frames(frames: int, *, least: int = MIN_FRAMES) -> int:
    """How much of its 30 s Whisper gets to hear for so many frames of 10 ms."""
    wanted = max(least, frames + TAIL_FRAMES)
    return min(FULL_FRAMES, -(-wanted // STEP_FRAMES) * STEP_FRAMES)


def token_limit(hearing: DecodeJob) -> int:
    """More tokens than anyone can say in the time of the next piece are a loop."""
    start, end = hearing.pieces[0]
    return min(MAX_TOKENS, (DRAFT_TOKENS if hearing.draft else MIN_TOKENS) + int(TOKENS_PER_S * (end - start) / SAMPLE_RATE))
