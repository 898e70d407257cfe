"""Import vectors: files of vectors that another program wrote become a model folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.weighting import FittedWeighting, Weighting
from recsys.errors import InputError, quoted
from recsys.ingest.items import read_items, with_ids_like
from recsys.ingest.vectors import read_vectors
from recsys.models import Imported, Model, Vectors
from recsys.space.embedding import EmbeddingSpace
from recsys.workflows.common import writing


@dataclass(frozen=True)
class ImportedVectors:
    """A model made of vectors from files.

    n_items, n_users, n_factors  of the model
    n_rejected                   rows of the files that could not be used; they are in `rejected_file`
    n_untitled                   items without a row in the item table; they are titled by their id
    n_not_embedded               rows of the item table without a vector; they were left out
    """

    out: Path
    n_items: int
    n_users: int
    n_factors: int
    n_rejected: int
    n_untitled: int
    n_not_embedded: int
    rejected_file: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys import-vectors --json` prints them."""
        values = {
            "out": str(self.out),
            "items": self.n_items,
            "users": self.n_users,
            "n_factors": self.n_factors,
            "rejected": self.n_rejected,
            "items_without_metadata": self.n_untitled,
            "items_described_but_without_vector": self.n_not_embedded,
        }
        return values | ({} if self.rejected_file is None else {"rejected_file": str(self.rejected_file)})


def import_vectors(
    vectors: Path, items: Path, out: Path, *, users: Path | None = None, data: Path | None = None
) -> ImportedVectors:
    """Make a model folder of item vectors, and of user vectors if there are any.

    vectors  file of item vectors, as `ingest.vectors` describes them
    items    table of items (item_id, title, year, genres, tags); names and tests axes and clusters
    users    file of user vectors in the same layouts and of the same length; without it a user is the weighted mean of
             what they rated
    data     prepared folder for the number of ratings of each item: axes and clusters are then evaluated on well-known
             items only, and users without ratings get the most popular items

    Raises InputError for files that cannot be used, or if `out` contains anything but a model.
    """
    with writing(out, store.MODEL, inputs=[vectors, items, users, data]):
        return _import(vectors, items, out, users, data)


def _import(vectors: Path, items: Path, out: Path, users: Path | None, data: Path | None) -> ImportedVectors:
    of_items = read_vectors(vectors, "item")
    of_users = None if users is None else read_vectors(users, "user")
    if of_users is not None and of_users.vectors.shape[1] != of_items.vectors.shape[1]:
        raise InputError(
            f"{users}: vectors of {of_users.vectors.shape[1]} dimensions do not fit "
            f"the {of_items.vectors.shape[1]} dimensions in {vectors}"
        )
    described = with_ids_like(read_items(items), of_items.ids)
    known = described.index.get_indexer(Catalog.of(of_items.ids).index) >= 0
    if not known.any():
        raise InputError(
            f"{items}: describes none of the items in {vectors} "
            f"(ids there look like {quoted(of_items.ids[:1].tolist()[0])})"
        )
    space = EmbeddingSpace(
        of_items.vectors,
        of_items.ids,
        None if of_users is None else of_users.vectors,
        None if of_users is None else of_users.ids,
    )
    n_ratings = np.zeros(space.n_items, dtype=np.int64)
    source: dict[str, Any] = {"name": vectors.stem}
    if data is not None:
        interactions = store.load_prepared(data).interactions.with_items(space.item_ids)
        if not interactions.n_ratings:
            raise InputError(f"{data}: has no rating of any item in {vectors}")
        n_ratings = np.bincount(interactions.matrix.indices, minlength=space.n_items).astype(np.int64)
        source = {"name": data.resolve().name, "path": str(data)}
    source |= {"n_users": space.n_users, "n_items": space.n_items}
    learner = Imported()
    weighting = FittedWeighting(Weighting(scheme="rating"), 1.0, np.zeros(space.n_items))
    model = Model(learner, Vectors(space, learner), weighting, described.take(space.item_ids), n_ratings, source)
    rejected = pa.concat_tables([table.rejected for table in (of_items, of_users) if table is not None])
    store.save_model(out, model, {store.REJECTED: rejected} if len(rejected) else None)
    return ImportedVectors(
        out,
        space.n_items,
        space.n_users,
        space.n_factors,
        len(rejected),
        int((~known).sum()),
        len(described) - int(known.sum()),
        out / store.REJECTED if len(rejected) else None,
    )
