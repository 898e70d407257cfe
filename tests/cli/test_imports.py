"""Commands load the libraries that they use, and no others: a short command must not wait for a compiler."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import recsys
from recsys import store

SCRIPT = (
    "import json, sys\n"
    "from recsys.cli.main import main\n"
    "try: main(json.loads(sys.argv[1]))\n"
    "except SystemExit as end: assert not end.code, end.code\n"
    "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
)
LEARNING = {"sklearn", "implicit", "optuna", "openTSNE", "scipy.stats", "scipy.optimize"}
DISPLAY = {"plotly", "streamlit", "fastapi"}
COMPILER = {"numba", "llvmlite"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("imports")
    rows = [(user, item, 1 + (user * item) % 5) for user in range(12) for item in range(8) if (user + item) % 3]
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "rating"])
    frame.to_csv(folder / "ratings.csv", index=False)
    data = recsys.Dataset.from_frame(frame)
    store.save_prepared(folder / "p", data)
    recsys.IALS(n_factors=2, epochs=1).fit(data).with_data_path(folder / "p").save(folder / "m")
    return folder


@pytest.mark.parametrize(
    ("command", "unused"),
    [
        ("similar 3 --model m", LEARNING | DISPLAY | COMPILER),
        ("recommend --model m --data p --user 1 -k 2", LEARNING | DISPLAY | COMPILER),
        ("train --data p --out popular --model popular", LEARNING | DISPLAY | COMPILER),
        ("train --data p --out ials --set n_factors=2 --set epochs=1", LEARNING | DISPLAY),
        ("prepare ratings.csv --out prepared", LEARNING | DISPLAY),
    ],
)
def test_a_command_loads_no_library_that_it_does_not_use(command: str, unused: set[str], folders: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(command.split())], capture_output=True, text=True, cwd=folders
    )
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert sorted(unused & loaded) == []
