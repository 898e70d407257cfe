"""Finding out how a file of ratings is laid out: delimiter, header, and which column plays which role."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import InputError
from recsys.ingest.validation import INTEGER, MAX_LINE_BYTES, MISSING_WORDS, ROLES, Role, Rules

KNOWN_NAMES = {
    "user": ("user_id", "userid", "user", "uid", "reviewerid", "customer_id", "customerid", "member_id", "visitorid"),
    "item": ("item_id", "itemid", "item", "iid", "movie_id", "movieid", "movie", "asin", "product_id", "productid"),
    "rating": ("rating", "ratings", "score", "stars", "value", "preference"),
    "time": ("timestamp", "time", "ts", "date", "datetime", "unixtime", "unix_timestamp", "rated_at", "created_at"),
}


@dataclass(frozen=True)
class Columns:
    """Which column plays which role: a header's name, or a number from 1 where there is no header; None: find it."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class Form:
    """How a file is laid out; `integer` names the roles whose column holds whole numbers."""

    delimiter: str
    names: tuple[str, ...]
    has_header: bool
    roles: dict[Role, str]
    integer: frozenset[Role] = frozenset()


def sniff(first: bytes, path: Path, columns: Columns, rules: Rules) -> Form:
    """Find delimiter, header, roles and types from the beginning of a file. Raises InputError."""
    head = first[: min(len(first), 2**18)].decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in head.split("\n")[:1000] if line.strip()]
    if not lines:
        raise InputError(f"{path}: is empty")
    if "\0" in lines[0]:
        raise InputError(f"{path}: is not a text file; ratings come as CSV, TSV or Parquet")
    if len(lines[0].encode()) >= min(2**18, MAX_LINE_BYTES):
        raise InputError(f"{path}: line 1 is longer than any header or rating can be")
    delimiter = max(("::", "\t", ",", ";", "|"), key=lambda d: (lines[0].count(d), d == "::"))
    if not lines[0].count(delimiter):
        delimiter = " " if lines[0].strip().count(" ") >= 1 and path.suffix.lower() != ".csv" else ","
    cells = [cell.strip().strip('"').strip() for cell in lines[0].split(delimiter)]
    plain = [cell.split(":")[0].strip().lower().replace(" ", "_") for cell in cells]  # "user_id:token" in RecBole files
    known = {name for names in KNOWN_NAMES.values() for name in names}
    mapped = [name for name in (columns.user, columns.item, columns.rating, columns.time) if name]
    asked = {name.lower() for name in mapped if not name.isdigit()}  # numbers stand for places, not for names
    has_header = any(name in known for name in plain) or any(cell.lower() in asked for cell in cells)
    if not has_header and not any(_is_number(cell) for cell in cells):
        has_header = True  # words in every column of the first line, none of them known
    names = tuple(cells) if has_header else tuple(str(i + 1) for i in range(len(cells)))
    if len(set(names)) < len(names):
        raise InputError(f"{path}: line 1: column {next(n for n in names if names.count(n) > 1)!r} stands twice")
    roles = find_roles(path, names, plain, has_header, columns)
    body = lines[1:] if has_header else lines
    sample = [line.split(delimiter) for line in body]

    def column(role: Role) -> list[str]:
        at = names.index(roles[role])
        return [row[at].strip().strip('"').strip() for row in sample if len(row) > at]

    def whole(role: Role) -> bool:
        values = [v for v in column(role) if v.lower() not in MISSING_WORDS]
        return sum(bool(INTEGER.fullmatch(v)) for v in values) * 2 > len(values) or not values

    return Form(delimiter, names, has_header, roles, integer_roles(roles, whole, rules))


def integer_roles(roles: Iterable[Role], whole: Callable[[Role], bool], rules: Rules) -> frozenset[Role]:
    """The roles whose column is to be read as whole numbers: as the rules say for ids, else as the values look."""
    told = {"auto": None, "integer": True, "string": False}[rules.ids]
    ratable = [role for role in roles if role != "rating"]
    return frozenset(role for role in ratable if (whole(role) if role == "time" or told is None else told))


def find_roles(
    path: Path, names: Sequence[str], plain: Sequence[str], has_header: bool, columns: Columns
) -> dict[Role, str]:
    """Which of the columns is the user, the item, the rating, the time. Raises InputError."""
    roles: dict[Role, str] = {}
    for role in ROLES:
        asked = getattr(columns, role)
        if asked is not None:
            matches = [n for n in names if n == asked] or [n for n in names if n.lower() == asked.lower()]
            if not matches:
                raise InputError(f"{path}: there is no column {asked!r}; the columns are {', '.join(names)}")
            roles[role] = matches[0]
    free = [name for name in names if name not in roles.values()]
    for role in ROLES:
        if role in roles:
            continue
        if has_header:
            fits = [n for n, p in zip(names, plain, strict=True) if n in free and p in KNOWN_NAMES[role]]
            fits.sort(key=lambda n: KNOWN_NAMES[role].index(plain[list(names).index(n)]))
        else:  # user, item, rating, time is the order of every published file
            fits = [n for n in free if n == str(ROLES.index(role) + 1)]
        if fits:
            roles[role] = fits[0]
            free.remove(fits[0])
    for role in ("user", "item"):
        if role not in roles:
            raise InputError(
                f"{path}: cannot tell which column holds the {role}; the columns are {', '.join(names)}: "
                f"name it with --{role}-col"
            )
    return roles


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
