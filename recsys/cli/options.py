"""Options that several commands share, and how their values are read. Imports nothing heavy: `--help` loads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recsys.cli import facts
from recsys.errors import InputError, SettingError

if TYPE_CHECKING:
    from recsys.dataset.weighting import Weighting

MODEL_SETTINGS = facts.models()
MODEL_NAMES = ", ".join(MODEL_SETTINGS)
DEFAULT_MODEL: str = facts.constant("models", "DEFAULT_MODEL")
PROTOCOLS = facts.choices("dataset.split", "Protocol")
PARTS = facts.choices("dataset.split", "Part")
WEIGHTINGS = facts.choices("dataset.weighting", "WeightingScheme")
DEFAULT_WEIGHTING: str = facts.default("dataset.weighting", "Weighting", "scheme")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]
DataFolder = Annotated[Path, typer.Option("--data", help="Folder written by `recsys prepare`.")]
ModelFolder = Annotated[Path, typer.Option("--model", help="Folder written by `recsys train`.")]
OutFolder = Annotated[Path, typer.Option("--out", help="Folder to write.")]
Count = Annotated[int, typer.Option("-k", min=1, help="Number of movies.")]
Examples = Annotated[int, typer.Option(min=1, help="Number of example movies to show.")]

ModelName = Annotated[str, typer.Option("--model", help=f"Kind of model: {MODEL_NAMES}.")]
Params = Annotated[Path | None, typer.Option(help="JSON file of settings, as `recsys tune` writes it.")]
MinRating = Annotated[float | None, typer.Option(help="Ratings below this do not count as interest.")]
WeightingName = Annotated[
    str | None,
    typer.Option(help=f"How ratings are weighted: {', '.join(WEIGHTINGS)}. Default: {DEFAULT_WEIGHTING}."),
]
ProtocolName = Annotated[str, typer.Option(help=f"How ratings are held out: {', '.join(PROTOCOLS)}.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port of the app.")]


def check_choice(option: str, value: str, allowed: Sequence[str]) -> None:
    """Raise SettingError, listing the choices, if an option has another value."""
    if value not in allowed:
        raise SettingError(f"{option} {value!r} is not one of {', '.join(allowed)}")


def read_settings(
    params: Path | None, pairs: Sequence[str], min_rating: float | None, scheme: str | None
) -> tuple[dict[str, Any], Weighting]:
    """Settings and weighting from a file and from options; options override the file."""
    from recsys import store
    from recsys.dataset.weighting import Weighting

    settings = store.read_json(params) if params is not None else {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingError(f"--set {pair!r} is not field=value")
        settings[name.strip()] = value.strip()
    of_file = settings.pop("min_rating", None), settings.pop("weighting", None)
    weighting = Weighting(
        of_file[0] if min_rating is None else min_rating,
        scheme or of_file[1] or Weighting().scheme,  # type: ignore[arg-type]
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
        raise InputError(f"--scale {text!r} is not MIN:MAX, such as 0.5:5") from None
    if not scale[0] < scale[1]:
        raise InputError(f"--scale {text!r}: MIN must be below MAX")
    return scale


def parse_dimensions(text: str) -> list[int]:
    """The value of `--dimensions 1,2,4`, sorted."""
    try:
        numbers = sorted({int(part) for part in text.split(",") if part.strip()})
    except ValueError:
        numbers = []
    if not numbers or numbers[0] < 1:
        raise InputError(f"--dimensions {text!r} is not a list of whole numbers, such as 1,2,4,8")
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
            raise InputError(f'--rate {pair!r} is not "Title=stars"')
    return rated
