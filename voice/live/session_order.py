"""The conversation of a session: understood and priced with its current menu."""

from collections.abc import Callable, Sequence

from errors import ApiError, FieldError, ItemNotFound, ValidationFailed
from schemas import Conversation, LineRequest, Order, Segment
from voice.asr.transcript import text_of
from voice.dialog.completeness import Completeness, completeness
from voice.dialog.lines import draft_of
from voice.dialog.state import State
from voice.dialog.turn import EMPTY, DialogEngine
from voice.dialog.wire import conversation_of, state_of
from voice.orders.confirmation import is_recognition_uncertain, is_spoken

Record = Callable[[str, State, Order], None]  # the utterance, the state before, the order after


class SessionOrder:
    """The state of a session's conversation, changed by utterances, by the client and by changes of the menu."""

    def __init__(self, current_engine: Callable[[], DialogEngine], reply_language: str | None = None, record: Record | None = None) -> None:
        """`current_engine` returns the engine of the session's menu; called at each step, since menus change.

        `reply_language`: None is the language that the words of an utterance tell. `record` is called with each turn that is accepted.

        Raises:
            MenuNotFound: by `current_engine`, here and in `follow_menu`.

        """
        self.state = EMPTY
        self._lines: Sequence[LineRequest] = ()  # of `state`
        self._current_engine, self._engine = current_engine, current_engine()
        self._menu = self._engine.menu  # another object after a change of what is available
        self._reply_language = reply_language
        self._record = record
        # The last turn: its text, whether it was spoken, and whether its recognition is uncertain; the state before, the order after.
        self._taken: tuple[tuple[str, bool, bool], State, Order] | None = None

    @property
    def phrases(self) -> Sequence[str]:
        """The phrases that the recognition is biased towards."""
        return self._engine.phrases(self.state)

    def follow_menu(self) -> list[ApiError]:
        """Switch to the menu served now; remove missing items and options from the lines, and return the error that reports them."""
        engine = self._current_engine()
        if engine is self._engine and engine.menu is self._menu:
            return []
        self._engine, self._menu, self._taken = engine, engine.menu, None
        self._lines, errors = remove_missing(engine, self._lines)
        if not errors:
            return []
        notes = tuple([note._replace(line=None) for note in self.state.notes])
        self.state = EMPTY._replace(lines=draft_of(engine.menu, self._lines), notes=notes)
        return [ItemNotFound("The menu has changed and no longer has a part of the order.", errors)]

    def set_state(self, conversation: Conversation) -> list[ApiError]:
        """Replace the state; if the menu lacks a part of the lines, return the error and keep the previous state."""
        try:
            self.state = state_of(self._engine.menu, conversation)
        except ValidationFailed as error:
            return [error.with_traceback(None)]  # the traceback keeps the lines alive
        self._lines = conversation.lines
        return []

    def score(self, text: str) -> float | None:
        """Score a text as the next utterance; lower is better, None if it orders nothing."""
        return self._engine.score(text, self.state)

    def parse(self, segments: Sequence[Segment]) -> Order:
        """Return the turn of these words; the same words in the same state are understood once."""
        words = text_of(segments), is_spoken(segments), is_recognition_uncertain(segments)
        if self._taken and self._taken[0] == words and self._taken[1] is self.state:
            return self._taken[2]
        order = self._engine.take_turn(words[0], self.state, reply_language=self._reply_language, is_spoken=words[1], is_uncertain=words[2])
        self._taken = words, self.state, order
        return order

    def completeness(self, segments: Sequence[Segment]) -> Completeness:
        """Return how complete these words are as the next utterance."""
        return completeness(text_of(segments), self.state, self.parse(segments))

    def accept(self, order: Order) -> None:
        """Take the state of a turn's reply."""
        if self._record is not None and self._taken is not None and self._taken[2] is order:
            (text, *_), before, _ = self._taken
            self._record(text, before, order)
        request = conversation_of(order)
        self.state, self._lines = state_of(self._engine.menu, request), request.lines


def remove_missing(engine: DialogEngine, lines: Sequence[LineRequest]) -> tuple[Sequence[LineRequest], list[FieldError]]:
    """Return the lines without items and options missing from the menu, and an error for each of these."""
    if not _price_errors(engine, lines):
        return lines, []
    kept, errors = [], list[FieldError]()
    for number, line in enumerate(lines):
        bare = line.model_copy(update={"options": []})
        if missing := _price_errors(engine, [bare]):
            errors += [{**error, "loc": ["lines", number, "item"]} for error in missing]
            continue
        options = []
        for place, option in enumerate(line.options):
            if missing := _price_errors(engine, [bare.model_copy(update={"options": [option]})]):
                errors += [{**error, "loc": ["lines", number, "options", place, *error["loc"][4:]]} for error in missing]
            else:
                options.append(option)
        kept.append(line.model_copy(update={"options": options}))
    return kept, errors


def _price_errors(engine: DialogEngine, lines: Sequence[LineRequest]) -> Sequence[FieldError]:
    try:
        engine.price(lines)
    except ValidationFailed as error:
        return error.errors
    return ()
