"""What leaving out a visitor's low ratings is worth, in models that know no ratings against a movie.

    python benchmarks/low_stars.py ml-100k /path/to/ml-latest-small      names of datasets, or folders with their files

New users of whom 3, 5, 10, 20 ratings are known. A known rating that is further below the user's mean than a threshold
(`recsys.models.fitted.DISLIKED`) is left out. The validation part is for choosing the threshold, the test part for
measuring what was chosen.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args
from unittest import mock

import pandas as pd
from results import prepared, write_section

from recsys.dataset.dataset import Dataset
from recsys.dataset.split import Part, few_known
from recsys.errors import RecsysError
from recsys.evaluation.few_ratings import rank_from_few
from recsys.evaluation.interval import Interval, bootstrap, intervals, paired
from recsys.models import ALS, BPR, VAE, Learner, Model, fitted

LEARNERS: tuple[Learner, ...] = (ALS(), BPR(), VAE(gamma=0.02))
THRESHOLDS = (-0.3, fitted.DISLIKED, -0.1, 0.0)


def of_users(model: Model, split: object, threshold: float) -> pd.DataFrame:
    """nDCG@10 and harm@10 of each user, means over the numbers of known ratings."""
    with mock.patch.object(fitted, "DISLIKED", threshold):
        table = rank_from_few(model, split)  # type: ignore[arg-type]
    return pd.DataFrame({name: table.filter(like=name).mean(axis=1, skipna=False) for name in ("ndcg", "harm")})


def rows(data: Dataset, part: Part) -> list[str]:
    """The rows of one part of a dataset."""
    split = few_known(data.interactions, part=part)
    lines = []
    for learner in LEARNERS:
        model = learner.fit(Dataset(split.train, data.catalog))
        every = of_users(model, split, float("-inf"))
        means = intervals(bootstrap(every))
        lines.append(f"| {part} | `{learner.name}` | none | {means['ndcg'].mean:.4f} | {means['harm'].mean:.4f} |")
        for threshold in THRESHOLDS:
            leads = intervals(paired(of_users(model, split, threshold), every))
            cells = " | ".join(_signed(leads[name]) for name in ("ndcg", "harm"))
            lines.append(f"| {part} | `{learner.name}` | below {threshold:g} | {cells} |")
        print("\n".join(lines[-1 - len(THRESHOLDS) :]), file=sys.stderr, flush=True)
    return lines


def _signed(value: Interval) -> str:
    mark = "**" if value.sign else ""
    return f"{mark}{value.mean:+.4f}{mark} ({value.low:+.4f} … {value.high:+.4f})"


def main() -> None:
    """Measure on the datasets and replace the section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    lines = [
        "## Visitors: low ratings left out",
        "",
        "In models that know no ratings against a movie: nDCG@10 and harm@10 (see the section on low ratings), means "
        "over 3, 5, 10 and 20 known ratings of new users, and what leaving out low ratings changes: those further "
        "below the user's mean than a threshold, in mean weights. Models have default settings, `vae` γ .02. "
        f"{fitted.DISLIKED:g} was chosen on the validation part of ML-100K. Bold: the 95 % interval over the "
        "same users excludes 0. `python benchmarks/low_stars.py`",
    ]
    try:
        for name in parser.parse_args().data:
            folder = Path(name)
            data = prepared(name, folder if folder.is_dir() else None)
            lines += ["", folder.name, "", "| part | model | left out | nDCG@10 | harm@10 |", "|---|---|---|---|---|"]
            for part in get_args(Part)[::-1]:
                lines += rows(data, part)
    except RecsysError as error:
        sys.exit(f"low_stars.py: {error}")
    write_section(lines)


if __name__ == "__main__":
    main()
