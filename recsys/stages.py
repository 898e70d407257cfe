"""One function per command: load, call, save, and say what was done.

A stage takes paths and settings, leaves files behind, and returns a plain dict that the command line prints as a table
or as JSON. It knows nothing of the screen: progress goes to a `Report` that somebody else draws.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from recsys import datasets, etl, store
from recsys.attributes import well_known
from recsys.axis import UNNAMED, Axes, Axis
from recsys.catalog import Catalog
from recsys.confidence import Confidence
from recsys.embeddings import Metric
from recsys.errors import InputError
from recsys.etl.rules import REJECTED
from recsys.etl.users import read_user_ids
from recsys.evaluate.ranking import HEAD_TO_TAIL, by_activity, by_popularity, check_metric, rank_quality
from recsys.evaluate.report import DIMENSIONS, N_SEEDS, embedding_report
from recsys.evaluate.tune import tune as find_settings
from recsys.figures.picture import picture, picture_page
from recsys.figures.report import report_page
from recsys.item_clusters import NO_CLUSTER
from recsys.item_map import DEFAULT_MAP, ItemMap, MapMethod
from recsys.latent.axes import N_REFITS, discover, split_by_axes
from recsys.latent.clusters import Choice as ClusterChoice
from recsys.latent.clusters import find_clusters
from recsys.latent.map import make_map
from recsys.latent.probes import ask, built_in_questions, graded_question, question_of
from recsys.latent.rotation import DEFAULT_METHOD, Method
from recsys.latent.steer import axis_called, parse_shift, shifted
from recsys.latent.steer import steer as steer_list
from recsys.models import DEFAULT_MODEL, IALS, MODELS, TrainedModel, train_model, with_settings
from recsys.models.ease import MOST_ITEMS as MOST_ITEMS_OF_EASE
from recsys.recommend import Audience, audience_of, audience_of_ratings, explain, similar_side_by_side
from recsys.recommend import recommend as recommend_to
from recsys.recommend import similar as similar_items
from recsys.split import HoldOut, Part, Protocol, hold_out
from recsys.topk import BLOCK_BYTES, row_blocks

Progress = Callable[[int, int], None]
Report = Callable[[str], Progress]
"""Given what is being done, returns what to call with (done, in all)."""

Say = Callable[[str], None]
"""Takes one line for a person, such as a licence notice."""

BASELINES = ("popular", "itemknn", "ease")
"""What anyone can have quickly, and what a model must beat to be worth its name."""
DEMO_DATASET = "ml-100k"
DEMO_USER = 1
DEMO_CONFIDENCE = Confidence(min_rating=3.0)
"""Whoever rates in the app means one or two stars as a dislike, so these must not draw their like to the list."""
PART_ROWS = 2**19
"""Rows of a finished part of a batch: some ten megabytes, so that little is lost when a run is broken off."""


def _quiet(_: str) -> Progress:
    return lambda _done, _all: None


def fetch(name: str, *, report: Report = _quiet, say: Say = lambda _: None) -> dict[str, Any]:
    """Download a named dataset into the data folder, or find it there."""
    folder = datasets.fetch(name, on_progress=_bytes(report(f"fetching {name}")), on_notice=say)
    return {"dataset": name, "folder": str(folder), "files": sorted(f.name for f in folder.iterdir() if f.is_file())}


def prepare(
    source: str,
    out: Path,
    *,
    items: Path | None = None,
    columns: etl.Columns | None = None,
    scale: tuple[float, float] | None = None,
    ids: str = "auto",
    min_user: int = 1,
    min_item: int = 1,
    report: Report = _quiet,
    say: Say = lambda _: None,
) -> dict[str, Any]:
    """Clean ratings into a prepared folder. `source` is a dataset's name, a MovieLens folder or a file of ratings."""
    store.check_replaceable(out, store.REPORT)
    if source in datasets.DATASETS and not Path(source).exists():
        scale = scale or datasets.DATASETS[source].rating_scale
        folder = datasets.fetch(source, on_progress=_bytes(report(f"fetching {source}")), on_notice=say)
        found = etl.find_source(folder, items)
    else:
        found = etl.find_source(Path(source), items)
    prepared = etl.prepare_ratings(
        found,
        columns=columns,
        rules=etl.Rules(scale, ids),  # type: ignore[arg-type]
        min_user=min_user,
        min_item=min_item,
        on_progress=report(f"reading {found.ratings.name}"),
    )
    store.save_prepared(out, prepared)
    return {**prepared.report, "out": str(out)}


