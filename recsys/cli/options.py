"""Options that several commands share, and how their values are read. Imports nothing heavy: `--help` loads it."""

from __future__ import annotations

import errno
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli import facts
from recsys.errors import InputError, SettingError, quoted
from recsys.limits import MOST_FACTORS, MOST_LISTED, MOST_MINUTES, MOST_SEED, MOST_TRIALS

if TYPE_CHECKING:
    from recsys.dataset.weighting import Weighting
    from recsys.engines.session import Spark

MODEL_SETTINGS = facts.models()
MODEL_NAMES = ", ".join(MODEL_SETTINGS)
DEFAULT_MODEL: str = facts.constant("models", "DEFAULT_MODEL")
PROTOCOLS = facts.choices("dataset.split", "Protocol")
PARTS = facts.choices("dataset.split", "Part")
WEIGHTINGS = facts.choices("dataset.weighting", "WeightingScheme")
DEFAULT_WEIGHTING: str = facts.default("dataset.weighting", "Weighting", "scheme")

MOST_THREADS = 1024


def read_path(text: str) -> Path:
    """The value of an option or argument that names a file or folder, which need not exist."""
    if not text:
        raise typer.BadParameter("is empty; name a file or folder")
    try:
        path = Path(text).expanduser()  # as pyarrow does, which would read and write elsewhere than the rest
        path.stat()
    except RuntimeError as error:
        raise typer.BadParameter(f"{quoted(text)}: {error}") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENAMETOOLONG):
            raise typer.BadParameter(f"{quoted(text)}: {error.strerror}") from None
    return path


def path_option(*names: str, help: str) -> Any:
    """An option that names a file or folder. An empty one is an error: `Path` takes it for the current folder."""
    return typer.Option(*names, parser=read_path, metavar="PATH", help=help)


def path_argument(help: str) -> Any:
    """An argument that names a file or folder."""
    return typer.Argument(parser=read_path, metavar="PATH", help=help)


def seed_option(help: str) -> Any:
    """An option for a seed."""
    return typer.Option(min=0, max=MOST_SEED, help=help)


