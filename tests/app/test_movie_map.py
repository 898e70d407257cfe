"""Input that the map sends, and the large arrays that it fetches."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette

from recsys.app import blobs
from recsys.app.components.movie_map import outline_of


def test_a_valid_outline_is_accepted() -> None:
    assert outline_of([[0, 0], [1, 0.5], [0, 1]]).tolist() == [[0, 0], [1, 0.5], [0, 1]]


@pytest.mark.parametrize(
    "sent",
    [None, [], "abc", 3, [[0, 0], [1, 1]], [[0, 0, 0]] * 3, [[0, "x"]] * 3, [[0, float("nan")]] * 3, [[0], [1, 2]]],
)
def test_an_invalid_outline_is_none(sent: object) -> None:
    assert outline_of(sent) is None


@pytest.fixture
def get() -> Callable[[str], SimpleNamespace]:
    """Request a path from the routes of the app, as the server does."""
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


def test_an_offered_array_is_served_at_its_address(get: Callable[[str], SimpleNamespace]) -> None:
    where = blobs.offer(blobs.Blob(b"\x00\x01movies"))
    answer = get(where)
    assert (answer.status_code, answer.content) == (200, b"\x00\x01movies")
    assert "immutable" in answer.headers["cache-control"]
    assert blobs.offer(blobs.Blob(b"\x00\x01movies")) == where
    assert blobs.offer(blobs.Blob(b"others")) != where


def test_other_addresses_are_not_found(get: Callable[[str], SimpleNamespace]) -> None:
    blobs.offer(blobs.Blob(b"here"))
    for where in ("blob/none", "blob/../app.py", "blob/%2e%2e%2fapp.py", "blob/"):
        assert get(where).status_code == 404


def test_the_least_recently_offered_arrays_are_dropped(
    get: Callable[[str], SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "MOST_BYTES", 100)
    first, second = blobs.offer(blobs.Blob(b"a" * 60)), blobs.offer(blobs.Blob(b"b" * 30))
    blobs.offer(blobs.Blob(b"a" * 60))  # offered again, so more recent than the second
    third = blobs.offer(blobs.Blob(b"c" * 40))
    assert [get(where).status_code for where in (first, second, third)] == [200, 404, 200]
    alone = blobs.offer(blobs.Blob(b"d" * 500))
    assert get(alone).status_code == 200
