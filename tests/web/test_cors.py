"""Cross-origin requests of browsers, through HTTP."""

import httpx
import pytest

from app import create_app
from tests.conftest import SETTINGS
from tests.web.routes import ORDER

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def cross_origin_app():
    origins = {"cors_origins": ("https://shop.example",), "cors_origins_regex": r"https://[a-z]+\.pos\.example"}
    return create_app(SETTINGS.model_copy(update=origins))


@pytest.fixture
def crossed(state, cross_origin_app):
    """Call an application that one browser origin may call."""

    def call(origin: str, method: str = "GET", path: str = "/healthcheck", **headers: str):
        async def application(scope, receive, send):
            scope["state"] = dict(state)
            await cross_origin_app(scope, receive, send)

        client = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://voice.test")
        return client.request(method, path, headers={"Origin": origin, **headers})

    return call


@pytest.mark.parametrize("origin", ["https://shop.example", "https://a.pos.example"])
async def test_a_configured_origin_may_call(crossed, client, origin):
    await client.get("/healthcheck")
    response = await crossed(origin)
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-credentials"] == "true"
    preflight = await crossed(origin, "OPTIONS", ORDER, **{"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == preflight.json()["code"] == 200
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert "X-Secret-Key" in preflight.headers["access-control-allow-headers"]
    assert preflight.headers["x-request-id"]


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "https://shop.example.evil.example", "https://a.pos.example.evil.example", "http://shop.example"],
)
async def test_another_origin_gets_no_allowing_header(crossed, client, origin):
    await client.get("/healthcheck")
    for response in (
        await crossed(origin),
        await crossed(origin, "OPTIONS", ORDER, **{"Access-Control-Request-Method": "POST"}),
        await crossed(origin, "POST", ORDER),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-allow")]
        assert response.headers["vary"] == "Origin"
        assert set(response.json()) == {"code", "msg", "data"}


async def test_an_error_has_the_headers_of_an_allowed_origin_too(crossed, client):
    await client.get("/healthcheck")
    response = await crossed("https://shop.example", "POST", ORDER)
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (401, "https://shop.example")


async def test_without_the_setting_no_origin_may_call(client):
    response = await client.get("/healthcheck", headers={"Origin": "https://shop.example"})
    assert not [name for name in response.headers if name.startswith("access-control")]
