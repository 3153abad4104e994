"""Recognise speech for many callers at once.

    transcribe ─▶ ClipLoader: audio to waveform ─▶ RecognitionPool: a fair, bounded queue, ─▶ BatchDecoder: VAD, then an ─▶ transcript
                  threads, child processes         a thread for each core                     engine, piece by piece

The event loop only waits. A long clip delays another client by one piece at most, and a caller who disconnects costs at most the piece
in progress.
"""

import asyncio
import contextlib
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from prometheus_client import CollectorRegistry

from errors import ApiError, Overloaded
from schemas import Encoding, Transcript
from voice.asr.audio import estimate_duration_s
from voice.asr.batch_decoder import BatchDecoder
from voice.asr.clip_loader import ClipLoader
from voice.asr.engine import AsrEngine, DecodeJob
from voice.asr.engine_selection import Engines, load_engines
from voice.asr.media_pool import MediaPool
from voice.asr.memory import limit_arenas, release_freed_memory
from voice.asr.metrics import AsrMetrics
from voice.asr.recognition_pool import HANG_S, INITIAL_RATE, RecognitionPool
from voice.asr.rescoring import OrderScorer, rescore_job
from voice.asr.scheduler import Job
from voice.asr.transcript import transcript_of
from voice.asr.waveform import SAMPLE_RATE

T = TypeVar("T")

N_EXECUTOR_THREADS = 2  # for audio decoding and rescoring: some hundred times faster than recognition
# Of a job, from arrival to result: customers at a counter do not wait longer. Then the caller gets 503 and may try another replica.
JOB_DEADLINE_S = 60.0
# Loading the models takes about this long.
MODELS_RETRY_S = 5


class StepEngine:
    """Runs a step of a streaming session through the interface of an engine."""

    name = "live"
    max_piece_s = math.inf
    max_batch = 1

    def __init__(self, step: Callable[[], object]) -> None:
        self._step = step
        self.returned: object = None

    def check_languages(self, languages: Sequence[str]) -> None:
        """Accept all: the session has checked them."""

    def can_batch(self, first_s: float, second_s: float) -> bool:  # noqa: ARG002 - the protocol's
        """Return False; see `max_batch`."""
        return False

    def advance(self, jobs: Sequence[DecodeJob]) -> None:
        """Run the step."""
        self.returned = self._step()
        for job in jobs:
            job.pieces.clear()


