"""Logs: one JSON object a line, written by a thread, so that a stalled reader loses lines but delays no request."""

import logging
import os
import select
import signal
import threading
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

import orjson
from prometheus_client import Counter

from web.server_limits import DEFAULT_LIMITS, ServerLimits

# Lines of one write.
MAX_WRITTEN_LINES = 100
DROPPED_LINES = Counter("voice_log_dropped_lines", "Log lines dropped because the log's reader stalled or closed.", registry=None)
# The top-level packages whose exception messages never contain request data.
OWN_PACKAGES = ("voice", "errors")
# Attributes of every record; any other was passed as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON, with the fields passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """Serialize the record."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = traceback_lines(record.exc_info[1])
        return orjson.dumps(line, default=str).decode()


def traceback_lines(error: BaseException) -> list[str]:
    """Return the type and the stack of an exception and of its causes.

    The message is included for exceptions of OWN_PACKAGES only: a library's message may quote a request.
    """
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None:
        name = f"{type(current).__module__}.{type(current).__qualname__}"
        is_own = type(current).__module__.partition(".")[0] in OWN_PACKAGES
        lines.append(f"{name}: {current}" if is_own else name)
        frame = current.__traceback__
        while frame is not None:
            lines.append(f"  {frame.tb_frame.f_code.co_filename}:{frame.tb_lineno} {frame.tb_frame.f_code.co_name}")
            frame = frame.tb_next
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return lines


class LineHandler(logging.Handler):
    """Writes lines to a file descriptor from its own thread.

    Does not use `sys.stdout`: if a stalled write holds its lock at exit, the interpreter aborts.
    """

    def __init__(
        self, descriptor: int = 1, *, max_waiting_lines: int = DEFAULT_LIMITS.max_waiting_lines, flush_s: float = DEFAULT_LIMITS.flush_s
    ) -> None:
        """`descriptor`: 1 is standard output. `flush_s`: the longest wait of `flush`."""
        super().__init__()
        self.descriptor = descriptor
        self.max_waiting_lines = max_waiting_lines
        self.flush_s = flush_s
        self.waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        threading.Thread(target=self.write_all, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Enqueue a line; drop it if too many wait."""
        if self.waiting.qsize() >= self.max_waiting_lines:
            DROPPED_LINES.inc()
            return
        try:
            self.waiting.put(self.format(record).encode() + b"\n")
        except Exception:  # noqa: BLE001 - a record that cannot be formatted must not fail the code that logs it
            DROPPED_LINES.inc()

    def flush(self) -> None:
        """Wait until the enqueued lines are written, at most `flush_s`."""
        written = threading.Event()
        self.waiting.put(written)
        written.wait(self.flush_s)

    def write_all(self) -> None:
        """Write enqueued lines; never returns."""
        while True:
            batch = [self.waiting.get()]
            batch += [self.waiting.get() for _ in range(min(self.waiting.qsize(), MAX_WRITTEN_LINES - 1))]
            lines = [line for line in batch if isinstance(line, bytes)]
            try:
                self.write(b"".join(lines))
            except OSError:
                DROPPED_LINES.inc(len(lines))
            for entry in batch:
                if isinstance(entry, threading.Event):
                    entry.set()

    def write(self, text: bytes) -> None:
        """Write all bytes; a process that shares the descriptor may have made it non-blocking.

        Raises:
            OSError: the reader has closed, or the disk is full.

        """
        while text:
            try:
                text = text[os.write(self.descriptor, text) :]
            except BlockingIOError:
                select.select((), (self.descriptor,), ())


def new_line_handler(max_waiting_lines: int, flush_s: float) -> LineHandler:
    """Return the handler for standard output, and flush it before SIGTERM ends this process.

    After shutdown uvicorn raises SIGTERM again, and the default action ends the process at once.
    """
    handler = LineHandler(max_waiting_lines=max_waiting_lines, flush_s=flush_s)

    def flush_and_end(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler's signature
        handler.flush()
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)

    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, flush_and_end)
    return handler


def log_config(level: str, limits: ServerLimits = DEFAULT_LIMITS) -> dict[str, Any]:
    """Return the `logging.config` dictionary for this process and its workers."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": "web.logs.JsonFormatter"}},
        "handlers": {
            "lines": {
                "()": "web.logs.new_line_handler",
                "formatter": "json",
                "max_waiting_lines": limits.max_waiting_lines,
                "flush_s": limits.flush_s,
            }
        },
        "root": {"handlers": ["lines"], "level": "WARNING"},
        "loggers": {"voice": {"level": level}, "uvicorn": {"level": level}, "voice.socket": {"level": "WARNING"}},
    }
