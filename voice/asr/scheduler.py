"""Decide whose turn it is: clips that wait to be heard, fair between clients, none for ever."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, takewhile

from voice.asr.audio import SAMPLE_RATE, Waveform
from voice.asr.engine import DecodeJob, Engine


@dataclass(eq=False, slots=True)
class Job:
    """A caller's clip."""

    waveform: Waveform
    client: str
    languages: Sequence[str]  # those that it may be in; empty: any
    phrases: Sequence[str]
    words: bool
    engine: Engine
    arrived: float  # monotonic
    settle: Callable[[BaseException | None], None]  # wakes the caller; from any thread
    seconds: float = 0.0  # of audio still to be heard
    came_s: float = -1.0  # audio seconds that had been taken out of the queue when it came; negative: it has not
    started: float = 0.0  # monotonic; 0: it has not been yet
    hearing: DecodeJob | None = None  # None: nobody has listened whether there is speech
    vietnamese: DecodeJob | None = None  # what the Vietnamese engine heard of a clip that Whisper is asked about
    hurries: Callable[[], bool] = lambda: False  # its client's other jobs should wait for it; asked whenever a turn is free
    finished: bool = False
    abandoned: bool = False

    def __post_init__(self) -> None:
        """All is still to be heard."""
        self.seconds = len(self.waveform) / SAMPLE_RATE

    def finish(self, error: BaseException | None = None) -> None:
        """Give the caller what was heard, or the error."""
        self.finished = True
        self.settle(error)


class FairQueue:
    """First in, first out for each client; between clients, whoever was heard least goes first, and before them what waits too long.

    Source: start-time fair queuing (Goyal, Vin, Cheng 1996), with audio seconds as the cost. Not safe for threads by itself.
    """

    def __init__(self) -> None:
        self._seconds = 0.0  # of the jobs that wait for their turn
        self._rests: dict[Job, float] = {}  # audio seconds that are left of jobs behind the piece that is being heard
        self._waiting: dict[str, deque[Job]] = {}
        self._heard_s: dict[str, float] = {}  # by client, on a common clock
        self._clock_s = 0.0
        self._taken_s = 0.0  # of audio, by all

    def __len__(self) -> int:
        """Count the jobs that wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def seconds(self) -> float:
        """Sum up the audio seconds that wait, the rest of what is being heard among them."""
        return self._seconds + sum(self._rests.values())

    def put(self, job: Job) -> None:
        """Let a job wait; one that is under way goes before its client's others, behind those that are under way too."""
        self._rests.pop(job, None)
        waiting = self._waiting.setdefault(job.client, deque())
        if not waiting:
            # Whoever was away has saved nothing up.
            self._heard_s[job.client] = max(self._heard_s.get(job.client, 0.0), self._clock_s)
        if job.started:
            waiting.insert(sum(1 for _ in takewhile(lambda other: other.started, waiting)), job)
        else:
            waiting.append(job)
        if job.came_s < 0:
            job.came_s = self._taken_s
        self._seconds += job.seconds

    def next(self, *, within_s: float = math.inf, threads: int = 1) -> Job | None:
        """See whose turn it is; a clip is heard by one of so many threads.

        What would not be through by the time that `within_s` of audio were heard since it came does not wait for others any more, whatever
        hurries. Audio is the clock, because a machine that is slow for a while makes nobody less late.
        """
        if not self._waiting:
            return None
        latest = min(chain(*self._waiting.values()), key=lambda job: job.came_s - threads * job.seconds)
        if self._taken_s - latest.came_s + threads * latest.seconds > within_s:
            return latest
        waiting = self._waiting[min(self._waiting, key=lambda client: self._heard_s[client])]
        return next((job for job in waiting if job.hurries()), waiting[0])

    def holds(self, client: str) -> float:
        """Sum up the audio seconds that wait for a client."""
        rests = sum(rest_s for job, rest_s in self._rests.items() if job.client == client)
        return rests + sum(job.seconds for job in self._waiting.get(client, ()))

    def n_clients(self) -> int:
        """Count the clients for whom something waits."""
        return len(self._waiting.keys() | {job.client for job in self._rests})

    def take(self, job: Job) -> None:
        """Take a job out, to be heard for one piece; what is left of it still counts until it is put back or removed."""
        piece_s = min(job.seconds, job.engine.max_piece_s)
        self._clock_s = max(self._clock_s, self._heard_s[job.client])
        self._heard_s[job.client] += piece_s
        self._taken_s += piece_s
        self.remove(job)
        if job.seconds > piece_s:
            self._rests[job] = job.seconds - piece_s

    def remove(self, job: Job) -> None:
        """Take a job out, if it waits, and what is left of it."""
        self._rests.pop(job, None)
        waiting = self._waiting.get(job.client)
        if waiting is None or job not in waiting:
            return
        waiting.remove(job)
        self._seconds -= job.seconds
        if not waiting:
            del self._waiting[job.client]
        if not self._waiting:
            self._seconds = 0.0  # no rounding errors are kept
            # A client that is being heard right now comes back to its own count; a client long gone is forgotten.
            self._heard_s = {client: heard_s for client, heard_s in self._heard_s.items() if heard_s > self._clock_s}
