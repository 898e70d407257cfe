"""The commands evaluate and tune, on small data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from recsys import store
from tests.cli.run import complaint, recsys


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


def test_the_evaluation_of_a_trained_model_is_stored_with_it(work: Path) -> None:
    shutil.copytree(work / "model", work / "evaluated")
    trained = ("evaluate", "--data", "data", "--trained", "evaluated", "-k", 3)
    done = recsys(*trained, "--model", "popular", "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    kept = json.loads((work / "evaluated" / store.RANKING).read_text())
    assert kept == json.loads(done.stdout)
    ours, popular = kept["results"]
    manifest = json.loads((work / "evaluated" / "manifest.json").read_text())
    assert (ours["model"], popular["model"]) == ("ials", "popular")
    assert ours["hyperparameters"] == manifest["hyperparameters"] and ours["hyperparameters"]["n_factors"] == 4
    assert kept["trained"] == {"name": "evaluated", "fingerprint": store.fingerprint_of(work / "evaluated")}
    assert sum(group["users"] for group in ours["by_activity"]) == ours["judged"] == 30
    assert [part["part"] for part in popular["by_popularity"]] == ["head", "middle", "tail"]
    shown = recsys(*trained, "--out", "elsewhere.json", cwd=work)  # with the baselines; the stored result stays
    assert shown.returncode == 0 and "ials (as trained)" in shown.stdout and "itemknn" in shown.stdout
    assert len(json.loads((work / "elsewhere.json").read_text())["results"]) == 4
    assert json.loads((work / "evaluated" / store.RANKING).read_text()) == kept
    shutil.copytree(work / "model", work / "compared")
    both = recsys(*trained, "--compare", "compared", "--no-few", "--out", "both.json", cwd=work)
    assert both.returncode == 0 and "minus each other model" in " ".join(both.stdout.split())
    itself = json.loads((work / "both.json").read_text())["results"][1]["lead_of_first"]["ndcg@3"]
    assert itself == {"mean": 0.0, "low": 0.0, "high": 0.0}
    for options, why in (
        (("--compare", "nowhere"), "nowhere: is not a model"),
        (("--set", "n_factors=3"), "settings and weighting are those of evaluated"),
        (("--min-rating", 3), "settings and weighting are those of evaluated"),
        (("--out", "evaluated"), "evaluated: is a folder"),
        (("--trained", "nowhere"), "nowhere: is not a model"),
    ):
        assert why in complaint(recsys(*trained, *options, cwd=work))


def test_tune_continues_a_search_and_train_reads_its_settings(work: Path) -> None:
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
