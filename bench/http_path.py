"""Print the processor time of the HTTP path, one figure a line.

    .venv/bin/python -m bench.http_path [--only parts|path|timing|wire] [--seconds 2]

`parts` measures the steps of a request, `path` a whole request in this process (without sockets), `timing` a wrong key against an unknown
id, `wire` a server over loopback, with wrk if installed. On a busy machine compare ratios: each figure is the minimum of many short runs.
(A file named http.py would hide the standard library's http from the other benchmarks.)
"""

import argparse
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, it imports the service's modules
SCRATCH = tempfile.TemporaryDirectory()
os.environ |= {
    "ENVIRONMENT": "TESTING",
    "RATE_LIMIT": "1000000000/minute",
    "ACCESS_LOG": "off",
    "DATABASE_URL": f"sqlite+aiosqlite:///{SCRATCH.name}/voice.db",
    "SPEECH_MODEL": "/nonexistent",  # speech has its own benchmark
    "SPEECH_MODEL_VI": "/nonexistent",
    "LOG_LEVEL": "ERROR",
}

import httpx  # noqa: E402 - after the environment, as the application
import orjson  # noqa: E402
import uvloop  # noqa: E402
from starlette.requests import Request  # noqa: E402, TID251 - as the server hands it over
from starlette.routing import Route  # noqa: E402, TID251

from app import State, app  # noqa: E402
from errors import InvalidCredentials  # noqa: E402
from schemas import OrderRequest, RecommendRequest  # noqa: E402
from web import reply_headers  # noqa: E402
from web.access_log import AccessLog  # noqa: E402
from web.context import CONTEXT_KEY, RequestContext  # noqa: E402
from web.replies import reply  # noqa: E402

ORDER, RECOMMEND, HEALTH = "/api/v1/voice/order", "/api/v1/voice/recommend_order", "/api/v1/healthcheck"
BODIES = {
    RECOMMEND: orjson.dumps({"menu": "quan-nha", "customer_id": 42, "items": [{"item": "latte", "quantity": 2}, {"item": "ca-phe-den"}]}),
    ORDER: orjson.dumps({"menu": "quan-nha", "text": "cho mình hai ly cà phê sữa đá ít đường và một trà sen nhé"}),
    HEALTH: b"",
}
REPEATS, BATCH = 500, 20


def least_us(function: Callable[[], object]) -> float:
    """Return the microseconds of a call: the minimum of many short runs."""
    return min(timeit.repeat(function, number=BATCH, repeat=REPEATS)) / BATCH * 1e6


def at_once(work: Awaitable[Any]) -> Any:
    """Run a coroutine that never suspends."""
    steps = work.__await__()
    try:
        next(steps)
    except StopIteration as end:
        return end.value
    message = "the coroutine suspended"
    raise RuntimeError(message)


def scope_of(path: str, state: Any) -> dict[str, Any]:
    """Return the ASGI scope of a request."""
    body = BODIES[path]
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"content-type", b"application/json"),
        (b"x-secret-id", b"demo"),
        (b"x-secret-key", b"demo-secret"),
        (b"content-length", b"%d" % len(body)),
    ]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "POST" if body else "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        "state": dict(state),
    }


async def discard(_: Any) -> None:
    """Discard a message."""


