"""Schedule jobs: FIFO per client, start-time fair queuing between clients, no starvation; and admission to the queue."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain, takewhile

from voice.asr.engine import AsrEngine, DecodeJob
from voice.asr.waveform import SAMPLE_RATE, Waveform

# Delay after which a job precedes all others, in multiples of a full queue; 1 would make the queue plain FIFO.
MAX_DELAY_SHARE = 1.2
# Greatest length of the queue, in multiples of its nominal length. The last 10 % are kept for clients that have nothing queued. At ten
# times the capacity the slowest reply takes 1.4 times a full queue.
MAX_LENGTH_SHARE = 1.1


@dataclass(eq=False, slots=True)
class Job:
    """A client's clip, or a step of its streaming session, in the queue."""

    waveform: Waveform
    client: str
    languages: Sequence[str]  # candidates; empty: any
    phrases: Sequence[str]
    words: bool
    engine: AsrEngine
    arrived_at: float  # monotonic, s
    on_finished: Callable[[BaseException | None], None]  # called from any thread, with the error if there is one
    n_best: bool = False  # hypotheses are wanted, to be rescored
    is_urgent: Callable[[], bool] = lambda: False  # precedes its client's other jobs; evaluated whenever a thread is free
    remaining_s: float = field(init=False)  # audio still to be decoded
    dequeued_s_at_arrival: float = -1.0  # audio that the queue had dequeued when the job was first enqueued; negative: not enqueued yet
    started_at: float = 0.0  # monotonic, s; 0: no piece was decoded yet
    decode_job: DecodeJob | None = None  # None: voice activity was not detected yet
    vietnamese_job: DecodeJob | None = None  # result of the Vietnamese engine for a clip rerouted to Whisper
    is_finished: bool = False
    is_abandoned: bool = False

    def __post_init__(self) -> None:
        """Set the remaining audio to the whole clip."""
        self.remaining_s = len(self.waveform) / SAMPLE_RATE

    def finish(self, error: BaseException | None = None) -> None:
        """Notify the caller that the job is done, or failed."""
        self.is_finished = True
        self.on_finished(error)


class FairQueue:
    """A queue that is FIFO per client and fair between clients by audio seconds; overdue jobs come first. Not thread-safe.

    Source: start-time fair queuing (Goyal, Vin, Cheng 1996), with audio seconds as the cost.
    """

    def __init__(self) -> None:
        self._queued_s = 0.0
        self._remainders_s: dict[Job, float] = {}  # by job: audio after the piece in progress
        self._queues: dict[str, deque[Job]] = {}  # by client
        self._finish_tags_s: dict[str, float] = {}  # by client: virtual time up to which it was served
        self._virtual_time_s = 0.0
        self._dequeued_s = 0.0  # audio, of all clients

    def __len__(self) -> int:
        """Count the queued jobs."""
        return sum(map(len, self._queues.values()))

    @property
    def queued_s(self) -> float:
        """Queued audio, including the remainders of jobs in progress."""
        return self._queued_s + sum(self._remainders_s.values())

    def put(self, job: Job) -> None:
        """Enqueue a job; a started job precedes its client's others, behind those started earlier."""
        self._remainders_s.pop(job, None)
        queue = self._queues.setdefault(job.client, deque())
        if not queue:
            # An idle client accumulates no credit.
            self._finish_tags_s[job.client] = max(self._finish_tags_s.get(job.client, 0.0), self._virtual_time_s)
        if job.started_at:
            queue.insert(sum(1 for _ in takewhile(lambda other: other.started_at, queue)), job)
        else:
            queue.append(job)
        if job.dequeued_s_at_arrival < 0:
            job.dequeued_s_at_arrival = self._dequeued_s
        self._queued_s += job.remaining_s

    def peek(self, *, max_delay_s: float = math.inf, n_threads: int = 1) -> Job | None:
        """Return the next job; None if the queue is empty.

        A job that `n_threads` threads would not finish within `max_delay_s` audio seconds of its arrival precedes all others, urgent ones
        too. The clock is the audio dequeued: a temporarily slow machine must not make jobs overdue.
        """
        if not self._queues:
            return None
        latest = min(chain(*self._queues.values()), key=lambda job: job.dequeued_s_at_arrival - n_threads * job.remaining_s)
        if self._dequeued_s - latest.dequeued_s_at_arrival + n_threads * latest.remaining_s > max_delay_s:
            return latest
        queue = self._queues[min(self._queues, key=lambda client: self._finish_tags_s[client])]
        return next((job for job in queue if job.is_urgent()), queue[0])

    def queued_s_of(self, client: str) -> float:
        """Return the queued audio (s) of a client, remainders included."""
        remainders_s = sum(remainder_s for job, remainder_s in self._remainders_s.items() if job.client == client)
        return remainders_s + sum(job.remaining_s for job in self._queues.get(client, ()))

    def n_clients(self) -> int:
        """Count the clients with queued audio."""
        return len(self._queues.keys() | {job.client for job in self._remainders_s})

    def start(self, job: Job) -> None:
        """Dequeue a job to decode a piece of it; the remainder counts as queued until the job is put back or removed."""
        piece_s = min(job.remaining_s, job.engine.max_piece_s)
        self._virtual_time_s = max(self._virtual_time_s, self._finish_tags_s[job.client])
        self._finish_tags_s[job.client] += piece_s
        self._dequeued_s += piece_s
        self.remove(job)
        if job.remaining_s > piece_s:
            self._remainders_s[job] = job.remaining_s - piece_s

    def remove(self, job: Job) -> None:
        """Remove a job, if it is queued, and its remainder."""
        self._remainders_s.pop(job, None)
        queue = self._queues.get(job.client)
        if queue is None or job not in queue:
            return
        queue.remove(job)
        self._queued_s -= job.remaining_s
        if not queue:
            del self._queues[job.client]
        if not self._queues:
            self._queued_s = 0.0  # drops the rounding errors
            # Clients in service keep their tags; those of idle clients are dropped.
            self._finish_tags_s = {client: tag_s for client, tag_s in self._finish_tags_s.items() if tag_s > self._virtual_time_s}


@dataclass(frozen=True, kw_only=True, slots=True)
class QueueAdmission:
    """The rule that admits jobs to the queue: there must be room, and time until the deadline.

    A client alone may fill the queue; among others it gets an equal share, and room for one clip if it has nothing queued. An empty queue
    admits a clip of any length.
    """

    max_queue_s: float  # audio
    deadline_s: float
    n_threads: int

    def retry_after_s(self, queue: FairQueue, *, audio_s: float, client: str, rate: float) -> float | None:
        """Return the time after which there is room for `audio_s` of a client; None if there is now.

        `rate`: audio seconds that all threads together decode in a second.
        """
        queued_s, own_s = queue.queued_s, queue.queued_s_of(client)
        n_others = queue.n_clients() - (own_s > 0)
        # One thread decodes a clip.
        excess_s = queued_s + self.n_threads * audio_s - min(self.deadline_s * rate, MAX_LENGTH_SHARE * self.max_queue_s)
        if own_s:
            excess_s = max(excess_s, queued_s + audio_s - self.max_queue_s)
        if own_s and n_others:
            # A client's audio is decoded at its share of the rate.
            excess_s = max(excess_s, (1 + n_others) * (own_s + audio_s) - self.max_queue_s)
        return min(excess_s, queued_s) / rate if queued_s and excess_s >= 0 else None

    @property
    def max_delay_s(self) -> float:
        """Delay of a job, in audio seconds, after which it precedes all others."""
        return MAX_DELAY_SHARE * self.max_queue_s
