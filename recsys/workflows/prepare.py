"""Fetch and prepare: from a source of ratings to a folder of clean data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsys import ingest, store
from recsys.engines.session import Spark, connected
from recsys.engines.tasks import shared_folder
from recsys.errors import InputError
from recsys.ingest import datasets
from recsys.ingest.ratings import read_blocks
from recsys.ingest.sources import ReadBlocks
from recsys.progress import Notify, Progress, StartProgress, no_notice, no_progress
from recsys.workflows.common import writing


@dataclass(frozen=True)
class Fetched:
    """A downloaded dataset: its folder and the names of the files in it, sorted."""

    dataset: str
    folder: Path
    files: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys fetch --json` prints them."""
        return {"dataset": self.dataset, "folder": str(self.folder), "files": list(self.files)}


@dataclass(frozen=True)
class Prepared:
    """A prepared folder `out`, and the report stored in it: how many rows were read, kept and rejected, and why."""

    report: Mapping[str, Any]
    out: Path

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys prepare --json` prints them."""
        return {**self.report, "out": str(self.out)}


def fetch(name: str, *, start_progress: StartProgress = no_progress, notify: Notify = no_notice) -> Fetched:
    """Download a named dataset into the data folder, unless it is already there."""
    folder = ingest.fetch(name, on_progress=_bytes(start_progress(f"fetching {name}")), on_notice=notify)
    return Fetched(name, folder, tuple(sorted(file.name for file in folder.iterdir() if file.is_file())))


def prepare(
    source: str,
    out: Path,
    *,
    more: Sequence[str] = (),
    items: Path | None = None,
    columns: ingest.Columns | None = None,
    scale: tuple[float, float] | None = None,
    ids: str = "auto",
    min_user: int = 1,
    min_item: int = 1,
    spark: Spark | None = None,
    start_progress: StartProgress = no_progress,
    notify: Notify = no_notice,
) -> Prepared:
    """Clean ratings and store them in the folder `out`.

    source    name of a dataset, a MovieLens folder, or a file of ratings
    more      further sources, whose rows follow
    items     table of items; default: the one found next to the ratings
    scale     lowest and highest valid rating; default: that of a named dataset, else no limits
    ids       "auto", "integer" or "string"
    min_user, min_item  the fewest ratings of a user and of an item (iterated until both hold)
    spark     read the files of ratings there; None: in this process. The result is the same
    """
    sources = [source, *more]
    with writing(out, store.PREPARED, inputs=[*_paths(sources), items]):
        scale = scale or next((datasets.DATASETS[name].rating_scale for name in sources if _is_dataset(name)), None)
        with _reader(spark, out) as read:
            prepared = ingest.prepare_ratings(
                *_find(sources, items, start_progress, notify),
                columns=columns,
                validation=ingest.Validation(scale, ids),  # type: ignore[arg-type]
                min_user=min_user,
                min_item=min_item,
                on_progress=start_progress(f"reading {_name_of(sources)}"),
                read=read,
            )
        store.save_prepared(out, prepared)
    return Prepared(prepared.report, out)


@contextmanager
def _reader(spark: Spark | None, out: Path) -> Iterator[ReadBlocks]:
    """The function that reads files of ratings."""
    if spark is None:
        yield read_blocks
        return
    from recsys.engines.ratings import reader

    with shared_folder(out) as folder, connected(spark) as context, reader(context, folder) as read:
        yield read


def append(
    sources: Sequence[str],
    out: Path,
    *,
    items: Path | None = None,
    columns: ingest.Columns | None = None,
    settings: Mapping[str, Any] | None = None,
    start_progress: StartProgress = no_progress,
    notify: Notify = no_notice,
) -> Prepared:
    """Add ratings to the prepared folder `out`, without reading again what it was made of. The result is what `prepare`
    makes of all sources at once.

    sources   as for `prepare`
    items     table of items, which replaces the stored one; default: the stored one
    settings  settings of `prepare` that the user named: "scale", "ids", "min_user", "min_item"

    Raises InputError for a folder that is missing, damaged or of an older version, for other settings than the folder
    was made with, and for a named dataset with another scale; the folder stays as it is.
    """
    store.read_report(out)  # a missing folder is refused before a lock is made next to it
    with writing(out, store.PREPARED, inputs=[*_paths(sources), items]):
        earlier = ingest.Earlier(*store.load_with_origins(out))
        stored = {**earlier.report["settings"], "ids": earlier.ids}
        for name, value in (settings or {}).items():
            asked = list(value) if isinstance(value, tuple) else value
            if asked != stored[name]:
                option = "--" + name.replace("_", "-")
                raise InputError(f"{out}: was prepared with {option} {_shown(stored[name])}; leave {option} out")
        for name in filter(_is_dataset, sources):
            if stored["scale"] != (scale := list(datasets.DATASETS[name].rating_scale)):
                raise InputError(
                    f"{name} has ratings from {scale[0]:g} to {scale[1]:g}, but {out} was prepared with --scale "
                    f"{_shown(stored['scale'])}; prepare all sources at once"
                )
        prepared = ingest.append_ratings(
            earlier,
            *_find(sources, items, start_progress, notify),
            columns=columns,
            on_progress=start_progress(f"reading {_name_of(sources)}"),
        )
        store.save_prepared(out, prepared)
    return Prepared(prepared.report, out)


def _is_dataset(source: str) -> bool:
    return source in datasets.DATASETS and not Path(source).exists()


def _paths(sources: Sequence[str]) -> list[Path]:
    return [Path(source) for source in sources if not _is_dataset(source)]


def _name_of(sources: Sequence[str]) -> str:
    return Path(sources[0]).name if len(sources) == 1 else f"{len(sources)} sources"


def _shown(value: Any) -> str:
    return ":".join(f"{bound:g}" for bound in value) if isinstance(value, list) else str(value or "unset")


def _find(
    sources: Sequence[str], items: Path | None, start_progress: StartProgress, notify: Notify
) -> list[ingest.Source]:
    """The files of sources; datasets are downloaded."""
    found = []
    for source in sources:
        folder = Path(source)
        if _is_dataset(source):
            folder = ingest.fetch(source, on_progress=_bytes(start_progress(f"fetching {source}")), on_notice=notify)
        found.append(ingest.find_source(folder, items))
    return found


def rejected_rows(data: Path, n: int = 100) -> pd.DataFrame:
    """The first `n` rows that `prepare` rejected: file, line, reason, text. Raises InputError if they cannot be
    read."""
    table: pd.DataFrame = store.read_rejected(data, n).to_pandas()
    return table


def _bytes(progress: Progress) -> Callable[[int, int | None], None]:
    """A progress callback for downloads, whose total size a server may not say (None)."""
    return lambda done, total: progress(done, total or 0)
