"""Shared by all tests: MovieLens 100K and a model of it, made once a session."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
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

os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
"""JAX compiles twice as fast; the arrays of the tests are too small to notice."""

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

OWN_FILES = (
    "app/test_translate.py",
    "cli/test_imports.py",
    "cli/test_process.py",
    "engines/test_session.py",
    "ingest/test_append.py",
    "ingest/test_digits.py",
    "ingest/test_download.py",
    "ingest/test_exports.py",
    "store/test_artifacts.py",
    "test_atomic.py",
    "test_layout.py",
    "test_limits.py",
    "test_supply_chain.py",
    "workflows/test_batch_jobs.py",
    "workflows/test_doctor.py",
)
"""Files and `attack`, whose tests are of code that calls Python's own library alone, or of processes, files and
locks: `make test-lowest` leaves them out."""

FIRST_FILES = (
    "browser/test_pages.py",
    "engines/test_spark.py",
    "browser/test_for_you.py",
    "test_package.py",
    "evaluation/test_report.py",
    "attack/test_crash.py",
    "cli/test_inspect.py",
    "workflows/test_nightly.py",
)
"""The longest files, the longest one first: a worker that got one of them last would end long after the others."""


def file_of(item: pytest.Item) -> str:
    return item.path.relative_to(Path(__file__).parent).as_posix()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what takes many seconds: the files above, and tests that need the app's trained models. Mark what no
    version of a library changes. Run the longest files first."""
    for item in items:
        if file_of(item) in SLOW_FILES or "app_models" in getattr(item, "fixturenames", ()):
            item.add_marker("slow")
        if file_of(item) in OWN_FILES or file_of(item).startswith("attack/"):
            item.add_marker("own")
    places = {name: place for place, name in enumerate(FIRST_FILES)}
    items.sort(key=lambda item: places.get(file_of(item), len(places)))


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
    and one without vectors. The first worker of pytest-xdist that needs them makes them. Only to be read."""
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "app"
    with root.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.with_suffix(".done").exists():
            shutil.rmtree(root, ignore_errors=True)  # of a worker that failed
            make_app_models(ml100k, root)
            root.with_suffix(".done").touch()
    return root / "models"


def make_app_models(ml100k: Dataset, root: Path) -> None:
    data, model = root / "prepared" / "ml-100k", root / "models" / "ml-100k-ials"
    store.save_prepared(data, ml100k)
    train_workflow.train(data, model, weighting=demo_workflow.DEMO_WEIGHTING)
    inspect_workflow.map_items(model)
    inspect_workflow.clusters(model)
    inspect_workflow.axes(model, data, n_refits=2)
    evaluate_workflow.evaluate(data, trained=model, models=("popular",))
    inspect_workflow.report_embedding(model, data, dimensions=(2, 16), n_seeds=1)
    train_workflow.train(data, root / "models" / "ml-100k-popular", model="popular")
