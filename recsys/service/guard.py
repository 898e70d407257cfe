"""What every request passes before its route: host, key, rate, size and time; and what every answer passes after it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
import time
import traceback
from collections import OrderedDict
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recsys.addresses import visitor_at
from recsys.service.metrics import Metrics
from recsys.service.settings import (
    BODY_SECONDS,
    MOST_BYTES,
    REQUEST_SECONDS,
    REST_BYTES,
    REST_SECONDS,
    Settings,
)

LOG = logging.getLogger("recsys.service")
OPEN = frozenset({"/", "/page.js", "/openapi.json", "/health"})
"""Paths that need no key: they say nothing about users or movies."""
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
}
MOST_VISITORS = 10_000
"""Addresses whose requests are counted; beyond, the one that has been quiet longest is forgotten."""


class Refused(Exception):
    """A request that is answered here, with a status and a line."""

    def __init__(self, status: int, error: str, **headers: str) -> None:
        super().__init__(error)
        self.status, self.error, self.headers = status, error, headers


class Rate:
    """A bucket for each visitor: `rate` requests per second, and as many at once as two seconds bring, at least one."""

    def __init__(self, rate: float) -> None:
        self._rate, self._most = rate, max(1.0, 2 * rate)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests left, and when that was

    def wait(self, visitor: str, now: float) -> float:
        """Take a request; returns 0, or the seconds until there is one.

        now  seconds of a clock that only goes forward
        """
        left, then = self._left.pop(visitor, (self._most, now))
        left = min(self._most, left + (now - then) * self._rate)
        is_free = left >= 1
        self._left[visitor] = (left - is_free, now)
        if len(self._left) > MOST_VISITORS:
            self._left.popitem(last=False)
        return 0.0 if is_free else (1 - left) / self._rate


class Guard:
    """ASGI middleware around the routes. It answers every request, and lets no user data into a log."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._metrics, self._settings = app, metrics, settings
        self._key = None if settings.api_key is None else settings.api_key.encode()
        self._rate = None if settings.rate is None else Rate(settings.rate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1003})
            return
        started, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                self._check(scope)
                await self._app(scope, await _body(scope, receive), send_with_headers)
        except Refused as refused:
            if not status:
                await _refuse(refused, send_with_headers, None if refused.status == 408 else receive)
        except TimeoutError:
            if not status:
                late = Refused(503, "the answer took too long; ask for less, or try again later")
                await _refuse(late, send_with_headers)
        except Exception as error:  # noqa: BLE001 — its message may hold user data: only where it arose is logged
            at = traceback.extract_tb(error.__traceback__)[-1]
            LOG.error("%s in %s, line %s of %s", type(error).__name__, at.name, at.lineno, at.filename)
            if not status:
                await _refuse(Refused(500, "an internal error; the log says where"), send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if not self._settings.is_public:
            host = headers.get("host", "")
            name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
            if name.casefold() not in LOCAL_HOSTS:
                raise Refused(421, "this service answers to localhost only; recsys serve --public accepts other names")
        if self._rate is not None:
            wait = self._rate.wait(visitor_at((scope.get("client") or ("",))[0]), time.monotonic())
            if wait:
                raise Refused(429, "too many requests; wait", **{"Retry-After": str(int(wait) + 1)})
        if self._key is not None and scope["path"] not in OPEN:
            kind, _, bearer = headers.get("authorization", "").partition(" ")
            given = headers.get("x-api-key") or (bearer.strip() if kind.casefold() == "bearer" else "")
            if not secrets.compare_digest(given.encode("utf-8", "replace"), self._key):
                raise Refused(401, "give the key: Authorization: Bearer KEY", **{"WWW-Authenticate": "Bearer"})


async def _body(scope: Scope, receive: Receive) -> Receive:
    """A receiver of the whole body. Raises Refused for a large or a slow one."""
    headers = Headers(scope=scope)
    length = headers.get("content-length")
    if length is None and "transfer-encoding" not in headers:
        return receive
    too_large = Refused(413, f"the body of the request is larger than {MOST_BYTES:,} bytes; send less")
    if length is not None and int(length) > MOST_BYTES:
        raise too_large
    parts, size, more = [], 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(499, "the client left")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                more = message.get("more_body", False)
                if size > MOST_BYTES:
                    raise too_large
    except TimeoutError:
        raise Refused(408, f"the body of the request took longer than {BODY_SECONDS:g} s") from None
    whole: list[Message] = [{"type": "http.request", "body": b"".join(parts), "more_body": False}]

    async def receive_whole() -> Message:
        return whole.pop() if whole else await receive()

    return receive_whole


async def _refuse(refused: Refused, send: Send, rest: Receive | None = None) -> None:
    """Answer, and close the connection.

    rest  what receives the rest of the body, which is thrown away first: a connection closed with unread data is reset,
          and a client that is still sending never sees the answer
    """
    content = json.dumps({"error": refused.error}, ensure_ascii=False).encode() + b"\n"
    fields: dict[str, Any] = {
        "content-type": "application/json",
        "content-length": str(len(content)),
        "connection": "close",
        **refused.headers,
    }
    head = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": head})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    if rest is not None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REST_SECONDS):
                more, size = True, 0
                while more and size < REST_BYTES:
                    message = await rest()
                    more, size = message.get("more_body", False), size + len(message.get("body", b""))
    await send({"type": "http.response.body", "body": b""})
