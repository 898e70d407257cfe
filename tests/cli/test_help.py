"""`--help`: complete, fast, and true to the library."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import get_args

import typer

from recsys.cli import facts
from recsys.cli.main import app
from recsys.dataset.split import Part, Protocol
from recsys.dataset.weighting import Weighting, WeightingScheme
from recsys.evaluation.report import DIMENSIONS, N_SEEDS
from recsys.evaluation.stability import N_REFITS
from recsys.ingest.datasets import DATASETS
from recsys.models import DEFAULT_MODEL, MODELS
from recsys.space.clustering import Choice as ClusterChoice
from recsys.space.embedding import Metric
from recsys.space.item_map import DEFAULT_MAP, MapMethod
from recsys.space.rotation import DEFAULT_METHOD, Method
from recsys.workflows.evaluate import BASELINES
from tests.cli.run import recsys

HEAVY = "numpy pandas scipy sklearn numba llvmlite pyarrow implicit openTSNE streamlit plotly rich".split()
MOST_MODULES = 350
"""The interpreter, typer and pydantic (which typer uses) load some 270."""


def commands() -> list[str]:
    return list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_every_command_is_listed_with_its_summary_and_has_help() -> None:
    listed = recsys("--help")
    assert listed.returncode == 0
    rows = {line.split()[0]: line for line in listed.stdout.splitlines() if line.startswith("  ") and line.split()}
    for command in ("demo", "fetch", "prepare", "train", "evaluate", "tune", "recommend", "similar", "map", "app"):
        assert command in commands()
    for command in commands():
        assert command in rows and not rows[command].endswith("..."), "the summary does not fit in one line"
        done = recsys(command, "--help")
        assert done.returncode == 0 and "Usage" in done.stdout


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import json, sys\n"
        "from recsys.cli.main import main\n"
        "for arguments in json.loads(sys.argv[1]):\n"
        "    try: main([*arguments, '--help'])\n"
        "    except SystemExit as end: assert not end.code\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )

    def loaded(*commands: list[str]) -> list[str]:
        command = [sys.executable, "-c", script, json.dumps(commands)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        modules: list[str] = json.loads(done.stderr)
        return modules

    assert len(loaded([])) <= MOST_MODULES
    every = loaded(*([command] for command in commands()))
    assert not set(every) & set(HEAVY)
    assert len(every) <= MOST_MODULES


def test_the_facts_in_help_are_those_of_the_library() -> None:
    for module, name, literal in (
        ("dataset.split", "Protocol", Protocol),
        ("dataset.split", "Part", Part),
        ("dataset.weighting", "WeightingScheme", WeightingScheme),
        ("space.embedding", "Metric", Metric),
        ("space.rotation", "Method", Method),
        ("space.clustering", "Choice", ClusterChoice),
        ("space.item_map", "MapMethod", MapMethod),
    ):
        assert facts.choices(module, name) == get_args(literal), name
    for module, name, value in (
        ("models", "DEFAULT_MODEL", DEFAULT_MODEL),
        ("space.rotation", "DEFAULT_METHOD", DEFAULT_METHOD),
        ("space.item_map", "DEFAULT_MAP", DEFAULT_MAP),
        ("evaluation.report", "DIMENSIONS", DIMENSIONS),
        ("evaluation.report", "N_SEEDS", N_SEEDS),
        ("evaluation.stability", "N_REFITS", N_REFITS),
        ("workflows.evaluate", "BASELINES", BASELINES),
    ):
        assert facts.constant(module, name) == value, name
    assert facts.default("dataset.weighting", "Weighting", "scheme") == Weighting().scheme
    assert facts.datasets() == tuple(DATASETS)
    expected = {name: {f.name: f.default for f in dataclasses.fields(learner)} for name, learner in MODELS.items()}
    assert facts.models() == expected
    assert list(facts.models()) == list(MODELS)


def test_help_shows_the_settings_of_every_model() -> None:
    words = " ".join(recsys("train", "--help").stdout.split())
    for name, settings in facts.models().items():
        assert f"{name}: " + ", ".join(f"{field}={default}" for field, default in settings.items()) in words


def test_without_a_command_the_help_is_printed_as_it_is() -> None:
    done = recsys()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == recsys("--help").stdout
