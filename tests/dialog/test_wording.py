"""Names and lines in words."""

import pytest

from tests.dialog.trattoria import MENU, PRICING, line, option
from voice.dialog.wording import Wording, capital, spoken

ENGLISH, VIETNAMESE = Wording(MENU, PRICING, "en"), Wording(MENU, PRICING, "vi")


@pytest.mark.parametrize(
    ("text", "english", "vietnamese"),
    [
        ("3 piece", "three piece", "ba piece"),
        ("100% sugar", "one hundred percent sugar", "một trăm phần trăm sugar"),
        ("Mac & cheese (large)", "Mac and cheese, large", "Mac và cheese, large"),
        ("7up 330ml", "seven up three hundred and thirty milliliters", "bảy up ba trăm ba mươi mi li lít"),
        ("Size S/M", "Size S or M", "Size S hoặc M"),
        ("½ chicken", "half chicken", "một nửa chicken"),
        ("1½ kg ribs", "one point five kilos ribs", "một phẩy năm ký ribs"),
        ("1/2 rice", "half rice", "một nửa rice"),
        ("50/50", "fifty fifty", "năm mươi năm mươi"),
        ("Coca-Cola 1.5L", "Coca-Cola one point five liters", "Coca-Cola một phẩy năm lít"),
        ("Hot or iced?", "Hot or iced", "Hot or iced"),
        ("Dr. Pepper", "Dr Pepper", "Dr Pepper"),
        ("{x} 'quoted' #5 _y_", "x quoted number five y", "x quoted số năm y"),
        ("Bún bò - tô đặc biệt", "Bún bò, tô đặc biệt", "Bún bò, tô đặc biệt"),
        ("٣ ②", "three two", "ba hai"),
        ("Jack's", "Jack's", "Jack's"),
        ("Cake, 4-6 people", "Cake, four to six people", "Cake, bốn đến sáu people"),
        ("(B1) Bibimbap", "B one, Bibimbap", "B một, Bibimbap"),
        ("3-piece", "three-piece", "ba-piece"),
    ],
)
def test_a_name_is_spoken_without_figures_and_signs(text, english, vietnamese):
    assert spoken(text, "en") == english
    assert spoken(text, "vi") == vietnamese


@pytest.mark.parametrize(
    ("singular", "plural"),
    [
        ("latte", "lattes"),
        ("cup of tea", "cups of tea"),
        ("fish and chips", "fish and chips"),
        ("sandwich", "sandwiches"),
        ("curry", "curries"),
        ("tray", "trays"),
        ("fries", "fries"),
        ("glass", "glasses"),
        ("baked potato", "baked potatoes"),
        ("Orange Juice", "Orange Juices"),
        ("juice, large", "juices, large"),
        ("fried rice", "fried rice"),
        ("ravioli", "ravioli"),
        ("phở tái", "phở tái"),
    ],
)
def test_an_english_name_has_a_plural(singular, plural):
    assert ENGLISH.plural(singular) == plural
    assert VIETNAMESE.plural(singular) == singular


def test_a_name_begins_with_a_small_letter_unless_it_has_other_capitals():
    assert ENGLISH.named("Orange juice") == "orange juice"
    assert ENGLISH.named("Dr Pepper") == "Dr Pepper"
    assert capital("orange juice") == "Orange juice"


def test_a_name_is_in_the_language_of_the_reply():
    assert (ENGLISH.item("egg"), VIETNAMESE.item("egg")) == ("fried egg sandwich", "bánh mì trứng")


def test_an_unknown_language_is_english():
    assert Wording(MENU, PRICING, "fr").sentence("more") == ENGLISH.sentence("more")


@pytest.mark.parametrize(
    ("of_line", "english", "vietnamese"),
    [
        (line("latte", 2), "two lattes", "hai cà phê sữa"),
        (line("latte", 1, option("size", "l"), option("milk", "oat")), "one large latte with oat milk", None),
        (line("latte", 1, option("size", "l"), option("milk", "oat")), None, "một cà phê sữa lớn sữa yến mạch"),
        (line("latte", 1, option("extras", "onion", amount="no")), "one latte, no onion", "một cà phê sữa không hành"),
        (line("latte", 1, option("extras", "cheese", amount="extra")), "one latte with extra cheese", "một cà phê sữa nhiều phô mai"),
        (line("latte", 1, option("extras", "cheese", amount="light")), "one latte with light cheese", "một cà phê sữa ít phô mai"),
        (line("latte", 1, option("extras", "cheese", amount="regular")), None, "một cà phê sữa phô mai bình thường"),
        (
            line("latte", 1, option("extras", "shot", quantity=2)),
            "one latte with two espresso shots",
            "một cà phê sữa thêm hai phần cà phê",
        ),
        (line("latte", 1, option("extras", "black", "white")), "one latte", "một cà phê sữa"),
        (line("latte", 1, option("extras", "black", "white", amount="no")), "one latte, no black pearls or white pearls", None),
        (line("platter"), "one chicken and rice platter", "một cơm gà hai miếng"),
    ],
)
def test_a_line_has_its_options(of_line, english, vietnamese):
    assert english is None or ENGLISH.line(of_line) == english
    assert vietnamese is None or VIETNAMESE.line(of_line) == vietnamese


def test_lines_of_one_item_are_grouped_by_what_they_share():
    large = option("size", "l")
    lines = [line("latte", 1, large, option("milk", "oat")), line("juice"), line("latte", 1, large, option("extras", "onion", amount="no"))]
    assert ENGLISH.lines(lines) == "two large lattes, one with oat milk, one no onion, and one orange juice"
    assert VIETNAMESE.lines(lines) == "hai cà phê sữa lớn, một sữa yến mạch một không hành, một nước cam"


def test_a_line_without_options_of_its_own_is_plain_in_a_group():
    assert ENGLISH.lines([line("latte", 2), line("latte", 1, option("size", "l"))]) == "three lattes, two plain, one large"
    assert VIETNAMESE.lines([line("latte", 2), line("latte", 1, option("size", "l"))]) == "ba cà phê sữa, hai bình thường một lớn"


def test_equal_lines_are_counted_together():
    assert ENGLISH.lines([line("latte", 2), line("latte")]) == "three lattes"


def test_prices_are_those_of_the_menu():
    large = line("latte", 2, option("size", "l"), option("milk", "oat"))
    assert ENGLISH.unit_price(large) == 375 + 75 + 60
    assert ENGLISH.total([large, line("juice")]) == 2 * 510 + 300


def test_a_list_counts_what_it_leaves_out():
    assert ENGLISH.some_of(["a", "b"], 5) == "a, b and three more"
    assert ENGLISH.some_of(["a", "b", "c"], 3, alternatives=True) == "a, b, or c"
    assert VIETNAMESE.some_of(["a", "b"], 3, alternatives=True) == "a, b hoặc một loại khác"
