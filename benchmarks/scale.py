"""Every stage at the size of MovieLens 25M beside other libraries, with the peak memory of each; writes RESULTS.md.

    python benchmarks/scale.py [--ml-1m FILE-OR-FOLDER] [--only prepare load epochs top-k commands]
    python benchmarks/scale.py --vae MINUTES     vae after so many minutes beside ials after 30 seconds

Each contender runs in a process of its own, and contenders of a stage take turns. The input is generated from
MovieLens 1M (`expand.py`) and kept in a temporary folder. This module imports nothing heavy, because a child's peak
memory includes that of its parent.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(tempfile.gettempdir()) / "recsys-scale"
RATINGS, MOVIES, MATRIX = FOLDER / "in/ratings.csv", FOLDER / "in/movies.csv", FOLDER / "matrix.npz"
DAY = FOLDER / "day.csv"
PREPARED, MODEL = FOLDER / "prepared", FOLDER / "model"
THREADS = os.cpu_count() or 1
K = 10
CHECKED = 64
"""Every 64th user's list is kept to compare the contenders."""
EIGHTH = 8
"""The slowest contenders of top-k serve every eighth user; their seconds are multiplied."""


@dataclass(frozen=True)
class Run:
    """One run of a contender: seconds and peak memory in bytes."""

    seconds: float
    peak: int


def run(command: list[str]) -> Run:
    """Run a process to its end. The seconds are those it prints as JSON on its last line, else those of the process."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)}\n{errors.read()}")
        lines = output.read().splitlines()
    if lines and lines[-1].startswith('{"seconds"'):
        seconds = json.loads(lines[-1])["seconds"]
    return Run(seconds, usage.ru_maxrss * 1024)


def child(name: str, *arguments: object) -> list[str]:
    """The command that runs one of the functions in `CHILDREN` in a process of its own."""
    return [sys.executable, __file__, "--child", name, *map(str, arguments)]


def recsys(*arguments: object) -> list[str]:
    """The command line of recsys with these arguments."""
    return [sys.executable, "-m", "recsys", *map(str, arguments)]


def report_seconds(seconds: float) -> None:
    """Tell the parent the seconds of the part that counts."""
    print(json.dumps({"seconds": seconds}))


# ------------------------------------------------------------------------------------------------------------- input


def generate(ml_1m: str) -> None:
    """Ratings and movies as CSV, and the same as a matrix, unless they exist."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import scipy.sparse as sp
    from expand import expand
    from results import prepared

    RATINGS.parent.mkdir(parents=True, exist_ok=True)
    matrix = expand(prepared("ml-1m", Path(ml_1m) if ml_1m else None).interactions.matrix)
    rng = np.random.default_rng(1)
    n_movies, genres = matrix.shape[1], ("Action", "Comedy", "Drama", "Horror|Thriller", "Sci-Fi", "Romance")
    movies = {
        "movieId": np.arange(n_movies) * 3 + 1,
        "title": [f"Movie {at} ({1930 + at % 90})" for at in range(n_movies)],
        "genres": [genres[at % len(genres)] for at in range(n_movies)],
    }
    ratings = {
        "userId": np.repeat(np.arange(1, matrix.shape[0] + 1), np.diff(matrix.indptr)),
        "movieId": matrix.indices.astype(np.int64) * 3 + 1,
        "rating": rng.integers(1, 11, matrix.nnz) / 2,
        "timestamp": rng.integers(800_000_000, 1_500_000_000, matrix.nnz),
    }
    options = pacsv.WriteOptions(quoting_style="none")
    pacsv.write_csv(pa.table(movies), MOVIES, options)
    pacsv.write_csv(pa.table(ratings), RATINGS, options)
    sp.save_npz(MATRIX, matrix, compressed=False)  # last: its presence says that all are complete


# ----------------------------------------------------------------------------------------------------------- prepare


def prepare_pandas() -> None:
    """CSV → CSR matrix in pandas, without any check."""
    import pandas as pd
    import scipy.sparse as sp

    table = pd.read_csv(RATINGS)
    users, _ = pd.factorize(table["userId"], sort=True)
    items, _ = pd.factorize(table["movieId"], sort=True)
    print(sp.csr_matrix((table["rating"].to_numpy("f4"), (users, items))).nnz)


