"""The page to order by voice with, in a real browser where one is installed; a WAV file is its microphone."""

import json
import os
import re
import socket
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from app import create_app
from settings import ROOT, Settings
from tests.browser import CHROMIUM, Browser, Page, browser
from tests.conftest import KEYS
from tests.picture import PICTURE
from tests.servers import Server
from voice.dialog.turn import DialogEngine
from voice.evaluation.cases import read_cases
from voice.evaluation.scoring import score
from voice.menus.menu import Menu
from web.pages import PAGE_FILES

PAGE = {path.name: path.read_text() for path in sorted((ROOT / "page").iterdir())}
TRY = "/api/v1/try"
PHONE = {"size": (390, 844), "phone": True}

in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


# --- The files ----------------------------------------------------------------------------------------------------------------------


def texts() -> dict[str, dict[str, str]]:
    """Parse the texts of the page, by language and key."""
    languages = re.findall(r"(?ms)^  (\w+): \{\n(.*?)^  \},", PAGE["texts.js"])
    return {language: dict(re.findall(r'(?m)^    (\w+): "(.*)",$', lines)) for language, lines in languages}


def test_both_languages_have_the_same_texts_with_the_same_placeholders() -> None:
    vietnamese, english = texts()["vi"], texts()["en"]
    assert len(vietnamese) > 60
    assert vietnamese.keys() == english.keys()
    for key, text in vietnamese.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", english[key])), key


def test_every_used_text_exists_and_every_text_is_used() -> None:
    everything = "".join(PAGE.values()).replace(PAGE["texts.js"], "")
    defined = set(texts()["vi"])
    used = set(re.findall(r'data-text(?:-label|-placeholder)?="(\w+)"', everything))
    used |= set(re.findall(r'\b(?:t|notify)\("(\w+)"', everything))
    assert used <= defined
    prefixes = {name.removesuffix("_") for name in re.findall(r"`(\w+_)\$\{", everything)}
    unused = {key for key in defined - used if f'"{key}"' not in everything and key.partition("_")[0] not in prefixes}
    assert unused == set()


@pytest.mark.anyio
async def test_the_page_and_its_files_are_served_with_a_strict_content_security_policy(client: Any) -> None:
    types = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    assert {"index.html", "voice_order.js", *PAGE_FILES} == set(PAGE)
    for name in ("index.html", *PAGE_FILES):
        text = PAGE[name]
        reply = await client.get(TRY if name == "index.html" else f"{TRY}/{name}")
        assert (reply.status_code, reply.text) == (200, text)
        assert reply.headers["content-type"].partition(";")[0] == types[os.path.splitext(name)[1]]  # noqa: PTH122 - a name, no path
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert not re.search(r"unsafe|http|\*|blob:|data:", policy)
        assert re.findall(r"(?:https?:)?//[a-z]+\.[a-z]\S+", text) in ([], ['http://www.w3.org/2000/svg"'])
    assert not re.search(r"<style|<script>|\sstyle=|\son[a-z]+=", PAGE["index.html"])


@pytest.mark.anyio
@pytest.mark.parametrize("path", [f"{TRY}/", f"{TRY}/index.html", f"{TRY}/nope.js", f"{TRY}/..%2Fapp.py", f"{TRY}/../app.py"])
async def test_no_other_file_is_served(client: Any, path: str) -> None:
    assert (await client.get(path)).status_code == 404


def deployed_paths(**settings: Any) -> set[str]:
    """Return the paths that the service has in production."""
    deployed = Settings(environment="PRODUCTION", token_secret="0123456789abcdef" * 2, **settings)
    return {route.path for route in create_app(deployed).routes}  # type: ignore[attr-defined]


def test_the_page_is_not_served_in_production() -> None:
    paths = deployed_paths()
    assert "/api/v1/voice/order" in paths
    assert not re.search(r"/try|/docs|(^| )/( |$)", " ".join(paths))


def test_the_readme_shows_the_picture_of_the_page() -> None:
    assert f"({PICTURE.relative_to(ROOT)})" in (ROOT / "README.md").read_text()
    assert PICTURE.stat().st_size < 150_000


# --- In a browser -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_chromium() -> Iterator[Browser]:
    """A browser whose microphone no other test has played: it may be open for a while after its page was closed."""
    with browser(audio=ROOT / "examples/order-vi.wav") as running:
        yield running


