import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.asr.audio import SAMPLE_RATE
from voice.live.agreement import LocalAgreement, continue_committed


@pytest.mark.parametrize(
    ("committed", "hypothesis", "merged"),
    [
        ("", "I want tea.", "I want tea."),
        ("I want", "I want tea.", "I want tea."),
        ("I want", "i want, tea.", "I want, tea."),
        ("I want milk", "I want milkshake and tea", "I want milk and tea"),
        ("I want", "we want two teas", "I want two teas"),
        ("I want two", "I want", "I want two"),
        ("I want two", "", "I want two"),
    ],
)
def test_a_hypothesis_continues_the_committed_words(committed, hypothesis, merged):
    assert " ".join(continue_committed(committed.split(), hypothesis.split())) == merged


def test_a_loop_of_the_decoder_is_not_committed():
    agreement = LocalAgreement()
    for second in range(1, 4):
        agreement.add("one tea " * 20, second * SAMPLE_RATE, may_commit=True)
    assert agreement.committed_text == ""


def test_nothing_is_committed_while_the_language_is_undecided():
    agreement = LocalAgreement()
    for second in range(1, 4):
        agreement.add("one milk tea", second * SAMPLE_RATE, may_commit=False)
    assert agreement.committed_text == ""
    agreement.add("one milk tea", 4 * SAMPLE_RATE, may_commit=True)
    assert agreement.committed_text == "one milk"


WORDS = st.sampled_from(["one", "two", "two,", "Two", "tea", "tea.", "…", "milk", "milkshake"])
RUNS = st.lists(st.tuples(st.lists(st.tuples(WORDS, st.sampled_from([0.1, 0.9])), max_size=6), st.booleans()), min_size=1, max_size=8)


@given(RUNS)
def test_a_committed_word_never_changes(runs):
    agreement, committed = LocalAgreement(), ""
    for number, (words, is_draft) in enumerate(runs, 1):
        text, n_samples = " ".join(word for word, _ in words), 2 * number * SAMPLE_RATE
        if is_draft:
            shown = agreement.add_partial(text, n_samples, [probability for _, probability in words], may_commit=True)
        else:
            shown = agreement.add(text, n_samples, may_commit=True)
        assert shown.startswith(committed)
        assert shown.startswith(agreement.committed_text)
        committed = agreement.committed_text
