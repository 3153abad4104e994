"""Take the picture of the page for the README: python -m tests.picture."""

import tempfile
import uuid
from pathlib import Path

import httpx

from settings import ROOT
from tests.browser import browser
from tests.conftest import KEYS  # sets the environment
from tests.servers import Server

PICTURE = ROOT / "examples/try.png"
TOGETHER = [["sinh-to-bo", "banh-mi-op-la", "ca-phe-sua"], ["tra-dao-cam-sa", "banh-flan"], ["sinh-to-bo", "banh-flan"], ["latte"]]


def main() -> None:
    """Take it within an utterance, with earlier orders for the suggestions."""
    with tempfile.TemporaryDirectory() as directory:
        running = Server(Path(directory), {"SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer"})
        try:
            running.wait_until(lambda: httpx.get(f"{running.url}/readiness").status_code == 200)
            for items in TOGETHER * 8:
                order = {"menu": "quan-nha", "lines": [{"item": item} for item in items]}
                httpx.put(f"{running.url}/api/v1/voice/order/{uuid.uuid4()}", headers=KEYS, json=order).raise_for_status()
            with browser(audio=ROOT / "examples/order-vi.wav") as chromium:
                page = chromium.open(f"{running.url}/api/v1/try", size=(1280, 720))
                page.call("Emulation.setScrollbarsHidden", hidden=True)
                page.wait_for("document.querySelectorAll('#suggestions li').length")
                page.click("#in-vi")
                page.type_into("#text", "một cà phê sữa ít đường thêm trân châu")
                page.click("#send")
                page.wait_for("document.querySelectorAll('.line').length === 1")
                page.wait_for("document.querySelectorAll('.turn').length === 2")
                page.click("#talk")
                page.wait_for("document.querySelectorAll('.line').length === 3")
                page.evaluate("new Promise((resolve) => setTimeout(resolve, 700))")  # the new line becomes visible
                page.screenshot(PICTURE)
        finally:
            running.stop()


if __name__ == "__main__":
    main()
