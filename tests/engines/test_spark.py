"""The same rows, vectors and lists with Spark as without it, on `local[2]` and on a cluster of two workers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.dataset.split import hold_out
from recsys.engines.als import fit
from recsys.engines.session import Spark, connected
from recsys.engines.tasks import shared_folder
from recsys.errors import Unavailable, Unsupported
from recsys.evaluation.ranking import rank_quality
from recsys.ingest import ratings
from recsys.models import ALS, MLlibALS
from recsys.workflows.prepare import prepare
from recsys.workflows.recommend import recommend_batch
from recsys.workflows.train import train

pytestmark = pytest.mark.slow

GOOD = b"%d,%d,%.1f,%d\n"
BAD = (
    b"\n", b",10,4,100\n", b"1,10,9,100\n", b"1,10,good,100\n", b"1,10,4\n", b"\xff\xfe1,10,4,100\n",
    b'"7,10,4,100\n', b'"8","10","4",100\r\n', b"abc,10,4,100\n", b"1,10,4,yesterday\n", b"1,2,3\r4,5\n",
)  # fmt: skip


def dirty(path: Path, n: int = 400_000) -> Path:
    """A file of several sections with every kind of damaged row, duplicates, and no line break at its end."""
    rng = np.random.default_rng(0)
    lines = [
        GOOD % row
        for row in zip(
            rng.integers(1, 3000, n), rng.integers(1, 900, n), rng.integers(1, 11, n) / 2, rng.integers(0, 10**9, n),
            strict=True,
        )
    ]  # fmt: skip
    for at in rng.integers(0, n, 500):
        lines[at] = BAD[at % len(BAD)]
    lines[n // 2] = lines[n // 2 + 1] = b"1,10,4," + b"9" * 2**21 + b"\n"
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
    monkeypatch.setattr(ratings, "BLOCKS_PER_SECTION", 1)
    monkeypatch.setattr(ratings, "ROWS_PER_SECTION", 3000)
    source, more = dirty(tmp_path / "ratings.csv"), damaged_table(tmp_path / "more.parquet")
    settings = {"more": [str(more)], "scale": (0.5, 5.0), "min_user": 110, "min_item": 200}
    report = prepare(str(source), tmp_path / "plain", **settings).report
    prepare(str(source), tmp_path / "spark", spark=spark, **settings)
    assert source.stat().st_size > 3 * ratings.BLOCK_BYTES and len(report["reasons"]) > 9
    assert same_files(tmp_path / "plain", tmp_path / "spark")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["more.parquet", "plain", "ratings.csv", "spark"]


def test_a_model_of_spark_is_a_model_like_any_other(
    spark: Spark, ml100k: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, folder = tmp_path / "data", tmp_path / "model"
    store.save_prepared(data, ml100k)
    done = train(data, folder, settings={"n_factors": 8, "epochs": 2}, spark=spark)
    assert done.model == "mllib" and done.interrupted is None
    model = store.load_model(folder)
    # The last half-sweep solves the users exactly: so what MLlib minimises is what `fold_in` solves.
    some = np.arange(0, 943, 31)
    np.testing.assert_allclose(
        model.space.user_factors[some], model.fold_in(ml100k.interactions.matrix[some]), rtol=1e-3, atol=1e-4
    )
    monkeypatch.setattr("recsys.workflows.recommend.PART_ROWS", 5000)  # several parts
    for name, engine in (("plain", None), ("spark", spark)):
        recommend_batch(folder, data, tmp_path / f"{name}.parquet", k=20, spark=engine)
    assert (tmp_path / "plain.parquet").read_bytes() == (tmp_path / "spark.parquet").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "model", "plain.parquet", "spark.parquet"]


def test_ranking_agrees_with_als_on_movielens_100k(session, spark: Spark, ml100k: Dataset, tmp_path: Path) -> None:
    split = hold_out(ml100k.interactions, "random", seed=42)
    data = Dataset(split.train, ml100k.catalog)
    quality: dict[str, list[float]] = {"als": [], "mllib": []}
    for seed in (1, 2) if spark.is_local else (3, 4):
        learner = MLlibALS(n_factors=16, regularization=0.15, epochs=10, seed=seed)
        with shared_folder(tmp_path / "out") as folder:
            found = fit(session, learner, data, None, folder)
        for name, model in (("als", ALS(n_factors=16, seed=seed).fit(data)), ("mllib", found)):
            quality[name].append(rank_quality(model, split, (10,), auc=False)["ndcg@10"])
    assert abs(np.mean(quality["als"]) - np.mean(quality["mllib"])) < 0.01, quality
    assert min(quality["mllib"]) > 0.4, quality  # a list by popularity has .25


def test_what_is_missing_is_one_line(tmp_path: Path, needs_spark, monkeypatch: pytest.MonkeyPatch) -> None:
    for master in ("spark://127.0.0.1:1", "spark://nobody.invalid:7077"):
        with (
            pytest.raises(Unavailable, match=f"{master}: the Spark master cannot be reached"),
            connected(Spark(master)),
        ):
            raise AssertionError
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(Unavailable, match="needs Java, which is not in"), connected(Spark("local[2]")):
        raise AssertionError
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"needs pyspark: python -m pip install 'recsys-atlas\[spark\]'"):
        prepare(str(dirty(tmp_path / "r.csv", 10)), tmp_path / "out", spark=Spark("local[2]"))
    assert not (tmp_path / "out").exists()


def test_a_model_without_vectors_is_refused(ml100k: Dataset, tmp_path: Path) -> None:
    store.save_prepared(tmp_path / "data", ml100k)
    train(tmp_path / "data", tmp_path / "model", model="popular")
    with pytest.raises(Unsupported):
        recommend_batch(tmp_path / "model", tmp_path / "data", tmp_path / "l.parquet", spark=Spark("local[2]"))
