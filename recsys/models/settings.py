"""The settings of a learner: one dataclass field per setting, with its default, range and reason in one place.

The command line and the app build their options from these fields.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from recsys.errors import SettingError, quoted
from recsys.limits import check_number


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
        if kind in (int, float):
            low, high = field.metadata.get("low"), field.metadata.get("high")
            check_number(field.name, value, low, high, whole=kind is int)
        if get_origin(kind) is not None and get_args(kind) and value not in get_args(kind):
            choices = ", ".join(map(repr, get_args(kind)))
            raise SettingError(f"{field.name} must be one of {choices}, not {quoted(value)}")


L = TypeVar("L")


def with_settings(learner: type[L], settings: Mapping[str, Any]) -> L:
    """Create a learner from named settings. Strings, as from a command line, are converted to the type of the field.

    Raises SettingError for an unknown name, and for a value of the wrong type or outside its range.
    """
    settings = learner.gathered(settings)  # type: ignore[attr-defined]
    types = get_type_hints(learner)
    names = [field.name for field in dataclasses.fields(learner)]  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for name, value in settings.items():
        if name not in names:
            raise SettingError(f"{learner.name} has no setting {quoted(name)}; its settings are {', '.join(names)}")  # type: ignore[attr-defined]
        kind = types[name]
        if isinstance(value, str) and kind in (int, float):
            try:
                value = kind(value)
            except ValueError:
                kind_name = "whole number" if kind is int else "number"
                raise SettingError(f"{name} must be a {kind_name}, not {quoted(value)}") from None
        elif kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
            value = float(value)
        values[name] = value
    return learner(**values)
