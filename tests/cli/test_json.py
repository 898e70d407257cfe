"""The keys of `--json`, which other programs read: all of them, in their order."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import recsys

PREPARE = "prepare ratings.csv --user-col user --item-col movie --rating-col stars --time-col when --out json-data"
LISTED = "rank title item_id score genres"

KEYS = {
    PREPARE: {
        "": "source read kept rejected duplicates reasons users items items_without_metadata items_described "
        "items_described_but_not_rated ratings_without_time settings data_fingerprint out",
        "settings": "scale min_user min_item",
    },
    "train --data data --out json-model --set epochs=2 --validate random": {
        "": "model hyperparameters confidence data out validation",
        "confidence": "min_rating weighting mean_weight",
        "data": "name path n_users n_items n_ratings",
        "validation": "epoch ndcg@10 objective",
    },
    "evaluate --data data --model popular": {
        "": "data protocol part seed k confidence train_ratings hidden_ratings best_known few_users trained seconds "
        "results",
        "results": "model hyperparameters seconds_to_train judged not_judged cold metrics lead_of_first from_few "
        "by_activity by_popularity",
    },
    "tune --data data --out json-params.json --trials 1 --set epochs=1": {
        "": "model protocol metric trials default best params out study",
    },
    "recommend --model model --data data --out json.parquet": {
        "": "out users rows k origin resumed_parts rejected_users",
    },
    "recommend --model model --data data --out json.parquet --users json-users.txt": {
        "": "out users rows k origin resumed_parts rejected_users rejected_file",
    },
    "recommend --model model --data data --user u1": {"": "user origin recommendations", "recommendations": LISTED},
    "recommend --model model --rate 'Film 1=5' --why": {
        "": "user origin recommendations",
        "recommendations": f"{LISTED} why",
    },
    "similar 'Film 1' --model model": {"": "title metric similar", "similar": "rank item_id similarity title"},
    "similar 'Film 1' --model model --metric all": {
        "": "title metric n_ratings length_popularity similar",
        "similar": "metric rank item_id similarity n_ratings title",
    },
    "analogy 'Film 1' 'Film 2' 'Film 3' --model model": {
        "": "analogy answers",
        "answers": "rank item_id title similarity",
    },
    "walk 'Film 1' 'Film 2' --model model": {"": "walk points", "points": "position rank item_id title similarity"},
    "walk u1 u2 --users --model model": {"": "walk points", "points": "position rank item_id title score"},
    "sample --model model -n 2": {"": "model prior seed viewers", "viewers": "leanings movies"},
    "compression --model model --data data --of pca --dimensions 2": {
        "": "fingerprint data seed users n_items popular curves",
        "popular": "n_factors known other ndcg@10",
        "curves": "model settings points",
    },
    "doctor --data data": {"": "problems findings", "findings": "section name found status remedy"},
    "map --model model --method pca": {"": "method axes not_in_space seed items fidelity out"},
}
"""For each command the keys of the result, and those of its parts."""


@pytest.mark.parametrize("command", KEYS)
def test_json_keeps_its_keys(work: Path, command: str) -> None:
    (work / "json-users.txt").write_text("u1\nstranger\n")
    done = recsys(*shlex.split(command), "--json", cwd=work)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    for name, keys in KEYS[command].items():
        part = result[name] if name else result
        assert " ".join(part[0] if isinstance(part, list) else part) == keys, name
