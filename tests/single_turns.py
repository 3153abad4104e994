"""Single utterances about an order, without questions or earlier changes."""

from collections.abc import Sequence

from schemas import Conversation, LineRequest, Order
from voice.dialog.turn import DialogEngine
from voice.dialog.wire import state_of


def understand(engine: DialogEngine, utterance: str, lines: Sequence[LineRequest] = ()) -> Order:
    """Return the reply to an utterance; `lines`: the order so far."""
    return engine.take_turn(utterance, state_of(engine.menu, Conversation(lines=list(lines))))
