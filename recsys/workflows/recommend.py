"""Recommend: a list for every user into a Parquet file, or one list for one user."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import __version__, store
from recsys.dataset.dataset import Dataset
from recsys.errors import InputError
from recsys.ingest.ids import in_type_of
from recsys.ingest.users import read_user_ids
from recsys.ingest.validation import REJECTED
from recsys.models import Model, UserBatch
from recsys.progress import StartProgress, no_progress
from recsys.recommend.queries import ratings_by_id
from recsys.recommend.reasons import Reason, reasons
from recsys.recommend.steer import parse_shift
from recsys.recommend.steer import steer as steer_list
from recsys.recommend.topn import batch_of_ratings, batch_of_users
from recsys.recommend.topn import recommend as recommend_to
from recsys.space.axis import Axes
from recsys.space.probes import built_in_axes
from recsys.threads import n_cores
from recsys.topk import BLOCK_BYTES, row_blocks
from recsys.workflows.common import plain_value, rows_of_table, writing

PART_ROWS = 2**19
"""Rows of a part of a batch, some ten megabytes: an interrupted run loses at most one part."""


@dataclass(frozen=True)
class RecommendedBatch:
    """A batch of recommendations, written to `out`.

    origins          how users were scored ("stored", "folded in", "cold"), with the number of users
    n_resumed_parts  parts taken over from an interrupted run
    rejected_file    the lines of the list of users that could not be used; None if all could
    """

    out: Path
    n_users: int
    n_rows: int
    k: int
    origins: Mapping[str, int]
    n_resumed_parts: int
    n_rejected_users: int
    rejected_file: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys recommend --out … --json` prints them."""
        values = {
            "out": str(self.out),
            "users": self.n_users,
            "rows": self.n_rows,
            "k": self.k,
            "origin": dict(self.origins),
            "resumed_parts": self.n_resumed_parts,
            "rejected_users": self.n_rejected_users,
        }
        return values | ({} if self.rejected_file is None else {"rejected_file": str(self.rejected_file)})


@dataclass(frozen=True, eq=False)
class SteeringEffect:
    """What steering changed in a list.

    axes  one row per axis: axis, amount, before, after (the mean position of the list, in standard deviations)
    left  titles that dropped out of the list
    loss  the share of the unsteered score that the new list gives up; None if undefined
    """

    axes: pd.DataFrame
    left: tuple[str, ...]
    loss: float | None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"axes": rows_of_table(self.axes), "left": list(self.left), "loss": self.loss}


