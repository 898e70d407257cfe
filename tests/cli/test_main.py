"""The command line as a user meets it: real processes, their output, files and exit status."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys import store


def recsys(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "recsys.cli.main", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **environment},
        timeout=120,
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what was wrong; checks that it is one line and that nothing else was printed."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("recsys: ")
    return lines[0]


RATINGS = "user,movie,stars,when\n" + "".join(
    f"u{user},m{movie},{1 + (user * movie) % 5},{1_000_000_000 + user * 60 + movie}\n"
    for user in range(30)
    for movie in range(20)
    if (user * 7 + movie * 3) % 4
)
ITEMS = "item_id,title,genres\n" + "".join(
    f'm{movie},"Film {movie}, The ({1960 + movie})",Drama|Comedy\n' for movie in range(20)
)


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A folder with ratings of one's own, prepared, and a model of it."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "ratings.csv").write_text(RATINGS)
    (folder / "items.csv").write_text(ITEMS)
    columns = ("--user-col", "user", "--item-col", "movie", "--rating-col", "stars", "--time-col", "when")
    done = recsys("prepare", "ratings.csv", "--items", "items.csv", "--out", "data", *columns, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = recsys(
        "train", "--data", "data", "--out", "model", "--factors", 4, "--set", "regularization=0.1", "--json", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    done = json.loads(done.stdout)
    assert done["model"] == "ials"
    assert (done["hyperparameters"]["n_factors"], done["hyperparameters"]["regularization"]) == (4, 0.1)
    return folder


def test_ratings_of_ones_own_come_in_with_their_titles(work: Path) -> None:
    items = pq.read_table(work / "data" / "items.parquet").to_pylist()
    assert items[0] == {"item_id": "m0", "title": "The Film 0", "year": 1960, "genres": ["Drama", "Comedy"], "tags": []}
    report = json.loads((work / "data" / "report.json").read_text())
    assert report["read"] == report["kept"] == RATINGS.count("\n") - 1


def test_a_batch_writes_the_contract_for_every_user(work: Path) -> None:
    done = recsys("recommend", "--model", "model", "--data", "data", "-k", 3, "--out", "out.parquet", cwd=work)
    assert done.returncode == 0, done.stderr
    table = pq.read_table(work / "out.parquet")
    assert table.column_names == ["user_id", "rank", "item_id", "score"]
    frame = table.to_pandas()
    users = pq.read_table(work / "data" / "users.parquet")["user_id"].to_pylist()
    assert frame["user_id"].drop_duplicates().tolist() == users
    assert (frame.groupby("user_id")["rank"].apply(list).map(lambda ranks: ranks == [1, 2, 3])).all()
    seen = pq.read_table(work / "data" / "interactions.parquet").to_pandas()
    assert not set(zip(frame.user_id, frame.item_id, strict=True)) & set(zip(seen.user_id, seen.item_id, strict=True))
    assert (frame.groupby("user_id")["score"].apply(lambda s: s.is_monotonic_decreasing)).all()
    assert not list(work.glob(".out.parquet*"))


def test_listed_users_come_in_their_order_and_unusable_lines_are_set_aside(work: Path) -> None:
    (work / "users.txt").write_text("user_id\nu7\nnobody\n\nu3\nu7\n")
    done = recsys(
        "recommend", "--model", "model", "--data", "data", "-k", 2, "--users", "users.txt",
        "--out", "some.parquet", "--json", cwd=work,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["users"], result["rows"], result["rejected_users"]) == (2, 4, 2)
    assert pq.read_table(work / "some.parquet")["user_id"].to_pylist() == ["u7", "u7", "u3", "u3"]
    aside = pq.read_table(work / "some.rejected.parquet").to_pylist()
    assert [(row["file"], row["line"], row["reason"], row["text"]) for row in aside] == [
        ("users.txt", 3, "user is not in the data", "nobody"),
        ("users.txt", 6, "user is listed twice", "u7"),
    ]


def test_include_seen_brings_seen_items_back(work: Path) -> None:
    done = recsys(
        "recommend", "--model", "model", "--data", "data", "-k", 50, "--include-seen", "--out", "all.parquet", cwd=work
    )
    assert done.returncode == 0, done.stderr
    assert pq.read_table(work / "all.parquet").num_rows == 30 * 20  # k beyond the catalogue: everything, once


def test_users_training_never_saw_are_folded_in(work: Path) -> None:
    (work / "later.csv").write_text(RATINGS + "newcomer,m1,5,1000000000\nnewcomer,m2,4,1000000001\n")
    columns = ("--user-col", "user", "--item-col", "movie", "--rating-col", "stars", "--time-col", "when")
    assert recsys("prepare", "later.csv", "--out", "later", *columns, cwd=work).returncode == 0
    done = recsys("recommend", "--model", "model", "--data", "later", "-k", 2, "--out", "l.parquet", "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["origin"] == {"stored": 30, "folded in": 1}


def test_one_user_and_somebody_new_get_a_list_on_the_screen(work: Path) -> None:
    done = recsys("recommend", "--model", "model", "--data", "data", "--user", "u5", "-k", 2, cwd=work)
    assert done.returncode == 0, done.stderr
    assert "For user u5" in done.stdout
    assert "The Film" in done.stdout
    done = recsys(
        "recommend", "--model", "model", "--rate", "film 3=5", "--rate", "Film 4, The (1964)=4", "--json", cwd=work
    )
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    assert listed["origin"] == "folded in"
    assert not {"m3", "m4"} & {row["item_id"] for row in listed["recommendations"]}


def test_similar_forgives_the_title_and_prints_json(work: Path) -> None:
    done = recsys("similar", "FILM 7", "--model", "model", "-k", 3, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["title"] == "The Film 7 (1967)"
    assert [row["rank"] for row in found["similar"]] == [1, 2, 3]
    assert "m7" not in [row["item_id"] for row in found["similar"]]


def test_a_map_is_stored_with_the_model_and_written_elsewhere(work: Path) -> None:
    done = recsys("map", "--model", "model", "--method", "pca", "--out", "map.parquet", cwd=work)
    assert done.returncode == 0, done.stderr
    assert pq.read_table(work / "map.parquet").column_names == ["item_id", "x", "y"]
    assert store.list_maps(work / "model") == ["pca"]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(work: Path) -> None:
    def factors(seed: int, out: str) -> tuple[bytes, bytes]:
        done = recsys("train", "--data", "data", "--out", out, "--seed", seed, "--set", "regularization=1", cwd=work)
        assert done.returncode == 0, done.stderr
        return (work / out / "item_factors.parquet").read_bytes(), (work / out / "user_factors.parquet").read_bytes()

    first, again, other = factors(1, "a"), factors(1, "b"), factors(2, "c")
    assert first == again
    assert first[0] != other[0] and first[1] != other[1]


def test_settings_come_from_a_file_and_from_the_line_which_wins(work: Path) -> None:
    (work / "params.json").write_text('{"n_factors": 8, "epochs": 3, "weighting": "log", "min_rating": 2}')
    done = recsys(
        "train", "--data", "data", "--out", "p", "--params", "params.json", "--set", "epochs=2", "--model", "bpr",
        "--json", cwd=work,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    settings = json.loads(done.stdout)["hyperparameters"]
    assert (settings["n_factors"], settings["epochs"]) == (8, 2)
    weighting = json.loads(done.stdout)["confidence"]
    assert (weighting["weighting"], weighting["min_rating"]) == ("log", 2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("frobnicate",), "No such command 'frobnicate'"),
        (("train", "--data", "data", "--out", "x", "--nope"), "No such option"),
        (("train", "--data", "data"), "Missing option '--out'"),
        (("train", "--data", "nowhere", "--out", "x"), "nowhere: is not prepared data"),
        (("train", "--data", "data", "--out", "x", "--model", "magic"), "there is no model 'magic'; there are"),
        (("train", "--data", "data", "--out", "x", "--set", "depth=3"), "ials has no setting 'depth'"),
        (("train", "--data", "data", "--out", "x", "--set", "n_factors=0"), "n_factors is 0, outside 1 … 4096"),
        (("train", "--data", "data", "--out", "x", "--factors", "many"), "'--factors'"),
        (("train", "--data", "data", "--out", "x", "--weighting", "gut"), "unknown weighting 'gut'"),
        (("train", "--data", "data", "--out", "x", "--min-rating", "9"), "no ratings of 9 or more"),
        (("train", "--data", "data", "--out", "x", "--params", "ratings.csv"), "ratings.csv: cannot be read"),
        (("train", "--data", "data", "--out", "x", "--validate", "guess"), "--validate 'guess' is not one of"),
        (("train", "--data", "data", "--out", "x", "--validate", "random", "--model", "ease"), "there are no epochs"),
        (("evaluate", "--data", "nowhere"), "nowhere: is not prepared data"),
        (("evaluate", "--data", "data", "--protocol", "luck"), "--protocol 'luck' is not one of leave-last-out"),
        (("evaluate", "--data", "data", "--part", "rest"), "--part 'rest' is not one of test, validation"),
        (("evaluate", "--data", "data", "--model", "magic"), "there is no model 'magic'"),
        (("evaluate", "--data", "data", "-k", "0"), "'-k'"),
        (("evaluate", "--data", "data", "--model", "als", "--model", "bpr", "--set", "seed=1"), "one by one"),
        (("tune", "--data", "data", "--out", "model"), "model: is a folder"),
        (("tune", "--data", "data", "--out", "x.json", "--metric", "joy@3"), "unknown metric 'joy@3': use auc or"),
        (("tune", "--data", "data", "--out", "x.json", "--model", "popular"), "'popular' has nothing to tune"),
        (("tune", "--data", "data", "--out", "x.json", "--set", "nope=3"), "ials has no setting 'nope'"),
        (("train", "--data", "data", "--out", "data"), "data: holds other files and will not be replaced"),
        (("prepare", "nowhere.csv", "--out", "x"), "nowhere.csv: no such file or folder"),
        (("prepare", "ratings.csv", "--out", "x", "--user-col", "who"), "there is no column 'who'"),
        (("prepare", "ratings.csv", "--out", "x", "--scale", "5"), "is not MIN:MAX"),
        (("prepare", "ratings.csv", "--out", "x", "--scale", "5:1"), "MIN must be below MAX"),
        (("prepare", "ratings.csv", "--out", "x", "--items", "none.csv"), "none.csv: no such file of items"),
        (("prepare", "ratings.csv", "--out", "model"), "model: holds other files"),
        (("prepare", "ratings.csv", "--out", "x", "--min-user", "99"), "nothing is left"),
        (("fetch", "ml-200k"), "unknown dataset 'ml-200k'; did you mean ml-100k?"),
        (("recommend", "--model", "data", "--data", "data", "--out", "x.parquet"), "data: is not a model"),
        (("recommend", "--model", "model", "--data", "data"), "say one of --out FILE"),
        (("recommend", "--model", "model", "--out", "x.parquet"), "--data is missing"),
        (("recommend", "--model", "model", "--data", "data", "--out", "x.parquet", "-k", "0"), "'-k'"),
        (("recommend", "--model", "model", "--data", "data", "--out", "data"), "data: is a folder"),
        (("recommend", "--model", "model", "--data", "data", "--user", "ghost"), "unknown user id: 'ghost'"),
        (("recommend", "--model", "model", "--data", "data", "--out", "x.parquet", "--users", "no.txt"), "no.txt"),
        (("recommend", "--model", "model", "--data", "data", "--out", "x.p", "--users", "items.csv"), "not in"),
        (("recommend", "--model", "model", "--rate", "Film 3"), 'is not "Title=stars"'),
        (("recommend", "--model", "model", "--rate", "Flim 3=5"), "did you mean"),
        (("similar", "Flim 33", "--model", "model"), "no movie is called 'Flim 33'; did you mean"),
        (("similar", "Film 3", "--model", "model", "--metric", "taxi"), "--metric 'taxi' is not one of"),
        (("map", "--model", "model", "--method", "globe"), "--method 'globe' is not one of pca, tsne"),
        (("app", "--port", "http"), "'--port'"),
    ],
)  # fmt: skip
def test_wrong_use_gets_one_line_and_status_2_and_leaves_nothing(
    work: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = sorted(path.relative_to(work) for path in work.rglob("*"))
    assert words in complaint(recsys(*arguments, cwd=work))
    assert sorted(path.relative_to(work) for path in work.rglob("*")) == before


def test_a_model_without_vectors_recommends_but_has_no_neighbours_or_map(work: Path) -> None:
    assert recsys("train", "--data", "data", "--out", "pop", "--model", "popular", cwd=work).returncode == 0
    done = recsys("recommend", "--model", "pop", "--data", "data", "--out", "pop.parquet", cwd=work)
    assert done.returncode == 0, done.stderr
    assert "no user and item vectors" in complaint(recsys("similar", "Film 3", "--model", "pop", cwd=work))
    assert "no user and item vectors" in complaint(recsys("map", "--model", "pop", cwd=work))


def test_item_weights_recommend_explain_and_come_back_from_disk(work: Path) -> None:
    for model in ("ease", "itemknn"):
        assert recsys("train", "--data", "data", "--out", model, "--model", model, cwd=work).returncode == 0
        done = recsys("recommend", "--model", model, "--data", "data", "--user", "u5", "-k", 2, cwd=work)
        assert done.returncode == 0 and "The Film" in done.stdout
        assert "no user and item vectors" in complaint(recsys("map", "--model", model, cwd=work))


def test_evaluate_shows_models_side_by_side_with_intervals(work: Path) -> None:
    options = (
        "--data",
        "data",
        "--model",
        "ials",
        "--model",
        "popular",
        "--protocol",
        "leave-last-out",
        "-k",
        3,
        "-k",
        5,
    )
    done = recsys("evaluate", *options, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [r["model"] for r in result["results"]] == ["ials", "popular"]
    assert (result["protocol"], result["part"], result["hidden_ratings"]) == ("leave-last-out", "test", 30)
    for metrics in (r["metrics"] for r in result["results"]):
        assert {"hr@3", "ndcg@5", "auc", "coverage@3", "gini@5", "diversity@3", "novelty@3"} <= set(metrics)
        assert metrics["hr@3"]["low"] <= metrics["hr@3"]["mean"] <= metrics["hr@3"]["high"]
        assert metrics["hr@3"]["mean"] == metrics["recall@3"]["mean"]  # one item is hidden from each
        assert metrics["coverage@3"]["low"] is None
    shown = recsys("evaluate", *options, cwd=work)
    assert shown.returncode == 0 and "ndcg@3" in shown.stdout and "popular" in shown.stdout
    again = json.loads(recsys("evaluate", *options, "--json", cwd=work).stdout)
    assert [r["metrics"] for r in again["results"]] == [r["metrics"] for r in result["results"]]


def test_evaluate_keeps_what_it_found_of_a_trained_model_with_it(work: Path) -> None:
    shutil.copytree(work / "model", work / "judged")
    trained = ("evaluate", "--data", "data", "--trained", "judged", "-k", 3)
    done = recsys(*trained, "--model", "popular", "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    kept = json.loads((work / "judged" / store.RANKING).read_text())
    assert kept == json.loads(done.stdout)
    ours, popular = kept["results"]
    manifest = json.loads((work / "judged" / "manifest.json").read_text())
    assert (ours["model"], popular["model"]) == ("ials", "popular")
    assert ours["hyperparameters"] == manifest["hyperparameters"] and ours["hyperparameters"]["n_factors"] == 4
    assert kept["trained"] == {"name": "judged", "fingerprint": store.fingerprint_of(work / "judged")}
    assert sum(group["users"] for group in ours["by_activity"]) == ours["judged"] == 30
    assert [part["part"] for part in popular["by_popularity"]] == ["head", "middle", "tail"]
    shown = recsys(*trained, "--out", "elsewhere.json", cwd=work)  # beside the baselines; the model keeps what it had
    assert shown.returncode == 0 and "ials (as trained)" in shown.stdout and "itemknn" in shown.stdout
    assert len(json.loads((work / "elsewhere.json").read_text())["results"]) == 4
    assert json.loads((work / "judged" / store.RANKING).read_text()) == kept
    for options, why in (
        (("--set", "n_factors=3"), "settings and weighting are those of judged"),
        (("--min-rating", 3), "settings and weighting are those of judged"),
        (("--out", "judged"), "judged: is a folder"),
        (("--trained", "nowhere"), "nowhere: is not a model"),
    ):
        assert why in complaint(recsys(*trained, *options, cwd=work))


def test_tune_goes_on_where_it_was_and_train_takes_what_it_found(work: Path) -> None:
    options = ("--data", "data", "--out", "tuned.json", "--weighting", "search", "--set", "n_factors=3", "--json")
    first = recsys("tune", *options, "--trials", 2, cwd=work)
    assert first.returncode == 0, first.stderr
    assert json.loads(first.stdout)["trials"] == 2
    more = json.loads(recsys("tune", *options, "--trials", 5, cwd=work).stdout)
    assert more["trials"] == 5
    assert more["default"] == json.loads(first.stdout)["default"] <= more["best"]
    trained = recsys("train", "--data", "data", "--out", "t", "--params", "tuned.json", "--json", cwd=work)
    assert trained.returncode == 0, trained.stderr
    used = json.loads(trained.stdout)
    params = json.loads((work / "tuned.json").read_text())
    assert used["confidence"]["weighting"] == params.pop("weighting")
    assert params.items() <= used["hyperparameters"].items() and params["n_factors"] == 3
    line = complaint(recsys("tune", *options, "--seed", 7, cwd=work))
    assert "belongs to another search" in line
    (work / "bad.json.study.sqlite").write_text("this is no database, is it?")
    assert "is not a study" in complaint(recsys("tune", "--data", "data", "--out", "bad.json", cwd=work))


def test_validation_chooses_the_number_of_epochs(work: Path) -> None:
    options = ("--data", "data", "--out", "early", "--validate", "random", "--patience", 2, "--factors", 4)
    done = recsys("train", *options, "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    curve = result["validation"]
    assert [row["epoch"] for row in curve] == list(range(1, len(curve) + 1))
    best = max(curve, key=lambda row: row["ndcg@10"])["epoch"]
    assert result["hyperparameters"]["epochs"] == best
    assert len(curve) == min(15, best + 2)
    assert all(later["objective"] < earlier["objective"] for earlier, later in itertools.pairwise(curve))


def test_an_interrupted_training_keeps_its_last_whole_epoch(work: Path) -> None:
    script = (
        "from recsys.cli import main as cli\n"
        "from recsys.models.ials import IALS\n"
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "epoch = IALS.epoch\n"
        "count = 0\n"
        "def stop(self, *args):\n"
        "    global count\n"
        "    count += 1\n"
        "    if count == int(os.environ['STOP']): os.kill(os.getpid(), signal.SIGINT)\n"
        "    return epoch(self, *args)\n"
        "IALS.epoch = stop\n"
        "sys.argv = ['recsys', *sys.argv[1:]]\n"
        "cli.main()\n"
    )

    def train(out: str, stop: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, "train", "--data", "data", "--out", out, "--json"]
        return subprocess.run(command, cwd=work, capture_output=True, text=True, env={**os.environ, "STOP": str(stop)})

    kept = train("kept", 4)
    assert kept.returncode == 0, kept.stderr
    assert json.loads(kept.stdout)["interrupted"] == "after epoch 3 of 15"
    assert json.loads(kept.stdout)["hyperparameters"]["epochs"] == 3
    three = recsys("train", "--data", "data", "--out", "three", "--set", "epochs=3", cwd=work)
    assert three.returncode == 0
    for name in ("user_factors.parquet", "item_factors.parquet"):
        assert (work / "kept" / name).read_bytes() == (work / "three" / name).read_bytes()
    nothing = train("nothing", 1)
    assert nothing.returncode == 130
    assert not (work / "nothing").exists()


def test_a_broken_model_is_named_with_what_to_run(work: Path, tmp_path: Path) -> None:
    for file in (work / "model").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "item_factors.parquet").write_bytes(b"PAR1 nonsense PAR1")
    line = complaint(recsys("similar", "Film 3", "--model", tmp_path))
    assert str(tmp_path) in line and "recsys train" in line


def test_a_batch_that_was_broken_off_is_taken_up_again(work: Path) -> None:
    whole = recsys("recommend", "--model", "model", "--data", "data", "-k", 4, "--out", "whole.parquet", cwd=work)
    assert whole.returncode == 0
    script = (
        "from recsys.cli import main as cli\n"
        "from recsys.workflows import recommend as recommend_workflow\n"
        "import sys, os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "recommend_workflow.PART_ROWS = 40\n"
        "from recsys import store\n"
        "write = store.Parts.write\n"
        "def stop(self, number, table):\n"
        "    write(self, number, table)\n"
        "    if number == 1 and 'STOP' in os.environ: os.kill(os.getpid(), signal.SIGINT)\n"
        "store.Parts.write = stop\n"
        "sys.argv = ['recsys', *sys.argv[1:]]\n"
        "cli.main()\n"
    )
    command = [sys.executable, "-c", script, "recommend", "--model", "model", "--data", "data", "-k", "4"]
    command += ["--out", "parts.parquet", "--resume", "--json"]
    broken = subprocess.run(command, cwd=work, capture_output=True, text=True, env={**os.environ, "STOP": "1"})
    assert broken.returncode == 130, broken.stderr
    assert "--resume" in broken.stderr
    assert not (work / "parts.parquet").exists()
    resumed = subprocess.run(command, cwd=work, capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["resumed_parts"] == 2
    assert pq.read_table(work / "parts.parquet").equals(pq.read_table(work / "whole.parquet"))
    assert pq.ParquetFile(work / "parts.parquet").num_row_groups == 3


def test_a_reader_that_goes_away_is_no_error(work: Path) -> None:
    command = f'"{sys.executable}" -m recsys.cli.main similar "Film 3" --model model --json | head -1'
    done = subprocess.run(command, shell=True, cwd=work, capture_output=True, text=True)
    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_help_is_there_for_every_command() -> None:
    listed = recsys("--help")
    assert listed.returncode == 0
    for command in ("demo", "fetch", "prepare", "train", "evaluate", "tune", "recommend", "similar", "map", "app"):
        assert command in listed.stdout
        done = recsys(command, "--help")
        assert done.returncode == 0 and "Usage" in done.stdout


def test_the_demo_goes_all_the_way_on_movielens_100k(ml100k_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ml-100k").symlink_to(ml100k_folder, target_is_directory=True)
    done = recsys("demo", "--no-app", "--json", RECSYS_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["prepare"]["kept"], result["prepare"]["users"], result["prepare"]["items"]) == (100_000, 943, 1682)
    assert len(result["recommend"]["recommendations"]) == 10
    assert all(row["title"] for row in result["recommend"]["recommendations"])
    model = tmp_path / "models" / "ml-100k-ials"
    assert store.list_maps(model) == ["tsne"]
    found, clustered = store.load_axes(model), store.load_clusters(model)
    assert found is not None and result["axes"]["named"] == sum(axis.is_valid for axis in found.discovered) > 0
    assert clustered is not None and len(result["clusters"]["clusters"]) == clustered.n_clusters
    assert pa.types.is_fixed_size_list(pq.read_schema(model / "item_factors.parquet").field("factors").type)
