"""What the tabs show of an axis, computed once for all sessions: share of variance, movies at its ends, positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from recsys import store
from recsys.app.axis_text import (
    named_axes,
    too_few_known,
)
from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.notices import show_axes_command
from recsys.app.session import Loaded
from recsys.space.axis import Axis
from recsys.space.item_map import ItemMap
from recsys.space.layout import make_map
from recsys.space.profile import examples_along, examples_on_plane, genre_positions, share_of_variance

N_ENDS = 5
"""Movies shown at each end of an axis."""


def facts_of(loaded: Loaded, axis: Axis) -> tuple[float, list[str], list[str]]:
    """The share of the variance along an axis, and the titles at its low end and at its high end."""
    return _cached_facts(version_of(loaded), axis.direction.tobytes(), loaded, axis)


@st.cache_resource(show_spinner=False, max_entries=1000)
def _cached_facts(
    version: tuple[str, int], direction: bytes, _loaded: Loaded, _axis: Axis
) -> tuple[float, list[str], list[str]]:
    """`facts_of`, cached for all sessions by model and direction."""
    model = _loaded.model
    low, high = _axis.ends(model.space, model.n_ratings, N_ENDS)
    share = share_of_variance(model.space, model.attributes, _axis)
    return share, list(model.catalog.labels[low]), list(model.catalog.labels[high])


@st.cache_resource(show_spinner=False, max_entries=32)
def genre_table(
    version: tuple[str, int], directions: bytes, _loaded: Loaded, _axes: Sequence[Axis]
) -> tuple[pd.DataFrame, pd.Series]:
    """`genre_positions`, cached for all sessions. Do not modify the tables."""
    return genre_positions(_loaded.model.space, _loaded.model.attributes, _axes)


@st.cache_resource(show_spinner=False, max_entries=32)
def movies_along(version: tuple[str, int], directions: bytes, _loaded: Loaded, _axis: Axis) -> np.ndarray:
    """`examples_along`, cached for all sessions."""
    return examples_along(_loaded.model.space, _loaded.model.attributes, _axis)


@st.cache_resource(show_spinner=False, max_entries=32)
def movies_over(version: tuple[str, int], directions: bytes, _loaded: Loaded, _axes: tuple[Axis, Axis]) -> np.ndarray:
    """`examples_on_plane`, cached for all sessions."""
    return examples_on_plane(_loaded.model.space, _loaded.model.attributes, *_axes)


def directions_of(axes: Sequence[Axis]) -> bytes:
    """The directions of several axes, as a cache key."""
    return b"".join(axis.direction.tobytes() for axis in axes)


def version_of(loaded: Loaded) -> tuple[str, int]:
    """Folder and time of a model, as a cache key that changes when the model is trained again."""
    return str(loaded.folder), (loaded.folder / store.MANIFEST).stat().st_mtime_ns


def all_axes(loaded: Loaded) -> list[Axis]:
    """All axes, named ones first."""
    good = named_axes(loaded)
    names = {axis.name for axis in good}
    rest = loaded.axes.all if loaded.axes is not None else ()
    return [*good, *(axis for axis in rest if axis.name not in names)]


def plane_map(loaded: Loaded, x: Axis, y: Axis) -> ItemMap:
    """Positions of all movies along two axes."""
    return _cached_plane(version_of(loaded), directions_of([x, y]), loaded, (x, y))


@st.cache_resource(show_spinner=False, max_entries=32)
def _cached_plane(version: tuple[str, int], directions: bytes, _loaded: Loaded, _axes: tuple[Axis, Axis]) -> ItemMap:
    """`plane_map`, cached for all sessions by model and directions."""
    return make_map(_loaded.model.space, "axes", axes=_axes, measured=False)


def explain_missing_axes(loaded: Loaded) -> bool:
    """Whether the model has no axes yet; if so, say which command finds them."""
    if loaded.axes is not None:
        return False
    if (why := too_few_known(loaded)) is not None:
        st.info(plain(why))
        return True
    st.info(say("This model has no axes yet. To find them (a few seconds to a few minutes), run this in a terminal:"))
    show_axes_command(loaded)
    return True
