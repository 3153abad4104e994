"""The queue is FIFO per client, fair between clients, and starves no job."""

import numpy as np
import pytest

from tests.asr.recognisers import FakeEngine
from voice.asr.scheduler import FairQueue, Job, QueueAdmission
from voice.asr.waveform import SAMPLE_RATE


def job(client, seconds, *, started_at=0.0, is_urgent=lambda: False):
    made = Job(
        waveform=np.zeros(int(seconds * SAMPLE_RATE), np.float32),
        client=client,
        languages=("en",),
        phrases=(),
        words=False,
        engine=FakeEngine(),
        arrived_at=0.0,
        on_finished=lambda _: None,
        is_urgent=is_urgent,
    )
    made.started_at = started_at
    return made


def test_the_queue_is_fair_by_audio_seconds_not_by_the_number_of_clips():
    queue = FairQueue()
    for _ in range(4):
        queue.put(job("long", 8.0))
    for _ in range(8):
        queue.put(job("short", 2.0))
    order = []
    while following := queue.peek():
        queue.start(following)
        order.append(following.client)
    assert order[:6].count("short") >= 4
    assert queue.queued_s == 0


def test_an_overdue_job_precedes_the_client_that_was_served_least():
    queue = FairQueue()
    for _ in range(4):
        queue.put(job("busy", 8.0))
    first = queue.peek()
    assert first is not None
    queue.start(first)
    late = job("late", 8.0)
    queue.put(late)
    assert queue.peek() == late
    # Eight seconds were dequeued since the others were enqueued, and each takes eight.
    assert queue.peek(max_delay_s=16.0) == late
    overdue = queue.peek(max_delay_s=15.9)
    assert overdue is not None
    assert overdue.client == "busy"
    long = job("busy", 20.0)
    queue.put(long)
    assert queue.peek(max_delay_s=15.9) == long  # enqueued last, and the last to end
    assert queue.peek(max_delay_s=20.0) == late
    assert queue.peek(max_delay_s=20.0, n_threads=2) == long
    queue.remove(long)
    assert queue.peek(max_delay_s=23.9, n_threads=2) == overdue  # while one thread decodes it the other one decodes as much
    assert (queue.queued_s_of("busy"), queue.queued_s_of("late"), queue.queued_s_of("nobody"), queue.n_clients()) == (24.0, 8.0, 0, 2)


def test_the_remainder_of_a_job_that_is_being_decoded_counts_as_queued():
    queue = FairQueue()
    long = job("long", 25.0)
    queue.put(long)
    queue.start(long)
    assert (len(queue), queue.queued_s, queue.queued_s_of("long"), queue.queued_s_of("other"), queue.n_clients()) == (0, 15.0, 15.0, 0, 1)
    long.remaining_s = 15.0
    queue.put(long)
    assert (len(queue), queue.queued_s, queue.n_clients()) == (1, 15.0, 1)
    queue.start(long)
    queue.remove(long)  # cancelled
    assert (queue.queued_s, queue.n_clients()) == (0, 0)


def test_an_idle_client_accumulates_no_credit():
    queue = FairQueue()
    for _ in range(50):
        queue.put(job("busy", 2.0))
    for _ in range(20):
        served = queue.peek()
        assert served is not None
        queue.start(served)
    for _ in range(50):
        queue.put(job("late", 2.0))
    order = []
    for _ in range(10):
        following = queue.peek()
        assert following is not None
        queue.start(following)
        order.append(following.client)
    assert 4 <= order.count("busy") <= 6


def dequeued(queue):
    order = []
    while following := queue.peek():
        queue.start(following)
        order.append(following)
    return order


def test_started_jobs_precede_the_clients_others_in_their_order():
    queue = FairQueue()
    clip, first, second = (job("one", 1.0, started_at=started_at) for started_at in (0.0, 1.0, 1.0))
    for each in (clip, first, second):
        queue.put(each)
    assert dequeued(queue) == [first, second, clip]


def test_an_urgent_job_precedes_its_clients_others():
    queue, urgent = FairQueue(), set()
    jobs = [job("one", 1.0, started_at=1.0, is_urgent=lambda number=number: number in urgent) for number in range(3)]
    for each in jobs:
        queue.put(each)
    urgent.add(2)
    assert dequeued(queue) == [jobs[2], jobs[0], jobs[1]]


def test_admission_tells_when_the_excess_of_a_client_is_decoded():
    queue, admission = FairQueue(), QueueAdmission(max_queue_s=10.0, deadline_s=60.0, n_threads=1)
    assert admission.retry_after_s(queue, audio_s=100.0, client="a", rate=2.0) is None  # the queue is empty
    queue.put(job("a", 8.0))
    assert admission.retry_after_s(queue, audio_s=1.0, client="a", rate=2.0) is None
    assert admission.retry_after_s(queue, audio_s=6.0, client="a", rate=2.0) == pytest.approx(2.0)
    assert admission.retry_after_s(queue, audio_s=2.5, client="b", rate=2.0) is None  # up to 1.1 times the queue
