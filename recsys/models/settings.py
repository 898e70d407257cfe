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
    """A dataclass field with its default, a description or the reason for the default, and its inclusive range.

    search  the range that tuning searches, on a logarithmic scale; None: the setting is not tuned
    """
    metadata = {"reason": reason, "low": low, "high": high, "search": search}
    return dataclasses.field(default=default, metadata=metadata)


def check_settings(learner: Any) -> None:
    """Check types and ranges. Raises SettingError for the first value that is not allowed, naming the field."""
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
                raise SettingError(f"{field.name} must be {_range(low, high)}, not {value}")
        if get_origin(kind) is not None and get_args(kind) and value not in get_args(kind):
            raise SettingError(f"{field.name} must be one of {', '.join(map(repr, get_args(kind)))}, not {value!r}")


L = TypeVar("L")


def with_settings(learner: type[L], settings: Mapping[str, Any]) -> L:
    """Create a learner from named settings. Strings, as from a command line, are converted to the type of the field.

    Raises SettingError for an unknown name, and for a value of the wrong type or outside its range.
    """
    types = get_type_hints(learner)
    names = [field.name for field in dataclasses.fields(learner)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in names:
            raise SettingError(f"{learner.name} has no setting {name!r}; its settings are {', '.join(names)}")  # type: ignore[attr-defined]
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
    if low is not None and high is not None:
        return f"between {low:g} and {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return f"at most {high:g}" if high is not None else "a finite number"
