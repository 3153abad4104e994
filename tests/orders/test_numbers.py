"""Cardinal numbers in words and digits."""

import pytest

from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.numbers import NumberWords

NUMBERS = NumberWords(language_packs().values())


def parse(text: str) -> tuple[int, str] | None:
    """The number at the beginning of a text, and the rest of the text."""
    tokens = words.tokenize(text)
    number = NUMBERS.parse(tokens, 0, has_diacritics=words.has_diacritics(tokens))
    return None if number is None else (number.value, " ".join(token.surface for token in tokens[number.end :]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("một", 1),
        ("mười", 10),
        ("2 chục", 20),
        ("3 dozen", 36),
        ("mười lăm", 15),
        ("mười một", 11),
        ("hai mươi", 20),
        ("hai mươi mốt", 21),
        ("hai mươi tư", 24),
        ("ba chục", 30),
        ("năm mươi lăm", 55),
        ("hai lăm", 25),
        ("ba mốt", 31),
        ("hai trăm hai lăm", 225),
        ("một chục", 10),
        ("một trăm", 100),
        ("một trăm linh hai", 102),
        ("một trăm lẻ năm", 105),
        ("một trăm hai mươi", 120),
        ("chín trăm chín mươi chín", 999),
        ("một tá", 12),
        ("nửa tá", 6),
        ("nửa chục", 5),
        ("hai muoi lam", 25),
        ("chin", 9),
        ("hài", 2),
        ("one", 1),
        ("twelve", 12),
        ("twenty five", 25),
        ("a dozen", 12),
        ("half a dozen", 6),
        ("half dozen", 6),
        ("two dozen", 24),
        ("a hundred", 100),
        ("one hundred and twenty", 120),
        ("two hundred five", 205),
        ("7", 7),
        ("250", 250),
        ("one thousand", 1000),
        ("two thousand five hundred", 2500),
        ("hai mươi nghìn", 20_000),
        ("một nghìn hai trăm", 1200),
        ("trăm ngàn", 100_000),
    ],
)
def test_a_number_is_parsed_to_its_end(text, value):
    assert parse(text) == (value, "")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("hai ba ly", (2, "ba ly")),  # two numbers, not twenty-three
        ("hai bảy", (2, "bảy")),
        ("một tư", (1, "tư")),
        ("ba lam", (3, "lam")),  # also "ba làm"
        ("một và hai", (1, "và hai")),
        ("two and three", (2, "and three")),
        ("mười trà", (10, "trà")),
        ("a latte", (1, "latte")),
        ("one hundred and", (100, "and")),
        ("half a", None),
        ("lăm", None),
        ("và hai", None),
        ("12345678", None),
        ("à", None),
    ],
)
def test_words_that_do_not_continue_a_number_are_left(text, rest):
    assert parse(text) == rest


def test_every_number_to_999_is_parsed_from_its_vietnamese_words():
    units = ["", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín"]

    def in_words(number: int) -> str:
        hundreds, rest = divmod(number, 100)
        tens, unit = divmod(rest, 10)
        said = [units[hundreds], "trăm"] if hundreds else []
        if tens == 0 and unit:
            said += (["linh"] if hundreds else []) + [units[unit]]
        elif tens:
            last = {1: "mốt" if tens > 1 else "một", 5: "lăm"}.get(unit, units[unit])
            said += ([units[tens], "mươi"] if tens > 1 else ["mười"]) + ([last] if unit else [])
        return " ".join(said)

    assert [parse(in_words(number)) for number in range(1, 1000)] == [(number, "") for number in range(1, 1000)]


def number_at(text: str, start: int = 0):
    tokens = words.tokenize(text)
    return NUMBERS.parse_all(tokens, has_diacritics=words.has_diacritics(tokens))[start]


def test_an_article_is_one_and_marked_as_an_article():
    assert (number_at("a latte").value, number_at("a latte").article) == (1, True)
    assert not number_at("one latte").article
    assert not number_at("a dozen").article


def test_a_number_has_the_multiplier_with_which_it_ends():
    assert [number_at(text).base for text in ("two dozen", "một trăm", "một trăm hai", "two")] == [12, 100, 0, 0]


def test_a_misspelt_number_costs_more_than_an_exact_one():
    assert number_at("hai").cost == 0.0 < number_at("hài").cost


def test_numbers_are_parsed_at_every_token():
    tokens = words.tokenize("two hundred lattes")
    assert [number and (number.end, number.value) for number in NUMBERS.parse_all(tokens, has_diacritics=False)] == [
        (2, 200),
        (2, 100),
        None,
    ]


def test_digits_that_are_spoken_one_by_one_are_a_run():
    tokens = words.tokenize("call oh nine two three seven, two lattes")
    assert NUMBERS.digit_runs(tokens, NUMBERS.parse_all(tokens, has_diacritics=False)) == [(1, 6)]


def test_without_missing_diacritics_a_plain_word_is_no_number():
    strict = NumberWords(language_packs().values(), are_diacritics_optional=False)
    assert strict.parse(words.tokenize("muoi"), 0, has_diacritics=False) is None
    assert NUMBERS.parse(words.tokenize("muoi"), 0, has_diacritics=False) is not None


def test_the_function_of_a_word_in_numbers_is_known_by_its_exact_spelling():
    assert (NUMBERS.multiplier("dozen"), NUMBERS.multiplier("tá"), NUMBERS.multiplier("ta")) == (12, 12, 0)
    assert NUMBERS.is_zero("khong")
    assert not NUMBERS.is_number_word("latte")
