"""Dataset: ratings with a catalog of the rated items, and an account of the rows that were not used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import Interactions
from recsys.dataset.origins import Origins
from recsys.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """What models are trained and evaluated on.

    interactions  ratings, users × items
    catalog       the same items in the same order
    rejected      table (file, line, reason, text) of every input row that was not used; None when it was not kept,
                  as after loading prepared data from disk
    report        counts of the preparation: read, kept, rejected, duplicates, reasons, users, items, settings; empty
                  for data that were not prepared from rows
    name          for display, such as "ml-100k"
    origins       where the ratings were read, as `recsys prepare --append` needs it; None when it was not kept

    Raises InputError unless the catalog lists exactly the items of the matrix, in its order.
    """

    interactions: Interactions
    catalog: Catalog
    rejected: pa.Table | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    origins: Origins | None = None

    def __post_init__(self) -> None:
        if not self.interactions.item_index.equals(self.catalog.index):
            raise InputError("the catalog must list the items of the ratings in the same order; use catalog.take")

    def __repr__(self) -> str:
        data = self.interactions
        counts = f"{data.n_users} users, {data.n_items} items, {data.n_ratings} ratings"
        rejected = "" if self.rejected is None else f", {len(self.rejected)} rejected rows"
        return f"Dataset({self.name!r}, {counts}{rejected})"

    @classmethod
    def from_frame(
        cls,
        ratings: pd.DataFrame,
        items: pd.DataFrame | None = None,
        *,
        columns: Mapping[str, str] | None = None,
        scale: tuple[float, float] | None = None,
        ids: Literal["auto", "integer", "string"] = "auto",
        min_user: int = 1,
        min_item: int = 1,
        name: str = "",
    ) -> Dataset:
        """A dataset from DataFrames, by the same rules as `recsys prepare` applies to files.

        ratings   one row per user and item. Columns are recognised by usual names: user_id, item_id, rating, timestamp,
                  userId, movieId, … Without a rating column every row is a rating of 1, without a time column ratings
                  have no timestamps. Times are seconds since 1970 UTC, datetimes or ISO 8601 text.
        items     one row per item: an item_id column and, where present, title ("The Matrix (1999)" and "Matrix, The"
                  are understood), year, genres and tags (lists, or text separated by | or a comma). Items without
                  ratings are left out.
        columns   the column names of the roles "user", "item", "rating" and "time", where they are not the usual ones
        scale     lowest and highest valid rating; None accepts every finite number
        ids       "integer", "string", or "auto": integer when most ids at the beginning are whole numbers
        min_user  leave out users with fewer ratings than this, and items with fewer than `min_item`, repeatedly until
                  all have enough (the k-core)
        name      a name for display

        Users and items are ordered by id. Rows that are not usable are collected in `rejected` with their row number
        (from 1) as line, and a reason. Exact duplicates are dropped; of several ratings of an item by a user the latest
        is kept.

        Raises InputError for anything but a DataFrame, a missing or duplicate column, or when no row is usable;
        SettingError for an invalid scale or type of ids.

        >>> import pandas as pd
        >>> ratings = pd.DataFrame({"user": ["ann", "ann", "bob"], "item": [1, 2, 1], "rating": [4.5, 9.0, 3.0]})
        >>> items = pd.DataFrame({"item_id": [1, 2], "title": ["Matrix, The (1999)", "Heat (1995)"]})
        >>> data = Dataset.from_frame(ratings, items, scale=(0.5, 5))
        >>> data
        Dataset('', 2 users, 1 items, 2 ratings, 1 rejected rows)
        >>> data.catalog.labels.tolist(), data.rejected.to_pylist()[0]["line"]
        (['The Matrix (1999)'], 2)
        """
        from recsys.ingest.sources import prepare_frame  # ingest builds on dataset, so it is imported when called

        return prepare_frame(
            ratings,
            items,
            columns=columns,
            scale=scale,
            ids=ids,
            min_user=min_user,
            min_item=min_item,
            name=name,
        )
