"""Limit the memory of large bodies while they are received, for the process and for each client."""

from prometheus_client import Gauge

from errors import Overloaded

# Retry-After: a body of 200 MB takes this long at 50 Mbit/s.
RETRY_S = 30


class BodyBudget:
    """Counts bytes of unfinished bodies. One client may hold half of the maximum, so that it cannot block the others."""

    def __init__(self, max_bytes: int, gauge: Gauge) -> None:
        """`max_bytes`: of all bodies together. `gauge`: is set to the number of held bytes."""
        self.max_bytes = max_bytes
        self.gauge = gauge
        self.held_bytes = 0
        self.held_by: dict[str, int] = {}  # client -> bytes; clients without bytes are removed

    def expect(self, client: str, n_bytes: int) -> None:
        """Check that there is room for a body of a declared length.

        Raises:
            Overloaded: there is none.

        """
        if self.held_bytes + n_bytes > self.max_bytes or self.held_by.get(client, 0) + n_bytes > self.max_bytes // 2:
            raise Overloaded(RETRY_S, "Too many large bodies are being received.")

    def hold(self, client: str, n_bytes: int) -> None:
        """Count received bytes.

        Raises:
            Overloaded: there is no room for them; they are not counted.

        """
        self.expect(client, n_bytes)
        self.held_bytes += n_bytes
        self.gauge.set(self.held_bytes)
        self.held_by[client] = self.held_by.get(client, 0) + n_bytes

    def release(self, client: str, n_bytes: int) -> None:
        """Subtract bytes of a body that ended."""
        self.held_bytes -= n_bytes
        self.gauge.set(self.held_bytes)
        remaining_bytes = self.held_by.pop(client, 0) - n_bytes
        if remaining_bytes > 0:
            self.held_by[client] = remaining_bytes
