"""What the service counts and measures, in the format of Prometheus. No user data."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0)


class Metrics:
    """The metrics of one service.

    requests  by route and status
    seconds   from the headers of a request to the end of its answer, by route
    users     recommendations by the origin of the user: stored, folded in, cold
    reloads   of the model or its data, by result: swapped, failed
    loaded    when the model was loaded, seconds since 1970
    items, known_users  sizes of what is served
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("recsys_requests", "Requests", ["route", "status"], registry=self.registry)
        self.seconds = Histogram("recsys_request_seconds", "Time", ["route"], buckets=SECONDS, registry=self.registry)
        self.users = Counter("recsys_recommended_users", "Users", ["origin"], registry=self.registry)
        self.reloads = Counter("recsys_reloads", "Reloads", ["result"], registry=self.registry)
        self.loaded = Gauge("recsys_model_loaded_timestamp_seconds", "Loaded at", registry=self.registry)
        self.items = Gauge("recsys_model_items", "Movies", registry=self.registry)
        self.known_users = Gauge("recsys_model_users", "Known users", registry=self.registry)
        ProcessCollector(registry=self.registry)
        for result in ("swapped", "failed"):
            self.reloads.labels(result)

    def text(self) -> bytes:
        """All metrics as Prometheus reads them."""
        return generate_latest(self.registry)
