"""Every stored file, damaged in every value: a loader reads it or says in one line what is wrong.

The checksums are always made to fit, as a hostile writer would; what they catch is tested in test_artifacts.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, RecsysError
from recsys.evaluation.evaluate import TrainedModel, evaluate
from recsys.evaluation.report import space_report
from recsys.models import ALS, EASE, ItemKNN, Popular
from recsys.space.axis import Axes, Axis
from recsys.space.evidence import (
    ClusterEvidence,
    ClusteringEvidence,
    ClusterName,
    DiscoveryEvidence,
    Name,
    ProbeEvidence,
    TriedClustering,
)
from recsys.space.item_clusters import ItemClusters
from recsys.space.item_map import ItemMap

pytestmark = pytest.mark.filterwarnings("error")

N_ITEMS, N_FACTORS = 60, 2


def made_dataset() -> Dataset:
    rng = np.random.default_rng(1)
    matrix = np.where(rng.random((30, N_ITEMS)) < 0.9, rng.integers(1, 6, (30, N_ITEMS)), 0)
    matrix[:, 0] = 3
    data = Interactions(matrix, np.arange(30), [f"m{i:02d}" for i in range(N_ITEMS)])
    data = Interactions(data.matrix, data.user_ids, data.item_ids, np.arange(data.n_ratings))
    catalog = Catalog.of(
        data.item_ids,
        [f"Title {i}" for i in range(N_ITEMS)],
        [None, *range(1950, 1949 + N_ITEMS)],
        [("Drama", "War"), ("Comedy",)] * (N_ITEMS // 2),
        [("rome",), ()] * (N_ITEMS // 2),
    )
    report = {"source": "r.csv", "read": data.n_ratings, "kept": data.n_ratings, "rejected": 1, "duplicates": 0}
    report |= {"reasons": {"no user": 1}, "users": 30, "items": N_ITEMS, "settings": {"scale": [1.0, 5.0]}}
    rejected = pa.table([["r.csv"], [7], ["no user"], [",1,2"]], schema=store.prepared.REJECTED_SCHEMA)
    return Dataset(data, catalog, rejected, report, "made")


def made_axes() -> Axes:
    name = Name("Horror", "genre", 0.9, 0.8, 0.95, 0.01, 12)
    discovered = DiscoveryEvidence(0.6, 0.9, (0.8, 0.9), True, (name,), ())
    probe = ProbeEvidence("auc", 0.9, 0.8, 0.95, 0.9, (0.9, 0.9), {"shuffled": 0.5}, ("year",), True, True, 9, 9)
    return Axes(
        "varimax",
        (Axis("axis 1", "Horror", "unnamed", np.array([1.0, 0.0]), 0.1, 0.5, True, discovered),),
        (Axis("light ↔ dark", "light", "dark", np.array([0.6, 0.8]), 0.1, 0.5, True, probe),),
        3,
    )


def made_clusters(item_ids: np.ndarray) -> ItemClusters:
    names = (ClusterName("Horror", "genre", 0.9, 0.8, 0.95, 0.01, 12, 8),)
    clusters = (ClusterEvidence(40, 30, 0.9, (0.9, 0.9), True, names), ClusterEvidence(19, 9, 0.4, (0.4,), False, ()))
    tried = (TriedClustering("kmeans", 2, 2, 1, 0.3, 0.7, 1.0),)
    evidence = ClusteringEvidence("kmeans", 2, 39, 2, 1.0, 0.7, clusters, tried)
    labels = np.repeat([0, 1, -1], [40, 19, 1])
    return ItemClusters("kmeans", item_ids, labels, ("Horror", "unnamed"), np.eye(2), 0.3, (0.9, 0.4), evidence)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prepared data "p", a model "m" with everything that is stored with a model, and models without
    vectors. Only to be read."""
    root, data = tmp_path_factory.mktemp("made"), made_dataset()
    store.save_prepared(root / "p", data)
    for name, learner in (("scores", Popular()), ("dense", EASE()), ("sparse", ItemKNN(n_neighbours=3))):
        store.save_model(root / name, learner.fit(data))
    model = ALS(n_factors=N_FACTORS, epochs=2).fit(data).with_data_path(root / "p")
    store.save_model(root / "m", model)
    store.save_axes(root / "m", made_axes())
    store.save_clusters(root / "m", made_clusters(model.item_ids))
    coordinates = np.where(np.arange(N_ITEMS)[:, None] == 4, np.nan, model.space.item_factors)
    store.save_map(root / "m", ItemMap("pca", model.item_ids, coordinates, 1, None, {"continuity": 0.9}))
    fingerprint = store.fingerprint_of(root / "m")
    found = evaluate(data, ALS(n_factors=2, epochs=1))
    stored = found.to_json() | {"trained": {"name": "m", "fingerprint": fingerprint}}
    assert stored["trained"] == vars(TrainedModel("m", fingerprint))
    store.write_json(root / "m" / store.RANKING, stored)
    report = space_report(model.space, model.attributes).to_json() | {"fingerprint": fingerprint}
    store.write_json(root / "m" / "report.json", report)
    return root


