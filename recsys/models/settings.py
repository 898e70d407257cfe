"""The settings of a learner: one dataclass field per setting, with its default, range and reason in one place.

The command line and the app build their options from these fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from recsys.errors import SettingError


def setting(
    default: Any,
    reason: str,
    low: float | None = None,
    high: float | None = None,
    *,
    search: tuple[float, float] | None = None,
) -> Any:
    """A dataclass field with its default, its inclusive range and the reason for the default.

    search  where tuning looks for a better value, on a logarithmic scale; None: it is not tuned
    """
    metadata = {"reason": reason, "low": low, "high": high, "search": search}
    return dataclasses.field(default=default, metadata=metadata)


def check_settings(learner: Any) -> None:
    """Raise SettingError, naming the field and its range, for the first value that is outside it."""
    types = get_type_hints(type(learner))
    for field in dataclasses.fields(learner):
        value, kind = getattr(learner, field.name), types[field.name]
        if kind is int and (isinstance(value, bool) or not isinstance(value, int | np.integer)):
            raise SettingError(f"{field.name} must be a whole number, not {value!r}")
        if kind is float and (isinstance(value, bool) or not isinstance(value, int | float | np.number)):
            raise SettingError(f"{field.name} must be a number, not {value!r}")
        if kind in (int, float):
            low, high = field.metadata.get("low"), field.metadata.get("high")
            if not np.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
                raise SettingError(f"{field.name} is {value}, outside {_range(low, high)}")
        if get_origin(kind) is not None and get_args(kind) and value not in get_args(kind):
            raise SettingError(f"{field.name} must be one of {', '.join(map(repr, get_args(kind)))}, not {value!r}")


L = TypeVar("L")


def with_settings(learner: type[L], settings: Mapping[str, Any]) -> L:
    """Make a learner from named settings; strings, as typed on a command line, are read by the field's type.

    Raises SettingError for an unknown name or a value that does not fit.
    """
    types = get_type_hints(learner)
    names = [field.name for field in dataclasses.fields(learner)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in names:
            raise SettingError(f"{learner.name} has no setting {name!r}; it has {', '.join(names)}")  # type: ignore[attr-defined]
        kind = types[name]
        if isinstance(value, str) and kind in (int, float):
            try:
                value = kind(value)
            except ValueError:
                kind_name = "whole number" if kind is int else "number"
                raise SettingError(f"{name} must be a {kind_name}, not {value!r}") from None
        elif kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        values[name] = value
    return learner(**values)


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"… {high:g}"
    return f"{low:g} … {high:g}" if high is not None else f"{low:g} …"
