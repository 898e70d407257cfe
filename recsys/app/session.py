"""The chosen model with its data, maps, clusters and axes, loaded once and shared by all sessions."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from recsys import store
from recsys.app.blobs import Blob
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.owner import shown_path, without_folders
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, RecsysError
from recsys.ingest.datasets import data_root
from recsys.models import Imported, Model
from recsys.plots.colours import Colouring, by_cluster, by_decade, by_genre
from recsys.plots.map import cluster_label_positions
from recsys.space.axis import Axes, Axis
from recsys.space.item_clusters import ItemClusters
from recsys.space.item_map import ItemMap
from recsys.space.layout import make_map

MODEL_KEY = "model"
LOADING = Lock()
"""Held while a model or ratings are read: visitors who ask for several at once do not multiply the memory."""
ATTEMPTS = 20
"""How often a folder is read that is replaced each time while it is read."""
MAX_OWN_AXES = 20
MEASUREMENTS = {Path(name).stem for name in (store.RANKING, store.REPORT_PAGE, store.COMPRESSION)}
"""Measurements in a model folder, which the pages read themselves: a change of these reloads nothing."""


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model and everything stored with it. Shared by all sessions: do not modify.

    folder        model folder
    data_folder   prepared data the model was trained on; None if the model does not record it
    maps          by method; a model with vectors always has a PCA, which is computed if it is not stored
    clusters      clusters that label regions of the maps; None without
    axes          axes stored by `recsys axes`; None without
    unreadable    error messages of maps, clusters and axes that could not be read, one line each
    """

    folder: Path
    model: Model
    data_folder: Path | None
    maps: dict[str, ItemMap]
    clusters: ItemClusters | None
    axes: Axes | None
    unreadable: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def data_name(self) -> str:
        """Name of the data set; models with the same data name have the same movies."""
        return str(self.model.data.get("name", self.name))

    @property
    def has_ratings(self) -> bool:
        """Whether rating counts are known; without them nothing can be said about popularity."""
        return bool(self.model.n_ratings.any())

    @property
    def is_imported(self) -> bool:
        """Whether the vectors come from another program."""
        return isinstance(self.model.learner, Imported)

    @property
    def is_retrainable(self) -> bool:
        """Whether the model can be trained again here; imported vectors and models of Spark cannot."""
        return self.model.learner.is_trainable

    def id_of(self, row: int) -> Any:
        """The item id of a row, as a Python object."""
        return self.model.item_ids[row : row + 1].tolist()[0]

    @property
    def interactions(self) -> Interactions | None:
        """The training data, read on first use; None if the folder does not exist or cannot be read."""
        if self.data_folder is None or not self.data_folder.is_dir():
            return None
        with st.spinner(say("Reading the ratings …"), show_time=True):
            return _read_interactions(str(self.data_folder), _stamp(self.data_folder))

    def known_rows(self, items: Sequence[Any]) -> list[tuple[Any, int]]:
        """(id, row) of those of the item ids that the model has, in their order."""
        found = self.model.catalog.index.get_indexer(pd.Index(list(items), dtype=object if not len(items) else None))
        return [(item, int(row)) for item, row in zip(items, found, strict=True) if row >= 0]

    @cached_property
    def item_facts(self) -> Blob:
        """JSON that the map fetches: titles, rating counts, and genres as indices into a list of genre sets."""
        sets: dict[tuple[str, ...], int] = {}
        genres = [sets.setdefault(row, len(sets)) for row in self.model.catalog.items["genres"]]
        facts = {"titles": self.model.catalog.labels.tolist(), "ratings": self.model.n_ratings.tolist()}
        facts |= {"genres": genres, "genreSets": [list(names) for names in sets]}
        return Blob(json.dumps(facts, ensure_ascii=False).encode())

    @cached_property
    def by_genre(self) -> Colouring:
        """Dots coloured by genre."""
        return by_genre(self.model.catalog)

    @cached_property
    def by_cluster(self) -> Colouring | None:
        """Dots coloured by cluster; None without clusters."""
        return None if self.clusters is None else by_cluster(self.clusters)

    @cached_property
    def by_decade(self) -> Colouring:
        """Dots coloured by year of release."""
        return by_decade(self.model.catalog)

    @cached_property
    def cluster_labels(self) -> dict[str, list[tuple[str, float, float]]]:
        """For each map, the name and map coordinates (x, y) of each cluster, the largest cluster first."""
        if self.clusters is None:
            return {method: [] for method in self.maps}
        return {
            method: [
                (self.clusters.names[number], float(x), float(y))
                for number, (x, y) in sorted(cluster_label_positions(item_map, self.clusters).items())
            ]
            for method, item_map in self.maps.items()
        }


def models_root() -> Path:
    """Folder of model folders: `RECSYS_MODELS`, or `models` in the data folder."""
    return Path(os.environ.get("RECSYS_MODELS") or data_root() / "models")


def choose_model() -> None:
    """Draw the choice of model if there are several; the address of the page holds the choice."""
    root = models_root()
    names = store.list_models(root)
    if len(names) > 1:
        first = names.index(_first_choice(root, names))
        st.selectbox(
            say("Model"), names, first, key=MODEL_KEY, bind="query-params", label_visibility="collapsed", width=220
        )


