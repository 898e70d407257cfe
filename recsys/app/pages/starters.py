"""Movies to offer to someone who has not searched yet."""

from __future__ import annotations

import numpy as np

from recsys.models import Model

N_CANDIDATES = 300
"""Most-rated movies among which genres are looked for."""


def starter_rows(model: Model, n: int) -> list[int]:
    """Rows of at most n movies of different genres, most ratings first: each adds a genre that those before lack."""
    covered: set[str] = set()
    rows: list[int] = []
    for row in np.argsort(-model.n_ratings, kind="stable")[:N_CANDIDATES].tolist():
        genres = set(model.catalog.items["genres"][row])
        if genres - covered or not genres:
            rows.append(row)
            covered |= genres
        if len(rows) == n:
            break
    return rows
