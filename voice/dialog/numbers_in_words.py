"""Numbers, amounts of money and times of day in words, as they are spoken."""

import re
from datetime import time
from functools import lru_cache
from typing import Final

from num2words import num2words

from voice.orders.language_packs import Speech, speech_of
from voice.orders.spans.classifier import WHOLE_CURRENCIES

BILLION: Final = 10**9
TRILLION: Final = 10**12
MAX_CARDINAL: Final = 10**15  # digits of longer numbers are spoken one by one
# Source: ISO 4217, currencies with a thousand subunits.
MILLE_CURRENCIES: Final = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
TEN: Final = 10
HUNDRED: Final = 100
THOUSAND: Final = 1000
NOON: Final = 12

# Thousands are separated by points or commas, in threes; another point or comma begins decimals.
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}(?:[.,]\d{3})+")


@lru_cache(maxsize=4096)
def cardinal(number: int, language: str) -> str:
    """Return a cardinal number, not negative, in words.

    num2words separates groups of three digits by commas in English, at which a synthesiser pauses, and has wrong names of the powers of
    ten above a thousand billions in Vietnamese.
    """
    if number >= TRILLION and speech_of(language).repeats_billions:
        above, below = divmod(number, BILLION)
        return cardinal(above, language) + cardinal(BILLION + below, language).removeprefix(cardinal(1, language))
    return str(num2words(number, lang=language)).replace(",", "")


def spoken_figure(figure: str, language: str) -> str:
    """Return digits in words: a cardinal number with or without decimals, or digits one by one where they are a code."""
    speech = speech_of(language)
    if _THOUSANDS.fullmatch(figure):
        figure = re.sub(r"\D", "", figure)
    whole, *decimals = re.split(r"[.,]", figure)
    number = int(whole)
    is_code = (whole.startswith("0") and len(whole) > 1) or number >= MAX_CARDINAL
    parts = [_digits(whole, speech) if is_code else cardinal(number, language)]
    for part in decimals:
        parts += [speech.decimal_point, _digits(part, speech)]
    return " ".join(parts)


def _digits(figure: str, speech: Speech) -> str:
    return " ".join([speech.digits[int(digit)] for digit in figure])


@lru_cache(maxsize=4096)
def price_in_words(amount: int, currency: str, language: str) -> str:
    """Return an amount of money in words; `amount`: in the currency's minor unit."""
    speech = speech_of(language)
    money = speech.money
    if amount < 0:
        return money.negative.format(price=price_in_words(-amount, currency, language))
    subunits = 1 if currency in WHOLE_CURRENCIES else THOUSAND if currency in MILLE_CURRENCIES else HUNDRED
    major, minor = divmod(amount, subunits)
    one, several, one_part, several_parts = speech.currencies.get(currency, (currency, currency, "", ""))
    values = {
        "major": cardinal(major, language),
        "unit": one if major == 1 else several,
        "minor": cardinal(minor, language),
        "subunit": one_part if minor == 1 else several_parts,
    }
    if minor == 0:
        is_bare = currency in money.thousands and major >= THOUSAND and major % THOUSAND == 0
        return values["major"] if is_bare else money.whole.format(**values)
    if not several_parts:  # the currency's words are unknown
        decimals = _digits(str(subunits + minor)[1:], speech)
        return money.whole.format(major=f"{values['major']} {speech.decimal_point} {decimals}", unit=several)
    short = money.short if minor >= TEN else money.short_ones
    if short and 0 < major < HUNDRED == subunits:
        return short.format(**values)
    return (money.both if major else money.part).format(**values)


def time_in_words(moment: time, language: str) -> str:
    """Return a time of day in words."""
    clock = speech_of(language).clock
    part = clock.parts[max(hour for hour in clock.parts if hour <= moment.hour)]
    pattern = clock.hour if moment.minute == 0 else clock.minutes if moment.minute >= TEN else clock.few_minutes
    hour = cardinal(moment.hour % NOON or NOON, language)
    return pattern.format(hour=hour, minutes=cardinal(moment.minute, language), part=part)
