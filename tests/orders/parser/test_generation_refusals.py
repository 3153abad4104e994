from itertools import islice

from voice.orders import words
from voice.orders.corpus import sentence_menus
from voice.orders.parser.generation import generated
from voice.orders.parser.generation_refusals import RefusalExamples

MENU = sentence_menus()[0]


def made(maker_name, count=20):
    writer = RefusalExamples(MENU, "vi")
    maker = next(maker for _, maker in writer.refusal_makers() if maker.__name__ == maker_name)
    return list(islice(filter(None, iter(maker, object())), count))


def test_a_refusal_leaves_the_order_as_it_is():
    assert all(example.right == [example.lines] and example.act == "" for example in made("_refuse"))


def test_a_corrected_number_is_that_of_the_line():
    for example in made("_correct_quantity"):
        ((line,),) = example.right
        assert line.quantity > 1
        assert example.lines == ()


def test_a_word_alone_belongs_to_one_item():
    for example in made("_word"):
        ((line,),) = example.right
        said = {words.fold(word) for word in words.phrase(example.utterance)}
        assert said & {words.fold(word) for word in words.phrase(MENU.items[line.item].name)}


def test_examples_are_the_same_at_each_call():
    first, second = ([example.utterance for example in generated(MENU, "vi", 60)] for _ in range(2))
    assert first == second
