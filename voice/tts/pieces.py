"""Cut a text into pieces that are synthesised one by one, so that the first is heard while the others are made."""

import re
from typing import Final

# A first clause up to OPENING_CHARACTERS ("Got it,") is a piece of its own: many replies begin with it, so it is in the cache. A piece of
# MAX_FIRST_CHARACTERS lasts about two seconds and is ready in a quarter of a second. Later pieces are made while others are heard, and
# sound better in one.
OPENING_CHARACTERS, MIN_CHARACTERS, MAX_FIRST_CHARACTERS, MAX_CHARACTERS = 10, 10, 36, 120
_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+")
_CLAUSE: Final = re.compile(r"(?<=[,;:])\s+")


def cut(text: str) -> list[str]:
    """Return the pieces of a text in order: its sentences, and the clauses of a long one."""
    pieces: list[str] = []
    for sentence in filter(None, _SENTENCE.split(text.strip())):
        rest = sentence
        if not pieces:
            opening, *others = _CLAUSE.split(sentence, maxsplit=1)
            if others and len(opening) <= OPENING_CHARACTERS:
                pieces, rest = [opening], others[0]
        longest = MAX_FIRST_CHARACTERS if len(pieces) < 2 else MAX_CHARACTERS  # noqa: PLR2004 - the first, or the one behind an opening
        pieces += [rest] if len(rest) <= longest else _clauses(rest, longest)
    return pieces


def _clauses(sentence: str, longest: int) -> list[str]:
    """Cut a sentence at commas into clauses of at least `MIN_CHARACTERS`; the first is the shortest, the others have up to the maximum."""
    clauses = [""]
    for clause in _CLAUSE.split(sentence):
        last, limit = clauses[-1], longest if len(clauses) == 1 else MAX_CHARACTERS
        if len(last) < MIN_CHARACTERS or len(last) + 1 + len(clause) <= limit:
            clauses[-1] = f"{last} {clause}".strip()
        else:
            clauses.append(clause)
    if len(clauses) > 1 and len(clauses[-1]) < MIN_CHARACTERS:
        clauses[-2:] = [f"{clauses[-2]} {clauses[-1]}"]
    return clauses
