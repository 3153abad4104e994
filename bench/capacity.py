"""Print the throughput of each route on one core, the memory of a worker, and its number of connections.

    .venv/bin/python -m bench.capacity [--only start|routes|connections] [--seconds 5] [--connections 10000]

`start`: seconds until ready and memory by worker. `routes`: a server on one core, called by wrk (if installed) from another; speech by
callers that send a recording repeatedly. `connections`: keep-alive connections over loopback, up to the limit of descriptors; each sends
a request in every round. On a busy machine the figures are lower bounds.
"""

import argparse
import asyncio
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.servers import Server  # noqa: E402 - the path is set above

KEYS = {"X-Secret-Id": "demo", "X-Secret-Key": "demo-secret"}
API = "/api/v1/voice"
SPEECH = {"SPEECH_MODEL": "base", "SPEECH_MODEL_VI": "conformer"}
# Method, path and body as Lua expressions of a wrk script; every stored order has its own id.
ROUTES = {
    "GET /healthcheck": ("GET", "'/healthcheck'", ""),
    "POST recommend_order": ("POST", f"'{API}/recommend_order'", '{"menu": "quan-nha", "items": [{"item": "latte", "quantity": 2}]}'),
    "POST order, text": (
        "POST",
        f"'{API}/order'",
        '{"menu": "quan-nha", "text": "cho mình hai ly cà phê sữa đá ít đường và một trà sen nhé"}',
    ),
    "PUT order": (
        "PUT",
        f"string.format('{API}/order/%08x-0000-4000-8000-%012x', math.random(0, 0x7fffffff), math.random(0, 0x7fffffff))",
        '{"menu": "quan-nha", "lines": [{"item": "latte", "quantity": 2}]}',
    ),
    "GET menus": ("GET", f"'{API}/menus'", ""),
}
WRK_CONNECTIONS = 32
ROUNDS = 5
# Descriptors of this process and of the server, besides those of connections.
SPARE_DESCRIPTORS = 200
HEALTH = b"GET /healthcheck HTTP/1.1\r\nHost: x\r\n\r\n"


@contextmanager
def serving(**environment: str) -> Iterator[Server]:
    """Run a server within the block."""
    own = {"ENVIRONMENT": "TESTING", "RATE_LIMIT": "1000000000/minute", "RATE_LIMIT_SPEECH": "1000000000/minute", "ACCESS_LOG": "off"}
    with tempfile.TemporaryDirectory(prefix="capacity-") as directory:
        server = Server(Path(directory), own | environment)
        try:
            yield server
        finally:
            for process in psutil.Process(server.process.pid).children(recursive=True):
                process.kill()
            server.stop()


def is_ready(server: Server) -> bool:
    """Return whether the server is ready."""
    return httpx.get(f"{server.url}/readiness", timeout=10).status_code == HTTPStatus.OK


