"""Print figures of a server under ten times its capacity of speech, and with callers that disconnect at random.

    .venv/bin/python -m bench.speech_load [--only overload|flood|hangups] [--seconds 60] [--queue 120] [--rounds 1000]

Starts a server with default settings except the length of the queue, and four clients. `overload`: measures the server's rate, then sends
clips of 1 to 60 s at ten times that rate. Targets: accepted clips get a reply within 1.5 times the duration of the queued audio at that
rate, the others are rejected within 50 ms, and a rejected caller that retries after `Retry-After` is accepted. `flood`: one client sends
ten times the capacity, another a short clip a second. `hangups`: eight callers at a time, most disconnecting within a second; a leak
shows as growth of memory, threads and descriptors after the first hundred.
"""

import argparse
import asyncio
import json
import math
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402 - the path is set above
import numpy as np  # noqa: E402
import psutil  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from tests.servers import Server  # noqa: E402
from voice.asr.audio import decode  # noqa: E402
from voice.asr.waveform import SAMPLE_RATE, Waveform  # noqa: E402
from web.auth import digest  # noqa: E402

CLIENTS = ("one", "two", "three", "four")
NEWCOMER = "five"
SHORTEST_S, LONGEST_S = 1.0, 60.0
TIMES_CAPACITY = 10
SHORT_S = 3.0
WARM_UP = 104  # recognitions
IDLE_S = 5.0  # the queue empties, and freed memory is released
CALLERS = 8
DISCONNECTING = 0.9  # share of the callers
SLOW_PERCENTILE = 99
OK, UNAVAILABLE = 200, 503
SPEECH, HEALTH = "/api/v1/voice/speech", "/healthcheck"


@dataclass
class Caller:
    """A client of the server."""

    url: str
    key: str
    http: httpx.AsyncClient

    async def transcribe(self, waveform: Waveform, *, client: str = CLIENTS[0], language: str = "vi") -> httpx.Response:
        """Send a clip as raw samples."""
        body = (waveform * 32767).astype("<i2").tobytes()
        return await self.http.post(
            f"{self.url}{SPEECH}?language={language}",
            content=body,
            headers={"Content-Type": f"audio/L16;rate={SAMPLE_RATE}", "X-Secret-Id": client, "X-Secret-Key": self.key},
        )


@dataclass
class Measurements:
    """Latencies and counts, as seen by the callers."""

    accepted_s: list[float] = field(default_factory=list)
    accepted_audio_s: float = 0.0
    rejected_s: list[float] = field(default_factory=list)
    retry_s: list[int] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)
    other: list[int] = field(default_factory=list)


def examples() -> dict[str, Waveform]:
    """Return the waveforms of the examples, by language."""
    paths = {language: ROOT / "examples" / f"order-{language}.wav" for language in ("vi", "en")}
    return {
        language: decode(path.read_bytes(), encoding="auto", sample_rate=None, channels=None, max_audio_s=60)
        for language, path in paths.items()
    }


def p99(values: Sequence[float]) -> float:
    """Return the 99th percentile; 0 without values."""
    return float(np.percentile(values, SLOW_PERCENTILE)) if values else 0.0


def state(process: psutil.Process) -> str:
    """Return the resources that could leak, as text."""
    return f"rss_mb {process.memory_info().rss / 2**20:.0f}  threads {process.num_threads()}  descriptors {process.num_fds()}"


async def share_within(caller: Caller, route: str, status: int, within_s: float) -> str:
    """Return the server's counts of replies within `within_s`, a bucket of its histogram, and of all replies."""
    page = (await caller.http.get(f"{caller.url}/metrics")).text
    counts: Counter[float] = Counter()
    for sample in (sample for family in text_string_to_metric_families(page) for sample in family.samples):
        labels = sample.labels
        if sample.name == "voice_http_request_seconds_bucket" and (labels["route"], labels["status"]) == (route, str(status)):
            counts[float(labels["le"])] += int(sample.value)
    return f"{counts[within_s]} of {counts[math.inf]} within {within_s * 1000:.0f} ms"


