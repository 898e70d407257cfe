"""Preparing ratings: what is dropped, what is kept, and that the counts add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.errors import InputError
from recsys.ingest import Validation, find_source, prepare_ratings
from recsys.ingest.prepare import EXACT_DUPLICATE, RATED_AGAIN

TRIALS = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Complete datasets that may be present next to the repository; nothing depends on them."""


def prepare(tmp_path: Path, body: str, **settings):
    (tmp_path / "r.csv").write_text(body)
    return prepare_ratings(find_source(tmp_path / "r.csv"), **settings)


def balances(report: dict) -> bool:
    return report["read"] == report["kept"] + report["rejected"] + report["duplicates"]


def test_duplicates_are_dropped_and_the_latest_rating_is_kept(tmp_path: Path) -> None:
    body = (
        "user,item,rating,timestamp\n"
        "1,10,3,100\n"  # replaced by line 4
        "1,20,2,100\n"
        "1,10,5,300\n"
        "1,10,4,200\n"  # replaced by line 4
        "1,20,2,100\n"  # repeats line 3
        "2,10,1,\n"  # no time counts as earliest
        "2,10,2,50\n"
        "2,20,1,\n"  # no times: the later line is kept
        "2,20,5,\n"
        "1,10,5,300\n"  # repeats line 4
    )
    made = prepare(tmp_path, body)
    assert made.interactions.matrix.toarray().tolist() == [[5, 2], [2, 5]]
    assert made.interactions.timestamps is not None
    assert made.interactions.timestamps.tolist() == [300, 100, 50, -1]
    assert {(row["line"], row["reason"]) for row in made.rejected.to_pylist()} == {
        (2, RATED_AGAIN), (5, RATED_AGAIN), (6, EXACT_DUPLICATE), (7, RATED_AGAIN), (9, RATED_AGAIN),
        (11, EXACT_DUPLICATE),
    }  # fmt: skip
    assert (made.report["read"], made.report["kept"], made.report["rejected"], made.report["duplicates"]) == (
        10,
        4,
        0,
        6,
    )


def test_many_random_duplicates_agree_with_a_dictionary(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [tuple(map(int, row)) for row in rng.integers(1, [20, 15, 6, 9], size=(2000, 4))]
    made = prepare(tmp_path, "user,item,rating,timestamp\n" + "".join(f"{u},{i},{r},{t}\n" for u, i, r, t in rows))
    latest: dict[tuple[int, int], tuple[int, int]] = {}
    for u, i, r, t in dict.fromkeys(rows):  # exact duplicates: the first is kept
        if (u, i) not in latest or t >= latest[u, i][1]:
            latest[u, i] = (r, t)
    data = made.interactions
    coo = data.matrix.tocoo()
    found = {
        (int(data.user_ids[u]), int(data.item_ids[i])): (int(r), int(t))
        for u, i, r, t in zip(coo.row, coo.col, coo.data, data.timestamps, strict=True)
    }
    assert found == latest
    assert balances(made.report)
    assert made.report["duplicates"] == 2000 - len(latest)


def test_the_k_core_is_applied_until_nothing_changes(tmp_path: Path) -> None:
    chain = "1,10\n1,20\n2,20\n2,30\n3,30\n3,40\n"  # each end is dropped in turn, until nothing is left
    square = "7,70\n7,80\n8,70\n8,80\n"
    made = prepare(tmp_path, "user,item\n" + chain + square, min_user=2, min_item=2)
    assert made.interactions.user_ids.tolist() == [7, 8]
    assert made.interactions.item_ids.tolist() == [70, 80]
    assert (made.report["read"], made.report["kept"], made.report["rejected"]) == (10, 4, 6)
    assert set(made.rejected["reason"].to_pylist()) == {"fewer than 2 ratings by the user or 2 of the item"}
    with pytest.raises(InputError, match="no rows are left"):
        prepare(tmp_path, "user,item\n" + chain, min_user=2, min_item=2)
    with pytest.raises(InputError, match="at least 1"):
        prepare(tmp_path, "user,item\n1,1\n", min_user=0)


def test_a_zero_is_a_rating(tmp_path: Path) -> None:
    made = prepare(tmp_path, "user,item,rating\n1,10,0\n1,20,3\n")
    assert made.report["kept"] == made.interactions.n_ratings == 2


def test_a_file_without_usable_rows_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"r\.csv: contains no ratings"):
        prepare(tmp_path, "user,item,rating\n")
    with pytest.raises(
        InputError,
        match=r"none of the 2 rows is usable; most common reason: rating is .*; the first rejected row is line 2",
    ):
        prepare(tmp_path, "user,item,rating\n1,10,x\n1,20,y\n")


