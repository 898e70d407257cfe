"""Commands that list movies: recommend, similar and analogy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli import facts
from recsys.cli.options import AsJson, Count, ModelFolder, Threads, check_choice, parse_ratings, path_option
from recsys.errors import InputError

METRICS = facts.choices("space.embedding", "Metric")
EACH = "all"
BATCH, ONE_USER, NEW_USER = "--out", "--user", "--rate"
APPLIES_TO = {
    "--data": (BATCH, ONE_USER),
    "--users": (BATCH,),
    "--exclude-seen": (BATCH, ONE_USER),
    "--include-seen": (BATCH, ONE_USER),
    "--steer": (ONE_USER, NEW_USER),
    "--why": (ONE_USER, NEW_USER),
    "--resume": (BATCH,),
    "--threads": (BATCH,),
}
"""The modes of `recommend` that an option applies to; options that are not listed apply to all."""


def recommend(
    model: ModelFolder,
    out: Annotated[
        Path | None,
        path_option(help="Recommend to many users: Parquet file of user_id, rank, item_id, score."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Recommend to this user: print a list.")] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(help='Recommend to a new user who rated "Title=stars": print a list; may be repeated.'),
    ] = None,
    data: Annotated[
        Path | None, path_option(help="Folder written by `recsys prepare`, for --out and --user: who has seen what.")
    ] = None,
    k: Count = 10,
    users: Annotated[
        Path | None, path_option(help="With --out: file of user ids, one per line. Default: all users.")
    ] = None,
    exclude_seen: Annotated[
        bool | None,
        typer.Option(
            "--exclude-seen/--include-seen", help="With --out or --user: leave out what a user has rated (default)."
        ),
    ] = None,
    steer: Annotated[
        list[str] | None,
        typer.Option(
            help='With --user or --rate: shift towards one end of an axis, "children\'s=+1", -3 to 3; may be repeated.'
        ),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="With --user or --rate: the ratings and axes that make up each score.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="With --out: continue an interrupted run.")] = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Recommend movies to many users, one user or a new user.

    --out writes lists for many users to a Parquet file; --user and --rate print one list.
    """
    modes = [mode for mode, value in ((BATCH, out), (ONE_USER, user), (NEW_USER, rate)) if value is not None]
    if len(modes) != 1:
        raise InputError("give one of --out FILE (many users), --user ID (one user), --rate TITLE=STARS (a new user)")
    given = {
        "--data": data is not None,
        "--users": users is not None,
        "--exclude-seen": exclude_seen is True,
        "--include-seen": exclude_seen is False,
        "--steer": bool(steer),
        "--why": why,
        "--resume": resume,
        "--threads": threads is not None,
    }
    for option, is_given in given.items():
        if is_given and modes[0] not in APPLIES_TO[option]:
            raise InputError(f"{option} does not apply to {modes[0]}, only to {' and '.join(APPLIES_TO[option])}")
    if rate is not None:
        return _to_new_user(model, rate, k, steer or [], why, as_json)
    if data is None:
        raise InputError("--data is missing: the folder written by recsys prepare")
    is_seen_excluded = exclude_seen is not False
    if user is not None:
        return _to_user(model, data, user, k, is_seen_excluded, steer or [], why, as_json)
    assert out is not None
    return _batch(model, data, out, k, users, is_seen_excluded, resume, threads, as_json)


def _batch(
    model: Path,
    data: Path,
    out: Path,
    k: int,
    users: Path | None,
    exclude_seen: bool,
    resume: bool,
    threads: int | None,
    as_json: bool,
) -> None:
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.recommend import recommend_batch

    with Screen() as screen:
        done = recommend_batch(
            model,
            data,
            out,
            k=k,
            users=users,
            exclude_seen=exclude_seen,
            resume=resume,
            n_threads=threads,
            start_progress=screen.start_progress,
        )
    show(done, as_json, tables.show_batch)


def _to_user(
    model: Path, data: Path, user: str, k: int, exclude_seen: bool, steer: list[str], why: bool, as_json: bool
) -> None:
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.recommend import recommend_user

    done = recommend_user(model, data, user, k=k, exclude_seen=exclude_seen, steer=steer, why=why)
    show(done, as_json, tables.show_recommended)


def _to_new_user(model: Path, rate: list[str], k: int, steer: list[str], why: bool, as_json: bool) -> None:
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.recommend import recommend_ratings

    done = recommend_ratings(model, parse_ratings(rate), k=k, steer=steer, why=why)
    show(done, as_json, tables.show_recommended)


def similar(
    title: Annotated[str, typer.Argument(help="Title of a movie; case, leading article and year do not matter.")],
    model: ModelFolder,
    k: Count = 10,
    metric: Annotated[
        str, typer.Option(help=f"Similarity: {', '.join(METRICS)}; or {EACH} to compare them.")
    ] = "cosine",
    as_json: AsJson = False,
) -> None:
    """List the movies most similar to one."""
    check_choice("--metric", metric, (*METRICS, EACH))
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.similar import similar

    done = similar(model, title, k=k, metric=None if metric == EACH else metric)  # type: ignore[arg-type]
    show(done, as_json, tables.show_similar)


def analogy(
    a: Annotated[str, typer.Argument(help="Title of the first movie,")],
    b: Annotated[str, typer.Argument(help="of the one that relates to it,")],
    c: Annotated[str, typer.Argument(help="and of the one to find the same relation for.")],
    model: ModelFolder,
    k: Count = 10,
    as_json: AsJson = False,
) -> None:
    """Answer by vector arithmetic: A is to B as C is to what?

    For example: recsys analogy "Toy Story" "Toy Story 2" "The Terminator"
    """
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.similar import analogy

    show(analogy(model, a, b, c, k=k), as_json, tables.show_analogy)
