"""The terminal: progress bars and notices on stderr, JSON or tables on stdout."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from recsys.cli.terminal import visible, visible_json


class Result(Protocol):
    """What a workflow returns."""

    def to_json(self) -> dict[str, Any]: ...


R = TypeVar("R", bound=Result)


class Screen:
    """Progress bars and notices on stderr; bars only on a terminal."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Screen:
        self._stack.enter_context(self._bars)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.close()

    def start_progress(self, task: str) -> Callable[[int, int], None]:
        """Add a bar; returns the callback that updates it with (steps done, total steps)."""
        number = self._bars.add_task(escape(visible(task)), total=None)
        return lambda done, total: self._bars.update(number, completed=done, total=total or None)

    def notify(self, line: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)


def show(result: R, as_json: bool, as_table: Callable[[R], None]) -> None:
    """Print a result, as JSON or as a table."""
    if as_json:
        print_json(result.to_json())
    else:
        as_table(result)


def print_json(value: Any) -> None:
    """Print JSON on standard output."""
    sys.stdout.write(visible_json(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)) + "\n")


class _SafeTable(Table):
    """A table that shows control characters as escapes, whatever is put into it."""

    def add_column(self, header: str = "", *arguments: Any, **options: Any) -> None:  # type: ignore[override]
        super().add_column(visible(header), *arguments, **options)

    def add_row(self, *cells: str, **options: Any) -> None:  # type: ignore[override]
        super().add_row(*map(visible, cells), **options)


def table(title: str, *columns: str, numbers: str = "") -> Table:
    """An empty table with a title; the columns named in `numbers` are right-aligned."""
    empty = _SafeTable(title=escape(visible(title)), title_justify="left")
    for column in columns:
        empty.add_column(column, justify="right" if column in numbers.split() else "left")
    return empty


def print_table(shown: Table) -> None:
    """Print a table on standard output."""
    Console().print(shown)


def print_line(line: str) -> None:
    """Print text on standard output as it is, without wrapping."""
    Console().print(visible(line), markup=False, highlight=False, soft_wrap=True)


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Print a table of names and values."""
    listed = _SafeTable(show_header=False)
    for name, value in pairs.items():
        shown = ", ".join(f"{v:,} {k}" for k, v in value.items()) if isinstance(value, Mapping) else _number(value)
        listed.add_row(name.replace("_", " "), escape(shown))
    print_table(listed)


def count(n: int, noun: str) -> str:
    """ "1 user", "2,000 users"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
