"""What happens when a newer model cannot be loaded: the old one is served, and the newer one when it can be."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace
from pathlib import Path

import pytest

from recsys.service import api
from recsys.service.api import Service
from recsys.service.served import Served


def look(service: Service) -> str | None:
    """Look once, at a model that seems new; returns the problem."""
    asyncio.run(service.look())
    return service.problem


@pytest.fixture
def newer(service: Service, monkeypatch: pytest.MonkeyPatch) -> list[Exception | Served]:
    """What the next attempts to load give; the folder seems to have changed once."""
    outcomes: list[Exception | Served] = []

    def load(*_: object) -> Served:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(Served, "load", load)
    monkeypatch.setattr(api, "newest_stamp", lambda *_: ("newer",))
    return outcomes


@pytest.mark.parametrize("error", [OSError("too many open files"), MemoryError(), KeyError("a bug")])
def test_what_fails_for_want_of_something_is_tried_again(
    service: Service, newer: list, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    old, new = service.served, replace(service.served)
    newer += [error, new]
    assert type(error).__name__ in (look(service) or "")
    assert service.served is old and look(service) is not None and len(newer) == 1, "not at once"
    monkeypatch.setattr(service, "_again", 0.0)
    assert look(service) is None and service.served is new


def test_a_folder_that_comes_back_is_no_problem(service: Service, folders: tuple[Path, Path]) -> None:
    right = service.settings
    assert look(service) is None
    service.settings = replace(right, model=folders[0] / "nowhere")
    assert look(service) is not None
    service.settings = right
    assert look(service) is None


def test_a_model_that_is_replaced_is_freed_without_garbage_collection(folders: tuple[Path, Path]) -> None:
    served = Served.load(folders[0])
    model = weakref.ref(served.model)
    gc.disable()
    try:
        del served
        assert model() is None
    finally:
        gc.enable()
