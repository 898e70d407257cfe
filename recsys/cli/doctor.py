"""The command that examines the installation and the data: doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson
from recsys.errors import RecsysError


def doctor(
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Folder to examine, with all in it; may be repeated. Default: the data folder."),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what killed processes left; changes nothing else.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Examine the installation and the data.

    Shows what this installation can do, where the data are and how large, and whether every dataset, model and batch
    is whole. Changes nothing without --repair. The exit status is 2 if there is a problem.
    """
    from recsys.cli import tables
    from recsys.cli.console import count, show
    from recsys.workflows.doctor import doctor

    done = doctor(data or [], repair=repair)
    show(done, as_json, tables.show_examination)
    if done.n_problems:
        raise RecsysError(f"{count(done.n_problems, 'problem')} found; each is listed with what to do about it")
