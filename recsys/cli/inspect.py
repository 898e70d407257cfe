"""Commands that inspect the space of a model: axes, clusters, map, compression and report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli import facts
from recsys.cli.options import (
    AsJson,
    DataFolder,
    Examples,
    ModelFolder,
    Top,
    check_choice,
    parse_dimensions,
    path_option,
    seed_option,
)
from recsys.errors import InputError
from recsys.limits import MOST_RUNS

ROTATIONS = facts.choices("space.rotation", "Method")
DEFAULT_ROTATION: str = facts.constant("space.rotation", "DEFAULT_METHOD")
CLUSTER_METHODS = facts.choices("space.clustering", "Choice")
MAP_METHODS = facts.choices("space.item_map", "MapMethod")
DEFAULT_MAP: str = facts.constant("space.item_map", "DEFAULT_MAP")
DIMENSIONS = ",".join(map(str, facts.constant("evaluation.report", "DIMENSIONS")))
WIDTHS = ",".join(map(str, facts.constant("evaluation.compression", "DIMENSIONS")))
KINDS: tuple[str, ...] = facts.constant("evaluation.compression", "KINDS")
N_SEEDS: int = facts.constant("evaluation.report", "N_SEEDS")
N_REFITS: int = facts.constant("evaluation.stability", "N_REFITS")

RefitData = Annotated[
    Path | None,
    path_option("--data", help="Folder written by `recsys prepare`: the training data. Not for imported vectors."),
]


def axes(
    model: ModelFolder,
    data: RefitData = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(
            help='An axis to test: "Horror", "Comedy <-> Horror" or "Toy Story, Aladdin <-> Saw, Se7en"; '
            "may be repeated."
        ),
    ] = None,
    graded: Annotated[
        list[Path] | None,
        path_option(help="CSV file with item_id and value: a quantity to find an axis for; may be repeated."),
    ] = None,
    method: Annotated[str, typer.Option(help=f"How factors are rotated: {', '.join(ROTATIONS)}.")] = DEFAULT_ROTATION,
    refits: Annotated[
        int,
        typer.Option(min=0, max=MOST_RUNS, help="Models trained on other users, to find out which axes are stable."),
    ] = N_REFITS,
    top: Top = 20,
    examples: Examples = 3,
    like: Annotated[
        Path | None,
        path_option(help="An earlier model with axes: the new ones resemble these, in their order."),
    ] = None,
    seed: Annotated[int, seed_option("Random seed of refits and folds.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Find, name and verify the axes of a model.

    Axes are named only when the name is verified. --ask and --graded test axes of your own. All are stored with the
    model.
    """
    check_choice("--method", method, ROTATIONS)
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.inspect import axes

    with Screen() as screen:
        done = axes(
            model,
            data,
            method=method,  # type: ignore[arg-type]
            questions=ask or [],
            graded=graded or [],
            n_refits=refits,
            like=like,
            n_examples=examples,
            seed=seed,
            start_progress=screen.start_progress,
        )
    show(done, as_json, lambda found: tables.show_axes(found, top))


def clusters(
    model: ModelFolder,
    method: Annotated[str, typer.Option(help=f"How clusters are found: {', '.join(CLUSTER_METHODS)}.")] = "auto",
    like: Annotated[
        Path | None, path_option(help="A model with clusters: the new ones start from them, in the same number.")
    ] = None,
    examples: Examples = 3,
    seed: Annotated[int, seed_option("Random seed; same vectors and seed: same clusters.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Cluster the movies and name the clusters.

    Clusters are named only when the name is verified. They are stored with the model and label its map.
    """
    check_choice("--method", method, CLUSTER_METHODS)
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.inspect import clusters

    with Screen() as screen:
        done = clusters(
            model,
            method=method,  # type: ignore[arg-type]
            like=like,
            n_examples=examples,
            seed=seed,
            start_progress=screen.start_progress,
        )
    show(done, as_json, tables.show_clusters)


def map_(
    model: ModelFolder,
    method: Annotated[
        str | None, typer.Option(help=f"How the map is made: {', '.join(MAP_METHODS)}. Default: {DEFAULT_MAP}.")
    ] = None,
    x: Annotated[str | None, typer.Option(help='Horizontal axis, such as "adult" or "Horror".')] = None,
    y: Annotated[str | None, typer.Option(help='Vertical axis, such as "blockbuster" or "axis 3".')] = None,
    like: Annotated[
        Path | None, path_option(help="An earlier map, or a model with one: the new map is rotated to match it.")
    ] = None,
    seed: Annotated[int, seed_option("Random seed; same vectors and seed: same map.")] = 42,
    out: Annotated[
        Path | None, path_option(help="Also write a table (.parquet: item_id, x, y) or a page with a picture (.html).")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Ignored: a model folder holds its items.", hidden=True)] = None,
    as_json: AsJson = False,
) -> None:
    """Lay out the movies in two dimensions.

    The fidelity of the map is measured, and the map is stored with the model.
    """
    if method is not None:
        check_choice("--method", method, MAP_METHODS)
    if (x is None) != (y is None):
        raise InputError("a map along axes needs both --x and --y")
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.inspect import map_items

    with Screen() as screen:
        done = map_items(
            model,
            method=method,  # type: ignore[arg-type]
            axes=[x, y] if x is not None and y is not None else [],
            like=like,
            seed=seed,
            out=out,
            start_progress=screen.start_progress,
        )
    show(done, as_json, tables.show_map)


def compression(
    model: ModelFolder,
    data: DataFolder,
    of: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Kind of model to train; may be repeated. Default: {', '.join(KINDS)}, and that of the model."
        ),
    ] = None,
    dimensions: Annotated[str, typer.Option(help="Numbers of dimensions to train with.")] = WIDTHS,
    seed: Annotated[int, seed_option("Random seed of the split.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Measure what is lost in vectors of 1, 2, 4, … numbers.

    Trains several kinds of models with each number of dimensions. The result is stored with the model, for the report
    and the app. Each finished training is kept: run the same command again to continue an interrupted one.
    """
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.inspect import compression

    with Screen() as screen:
        done = compression(
            model,
            data,
            of=of or (),
            dimensions=parse_dimensions(dimensions),
            seed=seed,
            start_progress=screen.start_progress,
        )
    show(done, as_json, tables.show_compression)


def report(
    model: ModelFolder,
    data: RefitData = None,
    out: Annotated[
        Path | None,
        path_option(help="Page to write (.html); the numbers go next to it (.json). Default: in the model's folder."),
    ] = None,
    dimensions: Annotated[
        str, typer.Option(help="Numbers of dimensions to train with, to measure what each adds.")
    ] = DIMENSIONS,
    seeds: Annotated[
        int, typer.Option(min=0, max=MOST_RUNS, help="Models to train with other seeds, to measure what is stable.")
    ] = N_SEEDS,
    seed: Annotated[int, seed_option("Random seed of folds, samples and the first other model.")] = 42,
    as_json: AsJson = False,
) -> None:
    """Measure the space against baselines without training.

    Writes a self-contained page (HTML) and the numbers (JSON).
    """
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.inspect import report_embedding

    with Screen() as screen:
        done = report_embedding(
            model,
            data,
            out=out,
            dimensions=parse_dimensions(dimensions),
            n_seeds=seeds,
            seed=seed,
            start_progress=screen.start_progress,
        )
    show(done, as_json, tables.show_report)