@pytest.fixture
def open_page(chromium: Browser, hearing_server: Server) -> Iterator[Any]:
    """Open the page and speak Vietnamese; assert at the end that no other host was requested and the console is empty."""
    opened: list[Page] = []

    def open_it(url: str = hearing_server.url, *, by: Browser = chromium, **screen: Any) -> Page:
        page = by.open(f"{url}{TRY}", **screen)
        opened.append(page)
        page.wait_for("document.querySelectorAll('#suggestions li').length")
        page.click("#in-vi")
        page.evaluate("document.querySelector('#spoken').value = 'vi'")
        return page

    yield open_it
    for page in opened:
        hosts = {urlsplit(url).hostname for url in page.requested()}
        assert hosts == {"127.0.0.1"}
        assert [error for error in page.errors() if not re.search(page.expected, error)] == []
        page.close()


def lines_of(page: Page) -> list[str]:
    """Return the text of each order line."""
    shown = page.evaluate("Array.from(document.querySelectorAll('.line'), e => e.innerText)")
    return [re.sub(r"\s+", " ", line).strip() for line in shown]


def send_text(page: Page, text: str) -> None:
    page.type_into("#text", text)
    page.click("#send")


@in_a_browser
def test_a_typed_order_is_completed_changed_and_placed(open_page: Any) -> None:
    page = open_page()
    send_text(page, "hai trà sữa trân châu ít đường với hủ tiếu")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    (line,) = lines_of(page)
    assert line.startswith("2× Trà sữa truyền thống Trân châu đen / Trân châu trắng? Ít đường 38.000 ₫ mỗi phần 76.000 ₫")
    assert "tiếu" in page.text(".unmatched")
    assert page.text(".amount").split() == ["từ", "76.000", "₫"], "a choice that is open may cost more"

    page.click(".answer")  # black pearls, at 8.000 each
    page.wait_for("document.querySelector('#total').innerText === '92.000\\u00a0₫'")
    assert "Trân châu đen +8.000 ₫" in lines_of(page)[0]
    assert page.evaluate("document.querySelectorAll('.question:not(.optional)').length") == 0
    assert page.text(".amount").split() == ["92.000", "₫"]

    page.click("#suggestions button")
    page.wait_for("document.querySelectorAll('.line').length === 2")
    page.click(".line:last-child .step button:last-child")
    page.wait_for("document.querySelector('.line:last-child .quantity').innerText === '2×'")
    page.click("#undo")
    page.wait_for("document.querySelector('.line:last-child .quantity').innerText === '1×'")
    page.click("#undo")
    page.wait_for("document.querySelectorAll('.line').length === 1")

    page.click("#place")
    page.wait_for("!document.querySelector('#placed').hidden")
    put = next(event["request"] for event in page.events("Network.requestWillBeSent") if event["request"]["method"] == "PUT")
    stored = httpx.get(put["url"], headers=KEYS).json()["data"]
    assert stored["total"] == 92000
    assert {option["choice"] for option in stored["lines"][0]["options"]} == {"black-pearls", "half"}
    assert "Tổng cộng 92.000" in page.text("#announced")

    page.click("#again")
    assert lines_of(page) == []


@in_a_browser
def test_an_item_that_is_sold_out_is_named_and_others_are_offered(open_page: Any) -> None:
    page = open_page()
    send_text(page, "một sinh tố mãng cầu")
    page.wait_for("document.querySelectorAll('.answer').length === 2")
    assert "mãng cầu" in page.text(".question p")
    page.click(".answer")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    assert lines_of(page)[0].startswith("1× Sinh tố bơ")
    assert page.evaluate("document.querySelectorAll('.question:not(.optional)').length") == 0


@in_a_browser
def test_the_chosen_language_is_stored_and_used_for_all_texts(open_page: Any) -> None:
    page = open_page()  # the browser is English, Vietnamese was chosen
    page.call("Page.reload")
    page.wait_for("document.querySelectorAll('#suggestions li').length")
    assert page.text("#talk-word") == texts()["vi"]["tap"]
    page.click("#in-en")
    assert page.text("#talk-word") == texts()["en"]["tap"]
    assert page.evaluate("[document.documentElement.lang, document.querySelector('#spoken').value]") == ["en", ""]
    page.click("#examples button")  # a sentence made for this menu
    page.wait_for("document.querySelectorAll('.line').length > 0")
    assert page.evaluate("document.querySelector('.unmatched')") is None


