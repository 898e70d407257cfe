"""Reads everything that comes from outside: ratings, item tables, user lists, exports, downloads.

`datasets` lists what `download` fetches. `layout` detects how a file is laid out, `validation` checks its rows,
`ratings` (with `digits` for plain numbers) and `tables` read blocks of them, `items` reads the catalog, `prepare`
combines all into a Dataset, and `sources` has the functions to call. The names below are imported on first use, so that
importing the package is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recsys.ingest.download import fetch
    from recsys.ingest.layout import Columns
    from recsys.ingest.prepare import Earlier
    from recsys.ingest.sources import Source, append_ratings, find_source, load_dataset, prepare_ratings, read_ratings
    from recsys.ingest.validation import Validation

__all__ = [
    "Columns",
    "Earlier",
    "Source",
    "Validation",
    "append_ratings",
    "fetch",
    "find_source",
    "load_dataset",
    "prepare_ratings",
    "read_ratings",
]

_MODULE_OF = {"fetch": "download", "Columns": "layout", "Earlier": "prepare", "Validation": "validation"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF.get(name, 'sources')}"), name)
