"""Bound the memory of large bodies that are being received, in the process and for each client."""

from prometheus_client import Gauge

from errors import Overloaded

# A body of 200 MB takes as long at 50 Mbit/s.
RETRY_S = 30


class BodyBudget:
    """Bytes of unfinished bodies. One client may hold half, so that it cannot keep the others from sending."""

    def __init__(self, max_bytes: int, gauge: Gauge) -> None:
        """`max_bytes`: of all bodies together. `gauge`: shows how many are held."""
        self.max_bytes = max_bytes
        self.gauge = gauge
        self.held_bytes = 0
        self.held_by: dict[str, int] = {}  # client -> bytes; a client without any is not in it

    def expect(self, client: str, n_bytes: int) -> None:
        """Refuse a body of a declared length for which there is no room now.

        Raises:
            Overloaded: see there.

        """
        if self.held_bytes + n_bytes > self.max_bytes or self.held_by.get(client, 0) + n_bytes > self.max_bytes // 2:
            raise Overloaded(RETRY_S, "Too many large bodies are being received.")

    def hold(self, client: str, n_bytes: int) -> None:
        """Count received bytes.

        Raises:
            Overloaded: there is no room for them.

        """
        self.expect(client, n_bytes)
        self.held_bytes += n_bytes
        self.gauge.set(self.held_bytes)
        self.held_by[client] = self.held_by.get(client, 0) + n_bytes

    def release(self, client: str, n_bytes: int) -> None:
        """Subtract bytes of a body that ended."""
        self.held_bytes -= n_bytes
        self.gauge.set(self.held_bytes)
        left_bytes = self.held_by.pop(client, 0) - n_bytes
        if left_bytes > 0:
            self.held_by[client] = left_bytes
