"""Folders that the tests of the command line share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.run import recsys
from tests.cli.samples import COLUMNS, ITEMS, RATINGS


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small file of ratings (`ratings.csv`), the prepared data (`data`) and a model (`model`)."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "ratings.csv").write_text(RATINGS)
    (folder / "items.csv").write_text(ITEMS)
    done = recsys("prepare", "ratings.csv", "--items", "items.csv", "--out", "data", *COLUMNS, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = recsys(
        "train", "--data", "data", "--out", "model", "--factors", 4, "--set", "regularization=0.1", "--json", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["model"] == "ials"
    assert (printed["hyperparameters"]["n_factors"], printed["hyperparameters"]["regularization"]) == (4, 0.1)
    return folder
