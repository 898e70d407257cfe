"""A batch does not depend on the size of its parts, reports its progress, and can be interrupted and resumed."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recsys import store
from recsys.workflows import recommend as recommend_workflow


@pytest.fixture(scope="module")
def folder(ml100k, ml100k_model, tmp_path_factory) -> Path:
    """A folder with `data`, MovieLens 100K, and `model`, the default one."""
    made = tmp_path_factory.mktemp("batch")
    store.save_prepared(made / "data", ml100k)
    store.save_model(made / "model", ml100k_model)
    return made


def test_lists_do_not_depend_on_the_size_of_parts_and_steps(folder: Path, tmp_path: Path, monkeypatch) -> None:
    def written(part_rows: int, step_users: int) -> pq.ParquetFile:
        monkeypatch.setattr(recommend_workflow, "PART_ROWS", part_rows)
        monkeypatch.setattr(recommend_workflow, "STEP_USERS", step_users)
        recommend_workflow.recommend_batch(folder / "model", folder / "data", tmp_path / "lists.parquet", n_threads=1)
        return pq.ParquetFile(tmp_path / "lists.parquet")

    whole = written(2**19, 2**14)
    assert whole.num_row_groups == 1
    for part_rows, step_users, n_parts in ((9420, 2**14, 2), (4710, 50, 3), (500, 2**14, 19), (2**19, 471, 1)):
        parted = written(part_rows, step_users)
        assert parted.num_row_groups == n_parts
        assert parted.read().equals(whole.read())


def test_progress_is_reported_within_a_part_and_never_decreases(folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recommend_workflow, "STEP_USERS", 100)
    seen: list[tuple[int, int]] = []
    recommend_workflow.recommend_batch(
        folder / "model",
        folder / "data",
        tmp_path / "lists.parquet",
        n_threads=1,
        start_progress=lambda _: lambda done, total: seen.append((done, total)),
    )
    assert seen == [(min(step * 100, 943), 943) for step in range(11)]


def test_an_exception_in_progress_interrupts_the_run_and_finished_parts_are_kept(
    folder: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(recommend_workflow, "PART_ROWS", 3000)  # 300 users: four parts

    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done > 600:
            raise Stop

    out = tmp_path / "lists.parquet"
    with pytest.raises(Stop):
        recommend_workflow.recommend_batch(folder / "model", folder / "data", out, start_progress=lambda _: stop)
    assert not out.exists()
    seen: list[int] = []
    done = recommend_workflow.recommend_batch(
        folder / "model",
        folder / "data",
        out,
        resume=True,
        start_progress=lambda _: lambda done, total: seen.append(done),
    )
    assert done.n_resumed_parts == 2
    assert seen[0] == 600 and seen[-1] == 943
    assert done.n_rows == 9430
