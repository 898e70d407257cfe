"""How many threads to run, one per core that this process may use, and work that is done one step ahead."""

import os
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


def n_cores() -> int:
    """Cores that this process may use; a container or `taskset` may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items; each is computed by a thread while the one before it is used."""
    from concurrent.futures import ThreadPoolExecutor

    end = object()
    with ThreadPoolExecutor(1) as pool:
        pending = pool.submit(next, items, end)
        while (item := pending.result()) is not end:
            pending = pool.submit(next, items, end)
            yield item  # type: ignore[misc]  # the sentinel is no item
