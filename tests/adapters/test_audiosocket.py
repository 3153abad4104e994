"""Calls as Asterisk's AudioSocket carries them, to a real server with the real models and a real voice."""

import asyncio
import contextlib
import struct
from uuid import UUID, uuid4

import httpx
import pytest

from adapters.audiosocket import AudioSocketLimits, AudioSocketLine
from tests.adapters.callers import AudioSocketTelephone
from tests.adapters.conftest import resembles
from tests.adapters.lines import LINE_ID, REFUSED_ID, audiosocket_port
from tests.conftest import KEYS

pytestmark = pytest.mark.anyio


def call_id() -> UUID:
    return UUID(LINE_ID + uuid4().hex[len(LINE_ID) :])


async def stored(server, order_id) -> httpx.Response:
    async with httpx.AsyncClient(base_url=server.url, headers=KEYS) as client:
        return await client.get(f"/api/v1/voice/order/{order_id}")


async def ends(caller: AudioSocketTelephone, *, within_s: float) -> bool:
    """Return whether the shop ends the call in time."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(caller.ended.wait(), within_s)
    return caller.ended.is_set()


async def test_a_caller_orders_answers_a_question_talks_over_the_shop_and_confirms(hearing_server, recordings, recognised):
    caller = AudioSocketTelephone(audiosocket_port(hearing_server), call_id(), speed=8)
    said: list[str] = []
    async with caller:
        await caller.first_sound(after=0)
        # Each over what the shop says. A short answer may be misheard at 8 kHz: then the caller says the last two again.
        for words in (*recordings, "nothing else", "yes"):
            if words in said and await ends(caller, within_s=8):
                break
            said.append(words)
            caller.forget()
            await caller.say(recordings[words])
            await caller.first_sound(after=caller.spoke_until)
        await asyncio.wait_for(caller.ended.wait(), 60)
    order = (await stored(hearing_server, caller.call_id)).json()["data"]
    lines = {line["item"]: (line["quantity"], {option["choice"] for option in line["options"]}) for line in order["lines"]}
    assert lines == {"tra-sua-truyen-thong": (1, {"l", "half", "black-pearls"}), "banh-mi-op-la": (2, set())}
    assert resembles(await recognised(caller.forget()), "thank you that comes to one hundred and ten thousand see you soon")
    at = [when for when, _ in caller.heard][-50:]
    assert at[-1] - at[0] > 0.9 * 0.02 * (len(at) - 1)  # 20 ms of audio every 20 ms: Asterisk has no buffer


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Read until the server closes; return what it sent."""
    return await asyncio.wait_for(reader.read(), 15)


HANG_UP = b"\x00\x00\x00"


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n" + bytes(30_000), "not the id of a call"),
        (b"\x01\x00\x04abcd", "not the id of a call"),
        (b"\x10\x01\x40" + bytes(320), "not the id of a call"),
        (b"\x01\x00\x10" + bytes(16), "No line of AUDIOSOCKET_LINES"),
        (b"\x01\x00\x10" + bytes.fromhex(REFUSED_ID) + bytes(12), "AUTHORIZATION_FAILED"),
    ],
    ids=["http", "short id", "no id", "another line", "no scope"],
)
async def test_what_is_no_call_of_a_line_is_refused_and_the_dialplan_goes_on(hearing_server, frames, reason):
    reader, writer = await asyncio.open_connection("127.0.0.1", audiosocket_port(hearing_server))
    writer.write(frames)
    assert await ended(reader) == HANG_UP
    writer.close()
    hearing_server.wait_until(lambda: reason in hearing_server.log())


async def test_a_caller_who_hangs_up_in_the_middle_leaves_no_call_and_no_order(hearing_server, recordings):
    caller = AudioSocketTelephone(audiosocket_port(hearing_server), call_id(), speed=8)
    async with caller:
        await caller.say(recordings["order"][:8000])
    hearing_server.wait_until(lambda: f'"call":"{caller.call_id}"' in hearing_server.log())
    assert f'"call":"{caller.call_id}","client":"demo","outcome":"hung_up"' in hearing_server.log()
    assert (await stored(hearing_server, caller.call_id)).status_code == 404


async def test_empty_frames_without_audio_end_the_call(hearing_server):
    reader, writer = await asyncio.open_connection("127.0.0.1", audiosocket_port(hearing_server))
    writer.write(struct.pack("!BH", 1, 16) + call_id().bytes + b"\x10\x00\x00" * 5000)
    assert (await ended(reader)).endswith(HANG_UP)
    writer.close()


async def test_a_peer_that_never_reads_is_noticed():
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    server = await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1], limit=1024)
    line = AudioSocketLine(await accepted.get(), 0x10, AudioSocketLimits(max_send_s=0.05))

    async def play_on() -> None:
        for _ in range(1000):
            await line.play(bytes(60_000))

    with pytest.raises(TimeoutError):
        await play_on()
    line.writer.transport.abort()
    writer.close()
    server.close()
    assert not reader.at_eof()
