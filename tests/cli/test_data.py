"""The command prepare, on a small file of ratings."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.cli.samples import RATINGS


def test_own_ratings_are_prepared_with_their_titles(work: Path) -> None:
    items = pq.read_table(work / "data" / "items.parquet").to_pylist()
    assert items[0] == {"item_id": "m0", "title": "The Film 0", "year": 1960, "genres": ["Drama", "Comedy"], "tags": []}
    report = json.loads((work / "data" / "report.json").read_text())
    assert report["read"] == report["kept"] == RATINGS.count("\n") - 1
