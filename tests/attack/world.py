"""A small world to attack: ratings, prepared data, models with all that belongs to them; and every verb that writes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

N_USERS, N_ITEMS = 60, 60
COLUMNS = ("--user-col", "user", "--item-col", "movie", "--rating-col", "stars", "--time-col", "when")
MODELS = {
    "ials": ("--factors", 4), "als": ("--factors", 4), "bpr": ("--factors", 4),
    "blend": ("--of", "ials,bpr", "--set", "ials.n_factors=4", "--set", "bpr.n_factors=3"),
    "ease": (), "itemknn": (), "popular": (),
}  # fmt: skip
TINY = ("variant=multvae", "n_factors=4", "hidden=8", "epochs=2")
JAX_MODELS = {
    "vae": tuple(word for field in TINY for word in ("--set", field)),
    "blend-vae": ("--of", "ials,vae", *(word for field in TINY for word in ("--set", f"vae.{field}"))),
}
"""Models that JAX trains, by the names of their folders. They are trained in children of the warm process: its forks
would lose the threads of JAX."""
ALL = MODELS | JAX_MODELS


def write_sources(folder: Path) -> None:
    """Write what the verbs read: two files of ratings, items, vectors, users, a quantity, and the zip of a dataset."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    genres = ("Drama", "Comedy", "Horror", "Action", "War", "Western")
    items = "item_id,title,genres\n" + "".join(  # no two items with the same genres: ties would be broken by rounding
        f'm{item},"Film {item}, The ({1960 + item})",{"|".join(g for bit, g in enumerate(genres) if item >> bit & 1)}\n'
        for item in range(N_ITEMS)
    )
    (folder / "items.csv").write_text(items)
    for name, shift in (("ratings.csv", 0), ("ratings2.csv", 1)):
        rows = "".join(
            f"u{user},m{item},{1 + (user * item + shift) % 5},{1_000_000_000 + user * 60 + item}\n"
            for user in range(N_USERS)
            for item in range(N_ITEMS)
            if (user % 4 == item % 4) or (user * 7 + item * 3 + shift) % 4
        )
        (folder / name).write_text("user,movie,stars,when\n" + rows)
    vectors = rng.standard_normal((N_ITEMS, 4))
    for name, factor in (("vectors.csv", 1.0), ("vectors2.csv", 2.0)):
        lines = "".join(f"m{i}," + ",".join(f"{factor * x:.4f}" for x in row) + "\n" for i, row in enumerate(vectors))
        (folder / name).write_text("item_id,a,b,c,d\n" + lines)
    (folder / "users.txt").write_text("".join(f"u{user}\n" for user in range(0, N_USERS, 2)) + "nobody\n")
    (folder / "length.csv").write_text("item_id,value\n" + "".join(f"m{i},{80 + i}\n" for i in range(N_ITEMS)))
    raw = folder / "root" / "raw"
    raw.mkdir(parents=True)
    with zipfile.ZipFile(raw / "tiny.zip", "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, text in {
            "ratings.csv": "userId,movieId,rating,timestamp\n1,1,5.0,1000000000\n2,1,3.0,1000000001\n",
            "movies.csv": "movieId,title,genres\n1,Film (1999),Drama\n",
            "README.txt": "a licence\n",
        }.items():
            bundle.writestr(zipfile.ZipInfo(f"tiny/{name}", (2000, 1, 1, 0, 0, 0)), text)


PREPARE = ("prepare", "ratings.csv", "--items", "items.csv", "--out", "data", *COLUMNS)
PREPARE_OTHER = ("prepare", "ratings2.csv", "--items", "items.csv", "--out", "data", *COLUMNS)
APPEND = ("prepare", "ratings2.csv", "--append", "--out", "data", *COLUMNS)
PREPARE_BOTH = ("prepare", "ratings.csv", "ratings2.csv", *PREPARE[2:])
MAP = ("map", "--model", "ials", "--method", "pca")
AXES = ("axes", "--model", "ials", "--data", "data", "--refits", 1)
CLUSTERS = ("clusters", "--model", "ials", "--method", "kmeans")
EVALUATE = ("evaluate", "--data", "data", "--trained", "ials", "--model", "popular")
REPORT = ("report", "--model", "ials", "--data", "data", "--seeds", 1, "--dimensions", "2,3")
BATCH = ("recommend", "--model", "ials", "--data", "data", "--out", "lists.parquet", "--users", "users.txt")
TUNE = ("tune", "--model", "itemknn", "--data", "data", "--out", "best.json", "--trials", 1)
IMPORT = ("import-vectors", "vectors.csv", "--items", "items.csv", "--data", "data", "--out", "imported")


def train(model: str, *options: object) -> tuple[object, ...]:
    """The command that trains a model of a kind into the folder of its name."""
    return ("train", "--data", "data", "--out", model, "--model", model.partition("-")[0], *ALL[model], *options)


BUILD = (
    PREPARE, *(train(model) for model in ALL), IMPORT,
    MAP, ("map", "--model", "ials"), AXES, CLUSTERS, EVALUATE, REPORT, BATCH, TUNE,
)  # fmt: skip
"""The commands that make the world."""
QUICK_BUILD = (PREPARE, train("ials"), train("popular"), MAP, ("map", "--model", "ials"), AXES, BATCH)
"""What the sample of attempts needs of it."""