def prepare_polars() -> None:
    """CSV → CSR matrix in polars, without any check."""
    import polars as pl
    import scipy.sparse as sp

    table = pl.read_csv(RATINGS)

    def codes(name: str) -> Any:  # three times as fast as rank("dense")
        distinct = table.select(pl.col(name).unique().sort()).with_row_index("code")
        return table.select(name).join(distinct, on=name, how="left", maintain_order="left")["code"].to_numpy()

    ratings = table["rating"].cast(pl.Float32).to_numpy()
    print(sp.csr_matrix((ratings, (codes("userId"), codes("movieId")))).nnz)


def load_prepared() -> None:
    """The prepared folder → Dataset."""
    from recsys import store

    started = time.perf_counter()
    dataset = store.load_prepared(PREPARED)
    report_seconds(time.perf_counter() - started)
    assert dataset.interactions.matrix.nnz


def load_model() -> None:
    """The model folder → Model."""
    from recsys import store

    started = time.perf_counter()
    model = store.load_model(MODEL)
    report_seconds(time.perf_counter() - started)
    assert len(model.item_ids)


# ------------------------------------------------------------------------------------------------------------ epochs


def epochs(who: str, factors: str) -> None:
    """The median seconds of three epochs after the first."""
    import numpy as np
    import scipy.sparse as sp
    import speed

    from recsys.dataset.interactions import Interactions
    from recsys.models import IALS

    matrix = sp.load_npz(MATRIX)
    data = Interactions(matrix, np.arange(matrix.shape[0]), np.arange(matrix.shape[1]))
    settings = IALS(n_factors=int(factors), regularization=0.003, alpha0=0.1, nu=1.0)
    running = {
        "recsys": lambda: speed._our_epochs(settings, data, matrix.T.tocsr()),
        "irspack": lambda: speed._irspack_epochs(settings, data, "CG"),
        "implicit": lambda: speed._implicit_epochs(settings.n_factors, data),
    }[who]()
    next(running)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        next(running)
        seconds.append(time.perf_counter() - started)
    report_seconds(statistics.median(seconds))
    sys.stdout.flush()
    os._exit(0)  # implicit's thread waits for a turn that does not come


# ------------------------------------------------------------------------------------------------------------- top-k


def vectors() -> tuple[Any, Any, Any]:
    """User and item factors, float32, and the seen items of each user, CSR."""
    import numpy as np
    import scipy.sparse as sp

    from recsys import store

    space = store.load_model(MODEL).space
    users, items = (np.ascontiguousarray(each, np.float32) for each in (space.user_factors, space.item_factors))
    seen = sp.load_npz(MATRIX)  # the folder has neither users nor movies without ratings
    return users, items, seen[seen.getnnz(axis=1) > 0][:, seen.getnnz(axis=0) > 0].tocsr()


def top_k(who: str) -> None:
    """The ten best unseen movies of every user: seconds of the kernel alone, with the vectors in memory."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    users, items, seen = vectors()
    assert seen.shape == (len(users), len(items))
    every = EIGHTH if who in ("numpy", "faiss") else 1
    users, seen = users[::every], seen[::every]
    kernel = {"recsys": _recsys, "implicit": _implicit, "faiss": _faiss, "numpy": _numpy, "sgemm": _sgemm}[who]
    if who == "recsys":
        kernel(users[:256], items, seen[:256])  # compiles
    with threadpool_limits(1 if who in ("recsys", "implicit", "sgemm") else THREADS, "blas"):
        started = time.perf_counter()
        lists = kernel(users, items, seen)
        seconds = (time.perf_counter() - started) * every
    if lists is not None:
        np.save(FOLDER / f"lists-{who}.npy", lists[:: CHECKED // every])
    report_seconds(seconds)


def _recsys(users: Any, items: Any, seen: Any) -> Any:
    from recsys.inner_products import InnerProducts

    return InnerProducts(items).top_k(users, K, exclude=seen, n_threads=THREADS)[0]


def _implicit(users: Any, items: Any, seen: Any) -> Any:
    import numpy as np
    from implicit.cpu.als import AlternatingLeastSquares

    peer = AlternatingLeastSquares(users.shape[1], num_threads=THREADS)
    peer.user_factors, peer.item_factors = users, items
    return peer.recommend(np.arange(len(users)), seen, N=K)[0]


def _faiss(users: Any, items: Any, seen: Any) -> Any:
    """IndexFlatIP fetches ten more than a user has seen, users with similar counts together; NumPy removes the seen."""
    import faiss
    import numpy as np

    index = faiss.IndexFlatIP(items.shape[1])
    index.add(items)
    found = np.empty((len(users), K), np.int64)
    counts = np.diff(seen.indptr)
    order = np.argsort(counts)
    for start in range(0, len(order), 2048):
        rows = order[start : start + 2048]
        fetched = index.search(users[rows], int(min(K + counts[rows].max(), len(items))))[1]
        for row, candidates in zip(rows, fetched, strict=True):
            known = seen.indices[seen.indptr[row] : seen.indptr[row + 1]]
            found[row] = candidates[~np.isin(candidates, known)][:K]
    return found


def _numpy(users: Any, items: Any, seen: Any) -> Any:
    import numpy as np

    found = np.empty((len(users), K), np.int64)
    for start in range(0, len(users), 512):
        scores = users[start : start + 512] @ items.T
        block = seen[start : start + 512].tocoo()
        scores[block.row, block.col] = -np.inf
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1)
        found[start : start + 512] = np.take_along_axis(best, order, 1)
    return found


def _sgemm(users: Any, items: Any, seen: Any) -> None:
    """All scores, 256 users × 512 items at a time so that they stay in the cache, and nothing else."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy as np

    def part(thread: int) -> None:
        scores = np.empty((256, 512), np.float32)
        for start in range(thread * 256, len(users), THREADS * 256):
            block = users[start : start + 256]
            for first in range(0, len(items), 512):
                tile = items[first : first + 512]
                out = scores[: len(block), : len(tile)] if len(tile) == 512 else None
                np.matmul(block, tile.T, out=out)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(part, range(THREADS)))