@in_a_browser
def test_the_frames_view_shows_requests_and_replies_without_secrets(open_page: Any) -> None:
    page = open_page()
    send_text(page, "một latte")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    page.click("#show-frames")
    page.wait_for("document.querySelectorAll('#frames li').length > 6")
    shown = page.text("#frames")
    assert "POST /api/v1/voice/order" in shown
    assert '"text":"một latte"' in shown
    # Entries go on arriving (suggestions, the explanation), so each look opens those that are still closed.
    page.evaluate("openAll = () => document.querySelectorAll('#frames details:not([open]) > summary').forEach(e => e.click())")
    page.wait_for("(openAll(), Array.from(document.querySelectorAll('#frames pre')).every(e => e.textContent))")
    everything = page.evaluate("document.body.textContent")
    assert '"item": "latte"' in everything
    assert "demo-secret" not in everything
    assert not re.search(r"eyJ[\w-]{20}", everything)


LUNCH = """id: lunch
name: Lunch
currency: USD
languages: [en]
option_groups:
  size: {name: Size, default: m, choices: {m: {name: Medium}, l: {name: Large, price: 50}}}
items:
  soup: {name: Soup, price: 4.50, options: [size]}
  salad: {name: Salad, price: 600}
"""


@in_a_browser
def test_the_menu_view_names_faults_and_tries_sentences_and_keeps_them_as_a_test_file(open_page: Any, tmp_path: Path) -> None:
    page = open_page()
    page.click("#show-menu")

    def check(text: str) -> None:
        page.evaluate(f"document.querySelector('#menu-source').value = {json.dumps(text)}")
        page.click("#menu-check")
        page.wait_for("!document.querySelector('#menu-check').disabled && document.querySelector('#menu-summary').textContent")

    def try_sentence(text: str, count: int) -> None:
        page.evaluate(f"document.querySelector('#trying-text').value = {json.dumps(text)}")
        page.click("#trying-send")
        page.wait_for(f"document.querySelectorAll('#tried li').length === {count}")

    try:
        check(LUNCH)
        assert "450, in cents" in page.text("#menu-findings li[data-kind=fault]")
        page.click("#menu-findings button")
        page.evaluate("source = document.querySelector('#menu-source')")
        assert page.evaluate("source.value.slice(source.selectionStart, source.selectionStart + 4)") == "4.50"
        check(LUNCH.replace("4.50", "450"))
        assert "lunch" in page.text("#menu-summary")
        assert page.evaluate("document.querySelector('#menu').value") == "lunch"
        try_sentence("two large soups", 1)
        try_sentence("and a salad", 2)
        page.evaluate("document.querySelectorAll('#tried input[type=checkbox]')[1].click()")
        assert page.evaluate(SMALL_TARGETS) == []
        assert page.evaluate(POOR_CONTRAST) == []
        kept = tmp_path / "lunch.jsonl"
        kept.write_text(page.evaluate("import('/api/v1/try/menu_view.js').then(view => view.testFile())"))
        menu = Menu.model_validate(yaml.safe_load(LUNCH.replace("4.50", "450")))
        (case,) = read_cases(kept, menu)
        assert [turn.said for turn in case.turns] == ["two large soups", "and a salad"]
        assert score(DialogEngine(menu), [case]).exact_share == 1
    finally:
        page.evaluate("localStorage.removeItem('menu')")
        headers = KEYS | {"If-Match": "*"}
        httpx.delete(f"{page.evaluate('location.origin')}/api/v1/voice/menus/lunch", headers=headers)


@in_a_browser
def test_a_wrong_key_opens_the_dialog_and_the_right_one_is_stored_in_this_tab_only(open_page: Any) -> None:
    page = open_page()
    page.click("#show-frames")
    page.click("#sign-in")
    page.evaluate("document.querySelector('#secret-key').value = 'another-secret'")
    page.click("#credentials button[value=sign-in]")
    page.wait_for("document.querySelector('#credentials').open && document.querySelector('#credentials-refused').innerText")
    page.evaluate("document.querySelector('#secret-key').value = 'demo-secret'")
    page.click("#credentials button[value=sign-in]")
    page.wait_for("!document.querySelector('#credentials').open && document.querySelectorAll('#suggestions li').length")
    assert "secret" not in page.evaluate("JSON.stringify(localStorage)")
    page.expected = "400 .*auth/token"  # the browser logs it