def finite(value: float | None) -> float | None:
    """Callback of options that are numbers with a fraction and have no range, which would refuse nan and inf."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a finite number")
    return value


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
DataFolder = Annotated[Path, path_option("--data", help="Folder written by `recsys prepare`.")]
ModelFolder = Annotated[Path, path_option("--model", help="Folder written by `recsys train`.")]
OutFolder = Annotated[Path, path_option("--out", help="Folder to write.")]
Count = Annotated[int, typer.Option("-k", min=1, max=MOST_LISTED, help="Number of movies.")]
Examples = Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="Number of example movies to show.")]
Top = Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="Number of discovered axes to print; all are stored.")]
Trials = Annotated[
    int,
    typer.Option(min=1, max=MOST_TRIALS, help="Settings to try in total, those of an interrupted search included."),
]
Minutes = Annotated[
    float | None,
    typer.Option(min=0, max=MOST_MINUTES, help="Stop after this time even if trials are left."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, max=MOST_THREADS, help="With --out: number of threads. Default: one per core.")
]

ModelName = Annotated[str, typer.Option("--model", help=f"Kind of model: {MODEL_NAMES}.")]
ENGINES = ("local", "spark")
EngineName = Annotated[
    str | None, typer.Option("--engine", help=f"Where the work is done: {', '.join(ENGINES)}.", show_default="local")
]
Master = Annotated[
    str | None,
    typer.Option(help="With --engine spark: local[N], spark://HOST:PORT, … Default: all cores of this machine."),
]
SparkConf = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="With --engine spark: a setting of Spark; may be repeated."),
]

Params = Annotated[Path | None, path_option(help="JSON file of settings, as `recsys tune` writes it.")]
MinRating = Annotated[float | None, typer.Option(callback=finite, help="Ratings below this do not count as interest.")]
WeightingName = Annotated[
    str | None,
    typer.Option(help=f"How ratings are weighted: {', '.join(WEIGHTINGS)}. Default: {DEFAULT_WEIGHTING}."),
]
ProtocolName = Annotated[str, typer.Option(help=f"How ratings are held out: {', '.join(PROTOCOLS)}.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the app.")]


def check_choice(option: str, value: str, allowed: Sequence[str]) -> None:
    """Raise SettingError, listing the choices, if an option has another value."""
    if value not in allowed:
        raise SettingError(f"{option} {quoted(value)} is not one of {', '.join(allowed)}")


def read_engine(engine: str | None, master: str | None, pairs: Sequence[str] | None) -> Spark | None:
    """The values of --engine, --master and --spark-conf; None: without Spark."""
    check_choice("--engine", engine or "local", ENGINES)
    if engine != "spark":
        for option, given in (("--master", master), ("--spark-conf", pairs)):
            if given:
                raise SettingError(f"{option} applies to --engine spark only")
        return None
    from recsys.engines.session import Spark

    settings = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingError(f"--spark-conf {quoted(pair)} is not NAME=VALUE")
        settings[name.strip()] = value.strip()
    return Spark(master or "", settings)


def read_settings(
    params: Path | None,
    pairs: Sequence[str],
    min_rating: float | None,
    scheme: str | None,
    default: Weighting | None = None,
) -> tuple[dict[str, Any], Weighting]:
    """Settings and weighting from a file and from options; options override the file.

    default  the weighting where neither says anything; None: `Weighting()`

    Raises InputError for a file that is no flat JSON object, SettingError for a wrong pair or weighting. The learner
    checks the settings themselves.
    """
    from recsys import store
    from recsys.dataset.weighting import Weighting

    settings = store.read_json(params) if params is not None else {}
    for name, value in settings.items():
        if isinstance(value, bool | list | dict) or (value is None and name != "min_rating"):
            raise InputError(f"{params}: {quoted(name)} must be a number or a word, not {quoted(value)}")
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingError(f"--set {quoted(pair)} is not field=value")
        settings[name.strip()] = value.strip()
    default = default or Weighting()
    of_file = settings.pop("min_rating", default.min_rating), settings.pop("weighting", None)
    weighting = Weighting(
        of_file[0] if min_rating is None else min_rating,
        scheme or of_file[1] or default.scheme,  # type: ignore[arg-type]
    )
    return settings, weighting


def parse_scale(text: str | None) -> tuple[float, float] | None:
    """The value of `--scale MIN:MAX`."""
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        scale = float(low), float(high)
    except ValueError:
        scale = math.nan, math.nan
    if not (math.isfinite(scale[0]) and math.isfinite(scale[1])):
        raise InputError(f"--scale {quoted(text)} is not MIN:MAX, such as 0.5:5")
    if not scale[0] < scale[1]:
        raise InputError(f"--scale {quoted(text)}: MIN must be below MAX")
    return scale


def parse_years(text: str | None) -> tuple[int | None, int | None] | None:
    """The value of `--years FIRST:LAST`, of which one end may be left out; a single year is both."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(-?[0-9]{1,5})?\s*(:)?\s*(-?[0-9]{1,5})?\s*", text)
    if found is None or not (found[1] or found[3]) or (not found[2] and found[3]):
        raise InputError(f"--years {quoted(text)} is not FIRST:LAST, such as 1980:1989, 1990: or :1979")
    first, last = (int(year) if year else None for year in (found[1], found[3]))
    return (first, last) if found[2] else (first, first)


def parse_dimensions(text: str) -> list[int]:
    """The value of `--dimensions 1,2,4`, sorted."""
    try:
        numbers = sorted({int(part) for part in text.split(",") if part.strip()})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1 or numbers[-1] > MOST_FACTORS:
        raise InputError(f"--dimensions {quoted(text)} is not a list of whole numbers up to {MOST_FACTORS}, as 1,2,4,8")
    return numbers


def parse_ratings(pairs: Sequence[str]) -> list[tuple[str, float]]:
    """The values of `--rate "Title=stars"`; a title may contain an equals sign."""
    rated = []
    for pair in pairs:
        title, _, stars = pair.rpartition("=")
        try:
            rated.append((title.strip(), float(stars)))
        except ValueError:
            title = ""
        if not title.strip():
            raise InputError(f'--rate {quoted(pair)} is not "Title=stars"')
    return rated
