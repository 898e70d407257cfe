"""The commands demo and app."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys import store
from tests.cli.run import recsys


def test_the_demo_runs_all_steps_on_movielens_100k(ml100k_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ml-100k").symlink_to(ml100k_folder, target_is_directory=True)
    done = recsys("demo", "--no-app", "--json", RECSYS_DATA=str(tmp_path))
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["prepare"]["kept"], result["prepare"]["users"], result["prepare"]["items"]) == (100_000, 943, 1682)
    assert len(result["recommend"]["recommendations"]) == 10
    assert all(row["title"] for row in result["recommend"]["recommendations"])
    model = tmp_path / "models" / "ml-100k-ials"
    assert store.list_maps(model) == ["tsne"]
    found, clustered = store.load_axes(model), store.load_clusters(model)
    assert found is not None and result["axes"]["named"] == sum(axis.is_valid for axis in found.discovered) > 0
    assert clustered is not None and len(result["clusters"]["clusters"]) == clustered.n_clusters
    assert pa.types.is_fixed_size_list(pq.read_schema(model / "item_factors.parquet").field("factors").type)
