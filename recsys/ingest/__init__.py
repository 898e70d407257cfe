"""Rating files → Interactions, Catalog and the rows set aside.

`form` finds out how a file is laid out, `rules` says which rows are usable, `ratings` reads, `titles` names the items,
`users` reads a list of users, and `prepare` puts it all in order.
"""

from recsys.ingest.layout import Columns
from recsys.ingest.prepare import Source, find_source, prepare_ratings
from recsys.ingest.validation import Rules

__all__ = ["Columns", "Rules", "Source", "find_source", "prepare_ratings"]
