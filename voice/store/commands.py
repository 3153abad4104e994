"""The work of the commands on the store of DATABASE_URL.

All raise Overloaded if the database does not answer or its schema is behind, and ValueError if DATABASE_URL names no database of orders.
"""

import asyncio
from collections.abc import Awaitable, Callable

from settings import DatabaseSettings, read_settings
from voice.store.store import Store


def revoke_tokens(client: str) -> int:
    """End all token families of a client; return their number."""
    return _with_store(lambda store: store.revoke(client))


def resend_webhooks(client: str) -> int:
    """Make a client's given-up events due, which running servers deliver; return their number."""
    return _with_store(lambda store: store.resend_events(client))


def _with_store(work: Callable[[Store], Awaitable[int]]) -> int:
    async def run() -> int:
        store = Store(read_settings(DatabaseSettings).database_url)
        try:
            await store.open(migrate=False)
            return await work(store)
        finally:
            await store.close()

    return asyncio.run(run())
