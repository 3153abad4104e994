"""One call: listening, answering, barge-in, keys, silence, and its end."""

import asyncio

import pytest

from errors import ItemNotFound
from tests.calls.fakes import CONFLICT, NO_DATABASE, ScriptedStore
from voice.calls.keeper import order_id_of
from voice.calls.outcome import Outcome

pytestmark = pytest.mark.anyio
ORDER = "a large milk tea with black pearls"


async def until(condition, within_s=10.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.005)


async def spoken(voice, text: str) -> None:
    """Wait until a piece with this text was spoken last."""
    await until(lambda: voice.texts and text in voice.texts[-1])


async def test_a_conversation_ends_with_the_order_in_the_store_before_the_goodbye(telephone, voice):
    call = telephone()
    await spoken(voice, "Hello there.")
    call.live.say(ORDER)
    await spoken(voice, "Anything else?")
    call.live.say("no, that's all")
    await spoken(voice, "Is that right?")
    assert not call.store.orders
    call.live.say("yes")
    assert await call.outcome() is Outcome.CONFIRMED
    assert "Thank you!" in voice.texts
    (order,) = call.store.orders.values()
    assert [(line["item"], line["quantity"]) for line in order["lines"]] == [("tra-sua-truyen-thong", 1)]
    assert order["order_id"] == str(order_id_of("CA1"))


async def test_a_caller_who_speaks_stops_the_shop(telephone):
    call = telephone()
    await until(lambda: call.line.played)
    call.live.begin()
    await until(lambda: call.line.n_cleared)
    n_played = len(call.line.played)
    await asyncio.sleep(0.1)
    assert len(call.line.played) == n_played


async def test_noise_stops_the_shop_only_for_a_moment(telephone, voice):
    call = telephone(silence_s=60)
    call.live.say(ORDER)
    await until(lambda: any("Anything else?" in text for text in voice.texts))
    n_played = len(call.line.played)
    call.live.begin()
    await until(lambda: call.line.n_cleared)
    call.live.finish()
    await until(lambda: len(call.line.played) > n_played)  # what was not heard is said again, from the cache


async def test_a_yes_counts_when_the_caller_hangs_up_right_after_it(telephone, voice):
    call = telephone()
    call.live.say(ORDER)
    call.live.say("that's all")
    await spoken(voice, "Is that right?")
    call.live.ending_words = "yes"
    await call.call.hang_up()
    assert await call.outcome() is Outcome.CONFIRMED
    assert call.store.orders


async def test_an_order_that_was_not_confirmed_is_not_stored_when_the_caller_hangs_up(telephone, voice):
    call = telephone()
    call.live.say(ORDER)
    await spoken(voice, "Anything else?")
    await call.call.hang_up()
    assert await call.outcome() is Outcome.HUNG_UP
    assert not call.store.orders


async def test_a_line_that_breaks_ends_the_call(telephone):
    call = telephone()
    call.line.is_gone = True
    assert await call.outcome() is Outcome.HUNG_UP


@pytest.mark.parametrize("failures", [[CONFLICT], [NO_DATABASE]])
async def test_an_order_is_stored_though_its_id_was_used_or_the_database_paused(telephone, failures):
    call = telephone(ScriptedStore(*failures))
    call.live.say(ORDER)
    call.live.say("that's all")
    call.live.say("yes")
    assert await call.outcome() is Outcome.CONFIRMED
    assert len(call.store.orders) == 1


async def test_a_person_takes_over_when_the_order_cannot_be_stored(telephone, voice):
    call = telephone(ScriptedStore(*[NO_DATABASE] * 3))
    call.live.say(ORDER)
    call.live.say("that's all")
    call.live.say("yes")
    assert await call.outcome() is Outcome.HANDOFF
    assert "Thank you!" not in voice.texts


@pytest.mark.parametrize(("words", "outcome"), [("can I talk to a person", Outcome.HANDOFF), ("cancel the order", Outcome.CANCELLED)])
async def test_the_call_ends_when_the_caller_wants_a_person_or_cancels(telephone, words, outcome):
    call = telephone()
    call.live.say(words)
    assert await call.outcome() is outcome


async def test_keys_answer_the_open_question(telephone, voice):
    call = telephone()
    call.live.say("a milk tea with pearls")
    await until(lambda: any("white pearls" in text for text in voice.texts))
    await call.call.press("2")
    await until(lambda: "white pearls" in voice.texts[-2] and "else" in voice.texts[-1])
    await call.call.press("2")  # nothing else
    await spoken(voice, "Is that right?")
    await call.call.press("1")
    assert await call.outcome() is Outcome.CONFIRMED
    (order,) = call.store.orders.values()
    assert [option["choice"] for option in order["lines"][0]["options"]] == ["white-pearls"]


async def test_zero_is_a_person_and_a_key_without_a_meaning_repeats_the_sentence(telephone):
    call = telephone()
    await until(lambda: call.line.played)
    n_played = len(call.line.played)
    await call.call.press("7")
    await until(lambda: len(call.line.played) > n_played)
    await call.call.press("0")
    assert await call.outcome() is Outcome.HANDOFF


async def test_a_silent_caller_hears_the_sentence_again_and_then_a_person(telephone):
    call = telephone(silence_s=0.05)
    assert await call.outcome() is Outcome.HANDOFF
    assert len(call.line.played) > 3 * len("Hello there.") / 2 - 3  # three times, and the hand-off


async def test_a_person_takes_over_when_the_connection_ends(telephone):
    call = telephone()
    await until(lambda: call.line.played)
    await call.live.stop()
    assert await call.outcome() is Outcome.HANDOFF


async def test_a_voice_that_fails_ends_the_call_so_that_a_person_can_take_over(telephone, voice):
    voice.fails = True
    call = telephone()
    assert await call.outcome() is Outcome.HANDOFF


async def test_a_person_takes_over_when_a_changed_menu_lacks_a_part_of_the_order(telephone):
    call = telephone()
    call.live.queue.put_nowait(ItemNotFound("The menu has changed."))
    assert await call.outcome() is Outcome.HANDOFF


async def test_a_fault_ends_the_call_so_that_a_person_can_take_over(telephone):
    call = telephone()
    call.live.queue.put_nowait({"type": "final", "text": "a turn without its order"})
    assert await call.outcome() is Outcome.HANDOFF
