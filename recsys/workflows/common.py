"""Shared by all workflows: progress callbacks, plain values for JSON, a model with its data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys import store
from recsys.atomic import check_file
from recsys.dataset.dataset import Dataset
from recsys.errors import InputError, quoted
from recsys.models import MODELS, Model


def learner_called(name: str) -> type[Any]:
    """The learner of that name. Raises InputError, listing the known names."""
    if name not in MODELS:
        raise InputError(f"unknown model {quoted(name)}; known are {', '.join(MODELS)}")
    return MODELS[name]


IsOurs = Callable[[Path], bool]


def check_output(
    out: Path,
    *,
    others: Mapping[Path, IsOurs] | None = None,
    inputs: Iterable[Path | None] = (),
    own: Iterable[Path | None] = (),
) -> None:
    """Raise InputError unless the file `out` may be written. Call it before a long computation.

    others  further outputs, which the user did not name, each with a function that says whether an existing file is one
            that recsys wrote as such: others are not replaced
    inputs  its inputs, which no output may overwrite
    own     outputs that may lie in an artifact, because recsys stores them there
    """
    check_file(out)
    _check_others(out, others or {}, inputs, own)


def _check_others(
    out: Path, others: Mapping[Path, IsOurs], inputs: Iterable[Path | None] = (), own: Iterable[Path | None] = ()
) -> None:
    """`check_output` without what is peculiar to files."""
    for path in others:
        check_file(path)
    store.check_outputs(out, *others, inputs=inputs, own=own)
    for path, is_ours in others.items():
        if path.exists() and path not in own and not is_ours(path):
            raise InputError(f"{path}: would be replaced together with {out}; move it, or choose another --out")


@contextmanager
def writing(
    out: Path,
    kind: store.Kind | None = None,
    *,
    others: Mapping[Path, IsOurs] | None = None,
    inputs: Iterable[Path | None] = (),
) -> Iterator[None]:
    """Be the only process that writes `out`; others get one line at once, before a long computation.

    kind    of the folder to write; None: a file
    others, inputs  as for `check_output`

    Raises InputError for an output that may not be written.
    """
    if kind is None:
        check_output(out, others=others, inputs=inputs)
    else:
        _check_others(out, others or {}, inputs=inputs)
        store.check_replaceable(out, kind)
    with ExitStack() as locks:
        for path in (out, *(others or ())):
            locks.enter_context(store.lock(path))
        yield


def load_trained(model_folder: Path, data: Path) -> tuple[Model, Dataset]:
    """A model and the data it was trained on. Raises InputError for other data: measurements on them would describe
    neither."""
    model, stored = store.load_model(model_folder), store.load_prepared(data)
    check_data(model, model_folder, stored, data)
    return model, stored


def load_for_refits(model_folder: Path, data: Path | None) -> tuple[Model, Dataset | None]:
    """A model and its training data, to train it again; None for imported vectors, which cannot be trained.

    Raises InputError where a trainable model comes without its data, or with other data.
    """
    if data is not None:
        model, stored = load_trained(model_folder, data)
        return model, stored if model.learner.name in MODELS else None
    model = store.load_model(model_folder)
    if model.learner.name in MODELS:
        raise InputError(f"{model_folder}: name the folder of its training data with --data, to train it again")
    return model, None


def check_data(model: Model, model_folder: Path, stored: Dataset, data: Path) -> None:
    """Raise InputError unless the data are those the model was trained on."""
    expected = model.data.get("fingerprint")
    if expected is not None and expected != stored.interactions.fingerprint:
        raise InputError(f"{data}: is not the data that {model_folder} was trained on; name those data, or train again")


def rows_of_table(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain Python values, ready for JSON."""
    return [{str(key): plain_value(value) for key, value in row.items()} for row in table.to_dict("records")]


def plain_value(value: Any) -> Any:
    """A value ready for JSON: NumPy scalars become Python ones, NaN and infinity None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
