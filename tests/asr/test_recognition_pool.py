"""Many callers at once, on a fake engine: admission, fairness, batching, failures, and the release of memory."""

import asyncio
import threading

import numpy as np
import pytest

from errors import ApiError, Overloaded
from tests.asr.recognisers import recogniser_with, speech, transcribe, until

pytestmark = pytest.mark.anyio


def call(recogniser, seconds=2.0, **fields):
    return asyncio.ensure_future(transcribe(recogniser, speech(seconds), language="en", **fields))


def queued(recogniser):
    return recogniser.sample("voice_speech_queue_seconds")


def n_started(recogniser):
    """Count the clips whose decoding has started."""
    return recogniser.sample("voice_speech_wait_seconds_count")


async def test_the_event_loop_is_not_blocked_while_an_engine_decodes(engine, start_recogniser):
    recogniser = start_recogniser()
    engine.released.clear()
    work = call(recogniser)
    for _ in range(20):
        await asyncio.sleep(0.005)
    assert not work.done()
    engine.released.set()
    assert (await work)["text"] == "decoded"


async def test_a_full_queue_rejects_at_once_with_a_time_to_retry(engine, start_recogniser):
    recogniser = start_recogniser(queue_s=10.0)
    engine.released.clear()
    accepted = [call(recogniser, 4.0)]
    await until(lambda: n_started(recogniser) == 1)
    accepted += [call(recogniser, 4.0), call(recogniser, 4.0)]
    await until(lambda: queued(recogniser) == 8.0)
    with pytest.raises(Overloaded) as rejection:
        await call(recogniser, 4.0)
    assert int(rejection.value.headers["Retry-After"]) >= 1
    engine.released.set()
    assert [(await work)["text"] for work in accepted] == ["decoded"] * 3
    assert (await call(recogniser, 4.0))["text"] == "decoded"
    assert queued(recogniser) == 0


async def occupy(recogniser, **fields):
    """Start the decoding of a clip, which ends when the engine is released."""
    work = call(recogniser, **fields)
    await until(lambda: n_started(recogniser) == 1)
    return work


async def test_the_time_to_retry_is_the_time_in_which_the_excess_is_decoded(engine, start_recogniser):
    recogniser = start_recogniser(queue_s=10.0, initial_rate=2.0)
    engine.released.clear()
    calls = [await occupy(recogniser), call(recogniser, 8.0)]
    await until(lambda: queued(recogniser) == 8.0)
    with pytest.raises(Overloaded) as rejection:
        await call(recogniser, 6.0)
    assert rejection.value.headers["Retry-After"] == "2"  # four seconds too many
    engine.released.set()
    await asyncio.gather(*calls)


async def test_a_clip_that_cannot_be_decoded_by_the_deadline_is_rejected_at_once(engine, start_recogniser):
    recogniser = start_recogniser(deadline_s=10.0, initial_rate=1.0)
    engine.released.clear()
    calls = [await occupy(recogniser), call(recogniser, 6.0)]
    await until(lambda: queued(recogniser) == 6.0)
    with pytest.raises(Overloaded):
        await call(recogniser, 6.0)
    calls.append(call(recogniser, 2.0))
    await until(lambda: queued(recogniser) == 8.0)
    engine.released.set()
    await asyncio.gather(*calls)


async def test_a_clip_that_would_end_too_late_is_rejected_even_if_the_queue_has_room(engine, start_recogniser):
    recogniser = start_recogniser(queue_s=20.0, threads=2)
    engine.released.clear()
    calls = [call(recogniser), call(recogniser)]
    await until(lambda: n_started(recogniser) == 2)
    calls.append(call(recogniser, 9.0))
    await until(lambda: queued(recogniser) == 9.0)
    with pytest.raises(Overloaded):
        await call(recogniser, 8.0)  # on one thread of two it takes as long as sixteen more, after the queue's nine
    calls.append(call(recogniser, 6.0))
    await until(lambda: queued(recogniser) == 15.0)
    engine.released.set()
    await asyncio.gather(*calls)


