"""What low ratings of a visitor are worth: ways to make a user vector from 3 to 20 ratings, by nDCG and by harm.

    python benchmarks/visitors.py ml-100k /path/to/ml-latest-small      names of datasets, or folders with their files
    python benchmarks/visitors.py --popularity ml-100k                  scores minus β · log-popularity

Five folds of the users: `ials` is trained without a fold, whose users then rate 3, 5, 10, 20 movies drawn at random and
are tested on the rest of their ratings, as in `recsys.evaluation.few_ratings`. Half of the users are for choosing, the
others are only reported.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from results import prepared, write_section

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import FEW, LEAST_HIDDEN
from recsys.dataset.weighting import PRIOR
from recsys.errors import RecsysError
from recsys.evaluation.few_ratings import DISLIKED, LIKED
from recsys.evaluation.interval import Interval, intervals, paired
from recsys.models import IALS
from recsys.models.ials import CAUTION, COMMON, CONTRAST

K, FOLDS = 10, 5
LEARNER = IALS()
Targets = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""Weights (n, k), ratings (n, k), highest rating of a dislike → weights and targets (n, k)."""


class Fold:
    """One fold: item vectors, the mean user vector, and the ratings of the users left out (entries in random order)."""

    def __init__(self, data: Dataset, left_out: np.ndarray, rng: np.random.Generator) -> None:
        ratings = data.interactions
        kept = np.setdiff1d(np.arange(ratings.n_users), left_out)
        train = Interactions(ratings.matrix[kept], ratings.user_ids[kept], ratings.item_ids)
        model = LEARNER.fit(Dataset(train, data.catalog))
        self.y = model.space.item_factors.astype(np.float64)
        self.log_popularity = np.log1p(model.n_ratings)
        order = np.argsort(-model.n_ratings, kind="stable")
        ratings_before = np.cumsum(model.n_ratings[order]) - model.n_ratings[order] / 2
        self.is_head = np.zeros(len(order), dtype=bool)  # the most popular movies, with a third of all ratings
        self.is_head[order[ratings_before < model.n_ratings.sum() / 3]] = True
        self.gram, self.mean_user = self.y.T @ self.y, model.space.mean_user
        low, high = float(ratings.matrix.data.min()), float(ratings.matrix.data.max())
        self.disliked = low + DISLIKED * (high - low)
        rows = [rng.permutation(np.arange(*ratings.matrix.indptr[user : user + 2]))[: max(FEW)] for user in left_out]
        self.items, self.ratings = ratings.matrix.indices[rows], ratings.matrix.data[rows].astype(np.float64)
        hidden = ratings.matrix[left_out].toarray()
        np.put_along_axis(hidden, self.items, 0, axis=1)
        self.likes, self.dislikes = hidden >= low + LIKED * (high - low), (hidden > 0) & (hidden <= self.disliked)
        self.weights = np.log1p(self.ratings) / model.weighting.mean_weight

    def vectors(self, n: int, targets: Targets, caution: float = 0, common: float = 0) -> np.ndarray:
        """Least squares with the item vectors fixed: the objective in the docstring of `IALS`."""
        rated = self.y[self.items[:, :n]]
        weights, wanted = targets(self.weights[:, :n], self.ratings[:, :n], self.disliked)
        base = LEARNER.alpha0 / (1 + caution / n)
        matrix = base * self.gram + np.matmul((rated * weights[:, :, None]).transpose(0, 2, 1), rated)
        counted = np.maximum((weights > 0).sum(axis=1), 1)
        ridge = LEARNER.regularization * (counted + LEARNER.alpha0 * len(self.y)) ** LEARNER.nu
        matrix[:, np.arange(len(self.gram)), np.arange(len(self.gram))] += ridge[:, None]
        right = ((weights * wanted)[:, :, None] * rated).sum(axis=1)
        right += ridge[:, None] * common * caution / n * self.mean_user
        found: np.ndarray = np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
        return found

    def measure(self, vectors: np.ndarray, beta: float = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """nDCG@K of the liked, NaN for users without any; shares of the list that are disliked, and in the head.

        beta  is subtracted, times the log-popularity and the standard deviation of the user's scores
        """
        scores = vectors @ self.y.T
        if beta:
            scores -= beta * scores.std(axis=1, keepdims=True) * self.log_popularity
        np.put_along_axis(scores, self.items, -np.inf, axis=1)
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        lists = np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)
        gains = 1 / np.log2(np.arange(2, K + 2))
        n_liked = np.minimum(self.likes.sum(axis=1), K)
        ideal = np.where(n_liked > 0, np.cumsum(gains)[n_liked - 1], np.nan)
        harm: np.ndarray = np.take_along_axis(self.dislikes, lists, axis=1).mean(axis=1)
        ndcg = np.take_along_axis(self.likes, lists, axis=1) @ gains / ideal
        return ndcg, harm, self.is_head[lists].mean(axis=1)


