"""The agents of LiveKit and of Pipecat recognise speech and take an order through this service.

They need an environment of their own (requirements-adapters-test.in), whose Python is named by ADAPTER_CLIENTS.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from settings import ROOT
from tests.adapters.conftest import KEY

PYTHON = os.environ.get("ADAPTER_CLIENTS", "")
SPOKEN = ("two large milk teas with black pearls", "no that's all", "yes")


@pytest.mark.skipif(not PYTHON, reason="ADAPTER_CLIENTS names no Python with the clients of requirements-adapters-test.txt")
@pytest.mark.parametrize("platform", ["livekit", "pipecat"])
def test_the_agent_of_a_platform_takes_an_order(hearing_server, platform):
    agent = Path(__file__).with_name(f"{platform}_agent.py")
    arguments = [f"{hearing_server.url}/v1", KEY, str(ROOT / "tests/recordings/vi-mau-trang.wav"), *SPOKEN]
    done = subprocess.run([PYTHON, str(agent), *arguments], capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - ours
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert shown["recognised"] == "màu trắng"
    _, read_back, goodbye = shown["heard"]
    assert "one hundred and eight thousand" in read_back
    assert goodbye.startswith("Thank you!")
    (order,) = shown["placed"]
    assert (order["total"], [line["item"] for line in order["lines"]]) == (108000, ["tra-sua-truyen-thong"])
