"""Options of `recsys app` and `recsys demo` that cannot be used: one line, before the server starts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.run import complaint, recsys


@pytest.fixture
def taken() -> Iterator[int]:
    """A port in use."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_port_in_use_is_refused_before_anything_else_happens(taken: int) -> None:
    assert complaint(recsys("app", "--port", taken)) == (
        f"recsys: the app cannot listen on 127.0.0.1, port {taken}: address already in use; choose another --port"
    )
    assert "--no-app leaves the app out" in complaint(recsys("demo", "--port", taken))


@pytest.mark.parametrize("port", [0, -1, 65536, 99999])
def test_other_numbers_are_no_ports(port: int) -> None:
    assert "--port" in complaint(recsys("app", "--port", port))


@pytest.mark.parametrize("address", ["no such host", "203.0.113.1"])
def test_an_address_of_another_machine_is_refused(address: str) -> None:
    assert "choose another --address" in complaint(recsys("app", "--public", "--address", address))


def test_a_token_must_be_long_and_in_a_regular_file(tmp_path: Path) -> None:
    for content in ("", "short", "x" * 5000):
        (tmp_path / "token").write_text(content)
        line = complaint(recsys("app", "--public", "--admin-token", tmp_path / "token"))
        assert f"{tmp_path}/token: the token has {min(len(content), 1000)} characters" in line
    assert "RECSYS_ADMIN_TOKEN: the token has 5" in complaint(recsys("app", "--public", RECSYS_ADMIN_TOKEN="short"))
    assert "is not a regular file" in complaint(recsys("app", "--public", "--admin-token", "/dev/zero"))
    assert "no such file of the token" in complaint(recsys("app", "--public", "--admin-token", tmp_path / "none"))
    assert "are used with --public" in complaint(recsys("app", "--admin-token", tmp_path / "token"))
