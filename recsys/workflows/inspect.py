"""Axes, clusters, map and report of a model folder."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recsys import store
from recsys.dataset.attributes import well_known
from recsys.errors import InputError
from recsys.evaluation.report import DIMENSIONS, N_SEEDS, embedding_report
from recsys.evaluation.stability import N_REFITS, discover
from recsys.ingest.values import read_values
from recsys.models import Model
from recsys.plots.picture import picture, picture_page
from recsys.plots.report import report_page
from recsys.recommend.steer import axis_called
from recsys.space.axis import UNNAMED, Axes, Axis
from recsys.space.clustering import Choice as ClusterChoice
from recsys.space.clustering import find_clusters
from recsys.space.item_clusters import NO_CLUSTER
from recsys.space.item_map import DEFAULT_MAP, ItemMap, MapMethod
from recsys.space.layout import make_map
from recsys.space.probes import ask, built_in_axes, graded_question, question_of
from recsys.space.rotation import DEFAULT_METHOD, Method
from recsys.workflows.common import Report, load_trained, quiet


def axes(
    model_folder: Path,
    data: Path,
    *,
    method: Method = DEFAULT_METHOD,
    questions: Sequence[str] = (),
    graded: Sequence[Path] = (),
    n_refits: int = N_REFITS,
    n_examples: int = 5,
    seed: int = 42,
    report: Report = quiet,
) -> dict[str, Any]:
    """Find, name and verify the axes of a model, answer questions, and store all axes with the model.

    questions  as `question_of` reads them, besides the built-in ones
    graded     tables (CSV) with the columns item_id and value: a quantity to find, named after its file
    """
    model, stored = load_trained(model_folder, data)
    asked = [question_of(text, model.catalog, model.attributes) for text in questions]
    asked += [
        graded_question(f"low {path.stem}", f"high {path.stem}", read_values(path, model.item_ids)) for path in graded
    ]
    found = discover(
        model, stored.interactions, method, n_refits=n_refits, seed=seed, progress=report("training on other users")
    )
    answers = [*built_in_axes(model, seed), *(ask(model, question, seed) for question in asked)]
    found = dataclasses.replace(found, asked=tuple({axis.name: axis for axis in answers}.values()))
    path = store.save_axes(model_folder, found)
    return {
        "model": str(model_folder),
        "method": method,
        "named": sum(axis.is_valid for axis in found.discovered),
        "discovered": [_told(axis, model, n_examples) for axis in found.discovered],
        "asked": [_told(axis, model, n_examples) for axis in found.asked],
        "out": str(path),
    }


def map_items(
    model_folder: Path,
    *,
    method: MapMethod | None = None,
    axes: Sequence[str] = (),
    like: Path | None = None,
    seed: int = 42,
    out: Path | None = None,
) -> dict[str, Any]:
    """Lay out a model's items in 2D, measure how true the map is, and store it with the model; a copy goes to `out`.

    method  default: along the two `axes` if they are given, else the one that is truest on MovieLens
    axes    two names of axes or questions: to the right and upwards
    like    a map file or a model folder with a map by the same method: the new map is turned, and where its method
            allows it started, to look like that one
    out     a table (.parquet), or a page with a picture (.html)
    """
    method = method or ("axes" if axes else DEFAULT_MAP)
    if out is not None and out.suffix not in (".parquet", ".html"):
        raise InputError(f"{out}: a map is written as a table (.parquet) or as a page (.html)")
    if method == "axes" and like is not None:
        raise InputError("a map along axes does not turn: --like is for the other methods")
    if bool(axes) != (method == "axes") or len(axes) not in (0, 2):
        raise InputError(f"a map along axes needs two of them, and no other map has any; not {len(axes)} for {method}")
    model = store.load_model(model_folder)
    known = store.load_axes(model_folder)
    along = tuple(axis_called(name, model, known or Axes("", (), built_in_axes(model), 0)) for name in axes)
    previous = None if like is None else store.load_map(like, method) if like.is_dir() else store.read_map(like)
    item_map = make_map(model.space, method, seed, axes=along or None, previous=previous)  # type: ignore[arg-type]
    path = store.save_map(model_folder, item_map)
    if out is not None and out.suffix == ".html":
        figure = picture(item_map, model.catalog, model.n_ratings, store.load_clusters(model_folder))
        store.write_text(out, picture_page(figure, _map_title(item_map, model), _map_notes(item_map)))
    elif out is not None:
        store.write_map(out, item_map)
    return {
        "method": method,
        "axes": list(item_map.axes or ()),
        "not_in_space": [axis.title for axis in along if not axis.is_valid],
        "seed": seed,
        "items": len(item_map.item_ids),
        "fidelity": dict(item_map.fidelity),
        "out": str(out or path),
    }


def clusters(
    model_folder: Path,
    *,
    method: ClusterChoice = "auto",
    n_examples: int = 5,
    seed: int = 42,
    report: Report = quiet,
) -> dict[str, Any]:
    """Put a model's items into clusters, name those that deserve it, and store them with the model."""
    model = store.load_model(model_folder)
    found = find_clusters(model, method, seed=seed, progress=report("looking for clusters"))
    path = store.save_clusters(model_folder, found)
    return {
        "model": str(model_folder),
        "method": found.method,
        "silhouette": found.silhouette,
        "clusters": [
            {
                "title": found.title(number),
                "is_named": found.names[number] != UNNAMED,
                "items": int(found.sizes[number]),
                "stability": found.stability[number],
                "examples": list(
                    model.catalog.labels[found.examples(model.space, model.n_ratings, number, n_examples)]
                ),
            }
            for number in range(found.n_clusters)
        ],
        "in_no_cluster": int((found.labels == NO_CLUSTER).sum()),
        "evidence": found.evidence,
        "out": str(path),
    }


