"""A model that is replaced while the app runs is picked up without a restart and without an error."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys import atomic, store
from recsys.app import session
from recsys.dataset.dataset import Dataset
from recsys.models import IALS
from recsys.workflows import inspect as inspect_workflow


@pytest.fixture
def folders(ml100k: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, list[Path]]:
    """The published folder, and two models with maps to publish; the second one has other dimensions."""
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path / "models"))
    made = []
    for n_factors in (4, 6):
        folder = tmp_path / f"made-{n_factors}"
        store.save_model(folder, IALS(n_factors=n_factors, epochs=1).fit(ml100k))
        inspect_workflow.map_items(folder, method="pca")
        made.append(folder)
    published = tmp_path / "models" / "mine"
    publish(made[0], published)
    return published, made


def publish(model: Path, published: Path) -> None:
    """Put a model in the place of the published one, in one instant."""
    with atomic.new_folder(published) as temporary:
        shutil.copytree(model, temporary, copy_function=os.link, dirs_exist_ok=True)


def shown() -> None:
    import streamlit as st

    from recsys.app.session import loaded_model, own_axes

    loaded = loaded_model()
    st.text(f"{loaded.model.fingerprint} {len(own_axes(loaded))} {loaded.unreadable}")


def test_a_replaced_model_is_picked_up_and_axes_of_the_old_one_are_dropped(folders) -> None:
    published, made = folders
    app = AppTest.from_function(shown, default_timeout=60).run()
    app.session_state["own-axes-mine"].append("an axis of the first model")
    assert app.run().text[0].value == f"{store.fingerprint_of(made[0])} 1 ()"
    publish(made[1], published)
    assert app.run().text[0].value == f"{store.fingerprint_of(made[1])} 0 ()"
    publish(made[0], published)
    assert app.run().text[0].value.startswith(f"{store.fingerprint_of(made[0])} "), "also back"


@pytest.mark.parametrize(
    ("place", "step"),
    [(session, "_listed"), (store, "load_model"), (store, "load_clusters"), (store, "load_axes"), (store, "load_map")],
)
def test_a_model_that_is_replaced_before_any_step_of_a_read_is_read_again(folders, monkeypatch, place, step) -> None:
    published, made = folders
    read, left = getattr(place, step), [made[1], made[0], made[1]]

    def replaced_first(*arguments: object) -> object:
        if left:
            publish(left.pop(0), published)
            if step == "_listed":  # a file that was listed is gone
                raise FileNotFoundError(arguments)
        return read(*arguments)

    monkeypatch.setattr(place, step, replaced_first)
    app = AppTest.from_function(shown, default_timeout=60).run()
    assert not app.exception and not left
    assert app.text[0].value == f"{store.fingerprint_of(made[1])} 0 ()", "all of it of the newest model"


def test_a_model_that_is_replaced_in_every_read_is_an_error_and_not_cached(folders, monkeypatch) -> None:
    published, made = folders
    load_map, n_swaps = store.load_map, 0

    def replaced_first(*arguments: object) -> object:
        nonlocal n_swaps
        n_swaps += 1
        publish(made[n_swaps % 2], published)
        return load_map(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(store, "load_map", replaced_first)
        app = AppTest.from_function(shown, default_timeout=60).run()
        assert "replaced again and again" in app.text[0].value
    assert app.run().text[0].value == f"{store.fingerprint_of(made[n_swaps % 2])} 0 ()"
