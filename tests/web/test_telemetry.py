"""Metrics of several worker processes: real processes that share a directory, and a real server with workers."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from settings import ROOT
from tests.conftest import KEYS
from tests.servers import Server, program_with
from web.telemetry import DIRECTORY, shared_by_workers

# Increases a counter by the first argument, sets a gauge to three, then replies to each line with the exposition.
WORKER = """
import sys
from web import telemetry
from prometheus_client import Counter, Gauge, Histogram
registry = telemetry.new_registry()
Counter("served", "x", registry=registry).inc(int(sys.argv[1]))
Histogram("seconds", "x", ["route"], buckets=(1, 2), registry=registry).labels("a").observe(1.5)
Gauge("waiting", "x", registry=registry, multiprocess_mode="livesum").inc(3)
print("here", flush=True)
for line in sys.stdin:
    print(telemetry.exposition(registry).decode() + "# EOF", flush=True)
"""


class Worker:
    """A worker process."""

    def __init__(self, directory: Path, number: int) -> None:
        environment = os.environ | {DIRECTORY: str(directory)}
        command = [sys.executable, "-c", WORKER, str(number)]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "here\n"

    def values(self) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        lines = list(iter(self.process.stdout.readline, "# EOF\n"))
        return values_of("".join(lines))

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def values_of(text: str) -> dict[str, float]:
    """Read the samples; of those with labels only those of the largest bucket, by name."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: sample.value for sample in samples if sample.labels.get("le", "2.0") == "2.0"}


def test_metrics_of_workers_are_merged_and_gauges_of_dead_workers_removed(tmp_path):
    workers = [Worker(tmp_path, 10), Worker(tmp_path, 100)]
    try:
        for worker in workers:
            values = worker.values()
            assert (values["served_total"], values["waiting"], values["seconds_bucket"], values["seconds_sum"]) == (110, 6, 2, 3)
        resident = values["process_resident_memory_bytes"]
        workers.pop(0).end()
        (left,) = workers
        values = left.values()
        assert (values["served_total"], values["waiting"], values["seconds_count"]) == (110, 3, 2)
        assert values["process_resident_memory_bytes"] < resident
        files = {path.name for path in tmp_path.iterdir()} | {"gauge_livesum_0.db"}
        workers.append(Worker(tmp_path, 1000))
        values = left.values()
        assert (values["served_total"], values["waiting"], values["seconds_count"]) == (1110, 6, 3)
        assert {path.name for path in tmp_path.iterdir()} == files
    finally:
        for worker in workers:
            worker.end()


def test_the_directory_is_removed_after_the_block():
    with shared_by_workers():
        directory = Path(os.environ[DIRECTORY])
        assert directory.is_dir()
    assert not directory.exists()
    assert DIRECTORY not in os.environ


def counted(client: httpx.Client, sample: str) -> float:
    found = re.findall(rf"^{re.escape(sample)} (.+)$", client.get("/metrics").text, re.MULTILINE)
    return sum(map(float, found))


MENUS = "/api/v1/voice/menus"
SERVED, REFUSED = (f'voice_http_request_seconds_count{{method="GET",route="{MENUS}",status="{status}"}}' for status in (200, 429))


# Run as a string: with a file each worker imports the application twice.
SERVE = program_with()


def test_workers_share_metrics_and_limits_and_remove_their_files(tmp_path):
    environment = {"WORKERS": "2", "RATE_LIMIT": "11/minute", "TMPDIR": str(tmp_path), "DRAIN_SECONDS": "0"}
    running = Server(tmp_path, environment, SERVE)
    try:
        (directory,) = tmp_path.glob("voice-metrics-*")
        running.wait_until(lambda: len({path.stem.rpartition("_")[2] for path in directory.glob("gauge_*")}) == 2)  # processes
        # Each request opens a connection, which either worker may accept.
        with httpx.Client(base_url=running.url, headers=KEYS, limits=httpx.Limits(max_keepalive_connections=0)) as client:
            statuses = [client.get(MENUS).status_code for _ in range(40)]
            assert 5 <= statuses.count(200) <= 10
            assert statuses.count(200) + statuses.count(429) == 40
            for _ in range(5):
                assert (counted(client, SERVED), counted(client, REFUSED)) == (statuses.count(200), statuses.count(429))
        running.signal(signal.SIGTERM)
        running.process.wait(30)
        assert list(tmp_path.glob("voice-metrics-*")) == []
    finally:
        running.stop()