def rejected_rows(data: Path, n: int = 100) -> pd.DataFrame:
    """The first rows that `prepare` set aside: file, line, reason, text. Raises InputError when they cannot be read."""
    path = data / store.REJECTED
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(n, columns=REJECTED.names):
                return batch.to_pandas()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    return REJECTED.empty_table().to_pandas()


def train(
    data: Path,
    out: Path,
    *,
    model: str = DEFAULT_MODEL,
    settings: Mapping[str, Any] | None = None,
    confidence: Confidence | None = None,
    validate: Protocol | None = None,
    patience: int = 3,
    report: Report = _quiet,
) -> dict[str, Any]:
    """Train a model on a prepared folder.

    With `validate`, a first training on that protocol's validation part finds after which epoch quality no longer
    grows (for `patience` epochs); the model is then trained on everything for that many.
    """
    learner = with_settings(_learner(model), settings or {})
    store.check_replaceable(out, store.MANIFEST)
    stored = store.load_prepared(data)
    curve: list[dict[str, Any]] = []
    if validate is not None:
        curve = _quality_by_epoch(stored, learner, confidence, validate, patience, report)
        learner = dataclasses.replace(learner, epochs=max(curve, key=lambda row: row["ndcg@10"])["epoch"])
    trained = train_model(
        stored.interactions,
        stored.catalog,
        learner,
        confidence,
        data={"name": data.resolve().name, "path": str(data)},
        progress=report(f"training {model}"),
    )
    manifest = store.save_model(out, trained)
    done = {key: manifest[key] for key in ("model", "hyperparameters", "confidence", "data")} | {"out": str(out)}
    if getattr(trained.learner, "epochs", None) != getattr(learner, "epochs", None):
        done["interrupted"] = f"after epoch {trained.learner.epochs} of {learner.epochs}"  # type: ignore[attr-defined]
    return done | ({"validation": curve} if curve else {})


def evaluate(
    data: Path,
    *,
    models: Sequence[str] | None = None,
    trained: Path | None = None,
    protocol: Protocol = "random",
    part: Part = "test",
    k: Sequence[int] = (10,),
    settings: Mapping[str, Any] | None = None,
    confidence: Confidence | None = None,
    seed: int = 42,
    out: Path | None = None,
    report: Report = _quiet,
) -> dict[str, Any]:
    """Train each model on the training part of a protocol and judge it by what was hidden.

    models   kinds of models; default: ials, or with `trained` those of `baselines_for`. `settings` are for a single one
    trained  a model folder: a model with its settings, on its data, is judged first, and its confidence holds for all.
             The result is stored with it, as ranking.json
    seed     of the split
    out      JSON file for the result, instead of the model's folder; nothing is stored without both
    """
    begun = time.perf_counter()
    stored = store.load_prepared(data)
    learners: list[Any] = []
    of_model: dict[str, Any] | None = None
    if trained is not None:
        if settings or confidence is not None:
            raise InputError(f"settings and weighting are those of {trained}; leave out what would change them")
        model = store.load_model(trained)
        _check_data(model, trained, stored)
        learners, confidence = [model.learner], model.weigher.confidence
        of_model = {"name": trained.resolve().name, "fingerprint": store.fingerprint_of(trained)}
        models = baselines_for(model) if models is None else models
    elif models is None:
        models = (DEFAULT_MODEL,)
    if settings and len(models) > 1:
        raise InputError("settings are for one model; evaluate the models one by one, or all with their defaults")
    learners += [with_settings(_learner(name), settings or {}) for name in models]
    if out is None and trained is not None:
        out = trained / store.RANKING
    if out is not None and out.is_dir():
        raise InputError(f"{out}: is a folder; name a file to write to")
    split = hold_out(stored.interactions, protocol, part=part, seed=seed)
    results = [_judged(learner, split, stored.catalog, confidence, k, report) for learner in learners]
    found = {
        "data": str(data),
        "protocol": protocol,
        "part": part,
        "seed": seed,
        "k": list(k),
        "confidence": dataclasses.asdict(confidence or Confidence()),
        "train_ratings": split.train.n_ratings,
        "hidden_ratings": int(split.truth.nnz),
        "trained": of_model,
        "seconds": round(time.perf_counter() - begun, 1),
        "results": results,
    }
    if out is not None:
        store.write_json(out, found)
    return found


