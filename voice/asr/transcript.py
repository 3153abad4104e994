"""Build the transcript of a reply."""

import time
from collections.abc import Sequence

from schemas import Segment, Transcript, Word
from voice.asr.scheduler import Job
from voice.asr.waveform import SAMPLE_RATE


def transcript_of(job: Job) -> Transcript:
    """Return the transcript of a finished job."""
    decoded = job.decode_job
    segments: list[Segment] = decoded.segments if decoded else []
    return {
        "text": text_of(segments),
        "language": decoded.language if decoded else None,
        "language_confidence": _round_confidence(decoded.language_confidence if decoded else None),
        "duration_s": round(len(job.waveform) / SAMPLE_RATE, 3),
        "segments": [round_segment(segment, words=job.words) for segment in segments],
        "processing_ms": round((time.monotonic() - job.arrived_at) * 1000, 1),
    }


def text_of(segments: Sequence[Segment]) -> str:
    """Join the texts of the segments."""
    return " ".join(segment["text"] for segment in segments)


def round_segment(segment: Segment, *, words: bool) -> Segment:
    """Return a segment with rounded times and confidences, and with its words if `words` is set."""
    rounded: Segment = {
        "start_s": round(segment["start_s"], 2),
        "end_s": round(segment["end_s"], 2),
        "text": segment["text"],
        "confidence": _round_confidence(segment["confidence"]),
    }
    if words:
        rounded["words"] = [
            Word(
                word=word["word"],
                start_s=round(word["start_s"], 2),
                end_s=round(word["end_s"], 2),
                confidence=_round_confidence(word["confidence"]),
            )
            for word in segment.get("words", ())
        ]
    return rounded


def _round_confidence(confidence: float | None) -> float | None:
    """Round to three digits; None if an engine gave a value outside 0..1."""
    return round(confidence, 3) if confidence is not None and 0 <= confidence <= 1 else None
