"""What customers ask about the menu."""

import pytest

from tests.dialog.trattoria import MENU, PRICING, line, option
from voice.dialog.inquiries import InquiryFinder
from voice.dialog.menu_answers import answer_inquiry
from voice.dialog.state import Change, Inquiry, InquiryKind, Question, QuestionKind, State
from voice.orders import words
from voice.orders.language_packs import language_packs
from voice.orders.parser.draft import ChoiceRef
from voice.orders.parser.lexicon import Lexicon
from voice.orders.parser.model import Model

KIND = InquiryKind
LARGE, OAT, BLACK, WHITE = ChoiceRef("size", "l"), ChoiceRef("milk", "oat"), ChoiceRef("extras", "black"), ChoiceRef("extras", "white")
LATTE = line("latte", 1, option("size", "l"))
NEW = State()
ORDERED = State((LATTE,), (), (Change("add", 0, "latte", 1),))


@pytest.fixture(scope="module")
def finder():
    return InquiryFinder(MENU)


@pytest.fixture(scope="module")
def lexicon():
    return Lexicon(MENU, Model.load())


@pytest.fixture
def find(finder, lexicon):
    def found(utterance, state=NEW):
        tokens = words.tokenize(utterance)
        return finder.find(tokens, lexicon.lattice(tokens), state)

    return found


@pytest.mark.parametrize(
    ("utterance", "inquiry"),
    [
        # Prices
        ("how much is a large latte with oat milk", Inquiry(KIND.PRICE, ("latte",), (LARGE, OAT))),
        ("what's the price of the mocha?", Inquiry(KIND.PRICE, ("mocha",))),
        ("how much more for oat milk", Inquiry(KIND.PRICE, (), (OAT,))),
        ("cà phê sữa lớn bao nhiêu vậy em", Inquiry(KIND.PRICE, ("latte",), (LARGE,))),
        ("ca phe sua lon bao nhieu", Inquiry(KIND.PRICE, ("latte",), (LARGE,))),
        ("nước cam giá sao", Inquiry(KIND.PRICE, ("juice",))),
        ("nước cam nhiu tiền dz", Inquiry(KIND.PRICE, ("juice",))),
        ("how much?", Inquiry(KIND.PRICE)),
        # The total
        ("what's my total", Inquiry(KIND.TOTAL)),
        ("how much do I owe you", Inquiry(KIND.TOTAL)),
        ("how much is it all together", Inquiry(KIND.TOTAL)),
        ("what does that come to", Inquiry(KIND.TOTAL)),
        ("tổng cộng bao nhiêu em", Inquiry(KIND.TOTAL)),
        ("het bao nhieu tien", Inquiry(KIND.TOTAL)),
        # What there is
        ("what do you have", Inquiry(KIND.ITEMS)),
        ("what juices do you have", Inquiry(KIND.ITEMS, category="Juices")),
        ("which coffees have you got?", Inquiry(KIND.ITEMS, category="Coffee")),
        ("quán có món gì", Inquiry(KIND.ITEMS)),
        ("có những loại nước ép nào", Inquiry(KIND.ITEMS, category="Juices")),
        ("co nhung loai nuoc ep nao", Inquiry(KIND.ITEMS, category="Juices")),
        # Choices
        ("what sizes do you have", Inquiry(KIND.CHOICES, groups=("size",))),
        ("what sizes does the latte come in", Inquiry(KIND.CHOICES, ("latte",), groups=("size",))),
        ("what extras do you have", Inquiry(KIND.CHOICES, groups=("extras",))),
        ("cà phê sữa có mấy size", Inquiry(KIND.CHOICES, ("latte",), groups=("size",))),
        # Availability
        ("do you have watermelon juice", Inquiry(KIND.AVAILABLE, ("melon",))),
        ("can the latte be made with oat milk", Inquiry(KIND.AVAILABLE, ("latte",), (OAT,))),
        ("you got fried egg sandwiches?", Inquiry(KIND.AVAILABLE, ("egg",))),
        ("còn nước dưa hấu không ạ", Inquiry(KIND.AVAILABLE, ("melon",))),
        ("con nuoc dua hau ko shop", Inquiry(KIND.AVAILABLE, ("melon",))),
        ("do you have lasagne", Inquiry(KIND.AVAILABLE)),
        # Times
        ("what time do you serve the fried egg sandwich", Inquiry(KIND.HOURS, ("egg",))),
        ("when do you close", Inquiry(KIND.HOURS)),
        ("bánh mì trứng bán tới mấy giờ", Inquiry(KIND.HOURS, ("egg",))),
        # Descriptions
        ("what's in the latte", Inquiry(KIND.DESCRIPTION, ("latte",))),
        ("tell me about the mocha", Inquiry(KIND.DESCRIPTION, ("mocha",))),
        ("cà phê sữa là gì vậy", Inquiry(KIND.DESCRIPTION, ("latte",))),
        # Diets and allergens
        ("is the latte vegan?", Inquiry(KIND.DIET, ("latte",), value="vegan")),
        ("what do you have without nuts", Inquiry(KIND.DIET, value="nut-free")),
        ("does the mocha contain soy", Inquiry(KIND.DIET, ("mocha",), value="soy")),
        ("are there peanuts in the orange juice", Inquiry(KIND.DIET, ("juice",), value="peanut")),
        ("có món nào thuần chay không", Inquiry(KIND.DIET, value="vegan")),
        ("nước cam có đậu phộng không", Inquiry(KIND.DIET, ("juice",), value="peanut")),
        # Anything else
        ("do you have wifi", Inquiry(KIND.OTHER)),
        ("how long is the wait", Inquiry(KIND.OTHER)),
        ("can I pay by card?", Inquiry(KIND.OTHER)),
        ("bao lâu thì có vậy em", Inquiry(KIND.OTHER)),
        ("cho em hỏi chút", Inquiry(KIND.OTHER)),
        ("isn't it a bit late for that", Inquiry(KIND.OTHER)),
    ],
)
def test_a_question_is_found(find, utterance, inquiry):
    assert find(utterance) == inquiry


