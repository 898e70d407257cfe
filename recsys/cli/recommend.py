"""Commands that list movies: recommend, similar, analogy, walk and sample."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli import facts
from recsys.cli.options import (
    AsJson,
    Count,
    EngineName,
    Master,
    ModelFolder,
    SparkConf,
    Threads,
    check_choice,
    parse_ratings,
    parse_years,
    path_option,
    read_engine,
    seed_option,
)
from recsys.errors import InputError
from recsys.limits import MOST_RATINGS

if TYPE_CHECKING:
    from recsys.recommend.candidates import Candidates

PRIORS = facts.choices("space.walk", "Prior")
MOST_SAMPLES: int = facts.constant("space.walk", "MOST_SAMPLES")
METRICS = facts.choices("space.embedding", "Metric")
EACH = "all"
MOST_PARTITIONS: int = facts.constant("workflows.batch_output", "MOST_PARTITIONS")
FORMULAS = "Some texts start with =, +, - or @. A spreadsheet may run these CSV cells as formulas."
FORMATS = facts.choices("workflows.batch_output", "Format")
BATCH, NEIGHBOURS, ONE_USER, NEW_USER = "--out", "--neighbours", "--user", "--rate"
LISTS, FILTERED = (BATCH, NEIGHBOURS), (BATCH, ONE_USER, NEW_USER)
APPLIES_TO = {
    "--data": (BATCH, ONE_USER),
    "--users": (BATCH,),
    "--exclude-seen": (BATCH, ONE_USER),
    "--include-seen": (BATCH, ONE_USER),
    "--genre": FILTERED,
    "--years": FILTERED,
    "--min-ratings": FILTERED,
    "--max-ratings": FILTERED,
    "--allow": (BATCH,),
    "--deny": (BATCH,),
    "--metric": (NEIGHBOURS,),
    "--format": LISTS,
    "--titles": LISTS,
    "--partitions": (BATCH,),
    "--steer": (ONE_USER, NEW_USER),
    "--why": (ONE_USER, NEW_USER),
    "--resume": LISTS,
    "--threads": LISTS,
    "--engine": (BATCH,),
    "--master": (BATCH,),
    "--spark-conf": (BATCH,),
}
"""The modes of `recommend` that an option applies to; options that are not listed apply to all."""


def recommend(
    model: ModelFolder,
    out: Annotated[
        Path | None,
        path_option(help="Recommend to many users: file (or folder, with --partitions) to write the lists to."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="Recommend to this user: print a list.")] = None,
    rate: Annotated[
        list[str] | None,
        typer.Option(help='Recommend to a new user who rated "Title=stars": print a list; may be repeated.'),
    ] = None,
    neighbours: Annotated[
        bool, typer.Option("--neighbours", help="With --out: for every movie the most similar ones, instead of users.")
    ] = False,
    data: Annotated[
        Path | None, path_option(help="Folder written by `recsys prepare`, for --out and --user: who has seen what.")
    ] = None,
    k: Count = 10,
    users: Annotated[
        Path | None,
        path_option(help="With --out: file of user ids, one per line; - reads standard input. Default: all users."),
    ] = None,
    exclude_seen: Annotated[
        bool | None,
        typer.Option(
            "--exclude-seen/--include-seen", help="With --out or --user: leave out what a user has rated (default)."
        ),
    ] = None,
    genre: Annotated[
        list[str] | None, typer.Option(help="Only movies of this genre; may be repeated, then of any of them.")
    ] = None,
    years: Annotated[
        str | None, typer.Option(metavar="FIRST:LAST", help="Only movies of these years: 1980:1989, 1990: or :1979.")
    ] = None,
    min_ratings: Annotated[
        int | None, typer.Option(min=0, max=MOST_RATINGS, help="Only movies with at least so many ratings.")
    ] = None,
    max_ratings: Annotated[
        int | None,
        typer.Option(min=0, max=MOST_RATINGS, help="Only movies with at most so many ratings: leaves out hits."),
    ] = None,
    allow: Annotated[Path | None, path_option(help="With --out: file of the item ids that may be recommended.")] = None,
    deny: Annotated[Path | None, path_option(help="With --out: file of item ids that are never recommended.")] = None,
    metric: Annotated[
        str | None, typer.Option(help=f"With --neighbours: similarity, {', '.join(METRICS)}. Default: cosine.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format", help=f"With --out: {', '.join(FORMATS)}. Default: by the suffix of the file, else parquet."
        ),
    ] = None,
    titles: Annotated[bool, typer.Option("--titles", help="With --out: add a column with the titles.")] = False,
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_PARTITIONS,
            help="With --out: write a folder with up to this many folders part=0, part=1, …, by a hash of the user id.",
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
    engine: EngineName = None,
    master: Master = None,
    spark_conf: SparkConf = None,
    as_json: AsJson = False,
) -> None:
    """Recommend movies to many users, one user or a new user.

    --out writes lists for many users to a file, or with --neighbours a list of similar movies for each movie; --user
    and --rate print one list.
    """
    given = {
        "--data": data is not None,
        "--users": users is not None,
        "--exclude-seen": exclude_seen is True,
        "--include-seen": exclude_seen is False,
        "--genre": bool(genre),
        "--years": years is not None,
        "--min-ratings": min_ratings is not None,
        "--max-ratings": max_ratings is not None,
        "--allow": allow is not None,
        "--deny": deny is not None,
        "--metric": metric is not None,
        "--format": kind is not None,
        "--titles": titles,
        "--partitions": partitions is not None,
        "--steer": bool(steer),
        "--why": why,
        "--resume": resume,
        "--threads": threads is not None,
        "--engine": engine is not None,
        "--master": master is not None,
        "--spark-conf": bool(spark_conf),
    }
    mode = _mode(out, user, rate, neighbours)
    for option, is_given in given.items():
        if is_given and mode not in APPLIES_TO[option]:
            raise InputError(f"{option} does not apply to {mode}, only to {' and '.join(APPLIES_TO[option])}")
    spark = read_engine(engine, master, spark_conf)
    if kind is not None:
        check_choice("--format", kind, FORMATS)
    if mode == NEIGHBOURS:
        assert out is not None
        check_choice("--metric", metric or "cosine", METRICS)
        return _neighbours(model, out, k, metric or "cosine", kind, titles, resume, threads, as_json)
    from recsys.recommend.candidates import Candidates

    candidates = Candidates(genre or (), parse_years(years), min_ratings, max_ratings)
    if rate is not None:
        return _to_new_user(model, rate, k, candidates, steer or [], why, as_json)
    if data is None:
        raise InputError("--data is missing: the folder written by recsys prepare")
    is_seen_excluded = exclude_seen is not False
    if user is not None:
        return _to_user(model, data, user, k, is_seen_excluded, candidates, steer or [], why, as_json)
    assert out is not None
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
            exclude_seen=is_seen_excluded,
            candidates=candidates,
            allow=allow,
            deny=deny,
            kind=kind,  # type: ignore[arg-type]
            with_titles=titles,
            n_partitions=partitions,
            resume=resume,
            n_threads=threads,
            spark=spark,
            start_progress=screen.start_progress,
        )
        if done.has_formulas:
            screen.notify(FORMULAS)
    show(done, as_json, tables.show_batch)


def _mode(out: Path | None, user: str | None, rate: list[str] | None, neighbours: bool) -> str:
    """The mode that the options ask for. Raises InputError unless it is exactly one."""
    modes = [mode for mode, value in ((BATCH, out), (ONE_USER, user), (NEW_USER, rate)) if value is not None]
    if len(modes) != 1:
        raise InputError("give one of --out FILE (many users), --user ID (one user), --rate TITLE=STARS (a new user)")
    if neighbours and modes != [BATCH]:
        raise InputError("--neighbours writes a file: name it with --out")
    return NEIGHBOURS if neighbours else modes[0]


def _neighbours(
    model: Path,
    out: Path,
    k: int,
    metric: str,
    kind: str | None,
    titles: bool,
    resume: bool,
    threads: int | None,
    as_json: bool,
) -> None:
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.recommend import recommend_neighbours

    with Screen() as screen:
        done = recommend_neighbours(
            model,
            out,
            k=k,
            metric=metric,  # type: ignore[arg-type]
            kind=kind,  # type: ignore[arg-type]
            with_titles=titles,
            resume=resume,
            n_threads=threads,
            start_progress=screen.start_progress,
        )
        if done.has_formulas:
            screen.notify(FORMULAS)
    show(done, as_json, tables.show_batch)


def _to_user(
    model: Path,
    data: Path,
    user: str,
    k: int,
    exclude_seen: bool,
    candidates: Candidates,
    steer: list[str],
    why: bool,
    as_json: bool,
) -> None:
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.recommend import recommend_user

    done = recommend_user(
        model, data, user, k=k, exclude_seen=exclude_seen, candidates=candidates, steer=steer, why=why
    )
    show(done, as_json, tables.show_recommended)


def _to_new_user(
    model: Path, rate: list[str], k: int, candidates: Candidates, steer: list[str], why: bool, as_json: bool
) -> None:
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.recommend import recommend_ratings

    done = recommend_ratings(model, parse_ratings(rate), k=k, candidates=candidates, steer=steer, why=why)
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


def walk(
    a: Annotated[str, typer.Argument(help="Title of the first movie; with --users the id of the first user.")],
    b: Annotated[str, typer.Argument(help="Title of the last movie; with --users the id of the last user.")],
    model: ModelFolder,
    steps: Annotated[int, typer.Option(min=2, max=1000, help="Points on the way, both ends included.")] = 5,
    k: Count = 3,
    users: Annotated[bool, typer.Option("--users", help="Walk between two users instead of two movies.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what lies on the line between two movies or two users.

    For example: recsys walk "Toy Story" "Alien" --model data/models/ials
    """
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.similar import walk

    show(walk(model, a, b, steps=steps, k=k, users=users), as_json, tables.show_walk)


def sample(
    model: ModelFolder,
    n: Annotated[int, typer.Option("-n", min=1, max=MOST_SAMPLES, help="Number of viewers.")] = 5,
    k: Count = 10,
    prior: Annotated[
        str,
        typer.Option(help=f"What is drawn from: {', '.join(PRIORS)}; users are spread like the users of the model."),
    ] = "users",
    seed: Annotated[int, seed_option("Random seed; same model and seed: same viewers.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Invent viewers: draw from the space at random.

    Lists what each would be recommended, and which axes stored with the model it leans along.
    """
    check_choice("--prior", prior, PRIORS)
    from recsys.cli import tables
    from recsys.cli.console import show
    from recsys.workflows.similar import sample

    show(sample(model, n=n, k=k, prior=prior, seed=seed), as_json, tables.show_sample)  # type: ignore[arg-type]
