"""Vectors of another program become a model folder that the other commands and the app work on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from recsys import store
from recsys.models import Model
from tests.cli.run import complaint, recsys


@pytest.fixture(scope="module")
def files(ml100k, ml100k_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vectors of the default model as gensim writes them, random projections of it, user vectors, and items."""
    folder = tmp_path_factory.mktemp("vectors")
    space, catalog = ml100k_model.space, ml100k_model.catalog
    items = pd.DataFrame(
        {
            "item_id": catalog.item_ids,
            "title": catalog.labels,
            "genres": ["|".join(genres) for genres in catalog.items["genres"]],
        }
    )
    items.to_csv(folder / "items.csv", index=False)
    lines = [f"{space.n_items} {space.n_factors}"]
    lines += [f"{i} {' '.join(map(repr, v.tolist()))}" for i, v in zip(space.item_ids, space.item_factors, strict=True)]
    (folder / "gensim.txt").write_text("\n".join(lines) + "\n")
    projection = np.random.default_rng(7).normal(size=(space.n_factors, 48)).astype(np.float32)
    frame = pd.DataFrame(space.item_factors @ projection).add_prefix("d")
    frame.insert(0, "item_id", space.item_ids)
    frame.to_parquet(folder / "projected.parquet")
    users = pd.DataFrame(space.user_factors).add_prefix("d")
    users.insert(0, "user_id", space.user_ids)
    users.to_csv(folder / "users.csv", index=False)
    done = recsys("import-vectors", "gensim.txt", "--items", "items.csv", "--out", "model", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert (printed["items"], printed["users"], printed["rejected"]) == (space.n_items, 0, 0)
    return folder


def printed(*arguments: object, cwd: Path) -> dict:
    done = recsys(*arguments, "--json", cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_vectors_are_kept_and_there_are_no_users(files: Path, ml100k_model: Model) -> None:
    model = store.load_model(files / "model")
    np.testing.assert_allclose(model.space.item_factors, ml100k_model.space.item_factors, rtol=1e-6)
    assert not (files / "model" / "user_factors.parquet").exists() and not model.space.has_users
    assert model.catalog.labels.tolist() == ml100k_model.catalog.labels.tolist()


def test_neighbours_are_those_of_the_original(files: Path, ml100k_model: Model) -> None:
    found = printed("similar", "Toy Story", "--model", "model", "-k", 5, cwd=files)["similar"]
    assert [row["item_id"] for row in found] == ml100k_model.similar("Toy Story", 5)["item_id"].tolist()


def test_horror_is_found_in_random_projections_but_not_in_noise(files: Path) -> None:
    recsys("import-vectors", "projected.parquet", "--items", "items.csv", "--out", "projected", cwd=files)
    found = printed("axes", "--model", "projected", "--ask", "Horror", cwd=files)
    horror = next(axis for axis in found["asked"] if axis["high"] == "Horror")
    assert horror["is_valid"] and horror["evidence"]["value"] > 0.75
    assert "popularity alone" not in horror["evidence"]["controls"]  # rating counts are unknown
    assert found["named"] == 0 and {axis["low"] for axis in found["discovered"]} == {"unnamed"}
    noise = pd.read_parquet(files / "projected.parquet")
    noise.iloc[:, 1:] = np.random.default_rng(3).normal(size=(len(noise), noise.shape[1] - 1)).astype(np.float32)
    noise.to_parquet(files / "noise.parquet")
    recsys("import-vectors", "noise.parquet", "--items", "items.csv", "--out", "noise", cwd=files)
    control = printed("axes", "--model", "noise", "--ask", "Horror", cwd=files)
    assert not any(axis["is_valid"] for axis in control["asked"] if axis["high"] == "Horror")


def test_axes_say_why_none_is_named_and_follow_those_of_earlier_vectors(files: Path) -> None:
    done = recsys("axes", "--model", "model", cwd=files)
    assert done.returncode == 0 and "cannot be refitted" in done.stdout
    vectors = pd.read_csv(files / "gensim.txt", sep=" ", skiprows=1, header=None)
    vectors = vectors.iloc[::-1, [0, *range(64, 0, -1)]]  # the same space: other rows first, other dimensions first
    vectors.columns = ["item_id", *(f"d{at}" for at in range(64))]
    vectors.to_parquet(files / "today.parquet")
    recsys("import-vectors", "today.parquet", "--items", "items.csv", "--out", "today", cwd=files)
    found = printed("axes", "--model", "today", "--like", "model", cwd=files)
    assert found["like"]["matched"] == 64 and found["like"]["lowest"] > 0.99
    old, new = (store.load_axes(files / name).discovered for name in ("model", "today"))
    spaces = [store.load_model(files / name).space for name in ("model", "today")]
    for one, other in zip(old, new, strict=True):
        np.testing.assert_allclose(one.positions(spaces[0])[::-1], other.positions(spaces[1]), atol=0.1)


@pytest.mark.slow
def test_map_clusters_and_report_work(files: Path, ml100k_model: Model) -> None:
    known = ml100k_model.item_ids[np.argsort(-ml100k_model.n_ratings)[:400]]  # a smaller report takes less time
    vectors = pd.read_parquet(files / "projected.parquet")
    vectors[vectors["item_id"].isin(known)].to_parquet(files / "known.parquet")
    recsys("import-vectors", "known.parquet", "--items", "items.csv", "--out", "known", cwd=files)
    assert printed("map", "--model", "known", "--method", "pca", cwd=files)["items"] == 400
    assert printed("clusters", "--model", "known", "--method", "kmeans", cwd=files)["clusters"]
    report = printed("report", "--model", "known", cwd=files)
    assert report["representations"]["imported"]["genre_auc"] > 0.7
    assert report["dimensions"] == [] and (files / "known" / "report.html").is_file()


def test_a_new_user_is_the_weighted_mean_of_what_they_rated(files: Path) -> None:
    model = store.load_model(files / "model")
    rows = [model.catalog.row_of(title) for title in ("Alien", "Fargo")]
    mean = np.average(model.space.item_factors[rows], axis=0, weights=[5, 3])
    expected = model.space.item_factors @ mean
    expected[rows] = -np.inf
    found = printed("recommend", "--model", "model", "--rate", "Alien=5", "--rate", "Fargo=3", "--why", cwd=files)
    best = [row["item_id"] for row in found["recommendations"]]
    assert best == model.item_ids[np.argsort(-expected, kind="stable")[:10]].tolist()
    for row in found["recommendations"]:
        assert sum(part["adds"] for part in row["why"]["ratings"]) == pytest.approx(row["score"], rel=1e-4)


def test_user_vectors_and_data_give_lists_for_known_users(files: Path, ml100k, ml100k_model: Model) -> None:
    store.save_prepared(files / "data", ml100k)
    command = ("import-vectors", "gensim.txt", "--items", "items.csv", "--users", "users.csv", "--data", "data")
    assert printed(*command, "--out", "both", cwd=files)["users"] == ml100k.interactions.n_users
    found = printed("recommend", "--model", "both", "--data", "data", "--user", 1, cwd=files)
    assert found["origin"] == "stored"
    expected = ml100k_model.recommend(user=1)
    assert [row["item_id"] for row in found["recommendations"]] == expected["item_id"].tolist()
    model = store.load_model(files / "both")
    assert model.n_ratings.tolist() == ml100k_model.n_ratings.tolist()
    out = printed("recommend", "--model", "both", "--data", "data", "--out", "lists.parquet", "-k", 3, cwd=files)
    assert out["rows"] == 3 * ml100k.interactions.n_users == pq.read_metadata(files / "lists.parquet").num_rows


def test_unusable_rows_are_kept_aside_and_counted(files: Path) -> None:
    text = (files / "gensim.txt").read_text().splitlines()
    bad = [*text[:10], text[9], "broken 1 2", "", *text[10:]]
    (files / "damaged.txt").write_text("\n".join(bad) + "\n")
    found = printed("import-vectors", "damaged.txt", "--items", "items.csv", "--out", "damaged", cwd=files)
    assert found["rejected"] == 2
    assert pq.read_table(files / "damaged" / "rejected.parquet")["line"].to_pylist() == [11, 12]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing.parquet", "--items", "items.csv", "--out", "x"), "nothing.parquet: no such file of item vectors"),
        (("gensim.txt", "--items", "nothing.csv", "--out", "x"), "nothing.csv"),
        (("gensim.txt", "--items", "items.csv", "--users", "projected.parquet", "--out", "x"), "no column of user ids"),
        (("projected.parquet", "--items", "items.csv", "--users", "users.csv", "--out", "x"), "dimensions do not fit"),
        (("gensim.txt", "--items", "items.csv", "--out", "."), "contains the input gensim.txt"),
    ],
)
def test_wrong_use_gets_one_line_and_leaves_nothing(files: Path, arguments: tuple, says: str) -> None:
    assert says in complaint(recsys("import-vectors", *arguments, cwd=files))
    assert not (files / "x").exists()


