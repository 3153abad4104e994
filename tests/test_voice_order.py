"""The element <voice-order> on a page of another origin, in a real browser where one is installed."""

import base64
import hashlib
import json
import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from settings import ROOT
from tests.browser import Browser, Page
from tests.conftest import KEYS, SHOP_PORT
from tests.servers import Server, free_port
from tests.test_page import deployed_paths, in_a_browser, texts
from web.element import ELEMENT_FILES

MODULE = "/api/v1/voice-order.js"
KIOSK = ROOT / "examples/kiosk.py"


# --- The module ---------------------------------------------------------------------------------------------------------------------


def test_production_serves_the_element_only_where_it_is_turned_on() -> None:
    element = {MODULE, *(f"/api/v1/voice-order/{name}" for name in ELEMENT_FILES)}
    on, off = deployed_paths(page="on"), deployed_paths(page="off")
    assert on - off == element
    assert not element & off
    assert "/api/v1/voice/order" in off


@pytest.mark.anyio
async def test_the_files_may_be_embedded_and_no_other_reply_may(stranger: Any) -> None:
    for path in (MODULE, *(f"/api/v1/voice-order/{name}" for name in ELEMENT_FILES)):
        reply = await stranger.get(path)
        assert reply.status_code == 200
        assert reply.headers["cross-origin-resource-policy"] == "cross-origin"
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")
        assert reply.headers["content-type"].startswith(("text/javascript", "text/css"))
    for path in ("/api/v1/try", "/api/v1/try/page.js", "/healthcheck", "/api/v1/voice-order/page.js", "/api/v1/voice-order/"):
        assert "cross-origin-resource-policy" not in (await stranger.get(path)).headers


def test_every_theme_property_is_documented_and_every_documented_one_exists() -> None:
    used = set(re.findall(r"var\((--voice-order-[a-z-]+)", (ROOT / "page/ordering.css").read_text()))
    assert used == set(re.findall(r"`(--voice-order-[a-z-]+)`", (ROOT / "docs/element.md").read_text()))
    assert len(used) > 10


# --- In a browser -------------------------------------------------------------------------------------------------------------------


def policy_of(page: str, service: Server) -> str:
    """Return the documented content security policy. It allows this service, and the inline code of the page by its hashes."""
    documented = re.search(r"    (script-src .*)", (ROOT / "docs/element.md").read_text())
    assert documented is not None
    policy = documented[1].replace("https://voice.example", service.url).replace("wss://voice.example", f"ws://127.0.0.1:{service.port}")
    inline = [re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("script", "style")]
    script, style = (f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for (text,) in inline)
    return f"default-src 'none'; {policy.replace('script-src', f'script-src {script}')}; style-src {style}"


@pytest.fixture(scope="module")
def shop(hearing_server: Server) -> Iterator[str]:
    """The example's page and backend, isolated from other origins, under the policy that the documentation gives."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("VOICE_URL", hearing_server.url)
        example = runpy.run_path(str(KIOSK))
    policy = policy_of(example["PAGE"], hearing_server)

    asked: list[str] = []

    class Shop(example["Shop"]):  # type: ignore[misc, valid-type]
        def do_GET(self) -> None:  # noqa: N802 - the name that the server calls
            asked.append(self.path)
            if self.path == "/wrong-token":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b'{"token": "wrong"}')
            elif self.path == "/late-token" and asked.count("/late-token") == 1:
                self.send_error(503)
            else:
                self.path: str = self.path.replace("late-", "")
                super().do_GET()

        def end_headers(self) -> None:
            self.send_header("Content-Security-Policy", policy)
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", SHOP_PORT), Shop) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{SHOP_PORT}/"
        running.shutdown()


# Notes the events and the microphones of a page.
LISTENING = """
window.told = [];
for (const type of ["order-changed", "order-confirmed"]) {
  document.addEventListener(type, ({ target, detail }) => window.told.push([type, target.id, detail]));
}
window.microphones = [];
const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const stream = await open(wanted);
  window.microphones.push(stream.getTracks()[0]);
  return stream;
};
"""


@pytest.fixture
def open_shop(chromium: Browser, shop: str) -> Iterator[Any]:
    """Open the example's page; assert at the end that only the page and the service were requested, and that the console is empty."""
    opened: list[Page] = []

    def open_it(**screen: Any) -> Page:
        page = chromium.open(shop, script=LISTENING, **screen)
        opened.append(page)
        page.wait_for(f"{part('#suggestions li')} !== null")
        return page

    yield open_it
    for page in opened:
        assert {urlsplit(url).hostname for url in page.requested()} == {"127.0.0.1"}
        assert [error for error in page.errors() if not re.search(page.expected, error)] == []
        page.close()


