"""Ranking quality of our models and of other libraries on public protocols: `make bench` writes RESULTS.md.

Every model is tuned with the same number of trials on a validation part of the training data, retrained on all training
data with the best settings, and evaluated once on the test part; "default" is the same without tuning, which is all
that is measured of `vae`: it takes minutes to train. Of the blend of three the weights alone are tuned. "ahead" and
"behind" mean that the 95 % interval of the difference from the first model over the same users excludes 0.

    python benchmarks/quality.py ml-100k       the protocol of the `recommenders` package, cross-checked with its metric
    python benchmarks/quality.py ml-1m         strong generalization: new users, half of whose ratings are known
    python benchmarks/quality.py dimensions    quality as a function of the number of factors
    python benchmarks/quality.py compression   what passes through vectors of few numbers, for PCA, ials and vae
    python benchmarks/quality.py ml-20m        Liang et al. 2018; needs MovieLens 20M, downloaded on first use
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from results import prepared, section, write_section

from recsys import ingest
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut, hold_out
from recsys.dataset.weighting import Weighting
from recsys.errors import RecsysError
from recsys.evaluation.compression import BOTTLENECK_VAE, compression
from recsys.evaluation.interval import intervals, paired
from recsys.evaluation.ranking import Ranking, rank_quality
from recsys.evaluation.tune import tune
from recsys.models import ALS, BPR, EASE, IALS, VAE, Blend, ItemKNN, Learner, Popular, with_settings
from recsys.models.blend import Training

THREADS = os.cpu_count() or 1
DIMENSIONS = (1, 2, 4, 8, 16, 32, 64, 128)
BLEND = "recsys `blend` of `ials`, `vae`, `bpr`"
DIFFERENCES = "minus the first model, same users | the tuned blend minus this"
Contender = tuple[str, type[Any], dict[str, Any]]
"""Display name, learner, fixed settings."""


def compete(
    contenders: list[Contender],
    validations: list[HoldOut],
    test: HoldOut,
    catalog: Catalog,
    metrics: list[str],
    trials: int,
    chosen: dict[str, dict[str, Any]],
    best: str,
) -> list[str]:
    """A table row per contender, default and tuned: the metrics (the first with its interval), the mean difference from
    the first contender over the same users with its interval, that of the best contender from it, the settings.

    chosen  settings of an earlier search by display name, which is then not repeated
    best    name of the contender to compare with all; it is compared, as the first one is, as tuned
    """
    measured: list[tuple[str, str, Learner, Ranking]] = []
    training = Training(Dataset(test.train, catalog), Weighting())
    at = tuple(sorted({int(metric.partition("@")[2]) for metric in metrics}))
    for name, learner, fixed in contenders:
        variants = [("default", with_settings(learner, fixed))]
        if name in chosen:
            variants.append(("tuned", with_settings(learner, chosen[name])))
        elif trials and learner is not VAE and learner.search_space(fixed):
            found = tune(
                learner, validations, catalog, metric=metrics[0], n_trials=trials, fixed=fixed, n_threads=THREADS
            )
            rounded = {k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in found.params.items()}
            variants.append(("tuned", with_settings(learner, rounded)))
        for kind, made in variants:
            model = training.fit(made)
            measured.append((name, kind, made, rank_quality(model, test, at, auc=False, n_threads=THREADS)))
            print(f"{name}, {kind}: {measured[-1][3][metrics[0]]:.4f}", file=sys.stderr, flush=True)
    final = {name: quality for name, _, _, quality in measured}
    first, last = final[measured[0][0]], final[best]

    def lead(quality: Ranking, other: Ranking) -> str:
        if quality is other:
            return "–"
        mean = intervals(paired(quality.metrics, other.metrics, quality.seed))[metrics[0]]
        word = {1: "**ahead**", -1: "behind", 0: "not shown"}[mean.sign]
        return f"{mean.mean:+.4f} ({mean.low:+.4f} … {mean.high:+.4f}) {word}"

    rows = []
    for name, kind, made, quality in measured:
        cells = [intervals(quality.summary)[metrics[0]], lead(quality, first), lead(last, quality)]
        cells += [f"{quality[metric]:.4f}" for metric in metrics[1:]]
        rows.append(f"| {name} | {kind} | {' | '.join(map(str, cells))} | {_changed(made)} |")
    return rows


def _changed(made: Learner) -> str:
    """The settings that are not the defaults, such as "n_factors 128, alpha0 0.163"."""
    default = type(made)()
    settings = {name: value for name, value in dataclasses.asdict(made).items() if value != getattr(default, name)}
    return ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in settings.items())


def chosen_before(heading: str, contenders: list[Contender]) -> dict[str, dict[str, Any]]:
    """The settings in the rows "tuned" of a section of RESULTS.md, by display name."""
    learners = {name: learner for name, learner, _ in contenders}
    found: dict[str, dict[str, Any]] = {}
    for line in section(heading):
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) > 1 and cells[0] in learners and cells[1] == "tuned":
            found[cells[0]] = dict(setting.split(" ", 1) for setting in cells[-1].split(", ") if setting)
    return found


def ml_100k(trials: int, again: bool) -> list[str]:
    """`python_stratified_split(ratio=0.75, filter_by="item", seed=42)` of recommenders; all ratings are positive."""
    from peers import ImplicitBPR, IrspackIALS
    from recommenders.datasets.python_splitters import python_stratified_split
    from recommenders.evaluation.python_evaluation import ndcg_at_k

    data = ingest.prepare_ratings(
        ingest.find_source(ingest.fetch("ml-100k")), validation=ingest.Validation(scale=(1.0, 5.0))
    )
    matrix = data.interactions.matrix.tocoo()
    everything = pd.DataFrame({"row": matrix.row, "column": matrix.col, "rating": matrix.data})
    everything = _in_published_order(everything, data.interactions)

    def split(frame: pd.DataFrame, ratio: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        names = {"col_user": "row", "col_item": "column"}
        frame = frame[["row", "column", "rating"]].copy()
        return python_stratified_split(frame, ratio=ratio, filter_by="item", seed=seed, **names)  # type: ignore[no-any-return]

    def held(train: pd.DataFrame, test: pd.DataFrame) -> HoldOut:
        known = Interactions(_csr(train, matrix.shape), data.interactions.user_ids, data.interactions.item_ids)
        return HoldOut(known, known, _csr(test, matrix.shape))

    train, test = split(everything, 0.75, 42)
    # A small validation part leaves nearly as much training data as the final run has.
    validations = [held(*split(train, 0.9, seed)) for seed in (42, 43, 44)]
    test_split = held(train, test)
    # γ of vae: of .005, .01, .02, .03, .05 the best on the first validation part. Few users need more regularization.
    parts = {"parts": "ials.n_factors=128 vae.gamma=0.02"}
    contenders: list[Contender] = [
        ("recsys `ials`", IALS, {"n_factors": 128}),
        ("recsys `als` (implicit's kernel)", ALS, {}),
        ("recsys `ease`", EASE, {}),
        ("recsys `itemknn`", ItemKNN, {}),
        ("recsys `popular`", Popular, {}),
        ("recsys `blend` of `ials`, `vae`", Blend, {"of": "ials,vae", "weights": "1,1", **parts}),
        (BLEND, Blend, {"of": "ials,vae,bpr", **parts}),
        ("recsys `vae`", VAE, {"gamma": 0.02}),
        ("irspack iALS", IrspackIALS, {"n_factors": 128}),
        ("recsys `bpr`", BPR, {}),
        ("implicit BPR", ImplicitBPR, {}),
    ]
    heading = "## ML-100K, the protocol of the `recommenders` package"
    chosen = chosen_before(heading, contenders) if again else {}
    metrics = ["ndcg@10", "map@10", "recall_all@10"]
    rows = compete(contenders, validations, test_split, data.catalog, metrics, trials, chosen, BLEND)
    model = IALS().fit(Dataset(test_split.train, data.catalog))
    ours = rank_quality(model, test_split, auc=False)
    listed = _lists(model, test_split)
    theirs = ndcg_at_k(
        test, listed, k=10, col_user="row", col_item="column", col_rating="rating", col_prediction="score"
    )
    n = len(ours.users) / test["row"].nunique()
    return [
        heading,
        "",
        f"75 % of each item's ratings are used for training, the rest is held out; {trials} trials per model on three "
        "random tenths of the training part. nDCG@10 with its 95 % interval over users. Published by that package: "
        "BiVAE .4751, BPR .4420, LightGCN .4176. For `ials` with default settings (64 factors), the package computes "
        f"an nDCG@10 of {theirs:.6f}, we compute {ours['ndcg@10'] * n:.6f}.",
        "",
        f"| model | settings | nDCG@10 | {DIFFERENCES} | MAP@10 | recall@10 | chosen |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def _in_published_order(frame: pd.DataFrame, data: Interactions) -> pd.DataFrame:
    """Rows in the order of the published file, because that split samples by position."""
    raw = ingest.find_source(ingest.fetch("ml-100k")).ratings
    pairs = pd.read_csv(raw, sep="\t", header=0 if raw.suffix == ".inter" else None).iloc[:, :2]
    pairs.columns = pd.Index(["user", "item"])
    order = pd.DataFrame(
        {"row": data.user_rows(pairs["user"].to_numpy()), "column": data.item_rows(pairs["item"].to_numpy())}
    )
    return order.merge(frame, on=["row", "column"], how="left", validate="one_to_one")


def _csr(frame: pd.DataFrame, shape: tuple[int, int]) -> sp.csr_matrix:
    return sp.csr_matrix((frame["rating"].astype("f4"), (frame["row"], frame["column"])), shape=shape)


def _lists(model: Any, split: HoldOut) -> pd.DataFrame:
    """The ten best items of every user, in the format of that package."""
    from recsys.recommend.topn import batch_of_users, recommend

    table = recommend(model, batch_of_users(model, split.known), 10)
    return pd.DataFrame(
        {
            "row": split.known.user_rows(table["user_id"].to_numpy()),
            "column": split.known.item_rows(table["item_id"].to_numpy()),
            "score": table["score"],
        }
    )


def ml_1m(trials: int, again: bool) -> list[str]:
    """Strong generalization: a fifth of the users is new, and half of their ratings are known."""
    from peers import IrspackIALS, IrspackRP3beta, IrspackSLIM

    data = prepared("ml-1m")
    test = hold_out(data.interactions, "new-users")
    validation = hold_out(data.interactions, "new-users", part="validation")
    parts = {"parts": "ials.n_factors=128"}
    contenders: list[Contender] = [
        ("recsys `ials`", IALS, {"n_factors": 128}),
        ("recsys `als` (implicit's kernel)", ALS, {}),
        ("recsys `ease`", EASE, {}),
        ("recsys `itemknn`", ItemKNN, {}),
        ("recsys `popular`", Popular, {}),
        ("recsys `blend` of `ials`, `vae`", Blend, {"of": "ials,vae", "weights": "1,1", **parts}),
        (BLEND, Blend, {"of": "ials,vae,bpr", **parts}),
        ("recsys `vae`", VAE, {}),
        ("irspack iALS", IrspackIALS, {"n_factors": 128}),
        ("irspack SLIM", IrspackSLIM, {}),
        ("irspack RP3beta", IrspackRP3beta, {}),
    ]
    heading = "## ML-1M, strong generalization"
    chosen = chosen_before(heading, contenders) if again else {}
    metrics = ["ndcg@20", "ndcg@10", "recall@20"]
    rows = compete(contenders, [validation], test, data.catalog, metrics, trials, chosen, BLEND)
    return [
        heading,
        "",
        f"{test.known.n_users:,} users are excluded from training; half of each one's ratings is known, the rest held "
        f"out; {trials} trials per model, evaluated on other users than the test. All ratings count as positive.",
        "",
        f"| model | settings | nDCG@20 | {DIFFERENCES} | nDCG@10 | recall@20 | chosen |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def dimensions(picture: Path) -> list[str]:
    """nDCG@10 by number of factors, other settings at their defaults, with intervals: a table and a chart."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    rows = []
    for at, (name, data) in enumerate((("ML-100K", prepared("ml-100k")), ("ML-1M", prepared("ml-1m")))):
        split = hold_out(data.interactions, "random")
        for style, label, learner in (("o-", "ials", IALS), ("s--", "als", ALS)):
            curve = []
            for d in DIMENSIONS:
                model = learner(n_factors=d).fit(Dataset(split.train, data.catalog))
                summary = rank_quality(model, split, auc=False, n_threads=THREADS).summary.set_index("metric")
                curve.append(summary.loc["ndcg@10", ["mean", "low", "high"]].to_numpy(float))
            mean, low, high = np.array(curve).T
            axes.plot(
                DIMENSIONS, mean, style, color=f"C{at}", label=f"{name}, {label}", alpha=1 if label == "ials" else 0.6
            )
            axes.fill_between(
                DIMENSIONS, low, high, color=f"C{at}", alpha=0.12 if label == "ials" else 0.05, linewidth=0
            )
            rows.append(f"| {name} | `{label}` | {' | '.join(f'{value:.4f}' for value in mean)} |")
            print(rows[-1], file=sys.stderr, flush=True)
    axes.set_xscale("log", base=2)
    axes.set_xticks(DIMENSIONS, [str(d) for d in DIMENSIONS])
    axes.set_xlabel("dimensions")
    axes.set_ylabel("nDCG@10 on held-out ratings")
    axes.set_title("Gain from each added dimension", loc="left")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    picture.parent.mkdir(exist_ok=True)
    figure.savefig(picture, dpi=150)
    return [
        "## Gain from each added dimension",
        "",
        "nDCG@10, protocol `random` (a fifth of each user's ratings held out), default settings. The chart is "
        "`docs/ndcg-by-dimension.png`.",
        "",
        f"| data | model | {' | '.join(f'd = {d}' for d in DIMENSIONS)} |",
        f"|---|---|{'---|' * len(DIMENSIONS)}",
        *rows,
    ]


