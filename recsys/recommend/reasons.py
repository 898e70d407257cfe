"""Reasons: the exact split of a score over rated items and axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recsys.models import Model
from recsys.recommend.topn import UserBatch, explain
from recsys.space.axis import Axes
from recsys.space.decompose import split_by_axes


def reasons(
    model: Model, batch: UserBatch, table: pd.DataFrame, found: Axes | None
) -> list[dict[str, list[dict[str, Any]]]]:
    """For each row of a list, its score split over the rated movies and, where there are axes, over these; all shares,
    greatest first. After steering the first adds up to the taste, the second to the score. `end` is the end of the axis
    that the user seeks. A title of None is what the model cannot lay on any one movie (the bias of bpr)."""
    item_ids = table["item_id"].to_numpy()
    by_rating = explain(model, batch, item_ids, top=None)
    reasons: list[dict[str, list[dict[str, Any]]]] = [
        {
            "ratings": [
                {"title": title, "adds": adds}
                for title, (_, adds) in zip(model.catalog.label_of([item for item, _ in parts]), parts, strict=True)
            ]
            if parts
            else []
        }
        for parts in by_rating
    ]
    whole = table["taste" if "taste" in table else "score"]
    for reason, score in zip(reasons, whole, strict=True):
        rest = float(score) - sum(part["adds"] for part in reason["ratings"])
        if reason["ratings"] and abs(rest) > 1e-3 * max(1.0, abs(float(score))):
            reason["ratings"].append({"title": None, "adds": rest})
    if found is not None and found.rotation is not None and batch.vectors is not None:
        shares = split_by_axes(model.space, found, batch.vectors[0], model.space.item_rows(item_ids))
        seeks = batch.vectors[0, : model.space.n_factors].astype(np.float64) @ found.rotation
        ends = [axis.high if sought > 0 else axis.low for axis, sought in zip(found.discovered, seeks, strict=True)]
        for reason, column in zip(reasons, shares.to_numpy().T, strict=True):
            order = np.argsort(-column, kind="stable")
            reason["axes"] = [
                {"axis": shares.index[at], "end": ends[at] if at < len(ends) else None, "adds": float(column[at])}
                for at in order
            ]
    return reasons
