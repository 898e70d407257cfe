"""Catalog ↔ the table of items.parquet."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from recsys.dataset.catalog import Catalog
from recsys.store.schema import ID, TEXTS, Column

ITEMS = "items.parquet"
CATALOG = {
    "item_id": Column(ID, is_unique=True),
    "title": Column(pa.string()),
    "year": Column(pa.int16(), is_nullable=True),
    "genres": Column(TEXTS),
    "tags": Column(TEXTS),
}
"""The columns of items.parquet of prepared data; models have further ones."""


def catalog_table(catalog: Catalog) -> pa.Table:
    """The table of items.parquet: item_id, title, year, genres, tags, one row per item in the order of the catalog."""
    items = catalog.items
    years = items["year"]
    return pa.table(
        {
            "item_id": pa.array(catalog.item_ids),
            "title": pa.array(items["title"].tolist(), pa.string()),
            "year": pa.array(years.fillna(0).astype("int16").to_numpy(), mask=years.isna().to_numpy(dtype=bool)),
            "genres": pa.array(items["genres"].tolist(), TEXTS),
            "tags": pa.array(items["tags"].tolist(), TEXTS),
        }
    )


def catalog_of(table: pa.Table) -> Catalog:
    """The catalog in the table of items.parquet."""
    return Catalog.of(
        table["item_id"].to_numpy(),
        table["title"].to_pylist(),
        table["year"].to_pylist(),
        _tuples(table["genres"]),
        _tuples(table["tags"]),
    )


def _tuples(column: pa.ChunkedArray) -> list[tuple[str, ...]]:
    """Lists of words as tuples; equal words are one object."""
    lists = column.combine_chunks()
    words = lists.flatten().dictionary_encode()
    known = words.dictionary.to_pylist()
    flat = [known[at] for at in words.indices.to_pylist()]
    ends = np.cumsum(lists.value_lengths().to_numpy()).tolist()
    return [tuple(flat[begin:end]) for begin, end in zip([0, *ends], ends, strict=False)]