def baselines_for(model: TrainedModel) -> tuple[str, ...]:
    """The kinds of models that a trained one is held against unless others are asked for: other kinds than its own, and
    such as can be trained on so many items."""
    too_many = ("ease",) if len(model.item_ids) > MOST_ITEMS_OF_EASE else ()
    return tuple(name for name in BASELINES if name not in (model.learner.name, *too_many))


def stored_ranking(model_folder: Path) -> dict[str, Any] | None:
    """What `evaluate` stored with a model; None where it has not run. Raises InputError for a result that is broken or
    of another model."""
    path = model_folder / store.RANKING
    if not path.is_file():
        return None
    found = store.read_json(path)
    if not (_has_shape(found, _RANKING) and found["results"] and found["k"] and _has_metrics(found)):
        raise InputError(f"{path}: is not what recsys evaluate --trained writes; measure again")
    _check_fingerprint(found["trained"]["fingerprint"], path, model_folder)
    return found


_NUMBER, _MAYBE = (int, float), (int, float, type(None))
_MEAN = {"mean": _MAYBE, "low": _MAYBE, "high": _MAYBE}
_INTERVAL = {"mean": _NUMBER, "low": _NUMBER, "high": _NUMBER}
_RANKING = {
    "protocol": str,
    "part": str,
    "seed": int,
    "k": [int],
    "confidence": {"min_rating": _MAYBE},
    "train_ratings": int,
    "hidden_ratings": int,
    "seconds": _NUMBER,
    "trained": {"fingerprint": str},
    "results": [
        {
            "model": str,
            "seconds_to_train": _NUMBER,
            "judged": int,
            "metrics": dict,
            "by_activity": [{"users": int, "fewest": int, "most": int, **_INTERVAL}],
            "by_popularity": [{"items": int, "ratings": _NUMBER, "recommendations": _NUMBER}],
        }
    ],
}
"""What the app reads of a stored ranking, and what it is; likewise `_REPORT` of a stored report."""
_REPORT = {
    "judged_items": int,
    "divergence": {"js": _MAYBE, "js_control": _MAYBE},
    "seeds": {"n": int, "overlap@10": _MAYBE, "chance_overlap@10": _MAYBE},
    "dimensions": [{"n_factors": int, "ndcg@10": _NUMBER, "low": _NUMBER, "high": _NUMBER}],
}
_REPRESENTATION = {
    "dimensions": int,
    "told": [str],
    "genre_retrieval": {"precision": _MAYBE, "chance": _MAYBE},
    "tag_retrieval": (dict, type(None)),
    "genre_auc": _MAYBE,
    "decade_auc": _MAYBE,
    "mean_rating_r2": _MAYBE,
    "clusters": {"nmi": _MAYBE},
    "analogies": {"n_questions": int, "hits@10": _MAYBE, "neighbour_hits@10": _MAYBE},
}


def _has_shape(value: Any, shape: Any) -> bool:
    """Whether a value from a file is of a type, has the keys of a dict, or is a list of such, all the way down."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(
            key in value and _has_shape(value[key], part) for key, part in shape.items()
        )
    if isinstance(shape, list):
        return isinstance(value, list) and all(_has_shape(part, shape[0]) for part in value)
    return isinstance(value, shape)


def _has_metrics(found: dict[str, Any]) -> bool:
    """Whether a ranking's protocol is known, and each model has what is shown of it for every length of list."""
    shapes = {"ndcg": _INTERVAL, "coverage": {**_MEAN, "mean": _NUMBER}, "gini": {"mean": _NUMBER}}
    shapes |= dict.fromkeys(("recall", "precision", "novelty"), _MEAN)
    metrics = {f"{name}@{k}": shape for name, shape in shapes.items() for k in found["k"]}
    return found["protocol"] in get_args(Protocol) and all(
        _has_shape(row["metrics"], metrics)
        and len(row["by_popularity"]) == len(HEAD_TO_TAIL)
        and len(row["by_activity"]) == len(found["results"][0]["by_activity"])
        for row in found["results"]
    )


