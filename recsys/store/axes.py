"""Axes ↔ axes.json in a model folder."""

from __future__ import annotations

from pathlib import Path

from recsys.space.axis import Axes, Axis
from recsys.store.artifacts import FORMAT_VERSION
from recsys.store.files import read_json, reading, write_json
from recsys.store.models import check_fingerprint, check_unchanged

AXES = "axes.json"


def save_axes(model_folder: Path, axes: Axes, fingerprint: str | None = None) -> Path:
    """Store the axes with their model, as JSON; returns the path.

    fingerprint  of the model that the axes were computed from; None: the one in the folder

    Raises InputError when the folder contains another model by now.
    """
    path = model_folder / AXES
    write_json(
        path,
        {
            "format_version": FORMAT_VERSION,
            "model": check_unchanged(model_folder, fingerprint),
            "method": axes.method,
            "seed": axes.seed,
            "discovered": [axis.to_json() for axis in axes.discovered],
            "asked": [axis.to_json() for axis in axes.asked],
        },
    )
    return path


def load_axes(model_folder: Path, fingerprint: str | None = None) -> Axes | None:
    """The axes stored with a model; None if there are none.

    fingerprint  of the model as it was loaded; None: of the model in the folder

    Raises InputError when the file is damaged or belongs to another model.
    """
    path = model_folder / AXES
    if not path.is_file():
        return None
    with reading(path, "recsys axes"):
        stored = read_json(path)
        check_fingerprint(stored["model"], model_folder, fingerprint)
        discovered, asked = (tuple(Axis.from_json(axis) for axis in stored[kind]) for kind in ("discovered", "asked"))
        return Axes(stored["method"], discovered, asked, int(stored["seed"]))
