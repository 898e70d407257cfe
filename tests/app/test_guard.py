"""What every request passes: headers, hidden routes, limits of uploads and visitors. A server with two visitors."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from recsys.app import guard


async def _answer(_: object) -> PlainTextResponse:
    return PlainTextResponse("inside")


async def _stay(socket: Any) -> None:
    await socket.accept()
    await socket.receive()


APP = Starlette(
    routes=[Route("/{path:path}", _answer, methods=["GET", "PUT"]), WebSocketRoute("/{path:path}", _stay)],
    middleware=[Middleware(guard.Guard)],
)


def ask(path: str, method: str = "GET", host: str = "movies.example:8501") -> SimpleNamespace:
    """Status, headers and body of a request."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [(b"host", host.encode("latin-1"))], "root_path": "", "scheme": "http"}
    asyncio.run(APP(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return SimpleNamespace(status=sent[0]["status"], headers=headers, body=sent[1]["body"])


def test_every_answer_carries_the_headers() -> None:
    for path in ("/", "/blob/x", "/_stcore/metrics"):
        headers = ask(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "same-origin"
        assert "camera=()" in headers["permissions-policy"]
        assert "default-src 'self'" in headers["content-security-policy"]


def test_the_policy_allows_scripts_of_this_server_only() -> None:
    policy = dict(part.split(" ", 1) for part in ask("/").headers["content-security-policy"].split("; "))
    assert policy["script-src"].startswith("'self' blob: 'sha256-")
    assert "unsafe" not in policy["script-src"] and "http" not in str(policy).replace("ws://", "")
    assert policy["connect-src"] == "'self' ws://movies.example:8501 wss://movies.example:8501"
    assert (policy["object-src"], policy["frame-ancestors"]) == ("'none'", "'none'")


@pytest.mark.parametrize("host", ["", "a b", "x; script-src *", "x'", "x\xe9", "h" * 300])
def test_a_forged_host_does_not_reach_the_policy(host: str) -> None:
    assert "connect-src 'self'; " in ask("/", host=host).headers["content-security-policy"]


def test_routes_of_streamlit_that_nobody_needs_are_hidden() -> None:
    for path in ("/_stcore/metrics", "/_stcore/agent/openapi.json"):
        assert ask(path).status == 404
    assert ask("/_stcore/health").body == b"inside"


def test_uploads_are_bounded_for_a_session_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(*sizes: int) -> dict[str, SimpleNamespace]:
        return {str(at): SimpleNamespace(data=b"x" * size) for at, size in enumerate(sizes)}

    kept = {"one": files(60, 50), "two": files(10)}
    manager = SimpleNamespace(uploaded_file_mgr=SimpleNamespace(file_storage=kept))
    monkeypatch.setattr(streamlit.runtime, "get_instance", lambda: manager)
    monkeypatch.setattr(guard, "MAX_SESSION_UPLOADS", 100)
    statuses = [ask(f"{guard.UPLOADS}{session}/file", "PUT").status for session in ("one", "two", "new")]
    assert statuses == [413, 200, 200]
    monkeypatch.setattr(guard, "MAX_UPLOADS", 120)
    assert ask(f"{guard.UPLOADS}two/file", "PUT").status == 413


def test_only_so_many_visitors_are_connected_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_VISITORS", 2)

    async def visits() -> list[str]:
        first: list[str] = []
        leave = asyncio.Event()

        async def visit() -> None:
            sent: list[str] = []

            async def receive() -> dict[str, Any]:
                if not sent:
                    return {"type": "websocket.connect"}
                await leave.wait()
                return {"type": "websocket.disconnect", "code": 1000}

            async def send(message: dict[str, Any]) -> None:
                sent.append(message["type"])
                first.append(message["type"])

            scope = {"type": "websocket", "path": "/x", "raw_path": b"/x", "query_string": b"", "headers": []}
            await APP(scope | {"root_path": "", "scheme": "ws", "subprotocols": []}, receive, send)

        visitors = [asyncio.create_task(visit()) for _ in range(3)]
        while len(first) < 3:
            await asyncio.sleep(0)
        leave.set()
        await asyncio.gather(*visitors)
        await visit()
        return first

    seen = asyncio.run(visits())
    assert sorted(seen[:3]) == ["websocket.accept", "websocket.accept", "websocket.close"]
    assert seen[3] == "websocket.accept", "there is room again when a visitor has left"
