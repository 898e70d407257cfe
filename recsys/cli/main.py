"""The command line: parse, call a stage, show. Tables for people, `--json` for programs; it decides nothing itself.

Exit status: 0 done, 2 wrong use or bad input (one line on stderr), 130 interrupted, 1 a bug (with its traceback).
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import Annotated, Any, get_args

import typer
from rich.markup import escape

from recsys import __version__, store
from recsys.cli.console import (
    Screen,
    err_console,
    out_console,
    print_json,
    print_pairs,
    show,
    show_analogy,
    show_axes,
    show_clusters,
    show_evaluation,
    show_list,
    show_map,
    show_prepared,
    show_report,
    show_similar,
    show_trained,
    show_tuned,
)
from recsys.dataset.split import Part, Protocol
from recsys.dataset.weighting import Weighting, WeightingScheme
from recsys.errors import InputError, RecsysError, SettingError
from recsys.evaluation.report import DIMENSIONS, N_SEEDS
from recsys.evaluation.stability import N_REFITS
from recsys.ingest import Columns
from recsys.ingest.datasets import DATASETS, data_root
from recsys.models import DEFAULT_MODEL, MODELS
from recsys.space.clustering import Choice as ClusterChoice
from recsys.space.embedding import Metric
from recsys.space.item_map import DEFAULT_MAP, MapMethod
from recsys.space.rotation import DEFAULT_METHOD, Method
from recsys.workflows import demo as demo_workflow
from recsys.workflows import evaluate as evaluate_workflow
from recsys.workflows import inspect as inspect_workflow
from recsys.workflows import prepare as prepare_workflow
from recsys.workflows import recommend as recommend_workflow
from recsys.workflows import train as train_workflow

app = typer.Typer(
    help="A movie recommender whose embedding space can be seen, named, measured and steered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
INTERRUPTED = 130

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of tables.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder made by `recsys prepare`.")]
ModelFolder = Annotated[Path, typer.Option("--model", help="Folder made by `recsys train`.")]
Count = Annotated[int, typer.Option("-k", min=1, help="How many.")]

MODEL_NAMES = ", ".join(MODELS)
PROTOCOLS = get_args(Protocol)
PARAMS_HELP = "JSON file of settings, as recsys tune writes it."
MinRating = Annotated[float | None, typer.Option(help="Ratings below it don't count as interest.")]
WeightingName = Annotated[
    str | None, typer.Option(help=f"One of {', '.join(get_args(WeightingScheme))}; default: {Weighting().scheme}.")
]
FIELDS_HELP = "; ".join(
    f"{name}: " + ", ".join(f"{field.name}={field.default}" for field in dataclasses.fields(learner))
    for name, learner in MODELS.items()
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"recsys {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Handle the options that come before a command."""


@app.command()
def demo(
    app_too: Annotated[bool, typer.Option("--app/--no-app", help="Serve the app at the end.")] = True,
    port: Annotated[int, typer.Option(help="Port of the app.")] = 8501,
    as_json: AsJson = False,
) -> None:
    """The whole way on MovieLens 100K: fetch, prepare, train, recommend, map, clusters, axes, then the app."""
    with Screen() as screen:
        done = demo_workflow.demo(report=screen.report, say=screen.say)
    if as_json:
        print_json(done)
    else:
        show_prepared(done["prepare"])
        show_trained(done["train"])
        show_list(done["recommend"])
        show_map(done["map"])
        show_clusters(done["clusters"])
        show_axes(done["axes"], 10)
    if app_too:
        _serve(port, None)


