"""Recommend: a list for every user into a Parquet file, or one list for one user."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import __version__, store
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import index_of
from recsys.engines.session import Spark, connected
from recsys.engines.tasks import shared_folder
from recsys.errors import InputError
from recsys.ingest.ids import in_type_of
from recsys.ingest.users import STDIN, read_item_ids, read_user_ids
from recsys.ingest.validation import REJECTED
from recsys.models import COLD, FOLDED_IN, STORED, Model, UserBatch
from recsys.progress import Progress, StartProgress, no_progress
from recsys.recommend.candidates import Candidates
from recsys.recommend.topn import batch_of_ratings, batch_of_users, best_items
from recsys.recommend.topn import recommend as recommend_to
from recsys.threads import n_cores
from recsys.topk import row_blocks
from recsys.workflows.batch_output import (
    Arrays,
    Columns,
    Format,
    Output,
    Segment,
    format_of,
    partition_of,
    partitions_in,
    write_in_parts,
)
from recsys.workflows.common import plain_value, rows_of_table, writing

if TYPE_CHECKING:
    from recsys.recommend.reasons import Reason
    from recsys.space.embedding import Metric

PART_ROWS = 2**18
"""Rows of a part of a batch, a few megabytes: an interrupted run loses at most a few parts."""
STEP_USERS = 2**13
"""Users between two reports of progress, at which a run can be interrupted."""
EVERY_ITEM = Candidates()
HASH = "crc32(utf8(user_id)) % partitions"
"""How the partition of a user is computed: `partition_of`."""


@dataclass(frozen=True)
class RecommendedBatch:
    """A batch of recommendations, written to `out`.

    origins          how users were scored ("stored", "folded in", "cold"), with the number of users
    n_resumed_parts  parts taken over from an interrupted run
    n_rejected_users, n_rejected_items  lines of the lists that could not be used
    rejected_file    these lines; None if all could be used
    n_candidates     items that passed the filters; None without filters
    has_formulas     of a CSV file: whether any text starts like a formula, which a spreadsheet would run
    """

    out: Path
    n_users: int
    n_rows: int
    k: int
    origins: Mapping[str, int]
    n_resumed_parts: int
    n_rejected_users: int
    n_rejected_items: int = 0
    rejected_file: Path | None = None
    n_candidates: int | None = None
    has_formulas: bool = False

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
        if self.n_candidates is not None:
            values |= {"candidates": self.n_candidates, "rejected_items": self.n_rejected_items}
        return values | ({} if self.rejected_file is None else {"rejected_file": str(self.rejected_file)})


@dataclass(frozen=True)
class RecommendedNeighbours:
    """Lists of similar items, written to `out`; fields as in `RecommendedBatch`."""

    out: Path
    n_items: int
    n_rows: int
    k: int
    metric: Metric
    n_resumed_parts: int
    has_formulas: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys recommend --neighbours --json` prints them."""
        return {
            "out": str(self.out),
            "items": self.n_items,
            "rows": self.n_rows,
            "k": self.k,
            "metric": self.metric,
            "resumed_parts": self.n_resumed_parts,
        }


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
    candidates: Candidates = EVERY_ITEM,
    allow: Path | None = None,
    deny: Path | None = None,
    kind: Format | None = None,
    with_titles: bool = False,
    n_partitions: int | None = None,
    resume: bool = False,
    n_threads: int | None = None,
    spark: Spark | None = None,
    start_progress: StartProgress = no_progress,
) -> RecommendedBatch:
    """Write the `k` best items of every user, or of the users listed in a file, to a file or a folder of partitions.

    users         list of user ids, as `read_user_ids` reads it
    candidates    the items that may be recommended; `allow` and `deny` are files of item ids that take its place there
    kind          format; None: the one that the suffix of `out` stands for
    n_partitions  write a folder with a file for each part of the users (`partition_of`); None: one file
    spark         rank there; None: in this process. The result is the same. Raises Unsupported for a model without
                  vectors

    Users of the data who were not in training are folded in. Listed users who are not in the data, and listed items
    that the model does not have, are written, with file, line and reason, to `<out>.rejected.parquet`.

    The lists are made in parts. An exception raised by the progress callback, which counts users, ends the run; the
    finished parts stay on disk for `resume`, also for another format of the same lists.
    """
    if k < 1:
        raise InputError(f"the number of recommendations is at least 1, not {k}")
    if kind is None:
        kind = format_of(out) if n_partitions is None else "parquet"
    rejected_file = out.parent / f"{out.stem}.rejected.parquet"
    inputs = [model_folder, data, None if users == STDIN else users, allow, deny]
    folder_kind = None if n_partitions is None else store.LISTS
    with (
        writing(out, folder_kind, others={rejected_file: _is_rejected}, inputs=inputs),
        ThreadPoolExecutor(1) as pool,
    ):
        loading = pool.submit(_load_data, data)
        model = store.load_model(model_folder)
        rejected = REJECTED.empty_table()
        if allow is not None:
            items, unknown = _listed(allow, "item", model.item_ids)
            candidates, rejected = dataclasses.replace(candidates, allow=items), unknown
        if deny is not None:
            items, unknown = _listed(deny, "item", model.item_ids)
            candidates, rejected = dataclasses.replace(candidates, deny=items), pa.concat_tables([rejected, unknown])
        n_rejected_items = len(rejected)
        allowed = _allowed(model, candidates)
        if spark is None:
            model.fitted.prepare_top_k()
        else:
            _ = model.space  # raises Unsupported before Spark starts
        stored, fingerprint = loading.result()
        wanted = None
        if users is not None:
            wanted, unknown = _listed(users, "user", stored.interactions.user_ids)
            rejected = pa.concat_tables([unknown, rejected])
        batch = batch_of_users(model, stored.interactions, wanted)
        order, sizes = None, np.array([len(batch)])
        if n_partitions is not None:
            partitions = partition_of(batch.user_ids, n_partitions)
            order, sizes = np.argsort(partitions, kind="stable"), np.bincount(partitions, minlength=n_partitions)
        plan = {
            "model": model.fingerprint,
            "data": fingerprint,
            "users": None if wanted is None else _digest(stored.interactions.user_rows(wanted)),
            "n_partitions": n_partitions,
            "exclude_seen": exclude_seen,
            "candidates": None if allowed is None else _digest(allowed),
        }
        threads = n_threads or n_cores()

        def users_of(rows: slice) -> UserBatch:
            return batch[rows if order is None else order[rows]]

        def lists_of(rows: slice) -> Arrays:
            some = users_of(rows)
            return best_items(model, some, k, exclude_seen=exclude_seen, allowed=allowed, n_threads=threads)

        def lists_on_spark(blocks: Sequence[slice]) -> Iterator[Arrays]:
            from recsys.engines.lists import lists_of

            assert spark is not None
            with shared_folder(out) as folder, connected(spark) as context:
                yield from lists_of(
                    context, model, users_of, blocks, k, folder, exclude_seen=exclude_seen, allowed=allowed
                )

        user_ids = pa.array(batch.user_ids if order is None else batch.user_ids[order])
        titles = _titles(model) if with_titles else None
        columns = Columns("user_id", user_ids, "item_id", pa.array(model.item_ids), "score", member_titles=titles)
        facts = {"users": len(batch), "k": k, "format": kind, "partitions": n_partitions, "hash": HASH}
        with _output(out, columns, kind, sizes, facts) as output:
            progress = start_progress("recommending")
            length, ahead = min(k, len(model.item_ids)), None if spark is None else lists_on_spark
            parts = _write(output, plan, len(batch), length, lists_of, out, resume, progress, ahead)
        parts.remove()
        _store_rejected(rejected_file, rejected)
        return RecommendedBatch(
            out,
            len(batch),
            output.n_rows,
            k,
            {name: n for name in (STORED, FOLDED_IN, COLD) if (n := int((batch.origin == name).sum()))},
            parts.n_found,
            len(rejected) - n_rejected_items,
            n_rejected_items,
            rejected_file if len(rejected) else None,
            None if allowed is None else int(allowed.sum()),
            output.has_formulas,
        )


