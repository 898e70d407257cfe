"""The report of a nightly run: what was added, how the model was trained, how good it is, and whether it was published;
as plain values, as text, and as metrics for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from recsys.evaluation.serialization import to_json
from recsys.evaluation.succession import Succession

Status = Literal["published", "refused", "unchanged"]
ROWS = ("read", "kept", "rejected", "duplicates")
"""The counts of rows, as the report of a prepared folder names them."""


@dataclass(frozen=True)
class AddedRatings:
    """What the night brought.

    files        names of the rating files that were read
    read, kept, rejected, duplicates  rows of the night, as the counts of the prepared folder changed
    ratings, users, items  in the data now
    fingerprint  of the prepared folder, a SHA-256 (hex)
    """

    files: tuple[str, ...]
    read: int
    kept: int
    rejected: int
    duplicates: int
    ratings: int
    users: int
    items: int
    fingerprint: str


@dataclass(frozen=True)
class TrainedModel:
    """How the model was trained.

    fingerprint  of the new model, a SHA-256 (hex)
    start        that of the published model it was trained from; None: trained anew
    why          why it was trained anew, or from which model
    epochs       epochs of this training; None for models in closed form
    """

    fingerprint: str
    start: str | None
    why: str
    epochs: int | None


@dataclass(frozen=True)
class StoredSpace:
    """What was stored with the model.

    maps      fidelity of each map by its method: measure → value
    axes      discovered axes, those of them with a verified name, and those that match an axis of the published model
              (see `recsys axes --like`; None without one)
    clusters  clusters, and those of them with a verified name
    """

    maps: dict[str, dict[str, float]]
    axes: int | None
    named_axes: int | None
    matched_axes: int | None
    clusters: int | None
    named_clusters: int | None


@dataclass(frozen=True)
class Drift:
    """How the ratings that came since the published model differ from those before.

    ratings, users, items  ratings, users and items that came
    head, middle, tail     their shares among the items that had the first, second and last third of the ratings before,
                           new items in the tail; a third each if nothing drifts. None without new ratings
    """

    ratings: int
    users: int
    items: int
    head: float | None
    middle: float | None
    tail: float | None


@dataclass(frozen=True)
class Quality:
    """The comparison of the evaluation copies, and the drift of the data; without a published model there is nothing to
    compare with."""

    succession: Succession
    drift: Drift | None


@dataclass(frozen=True)
class Lists:
    """The recommendations: users and rows, and how many users were stored, folded in or cold (no usable ratings: they
    get the most popular items). sha256 is that of the file, or of the marker of the folder."""

    users: int
    rows: int
    origins: dict[str, int]
    sha256: str

    @property
    def cold_share(self) -> float:
        """The share of cold users, 0 … 1."""
        return self.origins.get("cold", 0) / max(self.users, 1)


@dataclass(frozen=True)
class Step:
    """A step of the night: its wall time in seconds, and whether this run did it (else its inputs were unchanged)."""

    name: str
    seconds: float
    is_done: bool


@dataclass(frozen=True)
class Night:
    """A nightly run.

    status     published; refused: the quality fell by more than `max_fall`, and the published model stays; unchanged:
               there was nothing new
    started, finished  UTC, ISO 8601
    model, data  paths, as the settings name them
    previous   fingerprint of the model that was published before; None: there was none
    max_fall   largest accepted fall of nDCG, as a share
    steps      in their order
    report     path of this report as JSON; the text lies next to it
    """

    status: Status
    started: str
    finished: str
    model: str
    data: str
    previous: str | None
    max_fall: float
    added: AddedRatings | None
    trained: TrainedModel | None
    space: StoredSpace | None
    quality: Quality | None
    lists: Lists | None
    steps: tuple[Step, ...]
    report: str

    @property
    def seconds(self) -> float:
        """Wall time of the steps that were done in this run."""
        return round(sum(step.seconds for step in self.steps if step.is_done), 3)

    @property
    def refusal(self) -> str:
        """Why the model was not published, in one line; empty if it was not refused."""
        if self.status != "refused" or self.quality is None:
            return ""
        found = self.quality.succession
        old, new = (None if part is None else part.ndcg.mean for part in (found.before, found.after))
        return (
            f"not published: nDCG@{found.k} fell by {found.fall:.1%}, from {old or 0:.4f} to {new or 0:.4f}, more than "
            f"the accepted {self.max_fall:.1%} (evaluate.max_fall); {self.model} is still the model of before"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys nightly --json` prints them and the report stores them."""
        values = to_json(self)
        if self.quality is not None:
            values["quality"]["fall"] = round(self.quality.succession.fall, 6)
        if self.lists is not None:
            values["lists"]["cold_share"] = round(self.lists.cold_share, 6)
        return values