def every_rating_counts_for(w: np.ndarray, r: np.ndarray, disliked: float) -> tuple[np.ndarray, np.ndarray]:
    """As in training: the target of every rating is 1."""
    return w, np.ones_like(w)


def low_ratings_only_hide(w: np.ndarray, r: np.ndarray, disliked: float) -> tuple[np.ndarray, np.ndarray]:
    """Low ratings are left out."""
    return np.where(r <= disliked, 0, w), np.ones_like(w)


def negative(weight: float, target: float) -> Targets:
    """Low ratings have a weight and a target of their own."""
    return lambda w, r, disliked: (np.where(r <= disliked, weight, w), np.where(r <= disliked, target, 1.0))


def contrast(gamma: float) -> Targets:
    """Targets by how much a weight is above the user's mean."""

    def targets(w: np.ndarray, r: np.ndarray, disliked: float) -> tuple[np.ndarray, np.ndarray]:
        mean = (w.sum(axis=1) + PRIOR) / (w.shape[1] + PRIOR)
        return w, 1 + gamma * (w - mean[:, None])

    return targets


def second_vector(fold: Fold, n: int, beta: float) -> np.ndarray:
    """A vector of the other ratings minus beta times a vector of the low ones."""
    of_low = fold.vectors(n, lambda w, r, disliked: ((r <= disliked).astype(float), np.ones_like(w)))
    found: np.ndarray = fold.vectors(n, low_ratings_only_hide) - beta * of_low
    return found


VARIANTS: dict[str, Callable[[Fold, int], np.ndarray]] = {
    "every rating counts for (as in training)": lambda fold, n: fold.vectors(n, every_rating_counts_for),
    "low ratings only hide": lambda fold, n: fold.vectors(n, low_ratings_only_hide),
    "low ratings: target 0, weight 1": lambda fold, n: fold.vectors(n, negative(1, 0)),
    "low ratings: target −½, weight 1": lambda fold, n: fold.vectors(n, negative(1, -0.5)),
    "low ratings: target −1, weight 1": lambda fold, n: fold.vectors(n, negative(1, -1)),
    "second vector of low ratings, β = ½": lambda fold, n: second_vector(fold, n, 0.5),
    "second vector of low ratings, β = 1": lambda fold, n: second_vector(fold, n, 1),
    "rating − mean, γ = 2": lambda fold, n: fold.vectors(n, contrast(2)),
    "rating − mean, γ = 4": lambda fold, n: fold.vectors(n, contrast(4)),
    "rating − mean, γ = 6": lambda fold, n: fold.vectors(n, contrast(6)),
    "c = 10": lambda fold, n: fold.vectors(n, contrast(0), 10),
    "c = 10, ρ = .05": lambda fold, n: fold.vectors(n, contrast(0), 10, 0.05),
    "γ = 4, c = 10, ρ = .05": lambda fold, n: fold.vectors(n, contrast(4), 10, 0.05),
    "γ = 6, c = 20, ρ = .05": lambda fold, n: fold.vectors(n, contrast(6), 20, 0.05),
    f"γ = {CONTRAST:g}, c = {CAUTION:g}, ρ = {COMMON:g} (visitors of `ials`)": lambda fold, n: of_visitors(fold, n),
    "γ = 8, c = 10, ρ = .05": lambda fold, n: fold.vectors(n, contrast(8), 10, 0.05),
}


BETAS = (0, -0.4, -0.2, 0.1, 0.2, 0.4, 0.8)
WHAT = ("ndcg", "harm", "head")


