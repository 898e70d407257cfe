"""What low ratings of a visitor are worth: ways to make a user vector from 3 to 20 ratings, by nDCG and by harm.

    python benchmarks/visitors.py ml-100k /path/to/ml-latest-small      names of datasets, or folders with their files
    python benchmarks/visitors.py --popularity ml-100k /path/to/…       corrections for popularity, and their chart

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
from recsys.evaluation.ranking import long_tail
from recsys.models import IALS
from recsys.models.ials import CAUTION, COMMON, CONTRAST
from recsys.recommend.rerank import POOL

K, FOLDS = 10, 5
FEWEST = tuple(n for n in FEW if n <= K)
HALVES = ("for choosing", "test")
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
        self.n_ratings, self.is_tail = model.n_ratings, long_tail(model.n_ratings)
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

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Scores (n_users, n_items) of the movies that may be listed, −inf of the others."""
        scores: np.ndarray = vectors @ self.y.T
        np.put_along_axis(scores, self.items, -np.inf, axis=1)
        return scores

    def measure(self, scores: np.ndarray) -> tuple[np.ndarray, ...]:
        """nDCG@K of the liked, NaN for users without any; shares of the list that are disliked, in the head, and in the
        tail."""
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        lists = np.take_along_axis(best, np.argsort(-np.take_along_axis(scores, best, 1), axis=1), 1)
        gains = 1 / np.log2(np.arange(2, K + 2))
        n_liked = np.minimum(self.likes.sum(axis=1), K)
        ideal = np.where(n_liked > 0, np.cumsum(gains)[n_liked - 1], np.nan)
        harm: np.ndarray = np.take_along_axis(self.dislikes, lists, axis=1).mean(axis=1)
        ndcg = np.take_along_axis(self.likes, lists, axis=1) @ gains / ideal
        return ndcg, harm, self.is_head[lists].mean(axis=1), self.is_tail[lists].mean(axis=1)


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


def of_visitors(fold: Fold, n: int) -> np.ndarray:
    """The vectors that `IALS` gives to visitors."""
    return fold.vectors(n, contrast(CONTRAST), CAUTION, COMMON)


Correction = Callable[[Fold, np.ndarray], np.ndarray]
"""A fold and scores (n_users, n_items) → corrected scores."""


def less_popular(beta: float) -> Correction:
    """Scores minus β · log(1 + ratings of the movie), in standard deviations of the user's scores: a bias."""

    def corrected(fold: Fold, scores: np.ndarray) -> np.ndarray:
        spread = np.where(np.isfinite(scores), scores, np.nan)
        result: np.ndarray = scores - beta * np.nanstd(spread, axis=1, keepdims=True) * np.log1p(fold.n_ratings)
        return result

    return corrected


def shorter(eta: float) -> Correction:
    """Scores with the item vectors y / |y|^η: 1 ranks by cosine."""
    return lambda fold, scores: scores / np.maximum(np.linalg.norm(fold.y, axis=1), 1e-9) ** eta


def surprising(novelty: float) -> Correction:
    """The re-ranking of `recsys.recommend.rerank`, for all users at once."""

    def corrected(fold: Fold, scores: np.ndarray) -> np.ndarray:
        pool = np.argpartition(-scores, POOL, axis=1)[:, :POOL]
        rarity = -np.log2(np.maximum(fold.n_ratings, 1))[pool]
        relevance = [
            (of_pool - of_pool.mean(axis=1, keepdims=True)) / of_pool.std(axis=1, keepdims=True)
            for of_pool in (np.take_along_axis(scores, pool, axis=1), rarity)
        ]
        result = np.full_like(scores, -np.inf)
        np.put_along_axis(result, pool, (1 - novelty) * relevance[0] + novelty * relevance[1], axis=1)
        return result

    return corrected


CORRECTIONS: dict[str, dict[str, Correction]] = {
    "log-popularity": {f"β = {beta:g}": less_popular(beta) for beta in (-0.4, -0.2, 0.1, 0.2, 0.4, 0.8)},
    "length of the item vector": {f"η = {eta:g}": shorter(eta) for eta in (-0.2, 0.1, 0.2, 0.4, 0.7, 1)},
    "novelty in the app": {f"ν = {nu:g}": surprising(nu) for nu in (0.1, 0.2, 0.3, 0.5)},
}
NONE = "no correction"
WHAT = ("ndcg", "harm", "head", "tail")