def test_items_of_another_collection_are_refused(files: Path) -> None:
    (files / "others.csv").write_text("item_id,title\nzz,Nothing\n")
    line = complaint(recsys("import-vectors", "gensim.txt", "--items", "others.csv", "--out", "x", cwd=files))
    assert "describes none of the items" in line


def test_data_of_other_movies_are_refused(files: Path) -> None:
    (files / "ratings.csv").write_text("user,item,rating\nann,zz,5\nbob,zz,4\n")
    recsys("prepare", "ratings.csv", "--out", "others", cwd=files)
    command = ("import-vectors", "gensim.txt", "--items", "items.csv", "--data", "others", "--out", "x")
    assert "has no rating of any item" in complaint(recsys(*command, cwd=files))
    line = complaint(recsys("recommend", "--model", "model", "--data", "others", "--user", "ann", cwd=files))
    assert "no item in common" in line


def test_scores_of_imported_user_vectors_are_not_explained(files: Path, ml100k) -> None:
    store.save_prepared(files / "data", ml100k)
    command = ("import-vectors", "gensim.txt", "--items", "items.csv", "--users", "users.csv", "--out", "users-too")
    recsys(*command, cwd=files)
    found = printed("recommend", "--model", "users-too", "--data", "data", "--user", 1, "--why", cwd=files)
    assert all(row["why"]["ratings"] == [] for row in found["recommendations"])
    (files / "users-too" / "user_factors.parquet").unlink()
    assert "user_factors.parquet is missing" in complaint(recsys("similar", "Alien", "--model", "users-too", cwd=files))


def test_nothing_is_claimed_about_popularity_without_counts(files: Path) -> None:
    done = recsys("similar", "Alien", "--model", "model", "--metric", "all", cwd=files)
    assert done.returncode == 0 and "ratings" not in done.stdout


def test_a_trainable_model_still_needs_its_data(files: Path, ml100k_model: Model) -> None:
    store.save_model(files / "trained", ml100k_model)
    for command in ("axes", "report"):
        assert "--data" in complaint(recsys(command, "--model", "trained", cwd=files))
    (files / "trained" / "user_factors.parquet").unlink()
    assert "user_factors.parquet is missing" in complaint(recsys("similar", "Alien", "--model", "trained", cwd=files))
