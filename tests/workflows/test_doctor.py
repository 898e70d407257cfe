"""`recsys doctor`: what it finds in sound, damaged, foreign and abandoned folders, and what it repairs."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest

from recsys import atomic, store
from recsys.dataset.dataset import Dataset
from recsys.models import IALS, Popular
from recsys.space.axis import Axes
from recsys.workflows.doctor import doctor
from recsys.workflows.finding import Finding
from tests.cli.run import recsys


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with prepared data, and a model with axes."""
    root = tmp_path_factory.mktemp("doctor")
    pairs = [(user, item) for user in range(12) for item in range(8) if (user + item) % 3]
    dataset = Dataset.from_frame(pd.DataFrame(pairs, columns=["user", "item"]))
    store.save_prepared(root / "prepared" / "mine", dataset)
    model = IALS(n_factors=2, epochs=1).fit(store.load_prepared(root / "prepared" / "mine"))
    store.save_model(root / "models" / "mine", model)
    store.save_axes(root / "models" / "mine", Axes("varimax", (), (), 42))
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    """A copy of the sound folder, to be damaged."""
    return Path(shutil.copytree(sound, tmp_path / "data"))


def found(root: Path, *, repair: bool = False) -> list[Finding]:
    """What is found in a folder, without the lines about the installation."""
    return [one for one in doctor([root], repair=repair).findings if one.section in ("data", "leftovers")]


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_sound_folder_has_no_problems_and_is_not_changed(root: Path) -> None:
    before = files(root)
    lines = found(root)
    assert [one.status for one in lines] == ["ok"] * 3
    assert [Path(one.name).name for one in lines] == ["data", "mine", "mine"]
    assert "prepared data" in lines[2].found and "model" in lines[1].found
    found(root, repair=True)
    assert files(root) == before


def _shorten(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[:-9])


def _write(name: str, text: str) -> Callable[[Path], None]:
    return lambda root: (root / name).write_text(text) and None


def _other_model(root: Path) -> None:
    axes = (root / "models/mine/axes.json").read_text()
    store.save_model(root / "models" / "mine", Popular().fit(store.load_prepared(root / "prepared" / "mine")))
    (root / "models/mine/axes.json").write_text(axes)


def _fifo(root: Path) -> None:
    (root / "models/mine/items.parquet").unlink()
    os.mkfifo(root / "models/mine/items.parquet")


@pytest.mark.parametrize(
    ("damage", "name", "remedy"),
    [
        (_shorten("models/mine/item_factors.parquet"), "models/mine", "recsys train"),
        (_shorten("prepared/mine/users.parquet"), "prepared/mine", "recsys prepare"),
        (lambda root: (root / "models/mine/manifest.json").unlink(), "models/mine", "recsys train"),
        (lambda root: (root / "prepared/mine/items.parquet").unlink(), "prepared/mine", "recsys prepare"),
        (_write("models/mine/manifest.json", "[" * 100_000), "models/mine", "recsys train"),
        (_write("models/mine/manifest.json", '{"format_version": 99}'), "models/mine", "recsys train"),
        (_write("prepared/mine/report.json", "null"), "prepared/mine", "recsys prepare"),
        (_write("models/mine/axes.json", '{"model": 1}'), "models/mine/axes.json", "recsys axes"),
        (_write("models/mine/ranking.json", "{}"), "models/mine/ranking.json", "recsys evaluate"),
        (_write("models/mine/report.json", "{}"), "models/mine/report.json", "recsys report"),
        (_write("models/mine/clusters.parquet", "x"), "models/mine/clusters.parquet", "recsys clusters"),
        (_write("models/mine/map-tsne.parquet", "x"), "models/mine/map-tsne.parquet", "recsys map --method tsne"),
        (_other_model, "models/mine/axes.json", "recsys axes"),
        (_fifo, "models/mine", "recsys train"),
    ],
    ids=[
        "model file cut", "prepared file cut", "manifest gone", "prepared file gone", "deep manifest", "future version",
        "report null", "axes", "ranking", "report", "clusters", "map", "axes of another model", "a pipe",
    ],
)  # fmt: skip
def test_each_damage_is_a_problem_with_a_remedy(
    damage: Callable[[Path], None], name: str, remedy: str, root: Path
) -> None:
    damage(root)
    (problem,) = (one for one in found(root) if one.status == "problem")
    assert problem.name == str(root / name)
    assert remedy in problem.remedy
    assert "\n" not in problem.found and problem.found


def test_a_dataset_that_lost_a_file_is_a_problem(root: Path) -> None:
    folder = root / "raw" / "ml-1m"
    folder.mkdir(parents=True)
    (folder / "SOURCE.json").write_text('{"dataset": "ml-1m", "bytes": {"ratings.dat": 3, "movies.dat": 3}}')
    (folder / "ratings.dat").write_text("abc")
    (problem,) = (one for one in found(root) if one.status == "problem")
    assert "recsys fetch ml-1m" in problem.remedy
    (folder / "movies.dat").write_text("abc")
    (line,) = (one for one in found(root) if one.name == str(folder))
    assert (line.status, line.found.split(", ")[0]) == ("ok", "dataset ml-1m")


