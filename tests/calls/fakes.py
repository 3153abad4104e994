"""Stand-ins at the seams of a call: the recogniser's connection, the synthesiser, the line and the store."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import numpy as np

from errors import OrderConflict, Overloaded
from schemas import StoredOrder
from voice.calls.call import Call
from voice.calls.keeper import OrderKeeper
from voice.calls.outcome import Outcome
from voice.calls.playback import Playback
from voice.dialog.turn import DialogEngine
from voice.live.session import TypedAnswer
from voice.live.session_order import SessionOrder
from voice.menus.menu import Menu  # noqa: TC001 - as the other types
from voice.tts.sound import Sound
from voice.tts.speaker import Speaker

RATE = 8000


class ScriptedLive:
    """Stands in for a live connection: what the caller says is put into its events, with the replies of a real conversation."""

    def __init__(self, engine: DialogEngine) -> None:
        self.client = "demo"
        self.order = SessionOrder(lambda: engine, "en")
        self.queue: asyncio.Queue[Any] = asyncio.Queue()
        self.ending_words = ""  # recognised when the connection is stopped

    async def run(self) -> None:
        """Decode nothing."""

    async def events(self) -> AsyncGenerator[Any]:
        while (event := await self.queue.get()) is not None:
            yield event

    def begin(self) -> None:
        self.queue.put_nowait({"type": "speech", "is_started": True})

    def finish(self, text: str = "") -> None:
        """End an utterance; without text it was noise."""
        if text:
            order = self.order.parse([{"start_s": 0.0, "end_s": 1.0, "text": text, "confidence": None}])
            self.order.accept(order)
            self.queue.put_nowait({"type": "final", "ended_by": "pause", "text": text, "language": "en", "segments": [], **order})
        self.queue.put_nowait({"type": "speech", "is_started": False})

    def say(self, text: str) -> None:
        self.begin()
        self.finish(text)

    async def receive_command(self, command: TypedAnswer, _n_bytes: int) -> None:
        self.say(command.text)

    async def stop(self, _error: Exception | None = None) -> None:
        if self.ending_words:
            self.finish(self.ending_words)
        self.queue.put_nowait(None)


class WordSynthesiser:
    """Stands in for a voice: ten milliseconds of sound for each character, and a record of what was spoken."""

    languages: frozenset[str] | None = frozenset({"en"})

    def __init__(self, *, fails: bool = False) -> None:
        self.texts: list[str] = []
        self.fails = fails

    async def open(self) -> None:
        """Be ready."""

    async def close(self) -> None:
        """Hold nothing."""

    async def synthesise(self, text: str, language: str, due_at: float) -> AsyncGenerator[Sound]:  # noqa: ARG002
        if self.fails:
            raise ConnectionResetError
        self.texts.append(text)
        yield Sound(np.full(RATE // 100 * len(text), len(text), np.int16), RATE)


class RecordingLine:
    """Stands in for the caller's end: records what is played, in a hundredth of the time."""

    frame_s, lead_s = 0.02, 3600.0

    def __init__(self) -> None:
        self.played: list[bytes] = []
        self.n_cleared = 0
        self.is_gone = False

    async def play(self, audio: bytes) -> None:
        if self.is_gone:
            raise ConnectionResetError
        self.played.append(audio)

    async def clear(self) -> None:
        self.n_cleared += 1

    async def wait_until_heard(self) -> None:
        """All was heard."""


class ScriptedStore:
    """Stands in for the store of orders."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.orders: dict[UUID, StoredOrder] = {}

    async def put_order(self, _client: str, order: StoredOrder, *, placed_at_given: bool) -> tuple[StoredOrder, bool]:
        assert placed_at_given
        if self.failures:
            raise self.failures.pop(0)
        self.orders[UUID(order["order_id"])] = order
        return order, True


CONFLICT, NO_DATABASE = OrderConflict(), Overloaded(1, "The database does not answer.")


class Telephoning:
    """A call with all its stand-ins."""

    def __init__(self, engine: DialogEngine, speaker: Speaker, histogram: Any, store: ScriptedStore, **options: Any) -> None:
        self.live, self.line, self.store = ScriptedLive(engine), RecordingLine(), store
        menu: Menu = engine.menu
        self.keeper = OrderKeeper(store, lambda _: engine, "demo", "CA1", lambda: None)  # type: ignore[arg-type]
        playback = Playback(speaker, self.line, encoding="pcm_s16le", sample_rate=RATE)
        self.call = Call(
            self.live,  # type: ignore[arg-type]
            playback,
            self.keeper,
            lambda: menu,
            language="en",
            greeting="Hello there.",
            reply_s=histogram,
            **options,
        )
        self.running = asyncio.ensure_future(self.call.run())

    async def outcome(self) -> Outcome:
        return await asyncio.wait_for(self.running, 20)
