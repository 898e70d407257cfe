"""The settings of `recsys nightly`: a TOML file, checked as a whole before anything runs. Paths are relative to it."""

from __future__ import annotations

import dataclasses
import glob
import os
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys import store
from recsys.dataset.weighting import Weighting, WeightingScheme
from recsys.errors import InputError, RecsysError
from recsys.ingest.datasets import DATASETS
from recsys.ingest.layout import Columns
from recsys.limits import LARGEST, MOST_EPOCHS, MOST_LISTED, MOST_RUNS, MOST_SEED, check_input
from recsys.models import DEFAULT_MODEL, Learner, with_settings
from recsys.models.start import EPOCHS
from recsys.workflows.batch_output import MOST_PARTITIONS, Format, format_of
from recsys.workflows.common import learner_called

MOST_BYTES = 2**20
"""A larger file holds no settings."""

NO_ZERO = r"^[^\x00]*$"
_Text = Annotated[str, Field(min_length=1, max_length=4096, pattern=NO_ZERO)]


class _Table(BaseModel):
    """A table of the file: types are checked strictly, and a key that it does not have is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RatingColumns(_Table):
    """The columns of the rating files: names from the header, or numbers from "1" without one. Default: recognised."""

    user: _Text | None = None
    item: _Text | None = None
    rating: _Text | None = None
    time: _Text | None = None


class RatingSettings(_Table):
    """Where ratings come from.

    files     rating files, patterns such as "new/*.csv" (their matches in the order of their names), MovieLens folders,
              or names of datasets; rows count in this order
    mode      append   each night only the files that were not added yet are read, and added to the data
              prepare  each night all files are read again, if any of them changed
    items     table of items; default: the one found next to the first ratings
    columns, scale, ids, min_user, min_item  as for `recsys prepare`
    """

    files: Annotated[tuple[_Text, ...], Field(min_length=1, max_length=10_000)]
    mode: Literal["append", "prepare"] = "append"
    items: _Text | None = None
    columns: RatingColumns = RatingColumns()
    scale: tuple[float, float] | None = None
    ids: Literal["auto", "integer", "string"] = "auto"
    min_user: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 1
    min_item: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 1

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.scale is not None and not -LARGEST < self.scale[0] < self.scale[1] < LARGEST:
            raise ValueError("scale must be two numbers, the lower first, such as [0.5, 5.0]")
        return self


class TrainSettings(_Table):
    """How the model is trained.

    model       kind of model
    settings    its settings, as for `recsys train --set`; others keep their defaults
    min_rating, weighting  which ratings count, and how much; see `Weighting`
    epochs_from  epochs of a training from the published model; those of a training anew are in `settings`
    anew_every  every n-th night the model is trained anew instead of from the published one; 0: never, 1: always
    """

    model: _Text = DEFAULT_MODEL
    settings: dict[_Text, Any] = {}
    min_rating: Annotated[float, Field(ge=-LARGEST, le=LARGEST)] | None = None
    weighting: WeightingScheme = "log"
    epochs_from: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] = EPOCHS
    anew_every: Annotated[int, Field(ge=0, le=10_000)] = 7


class SpaceSettings(_Table):
    """What is stored with the model, as `map`, `axes` and `clusters` make it; only for models with vectors.

    maps      methods of the maps
    axes      whether axes are found; refits: trainings that measure their stability
    clusters  whether clusters are found
    """

    maps: tuple[Literal["tsne", "pca", "umap", "pacmap"], ...] = ("tsne",)
    axes: bool = True
    refits: Annotated[int, Field(ge=1, le=MOST_RUNS)] = 3
    clusters: bool = True
    seed: Annotated[int, Field(ge=0, le=MOST_SEED)] = 42


class EvaluationSettings(_Table):
    """When a model is good enough to be published.

    holdout   share of the ratings that is held out of the evaluation copies
    k         length of the lists whose nDCG is measured
    max_fall  largest accepted fall of nDCG, as a share of that of the published model
    ranking   whether the table of the app's page "Quality" is measured too (`recsys evaluate --trained`), which trains
              the model and the baselines once more
    """

    holdout: Annotated[float, Field(ge=0.001, le=0.5)] = 0.1
    k: Annotated[int, Field(ge=1, le=1000)] = 10
    max_fall: Annotated[float, Field(ge=0.0, le=1.0)] = 0.05
    ranking: bool = False


class ListSettings(_Table):
    """The recommendations to every user, published with the model; as for `recsys recommend --out`."""

    out: _Text
    k: Annotated[int, Field(ge=1, le=MOST_LISTED)] = 10
    format: Literal["parquet", "csv", "jsonl"] | None = None
    titles: bool = False
    partitions: Annotated[int, Field(ge=1, le=MOST_PARTITIONS)] | None = None


class _File(_Table):
    """The whole file; `NightlySettings` has its paths resolved."""

    data: _Text
    model: _Text
    work: _Text = "nightly"
    keep: Annotated[int, Field(ge=1, le=1000)] = 7
    metrics: _Text | None = None
    ratings: RatingSettings
    train: TrainSettings = TrainSettings()
    space: SpaceSettings = SpaceSettings()
    evaluate: EvaluationSettings = EvaluationSettings()
    recommend: ListSettings | None = None


@dataclasses.dataclass(frozen=True)
class NightlySettings:
    """The settings of a nightly run.

    file      the file they were read from
    data      prepared folder that grows every night
    model     folder of the published model
    work      folder of reports, previous models, and what an interrupted run continues from
    keep      previous models that are kept
    metrics   file of metrics for the textfile collector of Prometheus' node exporter; None: not written
    items     table of items; None: the one found next to the ratings
    lists     file or folder of the published recommendations; None: none are made
    learner, weighting  what is trained
    """

    file: Path
    data: Path
    model: Path
    work: Path
    keep: int
    metrics: Path | None
    items: Path | None
    lists: Path | None
    ratings: RatingSettings
    train: TrainSettings
    space: SpaceSettings
    evaluate: EvaluationSettings
    recommend: ListSettings | None
    learner: Learner
    weighting: Weighting

    @property
    def columns(self) -> Columns:
        """The columns of the rating files."""
        return Columns(**self.ratings.columns.model_dump())

    @property
    def list_format(self) -> Format | None:
        """The format of the recommendations; None without them."""
        if self.recommend is None or self.lists is None:
            return None
        if self.recommend.format is not None or self.recommend.partitions is not None:
            return self.recommend.format or "parquet"
        return format_of(self.lists)

    @property
    def next_model(self) -> Path:
        """Where the next model is made: beside the published one, so that its name can be exchanged and relative paths
        in it stay right. Hidden from the app."""
        return self.model.with_name(f".{self.model.name}.next")

    @property
    def next_lists(self) -> Path | None:
        """Where the next recommendations are made; None without them."""
        return None if self.lists is None else self.lists.with_name(f".{self.lists.name}.next")

    @property
    def outputs(self) -> list[Path]:
        """The files and folders outside of `work` that a run writes."""
        made = (self.data, self.model, self.next_model, self.lists, self.next_lists, self.metrics)
        return [path for path in made if path is not None]

    def sources(self) -> list[str]:
        """The sources of ratings as `prepare` takes them: absolute paths, or names of datasets; patterns are expanded.
        Patterns without matches give none."""
        found: dict[str, None] = {}
        base = self.file.parent
        for text in self.ratings.files:
            path = _resolved(base, text)
            if text in DATASETS and not path.exists():
                found[text] = None
            elif glob.has_magic(text) and not path.exists():
                matches = (match for match in glob.glob(str(path)) if Path(match).is_file())  # noqa: PTH207
                found |= dict.fromkeys(sorted(matches))
            else:
                found[str(path)] = None
        return list(found)


class _Refusal:
    """Makes errors that name the file, the line of a key, and the key."""

    def __init__(self, file: Path, text: str) -> None:
        self.file, self.lines = file, text.splitlines()

    def __call__(self, key: str, why: str) -> InputError:
        line = self._line(key)
        return InputError(f"{self.file}: {f'line {line}: ' if line else ''}{key}: {why}")

    def _line(self, key: str) -> int:
        """The line of the key or of the table it is in; 0 where neither is found."""
        table, longest, line = "", "", 0
        for number, text in enumerate(self.lines, 1):
            if header := re.match(r"\s*\[\s*([\w.-]+)\s*\]", text):
                found = table = header[1]
            elif assigned := re.match(r"\s*([\w.-]+)\s*=", text):
                found = f"{table}.{assigned[1]}" if table else assigned[1]
            else:
                continue
            if f"{key}.".startswith(f"{found}.") and len(found) > len(longest):
                longest, line = found, number
        return line


def read_settings(file: Path) -> NightlySettings:
    """The settings in a TOML file.

    Raises InputError that names the file, the line where it is known, and the first wrong key.
    """
    check_input(file, "file of settings")
    with store.open_file(file) as opened:
        content = opened.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{file}: is larger than 1 MiB; name a file of settings")
    try:
        text = content.decode("utf-8")
        value: dict[str, Any] = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{file}: is nested too deeply") from None
    except ValueError as error:  # also TOMLDecodeError, with line and column, and UnicodeDecodeError
        raise InputError(f"{file}: is not valid TOML: {str(error).splitlines()[0]}") from None
    refusal = _Refusal(file, text)
    try:
        given = store.checked(_File, _plain(value))
    except InputError as error:
        key, _, why = str(error).partition(": ")
        raise refusal(key, _in_plain_words(why)) from None
    return _settings(file, given, refusal)


def _in_plain_words(why: str) -> str:
    """What pydantic says of a wrong value, as this file's other errors say it."""
    exact = {
        "Extra inputs are not permitted": "is not a setting of recsys nightly",
        "Field required": "is missing",
        f"String should match pattern '{NO_ZERO}'": "contains a zero byte",
    }
    why = re.sub(r"^(Input|String|List|Tuple|Dictionary) should ", "must ", exact.get(why, why))
    return why.removeprefix("Value error, ").replace(" after validation", "").replace("an object", "a table")


