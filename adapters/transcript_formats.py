"""A transcript in the formats of the OpenAI API."""

import math
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from schemas import Segment, Transcript

LANGUAGE_NAMES = Path(__file__).with_name("language_names.yaml")


def as_json(transcript: Transcript, *, with_log_probs: bool) -> dict[str, Any]:
    """Return the `json` form; `with_log_probs`: of each word, the logarithm of its confidence."""
    body: dict[str, Any] = {"text": transcript["text"], "usage": _usage(transcript)}
    if transcript["language"] is not None:
        body["languages"] = [{"code": transcript["language"]}]
    if with_log_probs:
        body["logprobs"] = [*_log_probs(transcript)]
    return body


def as_verbose_json(transcript: Transcript, *, with_segments: bool, with_words: bool) -> dict[str, Any]:
    """Return the `verbose_json` form."""
    language = transcript["language"] or ""
    body = {
        "task": "transcribe",
        "language": _language_names().get(language, language),
        "duration": transcript["duration_s"],
        "text": transcript["text"],
        "usage": _usage(transcript),
    }
    if with_segments:
        body["segments"] = [_segment(number, segment) for number, segment in enumerate(transcript["segments"])]
    if with_words:
        body["words"] = [
            {"word": word["word"], "start": word["start_s"], "end": word["end_s"]}
            for segment in transcript["segments"]
            for word in segment.get("words", ())
        ]
    return body


def as_srt(transcript: Transcript) -> str:
    """Return SubRip subtitles, one for each speech segment."""
    return "".join(
        f"{number}\n{_clock(segment['start_s'], ',')} --> {_clock(segment['end_s'], ',')}\n{segment['text']}\n\n"
        for number, segment in enumerate(transcript["segments"], 1)
    )


def as_vtt(transcript: Transcript) -> str:
    """Return WebVTT subtitles, one for each speech segment."""
    cues = [f"{_clock(one['start_s'], '.')} --> {_clock(one['end_s'], '.')}\n{one['text']}\n\n" for one in transcript["segments"]]
    return "WEBVTT\n\n" + "".join(cues)


def as_events(transcript: Transcript, *, with_log_probs: bool) -> Iterator[Mapping[str, Any]]:
    """Yield the events of a streamed transcript: a delta for each speech segment, and the whole."""
    separator = ""
    for segment in transcript["segments"]:
        yield {"type": "transcript.text.delta", "delta": separator + segment["text"]}
        separator = " "
    yield {"type": "transcript.text.done", **as_json(transcript, with_log_probs=with_log_probs)}


@lru_cache(maxsize=1)
def _language_names() -> Mapping[str, str]:
    names: dict[str, str] = yaml.safe_load(LANGUAGE_NAMES.read_text(encoding="utf-8"))
    return names


def _usage(transcript: Transcript) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(transcript["duration_s"])}


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    """Return a segment. `avg_logprob` is of its calibrated confidence; there are no tokens, and no segments of silence."""
    text = segment["text"].encode()
    return {
        "id": number,
        "seek": 0,
        "start": segment["start_s"],
        "end": segment["end_s"],
        "text": segment["text"],
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": _log(segment["confidence"]),
        "compression_ratio": round(len(text) / len(zlib.compress(text)), 3),
        "no_speech_prob": 0.0,
    }


def _log_probs(transcript: Transcript) -> Iterator[dict[str, Any]]:
    separator = ""
    for segment in transcript["segments"]:
        for word in segment.get("words", ()):
            token = separator + word["word"]
            confidence = word["confidence"] if word["confidence"] is not None else segment["confidence"]
            yield {"token": token, "logprob": _log(confidence), "bytes": [*token.encode()]}
            separator = " "


def _log(confidence: float | None) -> float:
    """Return the logarithm of a confidence; that of .001 for none or less, which is as small as the rounded ones get."""
    return round(math.log(max(confidence or 0.0, 0.001)), 4)


def _clock(seconds: float, separator: str) -> str:
    milliseconds = round(1000 * seconds)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{separator}{milliseconds % 1000:03}"
