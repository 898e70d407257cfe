"""Every night: add ratings, train, map, evaluate, recommend, publish; or bring back the previous model.

A night is a row of steps. Each has a key, the SHA-256 of its inputs and settings, and writes its result whole or not at
all. A step whose key and result are still there is not repeated, so an interrupted night goes on where it stopped.
The published folder is replaced in one instant at the end (`recsys.atomic`): a reader, and a run that is killed at any
moment, finds the old model or the new one, whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from recsys import __version__, atomic, ingest, store
from recsys.dataset.dataset import Dataset
from recsys.dataset.split import HoldOut, lasting_hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import InputError
from recsys.evaluation.ranking import by_popularity
from recsys.evaluation.serialization import to_json
from recsys.evaluation.succession import Succession, compare_with_successor
from recsys.ingest.datasets import DATASETS
from recsys.models import MODELS, Learner, Model
from recsys.progress import Notify, StartProgress, no_notice, no_progress
from recsys.space.axis import UNNAMED
from recsys.space.item_map import MapMethod
from recsys.threads import n_cores
from recsys.workflows.evaluate import evaluate
from recsys.workflows.inspect import axes, clusters, map_items
from recsys.workflows.nightly_report import (
    ROWS,
    AddedRatings,
    Drift,
    Lists,
    Night,
    Quality,
    RolledBack,
    Step,
    StoredSpace,
    TrainedModel,
    as_metrics,
    as_text,
)
from recsys.workflows.nightly_settings import NightlySettings, read_settings
from recsys.workflows.nightly_state import (
    MODEL,
    Adding,
    Generation,
    StoredStep,
    copy_of,
    generations,
    keep_generation,
    link_or_copy,
    load_state,
    remove_generation,
    remove_leftovers,
    remove_old,
    save_state,
)
from recsys.workflows.prepare import append, prepare
from recsys.workflows.recommend import recommend_batch
from recsys.workflows.train import train

T = TypeVar("T")

HELD_OUT = "held_out_share"
"""What the manifest of an evaluation copy says, among its metrics: the share of the ratings that it was not trained
on."""


def nightly(
    file: Path,
    *,
    anew: bool = False,
    start_progress: StartProgress = no_progress,
    notify: Notify = no_notice,
) -> Night:
    """Run the steps that the settings in `file` describe, and publish the model unless its quality fell too much.

    anew  train anew instead of from the published model

    Raises InputError when another run with the same settings is under way, and for whatever a step cannot use: then the
    published model stays as it is, and the next run goes on with that step.
    """
    settings = read_settings(file)
    with _alone(settings):
        return _Run(settings, anew, start_progress, notify).night()


def rollback(file: Path) -> RolledBack:
    """Publish the previous model again, with its recommendations, in place of the present one, which is removed.

    Raises InputError when there is no previous model, or another run is under way.
    """
    settings = read_settings(file)
    with _alone(settings):
        return _Run(settings, False, no_progress, no_notice).rollback()


@contextmanager
def _alone(settings: NightlySettings) -> Iterator[None]:
    """Be the only run with this folder of work."""
    with ExitStack() as locks:
        try:
            locks.enter_context(atomic.lock(settings.work, wait=0))
        except InputError:
            if not atomic.is_locked(settings.work):
                raise
            raise InputError(f"{settings.file}: another nightly run with these settings is under way") from None
        settings.work.mkdir(exist_ok=True)
        try:
            yield
        except InputError as error:
            raise InputError(_in_terms_of_settings(str(error), settings.file)) from error


def _in_terms_of_settings(message: str, file: Path) -> str:
    """An error of another command, which names its options, with the settings that stand for them."""
    message = message.replace("choose another --out", f"name another one in {file}")
    message = re.sub(r"--(user|item|rating|time)-col\b", r"ratings.columns.\1", message)
    return re.sub(r"--(scale|ids|min-user|min-item)\b", lambda it: "ratings." + it[1].replace("-", "_"), message)


@dataclasses.dataclass(frozen=True)
class _RatingFile:
    """A source of ratings as `prepare` takes it, the SHA-256 of its file, and the name of the file."""

    source: str
    sha256: str
    name: str


class _Run:
    """One run: the settings, what is remembered, and the steps done so far."""

    def __init__(self, settings: NightlySettings, anew: bool, start_progress: StartProgress, notify: Notify) -> None:
        self.settings, self.anew = settings, anew
        self.start_progress, self.notify = start_progress, notify
        self.work = settings.work
        self.state = load_state(self.work)
        self.steps: list[Step] = []
        own = (self.work / name for name in ("previous", "copies", "reports"))
        remove_leftovers(self.work, *own, of=settings.outputs)

    # ── the night ────────────────────────────────────────────────────────────────────────────────────────────────────

    def night(self) -> Night:
        """Run the steps."""
        self._check()
        if self.state.rolling_back is not None:
            self.rollback()
        if self.state.publishing is not None and self.state.publishing != self._published():
            self._save(publishing=None)  # killed before the exchange: the night goes on as if it had not begun it
        if self.state.started is None:
            steps = {name: step for name, step in self.state.steps.items() if name != "data"}
            self._save(started=datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ"), steps=steps)
        if self.state.publishing is not None:  # killed after the exchange: only its end is missing
            return self._publish(self.state.publishing)
        added = self._add_ratings()
        before = self._published()
        done = self._digest("night", added.fingerprint, *self._inputs())
        is_same = before is not None and (self.state.done, self.state.model) == (done, before)
        lists = self.settings.lists
        if is_same and not self.anew and (lists is None or lists.exists()):
            return self._end("unchanged", previous=before)
        trained = self._train(added, before)
        self._make_space(trained, before)
        quality = self._evaluate(added, trained, before)
        self._recommend(added, trained)
        if quality.succession.fall > self.settings.evaluate.max_fall:
            return self._end("refused", previous=before)
        if self._published() != before:
            raise InputError(f"{self.settings.model}: another process replaced the model meanwhile; run this again")
        if before is not None:
            keep_generation(
                self.work, self.settings.model, self.settings.lists, self._started, self._since_anew(before)
            )
        self._save(publishing=trained.fingerprint)
        return self._publish(trained.fingerprint)

    def _check(self) -> None:
        """Raise InputError for what would only be found after hours."""
        self._check_outputs()
        if self._published() is not None:
            kind = store.read_manifest(self.settings.model)["model"]
            if kind not in MODELS:
                raise InputError(
                    f"{self.settings.model}: models of kind {kind!r} cannot be trained here; name another folder"
                )

    def _check_outputs(self) -> None:
        """Raise InputError for what must not be replaced."""
        store.check_replaceable(self.settings.model, store.MODEL)
        if self.settings.lists is not None and self.settings.recommend is not None:
            if self.settings.recommend.partitions is None:
                atomic.check_file(self.settings.lists)
            else:
                store.check_replaceable(self.settings.lists, store.LISTS)
        if self.settings.metrics is not None:
            atomic.check_file(self.settings.metrics)

    def _published(self) -> str | None:
        """The fingerprint of the published model; None if there is none."""
        atomic.restore(self.settings.model)
        return store.fingerprint_of(self.settings.model) if self._has(self.settings.model, store.MODEL) else None

    def _has(self, folder: Path, kind: store.Kind) -> bool:
        return (folder / kind.marker).is_file()

    @property
    def _started(self) -> str:
        assert self.state.started is not None
        return self.state.started

    def _save(self, **changes: Any) -> None:
        self.state = dataclasses.replace(self.state, **changes)
        save_state(self.work, self.state)

    def _digest(self, *inputs: Any) -> str:
        return hashlib.sha256(json.dumps([__version__, *inputs], sort_keys=True).encode()).hexdigest()

    def _inputs(self) -> list[Any]:
        """The settings that the published folder depends on, besides the data."""
        given = self.settings
        tables = [part.model_dump() for part in (given.train, given.space, given.evaluate)]
        del tables[0]["anew_every"], tables[2]["max_fall"]
        return [*tables, None if given.recommend is None else given.recommend.model_dump()]

    def _step(self, name: str, kind: type[T], key: str, do: Callable[[], T], is_there: Callable[[T], bool]) -> T:
        """The result of a step, which is done unless it is stored under the same key and what it wrote is there."""
        found = self.state.steps.get(name)
        if found is not None and found.key == key:
            result = store.checked(kind, found.result)
            if is_there(result):
                self.steps.append(Step(name, found.seconds, is_done=False))
                return result
        begun = time.perf_counter()
        result = do()
        self._store(name, key, begun, result)
        return result

    def _store(self, name: str, key: str, begun: float, result: Any, **changes: Any) -> None:
        seconds = round(time.perf_counter() - begun, 3)
        stored = StoredStep(key, seconds, to_json(result))
        self._save(steps={**self.state.steps, name: stored}, **changes)
        self.steps.append(Step(name, seconds, is_done=True))

    # ── ratings ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _add_ratings(self) -> AddedRatings:
        """Bring the data up to date with the rating files."""
        begun, given = time.perf_counter(), self.settings.ratings
        now = self._prepared()
        if (adding := self.state.adding) is not None and now != adding.before:  # killed after it, before this was noted
            self._note_added(begun, adding, given.mode)
        files = self._rating_files()
        known = {} if now is None else self.state.files  # a folder that was removed is made of all files again
        if now is not None and not known:
            known = self._adopted(files)
            self._save(files=known)
        if given.mode == "append":
            wanted = [file for file in files if file.sha256 not in known]
            is_first, is_needed = now is None, bool(wanted) or now is None
        else:
            wanted, is_first = files, True
            is_needed = now is None or {file.sha256 for file in files} != set(known)
        if not is_needed:
            result = self._stored_addition()
            if result is None:
                result = self._addition({}, (), None)
                self._store("data", self._digest("nothing"), begun, result)
            else:
                self.steps.append(Step("data", self.state.steps["data"].seconds, is_done=False))
            return result
        if not wanted:
            raise InputError(f"{self.settings.file}: ratings.files: there is no file of ratings yet")
        counts = {} if now is None else {name: store.read_report(self.settings.data)[name] for name in ROWS}
        adding = Adding(self._prepared(), counts, {file.sha256: file.name for file in wanted})
        self._save(adding=adding)
        sources, columns, items = [file.source for file in wanted], self.settings.columns, self.settings.items
        if is_first:
            prepare(
                sources[0], self.settings.data, more=sources[1:], items=items, columns=columns, scale=given.scale,
                ids=given.ids, min_user=given.min_user, min_item=given.min_item, start_progress=self.start_progress,
                notify=self.notify,
            )  # fmt: skip
        else:
            ways: dict[str, Any] = {"ids": given.ids, "min_user": given.min_user, "min_item": given.min_item}
            ways |= {} if given.scale is None else {"scale": given.scale}
            append(
                sources, self.settings.data, items=items, columns=columns, settings=ways,
                start_progress=self.start_progress, notify=self.notify,
            )  # fmt: skip
        return self._note_added(begun, adding, given.mode)

    def _prepared(self) -> str | None:
        """The fingerprint of the prepared folder; None if there is none."""
        atomic.restore(self.settings.data)
        has = self._has(self.settings.data, store.PREPARED)
        return store.prepared_fingerprint(self.settings.data) if has else None

    def _rating_files(self) -> list[_RatingFile]:
        """The rating files that are there now, without repeated ones."""
        found: dict[str, _RatingFile] = {}
        for source in self.settings.sources():
            path = ingest.fetch(source, on_notice=self.notify) if source in DATASETS else Path(source)
            ratings = ingest.find_source(path, self.settings.items).ratings
            digest = store.digest_of_path(ratings)["sha256"]
            found.setdefault(digest, _RatingFile(source, digest, ratings.name))
        return list(found.values())

    def _adopted(self, files: list[_RatingFile]) -> dict[str, str]:
        """The files that the data, which were prepared by hand, were made of by their names: SHA-256 → name."""
        names = set(store.read_report(self.settings.data).get("source", "").split(", "))
        adopted = {file.sha256: file.name for file in files if file.name in names}
        if adopted:
            self.notify(f"{self.settings.data}: already contains {', '.join(adopted.values())}; not added again")
        return adopted

    def _stored_addition(self) -> AddedRatings | None:
        """What this night has added already; None if nothing."""
        found = self.state.steps.get("data")
        result = None if found is None else store.checked(AddedRatings, found.result)
        return result if result is not None and result.fingerprint == self._prepared() else None

    def _note_added(self, begun: float, adding: Adding, mode: str) -> AddedRatings:
        """Remember that files are in the data now."""
        earlier = self.state.steps.get("data")
        before = None if earlier is None else store.checked(AddedRatings, earlier.result)
        result = self._addition(adding.counts, tuple(adding.files.values()), before)
        is_whole = mode == "prepare" or adding.before is None
        files = adding.files if is_whole else {**self.state.files, **adding.files}
        key = self._digest("data", sorted(adding.files))
        self._store("data", key, begun, result, files=files, adding=None)
        return result

    def _addition(self, counts: Mapping[str, int], files: tuple[str, ...], before: AddedRatings | None) -> AddedRatings:
        """The counts of the night: the report of the data less `counts`, with what the night added `before`."""
        report = store.read_report(self.settings.data)
        rows = {name: report[name] - counts.get(name, 0) for name in ROWS} if files else dict.fromkeys(ROWS, 0)
        if before is not None:
            rows = {name: n + getattr(before, name) for name, n in rows.items()}
            files = before.files + files
        fingerprint = store.prepared_fingerprint(self.settings.data)
        return AddedRatings(files, **rows, ratings=report["kept"], users=report["users"], items=report["items"],
                            fingerprint=fingerprint)  # fmt: skip

    # ── model ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _since_anew(self, published: str | None) -> int:
        return self.state.since_anew if published is not None and self.state.model == published else 0

    def _start(self, published: str | None) -> tuple[Path | None, str]:
        """The model to train from, None to train anew, and why."""
        if published is None:
            return None, "anew: there is no published model"
        if self.anew:
            return None, "anew, as asked"
        if not getattr(self.settings.learner, "starts_from_vectors", False):
            return None, f"anew: {self.settings.learner.name} cannot start from a model"
        if changed := self._changed_settings():
            return None, f"anew: other settings than those of the published model ({changed})"
        every = self.settings.train.anew_every
        if every and self._since_anew(published) + 1 >= every:
            return None, f"anew: every {every} nights"
        return self.settings.model, f"from the published model {published[:12]}"

    def _changed_settings(self) -> str:
        """The first setting in which the published model differs; empty if there is none."""
        manifest = store.read_manifest(self.settings.model)
        wanted = {"model": self.settings.learner.name, **dataclasses.asdict(self.settings.learner)}
        wanted |= self.settings.weighting.to_json()
        weighting = {name: manifest["confidence"][name] for name in ("min_rating", "weighting")}
        found = {"model": manifest["model"], **manifest["hyperparameters"], **weighting}
        differing = (name for name in wanted if name != "epochs" and wanted[name] != found.get(name))
        return next(differing, "")

    def _learner(self, is_continued: bool) -> Learner:
        """The settings of a training that is anew, or continues from a model."""
        learner = self.settings.learner
        is_shorter = is_continued and hasattr(learner, "epochs")
        return learner.replace(epochs=self.settings.train.epochs_from) if is_shorter else learner

    def _train(self, added: AddedRatings, published: str | None) -> TrainedModel:
        """Train the next model."""
        start, why = self._start(published)
        given, out = self.settings, self.settings.next_model

        def do() -> TrainedModel:
            learner = self._learner(start is not None)
            done = train(
                given.data, out, model=learner.name, settings=dataclasses.asdict(learner), weighting=given.weighting,
                start=start, start_progress=self.start_progress,
            )  # fmt: skip
            if done.interrupted is not None:
                raise KeyboardInterrupt
            epochs = done.hyperparameters.get("epochs")
            return TrainedModel(store.fingerprint_of(out), None if start is None else published, why, epochs)

        settings = [given.learner.name, dataclasses.asdict(self._learner(start is not None)), given.weighting.to_json()]
        key = self._digest("train", added.fingerprint, None if start is None else published, settings)
        return self._step("train", TrainedModel, key, do, lambda made: self._is(out, made.fingerprint))

    def _is(self, folder: Path, fingerprint: str) -> bool:
        return self._has(folder, store.MODEL) and store.fingerprint_of(folder) == fingerprint

    def _make_space(self, trained: TrainedModel, published: str | None) -> None:
        """Map, axes and clusters of the next model, in the manner of the published one."""
        given, folder = self.settings.space, self.settings.next_model
        if not (self.settings.next_model / store.ITEM_FACTORS).is_file():
            return
        common = (trained.fingerprint, published, given.seed)
        for method in given.maps:
            key, path = self._digest("map", method, *common), folder / store.MAP.format(method)
            self._step(f"map {method}", _Fidelity, key, partial(self._map, method, published), _is_file(path))
        if given.axes:
            key = self._digest("axes", given.refits, *common)
            self._step("axes", _Named, key, partial(self._axes, published), _is_file(folder / store.AXES))
        if given.clusters:
            key = self._digest("clusters", *common)
            self._step("clusters", _Named, key, partial(self._clusters, published), _is_file(folder / store.CLUSTERS))

    def _map(self, method: MapMethod, published: str | None) -> _Fidelity:
        like = self._like(published, lambda: store.load_map(self.settings.model, method))
        done = map_items(
            self.settings.next_model, method=method, like=like, seed=self.settings.space.seed,
            start_progress=self.start_progress,
        )  # fmt: skip
        return _Fidelity(dict(done.item_map.fidelity))

    def _axes(self, published: str | None) -> _Named:
        like = self._like(published, lambda: store.load_axes(self.settings.model))
        done = axes(
            self.settings.next_model, self.settings.data, like=like, n_refits=self.settings.space.refits,
            seed=self.settings.space.seed, start_progress=self.start_progress,
        )  # fmt: skip
        matched = done.match.get("matched")
        return _Named(len(done.discovered), done.n_named, None if matched is None else int(matched))

    def _clusters(self, published: str | None) -> _Named:
        like = self._like(published, lambda: store.load_clusters(self.settings.model))
        done = clusters(
            self.settings.next_model, like=like, seed=self.settings.space.seed, start_progress=self.start_progress
        )
        return _Named(done.clusters.n_clusters, sum(name != UNNAMED for name in done.clusters.names))

    def _like(self, published: str | None, load: Callable[[], object]) -> Path | None:
        """The published folder, if what `load` reads is stored there and belongs to its model."""
        if published is None:
            return None
        try:
            return None if load() is None else self.settings.model
        except InputError:  # missing, damaged, or of another model: then the new one is made without it
            return None

    # ── quality ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _evaluate(self, added: AddedRatings, trained: TrainedModel, published: str | None) -> Quality:
        """Compare the evaluation copies of the published and of the next model."""
        given = self.settings.evaluate
        key = self._digest("evaluate", trained.fingerprint, published, added.fingerprint, given.holdout, given.k)
        copy = copy_of(self.work, trained.fingerprint)
        quality = self._step(
            "evaluate", Quality, key, lambda: self._quality(trained, published), lambda _: self._is_copy(copy)
        )
        if given.ranking:
            key = self._digest("ranking", trained.fingerprint, added.fingerprint)
            folder = self.settings.next_model
            self._step("ranking", _Named, key, partial(self._ranking, folder), _is_file(folder / store.RANKING))
        return quality

    def _ranking(self, folder: Path) -> _Named:
        done = evaluate(self.settings.data, trained=folder, start_progress=self.start_progress)
        return _Named(len(done.results), 0)

    def _quality(self, trained: TrainedModel, published: str | None) -> Quality:
        data = store.load_prepared(self.settings.data)
        split = lasting_hold_out(data.interactions, self.settings.evaluate.holdout)
        part = Dataset(split.train, data.catalog, name=data.name)
        old = None if published is None else self._published_copy(published, part)
        start = None if trained.start is None else old
        new = self._fitted(self._learner(start is not None), self.settings.weighting, part, start, "new")
        found = self._compared(old, new, split)
        self._save_copy(trained.fingerprint, new)
        return Quality(found, None if published is None else _drift(store.load_model(self.settings.model), data))

    def _compared(self, old: Model | None, new: Model, split: HoldOut) -> Succession:
        progress = self.start_progress("comparing the old and the new model")
        return compare_with_successor(
            old, new, split, k=self.settings.evaluate.k, n_threads=n_cores(), progress=progress
        )

    def _fitted(self, learner: Learner, weighting: Weighting, part: Dataset, start: Model | None, whose: str) -> Model:
        """An evaluation copy. Ctrl-C ends the run: a copy that was trained less would be worse for that reason."""
        progress = self.start_progress(f"training the evaluation copy of the {whose} model")
        model = learner.fit(part, weighting, start=start, progress=progress)
        if getattr(model.learner, "epochs", None) != getattr(learner, "epochs", None):
            raise KeyboardInterrupt
        return model

    def _published_copy(self, published: str, part: Dataset) -> Model:
        """The evaluation copy of the published model. Where there is none with this share held out, as on the first
        night after `recsys train`, it is trained with the settings of that model."""
        folder = copy_of(self.work, published)
        if self._is_copy(folder):
            return store.load_model(folder)
        model = store.load_model(self.settings.model)
        copy = self._fitted(model.learner_anew, model.weighting.settings, part, None, "published")
        self._save_copy(published, copy)
        return copy

    def _is_copy(self, folder: Path) -> bool:
        """Whether a folder holds an evaluation copy without the ratings that are held out now."""
        if not self._has(folder, store.MODEL):
            return False
        return bool(store.read_manifest(folder)["metrics"].get(HELD_OUT) == self.settings.evaluate.holdout)

    def _save_copy(self, fingerprint: str, model: Model) -> None:
        share = {HELD_OUT: self.settings.evaluate.holdout}
        store.save_model(copy_of(self.work, fingerprint), dataclasses.replace(model, metrics=share))

    # ── lists ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _recommend(self, added: AddedRatings, trained: TrainedModel) -> None:
        """Recommend to every user."""
        given, out, kind = self.settings.recommend, self.settings.next_lists, self.settings.list_format
        if given is None or out is None:
            return

        def do() -> Lists:
            if out.is_dir() != (given.partitions is not None):
                _discard(out)
            done = recommend_batch(
                self.settings.next_model, self.settings.data, out, k=given.k, kind=kind, with_titles=given.titles,
                n_partitions=given.partitions, resume=True, start_progress=self.start_progress,
            )  # fmt: skip
            return Lists(done.n_users, done.n_rows, dict(done.origins), _digest_of_lists(out))

        key = self._digest("recommend", trained.fingerprint, added.fingerprint, given.model_dump(exclude={"out"}))
        self._step("recommend", Lists, key, do, lambda made: out.exists() and _digest_of_lists(out) == made.sha256)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _publish(self, fingerprint: str) -> Night:
        """Put the next model and its recommendations in the place of the published ones. Every part may be repeated."""
        if self._published() != fingerprint:
            remove_leftovers(self.settings.next_model)
            self._put(self.settings.next_model, self.settings.model, store.MODEL)
        if (
            self.settings.lists is not None
            and self.settings.next_lists is not None
            and self.settings.next_lists.exists()
        ):
            self._put(self.settings.next_lists, self.settings.lists, store.LISTS)
        kept = generations(self.work)
        return self._end("published", previous=kept[0].fingerprint if kept else None)

    def _put(self, source: Path, target: Path, kind: store.Kind) -> None:
        """Put a file, or a folder of a kind, in the place of a published one."""
        if source.is_dir():
            with atomic.new_folder(target, lambda: store.check_replaceable(target, kind)) as temporary:
                link_or_copy(source, temporary)
        else:
            with atomic.new_file(target) as temporary:
                link_or_copy(source, temporary)

    def _end(self, status: Any, previous: str | None) -> Night:
        """Write the report, forget the night, and remove what is no longer needed."""
        found = self.state.steps
        reports = self.work / "reports"
        is_made = status != "unchanged"
        trained = self._result("train", TrainedModel) if is_made else None
        night = Night(
            status=status,
            started=self._started,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            model=str(self.settings.model),
            data=str(self.settings.data),
            previous=previous,
            max_fall=self.settings.evaluate.max_fall,
            added=self._result("data", AddedRatings),
            trained=trained,
            space=self._space_made() if is_made else None,
            quality=self._result("evaluate", Quality) if is_made else None,
            lists=self._result("recommend", Lists) if is_made and self.settings.recommend is not None else None,
            steps=tuple(self.steps) or tuple(Step(name, step.seconds, is_done=False) for name, step in found.items()),
            report=str(reports / f"{self._started}.json"),
        )
        store.write_json(Path(night.report), night.to_json())
        store.write_text(Path(night.report).with_suffix(".txt"), as_text(night))
        wanted = {previous, None if trained is None else trained.fingerprint} - {None}
        if status == "published":
            assert trained is not None and night.added is not None
            since = (
                0 if trained.start is None else 1 + (self.state.since_anew if trained.start == self.state.model else 0)
            )
            done = self._digest("night", night.added.fingerprint, *self._inputs())
            self._save(started=None, steps={}, publishing=None, model=trained.fingerprint, since_anew=since, done=done)
            wanted = {trained.fingerprint}
        else:
            self._save(started=None)
        if status != "refused":  # a refused one can be looked at, and is published if `max_fall` is raised
            _discard(self.settings.next_model)
            _discard(self.settings.next_lists)
        remove_old(self.work, self.settings.keep, {name for name in wanted if name is not None})
        if self.settings.metrics is not None:
            store.write_text(self.settings.metrics, as_metrics(night, time.time()))
        return night

    def _result(self, name: str, kind: type[T]) -> T | None:
        found = self.state.steps.get(name)
        return None if found is None else store.checked(kind, found.result)

    def _space_made(self) -> StoredSpace | None:
        given = self.settings.space
        if not (self.settings.next_model / store.ITEM_FACTORS).is_file():
            return None
        maps = {str(method): self._result(f"map {method}", _Fidelity) for method in given.maps}
        found_axes = self._result("axes", _Named) if given.axes else None
        found = self._result("clusters", _Named) if given.clusters else None
        axes_made = (None,) * 3 if found_axes is None else (found_axes.found, found_axes.named, found_axes.matched)
        clusters_made = (None, None) if found is None else (found.found, found.named)
        values = {method: {} if made is None else made.values for method, made in maps.items()}
        return StoredSpace(values, *axes_made, *clusters_made)

    # ── rollback ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def rollback(self) -> RolledBack:
        """Publish the previous model again. Every part may be repeated."""
        self._check_outputs()
        kept, now, begun = generations(self.work), self._published(), self.state.rolling_back
        if kept and begun is None and kept[0].fingerprint == now:
            remove_generation(kept.pop(0))  # a run was killed after it had kept the model, before it replaced it
        if now is not None and begun == now and (not kept or kept[0].fingerprint != now):
            self._save(rolling_back=None)  # only this was missing
            return RolledBack(str(self.settings.model), None, now, "", False, len(kept))
        if not kept:
            raise InputError(f"{self.settings.model}: there is no previous model in {self.work / 'previous'}")
        back: Generation = kept[0]
        self._save(rolling_back=back.fingerprint, publishing=None)
        if now != back.fingerprint:
            self._put(back.folder / MODEL, self.settings.model, store.MODEL)
        has_lists = self.settings.lists is not None and back.lists is not None
        if self.settings.lists is not None and back.lists is not None:
            self._put(back.lists, self.settings.lists, store.LISTS)
        self._save(model=back.fingerprint, since_anew=back.since_anew, started=None, steps={}, done=None)
        remove_generation(back)
        self._save(rolling_back=None)
        withdrawn = None if now == back.fingerprint else now
        return RolledBack(
            str(self.settings.model), withdrawn, back.fingerprint, back.replaced, has_lists, len(kept) - 1
        )


@dataclasses.dataclass(frozen=True)
class _Fidelity:
    """The fidelity of a map: measure → value."""

    values: dict[str, float]


@dataclasses.dataclass(frozen=True)
class _Named:
    """What a step found, how many of these have a verified name, and how many match one of the published model (None:
    not compared)."""

    found: int
    named: int
    matched: int | None = None


def _is_file(path: Path) -> Callable[[object], bool]:
    """Whether a step's file is there, whatever its result says."""
    return lambda _: path.is_file()