@dataclass(frozen=True)
class RolledBack:
    """A rollback.

    model      path of the published model
    withdrawn  fingerprint of the model that was removed; None if an interrupted rollback had removed it
    published  fingerprint of the previous model, which is published again
    replaced   name of the night in which it had been replaced
    has_lists  whether its recommendations came back too
    left       previous models that are left
    """

    model: str
    withdrawn: str | None
    published: str
    replaced: str
    has_lists: bool
    left: int

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys nightly --rollback --json` prints them."""
        return to_json(self)


def facts(night: Night) -> Iterator[tuple[str, str]]:
    """The report as pairs of name and value, for a table on the terminal and as text."""
    yield "result", night.status if not night.refusal else night.refusal
    if night.added is not None:
        added = night.added
        yield "files", ", ".join(added.files) or "none"
        yield "rows", ", ".join(f"{getattr(added, name):,} {name}" for name in ROWS)
        yield "data", f"{added.ratings:,} ratings of {added.items:,} movies by {added.users:,} users"
    if night.trained is not None:
        epochs = "" if night.trained.epochs is None else f", {night.trained.epochs} epochs"
        yield "training", f"{night.trained.why}{epochs}"
    if night.quality is not None:
        yield from _quality_facts(night.quality, night.max_fall)
    if night.space is not None:
        yield from _space_facts(night.space)
    if night.lists is not None:
        origins = ", ".join(f"{n:,} {name}" for name, n in night.lists.origins.items())
        yield "lists", f"{night.lists.rows:,} rows for {night.lists.users:,} users: {origins}"
        yield "cold users", f"{night.lists.cold_share:.2%}"
    for step in night.steps:
        yield f"step {step.name}", f"{step.seconds:,.1f} s" if step.is_done else "inputs unchanged, not repeated"


def _quality_facts(quality: Quality, max_fall: float) -> Iterator[tuple[str, str]]:
    found = quality.succession
    yield (
        f"nDCG@{found.k}",
        f"{found.after.ndcg}, over {found.users:,} users and {found.ratings:,} held-out ratings",
    )
    if found.before is not None and found.gain is not None:
        yield "before", f"{found.before.ndcg}"
        yield "fall", f"{found.fall:.2%} of at most {max_fall:.2%}; gain per user {found.gain}"
    for name, text in (("popularity", "of listed movies"), ("coverage", "of the catalogue"), ("gini", "of the lists")):
        new = getattr(found.after, name)
        old = None if found.before is None else getattr(found.before, name)
        yield f"{name} {text}", _change(old, new)
    drift = quality.drift
    if drift is not None:
        counts = f"{drift.ratings:,} ratings; new users: {drift.users:,}, new movies: {drift.items:,}"
        yield "since the published model", counts
        if drift.head is not None and drift.middle is not None and drift.tail is not None:
            yield "drift of popularity", f"{drift.head:.0%} head, {drift.middle:.0%} middle, {drift.tail:.0%} tail"


def _space_facts(space: StoredSpace) -> Iterator[tuple[str, str]]:
    for method, fidelity in space.maps.items():
        yield f"{method} map", ", ".join(f"{name} {value:.3f}" for name, value in fidelity.items()) or "stored"
    if space.axes is not None:
        matched = "" if space.matched_axes is None else f", {space.matched_axes} match one of before"
        yield "axes", f"{space.named_axes} of {space.axes} with a verified name{matched}"
    if space.clusters is not None:
        yield "clusters", f"{space.named_clusters} of {space.clusters} with a verified name"


def _change(old: float | None, new: float | None) -> str:
    shown = "–" if new is None else f"{new:.4f}"
    return shown if old is None else f"{shown} (before: {old:.4f})"


def as_text(night: Night) -> str:
    """The report as a text table."""
    rows = list(facts(night))
    width = max(len(name) for name, _ in rows)
    head = f"recsys nightly, {night.started}"
    return "\n".join([head, "", *(f"{name:<{width}}  {value}" for name, value in rows)]) + "\n"


def as_metrics(night: Night, timestamp: float) -> str:
    """The report in the text format of Prometheus, for the textfile collector of its node exporter.

    timestamp  seconds since 1970 at the end of the run
    """
    lines = []
    for name, meaning, values in _metrics(night, timestamp):
        known = {labels: value for labels, value in values.items() if value is not None}
        if known:
            lines += [f"# HELP recsys_nightly_{name} {meaning}", f"# TYPE recsys_nightly_{name} gauge"]
            lines += [f"recsys_nightly_{name}{labels} {value!r}" for labels, value in known.items()]
    return "\n".join(lines) + "\n"


_Metric = tuple[str, str, Mapping[str, float | int | None]]


def _metrics(night: Night, timestamp: float) -> Iterator[_Metric]:
    """Name, meaning, and values by their labels; None: unknown."""
    yield "finished_timestamp_seconds", "End of the last run that came to its end.", {"": round(timestamp, 3)}
    is_refused = int(night.status == "refused")
    yield "refused", "1 if the last run did not publish its model because its quality fell.", {"": is_refused}
    yield "step_seconds", "Wall time of a step.", {f'{{step="{step.name}"}}': step.seconds for step in night.steps}
    if night.added is not None:
        yield "rows", "Rows of the rating files that were added.", _labelled(night.added, "kind", *ROWS)
        yield "data", "What is in the data.", _labelled(night.added, "of", "ratings", "users", "items")
    if night.quality is not None:
        found, drift = night.quality.succession, night.quality.drift
        models = {"after": found.after} | ({} if found.before is None else {"before": found.before})
        of_models = {f'{{model="{name}"}}': part for name, part in models.items()}
        ndcg = {labels: part.ndcg.mean for labels, part in of_models.items()}
        yield "ndcg", "nDCG of the evaluation copies on held-out ratings.", ndcg
        if found.before is not None:
            yield "ndcg_fall", "Share of nDCG lost against the published model.", {"": found.fall}
        popularity = {labels: part.popularity for labels, part in of_models.items()}
        yield "list_popularity", "Mean share of users who rated a listed item.", popularity
        coverage = {labels: part.coverage for labels, part in of_models.items()}
        yield "list_coverage", "Share of the catalogue that is in a list.", coverage
        if drift is not None:
            shares = _labelled(drift, "part", "head", "middle", "tail")
            yield "new_ratings_share", "Share of the new ratings by popularity of the item.", shares
    if night.lists is not None:
        origins = {f'{{origin="{name}"}}': n for name, n in night.lists.origins.items()}
        yield "listed_users", "Users with recommendations, by how they were scored.", origins
        yield "cold_share", "Share of users without usable ratings.", {"": night.lists.cold_share}


def _labelled(part: object, label: str, *names: str) -> dict[str, float | int | None]:
    return {f'{{{label}="{name}"}}': getattr(part, name) for name in names}
