"""Open, limit and drain the live connections of this process."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from functools import partial

from prometheus_client import CollectorRegistry

from errors import Overloaded
from schemas import LiveOptions, Order
from voice.asr.audio import RawStream
from voice.asr.recogniser import Recogniser
from voice.dialog.state import State
from voice.dialog.turn import DialogEngine
from voice.live.connection import LiveConnection
from voice.live.endpointing import MAX_UTTERANCE_S
from voice.live.metrics import LiveMetrics
from voice.live.session import StreamingSession

# Each uses some 100 KB; one client may open half of them.
MAX_CONNECTIONS = 512
# On all connections of one client: incomplete and queued messages, commands, and the orders set by commands. This is four of the largest
# messages; 256 ordinary connections use a tenth of it.
MAX_CLIENT_BYTES = 32 * 1024 * 1024


class LiveSessions:
    """The live connections of this process."""

    def __init__(  # noqa: PLR0913 - limits
        self,
        recogniser: Recogniser,
        record: Callable[[str, str, State, Order], None] = lambda *_: None,
        *,
        max_audio_s: float,
        registry: CollectorRegistry,
        max_utterance_s: float = MAX_UTTERANCE_S,
        max_connections: int = MAX_CONNECTIONS,
        max_client_bytes: int = MAX_CLIENT_BYTES,
    ) -> None:
        """`record` is called with the client, the utterance, the state before and the order of each turn.

        `max_audio_s`: of one connection.
        """
        self.draining = False
        self.record = record
        self._recogniser, self._metrics = recogniser, LiveMetrics(registry)
        self._max_audio_s, self._max_utterance_s = max_audio_s, max_utterance_s
        self._max_connections, self._max_client_bytes = max_connections, max_client_bytes
        self._connections: set[LiveConnection] = set()
        self._tasks: set[asyncio.Future[None]] = set()

    @contextlib.contextmanager
    def connect(
        self, current_engine: Callable[[], DialogEngine], options: LiveOptions, client: str, *, reports_speech: bool = False
    ) -> Iterator[LiveConnection]:
        """Open a connection; `current_engine` is called at each step, since menus change; `reports_speech`: see `StreamingSession`.

        Raises:
            Overloaded: the models are not loaded, the queue is full, there are too many connections, or the service is stopping.
            ValidationFailed: the language is not supported.

        """
        languages = self._recogniser.candidate_languages(options.language, current_engine().menu.languages)
        engines = self._recogniser.select_engines(languages)
        self._recogniser.check_admission(client)
        n_own = sum(connection.client == client for connection in self._connections)
        if self.draining or len(self._connections) >= self._max_connections or n_own >= self._max_connections // 2:
            message = "The service is stopping." if self.draining else "Too many live connections are open."
            raise Overloaded(5, message)
        connection = LiveConnection(
            StreamingSession(
                engines,
                languages,
                current_engine,
                max_utterance_s=self._max_utterance_s,
                reports_speech=reports_speech,
                record=partial(self.record, client),
            ),
            client,
            RawStream(encoding=options.encoding, sample_rate=options.sample_rate),
            self._recogniser,
            self._metrics,
            self._max_audio_s,
            partial(self._has_room, client),
        )
        self._connections.add(connection)
        self._metrics.connections.set(len(self._connections))
        try:
            yield connection
        finally:
            self._connections.discard(connection)
            self._metrics.connections.set(len(self._connections))

    def _has_room(self, client: str, more_bytes: int) -> bool:
        held_bytes = sum(connection.held_bytes for connection in self._connections if connection.client == client)
        return held_bytes + more_bytes <= self._max_client_bytes

    def drain(self, within_s: float) -> None:
        """Reject new connections; end each open one between two utterances, or `within_s` from now."""
        self.draining = True
        self._for_each(LiveConnection.drain)
        asyncio.get_running_loop().call_later(within_s, self._for_each, LiveConnection.stop)

    def _for_each(self, act: Callable[[LiveConnection], Coroutine[None, None, None]]) -> None:
        for connection in self._connections:
            task = asyncio.ensure_future(act(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
