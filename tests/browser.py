"""Drive a real browser over its debugging protocol; a WAV file is its microphone.

Source: https://chromedevtools.github.io/devtools-protocol
"""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from settings import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
START_S = 60  # a cold start on a busy machine
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # blocks the browser's own requests
]


class Page:
    """A tab in a browser context of its own: no storage is shared with other tabs."""

    expected = "^$"  # console errors that a test causes

    def __init__(  # noqa: PLR0913 - the emulated device
        self, browser: "Browser", url: str, *, size: tuple[int, int], phone: bool, dark: bool, microphone: bool, script: str
    ) -> None:
        self.browser = browser
        self.context = browser.call("Target.createBrowserContext")["browserContextId"]
        setting = "granted" if microphone else "denied"
        browser.call("Browser.setPermission", permission={"name": "microphone"}, setting=setting, browserContextId=self.context)
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=self.context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", features=scheme)
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2 if phone else 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", **metrics)
        self.call("Emulation.setTouchEmulationEnabled", enabled=phone)
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
        self.call("Page.navigate", url=url)

    def call(self, method: str, **arguments: Any) -> Any:
        return self.browser.call(method, self.session, **arguments)

    def evaluate(self, expression: str) -> Any:
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def wait_for(self, expression: str, within_s: float = 30) -> None:
        """Wait until an expression is true; while the page is loading, it may throw."""
        deadline = time.monotonic() + within_s
        while not self.holds(expression):
            assert time.monotonic() < deadline, f"never: {expression}\n{self.text('body')}\n{self.errors()}"
            time.sleep(0.05)

    def holds(self, expression: str) -> bool:
        try:
            return bool(self.evaluate(expression))
        except AssertionError:
            return False

    def text(self, selector: str) -> str:
        shown: str = self.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        return shown

    def middle_of(self, selector: str) -> tuple[float, float]:
        """Scroll an element into view; return the position of its middle."""
        found = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView({{block: 'nearest'}});"
            "const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        return found[0], found[1]

    def mouse(self, what: str, selector: str) -> None:
        x, y = self.middle_of(selector)
        self.call("Input.dispatchMouseEvent", type=what, x=x, y=y, button="left", clickCount=1)

    def click(self, selector: str) -> None:
        x, y = self.middle_of(selector)
        mouse = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self._send_together("Input.dispatchMouseEvent", [{"type": what, **mouse} for what in ("mousePressed", "mouseReleased")])

    def tap(self, selector: str) -> None:
        x, y = self.middle_of(selector)
        start, end = {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}, {"type": "touchEnd", "touchPoints": []}
        self._send_together("Input.dispatchTouchEvent", [start, end])

    def _send_together(self, method: str, events: list[dict[str, Any]]) -> None:
        """Send events without waiting in between: the page takes what lasts too long for a hold."""
        for number in [self.browser.send(method, self.session, event) for event in events]:
            self.browser.reply(number)

    def touch(self, what: str, selector: str) -> None:
        x, y = self.middle_of(selector)
        self.call("Input.dispatchTouchEvent", type=what, touchPoints=[] if what == "touchEnd" else [{"x": x, "y": y}])

    def key(self, what: str, key: str, code: str) -> None:
        self.call("Input.dispatchKeyEvent", type=what, key=key, code=code, text=key if what == "keyDown" and len(key) == 1 else "")

    def type_into(self, selector: str, text: str) -> None:
        self.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def events(self, method: str) -> list[dict[str, Any]]:
        """Return the events of this page so far."""
        self.evaluate("0")  # reads the events before it
        return [event["params"] for event in self.browser.events if event.get("sessionId") == self.session and event["method"] == method]

    def requested(self) -> list[str]:
        """List the URLs that the page requested, WebSockets included."""
        return [event["request"]["url"] for event in self.events("Network.requestWillBeSent")] + [
            event["url"] for event in self.events("Network.webSocketCreated")
        ]

    def errors(self) -> list[str]:
        """List the exceptions, and the errors and warnings in the console."""
        thrown = [event["exceptionDetails"] for event in self.events("Runtime.exceptionThrown")]
        logged = [event["entry"] for event in self.events("Log.entryAdded") if event["entry"]["level"] in ("error", "warning")]
        called = [event for event in self.events("Runtime.consoleAPICalled") if event["type"] in ("error", "warning", "assert")]
        return [json.dumps(error)[:600] for error in [*thrown, *logged, *called]]

    def close(self) -> None:
        self.browser.call("Target.disposeBrowserContext", browserContextId=self.context)
        self.browser.events = [event for event in self.browser.events if event.get("sessionId") != self.session]


class Browser:
    """The connection to a running browser."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.number = 0
        self.events: list[dict[str, Any]] = []
        self.replies: dict[int, dict[str, Any]] = {}

    def call(self, method: str, session: str | None = None, **arguments: Any) -> Any:
        """Send a command; store the events until its reply."""
        return self.reply(self.send(method, session, arguments))

    def send(self, method: str, session: str | None, arguments: dict[str, Any]) -> int:
        """Send a command; return its number."""
        self.number += 1
        asked: dict[str, Any] = {"id": self.number, "method": method, "params": arguments}
        self.socket.send(json.dumps(asked if session is None else asked | {"sessionId": session}))
        return self.number

    def reply(self, number: int) -> Any:
        """Wait for the reply to a command; store the events until then."""
        while number not in self.replies:
            message = json.loads(self.socket.recv(timeout=START_S))
            if "id" in message:
                self.replies[message["id"]] = message
            else:
                self.events.append(message)
        message = self.replies.pop(number)
        assert "error" not in message, message["error"]
        return message["result"]

    def open(  # noqa: PLR0913 - the emulated device
        self,
        url: str,
        *,
        size: tuple[int, int] = (1280, 860),
        phone: bool = False,
        dark: bool = False,
        microphone: bool = True,
        script: str = "",
    ) -> Page:
        """Open a page; `microphone`: whether the permission is granted; `script` runs before the page's own."""
        return Page(self, url, size=size, phone=phone, dark=dark, microphone=microphone, script=script)


@contextmanager
def browser(*more: str, audio: Path | None = None) -> Iterator[Browser]:
    """Start a browser whose microphone plays `audio` once; None: there is no microphone."""
    options = [*OPTIONS, "--remote-debugging-port=0", "--autoplay-policy=no-user-gesture-required", *more]
    if audio is not None:
        options += [
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={audio}%noloop",
        ]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(  # noqa: S603 - the installed browser
            [str(CHROMIUM), *options, f"--user-data-dir={profile}", "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            port_file = Path(profile) / "DevToolsActivePort"
            deadline = time.monotonic() + START_S
            while not (port_file.exists() and port_file.read_text().count("\n") == 1):
                assert process.poll() is None, "the browser did not start"
                assert time.monotonic() < deadline, "the browser wrote no port"
                time.sleep(0.05)
            port, path = port_file.read_text().splitlines()
            with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as socket:
                yield Browser(socket)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait(10)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser that hears an order in Vietnamese, for all tests of pages; each opens pages of its own."""
    with browser(audio=ROOT / "examples/order-vi.wav") as running:
        yield running
