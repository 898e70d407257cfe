"""Examine the installation and the data folders, and remove what killed processes left."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.errors import RecsysError
from recsys.ingest.datasets import data_root
from recsys.workflows.examine_installation import examine_installation
from recsys.workflows.finding import Finding


@dataclass(frozen=True)
class Examination:
    """What was found."""

    findings: tuple[Finding, ...]

    @property
    def n_problems(self) -> int:
        """The number of findings that are problems."""
        return sum(finding.status == "problem" for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `recsys doctor --json` prints them."""
        return {"problems": self.n_problems, "findings": [finding.to_json() for finding in self.findings]}


def doctor(roots: Sequence[Path] = (), *, repair: bool = False) -> Examination:
    """Examine the installation, and the data in `roots`.

    roots   default: the data folder, and the folder that `RECSYS_MODELS` names
    repair  remove what killed processes left

    Raises nothing for what is damaged or missing: each problem is a finding with a remedy.
    """
    findings = examine_installation()
    try:
        from recsys.workflows.examine_data import examine_data
    except ImportError as error:  # of a package that is missing or broken, which the findings name
        reason = " ".join(str(error).split())
        findings.append(Finding("data", "all", f"cannot be examined: {reason}", "problem", "mend the installation"))
        return Examination(tuple(findings))
    try:
        for root in roots or _default_roots():
            findings += examine_data(root, repair=repair)
    except RecsysError as error:
        findings.append(Finding("data", "RECSYS_DATA", str(error), "problem", "name another folder with --data"))
    return Examination(tuple(findings))


def _default_roots() -> list[Path]:
    """The data folder and that of the models, if they exist: they do not before the first command writes them."""
    models = os.environ.get("RECSYS_MODELS")
    return [root for root in (data_root(), Path(models) if models else None) if root is not None and root.exists()]
