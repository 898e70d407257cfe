"""What every request passes before Streamlit: security headers, hidden routes, and bounds on uploads and visitors."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Awaitable
from functools import cache
from pathlib import Path
from typing import cast

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from recsys.addresses import visitor_at

UPLOADS = "/_stcore/upload_file/"
HIDDEN = ("/_stcore/metrics", "/_stcore/agent")
"""Routes of Streamlit that say how busy the server is, or drive the app without a browser."""
MAX_VISITORS = 200
"""Open websockets of all. Each holds a session: about 1 MB for 1,700 movies, 20 MB for 60,000."""
MAX_PER_ADDRESS = 20
"""Open websockets of one address, and of one /64 network for IPv6; not of this machine, where a proxy may be."""
MAX_SESSION_UPLOADS = 32 * 2**20
"""Bytes of the files that one session keeps and sends."""
MAX_UPLOADS = 256 * 2**20
"""Bytes of the files that all sessions keep and send."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HOST = re.compile(r"[A-Za-z0-9.:\[\]-]{1,255}")


def content_policy(host: str) -> str:
    """The Content-Security-Policy of the app at a host: nothing is loaded from, or sent to, any other.

    Streamlit sets styles from its scripts and starts the scripts of our components from `blob:` addresses.
    """
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' blob: {_hashes_of_inline_scripts()}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            f"connect-src 'self'{sockets}",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-src 'self'",
            "frame-ancestors 'none'",
        )
    )


@cache
def _hashes_of_inline_scripts() -> str:
    """The scripts inside Streamlit's page, which `script-src` names by hash."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_bytes()
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    return " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts)


class Guard:
    """ASGI middleware around Streamlit's own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._visitors: Counter[str] = Counter()  # by address
        self._uploads: Counter[str] = Counter()  # bytes of running uploads, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = visitor_at((scope.get("client") or ("",))[0])
        if self._visitors.total() >= MAX_VISITORS or (peer and self._visitors[peer] >= MAX_PER_ADDRESS):
            await send({"type": "websocket.close", "code": 1013})  # "try again later"
            return
        await _counted(self._visitors, peer, 1, self._app(scope, receive, send))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        policy = content_policy(Headers(scope=scope).get("host", ""))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers["Content-Security-Policy"] = policy
            await send(message)

        path = scope["path"]
        if any(route in path for route in HIDDEN):  # also below `server.baseUrlPath`
            await PlainTextResponse("Not Found", 404)(scope, receive, send_with_headers)
        elif scope["method"] == "PUT" and UPLOADS in path:
            session, size = path.partition(UPLOADS)[2].partition("/")[0], _size(Headers(scope=scope))
            if _is_full(session, size, self._uploads):
                await PlainTextResponse("Too many uploads", 413)(scope, receive, send_with_headers)
            else:
                await _counted(self._uploads, session, size, self._app(scope, receive, send_with_headers))
        else:
            await self._app(scope, receive, send_with_headers)


async def _counted(counter: Counter[str], name: str, amount: int, answer: Awaitable[None]) -> None:
    """Wait for an answer, which counts meanwhile."""
    counter[name] += amount
    try:
        await answer
    finally:
        counter[name] -= amount
        if not counter[name]:
            del counter[name]


def _size(headers: Headers) -> int:
    """Bytes of the body of an upload; if it is not given, the most that Streamlit accepts."""
    given = headers.get("content-length", "")
    return (
        int(given) if re.fullmatch(r"[0-9]{1,18}", given) else int(streamlit.get_option("server.maxUploadSize")) << 20
    )


def _is_full(session: str, size: int, running: Counter[str]) -> bool:
    """Whether a session, or all together, would keep and send more bytes of files than they may."""
    kept = cast(MemoryUploadedFileManager, runtime.get_instance().uploaded_file_mgr).file_storage
    sizes = {name: sum(len(file.data) for file in list(files.values())) for name, files in list(kept.items())}
    mine, everything = sizes.get(session, 0) + running[session], sum(sizes.values()) + running.total()
    return mine + size > MAX_SESSION_UPLOADS or everything + size > MAX_UPLOADS
