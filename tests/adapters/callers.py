"""Callers on the telephone: they speak recordings and record what they hear, as Asterisk and Twilio carry it."""

import asyncio
import base64
import contextlib
import json
import struct
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.async_messages import expect_described
from voice.asr.audio import G711
from voice.tts.sound import Resampler, Samples, Sound, encode

SAMPLE_RATE = 8000
FRAME = SAMPLE_RATE // 50  # samples: 20 ms
PAUSE = SAMPLE_RATE  # samples
QUIET_S = 0.5


def telephone(path: Path) -> Samples:
    """Read a recording, at the rate of telephones."""
    with wave.open(str(path)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2").astype(np.int16)
        resampler = Resampler(SAMPLE_RATE)
        return np.concatenate([resampler.add(Sound(samples, recording.getframerate())), resampler.finish()])


class Telephone:
    """A caller; a subclass knows the protocol. Silence is sent while nothing is said, as a telephone does."""

    def __init__(self, *, speed: float = 1.0) -> None:
        """`speed`: of the caller's words, in multiples of real time; silence and what is heard come in real time."""
        self.speed = speed
        self.heard: list[tuple[float, Samples]] = []  # when, and what
        self.cleared_at: list[float] = []
        self.spoke_until = 0.0  # when the end of the last recording was sent
        self.ended = asyncio.Event()
        self._unsent = np.zeros(0, np.int16)
        self._said = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._n_heard = 0  # pieces that `hear` has returned

    async def __aenter__(self) -> Self:
        await self.open()
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._receive())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.close()

    async def open(self) -> None:
        """Connect and name the call."""
        raise NotImplementedError

    async def close(self) -> None:
        """Hang up."""
        raise NotImplementedError

    async def send_audio(self, samples: Samples) -> None:
        """Send a frame."""
        raise NotImplementedError

    async def receive_audio(self) -> AsyncIterator[Samples]:
        """Yield what is heard, until the other side ends the call."""
        raise NotImplementedError
        yield

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        with contextlib.suppress(OSError, ConnectionClosed):
            while True:
                frame, self._unsent = self._unsent[:FRAME], self._unsent[FRAME:]
                await self.send_audio(np.pad(frame, (0, FRAME - len(frame))))
                if len(frame) and len(self._unsent) <= PAUSE < len(self._unsent) + FRAME:
                    self.spoke_until = loop.time()
                if len(frame) and not len(self._unsent):
                    self._said.set()
                due = max(due + 0.02 / (self.speed if len(frame) else 1), loop.time() - 1)
                await asyncio.sleep(max(0.0, due - loop.time()))

    async def _receive(self) -> None:
        with contextlib.suppress(EOFError, OSError, ConnectionClosed):
            async for samples in self.receive_audio():
                self.heard.append((asyncio.get_running_loop().time(), samples))
        self.ended.set()

    async def say(self, samples: Samples) -> None:
        """Say a recording, then pause long enough to end the utterance; return when both were sent."""
        self._said.clear()
        self._unsent = np.pad(samples, (0, PAUSE))
        async with asyncio.timeout(30):
            await self._said.wait()

    async def first_sound(self, *, after: float, within_s: float = 20) -> float:
        """Return when the first sound after a time was heard."""
        async with asyncio.timeout(within_s):
            while True:
                if found := [at for at, _ in self.heard if at > after]:
                    return found[0]
                await asyncio.sleep(0.005)

    async def silence(self, *, after: float, quiet_s: float = 0.25, within_s: float = 20) -> float:
        """Return when the shop stopped speaking after a time."""
        async with asyncio.timeout(within_s):
            while True:
                last = max((at for at, _ in self.heard), default=0.0)
                if asyncio.get_running_loop().time() - max(last, after) > quiet_s:
                    return max(last, after)
                await asyncio.sleep(0.005)

    async def hear(self, *, quiet_s: float = QUIET_S, within_s: float = 30) -> Samples:
        """Wait for speech that was not returned yet, and until it pauses or the call ends; return it."""
        async with asyncio.timeout(within_s):
            while len(self.heard) == self._n_heard and not self.ended.is_set():  # noqa: ASYNC110 - two conditions
                await asyncio.sleep(0.02)
            while not self.ended.is_set() and asyncio.get_running_loop().time() - self.heard[-1][0] < quiet_s:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return self.forget()

    def all_since(self, after: float) -> Samples:
        """Return what was heard since a time."""
        return np.concatenate([np.zeros(0, np.int16), *[samples for at, samples in self.heard if at > after]])

    def forget(self) -> Samples:
        """Return what was heard since the last time."""
        heard = [samples for _, samples in self.heard[self._n_heard :]]
        self._n_heard = len(self.heard)
        return np.concatenate([np.zeros(0, np.int16), *heard])