def agreement() -> None:
    """Share of equal entries between our lists and those of the others."""
    import numpy as np

    ours = np.load(FOLDER / "lists-recsys.npy")
    shares = {
        who: float((np.load(FOLDER / f"lists-{who}.npy") == ours).mean()) for who in ("implicit", "faiss", "numpy")
    }
    print(json.dumps(shares))
    assert min(shares.values()) > 0.999, shares  # except for ties in the last bit


# --------------------------------------------------------------------------------------------------------------- vae

LEARNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "ials, 64 factors": ("ials", {"n_factors": 64, "epochs": 1000}),
    "ials, 128 factors": ("ials", {"n_factors": 128, "epochs": 1000}),
    "vae, multvae": ("vae", {"variant": "multvae", "learning_rate": 0.003, "batch_size": 500, "epochs": 10_000}),
    "vae, recvae": ("vae", {"variant": "recvae", "epochs": 10_000}),
}
REFERENCE = "ials, 64 factors"
N_TEST_USERS = 10_000


def learn(who: str, seconds: str) -> None:
    """Train for so many seconds, end training as Ctrl-C does, and measure the lists of new users."""
    import numpy as np

    from recsys import store
    from recsys.dataset.dataset import Dataset
    from recsys.dataset.interactions import Interactions
    from recsys.dataset.split import HoldOut, hold_out
    from recsys.evaluation.ranking import rank_quality
    from recsys.models import MODELS

    data = store.load_prepared(PREPARED)
    whole = hold_out(data.interactions, "new-users")
    rows = np.sort(np.random.default_rng(0).choice(whole.known.n_users, N_TEST_USERS, replace=False))
    known = Interactions(whole.known.matrix[rows], whole.known.user_ids[rows], whole.known.item_ids)
    split = HoldOut(whole.train, known, whole.truth[rows])
    name, settings = LEARNERS[who]
    learner = MODELS[name](**settings)
    ended: list[float] = []
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.alarm(int(float(seconds)))
    started = time.perf_counter()
    model = learner.fit(Dataset(split.train, data.catalog), progress=lambda *_: ended.append(time.perf_counter()))
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    quality = rank_quality(model, split, (100,), auc=False, n_threads=THREADS)
    (FOLDER / "out").mkdir(exist_ok=True)
    quality.metrics.to_parquet(FOLDER / "out" / f"{who}.parquet")
    epochs, n_epochs = np.diff([started, *ended]), len(ended) - (name == "vae")  # vae also reports the end
    row = {
        "epochs": n_epochs,
        "epoch": float(np.median(epochs[1:n_epochs])),
        "took": took,
        "peak": peak,
        "estimate": learner.memory(split.train.n_users, split.train.n_items),
        "users": split.train.n_users,
    }
    (FOLDER / "out" / f"{who}.json").write_text(json.dumps(row), encoding="utf-8")


