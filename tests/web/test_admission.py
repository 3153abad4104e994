"""Scopes and rate limits of requests, through HTTP, and the order in which errors are detected."""

import asyncio
import math
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import pytest
from starlette.routing import Route

from tests.conftest import CLIENT_KEYS, KEYS, ROUTES, SOCKETS, client_of
from tests.web.routes import MENUS, ORDER
from web.element import ELEMENT_FILES
from web.facts import Facts
from web.live_socket import SCOPES as LIVE_SCOPES
from web.pages import PAGE_FILES
from web.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from web.endpoint import Endpoint

pytestmark = pytest.mark.anyio


def facts_of(route: Route) -> Facts:
    return cast("Endpoint", route.endpoint).facts


GUARDED = [route for route in ROUTES if facts_of(route).scope is not None]
OPEN = {
    "/healthcheck",
    "/api/v1/healthcheck",
    "/readiness",
    "/metrics",
    "/",
    "/api/v1/auth/token",
    "/api/v1/auth/refresh",
    "/api/v1/docs",
    "/api/v1/docs/openapi.json",
    "/api/v1/docs/redoc.standalone.js",
    "/api/v1/try",
    *(f"/api/v1/try/{name}" for name in PAGE_FILES),
    "/api/v1/voice-order.js",
    *(f"/api/v1/voice-order/{name}" for name in ELEMENT_FILES),
}


def path_of(route):
    return route.path.replace("{order_id}", str(uuid4())).replace("{menu}", "quan-nha").replace("{model}", "quan-nha")


def error_of(response):
    """Return the error word of a reply, in the envelope or in the form of another protocol."""
    body = response.json()
    return body["data"]["error"] if "data" in body else body["error"]["code"]


def method_of(route):
    return next(iter(route.methods - {"HEAD"}))


def test_only_these_routes_need_no_credentials():
    assert {route.path for route in ROUTES if facts_of(route).scope is None} == OPEN
    calls = {"calls/media", "calls/asterisk", "calls/relay", "calls/jambonz"}
    assert {route.path.removeprefix("/api/v1/voice/") for route in SOCKETS} == {"live", *calls}
    assert {"speech", "order"} == LIVE_SCOPES


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{method_of(route)} {route.path}")
async def test_guarded_routes_reject_missing_credentials(stranger, route):
    response = await stranger.request(method_of(route), path_of(route))
    assert (response.status_code, error_of(response)) == (401, "AUTHENTICATION_REQUIRED")
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scope", CLIENT_KEYS)
@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{method_of(route)} {route.path}")
async def test_each_route_rejects_other_scopes(state, route, scope):
    headers = {"X-Secret-Id": scope, "X-Secret-Key": CLIENT_KEYS[scope]}
    async with client_of(state, headers=headers) as client:
        response = await client.request(method_of(route), path_of(route))
    may = facts_of(route).scope in ("any", scope)
    assert (response.status_code == 403) is not may
    if not may:
        assert error_of(response) == "AUTHORIZATION_FAILED"


