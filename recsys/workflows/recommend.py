"""Recommend, similar, analogy: lists from a model folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.errors import InputError
from recsys.ingest.users import read_user_ids
from recsys.ingest.validation import REJECTED
from recsys.models import Model
from recsys.recommend.reasons import reasons
from recsys.recommend.steer import parse_shift, shifted
from recsys.recommend.steer import steer as steer_list
from recsys.recommend.topn import UserBatch, batch_of_ratings, batch_of_users, similar_side_by_side
from recsys.recommend.topn import recommend as recommend_to
from recsys.recommend.topn import similar as similar_items
from recsys.space.axis import Axes
from recsys.space.embedding import Metric
from recsys.space.probes import built_in_axes
from recsys.topk import BLOCK_BYTES, row_blocks
from recsys.workflows.common import Report, quiet, rows_of_table

PART_ROWS = 2**19
"""Rows of a finished part of a batch: some ten megabytes, so that little is lost when a run is broken off."""


def recommend(
    model_folder: Path,
    data: Path,
    out: Path,
    *,
    k: int = 10,
    users: Path | None = None,
    exclude_seen: bool = True,
    resume: bool = False,
    n_threads: int | None = None,
    report: Report = quiet,
) -> dict[str, Any]:
    """Write the k best items of every user (or of those listed in a file) as Parquet, in parts that can be resumed.

    Users of the data whom training never saw are folded in. Listed users who are not in the data are set aside, with
    file, line and reason, in `<out>.rejected.parquet`. Progress is in users and comes within a part too; what it
    raises goes through, and leaves the finished parts for `resume`. On one thread the scores are the same to the last
    bit whatever the size of a part.
    """
    if k < 1:
        raise InputError(f"the number of recommendations is at least 1, not {k}")
    if out.is_dir():
        raise InputError(f"{out}: is a folder; name a file to write to")
    model = store.load_model(model_folder)
    stored = store.load_prepared(data)
    rejected = pa.Table.from_pylist([], REJECTED)
    wanted = None
    if users is not None:
        wanted, rejected = _listed_users(users, stored)
    batch = batch_of_users(model, stored.interactions, wanted)
    size = max(1, PART_ROWS // min(k, len(model.item_ids)))
    plan = {
        "model": store.fingerprint_of(model_folder),
        "data": stored.interactions.fingerprint,
        "users": hashlib.sha256("\n".join(map(str, batch.user_ids)).encode()).hexdigest(),
        "k": k,
        "exclude_seen": exclude_seen,
        "part_users": size,
    }
    parts = store.Parts(out, plan, resume)
    blocks = _no_single_row(len(batch), size)
    n_threads = n_threads or os.cpu_count() or 1
    # One block of `top_k` for each thread at a time, less a row, so that a row that is taken in makes no further block.
    step = max(1, n_threads * (BLOCK_BYTES // (4 * max(1, len(model.item_ids)))) - 1)
    missing = [number for number in range(len(blocks)) if not parts.has(number)]
    done = len(batch) - sum(blocks[number].stop - blocks[number].start for number in missing)
    progress = report("recommending")
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
    origins = pd.Series(batch.origin).value_counts()
    result = {
        "out": str(out),
        "users": len(batch),
        "rows": n_rows,
        "k": k,
        "origin": {str(name): int(count) for name, count in origins.items()},
        "resumed_parts": parts.n_found,
        "rejected_users": len(rejected),
    }
    if len(rejected):
        aside = out.with_name(f"{out.stem}.rejected.parquet")
        store.write_table(aside, rejected)
        result["rejected_file"] = str(aside)
    return result


def _no_single_row(n_rows: int, size: int) -> list[slice]:
    """Slices of `size` rows, the last one up to a row longer: BLAS multiplies a single row in another way, and its last
    bits would tell where a part ended."""
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
) -> dict[str, Any]:
    """The k best items of one user, with titles; moved along axes by `steer`, each AXIS=AMOUNT; with reasons if `why`.

    Raises UnknownId for a user, an axis or a title that there is not.
    """
    model, stored = store.load_model(model_folder), store.load_prepared(data)
    batch = batch_of_users(model, stored.interactions, [user])
    return _listed(model, model_folder, batch, k, exclude_seen, steer, why)


def recommend_ratings(
    model_folder: Path, rated: Mapping[str, float], *, k: int = 10, steer: Sequence[str] = (), why: bool = False
) -> dict[str, Any]:
    """The k best items for somebody new, from titles and ratings. Raises UnknownId naming near titles."""
    model = store.load_model(model_folder)
    ratings = {model.catalog.id_of(title, model.n_ratings): stars for title, stars in rated.items()}
    return _listed(model, model_folder, batch_of_ratings(model, ratings), k, True, steer, why)


def similar(model_folder: Path, title: str, *, k: int = 10, metric: Metric | None = "cosine") -> dict[str, Any]:
    """The items most like the one of that title by one metric, or by each with `metric` None.

    Raises UnknownId naming near titles.
    """
    model = store.load_model(model_folder)
    row = model.catalog.row_of(title, model.n_ratings)
    item = model.item_ids[row]
    done: dict[str, Any] = {"title": model.catalog.labels[row], "metric": metric or "each metric"}
    if metric is None:
        table, length_is_popularity = similar_side_by_side(model, item, k)
        done |= {"n_ratings": int(model.n_ratings[row]), "length_popularity": length_is_popularity}
    else:
        table = similar_items(model, item, k, metric)
    table["title"] = model.catalog.label_of(table["item_id"].to_numpy())
    return done | {"similar": rows_of_table(table)}


def analogy(model_folder: Path, a: str, b: str, c: str, *, k: int = 10) -> dict[str, Any]:
    """`a` is to `b` as `c` is to ?: by vector arithmetic on directions. Raises UnknownId naming near titles."""
    model = store.load_model(model_folder)
    rows = [model.catalog.row_of(title, model.n_ratings) for title in (a, b, c)]
    a, b, c = model.item_ids[rows]
    ids, cosines = model.space.analogy(a, b, c, k)
    titles = model.catalog.label_of(ids) if len(ids) else []
    found = pd.DataFrame({"rank": range(1, len(ids) + 1), "item_id": ids, "title": titles, "similarity": cosines})
    return {"analogy": list(model.catalog.labels[rows]), "answers": rows_of_table(found)}


def _listed_users(path: Path, stored: Dataset) -> tuple[np.ndarray, pa.Table]:
    """The rows of the data's users that a file lists, once each, and the lines that can't be used."""
    ids, lines = read_user_ids(path)
    known = stored.interactions.user_index
    typed = pd.Series(ids).astype("str")
    if known.dtype == np.int64:
        typed = pd.to_numeric(typed, errors="coerce")
    places = known.get_indexer(pd.Index(typed.to_numpy()))
    repeated = pd.Series(places).duplicated().to_numpy() & (places >= 0)
    bad = np.flatnonzero((places < 0) | repeated)
    reasons = ["user is listed twice" if repeated[row] else "user is not in the data" for row in bad]
    rejected = pa.table([[path.name] * len(bad), lines[bad], reasons, [str(ids[row]) for row in bad]], schema=REJECTED)
    used = (places >= 0) & ~repeated
    if not used.any():
        raise InputError(
            f"{path}: line {lines[0]}: user {str(ids[0])[:60]!r} is not in the data, and neither is any other listed"
        )
    return stored.interactions.user_ids[places[used]], rejected


def _listed(
    model: Model,
    folder: Path,
    batch: UserBatch,
    k: int,
    exclude_seen: bool,
    steer: Sequence[str],
    why: bool,
) -> dict[str, Any]:
    """The list of one user as plain values: with titles, what steering did, and the reasons."""
    stored_axes = store.load_axes(folder) if model.has_space and (steer or why) else None
    user = batch.user_ids[0]
    done: dict[str, Any] = {
        "user": user.item() if isinstance(user, np.generic) else user,
        "origin": str(batch.origin[0]),
    }
    if steer:
        known_axes = stored_axes or Axes("", (), built_in_axes(model), 0)
        shifts = [parse_shift(text, model, known_axes) for text in steer]
        steered = steer_list(model, batch, shifts, k, exclude_seen=exclude_seen)
        table = steered.table
        done["steered"] = {
            "axes": rows_of_table(steered.moved),
            "left": model.catalog.label_of(steered.left) if steered.left else [],
            "loss": None if np.isnan(steered.loss) else steered.loss,
        }
        batch = shifted(model, batch, shifts)
    else:
        table = recommend_to(model, batch, k, exclude_seen=exclude_seen)
    items = model.catalog.take(table["item_id"].to_numpy())
    table.insert(2, "title", list(items.labels))
    table["genres"] = [list(g) for g in items.items["genres"]]
    rows = rows_of_table(table.drop(columns="user_id"))
    if why:
        for row, parts in zip(rows, reasons(model, batch, table, stored_axes), strict=True):
            row["why"] = parts
    return done | {"recommendations": rows}
