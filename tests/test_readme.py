"""The README is run as it stands: its commands against a real server, its answers beside what the server says.

`python -m tests.test_readme` writes the answers of today into it.
"""

import json
import re
import shutil
import subprocess
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from schemas import Menu
from settings import ROOT

README = (ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"```sh\n(.*?)```\n+```json\n(.*?)```", re.DOTALL)
SERVING = {"MENU_DIR": str(ROOT / "menus"), "SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer"}
# Another processor rounds otherwise: times and confidences may be off by this, words and prices may not.
TOLERANCE = 0.1


def differences(told: Any, got: Any, place: str = "") -> list[str]:
    """Compare two answers, place by place; how long it took is nobody's promise."""
    if place.endswith(".processing_ms"):
        return [] if isinstance(got, float | int) else [f"{place}: {got!r} is no time"]
    if isinstance(told, dict) and isinstance(got, dict):
        if told.keys() != got.keys():
            return [f"{place}: {sorted(told)} but {sorted(got)}"]
        return [found for key in told for found in differences(told[key], got[key], f"{place}.{key}")]
    if isinstance(told, list) and isinstance(got, list):
        if len(told) != len(got):
            return [f"{place}: {told} but {got}"]
        return [found for index in range(len(told)) for found in differences(told[index], got[index], f"{place}[{index}]")]
    same = abs(told - got) <= TOLERANCE if isinstance(told, float) and isinstance(got, float) else told == got
    return [] if same else [f"{place}: {told!r} but {got!r}"]


def shell(command: str, port: int) -> Any:
    """Run a command of the README and read its answer."""
    command = command.replace("localhost:8000", f"127.0.0.1:{port}")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=120, check=True)  # noqa: S603, S607
    return json.loads(done.stdout)


def test_differences_are_found() -> None:
    told = {"a": [1, {"b": 0.5, "processing_ms": 9.0}]}
    assert differences(told, {"a": [1, {"b": 0.55, "processing_ms": 700.0}]}) == []
    assert differences(told, {"a": [1, {"b": 0.8, "processing_ms": 9.0}]})
    assert differences(told, {"a": [2, {"b": 0.5, "processing_ms": 9.0}]})
    assert differences(told, {"a": [1]})
    assert differences(told, {"a": [1, {"b": 0.5}]})


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="the README's commands need bash and curl")
def test_its_requests_get_the_answers_it_shows(server: Any) -> None:
    examples = EXAMPLE.findall(README)
    assert len(examples) >= 4
    running = server(**SERVING)
    running.wait_until(lambda: httpx.get(f"{running.url}/readiness").status_code == 200)
    for command, answer in examples:
        deadline = time.monotonic() + 10  # the recommender learns of an order a moment after it is stored
        while found := differences(json.loads(answer), shell(command, running.port)):
            if "recommend_order" not in command or time.monotonic() > deadline:
                pytest.fail("\n".join([command, *found]))
            time.sleep(0.2)


def test_the_menu_it_shows_is_a_menu() -> None:
    shown = re.search(r"(?m)^    id: [a-z-]+ .*\n(?:    .*\n)+", README)
    assert shown is not None
    menu = Menu.model_validate(yaml.safe_load(textwrap.dedent(shown[0])))
    assert menu.items
    assert all(group in menu.option_groups for item in menu.items.values() for group in item.options)


# --- Writing the answers ------------------------------------------------------------------------------------------------------------

MAX_COLUMNS = 118


def written(value: Any, indent: int = 0) -> str:
    """Write JSON for people: as much on a line as fits."""
    flat = json.dumps(value, ensure_ascii=False)
    if indent + len(flat) <= MAX_COLUMNS or not isinstance(value, dict | list):
        return flat
    lines = [""]
    for piece in pieces(value, indent + 2):
        fits = lines[-1] and "\n" not in piece and "\n" not in lines[-1] and indent + 3 + len(lines[-1]) + len(piece) <= MAX_COLUMNS
        if fits:
            lines[-1] += f" {piece}"
        else:
            lines.append(piece)
    inner = "\n".join(f"{' ' * (indent + 2)}{line}" for line in lines if line)
    return f"{'{['[isinstance(value, list)]}\n{inner}\n{' ' * indent}{'}]'[isinstance(value, list)]}"


def pieces(value: Any, indent: int) -> Iterator[str]:
    """Write each member, with its comma."""
    members = (
        [(f"{json.dumps(key)}: ", member) for key, member in value.items()] if isinstance(value, dict) else [("", one) for one in value]
    )
    for index, (key, member) in enumerate(members):
        yield f"{key}{written(member, indent)}{',' if index < len(members) - 1 else ''}"


def test_what_is_written_is_what_was_said() -> None:
    said = {"a": [{"b": "x" * 50, "c": [1, 2.5, None, "đ"]}, {"b": "y" * 120}], "d": {}, "e": [[]], "f": "z" * 80}
    assert json.loads(written(said)) == said


def main() -> None:
    """Ask a server of today, and write what it says into the README."""
    from tests.servers import Server  # noqa: PLC0415 - reads the environment, which a test run does in its own order

    with tempfile.TemporaryDirectory() as directory:
        running = Server(Path(directory), SERVING)
        try:
            running.wait_until(lambda: httpx.get(f"{running.url}/readiness").status_code == 200)

            def answer(example: re.Match[str]) -> str:
                time.sleep(3)  # the recommender learns of an order a moment after it is stored
                return f"```sh\n{example[1]}```\n\n```json\n{written(shell(example[1], running.port))}\n```"

            (ROOT / "README.md").write_text(EXAMPLE.sub(answer, README))
        finally:
            running.stop()


if __name__ == "__main__":
    main()
