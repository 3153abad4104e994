"""Typed spans: each type of number, in both languages, with diacritics and without."""

from fractions import Fraction
from itertools import pairwise

import pytest

from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.numbers import NumberWords
from voice.orders.spans import SpanClassifier, SpanKind

ITEMS = ["Latte", "Muffin", "Burger", "Trà đào", "Cà phê sữa", "Pepsi 1.5L", "Number Six", "Combo 1", "Combo 12", "7up", "Coke Zero"]
CHOICES = ["Large", "50% đường", "12 ounce", "nóng", "Không đường"]


def classifier(currency: str = "VND", languages: tuple[str, ...] = ()) -> SpanClassifier:
    packs = language_packs().values()
    return SpanClassifier(packs, NumberWords(packs), ITEMS, CHOICES, currency=currency, languages=languages)


MENU = classifier()


def spans(text: str, menu: SpanClassifier = MENU) -> list[tuple[str, str, object]]:
    """The type, the words and the value of each number of a text."""
    tokens = words.tokenize(text)
    has_diacritics = words.has_diacritics(tokens)
    found = menu.classify(tokens, menu.numbers.parse_all(tokens, has_diacritics=has_diacritics), has_diacritics=has_diacritics)
    return [(span.kind.value, text[tokens[span.start].start : tokens[span.end - 1].end], span.value) for span in found]


@pytest.mark.parametrize(
    ("kind", "said", "rest"),
    [
        ("money", "$4.75", "two lattes"),
        ("money", "20 bucks", "two lattes"),
        ("money", "9 dollars", "a latte and 2 muffins"),
        ("money", "€3", "two lattes"),
        ("money", "42.000đ", "2 trà đào"),
        ("money", "29k", "2 trà đào"),
        ("money", "hai mươi nghìn", "2 trà đào"),
        ("money", "45000", "2 trà đào"),
        ("money", "29 nghin", "2 tra dao"),
        ("time", "8:15", "two lattes"),
        ("time", "at 8", "two lattes"),
        ("time", "at eight fifteen", "two lattes"),
        ("time", "half past six", "two lattes"),
        ("time", "7 p.m.", "two lattes"),
        ("time", "lúc 8 giờ kém 15", "2 trà đào"),
        ("time", "tám giờ rưỡi tối", "2 trà đào"),
        ("time", "7g30", "2 trà đào"),
        ("time", "between 5 and 6", "two lattes"),
        ("time", "từ 5 đến 6", "2 trà đào"),
        ("time", "luc 8 gio toi", "2 tra dao"),
        ("date", "12/5", "two lattes"),
        ("date", "June 12th", "two lattes"),
        ("date", "ngày 12 tháng 3", "2 trà đào"),
        ("date", "ngay 12 thang 3", "2 tra dao"),
        ("date", "thứ 7 tuần", "2 trà đào"),
        ("duration", "in 20", "two lattes"),
        ("duration", "15 to 20 minutes", "two lattes"),
        ("duration", "half an hour", "two lattes"),
        ("duration", "15p nữa", "2 trà đào"),
        ("duration", "nửa tiếng nữa", "2 trà đào"),
        ("duration", "30 phut nua", "2 tra dao"),
        ("temperature", "140 degrees", "two lattes"),
        ("temperature", "65°C", "two lattes"),
        ("temperature", "60 độ", "2 trà đào"),
        ("temperature", "60 do c", "2 tra dao"),
        ("size", "24 oz", "two lattes"),
        ("size", '9"', "two muffins"),
        ("size", "500ml", "2 trà đào"),
        ("size", "nửa lít", "2 trà đào"),
        ("size", "1 lit", "2 tra dao"),
        ("percentage", "20%", "two lattes"),
        ("percentage", "30 phần trăm", "2 trà đào"),
        ("percentage", "30 phan tram", "2 tra dao"),
        ("phone", "415 555 0132", "two lattes"),
        ("phone", "555-0132", "two lattes"),
        ("phone", "sđt 0903123456", "2 trà đào"),
        ("phone", "không chín không ba một hai ba", "hai trà đào"),
        ("phone", "0903.123.456", "2 tra dao"),
        ("label", "table 12", "two lattes"),
        ("label", "order #45", "two lattes"),
        ("label", "123 Main Street", "two lattes"),
        ("label", "seat 14A", "two lattes"),
        ("label", "gate B12", "two lattes"),
        ("label", "bàn 5", "hai trà đào"),
        ("label", "phòng hai", "một trà đào"),
        ("label", "P.302", "hai trà đào"),
        ("label", "ban 5", "2 tra dao"),
        ("age", "5 years old", "two lattes"),
        ("age", "5 tuổi", "2 trà đào"),
        ("age", "5 tuoi", "2 tra dao"),
        ("party", "table for four", "two lattes"),
        ("party", "for two", "a latte"),
        ("party", "4 người", "2 trà đào"),
        ("party", "4 nguoi", "2 tra dao"),
        ("ordinal", "2nd", "two lattes"),
        ("ordinal", "thứ 2", "2 trà đào"),
        ("ordinal", "thu 2", "2 tra dao"),
    ],
)
def test_a_number_of_another_type_is_no_quantity(kind, said, rest):
    for text in (f"{rest}, {said}", f"{said}, {rest}"):
        found = spans(text)
        assert [span[0] for span in found if span[0] != "quantity"] == [kind], text
        assert any(words.fold(span[1].rstrip(".")) in words.fold(f"{said} ") or said in span[1] for span in found if span[0] == kind), found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("two lattes", 2),
        ("2x latte", 2),
        ("5p trà đào", 5),
        ("2p tra dao", 2),
        ("half a dozen muffins", 6),
        ("1.5 dozen muffins", 18),
        ("a dozen and a half muffins", 18),
        ("one and a half dozen muffins", 18),
        ("1½ dozen muffins", 18),
        ("2.0 lattes", 2),
        ("chục rưỡi trà đào", 15),
        ("chuc ruoi tra dao", 15),
        ("1,5 chục trà đào", 15),
        ("trăm rưỡi trà đào", 150),
        ("tá rưỡi trà đào", 18),
        ("0 muffins", 0),
        ("zero muffins", 0),
        ("one thousand lattes", 1000),
        ("1,000 lattes", 1000),
        ("một nghìn hai trăm ly trà đào", 1200),
        ("1000000 lattes", 1_000_000),
    ],
)
def test_an_integer_amount_is_a_quantity(text, value):
    assert [(kind, found) for kind, _, found in spans(text)] == [("quantity", value)]


