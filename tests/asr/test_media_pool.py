"""Media is decoded in child processes with limits of memory and time, and one client does not block another."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from errors import AudioInvalid, AudioTooLong, Overloaded
from settings import ROOT
from tests.asr.audio_files import UNDECLARED
from tests.asr.recognisers import FakeEngine, recogniser_with, until
from tests.expanding import CLIP, WITH_TAGS, flac_with_picture, index_of
from voice.asr import media
from voice.asr.audio import unpack
from voice.asr.engine_selection import Engines
from voice.asr.media import Media
from voice.asr.media_pool import INHERITED_VARIABLES, MediaPool
from voice.asr.media_worker import MediaWorker, ReplyKind


def media_of(audio, **declared):
    unpacked = unpack(audio, **(UNDECLARED | declared))
    assert isinstance(unpacked, Media)
    return unpacked


@pytest.fixture
def pool():
    made = MediaPool(1)
    yield made
    made.close()


def pid_of(pool):
    (pid,) = pool.pids
    return pid


def runs(pid):
    """Return whether a process runs; a zombie has no command line."""
    command_line = Path(f"/proc/{pid}/cmdline")
    return command_line.exists() and bool(command_line.read_bytes())


# --- Files that expand --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", WITH_TAGS)
def test_a_file_whose_header_takes_too_long_is_rejected_and_the_next_is_decoded(pool, container):
    assert pool.decode(media_of(WITH_TAGS[container](10)), max_audio_s=30).size
    head = media_of(WITH_TAGS[container](80_000))  # ten seconds and more
    with pytest.raises(AudioInvalid, match="too long to decode"):
        pool.decode(head, max_audio_s=30)
    assert pool.decode(media_of(CLIP), max_audio_s=30).size == 8000


def test_an_index_that_expands_is_stopped_by_the_memory_limit(pool):
    with pytest.raises(AudioInvalid):
        pool.decode(media_of(index_of(60_000_000)), max_audio_s=30)
    pid = pid_of(pool)
    assert runs(pid)
    assert pool.decode(media_of(CLIP), max_audio_s=30).size == 8000
    assert pid_of(pool) == pid


class RecordingLimits:
    """Records the limits instead of setting them."""

    def __init__(self):
        self.memory, self.processor_time = [], []

    def set_memory(self, max_bytes):
        self.memory.append(max_bytes)

    def set_processor_time(self, max_s):
        self.processor_time.append(max_s)


def test_the_limits_follow_from_the_received_bytes_and_the_allowed_length():
    limits: Any = RecordingLimits()
    header = {**media_of(CLIP)._asdict(), "audio": len(CLIP), "max_audio_s": 300}
    kind, samples = MediaWorker(own_bytes=20 * 2**20, limits=limits).decode(header, CLIP)
    assert (kind, len(samples)) == (ReplyKind.WAVEFORM, 8000 * 4)
    assert len(limits.memory) == 1
    assert 2 * len(CLIP) < limits.memory[0] - 20 * 2**20 < 2 * len(CLIP) + 110 * 2**20
    assert limits.processor_time == [1.0, 7.0, 0]


def test_a_picture_in_a_file_is_not_decoded(pool):
    assert not {"png", "mjpeg", "h264", "vp9"} & set(media.LIBAV_OPTIONS["codec_whitelist"].split(","))
    assert pool.decode(media_of(flac_with_picture(2_000)), max_audio_s=30).size == 8000


# --- Processes ----------------------------------------------------------------------------------------------------------------------


def test_a_process_decodes_to_the_same_samples_and_reports_the_same_errors(pool):
    np.testing.assert_array_equal(pool.decode(media_of(CLIP), max_audio_s=30), media.decode(media_of(CLIP), max_audio_s=30))
    with pytest.raises(AudioTooLong, match=r"0\.2 s"):
        pool.decode(media_of(CLIP), max_audio_s=0.2)
    with pytest.raises(AudioInvalid, match="8000 was declared, the audio has 16000"):
        pool.decode(media_of(CLIP, sample_rate=8000), max_audio_s=30)
    with pytest.raises(AudioInvalid, match="cannot be decoded"):
        pool.decode(media_of(b"fLaC" + bytes(range(256))), max_audio_s=30)


def test_a_process_that_was_killed_is_replaced_before_a_clip_and_during_one(pool):
    pool.start()
    first = pid_of(pool)
    os.kill(first, signal.SIGKILL)
    assert pool.decode(media_of(CLIP), max_audio_s=30).size == 8000
    second = pid_of(pool)
    assert second != first
    os.kill(second, signal.SIGSTOP)
    killing = threading.Timer(0.3, os.kill, (second, signal.SIGKILL))
    killing.start()
    assert pool.decode(media_of(CLIP), max_audio_s=30).size == 8000
    killing.join()


def test_a_process_that_does_not_reply_in_time_is_replaced():
    pool = MediaPool(1, reply_timeout_s=5.0)
    pool.start()
    hanging = pid_of(pool)
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(Overloaded):
        pool.decode(media_of(CLIP), max_audio_s=30)
    assert not runs(hanging)
    assert pool.decode(media_of(CLIP), max_audio_s=30).size == 8000
    pool.close()


def test_a_process_gets_no_setting_and_no_secret(pool, monkeypatch):
    monkeypatch.setenv("TOKEN_SECRET", "canary")
    pool.decode(media_of(CLIP), max_audio_s=30)  # right after its start a process may have no environment yet
    environment = Path(f"/proc/{pid_of(pool)}/environ").read_bytes()
    assert b"OPENBLAS_NUM_THREADS=1" in environment
    assert b"canary" not in environment
    assert {entry.split(b"=")[0].decode() for entry in environment.split(b"\0") if entry} <= {
        *INHERITED_VARIABLES,
        "OPENBLAS_NUM_THREADS",
    }


def test_closing_the_pool_ends_a_busy_process_and_starts_no_other():
    pool = MediaPool(1)
    pool.start()
    pid = pid_of(pool)
    os.kill(pid, signal.SIGSTOP)
    failures: list[BaseException] = []

    def decode():
        try:
            pool.decode(media_of(CLIP), max_audio_s=30)
        except Overloaded as error:
            failures.append(error)

    decoding = threading.Thread(target=decode)
    decoding.start()
    while pool.n_free:
        time.sleep(0.01)
    pool.close()
    decoding.join(10)
    assert not runs(pid)
    assert len(failures) == 1
    with pytest.raises(Overloaded):
        pool.decode(media_of(CLIP), max_audio_s=30)


def test_a_process_ends_after_its_server_was_killed():
    program = "import os, signal; from voice.asr.media_pool import MediaPool; pool = MediaPool(1); pool.start(); "
    program += "print(*pool.pids, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    server = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=30, check=False)  # noqa: S603 - ours
    pid = int(server.stdout)
    deadline = time.monotonic() + 20
    while runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not runs(pid)


# --- Between clients ----------------------------------------------------------------------------------------------------------------


class SlowPool:
    """A pool that decodes clips ending in `slow` only once they are `released`."""

    def __init__(self):
        self.released, self.clips, self.is_closed = threading.Event(), [], False

    def decode(self, clip, *, max_audio_s):
        self.clips.append(clip.audio)
        if clip.audio.endswith(b"slow"):
            self.released.wait(20)
        return media.decode(clip, max_audio_s=max_audio_s)

    def close(self):
        self.is_closed = True


def test_a_client_occupies_one_process_even_after_it_has_disconnected():
    async def run():
        pool: Any = SlowPool()
        recogniser = recogniser_with(media_pool=pool)
        recogniser.start(Engines(FakeEngine()))
        hostile = [asyncio.ensure_future(recogniser.transcribe(CLIP + b"slow", client="a", language="en")) for _ in range(4)]
        await until(lambda: pool.clips)
        hostile[0].cancel()
        await asyncio.sleep(0.05)
        transcript = await recogniser.transcribe(CLIP, client="b", language="en")
        assert transcript["duration_s"] == 0.5
        assert pool.clips == [CLIP + b"slow", CLIP]
        for work in hostile:
            work.cancel()
        pool.released.set()
        await asyncio.gather(*hostile, return_exceptions=True)
        assert pool.clips == [CLIP + b"slow", CLIP]
        assert not pool.is_closed
        recogniser.close()
        assert pool.is_closed

    asyncio.run(run())