def _settings(file: Path, given: _File, refusal: _Refusal) -> NightlySettings:
    """Settings with resolved paths. Raises InputError for a model that does not exist, and for paths that overlap."""
    file = file.absolute()

    def path(text: str | None) -> Path | None:
        return None if text is None else _resolved(file.parent, text)

    lists = None if given.recommend is None else path(given.recommend.out)
    try:
        kind = learner_called(given.train.model)
    except RecsysError as error:
        raise refusal("train.model", str(error)) from None
    try:
        learner = with_settings(kind, given.train.settings)
    except RecsysError as error:
        raise refusal("train.settings", str(error)) from None
    weighting = Weighting(given.train.min_rating, given.train.weighting)
    for method in given.space.maps:
        if method in ("umap", "pacmap") and find_spec(method) is None:
            raise refusal("space.maps", f"{method} needs pip install 'recsys-atlas[maps]'")
    data, model, work = (_resolved(file.parent, text) for text in (given.data, given.model, given.work))
    settings = NightlySettings(
        file, data, model, work, given.keep, path(given.metrics), path(given.ratings.items), lists,
        given.ratings, given.train, given.space, given.evaluate, given.recommend, learner, weighting,
    )  # fmt: skip
    _check_paths(settings, refusal)
    try:
        _ = settings.list_format
    except RecsysError as error:
        raise refusal("recommend.out", str(error).replace("or give --format", "or set recommend.format")) from None
    return settings


def _check_paths(settings: NightlySettings, refusal: _Refusal) -> None:
    """Raise InputError where a folder or file that is written is or contains another one, or the settings."""
    written = {
        "data": settings.data, "model": settings.model, "work": settings.work,
        "recommend.out": settings.lists, "metrics": settings.metrics,
    }  # fmt: skip
    places = {key: path.resolve() for key, path in written.items() if path is not None}
    for key, path in places.items():
        if not path.name:
            raise refusal(key, "names no file or folder")
        if settings.file.resolve().is_relative_to(path):
            raise refusal(key, "contains the settings themselves; name another folder")
        for other, place in places.items():
            if key != other and path.is_relative_to(place):
                raise refusal(key, f"is in the place of {other}; name another one")


def _resolved(base: Path, text: str) -> Path:
    """A path of the settings, absolute. `~` is the home folder; `..` is left to the file system."""
    return base / os.path.expanduser(text)  # noqa: PTH111 — does not fail for an unknown user


def _plain(value: Any) -> Any:
    """A TOML value as JSON has it: dates become text, which no setting takes for a number."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool) else str(value)
