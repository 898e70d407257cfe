"""What is installed with recsys: its licences, its versions, and that none of it calls home."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]


def tool(name: str) -> ModuleType:
    """A script of the folder `tools`, imported."""
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def pinned(name: str) -> dict[str, str]:
    """Package → version, as a file of constraints lists them."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in pairs}


def requirements() -> list[Requirement]:
    """Those of pyproject.toml, without the extra `bench`, which has an environment of its own."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = [
        *project["dependencies"],
        *(line for name in ("tune", "maps", "deep", "serve", "dev") for line in extras[name]),
    ]
    return [one for one in map(Requirement, lines) if one.name != project["name"]]


# ── licences ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_dependency_is_listed_with_a_compatible_licence() -> None:
    if importlib.metadata.version("numpy") != pinned("constraints.txt")["numpy"]:
        pytest.skip("other versions need other packages; the list is of the versions in constraints.txt")
    licences = tool("licences")
    found = licences.licences()
    assert not [one for one in found if not one.is_compatible]
    assert {"numpy", "streamlit", "optuna", "umap-learn", "click"} <= {one.package for one in found}
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    assert page == licences.page(found), "run make licences"


def test_an_incompatible_or_unknown_licence_is_recognised() -> None:
    licence = tool("licences").Licence
    for expression in ("GPL-3.0-only", "unknown", "MIT AND AGPL-3.0-only", ""):
        assert not licence("x", expression, False).is_compatible
    for expression in ("MIT", "GPL-2.0-only OR MIT", "BSD-2-Clause AND Apache-2.0 WITH LLVM-exception"):
        assert licence("x", expression, False).is_compatible


# ── versions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("one", requirements(), ids=lambda one: one.name)
def test_the_tested_versions_are_the_ends_of_the_allowed_ranges(one: Requirement) -> None:
    name = re.sub(r"[-_.]+", "-", one.name).lower()
    lowest, highest = pinned("constraints-lowest.txt")[name], pinned("constraints.txt")[name]
    assert one.specifier.contains(highest) and one.specifier.contains(lowest)
    (floor,) = (part.version for part in one.specifier if part.operator == ">=")
    digits = lowest.split(".")
    assert ".".join(digits[: len(floor.split("."))]) == floor, "run make lowest, then make test-lowest"


def test_audit_is_honest_about_a_service_that_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    audit = tool("audit")
    answers = {"pypi": ([{"name": "a", "skip_reason": "not found"}], ""), "osv": ([], "no route")}
    monkeypatch.setattr(audit, "_ask", answers.__getitem__)
    assert audit.main() == 0
    assert capsys.readouterr().out.startswith("audit skipped: could not reach")
    answers["osv"] = ([{"name": "a", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}], "")
    assert audit.main() == 1
    assert "a 1: CVE-1, fixed in 2" in capsys.readouterr().out
    answers["pypi"] = ([{"name": "a", "version": "2", "vulns": []}], "")
    assert audit.main() == 0
    assert "0 known vulnerabilities in 1 of 1" in capsys.readouterr().out


# ── no network ───────────────────────────────────────────────────────────────────────────────────────────────────────

OFFLINE = """
import json, socket, sys
attempts = []
def audit(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"):
        attempts.append(f"{event} {arguments[1:]}")
        raise OSError("no network in this test")
sys.addaudithook(audit)
try:
    socket.create_connection(("192.0.2.1", 80))
except OSError:
    assert attempts, "the control: an attempt is seen"
    attempts.clear()
"""
"""The head of a script in which no connection is possible, and every attempt is noted."""


def offline(script: str, folder: Path, *arguments: str) -> list[str]:
    """Run a script without a network; returns the connections it tried."""
    done = subprocess.run(
        [sys.executable, "-c", f"{OFFLINE}\n{script}\nprint(json.dumps(attempts), file=sys.stderr)", *arguments],
        cwd=folder, capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    attempts: list[str] = json.loads(done.stderr.splitlines()[-1])
    return attempts


@pytest.mark.slow
def test_neither_imports_nor_commands_need_a_network(tmp_path: Path) -> None:
    paths = (ROOT / "recsys").rglob("*.py")
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    (tmp_path / "ratings.csv").write_text(
        "user_id,item_id,rating\n" + "".join(f"{u},{i},{1 + (u * i) % 5}\n" for u in range(30) for i in range(20))
    )
    commands = [
        ["--help"],
        ["doctor", "--data", "."],
        ["prepare", "ratings.csv", "--out", "data"],
        ["train", "--data", "data", "--out", "model", "--model", "ials", "--factors", "4", "--set", "epochs=2"],
        ["recommend", "--model", "model", "--data", "data", "--out", "lists.parquet", "-k", "3"],
        ["evaluate", "--data", "data", "--model", "popular", "-k", "3"],
        ["map", "--model", "model", "--method", "pca", "--out", "map.html"],
    ]
    script = (
        f"import {', '.join(names)}\n"
        "from recsys.cli.main import main\n"
        "for command in json.loads(sys.argv[1]):\n"
        "    try: main(command)\n"
        "    except SystemExit as end: assert not end.code, command\n"
    )
    assert offline(script, tmp_path, json.dumps(commands)) == []
    assert (tmp_path / "lists.parquet").is_file() and (tmp_path / "map.html").is_file()


def test_streamlit_sends_no_statistics() -> None:
    settings = tomllib.loads((ROOT / "recsys" / "app" / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["browser"]["gatherUsageStats"] is False
