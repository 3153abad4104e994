"""The models come out of the wheels whole, once, and never by halves."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voice.asr import model_files
from voice.asr.model_files import ModelMissing, conformer_directory, new_file, whisper_directory


def set_up(directory):
    return whisper_directory("base", directory), conformer_directory("conformer", directory)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Set up by two at the same time."""
    directory = tmp_path_factory.mktemp("models")
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(set_up, (directory, directory))
    assert first == second
    return directory


def test_both_models_are_whole_and_nothing_else_is_left(directory):
    assert model_files.sha256(directory / "whisper-base" / "model.bin") == model_files.WHISPER_SHA256
    assert model_files.sha256(directory / "conformer-vi" / "model.onnx") == model_files.CONFORMER_SHA256
    files = {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
    assert files == {
        "whisper-base/config.json",
        "whisper-base/tokenizer.json",
        "whisper-base/vocabulary.txt",
        "whisper-base/model.bin",
        "conformer-vi/model.onnx",
        "conformer-vi/tokens.txt",
    }


def test_the_library_that_carries_the_model_is_never_loaded(directory):
    assert directory.is_dir()
    assert "vietasr" not in sys.modules
    maps = Path("/proc/self/maps")
    assert not maps.exists() or "libvietasr" not in maps.read_text()


def test_what_is_whole_is_left_alone_and_what_is_broken_is_made_anew(directory):
    whole, broken = directory / "whisper-base" / "model.bin", directory / "conformer-vi" / "tokens.txt"
    before = whole.stat().st_mtime_ns
    broken.write_bytes(b"half")
    set_up(directory)
    assert whole.stat().st_mtime_ns == before
    assert model_files.sha256(broken) == model_files.TOKENS_SHA256


def test_a_file_that_is_not_what_was_expected_leaves_no_trace(tmp_path):
    with pytest.raises(ModelMissing), new_file(tmp_path / "model.bin", "0" * 64) as file:
        file.write(b"another")
    assert not list(tmp_path.iterdir())


def test_a_writer_that_fails_leaves_no_trace(tmp_path):
    def write():
        with new_file(tmp_path / "model.bin", "0" * 64):
            message = "disk full"
            raise OSError(message)

    with pytest.raises(OSError, match="full"):
        write()
    assert not list(tmp_path.iterdir())


def test_a_name_may_be_a_directory_of_ones_own(tmp_path, directory):
    assert whisper_directory(str(tmp_path), directory) == tmp_path
    assert whisper_directory("base", directory) == directory / "whisper-base"
    assert conformer_directory(str(directory / "conformer-vi"), tmp_path) == directory / "conformer-vi"
    assert conformer_directory("whisper", directory) is None


@pytest.mark.parametrize("find", [whisper_directory, conformer_directory])
def test_a_name_of_nothing_is_refused_and_nothing_is_downloaded(find, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelMissing, match="SPEECH_MODEL"):
        find("no-such-model", tmp_path)