@pytest.mark.parametrize(
    ("text", "said", "value"),
    [
        ("1.5 lattes", "1.5", Fraction(3, 2)),
        ("half a latte", "half a", Fraction(1, 2)),
        ("½ latte", "½", Fraction(1, 2)),
        ("1 1/2 lattes", "1 1/2", Fraction(3, 2)),
        ("two and a half lattes", "two and a half", Fraction(5, 2)),
        ("two point five lattes", "two point five", Fraction(5, 2)),
        ("1.3 dozen muffins", "1.3 dozen", Fraction(78, 5)),
        ("2,5 ly trà đào", "2,5", Fraction(5, 2)),
        ("2 ly rưỡi trà đào", "2 ly rưỡi", Fraction(5, 2)),
        ("2 ly ruoi tra dao", "2 ly ruoi", Fraction(5, 2)),
        ("ly rưỡi trà đào", "ly rưỡi", Fraction(3, 2)),
        ("nửa ly trà đào", "nửa", Fraction(1, 2)),
        ("hai phẩy năm ly trà đào", "hai phẩy năm", Fraction(5, 2)),
        ("không phẩy năm ly trà đào", "không phẩy năm", Fraction(1, 2)),
        ("point five lattes", "point five", Fraction(1, 2)),
    ],
)
def test_an_amount_that_is_no_integer_is_a_fraction(text, said, value):
    assert spans(text) == [("fraction", said, value)]


@pytest.mark.parametrize("text", ["two or three lattes", "2-3 lattes", "2 to 3 lattes", "hai hoặc ba ly trà đào", "2-3 ly tra dao"])
def test_two_numbers_for_one_thing_are_a_range(text):
    assert [kind for kind, _, _ in spans(text)] == ["range"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("two pepsi 1.5L", "pepsi 1.5L"),
        ("pepsi 1,5L", "pepsi 1,5L"),
        ("a number 6", "number 6"),
        ("a #6", "#6"),
        ("combo một", "combo một"),
        ("combo 1 hai phần", "combo 1"),
        ("combo số 12", "combo số 12"),
        ("2 7up", "7up"),
        ("trà đào 50% đường", "50% đường"),
        ("tra dao 50 phan tram duong", "50 phan tram"),
        ("a 12 oz latte", "12 oz"),
        ("a 12 ounce latte", "12 ounce"),
    ],
)
def test_a_number_in_a_name_of_the_menu_belongs_to_the_name(text, named):
    assert [said for kind, said, _ in spans(text) if kind == "name"] == [named]


