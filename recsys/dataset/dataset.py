"""Dataset: ratings with a description of the rated items, and an account of the rows that could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError


@dataclass(frozen=True, eq=False)
class Dataset:
    """What models are trained and evaluated on.

    interactions  ratings, users × items
    catalog       the same items in the same order
    rejected      table (file, line, reason, text) of every input row that was not used; None when it was not kept,
                  as after loading prepared data from disk
    report        counts of the preparation: read, kept, rejected, duplicates, reasons, users, items, settings; empty
                  for data that did not go through it
    name          for display, such as "ml-100k"

    Raises InputError unless the catalog lists exactly the items of the matrix, in its order.
    """

    interactions: Interactions
    catalog: Catalog
    rejected: pa.Table | None = None
    report: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""

    def __post_init__(self) -> None:
        if not self.interactions.item_index.equals(self.catalog.index):
            raise InputError("the catalog must list the items of the ratings in the same order; use catalog.take")
