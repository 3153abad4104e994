"""Run mixed traffic against a server whose Valkey and PostgreSQL are killed and restarted twice each, and print the figures.

    .venv/bin/python -m bench.soak [--minutes 30] [--rate 1] [--no-speech]

Orders, speech, suggestions, tokens, stored orders, bad input and disconnects run concurrently, at a rate that does not saturate a busy
machine. Exits with status 1 if a reply was a 500 or not allowed by the contract, if an acknowledged order was lost or stored twice, if a
connection broke unexpectedly, or if memory, descriptors or threads grew. The recommender's counts grow by about a kilobyte an order.
"""

import argparse
import asyncio
import base64
import contextlib
import os
import random
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.databases import Postgres  # noqa: E402 - the path is set above
from tests.servers import Server  # noqa: E402
from tests.valkeys import Valkey  # noqa: E402

OK, BAD = HTTPStatus.OK, HTTPStatus.BAD_REQUEST
KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
API = "/api/v1/voice"
MENU = "quan-nha"
ITEMS = ("ca-phe-sua", "ca-phe-den", "banh-mi-op-la", "sinh-to-bo", "latte", "nuoc-cam")
SAID = (
    "cho mình hai ly cà phê sữa đá ít đường",
    "một bánh mì ốp la với một cà phê đen",
    "two large lattes with oat milk please",
    "ba ca phe sua, mot ly khong da",
    "à không, thêm một nước cam nữa",
    "hôm nay trời đẹp quá",
)
AUDIO = {name: (ROOT / "examples" / f"order-{name}.wav").read_bytes() for name in ("vi", "en")}
# The storage to kill and restart, and the time as a part of the duration.
OUTAGES = (("valkey", 0.25), ("postgres", 0.4), ("valkey", 0.55), ("postgres", 0.65))
# While PostgreSQL is down, and until the timeouts of the store have passed, the contract allows a 503.
OUTAGE_S = 2.0
SAMPLE_S = 1.0
# The compared parts of the duration: before the first outage with filled caches, and after the last with all storages in use.
BEFORE, AFTER = (0.1, OUTAGES[0][1]), (0.85, 1.0)
# The allocator returns memory late, and a sample may fall into a recognition.
MAX_GROWTH_BYTES, MAX_GROWTH_DESCRIPTORS, MAX_GROWTH_THREADS = 32 * 2**20, 4, 4
SLOWEST_SHOWN = 0.99


@dataclass(frozen=True, slots=True)
class Plan:
    """The duration, the rate, and whether the server loads the speech models."""

    seconds: float
    rate: float = 1.0
    speech: bool = True


@dataclass(slots=True)
class Tally:
    """Counts of the replies, and the failures."""

    answers: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)
    acknowledged: dict[str, int] = field(default_factory=dict)  # order id -> total
    hung_up: int = 0

    def add(self, kind: str, reply: httpx.Response, allowed: Sequence[int], seconds: float) -> None:
        """Count a reply, and compare its status with the allowed ones."""
        self.answers[kind][reply.status_code] += 1
        self.seconds[kind].append(seconds)
        if reply.status_code not in allowed:
            self.wrong.append(f"{kind}: {reply.status_code} {reply.json()['data'].get('error')}, not {allowed}")
        elif reply.status_code >= BAD and reply.json()["code"] != reply.status_code:
            self.wrong.append(f"{kind}: no envelope: {reply.text[:200]}")