async def test_a_spoken_order_needs_the_speech_scope_too(state):
    async with client_of(state, headers={"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}) as client:
        response = await client.post("/api/v1/voice/order", json={"audio": "AAAA"})
    assert (response.status_code, response.json()["data"]["error"]) == (403, "AUTHORIZATION_FAILED")


@pytest.mark.parametrize("content_type", ["audio/wav", "multipart/form-data; boundary=x", "application/octet-stream", "audio/unknown"])
async def test_a_spoken_order_without_the_scope_is_rejected_before_its_body_is_read(state, content_type):
    async def body():
        pytest.fail("the body was read")
        yield b""

    headers = {"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"], "Content-Type": content_type}
    async with client_of(state, headers=headers) as client:
        response = await client.post(ORDER, content=body())
    assert (response.status_code, response.json()["data"]["error"]) == (403, "AUTHORIZATION_FAILED")


async def test_the_scope_of_a_spoken_order_is_checked_before_its_menu(state):
    async with client_of(state, headers={"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}) as client:
        response = await client.post(ORDER, json={"audio": "AAAA", "menu": "nope"})
    assert response.status_code == 403


async def test_errors_take_precedence_in_the_documented_order(state):
    path = "/api/v1/voice/recommend_order"
    wrong = {"X-Secret-Id": "order", "X-Secret-Key": CLIENT_KEYS["order"]}
    too_long = {"Content-Length": str(10**9)}
    async with client_of(state, headers={}) as client:
        assert (await client.post("/nope", headers=too_long)).status_code == 404
        assert (await client.post(path, headers=too_long)).status_code == 413
        assert (await client.post(path, content=b"{")).status_code == 401
        assert (await client.post(path, content=b"{", headers={"X-Secret-Id": "demo"})).status_code == 400
        assert (await client.post(path, content=b"{", headers=wrong)).status_code == 403
        assert (await client.post(path, content=b"{", headers=KEYS)).status_code == 415
        json_type = {**KEYS, "Content-Type": "application/json"}
        assert (await client.post(path, content=b"{", headers=json_type)).status_code == 400
        assert (await client.post(path, content=b"{}", headers=json_type)).status_code == 422
        assert (await client.post(path, content=b'{"menu": "x", "items": []}', headers=json_type)).status_code == 404


def limits(**changed: str) -> RateLimiter:
    return RateLimiter({"requests": "1000/minute", "speech": "1000/minute", "failed": "1000/minute"} | changed)


async def test_a_rejected_request_gets_retry_after_and_health_checks_are_not_limited(state):
    async with client_of(state, limiter=limits(requests="3/minute")) as client:
        replies = await asyncio.gather(*(client.get(MENUS) for _ in range(10)))
        assert sorted(reply.status_code for reply in replies) == [200] * 3 + [429] * 7
        refused = next(reply for reply in replies if reply.status_code == 429)
        assert refused.json()["data"]["error"] == "RATE_LIMITED"
        assert 1 <= int(refused.headers["retry-after"]) <= math.ceil(60)
        assert {(await client.get(path)).status_code for path in ("/healthcheck", "/api/v1/healthcheck", "/metrics")} == {200}


async def test_spoken_orders_count_against_the_limit_for_speech(state):
    async with client_of(state, limiter=limits(speech="1/minute")) as client:
        first = await client.post("/api/v1/voice/order", json={"audio": "AAAA"})
        assert first.status_code != 429
        assert (await client.post("/api/v1/voice/order", json={"audio": "AAAA"})).status_code == 429
        assert (await client.post("/api/v1/voice/speech", json={"audio": "AAAA"})).status_code == 429
        assert (await client.post("/api/v1/voice/order", json={"text": "một cà phê"})).status_code == 200


async def test_wrong_credentials_are_limited_by_address_and_correct_ones_are_not(state):
    limiter = limits(failed="5/minute")
    async with client_of(state, limiter=limiter) as client, client_of(state, address="10.9.8.7", limiter=limiter) as elsewhere:
        wrong = [await client.get(MENUS, headers={"X-Secret-Id": f"id-{n}", "X-Secret-Key": "a-wrong-key"}) for n in range(8)]
        assert [reply.status_code for reply in wrong] == [400] * 5 + [429] * 3
        token = await client.post("/api/v1/auth/token", json={"secret_id": "demo", "secret_key": "a-wrong-key"})
        assert token.status_code == 429
        forged = {"X-Secret-Id": "demo", "X-Secret-Key": "a-wrong-key", "X-Forwarded-For": "1.2.3.4"}
        assert (await client.get(MENUS, headers=forged)).status_code == 429
        assert (await client.get(MENUS, headers=KEYS)).status_code == 200
        assert (await elsewhere.get(MENUS, headers=forged)).status_code == 400
