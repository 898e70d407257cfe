"""The page "Batch": recommendations for many users as a file, and the lists of two models compared."""

from __future__ import annotations

import streamlit as st

from recsys.app.i18n.translate import say
from recsys.app.notices import explain_missing_data
from recsys.app.pages.batch.compare import draw_compare
from recsys.app.pages.batch.make import draw_make
from recsys.app.session import loaded_model

URL = "batch"
MAKE, COMPARE = "Generate lists", "Compare two models"


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    st.header(say("Batch"), anchor=False)
    part = st.segmented_control(
        say("What to do"),
        (MAKE, COMPARE),
        default=MAKE,
        required=True,
        format_func=say,
        key="batch-part",
        bind="query-params",
        label_visibility="collapsed",
    )
    if loaded.interactions is None:
        explain_missing_data(loaded)
    elif part == MAKE:
        draw_make(loaded, loaded.interactions)
    else:
        draw_compare(loaded, loaded.interactions)
