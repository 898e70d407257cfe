"""Search for better settings on a validation part with Optuna's tree-structured Parzen estimator.

The searched settings and their ranges are declared in the learners (`setting(…, search=…)`). The trials are stored in a
SQLite file, the study, so that an interrupted search can be continued. The test part is never used.
"""

from __future__ import annotations

import dataclasses
import json
import math
import sqlite3
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.split import HoldOut
from recsys.dataset.weighting import Weighting, WeightingScheme
from recsys.errors import InputError, RecsysError, SettingError, Unavailable
from recsys.evaluation.ranking import check_metric, rank_quality
from recsys.limits import MOST_MINUTES, MOST_TRIALS, check_input, check_number, check_seed, next_seed
from recsys.models import with_settings
from recsys.models.blend import Training

N_STARTUP = 8
"""Random trials before the estimator has enough data; the first one uses the default settings."""
PLAN = "plan"


@dataclass(frozen=True)
class Tuned:
    """The result of a search.

    params   settings of the best trial, including the fixed ones; and `weighting` if it was searched
    value    the metric of the best trial on the validation part
    default  the metric of the default settings
    trials   one dict per finished trial, in order: number, value, and its settings
    """

    params: dict[str, Any]
    value: float
    default: float
    trials: list[dict[str, Any]]


