"""Store the order of a call, once, under an id that is derived from the call."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4, uuid5

from errors import ApiError, OrderConflict, Overloaded
from schemas import Order, StoreOrderRequest
from voice.store.orders import OrderStore
from voice.store.placing import Pricer, place_order

log = logging.getLogger("voice.calls")
# The name space of order ids; a call's id is a UUID of its own, or a platform's name for the call.
NAMESPACE: Final = UUID("7b1a5b0e-6f0c-4d3e-9d53-5b2f8f6f0a11")
# A call waits this often and long for a database that does not answer; a caller hears nothing meanwhile.
ATTEMPTS, RETRY_S = 3, 0.3


def order_id_of(call_id: str) -> UUID:
    """Return the order id of a call: the call's own id if it is a UUID, else one that is made of it."""
    try:
        return UUID(call_id)
    except ValueError:
        return uuid5(NAMESPACE, call_id)


class OrderKeeper:
    """Stores the order of one call."""

    def __init__(
        self, store: OrderStore, find_pricer: Callable[[str], Pricer], client: str, call_id: str, on_stored: Callable[[], None]
    ) -> None:
        """`on_stored` is called after an order was stored."""
        self.order_id = order_id_of(call_id)
        self.is_stored = False
        self._store, self._find_pricer, self._client, self._on_stored = store, find_pricer, client, on_stored
        self._placed_at: datetime | None = None

    async def keep(self, order: Order) -> bool:
        """Store a confirmed order; return False if that failed, so that a person has to take over."""
        self._placed_at = self._placed_at or datetime.now(UTC).replace(microsecond=0)
        facts = {name: order[name] for name in ("menu", "lines", "notes")}
        request = StoreOrderRequest.model_validate({**facts, "placed_at": self._placed_at})
        for attempt in range(ATTEMPTS):
            await asyncio.sleep(RETRY_S * attempt)
            try:
                await place_order(self._store, self._find_pricer, self._client, self.order_id, request)
            except OrderConflict:
                # The platform has used the id of this call before.
                log.warning("order id used by an earlier call", extra={"order_id": str(self.order_id), "client": self._client})
                self.order_id = uuid4()
            except Overloaded:
                continue
            except ApiError as error:
                log.warning("order not stored", extra={"error": error.error, "client": self._client})
                return False
            else:
                self.is_stored = True
                self._on_stored()
                return True
        log.error("order not stored", extra={"error": "OVERLOADED", "client": self._client})
        return False
