"""Prepared data ↔ a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import NO_TIME, Interactions
from recsys.errors import InputError
from recsys.ingest.validation import REJECTED as REJECTED_SCHEMA
from recsys.store.artifacts import PREPARED, Artifact, new_artifact, read_artifact
from recsys.store.catalog import ITEMS, catalog_of, catalog_table

INTERACTIONS = "interactions.parquet"
USERS = "users.parquet"
REJECTED = "rejected.parquet"
REPORT = PREPARED.marker


def save_prepared(folder: Path, dataset: Dataset) -> None:
    """Write interactions, items, users, rejected rows and the report.

    Raises InputError if `folder` exists and does not hold prepared data.
    """
    interactions = dataset.interactions
    matrix = interactions.matrix
    users = np.repeat(np.arange(interactions.n_users), np.diff(matrix.indptr))
    times = pa.nulls(matrix.nnz, pa.int64())
    if interactions.timestamps is not None:
        times = pa.array(interactions.timestamps, mask=interactions.timestamps == NO_TIME)
    user_ids, item_ids = pa.array(interactions.user_ids), pa.array(interactions.item_ids)
    table = pa.table(
        {
            "user_id": user_ids.take(pa.array(users)),
            "item_id": item_ids.take(pa.array(matrix.indices)),
            "rating": pa.array(matrix.data, pa.float32()),
            "timestamp": times,
        }
    )
    with new_artifact(folder, PREPARED, dataset.report) as temporary:
        pq.write_table(table, temporary / INTERACTIONS)
        pq.write_table(catalog_table(dataset.catalog), temporary / ITEMS)
        pq.write_table(pa.table({"user_id": user_ids}), temporary / USERS)
        pq.write_table(
            REJECTED_SCHEMA.empty_table() if dataset.rejected is None else dataset.rejected,
            temporary / REJECTED,
            store_schema=False,  # plain strings for readers, not the dictionaries that save memory here
        )


def load_prepared(folder: Path) -> Dataset:
    """Read a prepared folder; the rejected rows stay on disk, and the name is the folder's.

    Raises InputError, naming the command to run, when the folder is missing or damaged.
    """
    return read_artifact(folder, PREPARED, _read_dataset)


def _read_dataset(artifact: Artifact) -> Dataset:
    catalog = catalog_of(artifact.table(ITEMS))
    user_ids = artifact.table(USERS)["user_id"].combine_chunks()
    table = artifact.table(INTERACTIONS, ["user_id", "item_id", "rating", "timestamp"])
    users = _row_numbers(table["user_id"], user_ids, "user")
    items = _row_numbers(table["item_id"], pa.array(catalog.item_ids), "item")
    ratings = table["rating"].to_numpy().astype(np.float32, copy=False)
    times = pc.fill_null(table["timestamp"], int(NO_TIME)).to_numpy()
    shape = (len(user_ids), len(catalog))
    key = users.astype(np.int64) * shape[1] + items
    if not (key[1:] > key[:-1]).all():
        raise InputError(f"{INTERACTIONS} is not sorted by user and item")
    starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=shape[0]))])
    interactions = Interactions(
        sp.csr_matrix((ratings, items, starts), shape=shape),
        user_ids.to_numpy(zero_copy_only=False),
        catalog.item_ids,
        None if (times == NO_TIME).all() else times,
    )
    return Dataset(interactions, catalog, report=artifact.content, name=artifact.folder.resolve().name)


def _row_numbers(ids: pa.ChunkedArray, known: pa.Array, kind: str) -> np.ndarray:
    """Row numbers of ids, int32. Raises InputError for an id that is not in `known`."""
    rows = pc.index_in(ids, value_set=known)
    if rows.null_count:
        unknown = ids.filter(rows.is_null())[0].as_py()
        raise InputError(f"{INTERACTIONS} contains {kind} {unknown!r}, which is not in {kind}s.parquet")
    return rows.to_numpy()
