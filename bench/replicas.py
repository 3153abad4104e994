"""Print the delay until an order at one replica affects another's suggestions, and the exactness of their shared rate limit.

    .venv/bin/python -m bench.replicas [--rounds 20]

Starts two servers that share a PostgreSQL and a Valkey.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import httpx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.databases import Postgres  # noqa: E402 - the path is set above
from tests.servers import Server  # noqa: E402
from tests.valkeys import Valkey  # noqa: E402

KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
API = "/api/v1/voice"
LIMIT = 5000


async def seconds_until_suggested(one: httpx.AsyncClient, other: httpx.AsyncClient, customer_id: int) -> float:
    """Store a customer's first order at one replica; return the seconds until the other suggests its item to that customer."""
    order = {"menu": "quan-nha", "lines": [{"item": "sinh-to-bo"}], "customer_id": customer_id}
    asked = {"menu": "quan-nha", "items": [], "customer_id": customer_id}
    stored = await one.put(f"{API}/order/{uuid4()}", json=order)
    stored.raise_for_status()
    began_s = time.monotonic()
    while True:
        items = (await other.post(f"{API}/recommend_order", json=asked)).raise_for_status().json()["data"]["items"]
        if any(item["item"] == "sinh-to-bo" and item["reason"]["kind"] == "usual" for item in items):
            return time.monotonic() - began_s
        await asyncio.sleep(0.02)


async def measure(servers: list[Server], valkey: Valkey, rounds: int) -> None:
    """Measure both figures and print them."""
    async with (
        httpx.AsyncClient(base_url=servers[0].url, headers=KEYS, timeout=30) as one,
        httpx.AsyncClient(base_url=servers[1].url, headers=KEYS, timeout=30) as other,
    ):
        times_s = sorted([await seconds_until_suggested(one, other, 1000 + number) for number in range(rounds)])
        print(f"known  at the other replica after {statistics.median(times_s):.2f} s (median of {rounds}; slowest {times_s[-1]:.2f} s)")
        valkey.ask(b"FLUSHALL\r\n")
        passed = rejected = 0
        while not rejected:
            replies = await asyncio.gather(*(client.get(f"{API}/menus") for client in (one, other) for _ in range(50)))
            passed += sum(reply.status_code == HTTPStatus.OK for reply in replies)
            rejected += sum(reply.status_code == HTTPStatus.TOO_MANY_REQUESTS for reply in replies)
        print(f"limit  of {LIMIT} an hour, sent to both: {passed} passed, then {rejected} rejected")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    servers: list[Server] = []
    with tempfile.TemporaryDirectory(prefix="replicas-") as directory:
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - PostgreSQL runs as another user
        home = Path(directory) / "postgres"
        home.mkdir()
        postgres, valkey = Postgres(home), Valkey(Path(directory))
        try:
            postgres.start()
            valkey.start()
            settings = {"DATABASE_URL": postgres.url(), "RATE_LIMIT_STORAGE_URI": valkey.url, "RATE_LIMIT": f"{LIMIT}/hour"}
            for _ in range(2):
                servers.append(Server(Path(directory), {"ENVIRONMENT": "TESTING", "ACCESS_LOG": "off"} | settings))  # noqa: PERF401 - each is stopped
            asyncio.run(measure(servers, valkey, rounds))
        finally:
            for server in servers:
                server.stop()
            valkey.kill()
            postgres.stop()


if __name__ == "__main__":
    main()
