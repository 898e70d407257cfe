"""List the licences of everything that recsys installs, in docs/licences.md: `make licences`.

Covers the dependencies of the package and of the extras in `EXTRAS`, direct and indirect, as the installed
packages state their licences.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
EXTRAS = ("tune", "maps", "deep", "serve", "spark")

COMPATIBLE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT",
    "MIT-CMU", "MPL-2.0", "PSF-2.0", "Zlib",
}  # fmt: skip
"""SPDX identifiers of licences under which a library may be used by a program under the MIT licence."""

SPELLINGS = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What packages call a licence that has an SPDX identifier. Those that say only BSD have three clauses: checked by hand
in numba (which has two), altair, cloudpickle, itsdangerous, Jinja2, scipy and umap-learn."""
CORRECTED = {"numba": "BSD-2-Clause"}


@dataclass(frozen=True)
class Licence:
    """The licence of a package, as an SPDX expression where one is known, and whether pyproject.toml names it."""

    package: str
    expression: str
    is_direct: bool

    @property
    def is_compatible(self) -> bool:
        """Whether every part of the expression is a compatible licence; of alternatives, one is enough."""
        choices = re.split(r"\s+OR\s+", self.expression)
        return any(all(part.strip("() ") in COMPATIBLE for part in re.split(r"\s+AND\s+", c)) for c in choices)


def licences() -> list[Licence]:
    """The licences of all dependencies, by package. Raises PackageNotFoundError if one is not installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = [*project["dependencies"], *(line for extra in EXTRAS for line in project["optional-dependencies"][extra])]
    names = {_normal(Requirement(line).name) for line in direct}
    return [Licence(name, _expression(name), name in names) for name in sorted(_with_dependencies(direct))]


def _with_dependencies(requirements: Iterable[str]) -> set[str]:
    """The packages that requirements name, with all that those need here."""
    open_ones, seen = [(Requirement(line), "") for line in requirements], set()
    while open_ones:
        requirement, extra = open_ones.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = _normal(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                open_ones += [(Requirement(line), wanted) for line in importlib.metadata.requires(name) or ()]
    return {name for name, _ in seen}


def _expression(package: str) -> str:
    """The licence that a package states: as an expression, as classifiers, or as text."""
    if package in CORRECTED:
        return CORRECTED[package]
    metadata: Message = importlib.metadata.metadata(package)  # type: ignore[assignment]
    if metadata["License-Expression"]:
        return str(metadata["License-Expression"])
    stated = str(metadata["License"] or "")
    stated = SPELLINGS.get(stated, stated)
    classifiers = [c.split(" :: ")[-1] for c in metadata.get_all("Classifier") or () if c.startswith("License :: ")]
    named = [SPELLINGS.get(c, c) for c in classifiers if c != "OSI Approved"]
    if named and not Licence(package, stated, False).is_compatible:
        return " AND ".join(named)
    return stated if stated and len(stated) < 60 else "unknown"


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def page(found: Iterable[Licence]) -> str:
    """The page of the documentation."""
    rows = "\n".join(f"| {one.package} | {one.expression} | {'yes' if one.is_direct else ''} |" for one in found)
    names = [f"`{extra}`" for extra in EXTRAS]
    extras = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"""# Licences

recsys-atlas is under the MIT licence. These packages are installed with it, or with its extras {extras}.
`make licences` writes this page from what the installed packages state; a test checks that it is complete, and that
each licence lets a program under the MIT licence use the package.

| package | licence (SPDX) | direct |
|---|---|---|
{rows}
"""


def main() -> int:
    """Write the page; returns 1 if a licence is unknown or not compatible."""
    found = licences()
    PAGE.write_text(page(found), encoding="utf-8")
    wrong = [one for one in found if not one.is_compatible]
    for one in wrong:
        print(f"{one.package}: {one.expression} is not a known compatible licence", file=sys.stderr)
    print(f"{len(found)} packages in {PAGE.relative_to(ROOT)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
