"""One telephone call: listen, answer aloud, stop when the caller speaks, and store the order when it is confirmed."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from prometheus_client import Histogram

from errors import ApiError, AudioTooLong
from schemas import LiveFinal
from voice.calls import keypad
from voice.calls.keeper import OrderKeeper
from voice.calls.outcome import OUTCOMES, Outcome
from voice.calls.playback import Playback
from voice.live.connection import LiveConnection
from voice.live.session import TypedAnswer
from voice.menus.menu import Menu
from voice.orders.language_packs import speech_of
from voice.tts.pieces import cut
from voice.tts.sound import SpeechFailedError

log = logging.getLogger("voice.calls")
# After so much silence the last sentence is said again; after MAX_SILENCES of them a person takes over.
SILENCE_S, MAX_SILENCES = 8.0, 3
# The last words of a caller who hung up are recognised within this time.
FINISH_S = 5.0
# A number of several digits is complete after so much time without another key.
KEYS_S = 1.5
MAX_KEYS: Final = 3


class Call:
    """One call with audio. The adapter feeds it with audio and keys, and runs it."""

    def __init__(  # noqa: PLR0913 - the parts of a call
        self,
        live: LiveConnection,
        playback: Playback,
        keeper: OrderKeeper,
        current_menu: Callable[[], Menu],
        *,
        language: str,
        greeting: str,
        reply_s: Histogram,
        silence_s: float = SILENCE_S,
    ) -> None:
        """`language`: of sentences before the first reply. `greeting`: the first sentence; empty: the language's."""
        self.live, self.keeper = live, keeper
        self._playback, self._current_menu = playback, current_menu
        self._language = language
        self._greeting = greeting or " ".join(speech_of(language).sentences[name] for name in ("greeting", "first"))
        self._reply_s, self._silence_s = reply_s, silence_s
        self._outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._is_gone = False  # the caller hung up
        self._ending: Outcome | None = None  # once the last sentence is said
        self._speaking: asyncio.Task[None] | None = None
        self._said: Sequence[str] = ()  # the last text, in pieces
        self._interrupted: Sequence[str] = ()  # its pieces that the caller talked over
        self._final: LiveFinal | None = None  # the last turn
        self._n_silences = 0
        self._timer: asyncio.TimerHandle | None = None
        self._keys = ""
        self._tasks: set[asyncio.Task[None]] = set()

    # --- What the adapter calls

    async def run(self) -> Outcome:
        """Hold the conversation; return when the last sentence was heard or the caller hung up."""
        self._start(self.live.run())
        self._start(self._listen())
        self._speak(cut(self._greeting))
        try:
            return await self._outcome
        finally:
            self._stop_timer()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def hang_up(self) -> None:
        """End the call because the caller has gone, after the words that were said last: a yes to the read-back counts."""
        self._is_gone = True
        self._stop_timer()
        if self._ending is not None:
            self._end(self._ending)
            return
        if self._speaking is not None:
            self._speaking.cancel()
        await self.live.stop()
        self._start_timer(FINISH_S, self._give_up)

    async def fail(self, error: ApiError) -> None:
        """End the call by an error of what its platform sends: at once, or after the turn if only the audio is too long."""
        await self.live.stop(error)
        if not isinstance(error, AudioTooLong):
            self._end(Outcome.HANDOFF)

    async def _give_up(self) -> None:
        self._end(Outcome.HUNG_UP)

    async def press(self, key: str) -> None:
        """Take a pressed key: an answer, a digit of a number, or the wish for a person; other characters are ignored."""
        if self._ending is not None or len(key) != 1 or key not in "0123456789*#":
            return
        await self._interrupt()
        question = self._final["questions"][0] if self._final and self._final["questions"] else None
        if keypad.asks_for_a_number(question) and key != keypad.REPEAT and (self._keys or key != keypad.PERSON):
            self._keys += key.replace(keypad.END_OF_NUMBER, "")
            if key != keypad.END_OF_NUMBER and len(self._keys) < MAX_KEYS:
                self._start_timer(KEYS_S, self._take_keys)
                return
        elif key == keypad.PERSON:
            self._hand_off()
            return
        else:
            self._keys = key
        await self._take_keys()

    async def _take_keys(self) -> None:
        """Take the pressed keys as an answer; without a meaning the last sentence is said again."""
        keys, self._keys, self._n_silences = self._keys, "", 0
        questions = self._final["questions"] if self._final else []
        answer = keypad.answer(keys, questions[0] if questions else None, self._current_menu(), self._language)
        self._interrupted = ()
        if answer is None:
            self._speak(self._said)
        else:
            await self.live.receive_command(TypedAnswer(answer), len(answer))

    # --- Listening

    async def _listen(self) -> None:
        """Follow the recogniser's events; when they end, a person takes over."""
        async for event in self.live.events():
            if isinstance(event, ApiError):  # the menu has changed and lacks a part of the order
                log.warning("order cut by a changed menu", extra={"error": event.error, "client": self.live.client})
                self._hand_off()
            elif event["type"] == "speech":
                await (self._interrupt() if event["is_started"] else self._go_on())
            elif event["type"] == "final" and event["text"] and self._ending is None:
                await self._take(event)
        if self._is_gone:
            self._end(self._ending or Outcome.HUNG_UP)
        else:
            self._hand_off()

    async def _take(self, final: LiveFinal) -> None:
        """Reply to a turn."""
        arrived_at = asyncio.get_running_loop().time()
        self._final, self._language = final, final["say"]["language"]
        self._interrupted, self._n_silences, self._keys = (), 0, ""
        outcome = OUTCOMES.get(final["status"])
        if outcome is Outcome.CONFIRMED and not await self.keeper.keep(final):
            self._hand_off()
            return
        self._speak(cut(final["say"]["text"]), outcome, asked_at=arrived_at)

    async def _interrupt(self) -> None:
        """Stop speaking because the caller speaks; the last sentence is said to its end."""
        self._stop_timer()
        if self._ending is not None or self._speaking is None or self._speaking.done():
            return
        self._speaking.cancel()
        await asyncio.gather(self._speaking, return_exceptions=True)
        self._interrupted = self._playback.remaining()
        await self._clear()

    async def _go_on(self) -> None:
        """Go on speaking if the sound that interrupted it was no speech."""
        if self._ending is not None or (self._speaking is not None and not self._speaking.done()):
            return
        if self._interrupted:
            whole = self._said
            self._speak(self._interrupted)
            self._said = whole
        else:
            self._wait_for_the_caller()

    async def _repeat(self) -> None:
        """Say the last sentence again to a silent caller, or let a person take over."""
        self._n_silences += 1
        if self._n_silences >= MAX_SILENCES:
            self._hand_off()
        else:
            self._speak(self._said)

    def _hand_off(self) -> None:
        self._speak(cut(speech_of(self._language).sentences["handoff"]), Outcome.HANDOFF)

    # --- Speaking

    def _speak(self, pieces: Sequence[str], outcome: Outcome | None = None, *, asked_at: float | None = None) -> None:
        """Say something instead of what is being said; with an outcome it is the last sentence."""
        if self._ending is not None:
            return
        self._ending = outcome
        if self._is_gone:
            return  # the end of the events ends the call
        self._said, self._interrupted = pieces, ()
        self._stop_timer()
        before = self._speaking
        if before is not None:
            before.cancel()
        self._playback.load(pieces)
        self._speaking = self._start(self._play(outcome, asked_at, before))

    async def _play(self, outcome: Outcome | None, asked_at: float | None, before: "asyncio.Task[None] | None") -> None:
        """Play the loaded pieces after the task `before` has stopped; `asked_at`: when the turn ended, on the loop's clock."""
        if before is not None and not before.done():
            await asyncio.gather(before, return_exceptions=True)
            await self._clear()
        try:
            try:
                await self._playback.play(self._language)
            finally:
                if asked_at is not None and self._playback.first_sound_at:
                    self._reply_s.observe(self._playback.first_sound_at - asked_at)
            if outcome is not None:
                await self._playback.wait_until_heard()
        except OSError:
            self._end(outcome or Outcome.HUNG_UP)
            return
        except SpeechFailedError:
            log.exception("speech synthesis failed", extra={"client": self.live.client})
            self._end(outcome or Outcome.HANDOFF)
            return
        if outcome is not None:
            self._end(outcome)
        else:
            self._wait_for_the_caller()

    async def _clear(self) -> None:
        try:
            await self._playback.clear()
        except OSError:
            self._end(Outcome.HUNG_UP)

    def _end(self, outcome: Outcome) -> None:
        self._ending = self._ending or outcome
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    # --- Time

    def _wait_for_the_caller(self) -> None:
        if self._keys:
            self._start_timer(KEYS_S, self._take_keys)
        else:
            self._start_timer(self._silence_s, self._repeat)

    def _start_timer(self, seconds: float, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, lambda: self._start(act()))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Work beside the conversation until the call ends; a fault ends the call, so that a person takes over."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("call failed", extra={"client": self.live.client}, exc_info=task.exception())
            self._end(Outcome.HANDOFF)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
