"""Shared by all tests: MovieLens 100K and a model of it, made once a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from recsys import datasets, etl
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
