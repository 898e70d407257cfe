"""A public page under load: visitors who rate movies, with and without others who upload the worst files they may."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
import urllib.request
import uuid
import zipfile
from collections import defaultdict
from contextlib import AsyncExitStack
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed

from app import large
from app.client import Broken, Visitor
from app.server import ROOT, Server, serving
from app.sessions import Times, visit
from recsys import store
from recsys.ingest.exports import MAX_BYTES, MAX_ROWS

CROWDS = (1, 5, 20, 50)
ATTACKERS = 4
N_ROUNDS = 3
DATA, MODEL = "ml-100k", "ml-100k-ials"


def worst_file() -> bytes:
    """A zip with as many rows and characters as an export may have, each row a movie that nobody knows."""
    title = "\N{CLAPPER BOARD}" + "a" * (MAX_BYTES // MAX_ROWS - 20)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        rows = "".join(f"{row}{title},u,4\n" for row in range(MAX_ROWS))
        archive.writestr("ratings.csv", "Name,Letterboxd URI,Rating\n" + rows)
    return packed.getvalue()


async def _attack(server: Server, data: bytes, statuses: list[int]) -> None:
    """Upload the file and have it read, again and again."""
    async with Visitor(server.address, patience=600) as visitor:
        run = await visitor.open()
        widget, fragment = next(
            (element.file_uploader.id, fragment) for element, fragment in run.elements if element.file_uploader.id
        )
        while True:
            file = str(uuid.uuid4())
            statuses.append(await asyncio.to_thread(_put, server.address, visitor.session, file, data))
            state = WidgetState(id=widget)
            state.file_uploader_state_value.uploaded_file_info.add(file_id=file, name="me.zip", size=len(data))
            visitor.states[widget] = state
            await visitor.rerun(fragment)


def _put(address: str, session: str, file: str, data: bytes) -> int:
    with urllib.request.urlopen(f"http://{address}/_stcore/health") as answer:
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    mark = uuid.uuid4().hex
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="me.zip"\r\n\r\n'
    connection = HTTPConnection(address, timeout=600)
    connection.request(
        "PUT",
        f"/_stcore/upload_file/{session}/{file}",
        head.encode() + data + f"\r\n--{mark}--\r\n".encode(),
        {
            "Content-Type": f"multipart/form-data; boundary={mark}",
            "Cookie": cookie,
            "X-Xsrftoken": cookie.partition("=")[2],
        },
    )
    status = connection.getresponse().status
    connection.close()
    return status


async def _measure(server: Server, titles: list[str], n_visitors: int, data: bytes | None) -> tuple[str, int]:
    """A row of the table, and the number of errors."""
    runs: Times = defaultdict(list)
    errors: list[str] = []
    statuses: list[int] = []

    async def one(visitor: Visitor, seed: int) -> None:
        try:
            await visit(visitor, titles, seed, N_ROUNDS, runs, DATA)
        except (Broken, ConnectionClosed) as error:
            errors.append(f"{error}")

    async with Visitor(server.address) as first:  # loads the model
        await first.open()
    attackers = [asyncio.create_task(_attack(server, data, statuses)) for _ in range(ATTACKERS)] if data else []
    if attackers:
        await asyncio.sleep(5)
    async with AsyncExitStack() as stack:
        visitors = [await stack.enter_async_context(Visitor(server.address)) for _ in range(n_visitors)]
        await asyncio.gather(*(one(visitor, seed) for seed, visitor in enumerate(visitors)))
        memory = server.memory()
    for attacker in attackers:
        attacker.cancel()
    ended = await asyncio.gather(*attackers, return_exceptions=True)
    errors += [f"attacker: {error!r}" for error in ended if not isinstance(error, asyncio.CancelledError)]
    for line in errors:
        print(line, file=sys.stderr)
    cells = [f"{n_visitors}", f"{ATTACKERS} ({len(statuses)} files)" if attackers else "0"]
    for action in ("open", "rate"):
        seconds = [run.seconds for run in runs[action]]
        cells += [f"{np.percentile(seconds, part):.2f}" if seconds else "–" for part in (50, 95)]
    return f"| {' | '.join([*cells, f'{memory:.0f}', str(len(errors))])} |", len(errors)


def attack(models: Path) -> tuple[list[str], list[str]]:
    """The section of RESULTS.md, and the errors."""
    model = store.load_model(models / MODEL)
    titles = model.catalog.items["title"].to_numpy()[np.argsort(-model.n_ratings)[:500]].tolist()
    rows, n_errors, data = [], 0, worst_file()
    with tempfile.TemporaryDirectory() as folder:
        for n_visitors in CROWDS:
            for upload in (None, data):
                log = Path(folder) / f"{n_visitors}.log"
                environment = {"RECSYS_MODELS": str(models), "RECSYS_PUBLIC": "1"}
                with serving(ROOT / "app.py", log, environment) as server:
                    row, errors = asyncio.run(_measure(server, titles, n_visitors, upload))
                print(row, file=sys.stderr, flush=True)
                rows.append(row)
                n_errors += errors + ("Traceback" in log.read_text(encoding="utf-8"))
    lines = [
        "## A public page under load",
        "",
        "The page For you of a public app on the demo's model (MovieLens 100K), a new server for each row, opened once "
        f"before. Visitors open the page and rate {N_ROUNDS} movies, with 0.5 to 2 s of think time. Attackers upload, "
        f"all the time, a zip of {len(data) / 1000:,.0f} kB: {MAX_ROWS:,} rows in {MAX_BYTES >> 20} MiB. Seconds from "
        f"the request to the end of the run; server and clients share {large.threads()} cores. "
        "`python benchmarks/app.py attack`",
        "",
        "| visitors | attackers | open: median | p95 | rate: median | p95 | memory, MiB | errors |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
        *rows,
    ]
    return lines, ["errors"] * n_errors
