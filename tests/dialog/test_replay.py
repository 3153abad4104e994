"""A conversation is rebuilt from its words, and taken turns are not taken again."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.dialog.shop import MENU, order_of, say, shop
from voice.dialog.replay import TURN_CHARACTERS, Exchange, Replays, Setting
from voice.dialog.turn import DialogEngine
from voice.menus.menu import Menu

pytestmark = pytest.mark.anyio
CUSTOMER = ("two colas please", "and a lemonade", "no, that's all")
ANY = Setting()


def exchanges(*utterances: str, heard: str = "") -> list[Exchange]:
    """Return the turns of a customer; `heard`: before the last one."""
    return [*map(Exchange, utterances[:-1]), Exchange(utterances[-1], heard)]


async def rebuilt(*utterances: str, heard: str = "", replays: Replays | None = None, setting: Setting = ANY):
    return await (replays or Replays()).begin(shop(), exchanges(*utterances, heard=heard), setting, "client").run()


async def test_a_rebuilt_conversation_is_as_if_its_state_had_been_sent_each_time():
    order = say(CUSTOMER[0])
    for number, utterance in enumerate(CUSTOMER[1:], 2):
        order = say(utterance, order)
        assert await rebuilt(*CUSTOMER[:number]) == order
    assert order_of(order) == ["2 cola", "1 lemonade"]


async def test_turns_that_were_taken_are_not_taken_again():
    replays = Replays()
    assert replays.begin(shop(), exchanges(*CUSTOMER), ANY, "client").n_characters == len("".join(CUSTOMER[:-1]))
    first = await rebuilt(*CUSTOMER, replays=replays)
    again = replays.begin(shop(), exchanges(*CUSTOMER), ANY, "client")
    assert again.n_characters == 0
    assert await again.run() == first


@pytest.mark.parametrize(
    "changed", [{"setting": Setting(call_id="b")}, {"setting": Setting("vi")}, {"client": "b"}, {"first": "three colas"}]
)
async def test_a_conversation_that_differs_in_anything_is_rebuilt_from_its_beginning(changed):
    replays = Replays()
    await rebuilt(*CUSTOMER, replays=replays)
    spoken = exchanges(changed.get("first", CUSTOMER[0]), *CUSTOMER[1:])
    replay = replays.begin(shop(), spoken, changed.get("setting", Setting()), changed.get("client", "client"))
    assert replay.n_characters == sum(len(exchange.utterance) for exchange in spoken[:-1])


async def test_a_changed_menu_takes_every_turn_again():
    replays = Replays()
    await rebuilt(*CUSTOMER, replays=replays)
    items = {**MENU["items"], "lemonade": {**MENU["items"]["lemonade"], "price": 100}}
    changed = DialogEngine(Menu.model_validate({**MENU, "items": items}), 0.0)
    replay = replays.begin(changed, exchanges(*CUSTOMER), ANY, "client")
    assert replay.n_characters == len("".join(CUSTOMER[:-1]))
    order = await replay.run()
    assert [line["unit_price"] for line in order["lines"]] == [250, 100]


async def test_the_conversation_keeps_its_language_over_words_that_tell_none():
    assert (await rebuilt("dạ cho một cô la nha", "cola"))["say"]["language"] == "vi"
    assert (await rebuilt("cola"))["say"]["language"] == "en"
    assert (await rebuilt("dạ cho một cô la nha", "cola", setting=Setting("en")))["say"]["language"] == "en"


async def test_the_greeting_is_said_before_the_customer_speaks():
    for setting, language in ((ANY, "en"), (Setting("vi"), "vi")):
        greeting = await Replays().begin(shop(), [], setting, "client").run()
        assert (greeting["say"]["language"], greeting["lines"], greeting["status"]) == (language, [], "open")
        assert greeting["say"]["text"] == say({"en": "hello", "vi": "xin chào"}[language])["say"]["text"]


async def test_an_order_is_confirmed_as_it_was_read_back():
    read_back = say(CUSTOMER[2], say(CUSTOMER[1], say(CUSTOMER[0])))["say"]["text"]
    for heard in ("", read_back, read_back.upper().replace(",", " ..."), f"One moment. {read_back}", read_back[:20]):
        assert (await rebuilt(*CUSTOMER, "yes", heard=heard))["status"] == "confirmed", heard


async def test_an_order_that_differs_from_what_was_read_back_is_read_back_again():
    turns = exchanges(*CUSTOMER, "yes", heard="So that's two colas. That comes to five dollars. Is that right?")
    replays = Replays()
    asked = await replays.begin(shop(), turns, ANY, "client").run()
    assert (asked["status"], order_of(asked)) == ("confirming", ["2 cola", "1 lemonade"])
    assert asked["say"]["text"] == say(CUSTOMER[2], say(CUSTOMER[1], say(CUSTOMER[0])))["say"]["text"]
    agreed = await replays.begin(shop(), [*turns, Exchange("yes", asked["say"]["text"])], ANY, "client").run()
    assert (agreed["status"], order_of(agreed)) == ("confirmed", ["2 cola", "1 lemonade"])


async def test_a_caller_who_rewrites_every_sentence_can_confirm_on_the_second_yes():
    turns = exchanges(*CUSTOMER, "yes", heard="Correct?")
    assert (await Replays().begin(shop(), [*turns, Exchange("yes", "Correct?")], ANY, "client").run())["status"] == "confirmed"


async def test_the_time_of_the_conversation_is_that_of_every_turn():
    breakfast = {"breakfast": [{"from": "06:00", "to": "10:30"}]}
    items = {**MENU["items"], "cola": {**MENU["items"]["cola"], "when": ["breakfast"]}}
    engine = DialogEngine(Menu.model_validate({**MENU, "times": breakfast, "items": items}), 0.0)
    for hour, lines in ((9, ["2 cola"]), (11, [])):
        setting = Setting(at=datetime(2026, 11, 30, hour, tzinfo=UTC))
        assert order_of(await Replays().begin(engine, exchanges("hello", CUSTOMER[0]), setting, "client").run()) == lines


async def test_a_conversation_is_cached_once_however_long_it_is():
    replays = Replays(max_cached_characters=50 * 2 * (TURN_CHARACTERS + 10))
    await rebuilt("a cola", "yes", replays=replays)
    for number in range(1, 40):
        await rebuilt(*["one more"] * number, replays=replays)
    assert replays.begin(shop(), exchanges(*["one more"] * 40), ANY, "client").n_characters == len("one more")
    assert replays.begin(shop(), exchanges("a cola", "yes"), ANY, "client").n_characters == 0


async def test_the_cache_forgets_what_was_not_used_for_longest():
    replays = Replays(max_cached_characters=5 * (TURN_CHARACTERS + 10))
    for number in range(10):
        await rebuilt(f"{number} colas", "yes", replays=replays)
        await rebuilt("0 colas", "yes", replays=replays)
    known = [number for number in range(10) if not replays.begin(shop(), exchanges(f"{number} colas", "yes"), ANY, "client").n_characters]
    assert 0 in known
    assert 9 in known
    assert len(known) <= 5


async def test_others_run_between_two_turns():
    n_turns = 0

    async def count():
        nonlocal n_turns
        while True:
            n_turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count())
    await rebuilt(*["a cola"] * 20)
    counting.cancel()
    assert n_turns >= 20


async def test_conversations_of_one_client_are_rebuilt_one_after_another():
    replays, ended = Replays(), []

    async def run(client, *utterances):
        await replays.begin(shop(), exchanges(*utterances), ANY, client).run()
        ended.append(client)

    await asyncio.gather(run("a", *["a cola"] * 30), run("a", "a cola"), run("b", "a cola"))
    assert ended == ["b", "a", "a"]
