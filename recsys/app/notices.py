"""Notices that several pages share: what is missing, and the command that creates it."""

from __future__ import annotations

import shlex
from pathlib import Path

import streamlit as st

from recsys.app.escape import plain
from recsys.app.i18n.translate import say
from recsys.app.owner import shown_path
from recsys.app.session import Loaded
from recsys.ingest.datasets import DATASETS


def show_command(*words: str) -> None:
    """Show a command for the terminal, quoted for a shell; visitors do not see the folders in it."""
    shown = (shown_path(word) if Path(word).is_absolute() else word for word in words)
    st.code(shlex.join(shown), language="sh", wrap_lines=True)


def show_axes_command(loaded: Loaded) -> None:
    """Show the command that finds axes; it needs the training data of a model that it can train again."""
    data = ("--data", str(loaded.data_folder or "DIR")) if loaded.is_retrainable else ()
    show_command("recsys", "axes", "--model", str(loaded.folder), *data)


def explain_missing_data(loaded: Loaded) -> None:
    """Say that the training data are gone, and which command prepares them again; imported vectors never had any."""
    if loaded.is_imported:
        st.info(say("These vectors were imported without ratings, so there is nothing to show here."))
        return
    folder = loaded.data_folder
    where = say("an unknown folder") if folder is None else plain(shown_path(folder))
    st.info(say("The training data of this model was not found in {folder}.", folder=where))
    st.write(say("To prepare it again, run this in a terminal, then reload the page:"))
    source = loaded.data_name if loaded.data_name in DATASETS else "SOURCE"
    show_command("recsys", "prepare", source, "--out", str(folder or Path("data/prepared") / loaded.data_name))


def explain_missing_vectors() -> None:
    """Say that the model has no vectors, so that nothing about its space can be shown."""
    st.info(
        say("This model has no item vectors, so it has no map and no axes. Choose a model such as ials, als or bpr.")
    )
