"""The command that serves JSON: serve."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.app import ALL, LOCAL, check_free, read_secret
from recsys.cli.options import ModelFolder, Port, path_option
from recsys.cli.terminal import complain
from recsys.errors import SettingError, quoted

KEY = "RECSYS_API_KEY"
LEAST_RATE, MOST_RATE = 0.1, 1_000_000
_ORIGIN = re.compile(r"\*|https?://[A-Za-z0-9.\[\]:-]+")


def serve(
    model: ModelFolder,
    data: Annotated[
        Path | None,
        path_option(help="Folder written by `recsys prepare`: who has seen what. Default: the model's data."),
    ] = None,
    port: Port = 8000,
    public: Annotated[
        bool, typer.Option("--public", help="Accept requests from other machines, and by any host name.")
    ] = False,
    address: Annotated[
        str | None, typer.Option(help="With --public: listen on this address only. Default: all interfaces.")
    ] = None,
    api_key: Annotated[
        Path | None, path_option(help=f"File with the key that clients must present. Default: {KEY}.")
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Web pages of this origin may read answers; may be repeated."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            min=LEAST_RATE, max=MOST_RATE,
            help="Requests per second of one address. Default: 100 with --public, else any number.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Serve recommendations as JSON over HTTP.

    Also similar movies and search; by default on this machine only.
    """
    try:
        from recsys.service.server import serve as run
        from recsys.service.settings import PUBLIC_RATE, Settings
    except ImportError as error:
        raise SettingError(f"serve needs {error.name}: pip install 'recsys-atlas[serve]'") from None

    if address is not None and not public:
        raise SettingError("--address is used with --public")
    for origin in cors or ():
        if not _ORIGIN.fullmatch(origin):
            raise SettingError(f"--cors {quoted(origin)} is not an origin, such as https://movies.example, or *")
    key = read_secret(api_key, KEY, "key")
    address = address or (ALL if public else LOCAL)
    check_free(address, port, what="the service")
    if public and key is None:
        complain(f"the service is public, and answers anyone: {KEY} or --api-key sets a key")
    settings = Settings(model, data, public, key, tuple(cors or ()), PUBLIC_RATE if public and rate is None else rate)
    run(settings, address, port)
