"""Numbers, prices and times in words."""

import re
from datetime import time

import pytest

from voice.dialog.numbers_in_words import cardinal, price_in_words, spoken_figure, time_in_words
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.numbers import NumberWords


@pytest.mark.parametrize("language", ["en", "vi"])
def test_the_words_of_every_number_parse_back_to_it(language):
    numbers = NumberWords(language_packs().values())
    for number in range(1, 10_000):
        tokens = words.tokenize(cardinal(number, language))
        parsed = numbers.parse(tokens, 0, has_diacritics=True)
        assert parsed is not None, number
        assert (parsed.value, parsed.end) == (number, len(tokens))
    assert numbers.is_zero(cardinal(0, language))


@pytest.mark.parametrize(
    ("number", "language", "spoken"),
    [
        (15, "vi", "mười lăm"),
        (21, "vi", "hai mươi mốt"),
        (25, "vi", "hai mươi lăm"),
        (105, "vi", "một trăm lẻ năm"),
        (1_990_000, "vi", "một triệu chín trăm chín mươi nghìn"),
        (10**9 + 5, "vi", "một tỷ lẻ năm"),
        (10**15, "vi", "một triệu tỷ"),
        (8 * 10**18, "vi", "tám tỷ tỷ"),
        (1_990_000, "en", "one million nine hundred and ninety thousand"),
    ],
)
def test_a_number_is_spoken(number, language, spoken):
    assert cardinal(number, language) == spoken


@pytest.mark.parametrize("language", ["en", "vi"])
def test_large_numbers_are_exact(language):
    assert len({cardinal(2**60 + offset, language) for offset in range(50)}) == 50


@pytest.mark.parametrize(
    ("amount", "currency", "english", "vietnamese"),
    [
        (95_000, "VND", "ninety-five thousand", "chín mươi lăm nghìn"),
        (1_990_000, "VND", "one million nine hundred and ninety thousand", "một triệu chín trăm chín mươi nghìn"),
        (25_500, "VND", "twenty-five thousand five hundred dong", "hai mươi lăm nghìn năm trăm đồng"),
        (500, "VND", "five hundred dong", "năm trăm đồng"),
        (0, "VND", "zero dong", "không đồng"),
        (450, "USD", "four fifty", "bốn đô năm mươi xu"),
        (505, "USD", "five oh five", "năm đô năm xu"),
        (400, "USD", "four dollars", "bốn đô"),
        (100, "USD", "one dollar", "một đô"),
        (1, "USD", "one cent", "một xu"),
        (50, "USD", "fifty cents", "năm mươi xu"),
        (0, "USD", "zero dollars", "không đô"),
        (12_550, "USD", "one hundred and twenty-five dollars and fifty cents", "một trăm hai mươi lăm đô năm mươi xu"),
        (-150, "GBP", "minus one fifty", "trừ một bảng năm mươi xu"),
        (99, "GBP", "ninety-nine pence", "chín mươi chín xu"),
        (600, "JPY", "six hundred yen", "sáu trăm yên"),
        (1_505, "KWD", "one point five zero five KWD", "một phẩy năm không năm KWD"),
        (305, "XYZ", "three point zero five XYZ", "ba phẩy không năm XYZ"),
    ],
)
def test_a_price_is_spoken(amount, currency, english, vietnamese):
    assert price_in_words(amount, currency, "en") == english
    assert price_in_words(amount, currency, "vi") == vietnamese


def test_prices_of_every_currency_are_words():
    for language, pack in language_packs().items():
        for currency in pack.speech.currencies:
            for amount in (0, 1, 5, 99, 100, 101, 250, 999, 1_000, 10_050, 1_000_000):
                assert re.fullmatch(r"[^\W\d_]+(?:[- ][^\W\d_]+)*", price_in_words(amount, currency, language))


@pytest.mark.parametrize(
    ("figure", "english", "vietnamese"),
    [
        ("7", "seven", "bảy"),
        ("5.05", "five point zero five", "năm phẩy không năm"),
        ("1,5", "one point five", "một phẩy năm"),
        ("25.000", "twenty-five thousand", "hai mươi lăm nghìn"),
        ("1,234,567", "one million two hundred and thirty-four thousand five hundred and sixty-seven", None),
        ("0123", "zero one two three", "không một hai ba"),
        ("1234567890123456", "one two three four five six seven eight nine zero one two three four five six", None),
    ],
)
def test_figures_of_a_name_are_spoken(figure, english, vietnamese):
    assert spoken_figure(figure, "en") == english
    assert vietnamese is None or spoken_figure(figure, "vi") == vietnamese


@pytest.mark.parametrize(
    ("moment", "english", "vietnamese"),
    [
        (time(6, 0), "six a.m.", "sáu giờ sáng"),
        (time(10, 30), "ten thirty a.m.", "mười giờ ba mươi sáng"),
        (time(0, 5), "twelve oh five a.m.", "mười hai giờ năm phút khuya"),
        (time(12, 0), "twelve p.m.", "mười hai giờ trưa"),
        (time(17, 45), "five forty-five p.m.", "năm giờ bốn mươi lăm chiều"),
        (time(23, 0), "eleven p.m.", "mười một giờ đêm"),
    ],
)
def test_a_time_is_spoken(moment, english, vietnamese):
    assert time_in_words(moment, "en") == english
    assert time_in_words(moment, "vi") == vietnamese
