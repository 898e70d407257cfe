"""The published datasets that can be fetched by name: where each comes from, and its checksum."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recsys.errors import InputError

GROUPLENS = "https://files.grouplens.org/datasets/movielens"


@dataclass(frozen=True)
class WheelSource:
    """A wheel on the Python package index that contains a dataset; pip downloads it with the user's index settings."""

    requirement: str  # name==version
    folder: str  # inside the wheel
    files: Mapping[str, str] = field(hash=False)  # file name → checksum


@dataclass(frozen=True)
class PublishedDataset:
    """One published dataset. The counts are for display: users with a rating, movies listed (not all are rated)."""

    name: str
    needed: tuple[str, ...]  # files that must be present
    checksum: str  # of NAME.zip: "sha256:…" or "md5:…"
    n_ratings: int
    n_users: int
    n_movies: int
    size: int | None = None  # of NAME.zip, bytes
    rating_scale: tuple[float, float] = (0.5, 5.0)
    optional: tuple[str, ...] = ()  # other files to keep, besides text files
    folder: str = ""  # top folder inside the zip; empty: the name
    readme: str = "README.html"  # as published next to the zip, NAME-README.html
    fallbacks: tuple[WheelSource, ...] = field(default=(), repr=False)

    @property
    def url(self) -> str:
        """The address of the zip file at GroupLens."""
        return f"{GROUPLENS}/{self.name}.zip"

    @property
    def notice(self) -> str:
        """The licence in one line, to be shown after the first download."""
        return (
            f"{self.name} is GroupLens data (University of Minnesota): for research; no commercial use without "
            f"permission, and the terms restrict redistribution. Read and cite: {GROUPLENS}/{self.name}-{self.readme}"
        )


_CSV = ("ratings.csv", "movies.csv")
_DAT = ("ratings.dat", "movies.dat")
# After its header line, ml-100k.inter equals the published u.data byte for byte; a test checks it.
_RECBOLE = WheelSource(
    "recbole==1.2.1",
    "recbole/dataset_example/ml-100k",
    {
        "ml-100k.inter": "sha256:4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
        "ml-100k.item": "sha256:51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
        "ml-100k.user": "sha256:4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",
    },
)

# Each sha256 is pinned by at least two unrelated public projects: tensorflow/datasets, url_checksums/movielens.txt
# (100k, latest-small, 1m, 20m, 25m, with sizes), OmniRec's loaders (10m, 20m, 25m, latest-small) and several research
# repositories (32m). For 100k, 1m, 10m, 20m and 25m they also quote the md5 that GroupLens publishes; for 32m md5 and
# sha256 are each given with the same 238,950,008 bytes. GroupLens calls latest-small a development set that may
# change; it has not since 2018-09-26. If it does, a checksum error is right: results on the old version would no
# longer hold.
# fmt: off
DATASETS: dict[str, PublishedDataset] = {d.name: d for d in (
    PublishedDataset("ml-100k", needed=("u.data", "u.item"), optional=("u.user", "u.genre", "u.occupation", "u.info"),
        checksum="sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229", size=4_924_029,
        n_ratings=100_000, n_users=943, n_movies=1_682, rating_scale=(1.0, 5.0), readme="README.txt",
        fallbacks=(_RECBOLE,)),
    PublishedDataset("ml-latest-small", needed=_CSV,
        checksum="sha256:696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436", size=978_202,
        n_ratings=100_836, n_users=610, n_movies=9_742),
    PublishedDataset("ml-1m", needed=_DAT,
        checksum="sha256:a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20", size=5_917_549,
        n_ratings=1_000_209, n_users=6_040, n_movies=3_883, rating_scale=(1.0, 5.0), readme="README.txt"),
    PublishedDataset("ml-10m", needed=_DAT, folder="ml-10M100K",
        checksum="sha256:813c411ccb6122564edfe752e7f80c4dcc5aa25fa94c93622f6877a7ba252862", size=65_566_137,
        n_ratings=10_000_054, n_users=69_878, n_movies=10_681),
    PublishedDataset("ml-20m", needed=_CSV,
        checksum="sha256:96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3", size=198_702_078,
        n_ratings=20_000_263, n_users=138_493, n_movies=27_278),
    PublishedDataset("ml-25m", needed=_CSV,
        checksum="sha256:8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa", size=261_978_986,
        n_ratings=25_000_095, n_users=162_541, n_movies=62_423),
    PublishedDataset("ml-32m", needed=_CSV,
        checksum="sha256:e4a68655d7386b8f95f2f2424b2ff975dfdd15ffd59e0d864a14dca43e99d6ee", size=238_950_008,
        n_ratings=32_000_204, n_users=200_948, n_movies=87_585),
)}
# fmt: on


def data_root() -> Path:
    """The folder with raw/, prepared/ and models/: the environment variable `RECSYS_DATA`, or ./data.

    Raises InputError for `~NAME` of a user who does not exist.
    """
    wanted = os.environ.get("RECSYS_DATA") or "data"
    try:
        return Path(wanted).expanduser()
    except RuntimeError:
        raise InputError(f"RECSYS_DATA: {wanted!r} is in the home of a user who does not exist") from None


def published_dataset(name: str) -> PublishedDataset:
    """The dataset of that name. Raises InputError with the known names and the most similar one."""
    if name in DATASETS:
        return DATASETS[name]
    near = difflib.get_close_matches(name.lower(), DATASETS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"unknown dataset {name!r}{hint} (known: {', '.join(DATASETS)})")
