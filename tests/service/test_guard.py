"""Host, key, rate and CORS."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from recsys.service import answers
from recsys.service.api import Service, app_of
from recsys.service.guard import LOG, Rate

KEY = "a-key-of-more-than-twenty-letters"


def client_of(service: Service, host: str = "http://localhost", **settings: object) -> TestClient:
    service.settings = replace(service.settings, **settings)
    return TestClient(app_of(service), base_url=host)


def test_only_names_of_this_machine_reach_a_local_service(service: Service) -> None:
    for host, status in (("localhost:8000", 200), ("127.0.0.1", 200), ("[::1]:80", 200), ("evil.example", 421)):
        assert client_of(service).get("/health", headers={"host": host}).status_code == status, host
    assert client_of(service, "http://evil.example", is_public=True).get("/health").status_code == 200


def test_a_key_opens_everything_but_the_description_and_health(service: Service) -> None:
    client = client_of(service, api_key=KEY)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"X-API-Key": "é"}, {"Authorization": KEY}):
        answer = client.get("/recommend?user=1", headers=[(k, v.encode()) for k, v in headers.items()])
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert client.get("/metrics", headers=[(k, v.encode()) for k, v in headers.items()]).status_code == 401
    for headers in ({"Authorization": f"Bearer {KEY}"}, {"X-API-Key": KEY}):
        assert client.get("/recommend?user=1", headers=headers).status_code == 200
    for path in ("/health", "/", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_pages_of_listed_origins_may_read_answers_and_errors(service: Service) -> None:
    client = client_of(service, origins=("https://movies.example",), api_key=KEY)
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
    for origin, allowed in (("https://movies.example", "https://movies.example"), ("https://evil.example", None)):
        preflight = client.options("/recommend", headers={"Origin": origin, **asked})
        assert preflight.headers.get("access-control-allow-origin") == allowed
        refused = client.get("/recommend?user=1", headers={"Origin": origin})
        assert (refused.status_code, refused.headers.get("access-control-allow-origin")) == (401, allowed)


def test_a_rate_is_for_each_visitor_and_refills() -> None:
    rate = Rate(2.0)
    assert [rate.wait("a", 0.0) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert rate.wait("b", 0.0) == 0
    assert [rate.wait("a", 0.5), rate.wait("a", 0.5)] == [0, 0.5]
    assert Rate(0.1).wait("a", 0.0) == 0


def test_too_many_requests_are_told_to_wait(service: Service) -> None:
    client = client_of(service, rate=1.0)
    statuses = [client.get("/health").status_code for _ in range(4)]
    assert statuses[:2] == [200, 200] and statuses[-1] == 429
    assert client.get("/health").headers["retry-after"] == "1"


def test_an_error_of_ours_is_logged_without_what_the_user_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("secret-of-the-user")

    monkeypatch.setattr(answers, "recommend", broken)
    monkeypatch.setattr(LOG, "propagate", True)  # a server that another test started in this process switches it off
    with caplog.at_level(logging.DEBUG):
        answer = client_of(service).get("/recommend?user=1")
    assert answer.status_code == 500 and list(answer.json()) == ["error"]
    assert "ValueError in broken" in caplog.text and "secret-of-the-user" not in caplog.text + answer.text
