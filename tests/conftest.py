import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from starlette.routing import Route, WebSocketRoute

from voice.orders import compiled
from web.auth import digest
from web.pages import openapi_document
from web.rate_limiter import RateLimiter

ROOT = Path(__file__).parent.parent
KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
MANY = "1000000/minute"
SCRATCH = tempfile.TemporaryDirectory()  # gone with this process
# Tokens of clients with one scope each; their digests are HMAC-SHA-256(key, id) as `python -m auth new-client` makes them.
CLIENT_KEYS = {scope: f"{scope}-key-for-tests" for scope in ("speech", "order", "recommend", "menu")}

CREDENTIALS = {scope: {"keys": [digest(scope.encode(), key.encode()).hex()], "scopes": [scope]} for scope, key in CLIENT_KEYS.items()}

if changed := compiled.stale():
    pytest.exit(f"Changed since it was compiled, so that the tests would try what is not written there: {changed}. `make .venv`", 2)

for name in [name for name in os.environ if name.lower() in ("credentials", "token_secret", "cors_origins", "trusted_proxies")]:
    del os.environ[name]
os.environ |= {
    "ENVIRONMENT": "TESTING",
    "CREDENTIALS": json.dumps(CREDENTIALS),
    "RATE_LIMIT": MANY,
    "RATE_LIMIT_SPEECH": MANY,
    "RATE_LIMIT_FAILED": MANY,
    "ACCESS_LOG": "on",
    "DATABASE_URL": f"sqlite+aiosqlite:///{SCRATCH.name}/voice.db",
}

# The environment is set: now the application may read it.
from app import create_app  # noqa: E402
from settings import Settings  # noqa: E402
from tests.adapters.lines import REFUSED_ID, telephone_settings  # noqa: E402
from tests.databases import database_url, postgres, postgres_url, sqlite_url  # noqa: E402, F401 - fixtures
from tests.servers import Server  # noqa: E402
from tests.valkeys import valkey  # noqa: E402, F401 - fixtures

SETTINGS = Settings()
APP = create_app(SETTINGS)
ROUTES = [route for route in APP.routes if isinstance(route, Route)]
SOCKETS = [route for route in APP.routes if isinstance(route, WebSocketRoute)]
REGISTRY = APP.state.metrics.registry


@pytest.fixture(scope="session")
def anyio_backend():
    return "asyncio"


@pytest.fixture(scope="session")
async def state():
    """What the lifespan opens."""
    async with APP.router.lifespan_context(APP) as state:
        yield state


class Declared(httpx.AsyncBaseTransport):
    """Calls the application in this process, and holds each reply against what the OpenAPI document declares for it."""

    def __init__(self, state: dict[str, Any], address: str = "127.0.0.1") -> None:
        async def application(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = dict(state)
            await APP(scope, receive, send)

        self.transport = httpx.ASGITransport(application, client=(address, 50000))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.transport.handle_async_request(request)
        await response.aread()
        check_reply(request, response)
        return response


DOCUMENT = openapi_document(APP)
PATHS = [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path) + "$"), path) for path in DOCUMENT["paths"]]
REPLIES: set[tuple[str, str, int, str | None]] = set()  # (method, path, status, error) of every checked reply


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what looks back on all other tests behind them."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


def check_reply(request: httpx.Request, response: httpx.Response) -> None:
    """Assert what holds for every reply, and what its operation declares."""
    headers = response.headers
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", headers["x-request-id"])
    assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    path = next((path for pattern, path in PATHS if pattern.match(request.url.path)), None)
    media_type = headers["content-type"].partition(";")[0]
    if request.method == "HEAD" or media_type != "application/json" or request.url.path.endswith("openapi.json"):
        return
    envelope = response.json()
    if request.url.path.startswith("/v1/"):
        assert (response.status_code >= 400) == (set(envelope) == {"error"})
        return
    assert set(envelope) == {"code", "msg", "data"}
    assert envelope["code"] == response.status_code
    assert envelope["msg"]
    error = envelope["data"].get("error")
    if response.status_code >= 400:
        assert envelope["data"]["request_id"] == headers["x-request-id"]
        assert ("errors" in envelope["data"]) == (response.status_code == 422)
    operation = DOCUMENT["paths"].get(path, {}).get(request.method.lower())
    if operation is None:
        return
    assert str(response.status_code) in operation["responses"], f"{request.method} {path} does not declare {envelope}"
    schema = operation["responses"][str(response.status_code)]["content"][media_type]["schema"]
    jsonschema.Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(envelope)
    REPLIES.add((request.method, path or "", response.status_code, error))


def client_of(
    state: Any, *, address: str = "127.0.0.1", headers: Any = None, limiter: RateLimiter | None = None, **changed: Any
) -> httpx.AsyncClient:
    """Return a client of the application in this process; `limiter` and `changed` replace parts of the state."""
    if limiter is not None:
        changed["admission"] = replace(state["admission"], limiter=limiter)
    return httpx.AsyncClient(
        transport=Declared({**state, **changed}, address), base_url="http://voice.test", headers=KEYS if headers is None else headers
    )


@pytest.fixture
async def client(state):
    """A client with all scopes."""
    async with client_of(state) as client:
        yield client


@pytest.fixture
async def stranger(state):
    """A client without credentials."""
    async with client_of(state, headers={}) as client:
        yield client


@pytest.fixture
def server(tmp_path) -> Iterator[Any]:
    """Start real servers: `server(RATE_LIMIT="5/minute")`."""
    started: list[Server] = []

    def start(**environment: str) -> Server:
        started.append(Server(tmp_path, environment))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture(scope="session")
def hearing_server(tmp_path_factory) -> Iterator[Server]:
    """A real server with the speech models, for all that speak to one; none of them may break it."""
    # A short queue: a test fills it, and what it filled it with has to be heard.
    environment = {
        "SPEECH_MODEL": "base",
        "SPEECH_MODEL_VI": "conformer",
        "SPEECH_QUEUE": "5",
        "MCP": "on",
        **telephone_settings(**{REFUSED_ID: {"client": "order"}}),
    }
    running = Server(tmp_path_factory.mktemp("hearing"), environment)
    try:
        running.wait_until(lambda: httpx.get(f"{running.url}/readiness").status_code == 200)
        running.wait_until(lambda: "voice loaded" in running.log())
        yield running
    finally:
        running.stop()