async def test_the_time_to_retry_is_at_most_the_time_that_the_queue_takes(engine, start_recogniser):
    recogniser = start_recogniser(queue_s=10.0, initial_rate=1.0)
    engine.released.clear()
    calls = [await occupy(recogniser), call(recogniser, 4.0)]
    await until(lambda: queued(recogniser) == 4.0)
    with pytest.raises(Overloaded) as rejection:
        await call(recogniser, 60.0)  # it never fits, but an empty queue admits it
    assert rejection.value.headers["Retry-After"] == "4"
    engine.released.set()
    await asyncio.gather(*calls)


async def test_a_full_queue_admits_one_clip_of_a_client_that_has_none_in_it(engine, start_recogniser):
    recogniser = start_recogniser(queue_s=10.0)
    engine.released.clear()
    calls = [await occupy(recogniser, client="a"), call(recogniser, 9.0, client="a")]
    await until(lambda: queued(recogniser) == 9.0)
    calls.append(call(recogniser, 1.5, client="b"))
    await until(lambda: queued(recogniser) == 10.5)
    for client in ("a", "b"):
        with pytest.raises(Overloaded):
            await call(recogniser, 1.0, client=client)
    engine.released.set()
    await asyncio.gather(*calls)


async def test_a_client_has_an_equal_share_of_a_queue_that_others_use(engine, start_recogniser):
    recogniser = start_recogniser(queue_s=20.0)
    engine.released.clear()
    calls = [await occupy(recogniser, client="a"), call(recogniser, 4.0, client="a"), call(recogniser, 4.0, client="b")]
    await until(lambda: queued(recogniser) == 8.0)
    with pytest.raises(Overloaded):
        await call(recogniser, 7.0, client="a")
    calls.append(call(recogniser, 5.0, client="a"))
    await until(lambda: queued(recogniser) == 13.0)
    engine.released.set()
    await asyncio.gather(*calls)


async def test_a_full_queue_rejects_before_the_audio_is_decoded(engine, start_recogniser):
    recogniser = start_recogniser(queue_s=4.0)
    engine.released.clear()
    calls = [await occupy(recogniser), call(recogniser, 3.9)]
    await until(lambda: queued(recogniser) == 3.9)
    with pytest.raises(Overloaded):
        await recogniser.transcribe(b"OggS" + b"no audio at all " * 10_000, language="en")
    engine.released.set()
    await asyncio.gather(*calls)


async def test_an_empty_queue_admits_a_clip_longer_than_itself(start_recogniser):
    assert (await call(start_recogniser(queue_s=1.0), 3.0))["text"] == "decoded"


async def test_a_client_that_floods_the_queue_does_not_delay_another(engine, start_recogniser):
    recogniser = start_recogniser()
    engine.released.clear()
    flood = [call(recogniser, client="a", phrases=("a",)) for _ in range(8)]
    await until(lambda: queued(recogniser) >= 14)
    other = call(recogniser, client="b", phrases=("b",))
    await until(lambda: queued(recogniser) >= 16)
    engine.released.set()
    await asyncio.gather(*flood, other)
    assert engine.calls.index([("b",)]) <= 2


async def test_other_clients_are_served_between_the_pieces_of_a_long_clip(engine, start_recogniser):
    recogniser = start_recogniser()
    engine.released.clear()
    long = call(recogniser, 60.0, client="a", phrases=("a",))
    await until(lambda: n_started(recogniser) == 1)
    short = call(recogniser, client="b", phrases=("b",))
    await until(lambda: queued(recogniser) >= 2)
    engine.released.set()
    await asyncio.gather(long, short)
    assert len(engine.calls) >= 7
    assert engine.calls.index([("b",)]) <= 2