class AudioSocketTelephone(Telephone):
    """A call as Asterisk's AudioSocket application carries it."""

    def __init__(self, port: int, call_id: UUID, **options: Any) -> None:
        super().__init__(**options)
        self.port, self.call_id = port, call_id

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.write(0x01, self.call_id.bytes)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    def write(self, kind: int, payload: bytes = b"") -> None:
        self.writer.write(struct.pack("!BH", kind, len(payload)) + payload)

    def press(self, digit: str) -> None:
        self.write(0x03, digit.encode())

    async def send_audio(self, samples: Samples) -> None:
        self.write(0x10, samples.astype("<i2").tobytes())
        await self.writer.drain()

    async def receive_audio(self) -> AsyncIterator[Samples]:
        while True:
            kind, length = struct.unpack("!BH", await self.reader.readexactly(3))
            payload = await self.reader.readexactly(length)
            if kind == 0x00:
                return
            assert (kind, length) == (0x10, 320)  # Asterisk drops the call for anything else
            yield np.frombuffer(payload, "<i2").astype(np.int16)


class JambonzTelephone(Telephone):
    """A call as the verb listen of jambonz carries it."""

    def __init__(self, url: str, headers: dict[str, str], call: str, **options: Any) -> None:
        super().__init__(**options)
        self.url, self.headers, self.call = url, headers, call
        self.socket: ClientConnection
        self.controls: list[str] = []  # the types of messages that are not audio

    async def open(self) -> None:
        self.socket = await connect(self.url, additional_headers=self.headers, subprotocols=["audio.jambonz.org"])  # type: ignore[list-item]
        assert self.socket.subprotocol == "audio.jambonz.org"
        known = {"callSid": self.call, "direction": "inbound", "from": "+84900000000", "to": "+84280000000", "callStatus": "in-progress"}
        await self.send({**known, "sampleRate": SAMPLE_RATE, "mixType": "mono", "metadata": {"store": "s1"}})

    async def close(self) -> None:
        await self.socket.close()

    async def send(self, message: dict[str, Any]) -> None:
        expect_described("jambonz", "receive", message)
        await self.socket.send(json.dumps(message))

    async def press(self, digit: str) -> None:
        await self.send({"event": "dtmf", "dtmf": digit, "duration": "1200"})

    async def send_audio(self, samples: Samples) -> None:
        await self.socket.send(samples.astype("<i2").tobytes())

    async def receive_audio(self) -> AsyncIterator[Samples]:
        async for frame in self.socket:
            if isinstance(frame, bytes):
                yield np.frombuffer(frame, "<i2").astype(np.int16)
                continue
            message = json.loads(frame)
            expect_described("jambonz", "send", message)
            self.controls.append(message["type"])
            if message["type"] == "killAudio":
                self.cleared_at.append(asyncio.get_running_loop().time())
            elif message["type"] == "mark":
                await self.send({"type": "mark", "data": {**message["data"], "event": "playout"}})


class TwilioTelephone(Telephone):
    """A call as Twilio's Media Streams carry it."""

    def __init__(self, url: str, headers: dict[str, str], parameters: dict[str, str], *, call: str = "CA1", **options: Any) -> None:
        super().__init__(**options)
        self.url, self.headers, self.parameters, self.call = url, headers, parameters, call
        self.socket: ClientConnection
        self.n_frames = 0

    async def open(self) -> None:
        self.socket = await connect(self.url, additional_headers=self.headers)
        await self.send({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        media_format = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"streamSid": "MZ1", "accountSid": "AC1", "callSid": self.call, "tracks": ["inbound"], "mediaFormat": media_format}
        start["customParameters"] = self.parameters
        await self.send({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": start})

    async def close(self) -> None:
        await self.socket.close()

    async def send(self, message: dict[str, Any]) -> None:
        if message["event"] != "connected" and self.n_frames < 2:  # the others are alike
            expect_described("media", "receive", message)
        await self.socket.send(json.dumps(message))

    async def press(self, digit: str) -> None:
        await self.send({"event": "dtmf", "streamSid": "MZ1", "sequenceNumber": "5", "dtmf": {"track": "inbound_track", "digit": digit}})

    async def send_audio(self, samples: Samples) -> None:
        self.n_frames += 1
        payload = base64.b64encode(encode(samples, "mulaw")).decode()
        media = {"track": "inbound", "chunk": str(self.n_frames), "timestamp": str(20 * self.n_frames), "payload": payload}
        await self.send({"event": "media", "sequenceNumber": str(self.n_frames + 1), "streamSid": "MZ1", "media": media})

    async def receive_audio(self) -> AsyncIterator[Samples]:
        async for frame in self.socket:
            message = json.loads(frame)
            assert message["streamSid"] == "MZ1"
            if message["event"] != "media" or not self.heard:
                expect_described("media", "send", message)
            if message["event"] == "media":
                yield G711["mulaw"][np.frombuffer(base64.b64decode(message["media"]["payload"], validate=True), np.uint8)]
            elif message["event"] == "clear":
                self.cleared_at.append(asyncio.get_running_loop().time())
            elif message["event"] == "mark":
                await self.send({"event": "mark", "sequenceNumber": "9", "streamSid": "MZ1", "mark": message["mark"]})
