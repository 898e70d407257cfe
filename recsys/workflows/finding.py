"""What `recsys doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["ok", "note", "problem"]
"""`note`: something to know that needs no repair, such as a missing extra."""


@dataclass(frozen=True)
class Finding:
    """One line of the examination.

    section  what it is about: installation, machine, data, leftovers
    name     the package, program or path
    found    what was found
    remedy   what to do about it; empty if there is nothing to do
    """

    section: str
    name: str
    found: str
    status: Status = "ok"
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))
