"""Wrong use and bad input: one line on stderr, exit status 2, and nothing is written."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.run import complaint, recsys

WRONG = [
    ("frobnicate", "No such command 'frobnicate'"),
    ("train --data data --out x --nope", "No such option"),
    ("train --data data", "Missing option '--out'"),
    ("train --data nowhere --out x", "nowhere: is not prepared data"),
    ("train --data data --out x --model magic", "unknown model 'magic'; known are"),
    ("train --data data --out x --set depth=3", "ials has no setting 'depth'"),
    ("train --data data --out x --set n_factors=0", "n_factors must be between 1 and 4096, not 0"),
    ("train --data data --out x --factors many", "'--factors'"),
    ("train --data data --out x --weighting gut", "unknown weighting 'gut'"),
    ("train --data data --out x --min-rating 9", "no ratings of 9 or more"),
    ("train --data data --out x --params ratings.csv", "ratings.csv: is not valid JSON"),
    ("train --data data --out x --validate guess", "--validate 'guess' is not one of"),
    ("train --data data --out x --validate random --model ease", "has no setting epochs"),
    ("evaluate --data nowhere", "nowhere: is not prepared data"),
    ("evaluate --data data --protocol luck", "--protocol 'luck' is not one of leave-last-out"),
    ("evaluate --data data --part rest", "--part 'rest' is not one of test, validation"),
    ("evaluate --data data --model magic", "unknown model 'magic'"),
    ("evaluate --data data -k 0", "'-k'"),
    ("evaluate --data data --model als --model bpr --set seed=1", "one by one"),
    ("tune --data data --out model", "model: is a folder"),
    ('tune --data data --out x.json --metric "joy@3"', "unknown metric 'joy@3': use auc or"),
    ("tune --data data --out x.json --model popular", "'popular' has nothing to tune"),
    ("tune --data data --out x.json --set nope=3", "ials has no setting 'nope'"),
    ("train --data data --out data", "data: is an input, which would be overwritten"),
    ("prepare nowhere.csv --out x", "nowhere.csv: no such file or folder"),
    ("prepare ratings.csv --out x --user-col who", "there is no column 'who'"),
    ("prepare ratings.csv --out x --scale 5", "is not MIN:MAX"),
    ("prepare ratings.csv --out x --scale 5:1", "MIN must be below MAX"),
    ("prepare ratings.csv --out x --items none.csv", "none.csv: no such file of items"),
    ("prepare ratings.csv --out model", "model: contains a model and will not be replaced"),
    ("prepare ratings.csv --out x --min-user 99", "no rows are left"),
    ("fetch ml-200k", "unknown dataset 'ml-200k'; did you mean ml-100k?"),
    ("recommend --model data --data data --out x.parquet", "data: is not a model"),
    ("recommend --model model --data data", "give one of --out FILE"),
    ('recommend --model model --user u1 --rate "Film 3=5"', "give one of --out FILE"),
    ("recommend --model model --user u1", "--data is missing"),
    ("recommend --model model --out x.parquet --why", "--why does not apply to --out, only to"),
    ("recommend --model model --out x.parquet --steer old=1", "--steer does not apply to --out"),
    ("recommend --model model --user u1 --resume", "--resume does not apply to --user, only to --out"),
    ("recommend --model model --user u1 --users u.txt", "--users does not apply to --user"),
    ("recommend --model model --user u1 --threads 2", "--threads does not apply to --user"),
    ('recommend --model model --rate "Film 3=5" --resume', "--resume does not apply to --rate"),
    ('recommend --model model --rate "Film 3=5" --users u.txt', "--users does not apply to --rate"),
    ('recommend --model model --rate "Film 3=5" --threads 2', "--threads does not apply to --rate"),
    ('recommend --model model --rate "Film 3=5" --data data', "--data does not apply to --rate"),
    ('recommend --model model --rate "Film 3=5" --include-seen', "--include-seen does not apply"),
    ('recommend --model model --rate "Film 3=5" --exclude-seen', "--exclude-seen does not apply"),
    ('recommend --model model --rate "Film 3=5" --rate "FILM 3 (1963)=1"', "'Film 3' and 'FILM 3 (1963)'"),
    ("recommend --model model --rate =5", 'is not "Title=stars"'),
    ("recommend --model model --out x.parquet", "--data is missing"),
    ("recommend --model model --data data --out x.parquet -k 0", "'-k'"),
    ("recommend --model model --data data --out data", "data: is a folder"),
    ("recommend --model model --data data --user ghost", "unknown user id: 'ghost'"),
    ("recommend --model model --data data --out x.parquet --users no.txt", "no.txt"),
    ("recommend --model model --data data --out x.parquet --users items.csv", "not in"),
    ('recommend --model model --rate "Film 3"', 'is not "Title=stars"'),
    ('recommend --model model --rate "Flim 3=5"', "did you mean"),
    ('similar "Flim 33" --model model', "no movie is called 'Flim 33'; did you mean"),
    ('similar "Film 3" --model model --metric taxi', "--metric 'taxi' is not one of"),
    ("map --model model --method globe", "--method 'globe' is not one of pca, tsne"),
    ("app --port http", "'--port'"),
    ("app --port 99999", "'--port'"),
    ("clusters --model model --seed 4294967296", "'--seed'"),
    ("train --data data --out x --seed 1180591620717411303424", "'--seed'"),
    ("train --data data --out x --set seed=4294967296", "seed must be between 0 and 4294967295, not 4294967296"),
    ("train --data data --out x --model als --set alpha=1e308", "alpha must be between 0 and 1e+09, not 1e+308"),
    ("train --data data --out x --min-rating -inf", "-inf is not a finite number"),
    ("prepare ratings.csv --out x --scale -inf:inf", "is not MIN:MAX"),
    ("report --model model --data data --seeds 1180591620717411303424", "'--seeds'"),
    ("report --model model --data data --out ''", "'--out': is empty"),
    ("report --model model --data data --dimensions 1,99999", "a list of whole numbers up to 4096"),
    ("evaluate --data data -k 1000000000", "'-k'"),
    ("tune --data data --out x.json --min-rating 99", "there are no ratings of 99 or more to train on"),
    ("tune --data data --out x.json --minutes nan", "'--minutes'"),
    ("tune --data data --out ratings.csv/t.json", "ratings.csv"),
    ("tune --data data --out .", "is a folder"),
    (f"train --data data --out {'n' * 300}", "File name too long"),
    (
        "recommend --model model --data data --user 99999999999999999999999999",
        "unknown user id: '9999999999999999999999",
    ),
    ("recommend --model model --data ~no-such-user --user u1", "home directory"),
]


@pytest.mark.parametrize(("command", "words"), WRONG)
def test_wrong_use_gets_one_line_and_status_2_and_writes_nothing(work: Path, command: str, words: str) -> None:
    before = sorted(path.relative_to(work) for path in work.rglob("*"))
    assert words in complaint(recsys(*shlex.split(command), cwd=work))
    assert sorted(path.relative_to(work) for path in work.rglob("*")) == before
