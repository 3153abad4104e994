import asyncio
import contextlib
import time
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry
from pydantic import ValidationError

from errors import RateLimited
from settings import Settings
from tests.clock import Clock
from web.rate_limiter import MAX_RETRY_S, FixedWindows, RateLimiter

pytestmark = pytest.mark.anyio

MENUS = "/api/v1/voice/menus"
A, B, C = (("requests", client) for client in "abc")


@pytest.fixture
def clock():
    return Clock(1000.0)


@pytest.fixture
def windows(clock):
    return FixedWindows(clock)


async def passed(limiter: RateLimiter, n: int, key: str = "demo") -> int:
    """Send `n` requests at once and return how many were let through."""
    outcomes = await asyncio.gather(*(limiter.hit("requests", key) for _ in range(n)), return_exceptions=True)
    assert all(outcome is None or isinstance(outcome, RateLimited) for outcome in outcomes)
    return outcomes.count(None)


async def wait_of(limiter: RateLimiter, key: str = "demo") -> int:
    with pytest.raises(RateLimited) as refused:
        await limiter.hit("requests", key)
    return int(refused.value.headers["Retry-After"])


# --- Windows in memory --------------------------------------------------------------------------------------------------------------


def test_a_window_counts_until_it_ends(windows, clock):
    assert [windows.hit(A, 60, 3) for _ in range(4)] == [None, None, None, 60]
    clock.now += 59
    assert windows.hit(A, 60, 3) == 1
    clock.now += 1
    assert windows.hit(A, 60, 3) is None


def test_windows_do_not_depend_on_the_wall_clock():
    assert FixedWindows().clock is time.monotonic
    assert RateLimiter({"requests": "1/minute"}).local.clock is time.monotonic


def test_new_windows_remove_ended_ones(windows, clock):
    for key in range(1000):
        windows.hit(("requests", f"a{key}"), 60, 1)
    windows.hit(("requests", "long"), 3600, 1)
    clock.now += 60
    for key in range(600):
        windows.hit(("requests", f"b{key}"), 60, 1)
    assert len(windows.counts) == 601
    assert {key for keys in windows.order.values() for key in keys} == set(windows.counts)
    assert windows.hit(("requests", "long"), 3600, 1) == 3540


def test_a_renewed_window_is_removed_only_after_its_new_end(windows, clock):
    windows.hit(A, 60, 1)
    clock.now += 30
    windows.hit(B, 60, 1)
    clock.now += 30
    windows.hit(A, 60, 1)
    clock.now += 30
    windows.hit(C, 60, 1)
    assert set(windows.counts) == {A, C}
    assert windows.hit(A, 60, 1) == 30


# --- The limiter --------------------------------------------------------------------------------------------------------------------


async def test_exactly_the_limit_passes(valkey):
    for uri in ("memory://", valkey.url):
        limiter = RateLimiter({"requests": "20/minute"}, uri)
        assert await passed(limiter, 50) == 20
        assert await passed(limiter, 5, "another") == 5
        limiter.close()


async def test_two_limits_count_apart():
    limiter = RateLimiter({"requests": "1/minute", "speech": "1/minute"})
    await limiter.hit("requests", "demo")
    await limiter.hit("speech", "demo")
    assert 58 <= await wait_of(limiter) <= 60


async def test_rejected_requests_are_counted():
    registry = CollectorRegistry()
    limiter = RateLimiter({"requests": "1/minute", "speech": "1/minute"}, registry=registry)
    assert await passed(limiter, 3) == 1
    assert registry.get_sample_value("voice_http_rate_limited_total", {"limit": "requests"}) == 2


async def test_the_next_request_passes_after_retry_after(valkey):
    for uri in ("memory://", valkey.url):
        limiter = RateLimiter({"requests": "1/2second"}, uri)
        await limiter.hit("requests", "demo")
        await asyncio.sleep(0.6)  # a storage that rounds what is left down says 1 s now
        wait_s = await wait_of(limiter)
        assert wait_s in (1, 2, 3)
        await asyncio.sleep(wait_s)
        await limiter.hit("requests", "demo")
        limiter.close()


async def test_two_processes_share_one_limit(valkey):
    one, other = (RateLimiter({"requests": "20/minute"}, valkey.url) for _ in range(2))
    assert sum(await asyncio.gather(passed(one, 30), passed(other, 30))) == 20
    one.close()
    other.close()


@pytest.mark.parametrize("ailment", ["killed", "frozen", "never there", "flushed"])
async def test_while_the_storage_is_down_requests_are_counted_in_memory_without_blocking(valkey, ailment):
    limiter = RateLimiter({"requests": "10/minute"}, valkey.url)
    if ailment != "never there":
        assert await passed(limiter, 5) == 5
    {"killed": valkey.kill, "never there": valkey.kill, "frozen": valkey.freeze, "flushed": lambda: valkey.ask(b"FLUSHALL\r\n")}[ailment]()
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    ticking = asyncio.ensure_future(tick())
    await asyncio.sleep(0)
    assert await passed(limiter, 30) == 10
    if ailment == "frozen":
        assert ticks > 5  # the loop went on while the storage was silent
    ticking.cancel()
    if ailment == "frozen":
        valkey.thaw()
    limiter.close()


async def test_the_timeout_of_the_storage_is_a_fifth_of_a_second_without_retries(valkey):
    limiter = RateLimiter({"requests": "10/minute"}, valkey.url)
    options = cast("Any", limiter.shared).storage.storage.connection_pool.connection_kwargs
    assert max(options["socket_timeout"], options["socket_connect_timeout"]) <= 0.2
    assert options["retry"].get_retries() == 0
    limiter.close()


async def test_the_storage_is_used_again_after_a_pause(valkey):
    clock = Clock(1000.0)
    limiter = RateLimiter({"requests": "10/minute"}, valkey.url, clock=clock)
    valkey.kill()
    assert await passed(limiter, 10) == 10
    valkey.start()
    assert await passed(limiter, 1) == 0  # the pause lasts
    clock.now += MAX_RETRY_S
    assert await passed(limiter, 11) == 10
    assert b"LIMITS" in valkey.ask(b"KEYS *\r\n")
    limiter.close()


def test_a_malformed_limit_is_rejected():
    with pytest.raises(ValueError, match="couldn't parse"):
        RateLimiter({"requests": "many"})


async def test_processes_that_count_in_memory_divide_a_limit():
    processes = [RateLimiter({"requests": "11/minute"}, processes=4) for _ in range(4)]
    passed = 0
    for process in processes:
        for _ in range(20):
            with contextlib.suppress(RateLimited):
                await process.hit("requests", "a")
                passed += 1
    assert passed == 8


def test_a_limit_that_cannot_be_divided_among_the_workers_stops_the_start():
    with pytest.raises(ValidationError, match="RATE_LIMIT_SPEECH: cannot be divided among 4 workers"):
        Settings(workers=4, rate_limit_speech="3/minute")
    assert Settings(workers=4, rate_limit_speech="3/minute", rate_limit_storage_uri="redis://127.0.0.1:1/0").workers == 4
