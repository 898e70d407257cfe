"""What several pages show of movies: a line of facts, and movies to start with."""

from __future__ import annotations

import numpy as np

from recsys.app.i18n.translate import named, say
from recsys.app.session import Loaded
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


def genres_and_count(loaded: Loaded, row: int) -> str:
    """Genres and number of ratings of a movie in one line; without the number if rating counts are unknown."""
    genres = " · ".join(map(named, loaded.model.catalog.items["genres"][row])) or say("no genre")
    if not loaded.has_ratings:
        return genres
    return f"{genres} · {say('{count} ratings', count=f'{loaded.model.n_ratings[row]:,}')}"
