"""Typed spans: which numbers of an utterance are quantities, and which are money, times, measures, labels or parts of names.

Independent of orders: tokens, language packs and the names of a menu go in, spans come out.

    kinds         the types, spans and numerals
    vocabulary    the words of the language packs that assign a type to a number
    menu_names    the names of the menu: countable nouns, names with a number
    utterance     one utterance, and the words around its numbers
    numerals      numbers with fractions, multipliers and units
    extent        the end of a typed span
    separators    digits with separators: clock times, dates, ranges; chat prefixes
    identifiers   telephone numbers, codes, addresses
    quantities    quantities, fractions, ranges, homophones of numbers
    rules         the type of a numeral by its unit, opening phrase and size
    prefilter     a quick test of whether an utterance needs a classification
    classifier    all spans of an utterance, for one menu
"""

from voice.orders.spans.classifier import SpanClassifier
from voice.orders.spans.kinds import Span, SpanKind

__all__ = ["Span", "SpanClassifier", "SpanKind"]
