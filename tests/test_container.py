"""The image without a container engine: the files of its layers, and its start command under the image's restrictions.

A mount namespace makes all but the data directory read-only; all capabilities are dropped.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
import pytest

from settings import ROOT
from tests.conftest import KEYS

NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
READ_ONLY = "mount -o remount,ro,bind /"
READY_S = 60.0


DOCKERFILE = (ROOT / "Dockerfile").read_text()


def image_files() -> list[Path]:
    """List the files that .dockerignore includes."""
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    included = [path for rule in rules if rule.startswith("!") for path in ROOT.glob(rule[1:])]
    files = [file for path in included for file in ([path] if path.is_file() else path.rglob("*"))]
    return [file for file in files if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".so"]


def copied(files: Iterable[Path], directory: Path) -> Path:
    """Copy files of the project to the same relative paths below a directory."""
    for file in files:
        target = directory / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return directory


def run_in(directory: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python where only the files of a directory and the installed packages can be imported."""
    environment = os.environ | {"ENVIRONMENT": "LOCAL", "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-c", code], cwd=directory, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


def test_the_layer_that_installs_the_models_has_the_modules_it_imports(tmp_path: Path) -> None:
    before = DOCKERFILE.split("-m voice.asr.model_files", 1)[0]
    names = [name for copy in re.findall(r"(?m)^COPY (.+) \S+$", before) for name in copy.split()]
    done = run_in(copied((ROOT / name for name in names), tmp_path), "import voice.asr.model_files as models; print(models.main)")
    assert done.returncode == 0, done.stderr


def test_the_image_has_the_modules_that_the_service_imports(tmp_path: Path) -> None:
    files = image_files()
    assert {ROOT / "app.py", ROOT / "menus/quan-nha.yaml", ROOT / "migrations/env.py", ROOT / "voice/orders/languages/vi.yaml"} <= set(
        files
    )
    assert not any(file.suffix in {".db", ".env", ".bin", ".onnx"} or file.name.startswith(".") for file in files)
    done = run_in(copied(files, tmp_path), "import app, auth, voice.orders.explain, voice.store.store; print(len(app.routes))")
    assert done.returncode == 0, done.stderr


def may_make_namespaces() -> bool:
    """True if this user may create mount namespaces."""
    if not (shutil.which("unshare") and shutil.which("setpriv") and shutil.which("mount")):
        return False
    return subprocess.run([*NAMESPACE, "sh", "-c", READ_ONLY], capture_output=True, check=False).returncode == 0  # noqa: S603


@pytest.fixture
def container(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Start the image's command; yield its URL and its log file."""
    if not may_make_namespaces():
        pytest.skip("mount namespaces are not permitted here")
    start = re.search(r'^CMD \["python", "(.+)"\]$', DOCKERFILE, re.MULTILINE)
    assert start is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, log = tmp_path / "data", tmp_path / "log"
    data.mkdir()
    steps = [
        f"mount --bind {shlex.quote(str(ROOT))} {shlex.quote(str(ROOT))}",  # which may be on another file system than /
        f"mount -o remount,ro,bind {shlex.quote(str(ROOT))}",
        READ_ONLY,
        f"mount -t tmpfs tmpfs {shlex.quote(str(data))}",
        f"cd {shlex.quote(str(ROOT))}",
        f"! touch {shlex.quote(str(ROOT / 'written'))} 2>/dev/null",
        f"exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs {shlex.quote(sys.executable)} {start[1]}",
    ]
    environment = os.environ | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PORT": str(port),
        "DATABASE_URL": f"sqlite+aiosqlite:///{data}/voice.db",
        "TMPDIR": str(data),
    }
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603
            [*NAMESPACE, "sh", "-c", " && ".join(steps)], env=environment, stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + READY_S
        while not ready(url):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url, log
    finally:
        process.kill()
        process.wait(10)


def ready(url: str) -> bool:
    """True if the service at the URL is ready."""
    try:
        return httpx.get(f"{url}/readiness").status_code == 200
    except httpx.TransportError:
        return False


def test_the_image_serves_unprivileged_on_a_read_only_file_system(container: tuple[str, Path]) -> None:
    url, log = container
    audio = (ROOT / "examples/order-vi.wav").read_bytes()
    with httpx.Client(base_url=f"{url}/api/v1/voice", headers=KEYS, timeout=60) as client:
        # A form, because a form parser could spool the file to disk.
        speech = client.post("/speech", files={"file": ("order.wav", audio, "audio/wav")}, data={"language": "vi"})
        assert speech.status_code == 200, speech.text
        assert speech.json()["data"]["text"]
        order_id = "0b0e4c1e-9f57-4a3e-8a44-5d2f3c1b7a90"
        order = {"menu": "quan-nha", "lines": [{"item": "nuoc-cam"}]}
        assert client.put(f"/order/{order_id}", json=order).status_code == 201
        assert client.get(f"/order/{order_id}").status_code == 200
    assert not re.search(r"Traceback|Read-only file system|Permission denied", log.read_text())
