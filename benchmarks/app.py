"""Response times and memory of the app with a model of MovieLens 25M's size; writes its sections of RESULTS.md.

    python benchmarks/app.py prepare     builds the large model: data, vectors, map, clusters, axes (about ten minutes)
    python benchmarks/app.py scatter     compares three scatter plots with 60,000 points
    python benchmarks/app.py view        time until the list and the map are drawn
    python benchmarks/app.py rating      time from a rating to the new list, and the library's share of it
    python benchmarks/app.py drag        frames per second while the map moves
    python benchmarks/app.py sessions    twenty concurrent sessions: response times, errors, memory
    python benchmarks/app.py attack      visitors of a public page on the demo's model, with and without attackers

Needs Chromium and playwright (extra `dev`). Chromium renders in software on the cores that also serve the app, so all
browser times are upper bounds.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from app.attack import attack
from app.browser import drag, rating, view
from app.scatter import scatter
from app.sessions import N_ROUNDS, N_SESSIONS, sessions
from results import write_section

from app import large
from recsys.errors import RecsysError
from recsys.ingest.datasets import data_root

PARTS = {"scatter": scatter, "view": view, "rating": rating, "drag": drag}


def main() -> None:
    """Run one part and replace its section of RESULTS.md; exit status 1 if a session failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("prepare", *PARTS, "sessions", "attack"))
    parser.add_argument("--root", type=Path, default=large.default_root(), help="folder of the large model")
    parser.add_argument("--sessions", type=int, default=N_SESSIONS, help="concurrent sessions")
    parser.add_argument("--rounds", type=int, default=N_ROUNDS, help="movies rated per session")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers are stopped
    errors: list[str] = []
    try:
        if given.part == "prepare":
            large.make(given.root)
            return
        if given.part == "sessions":
            lines, errors = sessions(given.root, given.sessions, given.rounds)
        elif given.part == "attack":
            lines, errors = attack(data_root() / "models")
        else:
            lines = PARTS[given.part](given.root)
        write_section(lines)
    except RecsysError as error:
        sys.exit(f"app.py: {error}")
    for line in errors:
        print(line, file=sys.stderr)
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
