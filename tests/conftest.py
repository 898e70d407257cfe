"""Shared by all tests: MovieLens 100K and a model of it, made once a session."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from recsys import ingest, store
from recsys.dataset.dataset import Dataset
from recsys.errors import Unavailable
from recsys.ingest import datasets
from recsys.models import DEFAULT_MODEL, MODELS, Model
from recsys.workflows import demo as demo_workflow
from recsys.workflows import evaluate as evaluate_workflow
from recsys.workflows import inspect as inspect_workflow
from recsys.workflows import train as train_workflow

settings.register_profile(
    "quick", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile(
    "attack",
    max_examples=2000,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("attack" if os.environ.get("RECSYS_ATTACK") == "1" else "quick")

SLOW_FILES = (
    "cli/test_import_vectors.py",
    "evaluation/test_ranking.py",
    "evaluation/test_stability.py",
    "models/test_contract.py",
    "models/test_ials.py",
    "space/test_clustering.py",
    "space/test_layout.py",
    "space/test_probes.py",
    "test_docs.py",
    "test_public_api.py",
    "workflows/test_nightly.py",
)
"""Files that take many seconds each on two cores; `make quick` leaves them out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what takes many seconds: the files above, and tests that need the app's trained models."""
    for item in items:
        is_slow_file = item.path.relative_to(Path(__file__).parent).as_posix() in SLOW_FILES
        if is_slow_file or "app_models" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")


@pytest.fixture(scope="session")
def reseal() -> Callable[[Path], None]:
    """Writes the present checksums of all files of a model or prepared folder into its marker, as a program would that
    forges the folder: what lies behind the checksums can then be tested."""

    def reseal(folder: Path) -> None:
        kind = next(kind for kind in store.KINDS if (folder / kind.marker).exists())
        marker = json.loads((folder / kind.marker).read_text())
        files = (folder / name for name in marker["files"])
        marker["files"] = {path.name: store.digest_of_path(path) for path in files if path.is_file()}
        (folder / kind.marker).write_text(json.dumps(marker))

    return reseal


@pytest.fixture(scope="session")
def ml100k_folder(tmp_path_factory) -> Path:
    """The raw files of MovieLens 100K: from the data folder if they are there, else fetched; CI must not do without."""
    root = datasets.data_root()
    if not (root / "raw" / "ml-100k").is_dir():
        root = tmp_path_factory.mktemp("data")
    try:
        return ingest.fetch("ml-100k", root)
    except Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def ml100k(ml100k_folder: Path) -> Dataset:
    """MovieLens 100K, prepared."""
    return ingest.prepare_ratings(ingest.find_source(ml100k_folder), validation=ingest.Validation(scale=(1.0, 5.0)))


@pytest.fixture(scope="session")
def ml100k_model(ml100k: Dataset) -> Model:
    """The default model with its default settings on MovieLens 100K."""
    return MODELS[DEFAULT_MODEL]().fit(ml100k)


@pytest.fixture(scope="session")
def app_models(ml100k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of MovieLens 100K as the app finds them: the demo's, with map, clusters, axes and all measurements,
    and one without vectors. Only to be read."""
    root = tmp_path_factory.mktemp("app")
    data, model = root / "prepared" / "ml-100k", root / "models" / "ml-100k-ials"
    store.save_prepared(data, ml100k)
    train_workflow.train(data, model, weighting=demo_workflow.DEMO_WEIGHTING)
    inspect_workflow.map_items(model)
    inspect_workflow.clusters(model)
    inspect_workflow.axes(model, data, n_refits=2)
    evaluate_workflow.evaluate(data, trained=model, models=("popular",))
    inspect_workflow.report_embedding(model, data, dimensions=(2, 16), n_seeds=1)
    train_workflow.train(data, root / "models" / "ml-100k-popular", model="popular")
    return root / "models"
