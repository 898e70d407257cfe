"""What every page needs before it can show anything: the chosen model with its data and maps, loaded once for all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from recsys import store
from recsys.datasets import data_root
from recsys.errors import InputError, RecsysError
from recsys.interactions import Interactions
from recsys.item_clusters import ItemClusters
from recsys.item_map import ItemMap
from recsys.latent.map import make_map
from recsys.models import TrainedModel


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model with what belongs to it. Shared by all sessions: never change it.

    interactions  the data it was trained on, or None where that folder is gone
    maps          by method; always a PCA, which takes no time, for a model with vectors
    clusters      those that name regions of the maps, or None where there are none
    unreadable    what is wrong with maps and clusters that were left out, a line each
    """

    name: str
    model: TrainedModel
    interactions: Interactions | None
    maps: dict[str, ItemMap]
    clusters: ItemClusters | None
    unreadable: tuple[str, ...] = ()

    @property
    def data_name(self) -> str:
        """What the data are called: models of the same data speak of the same movies."""
        return str(self.model.data.get("name", self.name))


def models_root() -> Path:
    """Where the models lie: `RECSYS_MODELS`, or `models` in the data folder."""
    return Path(os.environ.get("RECSYS_MODELS") or data_root() / "models")


def choose_model() -> Loaded:
    """The model to work with; asks where there are several. Without a usable one, says what to run and stops."""
    root = models_root()
    names = store.list_models(root)
    if not names:
        _explain("There is no model yet", f"I looked for one in {root}.", "recsys demo --no-app")
    name = names[0] if len(names) == 1 else st.sidebar.selectbox("Model", names, key="model")
    folder = root / str(name)
    try:
        stamp = tuple(sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir()))
        return load(str(folder), stamp)
    except (RecsysError, OSError) as error:
        _explain(f"The model {name} cannot be used", str(error), f"recsys train --data DIR --out {folder}")
    raise AssertionError("unreachable: _explain stops the page")


@st.cache_resource(show_spinner="Loading the model …", max_entries=4)
def load(folder: str, stamp: tuple[tuple[str, int], ...]) -> Loaded:
    """Read a model folder with its maps and data. `stamp` changes with the files, so that a retrained model shows."""
    path = Path(folder)
    model = store.load_model(path)
    maps: dict[str, ItemMap] = {}
    clusters = None
    unreadable = []
    try:
        clusters = store.load_clusters(path)
    except InputError as error:  # the page says so; people can do without
        unreadable.append(str(error))
    if clusters is not None and not np.array_equal(clusters.item_ids, model.item_ids):
        clusters = None
    if model.has_space and model.space.item_directions.any(axis=1).sum() >= 3:
        for method in store.list_maps(path):
            try:
                found = store.load_map(path, method)
            except InputError as error:
                unreadable.append(str(error))
                continue
            if np.array_equal(found.item_ids, model.item_ids):
                maps[method] = found
        if "pca" not in maps:
            maps["pca"] = make_map(model.space, "pca", judged=False)
    interactions = None
    if "path" in model.data:
        try:
            interactions = store.load_prepared(Path(model.data["path"])).interactions
        except InputError:  # the page says so: people can still rate for themselves
            interactions = None
    return Loaded(path.name, model, interactions, maps, clusters, tuple(unreadable))


def _explain(title: str, why: str, command: str) -> None:
    st.title(title)
    st.text(why)
    st.write("To make one, run this in a terminal, then reload the page:")
    st.code(command, language="sh")
    st.stop()
