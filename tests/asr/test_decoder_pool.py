"""What a file makes of libav is bounded, in a process of its own: memory, time, and whom it holds up."""

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
from tests.asr.test_audio import UNDECLARED
from tests.asr.test_recogniser import recogniser_with, until
from tests.expanding import CLIP, WITH_TAGS, flac_with_picture, index_of
from voice.asr import decoder_pool, media
from voice.asr.audio import Media, unpack
from voice.asr.decoder_pool import Decoders


def asked(audio, **declared):
    unpacked = unpack(audio, **(UNDECLARED | declared))
    assert isinstance(unpacked, Media)
    return unpacked


@pytest.fixture
def pool():
    made = Decoders(1)
    yield made
    made.close()


def process_of(pool):
    (child,) = pool._children  # noqa: SLF001 - a pool does not tell whom it works with
    return child._process  # noqa: SLF001


# --- Files that expand --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("container", WITH_TAGS)
def test_a_file_whose_head_takes_too_long_is_refused_in_every_container_and_the_next_is_decoded(pool, container):
    assert pool.decode(asked(WITH_TAGS[container](10)), max_audio_s=30).size
    head = asked(WITH_TAGS[container](80_000))  # ten seconds and more
    with pytest.raises(AudioInvalid, match="too long to decode"):
        pool.decode(head, max_audio_s=30)
    assert pool.decode(asked(CLIP), max_audio_s=30).size == 8000


def test_an_index_that_expands_is_stopped_by_the_childs_memory_limit(pool):
    with pytest.raises(AudioInvalid):
        pool.decode(asked(index_of(60_000_000)), max_audio_s=30)
    process = process_of(pool)
    assert process.poll() is None
    assert pool.decode(asked(CLIP), max_audio_s=30).size == 8000
    assert process_of(pool) is process


def test_a_childs_limits_follow_from_the_received_bytes_and_the_allowed_length(monkeypatch):
    limits: list[int] = []
    timers: list[float] = []
    monkeypatch.setattr(decoder_pool, "_limit_data", limits.append)
    monkeypatch.setattr(signal, "setitimer", lambda _, seconds: timers.append(seconds))
    header = {**asked(CLIP)._asdict(), "audio": len(CLIP), "max_audio_s": 300}
    kind, samples = decoder_pool.answer(header, CLIP, 20 * 2**20)
    assert (kind, len(samples)) == (0, 8000 * 4)
    assert 2 * len(CLIP) < limits[0] - 20 * 2**20 < 2 * len(CLIP) + 110 * 2**20
    assert timers == [1.0, 7.0, 0]


def test_a_picture_in_a_file_is_not_decoded(pool):
    assert not {"png", "mjpeg", "h264", "vp9"} & set(media._OPTIONS["codec_whitelist"].split(","))  # noqa: SLF001 - libav's option
    assert pool.decode(asked(flac_with_picture(2_000)), max_audio_s=30).size == 8000


# --- Children -----------------------------------------------------------------------------------------------------------------------


def test_a_child_decodes_as_this_process_does_and_says_what_it_refuses(pool):
    np.testing.assert_array_equal(pool.decode(asked(CLIP), max_audio_s=30), media.decode(asked(CLIP), max_audio_s=30))
    with pytest.raises(AudioTooLong, match=r"0\.2 s"):
        pool.decode(asked(CLIP), max_audio_s=0.2)
    with pytest.raises(AudioInvalid, match="8000 was declared, the audio has 16000"):
        pool.decode(asked(CLIP, sample_rate=8000), max_audio_s=30)
    with pytest.raises(AudioInvalid, match="cannot be decoded"):
        pool.decode(asked(b"fLaC" + bytes(range(256))), max_audio_s=30)


def test_a_child_that_was_killed_is_replaced_before_the_next_clip_and_during_one(pool):
    pool.start()
    first = process_of(pool)
    os.kill(first.pid, signal.SIGKILL)
    assert pool.decode(asked(CLIP), max_audio_s=30).size == 8000
    second = process_of(pool)
    assert second.pid != first.pid
    os.kill(second.pid, signal.SIGSTOP)
    killing = threading.Timer(0.3, os.kill, (second.pid, signal.SIGKILL))
    killing.start()
    assert pool.decode(asked(CLIP), max_audio_s=30).size == 8000
    killing.join()


