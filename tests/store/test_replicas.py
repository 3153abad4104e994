"""Servers that share one Valkey and one PostgreSQL, which may fail."""

import asyncio
import contextlib
import signal
from uuid import uuid4

import httpx
import pytest

from tests.balancer import Balancer
from tests.conftest import KEYS
from tests.servers import Server

pytestmark = pytest.mark.anyio

ORDER, RECOMMEND, MENUS = "/api/v1/voice/order", "/api/v1/voice/recommend_order", "/api/v1/voice/menus"
BODY = {"menu": "quan-nha", "lines": [{"item": "ca-phe-muoi"}, {"item": "banh-mi-thit-nuong"}]}


# Readiness waits for the speech models, which take longer to load than the whole test.
WITHOUT_SPEECH = """
import app
from web import server
app.Recogniser.load = lambda recogniser: setattr(recogniser, "ready", True)
server.run("app:app", app.settings)
"""


@contextlib.contextmanager
def replicas(tmp_path, **environment: str):
    """Start two servers with the same settings."""
    both = []
    try:
        for name in ("one", "other"):
            (tmp_path / name).mkdir(exist_ok=True)
            both.append(Server(tmp_path / name, environment))
        yield both
    finally:
        for server in both:
            server.stop()


def client_of(server: Server) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=server.url, headers=KEYS, timeout=20)


async def eventually(condition, within_s: float = 30) -> None:
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - another process sets it
            await asyncio.sleep(0.5)


async def test_replicas_share_limits_orders_tokens_and_suggestions(tmp_path, valkey, postgres_url):
    with replicas(tmp_path, RATE_LIMIT_STORAGE_URI=valkey.url, DATABASE_URL=postgres_url, RATE_LIMIT="100/minute") as (one, other):
        async with client_of(one) as first, client_of(other) as second:
            path = f"{ORDER}/{uuid4()}"
            assert (await first.put(path, json=BODY)).status_code == 201
            assert (await second.put(path, json=BODY)).status_code == 200
            assert (await second.get(path)).json()["data"] == (await first.get(path)).json()["data"]

            async def both_suggest_the_item() -> bool:
                asked = {"menu": "quan-nha", "items": [{"item": "ca-phe-muoi"}], "limit": 1}
                replies = [(await client.post(RECOMMEND, json=asked)).json()["data"] for client in (first, second)]
                return [reply["items"][0]["item"] for reply in replies] == ["banh-mi-thit-nuong"] * 2

            await eventually(both_suggest_the_item)
            tokens = (await first.post("/api/v1/auth/token", json={"secret_id": "demo", "secret_key": "demo-secret"})).json()["data"]
            assert (await second.get(MENUS, headers={"Authorization": f"Bearer {tokens['access_token']}"})).status_code == 200
            renewals = [client.post("/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}) for client in (first, second)]
            assert sorted(reply.status_code for reply in await asyncio.gather(*renewals)) == [200, 401]

            valkey.ask(b"FLUSHALL\r\n")
            replies = await asyncio.gather(*(client.get(MENUS) for client in (first, second) for _ in range(80)))
            assert sorted(reply.status_code for reply in replies) == [200] * 100 + [429] * 60


async def test_while_the_shared_storages_are_down_other_routes_work_and_they_are_used_again_afterwards(tmp_path, valkey, postgres):
    with replicas(tmp_path, RATE_LIMIT_STORAGE_URI=valkey.url, DATABASE_URL=postgres.url()) as (one, _):
        async with client_of(one) as client:
            assert (await client.put(f"{ORDER}/{uuid4()}", json=BODY)).status_code == 201
            valkey.kill()
            postgres.kill()
            failed = await client.put(f"{ORDER}/{uuid4()}", json=BODY)
            assert (failed.status_code, failed.json()["data"]["error"]) == (503, "OVERLOADED")
            assert int(failed.headers["retry-after"]) >= 1
            assert (await client.post(ORDER, json={"text": "một cà phê sữa"})).status_code == 200
            assert (await client.post(RECOMMEND, json={"menu": "quan-nha", "items": []})).status_code == 200
            assert (await client.get("/healthcheck")).status_code == 200
            ready = await client.get("/readiness")
            assert (ready.status_code, ready.json()["data"]["checks"]["store"]) == (503, False)
            valkey.start()
            postgres.start()

            async def is_stored() -> bool:
                return (await client.put(f"{ORDER}/{uuid4()}", json=BODY)).status_code == 201

            await eventually(is_stored)
        assert "Traceback" not in one.log()


async def test_a_rolling_restart_behind_a_balancer_fails_no_request(tmp_path, valkey, postgres_url):
    environment = {"RATE_LIMIT_STORAGE_URI": valkey.url, "DATABASE_URL": postgres_url, "DRAIN_SECONDS": "4"}
    running: list[Server] = []
    answered: set[str] = set()
    acknowledged: list[str] = []
    is_running = True

    async def start(balancer: Balancer) -> None:
        running.append(await asyncio.to_thread(Server, tmp_path, environment, WITHOUT_SPEECH))
        balancer.backends = [*balancer.backends, running[-1].port]
        await balancer.until_ready(running[-1].port)

    async def call(client: httpx.AsyncClient) -> None:
        while is_running:
            order_id = str(uuid4())
            for reply in (
                await client.post(ORDER, json={"text": "một cà phê sữa"}),
                await client.put(f"{ORDER}/{order_id}", json=BODY),
                await client.post(RECOMMEND, json={"menu": "quan-nha", "items": []}),
            ):
                assert reply.status_code in (200, 201), reply.text
                answered.add(reply.headers["x-request-id"].partition("-")[0])
            acknowledged.append(order_id)
            await asyncio.sleep(0.3)

    try:
        # One connection a request, so that each goes to a server that is ready.
        async with Balancer() as balancer, httpx.AsyncClient(base_url=balancer.url, headers=KEYS | {"Connection": "close"}) as client:
            await asyncio.gather(start(balancer), start(balancer))
            calling = [asyncio.ensure_future(call(client)) for _ in range(3)]
            for old in running[:2]:
                await start(balancer)
                old.signal(signal.SIGTERM)
                assert await asyncio.to_thread(old.process.wait, 60) in (0, -signal.SIGTERM)
                balancer.backends = [port for port in balancer.backends if port != old.port]
            await asyncio.sleep(0.3)
            is_running = False
            await asyncio.gather(*calling)
            assert len(answered) == 4
            found = await asyncio.gather(*(client.get(f"{ORDER}/{order_id}") for order_id in acknowledged[::5]))
            assert {reply.status_code for reply in found} == {200}
    finally:
        for server in running:
            server.stop()
