"""Run a fit in a separate process."""

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIT_COMMAND = (sys.executable, "-m", "voice.recommend.fitting")
# The service's environment contains secrets: a fit gets only the variables that Python may need to start.
INHERITED_VARIABLES = ("LD_LIBRARY_PATH", "PYTHONPATH")


async def run_fit(command: Sequence[str], task: bytes) -> bytes:
    """Write a task to the command's standard input and return its output; cancellation kills the process.

    Raises:
        OSError: the process cannot be started: no memory or descriptors are left.
        ChildProcessError: the process failed (a subclass of OSError).

    """
    environment = {name: os.environ[name] for name in INHERITED_VARIABLES if name in os.environ} | {"OPENBLAS_NUM_THREADS": "1"}
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=ROOT, env=environment)
    try:
        fitted, _ = await process.communicate(task)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        status = await process.wait()
    if status:
        message = f"the process ended with status {status}"
        raise ChildProcessError(message)
    return fitted
