"""Of words that sound alike, those that make sense are taken; where nothing is ordered, none."""

import pytest

from schemas import Menu
from voice.asr.ctc_decoder import Alternative
from voice.asr.rescoring import MAX_TRIED, rescore
from voice.orders.engine import OrderEngine

ENGINE = OrderEngine(
    Menu.model_validate(
        {
            "id": "rice",
            "name": "Cơm",
            "currency": "VND",
            "languages": ["vi"],
            "items": {
                "com-tam": {"name": "Cơm tấm", "price": 45_000},
                "com-chien": {"name": "Cơm chiên", "price": 40_000},
                "nuoc": {"name": "Nước suối", "price": 8_000},
            },
        }
    )
)


def segments(*texts):
    """Give segments of so many words, each sure."""
    return [
        {
            "start_s": 0.0,
            "end_s": 1.0,
            "text": text,
            "confidence": 0.9,
            "words": [{"word": word, "start_s": 0.0, "end_s": 1.0, "confidence": 0.9} for word in text.split()],
        }
        for text in texts
    ]


def chosen(text, *alternatives, judge=ENGINE.score):
    """Give what is made of a text; an alternative is (heard, other, cost)."""
    said = segments(text)
    places = [Alternative(text.split().index(heard), other, cost, 0.1) for heard, other, cost in alternatives]
    rescore(said, places, judge)
    return said[0]["text"]


@pytest.mark.parametrize(
    ("heard", "alternative", "meant"),
    [
        ("gọi bà cơm tấm và hai nước suối", ("bà", "ba", 9.1), "gọi ba cơm tấm và hai nước suối"),
        ("chị gọi làm cơm chiên", ("làm", "năm", 6.4), "chị gọi năm cơm chiên"),
        ("em gọi chiến cơm tấm", ("chiến", "chín", 4.2), "em gọi chín cơm tấm"),
        ("hai cơm tấm và và nước suối", ("và", "ba", 1.6), "hai cơm tấm ba và nước suối"),
    ],
)
def test_a_number_that_was_misheard_is_found(heard, alternative, meant):
    assert chosen(heard, alternative) == meant


@pytest.mark.parametrize(
    ("heard", "alternative"),
    [
        ("cho bà cơm tấm", ("bà", "ba", 7.2)),  # who gets it
        ("gọi bà cơm tấm", ("bà", "ba", 10.9)),  # too far in sound
        ("hai cơm tấm", ("hai", "ba", 4.0)),  # sense as it is
        ("lấy cho bà hai cơm tấm", ("bà", "ba", 7.2)),
        ("bà làm nghề gì", ("bà", "ba", 1.0)),  # orders nothing
        ("em trả tiền", ("trả", "nước", 1.0)),
    ],
)
def test_what_makes_sense_or_orders_nothing_stays_as_it_was_heard(heard, alternative):
    assert chosen(heard, alternative) == heard


def test_nothing_becomes_an_order_that_was_none_even_where_it_would_cost_less():
    costs = {"nhà": None, "trà": 0.0}
    assert chosen("nhà", ("nhà", "trà", 0.1), judge=costs.get) == "nhà"


def test_an_order_does_not_become_nothing():
    costs = {"trà": 5.0, "nhà": None}
    assert chosen("trà", ("trà", "nhà", 0.1), judge=costs.get) == "trà"


def test_several_words_change_each_if_it_helps_and_the_nearest_that_does_wins():
    said = segments("gọi làm cơm tấm", "chiến cơm chiên")
    rescore(
        said,
        [
            Alternative(1, "năm", 3.0, 0.2),
            Alternative(1, "tám", 5.0, 0.1),
            Alternative(4, "chín", 4.0, 0.3),
            Alternative(5, "bốn", 8.0, 0.1),
        ],
        ENGINE.score,
    )
    assert [segment["text"] for segment in said] == ["gọi năm cơm tấm", "chín cơm chiên"]
    assert said[0]["words"][1]["confidence"] == 0.2
    assert said[1]["confidence"] == pytest.approx((0.3 + 0.9 + 0.9) / 3)


def test_no_more_than_a_few_are_tried():
    asked = []

    def judge(text):
        asked.append(text)
        return 1.0

    rescore(segments("a b c"), [Alternative(0, str(number), 1.0, 0.1) for number in range(100)], judge)
    assert len(asked) == MAX_TRIED + 1
