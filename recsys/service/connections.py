"""Connections: bounds on how long and how large the head of a request may be, and on connections of one address.

uvicorn bounds none of these; a body is bounded by `recsys.service.guard`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from recsys.addresses import visitor_at
from recsys.service.settings import HEAD_SECONDS, MOST_HEAD_BYTES, MOST_PER_ADDRESS

TOO_LARGE = b'{"error":"the headers of the request are too large"}\n'
ANSWER = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(TOO_LARGE), TOO_LARGE)
)


class Connection(HttpToolsProtocol):
    """One connection. It is closed when no head of a request arrives in time, when a head is too large, or when its
    address has too many connections."""

    by_address: ClassVar[Counter[str]] = Counter()
    """Open connections of the process, by address."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._late: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._visitor = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close the connection if its address has too many, else wait for a head."""
        super().connection_made(transport)
        self._visitor = visitor_at(self.client[0]) if self.client else ""
        self.by_address[self._visitor] += 1
        if self._visitor and self.by_address[self._visitor] > MOST_PER_ADDRESS:
            transport.close()
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._have_head()
        self.by_address[self._visitor] -= 1
        if not self.by_address[self._visitor]:
            del self.by_address[self._visitor]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and refuse a head that does not end."""
        super().data_received(data)
        if self._late is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._have_head()
                self.transport.write(ANSWER)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A further request on the connection begins."""
        if self._late is None:
            self._wait_for_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._have_head()
        super().on_headers_complete()

    def _wait_for_head(self) -> None:
        self._head_bytes = 0
        self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _have_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
