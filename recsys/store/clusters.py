"""Clusters ↔ clusters.parquet in a model folder."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from recsys.space.item_clusters import NO_CLUSTER, ItemClusters
from recsys.store.files import read_table, reading, write_table
from recsys.store.models import check_fingerprint, check_unchanged

CLUSTERS = "clusters.parquet"


def save_clusters(model_folder: Path, clusters: ItemClusters, fingerprint: str | None = None) -> Path:
    """Store the clusters with their model: item_id, cluster (null for items in no cluster).

    The rest goes into the file's metadata. Returns the path.

    fingerprint  of the model that the clusters were computed from; None: the one in the folder

    Raises InputError when the folder contains another model by now.
    """
    path = model_folder / CLUSTERS
    metadata = {**clusters.to_json(), "model": check_unchanged(model_folder, fingerprint)}
    table = pa.table(
        {
            "item_id": pa.array(clusters.item_ids),
            "cluster": pa.array(clusters.labels, mask=clusters.labels == NO_CLUSTER),
        }
    ).replace_schema_metadata({"recsys.clusters": json.dumps(metadata, ensure_ascii=False, allow_nan=False)})
    write_table(path, table)
    return path


def load_clusters(model_folder: Path, fingerprint: str | None = None) -> ItemClusters | None:
    """The clusters stored with a model; None if there are none.

    fingerprint  of the model as it was loaded; None: of the model in the folder

    Raises InputError when the file is damaged or belongs to another model.
    """
    path = model_folder / CLUSTERS
    if not path.is_file():
        return None
    with reading(path, "recsys clusters"):
        table = read_table(path)
        metadata = json.loads(table.schema.metadata[b"recsys.clusters"])
        check_fingerprint(metadata.pop("model"), model_folder, fingerprint)
        labels = pc.fill_null(table["cluster"], NO_CLUSTER).to_numpy()
        return ItemClusters.from_json(metadata, table["item_id"].to_numpy(), labels)
