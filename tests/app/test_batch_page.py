"""The page Batch: generate lists for many users, download them, compare two models, and report errors."""

from __future__ import annotations

import os
import shlex
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.ingest.datasets import data_root
from recsys.models import MODELS
from recsys.progress import StartProgress
from recsys.workflows import batch_files, batch_jobs
from recsys.workflows import recommend as recommend_workflow

PATIENCE = 60.0
NAME = "ml-100k"


@pytest.fixture(scope="module")
def made(ml100k, tmp_path_factory) -> Path:
    """A data folder with MovieLens 100K, the default model and that of what is popular."""
    root = tmp_path_factory.mktemp("page")
    store.save_prepared(root / "prepared" / NAME, ml100k)
    for name in ("ials", "popular"):
        model = (
            MODELS[name]()
            .fit(Dataset(ml100k.interactions, ml100k.catalog, name=NAME))
            .with_data_path(root / "prepared" / NAME)
        )
        store.save_model(root / "models" / f"{NAME}-{name}", model)
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path, monkeypatch) -> Path:
    """The models of `made`, and a data folder of the test's own for its batches."""
    monkeypatch.setenv("RECSYS_MODELS", str(made / "models"))
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
    return made


@pytest.fixture
def app(root: Path) -> AppTest:
    return opened()


def opened(begun: tuple[str, ...] = (), **query: str) -> AppTest:
    """The page at an address; `begun` are the batches that this session is to have begun."""

    def script() -> None:
        from recsys.app.pages import batch

        batch.page()

    test = AppTest.from_function(script, default_timeout=PATIENCE)
    test.session_state["started-batches"] = list(begun)
    for key, value in query.items():
        test.query_params[key.replace("_", "-")] = value
    test.run()
    assert not test.exception
    return test


def folder_of(app: AppTest) -> Path:
    """Where the batch that the page shows lies."""
    found = batch_files.find_batch(data_root() / "batches", app.session_state["batch"])
    assert found is not None
    return found


def generate(app: AppTest) -> None:
    """Press Generate, wait until the batch is over if one was begun, and draw again."""
    app.button(key="batch-generate").click().run()
    assert not app.exception
    if "batch" in app.session_state:
        job = batch_jobs.QUEUE.find(folder_of(app))
        assert job is not None and batch_jobs.QUEUE.wait(job, PATIENCE)
        app.run()
        assert not app.exception


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def errors(app: AppTest) -> list[str]:
    return [element.value.replace("\\", "") for element in app.error]


def test_lists_for_all_users_can_be_viewed_and_downloaded(app: AppTest) -> None:
    app.number_input(key="batch-k").set_value(3)
    generate(app)
    assert {metric.label: metric.value for metric in app.metric} == {"Users": "943", "Rows": "2,829"}
    assert len(app.get("download_button")) == 2
    shown = app.dataframe[0].value
    assert len(shown) == 100 and shown.columns.tolist() == ["user", "#", "title", "year", "genres", "score"]
    app.text_input(key="batch-lookup").set_value("42").run()
    shown = app.dataframe[0].value
    assert shown["user"].tolist() == ["42"] * 3 and shown["#"].tolist() == [1, 2, 3]
    assert shown["year"].between(1920, 2000).all() and shown["genres"].str.len().min() > 0
    assert not shown["title"].str.isdigit().any()
    app.text_input(key="batch-lookup").set_value("nobody").run()
    assert [element.value for element in app.warning] == ["nobody is not in this batch."]


def test_the_address_of_a_batch_works_in_another_session(app: AppTest) -> None:
    app.number_input(key="batch-k").set_value(1)
    generate(app)
    name = folder_of(app).name
    assert name in app.query_params["batch"]
    again = opened(batch=name)
    assert {metric.label: metric.value for metric in again.metric}["Rows"] == "943"
    shutil.rmtree(folder_of(app))
    late = opened(batch=name)
    assert [element.value for element in late.info] == [
        "The batch at this address no longer exists: batches are kept for one day."
    ]
    assert "batch" not in late.query_params
    assert not opened(batch="../../etc").metric


def test_chosen_users_and_unused_lines(app: AppTest) -> None:
    app.segmented_control(key="batch-who").set_value("Chosen users").run()
    app.text_area(key="batch-typed").set_value("7, 3 7\nghost")
    app.number_input(key="batch-k").set_value(2)
    generate(app)
    assert {metric.label: metric.value for metric in app.metric} == {"Users": "2", "Rows": "4"}
    assert app.warning[0].value.startswith("Lines of your list that were not used: 2.")
    unused, lists = (frame.value for frame in app.dataframe)
    assert unused["text"].tolist() == ["7", "ghost"]
    assert unused["reason"].tolist() == ["user is listed twice", "user is not in the data"]
    assert lists["user"].tolist() == ["7", "7", "3", "3"]


