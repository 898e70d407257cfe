"""SequenceEncoder: the network that turns ratings in order into a user vector. Training is in `sequence_training`.

The network is written once, for NumPy and for JAX: `states` takes the module to compute with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import scipy.sparse as sp

from recsys.errors import InputError, NotFinite
from recsys.models.fitted import fold_in_liked, liked_contributions
from recsys.space.embedding import EmbeddingSpace

Variant = Literal["sasrec", "gru4rec"]

NONE = -1
"""Fills up a row of items whose history is shorter."""
NORM_EPSILON = 1e-6
POSITIONS_AT_ONCE = 2**15
"""Items of all users that are encoded together."""


def shapes_of(variant: Variant, n_factors: int, n_blocks: int, max_length: int) -> dict[str, tuple[int, ...]]:
    """The shape of each array of the network, by name; a vector is a bias, or the scale or shift of a norm."""
    d = n_factors
    if variant == "gru4rec":
        linear = {"input": 3 * d, "state": 3 * d, "output": d}
    else:
        linear = {}
        for block in range(1, n_blocks + 1):
            linear |= {f"block{block}.{name}": d for name in ("query", "key", "value", "attended", "hidden", "added")}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, width in linear.items():
        shapes |= {f"{name}.weight": (d, width), f"{name}.bias": (width,)}
    if variant == "sasrec":
        shapes["positions"] = (max_length, d)
        norms = [f"block{block}.norm{number}" for block in range(1, n_blocks + 1) for number in (1, 2)]
        for name in (*norms, "norm"):
            shapes |= {f"{name}.scale": (d,), f"{name}.shift": (d,)}
    return shapes


def states(
    xp: Any,
    variant: Variant,
    arrays: Mapping[str, Any],
    x: Any,
    drop: Callable[[Any], Any] = lambda values: values,
    scan: Callable[[Callable[[Any, Any], Any], Any, Any], Any] | None = None,
) -> Any:
    """The state after each item, (n, length, n_factors): what the network knows from it and those before it.

    xp      numpy or jax.numpy
    arrays  of the shapes that `shapes_of` returns
    x       (n, length, n_factors), the vectors of the items, oldest first
    drop    dropout, in training
    scan    applies a function to a state and each element of a sequence; None: in a loop
    """

    def linear(name: str, values: Any) -> Any:
        return values @ arrays[f"{name}.weight"] + arrays[f"{name}.bias"]

    def normalized(name: str, values: Any) -> Any:
        centred = values - values.mean(-1, keepdims=True)
        spread = xp.sqrt((centred**2).mean(-1, keepdims=True) + NORM_EPSILON)
        return centred / spread * arrays[f"{name}.scale"] + arrays[f"{name}.shift"]

    n_factors = x.shape[2]
    x = x * n_factors**0.5
    if variant == "gru4rec":
        given = xp.swapaxes(linear("input", drop(x)), 0, 1)

        def gated(state: Any, step: Any) -> Any:
            kept = linear("state", state)
            update, reset, new = (slice(n_factors * part, n_factors * (part + 1)) for part in range(3))
            z, r = (1 / (1 + xp.exp(-(step[:, gate] + kept[:, gate]))) for gate in (update, reset))
            return z * state + (1 - z) * xp.tanh(step[:, new] + r * kept[:, new])

        found = (scan or _scan)(gated, xp.zeros_like(given[0, :, :n_factors]), given)
        return linear("output", drop(xp.swapaxes(found, 0, 1)))
    length = x.shape[1]
    x = drop(x + arrays["positions"][:length])
    later = xp.triu(xp.full((length, length), -1e9, dtype=x.dtype), 1)
    n_blocks = sum(name.endswith("norm1.scale") for name in arrays)
    for block in (f"block{number}" for number in range(1, n_blocks + 1)):
        before = normalized(f"{block}.norm1", x)
        query, key, value = (linear(f"{block}.{name}", before) for name in ("query", "key", "value"))
        attention = query @ xp.swapaxes(key, 1, 2) / n_factors**0.5 + later
        attention = xp.exp(attention - attention.max(-1, keepdims=True))
        attention = drop(attention / attention.sum(-1, keepdims=True))
        x = x + drop(linear(f"{block}.attended", attention @ value))
        hidden = xp.maximum(linear(f"{block}.hidden", normalized(f"{block}.norm2", x)), 0)
        x = x + drop(linear(f"{block}.added", hidden))
    return normalized("norm", x)


def _scan(function: Callable[[Any, Any], Any], state: Any, steps: Any) -> Any:
    """The state after each step, stacked."""
    found = np.empty((len(steps), *state.shape), dtype=state.dtype)
    for number, step in enumerate(steps):
        state = found[number] = function(state, step)
    return found


@dataclass(frozen=True, eq=False)
class SequenceEncoder:
    """Ratings in order → user vector: the last state of the network.

    With y_1 … y_n the vectors of the rated items, oldest first, of which the last `max_length` count, the network
    starts from x_t = √d y_t, and

        sasrec   x_t ← x_t + p_t;   in each block, with LN layer normalization,
                 x ← x + A(LN(x)),  x ← x + W₂ relu(W₁ LN(x) + b₁) + b₂,
                 A(h)_t = W_o Σ_{s ≤ t} softmax_s(q_t · k_s / √d) v_s + b_o,  q, k, v linear in h;
                 the state is LN(x_n)
        gru4rec  z = σ(x U_z + h V_z + b_z), r = σ(x U_r + h V_r + b_r), h ← z h + (1 − z) tanh(x U + r (h V + c) + b);
                 the state is linear in h_n

    Raises InputError for arrays of other names, shapes or types than float32, NotFinite for values that are not finite.
    """

    explains_users: ClassVar[bool] = True
    uses_order: ClassVar[bool] = True

    variant: Variant
    n_factors: int
    n_blocks: int
    max_length: int
    arrays: Mapping[str, np.ndarray]

    def __post_init__(self) -> None:
        shapes = shapes_of(self.variant, self.n_factors, self.n_blocks, self.max_length)
        differing = sorted(shapes.keys() ^ self.arrays.keys())
        if differing:
            raise InputError(f"the encoder has other arrays than {self.variant} has: {differing[0]}")
        for name, array in self.arrays.items():
            if array.shape != shapes[name] or array.dtype != np.float32:
                raise InputError(
                    f"{name} of the encoder must be float32 of shape {shapes[name]}, not {array.dtype} of {array.shape}"
                )
            if not np.isfinite(array).all():
                raise NotFinite("the encoder has numbers that are not finite")

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """Vectors (n, n_factors + 1) float32, the last number 1: the dimension of the item bias.

        weights  the entries of each row from the oldest to the latest; all above 0 count alike

        A user without weights above 0 gets zeros before that 1.
        """
        return self._encoded(space, *histories(weights, self.max_length))

    def fold_in_visitors(self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray) -> np.ndarray:
        """As `fold_in`, without dislikes: the network knows no ratings against an item."""
        return fold_in_liked(self, space, weights, above)

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """By how much each score falls when a rated item is left out: exact, one encoding per rated item.

        The network is not linear, so the columns do not sum to the scores. Of more than `max_length` ratings the
        earlier ones add nothing; where a later one is left out, one of them moves up.
        """
        weights = sp.csr_matrix(weights)
        places = np.flatnonzero(weights.data > 0)
        items = weights.indices[places]
        recent = np.arange(max(0, len(items) - self.max_length), len(items))
        chosen = [items, *(np.delete(items, place) for place in recent)]
        starts = np.cumsum([0, *map(len, chosen)])
        rows = sp.csr_matrix((np.ones(starts[-1]), np.concatenate(chosen), starts), shape=(len(chosen), space.n_items))
        vectors = self.fold_in(space, rows)
        shares = np.zeros((weights.nnz, len(item_rows)), dtype=np.float32)
        shares[places[recent]] = (vectors[0] - vectors[1:]) @ space.item_factors[item_rows].T
        return shares

    def visitor_contributions(
        self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """As `contributions`, without dislikes."""
        return liked_contributions(self, space, weights, above, item_rows)

    def _encoded(self, space: EmbeddingSpace, items: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """User vectors from histories; users of like length together."""
        vectors = np.zeros((len(items), self.n_factors + 1), dtype=np.float32)
        vectors[:, -1] = 1
        order = np.argsort(lengths, kind="stable")[np.count_nonzero(lengths == 0) :]
        while len(order):
            length = int(lengths[order[-1]])
            users, order = np.split(order[::-1], [max(1, POSITIONS_AT_ONCE // length)])
            order = order[::-1]
            x = space.item_factors[items[users, :length], : self.n_factors]
            found = states(np, self.variant, self.arrays, x)
            vectors[users, :-1] = found[np.arange(len(users)), lengths[users] - 1]
        return vectors

    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name, such as "block1.query.weight"."""
        return dict(self.arrays)

    def check_fits(self, space: EmbeddingSpace) -> None:
        """Raise InputError unless the space has the dimensions of the encoder and a bias."""
        if (self.n_factors, True) != (space.n_factors, space.has_bias):
            raise InputError(
                f"the encoder, of {self.n_factors} dimensions, does not fit the vectors, of {space.n_factors}"
                f"{'' if space.has_bias else ' without a bias'}"
            )

    @classmethod
    def of(cls, learner: Any, arrays: Mapping[str, Any]) -> Self:
        """The network of a learner `sequence`, from its arrays."""
        found = {name: np.asarray(array) for name, array in arrays.items()}
        return cls(learner.variant, learner.n_factors, learner.blocks, learner.max_length, found)


def histories(weights: sp.csr_matrix, max_length: int) -> tuple[np.ndarray, np.ndarray]:
    """The last items of each user, (n, longest) int64 filled up with `NONE`, and their number, (n,) int64.

    weights  the entries of each row from the oldest to the latest; those of 0 or less do not count
    """
    weights = sp.csr_matrix(weights)
    counted = np.flatnonzero(weights.data > 0)
    users = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))[counted]
    counts = np.bincount(users, minlength=weights.shape[0])
    from_end = np.cumsum(counts)[users] - 1 - np.arange(len(users))
    kept = from_end < max_length
    lengths = np.minimum(counts, max_length)
    items = np.full((len(counts), int(lengths.max(initial=0))), NONE, dtype=np.int64)
    users = users[kept]
    items[users, lengths[users] - 1 - from_end[kept]] = weights.indices[counted[kept]]
    return items, lengths
