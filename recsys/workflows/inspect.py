"""Axes, clusters, map, compression and report of a model folder."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from recsys import store
from recsys.errors import InputError
from recsys.evaluation.compression import DIMENSIONS as WIDTHS
from recsys.evaluation.compression import Compression, kinds_for
from recsys.evaluation.compression import compression as measure_compression
from recsys.evaluation.report import DIMENSIONS, N_SEEDS, EmbeddingReport, embedding_report, space_report
from recsys.evaluation.stability import N_REFITS, discover_axes
from recsys.ingest.values import read_values
from recsys.models import Model
from recsys.models.vae import INSTALL
from recsys.progress import StartProgress, no_progress
from recsys.recommend.steer import axis_called
from recsys.space.axis import UNNAMED, Axes, Axis
from recsys.space.clustering import Choice as ClusterChoice
from recsys.space.clustering import find_clusters
from recsys.space.discovery import STABLE_AXIS, discover
from recsys.space.embedding import EmbeddingSpace
from recsys.space.evidence import DiscoveryEvidence
from recsys.space.item_clusters import NO_CLUSTER, ItemClusters
from recsys.space.item_map import DEFAULT_MAP, ItemMap, MapMethod
from recsys.space.layout import make_map
from recsys.space.probes import ask, built_in_axes
from recsys.space.questions import graded_question, question_of
from recsys.space.rotation import DEFAULT_METHOD, Method
from recsys.threads import n_cores
from recsys.workflows.common import check_output, load_for_refits


@dataclass(frozen=True)
class AxisWithMovies:
    """An axis and the titles of the best-known movies at its ends, the outermost first."""

    axis: Axis
    low_movies: tuple[str, ...]
    high_movies: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.axis.name,
            "low": self.axis.low,
            "high": self.axis.high,
            "is_valid": self.axis.is_valid,
            "evidence": {} if self.axis.evidence is None else self.axis.evidence.to_json(),
            "low_movies": list(self.low_movies),
            "high_movies": list(self.high_movies),
        }


@dataclass(frozen=True)
class NamedAxes:
    """The axes of the model in the folder `model`, stored in `out`: the discovered ones, then those asked for.

    is_verifiable  whether the model could be refitted to measure stability; if not, no discovered axis is named
    like           the earlier model whose axes these follow
    """

    model: Path
    method: Method
    discovered: tuple[AxisWithMovies, ...]
    asked: tuple[AxisWithMovies, ...]
    out: Path
    is_verifiable: bool = True
    like: Path | None = None

    @property
    def match(self) -> dict[str, float]:
        """How the discovered axes match those of `like`: the number of pairs (axes), how many have a cosine of
        `STABLE_AXIS` or more (matched), the median and the lowest cosine. Empty without `like`."""
        found = [item.axis.evidence for item in self.discovered]
        cosines = [item.like for item in found if isinstance(item, DiscoveryEvidence) and item.like is not None]
        if not cosines:
            return {}
        n_matched = sum(cosine >= STABLE_AXIS for cosine in cosines)
        median, lowest = statistics.median(cosines), min(cosines)
        return {"axes": len(cosines), "matched": n_matched, "median": median, "lowest": lowest}

    @property
    def n_named(self) -> int:
        """The number of discovered axes with a verified name."""
        return sum(found.axis.is_valid for found in self.discovered)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys axes --json` prints them."""
        like = {} if self.like is None else {"like": {"model": str(self.like), **self.match}}
        return like | {
            "model": str(self.model),
            "method": self.method,
            "named": self.n_named,
            "discovered": [found.to_json() for found in self.discovered],
            "asked": [found.to_json() for found in self.asked],
            "out": str(self.out),
        }