async def test_a_cancelled_request_leaves_the_queue(engine, start_recogniser):
    recogniser = start_recogniser()
    engine.released.clear()
    started = call(recogniser, 30.0, phrases=("started",))
    await until(lambda: n_started(recogniser) == 1)
    waiting = call(recogniser, phrases=("waiting",))
    await until(lambda: queued(recogniser) == 20.0 + 2.0)  # the remainder behind the first piece, and the other clip
    for work in (started, waiting):
        work.cancel()
    await asyncio.gather(started, waiting, return_exceptions=True)
    assert queued(recogniser) == 0
    engine.released.set()
    assert (await call(recogniser, phrases=("after",)))["text"] == "decoded"
    assert engine.calls == [[("started",)], [("after",)]]  # one piece of the long clip, none of the waiting one
    assert recogniser.sample("voice_speech_abandoned_total") == 2


async def test_a_clip_fails_at_its_deadline_and_a_hanging_thread_is_replaced(engine, start_recogniser):
    hang = threading.Event()
    engine.on_job = lambda job: job.phrases == ("hang",) and hang.wait(20)

    recogniser = start_recogniser(deadline_s=0.4, hang_s=0.1)
    with pytest.raises(Overloaded):
        await call(recogniser, phrases=("hang",))
    assert (await call(recogniser))["text"] == "decoded"
    hang.set()


async def test_an_exception_of_the_engine_fails_only_the_job_that_caused_it(engine, start_recogniser):
    def fail(job):
        if job.phrases == ("bad",):
            message = "secret message of the engine"
            raise RuntimeError(message)

    engine.on_job, engine.max_batch = fail, 3
    recogniser = start_recogniser()
    engine.released.clear()
    first = call(recogniser)
    await until(lambda: n_started(recogniser) == 1)
    together = [call(recogniser), call(recogniser, phrases=("bad",)), call(recogniser)]
    await until(lambda: queued(recogniser) == 6.0)
    engine.released.set()
    good, bad, fine = await asyncio.gather(*together, return_exceptions=True)
    assert not isinstance(good, BaseException)
    assert not isinstance(fine, BaseException)
    assert (await first)["text"] == good["text"] == fine["text"] == "decoded"
    assert type(bad) is ApiError
    assert "secret" not in str(bad)


async def test_a_confidence_that_is_not_a_number_becomes_null(engine, start_recogniser):
    recogniser = start_recogniser()
    engine.on_job = lambda job: job.segments.append({"start_s": 0, "end_s": 1, "text": "x", "confidence": float("nan")})
    assert (await call(recogniser))["segments"][0]["confidence"] is None


async def test_clips_are_rejected_before_the_models_are_loaded_and_after_close(engine, start_recogniser):
    with pytest.raises(Overloaded):
        await transcribe(recogniser_with(), speech(1.0), language="en")

    recogniser = start_recogniser()
    engine.released.clear()
    first = call(recogniser)
    await until(lambda: n_started(recogniser) == 1)
    waiting = call(recogniser)
    await until(lambda: queued(recogniser) == 2.0)
    closing = asyncio.ensure_future(asyncio.to_thread(recogniser.close))
    with pytest.raises(Overloaded):
        await waiting
    engine.released.set()
    await closing
    assert (await first)["text"] == "decoded"


async def test_random_cancellations_leak_no_job_and_no_thread(start_recogniser):
    recogniser = start_recogniser(threads=2)
    generator = np.random.default_rng(1)
    threads = threading.active_count()
    for _ in range(10):
        calls = [call(recogniser, client=str(i % 3)) for i in range(20)]
        await asyncio.sleep(float(generator.uniform(0, 0.05)))
        for work in calls:
            if generator.random() < 0.5:
                work.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert (await call(recogniser))["text"] == "decoded"
    await until(lambda: queued(recogniser) == 0)
    assert threading.active_count() <= threads + 2  # the executor's


async def test_freed_memory_is_released_once_after_each_time_that_the_pool_was_busy(start_recogniser):
    releases = []

    recogniser = start_recogniser(release_memory=lambda: releases.append(1))
    for n_releases in (1, 2):
        await call(recogniser)
        await until(lambda n_releases=n_releases: len(releases) == n_releases)
    assert (await call(recogniser))["text"] == "decoded"
