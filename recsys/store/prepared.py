"""Prepared data ↔ a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import NO_TIME, Interactions
from recsys.errors import InputError
from recsys.ingest.validation import REJECTED as REJECTED_SCHEMA
from recsys.store.files import dump_json, new_folder, read_json, reading

INTERACTIONS = "interactions.parquet"

ITEMS = "items.parquet"

USERS = "users.parquet"

REJECTED = "rejected.parquet"

REPORT = "report.json"


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
    with new_folder(folder, REPORT) as temporary:
        pq.write_table(table, temporary / INTERACTIONS)
        pq.write_table(catalog_table(dataset.catalog), temporary / ITEMS)
        pq.write_table(pa.table({"user_id": user_ids}), temporary / USERS)
        pq.write_table(
            REJECTED_SCHEMA.empty_table() if dataset.rejected is None else dataset.rejected, temporary / REJECTED
        )
        dump_json(temporary / REPORT, dict(dataset.report))


def load_prepared(folder: Path) -> Dataset:
    """Read a prepared folder; the rejected rows stay on disk, and the name is the folder's.

    Raises InputError, naming the command to run, when the folder is missing or damaged.
    """
    if not (folder / INTERACTIONS).is_file():
        raise InputError(f"{folder}: is not prepared data ({INTERACTIONS} is missing); make it with recsys prepare")
    with reading(folder, "recsys prepare"):
        catalog = catalog_of(pq.read_table(folder / ITEMS))
        user_ids = pq.read_table(folder / USERS)["user_id"].combine_chunks()
        table = pq.read_table(folder / INTERACTIONS, columns=["user_id", "item_id", "rating", "timestamp"])
        users = row_numbers(table["user_id"], user_ids, "user")
        items = row_numbers(table["item_id"], pa.array(catalog.item_ids), "item")
        ratings = table["rating"].to_numpy().astype(np.float32, copy=False)
        times = pc.fill_null(table["timestamp"], int(NO_TIME)).to_numpy()
        shape = (len(user_ids), len(catalog))
        key = users.astype(np.int64) * shape[1] + items
        if not (key[1:] > key[:-1]).all():  # another writer may have another order
            order = np.argsort(key, kind="stable")
            users, items, ratings, times = users[order], items[order], ratings[order], times[order]
        starts = np.concatenate([[0], np.cumsum(np.bincount(users, minlength=shape[0]))])
        interactions = Interactions(
            sp.csr_matrix((ratings, items, starts), shape=shape),
            user_ids.to_numpy(zero_copy_only=False),
            catalog.item_ids,
            None if (times == NO_TIME).all() else times,
        )
        return Dataset(interactions, catalog, report=read_json(folder / REPORT), name=folder.resolve().name)


def catalog_table(catalog: Catalog) -> pa.Table:
    """A catalog as an Arrow table, as items.parquet stores it."""
    items = catalog.items
    years = items["year"]
    return pa.table(
        {
            "item_id": pa.array(catalog.item_ids),
            "title": pa.array(items["title"].tolist(), pa.string()),
            "year": pa.array(years.fillna(0).astype("int16").to_numpy(), mask=years.isna().to_numpy(dtype=bool)),
            "genres": pa.array([list(g) for g in items["genres"]], pa.list_(pa.string())),
            "tags": pa.array([list(t) for t in items["tags"]], pa.list_(pa.string())),
        }
    )


def catalog_of(table: pa.Table) -> Catalog:
    """The catalog stored in the Arrow table of items.parquet."""
    columns = {name: table[name].to_pylist() for name in ("title", "year", "genres", "tags")}
    return Catalog.of(
        table["item_id"].to_numpy(),
        columns["title"],
        columns["year"],
        [g or () for g in columns["genres"]],
        [t or () for t in columns["tags"]],
    )


def row_numbers(ids: pa.ChunkedArray, known: pa.Array, kind: str) -> np.ndarray:
    """Row numbers of ids, int32. Raises InputError for one that is not known."""
    places = pc.index_in(ids, value_set=known)
    if places.null_count:
        lost = ids.filter(places.is_null())[0].as_py()
        raise InputError(f"{INTERACTIONS} names {kind} {lost!r}, whom {kind}s.parquet does not list")
    return places.to_numpy()
