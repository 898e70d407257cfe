"""Catalog ↔ the table of items.parquet."""

from __future__ import annotations

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
            "genres": pa.array([list(g) for g in items["genres"]], pa.list_(pa.string())),
            "tags": pa.array([list(t) for t in items["tags"]], pa.list_(pa.string())),
        }
    )


def catalog_of(table: pa.Table) -> Catalog:
    """The catalog in the table of items.parquet."""
    columns = {name: table[name].to_pylist() for name in ("title", "year", "genres", "tags")}
    return Catalog.of(
        table["item_id"].to_numpy(),
        columns["title"],
        columns["year"],
        columns["genres"],
        columns["tags"],
    )
