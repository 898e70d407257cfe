"""Clusters ↔ clusters.parquet in a model folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.errors import InputError
from recsys.space.evidence import ClusteringEvidence
from recsys.space.item_clusters import NO_CLUSTER, ClusterMethod, ItemClusters
from recsys.store.files import metadata_of, open_file, reading, write_table
from recsys.store.models import check_fingerprint, check_unchanged, n_factors_of
from recsys.store.schema import ID, Checksum, Column, Count, Number, checked, read_columns

CLUSTERS = "clusters.parquet"
COLUMNS = {"item_id": Column(ID, is_unique=True), "cluster": Column(pa.int32(), is_nullable=True, low=0)}
METADATA = "recsys.clusters"


@dataclass(frozen=True)
class _Stored:
    """The metadata of clusters.parquet; see `ItemClusters`."""

    model: Checksum
    method: ClusterMethod
    names: tuple[str, ...]
    centres: tuple[tuple[Number, ...], ...]
    silhouette: float
    stability: tuple[float, ...]
    evidence: ClusteringEvidence | None
    seed: Count


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
    ).replace_schema_metadata({METADATA: json.dumps(metadata, ensure_ascii=False, allow_nan=False)})
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
        with open_file(path) as file:
            table = read_columns(file, path.name, COLUMNS)
        stored = checked(_Stored, metadata_of(table, METADATA, path))
        check_fingerprint(stored.model, model_folder, fingerprint)
        n_factors = n_factors_of(model_folder)
        if any(len(centre) != n_factors for centre in stored.centres):
            raise InputError(f"a centre has another number of dimensions than the model, which has {n_factors}")
        return ItemClusters(
            stored.method,
            table["item_id"].to_numpy(),
            pc.fill_null(table["cluster"], NO_CLUSTER).to_numpy(),
            stored.names,
            np.array(stored.centres, dtype=np.float32),
            stored.silhouette,
            stored.stability,
            stored.evidence,
            stored.seed,
        )
