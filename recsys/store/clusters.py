"""Clusters ↔ clusters.parquet in a model folder."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.space.item_clusters import NO_CLUSTER, ItemClusters
from recsys.store.files import reading, write_table
from recsys.store.models import check_fingerprint, fingerprint_of

CLUSTERS = "clusters.parquet"


def save_clusters(model_folder: Path, clusters: ItemClusters) -> Path:
    """Store the clusters with their model: item_id, cluster (null for items in no cluster).

    The rest goes into the file's metadata. Returns the path.
    """
    path = model_folder / CLUSTERS
    metadata = {**clusters.to_json(), "model": fingerprint_of(model_folder)}
    table = pa.table(
        {
            "item_id": pa.array(clusters.item_ids),
            "cluster": pa.array(clusters.labels, mask=clusters.labels == NO_CLUSTER),
        }
    ).replace_schema_metadata({"recsys.clusters": json.dumps(metadata, ensure_ascii=False, allow_nan=False)})
    write_table(path, table)
    return path


def load_clusters(model_folder: Path) -> ItemClusters | None:
    """The clusters stored with a model; None if there are none.

    Raises InputError when the file is damaged or belongs to another model.
    """
    path = model_folder / CLUSTERS
    if not path.is_file():
        return None
    with reading(path, "recsys clusters"):
        table = pq.read_table(path)
        metadata = json.loads(table.schema.metadata[b"recsys.clusters"])
        check_fingerprint(metadata.pop("model"), model_folder)
        labels = pc.fill_null(table["cluster"], NO_CLUSTER).to_numpy()
        return ItemClusters.from_json(metadata, table["item_id"].to_numpy(), labels)
