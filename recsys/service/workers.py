"""Threads that compute answers beside the event loop: few, with a bounded queue, so that costly requests do not slow
others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class Busy(Exception):
    """More work waits than the queue holds."""


class Workers:
    """Threads with a queue.

    n_threads     that run at once
    most_waiting  calls that may wait or run; `run` raises Busy beyond that
    """

    def __init__(self, n_threads: int, most_waiting: int) -> None:
        self._pool = ThreadPoolExecutor(n_threads)
        self._most_waiting = most_waiting
        self._n_waiting = 0

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """What `work` returns or raises. A call that the caller stops waiting for is not started, or runs to its end.

        Raises Busy when the queue is full.
        """
        if self._n_waiting >= self._most_waiting:
            raise Busy
        loop = asyncio.get_running_loop()
        future = self._pool.submit(work, *arguments)
        self._n_waiting += 1
        future.add_done_callback(lambda done: loop.call_soon_threadsafe(self._finished, done))
        return await asyncio.wrap_future(future)

    def _finished(self, done: Future[Any]) -> None:
        self._n_waiting -= 1

    def close(self) -> None:
        """Start nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
