"""Concurrent sessions: each one searches, selects a movie and rates it, repeatedly; any error is counted."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from websockets.exceptions import ConnectionClosed

from app import large
from app.client import Broken, Run, Visitor
from app.server import ROOT, Server, serving
from recsys import store

N_SESSIONS = 20
N_ROUNDS = 10
"""Each round changes three widgets: type, select, rate."""
THINKS = (0.5, 2.0)
"""Range of think time between a response and the next action, in seconds."""
MOST_TRIES = 20
LETTERS = 5
"""Letters of a title that are typed before a suggestion is selected."""
AFTERWARDS = 150.0
"""Seconds from the last disconnect to another look at the memory: Streamlit keeps a disconnected session for 120 s."""
MOST_MEGABYTES = 50.0

ACTIONS = {"open": "open the page", "type": "type a title", "take": "select a movie", "rate": "rate it"}

Times = dict[str, list[Run]]


async def visit(
    visitor: Visitor, titles: Sequence[str], seed: int, n_rounds: int, runs: Times, data: str = large.DATA
) -> None:
    """One session: open the page, then type, select, rate. Raises Broken, also if the page shows a wrong number of
    ratings. The items of `data` are numbered from 1."""
    dice = random.Random(seed)
    rated: set[int] = set()
    run = await visitor.open()
    runs["open"].append(run)
    for number in range(1, n_rounds + 1):
        await asyncio.sleep(dice.uniform(*THINKS))
        search, fragment = _search_box(run)
        for _ in range(MOST_TRIES):
            typed = dice.choice(titles)[:LETTERS]
            found = await visitor.set_state(search, {"typed": typed}, fragment)
            runs["type"].append(found)
            offered = [row for row in _offered(found) if row not in rated]
            if offered:
                break
        else:
            raise Broken(f"{MOST_TRIES} titles were typed without a suggestion")
        row = dice.choice(offered)
        run = await visitor.trigger(search, "picked", row, fragment)
        runs["take"].append(run)
        await asyncio.sleep(dice.uniform(*THINKS))
        stars, fragment = _stars(run, f"found-{data}-{row + 1}")
        run = await visitor.change(stars, str(dice.randrange(2, 5)), fragment)
        runs["rate"].append(run)
        rated.add(row)
        if f"**You rated {number}**" not in run.texts():
            raise Broken(f"after {number} ratings the page shows another number")


def _search_box(run: Run) -> tuple[str, str]:
    for element, fragment in reversed(run.elements):
        if element.bidi_component.component_name == "recsys.search_box":
            return element.bidi_component.id, fragment
    raise Broken("the search box is missing")


def _offered(run: Run) -> list[int]:
    for element, _ in reversed(run.elements):
        if element.bidi_component.component_name == "recsys.search_box":
            return [row for row, _, _ in json.loads(element.bidi_component.json)["found"]]
    raise Broken("the search box is missing")


def _stars(run: Run, key: str) -> tuple[str, str]:
    """The stars of the selected movie."""
    for element, fragment in reversed(run.elements):
        if element.feedback.id.endswith(key):
            return element.feedback.id, fragment
    raise Broken(f"the stars are missing: {key}")


@dataclass
class Crowd:
    """Results of a group of concurrent sessions. Memory of the server in MiB while all are connected."""

    runs: Times = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    memory: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def n_runs(self) -> int:
        return sum(map(len, self.runs.values()))


async def _crowd(stack: AsyncExitStack, server: Server, titles: Sequence[str], seeds: range, n_rounds: int) -> Crowd:
    """Run the sessions concurrently; they stay connected until the stack is closed."""
    crowd = Crowd()

    async def one(visitor: Visitor, seed: int) -> None:
        try:
            await visit(visitor, titles, seed, n_rounds, crowd.runs)
        except (Broken, ConnectionClosed) as error:
            crowd.errors.append(f"session {seed}: {error}")

    print(f"{len(seeds)} sessions, {n_rounds} rounds …", file=sys.stderr, flush=True)
    before = server.cpu_seconds()
    visitors = [await stack.enter_async_context(Visitor(server.address)) for _ in seeds]
    await asyncio.gather(*(one(visitor, seed) for visitor, seed in zip(visitors, seeds, strict=True)))
    crowd.memory, crowd.cpu_seconds = server.memory(), server.cpu_seconds() - before
    return crowd


async def _measure(
    server: Server, titles: Sequence[str], n_sessions: int, n_rounds: int
) -> tuple[Crowd, Crowd, dict[str, float]]:
    """One session alone, which stays connected, then `n_sessions` more. Also memory at other moments, by moment."""
    memory = {"before the first session": server.memory()}
    async with AsyncExitStack() as stack:
        alone = await _crowd(stack, server, titles, range(1), n_rounds)
        crowd = await _crowd(stack, server, titles, range(1, n_sessions + 1), n_rounds)
    await asyncio.sleep(2)
    memory["just after all disconnected"] = server.memory()
    await asyncio.sleep(AFTERWARDS)
    async with Visitor(server.address) as visitor:  # Streamlit removes expired sessions when another one connects
        await visitor.open()
    await asyncio.sleep(2)
    memory[f"{AFTERWARDS:.0f} s later, after a new connection"] = server.memory()
    async with AsyncExitStack() as stack:  # memory not returned to the system may be reused
        others = await _crowd(stack, server, titles, range(n_sessions + 1, 2 * n_sessions + 1), n_rounds)
    memory[f"with {n_sessions} other sessions"] = others.memory
    crowd.errors += others.errors
    return alone, crowd, memory


def sessions(root: Path, n_sessions: int = N_SESSIONS, n_rounds: int = N_ROUNDS) -> tuple[list[str], list[str]]:
    """The section of RESULTS.md, and the errors."""
    models = large.models_of(root)
    model = store.load_model(models / large.MODEL)
    titles = model.catalog.items["title"].to_numpy()[np.argsort(-model.n_ratings)[:2000]].tolist()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with serving(ROOT / "app.py", log, {"RECSYS_MODELS": str(models)}) as server:
            alone, crowd, memory = asyncio.run(_measure(server, titles, n_sessions, n_rounds))
        complaints = [line for line in log.read_text(encoding="utf-8").splitlines() if "Error" in line]
    errors = alone.errors + crowd.errors + complaints
    further = (crowd.memory - alone.memory) / n_sessions
    lines = [
        "## Concurrent sessions",
        "",
        f"The page For you on the large model ({large.size_of(root)}): {n_sessions} sessions over real websockets and "
        f"one idle session. Each one types {LETTERS} letters, selects a movie and rates it, {n_rounds} times, with "
        f"{THINKS[0]:g} to {THINKS[1]:g} s of think time. Seconds from the request to the end of the run, with server "
        f"and clients on the same {large.threads()} cores. `python benchmarks/app.py sessions`",
        "",
        f"| action | one session: median | worst | {n_sessions} sessions: median | p95 | p99 | worst | KiB received |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, words in ACTIONS.items():
        one, many = (np.array([run.seconds for run in those.runs[name]]) for those in (alone, crowd))
        size = np.median([run.n_bytes for run in crowd.runs[name]]) / 1024 if len(many) else float("nan")
        lines.append(
            f"| {words} | {_seconds(one, 50)} | {_seconds(one, 100)} | {_seconds(many, 50)} | {_seconds(many, 95)} "
            f"| {_seconds(many, 99)} | {_seconds(many, 100)} | {size:.0f} |"
        )
    lines += [
        "",
        f"Errors: {len(errors)} in {alone.n_runs + crowd.n_runs:,} runs. CPU time of the server: "
        f"{1000 * alone.cpu_seconds / max(alone.n_runs, 1):.0f} ms per run with one session (including loading the "
        f"model), {1000 * crowd.cpu_seconds / max(crowd.n_runs, 1):.0f} ms with {n_sessions}.",
        "",
        "| memory of the server (unique set size) | MiB |",
        "|---|---|",
        f"| before the first session | {memory.pop('before the first session'):.0f} |",
        f"| with one session and the model loaded | {alone.memory:.0f} |",
        f"| with {n_sessions} more | {crowd.memory:.0f} |",
        f"| **each additional session** (goal: at most {MOST_MEGABYTES:.0f}) | **{further:.1f}** |",
        *(f"| {moment} | {amount:.0f} |" for moment, amount in memory.items()),
    ]
    return lines, errors


def _seconds(values: np.ndarray, percentile: float) -> str:
    return f"{np.percentile(values, percentile):.2f}" if len(values) else "–"
