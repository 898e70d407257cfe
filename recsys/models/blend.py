"""blend: several models with vectors as one, whose score is one dot product."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import scipy.sparse as sp

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError, SettingError, quoted
from recsys.limits import MOST_SEED
from recsys.models.fitted import FoldIn, Vectors
from recsys.models.learner import Learner, Watch
from recsys.models.settings import setting, with_settings
from recsys.progress import Progress
from recsys.space.embedding import EmbeddingSpace
from recsys.topk import row_blocks

if TYPE_CHECKING:
    from recsys.models.model import Model

USERS_AT_ONCE = 8192
LEAST_WEIGHT, MOST_WEIGHT = 1e-6, 1e6
WEIGHTS = (0.05, 20.0)
"""Bounds of the weights that tuning tries, beside a weight of 1 for the first part."""
MOST_EXPONENT = 60


@dataclass(frozen=True)
class Blend(Learner):
    """A weighted sum of the standardised scores of several models.

    With s_p(u, i) the score that part p gives, and m_p(u) and d_p(u) its mean and standard deviation over all items,

        score(u, i)  ∝  Σ_p w_p (s_p(u, i) − m_p(u)) / d_p(u)

    up to a factor and a summand of the user, which change no list. Each s_p is a dot product, and d_p depends on the
    user alone. So the sum is a dot product too: the item vector is the concatenation of those of the parts, the user
    vector that of theirs, each times w_p / d_p(u). The result is an embedding space like any other.

    The item vectors of part p are multiplied by a power of two, so that their mean square is about w_p: cosines, maps
    and axes count the parts by their weights. The user vectors are divided by it. The bias of the first part that has
    one is the bias of the blend; a user's vector is scaled so that it has 1 there. That of a further part becomes an
    ordinary dimension.

    New users are folded in by each part. Explanations are the weighted sum of those of the parts, with d_p(u) fixed.
    Ctrl-C while a part is trained keeps what that part has learned, if the part supports it, and goes on with the next.

    `fit` returns a `Model` whose space has user factors (n_users, d) and item factors (n_items, d), float32, with d the
    sum of the dimensions of the parts. Creating a blend raises SettingError
    for a part that is unknown, has no vectors or is named twice, and for a setting that a part does not have.

    >>> import pandas as pd
    >>> from recsys.dataset.dataset import Dataset
    >>> ratings = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": list("abaca"), "rating": [5, 4, 5, 4, 3]})
    >>> blend = with_settings(Blend, {"of": "ials,als", "ials.n_factors": 2, "als.n_factors": 3, "weight.als": 0.5})
    >>> blend.fit(Dataset.from_frame(ratings)).space.item_factors.shape
    (3, 5)
    """

    name: ClassVar[str] = "blend"
    summary: ClassVar[str] = "several models with vectors as one: the weighted sum of their standardised scores"
    remedy: ClassVar[str] = "train the parts alone to find the one that does"

    of: str = setting("ials,vae", "models to blend, separated by commas")
    weights: str = setting("", "their weights in the same order; empty: 1 each. Also as weight.PART")
    parts: str = setting("", "settings of the parts, PART.FIELD=VALUE separated by spaces. Also as PART.FIELD")
    seed: int = setting(42, "of every part, unless it is set for the part", 0, MOST_SEED)

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.learners, self.shares

    @classmethod
    def gathered(cls, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The same settings, with `weight.PART` in `weights` and `PART.FIELD` in `parts`.

        >>> Blend.gathered({"of": "ials,bpr", "weight.bpr": 0.3, "bpr.epochs": 9})
        {'of': 'ials,bpr', 'weights': '1,0.3', 'parts': 'bpr.epochs=9'}
        """
        result = {name: value for name, value in settings.items() if "." not in name}
        names = str(result.get("of", cls.of)).split(",")
        weights = str(result.get("weights") or ",".join("1" * len(names))).split(",")
        parts = dict(entry.partition("=")[::2] for entry in str(result.get("parts", "")).split())
        for name, value in settings.items():
            part, dot, field = name.partition(".")
            if part == "weight" and field in names[: len(weights)]:
                weights[names.index(field)] = str(value)
                result["weights"] = ",".join(weights)
            elif part == "weight" and dot:
                raise SettingError(f"{name}: {quoted(field)} is no part; the parts are {', '.join(names)}")
            elif dot:
                parts[name] = str(value)
                result["parts"] = " ".join(f"{name}={value}" for name, value in parts.items())
        return result

    @classmethod
    def search_space(cls, fixed: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
        """The weights of all parts but the first, beside its weight of 1. Tuning trains the parts once."""
        _, *others = cls.gathered(fixed).get("of", cls.of).split(",")
        if "weights" in fixed:
            return {}
        return {name: WEIGHTS for name in map("weight.{}".format, others) if name not in fixed}

    @property
    def counts_dislikes(self) -> bool:  # type: ignore[override]
        """Whether a part does."""
        return any(learner.counts_dislikes for learner in self.learners)

    @property
    def names(self) -> list[str]:
        """The names of the parts."""
        return self.of.split(",")

    @property
    def shares(self) -> list[float]:
        """The weights of the parts. Raises SettingError unless there is one above 0 for each."""
        names = self.names
        try:
            found = [float(weight) for weight in self.weights.split(",")] if self.weights else [1.0] * len(names)
        except ValueError:
            found = []
        if len(found) != len(names) or not all(LEAST_WEIGHT <= weight <= MOST_WEIGHT for weight in found):
            allowed = f"{len(names)} numbers from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, separated by commas"
            raise SettingError(f"weights must be {allowed}, not {quoted(self.weights)}")
        return found

    @property
    def learners(self) -> list[Learner]:
        """The untrained parts. Raises SettingError for what cannot be a part, or a setting that it does not have."""
        from recsys.models import MODELS

        names = self.names
        usable = [name for name, kind in MODELS.items() if kind.has_vectors and name != self.name]
        for name in names:
            if name not in usable:
                why = "has no vectors, so that its scores are no dot products" if name in MODELS else "is no model"
                raise SettingError(f"of: {quoted(name)} {why}; the parts of a blend can be {', '.join(usable)}")
        if not 1 < len(set(names)) == len(names):
            raise SettingError(f"of must name two or more different models, not {quoted(self.of)}")
        settings: dict[str, dict[str, Any]] = {name: {"seed": self.seed} for name in names}
        for entry in self.parts.split():
            found = re.fullmatch(r"(\w+)\.(\w+)=(\S+)", entry)
            if found is None or found[1] not in names:
                raise SettingError(f"parts: {quoted(entry)} is not PART.FIELD=VALUE; the parts are {', '.join(names)}")
            settings[found[1]][found[2]] = found[3]
        return [with_settings(MODELS[name], given) for name, given in settings.items()]

    def memory(self, n_users: int, n_items: int) -> int:
        """What the largest part takes, and all vectors twice."""
        learners = self.learners
        n_factors = sum(getattr(learner, "n_factors", 0) + 1 for learner in learners)
        return max(part.memory(n_users, n_items) for part in learners) + 8 * (n_users + n_items) * n_factors

    def fold_in_rule(self, tensors: Mapping[str, np.ndarray]) -> FoldIn:
        """The parts, from the arrays that are stored with a model."""
        return Parts.from_tensors(self, tensors)

    def _learn(self, weights: Interactions, progress: Progress | None = None, watch: Watch | None = None) -> Vectors:
        """Train each part alone on the same weights."""
        learners, found = self.learners, []
        n_epochs = [int(getattr(learner, "epochs", 0)) for learner in learners]
        for at, learner in enumerate(learners):

            def note(done: int, total: int, before: int = sum(n_epochs[:at])) -> None:
                if progress is not None:
                    progress(before + done, sum(n_epochs))

            fitted = learner._learn(weights, note)
            assert isinstance(fitted, Vectors)
            found.append(fitted)
        return _blended(self, found)


@dataclass(frozen=True, eq=False)
class Part:
    """Where a part lies in the blended vectors.

    rule      folds users into the part
    weight    w_p
    scale     a power of two, by which its item vectors are multiplied
    columns   its dimensions in the blend; the bias is the last one
    has_bias  whether it has a bias
    mean_user  the mean of its user vectors, (d_p,) float32
    """

    rule: FoldIn
    weight: float
    scale: float
    columns: np.ndarray
    has_bias: bool
    mean_user: np.ndarray

    def items(self, space: EmbeddingSpace) -> EmbeddingSpace:
        """The items as the part alone has them, and its mean user as the only one."""
        return space.items_in(self.columns, 1 / self.scale, self.mean_user, self.has_bias)


@dataclass(frozen=True, eq=False)
class Parts:
    """Folds users into a blend: into each part, then scaled and side by side."""

    explains_users: ClassVar[bool] = True

    names: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def uses_order(self) -> bool:
        """Whether a part does."""
        return any(part.rule.uses_order for part in self.parts)

    @classmethod
    def side_by_side(
        cls,
        blend: Blend,
        rules: Sequence[FoldIn],
        scales: Sequence[float],
        biases: Sequence[bool],
        mean_users: Sequence[np.ndarray],
    ) -> Self:
        """The parts in order, and at the end the first bias."""
        widths = [len(mean) for mean in mean_users]
        bias_of = biases.index(True) if any(biases) else None
        order = np.arange(sum(widths))
        if bias_of is not None:
            ends = np.cumsum(widths)
            order = np.insert(np.arange(len(order) - 1), ends[bias_of] - 1, len(order) - 1)
        columns = np.split(order, np.cumsum(widths)[:-1])
        found = zip(rules, blend.shares, scales, columns, biases, mean_users, strict=True)
        return cls(tuple(blend.names), tuple(Part(*part) for part in found))

    def fold_in(self, space: EmbeddingSpace, weights: sp.csr_matrix) -> np.ndarray:
        """Vectors (n, d) float32, with 1 in the bias dimension where there is one."""
        return self.joined(space, [part.rule.fold_in(part.items(space), weights) for part in self.parts])

    def fold_in_visitors(self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray) -> np.ndarray:
        """As `fold_in`, with each part's own way to treat visitors."""
        found = [part.rule.fold_in_visitors(part.items(space), weights, above) for part in self.parts]
        return self.joined(space, found)

    def contributions(self, space: EmbeddingSpace, weights: sp.csr_matrix, item_rows: np.ndarray) -> np.ndarray:
        """The weighted sum of the splits of the parts."""
        found = [part.rule.fold_in(part.items(space), weights) for part in self.parts]
        splits = [part.rule.contributions(part.items(space), weights, item_rows) for part in self.parts]
        return self._weighted_sum(space, found, splits)

    def visitor_contributions(
        self, space: EmbeddingSpace, weights: sp.csr_matrix, above: np.ndarray, item_rows: np.ndarray
    ) -> np.ndarray:
        """As `contributions`, for a user vector of `fold_in_visitors`."""
        found = [part.rule.fold_in_visitors(part.items(space), weights, above) for part in self.parts]
        splits = [part.rule.visitor_contributions(part.items(space), weights, above, item_rows) for part in self.parts]
        return self._weighted_sum(space, found, splits)

    def _weighted_sum(
        self, space: EmbeddingSpace, found: Sequence[np.ndarray], splits: Sequence[np.ndarray]
    ) -> np.ndarray:
        factors = self._factors(space, found)
        total: np.ndarray = sum(factor * split for factor, split in zip(factors, splits, strict=True))
        return total.astype(np.float32)

    def check_fits(self, space: EmbeddingSpace) -> None:
        """Raise InputError unless the parts fill the dimensions of the space, and users can be folded into each."""
        n_columns = sum(len(part.columns) for part in self.parts)
        has_bias = any(part.has_bias for part in self.parts)
        if (n_columns, has_bias) != (space.item_factors.shape[1], space.has_bias):
            raise InputError(f"the parts have {n_columns} dimensions, the vectors {space.item_factors.shape[1]}")
        for part in self.parts:
            part.rule.check_fits(part.items(space))

    def joined(self, space: EmbeddingSpace, found: Sequence[np.ndarray]) -> np.ndarray:
        """Vectors of users, (n, d) float32, from those in the parts, (n, d_p) each.

        space  the items of the blend
        """
        vectors = np.empty((len(found[0]), space.item_factors.shape[1]), dtype=np.float32)
        for rows in row_blocks(len(vectors), USERS_AT_ONCE):
            users = [of_part[rows] for of_part in found]
            for part, of_part, factor in zip(self.parts, users, self._factors(space, users), strict=True):
                vectors[rows, part.columns] = of_part * (factor / part.scale)[:, None]
        if space.has_bias:
            vectors[:, -1] = 1
        return vectors

    def _factors(self, space: EmbeddingSpace, found: Sequence[np.ndarray]) -> list[np.ndarray]:
        """w_p / d_p of each user, (n,) float64; relative to the part whose bias is that of the blend, if there is one.
        0 where a part has no taste of the user, or the same score for all items."""
        factors = []
        for part, users in zip(self.parts, found, strict=True):
            items = part.items(space)
            spread = items.score_spread(users)
            is_known = (spread > 0) & users[:, : items.n_factors].any(axis=1)
            factors.append(np.divide(part.weight, spread, out=np.zeros_like(spread), where=is_known))
        if space.has_bias:
            last = space.item_factors.shape[1] - 1
            (of_bias,) = (at for at, part in enumerate(self.parts) if part.columns[-1] == last)
            unit = np.where(factors[of_bias] > 0, factors[of_bias], 1) / self.parts[of_bias].scale
            factors = [factor / unit for factor in factors]
        return factors

    def tensors(self) -> dict[str, np.ndarray]:
        """`layout` (n_parts, 2): scale, and whether the last dimension is a bias. And for each part its `mean_user` and
        the arrays of its rule, as "vae.mean_user", "vae.mean.bias"."""
        stored = {"layout": np.array([(part.scale, part.has_bias) for part in self.parts], dtype=np.float32)}
        for name, part in zip(self.names, self.parts, strict=True):
            own = {"mean_user": part.mean_user, **part.rule.tensors()}
            stored |= {f"{name}.{key}": array for key, array in own.items()}
        return stored

    @classmethod
    def from_tensors(cls, blend: Blend, tensors: Mapping[str, np.ndarray]) -> Self:
        """Read back what `tensors` returned. Raises InputError for arrays that do not belong to this blend."""
        learners, names = blend.learners, blend.names
        layout = tensors.get("layout", np.empty(0))
        if layout.shape != (len(names), 2):
            raise InputError(f"the arrays of the blend have no layout of {len(names)} parts")
        scales, biases = layout.T.astype(float)
        are_powers = (np.frexp(scales)[0] == 0.5) & (scales >= 2.0**-MOST_EXPONENT) & (scales <= 2.0**MOST_EXPONENT)
        if not are_powers.all() or not np.isin(biases, (0, 1)).all():
            raise InputError("the layout of the parts is damaged")
        rest = {key: array for key, array in tensors.items() if key != "layout"}
        rules, mean_users = [], []
        for name, learner, bias in zip(names, learners, biases, strict=True):
            start = f"{name}."
            own = {key.removeprefix(start): rest.pop(key) for key in list(rest) if key.startswith(start)}
            mean = own.pop("mean_user", np.empty(0))
            if mean.shape != (getattr(learner, "n_factors", 0) + int(bias),) or not np.isfinite(mean).all():
                raise InputError(f"the mean user of {name} is missing or does not fit the settings of the blend")
            mean_users.append(mean)
            rules.append(learner.fold_in_rule(own))
        if rest:
            raise InputError(f"{quoted(min(rest))} belongs to no part of the blend")
        return cls.side_by_side(blend, rules, scales.tolist(), (biases == 1).tolist(), mean_users)


@dataclass
class Training:
    """Trains models on the same data; the parts of blends are trained once, however many blends have them.

    parts  the trained parts so far, by their settings
    """

    data: Dataset
    weighting: Weighting
    parts: dict[Learner, Model] = field(default_factory=dict)

    def fit(self, learner: Learner) -> Model:
        """The model that `learner.fit` gives. Raises what it raises."""
        if not isinstance(learner, Blend):
            return self.parts.get(learner) or learner.fit(self.data, self.weighting)
        for part in learner.learners:
            if part not in self.parts:
                self.parts[part] = part.fit(self.data, self.weighting)
        models = [self.parts[part] for part in learner.learners]
        found = [model.fitted for model in models if isinstance(model.fitted, Vectors)]
        return dataclasses.replace(models[0], learner=learner, fitted=_blended(learner, found))


def _blended(blend: Blend, found: Sequence[Vectors]) -> Vectors:
    """The blend of trained parts with the same users and items."""
    rules, spaces = [fitted.learner for fitted in found], [fitted.space for fitted in found]
    scales = [_scale(space, weight) for space, weight in zip(spaces, blend.shares, strict=True)]
    mean_users = [space.mean_user.astype(np.float32) for space in spaces]
    parts = Parts.side_by_side(blend, rules, scales, [space.has_bias for space in spaces], mean_users)
    factors = np.empty((spaces[0].n_items, sum(map(len, mean_users))), dtype=np.float32)
    for part, space in zip(parts.parts, spaces, strict=True):
        factors[:, part.columns] = space.item_factors * np.float32(part.scale)
    items = EmbeddingSpace(factors, spaces[0].item_ids, has_bias=any(space.has_bias for space in spaces))
    users = parts.joined(items, [space.user_factors for space in spaces])
    return Vectors(EmbeddingSpace(factors, items.item_ids, users, spaces[0].user_ids, items.has_bias), parts)


def _scale(space: EmbeddingSpace, weight: float) -> float:
    """The power of two that brings the mean square of the item vectors nearest to the weight. The product is exact, so
    that the vectors of the part can be recovered."""
    taste = space.item_factors[:, : space.n_factors]
    square = float(np.einsum("nd,nd->", taste, taste, dtype=np.float64)) / max(1, len(taste))
    return (
        float(2.0 ** np.clip(np.round(np.log2(weight / square) / 2), -MOST_EXPONENT, MOST_EXPONENT)) if square else 1.0
    )