def measured(data: Dataset, popularity: bool) -> dict[str, pd.DataFrame]:
    """By variant (with `popularity`: by correction), one row per user: the measures in `WHAT` at each number of ratings
    and their means, and the user's half."""
    rng = np.random.default_rng(7)
    counts = np.diff(data.interactions.matrix.indptr)
    enough = rng.permutation(np.flatnonzero(counts >= max(FEW) + LEAST_HIDDEN))
    tables: dict[str, list[pd.DataFrame]] = {}
    for left_out in np.array_split(enough, FOLDS):
        fold = Fold(data, left_out, rng)
        half = np.arange(len(left_out)) % 2
        if popularity:
            scores = {n: fold.scores(of_visitors(fold, n)) for n in FEWEST}
            every = {NONE: lambda fold, scores: scores} | {
                k: v for some in CORRECTIONS.values() for k, v in some.items()
            }
            made = {
                name: {n: fold.measure(correct(fold, scores[n])) for n in FEWEST} for name, correct in every.items()
            }
        else:
            made = {name: {n: fold.measure(fold.scores(make(fold, n))) for n in FEW} for name, make in VARIANTS.items()}
        for name, found in made.items():
            columns = {f"{what} from {n}": values[at] for n, values in found.items() for at, what in enumerate(WHAT)}
            columns |= {what: np.mean([row[at] for row in found.values()], axis=0) for at, what in enumerate(WHAT)}
            tables.setdefault(name, []).append(pd.DataFrame(columns | {"half": half}))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}


def section(named: str, tables: dict[str, pd.DataFrame], popularity: bool) -> list[str]:
    """The tables of both halves."""
    shown = WHAT if popularity else WHAT[:2]
    known = FEWEST if popularity else FEW
    names = {
        "ndcg": "nDCG@10", "harm": "harm@10", "head": "share of the best-known third", "tail": "share of the tail",
    }  # fmt: skip
    numbers = " / ".join(map(str, known))
    first = next(iter(tables))
    lines = []
    for half, title in enumerate(HALVES):
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
                cells.append(" / ".join(f"{table[f'{what} from {n}'].mean():.4f}" for n in known))
                cells.append(_signed(difference[what]) if name != first else "–")
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return lines


def draw(found: dict[str, dict[str, pd.DataFrame]], picture: Path) -> None:
    """The curves of nDCG against the share of the tail, means over the numbers of ratings, for the test half."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot, ticker

    size = (4.5 * len(found), 4)
    figure, grid = pyplot.subplots(1, len(found), figsize=size, layout="constrained", squeeze=False)
    for axes, (name, tables) in zip(grid[0], found.items(), strict=True):
        means = {at: table.loc[table["half"] == 1, ["tail", "ndcg"]].mean() for at, table in tables.items()}
        for style, (correction, variants) in zip("os^", CORRECTIONS.items(), strict=True):
            curve = sorted((means[at]["tail"], means[at]["ndcg"]) for at in (NONE, *variants))
            axes.plot(*np.array(curve).T, f"{style}-", label=correction, markersize=4, linewidth=1)
        axes.plot(*means[NONE], "ko", label=NONE)
        axes.set_title(name, loc="left")
        axes.set_xlabel("share of the list in the long tail")
        axes.xaxis.set_major_formatter(ticker.PercentFormatter(1))
        axes.spines[["top", "right"]].set_visible(False)
    grid[0][0].set_ylabel("nDCG@10 from 3, 5, 10 ratings")
    grid[0][0].legend(frameon=False)
    figure.savefig(picture, dpi=110)


def _signed(value: Interval) -> str:
    mark = "**" if value.sign else ""
    return f"{mark}{value.mean:+.4f}{mark} ({value.low:+.4f} … {value.high:+.4f})"


HEADINGS = ("## Visitors: what low ratings are worth", "## Visitors: popularity against quality")
EXPLANATIONS = (
    "nDCG@10 of movies rated in the top quarter of the scale (4 stars or more) and harm@10, the share of the list that "
    "was rated in its lowest third (2 or less), for users of whom 3, 5, 10, 20 ratings are known; `ials` with default "
    "settings, trained without them (`python benchmarks/visitors.py`). Bold: the 95 % interval of the difference over "
    "the same users excludes 0.",
    "Corrections of the scores of the visitors of `ials` who have given 3, 5 or 10 ratings. β: minus β · log(1 + "
    "ratings of the movie), in standard deviations of the scores; still a dot product, with a bias. η: item vectors "
    "divided by their length to the power η. ν: *Novelty* under *Surprise* in the app. The tail is outside the "
    "most-rated movies that have 80 % of all ratings (`tail@k` of `recsys evaluate`); the best-known third are the "
    "most-rated that have a third. Other terms as in the section on low ratings, chart in `docs/tail.png` "
    "(`python benchmarks/visitors.py --popularity`).",
)


def main() -> None:
    """Measure on the datasets and replace the section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", help="names of datasets, or folders with their files")
    parser.add_argument("--popularity", action="store_true", help="measure a correction for popularity")
    chosen = parser.parse_args()
    lines = [HEADINGS[chosen.popularity], "", EXPLANATIONS[chosen.popularity], ""]
    found = {}
    try:
        for name in chosen.data:
            folder = Path(name)
            data = prepared(name, folder if folder.is_dir() else None)
            found[folder.name] = measured(data, chosen.popularity)
            lines += section(folder.name, found[folder.name], chosen.popularity)
    except RecsysError as error:
        sys.exit(f"visitors.py: {error}")
    if chosen.popularity:
        draw(found, Path(__file__).parent.parent / "docs" / "tail.png")
    write_section(lines)


if __name__ == "__main__":
    main()