def test_a_child_that_answers_nothing_is_replaced_at_its_deadline(pool, monkeypatch):
    pool.start()
    os.kill(process_of(pool).pid, signal.SIGSTOP)
    monkeypatch.setattr(decoder_pool, "DEADLINE_S", 0.2)
    with pytest.raises(Overloaded):
        pool.decode(asked(CLIP), max_audio_s=30)
    monkeypatch.setattr(decoder_pool, "DEADLINE_S", 20.0)
    assert pool.decode(asked(CLIP), max_audio_s=30).size == 8000


def test_a_child_gets_no_setting_and_no_secret(pool, monkeypatch):
    monkeypatch.setenv("TOKEN_SECRET", "canary")
    pool.start()
    environment = Path(f"/proc/{process_of(pool).pid}/environ").read_bytes()
    assert b"canary" not in environment
    assert {entry.split(b"=")[0].decode() for entry in environment.split(b"\0") if entry} <= {
        *decoder_pool.PASSED_ON,
        "OPENBLAS_NUM_THREADS",
    }


def test_children_end_with_their_pool_even_while_one_decodes_and_none_starts_afterwards():
    pool = Decoders(1)
    pool.start()
    process = process_of(pool)
    os.kill(process.pid, signal.SIGSTOP)
    failures: list[BaseException] = []

    def decode():
        try:
            pool.decode(asked(CLIP), max_audio_s=30)
        except Overloaded as error:
            failures.append(error)

    decoding = threading.Thread(target=decode)
    decoding.start()
    while pool._free.qsize():  # noqa: SLF001 - the child is lent out
        time.sleep(0.01)
    pool.close()
    decoding.join(10)
    assert process.poll() == -signal.SIGKILL
    assert len(failures) == 1
    with pytest.raises(Overloaded):
        pool.decode(asked(CLIP), max_audio_s=30)


def test_a_child_ends_when_its_server_was_killed():
    program = "import os, signal; from voice.asr.decoder_pool import Decoders; pool = Decoders(1); pool.start(); "
    program += "print(*[child._process.pid for child in pool._children], flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    server = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, timeout=30, check=False)  # noqa: S603 - ours
    child = int(server.stdout)
    deadline = time.monotonic() + 20
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes() and time.monotonic() < deadline:
        time.sleep(0.05)  # a zombie has no command line
    assert not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()


# --- Between clients ----------------------------------------------------------------------------------------------------------------


class Slow:
    """A pool whose children need as long as a test wants."""

    def __init__(self):
        self.leave, self.decoding, self.closed = threading.Event(), [], False

    def decode(self, asked, *, max_audio_s):
        self.decoding.append(asked.audio)
        if asked.audio.endswith(b"slow"):
            self.leave.wait(20)
        return media.decode(asked, max_audio_s=max_audio_s)

    def close(self):
        self.closed = True


def test_one_client_holds_one_decoder_even_if_it_hangs_up():
    async def run():
        pool, made = Slow(), recogniser_with()
        made._media_decoders = pool  # noqa: SLF001 - the seam between recogniser and processes
        made.ready = True
        made._whisper = Knowing()  # noqa: SLF001 - nothing is recognised here
        hostile = [asyncio.ensure_future(made.transcribe(CLIP + b"slow", client="a", language="en")) for _ in range(4)]
        await until(lambda: pool.decoding)
        hostile[0].cancel()
        await asyncio.sleep(0.05)
        waveform = await made._decode(asked(CLIP), "b")  # noqa: SLF001 - what comes after it needs an engine
        assert waveform.size == 8000
        assert pool.decoding == [CLIP + b"slow", CLIP]
        for work in hostile:
            work.cancel()
        pool.leave.set()
        await asyncio.gather(*hostile, return_exceptions=True)
        assert pool.decoding == [CLIP + b"slow", CLIP]
        assert not pool.closed
        made.close()
        assert pool.closed

    asyncio.run(run())


class Knowing:
    name, max_piece_s, max_batch = "none", 10.0, 1

    def check(self, languages: Any) -> None:
        """Know all."""
