"""What every request passes before Streamlit: security headers, hidden routes, and bounds on uploads and visitors."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import cast

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

UPLOADS = "/_stcore/upload_file/"
HIDDEN = ("/_stcore/metrics", "/_stcore/agent")
"""Routes of Streamlit that say how busy the server is, or drive the app without a browser."""
MAX_VISITORS = 200
"""Open websockets. Each holds a session: about 1 MB for 1,700 movies, 20 MB for 60,000."""
MAX_SESSION_UPLOADS = 32 * 2**20
"""Bytes of the files that one session keeps."""
MAX_UPLOADS = 256 * 2**20
"""Bytes of the files that all sessions keep."""
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
        self._n_visitors = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._n_visitors >= MAX_VISITORS:
            await send({"type": "websocket.close", "code": 1013})  # "try again later"
            return
        self._n_visitors += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._n_visitors -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        policy = content_policy(Headers(scope=scope).get("host", ""))

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers["Content-Security-Policy"] = policy
            await send(message)

        path = scope["path"]
        if path.startswith(HIDDEN):
            await PlainTextResponse("Not Found", 404)(scope, receive, send_with_headers)
        elif scope["method"] == "PUT" and UPLOADS in path and _is_full(path.partition(UPLOADS)[2].partition("/")[0]):
            await PlainTextResponse("Too many uploads", 413)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)


def _is_full(session: str) -> bool:
    """Whether a session, or all together, keep as many bytes of files as they may."""
    kept = cast(MemoryUploadedFileManager, runtime.get_instance().uploaded_file_mgr).file_storage
    sizes = {name: sum(len(file.data) for file in list(files.values())) for name, files in list(kept.items())}
    return sizes.get(session, 0) >= MAX_SESSION_UPLOADS or sum(sizes.values()) >= MAX_UPLOADS
