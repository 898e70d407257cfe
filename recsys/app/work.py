"""Turns for long computations: few at once, first come first served, one for each session, so that nobody starves."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

import streamlit as st

from recsys.app.i18n.translate import say
from recsys.threads import n_cores

MAX_RUNNING = max(1, n_cores() - 1)
"""Computations that run at once; one core is left for the pages."""
REPORT_SECONDS = 0.5
"""How often a waiting session updates its position in the queue, and notices that its visitor has left."""


@dataclass(frozen=True, eq=False)
class _Place:
    session: str


class Turns:
    """At most `max_running` blocks run at once. Sessions take turns: one block of a session runs at a time, and its
    next one goes to the end of the queue."""

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self._changed = Condition()
        self._waiting: list[_Place] = []
        self._running: list[_Place] = []

    @contextmanager
    def turn(self, session: str, tell: Callable[[int], None]) -> Iterator[None]:
        """Run the block when it is this session's turn.

        tell  called every `REPORT_SECONDS` of waiting, with the number of blocks that run or wait ahead; an exception
              that it raises ends the waiting
        """
        place = _Place(session)
        with self._changed:
            self._waiting.append(place)
        try:
            while not self._starts(place):
                tell(self._n_ahead(place))
            yield
        finally:
            with self._changed:
                (self._running if place in self._running else self._waiting).remove(place)
                self._changed.notify_all()

    def _starts(self, place: _Place) -> bool:
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_next(place), REPORT_SECONDS):
                return False
            self._waiting.remove(place)
            self._running.append(place)
            return True

    def _is_next(self, place: _Place) -> bool:
        if len(self._running) >= self._max_running:
            return False
        busy = {running.session for running in self._running}
        return next((waiting for waiting in self._waiting if waiting.session not in busy), None) is place

    def _n_ahead(self, place: _Place) -> int:
        with self._changed:
            return len(self._running) + self._waiting.index(place)


TURNS = Turns(MAX_RUNNING)
"""The turns of all sessions."""


@contextmanager
def long_work(doing: str) -> Iterator[None]:
    """Run a block that takes seconds when it is this session's turn; the page says what it does, or how many wait.

    What the block draws disappears at its end. Do not enter it inside another one, nor inside a cached function.
    """
    session = st.session_state.setdefault("visitor", secrets.token_hex(8))
    notice = st.empty()
    with TURNS.turn(session, lambda ahead: _tell(notice, ahead)), notice, st.spinner(doing, show_time=True):
        yield
    notice.empty()


def _tell(notice: st.delta_generator.DeltaGenerator, n_ahead: int) -> None:
    notice.info(say("The server is busy. Computations ahead of yours: {n}.", n=n_ahead), icon=":material/hourglass:")
