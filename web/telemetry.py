"""Metrics: a registry, and where there are several worker processes, files that each writes its part into and any of them merges.

A worker takes a slot, which names its files and is locked for as long as it lives. Its successor takes the same slot and counts on, so
that a counter never falls and no files pile up; the gauges of a dead worker are removed.

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

# The library's setting, which it reads when it is imported.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
# Set together over several processes: of start times the latest, so that a restart is a change; of all else the sum.
START_TIME = "process_start_time_seconds"


@contextmanager
def shared_by_workers() -> Iterator[None]:
    """Have the processes that are started within the block share their metrics."""
    with TemporaryDirectory(prefix="voice-metrics-") as directory:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # systemd-tmpfiles removes old files from directories that are not locked
        os.environ[DIRECTORY] = directory
        try:
            yield
        finally:
            del os.environ[DIRECTORY]
            os.close(descriptor)


class Slots:
    """The workers' places among the files of a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def take(self) -> int:
        """Take the first free slot until this process ends."""
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
        """Return the workers that live."""
        found = []
        for _, path in self._slots():
            with path.open("rb") as file:
                if not self._lock(file.fileno(), fcntl.LOCK_SH):
                    found += [int(text) for text in file.read().split()]
        return found

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
            with suppress(FileNotFoundError):  # another worker was faster
                path.unlink()


class WorkersCollector(Collector):
    """Memory, processor time and descriptors of all workers together."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots

    def collect(self) -> Iterator[Metric]:
        """Read them from /proc."""
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
def _slots() -> Slots | None:
    """Take a slot, once a process: the module of the application is imported twice in a worker."""
    if DIRECTORY not in os.environ:
        return None
    slots = Slots(Path(os.environ[DIRECTORY]))
    # By default files are named by the process, and those of dead ones are read for ever.
    prometheus_client.values.ValueClass = MultiProcessValue(partial(int, slots.take()))  # type: ignore[no-untyped-call]
    return slots


def new_registry() -> CollectorRegistry:
    """Make the registry of this process; metrics are made after it."""
    registry = CollectorRegistry()
    if _slots() is None:
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)
    return registry


def exposition(registry: CollectorRegistry) -> bytes:
    """Write down the metrics of this process, or of all workers."""
    slots = _slots()
    if slots is None:
        return generate_latest(registry)
    slots.remove_dead_gauges()
    merged = CollectorRegistry()
    PlatformCollector(registry=merged)
    merged.register(WorkersCollector(slots))
    MultiProcessCollector(merged, str(slots.directory))  # type: ignore[no-untyped-call]
    return generate_latest(merged)