@dataclass(frozen=True)
class Case:
    """A command that writes, with what is there before.

    needs    files and folders of the world that it reads or replaces
    units    what it writes: the paths of a unit change together; the numbers of a report name their page by its
             checksum instead
    before   commands that make what is there before, from `needs`
    missing  paths that are removed at first
    again    the command that continues after a crash, if it is another one
    loose    files whose content may differ from run to run, such as a database of trials
    settings  constants of modules that are changed: "module:NAME" to value
    mirror   fetch from the server of the world instead of from a zip placed by hand
    """

    name: str
    command: tuple[object, ...]
    needs: tuple[str, ...]
    units: tuple[tuple[str, ...], ...]
    before: tuple[tuple[object, ...], ...] = ()
    missing: tuple[str, ...] = ()
    again: tuple[object, ...] | None = None
    loose: tuple[str, ...] = ()
    settings: tuple[tuple[str, int], ...] = ()
    mirror: bool = False


def _cases() -> Iterator[Case]:
    tables = ("ratings.csv", "ratings2.csv", "items.csv")
    yield Case("fetch", ("fetch", "tiny"), ("root",), (("root/raw/tiny",),))
    yield Case("fetch from a server", ("fetch", "tiny"), ("root",), (("root/raw/tiny",),),
               missing=("root/raw/tiny.zip",), mirror=True)  # fmt: skip
    yield Case("fetch over a damaged folder", ("fetch", "tiny"), ("root",), (("root/raw/tiny",),),
               before=(("fetch", "tiny"),), missing=("root/raw/tiny/ratings.csv",))  # fmt: skip
    yield Case("prepare", PREPARE, tables, (("data",),))
    yield Case("prepare over other data", PREPARE, tables, (("data",),), before=(PREPARE_OTHER,))
    # Once the new folder is in place, a second run adds the rows again; preparing both files gives the same bytes.
    yield Case("prepare --append", APPEND, tables, (("data",),), before=(PREPARE,), again=PREPARE_BOTH)
    for model in MODELS:
        yield Case(f"train {model} over another", train(model), ("data",), ((model,),),
                   before=(train(model, "--weighting", "binary"),))  # fmt: skip
    yield Case("train ials", train("ials"), ("data",), (("ials",),))
    yield Case("train over a model with axes and maps", train("ials", "--seed", 7), ("data", "ials"), (("ials",),))
    imported = ("vectors.csv", "vectors2.csv", "items.csv", "data")
    yield Case("import-vectors", IMPORT, imported, (("imported",),))
    other = ("import-vectors", "vectors2.csv", *IMPORT[2:])
    yield Case("import-vectors over another", IMPORT, imported, (("imported",),), before=(other,))
    model = ("data", "ials")
    for name, command, other, paths in (
        ("map", MAP, (*MAP, "--seed", 1, "--like", "ials/map-tsne.parquet"), ("ials/map-pca.parquet",)),
        ("axes", AXES, (*AXES, "--ask", "Horror"), ("ials/axes.json",)),
        ("clusters", CLUSTERS, (*CLUSTERS, "--seed", 5), ("ials/clusters.parquet",)),
        ("evaluate", EVALUATE, (*EVALUATE, "--seed", 5), ("ials/ranking.json",)),
        ("report", REPORT, (*REPORT[:-1], "2"), ("ials/report.html", "ials/report.json")),
    ):
        units = tuple((path,) for path in paths)
        yield Case(name, command, model, units, missing=paths)
        yield Case(f"{name} over another", command, model, units, before=(other,))
    for suffix in ("html", "parquet"):
        yield Case(f"map to .{suffix}", (*MAP, "--out", f"out.{suffix}"), model,
                   (("ials/map-pca.parquet",), (f"out.{suffix}",)), missing=("ials/map-pca.parquet",))  # fmt: skip
    to_file = ("evaluate", "--data", "data", "--model", "popular", "--out", "out.json")
    yield Case("evaluate to a file", to_file, ("data",), (("out.json",),))
    yield Case("report to a page", (*REPORT, "--out", "out.html"), model, (("out.html",), ("out.json",)))
    batch = ("users.txt", *model)
    lists = (("lists.parquet",), ("lists.rejected.parquet",))
    parts = (("recsys.workflows.recommend:PART_ROWS", 60),)
    yield Case("recommend", BATCH, batch, lists)
    yield Case("recommend over another", BATCH, batch, lists, before=((*BATCH, "-k", 5),), settings=parts)
    yield Case("recommend in parts", BATCH, batch, lists, settings=parts)
    yield Case("recommend in parts, resumed", BATCH, batch, lists, again=(*BATCH, "--resume"), settings=parts)
    folder = (*("lists" if word == "lists.parquet" else word for word in BATCH), "--partitions", 3)
    yield Case("recommend partitions over another", folder, batch, (("lists",), ("lists.rejected.parquet",)),
               before=((*folder, "-k", 5),), again=(*folder, "--resume"), settings=parts)  # fmt: skip
    study = "best.json.study.sqlite"
    yield Case("tune", TUNE, ("data",), (("best.json",), (study,)), loose=("best.json", study))
    yield Case("tune again", (*TUNE[:-1], 2), ("data",), (("best.json",), (study,)), before=(TUNE,),
               loose=("best.json", study))  # fmt: skip


CASES = {case.name: case for case in _cases()}
"""Every verb that writes, onto nothing and onto an older result."""
