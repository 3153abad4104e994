"""The Makefile has every target that is documented, and continuous integration runs the developer's commands."""

import os
import re

from settings import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def targets() -> dict[str, str]:
    """Return the documented targets, with their help texts."""
    return dict(re.findall(r"(?m)^([a-z.-]+):.*## (.+)$", MAKEFILE))


def steps(target: str) -> list[str]:
    """List the commands of a target."""
    recipe = re.search(rf"(?m)^{target}:.*\n((?:\t.+\n)+)", MAKEFILE)
    assert recipe is not None
    return [line.strip().removeprefix("@") for line in recipe[1].splitlines() if not line.strip().startswith("@#")]


def test_every_target_that_a_document_names_exists() -> None:
    documents = (
        "README.md",
        "CONTRIBUTING.md",
        "docs/operations.md",
        "docs/image.md",
        ".env.example",
        "pyproject.toml",
        "requirements.in",
        "Makefile",
        ".ci/run",
    )
    named = {name for document in documents for name in re.findall(r"(?m)(?:`|    |== )make ([a-z.-]+)\b", (ROOT / document).read_text())}
    assert {"run", "test"} <= named <= targets().keys()


def test_every_public_target_exists_and_is_phony() -> None:
    public = {
        ".venv",
        "run",
        "test",
        "lint",
        "bench",
        "format",
        "serve",
        "migration",
        "migrate",
        "downgrade",
        "explain",
        "audit",
        "help",
        "coverage",
        "image-check",
    }
    assert public <= targets().keys()
    phony = re.search(r"(?m)^\.PHONY: (.+)$", MAKEFILE)
    assert phony is not None
    assert set(phony[1].split()) == targets().keys()


def test_continuous_integration_runs_the_targets_of_a_developer() -> None:
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


def test_the_default_menu_of_make_explain_exists() -> None:
    menu = re.search(r"(?m)^MENU \?= (\S+)$", MAKEFILE)
    assert menu is not None
    assert (ROOT / "menus" / f"{menu[1]}.yaml").is_file()