def recommend_neighbours(
    model_folder: Path,
    out: Path,
    *,
    k: int = 10,
    metric: Metric = "cosine",
    kind: Format | None = None,
    with_titles: bool = False,
    resume: bool = False,
    n_threads: int | None = None,
    start_progress: StartProgress = no_progress,
) -> RecommendedNeighbours:
    """Write the `k` items most similar to each item, itself excluded, to a file. Items with a zero vector have no list.

    Parts and progress, which counts items, as for `recommend_batch`. Raises Unsupported for a model without vectors.
    """
    kind = format_of(out) if kind is None else kind
    with writing(out, inputs=[model_folder]):
        model = store.load_model(model_folder)
        space = model.space
        rows = np.flatnonzero(space.item_directions.any(axis=1))
        length, threads = min(k, len(model.item_ids) - 1), n_threads or n_cores()
        if not len(rows) or length < 1:
            raise InputError(f"{model_folder}: has no two items with vectors, so no item has neighbours")

        def lists_of(some: slice) -> Arrays:
            ids, similarities = space.neighbours(model.item_ids[rows[some]], length, metric, n_threads=threads)
            found = space.item_index.get_indexer(index_of(ids.ravel())).reshape(ids.shape)
            return found.astype(np.int32), similarities

        ids, titles = pa.array(model.item_ids), _titles(model) if with_titles else None
        owner_titles = None if titles is None else titles.take(pa.array(rows))
        columns = Columns("item_id", ids.take(pa.array(rows)), "neighbour_id", ids, "similarity", owner_titles, titles)
        plan = {"model": model.fingerprint, "metric": metric}
        with _output(out, columns, kind, np.array([len(rows)]), {"partitions": None}) as output:
            progress = start_progress("finding neighbours")
            parts = _write(output, plan, len(rows), length, lists_of, out, resume, progress)
        parts.remove()
        return RecommendedNeighbours(out, len(rows), output.n_rows, k, metric, parts.n_found, output.has_formulas)


