"""Stored measurements: they read back as they were made, and a damaged file is one clear error that names the value."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError
from recsys.evaluation.evaluate import Evaluation, TrainedModel, evaluate
from recsys.evaluation.report import EmbeddingReport, embedding_report
from recsys.models import IALS, Popular

REPORT = "report.json"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evaluation, EmbeddingReport]:
    """The folder of a small model with both measurements, and these."""
    rng = np.random.default_rng(0)
    ratings = Interactions(sp.csr_matrix((rng.random((90, 60)) < 0.5) * 3.0), np.arange(90), np.arange(60))
    data = Dataset(ratings, Catalog.of(ratings.item_ids, genres=[("Drama",), ("War",)] * 30), name="small")
    learner = IALS(n_factors=3, epochs=2)
    model = learner.fit(data)
    folder = tmp_path_factory.mktemp("measured") / "model"
    store.save_model(folder, model)
    fingerprint = store.fingerprint_of(folder)
    ranking = replace(evaluate(data, [learner, Popular()]), trained=TrainedModel("model", fingerprint))
    report = replace(embedding_report(model, ratings, dimensions=(2,), n_seeds=1), fingerprint=fingerprint)
    store.write_json(folder / store.RANKING, ranking.to_json())
    store.write_json(folder / REPORT, report.to_json())
    return folder, ranking, report


def test_measurements_read_back_as_they_were_made(
    made: tuple[Path, Evaluation, EmbeddingReport], tmp_path: Path
) -> None:
    folder, ranking, report = made
    assert store.stored_ranking(folder) == ranking and store.stored_report(folder) == report
    assert store.stored_ranking(tmp_path) is None and store.stored_report(tmp_path) is None
    assert report.smoothness is not None and store.stored_compression(tmp_path) is None


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(found: Any) -> None:
        *way, last = path
        for step in way:
            found = found[step]
        found[last] = value

    return change


@pytest.mark.parametrize(
    ("file", "change", "where"),
    [
        (store.RANKING, put("seed", value="42"), "seed: Input should be a valid integer"),
        (store.RANKING, put("results", 1, "judged", value=3.5), "results.1.judged"),
        (store.RANKING, put("results", 0, "judged", value=True), "results.0.judged"),
        (store.RANKING, put("results", 0, "metrics", value=[]), "results.0.metrics"),
        (store.RANKING, put("results", 0, "metrics", "ndcg@10", "mean", value=None), "ndcg@10 is undefined"),
        (store.RANKING, put("confidence", "weighting", value="heavy"), "confidence.weighting"),
        (store.RANKING, put("trained", value=None), "trained: null"),
        (REPORT, put("judged_items", value=None), "judged_items: Input should be a valid integer"),
        (REPORT, put("seeds", "overlap@10", value="most"), "seeds.overlap@10"),
        (REPORT, put("representations", "random", "told", value="genre_auc"), "representations.random.told"),
        (REPORT, put("representations", "ials", "analogies", "by_kind", "prequel", value={}), "by_kind.prequel"),
        (REPORT, put("dimensions", 0, "low", value="0.1"), "dimensions.0.low"),
        (REPORT, put("model", value="als"), "no measures of the model 'als'"),
    ],
)
def test_a_wrong_value_is_named(made, tmp_path: Path, file: str, change: Callable, where: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / store.MANIFEST).write_bytes((made[0] / store.MANIFEST).read_bytes())
    found = store.read_json(made[0] / file)
    change(found)
    (folder / file).write_text(json.dumps(found))
    read = store.stored_ranking if file == store.RANKING else store.stored_report
    command = "recsys evaluate --trained" if file == store.RANKING else "recsys report"
    with pytest.raises(InputError) as caught:
        read(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / file}: is not what {command} writes; measure again (") and where in message
    assert "\n" not in message


@pytest.mark.parametrize("file", [store.RANKING, REPORT])
def test_a_measurement_of_another_model_is_refused(made, tmp_path: Path, file: str) -> None:
    found = store.read_json(made[0] / file)
    put(*(("trained", "fingerprint") if file == store.RANKING else ("fingerprint",)), value="0" * 64)(found)
    other = tmp_path / "model"
    other.mkdir()
    for path in made[0].iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    (other / file).write_text(json.dumps(found))
    with pytest.raises(InputError, match="belongs to another model"):
        (store.stored_ranking if file == store.RANKING else store.stored_report)(other)
