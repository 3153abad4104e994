"""What is written about a request, and what never is."""

import io
import json
import logging
import logging.config
from datetime import datetime

import pytest

import server
from errors import Overloaded
from tests.conftest import client_of

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


def test_the_logging_set_up_is_one_that_python_takes(capsys):
    loggers = [logging.getLogger(name) for name in ("", "voice", "uvicorn")]
    before = [(logger.level, list(logger.handlers)) for logger in loggers]
    try:
        logging.config.dictConfig(server.log_config("INFO"))
        logging.getLogger("voice.test").info("something", extra={"n": 1})
        written = json.loads(capsys.readouterr().out)
    finally:
        for logger, (level, handlers) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.handlers[:] = handlers
    assert (written["message"], written["n"], written["level"]) == ("something", 1, "INFO")
