"""Settings of the service, and the bounds of what one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MOST_ITEMS = 1_000
"""The greatest length of a list that is asked for."""
MOST_RATED = 1_000
"""Ratings of one request. Finding their movies by title takes about 0.1 ms each."""
MOST_LISTED = 10_000
"""Movies in the lists of allowed or denied ones of one request."""
MOST_SHIFTS = 8
"""Axes along which one request may steer."""
MOST_BYTES = 256 * 2**10
"""Bytes of the body of a request."""
MOST_HEAD_BYTES = 32 * 2**10
"""Bytes of the request line and the headers."""
HEAD_SECONDS = 10.0
"""Within which the headers of a request must arrive."""
BODY_SECONDS = 10.0
"""Within which the body of a request must arrive."""
REQUEST_SECONDS = 20.0
"""Within which a request must have its answer and take it; a slower one is ended."""
MOST_PIPELINED = 16
"""Requests of one connection that may wait for their turn, sent before the answer to the one before."""
REST_BYTES, REST_SECONDS = 32 * 2**20, 2.0
"""How much of a refused body is read and thrown away, and for how long: many clients read no answer before they have
sent everything."""
IDLE_SECONDS = 75
"""For which a connection without requests stays open: longer than the 60 s of usual proxies, which reuse it."""
STOP_SECONDS = 10
"""Within which running requests may end after a signal to stop."""
MOST_CONNECTIONS = 1_000
"""Open connections of all clients; more get the status 503."""
MOST_PER_ADDRESS = 100
"""Open connections of one address, or one /64 network for IPv6; not of this machine, where a proxy may be."""
PUBLIC_RATE = 100.0
"""Requests per second and address, with `--public`, unless another rate is set."""
WATCH_SECONDS = 1.0
"""How often the service looks whether its model or its data were replaced."""
RETRY_SECONDS = 30.0
"""After which a model is loaded again that could not be loaded for want of memory or by an error of the system."""


@dataclass(frozen=True)
class Settings:
    """What the service serves, to whom.

    model      folder of the model; a model that replaces it is taken over
    data       folder of prepared data, with the ratings of known users; None: the one that the model names, if any
    is_public  whether requests may name any host. Otherwise only this machine's names are accepted, so that a web page
               cannot reach the service by a name that it points to this machine
    api_key    what clients must present; None: nothing
    origins    of web pages that may read the answers (CORS)
    rate       requests per second of one address; None: any number
    """

    model: Path
    data: Path | None = None
    is_public: bool = False
    api_key: str | None = None
    origins: tuple[str, ...] = ()
    rate: float | None = None
