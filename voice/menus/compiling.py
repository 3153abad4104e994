"""Compile menus beside requests: one at a time, and without collecting garbage meanwhile."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()


@contextmanager
def alone() -> Iterator[None]:
    """Run alone among the compilations of this process.

    An engine of 5,000 items has two million objects: each full collection while it grows, and each one after it, would stall the event
    loop for some tenths of a second. They are exempted, as those of the speech models are; reference counts free an engine.
    """
    with _LOCK:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            gc.freeze()
            if was_enabled:
                gc.enable()
