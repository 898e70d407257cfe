"""The training steps of `vae`, compiled by JAX. Only `vae` imports this module, when it trains."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from recsys.models.encoder import N_LAYERS, NORM_EPSILON, Encoder, Variant

Parameters = Any
"""Arrays in nested tuples and dicts: a pytree."""

PRIOR = (3 / 20, 3 / 4, 1 / 10)
"""RecVAE: weights of the standard normal, the posterior of the epoch before, and a wide normal in the prior."""
WIDE = 10.0
"""Log-variance of that wide normal."""


def first_parameters(variant: Variant, n_items: int, hidden: int, n_factors: int, seed: int) -> Parameters:
    """Random encoder and decoder: weights and biases from U(−a, a) with a = 1 / √(number of inputs)."""
    rng = np.random.default_rng(seed)

    def linear(n_in: int, n_out: int) -> tuple[np.ndarray, np.ndarray]:
        bound = 1 / np.sqrt(n_in)
        return tuple(rng.uniform(-bound, bound, shape).astype(np.float32) for shape in ((n_in, n_out), (n_out,)))  # type: ignore[return-value]

    layers = []
    for number in range(N_LAYERS[variant]):
        norm = (np.ones(hidden, np.float32), np.zeros(hidden, np.float32)) if variant == "recvae" else ()
        layers.append((*linear(n_items if number == 0 else hidden, hidden), *norm))
    encoder = {"layers": tuple(layers), "mean": linear(hidden, n_factors), "log_variance": linear(hidden, n_factors)}
    decoder = linear(n_factors, n_items)
    return jax.tree.map(jnp.asarray, {"encoder": encoder, "decoder": (decoder[0].T.copy(), decoder[1])})


def to_encoder(variant: Variant, parameters: Parameters) -> Encoder:
    """The mean of the encoder in NumPy."""
    found = jax.tree.map(np.array, parameters["encoder"])
    return Encoder(variant, found["layers"], found["mean"])


def to_items(parameters: Parameters) -> np.ndarray:
    """Item vectors (n_items, n_factors + 1): the decoder's weights and bias."""
    weight, bias = parameters["decoder"]
    return np.hstack([np.asarray(weight), np.asarray(bias)[:, None]])


def optimizer(rate: float | jax.Array) -> optax.GradientTransformation:
    """Adam."""
    return optax.adam(rate)


def encode(encoder: Parameters, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and log-variance for rows of weights that are scaled to length 1; see `Encoder`."""
    return encode_product(encoder, x @ encoder["layers"][0][0])


def encode_product(encoder: Parameters, product: jax.Array) -> tuple[jax.Array, jax.Array]:
    """As `encode`, from the products of such rows and the weights of the first layer, which are not read."""
    hidden, total = product, jnp.zeros(())
    for number, (weight, bias, *norm) in enumerate(encoder["layers"]):
        linear = (hidden @ weight if number else product) + bias
        if norm:
            value = jax.nn.swish(linear) + total
            centred = value - value.mean(axis=1, keepdims=True)
            spread = jnp.sqrt((centred**2).mean(axis=1, keepdims=True) + NORM_EPSILON)
            hidden = centred / spread * norm[0] + norm[1]
        else:
            hidden = jnp.tanh(linear)
        total = total + hidden
    (w, b), (w_var, b_var) = encoder["mean"], encoder["log_variance"]
    return hidden @ w + b, hidden @ w_var + b_var


def draw(key: jax.Array, mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """A vector of each user, drawn from the distribution that the encoder gives."""
    return mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)


def divergence(
    z: jax.Array,
    mean: jax.Array,
    log_variance: jax.Array,
    posterior: tuple[jax.Array, jax.Array] | None,
    totals: jax.Array,
) -> jax.Array:
    """The divergence of each user's distribution from the prior, (batch,).

    posterior  mean and log-variance from the encoder of the epoch before: the prior is that of RecVAE, the divergence
               is estimated at z, times `totals`; None: the standard normal prior of Mult-VAE
    """
    if posterior is None:
        return 0.5 * (mean**2 + jnp.exp(log_variance) - 1 - log_variance).sum(axis=1)
    parts = [_log_normal(z, 0.0, 0.0), _log_normal(z, *posterior), _log_normal(z, 0.0, WIDE)]
    prior = jax.nn.logsumexp(jnp.stack([part + np.log(share) for part, share in zip(parts, PRIOR, strict=True)]), 0)
    return (_log_normal(z, mean, log_variance) - prior).sum(axis=1) * totals


def _log_normal(z: jax.Array, mean: jax.Array | float, log_variance: jax.Array | float) -> jax.Array:
    return -0.5 * (log_variance + jnp.log(2 * jnp.pi) + (z - mean) ** 2 / jnp.exp(log_variance))


def _loss(
    parameters: Parameters, old: Parameters | None, x: jax.Array, dropped: jax.Array, key: jax.Array, weight: jax.Array
) -> jax.Array:
    """The negative bound, the mean over the users of a batch.

    x        (batch, n_items) weights; rows of zeros fill the batch up and count for nothing
    dropped  the same, scaled to length 1, after dropout
    old      the encoder of the epoch before, for the prior of RecVAE; None: the standard normal prior of Mult-VAE
    weight   of the divergence from the prior: γ, times the user's total weight with RecVAE; β
    """
    mean, log_variance = encode(parameters["encoder"], dropped)
    z = draw(key, mean, log_variance)
    items, bias = parameters["decoder"]
    fit = (jax.nn.log_softmax(z @ items.T + bias) * x).sum(axis=1)
    totals = x.sum(axis=1)
    lengths = jnp.linalg.norm(x, axis=1, keepdims=True)
    posterior = None if old is None else encode(old, x / jnp.where(lengths > 0, lengths, 1))
    cost = divergence(z, mean, log_variance, posterior, totals)
    is_user = totals > 0
    return jnp.where(is_user, weight * cost - fit, 0).sum() / jnp.maximum(is_user.sum(), 1)


@partial(jax.jit, static_argnames="part", donate_argnames=("trained", "state"))
def step(
    part: str,
    trained: Parameters,
    fixed: Parameters,
    old: Parameters | None,
    state: Any,
    x: jax.Array,
    dropped: jax.Array,
    key: jax.Array,
    weight: jax.Array,
    rate: jax.Array,
) -> tuple[Parameters, Any]:
    """One step of Adam on a batch; returns the trained part of the parameters and the state of Adam.

    trained  what is changed: with `part` "all" all parameters, else those of that name
    fixed    the other parameters
    """

    def loss(values: Parameters) -> jax.Array:
        return _loss(values if part == "all" else {**fixed, part: values}, old, x, dropped, key, weight)

    gradient = jax.grad(loss)(trained)
    change, state = optimizer(rate).update(gradient, state)
    return optax.apply_updates(trained, change), state
