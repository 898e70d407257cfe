"""A service of MovieLens 100K, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.models import Model
from recsys.service.api import Service, app_of
from recsys.service.served import Served, newest_stamp
from recsys.service.settings import Settings


@pytest.fixture(scope="session")
def folders(ml100k: Dataset, ml100k_model: Model, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The folders of a model and of its data. Only to be read."""
    root = tmp_path_factory.mktemp("service")
    store.save_prepared(root / "data", ml100k)
    ml100k_model.with_data_path(root / "data").save(root / "model")
    return root / "model", root / "data"


@pytest.fixture(scope="session")
def served(folders: tuple[Path, Path]) -> Served:
    return Served.load(folders[0])


@pytest.fixture
def service(folders: tuple[Path, Path], served: Served) -> Service:
    return Service(Settings(folders[0]), served, newest_stamp(folders[0], None))


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    """A client of the service on this machine."""
    with TestClient(app_of(service), base_url="http://localhost", raise_server_exceptions=True) as client:
        yield client