def loaded_model() -> Loaded:
    """The chosen model. Without a usable one, shows the command that creates one and stops the page."""
    root = models_root()
    names = store.list_models(root)
    if not names:
        _explain(
            say("There is no model yet"),
            say("No model was found in {folder}.", folder=shown_path(root)),
            "recsys demo --no-app",
        )
    chosen = st.session_state.get(MODEL_KEY)
    folder = root / (chosen if chosen in names else _first_choice(root, names))
    try:
        return load_model(folder)
    except (RecsysError, OSError) as error:
        title = say("The model {name} cannot be used", name=plain(folder.name))
        _explain(title, without_folders(str(error)), f"recsys train --data DIR --out {shlex.quote(shown_path(folder))}")
    raise AssertionError("unreachable: _explain stops the page")


def _first_choice(root: Path, names: list[str]) -> str:
    """The model shown by default: the first one with a map, otherwise the first one."""
    return next((name for name in names if store.list_maps(root / name)), names[0])


def load_model(folder: Path) -> Loaded:
    """Load a model folder, cached until a file in it changes. Raises RecsysError, OSError."""
    with st.spinner(say("Loading the model …"), show_time=True):
        return _read(str(folder), _stamp(folder))


def _stamp(folder: Path) -> tuple[tuple[str, int], ...]:
    """Names and times of the loaded files of a folder: a cache key that changes when the model is retrained. A folder
    that is replaced meanwhile, as every night, is listed again."""
    for _ in range(ATTEMPTS - 1):
        with contextlib.suppress(FileNotFoundError):
            return _listed(folder)
    return _listed(folder)


def _listed(folder: Path) -> tuple[tuple[str, int], ...]:
    read = (file for file in folder.iterdir() if file.is_file() and file.stem not in MEASUREMENTS)
    return tuple(sorted((file.name, file.stat().st_mtime_ns) for file in read))


@st.cache_resource(show_spinner=False, max_entries=4)
def _read_interactions(folder: str, stamp: tuple[tuple[str, int], ...]) -> Interactions | None:
    with LOADING:
        try:
            return store.load_prepared(Path(folder)).interactions
        except InputError:  # the pages report it; rating movies still works
            return None


@st.cache_resource(show_spinner=False, max_entries=4)
def _read(folder: str, stamp: tuple[tuple[str, int], ...]) -> Loaded:
    """Model, maps, clusters and axes of a folder, all of the same model: when it is replaced meanwhile, all are read
    again.

    Raises InputError when it is replaced each time: what was read then may be of two models, and must not be cached.
    """
    path = Path(folder)
    for _ in range(ATTEMPTS):
        before = _identity(path)
        loaded = _load(path)
        if _identity(path) == before:
            return loaded
    raise InputError(f"{path}: is replaced again and again by other processes; reload the page when they have ended")


def _identity(folder: Path) -> tuple[int, int] | None:
    """Changes when a folder is replaced; None in the instant between two renames."""
    with contextlib.suppress(FileNotFoundError):
        status = folder.stat()
        return status.st_ino, status.st_ctime_ns
    return None


def _load(path: Path) -> Loaded:
    with LOADING:
        model = store.load_model(path)
    # The first search indexes all titles, which takes seconds for tens of thousands: start before anyone types.
    Thread(target=model.catalog.search, args=("the",), daemon=True).start()
    maps: dict[str, ItemMap] = {}
    unreadable: list[str] = []
    clusters = axes = None
    try:  # optional: the page reports what could not be read
        clusters = store.load_clusters(path, model.fingerprint)
    except InputError as error:
        unreadable.append(str(error))
    try:
        axes = store.load_axes(path, model.fingerprint)
    except InputError as error:
        unreadable.append(str(error))
    if clusters is not None and not np.array_equal(clusters.item_ids, model.item_ids):
        clusters = None
    if model.has_space and model.space.item_directions.any(axis=1).sum() >= 3:
        for method in store.list_maps(path):
            try:
                found = store.load_map(path, method, model.fingerprint)
            except InputError as error:
                unreadable.append(str(error))
                continue
            if np.array_equal(found.item_ids, model.item_ids):
                maps[method] = found
        if "pca" not in maps:
            maps["pca"] = make_map(model.space, "pca", measured=False)
    if model.has_space:  # before the first visitor waits for them
        _ = model.space.inner_products.arranged, model.space.directions_index.arranged
    data_folder = Path(model.data["path"]) if "path" in model.data else None
    # Streamlit collects garbage after every run. What exists by now stays, so looking at it each time is wasted:
    # half of the time of a run with a large catalogue.
    gc.collect()
    gc.freeze()
    return Loaded(path, model, data_folder, maps, clusters, axes, tuple(unreadable))


def own_axes(loaded: Loaded) -> list[Axis]:
    """The axes that this session created on the page "Dimensions"; callers may modify the list. They are dropped when
    the model was replaced: their directions belong to its vectors."""
    axes: list[Axis] = st.session_state.setdefault(f"own-axes-{loaded.name}", [])
    of_model, fingerprint = f"own-axes-model-{loaded.name}", loaded.model.fingerprint
    if st.session_state.setdefault(of_model, fingerprint) != fingerprint:
        axes.clear()
        st.session_state.pop(f"answer-{loaded.name}", None)
        st.session_state[of_model] = fingerprint
    return axes


def _explain(title: str, why: str, command: str) -> None:
    st.title(title)
    st.text(why)
    st.write(say("To create one, run this in a terminal, then reload the page:"))
    st.code(command, language="sh")
    st.stop()
