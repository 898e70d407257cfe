"""Shared by all benchmarks: loading the data, and RESULTS.md, in which each run replaces its own section."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

from recsys import ingest, store
from recsys.dataset.dataset import Dataset
from recsys.ingest import datasets
from recsys.workflows import prepare as prepare_workflow

RESULTS = Path(__file__).with_name("RESULTS.md")
HEAD = (
    "# Benchmark results\n\nWritten by `make bench`. Each section is one run in which all contenders took turns: "
    f"compare the ratios, not the seconds. Machine: {os.cpu_count()} cores ({platform.machine()}), "
    f"Python {platform.python_version()}.\n"
)


def prepared(name: str, source: Path | None = None) -> Dataset:
    """A dataset from data/prepared; prepared (and downloaded) first if it is missing. Raises RecsysError.

    source  a file or folder of ratings to read instead, without downloading
    """
    if source is not None:
        return ingest.prepare_ratings(ingest.find_source(source))
    folder = datasets.data_root() / "prepared" / name
    if not (folder / store.INTERACTIONS).is_file():
        prepare_workflow.prepare(name, folder, notify=lambda line: print(line, file=sys.stderr))
    return store.load_prepared(folder)


def section(heading: str, path: Path = RESULTS) -> list[str]:
    """The lines of the section under a heading; none if there is no such section."""
    old = path.read_text(encoding="utf-8") if path.is_file() else HEAD
    sections = [part.splitlines() for part in re.split(r"^(?=## )", old, flags=re.M)[1:]]
    return next((lines for lines in sections if lines[0] == heading), [])


def write_section(lines: list[str], path: Path = RESULTS) -> None:
    """Replace the section with the same heading (`lines[0]`), or append a new one."""
    old = path.read_text(encoding="utf-8") if path.is_file() else HEAD
    sections = re.split(r"^(?=## )", old, flags=re.M)[1:]
    new = "\n".join(lines).strip() + "\n"
    kept = [section for section in sections if section.splitlines()[0] != lines[0]]
    place = next((at for at, section in enumerate(sections) if section.splitlines()[0] == lines[0]), len(kept))
    kept.insert(place, new)
    path.write_text(HEAD + "\n" + "\n".join(section.strip() + "\n" for section in kept), encoding="utf-8")
    print(new)
