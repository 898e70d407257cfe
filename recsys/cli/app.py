"""Commands that serve the app: app and demo."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.options import AsJson, Port


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
) -> None:
    """Serve the Streamlit app."""
    serve(port, models)


def serve(port: int, models: Path | None) -> None:
    """Replace this process by the Streamlit server, so that it receives Ctrl-C and signals."""
    from recsys.ingest.datasets import data_root

    script = Path(__file__).resolve().parent.parent / "app" / "serve.py"
    root = models or data_root() / "models"
    os.environ["RECSYS_MODELS"] = str(root.resolve())
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
    command += ["--server.headless", "true", "--browser.serverAddress", "localhost"]
    print(f"recsys: the app is at http://localhost:{port} (Ctrl-C stops it)", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os.execv(sys.executable, command)
