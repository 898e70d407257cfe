"""The command line: parse, call a stage, show. Tables for people, `--json` for programs; it decides nothing itself.

Exit status: 0 done, 2 wrong use or bad input (one line on stderr), 130 interrupted, 1 a bug (with its traceback).
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from recsys import stages, store
from recsys.confidence import Confidence, Weighting
from recsys.datasets import DATASETS, data_root
from recsys.embeddings import Metric
from recsys.errors import InputError, RecsysError, SettingError
from recsys.etl import Columns
from recsys.item_map import MapMethod
from recsys.models import DEFAULT_MODEL, MODELS
from recsys.split import Part, Protocol

app = typer.Typer(
    help="A movie recommender whose embedding space can be seen, named, measured and steered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INTERRUPTED = 130
out_console = Console()
err_console = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables.")]
Data = Annotated[Path, typer.Option("--data", help="Folder made by `recsys prepare`.")]
Model = Annotated[Path, typer.Option("--model", help="Folder made by `recsys train`.")]
Count = Annotated[int, typer.Option("-k", min=1, help="How many.")]

MODEL_NAMES = ", ".join(MODELS)
PROTOCOLS = get_args(Protocol)
PARAMS_HELP = "JSON file of settings, as recsys tune writes it."
MinRating = Annotated[float | None, typer.Option(help="Ratings below it don't count as interest.")]
WeightingName = Annotated[
    str | None, typer.Option(help=f"One of {', '.join(get_args(Weighting))}; default: {Confidence().weighting}.")
]
FIELDS_HELP = "; ".join(
    f"{name}: " + ", ".join(f"{field.name}={field.default}" for field in dataclasses.fields(learner))
    for name, learner in MODELS.items()
)


@app.command()
def demo(
    app_too: Annotated[bool, typer.Option("--app/--no-app", help="Serve the app at the end.")] = True,
    port: Annotated[int, typer.Option(help="Port of the app.")] = 8501,
    as_json: AsJson = False,
) -> None:
    """The whole way on MovieLens 100K: fetch, prepare, train, recommend, map, then the app."""
    with Screen() as screen:
        done = stages.demo(report=screen.report, say=screen.say)
    if as_json:
        _print_json(done)
    else:
        _show_prepared(done["prepare"])
        _show_trained(done["train"])
        _show_list(done["recommend"])
        out_console.print(f"2D map ({done['map']['method']}): {escape(done['map']['out'])}")
    if app_too:
        _serve(port, None)


@app.command()
def fetch(name: Annotated[str, typer.Argument(help=f"One of {', '.join(DATASETS)}.")], as_json: AsJson = False) -> None:
    """Download a MovieLens dataset (checksum verified, broken downloads resumed)."""
    with Screen() as screen:
        done = stages.fetch(name, report=screen.report, say=screen.say)
    _show(done, as_json, lambda: out_console.print(f"{name}: {escape(done['folder'])} ({', '.join(done['files'])})"))


@app.command()
def prepare(
    source: Annotated[str, typer.Argument(help="A dataset's name, a MovieLens folder, or a CSV, TSV or Parquet file.")],
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    items: Annotated[Path | None, typer.Option(help="Table of items: item_id, title, year, genres, tags.")] = None,
    user_col: Annotated[
        str | None, typer.Option(help="Column of user ids (a number where there is no header).")
    ] = None,
    item_col: Annotated[str | None, typer.Option(help="Column of item ids.")] = None,
    rating_col: Annotated[
        str | None, typer.Option(help="Column of ratings; without one, every row counts as 1.")
    ] = None,
    time_col: Annotated[str | None, typer.Option(help="Column of times: seconds since 1970 or ISO dates.")] = None,
    scale: Annotated[str | None, typer.Option(help="Lowest and highest rating, as MIN:MAX.")] = None,
    ids: Annotated[str, typer.Option(help="What ids are: auto, integer or string.")] = "auto",
    min_user: Annotated[int, typer.Option(min=1, help="Fewest ratings of a user (iterated k-core).")] = 1,
    min_item: Annotated[int, typer.Option(min=1, help="Fewest ratings of an item (iterated k-core).")] = 1,
    as_json: AsJson = False,
) -> None:
    """Clean ratings; every row is accounted for."""
    _one_of("--ids", ids, ("auto", "integer", "string"))
    with Screen() as screen:
        done = stages.prepare(
            source,
            out,
            items=items,
            columns=Columns(user_col, item_col, rating_col, time_col),
            scale=_scale(scale),
            ids=ids,
            min_user=min_user,
            min_item=min_item,
            report=screen.report,
            say=screen.say,
        )
    _show(done, as_json, lambda: _show_prepared(done))


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder to write.")],
    model: Annotated[str, typer.Option(help=f"One of {MODEL_NAMES}.")] = DEFAULT_MODEL,
    factors: Annotated[int | None, typer.Option(help="Dimensions of the vectors.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same data, seed and threads: same bytes.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help=f"field=value. {FIELDS_HELP}")] = None,
    params: Annotated[Path | None, typer.Option(help=PARAMS_HELP)] = None,
    min_rating: MinRating = None,
    weighting: WeightingName = None,
    validate: Annotated[
        str | None,
        typer.Option(help=f"Find the number of epochs on a validation part first: one of {', '.join(PROTOCOLS)}."),
    ] = None,
    patience: Annotated[int, typer.Option(min=1, help="Epochs without gain after which --validate stops.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Learn user and item vectors from prepared data."""
    settings, confidence = _settings(params, set_ or [], min_rating, weighting)
    if factors is not None:
        settings["n_factors"] = factors
    if seed is not None:
        settings["seed"] = seed
    if validate is not None:
        _one_of("--validate", validate, PROTOCOLS)
    with Screen() as screen:
        done = stages.train(
            data,
            out,
            model=model,
            settings=settings,
            confidence=confidence,
            validate=validate,  # type: ignore[arg-type]
            patience=patience,
            report=screen.report,
        )
    _show(done, as_json, lambda: _show_trained(done))


