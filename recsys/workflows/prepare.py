"""Fetch and prepare: from a source of ratings to a prepared folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import ingest, store
from recsys.errors import InputError
from recsys.ingest import datasets
from recsys.ingest.validation import REJECTED
from recsys.workflows.common import Progress, Report, Say, quiet


def fetch(name: str, *, report: Report = quiet, say: Say = lambda _: None) -> dict[str, Any]:
    """Download a named dataset into the data folder, or find it there."""
    folder = datasets.fetch(name, on_progress=_bytes(report(f"fetching {name}")), on_notice=say)
    return {"dataset": name, "folder": str(folder), "files": sorted(f.name for f in folder.iterdir() if f.is_file())}


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
    report: Report = quiet,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Clean ratings into a prepared folder. `source` is a dataset's name, a MovieLens folder or a file of ratings."""
    store.check_replaceable(out, store.REPORT)
    if source in datasets.DATASETS and not Path(source).exists():
        scale = scale or datasets.DATASETS[source].rating_scale
        folder = datasets.fetch(source, on_progress=_bytes(report(f"fetching {source}")), on_notice=say)
        found = ingest.find_source(folder, items)
    else:
        found = ingest.find_source(Path(source), items)
    prepared = ingest.prepare_ratings(
        found,
        columns=columns,
        rules=ingest.Rules(scale, ids),  # type: ignore[arg-type]
        min_user=min_user,
        min_item=min_item,
        on_progress=report(f"reading {found.ratings.name}"),
    )
    store.save_prepared(out, prepared)
    return {**prepared.report, "out": str(out)}


def rejected_rows(data: Path, n: int = 100) -> pd.DataFrame:
    """The first rows that `prepare` set aside: file, line, reason, text. Raises InputError when they cannot be read."""
    path = data / store.REJECTED
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(n, columns=REJECTED.names):
                return batch.to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    return REJECTED.empty_table().to_pandas()


def _bytes(progress: Progress) -> Callable[[int, int | None], None]:
    return lambda done, total: progress(done, total or 0)
