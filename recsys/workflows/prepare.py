"""Fetch and prepare: from a source of ratings to a folder of clean data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from recsys import ingest, store
from recsys.ingest import datasets
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
    items: Path | None = None,
    columns: ingest.Columns | None = None,
    scale: tuple[float, float] | None = None,
    ids: str = "auto",
    min_user: int = 1,
    min_item: int = 1,
    start_progress: StartProgress = no_progress,
    notify: Notify = no_notice,
) -> Prepared:
    """Clean ratings and store them in the folder `out`.

    source    name of a dataset, a MovieLens folder, or a file of ratings
    items     table of items; default: the one found next to the ratings
    scale     lowest and highest valid rating; default: that of a named dataset, else no limits
    ids       "auto", "integer" or "string"
    min_user, min_item  the fewest ratings of a user and of an item (iterated until both hold)
    """
    is_dataset = source in datasets.DATASETS and not Path(source).exists()
    with writing(out, store.PREPARED, inputs=[None if is_dataset else Path(source), items]):
        if is_dataset:
            scale = scale or datasets.DATASETS[source].rating_scale
            folder = ingest.fetch(source, on_progress=_bytes(start_progress(f"fetching {source}")), on_notice=notify)
            found = ingest.find_source(folder, items)
        else:
            found = ingest.find_source(Path(source), items)
        prepared = ingest.prepare_ratings(
            found,
            columns=columns,
            validation=ingest.Validation(scale, ids),  # type: ignore[arg-type]
            min_user=min_user,
            min_item=min_item,
            on_progress=start_progress(f"reading {found.ratings.name}"),
        )
        store.save_prepared(out, prepared)
    return Prepared(prepared.report, out)


def rejected_rows(data: Path, n: int = 100) -> pd.DataFrame:
    """The first `n` rows that `prepare` rejected: file, line, reason, text. Raises InputError if they cannot be
    read."""
    table: pd.DataFrame = store.read_rejected(data, n).to_pandas()
    return table


def _bytes(progress: Progress) -> Callable[[int, int | None], None]:
    """A progress callback for downloads, whose total size a server may not say (None)."""
    return lambda done, total: progress(done, total or 0)
