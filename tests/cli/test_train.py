"""The command train, on small data."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError
from recsys.models import IALS, MLlibALS, Model, Popular
from tests.cli.run import recsys


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(work: Path) -> None:
    def factors(seed: int, out: str) -> tuple[bytes, bytes]:
        done = recsys("train", "--data", "data", "--out", out, "--seed", seed, "--set", "regularization=1", cwd=work)
        assert done.returncode == 0, done.stderr
        return (work / out / "item_factors.parquet").read_bytes(), (work / out / "user_factors.parquet").read_bytes()

    first, again, other = factors(1, "a"), factors(1, "b"), factors(2, "c")
    assert first == again
    assert first[0] != other[0] and first[1] != other[1]


def test_options_override_the_settings_of_a_file(work: Path) -> None:
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


def test_interrupted_training_keeps_its_last_complete_epoch(work: Path) -> None:
    script = (
        "from recsys.cli.main import main\n"
        "from recsys.models.ials import IALS\n"
        "import os, signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "epoch = IALS.epoch\n"
        "count = 0\n"
        "def stop(self, *args):\n"
        "    global count\n"
        "    count += 1\n"
        "    if count == int(os.environ['STOP']): os.kill(os.getpid(), signal.SIGINT)\n"
        "    return epoch(self, *args)\n"
        "IALS.epoch = stop\n"
        "main()\n"
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


def test_training_from_a_model_takes_its_settings_and_may_replace_it(work: Path) -> None:
    first = recsys(
        "train", "--data", "data", "--out", "nightly", "--factors", 3, "--weighting", "binary", "--set", "nu=0.7",
        cwd=work,
    )  # fmt: skip
    assert first.returncode == 0, first.stderr
    began = hashlib.sha256((work / "nightly" / "manifest.json").read_bytes()).hexdigest()
    done = recsys("train", "--data", "data", "--from", "nightly", "--out", "nightly", "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    settings = result["hyperparameters"]
    assert (settings["n_factors"], settings["nu"], settings["epochs"]) == (3, 0.7, 3)
    assert result["confidence"]["weighting"] == "binary"
    assert json.loads((work / "nightly" / "manifest.json").read_text())["data"]["started_from"] == began
    other = recsys(
        "train", "--data", "data", "--from", "nightly", "--out", "other", "--set", "epochs=1", "--min-rating", 2,
        "--json", cwd=work,
    )  # fmt: skip
    assert other.returncode == 0, other.stderr
    result = json.loads(other.stdout)
    assert (result["hyperparameters"]["epochs"], result["confidence"]["weighting"]) == (1, "binary")
    assert result["confidence"]["min_rating"] == 2


@pytest.fixture(scope="module")
def unfit(work: Path) -> None:
    """Models that training on `data` cannot start from."""
    ratings = store.load_prepared(work / "data").interactions
    numbers = Interactions(ratings.matrix, np.arange(ratings.n_users), ratings.item_ids)
    others = Interactions(ratings.matrix, ratings.user_ids, [f"other {item}" for item in ratings.item_ids])
    for name, data in (("numbers", numbers), ("strangers", others)):
        IALS(n_factors=2, epochs=1).fit(Dataset(data, Catalog.of(data.item_ids))).save(work / name)
    Popular().fit(store.load_prepared(work / "data")).save(work / "popular")
    model = store.load_model(work / "strangers")
    of_spark = MLlibALS(n_factors=2)
    fitted = dataclasses.replace(model.fitted, learner=of_spark)  # type: ignore[type-var]
    dataclasses.replace(model, learner=of_spark, fitted=fitted).save(work / "mllib")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--from", "nowhere"), "nowhere"),
        (("--from", "data"), "data"),
        (("--from", "model", "--factors", 5), "n_factors is 5, the model to start from has 4"),
        (("--from", "model", "--model", "als"), "of kind 'ials', not 'als'"),
        (("--from", "model", "--validate", "random"), "leave it out with --from"),
        (("--from", "model", "--engine", "spark"), "--from does not apply to --engine spark"),
        (("--from", "mllib"), "'mllib' cannot start from a model"),
        (("--from", "model", "--model", "mllib"), "unknown model 'mllib'"),
        (("--from", "popular"), "'popular' cannot start from a model"),
        (("--from", "numbers"), "user ids are whole numbers in the model to start from, text in these data"),
        (("--from", "strangers"), "none of the items of these data"),
    ],
)
def test_a_model_to_start_from_that_does_not_fit_changes_nothing(
    work: Path, unfit: None, options: tuple, message: str
) -> None:
    before = (work / "model" / "manifest.json").read_bytes()
    done = recsys("train", "--data", "data", "--out", "model", *options, cwd=work)
    assert done.returncode == 2
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert (work / "model" / "manifest.json").read_bytes() == before


def test_the_model_to_start_from_is_read_under_the_lock_on_the_output(work: Path, monkeypatch) -> None:
    shutil.copytree(work / "model", work / "locked")
    read, refused = store.load_model, []

    def lock_in_another_thread() -> None:
        try:
            with store.lock(work / "locked", wait=0):
                pass
        except InputError as error:
            refused.append(str(error))

    def load_model(folder: Path) -> Model:
        other = threading.Thread(target=lock_in_another_thread)
        other.start()
        other.join()
        return read(folder)

    monkeypatch.setattr(store, "load_model", load_model)
    done = recsys("train", "--data", "data", "--from", "locked", "--out", "locked", cwd=work)
    assert done.returncode == 0, done.stderr
    assert len(refused) == 1 and "locked" in refused[0]