def of_visitors(fold: Fold, n: int) -> np.ndarray:
    """The vectors that `IALS` gives to visitors."""
    return fold.vectors(n, contrast(CONTRAST), CAUTION, COMMON)


def measured(data: Dataset, popularity: bool) -> dict[str, pd.DataFrame]:
    """By variant (with `popularity`: by β), one row per user: the measures in `WHAT` at each number of ratings and
    their means, and the user's half."""
    rng = np.random.default_rng(7)
    counts = np.diff(data.interactions.matrix.indptr)
    enough = rng.permutation(np.flatnonzero(counts >= max(FEW) + LEAST_HIDDEN))
    tables: dict[str, list[pd.DataFrame]] = {}
    for left_out in np.array_split(enough, FOLDS):
        fold = Fold(data, left_out, rng)
        half = np.arange(len(left_out)) % 2
        made = (
            {f"β = {beta:g}": {n: fold.measure(of_visitors(fold, n), beta) for n in FEW} for beta in BETAS}
            if popularity
            else {name: {n: fold.measure(make(fold, n)) for n in FEW} for name, make in VARIANTS.items()}
        )
        for name, found in made.items():
            columns = {f"{what} from {n}": values[at] for n, values in found.items() for at, what in enumerate(WHAT)}
            columns |= {what: np.mean([row[at] for row in found.values()], axis=0) for at, what in enumerate(WHAT)}
            tables.setdefault(name, []).append(pd.DataFrame(columns | {"half": half}))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def section(named: str, data: Dataset, popularity: bool) -> list[str]:
    """The tables of both halves."""
    tables = measured(data, popularity)
    shown = WHAT if popularity else WHAT[:2]
    names = {"ndcg": "nDCG@10", "harm": "harm@10", "head": "share of the head"}
    numbers = " / ".join(map(str, FEW))
    first = next(iter(tables))
    lines = []
    for half, title in enumerate(("for choosing", "test")):
        of_half = {name: table[table["half"] == half].drop(columns="half") for name, table in tables.items()}
        lines += [
            f"{named}, {title}: {len(of_half[first]):,} users",
            "",
            f"| | {' | '.join(f'{names[what]} from {numbers} | mean, minus the first row' for what in shown)} |",
            f"|---|{'---|---|' * len(shown)}",
        ]
        for name, table in of_half.items():
            difference = intervals(paired(table, of_half[first]))
            cells = [name]
            for what in shown:
                cells.append(" / ".join(f"{table[f'{what} from {n}'].mean():.4f}" for n in FEW))
                cells.append(_signed(difference[what]) if name != first else "–")
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return lines


def _signed(value: Interval) -> str:
    mark = "**" if value.sign else ""
    return f"{mark}{value.mean:+.4f}{mark} ({value.low:+.4f} … {value.high:+.4f})"


HEADINGS = ("## Visitors: what low ratings are worth", "## Visitors: popularity against quality")
EXPLANATIONS = (
    "nDCG@10 of movies rated in the top quarter of the scale (4 stars or more) and harm@10, the share of the list that "
    "was rated in its lowest third (2 or less), for users of whom 3, 5, 10, 20 ratings are known; `ials` with default "
    "settings, trained without them (`python benchmarks/visitors.py`). Bold: the 95 % interval of the difference over "
    "the same users excludes 0.",
    "The scores of the visitors of `ials` minus β · log(1 + ratings of the movie), in standard deviations of the "
    "user's scores; still a dot product, with a bias. The head are the most popular movies, which have a third of all "
    "ratings. Other terms as in the section on low ratings (`python benchmarks/visitors.py --popularity`).",
)


def main() -> None:
    """Measure on the datasets and replace the section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="names of datasets, or folders with their files")
    parser.add_argument("--popularity", action="store_true", help="measure a correction for popularity")
    chosen = parser.parse_args()
    lines = [HEADINGS[chosen.popularity], "", EXPLANATIONS[chosen.popularity], ""]
    try:
        for name in chosen.data:
            folder = Path(name)
            lines += section(folder.name, prepared(name, folder if folder.is_dir() else None), chosen.popularity)
    except RecsysError as error:
        sys.exit(f"visitors.py: {error}")
    write_section(lines)


if __name__ == "__main__":
    main()
