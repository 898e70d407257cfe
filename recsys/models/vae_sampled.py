"""The training of `vae` for many items: sparse input, sampled softmax, Adam on the rows of a batch alone.

Only `vae` imports this module, when it trains. Time and memory of a step do not depend on the number of items.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy.sparse as sp

from recsys.models import vae_training as training
from recsys.models.encoder import Encoder
from recsys.models.row_adam import RowAdam, pair_scores

ENCODER_PASSES = 3
"""RecVAE: passes in which the encoder is trained, for each in which the decoder is."""
EPOCH_USERS = 20_000
"""An epoch is a pass over the users, or over so many of them if there are more; the next epoch takes the others."""
EXPONENT = 0.75
"""An item is sampled with a probability in proportion to this power of its number of ratings, at most 1."""


class Softmax(NamedTuple):
    """What `sampled_softmax` returns: losses and gradients of their sum, float32. What was not asked for is empty.

    loss    (n_users,) −Σ_i w_ui ln π_ui
    users   (n_users, d) gradient by the vectors of the users
    rows    (n,) the items that have a gradient, ascending: the sampled ones and those of the users
    items   (n, d) gradient by their vectors
    """

    loss: np.ndarray
    users: np.ndarray
    rows: np.ndarray
    items: np.ndarray


def inclusion(counts: np.ndarray, n_sampled: int, exponent: float = EXPONENT) -> np.ndarray:
    """Probabilities (n_items,) float64 with which items are sampled: min(1, c · count^exponent), their sum n_sampled.

    counts  (n_items,) numbers of ratings; 0 counts as 1
    """
    size = np.maximum(counts, 1).astype(np.float64) ** exponent
    is_certain = np.zeros(len(size), dtype=bool)
    while True:
        found = np.where(is_certain, 1, size * max(n_sampled - is_certain.sum(), 0) / size[~is_certain].sum())
        if (found <= 1).all():
            return found
        is_certain |= found > 1


def sampled_softmax(
    x: np.ndarray,
    items: np.ndarray,
    weights: sp.csr_matrix,
    sampled: np.ndarray,
    probabilities: np.ndarray,
    of: Collection[str] = ("users", "items"),
) -> Softmax:
    """The multinomial likelihood of ratings, and its gradient, with a normalizer that is estimated from sampled items.

    With s_ui = x_u·y_i, P_u the items of user u, S the sampled items and p_i their probabilities,

        ln π_ui = s_ui − ln Z_u,    Z_u = Σ_{i∈P_u} exp s_ui + Σ_{i∈S∖P_u} exp(s_ui) / p_i

    The expectation of Z_u is the sum over all items: Horvitz & Thompson 1952, "A Generalization of Sampling Without
    Replacement from a Finite Universe". So 1 / p_i corrects for the sampling as in Bengio & Senécal 2008, "Adaptive
    Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model", and Jean et al. 2015, "On
    Using Very Large Target Vocabulary for Neural Machine Translation". ln Z_u is too small by about half the relative
    variance of Z_u.

    x, items       (n_users, d), (n_items, d) float32
    weights        CSR (n_users, n_items) float32, above 0; each user has some
    sampled        (n,) items, ascending, each independently of the others
    probabilities  (n,) of the sampled items
    of             what to find the gradient by
    """
    n_users, counts = len(x), np.diff(weights.indptr)
    users = np.repeat(np.arange(n_users), counts)
    chosen = items[sampled]
    scores = x @ chosen.T - np.log(probabilities).astype(np.float32)
    place = np.searchsorted(sampled, weights.indices)
    is_sampled = np.append(sampled, -1)[place] == weights.indices
    scores[users[is_sampled], place[is_sampled]] = -np.inf
    own = pair_scores(weights.indptr, weights.indices, x, items)
    highest = np.maximum(scores.max(axis=1, initial=-np.inf), np.maximum.reduceat(own, weights.indptr[:-1]))
    scores -= highest[:, None]
    np.exp(scores, out=scores)
    own -= highest[users]
    exponentials = np.exp(own)
    totals = np.add.reduceat(weights.data, weights.indptr[:-1])
    normalizers = scores.sum(axis=1) + np.add.reduceat(exponentials, weights.indptr[:-1])
    loss = totals * np.log(normalizers) - np.add.reduceat(weights.data * own, weights.indptr[:-1])
    pull = totals / normalizers
    scores *= pull[:, None]
    own_gradient = pull[users] * exponentials - weights.data
    by_pair = sp.csr_matrix((own_gradient, weights.indices, weights.indptr), weights.shape)
    of_users = of_items = np.empty((0, x.shape[1]), np.float32)
    rows = np.empty(0, np.int64)
    if "users" in of:
        of_users = scores @ chosen + by_pair @ items
    if "items" in of:
        rows, compact = _compact(by_pair, sampled)
        of_items = compact.T @ x
        of_items[np.searchsorted(rows, sampled)] += scores.T @ x
    return Softmax(loss, of_users, rows, of_items)


def epochs(settings: Any, matrix: sp.csr_matrix) -> Iterator[tuple[Encoder, np.ndarray]]:
    """Train for one epoch after the other; gives the encoder and the item vectors after each.
    The next epoch changes their arrays.

    settings  a `VAE`
    matrix    CSR (n_users, n_items) float32 weights above 0; each user has some
    """
    state = _State(settings, matrix)
    for epoch in range(settings.epochs):
        if settings.variant == "recvae":
            old = _Old(state.encoder, state.first.values.copy())
            for _ in range(ENCODER_PASSES):
                state.train(("encoder",), settings.gamma, settings.dropout, old)
            state.train(("decoder",), settings.gamma, 0, None)
        else:
            weight = settings.beta * min(1, epoch / settings.annealing)
            state.train(("encoder", "decoder"), weight, settings.dropout, None)
        yield state.result()


class _Old(NamedTuple):
    """The encoder of the epoch before."""

    encoder: training.Parameters
    first: np.ndarray


class _State:
    """Parameters, averages of Adam, and the order of the users.

    first    weights of the first layer (n_items, hidden)
    encoder  all other parameters of the encoder, for JAX
    items    the decoder's weights, with the bias last (n_items, n_factors + 1)
    """

    def __init__(self, settings: Any, matrix: sp.csr_matrix) -> None:
        self._settings, self._matrix = settings, matrix
        self._rng = np.random.default_rng([settings.seed, 1])
        self._keys, self._n_steps = jax.random.key(settings.seed), 0
        parameters = training.first_parameters(
            settings.variant, matrix.shape[1], settings.hidden, settings.n_factors, settings.seed
        )
        (first, *others), *layers = parameters["encoder"]["layers"]
        self.first = RowAdam(np.array(first))
        self.encoder = parameters["encoder"] | {"layers": ((jnp.zeros((0, 0)), *others), *layers)}
        self.items = RowAdam(training.to_items(parameters))
        self._adam = training.optimizer(settings.learning_rate).init(self.encoder)
        self._probabilities = inclusion(np.bincount(matrix.indices, minlength=matrix.shape[1]), settings.sampled)
        self._batch_size = min(settings.batch_size, matrix.shape[0])
        self._waiting = np.empty(0, np.int64)

    def train(self, parts: tuple[str, ...], weight: float, dropout: float, old: _Old | None) -> None:
        """Train these parts for one epoch.

        weight, old  as in `vae_training`
        """
        for _ in range(-(-min(self._matrix.shape[0], EPOCH_USERS) // self._batch_size)):
            self._step(parts, weight, dropout, old)

    def _step(self, parts: tuple[str, ...], weight: float, dropout: float, old: _Old | None) -> None:
        users = self._matrix[self._next_users()]
        lengths = np.sqrt(np.add.reduceat(users.data**2, users.indptr[:-1]))
        whole = _with_data(users, users.data / np.repeat(lengths, np.diff(users.indptr)))
        dropped = whole
        if dropout:
            is_kept = self._rng.random(users.nnz, dtype=np.float32) >= dropout
            dropped = _with_data(whole, whole.data * is_kept / np.float32(1 - dropout))
            dropped.eliminate_zeros()
        product, key = dropped @ self.first.values, jax.random.fold_in(self._keys, self._n_steps)
        self._n_steps += 1
        z = np.hstack([_draw(self.encoder, product, key), np.ones((len(lengths), 1), np.float32)])
        sampled = np.flatnonzero(self._rng.random(len(self._probabilities)) < self._probabilities)
        of = {"encoder": "users", "decoder": "items"}
        softmax = sampled_softmax(
            z, self.items.values, users, sampled, self._probabilities[sampled], [of[part] for part in parts]
        )
        rate, n_users = self._settings.learning_rate, np.float32(len(lengths))
        if "encoder" in parts:
            totals = np.add.reduceat(users.data, users.indptr[:-1])
            posterior = None if old is None else _posterior(old.encoder, whole @ old.first)
            self.encoder, self._adam, by_product = _encoder_step(
                self.encoder, self._adam, product, key, softmax.users[:, :-1], posterior, totals, weight, rate
            )
            rows, compact = _compact(dropped)
            self.first.step(rows, compact.T @ np.asarray(by_product), rate)
        if "decoder" in parts:
            self.items.step(softmax.rows, softmax.items / n_users, rate)

    def _next_users(self) -> np.ndarray:
        """The next users of a random order, and of another one at its end."""
        if len(self._waiting) < self._batch_size:
            self._waiting = np.append(self._waiting, self._rng.permutation(self._matrix.shape[0]))
        users, self._waiting = np.split(self._waiting, [self._batch_size])
        return users

    def result(self) -> tuple[Encoder, np.ndarray]:
        """The encoder and the item vectors; the next step changes them."""
        found = jax.tree.map(np.asarray, self.encoder)
        (_, *others), *layers = found["layers"]
        encoder = Encoder(self._settings.variant, ((self.first.values, *others), *layers), found["mean"])
        return encoder, self.items.values


@jax.jit
def _draw(encoder: training.Parameters, product: jax.Array, key: jax.Array) -> jax.Array:
    return training.draw(key, *training.encode_product(encoder, product))


_posterior = jax.jit(training.encode_product)


@jax.jit
def _encoder_step(
    encoder: training.Parameters,
    adam: Any,
    product: jax.Array,
    key: jax.Array,
    by_users: jax.Array,
    posterior: tuple[jax.Array, jax.Array] | None,
    totals: jax.Array,
    weight: jax.Array,
    rate: jax.Array,
) -> tuple[training.Parameters, Any, jax.Array]:
    """One step of Adam on the encoder without the weights of its first layer; also the gradient by `product`.

    by_users  gradient of the likelihood by the users' vectors: the function z·by_users has the same gradient
    """

    def loss(encoder: training.Parameters, product: jax.Array) -> jax.Array:
        mean, log_variance = training.encode_product(encoder, product)
        z = training.draw(key, mean, log_variance)
        cost = weight * training.divergence(z, mean, log_variance, posterior, totals)
        return ((z * by_users).sum(axis=1) + cost).mean()

    gradient, by_product = jax.grad(loss, (0, 1))(encoder, product)
    change, adam = training.optimizer(rate).update(gradient, adam)
    return optax.apply_updates(encoder, change), adam, by_product


def _compact(matrix: sp.csr_matrix, others: np.ndarray | None = None) -> tuple[np.ndarray, sp.csr_matrix]:
    """The columns that have entries and the `others`, ascending, and the matrix with these columns alone."""
    is_there = np.zeros(matrix.shape[1], dtype=bool)
    is_there[matrix.indices] = True
    if others is not None:
        is_there[others] = True
    columns = np.flatnonzero(is_there)
    place = np.cumsum(is_there, dtype=matrix.indices.dtype) - 1
    return columns, sp.csr_matrix((matrix.data, place[matrix.indices], matrix.indptr), (matrix.shape[0], len(columns)))


def _with_data(matrix: sp.csr_matrix, data: np.ndarray) -> sp.csr_matrix:
    """A matrix with the same entries and other values; its arrays may be changed."""
    return sp.csr_matrix((data, matrix.indices.copy(), matrix.indptr.copy()), matrix.shape)
