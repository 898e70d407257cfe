"""vae: a variational autoencoder with a linear decoder, trained with JAX (the extra `deep`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions
from recsys.errors import Unavailable
from recsys.limits import MOST_EPOCHS, MOST_FACTORS, MOST_LISTED, MOST_SEED
from recsys.models.early_stopping import best_epoch
from recsys.models.encoder import Encoder, Variant
from recsys.models.fitted import FoldIn, Vectors
from recsys.models.learner import Learner, Watch
from recsys.models.settings import setting
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace

INSTALL = "python -m pip install 'recsys-atlas[deep]'"
ENCODER_EPOCHS = 3
"""RecVAE: passes over the users in which the encoder is trained, for each in which the decoder is."""
SAMPLED_FROM = 4
"""Items are sampled from catalogues of more than so many times the sampled items; smaller ones gain little."""
AT = 20
"""Length of the lists whose nDCG decides when training stops."""
FEWEST_USERS = 20
"""With fewer users none can be spared, and training runs for all epochs."""
MOST_HELD_OUT = 1000
FEWEST_STEPS = 10
RECENT = 4
"""η of the average of the weights over epochs, w̄_t = (1 − a) w̄_{t−1} + a w_t with a = (η + 1) / (t + η): mostly the
last t / (η + 1) epochs. Polynomial-decay averaging: Shamir & Zhang 2013, "Stochastic Gradient Descent for Non-smooth
Optimization", ICML."""


