"""Similar, analogy, walk and sample: the movies near others, between two, and of imaginary viewers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys import store
from recsys.models import Model
from recsys.recommend.topn import similar as similar_items
from recsys.recommend.topn import similar_side_by_side
from recsys.space.axis import UNNAMED, Axis
from recsys.space.embedding import Metric
from recsys.space.profile import positions_along
from recsys.space.walk import Prior, decode
from recsys.space.walk import sample as sample_vectors
from recsys.workflows.common import rows_of_table

MOST_LEANINGS = 3
OTHERS = 200
"""Further viewers that the first ones are compared with."""


@dataclass(frozen=True, eq=False)
class SimilarItems:
    """The items most similar to one.

    title              of that item
    metric             None: all of them, one list after the other
    table              rank, item_id, similarity, title; for all metrics also metric and n_ratings
    n_ratings          of that item, for all metrics
    length_popularity  Spearman's correlation of vector length and number of ratings, for all metrics
    """

    title: str
    metric: Metric | None
    table: pd.DataFrame
    n_ratings: int | None = None
    length_popularity: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys similar --json` prints them."""
        values: dict[str, Any] = {"title": self.title, "metric": self.metric or "each metric"}
        if self.metric is None:
            values |= {"n_ratings": self.n_ratings, "length_popularity": self.length_popularity}
        return values | {"similar": rows_of_table(self.table)}


@dataclass(frozen=True, eq=False)
class Analogy:
    """`titles[0]` is to `titles[1]` as `titles[2]` is to the answers: rank, item_id, title, similarity."""

    titles: tuple[str, str, str]
    answers: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys analogy --json` prints them."""
        return {"analogy": list(self.titles), "answers": rows_of_table(self.answers)}


@dataclass(frozen=True, eq=False)
class Walk:
    """What lies on the straight line between two movies or users.

    ends    the titles of the movies, or the user ids
    points  position (0 … 1), rank, item_id, title, and similarity (of users: score)
    """

    ends: tuple[str, str]
    points: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys walk --json` prints them."""
        return {"walk": list(self.ends), "points": rows_of_table(self.points)}


@dataclass(frozen=True, eq=False)
class Viewer:
    """An imaginary viewer.

    leanings  ends of verified axes that the movies are nearer to than those of other viewers, the first most: the end,
              and by how much, in standard deviations over the viewers
    movies    rank, item_id, title, score
    """

    leanings: tuple[tuple[str, float], ...]
    movies: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        leanings = [{"end": end, "deviations": deviations} for end, deviations in self.leanings]
        return {"leanings": leanings, "movies": rows_of_table(self.movies)}


@dataclass(frozen=True, eq=False)
class Sampled:
    """Imaginary viewers, drawn from a `prior` of the model; see `recsys.space.walk.sample`."""

    model: str
    prior: Prior
    seed: int
    viewers: tuple[Viewer, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys sample --json` prints them."""
        viewers = [viewer.to_json() for viewer in self.viewers]
        return {"model": self.model, "prior": self.prior, "seed": self.seed, "viewers": viewers}


def similar(model_folder: Path, title: str, *, k: int = 10, metric: Metric | None = "cosine") -> SimilarItems:
    """The `k` items most similar to the one of that title, by one metric, or by each metric if it is None.

    Raises UnknownId with similar titles for an unknown title.
    """
    model = store.load_model(model_folder)
    row = model.catalog.row_of(title, model.n_ratings)
    item, label = model.item_ids[row], model.catalog.labels[row]
    if metric is None:
        table, correlation = similar_side_by_side(model, item, k)
        table["title"] = model.catalog.label_of(table["item_id"].to_numpy())
        return SimilarItems(label, None, table, int(model.n_ratings[row]), correlation)
    table = similar_items(model, item, k, metric)
    table["title"] = model.catalog.label_of(table["item_id"].to_numpy())
    return SimilarItems(label, metric, table)


def analogy(model_folder: Path, a: str, b: str, c: str, *, k: int = 10) -> Analogy:
    """`a` is to `b` as `c` is to ?: the `k` best answers by vector arithmetic on directions.

    Raises UnknownId with similar titles for an unknown title.
    """
    model = store.load_model(model_folder)
    rows = [model.catalog.row_of(title, model.n_ratings) for title in (a, b, c)]
    labels, (first, second, third) = model.catalog.labels[rows], model.item_ids[rows]
    ids, cosines = model.space.analogy(first, second, third, k)
    titles = model.catalog.label_of(ids) if len(ids) else []
    found = pd.DataFrame({"rank": range(1, len(ids) + 1), "item_id": ids, "title": titles, "similarity": cosines})
    return Analogy((labels[0], labels[1], labels[2]), found)


def walk(model_folder: Path, a: str, b: str, *, steps: int = 5, k: int = 3, users: bool = False) -> Walk:
    """The `k` items nearest to each of `steps` points on the straight line from one item to another.

    users  `a` and `b` are user ids: the line joins their vectors, and each point lists the items with the best scores

    Raises UnknownId with similar titles for an unknown title, and for an unknown user.
    """
    model = store.load_model(model_folder)
    points = model.space.walk(a, b, steps, k, users=users)
    if not users:
        a, b = (model.catalog.labels[model.catalog.row_of(end, model.n_ratings)] for end in (a, b))
    return Walk((a, b), points)


def sample(model_folder: Path, *, n: int = 5, k: int = 10, prior: Prior = "users", seed: int = 42) -> Sampled:
    """What `n` imaginary viewers, drawn at random from the space of a model, would be recommended.

    Their leanings are along the verified axes stored with the model, if there are any. Raises as
    `recsys.space.walk.sample`.
    """
    model = store.load_model(model_folder)
    found = store.load_axes(model_folder, model.fingerprint)
    axes = [] if found is None else [axis for axis in found.all if axis.is_valid]
    table = model.space.sample(n, k, prior=prior, seed=seed)
    leanings = _leanings(model, axes, n, k, prior, seed) if axes else [()] * n
    lists = [movies.drop(columns="viewer") for _, movies in table.groupby("viewer")]
    viewers = tuple(Viewer(ends, movies) for ends, movies in zip(leanings, lists, strict=True))
    return Sampled(model.learner.name, prior, seed, viewers)


def _leanings(
    model: Model, axes: Sequence[Axis], n: int, k: int, prior: Prior, seed: int
) -> list[tuple[tuple[str, float], ...]]:
    """The `MOST_LEANINGS` ends that the lists of each of the first `n` viewers lean to most; the mean position of a
    list is compared with those of these and `OTHERS` further viewers."""
    rows, _ = decode(model.space, sample_vectors(model.space, n + OTHERS, prior=prior, seed=seed), k)
    places = np.nan_to_num(positions_along(model.space, axes))[rows].mean(axis=1)
    spread = places.std(axis=0)
    deviations = np.divide(places - places.mean(axis=0), spread, out=np.zeros_like(places), where=spread > 0)[:n]
    ends = np.where(deviations > 0, [axis.high for axis in axes], [axis.low for axis in axes])
    leanings = []
    for names, values in zip(ends, np.abs(deviations), strict=True):
        order = [at for at in np.argsort(-values, kind="stable") if values[at] >= 1 and names[at] != UNNAMED]
        by_name = {str(names[at]): float(values[at]) for at in reversed(order)}  # of two axes with one name, the first
        leanings.append(tuple(sorted(by_name.items(), key=lambda item: -item[1])[:MOST_LEANINGS]))
    return leanings
