"""Language packs: the files, and what the engine derives from them."""

import pytest
from pydantic import ValidationError

from voice.orders import words
from voice.orders.language_packs import LANGUAGES, LanguagePack, language_packs

PACKS = language_packs()


def test_every_file_is_the_pack_of_its_language():
    assert {path.stem for path in LANGUAGES.glob("*.yaml")} == set(PACKS)
    assert all(pack.language == language for language, pack in PACKS.items())


def test_an_unknown_key_is_rejected():
    with pytest.raises(ValidationError, match="verbs"):
        LanguagePack.model_validate(PACKS["en"].model_dump() | {"verbs": ["eat"]})


def test_a_missing_key_is_rejected():
    fields = PACKS["en"].model_dump()
    del fields["requests"]
    with pytest.raises(ValidationError, match="requests"):
        LanguagePack.model_validate(fields)


def test_rows_of_phrases_are_expanded_with_the_variables_of_the_pack():
    rows = {"variables": {"cup": ["mug", "glass"]}, "fillers": ["please, well", "{cup}"]}
    pack = LanguagePack.model_validate(PACKS["en"].model_dump() | rows)
    assert pack.fillers == ["please", "well", "mug", "glass"]


def test_numbers_and_what_the_shop_says_are_written_out():
    assert PACKS["vi"].numbers.zeros == ["không"]
    assert "{name}" in PACKS["vi"].speech.options["no"]


def test_alternatives_in_a_phrase_are_spelt_out_in_lists_and_in_tables():
    changed = {"removes": ["take (the (last|first)|that|) away"], "fewers": {"(one|1) less": 1}, "answers": {"yes": ["go on( then|)"]}}
    pack = LanguagePack.model_validate(PACKS["en"].model_dump() | changed)
    assert pack.removes == ["take the last away", "take that away", "take away", "take the first away"]
    assert pack.fewers == {"one less": 1, "1 less": 1}
    assert pack.answers["yes"] == ["go on then", "go on"]


def test_alternatives_in_a_pattern_are_spelt_out_with_its_signs():
    asks = PACKS["en"].asks.model_dump() | {"price": ["^(is|are) * extra $"]}
    assert LanguagePack.model_validate(PACKS["en"].model_dump() | {"asks": asks}).asks.price == ["^is * extra $", "^are * extra $"]


@pytest.mark.parametrize("pack", PACKS.values(), ids=list(PACKS))
def test_phrases_are_lower_case_and_have_a_word_or_a_sign(pack):
    for phrase in pack.phrases() | pack.spans.phrases():
        assert phrase == phrase.lower()
        assert words.tokenize(phrase) or phrase == "×"


def test_phrases_have_keys_of_dictionaries_and_lists_of_tables():
    english = PACKS["en"].phrases()
    assert {"one", "twenty", "dozen", "double", "cups of", "extra", "without", "make it", "the second one"} <= english
    spans = PACKS["en"].spans.phrases()
    assert {"dollars", "half past", "table for", "point"} <= spans
    assert "money" not in spans


def test_function_words_are_single_words_that_name_nothing():
    function_words = PACKS["vi"].function_words()
    assert {"không", "với", "thêm", "ly"} <= function_words
    assert not any(" " in word for word in function_words)
    assert function_words.isdisjoint({"cà", "phê", "trà"})


def test_uninformative_words_do_not_distinguish_names():
    assert {"ly", "size", "có"} <= PACKS["vi"].uninformative_words()
    assert PACKS["vi"].uninformative_words().isdisjoint({"lớn", "không", "hai"})


def test_all_languages_have_the_same_sentences_with_the_same_fields():
    def fields(text):
        return {part.split("}")[0] for part in text.split("{")[1:]}

    english = {name: fields(text) for name, text in PACKS["en"].speech.sentences.items()}
    for pack in PACKS.values():
        assert {name: fields(text) for name, text in pack.speech.sentences.items()} == english
