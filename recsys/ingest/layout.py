"""File layout detection: delimiter, header, and which column holds the user, the item, the rating and the time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import InputError
from recsys.ingest.validation import INTEGER, MAX_LINE_BYTES, MISSING_WORDS, ROLES, Role, Validation

KNOWN_NAMES = {
    "user": ("user_id", "userid", "user", "uid", "reviewerid", "customer_id", "customerid", "member_id", "visitorid"),
    "item": ("item_id", "itemid", "item", "iid", "movie_id", "movieid", "movie", "asin", "product_id", "productid"),
    "rating": ("rating", "ratings", "score", "stars", "value", "preference"),
    "time": ("timestamp", "time", "ts", "date", "datetime", "unixtime", "unix_timestamp", "rated_at", "created_at"),
}
"""Column names that are recognised, compared without case and with blanks as underscores; earlier names win."""


@dataclass(frozen=True)
class Columns:
    """The column of each role: a name from the header, or a number from 1 in a file without one; None: detect it."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class FileLayout:
    """How a file is laid out.

    delimiter   between fields; empty for tables that are not text
    names       of all columns; "1", "2", … where there is no header
    has_header  whether the first line is a header
    roles       the column name of each role that was found
    integer     the roles whose values are whole numbers
    """

    delimiter: str
    names: tuple[str, ...]
    has_header: bool
    roles: dict[Role, str]
    integer: frozenset[Role] = frozenset()


def detect_layout(first: bytes, path: Path, columns: Columns, validation: Validation) -> FileLayout:
    """Detect the layout of a text file from its first bytes. Raises InputError."""
    head = first[: min(len(first), 2**18)].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in head.split("\n")[:1000] if line.strip()]
    if not lines:
        raise InputError(f"{path}: is empty")
    if "\0" in lines[0]:
        raise InputError(f"{path}: is not a text file; ratings are read from CSV, TSV or Parquet files")
    if len(lines[0].encode()) >= min(2**18, MAX_LINE_BYTES):
        raise InputError(f"{path}: line 1 is longer than any header or rating can be")
    delimiter = max(("::", "\t", ",", ";", "|"), key=lambda d: (lines[0].count(d), d == "::"))
    if not lines[0].count(delimiter):
        delimiter = " " if lines[0].strip().count(" ") >= 1 and path.suffix.lower() != ".csv" else ","
    cells = [cell.strip().strip('"').strip() for cell in lines[0].split(delimiter)]
    plain = plain_names(cells)
    known = {name for names in KNOWN_NAMES.values() for name in names}
    mapped = [name for name in (columns.user, columns.item, columns.rating, columns.time) if name]
    named = {name.lower() for name in mapped if not name.isdigit()}  # digits are a column's number
    has_header = any(name in known for name in plain) or any(cell.lower() in named for cell in cells)
    if not has_header and not any(_is_number(cell) for cell in cells):
        has_header = True  # a first line without any number, in which no name is known
    names = tuple(cells) if has_header else tuple(str(i + 1) for i in range(len(cells)))
    if len(set(names)) < len(names):
        duplicate = next(name for name in names if names.count(name) > 1)
        raise InputError(f"{path}: line 1: duplicate column {duplicate!r}")
    roles = find_roles(str(path), names, plain, has_header, columns)
    body = lines[1:] if has_header else lines
    sample = [line.split(delimiter) for line in body]

    def column(role: Role) -> list[str]:
        at = names.index(roles[role])
        return [row[at].strip().strip('"').strip() for row in sample if len(row) > at]

    def mostly_integer(role: Role) -> bool:
        values = [v for v in column(role) if v.lower() not in MISSING_WORDS]
        return sum(bool(INTEGER.fullmatch(v)) for v in values) * 2 > len(values) or not values

    return FileLayout(delimiter, names, has_header, roles, integer_roles(roles, mostly_integer, validation))


def plain_names(names: Iterable[str]) -> list[str]:
    """Column names in the spelling of `KNOWN_NAMES`; the type that RecBole appends ("user_id:token") is cut off."""
    return [name.split(":")[0].strip().lower().replace(" ", "_") for name in names]


def integer_roles(
    roles: Iterable[Role], mostly_integer: Callable[[Role], bool], validation: Validation
) -> frozenset[Role]:
    """The roles to be read as whole numbers: ids as `validation` says, times and "auto" ids by their values."""
    fixed = {"auto": None, "integer": True, "string": False}[validation.ids]
    return frozenset(
        role
        for role in roles
        if role != "rating" and (mostly_integer(role) if role == "time" or fixed is None else fixed)
    )


def find_roles(
    source: str, names: Sequence[str], plain: Sequence[str], has_header: bool, columns: Columns
) -> dict[Role, str]:
    """The column of each role, by the mapping given or by known names. Raises InputError naming the `source`."""
    roles: dict[Role, str] = {}
    for role in ROLES:
        asked = getattr(columns, role)
        if asked is not None:
            matches = [n for n in names if n == asked] or [n for n in names if n.lower() == asked.lower()]
            if not matches:
                raise InputError(f"{source}: there is no column {asked!r}; the columns are {', '.join(names)}")
            roles[role] = matches[0]
    free = [name for name in names if name not in roles.values()]
    for role in ROLES:
        if role in roles:
            continue
        if has_header:
            fits = [n for n, p in zip(names, plain, strict=True) if n in free and p in KNOWN_NAMES[role]]
            fits.sort(key=lambda n: KNOWN_NAMES[role].index(plain[list(names).index(n)]))
        else:  # published files without a header have the columns user, item, rating, time
            fits = [n for n in free if n == str(ROLES.index(role) + 1)]
        if fits:
            roles[role] = fits[0]
            free.remove(fits[0])
    for role in ("user", "item"):
        if role not in roles:
            raise InputError(
                f"{source}: cannot tell which column holds the {role}; the columns are {', '.join(names)}: "
                f"name it with --{role}-col, or in Python with columns={{{role!r}: …}}"
            )
    return roles


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
