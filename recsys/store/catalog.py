"""Catalog ↔ the table of items.parquet."""

from __future__ import annotations

import pyarrow as pa

from recsys.dataset.catalog import Catalog

ITEMS = "items.parquet"


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
        [g or () for g in columns["genres"]],
        [t or () for t in columns["tags"]],
    )
