"""Large arrays that the browser fetches once, addressed by their hash: a rerun sends addresses, not megabytes."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

MOST_BYTES = 512 * 2**20
"""Upper limit of the arrays kept, least recently offered dropped first; each rerun offers its arrays again."""

_kept: OrderedDict[str, bytes] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True, eq=False)
class Blob:
    """Bytes with a hash that is computed once, not at every rerun."""

    content: bytes

    @cached_property
    def name(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()


def offer(blob: Blob) -> str:
    """Make the bytes available to browsers; returns their URL, relative to the address of the app."""
    with _lock:
        _kept[blob.name] = blob.content
        _kept.move_to_end(blob.name)
        while sum(map(len, _kept.values())) > MOST_BYTES and len(_kept) > 1:
            _kept.popitem(last=False)
    return f"blob/{blob.name}"


async def _send(request: Request) -> Response:
    with _lock:
        content = _kept.get(request.path_params["name"])
    if content is None:
        return Response("no such array", status_code=404, media_type="text/plain")
    return Response(
        content, media_type="application/octet-stream", headers={"Cache-Control": "private, max-age=86400, immutable"}
    )


ROUTES = [Route("/blob/{name}", _send)]