@dataclass(frozen=True, eq=False)
class Recommended:
    """The recommendations for one user.

    user     original id, or "you" for a new user
    origin   how the user was scored: "stored", "folded in", "cold"
    table    one row per item: rank, item_id, title, score, genres; after steering also taste (the score before),
             rank_before and one column "gain: AXIS" per axis
    steered  what steering changed, if there was any
    reasons  for each row the parts of its score, if they were asked for
    """

    user: Any
    origin: str
    table: pd.DataFrame
    steered: SteeringEffect | None = None
    reasons: tuple[Reason, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys recommend --user … --json` prints them."""
        rows = rows_of_table(self.table)
        if self.reasons is not None:
            rows = [{**row, "why": _plain_reason(why)} for row, why in zip(rows, self.reasons, strict=True)]
        steered = {} if self.steered is None else {"steered": self.steered.to_json()}
        return {"user": self.user, "origin": self.origin, **steered, "recommendations": rows}


def recommend_batch(
    model_folder: Path,
    data: Path,
    out: Path,
    *,
    k: int = 10,
    users: Path | None = None,
    exclude_seen: bool = True,
    resume: bool = False,
    n_threads: int | None = None,
    start_progress: StartProgress = no_progress,
) -> RecommendedBatch:
    """Write the `k` best items of every user, or of the users listed in a file, to a Parquet file.

    Users of the data who were not in training are folded in. Listed users who are not in the data are written, with
    file, line and reason, to `<out>.rejected.parquet`.

    The file is made in parts. An exception raised by the progress callback, which counts users, ends the run; the
    finished parts stay on disk for `resume`. On one thread the scores do not depend on the size of the parts, down to
    the last bit.
    """
    if k < 1:
        raise InputError(f"the number of recommendations is at least 1, not {k}")
    rejected_file = out.parent / f"{out.stem}.rejected.parquet"
    with writing(out, others={rejected_file: _is_rejected}, inputs=[model_folder, data, users]):
        model = store.load_model(model_folder)
        stored = store.load_prepared(data)
        rejected = pa.Table.from_pylist([], REJECTED)
        wanted = None
        if users is not None:
            wanted, rejected = _listed_users(users, stored)
        batch = batch_of_users(model, stored.interactions, wanted)
        size = max(1, PART_ROWS // min(k, len(model.item_ids)))
        plan = {
            "version": __version__,
            "model": model.fingerprint,
            "data": stored.interactions.fingerprint,
            "users": hashlib.sha256("\n".join(map(str, batch.user_ids)).encode()).hexdigest(),
            "k": k,
            "exclude_seen": exclude_seen,
            "part_users": size,
        }
        parts = store.Parts(out, plan, resume)
        blocks = _no_single_row(len(batch), size)
        n_threads = n_threads or n_cores()
        # One block of `top_k` per thread at a time, less one row: a single row that is merged into the last slice must
        # not make a further block.
        step = max(1, n_threads * (BLOCK_BYTES // (4 * max(1, len(model.item_ids)))) - 1)
        missing = [number for number in range(len(blocks)) if not parts.has(number)]
        done = len(batch) - sum(blocks[number].stop - blocks[number].start for number in missing)
        progress = start_progress("recommending")
        progress(done, len(batch))
        for number in missing:
            tables = []
            part = batch[blocks[number]]
            for rows in _no_single_row(len(part), step):
                tables.append(recommend_to(model, part[rows], k, exclude_seen=exclude_seen, n_threads=n_threads))
                done += rows.stop - rows.start
                progress(done, len(batch))
            parts.write(number, pa.Table.from_pandas(pd.concat(tables, ignore_index=True), preserve_index=False))
        n_rows = parts.join(len(blocks))
        _store_rejected(rejected_file, rejected)
        origins = {str(name): int(count) for name, count in pd.Series(batch.origin).value_counts().items()}
        listed = rejected_file if len(rejected) else None
        return RecommendedBatch(out, len(batch), n_rows, k, origins, parts.n_found, len(rejected), listed)


def _store_rejected(path: Path, rejected: pa.Table) -> None:
    """Write rejected rows; where there are none, remove those of an earlier run, which would be taken for ours."""
    if len(rejected):
        store.write_table(path, rejected)
    else:
        path.unlink(missing_ok=True)


def _is_rejected(path: Path) -> bool:
    """Whether a file is a table of rejected rows."""
    try:
        return bool(pq.read_schema(path).names == REJECTED.names)
    except (OSError, pa.ArrowException):
        return False


def _no_single_row(n_rows: int, size: int) -> list[slice]:
    """Slices of `size` rows; a last slice of one row is merged into the one before it. BLAS multiplies a single row by
    another routine, whose last bits differ, and scores must not depend on where a part ends."""
    blocks = list(row_blocks(n_rows, size))
    if size > 1 and len(blocks) > 1 and blocks[-1].stop - blocks[-1].start == 1:
        blocks[-2:] = [slice(blocks[-2].start, n_rows)]
    return blocks


def recommend_user(
    model_folder: Path,
    data: Path,
    user: Any,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    steer: Sequence[str] = (),
    why: bool = False,
) -> Recommended:
    """The `k` best items of one user, with titles.

    steer  shifts along axes, each AXIS=AMOUNT
    why    also split each score over the user's ratings and the axes

    Raises UnknownId for an unknown user, axis or title.
    """
    model, stored = store.load_model(model_folder), store.load_prepared(data)
    batch = batch_of_users(model, stored.interactions, [user])
    return _recommended(model, model_folder, batch, k, exclude_seen, steer, why)


def recommend_ratings(
    model_folder: Path,
    rated: Sequence[tuple[str, float]],
    *,
    k: int = 10,
    steer: Sequence[str] = (),
    why: bool = False,
) -> Recommended:
    """The `k` best items for a new user, given pairs of title and rating; what they rated is left out.

    Raises UnknownId with similar titles for an unknown title, InputError for a movie that is rated twice.
    """
    model = store.load_model(model_folder)
    ratings = ratings_by_id(model, rated)
    return _recommended(model, model_folder, batch_of_ratings(model, ratings), k, True, steer, why)


def _recommended(
    model: Model,
    folder: Path,
    batch: UserBatch,
    k: int,
    exclude_seen: bool,
    steer: Sequence[str],
    why: bool,
) -> Recommended:
    """The list of the one user of `batch`, with titles, the effect of steering, and the reasons."""
    stored_axes = store.load_axes(folder, model.fingerprint) if model.has_space and (steer or why) else None
    effect = None
    if steer:
        known_axes = stored_axes or Axes("", (), built_in_axes(model.space, model.attributes), 0)
        shifts = [parse_shift(text, model.space, model.attributes, known_axes) for text in steer]
        steered = steer_list(model, batch, shifts, k, exclude_seen=exclude_seen)
        table = steered.table
        left = tuple(model.catalog.label_of(steered.left)) if steered.left else ()
        effect = SteeringEffect(steered.moved, left, None if np.isnan(steered.loss) else steered.loss)
        batch = steered.batch
    else:
        table = recommend_to(model, batch, k, exclude_seen=exclude_seen)
    items = model.catalog.take(table["item_id"].to_numpy())
    table.insert(2, "title", list(items.labels))
    table["genres"] = [list(genres) for genres in items.items["genres"]]
    parts = tuple(reasons(model, batch, table, stored_axes)) if why else None
    user = plain_value(batch.user_ids[0])
    return Recommended(user, str(batch.origin[0]), table.drop(columns="user_id"), effect, parts)


def _plain_reason(reason: Reason) -> dict[str, Any]:
    """A reason as JSON: the parts of the score over the ratings and, if there are discovered axes, over these."""
    plain = {"ratings": [dataclasses.asdict(share) for share in reason.ratings]}
    return plain | ({"axes": [dataclasses.asdict(share) for share in reason.axes]} if reason.axes else {})


def _listed_users(path: Path, stored: Dataset) -> tuple[np.ndarray, pa.Table]:
    """The users of the data that a file lists, once each and in its order, and the lines that cannot be used."""
    ids, lines = read_user_ids(path)
    known = stored.interactions.user_index
    typed, fits = in_type_of(pa.array(ids.astype(str).tolist(), pa.string()), stored.interactions.user_ids)
    rows = np.where(fits, known.get_indexer(pd.Index(typed)), -1)
    repeated = pd.Series(rows).duplicated().to_numpy() & (rows >= 0)
    bad = np.flatnonzero((rows < 0) | repeated)
    causes = ["user is listed twice" if repeated[line] else "user is not in the data" for line in bad]
    rejected = pa.table([[path.name] * len(bad), lines[bad], causes, [str(ids[line]) for line in bad]], schema=REJECTED)
    used = (rows >= 0) & ~repeated
    if not used.any():
        raise InputError(
            f"{path}: line {lines[0]}: user {str(ids[0])[:60]!r} is not in the data, nor is any other listed user"
        )
    return stored.interactions.user_ids[rows[used]], rejected
