"""The command line: parses, calls a workflow, prints. Tables for people, `--json` for programs.

Exit status: 0 done, 2 wrong use or bad input (one line on stderr), 130 interrupted, 1 a bug (with its traceback).

The commands import what they need when they run, so that `--help` is fast.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from recsys import __version__
from recsys.cli.app import app as serve_app
from recsys.cli.app import demo
from recsys.cli.data import fetch, import_vectors, prepare
from recsys.cli.evaluate import evaluate, tune
from recsys.cli.inspect import axes, clusters, map_, report
from recsys.cli.recommend import analogy, recommend, similar
from recsys.cli.train import train
from recsys.errors import RecsysError

INTERRUPTED, BROKEN_PIPE = 130, 141

app = typer.Typer(
    help="A movie recommender whose embedding space can be seen, named, measured and steered.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (demo, fetch, prepare, train, evaluate, tune, recommend, similar, analogy, axes, clusters, report):
    app.command()(command)
app.command("map")(map_)
app.command("import-vectors")(import_vectors)
app.command("app")(serve_app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"recsys {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Handle the options that come before a command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit. Errors that the user can correct become one line on stderr and status 2.

    arguments  default: those of the process
    """
    try:
        status = app(args=arguments, prog_name="recsys", standalone_mode=False)
        if status == INTERRUPTED:  # typer catches Ctrl-C and returns this
            _complain("interrupted; no partial file is left (--resume continues a batch)")
    except RecsysError as error:
        status = _complain(str(error))
    except typer.TyperException as error:
        status = _complain(f"{' '.join(error.format_message().split())} (see recsys --help)", error.exit_code)
    except BrokenPipeError:  # the reader, such as `head`, closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = BROKEN_PIPE
    sys.exit(status or 0)


def _complain(line: str, status: int = 2) -> int:
    print(f"recsys: {' '.join(line.splitlines())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    main()