SMALL_TARGETS = """
Array.from(document.querySelectorAll("button, input, select, summary"))
  .filter((e) => e.checkVisibility())
  .map((e) => [e.id || e.className || e.textContent, e.getBoundingClientRect()])
  .filter(([, r]) => r.height < 38 || r.width < 38)
  .map(([name, r]) => `${name}: ${r.width} x ${r.height}`)
"""

# Source: WCAG 2.2, 1.4.3: 4.5 to 1, and 3 to 1 for 24 px, or 18.66 px in bold.
POOR_CONTRAST = """
(() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  };
  const luminance = ([r, g, b]) => {
    const part = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (e) => {
    const color = rgba(getComputedStyle(e).backgroundColor);
    return color[3] === 255 ? color : ground(e.parentElement);
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const text = Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!text || !e.checkVisibility() || e.closest(":disabled, .hidden, option")) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const [light, dark] = [luminance(rgba(style.color)), luminance(ground(e))].sort((a, b) => b - a);
    const ratio = (light + 0.05) / (dark + 0.05), large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${e.className || e.id || e.tagName} "${e.textContent.slice(0, 20)}" ${ratio.toFixed(2)}`);
  }
  return poor;
})()
"""


@in_a_browser
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_a_phone_the_page_fits_and_has_large_targets_and_sufficient_contrast(open_page: Any, *, dark: bool) -> None:
    page = open_page(**PHONE, dark=dark)
    send_text(page, "hai trà sữa trân châu ít đường và một bánh mì ốp la, phở")
    page.wait_for("document.querySelectorAll('.line').length === 2")
    page.evaluate("document.querySelector('#menu-list').open = true")
    page.evaluate("Promise.all(document.getAnimations().map((a) => a.finish()))")
    assert page.evaluate("[document.documentElement.scrollWidth, visualViewport.width]") == [390, 390]
    assert page.evaluate("document.querySelector('#talk').getBoundingClientRect().bottom") <= 844
    assert page.evaluate(SMALL_TARGETS) == []
    assert page.evaluate(POOR_CONTRAST) == []


@in_a_browser
def test_every_control_has_an_accessible_name(open_page: Any) -> None:
    page = open_page()
    send_text(page, "hai trà sữa trân châu")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    page.call("Accessibility.enable")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    controls = [node for node in nodes if not node["ignored"] and node["role"]["value"] in {"button", "textbox", "combobox", "link"}]
    assert len(controls) > 20
    names = [node["name"]["value"] for node in controls]
    assert all(names)
    assert {"Bớt một Trà sữa truyền thống", "Hoàn tác", "Gửi", "Thực đơn", "Bạn nói"} <= set(names)
    assert page.evaluate("document.querySelector('#announced').getAttribute('aria-live')") == "polite"
    assert "Tổng cộng 76.000" in page.text("#announced")


RESAMPLED = """
(async () => {
  globalThis.AudioWorkletProcessor = class {};
  globalThis.registerProcessor = () => {};
  const { Resampler } = await import("/api/v1/try/audio_worklet.js");
  const tone = (hz, rate) => Float32Array.from({ length: rate }, (_, n) => 0.5 * Math.sin((2 * Math.PI * hz * n) / rate));
  const resample = (samples, rate, piece) => {
    const resampler = new Resampler(rate, 16000), out = [];
    for (let at = 0; at < samples.length; at += piece) out.push(...resampler.push(samples.subarray(at, at + piece)));
    return out;
  };
  const settled = (samples) => samples.slice(2000, 14000);
  const loudness = (samples) => Math.sqrt(settled(samples).reduce((sum, s) => sum + s * s, 0) / 12000);
  const crossings = (samples) => settled(samples).filter((s, n, all) => n && s > 0 !== all[n - 1] > 0).length;
  return [44100, 48000, 8000].map((rate) => {
    const heard = resample(tone(1000, rate), rate, 128);
    const whole = resample(tone(1000, rate), rate, rate);
    return {
      length: heard.length, loudness: loudness(heard), crossings: crossings(heard),
      pieces_differ: Math.max(...heard.map((s, n) => Math.abs(s - whole[n]))),
      beyond: rate > 16000 ? loudness(resample(tone(11000, rate), rate, 128)) : 0,
    };
  });
})()
"""