def report_embedding(
    model_folder: Path,
    data: Path,
    *,
    out: Path | None = None,
    dimensions: Sequence[int] = DIMENSIONS,
    n_seeds: int = N_SEEDS,
    seed: int = 42,
    report: Report = quiet,
) -> dict[str, Any]:
    """Measure a model's space beside the baselines; write a page (HTML) and, beside it, the numbers (JSON).

    Without `out` both are stored with the model, as report.html and report.json.
    """
    page = model_folder / store.REPORT_PAGE if out is None else out
    numbers = page.with_suffix(".json")
    if page.suffix != ".html":
        raise InputError(f"{page}: the page is HTML; name a file that ends in .html")
    if page.is_dir():
        raise InputError(f"{page}: is a folder; name a file to write to")
    model, stored = load_trained(model_folder, data)
    # Whatever may be broken is read before the long work.
    axes_found = store.load_axes(model_folder)
    named = [_told(axis, model, 5) for axis in axes_found.all if axis.is_valid] if axes_found is not None else []
    shown, note = None, ""
    if DEFAULT_MAP in store.list_maps(model_folder):
        item_map = store.load_map(model_folder, DEFAULT_MAP)
        shown = picture(item_map, model.catalog, model.n_ratings, store.load_clusters(model_folder))
        note = " ".join(_map_notes(item_map))
    found = embedding_report(
        model,
        stored.interactions,
        dimensions=dimensions,
        n_seeds=n_seeds,
        n_threads=os.cpu_count() or 1,
        seed=seed,
        progress=report("measuring the space"),
    )
    found["fingerprint"] = store.fingerprint_of(model_folder)
    store.write_json(numbers, found)
    store.write_text(page, report_page(found, axes=named, map_figure=shown, map_note=note))
    return {"report": found, "page": str(page), "numbers": str(numbers)}


def _map_title(item_map: ItemMap, model: Model) -> str:
    data = model.data.get("name", "movies")
    return (
        f"{data}: {' × '.join(item_map.axes)}"
        if item_map.axes
        else f"{data}: {item_map.method} of {model.learner.name}"
    )


def _map_notes(item_map: ItemMap) -> list[str]:
    """What a reader of the picture should know."""
    fidelity = item_map.fidelity
    notes = ["Each dot is a movie, the larger the more people rated it; point at one for its title."]
    if "recall@15" in fidelity:
        notes.append(
            f"Of a movie's 15 nearest in the space, {fidelity['recall@15']:.0%} are among its 15 nearest here; "
            f"trustworthiness {fidelity['trustworthiness']:.2f}, continuity {fidelity['continuity']:.2f}."
        )
    return notes


def _told(axis: Axis, model: Model, n_examples: int) -> dict[str, Any]:
    """An axis in plain values, with movies at both ends."""
    low, high = axis.ends(model.space, model.n_ratings, n_examples, well_known(model.n_ratings))
    return {
        "name": axis.name,
        "low": axis.low,
        "high": axis.high,
        "is_valid": axis.is_valid,
        "evidence": axis.evidence,
        "low_movies": list(model.catalog.labels[low]),
        "high_movies": list(model.catalog.labels[high]),
    }
