"""Similar, analogy and walk: the neighbours of movies and of points between them in the space of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsys import store
from recsys.recommend.topn import similar as similar_items
from recsys.recommend.topn import similar_side_by_side
from recsys.space.embedding import Metric
from recsys.workflows.common import rows_of_table


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
