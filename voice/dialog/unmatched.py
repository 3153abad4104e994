"""The words of substance that nothing used."""

from collections.abc import Sequence

from voice.dialog.phrases import is_function_word, without_conjunction
from voice.dialog.state import Act, Turn
from voice.orders.parser.arc import Arc
from voice.orders.parser.parser import Parse
from voice.orders.parser.roles import Role
from voice.orders.words import Token

_EXPLAINED = frozenset({Act.SMALLTALK, Act.QUESTION, Act.REPEAT, Act.HUMAN, Act.CANCEL})


def unmatched_words(utterance: str, tokens: Sequence[Token], parse: Parse, turn: Turn) -> tuple[str, ...]:
    """Return the words of substance that nothing used, as they were said; adjacent ones are one string, with a negation before them."""
    if turn.act in _EXPLAINED:
        return ()
    unread = [number for number in parse.unread if not is_function_word(tokens[number])]
    negations = _negations(parse)
    stretches: list[list[int]] = []
    for number in unread:
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            start = without_conjunction(tokens, number - negations.get(number, 0), number)
            stretches.append([start, number])
    return tuple([utterance[tokens[start].start : tokens[end].end] for start, end in stretches])


def _negations(parse: Parse) -> dict[int, int]:
    """Return the length of the negation that ends right before a token."""
    found = {}
    at = 0
    for event in parse.events:
        if isinstance(event, Arc):
            at += event.length
            if event.role is Role.AMOUNT and event.value == "no":
                found[at] = event.length
    return found
