"""uvicorn around the service."""

from __future__ import annotations

import logging
import resource
import sys

import uvicorn

from recsys.service.api import make_app
from recsys.service.connections import Connection
from recsys.service.guard import LOG
from recsys.service.settings import IDLE_SECONDS, MOST_CONNECTIONS, STOP_SECONDS, Settings

SWITCH_SECONDS = 0.001
"""For how long a thread that computes may keep the interpreter while the event loop waits for it; Python's default is
5 ms."""


def serve(settings: Settings, address: str, port: int) -> None:
    """Serve until a signal ends it; then running requests end first.

    Raises RecsysError for a folder that cannot be used.
    """
    logging.disable(logging.NOTSET)  # the command line turns it off
    LOG.handlers[:] = [logging.StreamHandler()]
    LOG.handlers[0].setFormatter(logging.Formatter("recsys: %(asctime)s %(levelname)s %(message)s"))
    LOG.setLevel(logging.INFO)
    LOG.propagate = False
    sys.setswitchinterval(SWITCH_SECONDS)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST_CONNECTIONS  # also for those that are refused, and for the files of a newer model
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    app = make_app(settings)
    where = f"[{address}]" if ":" in address else address
    LOG.info("serving %s at http://%s:%s (Ctrl-C stops it)", settings.model, where, port)
    uvicorn.run(
        app,
        host=address,
        port=port,
        http=Connection,
        loop="uvloop",
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=settings.is_public,  # of a proxy on this machine only
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
        backlog=2048,
    )
