"""The live route speaks its replies: one real conversation with a real voice, and what a voice may do by itself."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from websockets.asyncio.client import connect

from errors import ApiError
from tests.adapters.conftest import recognised, resembles  # noqa: F401 - a fixture
from tests.async_messages import expect_described
from tests.calls.fakes import WordSynthesiser
from tests.conftest import KEYS
from tests.live.recordings import AUDIO, BYTES_S, items
from voice.tts.sound import encode
from voice.tts.speaker import Speaker
from web.live_voice import LiveVoice

pytestmark = pytest.mark.anyio

RATE = 8000


async def received(socket, until):
    """Read up to the event of this type; return the audio and the events."""
    heard, events = b"", list[Any]()
    async with asyncio.timeout(60):
        while not events or events[-1]["type"] != until:
            frame = await socket.recv()
            if isinstance(frame, bytes):
                heard += frame
            else:
                envelope = json.loads(frame)
                expect_described("live", "send", envelope)
                events.append(envelope["data"])
    return np.frombuffer(heard, "<i2").astype(np.int16), events


async def test_a_reply_is_heard_and_stops_when_the_customer_speaks(hearing_server, recognised):  # noqa: F811
    """The first reply is heard to its end and recognised again; the customer talks over the second one."""
    url = f"ws://127.0.0.1:{hearing_server.port}/api/v1/voice/live?menu=quan-nha&language=en&speak=true"
    async with connect(url, additional_headers=KEYS) as socket:
        await socket.send('{"type": "end"}')
        heard, (final, begun, ended) = await received(socket, "speech_end")
        assert begun == {"type": "speech_start", "text": final["say"]["text"], "language": "en"}
        assert ended == {"type": "speech_end", "interrupted": False}
        assert resembles(await recognised(heard[::2]), begun["text"].lower())
        await socket.send(AUDIO["en"])
        await socket.send('{"type": "end"}')
        *_, final, begun = (await received(socket, "speech_start"))[1]
        assert items(final) == [("tra-sua-truyen-thong", 1), ("banh-mi-op-la", 2)]
        await socket.send(AUDIO["en"][: 2 * BYTES_S])
        assert (await received(socket, "speech_end"))[1][-1] == {"type": "speech_end", "interrupted": True}


class Caller:
    """What a caller receives of a voice that speaks ten milliseconds a character."""

    def __init__(self, *, fails=False):
        self.received: list[Any] = []
        self.synthesiser = WordSynthesiser(fails=fails)
        speaker = Speaker(self.synthesiser, CollectorRegistry())
        self.voice = LiveVoice(speaker, self.hear, self.read, encoding="mulaw", sample_rate=RATE)

    async def hear(self, audio):
        self.received.append(audio)

    async def read(self, event):
        self.received.append(event)

    def events(self):
        return [event for event in self.received if not isinstance(event, bytes)]

    def n_bytes(self):
        return sum(len(part) for part in self.received if isinstance(part, bytes))

    async def until(self, n_events):
        async with asyncio.timeout(5):
            while len(self.events()) < n_events:  # noqa: ASYNC110 - the voice calls back
                await asyncio.sleep(0.01)


def final(text="two teas", say="Two teas.", language="en", ended_by="pause") -> Any:
    return {"type": "final", "text": text, "ended_by": ended_by, "say": {"text": say, "language": language}}


def start(text):
    return {"type": "speech_start", "text": text, "language": "en"}


END, STOP = {"type": "speech_end", "interrupted": False}, {"type": "speech_end", "interrupted": True}
SPEAKS: Any = {"type": "speech", "is_started": True}
FALLS_SILENT: Any = {"type": "speech", "is_started": False}


async def test_a_reply_is_sent_at_the_rate_and_in_the_encoding_of_the_connection():
    caller = Caller()
    await caller.voice.follow(final())
    await caller.until(2)
    assert caller.events() == [start("Two teas."), END]
    assert caller.received[1][:80] == encode(np.full(80, 9, np.int16), "mulaw")
    assert 0.09 * RATE <= caller.n_bytes() <= 0.12 * RATE


async def test_the_customers_voice_stops_the_reply_and_noise_only_delays_the_rest():
    caller = Caller()
    said = "One. " + "x" * 100 + "."
    await caller.voice.follow(final(say=said))
    await asyncio.sleep(0.2)
    await caller.voice.follow(SPEAKS)
    n_bytes = caller.n_bytes()
    assert caller.events() == [start(said), STOP]
    await caller.voice.follow(final(text="", say="Sorry?"))
    await caller.voice.follow(FALLS_SILENT)
    await caller.until(4)
    assert caller.events()[2:] == [start("x" * 100 + "."), END]
    assert caller.n_bytes() > n_bytes


async def test_a_new_reply_replaces_the_one_before():
    caller = Caller()
    await caller.voice.follow(final(say="x" * 100))
    await caller.voice.follow(final(say="No."))
    await caller.until(4)
    assert caller.events() == [start("x" * 100), STOP, start("No."), END]
    await caller.voice.follow(FALLS_SILENT)
    assert len(caller.events()) == 4


async def test_an_end_without_words_repeats_the_question_aloud():
    caller = Caller()
    await caller.voice.follow(final(text="", ended_by="end", say="Which one?"))
    await caller.until(2)
    assert caller.events()[0] == start("Which one?")


async def test_a_reply_that_the_voice_cannot_speak_is_text_alone():
    caller = Caller()
    await caller.voice.follow(final(language="vi"))
    assert caller.received == []
    failing = Caller(fails=True)
    await failing.voice.follow(final())
    await failing.until(3)
    begun, error, ended = failing.events()
    assert (begun, isinstance(error, ApiError), ended) == (start("Two teas."), True, END)
