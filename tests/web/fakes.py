"""Fakes for the tests of the HTTP layer."""

from typing import Any


class FixedRecogniser:
    """A recogniser that returns a fixed transcript, or raises an error."""

    ready = True

    def __init__(self, text: str = "", error: Exception | None = None) -> None:
        self.text, self.error = text, error
        self.calls: list[dict[str, Any]] = []

    async def transcribe(self, audio, **how):
        self.calls.append({"audio": audio, **how})
        if self.error is not None:
            raise self.error
        return {"text": self.text, "language": "vi", "language_confidence": None, "duration_s": 1.0, "segments": [], "processing_ms": 1.0}
