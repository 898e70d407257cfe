"""Commands that measure ranking quality on held-out ratings: evaluate and tune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli import facts
from recsys.cli.options import (
    DEFAULT_MODEL,
    MODEL_NAMES,
    PARTS,
    PROTOCOLS,
    WEIGHTINGS,
    AsJson,
    DataFolder,
    MinRating,
    Minutes,
    ModelName,
    Params,
    ProtocolName,
    Trials,
    WeightingName,
    check_choice,
    path_option,
    read_settings,
    seed_option,
)
from recsys.limits import MOST_LISTED, MOST_RUNS

BASELINES: tuple[str, ...] = facts.constant("workflows.evaluate", "BASELINES")
FEW: tuple[int, ...] = facts.constant("dataset.split", "FEW")
SEARCH = "search"


def evaluate(
    data: DataFolder,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Kind of model: {MODEL_NAMES}; may be repeated. Default: {DEFAULT_MODEL} and popular; with "
            f"--trained {', '.join(BASELINES)}."
        ),
    ] = None,
    trained: Annotated[
        Path | None,
        path_option(
            help="Folder written by `recsys train`: also evaluate a model with its settings, and store the result in "
            "the folder, where the app shows it."
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        path_option(help="With --trained: another such folder, to compare with on the same users; may be repeated."),
    ] = None,
    protocol: ProtocolName = "random",
    part: Annotated[str, typer.Option(help=f"Which held-out part to evaluate on: {', '.join(PARTS)}.")] = "test",
    k: Annotated[
        list[int] | None, typer.Option("-k", min=1, max=MOST_LISTED, help="Length of the lists; may be repeated.")
    ] = None,
    few: Annotated[
        bool,
        typer.Option(
            help=f"Also measure quality for new users of whom {', '.join(map(str, FEW))} ratings are known, which "
            "trains every model once more."
        ),
    ] = True,
    seed: Annotated[int, seed_option("Random seed of the split.")] = 42,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="field=value, for a single model; may be repeated.")
    ] = None,
    params: Params = None,
    min_rating: MinRating = None,
    weighting: WeightingName = None,
    out: Annotated[Path | None, path_option(help="JSON file for the result.")] = None,
    as_json: AsJson = False,
) -> None:
    """Train on part of the ratings and evaluate on the rest.

    Metrics come with 95 % confidence intervals. A model is ahead of another if the interval of the difference over the
    same users excludes 0.
    """
    check_choice("--protocol", protocol, PROTOCOLS)
    check_choice("--part", part, PARTS)
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.dataset.weighting import Weighting
    from recsys.workflows.evaluate import evaluate

    settings, chosen = read_settings(params, set_ or [], min_rating, weighting)
    with Screen() as screen:
        done = evaluate(
            data,
            models=model or (None if trained or settings else [DEFAULT_MODEL, "popular"]),
            trained=trained,
            compare=compare or (),
            protocol=protocol,  # type: ignore[arg-type]
            part=part,  # type: ignore[arg-type]
            k=k or [10],
            settings=settings,
            weighting=None if chosen == Weighting() and weighting is None else chosen,
            seed=seed,
            few=FEW if few else (),
            out=out,
            start_progress=screen.start_progress,
        )
    show(done, as_json, tables.show_evaluation)


def tune(
    data: DataFolder,
    out: Annotated[Path, path_option(help="JSON file of settings to write, for `recsys train --params`.")],
    model: ModelName = DEFAULT_MODEL,
    protocol: ProtocolName = "random",
    metric: Annotated[
        str, typer.Option(help="Metric to maximize: auc, or ndcg, recall, hr, precision, map or mrr with @k.")
    ] = "ndcg@10",
    repeats: Annotated[
        int, typer.Option(min=1, max=MOST_RUNS, help="Validation parts to draw; the mean over them counts.")
    ] = 1,
    trials: Trials = 50,
    minutes: Minutes = None,
    seed: Annotated[int, seed_option("Random seed of the split and of the search.")] = 42,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="field=value of a setting that is not searched; may be repeated.")
    ] = None,
    min_rating: MinRating = None,
    weighting: Annotated[
        str | None,
        typer.Option(help=f"How ratings are weighted: {', '.join(WEIGHTINGS)}; or {SEARCH} to try them all."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for better settings of a model.

    Settings are compared on a validation part, which is never part of the test. All trials are kept: run the same
    command again to continue an interrupted search.
    """
    check_choice("--protocol", protocol, PROTOCOLS)
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.evaluate import tune

    search = weighting == SEARCH
    settings, chosen = read_settings(None, set_ or [], min_rating, None if search else weighting)
    with Screen() as screen:
        done = tune(
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
            start_progress=screen.start_progress,
        )
    show(done, as_json, tables.show_tuned)
