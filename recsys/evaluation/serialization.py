"""Result dataclasses ↔ plain JSON values, through pydantic. Does no I/O.

A field whose JSON key differs from its name is declared as `field(metadata=json_key("ndcg@10"))`; pydantic reads the
key from there. Undefined numbers are None in the dataclasses and `null` in JSON.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, TypeVar

import pydantic

T = TypeVar("T")


def json_key(key: str) -> dict[str, str]:
    """Metadata of a dataclass field that JSON stores under `key`."""
    return {"alias": key}


def to_json(value: Any) -> dict[str, Any]:
    """The plain values of a result dataclass, ready for `json.dumps`; keys in the order of the fields."""
    values: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json", by_alias=True)  # type: ignore[arg-type]
    return values


def from_json(kind: type[T], text: str | bytes) -> T:
    """Read a result dataclass from JSON text; types are checked strictly and unknown keys are ignored.

    Raises pydantic.ValidationError for a missing key or a value of the wrong type, and whatever the dataclass raises
    for values that do not fit together.
    """
    value: T = _adapter(kind).validate_json(text, strict=True)  # type: ignore[arg-type]  # classes are hashable
    return value


@cache
def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    """Building one takes milliseconds."""
    return pydantic.TypeAdapter(kind)


def known(value: float) -> float | None:
    """A number as the result dataclasses hold it: a Python float, None where it is NaN or infinite."""
    value = float(value)
    return value if math.isfinite(value) else None
