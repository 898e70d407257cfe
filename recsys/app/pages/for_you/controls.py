"""Controls of the list: filters, novelty and diversity, and sliders along named axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

from recsys.app.axis_text import ends_of, evidence_in_short, named_axes
from recsys.app.components.memory import memory_of
from recsys.app.escape import plain
from recsys.app.i18n.translate import chosen, local, named, say
from recsys.app.notices import show_axes_command
from recsys.app.pages.for_you.region import in_region
from recsys.app.pages.for_you.user import Viewer
from recsys.app.session import Loaded
from recsys.recommend.candidates import Candidates
from recsys.recommend.steer import FARTHEST
from recsys.space.axis import Axis


@dataclass(frozen=True)
class Controls:
    """What was chosen.

    allowed    (n_items,) bool, items that may be recommended
    novelty    0 … 1, see `rerank`
    diversity  0 … 1, see `rerank`
    shifts     axes to move the user along, and by how much, see `shifted`
    """

    allowed: np.ndarray
    novelty: float
    diversity: float
    shifts: tuple[tuple[Axis, float], ...]


def draw_controls(loaded: Loaded, viewer: Viewer) -> Controls:
    """Draw the controls, each group in a popover, so that the list stays in view."""
    with st.container(horizontal=True, gap="small"):
        allowed = _draw_filter(loaded)
        novelty, diversity = _draw_surprise(loaded)
        shifts = _draw_steering(loaded, viewer)
    if viewer.is_me:
        allowed[[row for _, row in loaded.known_rows(list(memory_of(loaded).hidden))]] = False
    region = in_region(loaded)
    return Controls(allowed if region is None else allowed & region, novelty, diversity, shifts)


def _draw_filter(loaded: Loaded) -> np.ndarray:
    """Genres, years and number of ratings; returns the items that pass, (n_items,) bool."""
    catalog, counts = loaded.model.catalog, loaded.model.n_ratings
    known = catalog.years[~np.isnan(catalog.years)]
    with st.popover(say("Filter"), icon=":material/filter_alt:"):
        key, offered = f"genres-{loaded.data_name}", list(catalog.genre_names)
        genres = chosen(key, st.multiselect(say("Genres"), offered, key=local(key, offered), format_func=named))
        years = None
        if len(known) and known.min() < known.max():
            first, last = int(known.min()), int(known.max())
            key = f"years-{loaded.data_name}"
            if key in st.session_state:  # the data may have been prepared again since
                low, high = st.session_state[key]
                if not first <= low <= high <= last:
                    st.session_state[key] = (first, last)
            between = st.slider(say("Years"), first, last, (first, last), key=key, persist_state="session")
            years = between if between != (first, last) else None
        fewest = 0
        if loaded.has_ratings:
            key, steps = f"fewest-{loaded.data_name}", _steps(int(counts.max()))
            if st.session_state.get(key, 0) not in steps:
                st.session_state[key] = 0
            fewest = st.select_slider(say("Minimum number of ratings"), steps, key=key, persist_state="session")
    mask = Candidates(genres, years, min_ratings=fewest or None).mask(loaded.model)
    return np.ones(len(catalog), dtype=bool) if mask is None else mask


def _steps(most: int) -> list[int]:
    """0, 1, 2, 5, 10, … up to `most`."""
    return [0] + [step * 10**power for power in range(8) for step in (1, 2, 5) if step * 10**power <= most]


def _draw_surprise(loaded: Loaded) -> tuple[float, float]:
    """Novelty, which needs rating counts, and diversity, which needs vectors; 0 without."""
    novelty = diversity = 0.0
    if not loaded.has_ratings and not loaded.model.has_space:
        return novelty, diversity
    with st.popover(say("Surprise"), icon=":material/auto_awesome:"):
        if loaded.has_ratings:
            novelty = st.slider(
                say("Novelty"),
                0.0, 1.0, 0.0, 0.1, key="novelty", persist_state="session",
                help=say("Higher values favour lesser-known movies."),
            )  # fmt: skip
        if loaded.model.has_space:
            diversity = st.slider(
                say("Diversity"),
                0.0, 1.0, 0.0, 0.1, key="diversity", persist_state="session",
                help=say("Higher values make the list more varied."),
            )  # fmt: skip
    return novelty, diversity


def _draw_steering(loaded: Loaded, viewer: Viewer) -> tuple[tuple[Axis, float], ...]:
    axes = named_axes(loaded)
    shifts = []
    with st.popover(say("Adjust mood"), icon=":material/explore:"):
        if not loaded.model.has_space:
            st.caption(say("This model has no item vectors, so the mood cannot be adjusted."))
        elif not axes:
            st.markdown(say("There are no named axes yet. To find some, run:"))
            show_axes_command(loaded)
        elif viewer.is_cold:
            st.caption(say("Rate a few movies first."))
        else:
            st.caption(say("Nudge your list; 0 = as is."))
            for axis in axes:
                amount = st.slider(
                    plain(" ↔ ".join(ends_of(axis))), -FARTHEST, FARTHEST, 0.0, 0.5, format="%+.1f",
                    key=f"steer-{loaded.name}-{axis.name}", persist_state="session",
                )  # fmt: skip
                st.caption(say("{evidence} on held-out movies", evidence=evidence_in_short(axis)))
                if amount:
                    shifts.append((axis, amount))
    return tuple(shifts)
