"""A user's mistake is reported in one line with status 2; a local start prints its links."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from settings import ROOT
from tests.servers import Server

pytestmark = pytest.mark.anyio


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603


@pytest.mark.parametrize(
    ("arguments", "environment", "line"),
    [
        (["app.py"], {"ENVIRONMENT": "PRODUCTION", "TOKEN_SECRET": ""}, "TOKEN_SECRET: missing or weak"),
        (["app.py"], {"ENVIRONMENT": "PRODUCTION", "TOKEN_SECRET": "abcdefgh" * 5, "CREDENTIALS": "{}"}, "CREDENTIALS: no client"),
        (["app.py"], {"CREDENTIALS": '{"a": canary'}, "CREDENTIALS: not JSON"),
        (["app.py"], {"PORT": "canary", "WORKERS": "0"}, "PORT: Input should be a valid integer"),
        (["app.py"], {"HOST": "192.0.2.1", "PORT": "8"}, "HOST, PORT: cannot listen on 192.0.2.1, port 8: "),
        (["-m", "voice.asr.model_files"], {"SPEECH_MODEL": "/nonexistent"}, "SPEECH_MODEL: "),
        (
            ["-m", "voice.orders.explain", "--menu", "nope", "--", "a"],
            {},
            "python -m voice.orders.explain: --menu: No menu has this id. There are: quan-nha",
        ),
        (["-m", "voice.orders.explain", "a"], {"MENU_DIR": "/nonexistent"}, "python -m voice.orders.explain: --menu: No menu is served."),
        (["-m", "voice.orders.explain"], {}, "python -m voice.orders.explain: "),
        (["-m", "voice.store", "import", "x.csv"], {}, "python -m voice.store import: "),
    ],
)
def test_a_users_mistake_is_reported_in_one_line_with_status_2(arguments: list[str], environment: dict[str, str], line: str) -> None:
    done = run(*arguments, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.stderr


def test_a_local_start_prints_its_links_and_a_second_one_names_the_occupied_port(tmp_path: Path) -> None:
    running = Server(tmp_path, {"ENVIRONMENT": "LOCAL", "MENU_DIR": str(tmp_path)})
    try:
        running.wait_until(lambda: "Demo client" in running.log())
        lines = [line for line in running.log().splitlines() if not line.startswith("{")]
        assert lines == [
            f"Page to try it:  {running.url}/api/v1/try",
            f"Documentation:   {running.url}/api/v1/docs",
            "Demo client:     X-Secret-Id: demo, X-Secret-Key: demo-secret",
        ]
        assert "Application startup complete" in running.log().partition(lines[0])[0]
        for link in (lines[0], lines[1]):
            assert httpx.get(link.split()[-1]).status_code == 200
        second = run("app.py", ENVIRONMENT="LOCAL", PORT=str(running.port))
        assert second.returncode == 2
        assert second.stderr == f"HOST, PORT: cannot listen on 127.0.0.1, port {running.port}: Address already in use\n"
    finally:
        running.stop()


async def test_the_root_links_to_the_pages(stranger: httpx.AsyncClient) -> None:
    response = await stranger.get("/")
    assert (response.status_code, response.json()["code"]) == (200, 200)
    links = response.json()["data"]
    assert set(links) == {"documentation", "openapi", "page"}
    for link in links.values():
        assert (await stranger.get(link)).status_code == 200