def tune(
    learner: type[Any],
    splits: Sequence[HoldOut],
    catalog: Catalog,
    *,
    metric: str = "ndcg@10",
    n_trials: int = 50,
    minutes: float | None = None,
    fixed: Mapping[str, Any] | None = None,
    weighting: Weighting | None = None,
    search_weighting: bool = False,
    study: Path | None = None,
    seed: int = 42,
    n_threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Tuned:
    """Find the settings with which a learner, trained on the training part of a split, best ranks the held-out ratings.

    splits             the metric is the mean over them; several reduce the influence of chance
    n_trials, minutes  whichever limit is reached first ends the search; trials of a continued study count
    fixed              settings that keep the given value
    weighting          which ratings count, and how much; with `search_weighting` the scheme is searched too
    study              SQLite file that stores the trials; None: they are kept in memory
    progress           called with (finished trials, total trials)

    A trial whose settings make training fail gets the metric 0. Raises Unavailable without Optuna, SettingError if
    there is nothing to search or a value is out of range, InputError if `study` belongs to another search or is not a
    study, if no trial could be trained, or if the metric is undefined on the validation part.
    """
    check_metric(metric)
    check_seed(seed)
    check_number("the number of trials", n_trials, 1, MOST_TRIALS, whole=True)
    if minutes is not None:
        check_number("minutes", minutes, 0, MOST_MINUTES)
    try:
        import optuna
    except ImportError:
        raise Unavailable("tuning needs Optuna: python -m pip install 'recsys-atlas[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    fixed, weighting = dict(fixed or {}), weighting or Weighting()
    space, types = learner.search_space(fixed), get_type_hints(learner)
    if not space and not search_weighting:
        raise SettingError(f"{learner.name!r} has nothing to tune")
    at_k = int(metric.partition("@")[2] or 10)
    first = with_settings(learner, fixed)
    plan = {
        "model": learner.name,
        "fixed": fixed,
        "confidence": weighting.to_json(),
        "search": space | ({"weighting": get_args(WeightingScheme)} if search_weighting else {}),
        "metric": metric,
        "train": [split.train.fingerprint for split in splits],
        "seed": seed,
    }
    if not search_weighting:
        for split in splits:
            weighting.fit(split.train)  # ratings that cannot be used are no matter of the settings
    plan_text = json.dumps(plan, sort_keys=True, default=list)

    trainings: dict[tuple[str, str], Training] = {}

    def run_trial(trial: Any) -> float:
        chosen: dict[str, Any] = {}
        for name, (low, high) in space.items():
            draw = trial.suggest_int if types.get(name) is int else trial.suggest_float
            chosen[name] = draw(name, low, high, log=True)
        scheme = trial.suggest_categorical("weighting", get_args(WeightingScheme)) if search_weighting else None
        trial_weighting = dataclasses.replace(weighting, scheme=scheme) if scheme else weighting
        found = []
        for split in splits:
            key = (split.train.fingerprint, trial_weighting.scheme)
            training = trainings.setdefault(key, Training(Dataset(split.train, catalog), trial_weighting))
            try:
                model = training.fit(with_settings(learner, fixed | chosen))
            except RecsysError as error:
                trial.set_user_attr("failed", str(error))
                return 0.0
            found.append(rank_quality(model, split, (at_k,), auc=metric == "auc", n_threads=n_threads)[metric])
        value = sum(found) / len(found)
        if not math.isfinite(value):
            raise InputError(f"{metric} is undefined for every user of the validation part; choose another metric")
        return value

    with _storage_errors(study):
        found = _open(study, plan_text, seed)
        if not found.trials:
            defaults = {name: getattr(first, name, 1.0) for name in space}
            found.enqueue_trial(defaults | ({"weighting": weighting.scheme} if search_weighting else {}))

        def n_done() -> int:
            return sum(trial.state.name == "COMPLETE" for trial in found.trials)

        started = time.monotonic()
        while n_done() < n_trials and (n_done() == 0 or not minutes or time.monotonic() - started < 60 * minutes):
            found.optimize(run_trial, n_trials=1)
            if progress is not None:
                progress(n_done(), n_trials)
        done = [trial for trial in found.trials if trial.state.name == "COMPLETE"]
        if all("failed" in trial.user_attrs for trial in done):
            raise InputError(f"no settings could be trained: {done[0].user_attrs['failed']}")
        best = {**fixed, **found.best_params}
        try:
            with_settings(learner, {name: value for name, value in best.items() if name != "weighting"})
        except SettingError as error:
            raise _unusable(study, error) from error
        return Tuned(
            best,
            float(found.best_value),
            float(done[0].value or 0.0),
            [{"number": trial.number, "value": trial.value, **trial.params} for trial in done],
        )


@contextmanager
def _storage_errors(study: Path | None) -> Iterator[None]:
    """Turn errors of the file of trials into an InputError."""
    try:
        yield
    except Exception as error:
        if isinstance(error, sqlite3.Error) or type(error).__module__.startswith(("sqlalchemy", "optuna")):
            raise _unusable(study, error) from error
        if isinstance(error, AssertionError) and _raised_in(error).startswith("optuna"):  # on a full disk
            raise InputError(f"{study}: a trial could not be stored; is the disk full?") from error
        raise


def _raised_in(error: Exception) -> str:
    """The name of the module that raised an error."""
    (frame, _), *_ = reversed(list(traceback.walk_tb(error.__traceback__)))
    return str(frame.f_globals.get("__name__"))


def _unusable(study: Path | None, error: Exception) -> InputError:
    words = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(f"{study}: cannot be used as a study ({words}); choose another file")


def _open(study: Path | None, plan: str, seed: int) -> Any:
    """A new study, or the stored one if it has the same plan. Raises InputError if it has another."""
    import optuna
    from sqlalchemy.pool import QueuePool

    storage = None
    if study is not None:
        study.parent.mkdir(parents=True, exist_ok=True)
        if study.exists():
            check_input(study, "study")
            with study.open("rb") as file:
                if file.read(15) not in (b"", b"SQLite format 3"):
                    raise InputError(f"{study}: is not a study of a search; choose another file")
        path = study.resolve()
        storage = optuna.storages.RDBStorage(
            "sqlite://",  # the path is not part of the address, where "?" and "%" have a meaning
            engine_kwargs={"creator": lambda: sqlite3.connect(path), "poolclass": QueuePool},
        )
    try:
        found = optuna.create_study(storage=storage, study_name="recsys", direction="maximize", load_if_exists=True)
        known_plan = found.user_attrs.get(PLAN, plan)
        [(trial.params, trial.user_attrs, trial.value) for trial in found.trials]
    except (LookupError, TypeError, ValueError, AssertionError) as error:  # a file that another program changed
        raise _unusable(study, error) from error
    if known_plan != plan:
        raise InputError(f"{study}: belongs to another search (other data, model or options); choose another file")
    found.set_user_attr(PLAN, plan)
    found.sampler = optuna.samplers.TPESampler(
        seed=next_seed(seed, len(found.trials) - 1), n_startup_trials=N_STARTUP, multivariate=True
    )
    return found
