"""A model of MovieLens 25M's size for the app, grown from MovieLens 1M where the real one cannot be fetched."""

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
"""Of the model, for the stability of axes: each takes a minute here, and the app shows the axes alike."""


def default_root() -> Path:
    """Where the large model lies unless another folder is named: apart from the models that people look at."""
    return data_root() / "large"


def make(root: Path) -> dict[str, float]:
    """Make what is missing of `root`/prepared and `root`/models; returns seconds by step, of the steps it took.

    `RECSYS_DATA` says, as for every benchmark, where MovieLens 1M lies prepared or is prepared to. The model comes
    first and can be served from then on; its map, clusters and axes follow, each from the command that makes it.
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
    """The expansion with its stars and titles: each pair has the stars of the pair it was copied from."""
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
    """How large the model is, in words."""
    told = store.read_manifest(models_of(root) / MODEL)["data"]
    return f"{told['n_users']:,} users × {told['n_items']:,} movies, {told['n_ratings']:,} ratings, {N_FACTORS} factors"


def models_of(root: Path) -> Path:
    """The folder to serve. Exits with what to run where there is no model."""
    if not (root / "models" / MODEL / store.MANIFEST).is_file():
        sys.exit(f"{root}: holds no large model; make it with python benchmarks/app.py prepare --root {root}")
    return root / "models"


def threads() -> int:
    return os.cpu_count() or 1
