"""A public page in a real browser: the owner's token, visitors who share nothing, and bad requests."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from driver import ROOT, browsing, map_of, open_app, rate, recommended, serving, settle, whole_page

PICTURES = ROOT / "test-output"
TOKEN = "a token that nobody guesses"


@pytest.fixture(scope="module")
def public(grid_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a public app, and its log."""
    folder = tmp_path_factory.mktemp("public")
    environment = {"RECSYS_PUBLIC": "1", "RECSYS_ADMIN_TOKEN": TOKEN, "RECSYS_DATA": str(folder / "data")}
    with serving(grid_models, folder / "app.log", environment=environment) as where:
        yield where, folder / "app.log"


@pytest.mark.parametrize("width", [1280, 420])
def test_only_the_owner_generates_lists(browser, public: tuple[str, Path], width: int) -> None:
    with browsing(browser, width) as page:
        open_app(page, public[0], "batch")
        page.get_by_text("Only the owner of this page can generate lists.").wait_for()
        whole_page(page, PICTURES / f"public-visitor-{width}.png")
        page.get_by_role("button", name="Owner").click()
        page.get_by_label("Token of the owner").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_text("This is not the token.").wait_for()
        whole_page(page, PICTURES / f"public-sign-in-{width}.png")
        page.get_by_label("Token of the owner").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Generate").wait_for()
        assert TOKEN not in page.url
        whole_page(page, PICTURES / f"public-owner-{width}.png")


def test_two_visitors_share_nothing(browser, public: tuple[str, Path]) -> None:
    with browsing(browser) as one, browsing(browser, locale="zh-CN") as other:
        open_app(other, public[0])
        before = recommended(other)
        open_app(one, public[0])
        rate(one, "Alien (1979)", 5)
        one.get_by_role("button", name="Not for me").first.click()
        settle(one)
        assert recommended(one) != before
        other.reload()
        map_of(other)
        settle(other)
        assert recommended(other) == before
        assert other.get_by_text("Alien (1979)", exact=True).count() == 0


def test_bad_requests_are_refused_without_a_traceback(public: tuple[str, Path]) -> None:
    where, log = public
    host, port = where.removeprefix("http://").split(":")
    paths = """/blob/ /blob/..%2f..%2fetc%2fpasswd /blob/../../etc/passwd /blob/%00 //etc/passwd /media/../x
        /component/x/../../y /_stcore/bidi-components/..%2fx /app/static/../x /static/..%2f..%2fsecrets.toml
        /?model=%ff%fe /_stcore/upload_file/none/none /_stcore/metrics /auth/login /oauth2callback?state=x
        /\\evil.example/ /%5cevil.example/ /%2f%2fevil.example/""".split()
    paths += ["/blob/" + "a" * 5000, "/?" + "q" * 20000, "/?movie=" + "9" * 4000]
    for path in paths:
        for method in ("GET", "PUT", "POST", "DELETE", "OPTIONS", "TRACE", "NONSENSE"):
            connection = http.client.HTTPConnection(host, int(port), timeout=20)
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", where.removeprefix("http://"))
            connection.putheader("Content-Length", "0")
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
            assert answer.status < 500, (method, path, answer.status)
            assert b"Traceback" not in body and b"/site-packages/" not in body and b"root:" not in body
            assert "evil" not in (answer.getheader("Location") or "")
            assert answer.status >= 300 or not path.startswith("/blob/"), (method, path)
    for raw in (
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"\x00\xff\r\n\r\n",
        b"GET " + b"/" * 90_000,
    ):
        with socket.create_connection((host, int(port)), timeout=20) as sent:
            sent.sendall(raw)
            sent.shutdown(socket.SHUT_WR)
            reply = sent.recv(1000)
            assert b"Traceback" not in reply and not reply.startswith(b"HTTP/1.1 5")
    assert "Traceback" not in log.read_text()
