"""Rate limits: fixed windows in Redis through slowapi's limiter, or in memory.

Each limit is parsed once and counted directly: slowapi's decorator costs 16 us of a request's 50, a direct hit 2 us. If the shared storage
fails or is slow, the process counts in memory and tries the storage again later.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from limits import RateLimitItem, parse
from limits.strategies import FixedWindowRateLimiter
from prometheus_client import CollectorRegistry, Counter
from redis.backoff import NoBackoff
from redis.retry import Retry
from slowapi import Limiter

from errors import RateLimited

log = logging.getLogger("voice.limits")

# A healthy storage answers in a millisecond; a hanging one delays a request by at most this.
STORAGE_TIMEOUT_S = 0.15
# Pause after a failure of the storage; it doubles with each further failure, up to MAX_RETRY_S.
RETRY_S, MAX_RETRY_S = 1.0, 30.0
# The storage's client blocks, so it runs in threads; more threads would only queue in the storage.
STORAGE_THREADS = 8

Key = tuple[str, str]  # the name of a limit, and the client or the address that it counts


class FixedWindows:
    """Fixed windows in memory, on a monotonic clock.

    The memory storage of `limits` depends on the wall clock (a jump back by a day locks callers out for a day), starts a thread for each
    sweep and stalls for over a millisecond at 100,000 keys. Here windows of one length are stored in the order of their ends, and each new
    window removes at most two expired ones.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.counts: dict[Key, list[float]] = {}  # key -> [hits, end of the window]
        self.order: dict[int, dict[Key, None]] = {}  # length in seconds -> keys, in the order of their windows' ends

    def hit(self, key: Key, window_s: int, max_hits: int) -> float | None:
        """Count a hit; the first hit opens a window. Return the seconds until the window ends if it is full, else None."""
        now = self.clock()
        window = self.counts.get(key)
        if window is None or window[1] <= now:
            keys = self.order.setdefault(window_s, {})
            keys.pop(key, None)
            for oldest in tuple(itertools.islice(keys, 2)):
                if self.counts[oldest][1] <= now:
                    del keys[oldest], self.counts[oldest]
            keys[key] = None
            self.counts[key] = window = [0, now + window_s]
        window[0] += 1
        return None if window[0] <= max_hits else window[1] - now


class RateLimiter:
    """Counts requests against named limits in shared storage; without it or while it fails, in this process."""

    def __init__(
        self,
        limits: Mapping[str, str],
        storage_uri: str = "memory://",
        registry: CollectorRegistry | None = None,
        processes: int = 1,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`limits`: name -> a limit like "600/minute". `storage_uri`: memory:// or redis://. `processes`: divide the limits in memory."""
        self.limits: dict[str, RateLimitItem] = {name: parse(limit) for name, limit in limits.items()}
        # (seconds, hits): this process's share of each limit, rounded down, but at least 1.
        self.local_limits = {name: (limit.get_expiry(), max(1, limit.amount // processes)) for name, limit in self.limits.items()}
        self.rejected = Counter("voice_http_rate_limited", "Requests rejected by a rate limit.", ["limit"], registry=registry)
        self.clock = clock
        self.local = FixedWindows(clock)
        self.shared: FixedWindowRateLimiter | None = None
        self.threads: ThreadPoolExecutor | None = None
        self.storage_down_until_s = 0.0  # on the clock
        self.retry_s = RETRY_S
        if not storage_uri.startswith("memory://"):
            # slowapi builds storage and strategy. Its own fallback stays off: only slowapi's decorator, unused here, calls it.
            options: Any = {
                "socket_timeout": STORAGE_TIMEOUT_S,
                "socket_connect_timeout": STORAGE_TIMEOUT_S,
                "retry": Retry(NoBackoff(), 0),  # the client's own retries would multiply the timeout
            }
            limiter = Limiter(key_func=str, strategy="fixed-window", storage_uri=storage_uri, storage_options=options)
            self.shared = cast("FixedWindowRateLimiter", limiter.limiter)
            self.threads = ThreadPoolExecutor(STORAGE_THREADS, thread_name_prefix="limits")

    async def hit(self, name: str, key: str) -> None:
        """Count one request of `key` against the limit `name`.

        Raises:
            RateLimited: the window is full.

        """
        if self.shared is None or self.clock() < self.storage_down_until_s:
            wait_s = self.local.hit((name, key), *self.local_limits[name])
        else:
            wait_s = await asyncio.get_running_loop().run_in_executor(self.threads, self._hit_shared, self.shared, name, key)
        if wait_s is not None:
            self.rejected.labels(name).inc()
            raise RateLimited(wait_s)

    def _hit_shared(self, shared: FixedWindowRateLimiter, name: str, key: str) -> float | None:
        """Count in the shared storage, or in this process if that fails; return the seconds until the window ends if it is full."""
        if self.clock() >= self.storage_down_until_s:  # the storage may have failed while this call waited for a thread
            limit = self.limits[name]
            try:
                wait_s = None if shared.hit(limit, name, key) else shared.get_window_stats(limit, name, key).reset_time - time.time()
            except Exception as error:  # noqa: BLE001 - no failure of the storage may fail a request
                self.storage_down_until_s = self.clock() + self.retry_s
                log.warning("rate limit storage failed, counting in memory for %.0f s: %s", self.retry_s, type(error).__name__)
                self.retry_s = min(2 * self.retry_s, MAX_RETRY_S)
            else:
                self.retry_s = RETRY_S
                return wait_s if wait_s is None else wait_s + 1  # Redis rounds the rest of a window to whole seconds
        return self.local.hit((name, key), *self.local_limits[name])

    def close(self) -> None:
        """Stop the storage's threads."""
        if self.threads is not None:
            self.threads.shutdown(wait=False, cancel_futures=True)
