"""Stored measurements of a model: ranking.json and report.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from recsys.errors import InputError, RecsysError
from recsys.evaluation.evaluate import Evaluation
from recsys.evaluation.serialization import from_json
from recsys.store.files import read_json
from recsys.store.models import fingerprint_of

REPORT_PAGE = "report.html"
RANKING = "ranking.json"

T = TypeVar("T")


def stored_ranking(model_folder: Path) -> Evaluation | None:
    """The evaluation stored with a model, None if `recsys evaluate --trained` has not run.

    Raises InputError if the file is damaged or incomplete, or belongs to another model.
    """
    path = model_folder / RANKING
    if not path.is_file():
        return None
    found = _read(Evaluation, path, "recsys evaluate --trained")
    if found.trained is None:
        raise InputError(f"{path}: is not what recsys evaluate --trained writes; measure again")
    _check_fingerprint(found.trained.fingerprint, path, model_folder)
    return found


def _read(kind: type[T], path: Path, command: str) -> T:
    """The dataclass stored in a JSON file by `command`. Raises InputError, naming the first wrong value."""
    value = read_json(path)  # reports unreadable files, with the reason
    try:
        return from_json(kind, json.dumps(value))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first["loc"] else first["msg"]
    except RecsysError as error:
        why = str(error)
    raise InputError(f"{path}: is not what {command} writes; measure again ({why})")


_MAYBE = (int, float, type(None))

_NUMBER = (int, float)

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
