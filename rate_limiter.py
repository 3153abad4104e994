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
from functools import lru_cache
from typing import cast

from limits import RateLimitItem, parse
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter
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
MAX_KNOWN_KEYS = 4096


class Windows(Storage):
    """Fixed windows in memory, on a clock that nobody can set.

    limits' own memory storage lives by the wall clock (a day's jump back shuts callers out for a day), starts a thread for each sweep and
    stalls for over a millisecond at 100,000 keys. Here windows of one length stand in the order in which they end, so that each new one
    clears away at most two that ended.
    """

    STORAGE_SCHEME = ["windows"]  # noqa: RUF012 - the base class declares it so

    def __init__(self, uri: str | None = None, *, wrap_exceptions: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self.clock = clock
        self.counts: dict[str, list[float]] = {}  # key -> [hits, end of the window]
        self.order: dict[int, dict[str, None]] = {}  # length in seconds -> its keys, the window that ends first is first

    @property
    def base_exceptions(self) -> type[Exception]:
        """Memory has no failures of its own."""
        return MemoryError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count a hit; the first one opens a window of `expiry` seconds."""
        now = self.clock()
        window = self.counts.get(key)
        if window is None or window[1] <= now:
            keys = self.order.setdefault(expiry, {})
            keys.pop(key, None)
            for oldest in tuple(itertools.islice(keys, 2)):
                if self.counts[oldest][1] <= now:
                    del keys[oldest], self.counts[oldest]
            keys[key] = None
            self.counts[key] = window = [0, now + expiry]
        window[0] += amount
        return int(window[0])

    def get(self, key: str) -> int:
        """Return the hits of the present window."""
        hits, end = self.counts.get(key, (0, 0))
        return int(hits) if end > self.clock() else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window ends, as wall time."""
        return time.time() + max(0, self.counts.get(key, (0, 0))[1] - self.clock())

    def check(self) -> bool:
        """Memory is there."""
        return True

    def reset(self) -> int:
        """Forget everything."""
        forgotten = len(self.counts)
        self.counts.clear()
        self.order.clear()
        return forgotten

    def clear(self, key: str) -> None:
        """Forget one key."""
        self.counts.pop(key, None)
        for keys in self.order.values():
            keys.pop(key, None)


class RateLimiter:
    """Limits by name, counted in shared storage where there is one, else, or while that is away, in this process."""

    def __init__(self, limits: Mapping[str, str], storage_uri: str = "memory://") -> None:
        """`limits`: a name to a limit like "600/minute"; `storage_uri`: memory:// or redis://."""
        self.limits: dict[str, RateLimitItem] = {name: parse(limit) for name, limit in limits.items()}
        self.bounds = {name: (limit.get_expiry(), limit.amount) for name, limit in self.limits.items()}
        self.local = self._strategy("windows://", {})
        self.key_of = lru_cache(MAX_KNOWN_KEYS)(lambda name, key: self.limits[name].key_for(name, key))  # half of a hit's cost
        self.shared: FixedWindowRateLimiter | None = None
        self.threads: ThreadPoolExecutor | None = None
        self.away_until = 0.0
        self.retry_s = RETRY_S
        if not storage_uri.startswith("memory://"):
            options = {
                "socket_timeout": STORAGE_TIMEOUT_S,
                "socket_connect_timeout": STORAGE_TIMEOUT_S,
                "retry": Retry(NoBackoff(), 0),  # the client's own retries would multiply the timeout
            }
            self.shared = self._strategy(storage_uri, options)
            self.threads = ThreadPoolExecutor(STORAGE_THREADS, thread_name_prefix="limits")

    @staticmethod
    def _strategy(storage_uri: str, options: Mapping[str, object]) -> FixedWindowRateLimiter:
        """Let slowapi build storage and strategy. Its own fallback stays off: it is wired to the decorator that is not used."""
        limiter = Limiter(
            key_func=str,
            strategy="fixed-window",
            storage_uri=storage_uri,
            storage_options=cast("dict[str, str]", dict(options)),  # slowapi passes them through as they are
        )
        return cast("FixedWindowRateLimiter", limiter.limiter)

    async def hit(self, name: str, key: str) -> None:
        """Count one request of `key` against the limit `name`.

        Raises:
            RateLimited: the window is full.

        """
        if self.shared is None or time.monotonic() < self.away_until:
            wait_s = self._hit(self.local, name, key)
        else:
            wait_s = await asyncio.get_running_loop().run_in_executor(self.threads, self._hit_shared, self.shared, name, key)
        if wait_s is not None:
            raise RateLimited(wait_s)

    def _hit(self, strategy: FixedWindowRateLimiter, name: str, key: str) -> float | None:
        """Count a request; return the seconds until the window ends where it is full."""
        expiry_s, amount = self.bounds[name]
        if strategy.storage.incr(self.key_of(name, key), expiry_s) <= amount:
            return None
        return max(0.0, strategy.get_window_stats(self.limits[name], name, key).reset_time - time.time())

    def _hit_shared(self, shared: FixedWindowRateLimiter, name: str, key: str) -> float | None:
        """Count in the shared storage; in this process when that fails."""
        if time.monotonic() >= self.away_until:  # it may have gone away while this waited for a thread
            try:
                wait_s = self._hit(shared, name, key)
            except Exception as error:  # noqa: BLE001 - whatever ails the storage, requests go on
                self.away_until = time.monotonic() + self.retry_s
                log.warning("the rate limits' storage is away, counting here for %.0f s: %s", self.retry_s, type(error).__name__)
                self.retry_s = min(2 * self.retry_s, MAX_RETRY_S)
            else:
                self.retry_s = RETRY_S
                return wait_s if wait_s is None else wait_s + 1  # Redis rounds what is left of a window to whole seconds
        return self._hit(self.local, name, key)

    def close(self) -> None:
        """Let the storage's threads go."""
        if self.threads is not None:
            self.threads.shutdown(wait=False, cancel_futures=True)
