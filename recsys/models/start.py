"""Starting vectors: those of an earlier model in the order of new data, with new users and items folded in. No I/O."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recsys.dataset.interactions import Interactions, index_of
from recsys.errors import InputError, SettingError, Unsupported
from recsys.models.fitted import Vectors
from recsys.space.embedding import EmbeddingSpace

if TYPE_CHECKING:
    from recsys.models.learner import Learner, VectorLearner
    from recsys.models.model import Model

EPOCHS = 3
"""Epochs of training that starts from a model, unless given; quality beside training anew: benchmarks/RESULTS.md."""
RANDOM_LENGTH = 0.1
"""Length of the random vector of an item that nobody known rated, as in training anew."""


def check_can_start(learner: Learner) -> None:
    """Raise Unsupported unless training can start from a model of this kind."""
    if not getattr(learner, "starts_from_vectors", False):
        raise Unsupported(f"{learner.name!r} cannot start from a model, only ials, als and bpr can; train anew")


def check_start(learner: Learner, start: Model) -> None:
    """Raise Unsupported or SettingError unless the learner can start from a model: one of its own kind and size."""
    check_can_start(learner)
    if start.learner.name != learner.name:
        raise SettingError(f"{learner.name!r} cannot start from a model of kind {start.learner.name!r}; train it anew")
    n_factors = getattr(learner, "n_factors", 0)
    if n_factors != start.space.n_factors:
        raise SettingError(
            f"n_factors is {n_factors}, the model to start from has {start.space.n_factors}; to change it, train anew"
        )


def starting_space(learner: VectorLearner, start: Model, weights: Interactions) -> EmbeddingSpace:
    """The vectors of `start` for the users and items of new data, in their order; float32.

    weights  of the new data

    Users and items are matched by their ids; those that the data lack are dropped. New users are folded in with the
    known items fixed, then new items with all users fixed. Items that are still without a vector, because only users
    without one rated them, get a small random one: alternating least squares never leaves zero. Raises InputError when
    the ids have other types or no item is in both.
    """
    assert isinstance(start.fitted, Vectors)
    space = start.fitted.space
    users = _rows("user", space.user_ids, weights.user_ids)
    items = _rows("item", space.item_ids, weights.item_ids)
    is_known, is_new_user = items >= 0, users < 0
    if not is_known.any():
        raise InputError("the model to start from has none of the items of these data; train anew")
    x, y = _taken(space.user_factors, users), _taken(space.item_factors, items)
    matrix = sp.csr_matrix(weights.matrix)
    # Only known items: an item without a vector yet must not count as one that the user does not want.
    known_y, known_ids = y[is_known], weights.item_ids[is_known]
    if is_new_user.any():
        of_items = EmbeddingSpace(known_y, known_ids, has_bias=space.has_bias)
        x[is_new_user] = learner.fold_in(of_items, matrix[is_new_user][:, is_known])
    if not is_known.all():
        of_both = EmbeddingSpace(known_y, known_ids, x, weights.user_ids, space.has_bias)
        y[~is_known] = learner.fold_in_items(of_both, matrix[:, ~is_known].T.tocsr())
    taste = y[:, : space.n_factors]
    is_zero = ~taste.any(axis=1)
    if is_zero.any():
        drawn = np.random.default_rng(learner.seed).standard_normal((int(is_zero.sum()), space.n_factors), np.float32)
        taste[is_zero] = drawn * np.float32(RANDOM_LENGTH / np.sqrt(space.n_factors))
    return EmbeddingSpace(y, weights.item_ids, x, weights.user_ids, space.has_bias)


def digest_of(space: EmbeddingSpace) -> str:
    """SHA-256 (hex) of the ids and vectors of a space: what identifies a model that is not stored."""
    digest = hashlib.sha256()
    for ids, factors in ((space.user_ids, space.user_factors), (space.item_ids, space.item_factors)):
        digest.update(f"{ids.dtype.kind}{factors.shape}".encode())
        digest.update(ids.tobytes() if ids.dtype.kind == "i" else "\0".join(ids).encode())
        digest.update(np.ascontiguousarray(factors, dtype="<f4").data)
    return digest.hexdigest()


def turned_to(factors: np.ndarray, start: np.ndarray) -> np.ndarray:
    """`factors` (n, d), multiplied by the rotation that brings them nearest to `start` (n, d): float32.

    The orthogonal Procrustes problem: R = U Vᵀ with U S Vᵀ the singular value decomposition of factorsᵀ start.
    """
    with threadpool_limits(1, "blas"):  # several threads would change the order of sums and with it the last bits
        u, _, v = np.linalg.svd((factors.T @ start).astype(np.float64))
        turned: np.ndarray = np.ascontiguousarray(factors @ (u @ v).astype(np.float32))
    return turned


def _rows(kind: str, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The row of each wanted id, -1 where it is unknown."""
    if len(known) and known.dtype != wanted.dtype:
        types = {np.dtype(np.int64): "whole numbers", np.dtype(object): "text"}
        raise InputError(
            f"{kind} ids are {types[known.dtype]} in the model to start from, {types[wanted.dtype]} in these data; "
            "prepare the data with the same ids, or train anew"
        )
    rows: np.ndarray = index_of(known).get_indexer(index_of(wanted))
    return rows


def _taken(factors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    taken = np.zeros((len(rows), factors.shape[1]), dtype=np.float32)
    taken[rows >= 0] = factors[rows[rows >= 0]]
    return taken
