"""Many people at once: everyone searches, takes a movie and rates it, again and again; nothing may go wrong."""

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
"""Each changes three widgets: types, takes, rates."""
THINKS = (0.5, 2.0)
"""Seconds between an answer and the next wish."""
MOST_TRIES = 20
LETTERS = 5
"""Typed of a title before one of those that are offered is taken."""
AFTERWARDS = 150.0
"""Seconds until the memory is looked at again after everyone left: Streamlit keeps a lost session for 120, in case its
browser comes back."""
MOST_MEGABYTES = 50.0

WISHES = {"open": "open the page", "type": "type a title", "take": "take a movie", "rate": "rate it"}

Times = dict[str, list[Run]]


async def visit(visitor: Visitor, titles: Sequence[str], seed: int, n_rounds: int, runs: Times) -> None:
    """One person: open the page, then type, take, rate. Raises Broken, also where the page counts other ratings than
    this person gave."""
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
            raise Broken(f"{MOST_TRIES} titles were typed, and nothing was offered")
        row = dice.choice(offered)
        run = await visitor.trigger(search, "picked", row, fragment)
        runs["take"].append(run)
        await asyncio.sleep(dice.uniform(*THINKS))
        stars, fragment = _stars(run, row + 1)
        run = await visitor.change(stars, str(dice.randrange(2, 5)), fragment)
        runs["rate"].append(run)
        rated.add(row)
        if f"**You rated {number}**" not in run.texts():
            raise Broken(f"after {number} ratings the page says something else")


def _search_box(run: Run) -> tuple[str, str]:
    for element, fragment in reversed(run.elements):
        if element.bidi_component.component_name == "recsys.search_box":
            return element.bidi_component.id, fragment
    raise Broken("there is no search box")


def _offered(run: Run) -> list[int]:
    for element, _ in reversed(run.elements):
        if element.bidi_component.component_name == "recsys.search_box":
            return [row for row, _, _ in json.loads(element.bidi_component.json)["found"]]
    raise Broken("there is no search box")


def _stars(run: Run, item: int) -> tuple[str, str]:
    """The stars of the movie that was taken; items are numbered from 1 in the large model."""
    for element, fragment in reversed(run.elements):
        if element.feedback.id.endswith(f"found-{large.DATA}-{item}"):
            return element.feedback.id, fragment
    raise Broken(f"there are no stars for movie {item}")


@dataclass
class Crowd:
    """What a number of people at once came to. Memory in MiB, of the server, while all were still there."""

    runs: Times = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    memory: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def n_runs(self) -> int:
        return sum(map(len, self.runs.values()))


async def _crowd(stack: AsyncExitStack, server: Server, titles: Sequence[str], seeds: range, n_rounds: int) -> Crowd:
    """People come together, and stay until the stack is left."""
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
    """One person alone, who then stays; and so many more at once. Memory at the other moments, by moment."""
    memory = {"before the first": server.memory()}
    async with AsyncExitStack() as stack:
        alone = await _crowd(stack, server, titles, range(1), n_rounds)
        crowd = await _crowd(stack, server, titles, range(1, n_sessions + 1), n_rounds)
    await asyncio.sleep(2)
    memory["just after all left"] = server.memory()
    await asyncio.sleep(AFTERWARDS)
    async with Visitor(server.address) as visitor:  # Streamlit throws lost sessions away when somebody comes or goes
        await visitor.open()
    await asyncio.sleep(2)
    memory[f"{AFTERWARDS:.0f} s later, after a visit"] = server.memory()
    async with AsyncExitStack() as stack:  # what is not given back to the system may still be used again
        others = await _crowd(stack, server, titles, range(n_sessions + 1, 2 * n_sessions + 1), n_rounds)
    memory[f"with {n_sessions} others, who did the same"] = others.memory
    crowd.errors += others.errors
    return alone, crowd, memory


def sessions(root: Path, n_sessions: int = N_SESSIONS, n_rounds: int = N_ROUNDS) -> tuple[list[str], list[str]]:
    """The section of RESULTS.md, and what went wrong."""
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
        "## Many at once",
        "",
        f"The page For you on the large model ({large.size_of(root)}): {n_sessions} sessions over real websockets, one "
        f"more there and idle, each {n_rounds} times: types {LETTERS} letters, takes a movie, rates it, thinks "
        f"{THINKS[0]:g} to {THINKS[1]:g} s before each wish. Seconds from the request to the end of the run, server "
        f"and visitors on the same {large.threads()} cores. `python benchmarks/app.py sessions`",
        "",
        f"| what | one session: median | worst | {n_sessions} sessions: median | p95 | p99 | worst | KiB back |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, words in WISHES.items():
        one, many = (np.array([run.seconds for run in those.runs[name]]) for those in (alone, crowd))
        size = np.median([run.n_bytes for run in crowd.runs[name]]) / 1024 if len(many) else float("nan")
        lines.append(
            f"| {words} | {_seconds(one, 50)} | {_seconds(one, 100)} | {_seconds(many, 50)} | {_seconds(many, 95)} "
            f"| {_seconds(many, 99)} | {_seconds(many, 100)} | {size:.0f} |"
        )
    lines += [
        "",
        f"Errors: {len(errors)} in {alone.n_runs + crowd.n_runs:,} runs. Processor time of the server: "
        f"{1000 * alone.cpu_seconds / max(alone.n_runs, 1):.0f} ms a run alone (with the loading of the model), "
        f"{1000 * crowd.cpu_seconds / max(crowd.n_runs, 1):.0f} ms among {n_sessions}.",
        "",
        "| memory of the server (unique set size) | MiB |",
        "|---|---|",
        f"| before the first | {memory.pop('before the first'):.0f} |",
        f"| with one session, the model loaded | {alone.memory:.0f} |",
        f"| with {n_sessions} more | {crowd.memory:.0f} |",
        f"| **a further session** (goal: at most {MOST_MEGABYTES:.0f}) | **{further:.1f}** |",
        *(f"| {moment} | {amount:.0f} |" for moment, amount in memory.items()),
    ]
    return lines, errors


def _seconds(values: np.ndarray, percentile: float) -> str:
    return f"{np.percentile(values, percentile):.2f}" if len(values) else "–"