@pytest.mark.parametrize("text", ["number 45s", "number 7", "combo 5", "combo năm"])
def test_a_number_that_a_series_does_not_have_is_a_label(text):
    assert [kind for kind, _, _ in spans(text)] == ["label"]


@pytest.mark.parametrize(
    "text", ["[10:32] Lan: 2 trà đào", "[08:15, 12/3/2026] Chị Hoa: 2 trà đào", "9:41 AM Bob: 2 lattes", "Lan [10:32]: 2 tra dao"]
)
def test_the_prefix_of_a_chat_message_is_one_span(text):
    assert [kind for kind, _, _ in spans(text)] == ["speaker", "quantity"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("for lattes and too muffins", [4, 2]),
        ("can i get to large lattes", [2]),
        ("a gluten free burger", []),
        ("a free muffin", []),
        ("free muffin", []),
        ("for here, a latte", []),
        ("a latte to go", []),
        ("for sides a muffin", []),
        ("a latte for Ann", []),
    ],
)
def test_a_homophone_counts_at_the_beginning_of_a_clause_before_a_plural(text, found):
    assert [value for kind, _, value in spans(text) if kind == "quantity"] == found


def test_an_amount_with_cents_is_money_only_in_a_currency_with_cents():
    assert spans("latte 4.50", classifier("USD")) == [("money", "4.50", Fraction(9, 2))]
    assert spans("latte 4.50", classifier("VND")) == [("fraction", "4.50", Fraction(9, 2))]


def test_grouped_thousands_are_money_in_a_currency_without_cents():
    assert [span[0] for span in spans("trà đào 1.500", classifier("VND"))] == ["money"]
    assert spans("1.500 ly trà đào", classifier("VND")) == [("quantity", "1.500", 1500)]


def test_a_letter_behind_a_number_is_a_unit_of_the_languages_of_the_menu():
    assert [span[0] for span in spans("2L latte", classifier("USD", ("en",)))] == ["size"]
    assert [span[0] for span in spans("2l trà đào", classifier("VND", ("vi",)))] == ["quantity"]


@pytest.mark.parametrize(
    "text", ["two lattes and a muffin", "2 trà đào một cà phê sữa", "can I get a latte for Ann", "hai ly trà đào nóng"]
)
def test_an_utterance_with_plain_quantities_alone_is_not_classified(text):
    tokens = words.tokenize(text)
    surfaces = tuple(token.surface for token in tokens)
    assert not MENU.needed(surfaces, MENU.numbers.parse_all(tokens, has_diacritics=words.has_diacritics(tokens)))


@pytest.mark.parametrize("text", ["latte at 8", "$5 latte", "half a latte", "two or three lattes", "for lattes", "table 4", "1234", "B12"])
def test_an_utterance_with_another_number_is_classified(text):
    tokens = words.tokenize(text)
    assert MENU.needed(
        tuple(token.surface for token in tokens), MENU.numbers.parse_all(tokens, has_diacritics=words.has_diacritics(tokens))
    )


@pytest.mark.parametrize(("text", "kind"), [("42.0001/2", "date"), ("8:15/2", "date"), ("1/2/3 latte", "date"), ("3/4", "date")])
def test_digits_with_several_separators_are_classified_by_the_strongest(text, kind):
    assert [found for found, _, _ in spans(text)] == [kind]


@pytest.mark.parametrize(("text", "kind"), [("twenty four ounces", "size"), ("half a million dollars", "money")])
def test_a_unit_types_the_number_before_it(text, kind):
    assert [found for found, _, _ in spans(text)] == [kind]


@pytest.mark.parametrize("kind", list(SpanKind))
def test_spans_are_in_order_and_do_not_overlap(kind):
    text = f"[10:32] Lan: {kind.value} 2 lattes at 8:15, 1.5 muffins for $5, table 4, ngày 12 tháng 3, 50% đường, combo 1"
    tokens = words.tokenize(text)
    found = MENU.classify(tokens, MENU.numbers.parse_all(tokens, has_diacritics=True), has_diacritics=True)
    assert all(one.end <= other.start for one, other in pairwise(found))
