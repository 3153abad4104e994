"""Metrics: a Prometheus registry. Several worker processes write their values to files, and each worker can merge all files.

A worker acquires a slot, which names its files and is locked while the worker lives. Its successor acquires the same slot and continues its
counters, so that a counter never decreases and no files accumulate. The gauges of a dead worker are removed.

Source: https://prometheus.github.io/client_python/multiprocess/
"""

import fcntl
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import prometheus_client.values
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.values import MultiProcessValue

# The environment variable that prometheus-client reads when it is imported.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
# Across workers we report the latest start time, so that a restart is visible, and the sum of everything else.
START_TIME = "process_start_time_seconds"


@contextmanager
def shared_by_workers() -> Iterator[None]:
    """Let the processes that are started within the block share their metrics."""
    with TemporaryDirectory(prefix="voice-metrics-") as directory:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # systemd-tmpfiles removes old files from directories that are not locked
        os.environ[DIRECTORY] = directory
        try:
            yield
        finally:
            del os.environ[DIRECTORY]
            os.close(descriptor)


class WorkerSlots:
    """Numbered lock files in the directory of the metrics, one for each worker."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def acquire(self) -> int:
        """Lock the first free slot until this process ends; return its number."""
        for number in itertools.count():
            descriptor = os.open(self._path(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if self._lock(descriptor, fcntl.LOCK_EX):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                self._remove_gauges(number)
                return number  # the descriptor stays open: the lock ends with the process
            os.close(descriptor)
        raise AssertionError

    def remove_dead_gauges(self) -> None:
        """Remove the gauges of workers that have died."""
        for number, path in self._slots():
            with path.open("rb") as file:
                if self._lock(file.fileno(), fcntl.LOCK_SH):
                    self._remove_gauges(number)

    def process_ids(self) -> list[int]:
        """Return the process ids of the living workers."""
        process_ids = []
        for _, path in self._slots():
            with path.open("rb") as file:
                if not self._lock(file.fileno(), fcntl.LOCK_SH):
                    process_ids += [int(text) for text in file.read().split()]
        return process_ids

    def _path(self, number: int) -> Path:
        return self.directory / f"slot-{number}"

    def _slots(self) -> list[tuple[int, Path]]:
        return [(int(path.name.removeprefix("slot-")), path) for path in self.directory.glob("slot-*")]

    @staticmethod
    def _lock(descriptor: int, kind: int) -> bool:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _remove_gauges(self, number: int) -> None:
        for path in self.directory.glob(f"gauge_live*_{number}.db"):
            with suppress(FileNotFoundError):  # another worker removed it
                path.unlink()


class WorkersCollector(Collector):
    """Collects memory, processor time and descriptors of all workers together."""

    def __init__(self, slots: WorkerSlots) -> None:
        self.slots = slots

    def collect(self) -> Iterator[Metric]:
        """Read the values from /proc."""
        values: dict[str, list[float]] = {}
        families: dict[str, Metric] = {}
        for process_id in self.slots.process_ids():
            for family in ProcessCollector(pid=partial(int, process_id), registry=None).collect():
                families[family.name] = family
                values.setdefault(family.name, []).append(family.samples[0].value)
        for name, family in families.items():
            value = max(values[name]) if name == START_TIME else sum(values[name])
            kind = CounterMetricFamily if family.type == "counter" else GaugeMetricFamily
            yield kind(name, family.documentation, value)


@cache
def _slots() -> WorkerSlots | None:
    """Acquire a slot, once a process; None in a service of one process. A worker imports the application's module twice."""
    if DIRECTORY not in os.environ:
        return None
    slots = WorkerSlots(Path(os.environ[DIRECTORY]))
    # By default process ids name the files, and files of dead processes accumulate.
    prometheus_client.values.ValueClass = MultiProcessValue(partial(int, slots.acquire()))  # type: ignore[no-untyped-call]
    return slots


def new_registry() -> CollectorRegistry:
    """Return the registry of this process; call it before any metric is constructed."""
    registry = CollectorRegistry()
    if _slots() is None:
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """Return the metrics of this process, or of all workers, in Prometheus' text format."""
    slots = _slots()
    if slots is None:
        return generate_latest(registry)
    slots.remove_dead_gauges()
    merged = CollectorRegistry()
    PlatformCollector(registry=merged)
    merged.register(WorkersCollector(slots))
    MultiProcessCollector(merged, str(slots.directory))  # type: ignore[no-untyped-call]
    return generate_latest(merged)
