"""The examples do what they say, against a live server."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from settings import ROOT
from tests.conftest import KEYS
from tests.servers import Server

EXAMPLES = ROOT / "examples"


def run(server: Server, *command: str) -> str:
    """Run an example; return what it prints."""
    environment = os.environ | {"VOICE_URL": server.url}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stored(server: Server, shown: str) -> dict[str, int]:
    """Read the order that an example says it has stored, from the server."""
    order_id = re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", shown)
    assert order_id, shown
    order = httpx.get(f"{server.url}/api/v1/voice/order/{order_id[0]}", headers=KEYS).json()["data"]
    assert f"{order['total']} VND" in shown
    return {line["item"]: line["quantity"] for line in order["lines"]}


def test_python_over_http(hearing_server: Server) -> None:
    shown = run(hearing_server, sys.executable, "examples/order.py")
    assert "Heard: cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la" in shown
    assert "2 x Sinh tố bơ (Cỡ lớn): 106000 VND" in shown
    assert "To be offered: " in shown
    assert stored(hearing_server, shown) == {"sinh-to-bo": 2, "banh-mi-op-la": 3, "latte": 1}


def test_python_while_speaking(hearing_server: Server) -> None:
    shown = run(hearing_server, sys.executable, "examples/live.py", "--fast").splitlines()
    assert shown[0].startswith("partial")
    assert shown[-1].startswith("final")
    assert "2 x Sinh tố bơ, 3 x Bánh mì ốp la  190000" in shown[-1]


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the example needs curl and jq")
def test_a_shell_over_http(hearing_server: Server) -> None:
    shown = run(hearing_server, "sh", "examples/order.sh")
    assert "cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la" in shown
    assert stored(hearing_server, shown) == {"sinh-to-bo": 2, "banh-mi-op-la": 3}


NODE = shutil.which("node")
NODE_VERSION = int(subprocess.check_output([NODE, "--version"]).decode()[1:].partition(".")[0]) if NODE else 0  # noqa: S603


@pytest.mark.skipif(NODE_VERSION < 20, reason="WebSocket is in Node from 20 on")
def test_javascript_while_speaking(hearing_server: Server) -> None:
    flags = ["--experimental-websocket"] if NODE_VERSION < 22 else []
    shown = run(hearing_server, str(NODE), *flags, "examples/order.mjs")
    assert "1 x Latte, 2 x Sinh tố bơ, 3 x Bánh mì ốp la" in shown
    assert stored(hearing_server, shown) == {"latte": 1, "sinh-to-bo": 2, "banh-mi-op-la": 3}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.[psm][yhj]*")), ids=lambda path: path.name)
def test_every_example_runs_in_a_test_and_is_listed(path: Path) -> None:
    assert f"examples/{path.name}" in Path(__file__).read_text()
    assert f"`{path.name}`" in (EXAMPLES / "README.md").read_text()


def test_a_failure_is_told_by_its_word(hearing_server: Server) -> None:
    environment = os.environ | {"VOICE_URL": hearing_server.url, "VOICE_KEY": "another-key"}
    done = subprocess.run(
        [sys.executable, "examples/order.py"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("INVALID_CREDENTIALS: ")
    assert json.dumps("another-key") not in done.stderr
