"""The command train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli import facts
from recsys.cli.options import (
    DEFAULT_MODEL,
    MODEL_NAMES,
    MODEL_SETTINGS,
    PROTOCOLS,
    AsJson,
    DataFolder,
    EngineName,
    Master,
    MinRating,
    OutFolder,
    Params,
    SparkConf,
    WeightingName,
    check_choice,
    path_option,
    read_engine,
    read_settings,
    seed_option,
)
from recsys.limits import MOST_EPOCHS, MOST_FACTORS

EPOCHS_FROM: int = facts.constant("models.start", "EPOCHS")
SETTINGS_HELP = "; ".join(
    f"{name}: " + ", ".join(f"{field}={default}" for field, default in settings.items())
    for name, settings in MODEL_SETTINGS.items()
)


def train(
    data: DataFolder,
    out: OutFolder,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"Kind of model: {MODEL_NAMES}; with --engine spark: mllib. Default: that of --from, else "
            f"{DEFAULT_MODEL}."
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        path_option(
            "--from",
            help="Start from the vectors of this model (ials, als or bpr), which may be --out. Settings and "
            f"weighting are those of the model unless given; epochs: {EPOCHS_FROM}.",
        ),
    ] = None,
    factors: Annotated[
        int | None, typer.Option(min=1, max=MOST_FACTORS, help="Number of dimensions of the vectors.")
    ] = None,
    of: Annotated[
        str | None,
        typer.Option(help="For --model blend: its parts, two or more of ials, als, bpr, vae, sequence, as ials,vae."),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="For --model blend: the weights of the parts in the same order, as 1,0.8.")
    ] = None,
    seed: Annotated[int | None, seed_option("Random seed; same data, seed and number of threads: same bytes.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help=f"field=value, may be repeated. Fields and defaults: {SETTINGS_HELP}."),
    ] = None,
    params: Params = None,
    min_rating: MinRating = None,
    weighting: WeightingName = None,
    validate: Annotated[
        str | None,
        typer.Option(help=f"First choose the number of epochs on a validation part: {', '.join(PROTOCOLS)}."),
    ] = None,
    patience: Annotated[
        int, typer.Option(min=1, max=MOST_EPOCHS, help="Epochs without improvement before --validate stops.")
    ] = 3,
    engine: EngineName = None,
    master: Master = None,
    spark_conf: SparkConf = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on prepared data."""
    if validate is not None:
        check_choice("--validate", validate, PROTOCOLS)
    spark = read_engine(engine, master, spark_conf)
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.train import train, weighting_of

    default = None if from_ is None else weighting_of(from_)
    settings, chosen = read_settings(params, set_ or [], min_rating, weighting, default)
    unchanged = chosen == default  # then it is that of --from as `train` reads it, under the lock on --out
    if factors is not None:
        settings["n_factors"] = factors
    if seed is not None:
        settings["seed"] = seed
    if of is not None:
        settings["of"] = of
    if weights is not None:
        settings["weights"] = weights
    with Screen() as screen:
        done = train(
            data,
            out,
            model=model,
            settings=settings,
            weighting=None if unchanged else chosen,
            start=from_,
            validate=validate,  # type: ignore[arg-type]
            patience=patience,
            spark=spark,
            start_progress=screen.start_progress,
        )
    show(done, as_json, tables.show_trained)