def bottlenecks() -> list[str]:
    """Perplexity and nDCG of new users by number of dimensions, of PCA, ials and vae."""
    data = prepared("ml-100k")
    started = time.perf_counter()
    found = compression(IALS().fit(data), data.interactions, n_threads=THREADS)
    seconds = time.perf_counter() - started
    vae = ", ".join(f"{name} {value}" for name, value in BOTTLENECK_VAE.items())
    lines = [
        "## Lossy compression: what passes through d numbers",
        "",
        f"ML-100K; {found.users} new users, half of whose ratings are encoded into d numbers. Perplexity of the "
        "encoded ratings (what is lost), of the other ratings, and nDCG@10 of the latter with its 95 % interval; "
        f"see `recsys/evaluation/compression.py`. Test part, default settings; `vae`: {vae}, chosen on the "
        f"validation part at d = 32. {seconds:.0f} s in all. `python benchmarks/quality.py compression`",
        "",
        "| model | d | perplexity, encoded | perplexity, other | nDCG@10 |",
        "|---|---|---|---|---|",
    ]
    for row in found.to_frame().itertuples(index=False):
        ndcg = f"{row.ndcg:.4f} ({row.ndcg_low:.4f} … {row.ndcg_high:.4f})"
        lines.append(f"| `{row.model}` | {row.n_factors} | {row.known:.0f} | {row.other:.0f} | {ndcg} |")
    return lines


