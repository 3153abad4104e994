import pytest

from voice.orders.phrase_patterns import PhrasePatterns

PATTERNS = PhrasePatterns({"cup": ["ly, tô"], "noun": ["{cup}", "loại"]})


@pytest.mark.parametrize(
    ("rows", "phrases"),
    [
        (["kia, nọ", "khác"], ["kia", "nọ", "khác"]),
        (["{cup} kia, khác"], ["ly kia", "tô kia", "khác"]),
        (["{noun} kia"], ["ly kia", "tô kia", "loại kia"]),
        (["{cup} {cup}"], ["ly ly", "ly tô", "tô ly", "tô tô"]),
        (["cái (này|kia (nữa|)|)"], ["cái này", "cái kia nữa", "cái", "cái kia"]),
    ],
    ids=["commas", "variable", "variable of variables", "two variables", "alternatives"],
)
def test_a_row_stands_for_its_phrases(rows, phrases):
    assert PATTERNS.phrases(rows) == phrases


def test_keys_are_phrases_too():
    assert PATTERNS.expanded({"cả {cup}, cả đôi": 2}) == {"cả ly": 2, "cả tô": 2, "cả đôi": 2}
    assert PATTERNS.expanded({"không": ["{cup} nào"]}) == {"không": ["ly nào", "tô nào"]}
    assert PATTERNS.expanded({"{cup} em": ["vợ"]}) == {"ly em": ["vợ"], "tô em": ["vợ"]}
    assert PATTERNS.expanded("vi") == "vi"
