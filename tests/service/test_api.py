"""Answers over HTTP: the same as the library's, and one clear line for every request that cannot be answered."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from recsys.dataset.dataset import Dataset
from recsys.models import Model
from recsys.recommend.queries import recommend_for
from recsys.service.api import Service
from recsys.store import load_model


@pytest.fixture(scope="module")
def model(folders: tuple[Path, Path], ml100k: Dataset) -> Model:
    return load_model(folders[0], dataset=ml100k)


def rows(answer) -> list[tuple[int, str, float]]:
    assert answer.status_code == 200, answer.text
    return [(row["item_id"], row["title"], row["score"]) for row in answer.json()["recommendations"]]


@pytest.mark.parametrize(
    ("asked", "query"),
    [
        ({"user": 196}, {"user": 196}),
        ({"user": "196", "k": 3, "exclude_seen": False}, {"user": 196, "k": 3, "exclude_seen": False}),
        ({"ratings": {"Alien (1979)": 5, "Blade Runner": 4}}, {"ratings": {"Alien": 5, "Blade Runner": 4}}),
        ({"ratings": [{"item": 183, "rating": 5}]}, {"ratings": {183: 5}}),
        (
            {"user": 1, "genres": ["horror"], "years": [1980, None], "min_ratings": 20, "max_ratings": 200},
            {"user": 1, "genres": ["horror"], "years": (1980, None), "min_ratings": 20, "max_ratings": 200},
        ),
        ({"ratings": {"50": 5}, "allow": ["Alien", 64]}, {"ratings": {50: 5}, "allow": [183, 64]}),
        ({"user": 1, "deny": ["Schindler's List"], "k": 50}, {"user": 1, "deny": [318], "k": 50}),
        ({"user": 9, "steer": {"children's": 1.5}}, {"user": 9, "steer": {"children's": 1.5}}),
        ({"ratings": {}}, {"ratings": {}}),
    ],
)  # fmt: skip
def test_a_list_is_that_of_the_library(client: TestClient, model: Model, asked: dict, query: dict) -> None:
    expected = recommend_for(model, **query)
    found = rows(client.post("/recommend", json=asked))
    assert found and [item for item, _, _ in found] == expected["item_id"].tolist()
    assert [title for _, title, _ in found] == expected["title"].tolist()
    np.testing.assert_allclose([score for _, _, score in found], expected["score"], rtol=1e-5)


def test_an_address_asks_for_a_known_user(client: TestClient, model: Model) -> None:
    expected = recommend_for(model, 22, k=4, genres=["Drama", "Comedy"])
    found = rows(client.get("/recommend", params={"user": 22, "k": 4, "genre": ["Drama", "Comedy"]}))
    assert [item for item, _, _ in found] == expected["item_id"].tolist()


def test_reasons_and_steering_are_explained(client: TestClient, model: Model) -> None:
    asked = {"ratings": {"Alien": 5, "Toy Story": 4}, "explain": True, "steer": {"children's": 1}, "k": 3}
    expected = recommend_for(
        model, ratings=asked["ratings"], k=3, steer=asked["steer"], with_reasons=True
    )  # fmt: skip
    found = client.post("/recommend", json=asked).json()["recommendations"]
    for row, (_, right) in zip(found, expected.iterrows(), strict=True):
        assert [(why["title"], pytest.approx(why["share"])) for why in row["reasons"]] == list(right["reasons"])
        assert row["rank_before"] == right["rank_before"]
        assert row["score"] == pytest.approx(row["taste"] + sum(row["gains"].values()), abs=1e-5)
    assert "reasons" not in client.post("/recommend", json={"user": 1}).json()["recommendations"][0]


def test_a_genre_steers_towards_it(client: TestClient) -> None:
    def horror(steer: dict[str, float]) -> int:
        found = client.post("/recommend", json={"user": 5, "steer": steer, "k": 30}).json()["recommendations"]
        return sum("Horror" in client.get(f"/items/{row['item_id']}").json()["genres"] for row in found)

    assert horror({"Horror": 2}) > horror({"Horror": 0})


def test_similar_find_and_items(client: TestClient, model: Model) -> None:
    for metric in ("cosine", "dot", "euclidean"):
        found = client.get("/similar", params={"item": "Star Wars", "k": 5, "metric": metric}).json()
        assert found["item_id"] == 50
        assert [row["item_id"] for row in found["similar"]] == model.similar(50, 5, metric)["item_id"].tolist()
    assert client.get("/find", params={"q": "bladee runer"}).json()["items"][0]["title"] == "Blade Runner"
    one = client.get("/items/Blade Runner (1982)").json()
    assert one == client.get(f"/items/{one['item_id']}").json()
    assert (one["year"], one["n_ratings"]) == (1982, 275) and "Sci-Fi" in one["genres"]
    page = client.get("/items", params={"offset": 1680, "limit": 10}).json()
    assert page["total"] == 1682 and len(page["items"]) == 2
    axes = client.get("/axes").json()
    assert "Horror" in axes["genres"] and any(axis["low"] == "children's" for axis in axes["axes"])


WRONG: list[tuple[dict, int, str]] = [
    ({}, 400, "give either user or ratings"),
    ({"user": 1, "ratings": {"Alien": 5}}, 400, "give either user or ratings"),
    ({"user": 10**40}, 404, "unknown user id: 1000"),
    ({"user": "nobody"}, 404, "unknown user id: 'nobody'"),
    ({"user": True}, 422, "user: "),
    ({"user": 1.5}, 422, "user: "),
    ({"user": None}, 400, "give either"),
    ({"user": 1, "k": 0}, 422, "k: Input should be greater than or equal to 1"),
    ({"user": 1, "k": 10**6}, 422, "k: Input should be less than or equal to 1000"),
    ({"user": 1, "k": "10"}, 422, "k: Input should be a valid integer"),
    ({"user": 1, "colour": "red"}, 422, "there is no field 'colour'; the fields are user, ratings, k, genres"),
    ({"ratings": {"Alienn": 5}}, 404, "no movie is called 'Alienn'; did you mean"),
    ({"ratings": {"99999": 5}}, 404, "no movie is called '99999'"),
    ({"ratings": [{"item": 99999, "rating": 5}]}, 404, "unknown item id: 99999"),
    ({"ratings": {"Alien": 5, "183": 4}}, 400, "'183' is rated twice, as 'Alien (1979)'; rate it once"),
    ({"ratings": {"Alien": "five"}}, 422, "ratings.Alien: Input should be a valid number"),
    ({"ratings": {"Alien": 1e300}}, 422, "ratings.Alien: Input should be less than or equal to"),
    ({"ratings": {str(item): 5 for item in range(5000)}}, 422, "ratings: Dictionary should have at most 1000 items"),
    ({"ratings": [1, 2]}, 422, "ratings"),
    ({"ratings": [{"item": 50, "stars": 5}]}, 422, "there is no field 'stars'; the fields are item, rating"),
    ({"user": 1, **{f"field {n}": n for n in range(9999)}}, 422, "there is no field 'field 0'"),
    ({"user": 1, "genres": ["Opera"]}, 404, "there is no genre 'Opera'; the genres are"),
    ({"user": 1, "genres": "Horror"}, 422, "genres: Input should be a valid list"),
    ({"user": 1, "years": [1990, 1980]}, 400, "the first year, 1990, is after the last, 1980"),
    ({"user": 1, "years": [1990]}, 422, "years"),
    ({"user": 1, "min_ratings": 9, "max_ratings": 3}, 400, "is above the most"),
    ({"user": 1, "steer": {"beauty": 1}}, 404, "there is no axis or genre 'beauty' to steer along"),
    ({"user": 1, "steer": {"Saw <-> Babe": 1}}, 404, "there is no axis or genre"),
    ({"user": 1, "steer": {"children's": 9}}, 422, "steer.children's: Input should be less than or equal to 3"),
    ({"ratings": {}, "steer": {"children's": 1}}, 400, "a user without ratings cannot be steered"),
]


@pytest.mark.parametrize(("asked", "status", "line"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_request_gets_one_clear_line(client: TestClient, asked: dict, status: int, line: str) -> None:
    answer = client.post("/recommend", json=asked)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]
    assert line in answer.json()["error"] and "\n" not in answer.json()["error"] and len(answer.text) < 700


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"ratings": {"Alien": NaN}}', 422),
        (b'{"ratings": {"Alien": Infinity}}', 422),
        (b'{"ratings": {"Alien": 1e999}}', 422),
        (b"[" * 100_000, 400),
        (b'{"a":' * 40_000, 400),
        (b'{"user": ' + b"1" * 10_000 + b"}", 400),
        (b"\xff\xfe", 422),
        (b"not json", 422),
        (b"null", 422),
        (b"", 422),
        (b" " * 300_000, 413),
        (json.dumps({"ratings": {str(item): 5 for item in range(10**6)}}).encode(), 413),
        (json.dumps({"ratings": {"\u0000" * 400: 5}}).encode(), 404),
        (json.dumps({"user": 1, "deny": [{"a": 1}] * 9_000}).encode(), 422),
        (json.dumps({"user": 1, "allow": [1e300] * 9_000}).encode(), 422),
        (json.dumps({"ratings": [{"x": 1, "y": 2}] * 999}).encode(), 422),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_hostile_body_gets_one_clear_line(client: TestClient, body: bytes, status: int) -> None:
    answer = client.post("/recommend", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"] and len(answer.text) < 700
    assert not re.search(r"\d{3} more", answer.text), "checking stops at the first error of a list"
    assert rows(client.post("/recommend", json={"user": 1, "k": 1})), "the service goes on"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/recommend", 422), ("/recommend?user=1&k=-1", 422), ("/recommend?user=0", 404), ("/nowhere", 404),
        ("/similar?item=nothing at all", 404), ("/similar?item=50&metric=manhattan", 422), ("/find?q=", 422),
        ("/items?offset=-1", 422), ("/items/" + "x" * 600, 400), ("/items/%00", 404), ("/items/../../etc/passwd", 404),
    ],
)  # fmt: skip
def test_a_wrong_address_gets_one_clear_line(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"]


def test_metrics_count_routes_and_origins_but_name_nobody(client: TestClient, service: Service) -> None:
    client.post("/recommend", json={"user": 655})
    client.post("/recommend", json={"ratings": {"Alien": 5}})
    client.post("/recommend", json={"ratings": {}})
    client.get("/items/655")
    text = client.get("/metrics").text
    for line in (
        'recsys_requests_total{route="/recommend",status="200"} 3.0',
        'recsys_requests_total{route="/items/{item}",status="200"} 1.0',
        *(f'recsys_recommended_users_total{{origin="{origin}"}} 1.0' for origin in ("stored", "folded in", "cold")),
        "recsys_model_items 1682.0",
        "process_resident_memory_bytes",
    ):
        assert line in text
    assert not re.search(r"\b655\b", text) and "Alien" not in text


def test_the_page_and_the_description_load_nothing_from_elsewhere(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/recommend", "/similar", "/find", "/items", "/items/{item}", "/axes", "/health", "/metrics"
    }  # fmt: skip
    for path in ("/", "/page.js"):
        assert "//" not in re.sub(r"^ *//.*", "", client.get(path).text, flags=re.M)
    assert client.get("/").headers["content-security-policy"].startswith("default-src 'self'")
    example = described["components"]["schemas"]["Wish"]["examples"][0]
    assert rows(client.post("/recommend", json=example))