def memory_mib(pid: int) -> tuple[float, float]:
    """Return the resident and the proportional set size of a process in MiB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (int(re.findall(rf"(?m)^{name}:\s+(\d+) kB", rollup)[0]) / 1024 for name in ("Rss", "Pss"))
    return rss, pss


def start() -> None:
    """Print the duration of a start, and the memory of a worker."""
    for workers in (1, 2):
        began_s = time.monotonic()
        with serving(WORKERS=str(workers), **SPEECH) as server:
            answers_s = time.monotonic() - began_s
            server.wait_until(lambda: is_ready(server))
            ready_s = time.monotonic() - began_s
            # /readiness is that of one worker; the others load at the same time.
            time.sleep(5 * (workers - 1))
            process = psutil.Process(server.process.pid)
            serving_here = (
                [process] if workers == 1 else [child for child in process.children() if "spawn_main" in " ".join(child.cmdline())]
            )
            print(f"start  WORKERS={workers}: answers after {answers_s:.1f} s, ready after {ready_s:.1f} s")
            for one in serving_here:
                rss, pss = memory_mib(one.pid)
                print(f"start  WORKERS={workers}: a worker has {rss:.0f} MiB (its share: {pss:.0f} MiB), {one.num_threads()} threads")


def routes(seconds: int) -> None:
    """Print the throughput of one core."""
    cores = sorted(os.sched_getaffinity(0))
    wrk = shutil.which("wrk")
    if wrk is None:
        print("routes skipped: wrk is not installed")
    with serving(SPEECH_THREADS="1", **SPEECH) as server:
        server.wait_until(lambda: is_ready(server))
        process = psutil.Process(server.process.pid)
        for thread in process.threads():
            os.sched_setaffinity(thread.id, {cores[0]})
        os.sched_setaffinity(server.process.pid, {cores[0]})
        if wrk is not None:
            command = ["taskset", "-c", str(cores[-1]), wrk]
            for name, (method, path, body) in ROUTES.items():
                print(f"routes {name:22} {called(command, server.url, process, (method, path, body), seconds)}")
        print(f"routes {'POST speech':22} {asyncio.run(spoken(server, process, seconds))}")


def called(command: list[str], url: str, process: psutil.Process, route: tuple[str, str, str], seconds: int) -> str:
    """Call a route with wrk; return the figures."""
    method, path, body = route
    headers = {**KEYS, "Content-Type": "application/json"}
    table = ", ".join(f"['{name}'] = '{value}'" for name, value in headers.items())
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"headers = {{{table}}}\nrequest = function() return wrk.format('{method}', {path}, headers, '{body}') end\n")
        script.flush()
        before_s = sum(process.cpu_times()[:2])
        command = [*command, "-t1", f"-c{WRK_CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", script.name, url]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 - ours
    count = int(re.findall(r"(\d+) requests in", text)[0])
    used_s = sum(process.cpu_times()[:2]) - before_s
    p50, p99 = (re.findall(rf"{share}%\s+(\S+)", text)[0] for share in (50, 99))
    failed = "" if "Non-2xx" not in text else "  WITH FAILURES"
    return f"{count / seconds:7.0f} a second, {count / used_s:7.0f} a second of processor, p50 {p50}, p99 {p99}{failed}"


async def spoken(server: Server, process: psutil.Process, seconds: int) -> str:
    """Send recordings from two callers without a pause; return the figures."""
    audio = (ROOT / "examples/order-vi.wav").read_bytes()
    heard_s = 0.0
    until_s = time.monotonic() + seconds
    before_s, began_s = sum(process.cpu_times()[:2]), time.monotonic()

    async def call(client: httpx.AsyncClient) -> None:
        nonlocal heard_s
        while time.monotonic() < until_s:
            reply = await client.post(f"{API}/speech?language=vi", content=audio, headers={"Content-Type": "audio/wav"})
            heard_s += reply.raise_for_status().json()["data"]["duration_s"]

    async with httpx.AsyncClient(base_url=server.url, headers=KEYS, timeout=60) as client:
        await asyncio.gather(call(client), call(client))
    used_s = sum(process.cpu_times()[:2]) - before_s
    return f"{heard_s / (time.monotonic() - began_s):7.1f} s of audio a second, {heard_s / used_s:7.1f} a second of processor"


async def connections(count: int) -> None:
    """Open connections, send a request on each in every round, and close them."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    count = min(count, limit - SPARE_DESCRIPTORS)
    with serving() as server:
        process = psutil.Process(server.process.pid)
        before_bytes, before_descriptors = process.memory_info().rss, process.num_fds()
        opening = asyncio.Semaphore(500)  # the listener's queue is limited

        async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[bool, float]:
            began_s = time.monotonic()
            try:
                writer.write(HEALTH)
                answered = (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 200")
            except (OSError, asyncio.IncompleteReadError):
                answered = False
            return answered, time.monotonic() - began_s

        async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            async with opening:
                pair = await asyncio.open_connection("127.0.0.1", server.port)
                await ask(*pair)  # a connection without a request is closed after ten seconds
                return pair

        began_s = time.monotonic()
        pairs = await asyncio.gather(*(connect() for _ in range(count)))
        print(f"keep   {len(pairs)} connections open after {time.monotonic() - began_s:.1f} s (descriptors allowed: {limit})")
        for round_ in range(1, ROUNDS + 1):
            began_s = time.monotonic()
            outcomes = await asyncio.gather(*(ask(*pair) for pair in pairs))
            waits_s = sorted(wait_s for _, wait_s in outcomes)
            served = sum(answered for answered, _ in outcomes)
            print(
                f"keep   round {round_}: {served} of {count} answered in {time.monotonic() - began_s:.1f} s at once, "
                f"median {1000 * waits_s[count // 2]:.0f} ms, slowest {1000 * waits_s[-1]:.0f} ms"
            )
        each_kib = (process.memory_info().rss - before_bytes) / 1024 / count
        print(f"keep   {process.num_fds() - before_descriptors} descriptors and {each_kib:.1f} KiB a connection more in the server")
        for _, writer in pairs:
            writer.close()
        await asyncio.sleep(2)
        print(f"keep   {process.num_fds() - before_descriptors} descriptors more after all hung up")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["start", "routes", "connections"])
    parser.add_argument("--seconds", type=int, default=5, help="for each route")
    parser.add_argument("--connections", type=int, default=10_000)
    arguments = parser.parse_args()
    if arguments.only in (None, "start"):
        start()
    if arguments.only in (None, "routes"):
        routes(arguments.seconds)
    if arguments.only in (None, "connections"):
        asyncio.run(connections(arguments.connections))


if __name__ == "__main__":
    main()
