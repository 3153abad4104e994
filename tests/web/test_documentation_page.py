"""The documentation page in a real browser, where one is installed."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser import CHROMIUM, OPTIONS

BROWSER_S = 90  # a cold start on a busy machine

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


def browse(url: str, directory: Path) -> tuple[str, list[dict[str, Any]]]:
    """Open a page; return its document once scripts have run, and what the browser's network log says of each request."""
    log = directory / "net.json"
    # Whatever the page itself asks for stays in the log.
    options = [*OPTIONS, f"--user-data-dir={directory / 'profile'}", f"--log-net-log={log}", "--virtual-time-budget=20000"]
    shown = subprocess.run(  # noqa: S603 - the installed browser
        [str(CHROMIUM), *options, "--dump-dom", url], capture_output=True, text=True, timeout=BROWSER_S, cwd=directory, check=False
    )
    assert shown.returncode == 0, shown.stderr[-2000:]
    entries = json.loads(log.read_text())
    started = entries["constants"]["logEventTypes"]["URL_REQUEST_START_JOB"]
    return shown.stdout, [entry["params"] for entry in entries["events"] if entry["type"] == started and "url" in entry.get("params", {})]


def test_it_renders_and_asks_no_other_host(server: Any, tmp_path: Path) -> None:
    running = server()
    document, requests = browse(f"{running.url}/api/v1/docs", tmp_path)
    shown = re.sub(r"<script.*?</script>|<style.*?</style>|<[^>]+>", " ", document, flags=re.DOTALL)
    for path in ("/voice/speech", "/voice/order", "/voice/recommend_order", "/auth/token", "/readiness"):
        assert path in shown, f"{path} is not on the page"

    ours = urlsplit(running.url)
    by_the_page = [urlsplit(request["url"]) for request in requests if request.get("initiator") == running.url]
    assert {url.path for url in by_the_page} >= {"/api/v1/docs/redoc.standalone.js", "/api/v1/docs/openapi.json"}
    assert {url.netloc for url in by_the_page if url.scheme not in ("data", "blob")} == {ours.netloc}
