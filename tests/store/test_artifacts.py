"""Artifacts: what is replaced, what is refused, and reads while another process replaces a folder."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.errors import InputError
from recsys.models import ALS, Model
from recsys.store import MODEL, PREPARED

DATA = Dataset.from_frame(pd.DataFrame({"user": list("aabbcc"), "item": [1, 2, 2, 3, 1, 3]}))


def trained(seed: int = 1) -> Model:
    return ALS(n_factors=2, seed=seed, epochs=1).fit(DATA)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """A folder with a model "m" and prepared data "p"."""
    store.save_model(tmp_path / "m", trained())
    store.save_prepared(tmp_path / "p", DATA)
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_artifact_is_replaced_by_its_own_kind_only(folders: Path) -> None:
    before = content(folders / "m"), content(folders / "p")
    with pytest.raises(InputError, match=r"m: contains a model and will not be replaced"):
        store.save_prepared(folders / "m", DATA)
    with pytest.raises(InputError, match=r"p: contains prepared data and will not be replaced"):
        store.save_model(folders / "p", trained())
    assert (content(folders / "m"), content(folders / "p")) == before
    store.save_model(folders / "m", trained(seed=2))
    store.save_prepared(folders / "p", DATA)
    assert content(folders / "m") != before[0] and content(folders / "p") == before[1]


@pytest.mark.parametrize("marker", ["{}", "", "[1]", '{"artifact": "thesis"}', '{"artifact": ["model"]}'])
def test_a_file_called_like_a_marker_makes_no_artifact(marker: str, tmp_path: Path) -> None:
    for name in (MODEL.marker, PREPARED.marker):
        (tmp_path / name).write_text(marker)
    before = content(tmp_path)
    for save in (lambda: store.save_model(tmp_path, trained()), lambda: store.save_prepared(tmp_path, DATA)):
        with pytest.raises(InputError, match="contains other files and will not be replaced"):
            save()
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["thesis.docx", "map-.parquet", "manifest.json.bak", "plan.json", ".hidden", "folder/x"]
)
def test_an_artifact_with_a_foreign_file_is_not_replaced(name: str, folders: Path) -> None:
    foreign = folders / "m" / name
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("mine")
    with pytest.raises(InputError, match="which recsys did not write, and will not be replaced"):
        store.save_model(folders / "m", trained(seed=2))
    assert foreign.read_text() == "mine"


def test_a_marker_without_its_list_of_files_makes_no_artifact(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"artifact": "model"}')
    (tmp_path / "report.html").write_text("mine")
    before = content(tmp_path)
    with pytest.raises(InputError, match="has format version None"):
        store.save_model(tmp_path, trained())
    assert content(tmp_path) == before


def test_files_that_the_marker_does_not_list_are_foreign(folders: Path) -> None:
    (folders / "m" / "item_weights.parquet").write_text("mine")
    with pytest.raises(InputError, match="which recsys did not write"):
        store.save_model(folders / "m", trained(seed=2))


@pytest.mark.parametrize("name", [".m2.recsys-old", ".m2.12-0123abcd.recsys-tmp", ".axes.json.recsys-old"])
def test_the_only_copy_of_another_folder_is_no_leftover_of_this_one(name: str, folders: Path) -> None:
    for folder in (folders / "m", folders / "new"):
        shutil.copytree(folders / "p", folder / name)
        with pytest.raises(InputError, match="will not be replaced"):
            store.save_model(folder, trained(seed=2))
        assert (folder / name / "users.parquet").exists()


def test_folders_that_recsys_wrote_are_protected_when_they_are_damaged_old_or_downloaded(folders: Path) -> None:
    (folders / "m" / "manifest.json").write_text("{")
    (folders / "p" / "report.json").write_text('{"format_version": 1}')
    (folders / "raw").mkdir()
    (folders / "raw" / "SOURCE.json").write_text("{}")
    for out in (folders / "m" / "items.parquet", folders / "p" / "x.json", folders / "raw" / "u.data"):
        with pytest.raises(InputError, match="which recsys wrote; choose an --out outside of it"):
            store.check_outputs(out)


def test_leftovers_and_everything_that_belongs_to_a_model_are_replaced_with_it(folders: Path) -> None:
    for name in (
        "axes.json",
        "map-tsne.parquet",
        "clusters.parquet",
        "report.html",
        ".axes.json.12-0123abcd.recsys-tmp",
    ):
        (folders / "m" / name).write_text("")
    store.save_model(folders / "m", trained(seed=2))
    assert len(content(folders / "m")) == 4


def test_outputs_that_would_overwrite_an_input_or_an_artifact_are_refused(folders: Path) -> None:
    ratings = folders / "ratings.csv"
    ratings.write_text("user,item\n1,2\n")
    (folders / "link.csv").symlink_to(ratings)
    (folders / "hard.csv").hardlink_to(ratings)
    m, p = folders / "m", folders / "p"
    for out, inputs, words in (
        (ratings, [ratings], "is an input, which would be overwritten"),
        (folders / "link.csv", [ratings], "is an input, which would be overwritten"),
        (folders / "hard.csv", [ratings], "is an input, which would be overwritten"),
        (p, [p], "is an input, which would be overwritten"),
        (folders, [ratings], "contains the input"),
        (p / "interactions.parquet", [m, p], "is in the input"),
        (m / "manifest.html", [m], "is in the input"),
        (p / "lists.parquet", [], r"is in .*p, which recsys wrote"),
        (p / "a" / "b" / "lists.parquet", [], r"is in .*p, which recsys wrote"),
        (folders / "m" / ".." / "p" / "x", [], r"is in .*p, which recsys wrote"),
    ):
        with pytest.raises(InputError, match=words):
            store.check_outputs(out, inputs=inputs)
    store.check_outputs(m / "ranking.json", inputs=[m, p, None], own=[m / "ranking.json"])
    store.check_outputs(folders / "lists.parquet", p / ".." / "x", m, inputs=[p, ratings])


def test_the_files_of_another_model_are_refused(folders: Path) -> None:
    store.save_model(folders / "other", trained(seed=2))
    shutil.copy(folders / "other" / "item_factors.parquet", folders / "m")
    assert store.damaged_files(folders / "m", MODEL) == [
        "item_factors.parquet is not the file that was written: its checksum differs"
    ]
    with pytest.raises(InputError, match=r"item_factors\.parquet is not the file that was written"):
        store.load_model(folders / "m")


def test_a_reader_that_is_overtaken_many_times_reads_on(folders: Path) -> None:
    n_reads = 0

    def read(artifact: store.artifacts.Artifact) -> str:
        nonlocal n_reads
        n_reads += 1
        if n_reads <= 15:
            store.save_model(folders / "m", trained(seed=n_reads + 1))
        with artifact.open("item_factors.parquet"):
            return artifact.fingerprint

    assert store.artifacts.read_artifact(folders / "m", MODEL, read) == store.load_model(folders / "m").fingerprint
    assert n_reads == 16


def test_what_belongs_to_a_replaced_model_is_neither_stored_nor_read(folders: Path) -> None:
    old = store.load_model(folders / "m")
    axes = folders / "axes.json"
    store.save_axes(folders / "m", _no_axes(), old.fingerprint)
    shutil.copy(folders / "m" / "axes.json", axes)
    store.save_model(folders / "m", trained(seed=2))
    with pytest.raises(InputError, match="another process replaced the model meanwhile; run this again"):
        store.save_axes(folders / "m", _no_axes(), old.fingerprint)
    shutil.copy(axes, folders / "m")
    with pytest.raises(InputError, match="belongs to another model"):
        store.load_axes(folders / "m")


def _no_axes() -> store.axes.Axes:
    return store.axes.Axes("varimax", (), (), 0)


def replace(folder: Path, models: list[Model], is_done: Callable[[], bool]) -> None:
    number = 0
    while not is_done():
        number += 1
        store.save_model(folder, models[number % 2])


@pytest.mark.parametrize("exchange", [True, False])
def test_a_reader_never_sees_two_models_mixed(exchange: bool, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exchange:
        monkeypatch.setattr("recsys.atomic._exchange", lambda one, other: False)
    models = [trained(1), trained(2)]
    known = {model.space.item_factors.tobytes() for model in models}
    context = multiprocessing.get_context("fork")
    is_done = context.Event()
    writer = context.Process(target=replace, args=(folders / "m", models, is_done.is_set))
    writer.start()
    try:
        found = {store.load_model(folders / "m").space.item_factors.tobytes() for _ in range(60)}
    finally:
        is_done.set()
        writer.join()
    assert writer.exitcode == 0
    assert found <= known


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"format_version": 3},
            "has format version 3, but this version of recsys reads 2; create it with",
        ),
        ({"artifact": "prepared data"}, "is not a model"),
        ({"files": {"../../x": {}}}, "does not list the files of a model"),
        ({"files": ["items.parquet"]}, "does not list the files of a model"),
        ({"files": {}}, "items.parquet is missing"),
        ({"files": {"items.parquet": None}}, "items.parquet is not the file that was written"),
    ],
)
def test_a_marker_that_cannot_be_used_gives_one_line(change: dict[str, object], words: str, folders: Path) -> None:
    path = folders / "m" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=words):
        store.load_model(folders / "m")
