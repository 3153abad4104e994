"""Conversations on the page, typed and spoken, in a real browser."""

import base64
import json
import re
import time
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from settings import ROOT
from tests.browser import Browser, Page, browser
from tests.conftest import KEYS
from tests.page_sound import RECORDINGS, VOICE, microphone_file
from tests.servers import Server
from tests.test_page import PHASE, POOR_CONTRAST, SMALL_TARGETS, TRY, in_a_browser, lines_of, notice, received, send_text, texts

pytestmark = in_a_browser

# The order of the Vietnamese recording raises a question with this menu: which pearls its smoothie comes with.
PEARLS = """  pearls:
    name: {vi: Trân châu, en: Pearls}
    required: true
    choices:
      black: {name: {vi: Trân châu đen, en: Black pearls}, aliases: [đen, màu đen]}
      white: {name: {vi: Trân châu trắng, en: White pearls}, aliases: [trắng, màu trắng]}
items:
"""


@pytest.fixture(scope="module")
def talking_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("talking")
    menu = (ROOT / "menus/quan-nha.yaml").read_text()
    smoothie = re.compile(r"(?m)^(  sinh-to-bo: .*options: \[)")
    (directory / "menus").mkdir()
    (directory / "menus/quan-nha.yaml").write_text(smoothie.sub(r"\1pearls, ", menu.replace("items:\n", PEARLS, 1)))
    models = {"SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer"}
    running = Server(directory, models | {"MENU_DIR": str(directory / "menus")})
    try:
        running.wait_until(lambda: httpx.get(f"{running.url}/readiness").status_code == 200)
        yield running
    finally:
        running.stop()


def open_page(chromium: Browser, server: Server, language: str = "vi", **screen: Any) -> Page:
    page = chromium.open(f"{server.url}{TRY}", script=VOICE, **screen)
    page.wait_for("document.querySelectorAll('#suggestions li').length")
    page.click(f"#in-{language}")
    return page


def turns(page: Page) -> list[list[str]]:
    """Return who said what."""
    said: list[list[str]] = page.evaluate(
        "Array.from(document.querySelectorAll('.turn'), e => [e.classList[1], e.querySelector('.said').textContent])"
    )
    return said


def say(page: Page, text: str) -> str:
    """Type a turn; return the shop's sentence."""
    before = len(turns(page))
    send_text(page, text)
    return reply_after(page, before)


def reply_after(page: Page, n_turns: int) -> str:
    page.wait_for(f"document.querySelectorAll('.turn').length >= {n_turns + 2}")
    page.wait_for("!document.querySelector('#undo').disabled")
    return turns(page)[-1][1]


def answer(page: Page, text: str) -> str:
    """Answer a question by its button; return the shop's sentence."""
    before = len(turns(page))
    buttons = page.evaluate("Array.from(document.querySelectorAll('#questions button'), e => e.firstChild.textContent)")
    assert text in buttons
    page.evaluate(f"document.querySelectorAll('#questions button')[{buttons.index(text)}].click()")
    return reply_after(page, before)


def sent(page: Page, method: str, path: str) -> list[dict[str, Any]]:
    requests = [event["request"] for event in page.events("Network.requestWillBeSent")]
    return [json.loads(one["postData"]) for one in requests if one["method"] == method and path in one["url"]]


