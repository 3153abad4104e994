"""Open, limit and drain the calls of this process."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from errors import Overloaded
from schemas import LiveOptions, RawEncoding
from voice.calls.call import Call
from voice.calls.keeper import OrderKeeper
from voice.calls.outcome import Outcome
from voice.calls.playback import Line, Playback
from voice.calls.text_call import TextCall
from voice.dialog.turn import DialogEngine
from voice.live.sessions import LiveSessions
from voice.menus.served import ServedMenus
from voice.store.orders import OrderStore
from voice.tts.speaker import Speaker

log = logging.getLogger("voice.calls")
RETRY_S, NO_VOICE_RETRY_S = 5, 60
MAX_TEXT_CALLS = 512  # each uses some 50 KB
REPLY_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5)


@dataclass(kw_only=True)
class Caller:
    """Who calls whom, and how the call ended."""

    protocol: str
    call_id: str
    client: str
    menu: str | None  # None: the only menu
    language: str | None = None  # None: those of the menu that the voice speaks
    greeting: str = ""  # empty: the language's
    outcome: Outcome = Outcome.HUNG_UP
    started_at: float = field(default_factory=time.monotonic)


@asynccontextmanager
async def reading(messages: Coroutine[Any, Any, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Read the messages of a line while the block runs; yield the task."""
    task = asyncio.create_task(messages)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Calls:
    """The calls of this process."""

    def __init__(  # noqa: PLR0913 - the parts of a call
        self,
        live: LiveSessions,
        speaker: Speaker | None,
        menus: ServedMenus[DialogEngine],
        store: OrderStore,
        on_stored: Callable[[], None],
        *,
        registry: CollectorRegistry,
        max_calls: int,
    ) -> None:
        """`speaker`: None if no voice is configured. `max_calls`: with audio, at the same time."""
        self.draining = asyncio.Event()
        self._live, self._speaker, self._menus, self._store, self._on_stored = live, speaker, menus, store, on_stored
        self._max_calls, self._n_calls, self._n_text_calls = max_calls, 0, 0
        self._open = Gauge("voice_calls", "Calls in progress.", ("protocol",), registry=registry, multiprocess_mode="livesum")
        self._ended = Counter("voice_calls_ended", "Calls that ended.", ("protocol", "outcome"), registry=registry)
        self._refused = Counter("voice_calls_refused", "Calls with audio that were not taken.", registry=registry)
        self._reply_s = Histogram(
            "voice_call_reply_seconds",
            "Seconds from the end of a turn to the first sound of the reply.",
            buckets=REPLY_BUCKETS_S,
            registry=registry,
        )

    def check_admission(self) -> None:
        """Check that a call with audio may begin, before it is accepted.

        Raises:
            Overloaded: no voice is configured or loaded, there are too many calls, or the service is stopping.

        """
        if self._speaker is None:
            message = "Calls need a voice, and none is configured: set SPEAK_URL or SPEAK_VOICES."
            raise Overloaded(NO_VOICE_RETRY_S, message)
        self._speaker.check_ready()
        if self.draining.is_set() or self._n_calls >= self._max_calls:
            self._refused.inc()
            message = "The service is stopping." if self.draining.is_set() else "Too many calls are in progress."
            raise Overloaded(RETRY_S, message)

    @contextmanager
    def open(self, caller: Caller, line: Line, *, encoding: RawEncoding, sample_rate: int) -> Iterator[Call]:
        """Open a call with audio.

        Raises:
            Overloaded: as `check_admission` and `LiveSessions.connect`, or the voice speaks no language of the call.
            MenuNotFound: there is no such menu.
            ValidationFailed: the language is not supported.

        """
        self.check_admission()
        assert self._speaker is not None  # noqa: S101 - checked
        engine = self._menus.get(caller.client, caller.menu)
        languages = [caller.language] if caller.language else engine.menu.languages or ["en"]
        spoken = [language for language in languages if self._speaker.speaks(language)]
        if not spoken:
            message = f"No voice speaks {' or '.join(languages)}."
            raise Overloaded(NO_VOICE_RETRY_S, message)
        current_engine = partial(self._menus.get, caller.client, engine.menu.id)
        options = LiveOptions(language=spoken[0] if len(spoken) == 1 else None, sample_rate=sample_rate, encoding=encoding)
        with self._live.connect(current_engine, options, caller.client, reports_speech=True) as live, self._counted(caller):
            self._n_calls += 1
            try:
                yield Call(
                    live,
                    Playback(self._speaker, line, encoding=encoding, sample_rate=sample_rate),
                    self._keeper(caller),
                    lambda: current_engine().menu,
                    language=spoken[0],
                    greeting=caller.greeting,
                    reply_s=self._reply_s,
                )
            finally:
                self._n_calls -= 1

    @contextmanager
    def open_text(self, caller: Caller) -> Iterator[TextCall]:
        """Open a call whose platform recognises and speaks.

        Raises:
            Overloaded: there are too many calls, or the service is stopping.
            MenuNotFound: there is no such menu.

        """
        if self.draining.is_set() or self._n_text_calls >= MAX_TEXT_CALLS:
            message = "The service is stopping." if self.draining.is_set() else "Too many calls are in progress."
            raise Overloaded(RETRY_S, message)
        engine = self._menus.get(caller.client, caller.menu)
        language = caller.language or (engine.menu.languages or ["en"])[0]
        current_engine = partial(self._menus.get, caller.client, engine.menu.id)
        with self._counted(caller):
            self._n_text_calls += 1
            try:
                yield TextCall(
                    current_engine,
                    self._keeper(caller),
                    language=language,
                    reply_language=caller.language,
                    greeting=caller.greeting,
                    record=partial(self._live.record, caller.client),
                )
            finally:
                self._n_text_calls -= 1

    @contextmanager
    def speaking(self, languages: Sequence[str]) -> Iterator[Speaker]:
        """Lend the voice to a live connection, which counts as a call with audio while it lasts. `languages`: of its replies.

        Raises:
            Overloaded: as `check_admission`, or the voice speaks none of the languages.

        """
        self.check_admission()
        assert self._speaker is not None  # noqa: S101 - checked
        if not any(map(self._speaker.speaks, languages)):
            message = f"No voice speaks {' or '.join(languages)}."
            raise Overloaded(NO_VOICE_RETRY_S, message)
        self._n_calls += 1
        try:
            yield self._speaker
        finally:
            self._n_calls -= 1

    def drain(self, within_s: float) -> None:
        """Reject new calls and let persons take over the others; those with audio after the utterance, or `within_s` from now."""
        self.draining.set()
        self._live.drain(within_s)

    def _keeper(self, caller: Caller) -> OrderKeeper:
        return OrderKeeper(self._store, partial(self._menus.get, caller.client), caller.client, caller.call_id, self._on_stored)

    @contextmanager
    def _counted(self, caller: Caller) -> Iterator[None]:
        """Count a call while it lasts, and log its end."""
        self._open.labels(caller.protocol).inc()
        try:
            yield
        finally:
            self._open.labels(caller.protocol).dec()
            self._ended.labels(caller.protocol, caller.outcome.value).inc()
            facts = {"protocol": caller.protocol, "call": caller.call_id, "client": caller.client, "outcome": caller.outcome.value}
            log.info("call ended", extra=facts | {"duration_s": round(time.monotonic() - caller.started_at, 1)})
