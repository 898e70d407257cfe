"""A model of MovieLens 25M's size for the app, from data expanded from MovieLens 1M."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from expand import expand
from results import prepared

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.ingest.datasets import data_root
from recsys.ingest.validation import REJECTED
from recsys.space.item_map import DEFAULT_MAP
from recsys.workflows import inspect as inspect_workflow
from recsys.workflows import train as train_workflow

DATA = "ml-25m-like"
MODEL = f"{DATA}-ials"
N_FACTORS = 64
FEW_REFITS = 2
"""Refits for the stability of axes: each takes a minute here, and the number does not affect the app's speed."""


def default_root() -> Path:
    """The default folder of the large model, separate from the models that users see."""
    return data_root() / "large"


def make(root: Path) -> dict[str, float]:
    """Create what is missing in `root`/prepared and `root`/models; returns the seconds of each step that ran.

    MovieLens 1M is read from (or prepared in) the data folder, `RECSYS_DATA`. Map, clusters and axes are made by the
    same workflows as on the command line.
    """
    data, model = root / "prepared" / DATA, root / "models" / MODEL
    seconds: dict[str, float] = {}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        print(f"{name} …", file=sys.stderr, flush=True)
        started = time.perf_counter()
        yield
        seconds[name] = time.perf_counter() - started
        print(f"{name}: {seconds[name]:.0f} s", file=sys.stderr, flush=True)

    steps: list[tuple[str, Path, Callable[[], object]]] = [
        ("expand", data / store.INTERACTIONS, lambda: store.save_prepared(data, grown(prepared("ml-1m")))),
        ("train", model / store.MANIFEST, lambda: train_workflow.train(data, model, settings={"n_factors": N_FACTORS})),
        ("pca", model / store.MAP.format("pca"), lambda: inspect_workflow.map_items(model, method="pca")),
        ("tsne", model / store.MAP.format(DEFAULT_MAP), lambda: inspect_workflow.map_items(model, method=DEFAULT_MAP)),
        ("axes", model / store.AXES, lambda: inspect_workflow.axes(model, data, n_refits=FEW_REFITS)),
        ("clusters", model / store.CLUSTERS, lambda: inspect_workflow.clusters(model)),
    ]
    for name, file, run in steps:
        if not file.is_file():
            with step(name):
                run()
    return seconds


def grown(original: Dataset) -> Dataset:
    """The expanded dataset with ratings and titles: each pair has the rating of the pair it was copied from."""
    source = original.interactions.matrix
    matrix = expand(source)
    n_users, n_items = source.shape
    row_of = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    pairs = np.repeat(np.arange(n_users, dtype=np.int64), np.diff(source.indptr)) * n_items + source.indices
    copied = row_of % n_users * n_items + matrix.indices % n_items
    stars = source.data[np.searchsorted(pairs, copied)]
    copies = matrix.shape[1] // n_items
    items = original.catalog.items
    titles = [title if copy == 1 else f"{title} · {copy}" for copy in range(1, copies + 1) for title in items["title"]]
    years = [None if missing else int(year) for year, missing in zip(items["year"], items["year"].isna(), strict=True)]
    catalog = Catalog.of(
        np.arange(1, matrix.shape[1] + 1),
        titles,
        years * copies,
        list(items["genres"]) * copies,
    )
    interactions = Interactions(
        sp.csr_matrix((stars, matrix.indices, matrix.indptr), shape=matrix.shape),
        np.arange(1, matrix.shape[0] + 1),
        catalog.item_ids,
    )
    report = {**original.report, "grown_from": original.name, "users": interactions.n_users}
    report |= {"items": interactions.n_items, "read": interactions.n_ratings, "kept": interactions.n_ratings}
    report["data_fingerprint"] = interactions.fingerprint
    return Dataset(interactions, catalog, REJECTED.empty_table(), report)


def size_of(root: Path) -> str:
    """The size of the model as text."""
    data = store.read_manifest(models_of(root) / MODEL)["data"]
    return f"{data['n_users']:,} users × {data['n_items']:,} movies, {data['n_ratings']:,} ratings, {N_FACTORS} factors"


def models_of(root: Path) -> Path:
    """The folder to serve. Exits with a message if there is no model."""
    if not (root / "models" / MODEL / store.MANIFEST).is_file():
        sys.exit(f"{root}: contains no large model; create it with python benchmarks/app.py prepare --root {root}")
    return root / "models"


def threads() -> int:
    return os.cpu_count() or 1