def liang(data: Dataset, n_held: int, seed: int = 98765) -> tuple[HoldOut, HoldOut]:
    """The split of Liang et al. 2018, "Variational Autoencoders for Collaborative Filtering": (validation, test).

    Ratings above 3.5, users with at least five of them; `n_held` users per part are excluded from training, and a
    fifth of their items is held out. Items that do not occur in training are excluded.
    """
    liked = data.interactions.select(data.interactions.matrix.data > 3.5).matrix
    liked = liked[np.diff(liked.indptr) >= 5]
    if 2 * n_held >= liked.shape[0]:
        raise RecsysError(f"{2 * n_held:,} users are to be held out, but only {liked.shape[0]:,} like five movies")
    rng = np.random.default_rng(seed)
    users = rng.permutation(liked.shape[0])
    seen = np.flatnonzero(liked[users[2 * n_held :]].getnnz(axis=0))
    items = data.interactions.item_ids[seen]
    liked = liked[:, seen]
    train = Interactions(liked[users[2 * n_held :]], np.sort(users[2 * n_held :]), items)
    parts = []
    for rows in (users[:n_held], users[n_held : 2 * n_held]):
        held = liked[rows].tocsr()
        counts = np.diff(held.indptr)
        order = np.lexsort((rng.random(held.nnz), np.repeat(np.arange(len(rows)), counts)))
        place = np.arange(held.nnz) - np.repeat(np.cumsum(counts) - counts, counts)
        hidden = np.zeros(held.nnz, dtype=bool)
        hidden[order] = place < np.repeat(np.where(counts >= 5, np.floor(0.2 * counts), 0), counts)
        whole = Interactions(held, rows, items)
        parts.append(HoldOut(train, whole.select(~hidden), whole.select(hidden).matrix))
    return parts[0], parts[1]


