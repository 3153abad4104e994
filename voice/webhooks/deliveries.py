"""Deliver the events of orders: each at least once, by one process at a time, with retries over a day.

- A process claims events in the outbox before it sends them, and the claim ends by itself: an event whose process died is sent by another.
  A receiver may so get an event twice, with the same `webhook-id`.
- While a receiver fails, only one event is tried at a time, with growing pauses: the other events keep their attempts, and a failing
  receiver takes nothing from the others.
- Of one order, an event is sent only after the ones before it were delivered or given up.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from errors import Overloaded
from voice.tracing import Tracing
from voice.webhooks.events import Event, Outbox, Settled
from voice.webhooks.sender import Outcome, Reply, Sender
from voice.webhooks.signing import signatures

log = logging.getLogger("voice.webhooks")

# Seconds between attempts: 24 hours together, each with a tenth of jitter. Orders are urgent, so the first gaps are short.
GAPS_S = (5, 15, 60, 300, 900, 1800, 3600, 7200, 14_400, 21_600, 36_000)
JITTER = 0.1
MAX_BATCH = 16  # events of a client that are sent at the same time
POLL_S = 1.0
# Pauses of a failing receiver, doubled from the first to the last; and of one that wants no more.
FIRST_PAUSE_S, LAST_PAUSE_S, GONE_PAUSE_S = 2.0, 60.0, 3600.0
# Running attempts may end within this time after `close`.
CLOSE_S = 5.0
OLDEST_S = 10.0  # between two readings of the oldest event
_RECEIVER_FAILS = frozenset({Outcome.BUSY, Outcome.GONE, Outcome.UNREACHABLE, Outcome.FORBIDDEN})


@dataclass(frozen=True)
class Receiver:
    """Where a client gets its webhooks, and the keys that sign them."""

    url: str
    keys: tuple[bytes, ...]


@dataclass(slots=True)
class Health:
    """How a receiver did lately."""

    n_failures: int = 0
    paused_until_s: float = 0.0  # on the clock of `time.monotonic`


class Deliveries:
    """The deliveries of this process."""

    def __init__(  # noqa: PLR0913 - its parts, and times that tests shorten
        self,
        receivers: Mapping[str, Receiver],
        sender: Sender,
        registry: CollectorRegistry,
        *,
        gaps_s: Sequence[float] = GAPS_S,
        first_pause_s: float = FIRST_PAUSE_S,
        poll_s: float = POLL_S,
        close_s: float = CLOSE_S,
        tracing: Tracing | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`receivers`: by client."""
        self._receivers, self._sender = receivers, sender
        self._gaps_s, self._first_pause_s = gaps_s, first_pause_s
        self._poll_s, self._close_s = poll_s, close_s
        self._tracing, self._clock = tracing or Tracing(), clock
        self._health = {client: Health() for client in receivers}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._woken = asyncio.Event()
        self._is_closing = False
        self._oldest_read_s = 0.0
        self._attempts = Counter("voice_webhook_attempts", "Attempts to deliver an event of an order.", ("outcome",), registry=registry)
        self._given_up = Counter("voice_webhook_given_up", "Events of orders that were given up.", registry=registry)
        self._oldest = Gauge(
            "voice_webhook_oldest_seconds",
            "Age of the oldest event of an order that is neither delivered nor given up.",
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._delivered_s = Histogram(
            "voice_webhook_delivery_seconds",
            "Seconds from the commit of an order to the delivery of its event.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3600, 86_400),
            registry=registry,
        )

    def wake(self) -> None:
        """Look for events at once: an order was stored."""
        self._woken.set()

    async def follow(self, outbox: Outbox) -> None:
        """Deliver events as they become due, until cancelled."""
        if not self._receivers:
            return
        while not self._is_closing:
            self._woken.clear()
            try:
                await self._begin(outbox)
            except Overloaded:
                log.warning("events cannot be read; retrying")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), self._poll_s)

    async def close(self) -> None:
        """Claim no more events; let the running attempts end, then leave theirs to others."""
        self._is_closing = True
        if self._running:
            await asyncio.wait(self._running.values(), timeout=self._close_s)
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await self._sender.close()

    async def _begin(self, outbox: Outbox) -> None:
        """Begin to deliver to each receiver that has due events and is not paused."""
        now_s = time.monotonic()
        if now_s >= self._oldest_read_s + OLDEST_S:
            self._oldest_read_s = now_s
            oldest = await outbox.oldest_event(self._receivers)
            self._oldest.set(max((self._clock() - oldest).total_seconds(), 0.0) if oldest else 0.0)
        free = [client for client, health in self._health.items() if client not in self._running and health.paused_until_s <= now_s]
        for client in await outbox.due_clients(free):
            task = self._running[client] = asyncio.create_task(self._deliver(client, outbox))
            task.add_done_callback(partial(self._end, client))

    def _end(self, client: str, _: asyncio.Task[None]) -> None:
        del self._running[client]

    async def _deliver(self, client: str, outbox: Outbox) -> None:
        """Deliver a client's due events until there are none, or the receiver fails."""
        health = self._health[client]
        try:
            while not self._is_closing and health.paused_until_s <= time.monotonic():
                events = await outbox.claim_events(client, limit=1 if health.n_failures else MAX_BATCH)
                if not events:
                    return
                await self._attempt_all(client, events, outbox)
        except Overloaded:
            log.warning("the outbox does not answer; the events are sent again", extra={"client": client})
        except Exception:
            log.exception("a delivery failed", extra={"client": client})

    async def _attempt_all(self, client: str, events: Sequence[Event], outbox: Outbox) -> None:
        """Attempt to deliver claimed events and settle them; if cancelled, return them to the outbox."""
        attempts = [asyncio.create_task(self._attempt(event, self._receivers[client])) for event in events]
        try:
            replies = await asyncio.gather(*attempts)
        except asyncio.CancelledError:
            now = self._clock()
            with contextlib.suppress(Overloaded):
                await outbox.settle_events(
                    [
                        self._settled(event, attempt.result()) if attempt.done() and not attempt.cancelled() else Settled(event, now)
                        for event, attempt in zip(events, attempts, strict=True)
                    ]
                )
            raise
        self._judge_receiver(client, replies)
        await outbox.settle_events([self._settled(event, reply) for event, reply in zip(events, replies, strict=True)])

    async def _attempt(self, event: Event, receiver: Receiver) -> Reply:
        timestamp_s = int(self._clock().timestamp())
        headers = {
            "content-type": "application/json",
            "user-agent": "voice-api",
            "webhook-id": event.name,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": signatures(receiver.keys, event.name, timestamp_s, event.body),
        }
        segment = self._tracing.start(event.trace, is_outgoing=True)
        reply = await self._sender.send(receiver.url, headers | (segment.trace.headers if segment else {}), event.body)
        if segment is not None:
            facts: dict[str, str | int] = {"http.request.method": "POST", "voice.client": event.client, "voice.event": event.name}
            facts |= {"http.response.status_code": reply.status} if reply.status else {}
            segment.end("webhook", facts, has_failed=reply.outcome is not Outcome.DELIVERED)
        self._attempts.labels(reply.outcome).inc()
        return reply

    def _settled(self, event: Event, reply: Reply) -> Settled:
        """Return what becomes of an event after an attempt, and record it."""
        facts = {"event": event.name, "client": event.client, "outcome": reply.outcome, "status": reply.status, "attempt": event.n_attempts}
        if reply.outcome is Outcome.DELIVERED:
            self._delivered_s.observe(max((self._clock() - event.created_at).total_seconds(), 0.0))
            log.info("webhook delivered", extra=facts)
            return Settled(event, None)
        if event.n_attempts > len(self._gaps_s):
            self._given_up.inc()
            log.error("webhook given up", extra=facts)
            return Settled(event, self._clock(), is_given_up=True)
        gap_s = self._gaps_s[event.n_attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - not a secret
        log.warning("webhook not delivered", extra=facts)
        return Settled(event, self._clock() + timedelta(seconds=max(gap_s, reply.retry_after_s)))

    def _judge_receiver(self, client: str, replies: Sequence[Reply]) -> None:
        """Pause a receiver that fails; a reply of any other kind shows that it works."""
        health = self._health[client]
        failing = [reply for reply in replies if reply.outcome in _RECEIVER_FAILS]
        if not failing:
            health.n_failures = 0
            return
        health.n_failures += 1
        pause_s = min(self._first_pause_s * 2.0 ** min(health.n_failures - 1, 10), LAST_PAUSE_S)
        if any(reply.outcome is Outcome.GONE for reply in failing):
            pause_s = GONE_PAUSE_S
            log.error("the receiver of webhooks wants no more", extra={"client": client})
        pause_s = max(pause_s, min(max(reply.retry_after_s for reply in failing), GONE_PAUSE_S))
        health.paused_until_s = time.monotonic() + pause_s