@app.command()
def fetch(name: Annotated[str, typer.Argument(help=f"One of {', '.join(DATASETS)}.")], as_json: AsJson = False) -> None:
    """Download a MovieLens dataset (checksum verified, broken downloads resumed)."""
    with Screen() as screen:
        done = prepare_workflow.fetch(name, report=screen.report, say=screen.say)
    show(done, as_json, lambda: out_console.print(f"{name}: {escape(done['folder'])} ({', '.join(done['files'])})"))


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
        done = prepare_workflow.prepare(
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
    show(done, as_json, lambda: show_prepared(done))


@app.command()
def train(
    data: DataFolder,
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
    settings, chosen = _settings(params, set_ or [], min_rating, weighting)
    if factors is not None:
        settings["n_factors"] = factors
    if seed is not None:
        settings["seed"] = seed
    if validate is not None:
        _one_of("--validate", validate, PROTOCOLS)
    with Screen() as screen:
        done = train_workflow.train(
            data,
            out,
            model=model,
            settings=settings,
            weighting=chosen,
            validate=validate,  # type: ignore[arg-type]
            patience=patience,
            report=screen.report,
        )
    show(done, as_json, lambda: show_trained(done))


@app.command()
def evaluate(
    data: DataFolder,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Of {MODEL_NAMES}; may be repeated. Default: {DEFAULT_MODEL} and popular; "
            f"beside --trained {', '.join(evaluate_workflow.BASELINES)}."
        ),
    ] = None,
    trained: Annotated[
        Path | None,
        typer.Option(
            help="Folder made by recsys train: judge such a model too, and keep the result there for the app."
        ),
    ] = None,
    protocol: Annotated[str, typer.Option(help=f"One of {', '.join(PROTOCOLS)}.")] = "random",
    part: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(Part))}.")] = "test",
    k: Annotated[list[int] | None, typer.Option("-k", min=1, help="Length of the lists; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split.")] = 42,
    set_: Annotated[list[str] | None, typer.Option("--set", help="field=value, for a single model.")] = None,
    params: Annotated[Path | None, typer.Option(help=PARAMS_HELP)] = None,
    min_rating: MinRating = None,
    weighting: WeightingName = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write the result to.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train on a part of the data and judge by what was hidden, with 95 % intervals."""
    _one_of("--protocol", protocol, PROTOCOLS)
    _one_of("--part", part, get_args(Part))
    settings, chosen = _settings(params, set_ or [], min_rating, weighting)
    with Screen() as screen:
        done = evaluate_workflow.evaluate(
            data,
            models=model or (None if trained or settings else [DEFAULT_MODEL, "popular"]),
            trained=trained,
            protocol=protocol,  # type: ignore[arg-type]
            part=part,  # type: ignore[arg-type]
            k=k or [10],
            settings=settings,
            weighting=None if chosen == Weighting() and weighting is None else chosen,
            seed=seed,
            out=out,
            report=screen.report,
        )
    show(done.to_json(), as_json, lambda: show_evaluation(done))


@app.command()
def tune(
    data: DataFolder,
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
        str | None, typer.Option(help=f"One of {', '.join(get_args(WeightingScheme))}, or search: try them all.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for better settings on a validation part; what it tries is kept, so it can go on later."""
    _one_of("--protocol", protocol, PROTOCOLS)
    search = weighting == "search"
    settings, chosen = _settings(None, set_ or [], min_rating, None if search else weighting)
    with Screen() as screen:
        done = evaluate_workflow.tune(
            data,
            out,
            model=model,
            protocol=protocol,  # type: ignore[arg-type]
            metric=metric,
            repeats=repeats,
            n_trials=trials,
            minutes=minutes,
            settings=settings,
            weighting=chosen,
            search_weighting=search,
            seed=seed,
            report=screen.report,
        )
    show(done, as_json, lambda: show_tuned(done))


