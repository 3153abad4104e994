"""What is written about a request, and what never is."""

import fcntl
import io
import json
import logging
import logging.config
import os
import signal
from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest

from errors import Overloaded
from tests.conftest import client_of
from tests.servers import Server
from web import server

pytestmark = pytest.mark.anyio

CANARY = "canary-0b1f2e"


@pytest.fixture
def lines():
    """Collect every line that the service would write with LOG_LEVEL=DEBUG."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(server.JsonFormatter())
    root, voice = logging.getLogger(), logging.getLogger("voice")
    before = root.level, voice.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)  # as `log_config` has it for other people's loggers
    voice.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    root.removeHandler(handler)
    root.setLevel(before[0])
    voice.setLevel(before[1])


class Heard:
    """A recogniser that hears a secret, or fails over one."""

    ready = True

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def transcribe(self, *_, **__):
        if self.error is not None:
            raise self.error
        return {"text": CANARY, "language": "vi", "language_confidence": None, "duration_s": 1.0, "segments": [], "processing_ms": 1.0}


async def test_neither_secrets_nor_what_was_said_is_written_anywhere(state, lines):
    json_type = {"Content-Type": "application/json"}
    async with client_of(state, recogniser=Heard()) as client:
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
    async with client_of(state, recogniser=Heard(RuntimeError(CANARY))) as client:
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


async def test_an_unforeseen_failure_is_written_with_its_type_and_place_under_the_requests_id(state, lines):
    async with client_of(state, recogniser=Heard(RuntimeError(CANARY))) as client:
        response = await client.post("/api/v1/voice/speech", json={"audio": "AAAA"})
    (failure,) = (line for line in lines() if line["level"] == "ERROR")
    assert failure["request_id"] == response.json()["data"]["request_id"]
    assert failure["exception"][0] == "builtins.RuntimeError"
    assert any("transcribe" in place for place in failure["exception"])


def test_the_causes_of_a_failure_are_named():
    def fail() -> None:
        try:
            dict[str, str]()[CANARY]
        except KeyError as error:
            raise ValueError(CANARY) from error

    with pytest.raises(ValueError, match=CANARY) as raised:
        fail()
    written = server.traceback_of(raised.value)
    assert [line for line in written if not line.startswith(" ")] == ["builtins.ValueError", "builtins.KeyError"]
    assert CANARY not in "".join(written)


def test_what_a_message_of_our_own_says_is_written():
    assert server.traceback_of(Overloaded(1, "The models are away.")) == ["errors.Overloaded: The models are away."]


def test_the_logging_set_up_is_one_that_python_takes(capfd):
    loggers = [logging.getLogger(name) for name in ("", "voice", "uvicorn")]
    before, on_sigterm = [(logger.level, list(logger.handlers)) for logger in loggers], signal.getsignal(signal.SIGTERM)
    try:
        logging.config.dictConfig(server.log_config("INFO"))
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
    return next(iter(server.DROPPED_LINES.collect())).samples[0].value


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe: where to read, where to write."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_lines_come_out_whole_and_in_order(pipe):
    reader, writer = pipe
    handler = server.LineHandler(writer)
    texts = [str(number) * 100 for number in range(100)]
    for text in texts:
        handler.emit(record_of(text))
    handler.flush()
    assert os.read(reader, 100_000).decode().splitlines() == texts


def test_a_reader_that_stalls_costs_the_lines_that_do_not_fit_and_nothing_else(pipe, monkeypatch):
    monkeypatch.setattr(server, "MAX_WAITING_LINES", 50)
    monkeypatch.setattr(server, "FLUSH_S", 0.05)
    reader, writer = pipe
    capacity = fcntl.fcntl(writer, fcntl.F_GETPIPE_SZ)
    handler, before, n_lines = server.LineHandler(writer), dropped(), 2 * capacity // 1000
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


def test_a_reader_that_has_gone_costs_its_lines():
    reader, writer = os.pipe()
    os.close(reader)
    handler, before = server.LineHandler(writer), dropped()
    for _ in range(3):
        handler.emit(record_of("x"))
    handler.flush()
    os.close(writer)
    assert dropped() == before + 3


def test_a_descriptor_that_does_not_block_is_waited_for(pipe, monkeypatch):
    reader, writer = pipe
    os.set_blocking(writer, False)
    full = os.write(writer, bytes(1 << 20))
    handler, before = server.LineHandler(writer), dropped()
    handler.emit(record_of("x"))
    monkeypatch.setattr(server, "FLUSH_S", 0.05)
    handler.flush()
    assert (len(os.read(reader, full)), os.read(reader, 10), dropped()) == (full, b"x\n", before)


STALLED = """
import app
from web import server
server.MAX_WAITING_LINES = 20
server.run("app:app", app.settings)
"""


def test_a_service_whose_log_is_not_read_answers_counts_and_stops_when_told(tmp_path, pipe):
    reader, writer = pipe
    service = Server(tmp_path, {"DRAIN_SECONDS": "0"}, STALLED, out=writer)
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


SLOW = """
import time, app
from web import server

class SlowHandler(server.LineHandler):
    def write(self, data):
        time.sleep(0.1)
        super().write(data)

server.LineHandler = SlowHandler
server.run("app:app", app.settings)
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 0)])
def test_the_last_lines_are_written_before_the_process_ends(tmp_path, number, status):
    service = Server(tmp_path, {"DRAIN_SECONDS": "0"}, SLOW)
    service.signal(number)
    assert service.process.wait(20) == status
    assert [json.loads(line)["message"].split(" [")[0] for line in service.log().splitlines()][-2:] == [
        "Application shutdown complete.",
        "Finished server process",
    ]
