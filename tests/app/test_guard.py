"""What every request passes: headers, hidden routes, limits of uploads and visitors. A server with two visitors."""

from __future__ import annotations

import asyncio
import runpy
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from streamlit import net_util
from streamlit.web.server.server_util import is_url_from_allowed_origins

from recsys.app import guard, serve


def test_a_websocket_from_another_site_is_refused_without_asking_the_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(net_util, "_external_ip", None)
    monkeypatch.setattr(net_util, "_make_blocking_http_get", lambda *url, **_: asked.append(url))
    assert not is_url_from_allowed_origins("http://evil.example")
    assert asked, "the control: Streamlit asks"
    asked.clear()
    runpy.run_path(serve.__file__)
    for origin in ("http://evil.example", "http://?", "?", ""):
        assert not is_url_from_allowed_origins(origin)
    assert is_url_from_allowed_origins("http://localhost:8501")
    assert not asked


async def _answer(_: object) -> PlainTextResponse:
    return PlainTextResponse("inside")


async def _stay(socket: Any) -> None:
    await socket.accept()
    await socket.receive()


APP = Starlette(
    routes=[Route("/{path:path}", _answer, methods=["GET", "PUT"]), WebSocketRoute("/{path:path}", _stay)],
    middleware=[Middleware(guard.Guard)],
)


def ask(path: str, method: str = "GET", host: str = "movies.example:8501", size: int | None = None) -> SimpleNamespace:
    """Status, headers and body of a request."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b""}
    length = [] if size is None else [(b"content-length", str(size).encode())]
    scope |= {"headers": [(b"host", host.encode("latin-1")), *length], "root_path": "", "scheme": "http"}
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
    for path in ("/_stcore/metrics", "/_stcore/agent/openapi.json", "/movies/_stcore/metrics"):
        assert ask(path).status == 404
    assert ask("/_stcore/health").body == b"inside"


def test_uploads_are_bounded_for_a_session_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def files(*sizes: int) -> dict[str, SimpleNamespace]:
        return {str(at): SimpleNamespace(data=b"x" * size) for at, size in enumerate(sizes)}

    kept = {"one": files(60, 50), "two": files(10)}
    manager = SimpleNamespace(uploaded_file_mgr=SimpleNamespace(file_storage=kept))
    monkeypatch.setattr(streamlit.runtime, "get_instance", lambda: manager)
    monkeypatch.setattr(guard, "MAX_SESSION_UPLOADS", 100)
    sent = [("one", 1), ("two", 90), ("two", 91), ("new", 100), ("new", 101), ("new", None)]
    statuses = [ask(f"/movies{guard.UPLOADS}{session}/file", "PUT", size=size).status for session, size in sent]
    assert statuses == [413, 200, 413, 200, 413, 413]
    monkeypatch.setattr(guard, "MAX_UPLOADS", 125)
    assert [ask(f"{guard.UPLOADS}two/file", "PUT", size=size).status for size in (5, 6)] == [200, 413]


def test_running_uploads_count(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = SimpleNamespace(uploaded_file_mgr=SimpleNamespace(file_storage={}))
    monkeypatch.setattr(streamlit.runtime, "get_instance", lambda: manager)
    monkeypatch.setattr(guard, "MAX_SESSION_UPLOADS", 100)

    async def uploads() -> list[str]:
        seen: list[str] = []
        end = asyncio.Event()

        async def inside(*_: object) -> None:
            seen.append("inside")
            await end.wait()
            raise ConnectionError

        async def send(message: dict[str, Any]) -> None:
            if "status" in message:
                seen.append(str(message["status"]))

        app = guard.Guard(inside)
        scope = {"type": "http", "method": "PUT", "path": f"{guard.UPLOADS}one/file"}
        scope["headers"] = [(b"content-length", b"60")]
        first, second = (asyncio.create_task(app(scope, None, send)) for _ in range(2))  # type: ignore[arg-type]
        await second
        end.set()
        for upload in (first, app(scope, None, send)):  # type: ignore[arg-type]
            with pytest.raises(ConnectionError):
                await upload
        return seen

    assert asyncio.run(uploads()) == ["inside", "413", "inside"], (
        "an upload that ended, even in an error, is free again"
    )


@pytest.mark.parametrize(
    ("limit", "addresses", "accepted"),
    [
        ("MAX_VISITORS", ["203.0.113.1", "203.0.113.2", "127.0.0.1"], 2),
        ("MAX_PER_ADDRESS", ["203.0.113.1"] * 3, 2),
        ("MAX_PER_ADDRESS", ["203.0.113.1", "203.0.113.1", "203.0.113.2"], 3),
        ("MAX_PER_ADDRESS", ["2001:db8::1", "2001:db8::2", "2001:db8::3"], 2),
        ("MAX_PER_ADDRESS", ["127.0.0.1"] * 3, 3),
        ("MAX_PER_ADDRESS", ["::1"] * 3, 3),
    ],
)
def test_only_so_many_visitors_are_connected_at_once(
    limit: str, addresses: list[str], accepted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, limit, 2)

    async def visits() -> list[str]:
        first: list[str] = []
        leave = asyncio.Event()

        async def visit(address: str) -> None:
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
            scope["client"] = (address, 50_000)
            await APP(scope | {"root_path": "", "scheme": "ws", "subprotocols": []}, receive, send)

        visitors = [asyncio.create_task(visit(address)) for address in addresses]
        while len(first) < 3:
            await asyncio.sleep(0)
        leave.set()
        await asyncio.gather(*visitors)
        await visit(addresses[0])
        return first

    seen = asyncio.run(visits())
    assert sorted(seen[:3]) == ["websocket.accept"] * accepted + ["websocket.close"] * (3 - accepted)
    assert seen[3] == "websocket.accept", "there is room again when a visitor has left"
