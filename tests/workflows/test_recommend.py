"""A batch is the same to the last bit whatever the size of its parts, tells how far it is, and can be broken off."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from recsys import store, topk
from recsys.workflows import recommend as recommend_workflow


@pytest.fixture(scope="module")
def place(ml100k, ml100k_model, tmp_path_factory) -> Path:
    """A folder with `data`, MovieLens 100K, and `model`, the default one."""
    folder = tmp_path_factory.mktemp("batch")
    store.save_prepared(folder / "data", ml100k)
    store.save_model(folder / "model", ml100k_model)
    return folder


def test_scores_do_not_tell_where_a_part_ended(place: Path, tmp_path: Path, monkeypatch) -> None:
    def made(part_rows: int, block_users: int) -> pq.ParquetFile:
        monkeypatch.setattr(recommend_workflow, "PART_ROWS", part_rows)
        for module in (recommend_workflow, topk):
            monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 1682 * block_users)
        recommend_workflow.recommend_batch(place / "model", place / "data", tmp_path / "lists.parquet", n_threads=1)
        return pq.ParquetFile(tmp_path / "lists.parquet")

    whole = made(2**19, 2**14)
    assert whole.num_row_groups == 1
    # 943 = 942 + 1 = 2 · 471 + 1: a part, or a block, of a single user would be multiplied in another way
    for part_rows, block_users, n_parts in ((9420, 2**14, 1), (4710, 50, 2), (500, 2**14, 19), (2**19, 943, 1)):
        parted = made(part_rows, block_users)
        assert parted.num_row_groups == n_parts
        assert parted.read().equals(whole.read())


def test_progress_comes_within_a_part_and_never_goes_back(place: Path, tmp_path: Path, monkeypatch) -> None:
    for module in (recommend_workflow, topk):
        monkeypatch.setattr(module, "BLOCK_BYTES", 4 * 1682 * 101)
    seen: list[tuple[int, int]] = []
    recommend_workflow.recommend_batch(
        place / "model",
        place / "data",
        tmp_path / "lists.parquet",
        n_threads=1,
        start_progress=lambda _: lambda done, total: seen.append((done, total)),
    )
    assert seen == [(min(step * 100, 943), 943) for step in range(11)]


def test_what_progress_raises_breaks_off_and_finished_parts_are_not_made_again(
    place: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(recommend_workflow, "PART_ROWS", 3000)  # 300 users: four parts

    class Enough(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done > 600:
            raise Enough

    out = tmp_path / "lists.parquet"
    with pytest.raises(Enough):
        recommend_workflow.recommend_batch(place / "model", place / "data", out, start_progress=lambda _: stop)
    assert not out.exists()
    seen: list[int] = []
    done = recommend_workflow.recommend_batch(
        place / "model",
        place / "data",
        out,
        resume=True,
        start_progress=lambda _: lambda done, total: seen.append(done),
    )
    assert done.n_resumed_parts == 2
    assert seen[0] == 600 and seen[-1] == 943
    assert done.n_rows == 9430
