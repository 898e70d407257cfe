"""Commands that get data: fetch, prepare and import-vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli import facts
from recsys.cli.options import AsJson, OutFolder, check_choice, parse_scale, path_argument, path_option
from recsys.limits import MOST_LISTED

ID_TYPES = ("auto", "integer", "string")


def fetch(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(facts.datasets())}.")], as_json: AsJson = False
) -> None:
    """Download a MovieLens dataset.

    Checksums are verified, and interrupted downloads are resumed.
    """
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.prepare import fetch

    with Screen() as screen:
        done = fetch(name, start_progress=screen.start_progress, notify=screen.notify)
    show(done, as_json, tables.show_fetched)


def prepare(
    source: Annotated[
        str, typer.Argument(help="Name of a dataset, a MovieLens folder, or a CSV, TSV or Parquet file of ratings.")
    ],
    out: OutFolder,
    items: Annotated[Path | None, path_option(help="Table of items: item_id, title, year, genres, tags.")] = None,
    user_col: Annotated[str | None, typer.Option(help="Column of user ids; a number if there is no header.")] = None,
    item_col: Annotated[str | None, typer.Option(help="Column of item ids.")] = None,
    rating_col: Annotated[
        str | None, typer.Option(help="Column of ratings; without one, every row counts as a rating of 1.")
    ] = None,
    time_col: Annotated[str | None, typer.Option(help="Column of times: seconds since 1970 or ISO dates.")] = None,
    scale: Annotated[str | None, typer.Option(help="Lowest and highest valid rating, as MIN:MAX.")] = None,
    ids: Annotated[str, typer.Option(help=f"Type of the ids: {', '.join(ID_TYPES)}.")] = "auto",
    min_user: Annotated[
        int, typer.Option(min=1, max=MOST_LISTED, help="Fewest ratings per user (iterated k-core).")
    ] = 1,
    min_item: Annotated[
        int, typer.Option(min=1, max=MOST_LISTED, help="Fewest ratings per item (iterated k-core).")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Clean ratings and store them in a folder.

    Every rejected row is stored with its file, line and reason.
    """
    check_choice("--ids", ids, ID_TYPES)
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.ingest import Columns
    from recsys.workflows.prepare import prepare

    with Screen() as screen:
        done = prepare(
            source,
            out,
            items=items,
            columns=Columns(user_col, item_col, rating_col, time_col),
            scale=parse_scale(scale),
            ids=ids,
            min_user=min_user,
            min_item=min_item,
            start_progress=screen.start_progress,
            notify=screen.notify,
        )
    show(done, as_json, tables.show_prepared)


def import_vectors(
    vectors: Annotated[
        Path,
        path_argument("Parquet or CSV with item_id, and factors or numeric columns; or word2vec text."),
    ],
    items: Annotated[Path, path_option(help="Table of items: item_id, title, year, genres, tags.")],
    out: OutFolder,
    users: Annotated[
        Path | None,
        path_option(help="User vectors in the same form. Default: a user is the weighted mean of what they rated."),
    ] = None,
    data: Annotated[
        Path | None, path_option(help="Folder written by `recsys prepare`: how often each movie was rated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a model folder of vectors from another program.

    map, axes, clusters, similar, report and the app work on it, and so does recommend.
    """
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.import_vectors import import_vectors

    show(import_vectors(vectors, items, out, users=users, data=data), as_json, tables.show_imported)
