import asyncio
import contextlib

import pytest

from errors import Overloaded, RateLimited
from schemas import LiveEnd, LiveLines, LiveOptions
from tests.live.conftest import sessions_of
from tests.live.fakes import FakeRecogniser
from tests.live.recordings import BYTES_S
from voice.live.connection import MAX_QUEUED_BYTES, MAX_UNSENT_EVENTS

pytestmark = pytest.mark.anyio

LINES, END = LiveLines(type="lines", lines=[]), LiveEnd(type="end")
MAX_CLIENT_BYTES = 16 * MAX_QUEUED_BYTES


@pytest.fixture
async def connect(menu):
    """Open connections whose turns never begin: `connect("client")`."""
    with contextlib.ExitStack() as stack:
        sessions = sessions_of(FakeRecogniser(), max_client_bytes=MAX_CLIENT_BYTES)
        yield lambda client: stack.enter_context(sessions.connect(menu, LiveOptions(), client))


async def test_a_turn_processes_the_audio_that_arrived_while_it_was_queued_and_hurries_after_an_end_command(menu):
    recogniser, second = FakeRecogniser(), bytes(BYTES_S)
    with sessions_of(recogniser).connect(menu, LiveOptions(), "one") as connection:
        running = asyncio.create_task(connection.run())
        await connection.receive_audio(second)
        await asyncio.sleep(0)  # the turn is queued
        await asyncio.sleep(0)
        await connection.receive_audio(second[: BYTES_S // 2])
        await connection.receive_command(END, 15)
        recogniser.free.set()
        final = await anext(connection.events())
        assert not isinstance(final, Exception)
        assert final["type"] == "final"
        assert final["ended_by"] == "end"
        assert recogniser.turns == [(1.0, True)]
        await connection.receive_audio(second)
        await connection.stop()
        await running
        assert recogniser.turns[1] == (1.5, True)  # with the audio of the first turn that was not counted


async def test_a_menu_that_is_gone_ends_the_connection_with_its_error(menu):
    with sessions_of(FakeRecogniser(is_free=True)).connect(menu, LiveOptions(), "one") as connection:
        running = asyncio.create_task(connection.run())
        menu.engine = None
        await connection.receive_command(END, 15)
        await running
    assert connection.ended_by is not None
    assert connection.ended_by.error == "MENU_NOT_FOUND"


async def test_queued_commands_count_towards_the_bytes_of_a_connection(connect):
    connection = connect("one")
    running = asyncio.create_task(connection.run())
    await connection.receive_command(LINES, MAX_QUEUED_BYTES - 1)
    await connection.receive_command(LINES, MAX_QUEUED_BYTES)
    assert connection.held_bytes == 3 * MAX_QUEUED_BYTES - 1  # queued, and of the command that sets the order
    further = asyncio.create_task(connection.receive_command(LINES, 1))
    await asyncio.sleep(0.05)
    assert not further.done()
    connection.recogniser.free.set()
    await further
    await connection.stop()
    await running
    assert connection.held_bytes == 1  # of the last command, which set the order


async def test_errors_that_the_client_does_not_read_stop_the_reading(connect):
    connection = connect("one")
    for _ in range(MAX_UNSENT_EVENTS):
        await connection.reject_message(Overloaded())
    further = asyncio.create_task(connection.reject_message(Overloaded()))
    await asyncio.sleep(0.05)
    assert not further.done()
    await anext(connection.events())
    await further


async def test_a_client_holds_at_most_its_limit_on_all_its_connections(connect):
    one, same, other = connect("one"), connect("one"), connect("other")
    one.buffered_bytes = MAX_CLIENT_BYTES - MAX_QUEUED_BYTES
    await same.receive_command(LINES, MAX_QUEUED_BYTES)
    with pytest.raises(RateLimited):
        await same.receive_command(LINES, 1)
    await other.receive_command(LINES, MAX_QUEUED_BYTES + 1)
    await connect("one").receive_command(LINES, MAX_QUEUED_BYTES)  # served, although others fill their bounds
    one.buffered_bytes = 0
    await connect("one").receive_command(LINES, MAX_QUEUED_BYTES + 1)
