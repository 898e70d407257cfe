"""Axes ↔ axes.json in a model folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from recsys.errors import InputError
from recsys.limits import LARGEST
from recsys.space.axis import Axes, Axis
from recsys.space.evidence import DiscoveryEvidence, ProbeEvidence
from recsys.store.artifacts import FORMAT_VERSION
from recsys.store.files import read_json, reading, write_json
from recsys.store.models import check_fingerprint, check_unchanged, n_factors_of
from recsys.store.schema import Checksum, Count, Number, checked

AXES = "axes.json"


@dataclass(frozen=True)
class _StoredAxis:
    """The fields of an axis; see `Axis`."""

    name: str
    low: str
    high: str
    direction: tuple[Number, ...]
    centre: Number
    spread: Annotated[float, Field(ge=1e-30, le=LARGEST)]
    is_valid: bool
    evidence: DiscoveryEvidence | ProbeEvidence

    def axis(self, n_factors: int) -> Axis:
        if len(self.direction) != n_factors:
            raise InputError(f"an axis has {len(self.direction)} dimensions, but the model has {n_factors}")
        values = {**vars(self), "direction": np.array(self.direction, np.float32)}
        return Axis(**values)


@dataclass(frozen=True)
class _Discovered(_StoredAxis):
    evidence: DiscoveryEvidence


@dataclass(frozen=True)
class _Asked(_StoredAxis):
    evidence: ProbeEvidence


@dataclass(frozen=True)
class _StoredAxes:
    """The content of axes.json. Raises InputError for another format version."""

    format_version: int
    model: Checksum
    method: str
    seed: Count
    discovered: tuple[_Discovered, ...]
    asked: tuple[_Asked, ...]

    def __post_init__(self) -> None:
        if self.format_version != FORMAT_VERSION:
            raise InputError(f"has format version {self.format_version}, this version of recsys reads {FORMAT_VERSION}")


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
        stored = checked(_StoredAxes, read_json(path))
        check_fingerprint(stored.model, model_folder, fingerprint)
        n_factors = n_factors_of(model_folder)
        discovered, asked = (tuple(a.axis(n_factors) for a in axes) for axes in (stored.discovered, stored.asked))
        return Axes(stored.method, discovered, asked, stored.seed)
