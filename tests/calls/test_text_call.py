"""One call whose platform recognises and speaks."""

import pytest

from tests.calls.fakes import NO_DATABASE, ScriptedStore
from tests.live.fakes import ChangingMenu
from voice.calls.keeper import OrderKeeper
from voice.calls.outcome import Outcome
from voice.calls.text_call import TextCall

pytestmark = pytest.mark.anyio


def call_of(menu: ChangingMenu, store: ScriptedStore) -> TextCall:
    keeper = OrderKeeper(store, lambda _: menu(), "demo", "CA1", lambda: None)  # type: ignore[arg-type]
    return TextCall(menu, keeper, language="en", reply_language="en", greeting="")


@pytest.fixture
def menu(engine) -> ChangingMenu:
    return ChangingMenu(engine.menu)


async def test_a_number_is_pressed_digit_by_digit(menu):
    call = call_of(menu, ScriptedStore())
    asked = await call.take("one and a half lattes")
    assert (asked.outcome, call.order and call.order["questions"][0]["kind"]) == (None, "missing")
    assert await call.press("1") is None
    assert await call.press("0") is None
    assert "ten" in ((await call.press("#")) or asked).text


async def test_a_person_takes_over_when_the_order_cannot_be_stored(menu):
    call = call_of(menu, ScriptedStore(*[NO_DATABASE] * 3))
    for words in ("two lattes", "that's all"):
        assert (await call.take(words)).outcome is None
    assert (await call.take("yes")).outcome is Outcome.HANDOFF


async def test_a_person_takes_over_when_a_changed_menu_lacks_a_part_of_the_order(menu):
    call = call_of(menu, ScriptedStore())
    await call.take("two lattes")
    menu.remove("latte")
    assert (await call.take("and a cappuccino")).outcome is Outcome.HANDOFF


async def test_more_words_than_an_utterance_may_have_are_asked_for_again(menu):
    call = call_of(menu, ScriptedStore())
    assert "didn't catch that" in (await call.take("two lattes " * 200)).text
