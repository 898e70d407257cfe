"""The demo: fetch, prepare, train, recommend, map, clusters, axes."""

from __future__ import annotations

from typing import Any

from recsys.dataset.weighting import Weighting
from recsys.ingest import datasets
from recsys.models import DEFAULT_MODEL
from recsys.workflows.common import Report, Say, quiet
from recsys.workflows.inspect import axes, clusters, map_items
from recsys.workflows.prepare import prepare
from recsys.workflows.recommend import recommend_user
from recsys.workflows.train import train

DEMO_DATASET = "ml-100k"

DEMO_USER = 1

DEMO_WEIGHTING = Weighting(min_rating=3.0)
"""Whoever rates in the app means one or two stars as a dislike, so these must not draw their like to the list."""


def demo(*, report: Report = quiet, say: Say = lambda _: None) -> dict[str, Any]:
    """The whole way on MovieLens 100K, short of the app: fetch, prepare, train, recommend, map, clusters, axes."""
    root = datasets.data_root()
    data, model = root / "prepared" / DEMO_DATASET, root / "models" / f"{DEMO_DATASET}-{DEFAULT_MODEL}"
    prepared = prepare(DEMO_DATASET, data, report=report, say=say)
    trained = train(data, model, weighting=DEMO_WEIGHTING, report=report)
    listed = recommend_user(model, data, DEMO_USER)
    progress = report("drawing the map")
    progress(0, 1)
    mapped = map_items(model)
    progress(1, 1)
    clustered = clusters(model, n_examples=3, report=report)
    named = axes(model, data, n_examples=3, report=report)
    return {
        "prepare": prepared,
        "train": trained,
        "recommend": listed,
        "map": mapped,
        "clusters": clustered,
        "axes": named,
    }
