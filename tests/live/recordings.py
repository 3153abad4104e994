"""The example recordings, with their transcripts and orders."""

from typing import Any

import numpy as np

from settings import ROOT
from voice.asr.audio import SAMPLE_RATE, decode

AUDIO = {language: (ROOT / f"examples/order-{language}.wav").read_bytes()[44:] for language in ("vi", "en")}
TRANSCRIPTS = {
    "vi": "cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la",
    "en": "could i get a large milk tea with pearls less sugar and two egg sandwiches",
}
ITEMS = {"vi": [("sinh-to-bo", 2), ("banh-mi-op-la", 3)], "en": [("tra-sua-truyen-thong", 1), ("banh-mi-op-la", 2)]}
BYTES_S = 2 * SAMPLE_RATE
SILENCE = np.zeros(SAMPLE_RATE, np.float32)


def waveform(language: str) -> np.ndarray:
    return decode(AUDIO[language], encoding="pcm_s16le", sample_rate=SAMPLE_RATE, channels=1, max_audio_s=60)


def items(event: Any) -> list[tuple[str, int]]:
    """List the items of a partial or a final with their quantities."""
    return [(line["item"], line["quantity"]) for line in event["lines"]]
