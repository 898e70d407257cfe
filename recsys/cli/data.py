"""Commands that get data: fetch, prepare and import-vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recsys.cli import facts
from recsys.cli.options import (
    AsJson,
    EngineName,
    Master,
    OutFolder,
    SparkConf,
    check_choice,
    parse_scale,
    path_argument,
    path_option,
    read_engine,
)
from recsys.errors import InputError
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
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE...", help="Names of datasets, MovieLens folders, or CSV, TSV or Parquet files of ratings."
        ),
    ],
    out: OutFolder,
    append: Annotated[
        bool, typer.Option("--append", help="Add the ratings to the folder --out, with the settings it was made with.")
    ] = False,
    items: Annotated[Path | None, path_option(help="Table of items: item_id, title, year, genres, tags.")] = None,
    user_col: Annotated[str | None, typer.Option(help="Column of user ids; a number if there is no header.")] = None,
    item_col: Annotated[str | None, typer.Option(help="Column of item ids.")] = None,
    rating_col: Annotated[
        str | None, typer.Option(help="Column of ratings; without one, every row counts as a rating of 1.")
    ] = None,
    time_col: Annotated[str | None, typer.Option(help="Column of times: seconds since 1970 or ISO dates.")] = None,
    scale: Annotated[str | None, typer.Option(help="Lowest and highest valid rating, as MIN:MAX.")] = None,
    ids: Annotated[
        str | None, typer.Option(help=f"Type of the ids: {', '.join(ID_TYPES)}.", show_default="auto")
    ] = None,
    min_user: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_LISTED, help="Fewest ratings per user (iterated k-core).", show_default="1"),
    ] = None,
    min_item: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_LISTED, help="Fewest ratings per item (iterated k-core).", show_default="1"),
    ] = None,
    engine: EngineName = None,
    master: Master = None,
    spark_conf: SparkConf = None,
    as_json: AsJson = False,
) -> None:
    """Clean ratings and store them in a folder.

    Every rejected row is stored with its file, line and reason.
    """
    if ids is not None:
        check_choice("--ids", ids, ID_TYPES)
    spark = read_engine(engine, master, spark_conf)
    if append and spark is not None:
        raise InputError("--append reads the new files on this machine; leave --engine spark out")
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.ingest import Columns
    from recsys.workflows import prepare as workflow

    columns = Columns(user_col, item_col, rating_col, time_col)
    given = {"scale": parse_scale(scale), "ids": ids, "min_user": min_user, "min_item": min_item}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with Screen() as screen:
        progress: dict[str, Any] = {"start_progress": screen.start_progress, "notify": screen.notify}
        if append:
            done = workflow.append(sources, out, items=items, columns=columns, settings=settings, **progress)
        else:
            done = workflow.prepare(
                sources[0], out, more=sources[1:], items=items, columns=columns, spark=spark, **settings, **progress
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
