"""Nothing of one session reaches another: ratings, hidden movies, own axes, batches, language, choices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys import store
from recsys.app.components.memory import Memory
from recsys.dataset.dataset import Dataset
from recsys.ingest.datasets import data_root
from recsys.models import IALS
from recsys.workflows import batch_jobs
from recsys.workflows.batch_files import Request

PATIENCE = 60.0


@pytest.fixture(scope="module")
def made(ml100k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shared")
    store.save_prepared(root / "prepared" / "ml-100k", ml100k)
    model = IALS(n_factors=8, epochs=2).fit(Dataset(ml100k.interactions, ml100k.catalog, name="ml-100k"))
    store.save_model(root / "models" / "ials", model.with_data_path(root / "prepared" / "ml-100k"))
    return root


@pytest.fixture(autouse=True)
def shared(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Both sessions run in this process, as on a server: whatever a page keeps outside its session is shared."""
    monkeypatch.setenv("RECSYS_MODELS", str(made / "models"))
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
    yield made


def draw(page: str) -> None:
    import importlib

    from recsys.app.i18n.translate import choose_language

    choose_language()
    importlib.import_module(f"recsys.app.pages.{page}").page()


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_function(draw, args=(page,), default_timeout=PATIENCE)
    app.query_params.update(query)
    return app.run()


def everything(app: AppTest) -> list[tuple[str, str]]:
    """All that a page shows, and the state of its widgets."""
    return [(element.type, str(getattr(element, "value", ""))) for element in app.main]


@pytest.mark.parametrize("page", ["for_you", "movie", "dimensions"])
def test_a_visitor_sees_the_same_whatever_another_one_did(page: str) -> None:
    before = everything(opened(page))
    other = opened(page, language="中文")
    memory = Memory({item: 5.0 for item in range(1, 40)}, {item: "seen" for item in range(40, 80)}, is_changed=True)
    other.session_state["memory-ml-100k"] = memory
    other.session_state["who"] = "me"
    other.session_state["novelty"] = 1.0
    other.session_state["selected-ml-100k"] = 50
    other.session_state["movies-low-ml-100k"] = [1, 50]
    changed = everything(other.run())
    assert changed != before, "the control: what the other visitor did shows on their own page"
    assert everything(opened(page)) == before


def test_own_axes_stay_in_their_session(made: Path) -> None:
    def script() -> None:
        import streamlit as st

        from recsys.app.session import loaded_model, own_axes

        st.write(str(len(own_axes(loaded_model()))))

    one, other = (AppTest.from_function(script, default_timeout=PATIENCE).run() for _ in range(2))
    one.session_state["own-axes-ials"].append("an axis")
    assert [app.run().markdown[-1].value for app in (one, other)] == ["1", "0"]


@pytest.fixture
def batch(made: Path, tmp_path: Path) -> Path:
    """A finished batch that some session started."""
    request = Request(made / "models" / "ials", made / "prepared" / "ml-100k", 5, exclude_seen=True)
    folder = batch_jobs.new_batch(data_root() / "batches", request, 943)
    job = batch_jobs.QUEUE.start(folder)
    assert batch_jobs.QUEUE.wait(job, PATIENCE) and job.state == "done"
    return folder


def test_another_session_neither_finds_nor_deletes_a_batch(batch: Path) -> None:
    stranger = opened("batch")
    assert batch.name not in str(everything(stranger)) and not stranger.get("download_button")
    with_address = opened("batch", batch=batch.name)
    assert [button.key for button in with_address.button if button.key in ("batch-discard", "batch-resume")] == []
    owner = AppTest.from_function(draw, args=("batch",), default_timeout=PATIENCE)
    owner.session_state["batch"], owner.session_state["started-batches"] = batch.name, [batch.name]
    owner.run()
    assert [button.key for button in owner.button if button.key == "batch-discard"], "the control: its own session can"


@pytest.mark.parametrize(
    "name", ["../batches", "/etc", ".", "..", "0" * 31, "0" * 33, "G" * 32, "0" * 31 + "\n", "%2e%2e"]
)
def test_an_address_never_becomes_a_path(batch: Path, name: str) -> None:
    app = opened("batch", batch=name)
    assert not app.exception and not app.get("download_button")
    assert "no longer exists" in "".join(element.value for element in app.info)
