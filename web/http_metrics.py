"""Metrics of the HTTP interface."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class HttpMetrics:
    """The metrics of one application."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.latency_s = Histogram(
            "voice_http_request_seconds",
            "Seconds from a request's head to the end of its reply.",
            ["method", "route", "status"],
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self.in_flight = Gauge("voice_http_in_flight", "Requests that are being served.", registry=registry, multiprocess_mode="livesum")
        self.held_body_bytes = Gauge(
            "voice_http_body_held_bytes", "Bytes of large bodies that are being received.", registry=registry, multiprocess_mode="livesum"
        )
        self.body_bytes = Counter("voice_http_body_bytes", "Bytes of bodies that were read.", registry=registry)
        self.disconnected = Counter("voice_http_disconnected", "Callers that disconnected before their reply.", registry=registry)
        self.failed_credentials = Counter("voice_http_failed_credentials", "Rejected credentials.", ["error"], registry=registry)
