import asyncio
import contextlib

import pytest

from errors import Overloaded
from schemas import LiveOptions
from tests.live.conftest import sessions_of
from tests.live.fakes import FakeRecogniser

pytestmark = pytest.mark.anyio


async def test_a_client_holds_at_most_half_of_all_connections(menu):
    sessions = sessions_of(FakeRecogniser(), max_connections=6)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(sessions.connect(menu, LiveOptions(), "one"))
        with pytest.raises(Overloaded), sessions.connect(menu, LiveOptions(), "one"):
            pass
        with sessions.connect(menu, LiveOptions(), "other"):
            pass
    with sessions.connect(menu, LiveOptions(), "one"):
        pass


async def test_draining_rejects_new_connections_and_ends_an_idle_one(menu):
    sessions = sessions_of(FakeRecogniser(is_free=True))
    with sessions.connect(menu, LiveOptions(), "one") as connection:
        running = asyncio.create_task(connection.run())
        sessions.drain(60)
        with pytest.raises(Overloaded), sessions.connect(menu, LiveOptions(), "other"):
            pass
        async with asyncio.timeout(5):
            await running
    assert connection.ended_by is None


async def test_no_connection_is_opened_while_the_queue_is_full(menu):
    sessions = sessions_of(FakeRecogniser(overloaded=Overloaded(7)))
    with pytest.raises(Overloaded), sessions.connect(menu, LiveOptions(), "one"):
        pass
