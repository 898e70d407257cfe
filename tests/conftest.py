"""Shared by all tests: MovieLens 100K and a model of it, made once a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recsys import datasets, etl, stages, store
from recsys.errors import Unavailable
from recsys.models import DEFAULT_MODEL, MODELS, TrainedModel, train_model


@pytest.fixture(scope="session")
def ml100k_folder(tmp_path_factory) -> Path:
    """The raw files of MovieLens 100K: from the data folder if they are there, else fetched; CI must not do without."""
    root = datasets.data_root()
    if not (root / "raw" / "ml-100k").is_dir():
        root = tmp_path_factory.mktemp("data")
    try:
        return datasets.fetch("ml-100k", root)
    except Unavailable as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def ml100k(ml100k_folder: Path) -> etl.Prepared:
    """MovieLens 100K, prepared."""
    return etl.prepare_ratings(etl.find_source(ml100k_folder), rules=etl.Rules(scale=(1.0, 5.0)))


@pytest.fixture(scope="session")
def ml100k_model(ml100k: etl.Prepared) -> TrainedModel:
    """The default model with its default settings on MovieLens 100K."""
    return train_model(ml100k.interactions, ml100k.catalog, MODELS[DEFAULT_MODEL]())


@pytest.fixture(scope="session")
def app_models(ml100k: etl.Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of MovieLens 100K as the app finds them: the demo's, with map, clusters, axes and all measurements,
    and one without vectors. Only to be read."""
    root = tmp_path_factory.mktemp("app")
    data, model = root / "prepared" / "ml-100k", root / "models" / "ml-100k-ials"
    store.save_prepared(data, ml100k)
    stages.train(data, model, confidence=stages.DEMO_CONFIDENCE)
    stages.map_items(model)
    stages.clusters(model)
    stages.axes(model, data, n_refits=2)
    stages.evaluate(data, trained=model, models=("popular",))
    stages.report_embedding(model, data, dimensions=(2, 16), n_seeds=1)
    stages.train(data, root / "models" / "ml-100k-popular", model="popular")
    return root / "models"
