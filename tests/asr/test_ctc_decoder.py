"""Beam search over token posteriors, its words, confidences and alternatives."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voice.asr import ctc_decoder

VOCABULARY = ["<blank>", "▁ba", "▁bà", "▁bạc", "▁xỉu", "▁x", "ỉu", "▁suỷ"]


def log_probs(*frames):
    """Return log probabilities for frames of {token: probability}; the blank has the rest."""
    table = np.full((len(frames), len(VOCABULARY)), 1e-9, np.float32)
    for row, frame in zip(table, frames, strict=True):
        for token, probability in frame.items():
            row[VOCABULARY.index(token)] = probability
        row[0] = max(1 - sum(frame.values()), 1e-9)
    return np.log(table)


def decode(table, phrases=()):
    return [word["word"] for word in ctc_decoder.decode_words(table, VOCABULARY, phrases, start_s=0.0)]


def test_a_repeated_token_is_decoded_once_and_one_that_returns_after_a_blank_twice():
    assert decode(log_probs({"▁ba": 0.9}, {"▁ba": 0.9}, {}, {"▁ba": 0.9})) == ["ba", "ba"]
    assert decode(log_probs({"▁x": 0.9}, {"ỉu": 0.9}, {})) == ["xỉu"]
    assert decode(log_probs({}, {}, {})) == []


def test_the_alignments_of_a_text_are_summed():
    # In each frame the blank is more likely, but the alignments of "ba" together are.
    assert decode(log_probs({"▁ba": 0.4}, {"▁ba": 0.4})) == ["ba"]


def test_a_phrase_decides_between_confusable_words_but_not_against_a_clear_posterior():
    near = log_probs({"▁bạc": 0.9}, {}, {"▁suỷ": 0.5, "▁xỉu": 0.4}, {})
    assert decode(near) == ["bạc", "suỷ"]
    assert decode(near, ("Bạc xỉu",)) == ["bạc", "xỉu"]
    clear = log_probs({"▁bạc": 0.9}, {}, {"▁suỷ": 0.99, "▁xỉu": 0.005}, {})
    assert decode(clear, ("Bạc xỉu",)) == ["bạc", "suỷ"]


def test_the_bonus_of_a_phrase_that_is_not_completed_is_withdrawn():
    assert decode(log_probs({"▁bà": 0.5, "▁ba": 0.45}, {}, {"▁suỷ": 0.9}), ("bax xỉu",)) == ["bà", "suỷ"]


def test_the_confidence_does_not_include_the_bonus_of_phrases():
    table = log_probs({"▁bà": 0.55, "▁ba": 0.4}, {})
    word = ctc_decoder.decode_words(table, VOCABULARY, ("ba",), start_s=1.0)[0]
    assert word["word"] == "ba"
    assert word["confidence"] == pytest.approx(ctc_decoder.CALIBRATION.from_probability(0.4 / 0.95), abs=0.01)
    assert word["start_s"] == 1.0


def alternatives(table, phrases):
    search = ctc_decoder.BeamSearch(VOCABULARY, phrases)
    search.advance(table)
    found = ctc_decoder.word_alternatives(search.best_tokens(), VOCABULARY, phrases)
    return [(alternative.word_index, alternative.word) for alternative in found]


def test_confusable_words_of_the_phrases_are_alternatives_cheapest_first():
    table = log_probs({"▁bạc": 0.9, "▁ba": 0.001}, {}, {"▁bà": 0.99, "▁ba": 0.004, "▁xỉu": 0.001}, {})
    assert alternatives(table, ("ba", "xỉu")) == [(1, "ba"), (0, "ba"), (1, "xỉu")]
    assert alternatives(table, ("bạc",)) == []  # not confusable with the second word
    assert alternatives(table, ()) == []
    assert alternatives(log_probs({"▁x": 0.9, "▁ba": 0.05}, {"ỉu": 0.9}, {}), ("ba",)) == []  # a word of several tokens


def test_a_confidence_is_calibrated_and_rises_with_the_posterior():
    tables = [log_probs({"▁bà": share, "▁ba": 1 - share - 1e-4}, {}) for share in (0.6, 0.9, 0.999)]
    decoded = [ctc_decoder.decode_words(table, VOCABULARY, (), start_s=0.0)[0] for table in tables]
    confidences = [word["confidence"] or 0 for word in decoded]
    assert confidences == sorted(confidences)
    assert 0.5 < confidences[0] < 0.6
    assert confidences[-1] < 0.999


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_the_stable_tokens_begin_every_later_result(seed, step):
    draw = np.random.default_rng(seed)
    vocabulary = ["<blank>", "▁a", "▁b", "c", "▁ab", "b", "▁c", "a", "d", "▁d"]
    table = np.log(draw.dirichlet(np.full(len(vocabulary), 0.3), 30) + 1e-9).astype(np.float32)
    search = ctc_decoder.BeamSearch(vocabulary, ("a b", "ab c"))
    shared: list[int] = []
    for start in range(0, len(table), step):
        search.advance(table[start : start + step])
        best = [token.token_id for token in search.best_tokens()]
        assert best[: len(shared)] == shared
        assert search.n_stable_tokens() >= len(shared)
        shared = best[: search.n_stable_tokens()]
    whole = ctc_decoder.BeamSearch(vocabulary, ("a b", "ab c"))
    whole.advance(table)
    assert [token.token_id for token in whole.best_tokens()] == [token.token_id for token in search.best_tokens()]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(0, 12))
def test_committed_tokens_are_shared_by_all_hypotheses_and_begin_every_later_result(seed, step, behind):
    draw = np.random.default_rng(seed)
    vocabulary = ["<blank>", "▁a", "▁b", "c", "▁ab", "b", "▁c", "a", "d", "▁d"]
    table = np.log(draw.dirichlet(np.full(len(vocabulary), 0.3), 30) + 1e-9).astype(np.float32)
    search = ctc_decoder.BeamSearch(vocabulary, ("a b", "ab c"))
    committed: list[int] = []
    for start in range(0, len(table), step):
        search.advance(table[start : start + step])
        best = search.best_tokens()
        assert [token.token_id for token in best[: len(committed)]] == committed
        search.commit(search.n_frames - behind)
        assert search.best_tokens() == best
        begun = [token.token_id for token in best if token.frame < search.n_frames - behind]
        assert search.n_stable_tokens() >= len(begun)
        committed = [token.token_id for token in best[: search.n_stable_tokens()]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 29))
@example(11689235, 4)  # the best hypothesis descends from another one of the beam through one that was pruned
def test_a_copy_of_a_search_goes_its_own_way(seed, at):
    draw = np.random.default_rng(seed)
    vocabulary = ["<blank>", "▁a", "▁b", "c", "▁ab", "b", "▁c", "a", "d", "▁d"]
    table, other = np.log(draw.dirichlet(np.full(len(vocabulary), 0.3), (2, 30)) + 1e-9).astype(np.float32)
    search, copied_from = ctc_decoder.BeamSearch(vocabulary, ("a b", "ab c")), ctc_decoder.BeamSearch(vocabulary, ("a b", "ab c"))
    search.advance(table)
    copied_from.advance(table[:at])
    copied = copied_from.copy()
    copied.advance(other[at:])
    copied_from.advance(table[at:])
    assert tokens_of(copied_from) == tokens_of(search)
    expected = ctc_decoder.BeamSearch(vocabulary, ("a b", "ab c"))
    expected.advance(np.concatenate([table[:at], other[at:]]))
    assert tokens_of(copied) == tokens_of(expected)


def tokens_of(search):
    return [(token.token_id, token.frame, token.last_frame) for token in search.best_tokens()]