def _write(
    output: Output,
    plan: Mapping[str, Any],
    n: int,
    length: int,
    lists_of: Callable[[slice], Arrays],
    out: Path,
    resume: bool,
    progress: Progress,
    ahead: Callable[[Sequence[slice]], Iterator[Arrays]] | None = None,
) -> store.Parts:
    """Compute the lists of `n` owners, in parts and steps, and write them; returns the parts, to be removed.

    plan      what determines the lists, besides their length
    lists_of  the lists (rows, length) of a step
    ahead     the lists of parts, in their order; takes the place of `lists_of`
    """
    size = max(1, PART_ROWS // length)
    parts = store.Parts(out, {**plan, "version": __version__, "length": length, "part_size": size}, resume)
    blocks = list(row_blocks(n, size))
    done = sum(rows.stop - rows.start for number, rows in enumerate(blocks) if parts.has(number))
    progress(done, n)

    missing = [rows for number, rows in enumerate(blocks) if not parts.has(number)]
    found = (each for each in (() if ahead is None else ahead(missing)))

    def compute(rows: slice) -> Arrays:
        nonlocal done
        if ahead is not None:
            lists = next(found)
            done += rows.stop - rows.start
            progress(done, n)
            return lists
        pieces = []
        for step in row_blocks(rows.stop - rows.start, STEP_USERS):
            pieces.append(lists_of(slice(rows.start + step.start, rows.start + step.stop)))
            done += step.stop - step.start
            progress(done, n)
        columns, scores = zip(*pieces, strict=True)
        return np.concatenate(columns), np.concatenate(scores)

    with closing(found):
        write_in_parts(output, parts, blocks, length, compute)
    return parts


def _allowed(model: Model, candidates: Candidates) -> np.ndarray | None:
    """The mask of a filter. Raises InputError when no item passes."""
    allowed = candidates.mask(model)
    if allowed is not None and not allowed.any():
        raise InputError("no movie passes all filters; leave one out")
    return allowed


def _titles(model: Model) -> pa.Array:
    return pa.array(model.catalog.labels, pa.string())


def _load_data(folder: Path) -> tuple[Dataset, str]:
    """Prepared data, and a SHA-256 that identifies them: that of their marker, which lists the checksums of the files,
    or of the ratings themselves if the folder was replaced meanwhile."""
    before = store.prepared_fingerprint(folder)
    stored = store.load_prepared(folder)
    return stored, before if store.prepared_fingerprint(folder) == before else stored.interactions.fingerprint


@contextmanager
def _output(out: Path, columns: Columns, kind: Format, sizes: np.ndarray, facts: Mapping[str, Any]) -> Iterator[Output]:
    """The file or folder of a batch, which appears when it is complete.

    sizes  (n_partitions,) users in each partition
    facts  what the marker of a folder says; `partitions` is None for a file
    """
    if facts["partitions"] is None:
        with store.new_file(out) as temporary:
            yield Output([Segment(temporary, slice(0, int(sizes[0])))], columns, kind)
    else:
        with store.new_artifact(out, store.LISTS, facts) as temporary:
            yield Output(list(partitions_in(temporary, sizes, kind)), columns, kind)


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


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


def recommend_user(
    model_folder: Path,
    data: Path,
    user: Any,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    candidates: Candidates = EVERY_ITEM,
    steer: Sequence[str] = (),
    why: bool = False,
) -> Recommended:
    """The `k` best items of one user, with titles.

    candidates  the items that may be recommended
    steer  shifts along axes, each AXIS=AMOUNT
    why    also split each score over the user's ratings and the axes

    Raises UnknownId for an unknown user, axis or title.
    """
    model, stored = store.load_model(model_folder), store.load_prepared(data)
    batch = batch_of_users(model, stored.interactions, [user])
    return _recommended(model, model_folder, batch, k, exclude_seen, candidates, steer, why)


def recommend_ratings(
    model_folder: Path,
    rated: Sequence[tuple[str, float]],
    *,
    k: int = 10,
    candidates: Candidates = EVERY_ITEM,
    steer: Sequence[str] = (),
    why: bool = False,
) -> Recommended:
    """The `k` best items for a new user, given pairs of title and rating; what they rated is left out.

    Raises UnknownId with similar titles for an unknown title, InputError for a movie that is rated twice.
    """
    from recsys.recommend.queries import ratings_by_id

    model = store.load_model(model_folder)
    ratings = ratings_by_id(model, rated)
    return _recommended(model, model_folder, batch_of_ratings(model, ratings), k, True, candidates, steer, why)


def _recommended(
    model: Model,
    folder: Path,
    batch: UserBatch,
    k: int,
    exclude_seen: bool,
    candidates: Candidates,
    steer: Sequence[str],
    why: bool,
) -> Recommended:
    """The list of the one user of `batch`, with titles, the effect of steering, and the reasons."""
    from recsys.recommend.reasons import reasons
    from recsys.recommend.steer import parse_shift
    from recsys.recommend.steer import steer as steer_list

    allowed = _allowed(model, candidates)
    stored_axes = store.load_axes(folder, model.fingerprint) if model.has_space and (steer or why) else None
    effect = None
    if steer:
        known_axes = stored_axes or model.built_in_axes
        shifts = [parse_shift(text, model.space, model.attributes, known_axes) for text in steer]
        steered = steer_list(model, batch, shifts, k, exclude_seen=exclude_seen, allowed=allowed)
        table = steered.table
        left = tuple(model.catalog.label_of(steered.left)) if steered.left else ()
        effect = SteeringEffect(steered.moved, left, None if np.isnan(steered.loss) else steered.loss)
        batch = steered.batch
    else:
        table = recommend_to(model, batch, k, exclude_seen=exclude_seen, allowed=allowed)
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


def _listed(path: Path, kind: Literal["user", "item"], known: np.ndarray) -> tuple[np.ndarray, pa.Table]:
    """The users of the data, or the items of the model, that a file lists, once each and in its order; and the lines
    that cannot be used.

    known  (n,) ids that there are
    """
    ids, lines = read_user_ids(path) if kind == "user" else read_item_ids(path)
    name, place = ("stdin" if path == STDIN else path.name), ("data" if kind == "user" else "model")
    typed, fits = in_type_of(pa.array(ids.astype(str).tolist(), pa.string()), known)
    rows = np.where(fits, index_of(known).get_indexer(index_of(typed)), -1)
    repeated = pd.Series(rows).duplicated().to_numpy() & (rows >= 0)
    bad = np.flatnonzero((rows < 0) | repeated)
    causes = [f"{kind} is listed twice" if repeated[line] else f"{kind} is not in the {place}" for line in bad]
    rejected = pa.table([[name] * len(bad), lines[bad], causes, [str(ids[line]) for line in bad]], schema=REJECTED)
    used = (rows >= 0) & ~repeated
    if not used.any():
        place = f"line {lines[0]}: {kind} {str(ids[0])[:60]!r} is not in the {place}"
        raise InputError(f"{name if path == STDIN else path}: {place}, nor is any other listed {kind}")
    return known[rows[used]], rejected
