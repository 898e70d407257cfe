"""What the order of the ratings is worth: `sequence` beside models that do not know it, and with the order shuffled.

    python benchmarks/sequence.py ml-100k /path/to/ml-latest-small      names of datasets, or folders with their files

Protocol leave-last-out: the latest rating of each user is held out; all movies that the user has not rated are ranked.
With `--scratch FOLDER` the results of each model are kept there, and a run that was interrupted goes on.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from results import prepared, write_section

from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import HoldOut, hold_out
from recsys.errors import RecsysError
from recsys.evaluation.interval import bootstrap, intervals, paired
from recsys.evaluation.ranking import rank_quality
from recsys.models import EASE, IALS, ItemKNN, Learner, Popular, Sequence

GAP = 30 * 60
"""Seconds between two ratings of a user from which a new session begins."""
BASELINE = "ials"
METRICS = ("ndcg@10", "recall@10")

MODELS: dict[str, tuple[Learner, str]] = {
    "popular": (Popular(), "kept"),
    "itemknn": (ItemKNN(), "kept"),
    "ease": (EASE(), "kept"),
    BASELINE: (IALS(), "kept"),
    "sequence, gru4rec": (Sequence("gru4rec"), "kept"),
    "sequence, gru4rec, order shuffled within each session": (Sequence("gru4rec"), "sessions"),
    "sequence, gru4rec, order of all ratings shuffled": (Sequence("gru4rec"), "lost"),
}


def sessions_of(data: Interactions) -> tuple[np.ndarray, np.ndarray]:
    """Of each rating the second at which its session began, in the order of `matrix.data`; and the seconds since the
    rating before of the same user, oldest first, without the first ratings."""
    assert data.timestamps is not None
    order = data.oldest_first()
    times, counts = data.timestamps[order], np.diff(data.matrix.indptr)
    is_first = np.zeros(len(order), dtype=bool)
    is_first[(np.cumsum(counts) - counts)[counts > 0]] = True
    gaps = np.diff(times, prepend=0)
    starts = np.flatnonzero(is_first | (gaps >= GAP))
    begun = np.empty_like(times)
    begun[order] = np.repeat(times[starts], np.diff(starts, append=len(times)))
    return begun, gaps[~is_first]


def shuffled(split: HoldOut, order: str) -> HoldOut:
    """The same split with less known of the order of the known ratings: ratings of the same time are in random order.

    order  "kept", "sessions": ratings of a session get the same time; "lost": all ratings do
    """
    if order == "kept":
        return split
    data = split.train
    times = sessions_of(data)[0] if order == "sessions" else np.zeros(data.n_ratings, dtype=np.int64)
    train = Interactions(data.matrix, data.user_ids, data.item_ids, times)
    return HoldOut(train, train, split.truth)


def measure(data: Dataset, scratch: Path | None) -> dict[str, pd.DataFrame]:
    """The metrics of each user, by model."""
    split = hold_out(data.interactions, "leave-last-out")
    found = {}
    for name, (learner, order) in MODELS.items():
        file = None if scratch is None else scratch / f"{data.name}, {name}.parquet"
        if file is None or not file.is_file():
            changed = shuffled(split, order)
            model = learner.fit(Dataset(changed.train, data.catalog))
            table = rank_quality(model, changed, auc=False).metrics[list(METRICS)]
            print(data.name, name, table.mean().round(4).to_dict(), file=sys.stderr, flush=True)
            if file is not None:
                table.to_parquet(file)
        else:
            table = pd.read_parquet(file)
        found[name] = table
    return found


def lines_of(data: Dataset, found: dict[str, pd.DataFrame]) -> list[str]:
    """The table of one dataset."""
    ratings = data.interactions
    _, gaps = sessions_of(ratings)
    lines = [
        "",
        f"{data.name}, {ratings.n_users:,} users, {ratings.n_items:,} movies: {np.mean(gaps == 0):.0%} of the ratings "
        f"have the time of the user's rating before, {np.mean(gaps < 60):.0%} follow within a minute, "
        f"{np.mean(gaps < GAP):.0%} within {GAP // 60} minutes.",
        "",
        f"| model | nDCG@10 | recall@10 | nDCG@10 minus that of `{BASELINE}` | |",
        "|---|---|---|---|---|",
    ]
    for name, table in found.items():
        means = intervals(bootstrap(table))
        lead, verdict = "", ""
        if name != BASELINE:
            difference = intervals(paired(table, found[BASELINE]))["ndcg@10"]
            lead, verdict = f"{difference.mean:+.4f} ({difference.low:+.4f} … {difference.high:+.4f})", "level"
            if not difference.low <= 0 <= difference.high:
                verdict = "ahead" if difference.low > 0 else "behind"
        values = (f"{means[m].mean:.4f} ({means[m].low:.4f} … {means[m].high:.4f})" for m in METRICS)
        lines.append(f"| {name} | {' | '.join(values)} | {lead} | {verdict} |")
    return lines


def main() -> None:
    """Measure on each dataset and write the section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--scratch", type=Path)
    given = parser.parse_args()
    settings = dataclasses.asdict(Sequence())
    chosen = ", ".join(f"{name} {settings[name]}" for name in ("n_factors", "max_length", "dropout", "learning_rate"))
    lines = [
        "## The order of the ratings",
        "",
        "Protocol leave-last-out: the latest rating of each user is held out (of several of the same second one by a "
        "hash), and all movies are ranked that the user has not rated. All models have default settings; those of "
        f"`sequence` ({chosen}) were not tuned. Its training stops on the latest rating that is left. Intervals: 95 %. "
        "Ratings of the same second are in an order that tells nothing throughout. In the last rows the order of the "
        f"known ratings is shuffled within each session (a pause of {GAP // 60} minutes begins a new one), or that of "
        "all of them, in training and at the test. `python benchmarks/sequence.py "
        f"{' '.join(Path(name).name for name in given.data)}`",
    ]
    try:
        for name in given.data:
            path = Path(name)
            data = dataclasses.replace(prepared(path.name, path if path.is_dir() else None), name=path.name)
            lines += lines_of(data, measure(data, given.scratch))
    except RecsysError as error:
        sys.exit(f"error: {error}")
    write_section(lines)


if __name__ == "__main__":
    main()