@dataclass(frozen=True)
class MappedItems:
    """A map of a model's items.

    axes  the two axes of a map along axes, else none
    out   the file that was asked for, else the one stored with the model
    """

    item_map: ItemMap
    axes: tuple[Axis, ...]
    out: Path

    @property
    def not_in_space(self) -> list[str]:
        """Titles of the axes that the space does not encode."""
        return [axis.title for axis in self.axes if not axis.is_valid]

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys map --json` prints them."""
        return {
            "method": self.item_map.method,
            "axes": list(self.item_map.axes or ()),
            "not_in_space": self.not_in_space,
            "seed": self.item_map.seed,
            "items": len(self.item_map.item_ids),
            "fidelity": dict(self.item_map.fidelity),
            "out": str(self.out),
        }


@dataclass(frozen=True)
class ClusteredItems:
    """The clusters of the model in the folder `model`, stored in `out`; for each some titles near its centre."""

    model: Path
    clusters: ItemClusters
    examples: tuple[tuple[str, ...], ...]
    out: Path

    @property
    def n_unclustered(self) -> int:
        """The number of items in no cluster."""
        return int((self.clusters.labels == NO_CLUSTER).sum())

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys clusters --json` prints them."""
        found = self.clusters
        return {
            "model": str(self.model),
            "method": found.method,
            "silhouette": found.silhouette,
            "clusters": [
                {
                    "title": found.title(number),
                    "is_named": found.names[number] != UNNAMED,
                    "items": int(found.sizes[number]),
                    "stability": found.stability[number],
                    "examples": list(titles),
                }
                for number, titles in enumerate(self.examples)
            ],
            "in_no_cluster": self.n_unclustered,
            "evidence": {} if found.evidence is None else found.evidence.to_json(),
            "out": str(self.out),
        }


@dataclass(frozen=True)
class MeasuredSpace:
    """The embedding report of a model, and the files it was written to: a page (HTML) and the numbers (JSON)."""

    report: EmbeddingReport
    page: Path
    numbers: Path

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys report --json` prints them: the report, without the names of the files."""
        return self.report.to_json()