@app.command()
def recommend(
    model: ModelFolder,
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
    steer: Annotated[
        list[str] | None,
        typer.Option(help='Towards one end of an axis, for one user: "children\'s=+1", -3 to 3; may be repeated.'),
    ] = None,
    why: Annotated[
        bool, typer.Option("--why", help="For one user: which ratings and axes make up each score.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was broken off.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: one a core.")] = None,
    as_json: AsJson = False,
) -> None:
    """The best items for every user, into a Parquet file; or for one user, on the screen."""
    if sum(option is not None for option in (out, user, rate)) != 1:
        raise InputError("say one of --out FILE (a batch), --user ID (one user) or --rate TITLE=STARS (somebody new)")
    if out is not None and (steer or why):
        raise InputError("--steer and --why tell of one user: say --user ID or --rate TITLE=STARS instead of --out")
    if rate is not None:
        listed = recommend_workflow.recommend_ratings(model, _rated(rate), k=k, steer=steer or [], why=why)
        return show(listed, as_json, lambda: show_list(listed))
    if data is None:
        raise InputError("--data is missing: the folder made by recsys prepare")
    if user is not None:
        listed = recommend_workflow.recommend_user(
            model, data, user, k=k, exclude_seen=exclude_seen, steer=steer or [], why=why
        )
        return show(listed, as_json, lambda: show_list(listed))
    assert out is not None
    with Screen() as screen:
        done = recommend_workflow.recommend(
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
    return show(done, as_json, lambda: print_pairs({k: v for k, v in done.items() if v or k == "rows"}))


@app.command()
def similar(
    title: Annotated[str, typer.Argument(help="A title; case, article and year may be missing.")],
    model: ModelFolder,
    k: Count = 10,
    metric: Annotated[
        str, typer.Option(help=f"One of {', '.join(get_args(Metric))}, or all: side by side.")
    ] = "cosine",
    as_json: AsJson = False,
) -> None:
    """The movies most like one."""
    _one_of("--metric", metric, (*get_args(Metric), "all"))
    done = recommend_workflow.similar(model, title, k=k, metric=None if metric == "all" else metric)  # type: ignore[arg-type]
    show(done, as_json, lambda: show_similar(done))


@app.command()
def analogy(
    a: Annotated[str, typer.Argument(help="A title ...")],
    b: Annotated[str, typer.Argument(help="... and what it leads to,")],
    c: Annotated[str, typer.Argument(help="so this title leads to?")],
    model: ModelFolder,
    k: Count = 10,
    as_json: AsJson = False,
) -> None:
    """A is to B as C is to ?, by vector arithmetic: "Toy Story" "Toy Story 2" "The Terminator"."""
    done = recommend_workflow.analogy(model, a, b, c, k=k)
    show(done, as_json, lambda: show_analogy(done))


@app.command()
def axes(
    model: ModelFolder,
    data: DataFolder,
    ask: Annotated[
        list[str] | None,
        typer.Option(help='"Horror", "Comedy <-> Horror", "Toy Story, Aladdin <-> Saw, Se7en"; may be repeated.'),
    ] = None,
    graded: Annotated[
        list[Path] | None, typer.Option(help="CSV of item_id, value: a quantity to find; may be repeated.")
    ] = None,
    method: Annotated[
        str, typer.Option(help=f"How factors are turned: {', '.join(get_args(Method))}.")
    ] = DEFAULT_METHOD,
    refits: Annotated[int, typer.Option(min=0, help="Models trained on other users to see what is stable.")] = N_REFITS,
    top: Annotated[int, typer.Option(min=1, help="Discovered axes to print; all are stored.")] = 20,
    examples: Annotated[int, typer.Option(min=1, help="Movies to show at each end.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of refits and folds.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Find, name and verify the axes of a model; ask for axes of your own. They are stored with the model."""
    _one_of("--method", method, get_args(Method))
    with Screen() as screen:
        done = inspect_workflow.axes(
            model,
            data,
            method=method,  # type: ignore[arg-type]
            questions=ask or [],
            graded=graded or [],
            n_refits=refits,
            n_examples=examples,
            seed=seed,
            report=screen.report,
        )
    show(done, as_json, lambda: show_axes(done, top))


@app.command()
def clusters(
    model: ModelFolder,
    method: Annotated[str, typer.Option(help=f"One of {', '.join(get_args(ClusterChoice))}.")] = "auto",
    examples: Annotated[int, typer.Option(min=1, help="Movies to show for each.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Same vectors and seed: same clusters.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Put the movies into clusters and name those that deserve it; they are stored with the model and label its map."""
    _one_of("--method", method, get_args(ClusterChoice))
    with Screen() as screen:
        done = inspect_workflow.clusters(
            model,
            method=method,  # type: ignore[arg-type]
            n_examples=examples,
            seed=seed,
            report=screen.report,
        )
    show(done, as_json, lambda: show_clusters(done))


@app.command()
def report(
    model: ModelFolder,
    data: DataFolder,
    out: Annotated[
        Path | None,
        typer.Option(help="Page to write (.html); the numbers go beside it (.json). Default: in the model."),
    ] = None,
    dimensions: Annotated[
        str, typer.Option(help="Numbers of dimensions to train with, to see what each adds.")
    ] = ",".join(map(str, DIMENSIONS)),
    seeds: Annotated[int, typer.Option(min=0, help="Models to train with other seeds, to see what stays.")] = N_SEEDS,
    seed: Annotated[int, typer.Option(min=0, help="Of folds, samples and the first of the other models.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Measure the space beside representations that need no learning: a page that opens without a network, and JSON."""
    with Screen() as screen:
        done = inspect_workflow.report_embedding(
            model, data, out=out, dimensions=_numbers(dimensions), n_seeds=seeds, seed=seed, report=screen.report
        )
    show(done["report"] if as_json else done, as_json, lambda: show_report(done))


@app.command(name="map")
def map_(
    model: ModelFolder,
    data: Annotated[Path | None, typer.Option(help="Not needed: a model knows its items.", hidden=True)] = None,
    method: Annotated[
        str | None, typer.Option(help=f"One of {', '.join(get_args(MapMethod))}; default: {DEFAULT_MAP}.")
    ] = None,
    x: Annotated[str | None, typer.Option(help='What goes to the right, such as "adult" or "Horror".')] = None,
    y: Annotated[str | None, typer.Option(help='What goes up, such as "blockbuster" or "axis 3".')] = None,
    like: Annotated[
        Path | None,
        typer.Option(help="An earlier map, or the model that has it: the new one is turned to match."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same vectors and seed: same map.")] = 42,
    out: Annotated[
        Path | None, typer.Option(help="Also write a table (.parquet: item_id, x, y) or a page with a picture (.html).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Lay out the movies in two dimensions, and say how true the map is; it is stored with the model."""
    if method is not None:
        _one_of("--method", method, get_args(MapMethod))
    if (x is None) != (y is None):
        raise InputError("a map along axes needs both --x and --y")
    with Screen() as screen:
        progress = screen.report("drawing the map")
        progress(0, 1)
        done = inspect_workflow.map_items(
            model,
            method=method,  # type: ignore[arg-type]
            axes=[x, y] if x is not None and y is not None else [],
            like=like,
            seed=seed,
            out=out,
        )
        progress(1, 1)
    show(done, as_json, lambda: show_map(done))


@app.command(name="app")
def app_(
    port: Annotated[int, typer.Option(help="Port to serve on.")] = 8501,
    models: Annotated[
        Path | None, typer.Option(help="Folder of model folders; default: models in the data folder.")
    ] = None,
) -> None:
    """Serve the Streamlit app."""
    _serve(port, models)


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
    script = Path(__file__).resolve().parent.parent / "app" / "serve.py"
    root = models or data_root() / "models"
    os.environ["RECSYS_MODELS"] = str(root.resolve())
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.headless", "true", "--browser.serverAddress", "localhost"]
    err_console.print(f"recsys: the app is at http://localhost:{port} (Ctrl-C ends it)", highlight=False)
    sys.stdout.flush()
    os.execv(sys.executable, command)


def _settings(
    params: Path | None, pairs: list[str], min_rating: float | None, scheme: str | None
) -> tuple[dict[str, Any], Weighting]:
    """Settings and weighting: of a file, then of the options, which win."""
    settings = store.read_json(params) if params is not None else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingError(f"--set {pair!r} is not field=value")
        settings[name.strip()] = value.strip()
    of_file = settings.pop("min_rating", None), settings.pop("weighting", None)
    weighting = Weighting(
        of_file[0] if min_rating is None else min_rating,
        scheme or of_file[1] or Weighting().scheme,  # type: ignore[arg-type]
    )
    return settings, weighting


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


def _numbers(text: str) -> list[int]:
    try:
        numbers = sorted({int(part) for part in text.split(",") if part.strip()})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise InputError(f"--dimensions {text!r} is not a list of whole numbers, such as 1,2,4,8")
    return numbers


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


if __name__ == "__main__":
    main()
