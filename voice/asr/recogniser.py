"""Recognise speech for many callers at once: admission, threads, languages, metrics.

    transcribe ─▶ decode, two threads ─▶ turns: fair between clients, bounded in audio seconds ─▶ a thread for each core ─▶ transcript
                  or two processes,      Overloaded when full, or past the deadline               who speaks when (activity),
                  one clip a client                                                               then an engine, piece by piece

The event loop only waits. A long clip holds up no other client for more than a piece, and a caller who hangs up costs at most the piece
that is being heard.
"""

import asyncio
import contextlib
import ctypes
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar, cast
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from errors import ApiError, Overloaded
from schemas import Encoding, Segment, Transcript, Word
from voice.asr.audio import SAMPLE_RATE, Media, Waveform, finish, likely_seconds, unpack
from voice.asr.conformer import Conformer
from voice.asr.decoder_pool import Decoders
from voice.asr.engine import DecodeJob, Engine
from voice.asr.model_files import conformer_directory, whisper_directory
from voice.asr.rescoring import OrderScorer, rescore
from voice.asr.scheduler import FairQueue, Job
from voice.asr.vad import speech_gain, speech_probabilities, speech_span, windows
from voice.asr.whisper import Whisper

T = TypeVar("T")

log = logging.getLogger(__name__)

VIETNAMESE: Final = "vi"
DECODERS = 2  # of each kind; decoding is some hundred times faster than recognition
# Nobody at a counter waits longer; a caller who is refused by then may try elsewhere.
DEADLINE_S = 60.0
# The longest piece, 28 s, takes three seconds on one core. Whatever takes this long does not end, and its thread is replaced.
HANG_S = 30.0
MAX_REPLACED = 8  # threads that hang are never given back
FIRST_RATE = 5.0  # audio seconds a second, before any was measured: what two slow cores do
M_ARENA_MAX: Final = -8  # malloc.h
# Freed memory goes back to the system when nothing was heard for so long, and from time to time where something always is.
QUIET_S, KEEP_S = 1.0, 30.0
RATE_KEEP = 0.95  # of the measured rate's past, a piece
# Times what the whole queue takes: what would be answered later goes first, whoever was heard least; at 1 nothing would be left for
# fairness. What could not be answered some time before that is not taken. More than one leaves room for a clip of a client who has none in
# a queue that others fill. The slowest answer under ten times too much comes after 1.4 times what the queue takes.
MAX_DELAY, MAX_LENGTH = 1.2, 1.1


class Step:
    """Work of its own kind, in an engine's place."""

    name = "live"
    max_piece_s = math.inf
    max_batch = 1

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.outcome: object = None

    def check(self, languages: Sequence[str]) -> None:
        """Take any."""

    def go_together(self, first_s: float, second_s: float) -> bool:  # noqa: ARG002 - the seam's
        """Each goes by itself."""
        return False

    def advance(self, hearings: Sequence[DecodeJob]) -> None:
        """Do it."""
        self.outcome = self.work()
        for hearing in hearings:
            hearing.pieces.clear()


