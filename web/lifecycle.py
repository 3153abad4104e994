"""Retry background tasks, and drain on SIGTERM."""

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("voice.http")
# Pause before failed background work starts again.
BACKGROUND_RETRY_S = 5.0


async def retry_until_done(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Run `work` until it returns; log a failure and start it again after BACKGROUND_RETRY_S."""
    while True:
        try:
            return await work()
        except Exception:
            log.exception("background work failed, trying again", extra={"work": name})
            await asyncio.sleep(BACKGROUND_RETRY_S)


@contextmanager
def drain_on_sigterm(drain_s: float, drain_live: Callable[[float], None]) -> Iterator[threading.Event]:
    """On SIGTERM fail readiness (the event is set), keep serving while the orchestrator notices, then let the server close.

    The time to notice is a quarter of `drain_s`; a second signal ends it at once. `drain_live` is called with half of it (s), the time in
    which speakers may finish their sentence.
    """
    draining = threading.Event()
    close = signal.getsignal(signal.SIGTERM)
    if not callable(close) or threading.current_thread() is not threading.main_thread():
        yield draining  # no server handles the signal
        return
    loop = asyncio.get_running_loop()

    def drain(signum: int, frame: Any) -> None:
        notice_s = 0.0 if draining.is_set() else drain_s / 4
        draining.set()
        loop.call_soon_threadsafe(drain_live, notice_s / 2)
        loop.call_soon_threadsafe(loop.call_later, notice_s, close, signum, frame)

    signal.signal(signal.SIGTERM, drain)
    try:
        yield draining
    finally:
        signal.signal(signal.SIGTERM, close)
