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
from recsys.cli.doctor import doctor
from recsys.cli.evaluate import evaluate, tune
from recsys.cli.inspect import axes, clusters, compression, map_, report
from recsys.cli.nightly import nightly
from recsys.cli.recommend import analogy, recommend, sample, similar, walk
from recsys.cli.serve import serve
from recsys.cli.terminal import complain, discard, quiet_libraries, safe_streams
from recsys.cli.train import train
from recsys.errors import RecsysError, SettingError, quoted

INTERRUPTED, BROKEN_PIPE = 130, 141

app = typer.Typer(
    help="A movie recommender whose embedding space can be seen, named, measured and steered.",
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    demo, fetch, prepare, train, evaluate, tune, recommend, similar, analogy, walk, sample, axes, clusters, compression,
    report, nightly, serve, doctor,
):  # fmt: skip
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
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Handle the options that come before a command; without a command, print the help."""
    if context.invoked_subcommand is None:
        print(context.get_help(), file=sys.stderr)
        raise typer.Exit(2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit. Errors that the user can correct become one line on stderr and status 2.

    arguments  default: those of the process
    """
    with safe_streams(), quiet_libraries():
        status = _run(sys.argv[1:] if arguments is None else list(arguments))
    sys.exit(status)


def _run(arguments: list[str]) -> int:
    """Run a command; returns the exit status. The one place where errors become lines.

    Errors that are not ours say nothing about where they arose: RECSYS_TRACEBACK=1 shows it.
    """
    expected = () if os.environ.get("RECSYS_TRACEBACK") else (OSError, MemoryError, RecursionError, OverflowError)
    try:
        status = _invoke(arguments)
        sys.stdout.flush()
        return status
    except RecsysError as error:
        return complain(str(error))
    except typer.TyperException as error:
        return complain(f"{' '.join(error.format_message().split())} (see recsys --help)", error.exit_code)
    except KeyboardInterrupt:
        return complain(
            "interrupted; no partial file is left; compression, nightly and recommend --resume go on when run again",
            INTERRUPTED,
        )
    except BrokenPipeError:  # the reader, such as `head`, closed the pipe
        discard(sys.stdout)
        return BROKEN_PIPE
    except expected as error:
        return complain(_line(error))
    finally:
        _close_output()


def _invoke(arguments: list[str]) -> int:
    """Parse the arguments and call the command; returns its exit status."""
    for argument in arguments:
        if "\0" in argument or any("\ud800" <= letter <= "\udfff" for letter in argument):
            raise SettingError(f"the argument {quoted(argument)} is not valid UTF-8 text")
    command = typer.main.get_command(app)
    try:
        with command.make_context("recsys", arguments) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return 0


def _line(error: BaseException) -> str:
    """What the system or a library reports, as one line."""
    match error:
        case OSError(filename=path) if path is not None:
            return f"{os.fsdecode(path)}: {error.strerror or error}"
        case OSError():
            return f"{error.strerror or error} (RECSYS_TRACEBACK=1 shows where)"
        case MemoryError():
            return f"not enough memory: {str(error) or 'an allocation failed'}; use smaller data or settings"
        case RecursionError():
            return "the input is nested too deeply (RECSYS_TRACEBACK=1 shows where)"
        case _:
            return f"a number is out of range: {error} (RECSYS_TRACEBACK=1 shows where)"


def _close_output() -> None:
    """Write out what is left; what cannot be written is discarded, so that Python does not fail with it at its exit."""
    try:
        sys.stdout.flush()
    except OSError:
        discard(sys.stdout)


if __name__ == "__main__":
    main()
