"""The repository holds no artefacts, no bundles and no large files."""

import subprocess
from pathlib import Path

import pytest

from settings import ROOT


def tracked_files() -> list[Path]:
    """List the files under version control; skip the test where there is none."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not in a git repository")
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]


FITTED = {"weights.json", "act_weights.json", "ranker.json"}  # written by voice.orders.parser.train


def test_the_repository_holds_no_artefacts_and_no_third_party_files() -> None:
    """Models, bundles and fonts are installed with packages; hand-written text has short lines."""
    artefacts = {".woff", ".woff2", ".ttf", ".onnx", ".bin", ".so", ".whl", ".db", ".pyc", ".zip", ".gz", ".pem", ".key"}
    for path in tracked_files():
        assert path.suffix not in artefacts, path
        assert path.suffix not in {".js", ".css"} or path.parent.name in {"page", "examples"}, path
        assert path.name != ".env", path
        assert path.stat().st_size < (2_000_000 if path.name in FITTED else 400_000), path
        if path.suffix not in {".wav", ".png"}:
            assert max(map(len, path.read_text().splitlines()), default=0) < 1000, path
