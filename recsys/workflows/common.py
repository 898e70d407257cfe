"""What all workflows share: progress reports, plain values, a model with its data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.errors import InputError
from recsys.models import MODELS, Model

Progress = Callable[[int, int], None]

Report = Callable[[str], Progress]
"""Given what is being done, returns what to call with (done, in all)."""

Say = Callable[[str], None]
"""Takes one line for a person, such as a licence notice."""


def quiet(_: str) -> Progress:
    """A Report that shows nothing."""
    return lambda _done, _all: None


def learner_called(name: str) -> type[Any]:
    """The learner of that name. Raises InputError, naming those that exist."""
    if name not in MODELS:
        raise InputError(f"there is no model {name!r}; there are {', '.join(MODELS)}")
    return MODELS[name]


def load_trained(model_folder: Path, data: Path) -> tuple[Model, Dataset]:
    """A model and the data it was trained on. Raises InputError for other data: what is measured would be of
    neither."""
    model, stored = store.load_model(model_folder), store.load_prepared(data)
    check_data(model, model_folder, stored, data)
    return model, stored


def check_data(model: Model, model_folder: Path, stored: Dataset, data: Path) -> None:
    """Raise InputError unless the data are those the model was trained on."""
    expected = model.data.get("fingerprint")
    if expected is not None and expected != stored.interactions.fingerprint:
        raise InputError(f"{data}: is not what {model_folder} was trained on; name those data, or train again")


def rows_of_table(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of plain Python values, as JSON wants them."""
    return [{str(key): plain_value(value) for key, value in row.items()} for row in table.to_dict("records")]


def plain_value(value: Any) -> Any:
    """A value as JSON takes it: NumPy scalars as Python ones, NaN and infinity as None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
