"""The demo: fetch, prepare, train, recommend, map, clusters, axes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from recsys.dataset.weighting import Weighting
from recsys.ingest import datasets
from recsys.models import DEFAULT_MODEL
from recsys.progress import Notify, StartProgress, no_notice, no_progress
from recsys.workflows.inspect import ClusteredItems, MappedItems, NamedAxes, axes, clusters, map_items
from recsys.workflows.prepare import Prepared, prepare
from recsys.workflows.recommend import Recommended, recommend_user
from recsys.workflows.train import Trained, train

DEMO_DATASET = "ml-100k"

DEMO_USER = 1

DEMO_WEIGHTING = Weighting(min_rating=3.0)
"""People who rate a movie with one or two stars in the app mean that they dislike it: similar movies must not rise."""


@dataclass(frozen=True)
class DemoResult:
    """The results of the demo's steps, in their order."""

    prepare: Prepared
    train: Trained
    recommend: Recommended
    map: MappedItems
    clusters: ClusteredItems
    axes: NamedAxes

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys demo --json` prints them: one entry per step."""
        return {step.name: getattr(self, step.name).to_json() for step in fields(self)}


def demo(*, start_progress: StartProgress = no_progress, notify: Notify = no_notice) -> DemoResult:
    """All steps on MovieLens 100K, except serving the app."""
    root = datasets.data_root()
    data, model = root / "prepared" / DEMO_DATASET, root / "models" / f"{DEMO_DATASET}-{DEFAULT_MODEL}"
    return DemoResult(
        prepare=prepare(DEMO_DATASET, data, start_progress=start_progress, notify=notify),
        train=train(data, model, weighting=DEMO_WEIGHTING, start_progress=start_progress),
        recommend=recommend_user(model, data, DEMO_USER),
        map=map_items(model, start_progress=start_progress),
        clusters=clusters(model, n_examples=3, start_progress=start_progress),
        axes=axes(model, data, n_examples=3, start_progress=start_progress),
    )
