"""Encoder: the network that turns a user's ratings into a vector, in NumPy. Training is in `vae_training`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import scipy  # loads scipy.special when it is used
import scipy.sparse as sp

from recsys.errors import InputError, NotFinite
from recsys.models.fitted import fold_in_liked, liked_contributions
from recsys.space.embedding import EmbeddingSpace
from recsys.topk import row_blocks

Variant = Literal["recvae", "multvae"]

N_LAYERS: dict[Variant, int] = {"recvae": 5, "multvae": 1}
"""Hidden layers of the encoder."""
NORM_EPSILON = 0.1
"""Added to the variance in layer normalization, as in the code of the RecVAE paper."""
USERS_AT_ONCE = 4096


@dataclass(frozen=True, eq=False)
class Encoder:
    """Ratings → user vector: the mean of the distribution that a variational autoencoder learned for the user.

    With x the user's weights, scaled to length 1,

        multvae  h = tanh(x W₁ + b₁)
        recvae   h_k = norm_k(swish(h_{k−1} W_k + b_k) + h_1 + … + h_{k−1}),  h_0 = x,  k = 1 … 5,  h = h_5
        both     z = h W + b

    swish(a) = a · σ(a); norm_k is layer normalization with a learned scale and shift.

    layers  (in, out) weights and (out,) bias of each hidden layer; with recvae also its (out,) scale and shift
    mean    (hidden, n_factors) weights and (n_factors,) bias

    All arrays are float32. Raises InputError for shapes that do not fit together, NotFinite for values that are not
    finite.
    """

    explains_users: ClassVar[bool] = True
    uses_order: ClassVar[bool] = False

    variant: Variant
    layers: tuple[tuple[np.ndarray, ...], ...]
    mean: tuple[np.ndarray, np.ndarray]

    def __post_init__(self) -> None:
        n_parts = 4 if self.variant == "recvae" else 2
        if len(self.layers) != N_LAYERS[self.variant] or any(len(layer) != n_parts for layer in self.layers):
            raise InputError(f"the encoder has other layers than {self.variant} has")
        width = len(self.layers[0][0])
        for parts in (*self.layers, self.mean):
            n_out = parts[0].shape[-1]
            if [part.shape for part in parts] != [(width, n_out), *[(n_out,)] * (len(parts) - 1)]:
                raise InputError("the layers of the encoder do not fit together")
            if any(part.dtype != np.float32 for part in parts):
                raise InputError("the encoder has numbers that are not float32")
            if not all(np.isfinite(part).all() for part in parts):
                raise NotFinite("the encoder has numbers that are not finite")
            width = n_out

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """Vectors (n, n_factors + 1) float32, the last number 1: the dimension of the item bias.

        A user without weights above 0 gets zeros before that 1.
        """
        chosen = sp.csr_matrix(weights, dtype=np.float32)
        values = np.maximum(chosen.data, 0)
        chosen = sp.csr_matrix((values, chosen.indices, chosen.indptr), shape=chosen.shape)
        squares = np.asarray(chosen.multiply(chosen).sum(axis=1), dtype=np.float64).ravel()
        vectors = np.ones((chosen.shape[0], len(self.mean[1]) + 1), dtype=np.float32)
        for rows in row_blocks(chosen.shape[0], USERS_AT_ONCE):
            lengths = np.sqrt(squares[rows])
            sums = np.asarray(chosen[rows] @ self.layers[0][0])
            vectors[rows, :-1] = self._encoded(sums, lengths)
        return vectors

    def fold_in_visitors(self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray) -> np.ndarray:
        """As `fold_in`, without dislikes: the encoder knows no ratings against an item."""
        return fold_in_liked(self, space, weights, above)

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """By how much each score falls when a rated item is left out: exact, one encoding per rated item.

        The encoder is not linear, so the columns do not sum to the scores.
        """
        weights = sp.csr_matrix(weights, dtype=np.float32)
        values = np.maximum(weights.data, 0)
        first = self.layers[0][0][weights.indices] * values[:, None]
        squares = values.astype(np.float64) ** 2
        others = np.where(np.count_nonzero(values) - (values > 0) > 0, np.maximum(squares.sum() - squares, 0), 0)
        total = first.sum(axis=0, keepdims=True)
        whole = self._encoded(total, np.sqrt([squares.sum()]))
        without = self._encoded(total - first, np.sqrt(others))
        taste = space.item_factors[item_rows, : space.n_factors]
        shares: np.ndarray = (whole - without) @ taste.T
        shares[values == 0] = 0
        return shares

    def visitor_contributions(
        self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """As `contributions`, without dislikes."""
        return liked_contributions(self, space, weights, above, item_rows)

    def _encoded(self, sums: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Users' vectors (n, n_factors) from the products of their weights and the first layer.

        lengths  (n,) of the users' weights; the vector of length 0 is zero
        """
        is_empty = lengths == 0
        first = (sums / np.where(is_empty, 1, lengths)[:, None]).astype(np.float32)
        hidden: np.ndarray = np.empty(0)
        total: np.ndarray | float = 0.0
        for number, (weight, bias, *norm) in enumerate(self.layers):
            linear = (first if number == 0 else hidden @ weight) + bias
            hidden = _normalized(linear * scipy.special.expit(linear) + total, *norm) if norm else np.tanh(linear)
            total = total + hidden
        weight, bias = self.mean
        vectors: np.ndarray = hidden @ weight + bias
        vectors[is_empty] = 0
        return vectors

    def tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name, such as "layer1.weight", "mean.bias"."""
        named = {}
        for number, parts in enumerate(self.layers, 1):
            for name, part in zip(("weight", "bias", "scale", "shift"), parts, strict=False):
                named[f"layer{number}.{name}"] = part
        return named | {"mean.weight": self.mean[0], "mean.bias": self.mean[1]}

    def check_fits(self, space: EmbeddingSpace) -> None:
        """Raise InputError unless the space has the items and dimensions of the encoder, and a bias."""
        n_items, n_factors = len(self.layers[0][0]), len(self.mean[1])
        if (n_items, n_factors, True) != (space.n_items, space.n_factors, space.has_bias):
            raise InputError(
                f"the encoder, of {n_items} items and {n_factors} dimensions, does not fit the vectors, of "
                f"{space.n_items} and {space.n_factors}{'' if space.has_bias else ' without a bias'}"
            )

    @classmethod
    def from_tensors(cls, variant: Variant, tensors: Mapping[str, np.ndarray]) -> Self:
        """Read back what `tensors` returned. Raises InputError unless exactly these arrays are there."""
        parts = ("weight", "bias", "scale", "shift") if variant == "recvae" else ("weight", "bias")
        names = [[f"layer{number}.{part}" for part in parts] for number in range(1, N_LAYERS[variant] + 1)]
        names.append(["mean.weight", "mean.bias"])
        differing = sorted({name for layer in names for name in layer} ^ set(tensors))
        if differing:
            raise InputError(f"the encoder has other arrays than {variant} has: {differing[0]}")
        *layers, (weight, bias) = ([tensors[name] for name in layer] for layer in names)
        return cls(variant, tuple(tuple(layer) for layer in layers), (weight, bias))


def _normalized(values: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Layer normalization over the last dimension."""
    centred = values - values.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + np.float32(NORM_EPSILON))
    result: np.ndarray = centred / spread * scale + shift
    return result