def test_an_empty_list_and_unknown_users_give_a_one_line_error(app: AppTest) -> None:
    app.segmented_control(key="batch-who").set_value("Chosen users").run()
    generate(app)
    assert errors(app) == ["No users given. Enter at least one user id, or choose a file."]
    assert not (data_root() / "batches").exists()
    app.text_area(key="batch-typed").set_value("99999")
    generate(app)
    (line,) = errors(app)
    assert line.startswith("This batch cannot be generated: list.txt: line 1: user '99999' is not in the data")
    assert not app.dataframe and not app.get("download_button")
    failed = folder_of(app)
    app.button(key="batch-discard").click().run()
    assert not failed.exists() and not errors(app)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.csv", b"", "empty.csv: holds no user ids"),
        ("film.bin", b"\x89\xff\x00", "film.bin: line 1: is not UTF-8 text"),
    ],
)
def test_a_file_without_users_gives_a_one_line_error(app: AppTest, name: str, content: bytes, words: str) -> None:
    app.segmented_control(key="batch-who").set_value("Users from a file").run()
    app.file_uploader(key="batch-file").upload(name, content).run()
    generate(app)
    (line,) = errors(app)
    assert line.startswith(f"This batch cannot be generated: {words}")
    assert list((data_root() / "batches").iterdir()) == []


def test_a_stopped_batch_can_be_resumed_or_discarded(app: AppTest, root: Path) -> None:
    request = batch_files.Request(root / "models" / f"{NAME}-popular", root / "prepared" / NAME, 2, True)
    # asked for, and the app ended before it was made
    stopped = batch_jobs.new_batch(data_root() / "batches", request, 943)
    other = batch_jobs.new_batch(data_root() / "batches", request, 943)
    page = opened((stopped.name,), batch=stopped.name)
    assert page.warning[0].value.startswith("Stopped before it finished.")
    page.button(key="batch-resume").click().run()
    job = batch_jobs.QUEUE.find(stopped)
    assert job is not None and batch_jobs.QUEUE.wait(job, PATIENCE)
    page.run()
    assert {metric.label: metric.value for metric in page.metric}["Rows"] == "1,886"
    page = opened((other.name,), batch=other.name)
    page.button(key="batch-discard").click().run()
    assert not other.exists() and stopped.exists()
    assert "batch" not in page.query_params and not page.warning


def keys(app: AppTest) -> set[str | None]:
    return {button.key for button in app.button}


def test_other_sessions_can_download_a_batch_but_not_change_it(app: AppTest, root: Path) -> None:
    app.number_input(key="batch-k").set_value(1)
    generate(app)
    mine = folder_of(app)
    assert "batch-discard" in keys(app)
    visitor = opened(batch=mine.name)
    assert "batch-discard" not in keys(visitor) and len(visitor.get("download_button")) == 2
    request = batch_files.Request(root / "models" / f"{NAME}-popular", root / "prepared" / NAME, 2, True)
    stopped = batch_jobs.new_batch(data_root() / "batches", request, 943)
    visitor = opened(batch=stopped.name)
    assert visitor.warning[0].value.endswith("Only the session that started it can resume it.")
    assert not {"batch-resume", "batch-discard", "batch-cancel"} & keys(visitor)
    lost = batch_files.Request(root / "models" / "gone", root / "prepared" / NAME, 2, True)
    failed = batch_jobs.new_batch(data_root() / "batches", lost, 943)
    assert batch_jobs.QUEUE.wait(batch_jobs.QUEUE.start(failed), PATIENCE)
    visitor = opened(batch=failed.name)
    assert len(visitor.error) == 1 and not {"batch-resume", "batch-discard"} & keys(visitor)


def test_a_session_keeps_its_last_few_batches(app: AppTest) -> None:
    app.number_input(key="batch-k").set_value(1)
    made = []
    for _ in range(batch_jobs.MAX_PER_SESSION + 1):
        generate(app)
        made.append(folder_of(app))
    assert [folder.exists() for folder in made] == [False, *[True] * batch_jobs.MAX_PER_SESSION]
    assert app.session_state["started-batches"] == [folder.name for folder in made[1:]]


def test_too_many_rows_give_the_command_for_a_terminal(app: AppTest, root: Path, monkeypatch) -> None:
    monkeypatch.setattr(batch_jobs, "MAX_ROWS", 10)
    app.checkbox(key="batch-unseen").uncheck().run()
    assert shlex.split(app.code[0].value) == [
        "recsys", "recommend", "--model", str(root / "models" / f"{NAME}-ials"), "--data",
        str(root / "prepared" / NAME), "-k", "10", "--include-seen", "--out", "lists.parquet",
    ]  # fmt: skip
    app.segmented_control(key="batch-who").set_value("Users from a file").run()
    app.file_uploader(key="batch-file").upload("my users; rm.txt", b"1\n2\n").run()
    app.button(key="batch-generate").click().run()
    assert "more than 10 rows" in app.error[0].value
    words = shlex.split(app.code[0].value)
    assert words[words.index("--users") + 1] == "my users; rm.txt" and "--include-seen" in words


