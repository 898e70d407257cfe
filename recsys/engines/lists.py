"""Rank items for blocks of users on Spark's workers, with the code that ranks them without Spark."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.weighting import FittedWeighting, Weighting
from recsys.engines.tasks import in_order
from recsys.models import Imported, Model, UserBatch, Vectors
from recsys.recommend.topn import best_items
from recsys.space.embedding import EmbeddingSpace

Arrays = tuple[np.ndarray, np.ndarray]
"""Columns int32 and scores float32, both (n, k), as `best_items` returns them."""

_latest: tuple[bytes, Model, np.ndarray] | None = None
"""The shared bytes of the latest task in this process, the model and the mask that were made of them."""


def lists_of(
    context: Any,
    model: Model,
    users: Callable[[slice], UserBatch],
    blocks: Sequence[slice],
    k: int,
    folder: Path,
    *,
    exclude_seen: bool,
    allowed: np.ndarray | None,
) -> Iterator[Arrays]:
    """`best_items` of each block of users, in the order of the blocks.

    users   the users of a block
    folder  for intermediate files; all workers see it

    The item vectors are sent to each worker once. Raises Unsupported for a model without vectors.
    """
    space, content = model.space, io.BytesIO()
    candidates = np.ones(space.n_items, dtype=bool) if allowed is None else allowed
    np.savez(content, items=space.item_factors, has_bias=space.has_bias, n_ratings=model.n_ratings, allowed=candidates)
    inputs = folder / "users"
    inputs.mkdir()
    tasks = []
    for number, rows in enumerate(blocks):
        some = users(rows)
        ratings = some.ratings
        seen = {"indptr": ratings.indptr, "indices": ratings.indices} if exclude_seen else {}
        assert some.vectors is not None
        path = inputs / f"{number:06d}.npz"
        np.savez(path, vectors=some.vectors, origin=some.origin.astype(str), **seen)
        tasks.append({"users": str(path), "k": k})
    for result in in_order(context, f"{__name__}:rank_on_worker", tasks, folder, content.getvalue()):
        with np.load(result) as arrays:
            yield arrays["columns"], arrays["scores"]
        result.unlink()


def rank_on_worker(task: Mapping[str, Any], shared: bytes, out: Path) -> None:
    """Rank items for the users of one block, and write their row numbers and scores."""
    model, allowed = _model_of(shared)
    with np.load(task["users"]) as arrays:
        vectors, origin = arrays["vectors"], arrays["origin"].astype(object)
        n, exclude_seen = len(vectors), "indices" in arrays
        ratings = sp.csr_matrix((n, len(model.item_ids)), dtype=np.float32)
        if exclude_seen:
            indices = arrays["indices"]
            ratings = sp.csr_matrix((np.ones(len(indices), np.float32), indices, arrays["indptr"]), shape=ratings.shape)
    batch = UserBatch(np.arange(n), ratings, vectors, origin)
    columns, scores = best_items(model, batch, task["k"], exclude_seen=exclude_seen, allowed=allowed)
    with out.open("wb") as file:
        np.savez(file, columns=columns, scores=scores)


def _model_of(shared: bytes) -> tuple[Model, np.ndarray]:
    """A model with the item vectors that all tasks share, and the mask of the items that may be recommended. Its items
    are numbered; it knows no users and nothing that only new users need."""
    global _latest
    if _latest is None or _latest[0] is not shared:
        with np.load(io.BytesIO(shared)) as arrays:
            items, n_ratings, has_bias = arrays["items"], arrays["n_ratings"], bool(arrays["has_bias"])
            allowed = arrays["allowed"]
        ids = np.arange(len(items))
        fitted = Vectors(EmbeddingSpace(items, ids, has_bias=has_bias), Imported())
        weighting = FittedWeighting(Weighting(), 1.0, np.zeros(len(items)))
        _latest = shared, Model(Imported(), fitted, weighting, Catalog.of(ids), n_ratings), allowed
    return _latest[1:]
