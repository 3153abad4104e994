"""README, .env.example and changelog agree with the code: settings, errors, modules, links."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from errors import ApiError, ErrorCode
from settings import ROOT, Settings
from tests.test_readme import differences

DEFAULTS = {name.upper(): field.get_default(call_default_factory=True) for name, field in Settings.model_fields.items()}
ENV_EXAMPLE = dict(re.findall(r"(?m)^#([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text()))


def table(document: str, heading: str) -> list[list[str]]:
    """Read the rows of the table below a heading."""
    section = (ROOT / document).read_text().split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def test_the_example_environment_lists_every_setting() -> None:
    assert PydanticUndefined not in DEFAULTS.values()
    assert set(ENV_EXAMPLE) == set(DEFAULTS)


def test_the_operations_page_lists_every_setting_with_its_default() -> None:
    assert {name: default.strip("`") for name, default, _ in table("docs/operations.md", "Settings")} == ENV_EXAMPLE
    assert all(description for _, _, description in table("docs/operations.md", "Settings"))


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


def test_the_api_page_lists_every_error_with_its_status_and_its_description() -> None:
    rows = {error: (status, description) for error, status, description in table("docs/api.md", "Errors")}
    assert set(rows) == set(ErrorCode)
    described: dict[str, set[tuple[str, str]]] = {}
    for error_class in error_classes():
        described.setdefault(error_class.error, set()).add((str(error_class.status), (error_class.__doc__ or "").split("\n", 1)[0]))
    for error, row in rows.items():
        assert row in described[error], error


DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), ROOT / "examples/README.md", ROOT / "corpus/README.md"]


def test_the_readme_fits_its_first_look() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_files_that_a_document_names_exist(document: Path) -> None:
    """Paths from the project's root in backquotes, as `voice/asr/vad.py`; a name without a directory is one of the document's subject."""
    paths = re.findall(
        r"`((?:app|settings|errors|schemas|(?:web|voice|bench|tests|operations|kubernetes|menus|page|corpus)/[\w/.-]*)(?:\.\w+)?)`",
        document.read_text(),
    )
    assert [path for path in paths if "/" in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_links_of_a_document_have_targets(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.anyio
async def test_the_conversation_of_the_api_page_gets_the_replies_it_shows(client: Any) -> None:
    section = (ROOT / "docs/api.md").read_text().split("\n## A conversation\n", 1)[1].split("\n## ", 1)[0]
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]
    assert len(blocks) == 4
    for request, reply in zip(blocks[::2], blocks[1::2], strict=True):
        assert differences(reply, (await client.post("/api/v1/voice/order", json=request)).json()) == []
    state = {name: blocks[1]["data"][name] for name in ("lines", "questions", "changes", "notes")}
    assert blocks[2].items() >= state.items(), "the state goes back as it came"
