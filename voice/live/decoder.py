"""The interface of the streaming decoders."""

from typing import Final, Protocol

from schemas import Segment
from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.conformer import FRAME_SAMPLES as FEATURE_SAMPLES
from voice.asr.conformer import HOP_FRAMES
from voice.asr.rescoring import OrderScorer
from voice.asr.vad import MARGIN_S

# The hop of the Vietnamese encoder.
STEP_S: Final = HOP_FRAMES * FEATURE_SAMPLES / SAMPLE_RATE
# Silence decoded after the last speech at most.
MARGIN_SAMPLES: Final = int(MARGIN_S * SAMPLE_RATE)


class StreamingDecoder(Protocol):
    """Decodes one utterance while its audio arrives. Positions are samples from the start of the utterance."""

    @property
    def language(self) -> str | None:
        """The language of the utterance; None while it is undecided."""

    @property
    def step_s(self) -> float:
        """Seconds of audio to collect before the next call of `decode`."""

    @property
    def stable_chars(self) -> int:
        """Characters of the last transcript that will not change."""

    def transcribe_pause(self) -> list[Segment]:
        """Return the transcript of all speech before a pause of MIN_PAUSE_S; its last words need not be decoded for good."""

    def decode(self, waveform: Waveform, *, speech_end: int, waited_s: float) -> None:
        """Add audio; decode if enough is buffered. `speech_end`: end of speech so far; `waited_s`: time this step was queued."""

    def finish(self, waveform: Waveform, *, speech_end: int) -> None:
        """Add the last audio and decode all speech."""

    def transcribe(self, scorer: OrderScorer) -> list[Segment]:
        """Return the transcript so far, rescored with `scorer` where the decoder has confusable words, and commit its stable words."""