async def scheduling_delays(ended: float) -> list[float]:
    """Measure how late this process wakes up: the error of its latencies (s)."""
    delays_s = []
    while (asked := time.perf_counter()) < ended:
        await asyncio.sleep(0.01)
        delays_s.append(time.perf_counter() - asked - 0.01)
    return delays_s


def processor_times_s(*processes: psutil.Process) -> tuple[float, float]:
    """Return the processor time of the whole machine and that of some processes (s)."""
    everything = psutil.cpu_times()
    busy_s = sum(everything) - everything.idle - everything.iowait
    return busy_s, sum(process.cpu_times().user + process.cpu_times().system for process in processes)


async def measured_rate(caller: Caller, clip: Waveform) -> float:
    """Return the audio seconds that the server recognises in a second, with more callers than it has threads."""
    started = time.perf_counter()
    await asyncio.gather(*[caller.transcribe(clip, client=client) for client in CLIENTS])
    return len(CLIENTS) * len(clip) / SAMPLE_RATE / (time.perf_counter() - started)


async def overload(  # noqa: PLR0915 - the figures of one load
    server: Server, caller: Caller, seconds: float, queue_s: float
) -> None:
    """Send ten times the capacity."""
    process = psutil.Process(server.process.pid)
    pick = random.Random(1)  # noqa: S311 - the same load each time
    clips = examples()
    clip = np.resize(clips["vi"], 90 * SAMPLE_RATE)
    rate = await measured_rate(caller, clip[: 20 * SAMPLE_RATE])
    await asyncio.sleep(IDLE_S)
    print(f"rate {rate:.1f} audio s a second, so {queue_s:.0f} s in the queue take {queue_s / rate:.1f} s")
    print("before     ", state(process), flush=True)
    measured = Measurements()
    ended = time.perf_counter() + seconds

    async def one(length_s: float, client: str) -> httpx.Response:
        start = pick.uniform(0, 90 - length_s)
        waveform = clip[int(start * SAMPLE_RATE) : int((start + length_s) * SAMPLE_RATE)]
        began = time.perf_counter()
        response = await caller.transcribe(waveform, client=client)
        took_s = time.perf_counter() - began
        if response.status_code == OK:
            measured.accepted_s.append(took_s)
            measured.accepted_audio_s += length_s
        elif response.status_code == UNAVAILABLE:
            measured.rejected_s.append(took_s)
            measured.retry_s.append(int(response.headers["Retry-After"]))
        else:
            measured.other.append(response.status_code)
        return response

    async def probe() -> None:
        while time.perf_counter() < ended:
            began = time.perf_counter()
            await caller.http.get(f"{caller.url}{HEALTH}")
            measured.health_s.append(time.perf_counter() - began)
            await asyncio.sleep(0.05)

    async def sample_memory() -> list[int]:
        sizes = []
        while time.perf_counter() < ended:
            await asyncio.sleep(seconds / 6)
            sizes.append(process.memory_info().rss >> 20)
        return sizes

    sampling = asyncio.ensure_future(sample_memory())
    probing, delays = asyncio.ensure_future(probe()), asyncio.ensure_future(scheduling_delays(ended))
    calls: list[asyncio.Task[httpx.Response]] = []
    began, before = time.perf_counter(), processor_times_s(process, psutil.Process())
    while time.perf_counter() < ended:
        length_s = pick.uniform(SHORTEST_S, LONGEST_S)
        call = asyncio.create_task(one(length_s, pick.choice(CLIENTS)))
        calls.append(call)
        await asyncio.sleep(length_s / (TIMES_CAPACITY * rate))
    await asyncio.gather(probing, sampling)
    during_s, peak = time.perf_counter() - began, state(process)
    busy_s, ours_s = (after - then for after, then in zip(processor_times_s(process, psutil.Process()), before, strict=True))
    ended = time.perf_counter()
    await caller.transcribe(clips["vi"][: 2 * SAMPLE_RATE], client=NEWCOMER)
    newcomer_s = time.perf_counter() - ended
    retried = await retry(one)
    await asyncio.gather(*calls)
    drained = time.perf_counter()
    await caller.transcribe(clips["vi"][: 2 * SAMPLE_RATE])
    recovered_s = time.perf_counter() - drained
    await asyncio.sleep(IDLE_S)
    print("during     ", peak, " rss_mb in six steps", *await sampling)
    print("after      ", state(process))
    print(f"recovery: a new client at the end waited {newcomer_s:.2f} s, a client after the queue was empty {recovered_s:.2f} s")
    print(f"other processes on this machine took {(busy_s - ours_s) / during_s:.2f} of {os.cpu_count()} cores")
    slowest, bound = max(measured.accepted_s, default=0), 1.5 * queue_s / rate
    print(
        f"accepted {len(measured.accepted_s)}, {measured.accepted_audio_s:.0f} audio s in {during_s:.0f} s and the time to empty the queue"
    )
    print(
        f"slowest answer {slowest:.1f} s, median {statistics.median(measured.accepted_s or [0]):.1f} s; 1.5 times the queue: {bound:.1f} s"
    )
    middle, last = statistics.median(measured.rejected_s or [0]), p99(measured.rejected_s)
    print(f"rejected {len(measured.rejected_s)}, median {middle * 1000:.0f} ms, p99 {last * 1000:.0f} ms")
    print(f"Retry-After {min(measured.retry_s, default=0)} to {max(measured.retry_s, default=0)} s; {retried}")
    middle, last = statistics.median(measured.health_s), p99(measured.health_s)
    print(f"healthcheck p50 {middle * 1000:.0f} ms, p99 {last * 1000:.0f} ms; other replies {measured.other}")
    rejected, health = await share_within(caller, SPEECH, UNAVAILABLE, 0.05), await share_within(caller, HEALTH, OK, 0.1)
    delay_ms = p99(await delays) * 1000
    print(
        f"as the server counts: rejected {rejected}; healthcheck {health}. Scheduling delay of this process: p99 {delay_ms:.0f} ms",
        flush=True,
    )


