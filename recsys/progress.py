"""Callbacks that report progress: what long work calls, and what the command line and the app draw."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (steps done, total steps); the total is 0 while it is unknown."""

StartProgress = Callable[[str], Progress]
"""Given the name of a task that begins, such as "training ials", returns the callback for its progress."""

Notify = Callable[[str], None]
"""Called with one line for the user, such as a licence notice."""


def no_progress(_: str) -> Progress:
    """A StartProgress that shows nothing."""
    return lambda _done, _total: None


def no_notice(_: str) -> None:
    """A Notify that shows nothing."""
