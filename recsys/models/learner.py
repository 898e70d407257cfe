"""Learner: the base class of every model. Its fields are settings; `fit` trains and returns a `Model`."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import Diverged, InputError, NotFinite, Unsupported
from recsys.limits import check_memory
from recsys.models.fitted import Fitted, FoldIn, fold_in_liked, liked_contributions
from recsys.models.settings import check_settings
from recsys.models.start import check_start, digest_of, starting_space
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace

if TYPE_CHECKING:
    from recsys.models.model import Model

Watch = Callable[[int, Fitted], bool]
"""Called after each epoch with its number (from 1) and what has been learned so far; True stops training."""


@dataclass(frozen=True)
class Learner(ABC):
    """An untrained model: a frozen dataclass of settings, each declared with `setting`.

    Subclasses implement `_learn`. Creating a learner raises SettingError for a value outside its range.

    name     the name on the command line and in a manifest
    summary  one line for a table of models

    is_trainable  whether `fit` can train it; imported vectors cannot be
    has_vectors   whether its models have user and item vectors
    remedy        what to do when training diverges
    counts_dislikes  whether a visitor is moved away from what they rated below their mean; else dislikes are left out
    """

    is_trainable: ClassVar[bool] = True
    counts_dislikes: ClassVar[bool] = False
    has_vectors: ClassVar[bool] = True
    remedy: ClassVar[str] = "use less extreme settings"

    name: ClassVar[str]
    summary: ClassVar[str]

    @property
    @abstractmethod
    def seed(self) -> int:
        """Seed of every random choice made in training."""

    def __post_init__(self) -> None:
        check_settings(self)

    @classmethod
    def gathered(cls, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        """Settings by the names of the fields, from settings that may also have other names. By default the same."""
        return settings

    @classmethod
    def search_space(cls, fixed: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
        """The settings that tuning searches, without the `fixed` ones, and their bounds."""
        return {
            field.name: field.metadata["search"]
            for field in dataclasses.fields(cls)
            if field.metadata["search"] is not None and field.name not in fixed
        }

    def replace(self, **settings: Any) -> Self:
        """The same learner with some settings changed. Raises SettingError for a value outside its range."""
        return dataclasses.replace(self, **settings)

    def fit(
        self,
        data: Dataset,
        weighting: Weighting | None = None,
        *,
        start: Model | None = None,
        progress: Progress | None = None,
        watch: Callable[[int, Model], bool] | None = None,
    ) -> Model:
        """Train on the ratings of a dataset. The same data, seed and number of threads give the same bytes.

        weighting  turns ratings into weights, `Weighting()` or that of `start` by default; the model keeps it for later
                   ratings
        start      a model of the same kind and number of factors: training starts from its vectors instead of random
                   ones, and needs about 3 epochs where little changed. Users and items are matched by id; new ones are
                   folded in. `ials`, `als` and `bpr` support it
        progress   called after each epoch with (epochs done, total epochs)
        watch      called after each epoch with its number (from 1) and the model at that point; True stops training.
                   Learners that solve in closed form have no epochs and never call it

        If training stops before the last epoch (through `watch`, or by an interrupt where the learner supports it),
        the returned model's learner records the number of epochs that were completed.

        Raises TypeError for anything but a `Dataset`, InputError when the weighting leaves no ratings or training would
        take more memory than `recsys.limits.memory_limit` allows, SettingError when the settings do not suit the data,
        Diverged when training ends in numbers that are not finite. With `start` also Unsupported for a learner without
        vectors, SettingError for a model of another kind or number of factors, InputError for one with other types of
        ids or no item of the data.
        """
        from recsys.models.model import Model

        if not isinstance(data, Dataset):
            raise TypeError(
                f"{type(self).__name__}.fit takes a Dataset, not {type(data).__name__}; "
                "build one from ratings with Dataset.from_frame"
            )
        if not isinstance(weighting, Weighting | None):
            raise TypeError(f"weighting must be a Weighting, not {type(weighting).__name__}")
        interactions, learner = data.interactions, self
        epochs_done = 0
        size = f"training on {interactions.n_users:,} users and {interactions.n_items:,} items"
        needed = self.memory(interactions.n_users, interactions.n_items)
        if start is not None:
            check_start(self, start)
            weighting = weighting or start.weighting.settings
            # The vectors of the model, and those in the order of the data.
            needed += 2 * (start.space.user_factors.nbytes + start.space.item_factors.nbytes)
        check_memory(needed, self.name, size)

        def count(done: int, total: int) -> None:
            nonlocal epochs_done
            epochs_done = done
            if progress is not None:
                progress(done, total)

        weights_of = (weighting or Weighting()).fit(interactions)
        weights = weights_of.weigh(interactions)
        n_ratings = np.bincount(interactions.matrix.indices, minlength=interactions.n_items).astype(np.int64)
        source = {"name": data.name} if data.name else {}
        provenance = {
            **source,
            "fingerprint": interactions.fingerprint,
            "n_users": interactions.n_users,
            "n_items": interactions.n_items,
            "n_ratings": interactions.n_ratings,
        }
        if start is not None:
            provenance["started_from"] = start.fingerprint or digest_of(start.space)
            provenance["epochs_anew"] = getattr(start.learner_anew, "epochs", None)

        def model(fitted: Fitted) -> Model:
            return Model(learner, fitted, weights_of, data.catalog, n_ratings, provenance, dataset=data)

        try:
            with np.errstate(all="ignore"):  # what overflows is found in the result
                seen = None if watch is None else lambda epoch, found: watch(epoch, model(found))
                if start is not None and isinstance(self, VectorLearner):
                    fitted = self._learn(weights, count, seen, starting_space(self, start, weights))
                else:
                    fitted = self._learn(weights, count, seen)
        except (NotFinite, np.linalg.LinAlgError) as error:
            raise Diverged(f"{self.name} diverged: its numbers are no longer finite; {self.remedy}") from error
        if 0 < epochs_done < getattr(self, "epochs", 0):
            learner = self.replace(epochs=epochs_done)
        return model(fitted)

    def memory(self, n_users: int, n_items: int) -> int:
        """Bytes that training takes at its peak, besides the ratings; `fit` compares them with the limit of memory."""
        return 8 * n_items

    def fold_in_rule(self, tensors: Mapping[str, np.ndarray]) -> FoldIn:
        """What folds users into a stored model, from the arrays that `FoldIn.tensors` returned."""
        raise Unsupported(f"{self.name!r} has no vectors")

    @abstractmethod
    def _learn(self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> Fitted:
        """Learn from weights (users × items; see `Weighting`). Weights of 0 count as not rated."""


class VectorLearner(Learner):
    """A learner that finds user and item vectors. Subclasses return `Vectors(space, self)` from `_learn`.

    needs_users          whether its models always have user vectors
    starts_from_vectors  whether training can start from the vectors of a model
    explains_users       whether `contributions` also splits the scores of users from training, whose vectors are what
                         `fold_in` would give them
    """

    needs_users: ClassVar[bool] = True
    starts_from_vectors: ClassVar[bool] = True
    explains_users: ClassVar[bool] = True
    uses_order: ClassVar[bool] = False

    def memory(self, n_users: int, n_items: int) -> int:
        """Three times the vectors: the learned ones, those of the epoch before, and a copy for the result."""
        return 3 * 4 * (n_users + n_items) * (getattr(self, "n_factors", 0) + 1)

    @abstractmethod
    def _learn(
        self,
        weights: Interactions,
        progress: Progress | None = None,
        watch: Watch | None = None,
        start: EmbeddingSpace | None = None,
    ) -> Fitted:
        """As `Learner._learn`.

        start  vectors to start from, rows in the order of the users and items of `weights`; None: random ones
        """

    def fold_in_items(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """Vectors (n_new, d) float32 of items who are not in `space`, from the weights of its users (n_new, n_users).

        The user factors stay fixed. By default users and items are treated alike, as least squares does.
        """
        return self.fold_in(EmbeddingSpace(space.user_factors, space.user_ids), weights)

    @abstractmethod
    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """Vectors (n, d) float32 of users who were not in training, from their weights (n, n_items).

        The item factors of `space` stay fixed. A user without weights gets the zero vector (with 1 in the bias
        dimension, where there is one).
        """

    def fold_in_visitors(self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray) -> np.ndarray:
        """As `fold_in`, for visitors, who give few ratings, each for or against an item. By default without dislikes.

        above  (nnz,) float64, by how much each weight is above the user's mean: `FittedWeighting.above_mean`
        """
        return fold_in_liked(self, space, weights, above)

    def visitor_contributions(
        self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """As `contributions`, for a user vector of `fold_in_visitors`."""
        return liked_contributions(self, space, weights, above, item_rows)

    def tensors(self) -> dict[str, np.ndarray]:
        """What folding in needs besides the vectors, by name; stored with a model. By default nothing."""
        return {}

    def check_fits(self, space: EmbeddingSpace) -> None:
        """Raise InputError unless users can be folded into this space: they can, whatever its size."""

    def fold_in_rule(self, tensors: Mapping[str, np.ndarray]) -> FoldIn:
        """The learner itself."""
        if tensors:
            raise InputError(f"{self.name!r} has no encoder")
        return self

    @abstractmethod
    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """How much each rated item adds to a folded-in user's scores of `item_rows`: (nnz, len(item_rows)) float32.

        weights  CSR (1, n_items), one user; the rows of the result follow `weights.indices`

        Each learner documents what its split leaves out.
        """
