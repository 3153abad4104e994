"""Estimate the probability that a new line comes from talk that orders nothing.

The parser looks for the likeliest order of an utterance. In talk, as a microphone picks it up, there is often a word that resembles one of
the menu: "tắt đèn" (turn off the light) has the "đen" of a black coffee but for its tone.
"""

from collections.abc import Iterator, Sequence
from math import exp
from typing import Final

from voice.dialog.phrases import is_conjunction, is_function_word, is_negation
from voice.orders import words
from voice.orders.parser.arc import Arc
from voice.orders.parser.parser import Parse
from voice.orders.parser.roles import NAMING, Role
from voice.orders.words import Token

# Logistic regression of "the utterance orders nothing" on 911 right new lines of the corpus and 130 false ones. These come from transcripts
# of read speech, talk in the corpus's conversations and translated messages of programs, understood with menus that they do not belong to.
# In a validation on sentences left out, 6 of the right lines and 122 of the false ones become questions, with `ASK_BELOW` at its default.
BIAS, INEXACT, UNREAD_WORD, NAME_WORD, OPTION_WORD = -0.6, 2.9, 1.0, -1.9, -1.1
MAX_BEFORE: Final = 4  # tokens between a negation and the words of a line
MAX_UNREAD, MAX_NAME_WORDS, MAX_OPTION_WORDS = 8, 4, 2
# Differences between a spoken word and a word of the menu that make it another word, if the menu is not considered.
INEXACT_SPELLINGS: Final = frozenset({
    "spelt.tone", "spelt.vowel", "spelt.sound", "spelt.prefix", "spelt.skeleton", "spelt.typo", "spelt.abbreviation",
})  # fmt: skip


def talk_probabilities(parse: Parse, tokens: Sequence[Token]) -> dict[int, float]:
    """Return the probability that the utterance is talk, by the draft index of each new line whose item it names.

    It rises with unread words, with numbers that count no line, and if the name is inexact beside them. It falls with the words of names,
    more with those of the line's options; a single word that is only a part of its name does not count.
    """
    touched = parse.touched()
    placed = [(start, arc) for start, arc in parse.placed(tokens) if arc.length]
    n_unread = sum(not is_function_word(tokens[at]) for at in parse.unread)
    n_unread += max(0, sum(arc.role is Role.NUMBER for _, arc in placed) - len(touched))
    named = [(start, arc) for start, arc in placed if arc.role in NAMING]
    n_name_words = sum(arc.length for _, arc in named if not _is_weak(arc))
    log_odds = BIAS + UNREAD_WORD * min(n_unread, MAX_UNREAD) + NAME_WORD * min(n_name_words, MAX_NAME_WORDS)
    found = {}
    for number, (first, behind) in touched.items():
        line = parse.draft[number]
        own = [arc for start, arc in named if first <= start < behind]
        names = [arc for arc in own if arc.role is Role.ITEM and line.items[0] in arc.value]
        if line.is_new and names:
            n_option_words = sum(arc.length for arc in own if arc.role is Role.OPTION and not _is_weak(arc))
            is_inexact = n_unread > 0 and all(_is_inexact(arc) for arc in names)
            of_line = OPTION_WORD * min(n_option_words, MAX_OPTION_WORDS) + INEXACT * is_inexact
            found[number] = 1 / (1 + exp(-log_odds - of_line))
    return found


def _is_weak(arc: Arc) -> bool:
    return arc.length == 1 and (arc.is_partial or _is_inexact(arc))


def _is_inexact(arc: Arc) -> bool:
    return any(feature in INEXACT_SPELLINGS for feature, _ in arc.features)


def denied_lines(parse: Parse, tokens: Sequence[Token], *, is_answer: bool) -> Iterator[int]:
    """Yield the draft indices of new lines right behind a negation that the parse does not apply to them: "đừng cho tôi phở gà".

    `is_answer`: the utterance may begin with a no to a question.
    """
    skipped = set(parse.unread)
    if not is_answer:
        skipped.update(at for at, arc in parse.placed(tokens) if arc.role is Role.NO)
    items = [at for at, arc in parse.placed(tokens) if arc.role is Role.ITEM]
    for number, (start, behind) in parse.touched().items():
        first = next((at for at in items if start <= at < behind), start)
        if number >= len(parse.draft) or not parse.draft[number].is_new:
            continue
        for at in range(first - 1, max(-1, first - 1 - MAX_BEFORE), -1):
            token = tokens[at]
            if is_negation(token) and at in skipped:
                yield number
            if is_negation(token) or is_conjunction(token) or words.is_punctuation(token.surface) or not is_function_word(token):
                break