@app.command()
def evaluate(
    data: Data,
    model: Annotated[
        list[str] | None, typer.Option(help=f"Of {MODEL_NAMES}; may be repeated. Default: {DEFAULT_MODEL}, popular.")
    ] = None,
    protocol: Annotated[str, typer.Option(help=f"One of {', '.join(PROTOCOLS)}.")] = "random",
    part: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Part))}.")] = "test",
    k: Annotated[list[int] | None, typer.Option("-k", min=1, help="Length of the lists; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 42,
    set_: Annotated[list[str] | None, typer.Option("--set", help="field=value, for a single model.")] = None,
    params: Annotated[Path | None, typer.Option(help=PARAMS_HELP)] = None,
    min_rating: MinRating = None,
    weighting: WeightingName = None,
    as_json: AsJson = False,
) -> None:
    """Train on a part of the data and judge by what was hidden, with 95 % intervals."""
    _one_of("--protocol", protocol, PROTOCOLS)
    _one_of("--part", part, get_args(Part))
    settings, confidence = _settings(params, set_ or [], min_rating, weighting)
    with Screen() as screen:
        done = stages.evaluate(
            data,
            models=model or ([DEFAULT_MODEL] if settings else [DEFAULT_MODEL, "popular"]),
            protocol=protocol,  # type: ignore[arg-type]
            part=part,  # type: ignore[arg-type]
            k=k or [10],
            settings=settings,
            confidence=confidence,
            seed=seed,
            report=screen.report,
        )
    _show(done, as_json, lambda: _show_evaluation(done))


@app.command()
def tune(
    data: Data,
    out: Annotated[Path, typer.Option(help="JSON file of settings to write, for train --params.")],
    model: Annotated[str, typer.Option(help=f"One of {MODEL_NAMES}.")] = DEFAULT_MODEL,
    protocol: Annotated[str, typer.Option(help=f"One of {', '.join(PROTOCOLS)}; its validation part.")] = "random",
    metric: Annotated[str, typer.Option(help="auc, or ndcg, recall, hr, precision, map, mrr with @k.")] = "ndcg@10",
    repeats: Annotated[int, typer.Option(min=1, help="Validation parts to draw and take the mean over.")] = 1,
    trials: Annotated[int, typer.Option(min=1, help="Settings to try, those of a search that goes on included.")] = 50,
    minutes: Annotated[float | None, typer.Option(min=0, help="Stop after this time even if trials are left.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split and of the search.")] = 42,
    set_: Annotated[list[str] | None, typer.Option("--set", help="field=value that stays as it is.")] = None,
    min_rating: MinRating = None,
    weighting: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(get_args(Weighting))}, or search: try them all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for better settings on a validation part; what it tries is kept, so it can go on later."""
    _one_of("--protocol", protocol, PROTOCOLS)
    search = weighting == "search"
    settings, confidence = _settings(None, set_ or [], min_rating, None if search else weighting)
    with Screen() as screen:
        done = stages.tune(
            data,
            out,
            model=model,
            protocol=protocol,  # type: ignore[arg-type]
            metric=metric,
            repeats=repeats,
            n_trials=trials,
            minutes=minutes,
            settings=settings,
            confidence=confidence,
            search_weighting=search,
            seed=seed,
            report=screen.report,
        )
    _show(done, as_json, lambda: _show_tuned(done))


@app.command()
def recommend(
    model: Model,
    data: Annotated[Path | None, typer.Option(help="Folder made by `recsys prepare`: who has seen what.")] = None,
    k: Count = 10,
    out: Annotated[Path | None, typer.Option(help="Parquet file to write: user_id, rank, item_id, score.")] = None,
    users: Annotated[Path | None, typer.Option(help="File of user ids, one a line; default: all users.")] = None,
    user: Annotated[str | None, typer.Option(help="Print the list of this one user instead of writing a file.")] = None,
    rate: Annotated[
        list[str] | None, typer.Option(help='Print a list for somebody new who rated "Title=stars"; may be repeated.')
    ] = None,
    exclude_seen: Annotated[
        bool, typer.Option("--exclude-seen/--include-seen", help="Leave out what is rated.")
    ] = True,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was broken off.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: one a core.")] = None,
    as_json: AsJson = False,
) -> None:
    """The best items for every user, into a Parquet file; or for one user, on the screen."""
    if sum(option is not None for option in (out, user, rate)) != 1:
        raise InputError("say one of --out FILE (a batch), --user ID (one user) or --rate TITLE=STARS (somebody new)")
    if rate is not None:
        listed = stages.recommend_ratings(model, _rated(rate), k=k)
        return _show(listed, as_json, lambda: _show_list(listed))
    if data is None:
        raise InputError("--data is missing: the folder made by recsys prepare")
    if user is not None:
        listed = stages.recommend_user(model, data, user, k=k, exclude_seen=exclude_seen)
        return _show(listed, as_json, lambda: _show_list(listed))
    assert out is not None
    with Screen() as screen:
        done = stages.recommend(
            model,
            data,
            out,
            k=k,
            users=users,
            exclude_seen=exclude_seen,
            resume=resume,
            n_threads=threads,
            report=screen.report,
        )
    return _show(done, as_json, lambda: _print_pairs({k: v for k, v in done.items() if v or k == "rows"}))


@app.command()
def similar(
    title: Annotated[str, typer.Argument(help="A title; case, article and year may be missing.")],
    model: Model,
    k: Count = 10,
    metric: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Metric))}.")] = "cosine",
    as_json: AsJson = False,
) -> None:
    """The movies most like one."""
    _one_of("--metric", metric, get_args(Metric))
    done = stages.similar(model, title, k=k, metric=metric)  # type: ignore[arg-type]

    def show() -> None:
        table = _table(f"Most like {done['title']} ({metric})", "#", "title", "similarity")
        for row in done["similar"]:
            table.add_row(str(row["rank"]), escape(row["title"]), f"{row['similarity']:.3f}")
        out_console.print(table)

    _show(done, as_json, show)


@app.command(name="map")
def map_(
    model: Model,
    data: Annotated[Path | None, typer.Option(help="Not needed: a model knows its items.", hidden=True)] = None,
    method: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(MapMethod))}.")] = "tsne",
    seed: Annotated[int, typer.Option(help="Same vectors and seed: same map.")] = 42,
    out: Annotated[Path | None, typer.Option(help="Also write the map to this Parquet file: item_id, x, y.")] = None,
    as_json: AsJson = False,
) -> None:
    """Lay out the movies in two dimensions; the map is stored with the model."""
    _one_of("--method", method, get_args(MapMethod))
    with Screen() as screen:
        progress = screen.report(f"drawing the {method} map")
        progress(0, 1)
        done = stages.map_items(model, method=method, seed=seed, out=out)  # type: ignore[arg-type]
        progress(1, 1)
    _show(done, as_json, lambda: _print_pairs(done))


@app.command(name="app")
def app_(
    port: Annotated[int, typer.Option(help="Port to serve on.")] = 8501,
    models: Annotated[
        Path | None, typer.Option(help="Folder of model folders; default: models in the data folder.")
    ] = None,
) -> None:
    """Serve the Streamlit app."""
    _serve(port, models)


class Screen:
    """Progress bars and notices on stderr; bars only where a person is watching."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=err_console,
            transient=True,
            disable=not err_console.is_terminal,
        )

    def __enter__(self) -> Screen:
        self._stack.enter_context(self._bars)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.close()

    def report(self, what: str) -> Callable[[int, int], None]:
        task = self._bars.add_task(escape(what), total=None)
        return lambda done, total: self._bars.update(task, completed=done, total=total or None)

    def say(self, line: str) -> None:
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line and turn what users can mend into one line and status 2."""
    try:
        status = app(standalone_mode=False)
        if status == INTERRUPTED:  # typer turns Ctrl-C into this
            _complain("interrupted; no half-written file was left (a batch goes on with --resume)")
    except RecsysError as error:
        status = _complain(str(error))
    except typer.TyperException as error:
        words = " ".join(error.format_message().split())
        status = _complain(f"{words} (see recsys --help)", error.exit_code)
    except BrokenPipeError:  # the reader, such as `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    sys.exit(status or 0)


def _complain(line: str, status: int = 2) -> int:
    err_console.print(f"recsys: {' '.join(line.splitlines())}", markup=False, highlight=False, soft_wrap=True)
    return status


def _serve(port: int, models: Path | None) -> None:
    """Become the Streamlit server, so that Ctrl-C and signals reach it."""
    script = Path(__file__).resolve().parent.parent / "app.py"
    if not script.is_file():
        raise InputError(f"{script}: is missing; run recsys app from a checkout (pip install -e .)")
    root = models or data_root() / "models"
    os.environ["RECSYS_MODELS"] = str(root.resolve())
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.headless", "true", "--browser.serverAddress", "localhost"]
    err_console.print(f"recsys: the app is at http://localhost:{port} (Ctrl-C ends it)", highlight=False)
    sys.stdout.flush()
    os.execv(sys.executable, command)


def _settings(
    params: Path | None, pairs: list[str], min_rating: float | None, weighting: str | None
) -> tuple[dict[str, Any], Confidence]:
    """Settings and confidence: of a file, then of the options, which win."""
    settings = store.read_json(params) if params is not None else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingError(f"--set {pair!r} is not field=value")
        settings[name.strip()] = value.strip()
    of_file = settings.pop("min_rating", None), settings.pop("weighting", None)
    confidence = Confidence(
        of_file[0] if min_rating is None else min_rating,
        weighting or of_file[1] or Confidence().weighting,  # type: ignore[arg-type]
    )
    return settings, confidence


def _rated(pairs: list[str]) -> dict[str, float]:
    rated = {}
    for pair in pairs:
        title, equals, stars = pair.rpartition("=")
        try:
            rated[title.strip()] = float(stars) if equals else float("nan")
        except ValueError:
            equals = ""
        if not equals or not title.strip():
            raise InputError(f'--rate {pair!r} is not "Title=stars"')
    return rated


def _scale(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        scale = float(low), float(high)
    except ValueError:
        raise InputError(f"--scale {text!r} is not MIN:MAX, such as 0.5:5") from None
    if not scale[0] < scale[1]:
        raise InputError(f"--scale {text!r}: MIN must be below MAX")
    return scale


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingError(f"{option} {value!r} is not one of {', '.join(allowed)}")


def _show(done: Mapping[str, Any], as_json: bool, table: Callable[[], None]) -> None:
    if as_json:
        _print_json(done)
    else:
        table()


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=escape(title), title_justify="left")
    for column in columns:
        table.add_column(column, justify="right" if column in ("#", "rows", "score", "similarity") else "left")
    return table


def _print_pairs(pairs: Mapping[str, Any]) -> None:
    table = Table(show_header=False)
    for name, value in pairs.items():
        shown = ", ".join(f"{v:,} {k}" for k, v in value.items()) if isinstance(value, dict) else _number(value)
        table.add_row(name.replace("_", " "), escape(shown))
    out_console.print(table)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _show_prepared(report: Mapping[str, Any]) -> None:
    table = _table(f"{report['source']} → {report['out']}", "", "rows")
    for name in ("read", "kept", "rejected", "duplicates"):
        table.add_row(name, f"{report[name]:,}", style="bold" if name == "kept" else None)
    for reason, count in report["reasons"].items():
        table.add_row(f"  {escape(reason)}", f"{count:,}", style="dim")
    out_console.print(table)
    out_console.print(f"{_count(report['users'], 'user')} × {_count(report['items'], 'item')}", highlight=False)
    for key, words in (
        ("items_without_metadata", "without a title of their own, called by their id"),
        ("items_described_but_not_rated", "described but rated by nobody, left out"),
    ):
        if report[key]:
            out_console.print(f"{_count(report[key], 'item')} {words}", highlight=False)


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _show_trained(done: Mapping[str, Any]) -> None:
    settings = ", ".join(f"{k}={v}" for k, v in done["hyperparameters"].items())
    confidence = done["confidence"]
    counts = "all" if confidence["min_rating"] is None else f"{confidence['min_rating']:g} or more"
    ratings = f"{counts} count as interest, weighed {confidence['weighting']}"
    if "validation" in done:
        table = _table("On the validation part", *done["validation"][0])
        for row in done["validation"]:
            table.add_row(*(f"{value:,.4f}" if isinstance(value, float) else str(value) for value in row.values()))
        out_console.print(table)
    shown = {"model": done["model"], "settings": settings, "ratings": ratings, "out": done["out"]}
    if "interrupted" in done:
        shown["interrupted"] = f"{done['interrupted']}; what was learned until then is kept"
    _print_pairs(shown)


def _show_evaluation(done: Mapping[str, Any]) -> None:
    head = done["results"][0]
    title = (
        f"{done['protocol']}, {done['part']} part: {done['train_ratings']:,} ratings to learn from, "
        f"{done['hidden_ratings']:,} hidden from {_count(head['judged'], 'user')}"
    )
    table = _table(title, "metric", *(result["model"] for result in done["results"]))
    for column in table.columns[1:]:
        column.justify = "right"
    for metric in head["metrics"]:
        cells = [_interval(result["metrics"][metric]) for result in done["results"]]
        table.add_row(metric, *cells)
    table.add_row("seconds to train", *(f"{result['seconds_to_train']:.1f}" for result in done["results"]))
    out_console.print(table)
    if head["not_judged"]:
        out_console.print(f"{_count(head['not_judged'], 'user')} without hidden ratings not judged", highlight=False)


def _interval(value: Mapping[str, float | None]) -> str:
    if value["mean"] is None:
        return "–"
    if value["low"] is None or value["high"] is None:
        return f"{value['mean']:.4f}"
    return f"{value['mean']:.4f} ({value['low']:.4f} … {value['high']:.4f})"


def _show_tuned(done: Mapping[str, Any]) -> None:
    params = ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in done["params"].items()
    )
    found = {
        f"{done['metric']} by default": f"{done['default']:.4f}",
        f"{done['metric']} at best": f"{done['best']:.4f}",
        "settings": params,
        "trials": done["trials"],
        "out": done["out"],
    }
    _print_pairs(found)


def _show_list(done: Mapping[str, Any]) -> None:
    note = ": nothing is known of them, so these are the most popular" if done["origin"] == "cold" else ""
    if not done["recommendations"]:
        out_console.print(
            f"For user {done['user']} there is nothing left to recommend: everything is seen", markup=False
        )
        return
    table = _table(f"For user {done['user']}{note}", "#", "title", "genres", "score")
    for row in done["recommendations"]:
        table.add_row(str(row["rank"]), escape(row["title"]), escape(", ".join(row["genres"])), f"{row['score']:.3f}")
    out_console.print(table)


if __name__ == "__main__":
    main()
