"""The order of a session, parsed and priced with its current menu."""

from collections.abc import Callable, Sequence

from errors import ApiError, FieldError, ItemNotFound, ValidationFailed
from schemas import LineRequest, Order, Segment
from voice.live.decoder import text_of
from voice.orders.confirmation import confirmed, is_recognition_uncertain
from voice.orders.engine import OrderEngine


class SessionOrder:
    """The lines of a session, changed by utterances, by the client and by changes of the menu."""

    def __init__(self, current_engine: Callable[[], OrderEngine]) -> None:
        """`current_engine` returns the engine of the session's menu; called at each step, since menus change.

        Raises:
            MenuNotFound: by `current_engine`, here and in `follow_menu`.

        """
        self.lines: Sequence[LineRequest] = ()
        self._current_engine, self._engine = current_engine, current_engine()
        # The last parse: text and whether its recognition is uncertain, lines before, order after.
        self._parsed: tuple[tuple[str, bool], Sequence[LineRequest], Order] | None = None

    @property
    def vocabulary(self) -> Sequence[str]:
        """The phrases that the recognition is biased towards."""
        return self._engine.vocabulary

    def follow_menu(self) -> list[ApiError]:
        """Switch to the menu served now; remove missing items and options from the lines, and return the error that reports them."""
        engine = self._current_engine()
        if engine is self._engine:
            return []
        self._engine, self._parsed = engine, None
        self.lines, errors = remove_missing(engine, self.lines)
        return [ItemNotFound("The menu has changed and no longer has a part of the order.", errors)] if errors else []

    def set_lines(self, lines: Sequence[LineRequest]) -> list[ApiError]:
        """Replace the lines; if the menu lacks a part of them, return the error and keep the previous lines."""
        try:
            self._engine.price(lines)
        except ValidationFailed as error:
            return [error.with_traceback(None)]  # the traceback keeps the lines alive
        self.lines = lines
        return []

    def score(self, text: str) -> float | None:
        """Score a text as an order; lower is better, None if it orders nothing."""
        return self._engine.score(text, self.lines)

    def parse(self, segments: Sequence[Segment]) -> Order:
        """Parse the words against the lines; the same words against the same lines are parsed once."""
        words = text_of(segments), is_recognition_uncertain(segments)
        if self._parsed and self._parsed[0] == words and self._parsed[1] is self.lines:
            return self._parsed[2]
        order = self._engine.understand(words[0], self.lines)
        order = confirmed(order, self._engine.price(self.lines), segments, self._engine.menu.languages)
        self._parsed = words, self.lines, order
        return order


def remove_missing(engine: OrderEngine, lines: Sequence[LineRequest]) -> tuple[Sequence[LineRequest], list[FieldError]]:
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


def _price_errors(engine: OrderEngine, lines: Sequence[LineRequest]) -> Sequence[FieldError]:
    try:
        engine.price(lines)
    except ValidationFailed as error:
        return error.errors
    return ()
