"""What the browser sends of the map, and the large arrays it fetches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette

from recsys.app import blobs
from recsys.app.components.movie_map import outline_of


def test_an_outline_is_taken_as_it_was_drawn() -> None:
    assert outline_of([[0, 0], [1, 0.5], [0, 1]]).tolist() == [[0, 0], [1, 0.5], [0, 1]]


@pytest.mark.parametrize(
    "sent",
    [None, [], "abc", 3, [[0, 0], [1, 1]], [[0, 0, 0]] * 3, [[0, "x"]] * 3, [[0, float("nan")]] * 3, [[0], [1, 2]]],
)
def test_what_is_no_outline_is_none(sent: object) -> None:
    assert outline_of(sent) is None


@pytest.fixture
def get(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SimpleNamespace]:
    """Ask the app's routes for an address, as the server does."""
    monkeypatch.setattr(blobs, "_kept", type(blobs._kept)())
    app = Starlette(routes=blobs.ROUTES)

    def ask(where: str) -> SimpleNamespace:
        sent: list[dict] = []

        async def receive() -> dict:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict) -> None:
            sent.append(message)

        path = f"/{where}"
        scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
        asyncio.run(app(scope | {"headers": [], "root_path": "", "scheme": "http"}, receive, send))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return SimpleNamespace(status_code=sent[0]["status"], headers=headers, content=sent[1]["body"])

    return ask


def test_an_array_is_fetched_where_it_was_offered(get: Callable[[str], SimpleNamespace]) -> None:
    where = blobs.offer(blobs.Blob(b"\x00\x01movies"))
    answer = get(where)
    assert (answer.status_code, answer.content) == (200, b"\x00\x01movies")
    assert "immutable" in answer.headers["cache-control"]
    assert blobs.offer(blobs.Blob(b"\x00\x01movies")) == where
    assert blobs.offer(blobs.Blob(b"others")) != where


def test_nothing_else_can_be_fetched(get: Callable[[str], SimpleNamespace]) -> None:
    blobs.offer(blobs.Blob(b"here"))
    for where in ("blob/none", "blob/../app.py", "blob/%2e%2e%2fapp.py", "blob/"):
        assert get(where).status_code == 404


def test_the_oldest_arrays_make_room(get: Callable[[str], SimpleNamespace], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "MOST_BYTES", 100)
    first, second = blobs.offer(blobs.Blob(b"a" * 60)), blobs.offer(blobs.Blob(b"b" * 30))
    blobs.offer(blobs.Blob(b"a" * 60))  # asked for again, so younger than the second
    third = blobs.offer(blobs.Blob(b"c" * 40))
    assert [get(where).status_code for where in (first, second, third)] == [200, 404, 200]
    alone = blobs.offer(blobs.Blob(b"d" * 500))
    assert get(alone).status_code == 200
