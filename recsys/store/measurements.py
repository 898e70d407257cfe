"""Stored measurements of a model: ranking.json and report.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from recsys.dataset.split import Protocol
from recsys.errors import InputError
from recsys.evaluation.ranking import HEAD_TO_TAIL
from recsys.store.files import read_json
from recsys.store.models import fingerprint_of

REPORT_PAGE = "report.html"
RANKING = "ranking.json"


def stored_ranking(model_folder: Path) -> dict[str, Any] | None:
    """What `evaluate` stored with a model; None where it has not run. Raises InputError for a result that is broken or
    of another model."""
    path = model_folder / RANKING
    if not path.is_file():
        return None
    found = read_json(path)
    if not (_has_shape(found, _RANKING) and found["results"] and found["k"] and _has_metrics(found)):
        raise InputError(f"{path}: is not what recsys evaluate --trained writes; measure again")
    _check_fingerprint(found["trained"]["fingerprint"], path, model_folder)
    return found


_NUMBER = (int, float)

_MAYBE = (int, float, type(None))

_MEAN = {"mean": _MAYBE, "low": _MAYBE, "high": _MAYBE}

_INTERVAL = {"mean": _NUMBER, "low": _NUMBER, "high": _NUMBER}

_RANKING = {
    "protocol": str,
    "part": str,
    "seed": int,
    "k": [int],
    "confidence": {"min_rating": _MAYBE},
    "train_ratings": int,
    "hidden_ratings": int,
    "seconds": _NUMBER,
    "trained": {"fingerprint": str},
    "results": [
        {
            "model": str,
            "seconds_to_train": _NUMBER,
            "judged": int,
            "metrics": dict,
            "by_activity": [{"users": int, "fewest": int, "most": int, **_INTERVAL}],
            "by_popularity": [{"items": int, "ratings": _NUMBER, "recommendations": _NUMBER}],
        }
    ],
}
"""What the app reads of a stored ranking, and what it is; likewise `_REPORT` of a stored report."""

_REPORT = {
    "judged_items": int,
    "divergence": {"js": _MAYBE, "js_control": _MAYBE},
    "seeds": {"n": int, "overlap@10": _MAYBE, "chance_overlap@10": _MAYBE},
    "dimensions": [{"n_factors": int, "ndcg@10": _NUMBER, "low": _NUMBER, "high": _NUMBER}],
}

_REPRESENTATION = {
    "dimensions": int,
    "told": [str],
    "genre_retrieval": {"precision": _MAYBE, "chance": _MAYBE},
    "tag_retrieval": (dict, type(None)),
    "genre_auc": _MAYBE,
    "decade_auc": _MAYBE,
    "mean_rating_r2": _MAYBE,
    "clusters": {"nmi": _MAYBE},
    "analogies": {"n_questions": int, "hits@10": _MAYBE, "neighbour_hits@10": _MAYBE},
}


def _has_shape(value: Any, shape: Any) -> bool:
    """Whether a value from a file is of a type, has the keys of a dict, or is a list of such, all the way down."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            key in value and _has_shape(value[key], part) for key, part in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(_has_shape(part, shape[0]) for part in value)
    return isinstance(value, shape)


def _has_metrics(found: dict[str, Any]) -> bool:
    """Whether a ranking's protocol is known, and each model has what is shown of it for every length of list."""
    shapes = {"ndcg": _INTERVAL, "coverage": {**_MEAN, "mean": _NUMBER}, "gini": {"mean": _NUMBER}}
    shapes |= dict.fromkeys(("recall", "precision", "novelty"), _MEAN)
    metrics = {f"{name}@{k}": shape for name, shape in shapes.items() for k in found["k"]}
    return found["protocol"] in get_args(Protocol) and all(
        _has_shape(row["metrics"], metrics)
        and len(row["by_popularity"]) == len(HEAD_TO_TAIL)
        and len(row["by_activity"]) == len(found["results"][0]["by_activity"])
        for row in found["results"]
    )


def stored_report(model_folder: Path) -> dict[str, Any] | None:
    """The numbers of the embedding report that is stored with a model; None where there is none. Raises InputError for
    one that is broken or of another model."""
    path = (model_folder / REPORT_PAGE).with_suffix(".json")
    if not path.is_file():
        return None
    found = read_json(path)
    measured = found.get("representations")
    if (
        not isinstance(measured, dict)
        or str(found.get("model")) not in measured
        or not _has_shape(found, _REPORT)
        or not all(_has_shape(row, _REPRESENTATION) for row in measured.values())
        or not all(
            _has_shape(row["tag_retrieval"] or {"precision": None}, {"precision": _MAYBE}) for row in measured.values()
        )
    ):
        raise InputError(f"{path}: is not what recsys report writes; measure again")
    if "fingerprint" in found:  # a report made before fingerprints were kept is taken as it is
        _check_fingerprint(found["fingerprint"], path, model_folder)
    return found


def _check_fingerprint(found: str | None, path: Path, model_folder: Path) -> None:
    if found != fingerprint_of(model_folder):
        raise InputError(f"{path}: was measured of another model than the one in this folder; measure again")
