"""Prepared data ↔ a folder of Parquet files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.origins import Origins
from recsys.errors import InputError
from recsys.ingest.validation import REJECTED as REJECTED_SCHEMA
from recsys.store.artifacts import PREPARED, Artifact, new_artifact, open_artifact, read_artifact
from recsys.store.catalog import CATALOG, ITEMS, catalog_of, catalog_table
from recsys.store.files import reading
from recsys.store.origins import read_origins, write_origins
from recsys.store.ratings import INTERACTIONS, read_ratings, write_ratings
from recsys.store.schema import ID, Column, Count, checked

USERS = "users.parquet"
REJECTED = "rejected.parquet"
REPORT = PREPARED.marker

USER_COLUMNS = {"user_id": Column(ID, is_unique=True)}
REJECTED_COLUMNS = {
    "file": Column(pa.string()),
    "line": Column(pa.int64()),
    "reason": Column(pa.string()),
    "text": Column(pa.string(), is_nullable=True),
}
_ROWS_PER_GROUP = 2**20


class _Settings(BaseModel):
    scale: list[float] | None = None
    min_user: Count = 1
    min_item: Count = 1


class _Report(BaseModel):
    """The counts of the preparation, as `recsys.ingest.prepare` makes them; empty for data that were not prepared from
    rows."""

    source: str = ""
    read: Count = 0
    kept: Count = 0
    rejected: Count = 0
    duplicates: Count = 0
    reasons: dict[str, Count] = {}
    users: Count = 0
    items: Count = 0
    items_without_metadata: Count = 0
    items_described: Count = 0
    items_described_but_not_rated: Count = 0
    ratings_without_time: Count = 0
    settings: _Settings = _Settings()
    data_fingerprint: str = ""


def save_prepared(folder: Path, dataset: Dataset) -> None:
    """Write interactions, items, users, rejected rows and the report.

    Raises InputError if `folder` exists and does not hold prepared data.
    """
    with new_artifact(folder, PREPARED, dataset.report) as temporary, ThreadPoolExecutor(1) as beside:
        origins = None if dataset.origins is None else beside.submit(write_origins, temporary, dataset.origins)
        write_ratings(temporary / INTERACTIONS, dataset.interactions)
        pq.write_table(catalog_table(dataset.catalog), temporary / ITEMS)
        pq.write_table(pa.table({"user_id": pa.array(dataset.interactions.user_ids)}), temporary / USERS)
        with pq.ParquetWriter(temporary / REJECTED, REJECTED_SCHEMA, store_schema=False) as writer:
            rejected = REJECTED_SCHEMA.empty_table() if dataset.rejected is None else dataset.rejected
            for start in range(0, max(len(rejected), 1), _ROWS_PER_GROUP):
                # Whatever parts the table has, equal rows make equal files; plain text only for one group at a time.
                rows = rejected.slice(start, _ROWS_PER_GROUP).cast(REJECTED_SCHEMA).combine_chunks()
                writer.write_table(rows, _ROWS_PER_GROUP)
        if origins is not None:
            origins.result()


def load_prepared(folder: Path) -> Dataset:
    """Read a prepared folder; the rejected rows stay on disk, and the name is the folder's.

    Raises InputError, naming the command to run, when the folder is missing or damaged.
    """
    return read_artifact(folder, PREPARED, _read_dataset)


def load_catalog(folder: Path) -> Catalog:
    """The items of a prepared folder, without reading the ratings. Raises InputError as `load_prepared` does."""
    return read_artifact(folder, PREPARED, lambda artifact: catalog_of(artifact.table(ITEMS, CATALOG)))


def prepared_fingerprint(folder: Path) -> str:
    """SHA-256 (hex) of the marker of a prepared folder: it changes when any of its files does. Raises InputError as
    `load_prepared` does."""
    return open_artifact(folder, PREPARED).fingerprint


def load_with_origins(folder: Path) -> tuple[Dataset, Origins, pa.Table]:
    """A prepared folder with what adding further files needs: the origins of its rows, and the rejected rows.

    Raises InputError as `load_prepared` does, and for a folder of an older version, which has no origins.
    """

    def read(artifact: Artifact) -> tuple[Dataset, Origins, pa.Table]:
        data = _read_dataset(artifact)
        return data, read_origins(artifact, data), artifact.table(REJECTED, REJECTED_COLUMNS)

    return read_artifact(folder, PREPARED, read)


def read_report(folder: Path) -> dict[str, Any]:
    """The counts of the preparation in a prepared folder, checked. Raises InputError as `load_prepared` does."""
    artifact = open_artifact(folder, PREPARED)
    with reading(folder, PREPARED.command):
        return _report_of(artifact)


def read_rejected(folder: Path, n: int) -> pa.Table:
    """The first `n` rows that the preparation rejected: file, line, reason, text. Raises InputError as `load_prepared`
    does."""
    return read_artifact(folder, PREPARED, lambda artifact: _first_rejected(artifact, n))


def _first_rejected(artifact: Artifact, n: int) -> pa.Table:
    with artifact.open(REJECTED) as file, pq.ParquetFile(file) as parquet:
        if parquet.schema_arrow.remove_metadata() != REJECTED_SCHEMA:
            raise InputError(f"{REJECTED} has other columns than {', '.join(REJECTED_SCHEMA.names)}")
        for batch in parquet.iter_batches(n):
            batch.validate(full=True)
            return pa.Table.from_batches([batch])
        return REJECTED_SCHEMA.empty_table()


def _report_of(artifact: Artifact) -> dict[str, Any]:
    try:
        report = checked(_Report, artifact.content)
    except InputError as error:
        raise InputError(f"{REPORT}: {error}") from None
    return report.model_dump(exclude_unset=True)


def _read_dataset(artifact: Artifact) -> Dataset:
    report = _report_of(artifact)
    with artifact.open_ahead(INTERACTIONS) as file:
        catalog = catalog_of(artifact.table(ITEMS, CATALOG))
        user_ids = artifact.table(USERS, USER_COLUMNS)["user_id"].to_numpy()
        interactions = read_ratings(file(), user_ids, catalog.item_ids)
    return Dataset(interactions, catalog, report=report, name=artifact.folder.resolve().name)
