"""Rating files → Interactions, Catalog and the rows set aside: `ratings` reads, `titles` names, `prepare` orders."""

from recsys.etl.prepare import Prepared, Source, find_source, prepare_ratings
from recsys.etl.ratings import Columns, Rules

__all__ = ["Columns", "Prepared", "Rules", "Source", "find_source", "prepare_ratings"]