def receiver(path: str) -> Callable[[], Awaitable[dict[str, Any]]]:
    """Return an ASGI `receive` that returns the body of a request."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": BODIES[path], "more_body": False}

    return receive


async def parts(state: State) -> None:
    """Print the time of each step of a suggestion."""
    scope = scope_of(RECOMMEND, state)
    route = next(route for route in app.routes if isinstance(route, Route) and route.path == RECOMMEND)
    context = RequestContext(dict(scope["headers"]), "id", "127.0.0.1", max_body_bytes=1 << 20)
    scope |= {CONTEXT_KEY: context, "route": route, "endpoint": route.endpoint}
    request = Request(scope, receiver(RECOMMEND))
    admission, bodies, log = state["admission"], state["bodies"], AccessLog(state["metrics"], enabled=False)
    scopes, limits = frozenset({"recommend"}), ("requests",)
    await admission.admit(request, scopes, limits)
    asked = RecommendRequest.model_validate_json(BODIES[RECOMMEND])
    engine = state["menus"].get("demo", "quan-nha")
    order = OrderRequest.model_validate_json(BODIES[ORDER])
    basket = [(line.item, line.quantity) for line in asked.items]
    recommender = state["recommenders"].get("demo", engine.menu)

    def suggest(exclude: Sequence[str] = ()) -> object:
        return orjson.Fragment(recommender.recommend_json(basket, customer_id=42, at=datetime.now(UTC), limit=5, exclude=exclude))

    answer = {"items": suggest()}
    ready = reply(request, answer)
    for name, piece in {
        "headers by name": lambda: dict(scope["headers"]),
        "request id": reply_headers.new_request_id,
        "admission": lambda: at_once(admission.admit(request, scopes, limits)),
        "- the rate limit in it": lambda: at_once(admission.limiter.hit("requests", "demo")),
        "read and validate": lambda: at_once(bodies.read_json(request, RecommendRequest)),
        "domain: suggest again": suggest,
        "domain: suggest": lambda: suggest(["nothing-of-this-name"]),  # a request with `exclude` is not cached
        "domain: a turn": lambda: engine.take_turn(order.text or ""),
        "reply: envelope and JSON": lambda: reply(request, answer),
        "reply: send": lambda: at_once(ready(scope, request.receive, discard)),
        "metrics": lambda: log.record(scope, 200, 0, 0.001),
    }.items():
        print(f"part   {name:26} {least_us(piece):8.2f} us")


async def path(state: State) -> None:
    """Print the time of a whole request, without a server."""
    for where in BODIES:
        receive = receiver(where)

        def call(where: str = where, receive: Any = receive) -> None:
            at_once(app(scope_of(where, state), receive, discard))

        def make(where: str = where) -> object:
            return scope_of(where, state)

        print(f"path   {where:26} {least_us(call) - least_us(make):8.2f} us")


async def timing(state: State) -> None:
    """Print the median time of a wrong key against that of an unknown id."""
    times_by_id: dict[bytes, list[int]] = {b"demo": [], b"nobody": []}
    for _ in range(2000):
        for secret_id, times in times_by_id.items():
            began = time.perf_counter_ns()
            with contextlib.suppress(InvalidCredentials):
                state["admission"].clients.authenticate(secret_id, b"a-wrong-key")
            times.append(time.perf_counter_ns() - began)
    known, unknown = (statistics.median(times) for times in times_by_id.values())
    print(f"timing wrong key {known:.0f} ns, unknown id {unknown:.0f} ns, ratio {known / unknown:.3f}")


@contextlib.contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """Run a server within the block; yields its process id and port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=os.environ | {"PORT": str(port)}, stdout=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}{HEALTH}")
                break
            time.sleep(0.1)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait(30)


def wire(seconds: int) -> None:
    """Print requests a second and processor time of each route over loopback."""
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wire   skipped: wrk is not installed")
        return
    with serving() as (pid, port):
        for where, body in BODIES.items():
            script = Path(SCRATCH.name) / "wrk.lua"
            quoted = body.decode().replace("\\", "\\\\").replace("'", "\\'")
            script.write_text(
                f"wrk.method = '{'POST' if body else 'GET'}'\nwrk.body = '{quoted}'\nwrk.headers['Content-Type'] = 'application/json'\n"
                "wrk.headers['X-Secret-Id'] = 'demo'\nwrk.headers['X-Secret-Key'] = 'demo-secret'\n"
            )
            before = processor_s(pid)
            command = [wrk, "-t1", "-c32", f"-d{seconds}s", "--latency", "-s", str(script), f"http://127.0.0.1:{port}{where}"]
            text = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
            n_requests = int(re.findall(r"(\d+) requests in", text)[0])
            failed = "" if "Non-2xx" not in text else "  WITH FAILURES"
            p99 = re.findall(r"99%\s+(\S+)", text)[0]
            used_us = (processor_s(pid) - before) / n_requests * 1e6
            print(f"wire   {where:26} {n_requests / seconds:8.0f} requests/s  {used_us:7.1f} us of processor each  p99 {p99}{failed}")


def processor_s(pid: int) -> float:
    """Return the processor seconds of a process."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def in_process(only: str | None) -> None:
    """Print the figures that need no server."""
    async with app.router.lifespan_context(app) as state:
        for name, measure in {"parts": parts, "path": path, "timing": timing}.items():
            if only in (None, name):
                await measure(cast("State", state))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["parts", "path", "timing", "wire"])
    parser.add_argument("--seconds", type=int, default=2, help="of each run over loopback")
    arguments = parser.parse_args()
    if arguments.only != "wire":
        uvloop.run(in_process(arguments.only))
    if arguments.only in (None, "wire"):
        wire(arguments.seconds)


if __name__ == "__main__":
    main()
