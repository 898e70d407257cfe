"""The commands that use the space of a model, on MovieLens 100K."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError
from recsys.models import Model
from tests.cli.run import complaint, recsys

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def movielens(ml100k: Dataset, ml100k_model: Model, tmp_path_factory) -> Path:
    """A folder with prepared data, a model of it, and its axes."""
    folder = tmp_path_factory.mktemp("latent")
    store.save_prepared(folder / "data", ml100k)
    store.save_model(folder / "model", ml100k_model)
    done = recsys("axes", "--model", "model", "--data", "data", "--refits", 2, "--ask", "western", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "axes-printed.json").write_text(done.stdout)
    return folder


def test_viewers_lean_to_ends_of_stored_axes(movielens: Path) -> None:
    done = recsys("sample", "--model", "model", "-n", 4, "-k", 5, "--json", cwd=movielens)
    assert done.returncode == 0, done.stderr
    viewers = json.loads(done.stdout)["viewers"]
    assert [len(viewer["movies"]) for viewer in viewers] == [5] * 4
    axes = store.load_axes(movielens / "model")
    assert axes is not None
    ends = {end for axis in axes.all if axis.is_valid for end in (axis.low, axis.high)}
    leanings = [leaning for viewer in viewers for leaning in viewer["leanings"]]
    assert leanings and {leaning["end"] for leaning in leanings} <= ends
    assert all(leaning["deviations"] >= 1 for leaning in leanings)
    fewer = recsys("sample", "--model", "model", "-n", 1, "-k", 5, "--json", cwd=movielens)
    [first] = json.loads(fewer.stdout)["viewers"]
    assert first["movies"] == viewers[0]["movies"], "the number of viewers does not change the first ones"


def test_compression_is_stored_continued_and_in_the_report(movielens: Path) -> None:
    command = ("compression", "--model", "model", "--data", "data", "--of", "pca", "--json")
    done = recsys(*command, "--dimensions", "2", cwd=movielens)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)
    assert store.read_json(movielens / "model" / store.COMPRESSION) == first
    done = recsys(*command, "--dimensions", "1,2", cwd=movielens)
    one, two = json.loads(done.stdout)["curves"][0]["points"]
    assert two == first["curves"][0]["points"][0] and one["n_factors"] == 1
    assert one["known"] > two["known"] > 300 and first["popular"]["known"] > one["known"]
    printed = recsys(
        "compression", "--model", "model", "--data", "data", "--of", "pca", "--dimensions", 1, cwd=movielens
    )
    assert f"{two['known']:.0f}" in printed.stdout, "what was measured before is shown too"


def test_printed_axes_are_the_stored_ones(movielens: Path) -> None:
    printed = json.loads((movielens / "axes-printed.json").read_text())
    assert " ".join(printed) == "model method named discovered asked out"
    assert " ".join(printed["asked"][0]) == "name low high is_valid evidence low_movies high_movies"
    assert " ".join(printed["discovered"][0]) == "name low high is_valid evidence low_movies high_movies"
    assert [axis["name"] for axis in printed["asked"]] == [
        "children's ↔ adult",
        "art-house ↔ blockbuster",
        "light ↔ dark",
        "old ↔ new",
        "not western ↔ western",
    ]
    assert all(axis["is_valid"] for axis in printed["asked"][:4])
    horror = next(axis for axis in printed["discovered"] if axis["high"] == "Horror")
    assert "A Nightmare on Elm Street (1984)" in horror["high_movies"]
    stored = store.load_axes(movielens / "model")
    assert stored is not None and stored.rotation is not None
    assert [axis.name for axis in stored.all] == [a["name"] for a in printed["asked"] + printed["discovered"]]
    assert printed["named"] == sum(axis.is_valid for axis in stored.discovered)
    for axis, shown in zip(stored.all, printed["asked"] + printed["discovered"], strict=True):
        assert (axis.low, axis.high, axis.evidence.to_json()) == (shown["low"], shown["high"], shown["evidence"])


def test_the_table_of_axes_shows_what_is_not_in_the_space(movielens: Path) -> None:
    rows = "".join(f"{item},{(item * 7919) % 1000}\n" for item in range(1, 1600))
    (movielens / "lengths.csv").write_text("item_id,value\n" + rows)
    shutil.copytree(movielens / "model", movielens / "copy")
    options = "--model copy --data data --refits 0 --top 3 --graded lengths.csv"
    done = recsys("axes", *options.split(), cwd=movielens)
    assert done.returncode == 0, done.stderr
    assert "children's" in done.stdout and "not in this space" in done.stdout and "high lengths" in done.stdout
    assert "0 of 64 axes" in done.stdout, "without refits no axis is known to be stable"


def test_steering_moves_the_list_and_reports_the_loss(movielens: Path) -> None:
    plain = json.loads(
        recsys("recommend", "--model", "model", "--data", "data", "--user", 1, "--json", cwd=movielens).stdout
    )
    done = recsys(
        "recommend",
        "--model",
        "model",
        "--data",
        "data",
        "--user",
        1,
        "--steer",
        "children's=+1",
        "--json",
        cwd=movielens,
    )
    steered = json.loads(done.stdout)
    genres = [genre for row in steered["recommendations"] for genre in row["genres"]]
    assert (
        genres.count("Children's")
        > 5
        > [g for row in plain["recommendations"] for g in row["genres"]].count("Children's")
    )
    assert " ".join(steered) == "user origin steered recommendations"
    assert " ".join(steered["steered"]) == "axes left loss"
    row = steered["recommendations"][0]
    assert " ".join(row) == "rank title item_id score taste rank_before gain: adult ↔ children's genres"
    [move] = steered["steered"]["axes"]
    assert " ".join(move) == "axis amount before after"
    assert move["axis"] == "adult ↔ children's" and move["amount"] == 1 and move["after"] > move["before"] + 1
    assert 0 < steered["steered"]["loss"] < 1
    titles = {row["title"] for row in steered["recommendations"]}
    assert set(steered["steered"]["left"]) == {row["title"] for row in plain["recommendations"]} - titles
    for row in steered["recommendations"]:
        assert row["score"] == pytest.approx(row["taste"] + row["gain: adult ↔ children's"], abs=1e-4)


def test_a_new_user_can_steer_along_several_axes(movielens: Path) -> None:
    done = recsys(
        "recommend", "--model", "model", "--rate", "Alien=5", "--rate", "Fargo=4",
        "--steer", "old=1", "--steer", "Comedy=0.5", "--steer", "axis 1=-0.5", cwd=movielens,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert all(
        name in done.stdout
        for name in ("new ↔ old", "not Comedy ↔ Comedy", "axis 1", "dropped out", "loss of unsteered score")
    )


def test_reasons_add_up_to_the_score(movielens: Path) -> None:
    done = recsys("recommend", "--model", "model", "--data", "data", "--user", 7, "--why", "--json", cwd=movielens)
    for row in json.loads(done.stdout)["recommendations"]:
        for kind in ("ratings", "axes"):
            assert sum(part["adds"] for part in row["why"][kind]) == pytest.approx(row["score"], abs=1e-3), kind
            adds = [part["adds"] for part in row["why"][kind]]
            assert adds == sorted(adds, reverse=True)
    shown = recsys(
        "recommend", "--model", "model", "--data", "data", "--user", 7, "--why", "-k", 2, cwd=movielens
    ).stdout
    assert "why" in shown and "+0." in shown


def test_three_similarities_side_by_side(movielens: Path) -> None:
    done = recsys("similar", "alien", "--model", "model", "--metric", "all", "-k", 5, "--json", cwd=movielens)
    result = json.loads(done.stdout)
    assert [row["metric"] for row in result["similar"]] == ["cosine"] * 5 + ["dot"] * 5 + ["euclidean"] * 5
    assert result["length_popularity"] > 0.9
    counts = {m: np.mean([r["n_ratings"] for r in result["similar"] if r["metric"] == m]) for m in ("cosine", "dot")}
    assert counts["dot"] > counts["cosine"]
    alone = json.loads(recsys("similar", "alien", "--model", "model", "-k", 5, "--json", cwd=movielens).stdout)
    assert [r["title"] for r in alone["similar"]] == [r["title"] for r in result["similar"][:5]]
    shown = recsys("similar", "alien", "--model", "model", "--metric", "all", cwd=movielens).stdout
    assert "Spearman" in shown and "euclidean" in shown


def test_an_analogy(movielens: Path) -> None:
    done = recsys("analogy", "Alien", "Aliens", "The Terminator", "--model", "model", "-k", 3, "--json", cwd=movielens)
    result = json.loads(done.stdout)
    assert result["analogy"] == ["Alien (1979)", "Aliens (1986)", "The Terminator (1984)"]
    assert result["answers"][0]["title"] == "Terminator 2: Judgment Day (1991)"
    assert "is to" in recsys("analogy", "Alien", "Aliens", "The Terminator", "--model", "model", cwd=movielens).stdout


def test_printed_clusters_are_the_stored_ones(movielens: Path) -> None:
    shown = recsys("clusters", "--model", "model", "--method", "hdbscan", cwd=movielens).stdout
    assert "by hdbscan" in shown and "in no cluster" in shown
    done = recsys("clusters", "--model", "model", "--json", cwd=movielens)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert " ".join(printed) == "model method silhouette clusters in_no_cluster evidence out"
    assert " ".join(printed["clusters"][0]) == "title is_named items stability examples"
    stored = store.load_clusters(movielens / "model")
    assert stored is not None
    assert [cluster["title"] for cluster in printed["clusters"]] == [stored.title(n) for n in range(stored.n_clusters)]
    assert [cluster["items"] for cluster in printed["clusters"]] == np.bincount(
        stored.labels[stored.labels >= 0]
    ).tolist()
    assert printed["in_no_cluster"] == (stored.labels < 0).sum()
    horror = next(cluster for cluster in printed["clusters"] if cluster["title"].startswith("Horror"))
    assert "A Nightmare on Elm Street (1984)" in horror["examples"]


def test_a_map_along_two_axes_is_their_positions(movielens: Path) -> None:
    done = recsys("map", "--model", "model", "--x", "adult", "--y", "blockbuster", "--json", cwd=movielens)
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert (printed["method"], printed["not_in_space"]) == ("axes", [])
    assert printed["axes"] == ["children's ↔ adult", "art-house ↔ blockbuster"]
    item_map, axes = store.load_map(movielens / "model", "axes"), store.load_axes(movielens / "model")
    assert axes is not None
    model = store.load_model(movielens / "model")
    for column, name in enumerate(printed["axes"]):
        np.testing.assert_allclose(item_map.coordinates[:, column], axes[name].positions(model.space), atol=1e-5)
    turned = recsys(
        "map", "--model", "model", "--x", "children's", "--y", "axis 2", "--out", "t.parquet", cwd=movielens
    )
    assert turned.returncode == 0, turned.stderr
    np.testing.assert_allclose(
        store.read_map(movielens / "t.parquet").coordinates[:, 0], -item_map.coordinates[:, 0], atol=1e-5
    )


def test_a_map_reports_its_fidelity_and_is_written_as_a_page(movielens: Path) -> None:
    done = recsys("map", "--model", "model", "--method", "pca", "--out", "pages/map.html", cwd=movielens)
    assert done.returncode == 0, done.stderr
    for measure in ("trustworthiness", "continuity", "recall@15", "landing error"):
        assert measure in done.stdout
    page = (movielens / "pages" / "map.html").read_text()
    assert f"Model {store.fingerprint_of(movielens / 'model')[:16]}, pca, seed 42." in page
    assert "Star Wars" in page and "trustworthiness" in page
    assert store.load_map(movielens / "model", "pca").fidelity["recall@15"] > 0.05


def test_the_map_of_a_refit_is_aligned_with_an_earlier_map(movielens: Path) -> None:
    done = recsys("train", "--data", "data", "--out", "other", "--seed", 7, cwd=movielens)
    assert done.returncode == 0, done.stderr
    recsys("map", "--model", "model", "--method", "pca", "--out", "before.parquet", cwd=movielens)
    before = store.read_map(movielens / "before.parquet").coordinates
    moved = {}
    for name, like in (("alone", ()), ("aligned", ("--like", "before.parquet")), ("by model", ("--like", "model"))):
        done = recsys("map", "--model", "other", "--method", "pca", *like, "--json", cwd=movielens)
        assert done.returncode == 0, done.stderr
        after = store.load_map(movielens / "other", "pca").coordinates
        moved[name] = np.sqrt(np.nansum((after - before) ** 2) / np.nansum((before - np.nanmean(before, 0)) ** 2))
        if like:
            assert json.loads(done.stdout)["fidelity"]["alignment_residual"] == pytest.approx(moved[name], abs=0.01)
    assert moved["aligned"] == pytest.approx(moved["by model"]) and moved["aligned"] < 0.3
    assert moved["aligned"] <= moved["alone"] + 1e-6


def test_a_report_is_a_page_and_numbers(movielens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = recsys(
        "report", "--model", "model", "--data", "data", "--dimensions", "2,8", "--seeds", 1, "--json", cwd=movielens
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    numbers = json.loads((movielens / "model" / "report.json").read_text())
    page = (movielens / "model" / "report.html").read_bytes()
    assert numbers.pop("page_sha256") == hashlib.sha256(page).hexdigest()
    assert report == numbers
    assert [row["n_factors"] for row in report["dimensions"]] == [2, 8]
    page = (movielens / "model" / "report.html").read_text()
    assert page.startswith("<!doctype html>") and "Axes with verified names" in page and "Horror" in page
    measured = store.stored_report(movielens / "model")
    monkeypatch.setattr("recsys.workflows.inspect.embedding_report", lambda *_, **__: measured)  # not a second time
    done = recsys(
        "report", "--model", "model", "--data", "data", "--dimensions", 2, "--seeds", 0, "--out", "r/s.html",
        cwd=movielens,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (movielens / "r" / "s.html").is_file() and (movielens / "r" / "s.json").is_file() and "ials" in done.stdout


WRONG = {
    "axes: an unknown end": (
        "axes --model model --data data --ask Horor",
        "'Horor' is not a genre, tag or decade",
    ),
    "axes: three ends": ('axes --model model --data data --ask "a <-> b <-> c"', "is not a question"),
    "axes: one movie an end": ('axes --model model --data data --ask "Alien <-> Babe"', "two movies"),
    "axes: unknown method": ("axes --model model --data data --method promax", "--method 'promax'"),
    "axes: no such table": ("axes --model model --data data --graded no.csv", "no.csv: no such file of values"),
    "axes: a table without values": (
        "axes --model model --data data --graded bad1.csv",
        "bad1.csv: line 1: needs the columns item_id and value",
    ),
    "axes: a value that is not a number": (
        "axes --model model --data data --graded bad2.csv",
        "bad2.csv: line 3: 'many' is not a finite number",
    ),
    "axes: more fields than the header has": (
        "axes --model model --data data --graded bad5.csv",
        "bad5.csv: line 4: has 3 fields, not 2",
    ),
    "axes: an item twice": (
        "axes --model model --data data --graded bad3.csv",
        "bad3.csv: line 3: duplicate item '1'",
    ),
    "axes: unknown items": (
        "axes --model model --data data --graded bad4.csv",
        "bad4.csv: lists no item of this model",
    ),
    "steer: no amount": ("recommend --model model --data data --user 1 --steer old", "is not AXIS=AMOUNT"),
    "steer: too far": ("recommend --model model --data data --user 1 --steer old=4", "from -3 to 3, not 4"),
    "steer: unknown axis": (
        'recommend --model model --data data --user 1 --steer "axis 65=1"',
        "'axis 65' is not an axis or an end of one",
    ),
    "steer: not in this space": (
        "recommend --model model --data data --user 1 --steer Fantasy=1",
        "'Fantasy' is not in this space",
    ),
    "steer: a batch": (
        "recommend --model model --data data --out x.parquet --steer old=1",
        "--steer does not apply to --out, only to --user and --rate",
    ),
    "analogy: unknown movie": ("analogy Alien Aliens Terminater --model model", "did you mean"),
    "similar: unknown metric": ("similar alien --model model --metric angle", "--metric 'angle'"),
    "clusters: unknown method": ("clusters --model model --method ward", "--method 'ward'"),
    "clusters: unknown model": ("clusters --model nothing", "nothing: is not a model"),
    "map: one axis": ("map --model model --x adult", "needs both --x and --y"),
    "map: axes for another method": (
        "map --model model --method pca --x adult --y old",
        "a map along axes needs two axes, other maps take none; got 2",
    ),
    "map: no axes": ("map --model model --method axes", "needs two axes, other maps take none; got 0"),
    "map: unknown end": ("map --model model --x adult --y Frumious", "'Frumious' is not an axis or an end of one"),
    "map: neither table nor page": ("map --model model --out m.png", "as a table (.parquet) or as a page"),
    "map: an earlier map that is not a map": (
        "map --model model --method pca --like bad1.csv",
        "bad1.csv: cannot be read",
    ),
    "report: not a page": ("report --model model --data data --out r.pdf", "ends in .html"),
    "report: no dimensions": ('report --model model --data data --dimensions "1,x"', "--dimensions '1,x'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_gets_one_line(movielens: Path, name: str) -> None:
    (movielens / "bad1.csv").write_text("id,value\n1,2\n")
    (movielens / "bad2.csv").write_text("item_id,value\n1,2\n2,many\n")
    (movielens / "bad3.csv").write_text("item_id,value\n1,2\n1,3\n")
    (movielens / "bad4.csv").write_text("item_id,value\nabc,2\n")
    (movielens / "bad5.csv").write_text("item_id,value\n\n1,2\n2,3,9\n")
    command, words = WRONG[name]
    before = {
        path: path.stat().st_mtime_ns for path in movielens.rglob("*") if path.is_file() and path.suffix != ".csv"
    }
    assert words in complaint(recsys(*shlex.split(command), cwd=movielens))
    after = {path: path.stat().st_mtime_ns for path in movielens.rglob("*") if path.is_file() and path.suffix != ".csv"}
    assert after == before, "something was written"


def test_broken_clusters_are_reported_with_the_command_to_run(movielens: Path) -> None:
    path = movielens / "model" / "clusters.parquet"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="recreate it with recsys clusters"):
        store.load_clusters(movielens / "model")
    path.unlink()
    assert store.load_clusters(movielens / "model") is None


def test_axes_of_another_model_are_refused(movielens: Path) -> None:
    (movielens / "model" / "axes.json").rename(movielens / "kept.json")
    done = recsys("train", "--data", "data", "--out", "two", "--factors", 8, cwd=movielens)
    assert done.returncode == 0, done.stderr
    try:
        (movielens / "two" / "axes.json").write_text((movielens / "kept.json").read_text())
        words = complaint(recsys("recommend", "--model", "two", "--data", "data", "--user", 1, "--why", cwd=movielens))
        assert "axes.json" in words and "belongs to another model" in words
        alone = recsys("recommend", "--model", "two", "--data", "data", "--user", 1, cwd=movielens)
        assert alone.returncode == 0, "a plain list needs no axes"
    finally:
        (movielens / "kept.json").rename(movielens / "model" / "axes.json")


def test_data_that_the_model_was_not_trained_on_are_refused(movielens: Path, ml100k: Dataset) -> None:
    fewer = ml100k.interactions.matrix.copy()
    fewer.data[:1000] = 1
    less = Interactions(fewer, ml100k.interactions.user_ids, ml100k.interactions.item_ids)
    store.save_prepared(movielens / "others", dataclasses.replace(ml100k, interactions=less))
    for command in ("axes", "report"):
        words = complaint(recsys(command, "--model", "model", "--data", "others", cwd=movielens))
        assert "is not the data that model was trained on" in words


def test_broken_axes_are_reported_with_the_command_to_run(movielens: Path) -> None:
    path = movielens / "model" / "axes.json"
    whole = path.read_text()
    try:
        path.write_text(whole[: len(whole) // 2])
        assert "axes.json: cannot be read" in complaint(
            recsys("recommend", "--model", "model", "--data", "data", "--user", 1, "--steer", "old=1", cwd=movielens)
        )
        path.write_text('{"method": "varimax", "seed": 1, "discovered": [{"name": "axis 1"}], "asked": []}')
        assert "recreate it with recsys axes" in complaint(
            recsys("recommend", "--model", "model", "--data", "data", "--user", 1, "--why", cwd=movielens)
        )
    finally:
        path.write_text(whole)


def test_a_map_is_stored_with_the_model_and_written_to_a_file(work: Path) -> None:
    done = recsys("map", "--model", "model", "--method", "pca", "--out", "map.parquet", cwd=work)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(work / "map.parquet").column_names == ["item_id", "x", "y"]
    assert store.list_maps(work / "model") == ["pca"]


def test_axes_like_an_earlier_model_say_how_well_they_match(movielens: Path) -> None:
    shutil.copytree(movielens / "model", movielens / "later")  # with its axes: these are named anew, like the earlier
    command = ("axes", "--model", "later", "--data", "data", "--like", "model", "--refits", 0)
    printed = recsys(*command, "--json", cwd=movielens)
    assert printed.returncode == 0, printed.stderr
    result = json.loads(printed.stdout)
    match = result["like"]
    assert (match["model"], match["axes"], match["matched"]) == ("model", 64, 64)
    assert match["lowest"] == pytest.approx(1, abs=1e-3) and match["lowest"] <= match["median"]
    assert [axis["evidence"]["like"] for axis in result["discovered"]] == pytest.approx([1] * 64, abs=1e-3)
    stored = store.load_axes(movielens / "later")
    assert stored is not None
    assert [axis.evidence.like for axis in stored.discovered] == [a["evidence"]["like"] for a in result["discovered"]]
    assert "64 of 64 axes match those of model" in recsys(*command, cwd=movielens).stdout


def test_axes_like_a_model_without_axes_is_one_line(work: Path) -> None:
    recsys("train", "--data", "data", "--out", "no-axes", "--factors", 4, cwd=work)
    done = recsys("axes", "--model", "model", "--data", "data", "--like", "no-axes", "--refits", 0, cwd=work)
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "no-axes: has no axes; create them with recsys axes" in done.stderr