@dataclass(frozen=True)
class MeasuredCompression:
    """The quality of models with bottlenecks of several widths, stored in `out`.

    left_out  why kinds of models were left out, one line each
    """

    compression: Compression
    out: Path
    left_out: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys compression --json` prints them: what is stored."""
        return self.compression.to_json()


def axes(
    model_folder: Path,
    data: Path | None = None,
    *,
    method: Method = DEFAULT_METHOD,
    questions: Sequence[str] = (),
    graded: Sequence[Path] = (),
    n_refits: int = N_REFITS,
    like: Path | None = None,
    n_examples: int = 5,
    seed: int = 42,
    start_progress: StartProgress = no_progress,
) -> NamedAxes:
    """Find, name and verify the axes of a model, answer questions, and store all axes with the model.

    data       what the model was trained on, for the refits that measure stability. Imported vectors cannot be
               refitted: they take none, and their discovered axes stay "unnamed"
    questions  text for `question_of`, in addition to the built-in questions
    graded     tables (CSV) with the columns item_id and value; the quantity is named after its file
    like       a model folder with axes: the new ones take the order and the signs of those they match
    """
    model, stored = load_for_refits(model_folder, data)
    earlier = None if like is None else _axes_of(like)
    asked = [question_of(text, model.attributes) for text in questions]
    asked += [
        graded_question(f"low {path.stem}", f"high {path.stem}", read_values(path, model.item_ids)) for path in graded
    ]
    # A question that cannot be answered must not cost the time of the refits.
    answers = [
        *built_in_axes(model.space, model.attributes, seed),
        *(ask(model.space, model.attributes, question, seed) for question in asked),
    ]
    if stored is None:
        found = discover(model.space, model.attributes, method, like=earlier, seed=seed)
    else:
        progress = start_progress("training on other users")
        found = discover_axes(
            model, stored.interactions, method, n_refits=n_refits, like=earlier, seed=seed, progress=progress
        )
    found = dataclasses.replace(found, asked=tuple({axis.name: axis for axis in answers}.values()))
    path = store.save_axes(model_folder, found, model.fingerprint)
    return NamedAxes(
        model_folder,
        method,
        tuple(_with_movies(axis, model, n_examples) for axis in found.discovered),
        tuple(_with_movies(axis, model, n_examples) for axis in found.asked),
        path,
        is_verifiable=stored is not None,
        like=like,
    )


def _axes_of(folder: Path) -> tuple[EmbeddingSpace, Axes]:
    """The space of a model and the axes stored with it. Raises InputError when there are none."""
    model = store.load_model(folder)
    found = store.load_axes(folder, model.fingerprint)
    if found is None:
        raise InputError(f"{folder}: has no axes; create them with recsys axes")
    return model.space, found


def map_items(
    model_folder: Path,
    *,
    method: MapMethod | None = None,
    axes: Sequence[str] = (),
    like: Path | None = None,
    seed: int = 42,
    out: Path | None = None,
    start_progress: StartProgress = no_progress,
) -> MappedItems:
    """Lay out a model's items in 2D, measure the fidelity of the map, and store it with the model; a copy goes to
    `out`.

    method  default: along the two `axes` if they are given, else the method with the best fidelity on MovieLens
    axes    names of axes, or questions, for the horizontal and the vertical axis
    like    a map file, or a model folder with a map by the same method: the new map is rotated to match it and, where
            the method allows, starts from it
    out     a table (.parquet), or a page with a picture (.html)
    """
    method = method or ("axes" if axes else DEFAULT_MAP)
    if out is not None and out.suffix not in (".parquet", ".html"):
        raise InputError(f"{out}: a map is written as a table (.parquet) or as a page (.html)")
    if method == "axes" and like is not None:
        raise InputError("a map along axes cannot be rotated: --like is for the other methods")
    if bool(axes) != (method == "axes") or len(axes) not in (0, 2):
        raise InputError(f"a map along axes needs two axes, other maps take none; got {len(axes)} for {method!r}")
    if out is not None:
        check_output(out, inputs=[model_folder, like])
    model = store.load_model(model_folder)
    known = store.load_axes(model_folder, model.fingerprint)
    if axes and known is None:
        known = Axes("", (), built_in_axes(model.space, model.attributes), 0)
    along = tuple(axis_called(name, model.space, model.attributes, known) for name in axes)
    previous = None if like is None else store.load_map(like, method) if like.is_dir() else store.read_map(like)
    progress = start_progress("drawing the map")
    progress(0, 1)
    item_map = make_map(model.space, method, seed, axes=along or None, previous=previous)  # type: ignore[arg-type]
    progress(1, 1)
    path = store.save_map(model_folder, item_map, model.fingerprint)
    if out is not None and out.suffix == ".html":
        from recsys.plots.picture import picture, picture_page  # loads Plotly

        figure = picture(item_map, model.catalog, model.n_ratings, store.load_clusters(model_folder, model.fingerprint))
        store.write_text(
            out, picture_page(figure, _map_title(item_map, model), [*_map_notes(item_map), _origin(item_map, model)])
        )
    elif out is not None:
        store.write_map(out, item_map, model.fingerprint)
    return MappedItems(item_map, along, out or path)


def clusters(
    model_folder: Path,
    *,
    method: ClusterChoice = "auto",
    like: Path | None = None,
    n_examples: int = 5,
    seed: int = 42,
    start_progress: StartProgress = no_progress,
) -> ClusteredItems:
    """Cluster a model's items, name the clusters whose names can be verified, and store them with the model.

    like  a model folder: the clusters stored there decide the method and the number, and k-means starts from them
    """
    if like is not None and method != "auto":
        raise InputError("the method is that of the earlier clusters: leave out --method or --like")
    model = store.load_model(model_folder)
    previous = None if like is None else store.load_clusters(like)
    if like is not None and previous is None:
        raise InputError(f"{like}: has no clusters; create them with recsys clusters")
    progress = start_progress("looking for clusters")
    found = find_clusters(model.space, model.attributes, method, previous=previous, seed=seed, progress=progress)
    path = store.save_clusters(model_folder, found, model.fingerprint)
    rows = [found.examples(model.space, model.n_ratings, number, n_examples) for number in range(found.n_clusters)]
    return ClusteredItems(model_folder, found, tuple(tuple(model.catalog.labels[near]) for near in rows), path)


def compression(
    model_folder: Path,
    data: Path,
    *,
    of: Sequence[str] = (),
    dimensions: Sequence[int] = WIDTHS,
    seed: int = 42,
    start_progress: StartProgress = no_progress,
) -> MeasuredCompression:
    """Measure what passes through vectors of 1, 2, 4, … numbers, for several kinds of models; store it with the model.

    of  kinds of models; default: `kinds_for` the model, without `vae` where JAX is not installed

    What the folder holds of the same model and seed is kept and added to, so that an interrupted run continues. Raises
    InputError for a model that cannot be trained here.
    """
    out = model_folder / store.COMPRESSION
    check_output(out, inputs=[data], own=[out])
    with store.lock(out):
        model, stored = load_for_refits(model_folder, data)
        if stored is None:
            raise InputError(f"{model_folder}: {model.learner.name} vectors cannot be trained again")
        kinds, left_out = list(of or kinds_for(model)), []
        if not of and "vae" in kinds and find_spec("jax") is None:
            kinds.remove("vae")
            left_out.append(f"vae is left out: it needs jax: {INSTALL}")
        found = measure_compression(
            model,
            stored.interactions,
            of=kinds,
            dimensions=dimensions,
            seed=seed,
            earlier=_earlier_compression(model_folder),
            keep=lambda part: _keep_compression(model_folder, part),
            n_threads=n_cores(),
            progress=start_progress,
        )
    return MeasuredCompression(found, out, tuple(left_out))


def _earlier_compression(model_folder: Path) -> Compression | None:
    """What was measured before, None if that is of another model or cannot be read: it is then measured again."""
    try:
        return store.stored_compression(model_folder)
    except InputError:
        return None


def _keep_compression(model_folder: Path, found: Compression) -> None:
    store.check_unchanged(model_folder, found.fingerprint)
    store.write_json(model_folder / store.COMPRESSION, found.to_json())


def report_embedding(
    model_folder: Path,
    data: Path | None = None,
    *,
    out: Path | None = None,
    dimensions: Sequence[int] = DIMENSIONS,
    n_seeds: int = N_SEEDS,
    seed: int = 42,
    start_progress: StartProgress = no_progress,
) -> MeasuredSpace:
    """Measure a model's space against baselines; write a page (HTML) and, next to it, the numbers (JSON).

    Without `out` both are stored with the model, as report.html and report.json. Imported vectors take no `data`: what
    needs retraining is left out of their report.
    """
    from recsys.plots.picture import picture
    from recsys.plots.report import AxisEnds, report_page

    page = model_folder / store.REPORT_PAGE if out is None else out
    if page.suffix != ".html":
        raise InputError(f"{page}: the page is HTML; name a file that ends in .html")
    own = model_folder / store.REPORT_PAGE
    check_output(
        page,
        others={page.with_suffix(".json"): store.is_report},
        inputs=[model_folder, data],
        own=[own, own.with_suffix(".json")],
    )
    model, stored = load_for_refits(model_folder, data)
    # Read what may be broken before the long computation.
    axes_found = store.load_axes(model_folder, model.fingerprint)
    compressed = store.stored_compression(model_folder)
    valid = [axis for axis in axes_found.all if axis.is_valid] if axes_found is not None else []
    shown_axes = [_with_movies(axis, model, 5) for axis in valid]
    named = [AxisEnds(a.axis.name, a.axis.low, a.axis.high, a.low_movies, a.high_movies) for a in shown_axes]
    shown, note = None, ""
    if DEFAULT_MAP in store.list_maps(model_folder):
        item_map = store.load_map(model_folder, DEFAULT_MAP, model.fingerprint)
        shown = picture(item_map, model.catalog, model.n_ratings, store.load_clusters(model_folder, model.fingerprint))
        note = " ".join(_map_notes(item_map))
    progress = start_progress("measuring the space")
    if stored is None:
        found = space_report(model.space, model.attributes, name=model.learner.name, seed=seed, progress=progress)
    else:
        found = embedding_report(
            model,
            stored.interactions,
            dimensions=dimensions,
            n_seeds=n_seeds,
            n_threads=n_cores(),
            seed=seed,
            progress=progress,
        )
    store.check_unchanged(model_folder, model.fingerprint)
    found = dataclasses.replace(found, fingerprint=model.fingerprint)
    html = report_page(found, compression=compressed, axes=named, map_figure=shown, map_note=note)
    numbers = store.save_report(page, found, html)
    return MeasuredSpace(found, page, numbers)


def _map_title(item_map: ItemMap, model: Model) -> str:
    data = model.data.get("name", "movies")
    if item_map.axes:
        return f"{data}: {' × '.join(item_map.axes)}"
    return f"{data}: {item_map.method} of {model.learner.name}"


def _map_notes(item_map: ItemMap) -> list[str]:
    """What a reader of the picture should know."""
    fidelity = item_map.fidelity
    notes = ["Each dot is a movie, larger with more ratings; point at a dot for its title."]
    if "recall@15" in fidelity:
        notes.append(
            f"Of a movie's 15 nearest neighbours in the space, {fidelity['recall@15']:.0%} are among its 15 nearest "
            f"on the map; trustworthiness {fidelity['trustworthiness']:.2f}, "
            f"continuity {fidelity['continuity']:.2f}."
        )
    return notes


def _origin(item_map: ItemMap, model: Model) -> str:
    """Which model a picture was drawn from: the fingerprint is that in the metadata of the stored map."""
    return f"Model {str(model.fingerprint)[:16]}, {item_map.method}, seed {item_map.seed}."


def _with_movies(axis: Axis, model: Model, n_examples: int) -> AxisWithMovies:
    low, high = axis.ends(model.space, model.n_ratings, n_examples, model.attributes.well_known)
    return AxisWithMovies(axis, tuple(model.catalog.labels[low]), tuple(model.catalog.labels[high]))
