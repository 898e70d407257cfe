"""DataFrames, files and published datasets give the same Dataset by the same rules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys import ingest
from recsys.dataset.dataset import Dataset
from recsys.errors import InputError, SettingError
from recsys.ingest import load_dataset, read_ratings

ROWS = pd.DataFrame(
    {
        "userId": ["1", "2", "x", "2", "2", "1", "3", "3", "1", ""],
        "movieId": ["10", "10", "10", "20", "20", "30", "30", "20", "10", "10"],
        "rating": ["4", "3.5", "3", "9", "2", "", "1", "2", "4", "3"],
        "timestamp": ["100", "200", "300", "400", "500", "600", "soon", "800", "100", "900"],
    }
)
"""Text, as in a CSV file: five usable rows of ten, one of them an exact duplicate."""
MOVIES = pd.DataFrame(
    {
        "movieId": [10, 20, 99],
        "title": ["Matrix, The (1999)", "Heat (1995)", "Unrated (2000)"],
        "genres": ["Action|Sci-Fi", "(no genres listed)", "Drama"],
    }
)
SCALE = (0.5, 5.0)


def same(one: Dataset, other: Dataset, *, offset: int = 0) -> None:
    """Assert that two datasets are equal; the lines of the other's rejected rows are `offset` higher."""
    assert one.interactions.fingerprint == other.interactions.fingerprint
    pd.testing.assert_frame_equal(one.catalog.items, other.catalog.items)
    assert one.rejected is not None and other.rejected is not None
    assert [(row["line"] + offset, row["reason"]) for row in one.rejected.to_pylist()] == [
        (row["line"], row["reason"]) for row in other.rejected.to_pylist()
    ]
    assert {**one.report, "source": ""} == {**other.report, "source": ""}


def test_a_frame_gives_the_same_dataset_as_the_same_data_in_csv_files(tmp_path: Path) -> None:
    ROWS.to_csv(tmp_path / "ratings.csv", index=False)
    MOVIES.to_csv(tmp_path / "movies.csv", index=False)
    framed = Dataset.from_frame(ROWS, MOVIES, scale=SCALE, name="mine")
    same(framed, read_ratings(tmp_path / "ratings.csv", tmp_path / "movies.csv", scale=SCALE), offset=1)
    same(framed, read_ratings(tmp_path, scale=SCALE), offset=1)
    assert framed.interactions.matrix.toarray().tolist() == [[4, 0], [3.5, 2], [0, 2]]
    assert framed.catalog.labels.tolist() == ["The Matrix (1999)", "Heat (1995)"]
    assert framed.catalog.items["genres"].tolist() == [("Action", "Sci-Fi"), ()]
    assert framed.rejected is not None
    assert [(row["file"], row["line"], row["reason"], row["text"]) for row in framed.rejected.to_pylist()] == [
        ("DataFrame", 3, "user id is not an integer", "x,10,3,300"),
        ("DataFrame", 4, "rating is outside 0.5:5", "2,20,9,400"),
        ("DataFrame", 6, "rating is missing", "1,30,,600"),
        ("DataFrame", 7, "invalid timestamp (neither a date nor seconds from 1970 to 2100)", "3,30,1,soon"),
        ("DataFrame", 10, "user id is missing", ",10,3,900"),
        ("DataFrame", 9, "exact duplicate of an earlier row", None),
    ]
    assert (framed.report["read"], framed.report["kept"], framed.report["rejected"]) == (10, 4, 5)
    assert framed.name == "mine" and "4 ratings, 6 rejected rows" in repr(framed)


def test_movielens_100k_as_a_frame_is_the_same(ml100k: Dataset) -> None:
    coo, data = ml100k.interactions.matrix.tocoo(), ml100k.interactions
    assert data.timestamps is not None
    order = np.random.default_rng(0).permutation(coo.nnz)
    ratings = pd.DataFrame(
        {
            "user": data.user_ids[coo.row],
            "item": data.item_ids[coo.col],
            "stars": coo.data.astype(int),
            "when": pd.to_datetime(data.timestamps, unit="s"),
        }
    ).iloc[order]
    items = ml100k.catalog.items.rename(columns={"item_id": "id"}).assign(poster=[object()] * len(ml100k.catalog))
    made = Dataset.from_frame(ratings, items, columns={"rating": "stars", "time": "when"}, scale=(1, 5))
    assert made.interactions.fingerprint == ml100k.interactions.fingerprint
    pd.testing.assert_frame_equal(made.catalog.items, ml100k.catalog.items)


@pytest.mark.parametrize(
    "convert",
    [
        {"userId": "float64"},
        {"userId": "Int64", "rating": "Float32", "timestamp": "Int64"},
        {"movieId": "category"},
        {"movieId": "object", "timestamp": "float64"},
        {"timestamp": "datetime64[s]"},
        {"timestamp": "datetime64[s, UTC]"},
    ],
    ids=lambda convert: " ".join(convert.values()),
)
def test_columns_of_any_usual_type_give_the_same_data(convert: dict[str, str]) -> None:
    plain = pd.DataFrame({"userId": [12345678901, 2, 2], "movieId": [10, 10, 20], "rating": [4.0, 3.5, 2.0]})
    plain["timestamp"] = [100, 200, 300]
    expected = Dataset.from_frame(plain)
    changed = Dataset.from_frame(plain.astype(convert))
    assert changed.interactions.fingerprint == expected.interactions.fingerprint
    assert expected.interactions.user_ids.tolist() == [2, 12345678901]


