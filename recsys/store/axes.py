"""Axes ↔ axes.json in a model folder."""

from __future__ import annotations

from pathlib import Path

from recsys.space.axis import Axes, Axis
from recsys.store.files import FORMAT_VERSION, read_json, reading, write_json
from recsys.store.models import check_fingerprint, fingerprint_of

AXES = "axes.json"


def save_axes(model_folder: Path, axes: Axes) -> Path:
    """Store the axes with their model, as JSON; returns the path."""
    path = model_folder / AXES
    write_json(
        path,
        {
            "format_version": FORMAT_VERSION,
            "model": fingerprint_of(model_folder),
            "method": axes.method,
            "seed": axes.seed,
            "discovered": [axis.to_json() for axis in axes.discovered],
            "asked": [axis.to_json() for axis in axes.asked],
        },
    )
    return path


def load_axes(model_folder: Path) -> Axes | None:
    """The axes stored with a model; None if there are none.

    Raises InputError when the file is damaged or belongs to another model.
    """
    path = model_folder / AXES
    if not path.is_file():
        return None
    stored = read_json(path)
    with reading(path, "recsys axes"):
        check_fingerprint(stored["model"], model_folder)
        discovered, asked = (tuple(Axis.from_json(axis) for axis in stored[kind]) for kind in ("discovered", "asked"))
        return Axes(stored["method"], discovered, asked, int(stored["seed"]))
