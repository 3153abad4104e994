import pytest

from voice.orders.phrase_patterns import PhrasePatterns

PATTERNS = PhrasePatterns({"cup": ["ly, tô"], "noun": ["{cup}", "loại"]}, {"không": ["ko", "hông"], "được": ["đc"], "nhé": ["n"]})


@pytest.mark.parametrize(
    ("rows", "phrases"),
    [
        (["kia, nọ", "khác"], ["kia", "nọ", "khác"]),
        (["{cup} kia, khác"], ["ly kia", "tô kia", "khác"]),
        (["{noun} kia"], ["ly kia", "tô kia", "loại kia"]),
        (["{cup} {cup}"], ["ly ly", "ly tô", "tô ly", "tô tô"]),
    ],
    ids=["commas", "variable", "variable of variables", "two variables"],
)
def test_a_row_stands_for_its_phrases(rows, phrases):
    assert PATTERNS.phrases(rows) == phrases


def test_a_word_may_have_its_other_spellings_in_any_phrase():
    assert set(PATTERNS.phrases(["không đá"])) == {"không đá", "ko đá", "hông đá"}
    assert "hông đc" in PATTERNS.phrases(["không được"])


def test_a_letter_replaces_a_word_only_in_a_phrase_of_several():
    assert PATTERNS.phrases(["nhé, đá nhé"]) == ["nhé", "đá nhé", "đá n"]


def test_phrases_as_they_are_written_come_before_other_spellings():
    assert PATTERNS.phrases(["không, khỏi"]) == ["không", "khỏi", "ko", "hông"]


def test_keys_with_a_number_are_phrases_and_keys_with_a_list_are_names():
    assert PATTERNS.expanded({"cả {cup}, cả đôi": 2}) == {"cả ly": 2, "cả tô": 2, "cả đôi": 2}
    assert PATTERNS.expanded({"không": ["{cup} nào"]}) == {"không": ["ly nào", "tô nào"]}
    assert PATTERNS.expanded("vi") == "vi"
