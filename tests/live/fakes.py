"""Stand-ins at the seams of a streaming session: the acoustic model, the menus, the scheduler."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from errors import MenuNotFound
from tests.live.recordings import SILENCE, waveform
from voice.asr.audio import SAMPLE_RATE
from voice.asr.engine import DecodeJob, SegmentHypothesis
from voice.dialog.turn import DialogEngine
from voice.live.session import StreamingSession
from voice.menus.menu import Menu

SPOKEN = np.concatenate([waveform("en"), SILENCE])


class ScriptedWhisper:
    """Stands in for Whisper: returns the next text at each run; the words marked with ? are improbable; behind | is another hypothesis."""

    name, max_piece_s, max_batch = "scripted", 28.0, 1

    def __init__(self, texts: Iterable[str] = (), *, confidence: float = 0.9) -> None:
        self.texts = iter(texts)
        self.confidence = confidence
        self.runs: list[tuple[float, bool]] = []  # seconds, and whether it was a partial

    def check_languages(self, languages: Sequence[str]) -> None:
        """Accept any."""

    def can_batch(self, first_s: float, second_s: float) -> bool:  # noqa: ARG002
        return False

    def advance(self, jobs: Sequence[DecodeJob]) -> None:
        for job in jobs:
            job.pieces.clear()
            self.runs.append((len(job.waveform) / SAMPLE_RATE, job.is_partial))
            text, _, other = next(self.texts).partition("|")
            if text:
                job.segments = [{"start_s": 0.0, "end_s": 1.0, "text": text.replace("?", ""), "confidence": self.confidence}]
                if other and job.n_best:
                    job.hypotheses = [SegmentHypothesis(0, {**job.segments[0], "text": other}, 0.5)]
                job.word_probabilities = [0.1 if word.startswith("?") else 0.9 for word in text.split()]


class ChangingMenu:
    """Stands in for the served menus: one menu, which changes."""

    def __init__(self, menu: Menu) -> None:
        self.menu = menu
        self.engine: DialogEngine | None = DialogEngine(menu)

    def change(self, item: str, **update: Any) -> None:
        self._serve({**self.menu.items, item: self.menu.items[item].model_copy(update=update)})

    def remove(self, *names: str) -> None:
        self._serve({name: item for name, item in self.menu.items.items() if name not in names})

    def _serve(self, items: Any) -> None:
        self.menu = self.menu.model_copy(update={"items": items})
        self.engine = DialogEngine(self.menu)

    def __call__(self) -> DialogEngine:
        if self.engine is None:
            raise MenuNotFound
        return self.engine


class ScriptedSession(StreamingSession):
    """A session with a scripted recogniser."""

    def __init__(self, menu: ChangingMenu, *, confidence: float = 0.9) -> None:
        self.whisper = ScriptedWhisper(confidence=confidence)
        super().__init__((None, self.whisper), ("en",), menu)

    def say(self, text: str, sound: np.ndarray = SPOKEN) -> list[Any]:
        """Recognise this text in a recording; return the events."""
        self.whisper.texts = iter([text] * 100)
        return [event for start in range(0, len(sound), 8000) for event in self.advance(sound[start : start + 8000])]


class FakeRecogniser:
    """Stands in for the recogniser: gives turns once `free` is set."""

    def __init__(self, *, is_free: bool = False, overloaded: Exception | None = None) -> None:
        self.free = asyncio.Event()
        if is_free:
            self.free.set()
        self.overloaded = overloaded
        self.turns: list[tuple[float, bool]] = []  # seconds, and whether it hurried in the end

    def candidate_languages(self, language: str | None, languages: Sequence[str]) -> Sequence[str]:  # noqa: ARG002
        return ("en",)

    def select_engines(self, candidates: Sequence[str]) -> tuple[None, ScriptedWhisper]:  # noqa: ARG002
        return None, ScriptedWhisper()

    def check_admission(self, client: str) -> None:  # noqa: ARG002
        if self.overloaded:
            raise self.overloaded

    async def run_step(self, work: Any, *, audio_s: float, client: str, is_urgent: Any) -> Any:  # noqa: ARG002
        await self.free.wait()
        self.turns.append((audio_s, is_urgent()))
        return await asyncio.to_thread(work)