def test_leftovers_are_notes_until_they_are_repaired(root: Path) -> None:
    leftovers = [
        root / "models" / ".mine.999-0123abcd.recsys-tmp",
        root / "prepared" / ".mine.recsys-lock",
        root / "raw" / ".ml-1m.999-0123abcd.recsys-tmp",
        root / ".lists.parquet.parts" / ".000001.parquet.999-0123abcd.recsys-tmp",
    ]
    kept = [root / ".lists.parquet.parts" / "plan.json", root / "raw" / "ml-1m.zip.part"]
    for path in (*leftovers, *kept):
        path.parent.mkdir(exist_ok=True)
        path.write_text("half")
    (root / "models" / "mine").rename(root / "models" / ".mine.recsys-old")  # killed between two renames
    lines = [one for one in found(root) if one.section == "leftovers"]
    assert {one.status for one in lines} == {"note"}
    assert {one.name for one in lines} == {
        *map(str, leftovers), str(root / "models" / ".mine.recsys-old"), str(kept[0].parent), str(kept[1])
    }  # fmt: skip
    assert all(path.exists() for path in leftovers)

    repaired = found(root, repair=True)
    assert not [one for one in repaired if one.status == "problem"]
    assert {one.name for one in repaired if one.found.startswith("removed")} >= set(map(str, leftovers))
    assert not [path for path in leftovers if path.exists()]
    assert all(path.exists() for path in kept)
    assert store.damaged_files(root / "models" / "mine", store.MODEL) == []
    lines = [one for one in found(root) if one.section == "leftovers"]
    assert {one.name for one in lines} == {str(kept[0].parent), str(kept[1])}


def test_what_another_process_writes_is_left_alone(root: Path) -> None:
    temporary = root / "models" / ".mine.999-0123abcd.recsys-tmp"
    with atomic.lock(root / "models" / "mine"):
        temporary.mkdir()
        lines = [one for one in found(root) if one.section == "leftovers"]
        assert [one.found for one in lines] == ["mine is being written by another process"] * 2
        with ThreadPoolExecutor(1) as other:  # the same thread may take its own lock again
            lines = other.submit(found, root, repair=True).result()
    assert temporary.exists()
    assert [one.status for one in lines if one.section == "leftovers"] == ["note"] * 2


def test_batches_are_listed_with_what_becomes_of_them(root: Path) -> None:
    request = {"model": "m", "data": "d", "k": 3, "exclude_seen": True, "users": None}
    states = {"0" * 32: "resume", "1" * 32: "removes it", "2" * 32: "remove the folder"}
    for name in states:
        (root / "batches" / name).mkdir(parents=True)
        (root / "batches" / name / "request.json").write_text(json.dumps(request))
    (root / "batches" / ("2" * 32) / "request.json").write_text("{")
    long_ago = time.time() - 100_000
    os.utime(root / "batches" / ("1" * 32) / "request.json", (long_ago, long_ago))
    remedies = {Path(one.name).name: one.remedy for one in found(root)}
    for name, words in states.items():
        assert words in remedies[name]


def test_a_root_that_is_no_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "missing", "x" * 300, "file/below", "nul\0"):
        (problem,) = found(tmp_path / name)
        assert (problem.status, problem.name) == ("problem", str(tmp_path / name))


def test_a_circle_of_links_ends(root: Path) -> None:
    (root / "models" / "circle").symlink_to(root)
    assert [one.status for one in found(root) if one.status == "problem"] == []


def test_the_command_prints_everything_and_ends_with_2_for_a_problem(root: Path) -> None:
    done = recsys("doctor", "--data", root, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert printed["problems"] == 0
    names = [one["name"] for one in printed["findings"]]
    assert {"python", "packages", "extra tune", "threads", "memory", "cache of kernels", "chromium"} <= set(names)
    _shorten("models/mine/items.parquet")(root)
    done = recsys("doctor", "--data", root)
    assert done.returncode == 2
    assert done.stderr == "recsys: 1 problem found; each is listed with what to do about it\n"
    assert f"  problem  {root / 'models' / 'mine'}: model: items.parquet" in done.stdout
    assert "→ recsys train" in done.stdout


@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [("RECSYS_MAX_MEMORY", "much", "memory"), ("RECSYS_DATA", "~nobody-of-that-name/x", "RECSYS_DATA")],
)
def test_settings_that_cannot_be_read_are_problems(
    variable: str, value: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    (problem,) = (one for one in doctor().findings if one.status == "problem")
    assert problem.name == name and problem.remedy


def test_missing_and_old_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from recsys.workflows import examine_installation

    versions = {"numpy": "1.26.0", "optuna": None}
    real = examine_installation._version
    monkeypatch.setattr(examine_installation, "_version", lambda name: versions.get(name, real(name)))
    findings = {one.name: one for one in doctor([tmp_path]).findings}
    assert findings["numpy"].status == "problem" and "pip install 'numpy" in findings["numpy"].remedy
    assert findings["extra tune"].status == "note" and "recsys tune" in findings["extra tune"].remedy


def test_a_folder_for_kernels_that_cannot_be_written_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    (problem,) = (one for one in doctor([tmp_path]).findings if one.status == "problem")
    assert "NUMBA_CACHE_DIR" in problem.remedy
