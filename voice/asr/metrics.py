"""Prometheus metrics of speech recognition."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class AsrMetrics:
    """Metrics of the recogniser."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("engine", "language")
        self.audio = Counter("voice_speech_audio_seconds", "Audio decoded", labels, registry=registry)
        self.recognition = Counter("voice_speech_recognition_seconds", "Thread time spent decoding", labels, registry=registry)
        self.real_time_factor = Histogram(
            "voice_speech_real_time_factor",
            "Thread time per second of audio",
            ("engine",),
            buckets=(0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2),
            registry=registry,
        )
        self.batch_size = Histogram(
            "voice_speech_batch_size", "Clips in one call of an engine", ("engine",), buckets=(1, 2, 3, 4), registry=registry
        )
        self.queue = Gauge("voice_speech_queue_seconds", "Audio in the queue", registry=registry, multiprocess_mode="livesum")
        self.wait = Histogram(
            "voice_speech_wait_seconds",
            "Time from arrival to the first piece, decoding of the audio included",
            buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60),
            registry=registry,
        )
        self.rejected = Counter("voice_speech_refused", "Requests rejected", ("reason",), registry=registry)
        self.abandoned = Counter("voice_speech_abandoned", "Requests whose caller disconnected", registry=registry)
