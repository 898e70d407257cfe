"""The pages as the person at this machine sees them; tests of public pages set the variable again."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a server there is no address, and a page without one counts as public."""
    monkeypatch.setenv("RECSYS_PUBLIC", "0")
