"""What is served: a model with its data and axes, loaded and ready to answer."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import scipy.sparse as sp

from recsys import store
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, UnknownId, quoted
from recsys.models import Model, UserBatch
from recsys.recommend.steer import axis_called
from recsys.recommend.topn import best_items
from recsys.space.axis import Axes, Axis
from recsys.space.evidence import ProbeEvidence


@dataclass(frozen=True, eq=False)
class Served:
    """A model that answers requests. Threads may share it.

    model         the model
    interactions  the ratings of known users, with the model's items as columns; None if they are not at hand
    axes          the discovered and built-in axes; None for a model without vectors
    fingerprint   of the model's folder
    loaded_at     when it was loaded, UTC
    """

    model: Model
    interactions: Interactions | None
    axes: Axes | None
    fingerprint: str
    loaded_at: datetime
    _asked: dict[str, Axis] = field(default_factory=dict)
    _asking: Any = field(default_factory=Lock)

    @classmethod
    def load(cls, folder: Path, data: Path | None = None) -> Served:
        """Load a model and the ratings of its users, and compute everything that a first request would wait for.

        data  folder of prepared data; None: the one that the model names, if it is there

        The data may be newer than those of the training: users who are not in the model are folded in. Raises
        InputError for a damaged folder.
        """
        model = store.load_model(folder)
        interactions = None
        named = Path(model.data["path"]) if data is None and "path" in model.data else data
        if named is not None and (data is not None or (named / store.REPORT).is_file()):
            interactions = replace(store.load_prepared(named).interactions, timestamps=None)
            if not np.array_equal(interactions.item_ids, model.item_ids):
                interactions = interactions.with_items(model.item_ids)
                if not interactions.n_ratings:
                    raise InputError(f"{named}: has no item in common with the model {folder}; name its data")
        axes = _axes_of(model, folder) if model.has_space else None
        served = cls(model, interactions, axes, model.fingerprint or "", datetime.now(UTC))
        served._prepare()
        return served

    def _prepare(self) -> None:
        model = self.model
        model.fitted.prepare_top_k()
        _ = model.catalog.labels, model.catalog.genre_matrix, model.attributes, self.n_users, self.columns
        model.catalog.search("the", 1, model.n_ratings)
        if self.interactions is not None:
            _ = self.interactions.user_index
        if model.has_space:
            _ = model.space.directions_index.arranged, model.space.item_index, model.space.user_index
            _ = (
                model.space.attributes
            )  # ends a reference cycle: a model that is replaced is freed with its last request
        first = sp.csr_matrix((np.ones(1, np.float32), ([0], [0])), shape=(1, len(model.item_ids)))
        batch = model.fitted.batch(np.array(["new"], dtype=object), first, model.weighting, is_new=True)
        best_items(model, batch, 1)  # loads compiled code

    @cached_property
    def n_users(self) -> int:
        """Users with ratings at hand, else those with vectors."""
        if self.interactions is not None:
            return self.interactions.n_users
        return self.model.space.n_users if self.model.has_space and self.model.space.has_users else 0

    @cached_property
    def columns(self) -> dict[str, list[Any]]:
        """Title, genres and tags of each movie, as lists: pandas takes long for one cell."""
        items = self.model.catalog.items
        return {name: items[name].tolist() for name in ("title", "genres", "tags")}

    def row_of(self, name: int | str) -> int:
        """The row of a movie: a number is an id, a text a title or an id as `Catalog.row_of` says. Raises UnknownId."""
        catalog = self.model.catalog
        if isinstance(name, str):
            return catalog.row_of(name, self.model.n_ratings)
        row = _row(catalog.index, name)
        if row is None:
            raise UnknownId.of("item", [name])
        return row

    def batch_of_user(self, user: int | str, needs_ratings: bool) -> UserBatch:
        """A known user.

        needs_ratings  whether what the user rated must be known, to leave it out or to explain

        Raises UnknownId, which names no other user; InputError if ratings are needed that are not at hand.
        """
        model, known = self.model, self.interactions
        if known is None and (needs_ratings or not model.has_space):
            raise InputError(
                "the service has no ratings of known users: give ratings, or exclude_seen false and no explain"
            )
        index = known.user_index if known is not None else model.space.user_index
        row = _row(index, user)
        if row is None:
            raise UnknownId.of("user", [user])
        if known is not None:
            ids, ratings = known.user_ids[row : row + 1], model.ratings_of(known, np.array([row]))
        else:
            ids = model.space.user_ids[row : row + 1]
            ratings = sp.csr_matrix((1, len(model.item_ids)), dtype=np.float32)
        return model.fitted.batch(ids, ratings, model.weighting)

    def axis(self, name: str) -> Axis:
        """The axis that a name, one of its ends or a genre means, with the named end high.

        Other questions take seconds to test, so they are not asked here. Raises UnknownId, InputError for an axis that
        is not in the space, Unsupported for a model without vectors.
        """
        space, wanted = self.model.space, name.strip().casefold()
        with self._asking:  # a genre is tested once
            if wanted not in self._asked:
                genres = (genre.casefold() for genre in self.model.catalog.content_genres)
                if wanted not in self._axis_names and wanted not in genres:
                    raise UnknownId(f"there is no axis or genre {quoted(name)} to steer along; /axes lists them")
                self._asked[wanted] = axis_called(name, space, self.model.attributes, self.axes)
            axis = self._asked[wanted]
        if not axis.is_valid and isinstance(axis.evidence, ProbeEvidence):
            raise InputError(f"{quoted(name)} is not in this space: {axis.evidence.reason}")
        return axis

    @cached_property
    def _axis_names(self) -> frozenset[str]:
        """What `axis_called` finds without asking a question, in lower case."""
        assert self.axes is not None
        names = {axis.name for axis in self.axes.discovered}
        for axis in self.axes.asked:
            names |= {axis.name, axis.low, axis.high, axis.flipped().name}
        return frozenset(name.casefold() for name in names)


def _axes_of(model: Model, folder: Path) -> Axes:
    """The axes that are stored with a model, else the built-in ones; none where there are too few items to test them.
    Axes of another model do not count: `recsys axes` renews them, and the service sees that."""
    with contextlib.suppress(InputError):
        axes = store.load_axes(folder, model.fingerprint)
        if axes is not None and axes.asked:
            return axes
        return replace(axes, asked=model.built_in_axes.asked) if axes is not None else model.built_in_axes
    with contextlib.suppress(InputError):
        return model.built_in_axes
    return Axes("", (), (), 0)


def _row(index: Any, key: int | str) -> int | None:
    """The row of an id in an index of ids, or None. Numbers and text are converted into each other, as ids in an
    address are text."""
    try:
        return int(index.get_loc(int(key) if index.dtype == np.int64 else str(key)))
    except (KeyError, ValueError, OverflowError):
        return None


def newest_stamp(folder: Path, data: Path | None) -> tuple[object, ...]:
    """What changes when the model, its axes or its data are replaced. Raises RecsysError if the model is not there.

    data  as for `Served.load`
    """
    manifest = store.read_manifest(folder)
    stamps: list[object] = [store.fingerprint_of(folder)]
    if data is None and "path" in manifest["data"]:
        data = Path(os.path.normpath(folder.resolve() / manifest["data"]["path"]))
    for file in (folder / store.AXES, *(() if data is None else (data / store.REPORT,))):
        try:
            found = file.stat()
        except OSError:
            stamps.append(None)
        else:
            stamps.append((found.st_ino, found.st_mtime_ns, found.st_size))
    return tuple(stamps)
