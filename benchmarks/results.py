"""What the benchmarks share: where their data come from, and RESULTS.md, in which each run replaces its section."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from recsys import store
from recsys.dataset.dataset import Dataset
from recsys.ingest import datasets
from recsys.workflows import prepare as prepare_workflow

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = (
    "# Measured\n\nEverything here was written by `make bench`. Ratios count, not seconds: each section is one run, "
    f"side by side, on {os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}.\n"
)


def prepared(name: str) -> Dataset:
    """A data set from data/prepared, made from data/raw or fetched where it is not there yet. Raises RecsysError."""
    folder = datasets.data_root() / "prepared" / name
    if not (folder / store.INTERACTIONS).is_file():
        prepare_workflow.prepare(name, folder, say=lambda line: print(line, file=sys.stderr))
    return store.load_prepared(folder)


def write_section(lines: list[str], path: Path = RESULTS) -> None:
    """Put a section, its heading first, in the place of the one of the same heading, or at the end."""
    old = path.read_text(encoding="utf-8") if path.is_file() else HEAD
    sections = re.split(r"^(?=## )", old, flags=re.M)[1:]
    new = "\n".join(lines).strip() + "\n"
    kept = [section for section in sections if section.splitlines()[0] != lines[0]]
    place = next((at for at, section in enumerate(sections) if section.splitlines()[0] == lines[0]), len(kept))
    kept.insert(place, new)
    path.write_text(HEAD + "\n" + "\n".join(section.strip() + "\n" for section in kept), encoding="utf-8")
    print(new)