@pytest.fixture
def held(monkeypatch) -> Iterator[threading.Event]:
    """Makes every batch stop after 300 of 943 users, until the event is set; then it ends as cancelled."""
    release = threading.Event()

    def recommend_batch(*_: object, start_progress: StartProgress, **__: object) -> None:
        progress = start_progress("recommending")
        progress(0, 943)
        progress(300, 943)
        assert release.wait(PATIENCE)
        raise batch_jobs.Cancelled

    monkeypatch.setattr(recommend_workflow, "recommend_batch", recommend_batch)
    yield release
    release.set()


def progress_text(app: AppTest) -> str:
    app.run()
    assert not app.exception
    (bar,) = app.get("progress")
    return bar.proto.text


def test_a_running_batch_shows_its_progress_and_disables_the_form(app: AppTest, root: Path, held, monkeypatch) -> None:
    monkeypatch.setattr(batch_jobs.Job, "seconds_left", 7.2)
    app.button(key="batch-generate").click().run()
    job = batch_jobs.QUEUE.find(folder_of(app))
    assert job is not None
    wait_until(lambda: job.done == 300)
    assert progress_text(app) == "300 of 943 users · 7 s left"
    assert app.button(key="batch-generate").disabled
    assert not app.button(key="batch-cancel").disabled
    held.set()
    assert batch_jobs.QUEUE.wait(job, PATIENCE)
    app.run()
    assert app.warning[0].value.startswith("Stopped after 300 of 943 users.")
    assert not app.button(key="batch-generate").disabled


def test_a_batch_waits_while_others_run(app: AppTest, root: Path, held) -> None:
    request = batch_files.Request(root / "models" / f"{NAME}-popular", root / "prepared" / NAME, 2, True)
    others = [batch_jobs.new_batch(data_root() / "batches", request, 943) for _ in range(batch_jobs.MAX_RUNNING + 1)]
    jobs = [batch_jobs.QUEUE.start(folder) for folder in others]
    app.button(key="batch-generate").click().run()
    jobs.append(batch_jobs.QUEUE.find(folder_of(app)))
    assert progress_text(app) == "2 other batches are running; yours is queued. 1 more ahead of it."
    batch_jobs.QUEUE.cancel(jobs[2])
    assert progress_text(app) == "2 other batches are running; yours is queued."
    app.button(key="batch-cancel").click().run()
    assert app.warning[0].value.startswith("Stopped before it finished.")
    held.set()
    assert all(batch_jobs.QUEUE.wait(job, PATIENCE) for job in jobs)


def test_two_models_are_compared(root: Path) -> None:
    app = opened(batch_part="Compare two models")
    assert [app.selectbox(key=f"compare-{letter}").value for letter in "ab"] == [f"{NAME}-ials", f"{NAME}-popular"]
    text = {metric.label: metric.value for metric in app.metric}
    assert text["In both lists"].endswith(" of 10") and 0 <= float(text["Rank-biased overlap"]) < 1
    signs = [element.value for element in app.markdown if "badge[" in element.value]
    assert len(signs) == 20
    n_common = int(text["In both lists"].split()[0])
    assert sum("✓" in sign for sign in signs) == 2 * n_common
    assert sum("○" in sign for sign in signs) == 20 - 2 * n_common
    assert app.subheader[0].value == "Random sample of 500 users"
    unknown = opened(batch_part="Compare two models", compare_user="nobody")
    assert errors(unknown) == ["unknown user id: 'nobody' (ids look like 1)"]
    assert unknown.subheader[0].value == "Random sample of 500 users"
    app.selectbox(key="compare-user").set_value(7).run()
    app.selectbox(key="compare-b").set_value(f"{NAME}-ials").run()
    assert [element.value for element in app.info] == ["Choose two different models."]


def test_a_single_model_gives_the_command_to_train_another(root: Path, tmp_path: Path, monkeypatch) -> None:
    folder = shutil.copytree(root / "models" / f"{NAME}-ials", tmp_path / "models" / f"{NAME}-ials")
    manifest = store.read_json(folder / "manifest.json")
    manifest["data"]["path"] = os.path.relpath(root / "prepared" / NAME, folder)
    store.write_json(folder / "manifest.json", manifest)
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path / "models"))
    app = opened(batch_part="Compare two models")
    assert "Only one model" in app.info[0].value
    assert app.code[0].value.startswith("recsys train --data") and "--model ease" in app.code[0].value


def test_missing_data_give_the_command_to_prepare_them(root: Path, tmp_path: Path, monkeypatch) -> None:
    shutil.copytree(root / "models" / f"{NAME}-ials", tmp_path / "elsewhere" / "models" / f"{NAME}-ials")
    monkeypatch.setenv("RECSYS_MODELS", str(tmp_path / "elsewhere" / "models"))
    app = opened()
    assert "training data of this model was not found" in app.info[0].value
    assert app.code[0].value.startswith(f"recsys prepare {NAME} --out ")
