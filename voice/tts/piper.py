"""Synthesise speech with Piper voices in this process.

Piper and its phonemiser are an optional requirement (requirements-voices.txt): a service without SPEAK_VOICES runs without them.
"""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

from voice.tts.sound import Samples, Sound

log = logging.getLogger("voice.tts")


class _Work(NamedTuple):
    """A piece to synthesise; the earliest due is made first."""

    due_at: float  # on the loop's clock
    number: int
    language: str
    text: str
    made: "asyncio.Future[Sound]"


def voice_files(directory: Path) -> list[Path]:
    """Return the models of the voices in a directory; each has its configuration beside it."""
    return [path for path in sorted(directory.glob("*.onnx")) if path.with_name(f"{path.name}.json").is_file()]


class PiperVoices:
    """The voices of a directory, one for each language, and the threads that speak with them."""

    def __init__(self, directory: Path, *, n_threads: int = 1) -> None:
        """`n_threads`: pieces that are synthesised at the same time, each on one processor."""
        self.directory = directory
        self.n_threads = n_threads
        self.voices: dict[str, Any] = {}
        self._executor = ThreadPoolExecutor(n_threads, "speak")
        self._waiting: asyncio.PriorityQueue[_Work] = asyncio.PriorityQueue()
        self._workers: list[asyncio.Task[None]] = []
        self._n_pieces = 0

    @property
    def languages(self) -> frozenset[str]:
        """The languages of the voices."""
        return frozenset(self.voices)

    async def open(self) -> None:
        """Load the voices and start the threads."""
        self.voices = await asyncio.to_thread(self._load)
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.n_threads)]

    async def close(self) -> None:
        """Stop the threads; pieces that wait are not made."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _load(self) -> dict[str, Any]:
        from piper import PiperConfig, PiperVoice  # noqa: PLC0415 - an optional requirement

        voices: dict[str, Any] = {}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # two calls at once are served sooner than by two threads each
        for path in voice_files(self.directory):
            facts = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))
            code = facts.get("language", {}).get("code") or facts.get("espeak", {}).get("voice") or path.name
            language = code.replace("-", "_").partition("_")[0].lower()
            if language in voices:
                log.warning("a second voice of a language is not used", extra={"voice": path.name, "language": language})
                continue
            session = onnxruntime.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])
            voices[language] = PiperVoice(session=session, config=PiperConfig.from_dict(facts))
            _synthesise(voices[language], "1")  # the first run allocates
            log.info("voice loaded", extra={"voice": path.name, "language": language})
        return voices

    async def synthesise(self, text: str, language: str, due_at: float) -> AsyncGenerator[Sound]:
        """Yield the audio of a piece; `due_at`: when its call needs it, on the loop's clock."""
        self._n_pieces += 1
        work = _Work(due_at, self._n_pieces, language, text, asyncio.get_running_loop().create_future())
        self._waiting.put_nowait(work)
        try:
            yield await work.made
        finally:
            work.made.cancel()  # a piece that nobody waits for is not made

    async def _work(self) -> None:
        """Make the waiting pieces."""
        loop = asyncio.get_running_loop()
        while True:
            work = await self._waiting.get()
            if work.made.done():
                continue
            try:
                outcome: Sound | Exception = await loop.run_in_executor(self._executor, self.make, work.text, work.language)
            except Exception as error:  # noqa: BLE001 - the waiting call gets it
                outcome = error
            if not work.made.done():
                work.made.set_exception(outcome) if isinstance(outcome, Exception) else work.made.set_result(outcome)

    def make(self, text: str, language: str) -> Sound:
        """Return the audio of a text; blocking."""
        voice = self.voices[language]
        return Sound(_synthesise(voice, text), voice.config.sample_rate)


def _synthesise(voice: Any, text: str) -> Samples:
    """Return the audio of a text; blocking."""
    return np.concatenate([np.zeros(0, np.int16), *[chunk.audio_int16_array for chunk in voice.synthesize(text)]])