def ml_20m(name: str, n_held: int, trials: int) -> list[str]:
    """The protocol of the Mult-VAE and EASE papers, on dataset `name`."""
    data = prepared(name)
    validation, test = liang(data, n_held)
    catalog = data.catalog.take(test.train.item_ids)
    contenders: list[Contender] = [("recsys `ials`", IALS, {"n_factors": 256})]
    if test.train.n_items <= 25_000:
        contenders.append(("recsys `ease`", EASE, {}))
    metrics, (best, *_) = ["ndcg@100", "recall@20", "recall@50"], contenders[0]
    rows = compete(contenders, [validation], test, catalog, metrics, trials, {}, best)
    return [
        f"## {name}, Liang et al. 2018",
        "",
        f"{n_held:,} + {n_held:,} users are excluded from training and a fifth of their liked movies is held out; "
        f"training data: {test.train.n_users:,} users × {test.train.n_items:,} movies. Published for ML-20M, R@20 / "
        "R@50 / nDCG@100: EASE .391/.521/.420, Mult-VAE .395/.537/.426, RecVAE .414/.553/.442.",
        "",
        f"| model | settings | nDCG@100 | {DIFFERENCES} | recall@20 | recall@50 | chosen |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ]


def main() -> None:
    """Run one protocol and replace its section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocol", choices=("ml-100k", "ml-1m", "dimensions", "compression", "ml-20m"))
    parser.add_argument("--trials", type=int, default=40, help="tuning trials per model")
    parser.add_argument(
        "--again",
        action="store_true",
        help="take the settings of a search with so many trials from RESULTS.md instead of searching (ml-100k, ml-1m)",
    )
    parser.add_argument("--held", type=int, default=10_000, help="users per part in ml-20m")
    parser.add_argument("--data", default="ml-20m", help="dataset for the protocol of ml-20m")
    chosen = parser.parse_args()
    try:
        if chosen.protocol == "ml-100k":
            lines = ml_100k(chosen.trials, chosen.again)
        elif chosen.protocol == "ml-1m":
            lines = ml_1m(chosen.trials, chosen.again)
        elif chosen.protocol == "dimensions":
            lines = dimensions(Path(__file__).parents[1] / "docs" / "ndcg-by-dimension.png")
        elif chosen.protocol == "compression":
            lines = bottlenecks()
        else:
            lines = ml_20m(chosen.data, chosen.held, chosen.trials)
    except RecsysError as error:
        sys.exit(f"quality.py: {error}")
    write_section(lines)


if __name__ == "__main__":
    main()
