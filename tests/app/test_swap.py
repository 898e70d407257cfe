"""A model that is replaced while the app runs is picked up without a restart and without an error."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from threading import Event, Thread

import pytest
from streamlit.testing.v1 import AppTest

from recsys import atomic, store
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


def test_no_run_fails_while_models_are_exchanged(folders) -> None:
    published, made = folders
    known, stop, n_swaps = {store.fingerprint_of(folder) for folder in made}, Event(), 0

    def swap() -> None:
        nonlocal n_swaps
        while not stop.wait(0.02):
            publish(made[n_swaps % 2], published)
            n_swaps += 1

    swapping = Thread(target=swap)
    swapping.start()
    try:
        app = AppTest.from_function(shown, default_timeout=60)
        for _ in range(15):
            app.run()
            assert not app.exception and len(app.text) == 1, [element.value for element in (*app.title, *app.text)]
            fingerprint, _, unreadable = app.text[0].value.split(maxsplit=2)
            assert fingerprint in known and unreadable == "()"
    finally:
        stop.set()
        swapping.join()
    assert n_swaps > 5
