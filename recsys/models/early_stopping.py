"""Training by epochs that keeps the epoch with the best quality on held-out ratings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from recsys.models.fitted import Vectors
from recsys.models.learner import Watch
from recsys.progress import Progress

T = TypeVar("T")


def best_epoch(
    epochs: Iterator[T],
    n_epochs: int,
    patience: int,
    quality: Callable[[T], float] | None,
    vectors: Callable[[T], Vectors],
    progress: Progress | None,
    watch: Watch | None,
) -> Vectors:
    """Train for up to `n_epochs`, and return the model of the best one.

    epochs    trains for one epoch with each step, and gives what it found
    patience  epochs without a better one before training stops; 0: it does not
    quality   of an epoch, higher is better; None: the last epoch is kept
    vectors   the model of an epoch

    KeyboardInterrupt after the first epoch ends training; `progress` is told the number of the epoch that is kept.
    """
    best, highest, is_complete = 0, -1.0, True
    found: T
    for epoch in range(1, n_epochs + 1):
        try:
            latest = next(epochs)
            value = None if quality is None else quality(latest)
        except KeyboardInterrupt:
            if epoch == 1:
                raise
            is_complete = False
            break
        if value is None or value > highest:
            best, found, highest = epoch, latest, highest if value is None else value
        if progress is not None:
            progress(epoch, n_epochs)
        if watch is not None and watch(epoch, vectors(latest)):
            is_complete = False
        if not is_complete or (patience and epoch - best >= patience):
            break
    if progress is not None:  # with as many epochs, the same settings give the same model
        progress(n_epochs if is_complete else best, n_epochs)
    return vectors(found)