@pytest.mark.parametrize(
    "utterance",
    [
        "thank you, have a good day",
        "how are you",
        "that's everything",
        "yes please",
        "you got it",
        "no thanks, no nuts",
        "I'll pay by card",
        "whatever is fine",
        "loại nào cũng được",
        "cảm ơn em",
        "không có gì",
        "gì cũng được",
        "em trả tiền mặt",
        "",
    ],
)
def test_other_utterances_are_no_questions(find, utterance):
    assert find(utterance) is None


@pytest.mark.parametrize("utterance", ["how much is that", "cái này bao nhiêu", "cai nay bao nhieu"])
def test_a_pronoun_is_the_line_that_the_turn_before_changed(find, utterance):
    assert find(utterance, ORDERED) == Inquiry(KIND.PRICE, ("latte",), (LARGE,), line=0)
    assert find(utterance, ORDERED._replace(changes=())) == Inquiry(KIND.PRICE)


def test_sizes_are_those_of_the_line_that_the_turn_before_changed(find):
    assert find("what sizes are there", ORDERED).items == ("latte",)


def test_what_there_is_is_not_about_the_line_before(find):
    assert find("do you have anything that's vegan", ORDERED) == Inquiry(KIND.DIET, value="vegan")


def test_a_price_may_be_of_the_choices_that_the_shop_named(find):
    pearls = Question(QuestionKind.AMBIGUOUS, 0, "extras", ("black", "white"))
    assert find("how much are they", ORDERED._replace(questions=(pearls,))) == Inquiry(KIND.PRICE, (), (BLACK, WHITE))
    coffees = Question(QuestionKind.AMBIGUOUS, choices=("latte", "mocha"))
    assert find("how much are they", State(questions=(coffees,))) == Inquiry(KIND.PRICE, ("latte", "mocha"))


def test_a_negated_choice_is_not_listed_as_if_it_were_wanted(find):
    assert find("what do you have without cheese").kind is KIND.OTHER


def test_an_item_in_a_category_is_not_the_category(find):
    assert find("do you have orange juice") == Inquiry(KIND.AVAILABLE, ("juice",))


def test_a_name_that_has_the_words_of_a_diet_is_a_name(find):
    assert find("do you have oat milk") == Inquiry(KIND.AVAILABLE, (), (OAT,))


def test_a_question_is_answered_from_the_menu(find):
    inquiry = find("how much is a large latte with oat milk")
    assert inquiry is not None
    assert answer_inquiry(inquiry, State(), MENU, PRICING, "en") == "It's five ten for the large latte with oat milk."


@pytest.mark.parametrize("pack", language_packs().values(), ids=list(language_packs()))
def test_patterns_have_words_on_both_sides_of_a_gap(pack):
    asks = pack.asks
    for pattern in (*asks.total, *asks.price, *asks.hours, *asks.choices, *asks.items, *asks.available, *asks.description, *asks.other):
        assert all(words.phrase(part) for part in pattern.strip("^$@ ").split("*")), pattern
        assert "#" not in pattern, pattern