@in_a_browser
def test_audio_of_any_rate_is_resampled_to_16_khz_without_aliasing(open_page: Any) -> None:
    for resampled in open_page().evaluate(RESAMPLED):
        assert resampled["length"] == pytest.approx(16_000, abs=40)
        assert resampled["loudness"] == pytest.approx(0.5 / 2**0.5, rel=0.01)
        assert resampled["crossings"] == pytest.approx(1500, abs=1)  # 1 kHz, twice a period, for 0.75 s
        assert resampled["pieces_differ"] < 1e-4
        assert resampled["beyond"] < 0.5 / 2**0.5 / 1000  # 60 dB down


# --- Speaking -----------------------------------------------------------------------------------------------------------------------

TRANSCRIPT = "(document.querySelector('#stable').innerText + document.querySelector('#unstable').innerText)"
PHASE = "document.querySelector('#talk').dataset.phase"


def received(page: Page, kind: str) -> list[dict[str, Any]]:
    """List the frames that the server sent; a busy machine drops some audio, so that the words differ between runs."""
    frames = [json.loads(event["response"]["payloadData"]) for event in page.events("Network.webSocketFrameReceived")]
    return [frame["data"] for frame in frames if frame["data"]["type"] == kind]


def notice(page: Page, key: str, language: str = "vi") -> str:
    """Wait until the page shows a notice; return its class."""
    start = json.dumps(texts()[language][key].partition("{")[0])
    page.wait_for(f"document.querySelector('#notice').innerText.startsWith({start})")
    kind: str = page.evaluate("document.querySelector('#notice').className")
    return kind


@in_a_browser
def test_the_order_appears_while_it_is_spoken(open_page: Any) -> None:
    page = open_page(**PHONE)
    send_text(page, "một latte")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    page.touch("touchStart", "#talk")
    page.wait_for(f"{PHASE} === 'listening' && document.querySelectorAll('.line').length > 1")
    assert page.evaluate("document.querySelector('#receipt').classList.contains('tentative')")
    assert page.evaluate("document.querySelector('#level').checkVisibility()")
    page.wait_for(f"{TRANSCRIPT}.includes('bánh')")
    time.sleep(1.5)  # speech goes on
    page.touch("touchEnd", "#talk")
    page.wait_for(f"{PHASE} === 'idle'")
    final = [final for final in received(page, "final") if final["text"]][-1]
    assert len(received(page, "partial")) > 2
    assert page.evaluate("document.querySelector('#notice').hidden")
    assert page.text(".turn.customer:nth-last-child(2) .said") == final["text"]
    assert page.text(".turn.shop:last-child .said") == final["say"]["text"]
    assert [(line["item"], line["quantity"]) for line in final["lines"]] == [("latte", 1), ("sinh-to-bo", 2), ("banh-mi-op-la", 3)]
    shown = lines_of(page)
    assert all(text.startswith(f"{line['quantity']}× {line['name']}") for text, line in zip(shown, final["lines"], strict=True))
    assert re.sub(r"\D", "", page.text("#total")) == str(final["total"])
    assert page.text("#announced").startswith("Tổng cộng")
    page.wait_for("document.querySelectorAll('#suggestions li').length && !document.querySelector('button[data-item=sinh-to-bo]')")

    # A tap starts hands-free recording until the next tap; the WAV file is over by now.
    page.tap("#talk")
    page.wait_for(f"document.querySelector('#talk-hint').innerText === {json.dumps(texts()['vi']['tap_to_pause'])}")
    page.wait_for("document.querySelector('#talk').ariaPressed === 'true'")
    page.tap("#talk")
    page.wait_for(f"{PHASE} === 'idle'")
    assert lines_of(page) == shown

    page.click("#undo")
    assert [text[:8] for text in lines_of(page)] == ["1× Latte"]
    page.click("#show-frames")
    assert "partial frame" in page.text("#frames")
    assert re.search(r"audio, \d+ × 1600 bytes", page.text("#frames"))


