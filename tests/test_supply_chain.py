"""What the service is made of: every package is in the bill of materials, a look-up that failed is no pass, the image's recipe is sound."""

import json
import os
import re
import subprocess
from pathlib import Path

from settings import ROOT
from tests.test_house import pins, targets

BIN = ROOT / ".venv/bin"
MAKEFILE = (ROOT / "Makefile").read_text()
# A line that goes on is one line; comments are none.
DOCKERFILE = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text().replace("\\\n", " "))
INSTRUCTIONS = [tuple(line.split(maxsplit=1)) for line in DOCKERFILE.splitlines() if line.strip()]


def steps(target: str) -> list[str]:
    """List the commands of a target."""
    recipe = re.search(rf"(?m)^{target}:.*\n((?:\t.+\n)+)", MAKEFILE)
    assert recipe is not None
    return [line.strip().removeprefix("@") for line in recipe[1].splitlines() if not line.strip().startswith("@#")]


def test_the_bill_of_materials_names_every_package_with_its_version_and_hash(tmp_path: Path) -> None:
    (command,) = (step for step in steps("audit") if "cyclonedx" in step)
    written = tmp_path / "sbom.json"
    subprocess.run(command.replace("dist/sbom.json", str(written)).split(), cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - ours
    components = json.loads(written.read_text())["components"]
    assert {component["name"]: component["version"] for component in components} == pins("requirements.txt")
    assert all(reference["hashes"] for component in components for reference in component["externalReferences"])


def test_an_audit_that_could_not_look_anything_up_fails(tmp_path: Path) -> None:
    assert "audit" in targets()
    (command,) = (step for step in steps("audit") if "pip-audit" in step)
    one = re.search(r"(?m)^orjson==.*(?:\n +--hash.*)+", (ROOT / "requirements.txt").read_text())
    assert one is not None
    (tmp_path / "requirements.txt").write_text(one[0].replace("\\\n", "").rstrip("\\") + "\n")
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    arguments = command.replace("requirements.txt", str(tmp_path / "requirements.txt")).split()
    done = subprocess.run([str(ROOT / arguments[0]), *arguments[1:]], env=os.environ | nowhere, capture_output=True, check=False)  # noqa: S603
    assert done.returncode != 0
    # The bill of materials needs no network: it is written before.
    assert ["cyclonedx" in step for step in steps("audit")].index(True) < ["pip-audit" in step for step in steps("audit")].index(True)


def test_the_images_recipe_is_sound() -> None:
    names = [name for name, _ in INSTRUCTIONS]
    assert set(names) <= {"FROM", "WORKDIR", "ENV", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "CMD"}
    first, last = (index for index, name in enumerate(names) if name == "FROM")
    assert first == 0
    served = INSTRUCTIONS[last:]
    # What is served is copied out of the stage that built it; no command runs, so nothing is left of one.
    assert all(rest.startswith("--from=build ") for name, rest in served if name == "COPY")
    assert "RUN" not in names[last:]
    assert [name for name, _ in served[-1:]] == ["CMD"]
    assert json.loads(served[-1][1])  # as a list: process 1 is the service itself, and gets the signals
    assert all(rest.startswith("/") for name, rest in INSTRUCTIONS if name == "WORKDIR")
    assert all("--no-cache-dir" in rest or "PIP_NO_CACHE_DIR=1" in DOCKERFILE for name, rest in INSTRUCTIONS if "pip install" in rest)
    assert not re.search(r"SECRET|CREDENTIALS|PASSWORD|(?m:^ARG )|\bsudo\b|chmod 777|:latest", DOCKERFILE)
    # Only the data may be written by the user that serves.
    assert re.findall(r"--chown=\S+ (\S+) (\S+)", DOCKERFILE) == [("/data", "/data")]
