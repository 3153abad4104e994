"""The commands of the README get the replies that it shows, from a real server.

`python -m tests.test_readme` replaces the replies in the README by those of the present code.
"""

import json
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from settings import ROOT
from voice.menus.menu import Menu

README = (ROOT / "README.md").read_text()
EXAMPLE = re.compile(r"```sh\n(.*?)```\n+```json\n(.*?)```", re.DOTALL)
SERVING = {"ENVIRONMENT": "TESTING", "MENU_DIR": str(ROOT / "menus"), "SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer"}
# Confidences differ between processors by less than this; words and prices do not.
TOLERANCE = 0.1


def differences(expected: Any, actual: Any, place: str = "") -> list[str]:
    """Compare two replies field by field; processing times are not compared."""
    if place.endswith(".processing_ms"):
        return [] if isinstance(actual, float | int) else [f"{place}: {actual!r} is not a time"]
    if isinstance(expected, dict) and isinstance(actual, dict):
        if expected.keys() != actual.keys():
            return [f"{place}: {sorted(expected)} but {sorted(actual)}"]
        return [found for key in expected for found in differences(expected[key], actual[key], f"{place}.{key}")]
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return [f"{place}: {expected} but {actual}"]
        return [found for index in range(len(expected)) for found in differences(expected[index], actual[index], f"{place}[{index}]")]
    same = abs(expected - actual) <= TOLERANCE if isinstance(expected, float) and isinstance(actual, float) else expected == actual
    return [] if same else [f"{place}: {expected!r} but {actual!r}"]


def shell(command: str, port: int) -> Any:
    """Run a command of the README; return its reply."""
    command = command.replace("localhost:8000", f"127.0.0.1:{port}")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, timeout=120, check=True)  # noqa: S603, S607
    return json.loads(done.stdout)


def test_differences_between_replies_are_found() -> None:
    expected = {"a": [1, {"b": 0.5, "processing_ms": 9.0}]}
    assert differences(expected, {"a": [1, {"b": 0.55, "processing_ms": 700.0}]}) == []
    assert differences(expected, {"a": [1, {"b": 0.8, "processing_ms": 9.0}]})
    assert differences(expected, {"a": [2, {"b": 0.5, "processing_ms": 9.0}]})
    assert differences(expected, {"a": [1]})
    assert differences(expected, {"a": [1, {"b": 0.5}]})


@pytest.mark.skipif(not (shutil.which("bash") and shutil.which("curl")), reason="the README's commands need bash and curl")
def test_the_requests_of_the_readme_get_the_replies_it_shows(server: Any) -> None:
    examples = EXAMPLE.findall(README)
    assert len(examples) >= 4
    running = server(**SERVING)
    running.wait_until(lambda: httpx.get(f"{running.url}/readiness").status_code == 200)
    for command, reply in examples:
        deadline = time.monotonic() + 10  # the recommender learns from an order asynchronously
        while found := differences(json.loads(reply), shell(command, running.port)):
            if "recommend_order" not in command or time.monotonic() > deadline:
                pytest.fail("\n".join([command, *found]))
            time.sleep(0.2)


def test_the_menu_in_the_readme_is_valid() -> None:
    shown = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    menu = Menu.model_validate(yaml.safe_load(shown[1]))
    assert menu.items
    assert all(group in menu.option_groups for item in menu.items.values() for group in item.options)


# --- Writing the replies ------------------------------------------------------------------------------------------------------------

MAX_COLUMNS = 138
# A member with the comma after it; a comma within a string does not end one.
MEMBER = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^",])+(?:, |$)')


def formatted(value: Any) -> str:
    """Format JSON in lines that are as full as possible."""
    lines = [""]
    for member in MEMBER.findall(json.dumps(value, ensure_ascii=False)):
        if len(lines[-1]) + len(member.rstrip()) > MAX_COLUMNS:
            lines.append("  ")
        lines[-1] += member
    return "\n".join(line.rstrip() for line in lines)


def test_formatting_json_keeps_its_content() -> None:
    value = {"a": [{"b": "x" * 50, "c": [1, 2.5, None, "đ"]}, {"b": "y" * 120}], "d": {}, "e": [[]], "f": "z" * 80}
    assert json.loads(formatted(value)) == value


def main() -> None:
    """Replace the replies in the README by those of a server."""
    from tests.servers import Server  # noqa: PLC0415 - reads the environment, which conftest.py sets first in a test run

    with tempfile.TemporaryDirectory() as directory:
        running = Server(Path(directory), SERVING)
        try:
            running.wait_until(lambda: httpx.get(f"{running.url}/readiness").status_code == 200)

            def with_reply(example: re.Match[str]) -> str:
                time.sleep(3)  # the recommender learns from an order asynchronously
                return f"```sh\n{example[1]}```\n\n```json\n{formatted(shell(example[1], running.port))}\n```"

            (ROOT / "README.md").write_text(EXAMPLE.sub(with_reply, README))
        finally:
            running.stop()


if __name__ == "__main__":
    main()