# --- Typed --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("vi", ["cho mình hai trà sữa thêm trân châu", "Trân châu đen", "Vậy thôi", "Đúng rồi"]),
        ("en", ["two milk teas with pearls please", "Black pearls", "That's all", "Yes"]),
    ],
    ids=["vi", "en"],
)
def test_a_typed_conversation_ends_with_a_stored_order(chromium: Browser, talking_server: Server, language: str, words: list[str]) -> None:
    order, choice, done, yes = words
    page = open_page(chromium, talking_server, language)
    assert say(page, order).endswith("?")
    answer(page, choice)
    assert page.evaluate("document.querySelector('#from').hidden")
    answer(page, done)
    assert not page.evaluate("document.querySelector('#placed').checkVisibility()")
    goodbye = answer(page, yes)
    page.wait_for("!document.querySelector('#placed').hidden")

    said = [text for _, text in turns(page)]
    assert said[::2] == words
    assert [who for who, _ in turns(page)] == ["customer", "shop"] * 4
    assert page.evaluate("spoken.map(({ text }) => text)") == said[1::2], "the shop's sentences are spoken"
    assert page.evaluate("new Set(spoken.map(({ lang }) => lang.slice(0, 2))).size") == 1
    assert page.evaluate("spoken[0].lang").startswith(language)
    assert goodbye == said[-1]

    first, second, *_ = sent(page, "POST", "/voice/order")
    assert first["lines"] == first["questions"] == first["changes"] == first["notes"] == []
    assert (second["questions"][0]["group"], second["lines"][0]["quantity"]) == ("topping", 2)
    assert second["changes"][0]["op"] == "add"
    assert second["reply_language"] == language
    put = next(event["request"] for event in page.events("Network.requestWillBeSent") if event["request"]["method"] == "PUT")
    stored = httpx.get(put["url"], headers=KEYS).json()["data"]
    assert [(line["item"], line["quantity"], line["options"][0]["choice"]) for line in stored["lines"]] == [
        ("tra-sua-truyen-thong", 2, "black-pearls")
    ]
    assert page.errors() == []
    page.close()


