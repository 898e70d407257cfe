"""Folders ↔ types. Only this package and the packages above it handle paths."""

from recsys.store.axes import AXES, load_axes, save_axes
from recsys.store.catalog import ITEMS
from recsys.store.clusters import CLUSTERS, load_clusters, save_clusters
from recsys.store.files import (
    FORMAT_VERSION,
    check_replaceable,
    is_safe_name,
    new_file,
    new_folder,
    read_json,
    write_json,
    write_table,
    write_text,
)
from recsys.store.maps import MAP, list_maps, load_map, read_map, save_map, write_map
from recsys.store.measurements import RANKING, REPORT_PAGE, stored_ranking, stored_report
from recsys.store.models import (
    ITEM_FACTORS,
    ITEM_SCORES,
    ITEM_WEIGHTS,
    LIBRARIES,
    MANIFEST,
    USER_FACTORS,
    fingerprint_of,
    list_models,
    load_model,
    models_trained_on,
    read_manifest,
    save_model,
)
from recsys.store.parts import Parts
from recsys.store.prepared import INTERACTIONS, REJECTED, REPORT, USERS, load_prepared, save_prepared

__all__ = [
    "AXES",
    "CLUSTERS",
    "FORMAT_VERSION",
    "INTERACTIONS",
    "ITEMS",
    "ITEM_FACTORS",
    "ITEM_SCORES",
    "ITEM_WEIGHTS",
    "LIBRARIES",
    "MANIFEST",
    "MAP",
    "RANKING",
    "REJECTED",
    "REPORT",
    "REPORT_PAGE",
    "USERS",
    "USER_FACTORS",
    "Parts",
    "check_replaceable",
    "fingerprint_of",
    "is_safe_name",
    "list_maps",
    "list_models",
    "load_axes",
    "load_clusters",
    "load_map",
    "load_model",
    "load_prepared",
    "models_trained_on",
    "new_file",
    "new_folder",
    "read_json",
    "read_manifest",
    "read_map",
    "save_axes",
    "save_clusters",
    "save_map",
    "save_model",
    "save_prepared",
    "stored_ranking",
    "stored_report",
    "write_json",
    "write_map",
    "write_table",
    "write_text",
]
