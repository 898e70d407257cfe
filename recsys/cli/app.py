"""Commands that serve the app: app and demo."""

from __future__ import annotations

import errno
import os
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson, Port
from recsys.errors import SettingError
from recsys.limits import check_input

LOCAL, ALL = "127.0.0.1", "0.0.0.0"
LEAST_TOKEN = 20
"""Characters of a token or key: too many to guess."""


def demo(
    app_too: Annotated[bool, typer.Option("--app/--no-app", help="Serve the app at the end.")] = True,
    port: Port = 8501,
    as_json: AsJson = False,
) -> None:
    """Run all steps on MovieLens 100K, then serve the app.

    The steps are fetch, prepare, train, recommend, map, clusters and axes.
    """
    from recsys.cli import tables
    from recsys.cli.console import Screen, show
    from recsys.workflows.demo import demo

    if app_too:
        check_free(LOCAL, port, "--no-app leaves the app out")
    with Screen() as screen:
        done = demo(start_progress=screen.start_progress, notify=screen.notify)
    show(done, as_json, tables.show_demo)
    if app_too:
        serve(port, None)


def app(
    port: Port = 8501,
    models: Annotated[
        Path | None, typer.Option(help="Folder of model folders. Default: models in the data folder.")
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="Accept visitors from other machines. Only the owner may measure.")
    ] = False,
    address: Annotated[
        str | None, typer.Option(help="With --public: listen on this address only. Default: all interfaces.")
    ] = None,
    admin_token: Annotated[
        Path | None, typer.Option(help="With --public: file with the owner's token. Default: RECSYS_ADMIN_TOKEN.")
    ] = None,
) -> None:
    """Serve the Streamlit app, by default on this machine only."""
    if not public and (address is not None or admin_token is not None):
        raise SettingError("--address and --admin-token are used with --public")
    if public:
        token = read_secret(admin_token, "RECSYS_ADMIN_TOKEN", "token")
        if token is not None:
            os.environ["RECSYS_ADMIN_TOKEN"] = token
    serve(port, models, is_public=public, address=address)


def serve(port: int, models: Path | None, *, is_public: bool = False, address: str | None = None) -> None:
    """Replace this process by the Streamlit server, so that it receives Ctrl-C and signals.

    address  to listen on; default: all interfaces if `is_public`, else the loopback interface

    Raises SettingError if the port cannot be used.
    """
    from recsys.ingest.datasets import data_root

    address = address or (ALL if is_public else LOCAL)
    check_free(address, port)
    script = Path(__file__).resolve().parent.parent / "app" / "serve.py"
    root = models or data_root() / "models"
    os.environ["RECSYS_MODELS"] = str(root.resolve())
    os.environ["RECSYS_PUBLIC"] = "1" if is_public else "0"
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.address", address, "--server.headless", "true", "--browser.serverAddress", "localhost"]
    print(f"recsys: {_where(address, port, is_public)} (Ctrl-C stops it)", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os.execv(sys.executable, command)


def check_free(address: str, port: int, otherwise: str = "", what: str = "the app") -> None:
    """Raise SettingError unless a server can listen on an address and port.

    otherwise  what else the user can do about a port in use
    what       the server as the error names it
    """
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with socket.socket(found[0][0], socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Streamlit does
            tried.bind(found[0][4])
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        other = "--port" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "--address"
        remedy = "; ".join(filter(None, (f"choose another {other}", otherwise)))
        raise SettingError(f"{what} cannot listen on {address}, port {port}: {why}; {remedy}") from None


def _where(address: str, port: int, is_public: bool) -> str:
    if not is_public:
        return f"the app is at http://localhost:{port}, for this machine only"
    at = "on all interfaces" if address == ALL else f"on {address}"
    has_owner = os.environ.get("RECSYS_ADMIN_TOKEN") or os.environ.get("RECSYS_OWNERS")
    owner = "" if has_owner else "; without --admin-token or RECSYS_OWNERS nobody may measure"
    return f"the app is public: it listens {at}, port {port}, and serves anyone who reaches it{owner}"


def read_secret(path: Path | None, variable: str, what: str) -> str | None:
    """A token or key, from a file or an environment variable: not from an option, which other users see in `ps`.

    what  it is, as errors name it

    Raises SettingError for one that is too short to be secret, InputError for a file that cannot be read.
    """
    token, where = os.environ.get(variable) or None, variable
    if path is not None:
        check_input(path, f"file of the {what}")
        with path.open("rb") as file:
            token, where = file.read(1000).decode("utf-8", "replace").strip(), str(path)
    if token is None:
        return None
    if not LEAST_TOKEN <= len(token) < 1000:
        raise SettingError(
            f"{where}: the {what} has {len(token)} characters, but {LEAST_TOKEN} to 999 are required; "
            'python3 -c "import secrets; print(secrets.token_urlsafe())" makes one'
        )
    return token