def _drift(published: Model, data: Dataset) -> Drift:
    """The ratings that came since a model was trained, by the popularity of their items then."""
    now = np.bincount(data.interactions.matrix.indices, minlength=data.interactions.n_items)
    rows = published.catalog.index.get_indexer(data.catalog.index)
    then = np.where(rows >= 0, published.n_ratings[rows], 0)
    new = np.maximum(now - then, 0)
    parts = by_popularity(new, then) if new.any() and then.any() else None
    shares = [None] * 3 if parts is None else [float(share) for share in parts["recommendations"]]
    return Drift(
        int(new.sum()),
        max(data.interactions.n_users - published.data.get("n_users", data.interactions.n_users), 0),
        int((rows < 0).sum()),
        *shares,
    )


def _digest_of_lists(path: Path) -> str:
    """SHA-256 of a file of recommendations, or of the marker of a folder, which lists the checksums of its files."""
    digest: str = store.digest_of_path(path / store.LISTS.marker if path.is_dir() else path)["sha256"]
    return digest


def _discard(path: Path | None) -> None:
    """Remove a file or folder that only nightly runs write, with what killed writers left of it."""
    if path is None:
        return
    with atomic.lock(path):
        if path.is_dir():
            atomic.remove_folder(path, path)
        else:
            path.unlink(missing_ok=True)
