"""What this installation and this machine can do.

Imports no library of the project at its head: an examination must also run where one of them is missing or broken.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import recsys
from recsys.errors import RecsysError
from recsys.limits import memory_limit
from recsys.threads import n_cores
from recsys.workflows.finding import Finding

DISTRIBUTION = "recsys-atlas"
EXTRAS = {
    "tune": "recsys tune",
    "maps": "recsys map --method umap or pacmap",
    "deep": "recsys train --model vae or sequence",
    "serve": "recsys serve",
    "spark": "--engine spark",
    "dev": "the tests",
    "docs": "make docs",
}
"""The optional groups of packages, and what needs them. `bench` has an environment of its own."""

PROGRAMS = {
    "chromium": ("the tests in a browser", ("chromium", "chromium-browser", "google-chrome")),
    "git": ("the tests of what is in the repository", ("git",)),
    "java": ("--engine spark", ("java",)),
}
"""Programs outside Python, what needs them, and the names to look for."""

_PACKAGE = Path(recsys.__file__).parent
_SECONDS = 2.0  # for a program to print its version


def examine_installation() -> list[Finding]:
    """Python, the packages and the extras, the processor, the libraries for linear algebra, limits, and programs."""
    found = [
        Finding("installation", "python", f"{platform.python_version()} ({sys.executable})"),
        Finding("installation", "recsys", f"{recsys.__version__} ({_PACKAGE})"),
        *_packages(),
        _cores(),
        _memory(),
        _compiler(),
        _cache(),
    ]
    found += _guarded("linear algebra", _linear_algebra)
    return found + [_program(name) for name in PROGRAMS]


# ── packages ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _packages() -> Iterator[Finding]:
    """The required packages in one line, one line for each that is missing or outside its range, one for each extra."""
    try:
        from packaging.requirements import Requirement

        required = [Requirement(text) for text in importlib.metadata.requires(DISTRIBUTION) or ()]
    except importlib.metadata.PackageNotFoundError:
        yield Finding(
            "installation", "packages", "not known: recsys is imported from a folder, not installed",
            "note", "pip install -e . in that folder",
        )  # fmt: skip
        return
    except ImportError as error:
        yield Finding(
            "installation", "packages", f"cannot be checked: {error}", "problem", f"pip install {DISTRIBUTION}"
        )
        return
    wrong = []
    needed = [one for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]
    for one in needed:
        version = _version(one.name)
        if version is None or not one.specifier.contains(version, prereleases=True):
            what = "missing" if version is None else f"{version} is not {one.specifier}"
            wrong.append(Finding("installation", one.name, what, "problem", f"pip install '{one.name}{one.specifier}'"))
    yield Finding("installation", "packages", f"{len(needed) - len(wrong)} of {len(needed)} as required")
    yield from wrong
    for extra, use in EXTRAS.items():
        of_extra = {
            one.name: _version(one.name)
            for one in required
            if one not in needed and one.marker and one.marker.evaluate({"extra": extra}) and one.name != DISTRIBUTION
        }
        missing = [name for name, version in of_extra.items() if version is None]
        remedy = f"pip install '{DISTRIBUTION}[{extra}]' for {use}" if missing else ""
        shown = ", ".join(f"{name} {version}" for name, version in of_extra.items() if version)
        shown = f"{shown}{', ' if shown and missing else ''}{'without ' if missing else ''}{', '.join(missing)}"
        yield Finding("installation", f"extra {extra}", shown, "note" if missing else "ok", remedy)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


# ── machine ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cores() -> Finding:
    threads, limit = n_cores(), _quota()
    shown = f"{threads} threads on {os.cpu_count()} cores"
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    shown += "".join(f", {name}={os.environ[name]}" for name in names if os.environ.get(name))
    if limit is not None and limit < threads:
        remedy = f"run it with taskset -c 0-{max(int(limit) - 1, 0)}: more threads than cores only wait"
        return Finding("machine", "threads", f"{shown}; the control group allows {limit:g} cores", "note", remedy)
    return Finding("machine", "threads", shown)


def _quota() -> float | None:
    """Cores that the control group allows, in processor time per time; None if it sets no limit."""
    try:
        of_process = Path("/proc/self/cgroup").read_text(encoding="utf-8")
    except OSError:
        return None
    group = next((line[3:] for line in of_process.splitlines() if line.startswith("0::")), "/")
    for folder in (Path("/sys/fs/cgroup") / group.strip("/"), Path("/sys/fs/cgroup")):
        try:
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
            return None if quota == "max" else int(quota) / int(period)
        except (OSError, ValueError):
            continue
    return None


def _memory() -> Finding:
    try:
        return Finding("machine", "memory", f"{memory_limit() / 1e9:.1f} GB may be used")
    except RecsysError as error:
        return Finding("machine", "memory", str(error), "problem", "set the variable to a size, or unset it")


def _compiler() -> Finding:
    """The processor that numba compiles for, and its widest vectors."""
    try:
        from llvmlite import binding

        features = binding.get_host_cpu_features()
        widest = next((n for n in ("avx512f", "avx2", "avx", "neon", "sse2") if features.get(n)), "no vectors known")
        return Finding("machine", "compiled kernels", f"for {binding.get_host_cpu_name()}, {widest}")
    except (ImportError, OSError, RuntimeError) as error:
        return Finding("machine", "compiled kernels", f"numba cannot work: {error}", "problem", "pip install numba")


def _cache() -> Finding:
    """Where numba keeps compiled kernels, in its order: the variable, next to the module, the user's cache."""
    wanted = os.environ.get("NUMBA_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "numba"
    choices = [Path(wanted)] if wanted else [_PACKAGE / "__pycache__", home]
    for folder in choices:
        if _is_writable(folder):
            return Finding("machine", "cache of kernels", str(folder))
    return Finding(
        "machine", "cache of kernels", f"cannot be written: {', '.join(map(str, choices))}", "problem",
        "set NUMBA_CACHE_DIR to a folder that can be written",
    )  # fmt: skip


def _is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, which need not exist yet. Changes nothing."""
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _linear_algebra() -> Iterator[Finding]:
    """The BLAS and OpenMP libraries that NumPy and SciPy load."""
    from threadpoolctl import threadpool_info

    importlib.import_module("numpy")
    importlib.import_module("scipy.linalg")
    for library in threadpool_info():
        kind = library.get("architecture") or library.get("threading_layer") or ""
        threads = f"{library['num_threads']} thread{'' if library['num_threads'] == 1 else 's'}"
        words = (library.get("version") or "", kind, threads)
        package = next((part for part in Path(library["filepath"]).parts if part.endswith(".libs")), "")
        name = f"{library['internal_api']}{f' of {package[:-5]}' if package else ''}"
        yield Finding("machine", name, ", ".join(filter(None, words)))


def _guarded(name: str, examine: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What `examine` finds; a library that cannot be imported is a problem, not the end."""
    try:
        return list(examine())
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return [
            Finding("machine", name, f"cannot be examined: {' '.join(str(error).split())}", "problem", "reinstall it")
        ]


def _program(name: str) -> Finding:
    use, commands = PROGRAMS[name]
    path = next((found for found in map(shutil.which, commands) if found), None)
    if path is None:
        return Finding("machine", name, f"not found; used by {use}")
    return Finding("machine", name, f"{_printed_version(path)} ({path}); used by {use}")


def _printed_version(program: str) -> str:
    """The first version number that `PROGRAM --version` prints."""
    try:
        run = subprocess.run(
            [program, "--version"], capture_output=True, text=True, errors="replace", timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "does not start"
    version = re.search(r"\d+(\.\d+)+", run.stdout + run.stderr)
    return version[0] if version else "of unknown version"
