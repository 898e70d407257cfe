"""The command nightly."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson, path_argument
from recsys.errors import RecsysError, SettingError


def nightly(
    config: Annotated[Path, path_argument("File of settings (TOML); docs/nightly.md shows one.")],
    anew: Annotated[bool, typer.Option("--anew", help="Train anew instead of from the published model.")] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Publish the previous model again; no other step is run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add new ratings, train, evaluate, and publish.

    A model whose quality fell by more than the accepted share is not published: then the exit status is 2. A run that
    was interrupted is continued by running the command again.
    """
    if anew and rollback:
        raise SettingError("--anew and --rollback exclude each other")
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows import nightly as workflow

    if rollback:
        show(workflow.rollback(config), as_json, tables.show_rolled_back)
        return
    with Screen() as screen:
        done = workflow.nightly(config, anew=anew, start_progress=screen.start_progress, notify=screen.notify)
    show(done, as_json, tables.show_night)
    if done.refusal:
        raise RecsysError(done.refusal)
