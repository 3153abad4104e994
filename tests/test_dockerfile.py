"""The Dockerfile builds an unprivileged image from pinned parts, without secrets."""

import json
import re

from settings import ROOT, Settings

DOCKERFILE = (ROOT / "Dockerfile").read_text()
# (instruction, arguments), without comments, continued lines joined.
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1)) for line in re.sub(r"(?m)^#.*\n", "", DOCKERFILE.replace("\\\n", " ")).splitlines() if line.strip()
]


def test_the_image_runs_as_an_unprivileged_user_from_pinned_parts() -> None:
    stages = DOCKERFILE.split("\nFROM ")[1:]
    assert len(stages) == 2
    assert all(re.match(r"[a-z/]+:\d+\.\d+-\S+", stage) for stage in stages)
    assert re.findall(r"(?m)^USER (.+)$", DOCKERFILE) == ["10001:10001"]
    assert "--require-hashes --no-deps" in DOCKERFILE
    assert not re.search(r"curl|wget|ADD |apt-get", DOCKERFILE)


def test_the_build_context_holds_the_modules_and_no_secrets() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "**"
    included = {rule[1:] for rule in rules if rule.startswith("!")}
    files, directories = {"*.py", "requirements.txt", "pyproject.toml", "LICENSE", "NOTICE"}, {"menus", "migrations", "page"}
    assert files | directories | {"adapters", "voice", "web"} == included
    for name in re.findall(r"(?m)^COPY ((?:[a-z_/.]+ )+)\S+$", DOCKERFILE):
        for source in name.split():
            assert (ROOT / source).exists(), source


def test_the_image_sets_settings_that_exist() -> None:
    environment = re.search(r"ENV PATH=.*?\n(?=USER)", DOCKERFILE, re.DOTALL)
    assert environment is not None
    set_by_image = set(re.findall(r"^\s+([A-Z_]+)=", environment[0], re.MULTILINE)) - {"PYTHONDONTWRITEBYTECODE"}
    assert set_by_image <= {name.upper() for name in Settings.model_fields}


def test_the_served_stage_only_copies_the_built_one() -> None:
    names = [name for name, _ in INSTRUCTIONS]
    assert set(names) <= {"FROM", "WORKDIR", "ENV", "COPY", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "CMD"}
    first, last = (index for index, name in enumerate(names) if name == "FROM")
    assert first == 0
    served = INSTRUCTIONS[last:]
    # No command runs in the served stage, so none leaves anything behind.
    assert all(rest.startswith("--from=build ") for name, rest in served if name == "COPY")
    assert "RUN" not in names[last:]
    assert [name for name, _ in served[-1:]] == ["CMD"]
    assert json.loads(served[-1][1])  # as a list: process 1 is the service itself, and receives the signals
    assert all(rest.startswith("/") for name, rest in INSTRUCTIONS if name == "WORKDIR")
    assert all("--no-cache-dir" in rest or "PIP_NO_CACHE_DIR=1" in DOCKERFILE for name, rest in INSTRUCTIONS if "pip install" in rest)
    assert not re.search(r"SECRET|CREDENTIALS|PASSWORD|(?m:^ARG )|\bsudo\b|chmod 777|:latest", DOCKERFILE)
    # The user that serves may write the data directory alone.
    assert re.findall(r"--chown=\S+ (\S+) (\S+)", DOCKERFILE) == [("/data", "/data")]
