"""Send one webhook and judge the reply."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

import httpcore2

from voice.webhooks.addresses import CheckedBackend, ForbiddenAddressError, Networks

# Of one attempt. Source: Standard Webhooks, 15 to 30 s.
ATTEMPT_S = 15.0
CONNECT_S = 5.0
MAX_CONNECTIONS = 50
# Of a reply that is read, so that its connection can be used again; a longer one closes it.
MAX_REPLY_BYTES = 16 * 1024
MAX_RETRY_AFTER_S = 86_400.0
_GONE, _TOO_MANY_REQUESTS, _SERVER_ERRORS = 410, 429, 500


class Outcome(StrEnum):
    """How an attempt ended."""

    DELIVERED = "delivered"
    REJECTED = "rejected"  # any status that is none of the others
    BUSY = "busy"  # the receiver fails, or asks for a slower pace
    GONE = "gone"  # the receiver wants no more webhooks
    UNREACHABLE = "unreachable"
    FORBIDDEN = "forbidden"  # the host's addresses may not be called


class Reply(NamedTuple):
    """The end of an attempt. `status`: 0 without a reply. `retry_after_s`: what the receiver asks for."""

    outcome: Outcome
    status: int = 0
    retry_after_s: float = 0.0


class Sender:
    """Connections to receivers. Redirects are not followed, and proxies of the environment are not used."""

    def __init__(self, networks: Networks, *, attempt_s: float = ATTEMPT_S) -> None:
        self._attempt_s = attempt_s
        certificates = httpcore2.default_ssl_context()  # read once: a pool without them reads them for each connection
        self._pools = {
            scheme: httpcore2.AsyncConnectionPool(
                ssl_context=certificates,
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_CONNECTIONS,
                keepalive_expiry=30,
                network_backend=CheckedBackend(networks, encrypted=scheme == b"https"),
            )
            for scheme in (b"https", b"http")
        }

    async def close(self) -> None:
        """Close the connections."""
        for pool in self._pools.values():
            await pool.aclose()

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one request; every failure is an outcome."""
        target = httpcore2.URL(url)
        fields = [(name.encode(), value.encode()) for name, value in headers.items()]
        fields += [(b"host", _host(target)), (b"content-length", b"%d" % len(body))]
        timeouts = {"connect": CONNECT_S, "read": self._attempt_s, "write": self._attempt_s, "pool": self._attempt_s}
        try:
            async with (
                asyncio.timeout(self._attempt_s),
                self._pools[target.scheme].stream("POST", target, headers=fields, content=body, extensions={"timeout": timeouts}) as reply,
            ):
                n_bytes = 0
                async for chunk in reply.aiter_stream():
                    n_bytes += len(chunk)
                    if n_bytes > MAX_REPLY_BYTES:
                        break
                retry_after = next((value for name, value in reply.headers if name.lower() == b"retry-after"), b"")
                return _judge(reply.status, retry_after.decode("latin-1"))
        except ForbiddenAddressError:
            return Reply(Outcome.FORBIDDEN)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, TimeoutError, OSError):
            return Reply(Outcome.UNREACHABLE)


def _host(url: httpcore2.URL) -> bytes:
    """Return the value of the header Host: the port only where it is not the scheme's."""
    default = {b"https": 443, b"http": 80}[url.scheme]
    return url.host if url.port in (None, default) else b"%s:%d" % (url.host, url.port or default)


def _judge(status: int, retry_after: str) -> Reply:
    """Source: Standard Webhooks: 2xx is a success, 3xx a failure, 410 ends the deliveries, 429 slows them down; so does 5xx."""
    if 200 <= status < 300:  # noqa: PLR2004 - the class of the status
        return Reply(Outcome.DELIVERED, status)
    if status == _GONE:
        return Reply(Outcome.GONE, status)
    is_busy = status == _TOO_MANY_REQUESTS or status >= _SERVER_ERRORS
    return Reply(Outcome.BUSY if is_busy else Outcome.REJECTED, status, _seconds(retry_after))


def _seconds(retry_after: str) -> float:
    """Return the seconds that Retry-After asks for, as a number or as a date; 0 without a readable one."""
    if retry_after.strip().isdecimal():
        return min(float(retry_after), MAX_RETRY_AFTER_S)
    try:
        at = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError):
        return 0.0
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), MAX_RETRY_AFTER_S)