def check_reader(read: Callable[[], object]) -> str:
    """The message of the error that a reader raises, "" if it reads. Any other exception propagates."""
    try:
        read()
    except RecsysError as error:
        message = str(error)
        assert "\n" not in message and len(message) < 700, message
        return message
    return ""


# --- JSON --------------------------------------------------------------------------------------------------------

WRONG = {
    "null": "null",
    "true": "true",
    "list": "[]",
    "object": "{}",
    "text": '"\\u001b[31mx\\n"',
    "lone surrogate": '"\\ud800"',
    "long text": json.dumps("x" * 5000),
    "-1": "-1",
    "fraction": "0.5",
    "2**70": str(2**70),
    "many digits": "9" * 5000,
    "1e999": "1e999",
    "1e308": "1e308",
    "NaN": "NaN",
    "Infinity": "-Infinity",
    "deep": "[" * 100_000 + "]" * 100_000,
    "rather deep": '{"a":' * 400 + "1" + "}" * 400,
}


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a JSON value, of a list the first two entries."""
    yield place
    inside = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, part in inside:
        yield from places(part, (*place, key))


def mutated(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    """A JSON value with each wrong value at one place, without that place, and with that place twice: name, text."""
    if not place:
        yield from WRONG.items()
        return
    *way, last = place
    for name in (*WRONG, "missing", "twice"):
        changed = deepcopy(value)
        parent = changed
        for step in way:
            parent = parent[step]
        if name == "missing":
            del parent[last]
            yield name, json.dumps(changed)
        elif name == "twice":
            if isinstance(last, str):
                parent["\0twice"] = parent[last]
                yield name, json.dumps(changed).replace('"\\u0000twice"', json.dumps(last))
        else:
            parent[last] = "\0here"
            yield name, json.dumps(changed).replace('"\\u0000here"', WRONG[name])


JSON_FILES = ("p/report.json", "m/manifest.json", "m/axes.json", "m/ranking.json", "m/report.json")


@pytest.mark.parametrize("file", JSON_FILES)
def test_each_wrong_value_in_json_is_read_or_refused_in_one_line(file: str, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / Path(file).parent
    shutil.copytree(made / Path(file).parent, folder)
    path = tmp_path / file
    content = json.loads(path.read_text())
    rng, n_refused = np.random.default_rng(0), 0
    found = [(place, *mutation) for place in places(content) for mutation in mutated(content, place)]
    few = [found[at] for at in rng.permutation(len(found))[:N_JSON]]
    for place, name, text in few:
        path.write_text(text)
        read = reader_of(path)
        message = check_reader(read)
        n_refused += bool(message)
        if name in ("2**70", "many digits", "1e999", "NaN", "Infinity", "deep", "twice"):
            assert message, (place, name)
    assert n_refused > len(few) / 2


N_JSON = 150
"""Damages of each JSON file."""


def reader_of(path: Path) -> Callable[[], object]:
    """The function that reads a stored file."""
    folder = path.parent
    if folder.name == "p":
        return lambda: store.load_prepared(folder)
    return {
        "manifest.json": lambda: store.load_model(folder),
        "axes.json": lambda: store.load_axes(folder),
        "ranking.json": lambda: store.stored_ranking(folder),
        "report.json": lambda: store.stored_report(folder),
        "clusters.parquet": lambda: store.load_clusters(folder),
        "map-pca.parquet": lambda: store.load_map(folder, "pca"),
    }.get(path.name, lambda: store.load_model(folder))


# --- tables ------------------------------------------------------------------------------------------------------

TABLE_FILES = (
    "p/interactions.parquet", "p/items.parquet", "p/users.parquet",
    "m/items.parquet", "m/user_factors.parquet", "m/item_factors.parquet", "m/clusters.parquet", "m/map-pca.parquet",
    "scores/item_scores.parquet", "dense/item_weights.parquet", "sparse/item_weights.parquet",
)  # fmt: skip


def with_column(table: pa.Table, name: str, column: Any) -> pa.Table:
    return table.set_column(table.schema.names.index(name), name, column)


def wrong_tables(table: pa.Table) -> Iterator[tuple[str, pa.Table, bool]]:
    """Damages of a table: name, table, whether a reader must refuse it."""
    is_of_ids = table.num_columns < 3 or "title" in table.column_names
    """Whether the table has one row for each item or user of a model or of prepared data."""
    for name in table.column_names:
        column = table[name].combine_chunks()
        kind = column.type
        for other in (pa.string(), pa.large_string(), pa.binary(), pa.int8(), pa.uint64(), pa.float16(), pa.float64(),
                      pa.bool_(), pa.null(), pa.timestamp("us"), pa.list_(pa.int64()), pa.struct([("a", pa.int64())]),
                      pa.dictionary(pa.int32(), pa.string()), pa.decimal128(9, 2)):  # fmt: skip
            is_other = other not in (kind, pa.string() if name.endswith("_id") else kind)
            try:
                changed = column.cast(other)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                changed = pa.nulls(len(column), other)
            yield f"{name} as {other}", with_column(table, name, changed), is_other
        missing = pa.array([None], kind)
        without = pa.concat_arrays([missing, column.slice(1)])
        yield f"{name} without a value", with_column(table, name, without), name not in ("year", "cluster", "timestamp")
        yield f"{name} missing", table.drop_columns(name), True
        yield f"{name} twice", pa.table([*table.columns, column], [*table.column_names, name]), True
        yield (
            f"{name} shifted",
            with_column(table, name, pa.concat_arrays([column.slice(1), column.slice(0, 1)])),
            False,
        )
        repeated = pa.concat_arrays([column.slice(1, 1), column.slice(1)])
        yield f"{name} repeated", with_column(table, name, repeated), name == table.column_names[0] and is_of_ids
        if pa.types.is_floating(kind):
            for number in (np.nan, np.inf, -np.inf):
                yield f"{name} {number}", with_column(table, name, swapped(column, number)), True
        if pa.types.is_fixed_size_list(kind):
            flat, size = column.flatten(), kind.list_size
            for number in (np.nan, np.inf, None):
                lists = pa.FixedSizeListArray.from_arrays(swapped(flat, number), size)
                yield f"{name} {number}", with_column(table, name, lists), True
            lists = pa.FixedSizeListArray.from_arrays(pa.concat_arrays([flat] * 2), 2 * size)
            yield f"{name} wider", with_column(table, name, lists.slice(0, len(table))), name == "weights"
            yield f"{name} as lists", with_column(table, name, column.cast(pa.list_(pa.float32()))), True
            doubles = pa.FixedSizeListArray.from_arrays(flat.cast(pa.float64()), size)
            yield f"{name} of doubles", with_column(table, name, doubles), True
        if pa.types.is_list(kind):
            nulls = pa.array([[None], *column.to_pylist()[1:]], kind)
            yield f"{name} with null", with_column(table, name, nulls), True
        if pa.types.is_integer(kind):
            for number in (-5, 2 ** (kind.bit_width - 1) - 1):
                is_wrong = name in ("timestamp", "n_ratings", "cluster") and (number < 0 or name != "n_ratings")
                yield f"{name} {number}", with_column(table, name, swapped(column, number)), is_wrong
        if kind == pa.string():
            bad = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 2], "i4")), pa.py_buffer(b"\xff\xfe"))
            yield f"{name} not UTF-8", with_column(table, name, pa.concat_arrays([bad, column.slice(1)])), True
    yield "shorter", table.slice(1), is_of_ids and table.column_names[1:] != ["cluster"]
    yield "empty", table.slice(0, 0), is_of_ids
    yield "repeated", pa.concat_tables([table, table]), True
    yield "shuffled", table.take(pa.array(np.roll(np.arange(len(table)), 7))), False
    yield "other column", table.append_column("more", pa.nulls(len(table))), True
    yield "no metadata", table.replace_schema_metadata(None), bool(table.schema.metadata)


def swapped(column: pa.Array, value: Any) -> pa.Array:
    """A column with another first value."""
    return pa.concat_arrays([pa.array([value], column.type), column.slice(1)])


@pytest.mark.parametrize("file", TABLE_FILES)
def test_each_wrong_column_is_read_or_refused_in_one_line(
    file: str, made: Path, tmp_path: Path, reseal: Callable[[Path], None]
) -> None:
    folder = tmp_path / Path(file).parent
    shutil.copytree(made / Path(file).parent, folder)
    path = tmp_path / file
    read = reader_of(path)
    assert check_reader(read) == ""
    table, n_refused = pq.read_table(path), 0
    for name, wrong, is_refused in wrong_tables(table):
        pq.write_table(wrong, path)
        if path.name not in ("clusters.parquet", "map-pca.parquet"):
            reseal(folder)
        else:  # they are not listed in the manifest, whose fingerprint they carry
            assert path.name not in json.loads((folder / "manifest.json").read_text())["files"]
        message = check_reader(read)
        assert message or not is_refused, name
        n_refused += bool(message)
    assert n_refused > 20


@pytest.mark.parametrize("file", ["m/clusters.parquet", "m/map-pca.parquet"])
def test_each_wrong_value_in_metadata_is_read_or_refused_in_one_line(file: str, made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "m", tmp_path / "m")
    path = tmp_path / file
    table = pq.read_table(path)
    [(key, value)] = table.schema.metadata.items()
    content = json.loads(value)
    found = [(place, *mutation) for place in places(content) for mutation in mutated(content, place)]
    for at in np.random.default_rng(0).permutation(len(found))[:N_JSON]:
        place, name, text = found[at]
        pq.write_table(table.replace_schema_metadata({key: text}), path)
        message = check_reader(reader_of(path))
        if name in ("2**70", "1e999", "NaN", "deep", "twice"):
            assert message, (place, name)


BOMBS = {
    "users.parquet": lambda: pa.table({"user_id": pa.repeat(pa.scalar("x" * 1000), 500_000)}),
    "items.parquet": lambda: pa.table(
        {
            "item_id": ["m"],
            "title": ["x"],
            "year": pa.array([None], pa.int16()),
            "genres": pa.ListArray.from_arrays([0, 30_000_000], pa.repeat(pa.scalar("War"), 30_000_000)),
            "tags": pa.array([[]], pa.list_(pa.string())),
        }
    ),
}


@pytest.mark.parametrize("file", BOMBS)
def test_a_file_that_unpacks_to_more_than_the_memory_is_refused(
    file: str, made: Path, tmp_path: Path, reseal: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made / "p", tmp_path / "p")
    path = tmp_path / "p" / file
    pq.write_table(BOMBS[file](), path)
    assert path.stat().st_size < 300_000
    reseal(tmp_path / "p")
    monkeypatch.setenv("RECSYS_MAX_MEMORY", "200M")
    peak = pa.default_memory_pool().max_memory()
    with pytest.raises(InputError, match=r"rows would need .* of memory, more than the limit of 200\.0 MB"):
        store.load_prepared(tmp_path / "p")
    assert pa.default_memory_pool().max_memory() == peak  # that of making the file


def test_item_weights_that_occur_twice_or_name_other_items_are_refused(
    made: Path, tmp_path: Path, reseal: Callable[[Path], None]
) -> None:
    shutil.copytree(made / "sparse", tmp_path / "m")
    path = tmp_path / "m" / "item_weights.parquet"
    table = pq.read_table(path)
    for wrong, words in (
        (pa.concat_tables([table, table.slice(3, 1)]), "a pair of items occurs twice"),
        (with_column(table, "other_id", swapped(table["other_id"].combine_chunks(), "m999")), "does not have"),
    ):
        pq.write_table(wrong, path)
        reseal(tmp_path / "m")
        with pytest.raises(InputError, match=words):
            store.load_model(tmp_path / "m")


@pytest.mark.parametrize("path", ["/etc", "", "a\0b", "x" * 5000, "loop", "../../../../.."])
def test_the_path_of_the_data_is_read_as_prepared_data_only(path: str, made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "m", tmp_path / "m")
    (tmp_path / "m" / "loop").symlink_to("loop")
    marker = tmp_path / "m" / "manifest.json"
    manifest = json.loads(marker.read_text())
    manifest["data"]["path"] = path
    marker.write_text(json.dumps(manifest))
    message = check_reader(lambda: store.load_model(tmp_path / "m"))
    assert ("manifest.json: data.path: String should" in message) == (path in ("", "a\0b", "x" * 5000))
    if not message:
        folder = Path(str(store.load_model(tmp_path / "m").data["path"]))
        assert "is not prepared data" in check_reader(lambda: store.load_prepared(folder))


# --- bytes -------------------------------------------------------------------------------------------------------

EVERY_FILE = (*JSON_FILES, *TABLE_FILES)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_bytes_are_read_or_refused_in_one_line(
    data: st.DataObject, made: Path, tmp_path_factory: pytest.TempPathFactory, reseal: Callable[[Path], None]
) -> None:
    file = data.draw(st.sampled_from(EVERY_FILE), "file")
    root = tmp_path_factory.mktemp("bytes")
    folder = root / Path(file).parent
    shutil.copytree(made / Path(file).parent, folder)
    content = (root / file).read_bytes()
    how = data.draw(st.sampled_from(["random", "cut", "changed", "inserted"]), "how")
    at = data.draw(st.integers(0, len(content) - 1), "at")
    some = data.draw(st.binary(max_size=40), "bytes")
    changed = {
        "random": some,
        "cut": content[:at],
        "changed": content[:at] + some + content[at + len(some) :],
        "inserted": content[:at] + some + content[at:],
    }[how]
    (root / file).write_bytes(changed)
    if file not in JSON_FILES:
        reseal(folder)
    check_reader(reader_of(root / file))
    shutil.rmtree(root)
