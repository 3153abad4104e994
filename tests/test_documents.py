"""README, .env.example and changelog agree with the code: settings, errors, modules, links."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from errors import ApiError, ErrorCode
from settings import ROOT, Settings

README = (ROOT / "README.md").read_text()
DEFAULTS = {name.upper(): field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
ENV_EXAMPLE = dict(re.findall(r"(?m)^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text()))


def table(heading: str) -> list[list[str]]:
    """Read the rows of the README's table below a heading."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_example_environment_lists_every_setting() -> None:
    assert PydanticUndefined not in DEFAULTS.values()
    assert set(ENV_EXAMPLE) == set(DEFAULTS)


def test_the_readme_lists_every_setting_with_its_default() -> None:
    assert {name: default.strip("`") for name, default, _ in table("Settings")} == ENV_EXAMPLE
    assert all(description for _, _, description in table("Settings"))


def test_the_documented_defaults_are_the_defaults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, text in ENV_EXAMPLE.items():
        monkeypatch.setenv(name, str(ROOT / text) if name.endswith("_DIR") else text)
    # PRODUCTION requires secrets; all other settings are read as in a deployment.
    monkeypatch.setenv("ENVIRONMENT", "LOCAL")
    monkeypatch.chdir(tmp_path)
    documented = Settings().model_dump()
    assert {name: documented[name.lower()] for name in DEFAULTS} == DEFAULTS | {"ENVIRONMENT": "LOCAL"}
    assert ENV_EXAMPLE["ENVIRONMENT"] == DEFAULTS["ENVIRONMENT"]


def error_classes(base: type[ApiError] = ApiError) -> Iterator[type[ApiError]]:
    """List every error class, base classes first."""
    yield base
    for subclass in base.__subclasses__():
        yield from error_classes(subclass)


def test_the_readme_lists_every_error_with_its_status_and_its_description() -> None:
    rows = {error: (status, description) for error, status, description in table("Errors")}
    assert set(rows) == set(ErrorCode)
    described: dict[str, set[tuple[str, str]]] = {}
    for error_class in error_classes():
        described.setdefault(error_class.error, set()).add((str(error_class.status), (error_class.__doc__ or "").split("\n", 1)[0]))
    for error, row in rows.items():
        assert row in described[error], error


def test_the_readme_names_modules_that_exist() -> None:
    paths = [path for row in table("Modules") for path in re.findall(r"`([^`]+)`", row[0])]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    ours = {path.name for path in ROOT.glob("*.py")} | {f"voice/{path.name}" for path in (ROOT / "voice").glob("*.py")}
    assert ours - set(paths) - {"voice/__init__.py", "auth.py"} == set()  # auth: the former spelling of a command


def test_the_links_of_the_documents_have_targets() -> None:
    for document in ("README.md", "CHANGELOG.md", "examples/README.md"):
        text = (ROOT / document).read_text()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert ((ROOT / document).parent / target).exists(), f"{document}: {target}"