async def retry(one: Callable[[float, str], Awaitable[httpx.Response]]) -> str:
    """Send a clip that is rejected, without other load; send it again after `Retry-After`."""
    first = await one(LONGEST_S / 2, CLIENTS[0])
    if first.status_code != UNAVAILABLE:
        return "the queue admitted a clip at the end"
    await asyncio.sleep(int(first.headers["Retry-After"]))
    then = (await one(LONGEST_S / 2, CLIENTS[0])).status_code
    return f"the retry after {first.headers['Retry-After']} s got {then}"


async def flood(caller: Caller, seconds: float) -> None:
    """Let one client send ten times the capacity, and another a short clip a second."""
    pick = random.Random(3)  # noqa: S311 - the same load each time
    clip = np.resize(examples()["vi"], int(LONGEST_S * SAMPLE_RATE))
    rate = await measured_rate(caller, clip[: 20 * SAMPLE_RATE])
    ended = time.perf_counter() + seconds
    answers: Counter[tuple[str, int]] = Counter()
    took_s: list[float] = []

    async def call(client: str, length_s: float) -> None:
        began = time.perf_counter()
        status = (await caller.transcribe(clip[: int(length_s * SAMPLE_RATE)], client=client)).status_code
        answers[client, status] += 1
        if client == CLIENTS[1]:
            took_s.append(time.perf_counter() - began)

    async def send(client: str, shortest_s: float, longest_s: float, pause_s: float) -> None:
        calls = []
        while time.perf_counter() < ended:
            length_s = pick.uniform(shortest_s, longest_s)
            calls.append(asyncio.create_task(call(client, length_s)))
            await asyncio.sleep(pause_s or length_s / (TIMES_CAPACITY * rate))
        await asyncio.gather(*calls)

    await asyncio.gather(send(CLIENTS[0], SHORTEST_S, LONGEST_S, 0), send(CLIENTS[1], SHORT_S, SHORT_S, 1))
    print(f"answers by client: {dict(sorted(answers.items()))}")
    print(f"client {CLIENTS[1]}, {SHORT_S:.0f} s a second: median {statistics.median(took_s):.2f} s, p99 {p99(took_s):.2f} s", flush=True)