def compare_learned() -> None:
    """The table of what `learn` measured, and the section of RESULTS.md."""
    import pandas as pd
    from results import write_section

    from recsys.evaluation.interval import bootstrap, intervals, paired

    found = {
        who: (json.loads(path.with_suffix(".json").read_text()), pd.read_parquet(path))
        for who in LEARNERS
        if (path := FOLDER / "out" / f"{who}.parquet").is_file()
    }
    reference = found[REFERENCE][1]
    rows = []
    for who, (row, metrics) in found.items():
        mean = intervals(bootstrap(metrics))["ndcg@100"]
        lead = intervals(paired(metrics, reference))["ndcg@100"]
        word = {1: "**ahead**", -1: "behind", 0: "not shown"}[lead.sign]
        difference = "–" if who == REFERENCE else f"{lead.mean:+.4f} ({lead.low:+.4f} … {lead.high:+.4f}) {word}"
        rows.append(
            f"| {who} | {row['took'] / 60:.1f} | {row['epochs']} | {row['epoch']:.1f} | {row['peak'] / 2**20:,.0f} "
            f"| {row['estimate'] / 2**20:,.0f} | {mean} | {difference} |"
        )
    write_section(
        [
            "## `vae` on an input with the shape of MovieLens 25M",
            "",
            "`python benchmarks/scale.py --vae MINUTES`: new users, nDCG@100 of "
            f"{N_TEST_USERS:,} of them with its 95 % interval; the models train on "
            f"{found[REFERENCE][0]['users']:,} users × 58 thousand movies, 20 million ratings. After the time Ctrl-C "
            "ends training, and the vectors of all users are computed. An epoch of `vae` (its seconds include the "
            "validation) is a pass over 20,000 users, with `recvae` three of the encoder and one of the decoder. "
            "The memory is the peak of the process with the data, beside what `memory` says of training alone.",
            "",
            "| model | minutes | epochs | s per epoch | peak MiB | `memory`, MiB | nDCG@100 "
            f"| minus {REFERENCE}, same users |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


CHILDREN: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (
        generate,
        prepare_pandas,
        prepare_polars,
        load_prepared,
        load_model,
        epochs,
        top_k,
        agreement,
        learn,
        compare_learned,
    )
}

# ------------------------------------------------------------------------------------------------------------- table


@dataclass(frozen=True)
class Contender:
    """A row of the table: who, which process, how often it runs."""

    who: str
    command: list[str]
    runs: int = 3


def stages() -> dict[str, list[tuple[str, list[Contender]]]]:
    """Jobs and their contenders, ours first, by part of the benchmark."""
    out = FOLDER / "out"
    parts: dict[str, list[tuple[str, list[Contender]]]] = {
        "prepare": [
            (
                "CSV → matrix, whole process",
                [
                    Contender(
                        "`recsys prepare`: checks every row, writes the folder",
                        recsys("prepare", RATINGS, "--items", MOVIES, "--out", out / "prepared"),
                    ),
                    Contender("pandas, no checks, writes nothing", child("prepare_pandas"), 2),
                    Contender("polars, no checks, writes nothing", child("prepare_polars")),
                ],
            ),
            (
                "20,000 more ratings into the folder, whole process",
                [Contender("`recsys prepare --append`", recsys("prepare", DAY, "--append", "--out", out / "prepared"))],
            ),
        ],
        "load": [
            ("loading the prepared folder", [Contender("`recsys`, the call alone", child("load_prepared"))]),
            ("loading the model", [Contender("`recsys`, the call alone", child("load_model"))]),
        ],
        "epochs": [
            (
                f"epoch of ALS, {d} factors",
                [
                    Contender("recsys `ials`, cg_steps 2", child("epochs", "recsys", d), 3),
                    Contender("implicit, CG, 3 steps", child("epochs", "implicit", d), 1),
                    Contender("irspack, CG, 3 steps", child("epochs", "irspack", d), 1),
                ],
            )
            for d in (64, 128)
        ],
        "top-k": [
            (
                "ten best unseen movies of every user, kernel",
                [
                    Contender(
                        "recsys `InnerProducts.top_k`, with the arrangement of the items", child("top_k", "recsys")
                    ),
                    Contender("implicit `recommend`", child("top_k", "implicit"), 1),
                    Contender("faiss `IndexFlatIP`, 10 + seen fetched, seen removed", child("top_k", "faiss"), 1),
                    Contender("NumPy, 512 users at a time", child("top_k", "numpy"), 1),
                    Contender("bare sgemm in blocks that stay in cache, no selection", child("top_k", "sgemm"), 2),
                ],
            )
        ],
        "commands": [
            (
                "lists of every user into Parquet, whole process",
                [
                    Contender(
                        "`recsys recommend --out`",
                        recsys("recommend", "--model", MODEL, "--data", PREPARED, "--out", out / "lists.parquet"),
                    )
                ],
            ),
            (
                "start-up, whole process",
                [
                    Contender("`recsys --help`", recsys("--help")),
                    Contender('`python -c "import numpy"`', [sys.executable, "-c", "import numpy"]),
                ],
            ),
            (
                "ten movies like one, whole process",
                [Contender("`recsys similar`", recsys("similar", "Movie 7 (1937)", "--model", MODEL))],
            ),
            (
                "list of one user, whole process",
                [
                    Contender(
                        "`recsys recommend --user`",
                        recsys("recommend", "--model", MODEL, "--data", PREPARED, "--user", 1),
                    ),
                ],
            ),
        ],
    }
    return parts


def measure(contenders: list[Contender]) -> list[Run]:
    """Median seconds and highest peak of each; they take turns."""
    runs: list[list[Run]] = [[] for _ in contenders]
    for turn in range(max(each.runs for each in contenders)):
        for at, contender in enumerate(contenders):
            if turn < contender.runs:
                runs[at].append(run(contender.command))
    return [Run(statistics.median(r.seconds for r in each), max(r.peak for r in each)) for each in runs]


def main() -> None:
    """Measure the chosen parts and replace the section of RESULTS.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ml-1m", type=Path, help="file or folder with the ratings of MovieLens 1M; else downloaded")
    parser.add_argument("--only", nargs="+", choices=tuple(stages()), default=tuple(stages()))
    parser.add_argument(
        "--vae", type=float, metavar="MINUTES", help="only this: train vae so long, ials for 30 seconds"
    )
    parser.add_argument(
        "--who", nargs="+", choices=tuple(LEARNERS), default=tuple(LEARNERS), help="with --vae: who trains"
    )
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        name, *arguments = chosen.child
        CHILDREN[name](*arguments)
        return
    if not MATRIX.is_file():
        run(child("generate", chosen.ml_1m or ""))
    if not DAY.is_file():
        import pandas as pd

        pd.read_csv(RATINGS, nrows=20_000).assign(timestamp=2_000_000_000).to_csv(DAY, index=False)
    if not PREPARED.is_dir():
        run(recsys("prepare", RATINGS, "--items", MOVIES, "--out", PREPARED))
    if chosen.vae:
        for who in chosen.who:
            run(child("learn", who, 60 * chosen.vae if LEARNERS[who][0] == "vae" else 30))
        run(child("compare_learned"))
        return
    if not MODEL.is_dir():
        run(recsys("train", "--data", PREPARED, "--out", MODEL, "--set", "epochs=8"))
    (FOLDER / "out").mkdir(exist_ok=True)
    rows = []
    for part in chosen.only:
        for job, contenders in stages()[part]:
            found = measure(contenders)
            for at, (contender, each) in enumerate(zip(contenders, found, strict=True)):
                ratio = f"{each.seconds / found[0].seconds:.1f} ×" if len(found) > 1 else "–"
                rows.append(
                    f"| {'' if at else job} | {contender.who} | {each.seconds:.2f} | {ratio} "
                    f"| {each.peak / 2**20:,.0f} |"
                )
                print(rows[-1], file=sys.stderr, flush=True)
        if part == "top-k":
            run(child("agreement"))
    lines = [
        "## Every stage on an input with the shape of MovieLens 25M",
        "",
        "`python benchmarks/scale.py`: 163,080 users × 59,296 movies, 24.7 million ratings (CSV: 638 MB); "
        "64 factors where none are named. Each contender is a process of its own, and they take turns: the median of "
        "three runs, of one or two for what takes many seconds. NumPy and faiss serve every eighth user, times eight. "
        "`×`: how many times as long as recsys, the first row of the job. The memory is the "
        "peak of the whole process, inputs included. The lists of implicit, faiss and NumPy agree "
        "with ours in more than 99.9 % of the entries.",
        "",
        "| job | who | s | × | peak MiB |",
        "|---|---|---|---|---|",
        *rows,
    ]
    from results import write_section

    write_section(lines)


if __name__ == "__main__":
    main()
