"""EmbeddingSpace: items, and optionally users, as vectors in one space, with the operations that need arithmetic only.

Independent of how the vectors were learned. No I/O.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd

from recsys.dataset.attributes import FEWEST_WELL_KNOWN, Attributes
from recsys.dataset.catalog import Catalog
from recsys.dataset.interactions import as_ids, index_of, rows_of
from recsys.errors import InputError, NotFinite, SettingError, Unsupported, quoted
from recsys.ingest.items import items_from_frame, with_ids_like
from recsys.ingest.vectors import vectors_from_frame
from recsys.limits import LARGEST
from recsys.products import Products
from recsys.topk import NONE, one_each, row_blocks

if TYPE_CHECKING:
    from recsys.evaluation.report import EmbeddingReport
    from recsys.space.axis import Axes, Axis
    from recsys.space.clustering import Choice
    from recsys.space.item_clusters import ItemClusters
    from recsys.space.item_map import ItemMap, MapMethod
    from recsys.space.rotation import Method
    from recsys.space.walk import Prior

Metric = Literal["cosine", "dot", "euclidean"]


@dataclass(frozen=True, eq=False, init=False)
class EmbeddingSpace:
    """Vectors of items and users. The score of a user-item pair is the dot product of their two vectors.

    item_factors  (n_items, d) float32
    item_ids      (n_items,) int64 or str objects
    user_factors  (n_users, d) float32; (0, d) for a space without user vectors
    user_ids      (n_users,) int64 or str objects
    has_bias      True when the last dimension is the item bias (and 1 for every user). The bias is part of scores and
                  dot products. It is excluded from cosine, Euclidean distance, axes and maps, because it describes
                  popularity, not content.
    attributes    what is known about the items besides their vectors, rows in the order of `item_ids`; None if unknown

    The arithmetic needs the vectors only. `axes`, `ask`, `clusters`, `similar` and `report` also need `attributes`.

    Raises InputError when shapes do not match, an id appears twice, or `attributes` describe other items; NotFinite
    when a factor is not finite or beyond ±1e12.

    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"item_id": [1, 2, 3], "x": [1.0, 0.9, 0.0], "y": [0.0, 0.1, 1.0]})
    >>> items = pd.DataFrame({"item_id": [1, 2, 3], "title": ["Alien (1979)", "Aliens (1986)", "Babe (1995)"]})
    >>> space = EmbeddingSpace.from_frame(vectors, items)
    >>> space.similar("Alien", k=1)["title"].tolist()
    ['Aliens (1986)']
    """

    item_factors: np.ndarray
    item_ids: np.ndarray
    user_factors: np.ndarray
    user_ids: np.ndarray
    has_bias: bool

    def __init__(
        self,
        item_factors: np.ndarray,
        item_ids: Sequence[Any] | np.ndarray,
        user_factors: np.ndarray | None = None,
        user_ids: Sequence[Any] | np.ndarray | None = None,
        has_bias: bool = False,
        attributes: Attributes | None = None,
    ) -> None:
        items, item_ids = _checked("item", item_factors, item_ids)
        if (user_factors is None) != (user_ids is None):
            raise InputError("user factors and user ids must be given together")
        if user_factors is None:
            user_factors, user_ids = np.empty((0, items.shape[1]), np.float32), np.empty(0, np.int64)
        assert user_ids is not None
        users, user_ids = _checked("user", user_factors, user_ids)
        if users.shape[1] != items.shape[1]:
            raise InputError(f"user vectors have {users.shape[1]} dimensions, item vectors have {items.shape[1]}")
        if items.shape[1] <= has_bias:
            raise InputError("item vectors need at least one dimension besides the bias")
        if attributes is not None and not np.array_equal(attributes.catalog.item_ids, item_ids):
            raise InputError("the attributes describe other items than the vectors, or in another order")
        for name, value in (
            ("item_factors", items), ("item_ids", item_ids), ("user_factors", users), ("user_ids", user_ids),
            ("has_bias", bool(has_bias)), ("attributes", attributes),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @classmethod
    def from_frame(
        cls, vectors: pd.DataFrame, items: pd.DataFrame | None = None, *, users: pd.DataFrame | None = None
    ) -> EmbeddingSpace:
        """A space made of anyone's vectors.

        vectors  one row per item: a column item_id (or an index of ids) and either one numeric column per dimension or
                 a column `factors` of lists
        items    table of items: item_id, and where present title, year, genres, tags; needed to name and test axes.
                 Items without a row are titled by their id
        users    vectors of users in the same form, with a column user_id

        Rows without an id, with values that are not finite numbers, or that repeat an id are left out. Raises
        InputError when no row is usable, columns are missing, or users and items differ in the number of dimensions.
        """
        of_items = vectors_from_frame(vectors, "item")
        described = Catalog.of(of_items.ids)
        if items is not None:
            table = with_ids_like(items_from_frame(items), of_items.ids)
            if not table.index.isin(described.index).any():
                raise InputError("items: describes none of the items that have a vector")
            described = table.take(of_items.ids)
        of_users = None if users is None else vectors_from_frame(users, "user")
        space = cls(
            of_items.vectors,
            of_items.ids,
            None if of_users is None else of_users.vectors,
            None if of_users is None else of_users.ids,
        )
        return space.with_attributes(partial(Attributes.of, described))

    @cached_property
    def attributes(self) -> Attributes | None:
        """What is known about the items besides their vectors, rows in the order of `item_ids`; None if unknown."""
        compute = self.__dict__.get("_compute_attributes")
        if compute is None:  # unknown, unless another thread has computed them meanwhile
            found: Attributes | None = self.__dict__.get("attributes")
            return found
        found = self.__dict__["attributes"] = compute()
        self.__dict__.pop("_compute_attributes", None)  # it may hold the model that holds this space: a reference cycle
        return found

    def with_attributes(self, compute: Callable[[], Attributes]) -> EmbeddingSpace:
        """The same space with attributes that are computed on first access: for large catalogs this takes seconds."""
        space = copy.copy(self)
        space.__dict__.pop("attributes", None)
        object.__setattr__(space, "_compute_attributes", compute)
        return space

    @property
    def n_users(self) -> int:
        """Number of users with a vector."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.item_ids)

    @property
    def has_users(self) -> bool:
        """Whether the space contains user vectors."""
        return len(self.user_ids) > 0

    @property
    def n_factors(self) -> int:
        """Number of dimensions, not counting the bias."""
        return int(self.item_factors.shape[1]) - self.has_bias

    @cached_property
    def user_index(self) -> pd.Index:
        """User ids → row numbers."""
        return index_of(self.user_ids)

    @cached_property
    def item_index(self) -> pd.Index:
        """Item ids → row numbers."""
        return index_of(self.item_ids)

    def item_rows(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Row numbers of original item ids, int64. Raises UnknownId with the ids that do not exist."""
        return rows_of(self.item_index, ids, "item")

    def user_rows(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Row numbers of original user ids, int64. Raises UnknownId with the ids that do not exist, and Unsupported
        when the space has no user vectors."""
        if not self.has_users:
            raise Unsupported("this embedding space has no user vectors; use the ratings of a user instead of an id")
        return rows_of(self.user_index, ids, "user")

    @cached_property
    def item_gram(self) -> np.ndarray:
        """YᵀY of the item factors, (d, d) float64. Every fold-in uses it."""
        result: np.ndarray = (self.item_factors.T @ self.item_factors).astype(np.float64)
        return result

    def score_spread(self, user_vectors: np.ndarray) -> np.ndarray:
        """The standard deviation of each user's scores of all items: (n, d) → (n,) float64. √(xᵀ C x), with C the
        covariance of the item vectors."""
        users = user_vectors.astype(np.float64)
        variance = np.einsum("nd,nd->n", users @ self._item_covariance, users)
        # What rounding leaves of equal scores is no spread.
        least = 1e-12 * np.einsum("nd,d->n", users**2, np.diag(self.item_gram)) / max(1, self.n_items)
        return np.sqrt(np.where(variance > least, variance, 0))

    @cached_property
    def _item_covariance(self) -> np.ndarray:
        centred = self.item_factors - self.item_factors.mean(axis=0, dtype=np.float64).astype(np.float32)
        result: np.ndarray = (centred.T @ centred).astype(np.float64) / max(1, self.n_items)
        return result

    def items_in(self, columns: np.ndarray, factor: float, mean_user: np.ndarray, has_bias: bool) -> EmbeddingSpace:
        """The items in some of the dimensions, times a factor, with one user; kept, so that what is computed from it is
        reused."""
        kept: dict[tuple[Any, ...], EmbeddingSpace] = self.__dict__.setdefault("_items_in", {})
        key = (columns.tobytes(), factor, mean_user.tobytes(), has_bias)
        if key not in kept:
            vectors = self.item_factors[:, columns] * np.float32(factor)
            kept[key] = EmbeddingSpace(vectors, self.item_ids, mean_user[None], [0], has_bias)
        return kept[key]

    @cached_property
    def mean_user(self) -> np.ndarray:
        """The mean of the user vectors, (d,) float64; zeros where there are none."""
        if not self.has_users:
            return np.zeros(self.item_factors.shape[1])
        mean: np.ndarray = self.user_factors.mean(axis=0, dtype=np.float64)
        return mean

    @cached_property
    def inner_products(self) -> Products:
        """The item vectors, arranged for exact top-k by score."""
        return Products(self.item_factors)

    @cached_property
    def item_directions(self) -> np.ndarray:
        """Item vectors without bias, scaled to length 1, (n_items, n_factors) float32. Zero vectors stay zero."""
        return self.directions(self.item_factors)

    def directions(self, vectors: np.ndarray) -> np.ndarray:
        """`vectors` (n, d) of this space without bias, scaled to length 1. Zero vectors stay zero."""
        taste = vectors[:, : self.n_factors]
        lengths = np.linalg.norm(taste, axis=1, keepdims=True)
        result: np.ndarray = np.divide(taste, lengths, out=np.zeros_like(taste), where=lengths > 0)
        return result

    def score(self, user_vectors: np.ndarray) -> np.ndarray:
        """Scores of all items for each user vector: (n, d) → (n, n_items) float32."""
        result: np.ndarray = user_vectors @ self.item_factors.T
        return result

    def similarity(self, vectors: np.ndarray, metric: Metric = "cosine") -> np.ndarray:
        """Similarity of all items to each vector, higher is closer: (n, d) → (n, n_items) float32.

        cosine     the angle only, −1 … 1; independent of popularity
        dot        the dot product, bias included; favours popular items, whose vectors are long
        euclidean  the negative Euclidean distance; depends on direction and length

        Raises SettingError for an unknown metric.
        """
        found: np.ndarray
        if metric == "cosine":
            found = self.directions(vectors) @ self.item_directions.T
        elif metric == "dot":
            found = vectors @ self.item_factors.T
        elif metric == "euclidean":
            queries, items = vectors[:, : self.n_factors], self.item_factors[:, : self.n_factors]
            squared = (queries**2).sum(1)[:, None] + (items**2).sum(1)[None, :] - 2 * (queries @ items.T)
            found = -np.sqrt(np.maximum(squared, 0))
        else:
            raise SettingError(f"unknown metric {quoted(metric)}: use {', '.join(get_args(Metric))}")
        return found

    def neighbours(
        self, item_ids: Sequence[Any] | np.ndarray, k: int = 10, metric: Metric = "cosine", *, n_threads: int = 1
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k most similar items to each of `item_ids`, excluding the item itself, most similar first.

        Returns (ids, similarities), both (n, k') with k' = min(k, n_items − 1); similarities are float32 as in
        `similarity`. Raises UnknownId, SettingError for an unknown metric.
        """
        rows = self.item_rows(item_ids)
        k = min(k, self.n_items - 1)
        if k < 1:
            return np.empty((len(rows), 0), dtype=self.item_ids.dtype), np.empty((len(rows), 0), np.float32)
        others = one_each(rows, self.n_items)
        if metric == "cosine":
            found = self.directions_index.top_k(self.item_directions[rows], k, exclude=others, n_threads=n_threads)
        elif metric == "dot":
            found = self.inner_products.top_k(self.item_factors[rows], k, exclude=others, n_threads=n_threads)
        elif metric == "euclidean":
            vectors = self.item_factors[:, : self.n_factors]
            queries = np.hstack([vectors[rows], np.ones((len(rows), 1), np.float32)])
            columns, _ = self._distance_index.top_k(queries, k, exclude=others, n_threads=n_threads)
            found = _by_distance(vectors, rows, columns)
        else:
            raise SettingError(f"unknown metric {quoted(metric)}: use {', '.join(get_args(Metric))}")
        columns, similarities = found
        return self.item_ids[columns], similarities

    @cached_property
    def directions_index(self) -> Products:
        """The item directions, arranged for exact top-k by cosine."""
        return Products(self.item_directions)

    @cached_property
    def _distance_index(self) -> Products:
        """(v, −|v|²/2): its products with (q, 1) grow as the distance |q − v|, √(|q|² − 2 (q·v − |v|²/2)), falls."""
        vectors = self.item_factors[:, : self.n_factors]
        halves = -(vectors.astype(np.float64) ** 2).sum(axis=1, keepdims=True) / 2
        return Products(np.hstack([vectors, halves.astype(np.float32)]))

    def analogy(self, a: Any, b: Any, c: Any, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """`a` is to `b` as `c` is to ?: the k items closest in direction to b − a + c, excluding these three.

        3CosAdd on unit vectors (Mikolov et al. 2013). Returns (ids, cosines), each (k',). Raises UnknownId.
        """
        rows = self.item_rows([a, b, c])
        of_a, of_b, of_c = self.item_directions[rows]
        target = (of_b - of_a + of_c)[None, :]
        length = np.linalg.norm(target)
        allowed = np.ones(self.n_items, dtype=bool)
        allowed[rows] = False
        query = target / length if length > 0 else target
        columns, found = self.directions_index.top_k(query, max(1, min(k, self.n_items)), allowed=allowed)
        is_item = columns[0] != NONE
        return self.item_ids[columns[0][is_item]], found[0][is_item]

    # --- for notebooks: titles or ids in, results with names out; the work is done by the modules named here ---

    def similar(self, item: Any, k: int = 10, metric: Metric = "cosine") -> pd.DataFrame:
        """The k items most similar to one: columns rank (1 = most similar), item_id, title, similarity.

        item    a title as a person spells it, or an original id
        metric  "cosine", "dot" or "euclidean", see `similarity`

        Raises UnknownId or AmbiguousTitle for the item, SettingError for an unknown metric, InputError for k below 1 or
        an item with a zero vector.
        """
        if k < 1:
            raise InputError(f"the number of similar items must be at least 1, not {k}")
        known = self._described()
        item_id = known.catalog.id_of(item, known.n_ratings)
        if not self.item_directions[self.item_rows([item_id])].any():
            raise InputError(f"{known.catalog.label_of([item_id])[0]} has a zero vector, to which nothing is similar")
        ids, similarities = self.neighbours([item_id], k, metric)
        titles = known.catalog.label_of(ids[0]) if ids.size else []
        return pd.DataFrame(
            {"rank": range(1, len(titles) + 1), "item_id": ids[0], "title": titles, "similarity": similarities[0]}
        )

    def decode(self, vector: np.ndarray, k: int = 10) -> pd.DataFrame:
        """The k items that a user with this vector would be recommended: columns rank, item_id, title, score.

        vector  (n_factors,), or (d,) with the 1 of the bias dimension

        Raises InputError for another shape or numbers that are not finite.
        """
        from recsys.space.walk import decode

        columns, scores = decode(self, np.asarray(vector)[None, :], k)
        ids = self.item_ids[columns[0]]
        titles = self._described().catalog.label_of(ids)
        return pd.DataFrame({"rank": range(1, len(ids) + 1), "item_id": ids, "title": titles, "score": scores[0]})

    def sample(self, n: int = 5, k: int = 10, *, prior: Prior = "users", seed: int = 42) -> pd.DataFrame:
        """What `n` imaginary users, drawn at random from the space, would be recommended.

        prior  "users": spread like the users of the space; "normal": standard normal numbers. See
               `recsys.space.walk.sample`

        Columns: viewer (1 … n), rank, item_id, title, score. Raises as `recsys.space.walk.sample`.
        """
        from recsys.space.walk import decode, sample

        columns, scores = decode(self, sample(self, n, prior=prior, seed=seed), k)
        ids = self.item_ids[columns.ravel()]
        viewers, length = np.arange(1, n + 1), columns.shape[1]
        return pd.DataFrame(
            {
                "viewer": np.repeat(viewers, length),
                "rank": np.tile(np.arange(1, length + 1), n),
                "item_id": ids,
                "title": list(self._described().catalog.label_of(ids)),
                "score": scores.ravel(),
            }
        )

    def walk(self, a: Any, b: Any, steps: int = 5, k: int = 3, *, users: bool = False) -> pd.DataFrame:
        """What lies on the straight line between two items, or the tastes between two users.

        a, b   titles or original ids of two items; with `users` the original ids of two users
        steps  number of points, the two ends included
        k      items for each point

        Columns: position (0 at `a`, 1 at `b`), rank, item_id, title, and the item's similarity to the point (cosine),
        with `users` its score. Raises as `recsys.space.walk`, AmbiguousTitle for a title.
        """
        from recsys.space.walk import between_items, between_users

        known = self._described()
        if users:
            table = between_users(self, a, b, steps, k)
        else:
            first, last = (known.catalog.id_of(end, known.n_ratings) for end in (a, b))
            table = between_items(self, first, last, steps, k)
        table.insert(3, "title", list(known.catalog.label_of(table["item_id"].to_numpy())))
        return table

    def axes(self, method: Method = "varimax", *, seed: int = 42) -> Axes:
        """Rotate the space so that each item lies on few axes, and test the built-in axes (children's ↔ adult, …).

        method  "varimax", "quartimax", "ica", "nmf" or "none", see `recsys.space.rotation`
        seed    of the rotation and of the folds

        Discovered axes stay "unnamed" here: a verified name needs stability under refits, which vectors alone cannot
        show. `Model.axes` refits. The names that held-out items confirm are listed in the evidence. Raises InputError
        for fewer than 50 well-known items, or when the items do not span more than one direction.
        """
        from recsys.space.discovery import discover
        from recsys.space.probes import built_in_axes

        known = self._described()
        found = discover(self, known, method, seed=seed)
        return replace(found, asked=built_in_axes(self, known, seed))

    def ask(self, question: str, *, seed: int = 42) -> Axis:
        """The axis that answers a question, and whether held-out items confirm it (`is_valid`, `evidence`).

        question  a genre, tag, decade or titles: "Horror", "Comedy <-> Western", "Dumbo, Aladdin <-> Heat, GoodFellas"

        Raises UnknownId for a part that is neither, InputError for fewer than two items at an end.
        """
        from recsys.space.probes import ask
        from recsys.space.questions import question_of

        known = self._described()
        return ask(self, known, question_of(question, known), seed)

    def map(self, method: MapMethod = "tsne", *, axes: tuple[Axis, Axis] | None = None, seed: int = 42) -> ItemMap:
        """A 2D map of the items with its measured fidelity; `map(…).plot()` draws it.

        method  "tsne", "pca", "umap" or "pacmap" (the last two need `pip install 'recsys-atlas[maps]'`)
        axes    the horizontal and vertical axis of a map along two axes; `method` is then "axes"

        Raises InputError for fewer than three items with a vector, SettingError for an unknown method.
        """
        from recsys.space.layout import make_map

        made = make_map(self, "axes" if axes else method, seed, axes=axes)
        return replace(made, attributes=self.attributes)

    def clusters(self, method: Choice = "auto", *, seed: int = 42) -> ItemClusters:
        """Clusters of the items; named only where the name is verified. See `recsys.space.clustering.find_clusters`.

        method  "kmeans", "hdbscan", or "auto" to choose by silhouette and stability

        Raises InputError for fewer than 50 well-known items, or when no two clusters are found.
        """
        from recsys.space.clustering import find_clusters

        return find_clusters(self, self._described(), method, seed=seed)

    def report(self, *, name: str = "vectors", seed: int = 42) -> EmbeddingReport:
        """Measure the space (retrieval, probes, clusters, analogies, shape) next to baselines that need no training.

        name  of the space, its row in the report

        Raises InputError for fewer than 50 well-known items. See `recsys.evaluation.report.space_report`.
        """
        from recsys.evaluation.report import space_report

        return space_report(self, self._described(), name=name, seed=seed)

    def _described(self) -> Attributes:
        if self.attributes is None:
            raise Unsupported("nothing is known about the items of this space; build it with EmbeddingSpace.from_frame")
        return self.attributes


def _by_distance(vectors: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`columns` (n, k) of each of `rows`, sorted by distance, then by column, and the negative distances, float32."""
    distances = np.empty(columns.shape, dtype=np.float32)
    for part in row_blocks(len(rows), 1024):  # in parts, to save memory
        steps = vectors[columns[part]].astype(np.float64) - vectors[rows[part], None]
        distances[part] = np.linalg.norm(steps, axis=2)
    order = np.lexsort((columns, distances))
    return np.take_along_axis(columns, order, axis=1), -np.take_along_axis(distances, order, axis=1)


def well_known_items(space: EmbeddingSpace, attributes: Attributes) -> np.ndarray:
    """The items that axes, names and clusters are evaluated on: well known and with a vector, (n_items,) bool.

    Raises InputError when `attributes` have another number of items than the space, or fewer than 50 items are well
    known and have a vector.
    """
    if len(attributes.catalog) != space.n_items:
        raise InputError(f"attributes of {len(attributes.catalog)} items do not match {space.n_items} vectors")
    known: np.ndarray = attributes.well_known & space.item_directions.any(axis=1)
    if known.sum() < FEWEST_WELL_KNOWN:
        raise InputError(f"only {known.sum()} well-known items have a vector; at least {FEWEST_WELL_KNOWN} are needed")
    return known


def _checked(kind: str, factors: np.ndarray, ids: Sequence[Any] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Read-only float32 factors and ids of one side."""
    factors, ids = np.ascontiguousarray(factors, dtype=np.float32), as_ids(ids)
    if factors.ndim != 2 or len(factors) != len(ids):
        raise InputError(f"{kind} factors of shape {factors.shape} do not match {len(ids)} {kind} ids")
    if factors.size and not -LARGEST <= factors.min() <= factors.max() <= LARGEST:  # NaN compares false
        raise NotFinite(f"{kind} factors contain values that are not finite, or beyond {LARGEST:g}")
    index = index_of(ids)
    if not index.is_unique:
        raise InputError(f"{kind} ids are not unique: {quoted(index[index.duplicated()][0])} appears more than once")
    factors = factors.view()  # the caller may go on writing to the array they gave
    factors.setflags(write=False)
    return factors, ids
