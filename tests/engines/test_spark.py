"""The same rows, vectors and lists with Spark as without it, on `local[2]` and, with `make attack`, on a cluster of two
workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.dataset.split import HoldOut, hold_out
from recsys.engines.session import Spark, _watched
from recsys.evaluation.ranking import rank_quality
from recsys.ingest import ratings
from recsys.models import ALS
from recsys.workflows.prepare import prepare
from recsys.workflows.recommend import recommend_batch
from recsys.workflows.train import train
from tests.engines.conftest import ON_CLUSTER, WAIT, Cluster

pytestmark = pytest.mark.slow

SETTINGS = {"n_factors": 16, "regularization": 0.15, "epochs": 10, "seed": 1}
GOOD = b"%d,%d,%.1f,%d\n"
BAD = (
    b"\n", b",10,4,100\n", b"1,10,9,100\n", b"1,10,good,100\n", b"1,10,4\n", b"\xff\xfe1,10,4,100\n",
    b'"7,10,4,100\n', b'"8","10","4",100\r\n', b"abc,10,4,100\n", b"1,10,4,yesterday\n", b"1,2,3\r4,5\n",
)  # fmt: skip


def dirty(path: Path, n: int = 60_000) -> Path:
    """A file of several sections with every kind of damaged row, duplicates, and no line break at its end."""
    rng = np.random.default_rng(0)
    lines = [
        GOOD % row
        for row in zip(
            rng.integers(1, 450, n), rng.integers(1, 135, n), rng.integers(1, 11, n) / 2, rng.integers(0, 10**9, n),
            strict=True,
        )
    ]  # fmt: skip
    for at in rng.integers(0, n, 200):
        lines[at] = BAD[at % len(BAD)]
    lines[n // 2] = lines[n // 2 + 1] = b"1,10,4," + b"9" * 2**18 + b"\n"
    path.write_bytes(b"\xef\xbb\xbfuserId,movieId,rating,timestamp\n" + b"".join(lines).removesuffix(b"\n"))
    return path


def same_files(one: Path, other: Path) -> bool:
    names = [sorted(path.name for path in folder.iterdir()) for folder in (one, other)]
    return names[0] == names[1] and all((one / name).read_bytes() == (other / name).read_bytes() for name in names[0])


def damaged_table(path: Path) -> Path:
    """A Parquet file of several row groups; some ids are missing."""
    rng = np.random.default_rng(0)
    table = {
        "user_id": rng.integers(1, 90, 10_000),
        "item_id": [None if at % 500 == 0 else str(at % 877) for at in range(10_000)],
        "rating": rng.integers(0, 11, 10_000) / 2,
    }
    pq.write_table(pa.table(table), path, row_group_size=2000)
    return path


def test_dirty_files_give_the_same_bytes(spark: Spark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratings, "BLOCK_BYTES", 2**19)
    monkeypatch.setattr(ratings, "BLOCKS_PER_SECTION", 1)
    monkeypatch.setattr(ratings, "ROWS_PER_SECTION", 3000)
    source, more = dirty(tmp_path / "ratings.csv"), damaged_table(tmp_path / "more.parquet")
    settings = {"more": [str(more)], "scale": (0.5, 5.0), "min_user": 80, "min_item": 200}
    report = prepare(str(source), tmp_path / "plain", **settings).report
    prepare(str(source), tmp_path / "spark", spark=spark, **settings)
    assert source.stat().st_size > 3 * ratings.BLOCK_BYTES and len(report["reasons"]) > 9
    assert same_files(tmp_path / "plain", tmp_path / "spark")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more.parquet", "plain", "ratings.csv", "spark"]


@pytest.fixture(scope="module")
def world(spark: Spark, ml100k: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HoldOut]:
    """A folder with the training part of MovieLens 100K, and a model that Spark trained on it; and the split."""
    folder, split = tmp_path_factory.mktemp("world"), hold_out(ml100k.interactions, "random", seed=42)
    store.save_prepared(folder / "data", Dataset(split.train, ml100k.catalog))
    done = train(folder / "data", folder / "model", settings=SETTINGS, spark=spark)
    assert done.model == "mllib" and done.interrupted is None
    return folder, split


def test_a_model_of_spark_is_a_model_like_any_other(
    spark: Spark, world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, split = world
    assert sorted(path.name for path in folder.iterdir()) == ["data", "model"]
    model = store.load_model(folder / "model")
    # The last half-sweep solves the users exactly: so what MLlib minimises is what `fold_in` solves.
    some = np.arange(0, 943, 31)
    np.testing.assert_allclose(
        model.space.user_factors[some], model.fold_in(split.train.matrix[some]), rtol=1e-3, atol=1e-4
    )
    monkeypatch.setattr("recsys.workflows.recommend.PART_ROWS", 5000)  # several parts
    for name, engine in (("plain", None), ("spark", spark)):
        recommend_batch(folder / "model", folder / "data", tmp_path / f"{name}.parquet", k=20, spark=engine)
    assert (tmp_path / "plain.parquet").read_bytes() == (tmp_path / "spark.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain.parquet", "spark.parquet"]


def test_ranking_agrees_with_als_on_movielens_100k(world, ml100k: Dataset) -> None:
    folder, split = world
    data = Dataset(split.train, ml100k.catalog)
    als = [rank_quality(ALS(n_factors=16, seed=seed).fit(data), split, (10,), auc=False)["ndcg@10"] for seed in (1, 2)]
    mllib = rank_quality(store.load_model(folder / "model"), split, (10,), auc=False)["ndcg@10"]
    assert abs(np.mean(als) - mllib) < 0.01, (als, mllib)
    assert mllib > 0.4, mllib  # a list by popularity has .25


def n_executors(session) -> int:
    return session._jsc.sc().getExecutorMemoryStatus().size() - 1


@pytest.fixture
def killable(session, cluster: Cluster) -> Iterator[Cluster]:
    """The cluster of the session; workers that are killed are replaced at the end."""
    yield cluster
    cluster.start_workers(3 - len(cluster.processes))  # the first process is the master
    wait_until(lambda: n_executors(session) == 2)


@pytest.mark.parametrize("session", [ON_CLUSTER], indirect=True)
def test_a_worker_that_is_lost_changes_nothing(
    session, spark: Spark, killable: Cluster, world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = world
    monkeypatch.setattr("recsys.workflows.recommend.PART_ROWS", 250)  # 79 parts
    recommend_batch(folder / "model", folder / "data", tmp_path / "plain.parquet")
    alive = len(killable.processes)

    def kill_one(done: int, total: int) -> None:
        if done and len(killable.processes) == alive:
            assert done < total / 4
            killable.kill_worker()

    recommend_batch(
        folder / "model", folder / "data", tmp_path / "spark.parquet", spark=spark, start_progress=lambda _: kill_one
    )
    wait_until(lambda: n_executors(session) == 1)
    assert (tmp_path / "plain.parquet").read_bytes() == (tmp_path / "spark.parquet").read_bytes()

    killable.start_workers(1)
    wait_until(lambda: n_executors(session) == 2)
    status = session.statusTracker()
    first = max(status.getActiveStageIds(), default=0)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(train, folder / "data", tmp_path / "model", settings=SETTINGS, spark=spark)
        seen: set[int] = set()
        wait_until(lambda: job.done() or seen.update(status.getActiveStageIds()) or len(seen) > 6)
        assert not job.done() and first == 0
        killable.kill_worker()
        job.result(WAIT)
    wait_until(lambda: n_executors(session) == 1)
    spaces = [store.load_model(path / "model").space for path in (folder, tmp_path)]
    np.testing.assert_allclose(spaces[0].item_factors, spaces[1].item_factors, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("session", [ON_CLUSTER], indirect=True)
def test_jobs_are_cancelled_when_all_workers_are_lost(session, killable: Cluster, tmp_path: Path) -> None:
    from py4j.protocol import Py4JError

    lost, waiting = threading.Event(), tmp_path / "waiting"

    def wait_for_file(_: int) -> None:
        while not waiting.exists():
            time.sleep(0.05)

    with _watched(session, 2, lost), ThreadPoolExecutor(1) as pool:
        job = pool.submit(lambda: session.parallelize([1], 1).foreach(wait_for_file))
        wait_until(lambda: session.statusTracker().getActiveStageIds() or job.done())
        while len(killable.processes) > 1:  # the first one is the master
            killable.kill_worker()
        with pytest.raises(Py4JError):
            job.result(WAIT)
    assert lost.is_set()


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
