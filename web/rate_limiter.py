"""Count requests against limits: slowapi's limiter and strategies, each limit parsed once and hit directly.

slowapi's decorator costs 16 us a request, a direct hit 2 us; what it would have done beyond that is done here: a shared storage that is
away, slow or silent is left alone for a while, and each process counts for itself meanwhile.
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

# A healthy storage answers in a millisecond; a hanging one costs a request at most this before this process counts for itself.
STORAGE_TIMEOUT_S = 0.15
# A storage that failed is asked again after this, then after twice as long, up to the second figure.
RETRY_S, MAX_RETRY_S = 1.0, 30.0
# The storage's client blocks, so it waits off the event loop. More threads than this only queue inside the storage.
STORAGE_THREADS = 8

Key = tuple[str, str]  # a limit's name, and who counts against it


class Windows:
    """Fixed windows in memory, on a clock that nobody can set.

    limits' own memory storage lives by the wall clock (a day's jump back shuts callers out for a day), starts a thread for each sweep and
    stalls for over a millisecond at 100,000 keys. Here windows of one length stand in the order in which they end, so that each new one
    clears away at most two that ended.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.counts: dict[Key, list[float]] = {}  # key -> [hits, end of the window]
        self.order: dict[int, dict[Key, None]] = {}  # length in seconds -> its keys, the window that ends first is first

    def hit(self, key: Key, expiry_s: int, amount: int) -> float | None:
        """Count a hit, of which the first opens a window; return the seconds until it ends where `amount` were counted before."""
        now = self.clock()
        window = self.counts.get(key)
        if window is None or window[1] <= now:
            keys = self.order.setdefault(expiry_s, {})
            keys.pop(key, None)
            for oldest in tuple(itertools.islice(keys, 2)):
                if self.counts[oldest][1] <= now:
                    del keys[oldest], self.counts[oldest]
            keys[key] = None
            self.counts[key] = window = [0, now + expiry_s]
        window[0] += 1
        return None if window[0] <= amount else window[1] - now


class RateLimiter:
    """Limits by name, counted in shared storage where there is one, else, or while that is away, in this process."""

    def __init__(
        self, limits: Mapping[str, str], storage_uri: str = "memory://", registry: CollectorRegistry | None = None, processes: int = 1
    ) -> None:
        """`limits`: a name to a limit like "600/minute"; `storage_uri`: memory:// or redis://; `processes` divide the limits in memory."""
        self.limits: dict[str, RateLimitItem] = {name: parse(limit) for name, limit in limits.items()}
        # Of this process. Rounded down, so that the sum never exceeds the limit; while Redis is away one request is always allowed.
        self.bounds = {name: (limit.get_expiry(), max(1, limit.amount // processes)) for name, limit in self.limits.items()}
        self.refused = Counter("voice_http_rate_limited", "Requests refused by a rate limit.", ["limit"], registry=registry)
        self.local = Windows()
        self.shared: FixedWindowRateLimiter | None = None
        self.threads: ThreadPoolExecutor | None = None
        self.away_until = 0.0
        self.retry_s = RETRY_S
        if not storage_uri.startswith("memory://"):
            # Storage and strategy are slowapi's to build. Its own fallback stays off: it is wired to the decorator that is not used.
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
        if self.shared is None or time.monotonic() < self.away_until:
            wait_s = self.local.hit((name, key), *self.bounds[name])
        else:
            wait_s = await asyncio.get_running_loop().run_in_executor(self.threads, self._hit_shared, self.shared, name, key)
        if wait_s is not None:
            self.refused.labels(name).inc()
            raise RateLimited(wait_s)

    def _hit_shared(self, shared: FixedWindowRateLimiter, name: str, key: str) -> float | None:
        """Count in the shared storage, in this process when that fails; return the seconds until the window ends where it is full."""
        if time.monotonic() >= self.away_until:  # it may have gone away while this waited for a thread
            limit = self.limits[name]
            try:
                wait_s = None if shared.hit(limit, name, key) else shared.get_window_stats(limit, name, key).reset_time - time.time()
            except Exception as error:  # noqa: BLE001 - whatever ails the storage, requests go on
                self.away_until = time.monotonic() + self.retry_s
                log.warning("the rate limits' storage is away, counting here for %.0f s: %s", self.retry_s, type(error).__name__)
                self.retry_s = min(2 * self.retry_s, MAX_RETRY_S)
            else:
                self.retry_s = RETRY_S
                return wait_s if wait_s is None else wait_s + 1  # Redis rounds what is left of a window to whole seconds
        return self.local.hit((name, key), *self.bounds[name])

    def close(self) -> None:
        """Let the storage's threads go."""
        if self.threads is not None:
            self.threads.shutdown(wait=False, cancel_futures=True)