class Metrics:
    """What the recogniser tells about itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("engine", "language")
        self.audio = Counter("voice_speech_audio_seconds", "Audio recognised", labels, registry=registry)
        self.recognition = Counter("voice_speech_recognition_seconds", "Thread time spent recognising", labels, registry=registry)
        self.factor = Histogram(
            "voice_speech_real_time_factor",
            "Thread time a second of audio",
            ("engine",),
            buckets=(0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2),
            registry=registry,
        )
        self.batch = Histogram(
            "voice_speech_batch_size", "Clips in one call of an engine", ("engine",), buckets=(1, 2, 3, 4), registry=registry
        )
        self.queue = Gauge("voice_speech_queue_seconds", "Audio that waits", registry=registry, multiprocess_mode="livesum")
        self.wait = Histogram(
            "voice_speech_wait_seconds",
            "From arrival to the first piece, decoding included",
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60),
            registry=registry,
        )
        self.refused = Counter("voice_speech_refused", "Callers refused", ("reason",), registry=registry)
        self.abandoned = Counter("voice_speech_abandoned", "Callers who hung up before the end", registry=registry)


class Recogniser:
    """Both engines behind one door."""

    def __init__(  # noqa: PLR0913 - what the settings say about speech
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
        deadline_s: float = DEADLINE_S,
        hang_s: float = HANG_S,
    ) -> None:
        """`threads` 0: one a core. `queue_s`: audio seconds that may wait. `max_audio_s`: of one clip. Nothing is loaded yet."""
        self.ready = False
        self._models = (model, model_vi, model_dir)
        self._device, self._compute_type = device, compute_type
        self._threads = threads or available_cores()
        self._default_language = default_language
        self._queue_s, self._max_audio_s = queue_s, max_audio_s
        self._deadline_s, self._hang_s = deadline_s, hang_s
        self._metrics = Metrics(registry)
        self._decoders = ThreadPoolExecutor(DECODERS, "decode")
        self._media_decoders, self._media_threads = Decoders(DECODERS), ThreadPoolExecutor(DECODERS, "decode-media")
        self._decoding: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # by client
        self._whisper: Engine | None = None
        self._vietnamese: Engine | None = None
        # All below is shared by threads, under this lock.
        self._changed = threading.Condition()
        self._turns = FairQueue()
        self._working: dict[threading.Thread, float] = {}  # since when it hears its piece; infinite: it waits
        self._replaced = 0
        self._kept_since = math.inf  # when memory that may have been freed since was first used; infinite: it was given back
        self._closed = False
        self._heard_s, self._worked_s = FIRST_RATE / self._threads, 1.0  # of late: audio, and the thread time it took

    # --- Life -----------------------------------------------------------------------------------------------------------------------

    def load(self) -> None:
        """Set up and load the models, and begin to work; blocking.

        Raises:
            ModelMissing: a model is not there.

        """
        _share_heaps()
        self._media_decoders.start()
        model, model_vi, model_dir = self._models
        directory_vi = conformer_directory(model_vi, model_dir)
        directory = whisper_directory(model, model_dir)
        whisper = Whisper(directory, device=self._device, compute_type=self._compute_type, threads=self._threads)
        self.begin(whisper, Conformer(directory_vi) if directory_vi else None)

    def begin(self, whisper: Engine, vietnamese: Engine | None) -> None:
        """Work with these engines from now on; the second hears Vietnamese, where there is one."""
        noise = np.random.default_rng(0).normal(0, 0.01, SAMPLE_RATE).astype(np.float32)
        speech_probabilities(noise)
        for engine in filter(None, (whisper, vietnamese)):
            engine.advance([DecodeJob(noise, [(0, len(noise))], language="en")])  # the first call is slow
        self._whisper, self._vietnamese = whisper, vietnamese
        with self._changed:
            self._kept_since = time.monotonic()
            for _ in range(self._threads):
                self._add_thread()
        self.ready = True

    def close(self) -> None:
        """Stop to work; whoever waits is refused."""
        self.ready = False
        with self._changed:
            self._closed = True
            while job := self._turns.next():
                self._turns.remove(job)
                job.finish(Overloaded(message="The service is being stopped."))
            self._changed.notify_all()
            threads = list(self._working)
        for thread in threads:
            thread.join(timeout=self._hang_s)
        for decoders in (self._decoders, self._media_threads):
            decoders.shutdown(wait=False, cancel_futures=True)
        self._media_decoders.close()

    # --- On the event loop ----------------------------------------------------------------------------------------------------------

    async def transcribe(  # noqa: PLR0913 - what a caller may say about the audio
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
        judge: OrderScorer | None = None,
    ) -> Transcript:
        """Recognise what is said in `audio`, biased towards `phrases` (none: no bias); of words that sound alike `judge` takes one.

        It is in `language`, if told, else in one of `languages`, else in the setting's, else in any. Whoever stops waiting frees the place.

        Raises:
            AudioInvalid, AudioTooLong: as `voice.asr.audio.unpack` and `voice.asr.media.decode`.
            ValidationFailed: the language is none that can be recognised.
            Overloaded: too much waits already, or the deadline passed.

        """
        arrived = time.monotonic()
        candidates = self.candidates(language, languages)
        vietnamese, whisper = self.engines(candidates)
        loop = asyncio.get_running_loop()
        likely_s = likely_seconds(audio, encoding=encoding, sample_rate=sample_rate, channels=channels)
        with self._changed:  # what will be refused anyway is not decoded before
            self._refuse_when_full(min(likely_s, self._max_audio_s), client)
        declared = {"encoding": encoding, "sample_rate": sample_rate, "channels": channels, "max_audio_s": self._max_audio_s}
        waveform = await loop.run_in_executor(self._decoders, partial(self._unpack, audio, client, **declared))
        if isinstance(waveform, Media):
            waveform = await self._decode(waveform, client)
        heard: asyncio.Future[None] = loop.create_future()
        job = Job(waveform, client, candidates, phrases, words, vietnamese or whisper, arrived, settle=partial(_settle, loop, heard))
        self._admit(job)
        await self._wait_for(job, heard)
        if judge and job.hearing and job.hearing.alternatives:
            await loop.run_in_executor(self._decoders, rescore, job.hearing.segments, job.hearing.alternatives, judge)
        return _transcript(job)

    def candidates(self, language: str | None, languages: Sequence[str]) -> Sequence[str]:
        """List what may be spoken: what was told, else any of `languages`, else the setting's; empty: anything."""
        return (language,) if language else tuple(languages) or ((self._default_language,) if self._default_language else ())

    def engines(self, candidates: Sequence[str]) -> tuple[Engine | None, Engine]:
        """Give the engines that may be needed: the Vietnamese one if it may be Vietnamese, and the one for all other languages.

        Raises:
            ValidationFailed: the language is none that can be recognised.
            Overloaded: the models are not loaded.

        """
        if self._whisper is None or not self.ready:
            message = "The speech models are not loaded."
            raise Overloaded(5, message)
        vietnamese = self._vietnamese if not candidates or VIETNAMESE in candidates else None
        self._whisper.check([candidate for candidate in candidates if vietnamese is None or candidate != VIETNAMESE])
        return vietnamese, self._whisper

    async def take_turn(self, work: Callable[[], T], *, seconds: float, client: str, hurries: Callable[[], bool] = lambda: False) -> T:
        """Do work for somebody who is speaking, on a thread, when it is the client's turn; it counts for `seconds` of audio.

        It goes before the client's clips that nobody has begun to hear, and from when on it `hurries` before all of them; and it is not
        refused: whoever speaks was let in before.

        Raises:
            Overloaded: the deadline passed.

        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        step, now = Step(work), time.monotonic()
        job = Job(np.zeros(0, np.float32), client, (), (), False, step, now, settle=partial(_settle, loop, done))  # noqa: FBT003
        job.started, job.seconds, job.hurries = now, seconds, hurries
        job.hearing = DecodeJob(job.waveform, [(0, int(seconds * SAMPLE_RATE))])
        with self._changed:
            if self._closed:
                raise Overloaded
            self._put(job)
            self._changed.notify()
        await self._wait_for(job, done)
        return cast("T", step.outcome)

    async def _wait_for(self, job: Job, heard: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(job.arrived + self._deadline_s - time.monotonic()):
                await heard
        except TimeoutError as error:
            self._metrics.refused.labels("deadline").inc()
            with self._changed:
                self._replace_hanging_threads()
                wait_s = self._turns.seconds / self._rate
            raise Overloaded(wait_s) from error
        except ApiError:
            raise
        except Exception as error:
            raise ApiError from error
        finally:
            self._leave(job)

    def _unpack(self, audio: bytes, client: str, **declared: Any) -> Waveform | Media:
        # Looked at again: others came first while this one waited for a decoder.
        with self._changed:
            self._refuse_when_full(0, client)
        unpacked = unpack(audio, **declared)
        return unpacked if isinstance(unpacked, Media) else finish(unpacked)

    async def _decode(self, media: Media, client: str) -> Waveform:
        """Decode one clip of a client at a time: hostile ones, which take seconds, hold one decoder and not all."""
        async with self._decoding.setdefault(client, asyncio.Lock()):
            decoding = self._media_threads.submit(lambda: finish(self._media_decoders.decode(media, max_audio_s=self._max_audio_s)))
            decoded = asyncio.wrap_future(decoding)
            try:
                return await asyncio.shield(decoded)
            except asyncio.CancelledError:
                if not decoding.cancel():  # it is the client's turn until the child is free
                    await asyncio.wait({decoded})
                raise

    def _admit(self, job: Job) -> None:
        with self._changed:
            self._refuse_when_full(job.seconds, job.client)
            self._put(job)
            self._changed.notify()

    def refuse_when_full(self, client: str) -> None:
        """Refuse somebody who would begin to speak while too much waits.

        Raises:
            Overloaded: see there.

        """
        with self._changed:
            self._refuse_when_full(0, client)

    def _refuse_when_full(self, seconds: float, client: str) -> None:
        """Refuse what there is no room for, or no time; where nothing waits, any clip is taken.

        A client may fill the queue alone, but has no more than an equal share of it together with others; and one who has nothing in it
        finds room for a clip, whoever fills it.
        """
        waits_s, mine_s = self._turns.seconds, self._turns.holds(client)
        others = self._turns.n_clients() - (mine_s > 0)
        # A clip is heard by one thread at a time.
        excess_s = waits_s + self._threads * seconds - min(self._deadline_s * self._rate, MAX_LENGTH * self._queue_s)
        if mine_s:
            excess_s = max(excess_s, waits_s + seconds - self._queue_s)
        if mine_s and others:
            # A client's seconds go by at its share of the rate.
            excess_s = max(excess_s, (1 + others) * (mine_s + seconds) - self._queue_s)
        if self._closed or (waits_s and excess_s >= 0):
            self._metrics.refused.labels("full").inc()
            raise Overloaded(min(excess_s, waits_s) / self._rate)

    @property
    def _rate(self) -> float:
        """Audio seconds that all threads together hear in a second, of late."""
        return self._threads * self._heard_s / self._worked_s

    def _leave(self, job: Job) -> None:
        """Free the place of a job that is through, or that nobody waits for any more."""
        with self._changed:
            if not job.finished:
                job.abandoned = True
                self._metrics.abandoned.inc()
                self._remove(job)

    # --- On the threads -------------------------------------------------------------------------------------------------------------

    def _put(self, job: Job) -> None:
        self._turns.put(job)
        self._metrics.queue.set(self._turns.seconds)

    def _remove(self, job: Job) -> None:
        self._turns.remove(job)
        self._metrics.queue.set(self._turns.seconds)

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._work, name="recognise", daemon=True)
        self._working[thread] = math.inf
        thread.start()

    def _replace_hanging_threads(self) -> None:
        for thread, since in list(self._working.items()):
            if time.monotonic() - since > self._hang_s and self._replaced < MAX_REPLACED:
                log.error("speech: an engine does not return, its thread is replaced")
                self._replaced += 1
                del self._working[thread]
                self._add_thread()

    def _work(self) -> None:
        """Hear piece after piece; a thread that was replaced meanwhile ends when its engine does return."""
        thread = threading.current_thread()
        while True:
            with self._changed:
                to_hear = self._await_turn()
                if self._closed or thread not in self._working:
                    return
                jobs = self._gather() if to_hear else []
                self._working[thread] = time.monotonic() if to_hear else math.inf
            if not to_hear:
                _give_back()
                continue
            self._hear(jobs)
            with self._changed:
                if thread not in self._working:
                    return
                self._working[thread] = math.inf
                self._kept_since = min(self._kept_since, time.monotonic())
                for job in jobs:
                    if job.finished or job.abandoned or self._closed:
                        self._remove(job)
                    else:
                        self._put(job)

    def _await_turn(self) -> bool:
        """Wait until there is something to hear; False when it is time to give memory back first, or when all is over."""
        while not self._closed and time.monotonic() - self._kept_since < KEEP_S:
            if len(self._turns):
                return True
            if not self._changed.wait(QUIET_S if self._kept_since < math.inf else None):
                break
        self._kept_since = math.inf
        return False

    def _gather(self) -> list[Job]:
        """Take whose turn it is, and who comes next as long as they go into one call; nobody waits for company."""
        jobs: list[Job] = []
        while (job := self._turns.next(within_s=MAX_DELAY * self._queue_s, threads=self._threads)) and (
            not jobs
            or (job.engine is jobs[0].engine and len(jobs) < job.engine.max_batch and job.engine.go_together(jobs[0].seconds, job.seconds))
        ):
            self._turns.take(job)
            jobs.append(job)
        self._metrics.queue.set(self._turns.seconds)
        return jobs

    def _hear(self, jobs: Sequence[Job]) -> None:
        """Hear the next piece of each job, and finish what is through."""
        started = time.monotonic()
        before_s, engine = sum(job.seconds for job in jobs), jobs[0].engine
        try:
            self._advance(jobs, started)
        except Exception as error:
            if len(jobs) > 1:  # one of them may be to blame
                for job in jobs:
                    self._hear([job])
                return
            log.exception("speech: recognition failed")
            jobs[0].finish(error)
            return
        worked_s, heard_s = time.monotonic() - started, before_s - sum(job.seconds for job in jobs)
        self._measure(engine, jobs, heard_s, worked_s)
        for job in jobs:
            if job.hearing and not job.hearing.pieces:
                job.finish()

    def _advance(self, jobs: Sequence[Job], now: float) -> None:
        engine = jobs[0].engine
        hearings = []
        for job in jobs:
            if job.hearing is None:
                job.started = now
                self._metrics.wait.observe(now - job.arrived)
                job.hearing = self._listen(job)
            if job.hearing.pieces:
                hearings.append(job.hearing)
        if hearings:
            engine.advance(hearings)
        for job in jobs:
            self._follow_language(job)
            job.seconds = job.hearing.seconds() if job.hearing else 0.0

    def _listen(self, job: Job) -> DecodeJob:
        """Find out whether and where there is speech; a clip without any has no pieces."""
        speech = speech_probabilities(job.waveform)
        return DecodeJob(
            job.waveform * speech_gain(job.waveform, speech),
            _pieces(speech, len(job.waveform), job.engine),
            languages=job.languages,
            phrases=job.phrases,
            words=job.words,
            speech=speech,
            language=job.languages[0] if len(job.languages) == 1 else None,
        )

    def _follow_language(self, job: Job) -> None:
        """Change the engine when a clip turns out to be in the other one's language.

        The Vietnamese engine listens first to what may be Vietnamese: it knows its own language better than Whisper does, which takes 11
        of 62 Vietnamese clips for another one. Only where it is unsure Whisper, which has to hear the clip then anyway, decides.
        """
        hearing = job.hearing
        if hearing is None or self._whisper is None:
            return
        if job.engine is self._vietnamese and hearing.language is None and hearing.state is not None:
            job.vietnamese, job.engine = hearing, self._whisper
            job.hearing = replace(hearing, pieces=_pieces(hearing.speech, len(job.waveform), job.engine), elsewhere=(VIETNAMESE,))
        elif job.vietnamese and self._vietnamese and hearing.language == VIETNAMESE and job.engine is self._whisper:
            job.vietnamese.language, job.vietnamese.language_confidence = VIETNAMESE, hearing.language_confidence
            job.hearing, job.engine = job.vietnamese, self._vietnamese

    def _measure(self, engine: Engine, jobs: Sequence[Job], heard_s: float, worked_s: float) -> None:
        language = (jobs[0].hearing and jobs[0].hearing.language) or ""
        self._metrics.audio.labels(engine.name, language).inc(max(heard_s, 0.0))
        self._metrics.recognition.labels(engine.name, language).inc(worked_s)
        self._metrics.batch.labels(engine.name).observe(len(jobs))
        if heard_s > 0:
            self._metrics.factor.labels(engine.name).observe(worked_s / heard_s)
            with self._changed:
                self._heard_s = RATE_KEEP * self._heard_s + heard_s
                self._worked_s = RATE_KEEP * self._worked_s + worked_s


def _pieces(speech: NDArray[np.float32], n_samples: int, engine: Engine) -> list[tuple[int, int]]:
    span = speech_span(speech, n_samples)
    return windows(speech, *span, max_s=engine.max_piece_s) if span else []


def _settle(loop: asyncio.AbstractEventLoop, heard: asyncio.Future[None], error: BaseException | None) -> None:
    """Wake the caller, from any thread; whoever hung up meanwhile hears nothing."""

    def wake() -> None:
        if heard.done():
            return
        if error is None:
            heard.set_result(None)
        else:
            heard.set_exception(error)

    with contextlib.suppress(RuntimeError):  # the loop was closed: nobody is there any more
        loop.call_soon_threadsafe(wake)


def _transcript(job: Job) -> Transcript:
    hearing = job.hearing
    segments: list[Segment] = hearing.segments if hearing else []
    told = hearing.language if hearing else None
    return {
        "text": " ".join(segment["text"] for segment in segments),
        "language": told,
        "language_confidence": _rounded(hearing.language_confidence if hearing else None),
        "duration_s": round(len(job.waveform) / SAMPLE_RATE, 3),
        "segments": [tidy(segment, words=job.words) for segment in segments],
        "processing_ms": round((time.monotonic() - job.arrived) * 1000, 1),
    }


def tidy(segment: Segment, *, words: bool) -> Segment:
    """Round what a caller sees, and leave the words out where they are not wanted."""
    tidy: Segment = {
        "start_s": round(segment["start_s"], 2),
        "end_s": round(segment["end_s"], 2),
        "text": segment["text"],
        "confidence": _rounded(segment["confidence"]),
    }
    if words:
        tidy["words"] = [
            Word(
                word=word["word"],
                start_s=round(word["start_s"], 2),
                end_s=round(word["end_s"], 2),
                confidence=_rounded(word["confidence"]),
            )
            for word in segment.get("words", ())
        ]
    return tidy


def _rounded(confidence: float | None) -> float | None:
    """Round to three digits; whatever is no share is none."""
    return round(confidence, 3) if confidence is not None and 0 <= confidence <= 1 else None


def _share_heaps() -> None:
    """Let the threads share two heaps, where the C library is glibc.

    It gives each thread one of its own, up to eight a core, and each keeps what its largest clip took: with eight callers the process held
    667 MB, and 600 with two heaps, at the same speed (0.07 s of processor time a second of audio).
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def _give_back() -> None:
    """Give freed memory back to the system, where the C library is glibc.

    It keeps what lies below anything still in use: 390 MB were in use after 480 recognitions, and 609 held.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def available_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
