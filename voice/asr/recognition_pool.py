"""Decode queued jobs on a pool of threads: batching, admission, replacement of hanging threads, release of memory."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence

from errors import Overloaded
from voice.asr.memory import release_freed_memory
from voice.asr.metrics import AsrMetrics
from voice.asr.scheduler import FairQueue, Job, QueueAdmission

log = logging.getLogger(__name__)

INITIAL_RATE = 5.0  # audio seconds a second before the first measurement: two slow cores
RATE_DECAY = 0.95  # weight of the earlier measurements after each piece
# A thread whose engine takes longer is replaced. The longest piece, 28 s, takes three seconds on one core.
HANG_S = 30.0
MAX_REPLACED_THREADS = 8  # threads that hang are never freed
# Freed memory is released after this idle time, and under permanent load at this interval.
IDLE_BEFORE_RELEASE_S, MAX_RELEASE_INTERVAL_S = 1.0, 30.0


class RecognitionPool:
    """Threads that decode queued jobs, piece by piece; thread-safe."""

    def __init__(  # noqa: PLR0913 - settings of the queue and of the threads
        self,
        *,
        n_threads: int,
        max_queue_s: float,
        deadline_s: float,
        metrics: AsrMetrics,
        hang_s: float = HANG_S,
        initial_rate: float = INITIAL_RATE,
        release_memory: Callable[[], None] = release_freed_memory,
    ) -> None:
        """`max_queue_s`: audio. `initial_rate`: audio seconds that all threads together decode in a second."""
        self._admission = QueueAdmission(max_queue_s=max_queue_s, deadline_s=deadline_s, n_threads=n_threads)
        self._n_threads, self._hang_s, self._metrics, self._release_memory = n_threads, hang_s, metrics, release_memory
        self._decode: Callable[[Sequence[Job]], None]
        # The condition guards all attributes below.
        self._changed = threading.Condition()
        self._queue = FairQueue()
        self._busy_since: dict[threading.Thread, float] = {}  # monotonic, s; infinite: the thread is idle
        self._n_replaced = 0
        self._unreleased_since = math.inf  # monotonic, s; infinite: no memory was used since the last release
        self._is_closed = False
        self._audio_s, self._thread_s = initial_rate / n_threads, 1.0  # decayed sums of the pieces decoded

    def start(self, decode: Callable[[Sequence[Job]], None]) -> None:
        """Start the threads; `decode` decodes the next piece of each job of a batch."""
        self._decode = decode
        with self._changed:
            self._unreleased_since = time.monotonic()
            for _ in range(self._n_threads):
                self._add_thread()

    def close(self) -> None:
        """Fail the queued jobs with Overloaded, and wait for the pieces that are being decoded."""
        with self._changed:
            self._is_closed = True
            while job := self._queue.peek():
                self._queue.remove(job)
                job.finish(Overloaded(message="The service is being stopped."))
            self._changed.notify_all()
            threads = list(self._busy_since)
        for thread in threads:
            thread.join(timeout=self._hang_s)

    # --- Any thread -----------------------------------------------------------------------------------------------------------------

    def check_admission(self, client: str, *, audio_s: float = 0.0) -> None:
        """Check that the queue admits `audio_s` of a client.

        Raises:
            Overloaded: it does not, or the pool is closed.

        """
        with self._changed:
            self._check_admission(client, audio_s)

    def submit(self, job: Job) -> None:
        """Enqueue a job if the queue admits it.

        Raises:
            Overloaded: it does not, or the pool is closed.

        """
        with self._changed:
            self._check_admission(job.client, job.remaining_s)
            self._put(job)
            self._changed.notify()

    def submit_admitted(self, job: Job) -> None:
        """Enqueue a step of an admitted session.

        Raises:
            Overloaded: the pool is closed.

        """
        with self._changed:
            if self._is_closed:
                raise Overloaded
            self._put(job)
            self._changed.notify()

    def cancel_unfinished(self, job: Job) -> None:
        """Remove a job whose caller has stopped waiting; no effect on a finished job."""
        with self._changed:
            if not job.is_finished:
                job.is_abandoned = True
                self._metrics.abandoned.inc()
                self._remove(job)

    def replace_hanging_threads(self) -> float:
        """Replace threads whose engine does not return; return the time that the queued audio takes (s)."""
        with self._changed:
            for thread, since in list(self._busy_since.items()):
                if time.monotonic() - since > self._hang_s and self._n_replaced < MAX_REPLACED_THREADS:
                    log.error("speech: an engine does not return, its thread is replaced")
                    self._n_replaced += 1
                    del self._busy_since[thread]
                    self._add_thread()
            return self._queue.queued_s / self._rate

    def record_speed(self, audio_s: float, thread_s: float) -> None:
        """Update the measured rate by one call of an engine."""
        with self._changed:
            self._audio_s = RATE_DECAY * self._audio_s + audio_s
            self._thread_s = RATE_DECAY * self._thread_s + thread_s

    # --- Under the lock -------------------------------------------------------------------------------------------------------------

    @property
    def _rate(self) -> float:
        """Audio seconds that all threads together decode in a second."""
        return self._n_threads * self._audio_s / self._thread_s

    def _check_admission(self, client: str, audio_s: float) -> None:
        retry_after_s = self._admission.retry_after_s(self._queue, audio_s=audio_s, client=client, rate=self._rate)
        if retry_after_s is not None or self._is_closed:
            self._metrics.rejected.labels("full").inc()
            raise Overloaded(retry_after_s or 0.0)

    def _put(self, job: Job) -> None:
        self._queue.put(job)
        self._metrics.queue.set(self._queue.queued_s)

    def _remove(self, job: Job) -> None:
        self._queue.remove(job)
        self._metrics.queue.set(self._queue.queued_s)

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="recognise", daemon=True)
        self._busy_since[thread] = math.inf
        thread.start()

    def _wait_for_job(self) -> bool:
        """Wait for a job; return False if memory is to be released first, or the pool is closed."""
        while not self._is_closed and time.monotonic() - self._unreleased_since < MAX_RELEASE_INTERVAL_S:
            if len(self._queue):
                return True
            if not self._changed.wait(IDLE_BEFORE_RELEASE_S if self._unreleased_since < math.inf else None):
                break
        self._unreleased_since = math.inf
        return False

    def _next_batch(self) -> list[Job]:
        """Dequeue the next job and the following ones that fit into one call with it, without waiting for more."""
        jobs: list[Job] = []
        while job := self._queue.peek(max_delay_s=self._admission.max_delay_s, n_threads=self._n_threads):
            if jobs and not _can_join(job, jobs):
                break
            self._queue.start(job)
            jobs.append(job)
        self._metrics.queue.set(self._queue.queued_s)
        return jobs

    # --- On the pool's threads ------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        """Decode batch after batch; a replaced thread ends when its engine returns."""
        thread = threading.current_thread()
        while True:
            with self._changed:
                has_job = self._wait_for_job()
                if self._is_closed or thread not in self._busy_since:
                    return
                jobs = self._next_batch() if has_job else []
                self._busy_since[thread] = time.monotonic() if has_job else math.inf
            if not has_job:
                self._release_memory()
                continue
            self._decode(jobs)
            with self._changed:
                if thread not in self._busy_since:
                    return
                self._busy_since[thread] = math.inf
                self._unreleased_since = min(self._unreleased_since, time.monotonic())
                for job in jobs:
                    if job.is_finished or job.is_abandoned or self._is_closed:
                        self._remove(job)
                    else:
                        self._put(job)


def _can_join(job: Job, batch: Sequence[Job]) -> bool:
    first = batch[0]
    return job.engine is first.engine and len(batch) < job.engine.max_batch and job.engine.can_batch(first.remaining_s, job.remaining_s)
