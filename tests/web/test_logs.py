"""Log lines: their content, the secrets that they never contain, and readers that stall."""

import fcntl
import io
import json
import logging
import logging.config
import os
import signal
import time
from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from errors import Overloaded
from tests.conftest import client_of
from tests.servers import Server, program_with
from web import logs

pytestmark = pytest.mark.anyio

CANARY = "canary-0b1f2e"


@pytest.fixture
def lines():
    """Return a function that returns the lines that a service with LOG_LEVEL=DEBUG writes."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logs.JsonFormatter())
    root, voice = logging.getLogger(), logging.getLogger("voice")
    before = root.level, voice.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # as in `log_config`
    voice.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(before[0])
    voice.setLevel(before[1])


class FakeRecogniser:
    """A recogniser that returns a secret, or fails with one in its message."""

    ready = True

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def transcribe(self, *_, **__):
        if self.error is not None:
            raise self.error
        return {"text": CANARY, "language": "vi", "language_confidence": None, "duration_s": 1.0, "segments": [], "processing_ms": 1.0}


async def test_neither_secrets_nor_transcripts_are_logged(state, lines):
    json_type = {"Content-Type": "application/json"}
    async with client_of(state, recogniser=FakeRecogniser()) as client:
        order = await client.post("/api/v1/voice/order", json={"text": f"một {CANARY}", "menu": "quan-nha"})
        assert order.status_code == 200
        spoken = await client.post("/api/v1/voice/order", json={"audio": "AAAA", "menu": "quan-nha"})
        assert spoken.json()["data"]["transcript"]["text"] == CANARY
        refusals = [
            await client.get("/api/v1/voice/menus", headers={"X-Secret-Key": f"{CANARY}-key"}),
            await client.get("/api/v1/voice/menus", headers={"X-Secret-Id": f"{CANARY}-id"}),
            await client.post("/api/v1/auth/token", json={"secret_id": "demo", "secret_key": f"{CANARY}-key"}),
            await client.post("/api/v1/auth/refresh", json={"refresh_token": f"{CANARY}.{CANARY}.{CANARY}"}),
            await client.post("/api/v1/voice/order", content=f'{{"text": "{CANARY}"'.encode(), headers=json_type),
            await client.post("/api/v1/voice/order", json={"text": 5, "audio": f"{CANARY}!", "language": CANARY}),
            await client.post(f"/api/v1/voice/speech?language={CANARY}", content=CANARY.encode(), headers={"Content-Type": "audio/wav"}),
            await client.post("/api/v1/voice/speech", content=CANARY.encode(), headers={"Content-Type": f"audio/{CANARY}"}),
            await client.get(f"/{CANARY}?secret={CANARY}"),
            await client.get(f"/api/v1/voice/menus/{CANARY}"),
        ]
        metrics = (await client.get("/metrics")).text
    async with client_of(state, headers={"Authorization": f"Bearer {CANARY}"}) as client:
        refusals.append(await client.get("/api/v1/voice/menus"))
    async with client_of(state, recogniser=FakeRecogniser(RuntimeError(CANARY))) as client:
        refusals.append(await client.post("/api/v1/voice/speech", json={"audio": "AAAA"}))
    assert all(refusal.status_code >= 400 for refusal in refusals)
    assert not [refusal.text for refusal in refusals if CANARY in refusal.text + str(refusal.headers)]
    assert CANARY not in metrics
    written = [line for line in lines() if CANARY in json.dumps(line, ensure_ascii=False)]
    assert written == []
    assert "demo-secret" not in json.dumps(lines())


async def test_each_request_leaves_one_access_record(client, stranger, lines):
    response = await client.get("/api/v1/voice/menus", headers={"X-Request-ID": "my-id"})
    await stranger.get("/nope")
    first, second = (line for line in lines() if line["logger"] == "voice.http")
    assert response.status_code == 200
    assert first["request_id"] == "my-id"
    assert (first["method"], first["route"], first["status"], first["client"]) == ("GET", "/api/v1/voice/menus", 200, "demo")
    assert first["address"] == "127.0.0.1"
    assert first["duration_ms"] > 0
    assert datetime.fromisoformat(first["at"])
    assert (second["route"], second["status"], second["client"]) == ("none", 404, None)


async def test_an_unexpected_error_is_logged_with_its_type_place_and_request_id(state, lines):
    async with client_of(state, recogniser=FakeRecogniser(RuntimeError(CANARY))) as client:
        response = await client.post("/api/v1/voice/speech", json={"audio": "AAAA"})
    (failure,) = (line for line in lines() if line["level"] == "ERROR")
    assert failure["request_id"] == response.json()["data"]["request_id"]
    assert failure["exception"][0] == "builtins.RuntimeError"
    assert any("transcribe" in place for place in failure["exception"])


def test_the_causes_of_an_error_are_logged():
    def fail() -> None:
        try:
            dict[str, str]()[CANARY]
        except KeyError as error:
            raise ValueError(CANARY) from error

    with pytest.raises(ValueError, match=CANARY) as raised:
        fail()
    written = logs.traceback_lines(raised.value)
    assert [line for line in written if not line.startswith(" ")] == ["builtins.ValueError", "builtins.KeyError"]
    assert CANARY not in "".join(written)


def test_the_message_of_our_own_error_is_logged():
    assert logs.traceback_lines(Overloaded(1, "The models are away.")) == ["errors.Overloaded: The models are away."]


def test_the_log_config_is_valid(capfd):
    loggers = [logging.getLogger(name) for name in ("", "voice", "uvicorn")]
    before, on_sigterm = [(logger.level, list(logger.handlers)) for logger in loggers], signal.getsignal(signal.SIGTERM)
    try:
        logging.config.dictConfig(logs.log_config("INFO"))
        logging.getLogger("voice.test").info("something", extra={"n": 1})
        (handler,) = logging.getLogger().handlers
        handler.flush()
        written = json.loads(capfd.readouterr().out)
    finally:
        signal.signal(signal.SIGTERM, on_sigterm)
        for logger, (level, handlers) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.handlers[:] = handlers
    assert (written["message"], written["n"], written["level"]) == ("something", 1, "INFO")


# --- Readers that stall -------------------------------------------------------------------------------------------------------------


def record_of(text: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": text})


def dropped() -> float:
    return next(iter(logs.DROPPED_LINES.collect())).samples[0].value


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: its reading and its writing end."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_are_written_completely_and_in_order(pipe):
    reader, writer = pipe
    handler = logs.LineHandler(writer)
    texts = [str(number) * 100 for number in range(100)]
    for text in texts:
        handler.emit(record_of(text))
    handler.flush()
    assert os.read(reader, 100_000).decode().splitlines() == texts


def test_a_stalled_reader_costs_only_the_lines_that_do_not_fit(pipe):
    reader, writer = pipe
    capacity = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    handler = logs.LineHandler(writer, max_waiting_lines=50, flush_s=0.05)
    before, n_lines = dropped(), 2 * capacity // 1000
    for number in range(n_lines):  # returns, though nobody reads
        handler.emit(record_of(f"{number:0999}"))
    handler.flush()
    n_dropped = int(dropped() - before)
    assert 0 < n_dropped < n_lines
    received = b""
    while received.count(b"\n") < n_lines - n_dropped:
        received += os.read(reader, 65_536)
    assert [int(line) for line in received.splitlines()] == sorted({int(line) for line in received.splitlines()})
    handler.emit(record_of("again"))
    assert os.read(reader, 65_536) == b"again\n"


def test_a_closed_reader_costs_its_lines():
    reader, writer = os.pipe()
    os.close(reader)
    handler, before = logs.LineHandler(writer), dropped()
    for _ in range(3):
        handler.emit(record_of("x"))
    handler.flush()
    os.close(writer)
    assert dropped() == before + 3


def test_a_full_non_blocking_descriptor_is_waited_for(pipe):
    reader, writer = pipe
    os.set_blocking(writer, False)
    full = os.write(writer, bytes(1 << 20))
    handler, before = logs.LineHandler(writer, flush_s=0.05), dropped()
    handler.emit(record_of("x"))
    handler.flush()
    assert (len(os.read(reader, full)), os.read(reader, 10), dropped()) == (full, b"x\n", before)


def test_a_service_with_a_stalled_log_reader_replies_counts_lines_and_stops(tmp_path, pipe):
    reader, writer = pipe
    service = Server(tmp_path, {"DRAIN_SECONDS": "0"}, program_with(max_waiting_lines=20), out=writer)
    try:
        with httpx.Client(base_url=service.url, timeout=10) as client:
            for _ in range(fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ) // 200):
                assert client.get("/healthcheck").status_code == 200
            metrics = client.get("/metrics").text
        service.signal(signal.SIGTERM)
        assert service.process.wait(20) == -signal.SIGTERM
    finally:
        service.stop()
    (line,) = [line for line in metrics.splitlines() if line.startswith("voice_log_dropped_lines_total ")]
    assert float(line.split()[1]) > 0
    assert os.read(reader, 10)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)])
def test_the_last_lines_are_written_before_the_process_ends(tmp_path, number, status):
    """The pipe is full at the signal and then read slowly, so that without a flush the last lines would be lost."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    service = Server(tmp_path, {"DRAIN_SECONDS": "0"}, program_with(flush_s=20), out=writer)
    os.close(writer)
    try:
        for _ in range(60):
            assert httpx.get(f"{service.url}/healthcheck").status_code == 200
        service.signal(number)
        received = b""
        while some := os.read(reader, 512):
            received += some
            time.sleep(0.02)
        assert service.process.wait(20) == status
    finally:
        os.close(reader)
        service.stop()
    assert [json.loads(line)["message"].split(" [")[0] for line in received.splitlines()][-2:] == [
        "Application shutdown complete.",
        "Finished server process",
    ]
