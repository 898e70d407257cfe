"""How fast and how large the app is with a model of MovieLens 25M's size; writes its sections of RESULTS.md.

    python benchmarks/app.py prepare     the large model: data, vectors, map, clusters, axes (once, some ten minutes)
    python benchmarks/app.py scatter     which scatter plot for 60,000 movies: three side by side
    python benchmarks/app.py view        until list and map are there
    python benchmarks/app.py rating      from a star to the new list; and the library's part of it
    python benchmarks/app.py drag        frames a second while the map is moved
    python benchmarks/app.py sessions    twenty people at once: answers, errors, memory

Needs Chromium and playwright (the extra `dev`). Chromium has no graphics card here: it draws in software, on the same
cores that serve the app, so all times of the browser are upper bounds for a person's own machine.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from app.browser import drag, rating, view
from app.scatter import scatter
from app.sessions import N_ROUNDS, N_SESSIONS, sessions
from results import write_section

from app import large
from recsys.errors import RecsysError

PARTS = {"scatter": scatter, "view": view, "rating": rating, "drag": drag}


def main() -> None:
    """Run one part and replace its section of RESULTS.md; exit status 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("prepare", *PARTS, "sessions"))
    parser.add_argument("--root", type=Path, default=large.default_root(), help="where the large model lies")
    parser.add_argument("--sessions", type=int, default=N_SESSIONS, help="people at once")
    parser.add_argument("--rounds", type=int, default=N_ROUNDS, help="movies that each of them rates")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end with it
    errors: list[str] = []
    try:
        if given.part == "prepare":
            large.make(given.root)
            return
        if given.part == "sessions":
            lines, errors = sessions(given.root, given.sessions, given.rounds)
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
