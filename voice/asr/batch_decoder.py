"""Decode the next piece of each job of a batch, on the calling thread."""

import logging
import time
from collections.abc import Callable, Sequence

from voice.asr.engine import AsrEngine, DecodeJob
from voice.asr.engine_selection import Engines
from voice.asr.metrics import AsrMetrics
from voice.asr.scheduler import Job
from voice.asr.vad import speech_gain, speech_pieces, speech_probabilities

log = logging.getLogger(__name__)


class BatchDecoder:
    """Decodes batches of jobs with their engine; thread-safe."""

    def __init__(self, engines: Engines, metrics: AsrMetrics, on_decoded: Callable[[float, float], None]) -> None:
        """`on_decoded`: called with the audio (s) and the thread time (s) of each call of an engine."""
        self._engines, self._metrics, self._on_decoded = engines, metrics, on_decoded

    def decode(self, jobs: Sequence[Job]) -> None:
        """Decode the next piece of each job, and finish the jobs without further pieces; an exception of the engine fails the job."""
        started_at, engine = time.monotonic(), jobs[0].engine
        remaining_before_s = sum(job.remaining_s for job in jobs)
        try:
            self._advance(jobs, engine, started_at)
        except Exception as error:
            if len(jobs) > 1:  # one of them may be the cause
                for job in jobs:
                    self.decode([job])
                return
            log.exception("speech: recognition failed")
            jobs[0].finish(error)
            return
        audio_s = remaining_before_s - sum(job.remaining_s for job in jobs)
        self._measure(engine, jobs, audio_s, time.monotonic() - started_at)
        for job in jobs:
            if job.decode_job and not job.decode_job.pieces:
                job.finish()

    def _advance(self, jobs: Sequence[Job], engine: AsrEngine, now: float) -> None:
        decode_jobs = []
        for job in jobs:
            if job.decode_job is None:
                job.started_at = now
                self._metrics.wait.observe(now - job.arrived_at)
                job.decode_job = _decode_job(job)
            if job.decode_job.pieces:
                decode_jobs.append(job.decode_job)
        if decode_jobs:
            engine.advance(decode_jobs)
        for job in jobs:
            self._engines.reroute(job)
            job.remaining_s = job.decode_job.remaining_s if job.decode_job else 0.0

    def _measure(self, engine: AsrEngine, jobs: Sequence[Job], audio_s: float, thread_s: float) -> None:
        language = (jobs[0].decode_job and jobs[0].decode_job.language) or ""
        self._metrics.audio.labels(engine.name, language).inc(max(audio_s, 0.0))
        self._metrics.recognition.labels(engine.name, language).inc(thread_s)
        self._metrics.batch_size.labels(engine.name).observe(len(jobs))
        if audio_s > 0:
            self._metrics.real_time_factor.labels(engine.name).observe(thread_s / audio_s)
            self._on_decoded(audio_s, thread_s)


def _decode_job(job: Job) -> DecodeJob:
    """Detect voice activity, amplify the speech and split it into pieces; a clip without speech has none."""
    speech = speech_probabilities(job.waveform)
    return DecodeJob(
        job.waveform * speech_gain(job.waveform, speech),
        speech_pieces(speech, len(job.waveform), max_s=job.engine.max_piece_s),
        languages=job.languages,
        phrases=job.phrases,
        words=job.words,
        n_best=job.n_best,
        speech=speech,
        language=job.languages[0] if len(job.languages) == 1 else None,
    )
