"""How many threads to run: one per core that this process may use."""

import os


def n_cores() -> int:
    """Cores that this process may use; a container or `taskset` may allow fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