def part(selector: str, element: str = "order") -> str:
    """Return an expression for a part of an element."""
    return f"document.getElementById('{element}').shadowRoot.querySelector({json.dumps(selector)})"


def send_text(page: Page, text: str, element: str = "order") -> None:
    page.evaluate(f"{part('#text', element)}.value = {json.dumps(text)}; {part('#send', element)}.click()")


def text_of(page: Page, selector: str, element: str = "order") -> str:
    shown: str = page.evaluate(f"{part(selector, element)}.innerText")
    return shown


def wait_for_lines(page: Page, count: int, element: str = "order") -> None:
    page.wait_for(f"{part('.lines', element)}.children.length === {count}")


def wait_for_notice(page: Page, key: str, language: str = "en", element: str = "order") -> None:
    page.wait_for(f"{part('#notice', element)}.innerText === {json.dumps(texts()[language][key])}")


@in_a_browser
def test_a_page_of_another_origin_takes_an_order(open_shop: Any, hearing_server: Server) -> None:
    page = open_shop()
    assert page.evaluate(f"getComputedStyle({part('#talk')}).backgroundColor") == "rgb(122, 47, 134)", "the page's theme"
    send_text(page, "two milk teas with pearls please")
    wait_for_lines(page, 1)
    assert text_of(page, ".turn.shop .said").endswith("?")
    page.call("Page.reload")
    page.wait_for(f"{part('#questions .answer')} !== null")
    page.evaluate(f"{part('#questions .answer')}.click()")
    page.wait_for(f"{part('#total')}.innerText.includes('92,000')")
    assert page.evaluate(f"{part('#turns')}.children.length") == 4, "the reload kept the conversation"
    page.evaluate(f"{part('#place')}.click()")
    page.wait_for("told.at(-1)[0] === 'order-confirmed'")
    page.call("Accessibility.enable")
    nodes = [node for node in page.call("Accessibility.getFullAXTree")["nodes"] if not node["ignored"]]

    changes = page.evaluate("told")
    assert [[kind, element] for kind, element, _ in changes] == [["order-changed", "order"]] * 2 + [["order-confirmed", "order"]]
    restored, answered, confirmed = (detail for _, _, detail in changes)
    assert (restored["lines"][0]["options"][0]["choice"], restored["total"], restored["order_id"]) == (None, 76000, None)
    assert (answered["lines"][0]["options"][0]["choice"], answered["total"], answered["currency"]) == ("black-pearls", 92000, "VND")
    stored = httpx.get(f"{hearing_server.url}/api/v1/voice/order/{confirmed['order_id']}", headers=KEYS).json()["data"]
    assert [(line["item"], line["quantity"]) for line in stored["lines"]] == [("tra-sua-truyen-thong", 2)]
    assert stored["total"] == confirmed["total"] == 92000
    assert page.text("#basket") == f"order {confirmed['order_id'][:8]} is confirmed"

    names = [node["name"]["value"] for node in nodes if node["role"]["value"] in {"button", "textbox", "combobox"}]
    assert all(names)
    assert {"Tap to talk or hold it while you speak", "Send", "Or type…", "You speak"} <= set(names)
    assert page.evaluate(f"[{part('#announced')}.ariaLive, {part('#announced')}.role]") == ["polite", "status"]
    assert text_of(page, "#announced").startswith("Order placed")


