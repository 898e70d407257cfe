"""Stored files: the documented format, and safe writes and reads of damaged files."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import NO_TIME, Interactions
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError
from recsys.ingest.validation import REJECTED
from recsys.models import ALS, BPR, Model, Popular
from recsys.space.item_map import ItemMap
from recsys.space.layout import make_map

RNG = np.random.default_rng(4)
DENSE = RNG.integers(1, 6, size=(15, 12)) * (RNG.random((15, 12)) < 0.5)
DENSE[0, 0] = 5
CATALOG = Catalog.of(
    [f"m{i}" for i in range(12)],
    ["Amélie", *[f"Title {i}" for i in range(1, 12)]],
    [2001, None, *range(1990, 2000)],
    [("Drama", "Comedy"), (), *[("War",)] * 10],
    [("paris",), *[()] * 11],
)


def prepared() -> Dataset:
    matrix = sp.csr_matrix(DENSE, dtype=np.float32)
    times = np.arange(matrix.nnz)
    times[3] = NO_TIME
    data = Interactions(matrix, [f"u{i}" for i in range(15)], CATALOG.item_ids, times)
    return Dataset(data, CATALOG, REJECTED.empty_table(), {"read": matrix.nnz, "kept": matrix.nnz})


def trained(learner=None, **settings) -> Model:
    learner = learner or ALS(n_factors=3, regularization=0.1)
    return learner.fit(Dataset(prepared().interactions, CATALOG), Weighting(**settings))


def test_prepared_data_survive_a_round_trip(tmp_path: Path) -> None:
    store.save_prepared(tmp_path / "p", prepared())
    back = store.load_prepared(tmp_path / "p")
    assert back.interactions.fingerprint == prepared().interactions.fingerprint
    assert back.catalog.items.to_dict("list").__repr__() == CATALOG.items.to_dict("list").__repr__()
    assert back.report == prepared().report


def test_the_catalog_is_read_without_the_ratings(tmp_path: Path) -> None:
    store.save_prepared(tmp_path / "p", prepared())
    (tmp_path / "p" / "interactions.parquet").unlink()
    assert store.load_catalog(tmp_path / "p").items.equals(CATALOG.items)
    with pytest.raises(InputError, match=r"interactions.parquet is missing"):
        store.load_prepared(tmp_path / "p")


def test_loaded_ratings_do_not_depend_on_the_folder(tmp_path: Path) -> None:
    """Arrays are read, not mapped: a folder may be replaced or cut while they are used."""
    store.save_prepared(tmp_path / "p", prepared())
    back = store.load_prepared(tmp_path / "p").interactions
    (tmp_path / "p" / "interactions.parquet").write_bytes(b"")
    assert back.fingerprint == prepared().interactions.fingerprint


def test_prepared_files_have_the_documented_format(tmp_path: Path) -> None:
    store.save_prepared(tmp_path / "p", prepared())
    assert sorted(f.name for f in (tmp_path / "p").iterdir()) == [
        "interactions.parquet", "items.parquet", "rejected.parquet", "report.json", "users.parquet",
    ]  # fmt: skip
    ratings = pq.read_table(tmp_path / "p" / "interactions.parquet")
    assert [(f.name, f.type) for f in ratings.schema] == [
        ("user_id", pa.string()), ("item_id", pa.string()), ("rating", pa.float32()), ("timestamp", pa.int64()),
    ]  # fmt: skip
    assert ratings["timestamp"].null_count == 1
    items = pq.read_schema(tmp_path / "p" / "items.parquet")
    assert items.names == ["item_id", "title", "year", "genres", "tags"]
    assert items.field("genres").type.value_type == items.field("tags").type.value_type == pa.string()
    assert pq.read_table(tmp_path / "p" / "users.parquet")["user_id"].to_pylist()[:2] == ["u0", "u1"]


@pytest.mark.parametrize("kind", ["near", "far", "text"])
def test_ratings_of_several_row_groups_survive_a_round_trip(kind: str, tmp_path: Path, monkeypatch) -> None:
    """Users begin and end within row groups, at their borders, and reach over several of them."""
    monkeypatch.setattr("recsys.store.ratings.GROUP_ROWS", 7)
    lengths = [3, 4, 1, 0, 20, 7, 9, 0]
    columns = np.concatenate([np.sort(RNG.choice(30, n, replace=False)) for n in lengths])
    matrix = sp.csr_matrix(
        (RNG.random(len(columns), dtype=np.float32), columns, np.cumsum([0, *lengths])), shape=(len(lengths), 30)
    )
    ids = RNG.permutation(30) * (1 if kind == "near" else 2**40) - 5
    item_ids = [f"m{i}" for i in ids] if kind == "text" else ids
    data = Interactions(matrix, np.arange(len(lengths))[::-1], item_ids, np.arange(len(columns)) * 1000)
    store.save_prepared(tmp_path / "p", Dataset(data, Catalog.of(data.item_ids)))
    assert pq.ParquetFile(tmp_path / "p" / "interactions.parquet").num_row_groups == 7
    back = store.load_prepared(tmp_path / "p").interactions
    assert back.fingerprint == data.fingerprint
    assert back.matrix.indices.dtype == back.matrix.indptr.dtype == np.int32 and back.matrix.data.flags.writeable


@pytest.mark.parametrize("rows", [[0, 2, 1, 3], [0, 0, 1, 2], [2, 3, 0, 1]], ids=["items", "twice", "users"])
def test_ratings_in_another_order_are_refused(rows: list[int], tmp_path: Path, reseal, monkeypatch) -> None:
    data = Interactions(np.array([[1, 2, 0], [0, 3, 4]]), [1, 2], [10, 20, 30])
    store.save_prepared(tmp_path / "p", Dataset(data, Catalog.of(data.item_ids)))
    file = tmp_path / "p" / "interactions.parquet"
    for size in (4, 1):  # within a row group, and between two of them
        table = pq.read_table(file)
        pq.write_table(table.take([*rows]) if size == 4 else table, file, row_group_size=size)
        reseal(tmp_path / "p")
        with pytest.raises(InputError, match="not sorted by user and item"):
            store.load_prepared(tmp_path / "p")


def test_model_files_have_the_documented_format(tmp_path: Path) -> None:
    store.save_model(tmp_path / "m", trained())
    items = pq.read_table(tmp_path / "m" / "item_factors.parquet")
    assert [(f.name, f.type) for f in items.schema] == [
        ("item_id", pa.string()),
        ("factors", pa.list_(pa.field("element", pa.float32()), 3)),
    ]
    assert items["item_id"].to_pylist() == CATALOG.item_ids.tolist()
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    assert (manifest["artifact"], manifest["format_version"]) == ("model", 2)
    assert set(manifest["files"]) == {"items.parquet", "item_factors.parquet", "user_factors.parquet"}
    size = (tmp_path / "m" / "items.parquet").stat().st_size
    assert manifest["files"]["items.parquet"]["bytes"] == size
    assert manifest["model"] == "als"
    assert manifest["hyperparameters"]["n_factors"] == 3
    assert manifest["seed"] == 42
    assert manifest["data_fingerprint"] == prepared().interactions.fingerprint
    assert {"implicit", "numpy", "recsys"} <= set(manifest["library_versions"])
    assert "metrics" in manifest


@pytest.mark.parametrize("learner", [ALS(n_factors=3), BPR(n_factors=3, epochs=5), Popular()], ids=lambda m: m.name)
def test_models_survive_a_round_trip(learner, tmp_path: Path) -> None:
    model = trained(learner, scheme="bm25", min_rating=2)
    store.save_model(tmp_path / "m", model)
    back = store.load_model(tmp_path / "m")
    assert back.learner == learner
    assert back.weighting.settings == model.weighting.settings
    ratings = prepared().interactions.matrix
    np.testing.assert_array_equal(back.weighting.apply(ratings).data, model.weighting.apply(ratings).data)
    np.testing.assert_array_equal(back.n_ratings, model.n_ratings)
    if model.has_space:
        np.testing.assert_array_equal(back.space.item_factors, model.space.item_factors)
        assert back.space.has_bias == (learner.name == "bpr")


def test_maps_survive_a_round_trip(tmp_path: Path) -> None:
    model = trained()
    store.save_model(tmp_path / "m", model)
    made = make_map(model.space, "pca", seed=5)
    store.save_map(tmp_path / "m", made)
    back = store.load_map(tmp_path / "m", "pca")
    assert (back.method, back.seed) == ("pca", 5)
    np.testing.assert_array_equal(back.coordinates, made.coordinates)
    assert back.fidelity == made.fidelity
    assert {"trustworthiness", "continuity", "recall@15"} < set(back.fidelity)
    assert back.axes is None
    with pytest.raises(InputError, match="has no tsne map; create it with recsys map --method tsne"):
        store.load_map(tmp_path / "m", "tsne")
    with pytest.raises(InputError, match=r"has no \.\./x map"):
        store.load_map(tmp_path / "m", "../x")


def test_a_map_of_axes_keeps_their_names(tmp_path: Path) -> None:
    coordinates = np.array([[-2.5, 0], [np.nan, np.nan]])
    made = ItemMap("axes", [1, 2], coordinates, 5, ("calm ↔ wild", "axis 3"), {"continuity": 0.75})
    store.save_model(tmp_path / "m", trained())
    assert store.save_map(tmp_path / "m", made) == tmp_path / "m" / "map-axes.parquet"
    back = store.load_map(tmp_path / "m", "axes")
    assert (back.axes, back.fidelity) == (("calm ↔ wild", "axis 3"), {"continuity": 0.75})
    np.testing.assert_array_equal(back.coordinates, made.coordinates)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "axes"}, "needs two axis titles"),
        ({"method": "globe"}, "method: Input should be 'pca'"),
        ({"fidelity": [1]}, "fidelity: Input should be an object"),
        ({"fidelity": {"continuity": None}}, "fidelity.continuity: Input should be a valid number"),
        ({"axes": 5}, "axes: Input should be a valid array"),
        ({"seed": "x"}, "seed: Input should be a valid integer"),
    ],
)
def test_a_damaged_map_is_reported_in_one_line(wrong: dict[str, object], words: str, tmp_path: Path) -> None:
    said = json.dumps({"model": None, "method": "pca", "seed": 1, "axes": None, "fidelity": {}} | wrong)
    place = pa.array([0.5], pa.float32())
    table = pa.table({"item_id": [1], "x": place, "y": place})
    pq.write_table(table.replace_schema_metadata({"recsys.map": said}), tmp_path / "map-pca.parquet")
    with pytest.raises(InputError, match="recreate it with recsys map") as caught:
        store.load_map(tmp_path, "pca")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


class PowerCut(dict):
    """Fails while the manifest, the last file of a model, is written."""

    def items(self) -> object:
        raise RuntimeError("power cut")


def test_a_crash_while_writing_keeps_the_old_folder_and_leaves_no_temporary_files(tmp_path: Path) -> None:
    store.save_model(tmp_path / "m", trained())
    before = {f.name: f.read_bytes() for f in (tmp_path / "m").iterdir()}
    with pytest.raises(RuntimeError, match="power cut"):
        store.save_model(tmp_path / "m", dataclasses.replace(trained(ALS(n_factors=2)), metrics=PowerCut(x=1.0)))
    with pytest.raises(RuntimeError, match="power cut"):
        store.save_model(tmp_path / "new", dataclasses.replace(trained(), metrics=PowerCut(x=1.0)))
    assert {f.name: f.read_bytes() for f in (tmp_path / "m").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="contains other files and will not be replaced"):
        store.save_model(tmp_path / "home", trained())
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="exists and is not a folder"):
        store.save_prepared(tmp_path / "file", prepared())
    (tmp_path / "empty").mkdir()
    store.save_model(tmp_path / "empty", trained())
    store.save_model(tmp_path / "empty", trained(ALS(n_factors=2)))  # a model folder now
    assert store.load_model(tmp_path / "empty").space.n_factors == 2
    assert (tmp_path / "home" / "diary.txt").read_text() == "dear diary"


def damage(name: str, folder: Path) -> None:
    """Damage a model folder in one of several ways."""
    manifest = json.loads((folder / "manifest.json").read_text())
    factors = folder / "item_factors.parquet"
    if name == "truncated":
        factors.write_bytes(factors.read_bytes()[:100])
    elif name == "empty":
        factors.write_bytes(b"")
    elif name == "missing":
        factors.unlink()
    elif name == "not finite":
        table = pq.read_table(factors)
        bad = pa.FixedSizeListArray.from_arrays(pa.array(np.full(36, np.nan, "f4")), 3)
        pq.write_table(table.set_column(1, "factors", bad), factors)
    elif name == "other items":
        table = pq.read_table(factors)
        pq.write_table(table.take(list(range(11, -1, -1))), factors)
    elif name == "no column":
        pq.write_table(pq.read_table(factors).drop_columns("factors"), factors)
    elif name == "format":
        (folder / "manifest.json").write_text(json.dumps(manifest | {"format_version": 99}))
    elif name == "model":
        (folder / "manifest.json").write_text(json.dumps(manifest | {"model": "os.system"}))
    elif name == "settings":
        (folder / "manifest.json").write_text(json.dumps(manifest | {"hyperparameters": {"n_factors": -3}}))
    elif name == "gap":
        del manifest["confidence"]
        (folder / "manifest.json").write_text(json.dumps(manifest))
    elif name == "json":
        (folder / "manifest.json").write_text("{")
    elif name == "list":
        (folder / "manifest.json").write_text("[]")
    elif name == "bytes":
        (folder / "manifest.json").write_bytes(b"\xff\xfe{}")


@pytest.mark.parametrize(
    "how",
    ["truncated", "empty", "missing", "not finite", "other items", "no column", "format", "model", "settings", "gap",
     "json", "list", "bytes"],
)  # fmt: skip
@pytest.mark.parametrize("is_forged", [False, True])
def test_a_damaged_model_is_reported_in_one_line(
    how: str, is_forged: bool, tmp_path: Path, reseal: Callable[[Path], None]
) -> None:
    store.save_model(tmp_path / "m", trained())
    damage(how, tmp_path / "m")
    if is_forged and how not in ("json", "list", "bytes"):
        reseal(tmp_path / "m")
    with pytest.raises(InputError) as caught:
        store.load_model(tmp_path / "m")
    line = str(caught.value)
    assert "\n" not in line
    assert str(tmp_path / "m") in line


@pytest.mark.parametrize("file", ["items.parquet", "users.parquet", "report.json", "interactions.parquet"])
def test_damaged_prepared_data_are_reported_in_one_line(file: str, tmp_path: Path) -> None:
    for wreck in (Path.unlink, lambda path: path.write_bytes(b"PAR1")):
        store.save_prepared(tmp_path / "p", prepared())
        wreck(tmp_path / "p" / file)
        with pytest.raises(InputError) as caught:
            store.load_prepared(tmp_path / "p")
        assert "\n" not in str(caught.value)
        assert "recsys prepare" in str(caught.value) or "report.json" in str(caught.value)
        shutil.rmtree(tmp_path / "p")


def test_ratings_of_a_user_who_is_not_listed_are_reported(tmp_path: Path, reseal: Callable[[Path], None]) -> None:
    store.save_prepared(tmp_path / "p", prepared())
    users = pq.read_table(tmp_path / "p" / "users.parquet")
    pq.write_table(users.slice(1), tmp_path / "p" / "users.parquet")
    with pytest.raises(InputError, match=r"users\.parquet is not the file that was written: its checksum differs"):
        store.load_prepared(tmp_path / "p")
    reseal(tmp_path / "p")
    with pytest.raises(InputError, match=r"contains user 'u0', which is not in users\.parquet"):
        store.load_prepared(tmp_path / "p")


def test_only_safe_names_are_folder_names() -> None:
    for name in ("ml-100k-als", "a", "A_1.2"):
        assert store.is_safe_name(name)
    for name in ("..", ".hidden", "a/b", "a\\b", "", "a\0", "ä", "a b", "x" * 200, "-rf"):
        assert not store.is_safe_name(name)


def test_only_model_folders_are_listed(tmp_path: Path) -> None:
    store.save_model(tmp_path / "b", trained())
    store.save_model(tmp_path / "a", trained())
    (tmp_path / "stray").mkdir()
    (tmp_path / ".a.tmp").mkdir()
    assert store.list_models(tmp_path) == ["a", "b"]
    assert store.list_models(tmp_path / "nowhere") == []


def test_models_are_found_by_the_data_they_were_trained_on(tmp_path: Path) -> None:
    for name, data in (("b", "mine"), ("a", "mine"), ("c", "yours"), ("broken", "mine")):
        store.save_model(tmp_path / name, dataclasses.replace(trained(), data={"name": data}))
    (tmp_path / "broken" / "manifest.json").write_text("{")
    assert store.models_trained_on(tmp_path, "mine") == ["a", "b"]
    assert store.models_trained_on(tmp_path, "nobody's") == []