class Callers:
    """The callers; each method is one round of one kind of caller."""

    def __init__(self, server: Server, tally: Tally, seed: int) -> None:
        self._url, self._port, self._tally = server.url, server.port, tally
        self._random = random.Random(seed)  # noqa: S311 - traffic, no secret
        self._client = httpx.AsyncClient(base_url=server.url, timeout=30)
        self._tokens: dict[str, str] | None = None

    async def close(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def _call(self, kind: str, method: str, path: str, allowed: Sequence[int], **how: Any) -> httpx.Response | None:
        began_s = time.perf_counter()
        try:
            reply = await self._client.request(method, path, **{"headers": KEYS, **how})
        except httpx.TransportError as error:
            self._tally.wrong.append(f"{kind}: {type(error).__name__}")
            return None
        self._tally.add(kind, reply, allowed, time.perf_counter() - began_s)
        return reply

    async def order(self) -> None:
        """Send an utterance, and a second one with the order of the first."""
        first = await self._call("order", "POST", f"{API}/order", [200], json={"text": self._random.choice(SAID), "menu": MENU})
        if first is not None and first.status_code == OK:
            more = {"text": self._random.choice(SAID), "menu": MENU, "lines": first.json()["data"]["lines"]}
            await self._call("order", "POST", f"{API}/order", [200], json=more)

    async def suggest(self) -> None:
        """Ask for suggestions for a basket."""
        basket = [{"item": item} for item in self._random.sample(ITEMS, 2)]
        await self._call("recommend", "POST", f"{API}/recommend_order", [200], json={"menu": MENU, "items": basket, "customer_id": 7})

    async def store(self) -> None:
        """Store an order, send it again, read it."""
        order_id = str(uuid4())
        body = {
            "menu": MENU,
            "lines": [{"item": item} for item in self._random.sample(ITEMS, 2)],
            "customer_id": self._random.randint(1, 99),
        }
        for _ in range(2):
            reply = await self._call("store", "PUT", f"{API}/order/{order_id}", [200, 201, 503], json=body)
            if reply is not None and reply.status_code in (200, 201):
                self._tally.acknowledged[order_id] = reply.json()["data"]["total"]
        known = order_id in self._tally.acknowledged
        found = await self._call("read", "GET", f"{API}/order/{order_id}", [200, 503] if known else [200, 404, 503])
        if known and found is not None and found.status_code == OK and found.json()["data"]["total"] != self._tally.acknowledged[order_id]:
            self._tally.wrong.append(f"read: {order_id} has another total")

    async def speak(self) -> None:
        """Send a recording, in one of the three forms, or as a spoken order."""
        language = self._random.choice(["vi", "en"])
        audio = AUDIO[language]
        fields = {"audio": base64.b64encode(audio).decode(), "language": language}
        how: dict[str, Any] = self._random.choice(
            [
                {
                    "path": f"{API}/speech",
                    "content": audio,
                    "headers": {**KEYS, "Content-Type": "audio/wav"},
                    "params": {"language": language},
                },
                {"path": f"{API}/speech", "json": fields},
                {"path": f"{API}/speech", "files": {"file": ("a.wav", audio)}, "data": {"language": language}},
                {"path": f"{API}/order", "json": {**fields, "menu": MENU}},
            ]
        )
        reply = await self._call("speech", "POST", how.pop("path"), [200, 503], **how)
        if reply is not None and reply.status_code == OK:
            heard = reply.json()["data"]
            if not heard.get("text", heard.get("lines")):
                self._tally.wrong.append("speech: empty transcript")

    async def renew(self) -> None:
        """Get a token, use it, renew it, and send the used refresh token again."""
        if self._tokens is None:
            signed_in = await self._call(
                "token", "POST", "/api/v1/auth/token", [200, 503], json={"secret_id": "demo", "secret_key": "demo-secret"}
            )
            if signed_in is None or signed_in.status_code != OK:
                return
            self._tokens = signed_in.json()["data"]
        bearer = {"Authorization": f"Bearer {self._tokens['access_token']}"}
        await self._call("token", "GET", f"{API}/menus", [200], headers=bearer)
        used = {"refresh_token": self._tokens["refresh_token"]}
        renewed = await self._call("token", "POST", "/api/v1/auth/refresh", [200, 503], json=used)
        # A renewal with an unknown outcome may have used the token.
        self._tokens = renewed.json()["data"] if renewed is not None and renewed.status_code == OK else None
        if self._tokens is not None:
            await self._call("token", "POST", "/api/v1/auth/refresh", [401, 503], json=used)

    async def err(self) -> None:
        """Send a request that must be rejected."""
        json_type = {**KEYS, "Content-Type": "application/json"}
        rejected: list[tuple[str, str, int, dict[str, Any]]] = [
            ("POST", f"{API}/order", 400, {"content": b'{"text": "', "headers": json_type}),
            ("POST", f"{API}/order", 400, {"content": b"[" * 100_000, "headers": json_type}),
            ("POST", f"{API}/order", 422, {"content": b'{"text": "' + b"x" * 1_100_000 + b'"}', "headers": json_type}),
            ("POST", f"{API}/recommend_order", 413, {"content": b" " * 1_100_000, "headers": json_type}),
            ("POST", f"{API}/recommend_order", 422, {"json": {"menu": MENU, "items": [{"item": "x"}]}}),
            ("POST", f"{API}/speech", 422, {"content": AUDIO["vi"][:20], "headers": {**KEYS, "Content-Type": "audio/wav"}}),
            ("POST", f"{API}/speech", 422, {"content": b"OggS" * 500, "headers": {**KEYS, "Content-Type": "audio/ogg"}}),
            ("POST", f"{API}/speech", 415, {"content": b"x", "headers": {**KEYS, "Content-Type": "text/plain"}}),
            ("GET", f"{API}/menus", 401, {"headers": {"Authorization": "Bearer a.b.c"}}),
            ("GET", f"{API}/menus", 400, {"headers": {**KEYS, "X-Secret-Key": "a-wrong-key"}}),
            ("DELETE", f"{API}/menus", 405, {}),
            ("GET", f"{API}/order/x", 404, {}),
            ("GET", "/nope", 404, {}),
        ]
        method, path, status, how = self._random.choice(rejected)
        # Wrong credentials are limited by address, and speech gets a 503 while the models are loaded.
        await self._call("bad", method, path, [status, 429] if status == BAD else [status, 503], **how)

    async def hang_up(self) -> None:
        """Start a request, and disconnect: within the head, within the body, or before the reply."""
        head = f"POST {API}/speech?language=vi HTTP/1.1\r\nHost: x\r\nX-Secret-Id: demo\r\nX-Secret-Key: demo-secret\r\n"
        whole = f"{head}Content-Type: audio/wav\r\nContent-Length: {len(AUDIO['vi'])}\r\n\r\n".encode() + AUDIO["vi"]
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        with contextlib.suppress(ConnectionError):
            writer.write(whole[: self._random.choice([0, 10, len(head), len(whole) // 2, len(whole)])])
            await writer.drain()
            await asyncio.sleep(self._random.uniform(0, 0.3))
        writer.transport.abort()
        self._tally.hung_up += 1

    async def probe(self) -> None:
        """Send the probes of an orchestrator."""
        await self._call("health", "GET", "/healthcheck", [200], headers={})
        await self._call("readiness", "GET", "/readiness", [200, 503], headers={})
        await self._call("metrics", "GET", "/metrics", [200], headers={})


@dataclass(frozen=True, slots=True)
class Sample:
    """Memory, descriptors and threads of the server's process at one time."""

    at_s: float
    rss_bytes: int
    descriptors: int
    threads: int


def sample_of(process: psutil.Process, began_s: float) -> Sample:
    """Measure the process."""
    with process.oneshot():
        return Sample(time.monotonic() - began_s, process.memory_info().rss, process.num_fds(), process.num_threads())


def growth(samples: Sequence[Sample], what: Callable[[Sample], int], seconds: float) -> tuple[float, float]:
    """Return the medians before and after the outages."""
    before, after = (
        [what(sample) for sample in samples if first * seconds <= sample.at_s < last * seconds] for first, last in (BEFORE, AFTER)
    )
    return statistics.median(before), statistics.median(after)


async def again_and_again(work: Callable[[], Awaitable[None]], every_s: float, until_s: float, spread: random.Random) -> None:
    """Call `work` about every `every_s` seconds."""
    while time.monotonic() < until_s:
        await asyncio.sleep(spread.uniform(0.5, 1.5) * every_s)
        await work()


async def soak(postgres: Postgres, valkey: Valkey, directory: Path, plan: Plan) -> list[str]:
    """Run the traffic, print its figures, and return the failures."""
    environment = {
        "ENVIRONMENT": "TESTING",
        "DATABASE_URL": postgres.url(),
        "RATE_LIMIT_STORAGE_URI": valkey.url,
        "RATE_LIMIT": "100000/minute",
        "RATE_LIMIT_SPEECH": "100000/minute",
        "RATE_LIMIT_FAILED": "60/minute",
        "ACCESS_LOG": "on",
    }
    if plan.speech:
        environment |= {"SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer"}
    server = await asyncio.to_thread(Server, directory, environment)
    tally = Tally()
    try:
        if plan.speech:
            await asyncio.to_thread(server.wait_until, lambda: httpx.get(f"{server.url}/readiness").status_code == OK)
        samples = await traffic(server, (postgres, valkey), tally, plan)
        log = server.log()
    finally:
        server.stop()
    return report(tally, samples, await asyncio.to_thread(stored_in, postgres), log, plan)


async def traffic(server: Server, storages: tuple[Postgres, Valkey], tally: Tally, plan: Plan) -> list[Sample]:
    """Run all callers and the outages; return the samples of the server."""
    callers = Callers(server, tally, seed=1)
    spread = random.Random(2)  # noqa: S311
    process, samples = psutil.Process(server.process.pid), list[Sample]()
    began_s = time.monotonic()
    until_s = began_s + plan.seconds

    async def watch() -> None:
        samples.append(await asyncio.to_thread(sample_of, process, began_s))

    async def outages() -> None:
        for name, part in OUTAGES:
            await asyncio.sleep(max(0.0, began_s + part * plan.seconds - time.monotonic()))
            storage = storages[name == "valkey"]
            await asyncio.to_thread(storage.kill)
            await asyncio.sleep(min(OUTAGE_S, plan.seconds / 20))
            await asyncio.to_thread(storage.start)

    kinds = [(callers.order, 0.25), (callers.suggest, 0.25), (callers.store, 0.2), (callers.renew, 1.0), (callers.err, 0.2)]
    kinds += [(callers.hang_up, 0.5), (callers.probe, 0.5)]
    if plan.speech:
        kinds.append((callers.speak, 2.0))
    running = [asyncio.ensure_future(again_and_again(work, every_s / plan.rate, until_s, spread)) for work, every_s in kinds]
    running += [
        asyncio.ensure_future(again_and_again(watch, min(SAMPLE_S, plan.seconds / 100), until_s, spread)),
        asyncio.ensure_future(outages()),
    ]
    try:
        await asyncio.gather(*running)
    finally:
        for one in running:
            one.cancel()
        await callers.close()
    return samples


def stored_in(postgres: Postgres) -> Counter[tuple[str, int]]:
    """Count the stored orders by id and total."""
    return Counter((str(row["order_id"]), row["total"]) for row in postgres.execute("SELECT order_id, total FROM orders"))


def report(tally: Tally, samples: Sequence[Sample], stored: Counter[tuple[str, int]], log: str, plan: Plan) -> list[str]:
    """Print the figures, and return the failures."""
    wrong = list(tally.wrong)
    for kind, answers in sorted(tally.answers.items()):
        times = sorted(tally.seconds[kind])
        shown = ", ".join(f"{status}: {count}" for status, count in sorted(answers.items()))
        p50_ms, p99_ms = (1000 * times[int(share * len(times))] for share in (0.5, SLOWEST_SHOWN))
        print(f"soak   {kind:10} {shown:40} p50 {p50_ms:7.1f} ms, p99 {p99_ms:7.1f} ms, slowest {1000 * times[-1]:7.1f} ms")
    lost = [order for order in tally.acknowledged.items() if order not in stored]
    twice = [order for order, count in Counter(order_id for order_id, _ in stored.elements()).items() if count > 1]
    print(f"soak   orders     {len(tally.acknowledged)} acknowledged, {len(lost)} lost, {len(twice)} twice")
    print(f"soak   hung up    {tally.hung_up}")
    wrong += [f"lost: {order}" for order in lost] + [f"twice: {order}" for order in twice]
    for name, what, unit, most in (
        ("memory", lambda sample: sample.rss_bytes, 2**20, MAX_GROWTH_BYTES),
        ("descriptors", lambda sample: sample.descriptors, 1, MAX_GROWTH_DESCRIPTORS),
        ("threads", lambda sample: sample.threads, 1, MAX_GROWTH_THREADS),
    ):
        before, after = growth(samples, what, plan.seconds)
        most_seen = max(map(what, samples))
        figures = f"{before / unit:.0f} before the outages, {after / unit:.0f} at the end, most {most_seen / unit:.0f}"
        print(f"soak   {name:11} {figures}{' MiB' if unit > 1 else ''}")
        if after - before > most:
            wrong.append(f"{name} grew from {before} to {after}")
    failures = [line for line in log.splitlines() if '"level":"ERROR"' in line or "Traceback" in line]
    if not plan.speech:
        failures = [line for line in failures if '"work":"models"' not in line]  # expected: there are no models
    print(f"soak   log        {len(log.splitlines())} lines, {len(failures)} failures")
    return wrong + [f"log: {line[:500]}" for line in failures[:5]]


async def run(plan: Plan) -> list[str]:
    """Start the storages, and run the traffic."""
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        os.chmod(directory, 0o755)  # noqa: PTH101, S103 - PostgreSQL runs as another user
        home = Path(directory) / "postgres"
        home.mkdir()
        postgres, valkey = Postgres(home), Valkey(Path(directory))
        try:
            await asyncio.to_thread(postgres.start)
            await asyncio.to_thread(valkey.start)
            return await soak(postgres, valkey, Path(directory), plan)
        finally:
            valkey.kill()
            postgres.stop()


def shown(wrong: Sequence[str]) -> Iterator[str]:
    """Yield a line for each kind of failure."""
    for what, count in Counter(wrong).most_common(20):
        yield f"soak   WRONG      {count} x {what}"


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--rate", type=float, default=1.0, help="1: some 30 requests a second and a clip every other second")
    parser.add_argument("--no-speech", action="store_true", help="do not load the speech models")
    arguments = parser.parse_args()
    wrong = asyncio.run(run(Plan(60 * arguments.minutes, arguments.rate, speech=not arguments.no_speech)))
    print("\n".join(shown(wrong)) or "soak   nothing was wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