async def hang_ups(server: Server, caller: Caller, rounds: int) -> None:
    """Let callers disconnect at random."""
    process = psutil.Process(server.process.pid)
    pick = random.Random(2)  # noqa: S311 - the same each time
    clips = examples()
    answered = disconnected = 0

    async def one() -> bool:
        language = pick.choice(("vi", "en"))
        start_s, length_s = pick.uniform(0, 2), pick.uniform(0.5, 3)
        clip = clips[language][int(start_s * SAMPLE_RATE) : int((start_s + length_s) * SAMPLE_RATE)]
        patience_s = pick.uniform(0, 1) if pick.random() < DISCONNECTING else 60
        try:
            async with asyncio.timeout(patience_s):
                return (await caller.transcribe(clip, client=pick.choice(CLIENTS), language=language)).status_code == OK
        except TimeoutError:
            return False

    for number in range(0, rounds, CALLERS):
        if number in (0, WARM_UP):
            await asyncio.sleep(IDLE_S)
        if number % 200 == 0 or number == WARM_UP:
            print(f"{number:5} rounds", state(process), f" answered {answered}, disconnected {disconnected}", flush=True)
        got = await asyncio.gather(*[one() for _ in range(CALLERS)])
        answered += sum(got)
        disconnected += len(got) - sum(got)
    await asyncio.sleep(IDLE_S)
    print("after      ", state(process), f" answered {answered}, disconnected {disconnected}", flush=True)


async def run(arguments: argparse.Namespace) -> None:
    """Run the chosen loads, each on its own server."""
    key = secrets.token_urlsafe()
    clients = {client: {"keys": [digest(client.encode(), key.encode()).hex()], "scopes": ["speech"]} for client in (*CLIENTS, NEWCOMER)}
    environment = {
        "ENVIRONMENT": "TESTING",
        "CREDENTIALS": json.dumps(clients),
        "RATE_LIMIT": "1000000/minute",
        "RATE_LIMIT_SPEECH": "1000000/minute",
        "SPEECH_QUEUE": str(arguments.queue),
        "SPEECH_MODEL": "base",
        "SPEECH_MODEL_VI": "conformer",
        "ACCESS_LOG": "off",
    }
    for name in ("overload", "flood", "hangups"):
        if arguments.only not in (None, name):
            continue
        print(f"== {name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        with tempfile.TemporaryDirectory() as directory:
            server = Server(Path(directory), environment)
            try:
                server.wait_until(lambda: httpx.get(f"{server.url}/readiness").status_code == OK)  # noqa: B023 - called at once
                limits = httpx.Limits(max_connections=None)
                async with httpx.AsyncClient(timeout=120, limits=limits) as http:
                    caller = Caller(server.url, key, http)
                    if name == "overload":
                        await overload(server, caller, arguments.seconds, arguments.queue)
                    elif name == "flood":
                        await flood(caller, arguments.seconds)
                    else:
                        await hang_ups(server, caller, arguments.rounds)
            finally:
                server.stop()


def main() -> None:
    """Run the chosen loads."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=["overload", "flood", "hangups"])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--queue", type=float, default=120)
    parser.add_argument("--rounds", type=int, default=1000)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
