"""The examples work against a real server."""

import json
import os
import re
import shutil
import subprocess
import sys
import wave
from pathlib import Path

import httpx
import pytest

from settings import ROOT
from tests.conftest import KEYS
from tests.servers import Server

EXAMPLES = ROOT / "examples"


def start(server: Server, *command: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end; `typed` is its input."""
    environment = os.environ | {"VOICE_URL": server.url} | environment
    return subprocess.run(  # noqa: S603 - ours
        command, cwd=ROOT, env=environment, input=typed, capture_output=True, text=True, timeout=120, check=False
    )


def run(server: Server, *command: str) -> str:
    """Run an example that has to succeed; return its output."""
    done = start(server, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stored(server: Server, shown: str) -> dict[str, int]:
    """Return the quantities of the stored order that an example printed."""
    order_id = re.search(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", shown)
    assert order_id, shown
    order = httpx.get(f"{server.url}/api/v1/voice/order/{order_id[0]}", headers=KEYS).json()["data"]
    assert f"{order['total']} VND" in shown
    return {line["item"]: line["quantity"] for line in order["lines"]}


def test_the_python_example_orders_over_http(hearing_server: Server) -> None:
    shown = run(hearing_server, sys.executable, "examples/order.py")
    assert "Heard: cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la" in shown
    assert "2 x Sinh tố bơ (Cỡ lớn): 106000 VND" in shown
    assert "To be offered: " in shown
    assert stored(hearing_server, shown) == {"sinh-to-bo": 2, "banh-mi-op-la": 3, "latte": 1}


def test_the_python_example_streams_a_spoken_order(hearing_server: Server) -> None:
    shown = run(hearing_server, sys.executable, "examples/live.py", "--fast").splitlines()
    assert shown[0].startswith("partial")
    assert shown[-1].startswith("final")
    assert "2 x Sinh tố bơ, 3 x Bánh mì ốp la  190000" in shown[-1]


CONVERSATIONS = {
    "vi": ["cho mình hai trà sữa thêm trân châu", "trân châu đen", "vậy thôi", "đúng rồi"],
    "en": ["two milk teas with pearls please", "the black ones", "no, that's all", "yes"],
}


@pytest.mark.parametrize("language", CONVERSATIONS)
def test_the_python_example_holds_a_conversation_until_the_order_is_stored(hearing_server: Server, language: str) -> None:
    typed = CONVERSATIONS[language]
    done = start(hearing_server, sys.executable, "examples/conversation.py", language, typed="\n".join(typed))
    assert done.returncode == 0, done.stdout + done.stderr
    assert stored(hearing_server, done.stdout) == {"tra-sua-truyen-thong": 2}
    said = [line for line in done.stdout.splitlines() if line.startswith(("<", ">"))]
    assert [line[2:] for line in said if line.startswith(">")] == typed
    assert len(said) == 2 * len(typed) + 1, "the shop greets, and replies to each sentence"


@pytest.mark.parametrize("typed", ["", "hai trà sữa thêm trân châu\n", "một latte\nhủy đơn\n"], ids=["nothing", "unfinished", "cancelled"])
def test_a_conversation_that_ends_before_the_order_is_stored_has_another_exit_status(hearing_server: Server, typed: str) -> None:
    done = start(hearing_server, sys.executable, "examples/conversation.py", typed=typed)
    assert done.returncode == 2
    assert "Stored" not in done.stdout


ENGLISH = "examples/order-en.wav", "en"
SHELL = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="the example needs curl and jq")


def test_the_python_example_orders_over_http_in_english(hearing_server: Server) -> None:
    shown = run(hearing_server, sys.executable, "examples/order.py", *ENGLISH)
    assert "Heard: could i get a large milk tea" in shown
    assert stored(hearing_server, shown) == {"tra-sua-truyen-thong": 1, "banh-mi-op-la": 2, "latte": 1}


def test_the_python_example_streams_a_spoken_order_in_english(hearing_server: Server) -> None:
    shown = run(hearing_server, sys.executable, "examples/live.py", *ENGLISH, "--fast").splitlines()
    assert "1 x Classic milk tea, 2 x Fried egg banh mi" in shown[-1]


@SHELL
@pytest.mark.parametrize(
    ("arguments", "transcript", "items"),
    [
        ((), "cho anh hai ly sinh tố bơ lớn và ba bánh mì ốp la", {"sinh-to-bo": 2, "banh-mi-op-la": 3}),
        (ENGLISH, "could i get a large milk tea", {"tra-sua-truyen-thong": 1, "banh-mi-op-la": 2}),
    ],
    ids=["vi", "en"],
)
def test_the_shell_example_orders_over_http(
    hearing_server: Server, arguments: tuple[str, ...], transcript: str, items: dict[str, int]
) -> None:
    shown = run(hearing_server, "sh", "examples/order.sh", *arguments)
    assert transcript in shown
    assert stored(hearing_server, shown) == items


@SHELL
@pytest.mark.parametrize(
    ("environment", "arguments", "error"),
    [({"VOICE_KEY": "another-key"}, (), "INVALID_CREDENTIALS"), ({}, ("examples/README.md",), "AUDIO_INVALID")],
    ids=["first request", "later request"],
)
def test_the_shell_example_prints_the_error_envelope_and_fails(
    hearing_server: Server, environment: dict[str, str], arguments: tuple[str, ...], error: str
) -> None:
    done = start(hearing_server, "sh", "examples/order.sh", *arguments, **environment)
    assert done.returncode != 0
    assert f'"error":"{error}"' in done.stderr
    assert "Stored:" not in done.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_a_python_example_imports_only_requirements_of_the_service(path: Path) -> None:
    imported = set(re.findall(r"^(?:import|from) (\w+)", path.read_text(), re.MULTILINE)) - sys.stdlib_module_names
    installed = {line.partition("==")[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert imported <= installed


NODE = shutil.which("node")
NODE_VERSION = int(subprocess.check_output([NODE, "--version"]).decode()[1:].partition(".")[0]) if NODE else 0  # noqa: S603


@pytest.mark.skipif(NODE_VERSION < 20, reason="Node has WebSocket from version 20")
@pytest.mark.parametrize(
    ("arguments", "items"),
    [((), {"latte": 1, "sinh-to-bo": 2, "banh-mi-op-la": 3}), (ENGLISH, {"latte": 1, "tra-sua-truyen-thong": 1, "banh-mi-op-la": 2})],
    ids=["vi", "en"],
)
def test_the_javascript_example_streams_a_spoken_order(hearing_server: Server, arguments: tuple[str, ...], items: dict[str, int]) -> None:
    flags = ["--experimental-websocket"] if NODE_VERSION < 22 else []
    shown = run(hearing_server, str(NODE), *flags, "examples/order.mjs", *arguments)
    assert stored(hearing_server, shown) == items


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.[psm][yhj]*")), ids=lambda path: path.name)
def test_every_example_is_tested_and_documented(path: Path) -> None:
    tests = Path(__file__).read_text() + (ROOT / "tests/test_voice_order.py").read_text()
    assert f"examples/{path.name}" in tests
    assert f"`{path.name}`" in (EXAMPLES / "README.md").read_text()


def test_the_python_example_prints_the_error_code_and_fails(hearing_server: Server) -> None:
    done = start(hearing_server, sys.executable, "examples/order.py", VOICE_KEY="another-key")
    assert done.returncode == 1
    assert done.stderr.startswith("INVALID_CREDENTIALS: ")
    assert json.dumps("another-key") not in done.stderr


def test_the_python_example_prints_one_line_if_the_service_is_down(hearing_server: Server) -> None:
    done = start(hearing_server, sys.executable, "examples/order.py", VOICE_URL="http://127.0.0.1:1")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


@pytest.mark.parametrize("name", ["order-vi.wav", "order-en.wav"])
def test_the_recorded_examples_are_small_16_khz_mono(name: str) -> None:
    path = ROOT / "examples" / name
    assert path.stat().st_size < 200_000
    with wave.open(str(path)) as audio:
        assert (audio.getframerate(), audio.getnchannels(), audio.getsampwidth()) == (16_000, 1, 2)