def test_place_names_what_is_missing_and_places_once_it_is_answered(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    say(page, "một sinh tố bơ")
    page.click("#place")
    page.wait_for("!document.querySelector('#missing').hidden")
    assert page.text("#missing").split("\n\n") == [texts()["vi"]["missing"], "Sinh tố bơ: hãy chọn Trân châu."]
    assert page.evaluate("document.activeElement.closest('#questions') !== null"), "the focus is where it can be answered"
    page.click("#in-en")
    assert page.text("#missing").split("\n")[0] == texts()["en"]["missing"]
    answer(page, "Trân châu trắng")  # in the language of the conversation
    assert page.evaluate("document.querySelector('#missing').hidden")
    page.click("#place")
    page.wait_for("!document.querySelector('#placed').hidden")
    page.expected = "422 .*voice/order"  # the browser logs it
    assert all(re.search(page.expected, error) for error in page.errors())
    page.close()


def test_place_explains_a_question_that_no_line_has(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    say(page, "một latte")
    say(page, "một sinh tố mãng cầu")
    page.click("#place")
    page.wait_for("!document.querySelector('#missing').hidden")
    assert "mãng cầu" in page.text("#missing")
    assert sent(page, "PUT", "/voice/order") == []
    answer(page, "Thôi khỏi")
    page.click("#place")
    page.wait_for("!document.querySelector('#placed').hidden")
    page.close()


def test_a_button_answers_its_own_question_though_another_one_was_asked_first(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    say(page, "một sinh tố bơ và một trà sữa thêm trân châu")
    page.wait_for("document.querySelectorAll('.question').length === 2")
    groups = page.evaluate("Array.from(document.querySelectorAll('.question p'), e => e.textContent)")
    page.evaluate("document.querySelectorAll('.question')[1].querySelector('button').click()")
    page.wait_for("document.querySelectorAll('.question').length === 1")
    assert page.text(".question p") == groups[0], "the question that was asked first stays open"
    page.close()


def test_a_button_takes_the_combo_that_is_offered_instead_of_its_parts(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    say(page, "một bánh mì ốp la và một cà phê đen")
    assert page.text("[data-kind=offer] p") == "Combo bữa sáng"
    answer(page, "Dạ được")
    assert [line.split(" ₫")[0] for line in lines_of(page)] == ["1× Combo bữa sáng Bánh mì ốp la Cà phê đen 49.000"]
    page.close()


def test_a_line_removed_by_its_button_takes_its_questions_with_it(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    say(page, "một sinh tố bơ")
    say(page, "một trà sữa thêm trân châu")
    page.wait_for("document.querySelectorAll('.question').length === 2")
    page.click(".line .step button")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    assert page.text(".question p").startswith("Trà sữa truyền thống")
    answer(page, "Trân châu đen")
    assert "Trân châu đen" in lines_of(page)[0]
    page.click("#undo")
    page.wait_for("document.querySelectorAll('.question:not(.optional)').length === 1")
    page.close()


def test_a_reload_keeps_the_conversation(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    say(page, "mình dị ứng đậu phộng")
    say(page, "hai trà sữa thêm trân châu")
    before = [turns(page), lines_of(page), page.text("#questions"), page.text("#notes"), page.text("#sum")]
    assert "đậu phộng" in page.text("#notes")
    page.call("Page.reload")
    page.wait_for("document.querySelectorAll('.turn').length === 4 && document.querySelectorAll('#suggestions li').length")
    assert [turns(page), lines_of(page), page.text("#questions"), page.text("#notes"), page.text("#sum")] == before
    assert page.evaluate("spoken.length") == 0, "only new sentences are spoken"
    say(page, "trân châu đen")
    assert "Trân châu đen" in lines_of(page)[0]
    page.click("#restart")
    page.call("Page.reload")
    page.wait_for("document.querySelectorAll('#suggestions li').length")
    assert turns(page) == []
    page.close()


def test_the_voice_can_be_turned_off_and_stays_off(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    page.evaluate("window.speakMs = 60000")
    say(page, "một latte")
    page.click("#voice")
    assert page.evaluate("[spoken.length, interrupted]") == [1, 1], "the sentence ends at once"
    assert page.evaluate("document.querySelector('#turns').getAttribute('aria-live')") == "polite", "screen readers speak instead"
    say(page, "một cappuccino")
    page.call("Page.reload")
    page.wait_for("document.querySelectorAll('#suggestions li').length")
    assert page.evaluate("document.querySelector('#voice').getAttribute('aria-pressed')") == "false"
    say(page, "thêm một latte")
    assert page.evaluate("spoken.length") == 0
    page.click("#voice")
    say(page, "thêm một latte nữa")
    assert page.evaluate("[spoken.length, document.querySelector('#turns').getAttribute('aria-live')]") == [1, "off"]
    page.close()


def test_a_sentence_is_not_spoken_with_the_voice_of_another_language(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    page.evaluate("window.voices = [{ lang: 'en-US', localService: true }]")
    say(page, "cho mình một latte")
    assert page.evaluate("spoken.length") == 0
    assert "good" in notice(page, "no_voice")
    say(page, "two lattes please")
    assert page.evaluate("spoken.length") == 1
    page.close()


def test_a_line_shows_the_words_that_made_it(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    say(page, "cho mình hai trà sữa thêm trân châu và một latte nóng")
    say(page, "trân châu đen")
    marked = "Array.from(document.querySelectorAll('.turn mark'), e => e.textContent)"
    x, y = page.middle_of(".line:nth-child(2) .quantity")
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert page.evaluate(marked) == ["một latte nóng"]
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
    assert page.evaluate(marked) == []
    page.evaluate("document.querySelector('.line .name').click()")
    assert page.evaluate(marked) == ["hai trà sữa thêm trân châu", "trân châu đen"]
    assert page.evaluate("Array.from(document.querySelectorAll('.line .words-of q'), e => e.textContent)") == page.evaluate(marked)
    assert page.evaluate("document.querySelector('.line .name').ariaExpanded") == "true"
    page.close()


def test_the_developers_view_shows_how_the_last_utterance_was_read(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    say(page, "hai trà sữa thêm trân châu")
    say(page, "đen")
    page.click("#show-frames")
    page.wait_for("document.querySelector('#explanation').textContent")
    explained = sent(page, "POST", "/voice/order")[-1]
    assert (explained["text"], explained["explain"], explained["questions"][0]["group"]) == ("đen", True, "topping")
    assert page.text("#explained-text") == "đen"
    page.close()


def test_a_customer_who_wants_a_person_is_told_that_one_comes(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server, "en")
    say(page, "can I talk to a person please")
    assert "wait" in notice(page, "handoff", "en")
    page.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_conversation_fits_a_screen_of_320_pixels(chromium: Browser, talking_server: Server, *, dark: bool) -> None:
    page = open_page(chromium, talking_server, size=(320, 568), phone=True, dark=dark)
    say(page, "mình dị ứng đậu phộng")
    say(page, "hai trà sữa thêm trân châu và một sinh tố bơ, phở")
    page.click("#place")
    page.wait_for("!document.querySelector('#missing').hidden")
    page.evaluate("document.querySelector('.line .name').click()")
    page.evaluate("Promise.all(document.getAnimations().map((a) => a.finish()))")
    assert page.evaluate("[document.documentElement.scrollWidth, visualViewport.width]") == [320, 320]
    assert page.evaluate("document.querySelector('#talk').getBoundingClientRect().bottom") <= 568
    assert page.evaluate(SMALL_TARGETS) == []
    assert page.evaluate(POOR_CONTRAST) == []
    page.close()


# --- Spoken -------------------------------------------------------------------------------------------------------------------------

PAUSE_S = 6  # for the service and the shop's sentence, on a busy machine
SPOKEN = {
    "vi": (
        [ROOT / "examples/order-vi.wav", *[RECORDINGS / f"vi-{words}.wav" for words in ("mau-trang", "khong", "u")]],
        [("sinh-to-bo", 2, {"size": "l", "pearls": "white"}), ("banh-mi-op-la", 3, {})],
    ),
    "en": (
        [ROOT / "examples/order-en.wav", *[RECORDINGS / f"en-{words}.wav" for words in ("black-pearls", "nothing-else", "yes-please")]],
        [("tra-sua-truyen-thong", 1, {"size": "l", "sugar": "half", "topping": "black-pearls"}), ("banh-mi-op-la", 2, {})],
    ),
}


def choose_spoken(page: Page, language: str) -> None:
    page.evaluate(f"{{ const e = document.querySelector('#spoken'); e.value = '{language}'; e.dispatchEvent(new Event('change')); }}")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_a_whole_conversation_is_spoken_after_one_tap(talking_server: Server, tmp_path: Path, language: str) -> None:
    recordings, lines = SPOKEN[language]
    parts: list[Path | float] = [0.5]
    for recording in recordings:
        parts += [recording, PAUSE_S]
    with browser(audio=microphone_file(tmp_path / "microphone.wav", *parts)) as chromium:
        page = open_page(chromium, talking_server, language, size=(390, 844), phone=True)
        choose_spoken(page, language)
        page.tap("#talk")
        page.wait_for(f"{PHASE} === 'listening'")
        page.wait_for("document.querySelector('.question:not(.optional)') !== null")
        assert page.evaluate(PHASE) == "listening", "the microphone stays open between turns"
        page.wait_for("!document.querySelector('#placed').hidden", within_s=60)
        page.wait_for(f"{PHASE} === 'idle'")

        finals = [final for final in received(page, "final") if final["text"]]
        assert [final["ended_by"] for final in finals] == ["pause"] * 4
        assert [final["act"] for final in finals] == ["order", "answer", "done", "confirm"]
        assert [final["status"] for final in finals] == ["asking", "open", "confirming", "confirmed"]
        assert [text for who, text in turns(page) if who == "shop"] == [final["say"]["text"] for final in finals]
        assert page.evaluate("spoken.map(({ text }) => text)") == [final["say"]["text"] for final in finals]
        assert {final["say"]["language"] for final in finals} == {language}
        put = next(event["request"] for event in page.events("Network.requestWillBeSent") if event["request"]["method"] == "PUT")
        stored = httpx.get(put["url"], headers=KEYS).json()["data"]
        ordered = [(line["item"], line["quantity"], {one["group"]: one["choice"] for one in line["options"]}) for line in stored["lines"]]
        assert ordered == lines
        assert page.errors() == []


def test_talking_over_the_shop_stops_it_and_is_understood(talking_server: Server, tmp_path: Path) -> None:
    first, second, *_ = SPOKEN["en"][0]
    with browser(audio=microphone_file(tmp_path / "microphone.wav", 0.5, first, PAUSE_S, second, 60)) as chromium:
        page = open_page(chromium, talking_server, "en")
        choose_spoken(page, "en")
        page.evaluate("window.speakMs = 60000")
        page.click("#talk")
        page.wait_for("document.querySelector('#talk').dataset.speaking === 'true'")
        assert page.text("#talk-word") == texts()["en"]["speaking"]
        page.wait_for("interrupted === 1")
        page.wait_for("document.querySelector('.question:not(.optional)') === null")
        finals = [final for final in received(page, "final") if final["text"]]
        assert (len(finals), finals[1]["act"]) == (2, "answer")
        assert page.evaluate("document.querySelector('#talk').dataset.speaking") == "true"
        page.click("#talk")  # interrupts; the microphone stays open
        assert page.evaluate(f"[interrupted, {PHASE}]") == [2, "listening"]
        page.click("#talk")
        page.wait_for(f"{PHASE} === 'idle'")


def test_a_tap_pauses_and_buttons_work_while_the_microphone_is_open(talking_server: Server, tmp_path: Path) -> None:
    with browser(audio=microphone_file(tmp_path / "microphone.wav", 60)) as chromium:
        page = open_page(chromium, talking_server)
        page.click("#talk")
        page.wait_for(f"{PHASE} === 'listening'")
        page.wait_for(f"document.querySelector('#talk-hint').innerText === {json.dumps(texts()['vi']['tap_to_pause'])}")
        say(page, "hai trà sữa thêm trân châu")
        answer(page, "Trân châu đen")
        page.click(".line .step button:last-child")
        page.wait_for("document.querySelector('.line .quantity').innerText === '3×'")
        assert page.evaluate(PHASE) == "listening"
        frames = [event["response"]["payloadData"] for event in page.events("Network.webSocketFrameSent")]
        states = [json.loads(frame) for frame in frames if frame.startswith("{")]
        assert [len(state["lines"]) for state in states] == [0, 1, 1, 1]
        assert [state["lines"][0]["quantity"] for state in states[1:]] == [2, 2, 3], "the connection continues from each change"
        assert states[1]["questions"][0]["group"] == "topping"
        page.click("#talk")
        page.wait_for(f"{PHASE} === 'idle'")
        assert page.evaluate("document.querySelector('#notice').hidden"), "a pause without words is no mistake"
        assert [text[:1] for text in lines_of(page)] == ["3"]


def test_silence_is_sent_while_the_shop_speaks(talking_server: Server, tmp_path: Path) -> None:
    noise = tmp_path / "noise.wav"
    with wave.open(str(noise), "wb") as quiet:
        quiet.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        quiet.writeframes(np.random.default_rng(1).normal(0, 150, 60 * 16_000).astype("<i2").tobytes())
    with browser(audio=noise) as chromium:
        page = open_page(chromium, talking_server)
        page.evaluate("window.speakMs = 1500")
        page.click("#talk")
        page.wait_for(f"{PHASE} === 'listening'")
        say(page, "một latte")
        page.wait_for("document.querySelector('#talk').dataset.speaking === 'true'")
        page.wait_for("document.querySelector('#talk').dataset.speaking === 'false'")
        time.sleep(0.6)
        frames = [event["response"] for event in page.events("Network.webSocketFrameSent")]
        is_silent = [not any(base64.b64decode(frame["payloadData"])) for frame in frames if frame["opcode"] == 2]
        assert page.evaluate("interrupted") == 0, "noise does not interrupt the shop"
        first = is_silent.index(True)
        spoken = is_silent[first:]
        assert 25 <= spoken.index(False) <= 60, "1.5 s, in pieces of 50 ms, and the echo after them"
        assert not any(spoken[spoken.index(False) :])


LOUD_FOR_PIECES = """
(async () => {
  const { BargeIn } = await import("/api/v1/try/barge_in.js");
  const detectedAt = (levels) => { const one = new BargeIn(); return levels.findIndex((level) => one.add(level)); };
  const of = (level, pieces) => Array(pieces).fill(level);
  const speech = (level, pieces) => Array.from({ length: pieces }, (_, n) => level * (0.6 + 0.4 * Math.sin(n)));
  return {
    silence: detectedAt(of(0.001, 200)),
    headphones: detectedAt([...of(0.001, 40), ...of(0.08, 10)]),
    loudspeaker: detectedAt(speech(0.1, 200)),
    over_the_loudspeaker: detectedAt([...speech(0.04, 40), ...of(0.15, 10)]),
    cough: detectedAt([...of(0.001, 40), ...of(0.3, 2), ...of(0.001, 40)]),
  };
})()
"""


def test_a_voice_is_told_from_the_echo_of_the_shop(chromium: Browser, talking_server: Server) -> None:
    page = open_page(chromium, talking_server)
    detected_at = page.evaluate(LOUD_FOR_PIECES)
    assert detected_at == {"silence": -1, "headphones": 43, "loudspeaker": -1, "over_the_loudspeaker": 43, "cough": -1}
    page.close()
