"""Turns for long work: how many run, in which order, and what a waiting visitor sees."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock

import pytest
from streamlit.testing.v1 import AppTest

from recsys.app import work
from recsys.app.work import Turns

PATIENCE = 30.0


class Crowd:
    """Sessions that wait for a turn, in a known order."""

    def __init__(self, turns: Turns) -> None:
        self.turns, self.ran, self.told = turns, [], {}
        self._lock, self._pool = Lock(), ThreadPoolExecutor(20)

    def run(self, session: str, name: str, work: Callable[[], object] = lambda: None):
        """Ask for a turn in another thread; returns when it runs or waits."""
        settled = Event()

        def tell(ahead: int) -> None:
            self.told.setdefault(name, ahead)
            settled.set()

        def block() -> None:
            with self.turns.turn(session, tell):
                with self._lock:
                    self.ran.append(name)
                settled.set()
                work()

        done = self._pool.submit(block)
        assert settled.wait(PATIENCE)
        return done


@pytest.fixture
def crowd(monkeypatch: pytest.MonkeyPatch) -> Crowd:
    monkeypatch.setattr(work, "REPORT_SECONDS", 0.01)
    return Crowd(Turns(1))


def test_a_busy_session_does_not_starve_the_others(crowd: Crowd) -> None:
    end = Event()
    first = crowd.run("greedy", "greedy 1", lambda: end.wait(PATIENCE))
    others = [crowd.run("greedy", "greedy 2"), crowd.run("ann", "ann"), crowd.run("bob", "bob")]
    assert crowd.told == {"greedy 2": 1, "ann": 2, "bob": 3}
    end.set()
    for one in (first, *others):
        one.result(PATIENCE)
    assert crowd.ran == ["greedy 1", "greedy 2", "ann", "bob"]


def test_a_session_runs_one_at_a_time_even_if_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "REPORT_SECONDS", 0.01)
    crowd, end = Crowd(Turns(2)), Event()
    first = crowd.run("greedy", "greedy 1", lambda: end.wait(PATIENCE))
    second = crowd.run("greedy", "greedy 2")
    crowd.run("ann", "ann").result(PATIENCE)
    assert crowd.ran == ["greedy 1", "ann"], "ann passes the second one of a busy session"
    end.set()
    first.result(PATIENCE)
    second.result(PATIENCE)


def test_two_run_at_once() -> None:
    crowd, both = Crowd(Turns(2)), Barrier(2, timeout=PATIENCE)
    for one in [crowd.run(name, name, both.wait) for name in ("ann", "bob")]:
        one.result(PATIENCE)


def test_a_turn_ends_with_an_error_and_waiting_ends_when_the_visitor_leaves(crowd: Crowd) -> None:
    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        crowd.run("ann", "ann", fail).result(PATIENCE)
    end = Event()
    first = crowd.run("bob", "bob", lambda: end.wait(PATIENCE))

    class Left(Exception):
        pass

    def leave(_: int) -> None:
        raise Left

    with pytest.raises(Left), crowd.turns.turn("eve", leave):
        pass
    end.set()
    first.result(PATIENCE)
    crowd.run("ann", "later").result(PATIENCE)


def test_a_waiting_visitor_sees_how_many_are_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(1)
    monkeypatch.setattr(work, "TURNS", turns)
    monkeypatch.setattr(work, "REPORT_SECONDS", 0.01)
    seen: list[str] = []
    end = Event()
    first = Crowd(turns).run("other", "other", lambda: end.wait(PATIENCE))

    def script() -> None:
        import streamlit as st

        from recsys.app.work import long_work

        with long_work("Working"):
            pass
        st.write("done")

    tell = work._tell

    def watch(notice, ahead: int) -> None:
        tell(notice, ahead)
        seen.append(f"{ahead} ahead")
        end.set()

    monkeypatch.setattr(work, "_tell", watch)
    page = AppTest.from_function(script, default_timeout=PATIENCE).run()
    first.result(PATIENCE)
    assert seen[0] == "1 ahead"
    assert [element.value for element in page.markdown] == ["done"] and not page.info
