"""Rebuild a conversation from its words alone, for callers that send all of them with each turn and keep no state.

Every turn of the customer is taken again, which gives the same state each time. The states between turns are cached, so that usually only
the last turn is taken. The shop's words matter once: an order is confirmed only as it was read back. If the menu changed in between, or
the caller dropped the beginning of the conversation, the read-back that the customer heard is not the one of this order, and it is read
back again.
"""

import asyncio
import hashlib
import itertools
import re
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple
from weakref import WeakKeyDictionary

from schemas import Order
from voice.dialog.languages import leading_language, spoken_languages
from voice.dialog.policy import is_read_back
from voice.dialog.state import State
from voice.dialog.turn import EMPTY, DialogEngine
from voice.dialog.wire import conversation_of, state_of
from voice.orders import words

# The size of a conversation is bounded by what the customer said: its characters, and so many for each turn.
TURN_CHARACTERS = 100
MAX_CACHED_CHARACTERS = 4_000_000
# Turns of a conversation whose outcomes are cached: the next request goes on from one of them.
KEPT_TURNS = 2
_WORD = re.compile(r"\w+")


class Exchange(NamedTuple):
    """A turn of the customer; `heard`: what the shop said before it, "" if that is unknown."""

    utterance: str
    heard: str = ""


class Setting(NamedTuple):
    """What a conversation depends on besides its words."""

    language: str | None = None  # of the replies; None: the language that the customer's words tell
    at: datetime | None = None  # for opening times; None: now
    call_id: str = ""  # tells conversations with the same words apart


class _Taken(NamedTuple):
    """A conversation after some of its turns."""

    state: State
    language: str | None = None  # of the last reply
    said: str = ""  # the last reply
    is_read_again: bool = False  # a read-back was not what the customer had heard
    size: int = 0  # in characters


class Replay:
    """A conversation that is being rebuilt."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a conversation
        self,
        engine: DialogEngine,
        setting: Setting,
        start: _Taken,
        exchanges: Sequence[Exchange],
        lock: asyncio.Lock,
        store: Callable[[int, _Taken], None],
    ) -> None:
        """`exchanges`: those after `start`. `store` is called with the index and the outcome of each but the last."""
        self._engine, self._setting, self._start, self._exchanges, self._lock, self._store = engine, setting, start, exchanges, lock, store

    @property
    def n_characters(self) -> int:
        """The characters of the turns that have to be taken before the last one."""
        return sum(len(exchange.utterance) for exchange in self._exchanges[:-1])

    async def run(self) -> Order:
        """Return the reply to the last turn, or the greeting if there is none; let others run between two turns."""
        if not self._exchanges:
            return self._engine.prompt(reply_language=self._setting.language)
        async with self._lock:
            taken = self._start
            for number, exchange in enumerate(self._exchanges):
                await asyncio.sleep(0)
                order, taken = self._take(exchange, taken)
                if number < len(self._exchanges) - 1:
                    self._store(number, taken)
        return order

    def _take(self, exchange: Exchange, before: _Taken) -> tuple[Order, _Taken]:
        utterance = words.nfc(exchange.utterance)
        languages = spoken_languages(self._engine.menu)
        language = self._setting.language or leading_language(words.tokenize(utterance), languages) or before.language
        order = self._engine.take_turn(utterance, before.state, reply_language=language)
        is_read_again = before.is_read_again
        if order["status"] == "confirmed" and not is_read_again and not _was_heard(before, exchange.heard):
            # Once only: a caller who rewrites the shop's words could else confirm nothing.
            order, is_read_again = self._engine.prompt(before.state, language), True
        state = state_of(self._engine.menu, conversation_of(order), self._setting.at)
        language = order["say"]["language"]
        return order, _Taken(state, language, order["say"]["text"], is_read_again, before.size + TURN_CHARACTERS + len(utterance))


def _was_heard(before: _Taken, heard: str) -> bool:
    """Return whether the customer heard the read-back of this order, or its beginning before speaking, as far as the caller tells."""
    if not heard or not any(is_read_back(question) for question in before.state.questions):
        return True
    spoken, said = (" ".join(_WORD.findall(words.nfc(text).casefold())) for text in (heard, before.said))
    return said in spoken or said.startswith(spoken)


class Replays:
    """Rebuilds conversations; one of a client at a time, so that long ones delay this client alone."""

    def __init__(self, max_cached_characters: int = MAX_CACHED_CHARACTERS) -> None:
        self._max_size, self._size = max_cached_characters, 0
        self._taken: OrderedDict[bytes, _Taken] = OrderedDict()  # the last used one last
        self._engines: WeakKeyDictionary[DialogEngine, int] = WeakKeyDictionary()
        self._numbers = itertools.count()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def begin(self, engine: DialogEngine, exchanges: Sequence[Exchange], setting: Setting, client: str) -> Replay:
        """Return the replay of a client's conversation from the last turn before the last exchange whose outcome is known."""
        keys = self._keys(engine, exchanges, setting, client)
        n_known = next((n for n in range(len(exchanges) - 1, 0, -1) if keys[n - 1] in self._taken), 0)
        start = _Taken(EMPTY._replace(at=setting.at))
        if n_known:
            start = self._taken[keys[n_known - 1]]
            self._taken.move_to_end(keys[n_known - 1])

        def store(number: int, taken: _Taken) -> None:
            place = n_known + number
            if place >= KEPT_TURNS:
                self._forget(keys[place - KEPT_TURNS])
            self._put(keys[place], taken)

        return Replay(engine, setting, start, exchanges[n_known:], self._locks[client], store)

    def _keys(self, engine: DialogEngine, exchanges: Sequence[Exchange], setting: Setting, client: str) -> list[bytes]:
        """Return the key of the conversation up to each exchange: a digest of its words, and of the menu as it is now."""
        if engine not in self._engines:
            self._engines[engine] = next(self._numbers)
        key = repr((self._engines[engine], client, setting)).encode()
        keys = []
        for exchange in exchanges:
            key = hashlib.blake2b(repr((key, exchange)).encode("utf-8", "backslashreplace"), digest_size=20).digest()
            keys.append(key)
        return keys

    def _put(self, key: bytes, taken: _Taken) -> None:
        """Cache an outcome, and forget those that were not used for longest."""
        self._forget(key)
        self._taken[key] = taken
        self._size += taken.size
        while self._size > self._max_size:
            self._forget(next(iter(self._taken)))

    def _forget(self, key: bytes) -> None:
        taken = self._taken.pop(key, None)
        self._size -= taken.size if taken is not None else 0
