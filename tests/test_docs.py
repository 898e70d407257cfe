"""The documentation is correct: commands and options exist, links resolve, Python blocks run, nothing is missing."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from recsys.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), ROOT / "data" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, *languages: str) -> list[str]:
    """The code blocks of a document in any of the languages."""
    fence = rf"^```(?:{'|'.join(languages)})\n(.*?)^```"
    return re.findall(fence, path.read_text(encoding="utf-8"), re.S | re.M)


def commands() -> dict[str, set[str]]:
    """Every command of the command line with its options."""
    group = typer.main.get_command(app)
    return {
        name: {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }


def shown_commands() -> list[str]:
    """Lines that begin with `recsys` or `make` in the code blocks of the documents, each once."""
    lines = [
        line.removeprefix("$ ")
        for document in DOCUMENTS
        for block in blocks(document, "sh", "console")
        for line in block.splitlines()
    ]
    return list(dict.fromkeys(line for line in lines if line.split()[:1] in (["recsys"], ["make"])))


@pytest.mark.parametrize("line", shown_commands())
def test_commands_in_the_documents_are_real(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.M)
        return
    known = commands()
    assert words[1] in known, f"there is no command {words[1]!r}"
    for word in words[2:]:
        if re.match(r"-+[a-z]", word):
            assert word in known[words[1]], f"recsys {words[1]} has no option {word}"


@pytest.mark.parametrize("document", ["README.md", "docs/cli.md"])
def test_every_command_is_documented(document: str) -> None:
    text = "\n".join(blocks(ROOT / document, "sh"))
    missing = [name for name in commands() if not re.search(rf"^recsys {name}\b", text, re.M)]
    assert not missing, f"{document} does not show {missing}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_pictures_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for target in targets:
        if not re.match(r"https?:|#", target):
            assert (document.parent / target.split("#")[0]).exists(), f"{target} does not exist"


def test_the_layout_in_contributing_is_complete() -> None:
    table = dict(re.findall(r"^\| `([\w.]+)/?` (\|.*)", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M))
    for path in (ROOT / "recsys").iterdir():
        if path.suffix == ".py" and not path.name.startswith("__"):
            assert path.name in table
        if (path / "__init__.py").is_file():
            modules = {module.stem for module in path.iterdir() if module.suffix == ".py"} - {"__init__"}
            modules |= {f"{package.parent.name}/" for package in path.glob("*/__init__.py")}
            assert set(re.findall(r"`([\w/]+)`", table[path.name].split("|")[2])) == modules, path.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_python_blocks_run(document: Path, ml100k_folder: Path, tmp_path: Path, monkeypatch) -> None:
    if document.name == "README.md":
        pytest.skip("tests/test_public_api.py runs it")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "ml-100k").symlink_to(ml100k_folder, target_is_directory=True)
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for block in blocks(document, "python"):
        exec(compile(block, str(document), "exec"), {})


def test_every_section_of_the_results_has_a_benchmark() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").rglob("*.py"))
    headings = re.findall(r"^## .*", (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8"), re.M)
    assert headings and not [heading for heading in headings if f'"{heading}"' not in code]
