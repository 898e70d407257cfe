"""File layout detection: delimiter, header, and which column holds the user, the item, the rating and the time."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recsys.dataset.origins import Spelling
from recsys.errors import MOST_LETTERS, InputError
from recsys.ingest.validation import MAX_LINE_BYTES, ROLES, Role

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

    delimiter       between fields; empty for tables that are not text
    names           of all columns; "1", "2", … where there is no header
    has_header      whether the first line is a header
    roles           the column name of each role that was found
    spelling        how the ids of users and items are written
    time_is_number  whether most times are numbers, not dates
    """

    delimiter: str
    names: tuple[str, ...]
    has_header: bool
    roles: Mapping[Role, str]
    spelling: Mapping[Role, Spelling] = field(default_factory=lambda: {"user": "text", "item": "text"})
    time_is_number: bool = False

    @property
    def is_csv(self) -> bool:
        """Whether the parser understands quotes: separated by commas or semicolons, as in RFC 4180."""
        return self.delimiter in (",", ";")

    @property
    def unquote(self) -> bool:
        """Whether a pair of quotes around a field is removed after parsing: text that is not CSV."""
        return self.delimiter != "" and not self.is_csv


def detect_layout(first: bytes, path: Path, columns: Columns) -> FileLayout:
    """Detect the layout of a text file from its first bytes, all but the types. Raises InputError."""
    head = first[: min(len(first), 2**18)].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    line = next((line for line in head.split("\n") if line.strip()), None)
    if line is None:
        raise InputError(f"{path}: is empty")
    if "\0" in line:
        raise InputError(f"{path}: is not a text file; ratings are read from CSV, TSV or Parquet files")
    if len(line.encode()) >= min(2**18, MAX_LINE_BYTES):
        raise InputError(f"{path}: line 1 is longer than any header or rating can be")
    delimiter = max(("::", "\t", ",", ";", "|"), key=lambda d: (line.count(d), d == "::"))
    if not line.count(delimiter):
        delimiter = " " if line.strip().count(" ") >= 1 and path.suffix.lower() != ".csv" else ","
    cells = [cell.strip().strip('"').strip() for cell in split_line(line, delimiter)]
    plain = plain_names(cells)
    known = {name for names in KNOWN_NAMES.values() for name in names}
    mapped = [name for name in (columns.user, columns.item, columns.rating, columns.time) if name]
    named = {name.lower() for name in mapped if not name.isdigit()}  # digits are a column's number
    has_header = any(name in known for name in plain) or any(cell.lower() in named for cell in cells)
    if not has_header and not any(_is_number(cell) for cell in cells):
        has_header = True  # a first line without any number, in which no name is known
    names = tuple(cells) if has_header else tuple(str(i + 1) for i in range(len(cells)))
    check_unique(names, f"{path}: line 1")
    return FileLayout(delimiter, names, has_header, find_roles(str(path), names, plain, has_header, columns))


def split_line(line: str, delimiter: str) -> list[str]:
    """The fields of one line. Commas and semicolons separate as in RFC 4180, but a quote that is not closed ends with
    the line."""
    if delimiter in (",", ";"):
        try:
            return next(csv.reader([line], delimiter=delimiter), [""])
        except csv.Error:  # a field that is longer than the parser allows
            return line.split(delimiter)
    return line.split(delimiter)


def check_unique(names: Sequence[str], where: str) -> None:
    """Raise InputError if a column name occurs twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InputError(f"{where}: duplicate column {shortened(name)!r}")
        seen.add(name)


def shortened(text: str) -> str:
    """At most 60 characters of a text, in one line, for messages."""
    text = " ".join(text[: 10 * MOST_LETTERS].split())
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}…"


def listed(names: Sequence[str]) -> str:
    """The first column names, for messages."""
    if not names:
        return "(none)"
    more = f", … ({len(names):,} columns)" if len(names) > 12 else ""
    return ", ".join(shortened(name) for name in names[:12]) + more


def plain_names(names: Iterable[str]) -> list[str]:
    """Column names in the spelling of `KNOWN_NAMES`; the type that RecBole appends ("user_id:token") is cut off."""
    return [name.split(":")[0].strip().lower().replace(" ", "_") for name in names]


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
                raise InputError(f"{source}: there is no column {asked!r}; the columns are {listed(names)}")
            if matches[0] in roles.values():
                other = next(r for r, name in roles.items() if name == matches[0])
                raise InputError(f"{source}: column {asked!r} cannot be both the {other} and the {role}")
            roles[role] = matches[0]
    free = dict.fromkeys(name for name in names if name not in roles.values())
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
            del free[fits[0]]
    for role in ("user", "item"):
        if role not in roles:
            raise InputError(
                f"{source}: cannot tell which column holds the {role}; the columns are {listed(names)}: "
                f"name it with --{role}-col, or in Python with columns={{{role!r}: …}}"
            )
    return roles


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
