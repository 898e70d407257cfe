"""The training steps of `sequence`, compiled by JAX. Only `sequence` imports this module, when it trains."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from recsys.models.sequence_encoder import NONE, Variant, states

Parameters = Any
"""Arrays by name: those of the network, and `items` and `item_bias`."""


def first_parameters(shapes: dict[str, tuple[int, ...]], n_items: int, n_factors: int, seed: int) -> Parameters:
    """Random weights from N(0, 1 / number of inputs), item vectors from N(0, 1 / n_factors); norms and biases start as
    the identity."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in {**shapes, "items": (n_items, n_factors), "item_bias": (n_items,)}.items():
        if len(shape) == 1:
            values = np.full(shape, name.endswith(".scale"), dtype=np.float32)
        else:
            deviation = 0.02 if name == "positions" else 1 / np.sqrt(n_factors)
            values = (deviation * rng.standard_normal(shape)).astype(np.float32)
        found[name] = jnp.asarray(values)
    return found


def optimizer(rate: float | jax.Array) -> optax.GradientTransformation:
    """Adam, with the second moment averaged over fewer steps than usual, as in SASRec."""
    return optax.adam(rate, b2=0.98)


def _scan(function: Any, state: jax.Array, steps: jax.Array) -> jax.Array:
    def both(state: jax.Array, step: jax.Array) -> tuple[jax.Array, jax.Array]:
        state = function(state, step)
        return state, state

    return jax.lax.scan(both, state, steps)[1]


def _loss(parameters: Parameters, variant: Variant, items: jax.Array, key: jax.Array, dropout: jax.Array) -> jax.Array:
    """Cross-entropy of the next item over all items, the mean over the positions of a batch that have a next item."""
    known, following = items[:, :-1], items[:, 1:].reshape(-1)
    n_drawn = 0

    def drop(values: jax.Array) -> jax.Array:
        nonlocal n_drawn
        n_drawn += 1
        kept = jax.random.bernoulli(jax.random.fold_in(key, n_drawn), 1 - dropout, values.shape)
        return jnp.where(kept, values / (1 - dropout), 0)

    found = states(jnp, variant, parameters, parameters["items"][known], drop, _scan)
    found = found.reshape(-1, found.shape[-1])
    all_scores = found @ parameters["items"].T + parameters["item_bias"]
    # The score of the right item is computed again: the gradient of picking it from all scores is slow.
    scores = (found * parameters["items"][following]).sum(axis=1) + parameters["item_bias"][following]
    counts = following != NONE
    losses = jax.nn.logsumexp(all_scores, axis=1) - scores
    return jnp.where(counts, losses, 0).sum() / jnp.maximum(counts.sum(), 1)


@partial(jax.jit, static_argnames="variant", donate_argnames=("parameters", "state"))
def step(
    variant: Variant,
    parameters: Parameters,
    state: Any,
    items: jax.Array,
    key: jax.Array,
    dropout: jax.Array,
    rate: jax.Array,
) -> tuple[Parameters, Any]:
    """One step of Adam on a batch; returns the parameters and the state of Adam.

    items  (batch, length + 1), oldest first, filled up with `NONE`
    """
    gradient = jax.grad(_loss)(parameters, variant, items, key, dropout)
    change, state = optimizer(rate).update(gradient, state)
    return optax.apply_updates(parameters, change), state