@dataclass(frozen=True)
class VAE(Learner):
    """Variational autoencoder with a multinomial likelihood and a linear decoder: Mult-VAE and RecVAE.

    With w_u the weights of user u's ratings (see `Weighting`), N_u their sum, and z a draw from the normal distribution
    q_u with the mean and variance that the encoder gives for w_u after dropout, it minimizes

        −Σ_i w_ui ln π_i(z)  +  β_u · KL(q_u ‖ p),    π(z) = softmax(Y z + b)

    multvae  Liang, Krishnan, Hoffman & Jebara 2018, "Variational Autoencoders for Collaborative Filtering", WWW: p is
             the standard normal, β_u rises from 0 to `beta`. The encoder has one hidden layer. The decoder is linear
             here; in the paper it has a hidden layer
    recvae   Shenbin, Alekseev, Tutubalina, Malykh & Nikolenko 2020, "RecVAE: a New Variational Autoencoder for Top-N
             Recommendations with Implicit Feedback", WSDM: β_u = γ N_u; p is a mixture of the standard normal, the q_u
             of the epoch before, and a wide normal; the encoder has five layers; each epoch trains it three times
             with dropout, and the decoder once without

    Because the decoder is linear, the model is an embedding space: item vectors are the rows of Y, with the bias b as
    last dimension; user vectors are the means of q_u, with 1 there. The score of a pair is their dot product: the
    logarithm of a probability, up to a constant of the user. New users get their vectors from the encoder.

    With more than 4 · `sampled` items, π is normalized over a sample of the items in each step, drawn in proportion to
    their number of ratings to the power 3/4, and Adam changes only the rows of W₁ and Y that a step uses: see
    `vae_sampled.sampled_softmax`. The time of a step does not grow with the catalogue. An epoch is then a pass over
    the users, or over 20,000 of them, if there are more; the next epoch takes the others.

    The weights are averaged over the last epochs (`RECENT`), which removes the noise of the last steps. The average
    after the epoch with the best nDCG@20 on held-out users is the model. Held out is `validation_share` of the users,
    at most 1000; half of the ratings of each is known. They get vectors like new users. Ctrl-C after the first
    epoch ends training and keeps the best one.

    `fit` returns a `Model` whose space has user factors (n_users, n_factors + 1) and item factors
    (n_items, n_factors + 1), float32. It raises Unavailable without JAX.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "rating": [5, 4, 5, 4, 3]})
    >>> space = VAE("multvae", n_factors=2, hidden=4, epochs=2).fit(Dataset.from_frame(ratings)).space
    >>> space.user_factors.shape, space.item_factors.shape, space.has_bias
    ((3, 3), (3, 3), True)
    """

    name: ClassVar[str] = "vae"
    remedy: ClassVar[str] = "lower learning_rate"
    summary: ClassVar[str] = "variational autoencoder with a linear decoder (RecVAE, Mult-VAE); needs the extra deep"
    needs_users: ClassVar[bool] = True

    variant: Variant = setting("recvae", "recvae ranks better and takes several times longer per epoch")
    n_factors: int = setting(200, "number of dimensions, not counting the bias; as in both papers", 1, MOST_FACTORS)
    hidden: int = setting(600, "width of the hidden layers; as in both papers", 1, MOST_FACTORS)
    dropout: float = setting(0.5, "share of a user's ratings that the encoder does not see in training", 0, 0.99)
    gamma: float = setting(0.005, "γ of recvae: weight of the divergence from the prior", 0, 1e3, search=(0.001, 0.05))
    beta: float = setting(0.2, "β of multvae: the same, at the end of its increase", 0, 1e3, search=(0.05, 1.0))
    annealing: int = setting(50, "epochs over which β increases from 0", 1, MOST_EPOCHS)
    learning_rate: float = setting(1e-3, "step size of Adam", 1e-7, 1)
    batch_size: int = setting(
        250, "users per step, at most: a pass over the users has at least ten steps", 1, 1_000_000
    )
    sampled: int = setting(
        4096,
        "items in the softmax of a step besides the users' own, where the catalogue has more than four times as many; "
        "0: all items, always",
        0,
        MOST_LISTED,
    )
    epochs: int = setting(200, "at most; training stops earlier on held-out users", 1, MOST_EPOCHS)
    patience: int = setting(
        15, "epochs without a better nDCG on held-out users before training stops; 0: none are held out", 0, MOST_EPOCHS
    )
    validation_share: float = setting(0.05, "share of the users that is held out, at most 1000", 0.001, 0.5)
    seed: int = setting(42, "of the first weights, the held-out users, their order, dropout and draws", 0, MOST_SEED)

    def memory(self, n_users: int, n_items: int) -> int:
        """Weights, gradients, Adam's averages, the best epoch and copies; a few arrays of a batch of users × items;
        user vectors."""
        n_weights = n_items * (self.hidden + self.n_factors + 1) + 6 * self.hidden**2
        n_users_at_once = min(self.batch_size, -(-n_users // FEWEST_STEPS))
        n_batch = n_users_at_once * (self.sampled if self._samples(n_items) else n_items)
        return 4 * (8 * n_weights + 8 * n_batch + 2 * n_users * (self.n_factors + 1))

    def fold_in_rule(self, tensors: Mapping[str, np.ndarray]) -> FoldIn:
        """The encoder, from the arrays that are stored with a model."""
        return Encoder.from_tensors(self.variant, tensors)

    def _learn(self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> Vectors:
        """Weights of 0 count as unobserved. The model of the best epoch, or of the last one without held-out users."""
        try:
            import jax  # noqa: F401
            import optax  # noqa: F401
        except ImportError as error:
            raise Unavailable(f"'vae' needs {error.name}: {INSTALL}") from None
        matrix = _positive(weights.matrix)
        trained_on, validation = _split(matrix, self.validation_share if self.patience else 0, self.seed)

        def vectors(found: tuple[Encoder, np.ndarray]) -> Vectors:
            encoder, items = found
            space = EmbeddingSpace(items, weights.item_ids, has_bias=True)
            users = encoder.fold_in(space, matrix)
            space = EmbeddingSpace(items, weights.item_ids, users, weights.user_ids, has_bias=True)
            return Vectors(space, encoder)

        return best_epoch(
            _averaged(self._epochs(matrix[trained_on])),
            self.epochs,
            self.patience,
            None if validation is None else lambda found: validation.ndcg(*found),
            vectors,
            progress,
            watch,
        )

    def _samples(self, n_items: int) -> bool:
        """Whether the softmax of a training step covers a sample of so many items."""
        return 0 < SAMPLED_FROM * self.sampled < n_items

    def _epochs(self, matrix: sp.csr_matrix) -> Iterator[tuple[Encoder, np.ndarray]]:
        """Train for one epoch after the other; gives the encoder and the item vectors after each. The next epoch may
        change their arrays."""
        if self._samples(matrix.shape[1]):
            from recsys.models import vae_sampled

            yield from vae_sampled.epochs(self, matrix)
            return
        import jax

        from recsys.models import vae_training as training

        is_recvae = self.variant == "recvae"
        rng = np.random.default_rng([self.seed, 1])
        keys = jax.random.key(self.seed)
        parameters = training.first_parameters(self.variant, matrix.shape[1], self.hidden, self.n_factors, self.seed)
        parts = ("encoder", "decoder") if is_recvae else ("all",)
        adam = training.optimizer(self.learning_rate)
        states = {part: adam.init(parameters if part == "all" else parameters[part]) for part in parts}
        n_steps = 0

        def train(part: str, old: Any, weight: float, dropout: float) -> None:
            nonlocal parameters, n_steps
            for x, dropped in _batches(matrix, self.batch_size, dropout, rng):
                trained = parameters if part == "all" else parameters[part]
                fixed = {} if part == "all" else {name: parameters[name] for name in parts if name != part}
                key = jax.random.fold_in(keys, n_steps)
                trained, states[part] = training.step(
                    part, trained, fixed, old, states[part], x, dropped, key, weight, self.learning_rate
                )
                parameters = trained if part == "all" else {**fixed, part: trained}
                n_steps += 1

        for epoch in range(self.epochs):
            if is_recvae:
                old = jax.tree.map(lambda array: array.copy(), parameters["encoder"])
                for _ in range(ENCODER_EPOCHS):
                    train("encoder", old, self.gamma, self.dropout)
                train("decoder", parameters["encoder"], self.gamma, 0)
            else:
                train("all", None, self.beta * min(1, epoch / self.annealing), self.dropout)
            yield training.to_encoder(self.variant, parameters), training.to_items(parameters)


def _averaged(epochs: Iterator[tuple[Encoder, np.ndarray]]) -> Iterator[tuple[Encoder, np.ndarray]]:
    """The running average of the weights after each epoch, see `RECENT`."""
    average: dict[str, np.ndarray] = {}
    for epoch, (encoder, items) in enumerate(epochs, 1):
        share = np.float32((RECENT + 1) / (epoch + RECENT))
        found = {**encoder.tensors(), "items": items}
        average = {name: (1 - share) * average.get(name, np.float32(0)) + share * found[name] for name in found}
        rest = {name: array for name, array in average.items() if name != "items"}
        yield Encoder.from_tensors(encoder.variant, rest), average["items"]


@dataclass(frozen=True, eq=False)
class _Validation:
    """Users that are not trained on: half of the ratings of each is known, the rest is hidden."""

    known: sp.csr_matrix
    hidden: sp.csr_matrix

    def ndcg(self, encoder: Encoder, items: np.ndarray) -> float:
        """Mean nDCG@20 of the hidden ratings in the lists of items that are not known."""
        space = EmbeddingSpace(items, np.arange(len(items)), has_bias=True)
        columns, _ = space.inner_products.top_k(encoder.fold_in(space, self.known), AT, exclude=self.known)
        rows = np.repeat(np.arange(len(columns)), columns.shape[1])
        hits = np.asarray(self.hidden[rows, columns.ravel()]).reshape(columns.shape) > 0
        gains = 1 / np.log2(np.arange(2, columns.shape[1] + 2))
        ideal = np.concatenate([[0], np.cumsum(gains)])[np.minimum(np.diff(self.hidden.indptr), len(gains))]
        return float(((hits * gains).sum(axis=1) / ideal).mean())


def _split(matrix: sp.csr_matrix, share: float, seed: int) -> tuple[np.ndarray, _Validation | None]:
    """The rows to train on, and the other users with at least two ratings, split in halves."""
    counts = np.diff(matrix.indptr)
    able = np.flatnonzero(counts > 1)
    n_held = min(round(share * len(able)), MOST_HELD_OUT) if len(able) >= FEWEST_USERS else 0
    rows = np.flatnonzero(counts)
    if n_held == 0:
        return rows, None
    rng = np.random.default_rng([seed, 0])
    held = np.sort(rng.choice(able, n_held, replace=False))
    theirs = matrix[held]
    users = np.repeat(np.arange(n_held), counts[held])
    order = np.lexsort((rng.random(theirs.nnz), users))
    is_known = np.zeros(theirs.nnz, dtype=bool)
    place = np.arange(theirs.nnz) - theirs.indptr[users]
    is_known[order] = place < np.ceil(counts[held] / 2)[users]
    known, hidden = theirs.copy(), theirs.copy()
    known.data, hidden.data = theirs.data * is_known, theirs.data * ~is_known
    for part in (known, hidden):
        part.eliminate_zeros()
    return np.setdiff1d(rows, held), _Validation(known, hidden)


def _batches(
    matrix: sp.csr_matrix, size: int, dropout: float, rng: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Weights (size, n_items) of users in random order, and the same scaled to length 1 after dropout. All batches have
    the same number of rows, so that the training step is compiled once; rows of zeros fill up the last one."""
    size = min(size, -(-matrix.shape[0] // FEWEST_STEPS))
    order = rng.permutation(matrix.shape[0])
    for start in range(0, len(order), size):
        users = matrix[order[start : start + size]]
        users.resize(size, matrix.shape[1])
        lengths = np.sqrt(np.asarray(users.multiply(users).sum(axis=1))).ravel()
        scaled = users.data / np.repeat(lengths, np.diff(users.indptr))
        if dropout:
            scaled *= (rng.random(users.nnz, dtype=np.float32) >= dropout) / np.float32(1 - dropout)
        dropped = sp.csr_matrix((scaled.astype(np.float32), users.indices, users.indptr), shape=users.shape)
        yield users.toarray(), dropped.toarray()


def _positive(weights: sp.csr_matrix) -> sp.csr_matrix:
    """The weights above 0, float32."""
    weights = sp.csr_matrix(weights, dtype=np.float32, copy=True)
    weights.data = np.maximum(weights.data, 0)
    weights.eliminate_zeros()
    return weights