def _judged(
    learner: Any,
    split: HoldOut,
    catalog: Catalog,
    confidence: Confidence | None,
    k: Sequence[int],
    report: Report,
) -> dict[str, Any]:
    """One model, trained on a split and judged by it, in plain values."""
    started = time.perf_counter()
    model = train_model(split.train, catalog, learner, confidence, progress=report(f"training {learner.name}"))
    seconds = time.perf_counter() - started
    found = rank_quality(model, split, k, n_threads=os.cpu_count() or 1, progress=report(f"judging {learner.name}"))
    at = 10 if 10 in k else k[0]
    return {
        "model": learner.name,
        "hyperparameters": dataclasses.asdict(learner),
        "seconds_to_train": round(seconds, 3),
        "judged": len(found.users),
        "not_judged": found.not_judged,
        "cold": found.cold,
        "metrics": {row.pop("metric"): row for row in _rows(found.summary)},
        "by_activity": _rows(by_activity(found, f"ndcg@{at}")),
        "by_popularity": _rows(by_popularity(found.listed[at], model.n_ratings)),
    }


def tune(
    data: Path,
    out: Path,
    *,
    model: str = DEFAULT_MODEL,
    protocol: Protocol = "random",
    metric: str = "ndcg@10",
    repeats: int = 1,
    n_trials: int = 50,
    minutes: float | None = None,
    settings: Mapping[str, Any] | None = None,
    confidence: Confidence | None = None,
    search_weighting: bool = False,
    seed: int = 42,
    report: Report = _quiet,
) -> dict[str, Any]:
    """Search settings on the validation part of a protocol; write the best as JSON for `train --params`.

    With `repeats`, the mean over so many draws of the validation part counts. The trials are kept beside `out` in
    `<out>.study.sqlite`; a search that was broken off goes on from there.
    """
    learner = _learner(model)
    if out.is_dir():
        raise InputError(f"{out}: is a folder; name a file to write to")
    check_metric(metric)
    stored = store.load_prepared(data)
    splits = [
        hold_out(stored.interactions, protocol, part="validation", seed=seed, draw=draw) for draw in range(repeats)
    ]
    study = out.with_name(f"{out.name}.study.sqlite")
    found = find_settings(
        learner,
        splits,
        stored.catalog,
        metric=metric,
        n_trials=n_trials,
        minutes=minutes,
        fixed={name: getattr(with_settings(learner, settings), name) for name in settings} if settings else None,
        confidence=confidence,
        search_weighting=search_weighting,
        study=study,
        seed=seed,
        n_threads=os.cpu_count() or 1,
        progress=report(f"tuning {model}"),
    )
    params = dict(found.params)
    if confidence is not None and confidence.min_rating is not None:
        params["min_rating"] = confidence.min_rating
    if "weighting" not in params and confidence is not None:
        params["weighting"] = confidence.weighting
    store.write_json(out, params)
    return {
        "model": model,
        "protocol": protocol,
        "metric": metric,
        "trials": len(found.trials),
        "default": found.default,
        "best": found.value,
        "params": params,
        "out": str(out),
        "study": str(study),
    }


