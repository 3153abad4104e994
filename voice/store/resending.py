"""Send given-up webhooks again."""

import asyncio

from settings import DatabaseSettings, read_settings
from voice.store.store import Store


def resend_webhooks(client: str) -> int:
    """Make a client's given-up events due in the database of DATABASE_URL, which running servers deliver; return their number.

    Raises:
        Overloaded: the database does not answer, or its schema is behind.
        ValueError: DATABASE_URL names no database that stores orders.

    """

    async def resend() -> int:
        store = Store(read_settings(DatabaseSettings).database_url)
        try:
            await store.open(migrate=False)
            return await store.resend_events(client)
        finally:
            await store.close()

    return asyncio.run(resend())
