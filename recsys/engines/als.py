"""Train MLlib's ALS on Spark. The result is a `Model` like any other."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import scipy.sparse as sp

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.models import MLlibALS, Model, Vectors
from recsys.models.learner import Watch
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace

ROWS_PER_FILE = 2**21


def fit(context: Any, learner: MLlibALS, data: Dataset, weighting: Weighting | None, folder: Path) -> Model:
    """As `learner.fit(data, weighting)`, on Spark.

    folder  for intermediate files; all workers see it
    """

    class OnSpark(MLlibALS):
        """The learner with a way to learn: `Learner.fit` does the rest."""

        def _learn(
            self,
            weights: Interactions,
            progress: Progress | None = None,
            watch: Watch | None = None,
            start: EmbeddingSpace | None = None,
        ) -> Vectors:
            return Vectors(_factors(context, learner, weights, folder), learner)

    settings = {each.name: getattr(learner, each.name) for each in dataclasses.fields(learner)}
    return dataclasses.replace(OnSpark(**settings).fit(data, weighting), learner=learner)


def _factors(context: Any, learner: MLlibALS, weights: Interactions, folder: Path) -> EmbeddingSpace:
    from pyspark.ml.recommendation import ALS
    from pyspark.sql import SparkSession

    session = SparkSession(context)
    _write_weights(weights.matrix, folder / "weights")
    context.setCheckpointDir(f"file://{folder}/checkpoints")
    als = ALS(
        rank=learner.n_factors, maxIter=learner.epochs, regParam=learner.regularization, alpha=learner.alpha,
        implicitPrefs=True, seed=learner.seed, userCol="user", itemCol="item", ratingCol="weight",
        numUserBlocks=_n_blocks(context), numItemBlocks=_n_blocks(context),
    )  # fmt: skip
    found = als.fit(session.read.parquet(f"file://{folder}/weights"))
    users, items = (
        _read_factors(frame, folder / name, n, learner.n_factors)
        for frame, name, n in (
            (found.userFactors, "users", weights.n_users),
            (found.itemFactors, "items", weights.n_items),
        )
    )
    return EmbeddingSpace(items, weights.item_ids, users, weights.user_ids)


def _n_blocks(context: Any) -> int:
    """Parts of users and of items, each solved by one task: two for each core. MLlib has ten, slow on few ratings."""
    return 2 * int(context.defaultParallelism)


def _write_weights(matrix: sp.csr_matrix, folder: Path) -> None:
    """The stored weights above 0 as Parquet files with the columns user, item (row numbers) and weight."""
    folder.mkdir()
    for number, start in enumerate(range(0, matrix.nnz, ROWS_PER_FILE)):
        stop = min(start + ROWS_PER_FILE, matrix.nnz)
        users = np.searchsorted(matrix.indptr, np.arange(start, stop), side="right").astype(np.int32) - np.int32(1)
        table = pa.table(
            {"user": users, "item": matrix.indices[start:stop].astype(np.int32), "weight": matrix.data[start:stop]}
        )
        pq.write_table(table.filter(pc.greater(table["weight"], 0)), folder / f"part-{number:05d}.parquet")


def _read_factors(frame: Any, folder: Path, n: int, n_factors: int) -> np.ndarray:
    """The factors that MLlib found, (n, n_factors) float32; the zero vector where it had nothing to learn from."""
    frame.write.parquet(f"file://{folder}")
    factors = np.zeros((n, n_factors), dtype=np.float32)
    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path)
        values = table["features"].combine_chunks().flatten().to_numpy()
        factors[table["id"].to_numpy()] = values.reshape(len(table), n_factors)
    return factors