def test_items_without_metadata_are_kept_and_items_without_ratings_are_not(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,10,4,1\n1,30,4,1\n")
    (tmp_path / "movies.csv").write_text(
        'movieId,title,genres\n10,"Matrix, The (1999)",Action|Sci-Fi\n20,Unseen (2000),(no genres listed)\n'
    )
    (tmp_path / "tags.csv").write_text("userId,movieId,tag,timestamp\n1,10,Cyber,1\n2,10,cyber,1\n2,10,slow,1\n")
    made = prepare_ratings(find_source(tmp_path))
    assert made.catalog.labels.tolist() == ["The Matrix (1999)", "30"]
    assert made.catalog.items["genres"].tolist() == [("Action", "Sci-Fi"), ()]
    assert made.catalog.items["tags"].tolist() == [("cyber", "slow"), ()]
    assert made.report["items_without_metadata"] == 1
    assert made.report["items_described_but_not_rated"] == 1


def test_ids_of_items_and_ratings_match_whatever_their_type(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text("user,item\n1,10\n1,20\n")
    (tmp_path / "i.csv").write_text("item_id,title\n10,Ten\ntwenty,Twenty\n")
    made = prepare_ratings(find_source(tmp_path / "r.csv", tmp_path / "i.csv"))
    assert made.catalog.labels.tolist() == ["Ten", "20"]
    made = prepare_ratings(find_source(tmp_path / "r.csv", tmp_path / "i.csv"), validation=Validation(ids="string"))
    assert made.catalog.labels.tolist() == ["Ten", "20"]


def test_a_folder_without_ratings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"contains none of ratings\.csv, ratings\.dat, u\.data"):
        find_source(tmp_path)


def test_movielens_100k_is_read_completely(ml100k) -> None:
    data = ml100k.interactions
    assert (data.n_ratings, data.n_users, data.n_items) == (100_000, 943, 1682)
    assert len(ml100k.rejected) == 0
    assert data.matrix.sum() == 352_986  # the sum of u.data's third column
    assert ml100k.catalog.labels[0] == "Toy Story (1995)"
    assert ml100k.catalog.items["genres"][0] == ("Animation", "Children's", "Comedy")
    years = ml100k.catalog.items["year"]
    assert (years.isna().sum(), years.min(), years.max()) == (1, 1922, 1998)


def test_the_published_layout_and_the_fallback_give_the_same_data(ml100k, ml100k_folder: Path, tmp_path: Path) -> None:
    copy = ml100k_folder / "ml-100k.inter"
    if not copy.is_file():
        pytest.skip("MovieLens 100K came from GroupLens here, not from the fallback")
    (tmp_path / "u.data").write_bytes(copy.read_bytes().partition(b"\n")[2])
    genres = ["unknown", "Action", "Adventure", "Animation", "Children's", "Comedy"]
    flags = ["0"] * 19
    for genre in ("Animation", "Children's", "Comedy"):
        flags[genres.index(genre)] = "1"
    line = f"1|Toy Story (1995)|01-Jan-1995||http://imdb|{'|'.join(flags)}\n543|Misérables, Les (1995)|01-Jan-1995|||"
    (tmp_path / "u.item").write_bytes((line + "|".join(["0"] * 8 + ["1"] + ["0"] * 10) + "\n").encode("latin-1"))
    made = prepare_ratings(find_source(tmp_path))
    assert made.interactions.fingerprint == ml100k.interactions.fingerprint
    for row in (0, 542):
        assert made.catalog.items["title"][row] == ml100k.catalog.items["title"][row]
        assert made.catalog.items["year"][row] == ml100k.catalog.items["year"][row]
    assert made.catalog.items["genres"][0] == ml100k.catalog.items["genres"][0]


@pytest.mark.skipif(not (TRIALS / "ml-latest-small").is_dir(), reason="no ml-latest-small next to the repository")
def test_ml_latest_small_is_read_completely_except_for_a_damaged_line(tmp_path: Path) -> None:
    folder = TRIALS / "ml-latest-small"
    validation = Validation(scale=(0.5, 5.0))
    made = prepare_ratings(find_source(folder), validation=validation)
    assert made.report["read"] == 100_836
    assert (made.report["users"], made.report["items"]) == (610, 9724)
    assert balances(made.report)
    # That copy has an address pasted into the time on line 522; with the line repaired, everything is kept.
    repaired = (folder / "ratings.csv").read_bytes().split(b"\r\n")
    if made.report["rejected"]:
        assert [(row["line"], row["reason"][:28]) for row in made.rejected.to_pylist()] == [
            (522, "invalid timestamp (neither a")
        ]
        assert repaired[521].startswith(b"5,39,3.0,84743496")
        repaired[521] = b"5,39,3.0,847434961"
    (tmp_path / "ratings.csv").write_bytes(b"\r\n".join(repaired))
    (tmp_path / "movies.csv").write_bytes((folder / "movies.csv").read_bytes())
    whole = prepare_ratings(find_source(tmp_path), validation=validation)
    assert (whole.report["kept"], whole.report["users"], whole.report["items"]) == (100_836, 610, 9724)
    assert whole.report["items_without_metadata"] == 0


@pytest.mark.skipif(not (TRIALS / "ml-1m").is_dir(), reason="no ml-1m next to the repository")
def test_a_folder_of_parquet_and_dat_is_read() -> None:
    made = prepare_ratings(find_source(TRIALS / "ml-1m"))
    assert (made.report["kept"], made.report["users"], made.report["items"]) == (1_000_209, 6040, 3706)
    assert made.report["items_without_metadata"] == 0
    assert "Les Misérables" in set(made.catalog.items["title"])
