"""Connections: bounds on the time and size of the head of a request, on requests that wait in one connection, on unread
answers, and on connections of one address.

uvicorn bounds none of these; a body is bounded by `recsys.service.guard`.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from recsys.addresses import visitor_at
from recsys.service.settings import (
    HEAD_SECONDS,
    MOST_HEAD_BYTES,
    MOST_PER_ADDRESS,
    MOST_PIPELINED,
    REQUEST_SECONDS,
)

HEAD_TOO_LARGE = (b"431 Request Header Fields Too Large", "the headers of the request are too large")


class Connection(HttpToolsProtocol):
    """One connection. It is closed when no head of a request arrives in time, when a head is too large, when too many
    requests wait in it, when its last answer is not read, or when its address has too many connections."""

    by_address: ClassVar[Counter[str]] = Counter()
    """Open connections of the process, by address."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._late: asyncio.TimerHandle | None = None
        self._ending: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._head_bytes = 0
        self._visitor = ""
        self._refusal = (b"400 Bad Request", "this is not a request of HTTP/1.1")

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
        if self._ending is not None:
            self._ending.cancel()
        self._answer_no_more()
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
                self._refusal = HEAD_TOO_LARGE
                self.send_400_response("")
        elif self.cycle is not None and self.cycle.response_complete and self.timeout_keep_alive_task is None:
            self._wait_for_head()  # empty lines between requests begin none, and have ended the time for idleness

    def on_message_begin(self) -> None:
        """A further request on the connection begins."""
        if len(self.pipeline) >= MOST_PIPELINED:
            self._refusal = (b"400 Bad Request", "too many requests were sent before the first was answered")
            raise OverflowError  # ends the parser, which would read every request that has come
        if self._late is None:
            self._wait_for_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._have_head()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES:
            self._refusal = HEAD_TOO_LARGE
            raise OverflowError
        super().on_headers_complete()
        if not self.pipeline:
            self._running = self.cycle

    def on_response_complete(self) -> None:
        """Read on only when no further request waits: what else has been sent can wait in the socket. A connection that
        is to be closed is so when its client has taken the answer, or after a time."""
        waits = bool(self.pipeline)
        if waits:
            self._running = self.pipeline[-1][0]
        super().on_response_complete()
        if self.transport.is_closing():
            self._end_late()
        elif waits:
            self.flow.pause_reading()

    def pause_writing(self) -> None:
        """The client reads more slowly than answers are written."""
        super().pause_writing()
        self._end_late()

    def resume_writing(self) -> None:
        """The client has read most of it."""
        super().resume_writing()
        if self._ending is not None and not self.transport.is_closing():
            self._ending.cancel()
            self._ending = None

    def timeout_keep_alive_handler(self) -> None:
        """End a connection without requests, even if its last answer was not read."""
        self._abort()

    def send_400_response(self, msg: str) -> None:
        """Answer with a line to what is not parsed, and close the connection. Called when the parser fails."""
        self._have_head()
        status, error = self._refusal
        content = json.dumps({"error": error}).encode() + b"\n"
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
            % (status, len(content), content)
        )
        self._answer_no_more()
        self.transport.close()
        self._end_late()

    def _answer_no_more(self) -> None:
        """Let the request that runs write into nothing, and forget those that wait; uvicorn does so for the last."""
        self.pipeline.clear()
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def _abort(self) -> None:
        self._answer_no_more()
        self.transport.abort()

    def _end_late(self) -> None:
        """End the connection after a time, even if the client has not read what was written; closing waits for that."""
        if self._ending is None:
            self._ending = self.loop.call_later(REQUEST_SECONDS, self._abort)

    def _wait_for_head(self) -> None:
        self._head_bytes = 0
        self._late = self.loop.call_later(HEAD_SECONDS, self._abort)

    def _have_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
