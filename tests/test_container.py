"""The container's start command as the image runs it: no rights, nothing writable but its data and /tmp.

Without a container engine: a mount namespace makes the file system read-only, and all capabilities are dropped.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from settings import ROOT
from tests.conftest import KEYS

NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
READ_ONLY = "mount -o remount,ro,bind /"
READY_S = 60.0


def may_make_namespaces() -> bool:
    """Tell whether this user may make the file system read-only for a process."""
    if not (shutil.which("unshare") and shutil.which("setpriv") and shutil.which("mount")):
        return False
    return subprocess.run([*NAMESPACE, "sh", "-c", READ_ONLY], capture_output=True, check=False).returncode == 0  # noqa: S603


@pytest.fixture
def container(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Start the image's command; yield where it serves, and its log."""
    if not may_make_namespaces():
        pytest.skip("mount namespaces are not permitted here")
    start = re.search(r'^CMD \["python", "(.+)"\]$', (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert start is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, log = tmp_path / "data", tmp_path / "log"
    data.mkdir()
    steps = [
        f"mount --bind {shlex.quote(str(ROOT))} {shlex.quote(str(ROOT))}",  # it may lie on another file system than /
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
    """Tell whether it takes requests."""
    try:
        return httpx.get(f"{url}/readiness").status_code == 200
    except httpx.TransportError:
        return False


def test_it_serves_without_rights_on_a_read_only_file_system(container: tuple[str, Path]) -> None:
    url, log = container
    audio = (ROOT / "examples/order-vi.wav").read_bytes()
    with httpx.Client(base_url=f"{url}/api/v1/voice", headers=KEYS, timeout=60) as client:
        # A form is where a file would be spooled to disk.
        heard = client.post("/speech", files={"file": ("order.wav", audio, "audio/wav")}, data={"language": "vi"})
        assert heard.status_code == 200, heard.text
        assert heard.json()["data"]["text"]
        order_id = "0b0e4c1e-9f57-4a3e-8a44-5d2f3c1b7a90"
        order = {"menu": "quan-nha", "lines": [{"item": "nuoc-cam"}]}
        assert client.put(f"/order/{order_id}", json=order).status_code == 201
        assert client.get(f"/order/{order_id}").status_code == 200
    assert not re.search(r"Traceback|Read-only file system|Permission denied", log.read_text())