class Recogniser:
    """Speech recognition with both engines, for many callers at once."""

    def __init__(  # noqa: PLR0913 - the settings of speech recognition
        self,
        *,
        model: str,
        model_vi: str,
        model_dir: Path,
        default_language: str | None,
        device: str,
        compute_type: str,
        threads: int,
        queue_s: float,
        max_audio_s: float,
        registry: CollectorRegistry,
        deadline_s: float = JOB_DEADLINE_S,
        hang_s: float = HANG_S,
        initial_rate: float = INITIAL_RATE,
        media_pool: MediaPool | None = None,
        release_memory: Callable[[], None] = release_freed_memory,
    ) -> None:
        """Create the recogniser without loading the models.

        `threads` 0: one for each core. `queue_s`: audio in the queue. `max_audio_s`: of one clip. `initial_rate`: audio seconds a second
        before the first measurement.
        """
        self.ready = False
        n_threads = threads or _available_cores()
        self._load_engines = partial(
            load_engines,
            model=model,
            model_vi=model_vi,
            model_dir=model_dir,
            device=device,
            compute_type=compute_type,
            threads=n_threads,
        )
        self._default_language = default_language
        self._max_audio_s, self._deadline_s = max_audio_s, deadline_s
        self._metrics = AsrMetrics(registry)
        self._executor = ThreadPoolExecutor(N_EXECUTOR_THREADS, "decode")
        self._clip_loader = ClipLoader(executor=self._executor, max_audio_s=max_audio_s, pool=media_pool)
        self._workers = RecognitionPool(
            n_threads=n_threads,
            max_queue_s=queue_s,
            deadline_s=deadline_s,
            metrics=self._metrics,
            hang_s=hang_s,
            initial_rate=initial_rate,
            release_memory=release_memory,
        )
        self._engines: Engines | None = None

    def load(self) -> None:
        """Load the models and start the threads; blocking.

        Raises:
            ModelMissing: a model is not on this machine.

        """
        limit_arenas()
        self._clip_loader.start()
        self.start(self._load_engines())

    def start(self, engines: Engines) -> None:
        """Start the threads with these engines; blocking."""
        engines.warm_up()
        self._engines = engines
        self._workers.start(BatchDecoder(engines, self._metrics, self._workers.record_speed).decode)
        self.ready = True

    def close(self) -> None:
        """Stop the threads and processes; queued requests fail with Overloaded."""
        self.ready = False
        self._workers.close()
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._clip_loader.close()

    async def transcribe(  # noqa: PLR0913 - the request's fields
        self,
        audio: bytes,
        *,
        encoding: Encoding = "auto",
        sample_rate: int | None = None,
        channels: int | None = None,
        language: str | None = None,
        languages: Sequence[str] = (),
        phrases: Sequence[str] = (),
        words: bool = False,
        client: str = "",
        scorer: OrderScorer | None = None,
    ) -> Transcript:
        """Recognise the speech in `audio`, biased towards `phrases`, and rescore confusable words with `scorer`.

        The candidate languages are those of `candidate_languages`. Cancellation removes the request from the queue.

        Raises:
            AudioInvalid, AudioTooLong: as `voice.asr.audio.unpack` and `voice.asr.media.decode`.
            ValidationFailed: the language is not supported.
            Overloaded: the queue is full, or the deadline passed.

        """
        arrived_at = time.monotonic()
        candidates = self.candidate_languages(language, languages)
        vietnamese, whisper = self.select_engines(candidates)
        duration_s = estimate_duration_s(audio, encoding=encoding, sample_rate=sample_rate, channels=channels)
        # Checked here so that rejecting is cheap, and again before decoding and when enqueuing: other clips may have been queued meanwhile.
        self._workers.check_admission(client, audio_s=min(duration_s, self._max_audio_s))
        waveform = await self._clip_loader.decode(
            audio,
            client,
            encoding=encoding,
            sample_rate=sample_rate,
            channels=channels,
            check=partial(self._workers.check_admission, client),
        )
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()
        job = Job(
            waveform,
            client,
            candidates,
            phrases,
            words,
            vietnamese or whisper,
            arrived_at,
            on_finished=partial(_resolve, loop, finished),
            n_best=scorer is not None,
        )
        self._workers.submit(job)
        await self._wait_for(job, finished)
        decoded = job.decode_job
        if scorer and decoded and (decoded.alternatives or decoded.hypotheses):
            await loop.run_in_executor(self._executor, rescore_job, decoded, scorer)
        return transcript_of(job)

    def candidate_languages(self, language: str | None, languages: Sequence[str]) -> Sequence[str]:
        """Return `language` if it is given, else `languages`, else the default language; empty: any language."""
        return (language,) if language else tuple(languages) or ((self._default_language,) if self._default_language else ())

    def select_engines(self, candidates: Sequence[str]) -> tuple[AsrEngine | None, AsrEngine]:
        """Return the Vietnamese engine, or None if no candidate is Vietnamese, and the engine for all other languages.

        Raises:
            ValidationFailed: a language is not supported.
            Overloaded: the models are not loaded.

        """
        if self._engines is None or not self.ready:
            message = "The speech models are not loaded."
            raise Overloaded(MODELS_RETRY_S, message)
        return self._engines.select(candidates)

    def check_admission(self, client: str) -> None:
        """Check that a client may begin a streaming session.

        Raises:
            Overloaded: the queue is full.

        """
        self._workers.check_admission(client)

    async def run_step(self, step: Callable[[], T], *, audio_s: float, client: str, is_urgent: Callable[[], bool] = lambda: False) -> T:
        """Run a step of a streaming session on a thread when the scheduler starts it; it counts as `audio_s` of audio.

        It precedes the client's clips that are not started; while `is_urgent`, it precedes all jobs of the client. It is never rejected:
        its session was admitted.

        Raises:
            Overloaded: the deadline passed.

        """
        loop = asyncio.get_running_loop()
        finished: asyncio.Future[None] = loop.create_future()
        engine, now = StepEngine(step), time.monotonic()
        job = Job(
            waveform=np.zeros(0, np.float32),
            client=client,
            languages=(),
            phrases=(),
            words=False,
            engine=engine,
            arrived_at=now,
            on_finished=partial(_resolve, loop, finished),
            is_urgent=is_urgent,
        )
        job.started_at, job.remaining_s = now, audio_s
        job.decode_job = DecodeJob(job.waveform, [(0, int(audio_s * SAMPLE_RATE))])
        self._workers.submit_admitted(job)
        await self._wait_for(job, finished)
        return cast("T", engine.returned)

    async def _wait_for(self, job: Job, finished: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(job.arrived_at + self._deadline_s - time.monotonic()):
                await finished
        except TimeoutError as error:
            self._metrics.rejected.labels("deadline").inc()
            raise Overloaded(self._workers.replace_hanging_threads()) from error
        except ApiError:
            raise
        except Exception as error:
            raise ApiError from error
        finally:
            self._workers.cancel_unfinished(job)


def _resolve(loop: asyncio.AbstractEventLoop, finished: asyncio.Future[None], error: BaseException | None) -> None:
    """Resolve a future from any thread; no effect if its caller has gone."""

    def resolve() -> None:
        if finished.done():
            return
        if error is None:
            finished.set_result(None)
        else:
            finished.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop is closed
        loop.call_soon_threadsafe(resolve)


def _available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
