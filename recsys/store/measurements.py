"""Stored measurements of a model: ranking.json, report.json and compression.json."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from recsys import atomic
from recsys.errors import InputError, RecsysError
from recsys.store.artifacts import digest_of_path
from recsys.store.files import MOST_JSON_BYTES, read_json, write_json, write_text
from recsys.store.models import fingerprint_of
from recsys.store.schema import checked

if TYPE_CHECKING:  # they import scikit-learn and scipy.stats, which most commands do not need
    from recsys.evaluation.compression import Compression
    from recsys.evaluation.evaluate import Evaluation
    from recsys.evaluation.report import EmbeddingReport

REPORT_PAGE = "report.html"
RANKING = "ranking.json"
COMPRESSION = "compression.json"

T = TypeVar("T")


PAGE_CHECKSUM = "page_sha256"
"""Key of the numbers of a report: the checksum of the page that was written with them."""


def save_report(page: Path, report: EmbeddingReport, html: str) -> Path:
    """Write a report as a page and, next to it, as JSON, which names the page by its checksum; returns the path of the
    JSON file."""
    numbers = page.with_suffix(".json")
    with atomic.lock(page, atomic.WAIT):  # of two reports at once, none gets between the two files of the other
        write_text(page, html)
        write_json(numbers, report.to_json() | {PAGE_CHECKSUM: hashlib.sha256(html.encode()).hexdigest()})
    return numbers


def is_report(path: Path) -> bool:
    """Whether a file is the JSON file of a report."""
    try:
        return PAGE_CHECKSUM in read_json(path)
    except InputError:
        return False


def stored_ranking(model_folder: Path) -> Evaluation | None:
    """The evaluation stored with a model, None if `recsys evaluate --trained` has not run.

    Raises InputError if the file is damaged or incomplete, or belongs to another model.
    """
    from recsys.evaluation.evaluate import Evaluation

    path = model_folder / RANKING
    if not path.is_file():
        return None
    found = _read(Evaluation, path, "recsys evaluate --trained", read_json(path))
    if found.trained is None:
        raise InputError(f"{path}: is not what recsys evaluate --trained writes; measure again (trained: null)")
    _check_fingerprint(found.trained.fingerprint, path, model_folder)
    return found


def stored_report(model_folder: Path) -> EmbeddingReport | None:
    """The embedding report stored with a model, None if `recsys report` has not run.

    Raises InputError if the file is damaged or incomplete, or belongs to another model.
    """
    from recsys.evaluation.report import EmbeddingReport

    page = model_folder / REPORT_PAGE
    path = page.with_suffix(".json")
    if not path.is_file():
        return None
    value = read_json(path)
    checksum = value.pop(PAGE_CHECKSUM, None)
    found = _read(EmbeddingReport, path, "recsys report", value)
    _check_fingerprint(found.fingerprint, path, model_folder)
    if page.is_file() and not _is_page(page, checksum):
        raise InputError(f"{path}: was not written together with {page.name}; measure again")
    return found


def stored_compression(model_folder: Path) -> Compression | None:
    """What `recsys compression` measured, None if it has not run.

    Raises InputError if the file is damaged or incomplete, or belongs to another model.
    """
    from recsys.evaluation.compression import Compression

    path = model_folder / COMPRESSION
    if not path.is_file():
        return None
    found = _read(Compression, path, "recsys compression", read_json(path))
    _check_fingerprint(found.fingerprint, path, model_folder)
    return found


def _is_page(page: Path, checksum: object) -> bool:
    """Whether a page has a checksum; one that is too large to be ours, as a sparse file may be, is not read."""
    return page.stat().st_size <= MOST_JSON_BYTES and digest_of_path(page)["sha256"] == checksum


def _read(kind: type[T], path: Path, command: str, value: dict[str, Any]) -> T:
    """The dataclass stored in a JSON file by `command`. Raises InputError, naming the first wrong value."""
    try:
        return checked(kind, value)
    except RecsysError as error:
        raise InputError(f"{path}: is not what {command} writes; measure again ({error})") from None


def _check_fingerprint(found: str | None, path: Path, model_folder: Path) -> None:
    if found != fingerprint_of(model_folder):
        raise InputError(f"{path}: belongs to another model than the one in this folder; measure again")
