"""One call whose platform recognises the caller's words and speaks the replies: text in, text out."""

from collections.abc import Callable
from typing import NamedTuple

from schemas import Order, Segment  # noqa: TC001 - annotations may be evaluated
from voice.calls import keypad
from voice.calls.keeper import OrderKeeper
from voice.calls.outcome import OUTCOMES, Outcome
from voice.dialog.turn import DialogEngine
from voice.live.session_order import Record, SessionOrder
from voice.orders.language_packs import speech_of

MAX_CHARACTERS = 2000  # of an utterance, as on the order route; a longer one is asked for again


class Reply(NamedTuple):
    """What to say next."""

    text: str
    language: str
    outcome: Outcome | None = None  # of the call, if this is its last sentence


class TextCall:
    """The conversation of one call."""

    def __init__(  # noqa: PLR0913 - what a call needs, by keyword
        self,
        current_engine: Callable[[], DialogEngine],
        keeper: OrderKeeper,
        *,
        language: str,
        reply_language: str | None,
        greeting: str,
        record: Record | None = None,
    ) -> None:
        """`language`: of sentences before the first reply. `reply_language`: None is the language of the caller's words.

        `record`: as of `SessionOrder`.

        Raises:
            MenuNotFound: by `current_engine`, here and at each turn.

        """
        self.keeper = keeper
        self.order: Order | None = None  # after the last turn
        self._current_engine, self._language = current_engine, language
        self._session = SessionOrder(current_engine, reply_language, record)
        self._greeting = greeting
        self._said = self.greet()
        self._keys = ""

    def greet(self) -> Reply:
        """Return the first sentence."""
        greeting = self._greeting or " ".join(speech_of(self._language).sentences[name] for name in ("greeting", "first"))
        return Reply(greeting, self._language)

    def hand_off(self) -> Reply:
        """Return the sentence with which a person takes over."""
        return Reply(speech_of(self._language).sentences["handoff"], self._language, Outcome.HANDOFF)

    async def take(self, text: str) -> Reply:
        """Take the caller's words and reply; a confirmed order is stored before."""
        self._keys = ""
        if self._session.follow_menu():
            return self.hand_off()  # the menu has changed and lacks a part of the order
        understood = text if len(text) <= MAX_CHARACTERS else ""
        segments: list[Segment] = [{"start_s": 0.0, "end_s": 0.0, "text": understood, "confidence": None}]
        order = self._session.parse(segments)
        self._session.accept(order)
        self.order, self._language = order, order["say"]["language"]
        outcome = OUTCOMES.get(order["status"])
        if outcome is Outcome.CONFIRMED and not await self.keeper.keep(order):
            return self.hand_off()
        self._said = Reply(order["say"]["text"], self._language, outcome)
        return self._said

    async def press(self, key: str) -> Reply | None:
        """Take a pressed key; None: a number goes on with the next key, and `END_OF_NUMBER` ends it."""
        questions = self.order["questions"] if self.order else []
        question = questions[0] if questions else None
        if keypad.asks_for_a_number(question) and key not in (keypad.REPEAT, keypad.END_OF_NUMBER) and (self._keys or key != keypad.PERSON):
            self._keys += key
            return None
        keys, self._keys = self._keys or key, ""
        if keys == keypad.PERSON:
            return self.hand_off()
        answer = keypad.answer(keys, question, self._current_engine().menu, self._language)
        return self._said if answer is None else await self.take(answer)
