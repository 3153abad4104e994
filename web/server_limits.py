"""Limits for one peer of the server: deadlines, rates and sizes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits that `web.server.run` passes to the protocols and to the log."""

    # A complete request head takes a working client milliseconds, a phone on a bad line a second or two.
    head_deadline_s: float = 10.0
    # The first byte of a body must arrive within `head_deadline_s`, the rest at this rate: below the slowest mobile line, above a trickle.
    # A fast sender earns at most `head_deadline_s` of slack.
    min_body_bytes_s: int = 4096
    # A connection whose peer reads no byte of a reply for this long is aborted.
    write_deadline_s: float = 20.0
    # The idle timeout. Longer than that of proxies and clients (nginx and most cloud load balancers: 60 s): if the server closed first, it
    # could cut off a request in transit.
    keep_alive_s: int = 75
    # A WebSocket whose application has returned is aborted after this.
    close_deadline_s: float = 10.0
    # Log lines that wait to be written: some 4 MB, two seconds of a service at full speed.
    max_waiting_lines: int = 10_000
    # The longest wait for a stalled log reader before the process ends.
    flush_s: float = 1.0


DEFAULT_LIMITS = ServerLimits()
