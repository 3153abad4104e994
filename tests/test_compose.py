"""The compose file runs hardened, pinned images with settings that exist."""

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import yaml

from settings import ROOT, Settings

SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]


def test_compose_sets_settings_that_exist() -> None:
    assert set(SERVICES["voice"]["environment"]) <= {name.upper() for name in Settings.model_fields}


def test_every_service_is_hardened() -> None:
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert service["mem_limit"], name
        assert service["pids_limit"], name
        assert all("size=" in mount for mount in service["tmpfs"]), name
        assert service["image"] == "voice" or re.fullmatch(r"\S+:\d+-alpine@\$\{[A-Z]+_DIGEST:\?run make digests\}", service["image"]), name


def test_the_service_starts_after_its_migrations_and_has_time_to_drain() -> None:
    assert set(SERVICES["migrate"]["environment"]) == {"DATABASE_URL"}
    assert SERVICES["voice"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    assert all("healthcheck" in SERVICES[name] for name in ("voice", "postgres", "valkey"))
    assert int(SERVICES["voice"]["stop_grace_period"].removesuffix("s")) > Settings.model_fields["drain_seconds"].default


def test_make_digests_pins_every_image_that_compose_pulls(tmp_path: Path) -> None:
    """A stand-in for docker, without a registry, prints a digest of the image's name."""
    client = tmp_path / "docker"
    client.write_text('#!/bin/sh\nfor image; do :; done\necho "sha256:$(printf %s "$image" | sha256sum | cut -c1-64)"\n')
    client.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / ".env").write_text("TOKEN_SECRET=old\nVALKEY_DIGEST=old\n")
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["make", "digests"], cwd=tmp_path, env=os.environ | {"PATH": path}, check=True, capture_output=True)  # noqa: S607
    written = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
    pulled = {}
    for service in SERVICES.values():
        image, _, digest = service["image"].partition("@")
        if digest:
            pulled[digest.removeprefix("${").partition(":")[0]] = f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"
    assert written == {"TOKEN_SECRET": "old"} | pulled