@in_a_browser
def test_a_page_without_a_valid_token_says_so_and_tries_again_until_it_has_one(open_shop: Any) -> None:
    page = open_shop()
    page.evaluate("document.getElementById('order').setAttribute('token-url', '/wrong-token')")
    wait_for_notice(page, "token_rejected")
    assert page.evaluate(f"{part('#order-view')}.hidden")
    page.evaluate("document.getElementById('order').setAttribute('language', 'vi')")
    wait_for_notice(page, "token_rejected", "vi")
    page.evaluate("document.getElementById('order').setAttribute('token-url', '/late-token')")
    wait_for_notice(page, "token_absent", "vi")
    page.wait_for(f"{part('#suggestions li')} !== null && {part('#notice')}.hidden")
    page.expected = "401|503"  # the browser logs it


@in_a_browser
def test_a_blocked_microphone_is_reported_and_typing_works(open_shop: Any) -> None:
    page = open_shop(microphone=False)
    page.evaluate(f"{part('#talk')}.click()")
    wait_for_notice(page, "microphone_refused")
    send_text(page, "a latte")
    wait_for_lines(page, 1)
    assert page.evaluate(f"{part('#notice')}.hidden")


SECOND = """
const second = document.createElement("voice-order");
second.id = "second";
second.setAttribute("menu", "quan-nha");
second.setAttribute("token-url", "token");
second.setAttribute("language", "vi");
document.querySelector("main").append(second);
"""


@in_a_browser
def test_two_elements_share_nothing_but_the_microphone_which_a_removed_one_closes(open_shop: Any) -> None:
    page = open_shop()
    send_text(page, "a latte")
    wait_for_lines(page, 1)
    page.evaluate(SECOND)
    page.wait_for(f"{part('#suggestions li', 'second')} !== null")
    wait_for_lines(page, 0, "second")
    phase = "%s.dataset.phase"
    first_phase, second_phase = phase % part("#talk"), phase % part("#talk", "second")
    page.evaluate(f"{part('#talk')}.click()")
    page.wait_for(f"{first_phase} === 'listening'")
    page.evaluate(f"{{ const e = {part('#spoken', 'second')}; e.value = 'vi'; e.dispatchEvent(new Event('change')); }}")
    page.evaluate(f"{part('#talk', 'second')}.click()")
    page.wait_for(f"{second_phase} === 'listening' && {first_phase} !== 'listening'")
    page.wait_for(f"{part('.line', 'second')} !== null")  # the recording is heard
    assert [kind for kind in page.evaluate("told.map(([, id]) => id)") if kind != "order"] == [], "a partial order is no change"
    page.evaluate("document.getElementById('second').remove()")
    page.wait_for("microphones.at(-1).readyState === 'ended'", within_s=10)  # without a removal, it would stay open for 30 s
    page.wait_for(f"{first_phase} === 'idle'")
    assert len(page.events("Network.webSocketClosed")) == len(page.events("Network.webSocketCreated")) == 2
    assert text_of(page, ".line .name") == "Latte"


@in_a_browser
def test_a_page_of_an_origin_that_is_not_allowed_cannot_load_the_element(chromium: Browser, hearing_server: Server) -> None:
    port = free_port()
    environment = os.environ | {"VOICE_URL": hearing_server.url}
    example = subprocess.Popen([sys.executable, str(KIOSK), str(port)], env=environment, stderr=subprocess.DEVNULL)  # noqa: S603 - ours
    try:
        hearing_server.wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/").status_code == 200)
        page = chromium.open(f"http://127.0.0.1:{port}/")
        page.wait_for("document.readyState === 'complete'")
        assert any("blocked by CORS policy" in error for error in page.errors())
        assert page.evaluate("[customElements.get('voice-order'), document.querySelector('voice-order').shadowRoot].every((one) => !one)")
        page.close()
    finally:
        example.kill()
        example.wait(10)