def recommend(
    model_folder: Path,
    data: Path,
    out: Path,
    *,
    k: int = 10,
    users: Path | None = None,
    exclude_seen: bool = True,
    resume: bool = False,
    n_threads: int | None = None,
    report: Report = _quiet,
) -> dict[str, Any]:
    """Write the k best items of every user (or of those listed in a file) as Parquet, in parts that can be resumed.

    Users of the data whom training never saw are folded in. Listed users who are not in the data are set aside, with
    file, line and reason, in `<out>.rejected.parquet`. Progress is in users and comes within a part too; what it
    raises goes through, and leaves the finished parts for `resume`. On one thread the scores are the same to the last
    bit whatever the size of a part.
    """
    if k < 1:
        raise InputError(f"the number of recommendations is at least 1, not {k}")
    if out.is_dir():
        raise InputError(f"{out}: is a folder; name a file to write to")
    model = store.load_model(model_folder)
    stored = store.load_prepared(data)
    rejected = pa.Table.from_pylist([], REJECTED)
    wanted = None
    if users is not None:
        wanted, rejected = _listed_users(users, stored)
    audience = audience_of(model, stored.interactions, wanted)
    size = max(1, PART_ROWS // min(k, len(model.item_ids)))
    plan = {
        "model": store.fingerprint_of(model_folder),
        "data": stored.interactions.fingerprint,
        "users": hashlib.sha256("\n".join(map(str, audience.user_ids)).encode()).hexdigest(),
        "k": k,
        "exclude_seen": exclude_seen,
        "part_users": size,
    }
    parts = store.Parts(out, plan, resume)
    blocks = _no_single_row(len(audience), size)
    n_threads = n_threads or os.cpu_count() or 1
    # One block of `top_k` for each thread at a time, less a row, so that a row that is taken in makes no further block.
    step = max(1, n_threads * (BLOCK_BYTES // (4 * max(1, len(model.item_ids)))) - 1)
    missing = [number for number in range(len(blocks)) if not parts.has(number)]
    done = len(audience) - sum(blocks[number].stop - blocks[number].start for number in missing)
    progress = report("recommending")
    progress(done, len(audience))
    for number in missing:
        tables = []
        part = audience[blocks[number]]
        for rows in _no_single_row(len(part), step):
            tables.append(recommend_to(model, part[rows], k, exclude_seen=exclude_seen, n_threads=n_threads))
            done += rows.stop - rows.start
            progress(done, len(audience))
        parts.write(number, pa.Table.from_pandas(pd.concat(tables, ignore_index=True), preserve_index=False))
    n_rows = parts.join(len(blocks))
    origins = pd.Series(audience.origin).value_counts()
    result = {
        "out": str(out),
        "users": len(audience),
        "rows": n_rows,
        "k": k,
        "origin": {str(name): int(count) for name, count in origins.items()},
        "resumed_parts": parts.n_found,
        "rejected_users": len(rejected),
    }
    if len(rejected):
        aside = out.with_name(f"{out.stem}.rejected.parquet")
        store.write_table(aside, rejected)
        result["rejected_file"] = str(aside)
    return result


def _no_single_row(n_rows: int, size: int) -> list[slice]:
    """Slices of `size` rows, the last one up to a row longer: BLAS multiplies a single row in another way, and its last
    bits would tell where a part ended."""
    blocks = list(row_blocks(n_rows, size))
    if size > 1 and len(blocks) > 1 and blocks[-1].stop - blocks[-1].start == 1:
        blocks[-2:] = [slice(blocks[-2].start, n_rows)]
    return blocks


def recommend_user(
    model_folder: Path,
    data: Path,
    user: Any,
    *,
    k: int = 10,
    exclude_seen: bool = True,
    steer: Sequence[str] = (),
    why: bool = False,
) -> dict[str, Any]:
    """The k best items of one user, with titles; moved along axes by `steer`, each AXIS=AMOUNT; with reasons if `why`.

    Raises UnknownId for a user, an axis or a title that there is not.
    """
    model, stored = store.load_model(model_folder), store.load_prepared(data)
    audience = audience_of(model, stored.interactions, [user])
    return _listed(model, model_folder, audience, k, exclude_seen, steer, why)


def recommend_ratings(
    model_folder: Path, rated: Mapping[str, float], *, k: int = 10, steer: Sequence[str] = (), why: bool = False
) -> dict[str, Any]:
    """The k best items for somebody new, from titles and ratings. Raises UnknownId naming near titles."""
    model = store.load_model(model_folder)
    ratings = {model.item_ids[model.catalog.find(title, model.n_ratings)]: stars for title, stars in rated.items()}
    return _listed(model, model_folder, audience_of_ratings(model, ratings), k, True, steer, why)


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
    report: Report = _quiet,
) -> dict[str, Any]:
    """Find, name and verify the axes of a model, answer questions, and store all axes with the model.

    questions  as `question_of` reads them, besides the built-in ones
    graded     tables (CSV) with the columns item_id and value: a quantity to find, named after its file
    """
    model, stored = _trained_on(model_folder, data)
    asked = [question_of(text, model.catalog, model.attributes) for text in questions]
    asked += [
        graded_question(f"low {path.stem}", f"high {path.stem}", store.read_values(path, model.item_ids))
        for path in graded
    ]
    found = discover(
        model, stored.interactions, method, n_refits=n_refits, seed=seed, progress=report("training on other users")
    )
    answers = [*_built_in_axes(model, seed), *(ask(model, question, seed) for question in asked)]
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


def similar(model_folder: Path, title: str, *, k: int = 10, metric: Metric | None = "cosine") -> dict[str, Any]:
    """The items most like the one of that title by one metric, or by each with `metric` None.

    Raises UnknownId naming near titles.
    """
    model = store.load_model(model_folder)
    row = model.catalog.find(title, model.n_ratings)
    item = model.item_ids[row]
    done: dict[str, Any] = {"title": model.catalog.labels[row], "metric": metric or "each metric"}
    if metric is None:
        table, length_is_popularity = similar_side_by_side(model, item, k)
        done |= {"n_ratings": int(model.n_ratings[row]), "length_popularity": length_is_popularity}
    else:
        table = similar_items(model, item, k, metric)
    table["title"] = model.catalog.label_of(table["item_id"].to_numpy())
    return done | {"similar": _rows(table)}


def analogy(model_folder: Path, a: str, b: str, c: str, *, k: int = 10) -> dict[str, Any]:
    """`a` is to `b` as `c` is to ?: by vector arithmetic on directions. Raises UnknownId naming near titles."""
    model = store.load_model(model_folder)
    rows = [model.catalog.find(title, model.n_ratings) for title in (a, b, c)]
    a, b, c = model.item_ids[rows]
    ids, cosines = model.space.analogy(a, b, c, k)
    titles = model.catalog.label_of(ids) if len(ids) else []
    found = pd.DataFrame({"rank": range(1, len(ids) + 1), "item_id": ids, "title": titles, "similarity": cosines})
    return {"analogy": list(model.catalog.labels[rows]), "answers": _rows(found)}


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
    along = tuple(axis_called(name, model, known or Axes("", (), _built_in_axes(model), 0)) for name in axes)
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
    report: Report = _quiet,
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
    report: Report = _quiet,
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
    model, stored = _trained_on(model_folder, data)
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


def stored_report(model_folder: Path) -> dict[str, Any] | None:
    """The numbers of the embedding report that is stored with a model; None where there is none. Raises InputError for
    one that is broken or of another model."""
    path = (model_folder / store.REPORT_PAGE).with_suffix(".json")
    if not path.is_file():
        return None
    found = store.read_json(path)
    measured = found.get("representations")
    if (
        not isinstance(measured, dict)
        or str(found.get("model")) not in measured
        or not _has_shape(found, _REPORT)
        or not all(_has_shape(row, _REPRESENTATION) for row in measured.values())
        or not all(
            _has_shape(row["tag_retrieval"] or {"precision": None}, {"precision": _MAYBE}) for row in measured.values()
        )
    ):
        raise InputError(f"{path}: is not what recsys report writes; measure again")
    if "fingerprint" in found:  # a report made before fingerprints were kept is taken as it is
        _check_fingerprint(found["fingerprint"], path, model_folder)
    return found


def demo(*, report: Report = _quiet, say: Say = lambda _: None) -> dict[str, Any]:
    """The whole way on MovieLens 100K, short of the app: fetch, prepare, train, recommend, map, clusters, axes."""
    root = datasets.data_root()
    data, model = root / "prepared" / DEMO_DATASET, root / "models" / f"{DEMO_DATASET}-{DEFAULT_MODEL}"
    prepared = prepare(DEMO_DATASET, data, report=report, say=say)
    trained = train(data, model, confidence=DEMO_CONFIDENCE, report=report)
    listed = recommend_user(model, data, DEMO_USER)
    progress = report("drawing the map")
    progress(0, 1)
    mapped = map_items(model)
    progress(1, 1)
    clustered = clusters(model, n_examples=3, report=report)
    named = axes(model, data, n_examples=3, report=report)
    return {
        "prepare": prepared,
        "train": trained,
        "recommend": listed,
        "map": mapped,
        "clusters": clustered,
        "axes": named,
    }


def _learner(name: str) -> type[Any]:
    if name not in MODELS:
        raise InputError(f"there is no model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]


def _quality_by_epoch(
    stored: store.StoredData,
    learner: Any,
    confidence: Confidence | None,
    protocol: Protocol,
    patience: int,
    report: Report,
) -> list[dict[str, Any]]:
    """One row an epoch, until `patience` epochs have brought nothing: epoch, ndcg@10 and, of ials, the objective."""
    if not hasattr(learner, "epochs"):
        raise InputError(f"{learner.name!r} is solved in one go: there are no epochs to choose from")
    split = hold_out(stored.interactions, protocol, part="validation", seed=learner.seed)
    rows: list[dict[str, Any]] = []

    def watch(epoch: int, model: TrainedModel) -> bool:
        quality = rank_quality(model, split, (10,), auc=False, n_threads=os.cpu_count() or 1)
        rows.append({"epoch": epoch, "ndcg@10": quality["ndcg@10"]})
        if isinstance(learner, IALS):
            weights = model.weigher.weigh(split.train.matrix)
            rows[-1]["objective"] = learner.objective(model.space, weights)
        best = max(rows, key=lambda row: row["ndcg@10"])
        return epoch - best["epoch"] >= patience

    progress = report(f"validating {learner.name}")
    train_model(split.train, stored.catalog, learner, confidence, progress=progress, watch=watch)
    return rows


def _listed_users(path: Path, stored: store.StoredData) -> tuple[np.ndarray, pa.Table]:
    """The rows of the data's users that a file lists, once each, and the lines that can't be used."""
    ids, lines = read_user_ids(path)
    known = stored.interactions.user_index
    typed = pd.Series(ids).astype("str")
    if known.dtype == np.int64:
        typed = pd.to_numeric(typed, errors="coerce")
    places = known.get_indexer(pd.Index(typed.to_numpy()))
    repeated = pd.Series(places).duplicated().to_numpy() & (places >= 0)
    bad = np.flatnonzero((places < 0) | repeated)
    reasons = ["user is listed twice" if repeated[row] else "user is not in the data" for row in bad]
    rejected = pa.table([[path.name] * len(bad), lines[bad], reasons, [str(ids[row]) for row in bad]], schema=REJECTED)
    used = (places >= 0) & ~repeated
    if not used.any():
        raise InputError(
            f"{path}: line {lines[0]}: user {str(ids[0])[:60]!r} is not in the data, and neither is any other listed"
        )
    return stored.interactions.user_ids[places[used]], rejected


def _map_title(item_map: ItemMap, model: TrainedModel) -> str:
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


def _trained_on(model_folder: Path, data: Path) -> tuple[TrainedModel, store.StoredData]:
    """A model and the data it was trained on. Raises InputError for other data: what is measured would be of
    neither."""
    model, stored = store.load_model(model_folder), store.load_prepared(data)
    _check_data(model, model_folder, stored)
    return model, stored


def _check_fingerprint(found: str | None, path: Path, model_folder: Path) -> None:
    if found != store.fingerprint_of(model_folder):
        raise InputError(f"{path}: was measured of another model than the one in this folder; measure again")


def _check_data(model: TrainedModel, model_folder: Path, stored: store.StoredData) -> None:
    expected = model.data.get("fingerprint")
    if expected is not None and expected != stored.interactions.fingerprint:
        raise InputError(f"{stored.path}: is not what {model_folder} was trained on; name those data, or train again")


def _told(axis: Axis, model: TrainedModel, n_examples: int) -> dict[str, Any]:
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


def _listed(
    model: TrainedModel,
    folder: Path,
    audience: Audience,
    k: int,
    exclude_seen: bool,
    steer: Sequence[str],
    why: bool,
) -> dict[str, Any]:
    """The list of one user as plain values: with titles, what steering did, and the reasons."""
    stored_axes = store.load_axes(folder) if model.has_space and (steer or why) else None
    user = audience.user_ids[0]
    done: dict[str, Any] = {
        "user": user.item() if isinstance(user, np.generic) else user,
        "origin": str(audience.origin[0]),
    }
    if steer:
        known_axes = stored_axes or Axes("", (), _built_in_axes(model), 0)
        shifts = [parse_shift(text, model, known_axes) for text in steer]
        steered = steer_list(model, audience, shifts, k, exclude_seen=exclude_seen)
        table = steered.table
        done["steered"] = {
            "axes": _rows(steered.moved),
            "left": model.catalog.label_of(steered.left) if steered.left else [],
            "loss": None if np.isnan(steered.loss) else steered.loss,
        }
        audience = shifted(model, audience, shifts)
    else:
        table = recommend_to(model, audience, k, exclude_seen=exclude_seen)
    items = model.catalog.take(table["item_id"].to_numpy())
    table.insert(2, "title", list(items.labels))
    table["genres"] = [list(g) for g in items.items["genres"]]
    rows = _rows(table.drop(columns="user_id"))
    if why:
        for row, reasons in zip(rows, _reasons(model, audience, table, stored_axes), strict=True):
            row["why"] = reasons
    return done | {"recommendations": rows}


def _reasons(
    model: TrainedModel, audience: Audience, table: pd.DataFrame, found: Axes | None
) -> list[dict[str, list[dict[str, Any]]]]:
    """For each row of a list, its score split over the rated movies and, where there are axes, over these; all shares,
    greatest first. After steering the first adds up to the taste, the second to the score. `end` is the end of the axis
    that the user seeks. A title of None is what the model cannot lay on any one movie (the bias of bpr)."""
    item_ids = table["item_id"].to_numpy()
    by_rating = explain(model, audience, item_ids, top=None)
    reasons: list[dict[str, list[dict[str, Any]]]] = [
        {
            "ratings": [
                {"title": title, "adds": adds}
                for title, (_, adds) in zip(model.catalog.label_of([item for item, _ in parts]), parts, strict=True)
            ]
            if parts
            else []
        }
        for parts in by_rating
    ]
    whole = table["taste" if "taste" in table else "score"]
    for reason, score in zip(reasons, whole, strict=True):
        rest = float(score) - sum(part["adds"] for part in reason["ratings"])
        if reason["ratings"] and abs(rest) > 1e-3 * max(1.0, abs(float(score))):
            reason["ratings"].append({"title": None, "adds": rest})
    if found is not None and found.rotation is not None and audience.vectors is not None:
        shares = split_by_axes(model.space, found, audience.vectors[0], model.space.item_rows(item_ids))
        seeks = audience.vectors[0, : model.space.n_factors].astype(np.float64) @ found.rotation
        ends = [axis.high if sought > 0 else axis.low for axis, sought in zip(found.discovered, seeks, strict=True)]
        for reason, column in zip(reasons, shares.to_numpy().T, strict=True):
            order = np.argsort(-column, kind="stable")
            reason["axes"] = [
                {"axis": shares.index[at], "end": ends[at] if at < len(ends) else None, "adds": float(column[at])}
                for at in order
            ]
    return reasons


def _built_in_axes(model: TrainedModel, seed: int = 42) -> tuple[Axis, ...]:
    answers = []
    for question in built_in_questions(model.attributes):
        with suppress(InputError):  # a space of one dimension has nothing along some of them
            answers.append(ask(model, question, seed))
    return tuple(answers)


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain Python values, as JSON wants them."""
    return [{str(key): _plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _bytes(progress: Progress) -> Callable[[int, int | None], None]:
    return lambda done, total: progress(done, total or 0)
