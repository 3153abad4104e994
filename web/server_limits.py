"""Limits on what a peer may cost the server: deadlines, rates and sizes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLimits:
    """Limits that `web.server.run` passes to the protocols and to the log."""

    # A complete request head takes a working client milliseconds, a phone on a bad line a second or two.
    head_deadline_s: float = 10.0
    # The first byte of a body has as long as the head, and the rest must arrive at this rate, which is below the slowest mobile line and
    # above a trickle. At most `head_deadline_s` are saved up, so that a body that began fast cannot pause for longer than that.
    min_body_bytes_s: int = 4096
    # A connection whose peer reads no byte of a reply for this long is aborted.
    write_deadline_s: float = 20.0
    # The idle timeout is longer than that of proxies and clients (nginx and most cloud load balancers: 60 s): the side that closes first
    # may cut off a request that the other side is sending.
    keep_alive_s: int = 75
    # A WebSocket whose application has returned is aborted after this.
    close_deadline_s: float = 10.0
    # Log lines that wait to be written: some 4 MB, two seconds of a service at full speed.
    max_waiting_lines: int = 10_000
    # The longest wait for a stalled log reader before the process ends.
    flush_s: float = 1.0


DEFAULT_LIMITS = ServerLimits()