def test_missing_and_mixed_values_are_rejected_by_row() -> None:
    frame = pd.DataFrame({"user": [1.0, np.nan, 3.0, 4.0], "item": [10, "x", 30, None], "rating": [4, 3, "bad", 2]})
    made = Dataset.from_frame(frame)
    assert made.interactions.user_ids.tolist() == [1] and made.interactions.timestamps is None
    assert made.rejected is not None
    assert [(row["line"], row["reason"]) for row in made.rejected.to_pylist()] == [
        (2, "user id is missing"),
        (3, "rating is not a finite number"),
        (4, "item id is missing"),
    ]


def test_the_index_of_a_frame_does_not_matter() -> None:
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"]})
    plain = Dataset.from_frame(frame)
    assert plain.interactions.matrix.toarray().tolist() == [[1, 0], [0, 1]]
    for index in ([7, 7], ["p", "q"]):
        assert Dataset.from_frame(frame.set_axis(index)).interactions.fingerprint == plain.interactions.fingerprint


def test_items_may_have_lists_of_genres_and_text_ids() -> None:
    ratings = pd.DataFrame({"user": ["a", "a"], "item": ["x", "y"]})
    items = pd.DataFrame({"item_id": ["y", "x"], "genres": [["War", "Drama"], None], "year": ["1999-05-01", 2001]})
    catalog = Dataset.from_frame(ratings, items).catalog
    assert catalog.labels.tolist() == ["x (2001)", "y (1999)"]
    assert catalog.items["genres"].tolist() == [(), ("War", "Drama")]


def test_small_users_and_items_are_left_out_of_a_frame_too() -> None:
    frame = pd.DataFrame({"user": [1, 1, 2, 2, 3], "item": [10, 20, 10, 20, 30]})
    made = Dataset.from_frame(frame, min_user=2, min_item=2)
    assert made.interactions.user_ids.tolist() == [1, 2] and made.report["kept"] == 4


RATINGS = pd.DataFrame({"user": [1], "item": [10]})


@pytest.mark.parametrize(
    ("ratings", "settings", "message"),
    [
        (RATINGS.drop(columns="item"), {}, "ratings: cannot tell which column holds the item; the columns are user"),
        (RATINGS.set_axis([0, 1], axis=1), {}, "ratings: cannot tell which column holds the user; the columns are 0,"),
        (RATINGS.iloc[:0], {}, "ratings: contains no ratings"),
        (pd.DataFrame(), {}, "ratings: cannot tell which column holds the user"),
        (RATINGS.set_axis(["user", "user"], axis=1), {}, "ratings: duplicate column 'user'"),
        (RATINGS, {"columns": {"rating": "stars"}}, "ratings: there is no column 'stars'; the columns are user, item"),
        (RATINGS, {"columns": {"score": "item"}}, "columns: unknown role 'score': use user, item, rating, time"),
        (RATINGS.assign(user=[[1]]), {}, "ratings: column 'user' holds list<item: int64>, not ids, numbers or times"),
        (RATINGS.assign(rating="x"), {}, "ratings: none of the 1 rows is usable; most common reason: rating is not a"),
        (RATINGS.to_numpy(), {}, "ratings: must be a pandas DataFrame, not ndarray"),
        (RATINGS, {"items": pd.DataFrame({"title": ["a"]})}, "items: cannot tell which column holds the item id"),
        (RATINGS, {"items": pd.DataFrame({"name2": ["a"]})}, "items: cannot tell which column holds the item id"),
        (RATINGS, {"items": [1]}, "items: must be a pandas DataFrame, not list"),
        (RATINGS, {"items": pd.DataFrame({"item_id": [[1]]})}, "items: column 'item_id' holds list<item: int64>, not"),
        (RATINGS, {"min_user": 0}, "the minimum number of ratings per user and per item must be at least 1"),
        (RATINGS, {"min_user": 9}, "ratings: no rows are left"),
    ],
)  # fmt: skip
def test_wrong_input_is_one_clear_error(ratings: pd.DataFrame, settings: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        Dataset.from_frame(ratings, **settings)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(SettingError, match="unknown type of ids 'text': use auto, integer, string"):
        Dataset.from_frame(RATINGS, ids="text")  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="must be a lowest and a highest rating"):
        Dataset.from_frame(RATINGS, scale=(5, 1))


def test_read_ratings_names_the_dataset_and_maps_columns(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("who,film,mark\n1,10,4\n2,10,3\n")
    seen: list[tuple[int, int]] = []
    made = read_ratings(
        str(tmp_path / "mine.csv"),
        columns={"user": "who", "item": "film", "rating": "mark"},
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert (made.name, made.interactions.n_users) == ("mine", 2)
    assert read_ratings(tmp_path / "mine.csv", columns={"user": "who", "item": "film"}, name="other").name == "other"
    assert seen and seen[-1][0] == seen[-1][1]
    with pytest.raises(InputError, match=r"none\.csv: no such file or folder"):
        read_ratings(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"none\.csv: no such file of items"):
        read_ratings(tmp_path / "mine.csv", tmp_path / "none.csv")


def test_a_published_dataset_is_loaded_by_name(ml100k: Dataset, ml100k_folder: Path) -> None:
    data = load_dataset("ml-100k", root=ml100k_folder.parents[1])
    assert data.name == "ml-100k" and data.report["settings"]["scale"] == [1.0, 5.0]
    same(data, ml100k)
    with pytest.raises(InputError, match="unknown dataset 'ml-100'; did you mean ml-100k"):
        load_dataset("ml-100")


def test_the_package_exports_its_names() -> None:
    assert {name for name in ingest.__all__ if getattr(ingest, name) is None} == set()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ingest.nothing
