"""Metrics of live connections."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class LiveMetrics:
    """The metrics of live connections."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Gauge("voice_live_sessions", "Open live connections", registry=registry, multiprocess_mode="livesum")
        self.delay_s = Histogram(
            "voice_live_seconds",
            "Seconds from the arrival of audio to the event that includes it",
            ("type",),
            buckets=(0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10),
            registry=registry,
        )
        self.ended = Counter("voice_live_ended", "Closed live connections", ("reason",), registry=registry)
        self.audio_s = Counter("voice_live_audio_seconds", "Seconds of audio received", registry=registry)
