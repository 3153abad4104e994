"""The words of substance that nothing used."""

from collections.abc import Iterator, Sequence
from typing import Final

from voice.dialog.phrases import is_function_word, without_conjunction
from voice.dialog.state import Act
from voice.orders import words
from voice.orders.parser.arc import Arc
from voice.orders.parser.model import Event
from voice.orders.parser.parser import Parse
from voice.orders.parser.roles import NAMING, Role
from voice.orders.spans import SpanKind
from voice.orders.words import Token

# Acts that explain all words of an utterance.
EXPLAINING: Final = frozenset({Act.SMALLTALK, Act.QUESTION, Act.REPEAT, Act.HUMAN, Act.CANCEL})
# Acts that may name again what was asked.
ANSWERING: Final = frozenset({Act.DENY, Act.CONFIRM, Act.DONE})
# Events of the parser that use the words of a chunk.
REDUCTIONS: Final = frozenset({
    "add", "add_alike", "add_implied", "add_rest", "set_all", "set_all_but", "set_options", "set_described", "set_quantity", "set_each",
    "split", "increment", "repeat", "repeat_number", "same_for", "same_group", "assign", "remove", "remove_options",
    "add_like", "copy_over", "hold", "replace", "replace_options", "take_over", "set_portions", "forward", "keep", "cancel", "accept",
})  # fmt: skip

# Typed numbers of substance: how an item is to be, or what the order does not note, such as a time.
SUBSTANTIAL: Final = frozenset({kind.value for kind in SpanKind} - {SpanKind.QUANTITY.value, SpanKind.SPEAKER.value})

TAKING: Final = frozenset({"add", "add_implied"})  # the chunks that wait


def unmatched_words(
    utterance: str, tokens: Sequence[Token], parse: Parse, act: Act, noted: Sequence[tuple[int, int]] = ()
) -> tuple[str, ...]:
    """Return the words of substance that nothing used, as they were said; adjacent ones are one string, with a negation before them.

    `noted`: the places of notes, in code points; notes use their words.
    """
    if act in EXPLAINING:
        return ()
    unused = {number for number in parse.unread if not is_function_word(tokens[number])}
    unused.update(_typed_numbers(parse, tokens))
    if act not in ANSWERING:
        unused.update(_dropped(parse, tokens))
    unused = {number for number in unused if not any(start <= tokens[number].start < end for start, end in noted)}
    negations = _negations(parse, tokens)
    stretches: list[list[int]] = []
    for number in sorted(unused):
        if stretches and number == stretches[-1][1] + 1:
            stretches[-1][1] = number
        else:
            start = without_conjunction(tokens, number - negations.get(number, 0), number)
            stretches.append([start, number])
    return tuple([utterance[tokens[start].start : tokens[end].end] for start, end in stretches])


def _placed(parse: Parse, tokens: Sequence[Token]) -> Iterator[tuple[int, Event | Arc]]:
    """Yield the events of a parse, each with the token behind the arcs before it; the trace has no arcs for punctuation."""
    at = 0
    for event in parse.events:
        while isinstance(event, Arc) and event.length and words.is_punctuation(tokens[at].surface):
            at += 1
        yield at, event
        at += event.length if isinstance(event, Arc) else 0


def _typed_numbers(parse: Parse, tokens: Sequence[Token]) -> Iterator[int]:
    """Yield the tokens of numbers that count nothing and that no name of the menu has: a size that is not offered, a price, a time."""
    for at, event in _placed(parse, tokens):
        if isinstance(event, Arc) and event.role is Role.TALK and event.value in SUBSTANTIAL:
            yield from range(at, at + event.length)


def _dropped(parse: Parse, tokens: Sequence[Token]) -> Iterator[int]:
    """Yield the tokens of names, and of numbers beside them, that the parser read as words that order nothing, or that wait for an item."""
    chunk: list[tuple[Role, range]] = []
    waiting: list[tuple[Role, range]] = []
    for at, event in _placed(parse, tokens):
        if isinstance(event, Arc):
            chunk.append((event.role, range(at, at + event.length)))
        elif event[0] in {"drop", "remove_absent"}:
            yield from _named(chunk)
            chunk = []
        elif event[0] in REDUCTIONS:
            if event[0] == "forward":
                waiting += chunk
            elif event[0] in TAKING:
                waiting = []
            chunk = []
        elif event[:2] == ("left", "waiting"):
            yield from _named(waiting)


def _named(chunk: Sequence[tuple[Role, range]]) -> Iterator[int]:
    if any(role in NAMING for role, _ in chunk):
        for role, tokens in chunk:
            yield from tokens if role in {*NAMING, Role.NUMBER} else ()


def _negations(parse: Parse, tokens: Sequence[Token]) -> dict[int, int]:
    """Return the length of the negation that ends right before a token."""
    arcs = [(at, event) for at, event in _placed(parse, tokens) if isinstance(event, Arc)]
    return {at + arc.length: arc.length for at, arc in arcs if arc.role is Role.AMOUNT and arc.value == "no"}
