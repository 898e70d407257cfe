"""sequence: the next movie from the order of a user's ratings, trained with JAX (the extra `deep`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp

from recsys.dataset.interactions import Interactions, select_entries
from recsys.errors import InputError, Unavailable
from recsys.limits import MOST_EPOCHS, MOST_FACTORS, MOST_SEED
from recsys.models.early_stopping import best_epoch
from recsys.models.fitted import FoldIn, Vectors
from recsys.models.learner import Learner, Watch
from recsys.models.sequence_encoder import NONE, SequenceEncoder, Variant, shapes_of
from recsys.models.settings import setting
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace

INSTALL = "python -m pip install 'recsys-atlas[deep]'"
AT = 10
"""Length of the lists whose nDCG decides when training stops."""
FEWEST_USERS = 20
"""With fewer users nothing is held out, and training runs for all epochs."""
MOST_HELD_OUT = 1000
SHORTENED = (4, 2, 1)
"""Batches hold histories of up to a quarter, half or all of the largest length, so that little of them is empty."""

Found = tuple[SequenceEncoder, np.ndarray]
"""The network, and the item vectors (n_items, n_factors + 1)."""


@dataclass(frozen=True)
class Sequence(Learner):
    """The next movie from those before it: a network that reads a user's ratings in order, oldest first.

    With h_t the state of the network after the items i_1 … i_t, y_i and b_i the vector and bias of item i, it minimizes
    the cross-entropy of the next item over all items,

        −Σ_t ln softmax(Y h_t + b)_{i_{t+1}}

    gru4rec  Hidasi, Karatzoglou, Baltrunas & Tikk 2016, "Session-based Recommendations with Recurrent Neural Networks",
             ICLR: a layer of gated recurrent units; here followed by a linear layer
    sasrec   Kang & McAuley 2018, "Self-Attentive Sequential Recommendation", ICDM: blocks of causal self-attention;
             here each block normalizes its input, and positions count from the oldest item of a window

    The loss is not that of these papers, who compare the next item with few sampled ones, which ranks worse (Klenitskiy
    & Vasilev 2023, "Turning Dross Into Gold Loss: Is BERT4Rec Really Better than SASRec?", RecSys; Petrov & Macdonald
    2023, "gSASRec", RecSys).

    Input and output share the item vectors, so the model is an embedding space: item vectors with the bias b as last
    dimension; user vectors are the last states, with 1 there. The score of a pair is their dot product: the logarithm
    of the probability that the item comes next, up to a constant of the user. New users get their vectors from the
    network.

    Only the order counts, not the weights (those of 0 count as not rated) nor the time between ratings. The last
    `max_length` ratings of a user count; in training a longer history is cut into windows, elsewhere in each epoch.

    The model of the epoch with the best nDCG@10 on held-out ratings is kept: the latest rating of up to 1000 users with
    three or more. Ctrl-C after the first epoch ends training and keeps the best one.

    `fit` returns a `Model` whose space has user factors (n_users, n_factors + 1) and item factors
    (n_items, n_factors + 1), float32. It raises InputError for data without timestamps, Unavailable without JAX.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "timestamp": range(5)})
    >>> space = Sequence(n_factors=8, max_length=6, batch_size=4, epochs=2).fit(Dataset.from_frame(ratings)).space
    >>> space.user_factors.shape, space.item_factors.shape, space.has_bias
    ((3, 9), (3, 9), True)
    """

    name: ClassVar[str] = "sequence"
    remedy: ClassVar[str] = "lower learning_rate"
    summary: ClassVar[str] = "next movie from the order of the ratings (SASRec, GRU4Rec); needs times, the extra deep"
    needs_users: ClassVar[bool] = True

    variant: Variant = setting("gru4rec", "gru4rec or sasrec")
    n_factors: int = setting(64, "number of dimensions, not counting the bias", 1, MOST_FACTORS)
    blocks: int = setting(2, "blocks of self-attention of sasrec; as in the paper", 1, 64)
    max_length: int = setting(100, "latest ratings of a user that count", 1, 10_000)
    dropout: float = setting(0.2, "share of the numbers between layers that is set to 0 in training", 0, 0.99)
    learning_rate: float = setting(2e-3, "step size of Adam", 1e-7, 1)
    batch_size: int = setting(16, "histories of the largest length per step, or as many shorter ones", 1, 1_000_000)
    epochs: int = setting(100, "at most; training stops earlier on held-out ratings", 1, MOST_EPOCHS)
    patience: int = setting(
        5,
        "epochs without a better nDCG on held-out ratings before training stops; 0: none are held out",
        0,
        MOST_EPOCHS,
    )
    seed: int = setting(
        42, "of the first weights, the held-out ratings, windows, their order and dropout", 0, MOST_SEED
    )

    def memory(self, n_users: int, n_items: int) -> int:
        """Weights, gradients, Adam's averages, the best epoch and copies; scores of a batch; attention and layers of
        a batch; histories and user vectors."""
        d, n_positions = self.n_factors, self.batch_size * self.max_length
        shapes = shapes_of(self.variant, d, self.blocks, self.max_length)
        n_weights = n_items * (d + 1) + sum(int(np.prod(shape)) for shape in shapes.values())
        per_position = 16 * d if self.variant == "gru4rec" else self.blocks * (16 * d + 4 * self.max_length)
        n_batch = n_positions * (3 * n_items + 2 * per_position)
        return 4 * (8 * n_weights + n_batch + n_users * (2 * self.max_length + 2 * (d + 1)))

    def fold_in_rule(self, tensors: Mapping[str, np.ndarray]) -> FoldIn:
        """The network, from the arrays that are stored with a model."""
        return SequenceEncoder.of(self, tensors)

    def _learn(self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> Vectors:
        """The model of the best epoch, or of the last one if nothing is held out."""
        try:
            import jax  # noqa: F401
            import optax  # noqa: F401
        except ImportError as error:
            raise Unavailable(f"'sequence' needs {error.name}: {INSTALL}") from None
        ordered = weights.in_order()
        ordered.data = np.maximum(ordered.data, 0)
        ordered.eliminate_zeros()
        known, following = _split(ordered, self.seed) if self.patience else (ordered, None)
        if not (np.diff(known.indptr) > 1).any():
            raise InputError("'sequence' learns which movie follows another, and no user has two ratings")

        def vectors(found: Found) -> Vectors:
            encoder, items = found
            space = EmbeddingSpace(items, weights.item_ids, has_bias=True)
            users = encoder.fold_in(space, ordered)
            space = EmbeddingSpace(items, weights.item_ids, users, weights.user_ids, has_bias=True)
            return Vectors(space, encoder)

        return best_epoch(
            self._epochs(known),
            self.epochs,
            self.patience,
            None if following is None else lambda found: _ndcg(*found, known, following),
            vectors,
            progress,
            watch,
        )

    def _epochs(self, ordered: sp.csr_matrix) -> Iterator[Found]:
        """Train for one epoch after the other; gives the network and the item vectors after each."""
        import jax

        from recsys.models import sequence_training as training

        n_items, d = ordered.shape[1], self.n_factors
        shapes = shapes_of(self.variant, d, self.blocks, self.max_length)
        rng = np.random.default_rng([self.seed, 1])
        keys = jax.random.key(self.seed)
        parameters = training.first_parameters(shapes, n_items, d, self.seed)
        state = training.optimizer(self.learning_rate).init(parameters)
        n_steps = 0
        for _ in range(self.epochs):
            for items in _batches(ordered, self.max_length, self.batch_size, rng):
                key = jax.random.fold_in(keys, n_steps)
                parameters, state = training.step(
                    self.variant, parameters, state, items, key, self.dropout, self.learning_rate
                )
                n_steps += 1
            found = {name: np.array(array) for name, array in parameters.items()}
            items, bias = found.pop("items"), found.pop("item_bias")
            yield SequenceEncoder.of(self, found), np.hstack([items, bias[:, None]])


def _split(ordered: sp.csr_matrix, seed: int) -> tuple[sp.csr_matrix, np.ndarray | None]:
    """The ratings without the latest one of some users, and the column of that one for each user, (n,) int64, `NONE`
    for the others; None where there are too few users."""
    counts = np.diff(ordered.indptr)
    able = np.flatnonzero(counts > 2)
    if len(able) < FEWEST_USERS:
        return ordered, None
    held = np.random.default_rng([seed, 0]).permutation(able)[:MOST_HELD_OUT]
    last = ordered.indptr[held + 1] - 1
    following = np.full(ordered.shape[0], NONE, dtype=np.int64)
    following[held] = ordered.indices[last]
    is_held = np.zeros(ordered.nnz, dtype=bool)
    is_held[last] = True
    return select_entries(ordered, ~is_held), following


def _ndcg(encoder: SequenceEncoder, items: np.ndarray, known: sp.csr_matrix, following: np.ndarray) -> float:
    """Mean nDCG@10 of the next items in the lists of those that are not known."""
    space = EmbeddingSpace(items, np.arange(len(items)), has_bias=True)
    users = np.flatnonzero(following != NONE)
    theirs = known[users]
    columns, _ = space.inner_products.top_k(encoder.fold_in(space, theirs), AT, exclude=theirs)
    places = np.nonzero(columns == following[users, None])[1]
    return float((1 / np.log2(places + 2)).sum() / len(users))


def _batches(
    ordered: sp.csr_matrix, max_length: int, batch_size: int, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Windows of the histories, (n, length + 1) int64 filled up with `NONE`, in random order. Batches have few shapes,
    so that the training step is compiled few times."""
    widths = np.array([-(-max_length // parts) for parts in SHORTENED])
    windows = _windows(ordered.indptr, max_length, rng)
    fitting = np.searchsorted(widths, np.diff(windows, axis=1)[:, 0] - 1)
    batches = []
    for number, width in enumerate(widths):
        ours = windows[fitting == number]
        size = max(1, batch_size * max_length // width)
        batches += [(size, width, ours[start : start + size]) for start in range(0, len(ours), size)]
    for number in rng.permutation(len(batches)):
        size, width, ours = batches[number]
        items = np.full((size, width + 1), NONE, dtype=np.int64)
        for row, (start, stop) in enumerate(ours):
            items[row, : stop - start] = ordered.indices[start:stop]
        yield items


def _windows(starts: np.ndarray, max_length: int, rng: np.random.Generator) -> np.ndarray:
    """Where windows of the histories begin and end, (n, 2), in random order: each has 2 to `max_length` + 1 items, and
    begins with the last item of the one before. Where a history longer than that is cut is random.

    starts  (n_users + 1,), where the history of each user begins
    """
    windows = []
    for start, stop in zip(starts[:-1].tolist(), (starts[1:] - 1).tolist(), strict=True):
        cuts = [stop]
        if stop - start > max_length:
            cuts = [*range(stop - int(rng.integers(max_length)), start, -max_length)[::-1], stop]
        for begin, end in zip([start, *cuts], cuts, strict=False):
            if end > begin:
                windows.append((begin, end + 1))
    return rng.permutation(np.array(windows))