class Proxy:
    """A TCP proxy to the server that can be cut."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.port))
                self.sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=pair, daemon=True).start()

    def carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        for one in (self.listener, *self.sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def proxy(hearing_server: Server) -> Iterator[Proxy]:
    made = Proxy(hearing_server.port)
    yield made
    made.cut()


@in_a_browser
def test_a_lost_connection_keeps_the_order_and_the_recognised_words(proxy: Proxy, own_chromium: Browser, open_page: Any) -> None:
    page = open_page(proxy.url, by=own_chromium)
    send_text(page, "một latte")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    page.evaluate("document.activeElement.blur()")
    page.key("keyDown", " ", "Space")
    page.wait_for("document.querySelectorAll('.line').length > 1")
    proxy.cut()
    assert "bad" in notice(page, "cut_with_words")
    page.key("keyUp", " ", "Space")
    assert page.evaluate(PHASE) == "idle"
    assert page.evaluate("document.querySelector('#text').value") == received(page, "partial")[-1]["text"]
    assert [text[:8] for text in lines_of(page)] == ["1× Latte"]

    page.click("#place")  # the server cannot be reached
    notice(page, "no_answer")
    assert page.evaluate("document.querySelector('#placed').hidden")
    page.expected = "ERR_CONNECTION_REFUSED"


@in_a_browser
def test_a_busy_server_is_shown_with_the_time_of_the_next_attempt(open_page: Any, hearing_server: Server) -> None:
    page = open_page()
    busy = texts()["vi"]["busy"].partition("{")[0]
    with overload(hearing_server):
        for _ in range(5):  # the queue may have had room for a moment
            page.mouse("mousePressed", "#talk")
            page.wait_for(f"{PHASE} === 'idle' && !document.querySelector('#notice').hidden")
            page.mouse("mouseReleased", "#talk")
            if page.text("#notice").startswith(busy):
                break
        assert "wait" in notice(page, "busy")
        assert page.evaluate("document.querySelector('#notice .rest').style.animationDuration") != ""
    page.expected = "503"


@contextmanager
def overload(server: Server) -> Iterator[None]:
    """Send more clips than the server accepts, until the context ends."""
    with wave.open(str(ROOT / "examples/order-vi.wav")) as clip:
        sound = clip.readframes(clip.getnframes()) * 9
    fields = KEYS | {"Host": "voice", "Content-Type": "audio/L16;rate=16000", "Content-Length": str(len(sound))}
    head = "POST /api/v1/voice/speech?language=vi HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    over, refused = threading.Event(), threading.Event()
    open_: set[socket.socket] = set()

    def speak() -> None:
        while not over.is_set():
            with suppress(OSError), socket.create_connection(("127.0.0.1", server.port)) as one:
                open_.add(one)
                one.sendall(head.encode() + b"\r\n" + sound)
                if b" 503 " in one.recv(100):
                    refused.set()
                    over.wait(0.02)
                open_.discard(one)

    speakers = [threading.Thread(target=speak) for _ in range(6)]
    for speaker in speakers:
        speaker.start()
    try:
        assert refused.wait(60)
        yield
    finally:
        over.set()
        for one in list(open_):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for speaker in speakers:
            speaker.join()


@in_a_browser
def test_typing_works_while_the_speech_models_are_loaded(server: Any, open_page: Any) -> None:  # the page is closed before its server
    page = open_page(server().url)
    assert "wait" in notice(page, "loading")
    page.mouse("mousePressed", "#talk")
    page.wait_for(f"{PHASE} === 'idle' && !document.querySelector('#notice').hidden")
    page.mouse("mouseReleased", "#talk")
    assert "wait" in notice(page, "loading")
    send_text(page, "một latte")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    page.expected = "503"


@in_a_browser
def test_a_denied_microphone_is_reported_and_typing_works(open_page: Any) -> None:
    page = open_page(microphone=False)
    page.mouse("mousePressed", "#talk")
    assert "bad" in notice(page, "microphone_refused")
    page.mouse("mouseReleased", "#talk")
    assert page.evaluate(PHASE) == "idle"
    send_text(page, "một latte")
    page.wait_for("document.querySelectorAll('.line').length === 1")
    assert page.evaluate("document.querySelector('#notice').hidden")


@in_a_browser
def test_a_missing_microphone_is_reported(hearing_server: Server) -> None:
    with browser() as without:
        page = without.open(f"{hearing_server.url}{TRY}")
        page.wait_for("document.querySelectorAll('#suggestions li').length")
        page.click("#in-vi")
        page.mouse("mousePressed", "#talk")
        assert "bad" in notice(page, "microphone_absent")
        assert page.errors() == []
