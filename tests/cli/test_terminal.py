"""What reaches the terminal: one line for every expected error, no control characters, no words of libraries."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.cli import console, terminal
from recsys.workflows import similar as workflow
from tests.cli.run import complaint, recsys

ASK = ("similar", "Film 3", "--model", "model")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(36, "File name too long", "a/b"), "recsys: a/b: File name too long"),
        (OSError(24, "Too many open files"), "recsys: Too many open files (RECSYS_TRACEBACK=1 shows where)"),
        (MemoryError(), "recsys: not enough memory: an allocation failed; use smaller data or settings"),
        (pa.ArrowMemoryError("malloc failed"), "recsys: not enough memory: malloc failed; use smaller data"),
        (np._core._exceptions._ArrayMemoryError((9, 9), np.dtype(float)), "not enough memory: Unable to allocate 648"),
        (RecursionError("depth"), "recsys: the input is nested too deeply"),
        (OverflowError("too large for C long"), "recsys: a number is out of range: too large for C long"),
    ],
)
def test_what_the_system_reports_is_one_line(
    work: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(workflow, "similar", fail)
    assert line in complaint(recsys(*ASK, cwd=work))
    with pytest.raises(type(error)):
        recsys(*ASK, cwd=work, RECSYS_TRACEBACK="1")


def test_a_bug_keeps_its_traceback(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "similar", None)
    with pytest.raises(TypeError):
        recsys(*ASK, cwd=work)


def test_libraries_do_not_speak_to_the_user(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = workflow.similar

    def noisy(*arguments: object, **options: object) -> workflow.SimilarItems:
        warnings.simplefilter("always")  # as scikit-learn does for its own
        warnings.warn("divide by zero", RuntimeWarning, stacklevel=1)
        logging.getLogger("somebody").error("internals")
        return answer(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(workflow, "similar", noisy)
    done = recsys(*ASK, cwd=work)
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.setattr("sys.warnoptions", ["default"])
    assert "divide by zero" in recsys(*ASK, cwd=work).stderr


def test_no_control_character_of_a_title_reaches_the_terminal(work: Path, reseal: Callable[[Path], None]) -> None:
    evil = "Film\x1b]0;title\x07 \x9b31m\x7f \u202e[bold]drow[/bold]"
    folder = work / "evil"
    shutil.copytree(work / "model", folder)
    items = pq.read_table(folder / "items.parquet")
    titles = [f"{evil} {number}" for number in range(len(items))]
    pq.write_table(
        items.set_column(items.column_names.index("title"), "title", pa.array(titles)), folder / "items.parquet"
    )
    reseal(folder)
    unsafe = set("\x1b\x07\x9b\x7f\u202e")
    title = f"{evil} 3"
    for command in (
        ("similar", title, "--model", "evil"),
        ("similar", title, "--model", "evil", "--metric", "all"),
        ("analogy", title, f"{evil} 4", f"{evil} 5", "--model", "evil"),
        ("walk", title, f"{evil} 4", "--model", "evil"),
        ("recommend", "--model", "evil", "--rate", f"{title}=5", "--why"),
        ("recommend", "--model", "evil", "--rate", f"{title}=5", "--why", "--json"),
    ):
        done = recsys(*command, cwd=work)
        assert done.returncode == 0, done.stderr
        assert not unsafe & set(done.stdout)
        if "--json" in command:
            assert json.loads(done.stdout)["recommendations"][0]["title"].startswith(evil)
        else:
            assert "drow" in done.stdout and r"\x1b" in done.stdout
    line = complaint(recsys("similar", "\x1b[2J" + "x" * 100_000, "--model", "evil", cwd=work))
    assert not unsafe & set(line) and len(line) < 2 * terminal.MOST_LINE


def test_progress_and_notices_show_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    with console.Screen() as screen:
        screen.notify("reading a\x1b[2Jb")
    assert capsys.readouterr().err == "reading a\\x1b[2Jb\n"


def test_visible_text_is_unchanged() -> None:
    plain = "Amélie — 千と千尋の神隠し (2001)\nשלום"
    assert terminal.visible(plain) == terminal.visible_json(plain) == plain
