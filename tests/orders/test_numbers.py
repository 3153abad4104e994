import pytest

from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.numbers import NumberWords

NUMBERS = NumberWords(language_packs().values())


def read(text: str) -> tuple[int, str] | None:
    """The number that a text begins with, and what is left of the text."""
    spoken = words.tokenize(text)
    number = NUMBERS.parse(spoken, 0, marked=words.is_marked(spoken))
    return None if number is None else (number.value, " ".join(token.surface for token in spoken[number.end :]))


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
def test_a_number_is_read_whole(text, value):
    assert read(text) == (value, "")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("hai ba ly", (2, "ba ly")),  # two numbers, not twenty-three
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
def test_a_number_ends_where_it_ends(text, left):
    assert read(text) == left


def test_every_number_to_999_is_read_back_from_its_words():
    units = ["", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín"]

    def say(number: int) -> str:
        hundreds, rest = divmod(number, 100)
        tens, unit = divmod(rest, 10)
        said = [units[hundreds], "trăm"] if hundreds else []
        if tens == 0 and unit:
            said += (["linh"] if hundreds else []) + [units[unit]]
        elif tens:
            last = {1: "mốt" if tens > 1 else "một", 5: "lăm"}.get(unit, units[unit])
            said += ([units[tens], "mươi"] if tens > 1 else ["mười"]) + ([last] if unit else [])
        return " ".join(said)

    assert [read(say(number)) for number in range(1, 1000)] == [(number, "") for number in range(1, 1000)]
