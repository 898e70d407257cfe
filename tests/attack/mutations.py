"""Damages files the way disks, other programs and hostile writers do: bytes, JSON values, Parquet columns.

`mutations_of` yields all damages of a file of a prepared or model folder. `reseal` records the digests of the damaged
files in the folder's marker, as a hostile writer would, so that the checks behind the digests are reached.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

MARKERS = ("manifest.json", "report.json")


@dataclass(frozen=True)
class Mutation:
    """One damage: a name, the file in its folder, and what is done to it."""

    name: str
    file: str
    apply: Callable[[Path], None]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def mutations_of(folder: Path, file: str, twin: Path | None) -> Iterator[Mutation]:
    """All damages of a file; `twin` is a file of the same kind and shape from another folder."""
    content = (folder / file).read_bytes()
    for name, apply in (*_of_bytes(content, twin), *_of_kind(), *_of_format(folder / file, content)):
        yield Mutation(name, file, apply)


def reseal(folder: Path) -> bool:
    """Record the files as they are in the marker; returns whether the marker holds digests."""
    for marker in MARKERS:
        try:
            value = json.loads((folder / marker).read_text(encoding="utf-8"))
            files = value["files"]
            kept = {name: folder / name for name in files if (folder / name).is_file()}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue
        value["files"] = {
            name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
            for name, path in kept.items()
            if path.stat().st_size < 1 << 28 and not path.is_char_device()
        }
        (folder / marker).write_text(json.dumps(value), encoding="utf-8")
        return True
    return False


# ── bytes and kinds of files ─────────────────────────────────────────────────────────────────────────────────────────

Change = tuple[str, Callable[[Path], None]]


def _of_bytes(content: bytes, twin: Path | None) -> Iterator[Change]:
    def writes(damaged: bytes) -> Callable[[Path], None]:
        return lambda path: path.write_bytes(damaged) and None

    yield "empty", writes(b"")
    for part in (1, len(content) // 3, len(content) // 2, len(content) - 9, len(content) - 1):
        yield f"truncated to {part} bytes", writes(content[:part])
    chance = random.Random(len(content))
    for _ in range(6):
        at, bit = chance.randrange(len(content)), chance.randrange(8)
        damaged = bytearray(content)
        damaged[at] ^= 1 << bit
        yield f"bit {bit} of byte {at} flipped", writes(bytes(damaged))
    zeroed = chance.randrange(len(content))
    yield f"a block of zeros at {zeroed}", writes(content[:zeroed] + bytes(512) + content[zeroed + 512 :])
    yield "random bytes", writes(chance.randbytes(1000))
    yield "bytes appended", writes(content + b"\0" * 100)
    yield "twice", writes(content + content)
    if twin is not None and twin.is_file():
        yield "of another folder", writes(twin.read_bytes())


def _of_kind() -> Iterator[Change]:
    def replaced(make: Callable[[Path], object]) -> Callable[[Path], None]:
        def apply(path: Path) -> None:
            path.unlink()
            make(path)

        return apply

    def folder_with_a_file(path: Path) -> None:
        path.mkdir()
        (path / "x").write_text("x")

    yield "missing", lambda path: path.unlink()
    yield "a folder", replaced(lambda path: path.mkdir())
    yield "a folder with a file", replaced(folder_with_a_file)
    yield "a FIFO", replaced(os.mkfifo)
    yield "a link to itself", replaced(lambda path: path.symlink_to(path.name))
    yield "a link to nothing", replaced(lambda path: path.symlink_to("nothing"))
    for device in ("zero", "null", "full", "random"):
        yield f"/dev/{device}", replaced(lambda path, device=device: path.symlink_to(f"/dev/{device}"))
    yield "/proc/self/mem", replaced(lambda path: path.symlink_to("/proc/self/mem"))
    yield "1 TB of nothing", lambda path: os.truncate(path, 1 << 40)
    yield "not readable", lambda path: path.chmod(0)


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

DEEP = 100_000
JsonPath = tuple[str | int, ...]


def _of_format(path: Path, content: bytes) -> Iterator[Change]:
    if path.suffix == ".json":
        yield from _of_json(content)
    elif path.suffix == ".parquet":
        yield from _of_parquet(path)
    elif path.suffix == ".safetensors":
        yield from of_tensors(content)


def _of_json(content: bytes) -> Iterator[Change]:
    def text(damaged: str) -> Callable[[Path], None]:
        return lambda path: path.write_text(damaged, encoding="utf-8") and None

    whole = json.loads(content)
    yield "a list", text("[]")
    yield "null", text("null")
    yield "an empty object", text("{}")
    yield "deep lists", text("[" * DEEP + "]" * DEEP)
    yield "deep objects", text('{"a":' * DEEP + "1" + "}" * DEEP)
    yield "latin-1", lambda path: path.write_bytes(content[:20] + "é".encode("latin-1") + content[20:]) and None
    yield "UTF-16", lambda path: path.write_bytes(content.decode().encode("utf-16")) and None
    yield "a byte order mark", lambda path: path.write_bytes(b"\xef\xbb\xbf" + content) and None
    first = next(iter(whole))
    yield f"{first} twice", text(f'{{"{first}": null, {content.decode().lstrip()[1:]}')
    yield "an unknown key", text(json.dumps({**whole, "unknown": 1}))
    if "format_version" in whole:
        for version in (0, 2, 99, "1", None, 1.5, [1], -1, 10**400):
            yield f"format_version {str(version)[:10]}", text(json.dumps({**whole, "format_version": version}))
    for place in _places(whole):
        shown = ".".join(map(str, place))
        yield f"{shown} is gone", partial(_write_json, partial(_without, whole, place), "")
        for value in _other_values(_at(whole, place)):
            yield f"{shown} is {str(value)[:20]!r}", partial(_write_json, partial(_with, whole, place, value), "")
        for name, raw in (("deep", "[" * DEEP + "]" * DEEP), ("a number of 5,000 digits", "9" * 5000)):
            yield f"{shown} is {name}", partial(_write_json, partial(_with, whole, place, _RAW), raw)


_RAW = "put text here"


def _write_json(value: Callable[[], Any], raw: str, path: Path) -> None:
    path.write_text(json.dumps(value()).replace(f'"{_RAW}"', raw), encoding="utf-8")


def _other_values(value: Any) -> list[Any]:
    others: list[Any] = [
        None,
        [],
        {},
        "x",
        2**70,
        -1,
        float("nan"),
        float("inf"),
        True,
        [value],
        "\x1b[31m\n" + "y" * 5000,
    ]
    if isinstance(value, str):
        others += ["", "../../../etc/passwd", value + "\0", 0]
    if isinstance(value, bool | int | float):
        others += [str(value), 1e308, value + 1]
    if isinstance(value, list) and value:
        others += [value[:-1], value + value, [*value[:-1], None]]
    return others


def _places(value: Any, at: JsonPath = ()) -> Iterator[JsonPath]:
    """The paths to all values; of a list only to its first and its last."""
    if at:
        yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*at, key))
    elif isinstance(value, list) and value:
        for number in {0, len(value) - 1}:
            yield from _places(value[number], (*at, number))


def _at(value: Any, place: JsonPath) -> Any:
    for key in place:
        value = value[key]
    return value


def _with(value: Any, place: JsonPath, new: Any) -> Any:
    copy = json.loads(json.dumps(value))
    _at(copy, place[:-1])[place[-1]] = new
    return copy


def _without(value: Any, place: JsonPath) -> Any:
    copy = json.loads(json.dumps(value))
    del _at(copy, place[:-1])[place[-1]]
    return copy


# ── safetensors ──────────────────────────────────────────────────────────────────────────────────────────────────────


def of_tensors(content: bytes) -> Iterator[Change]:
    """Damages of the header, which holds the type, the shape and the place of each array, and of the arrays."""
    n = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + n]), content[8 + n :]
    names = [name for name in header if name != "__metadata__"]

    def file(header: object, data: bytes = data) -> Callable[[Path], None]:
        text = json.dumps(header).encode()
        return lambda path: path.write_bytes(len(text).to_bytes(8, "little") + text + data) and None

    def with_array(name: str, **changed: object) -> Callable[[Path], None]:
        return file(header | {name: header[name] | changed})

    for size in (0, 2**20, 2**60, 2**64 - 1):
        yield (
            f"a header of {size} bytes",
            lambda path, size=size: path.write_bytes(size.to_bytes(8, "little") + content[8:]) and None,
        )
    yield (
        "deep lists as header",
        lambda path: path.write_bytes((2 * DEEP).to_bytes(8, "little") + b"[" * DEEP + b"]" * DEEP + data) and None,
    )
    yield "no arrays", file({}, b"")
    yield "an unknown array", file(header | {"unknown": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}})
    for one, other in zip(names, [*names[1:], names[0]], strict=True):
        start, end = header[one]["data_offsets"]
        yield f"{one} is gone", file({name: value for name, value in header.items() if name != one})
        yield f"{one} renamed", file({f"{name}x" if name == one else name: value for name, value in header.items()})
        yield f"{one} and {other} exchanged", file(header | {one: header[other], other: header[one]})
        for shape in ([], [0], [-1], [2**62, 0], [2**40], [2**33, 2**33], [1] * 100, header[one]["shape"][::-1]):
            yield f"{one} of shape {str(shape)[:20]}", with_array(one, shape=shape)
        for number in ("BF16", "F8_E4M3", "I32", "U8", "C64", "F16", "BOOL", "x", None):
            yield f"{one} of {number}", with_array(one, dtype=number)
        for offsets in ([0, 2**63], [end, start], [start + 4, end + 4], [0, 0], [-4, 0]):
            yield f"{one} at {offsets}", with_array(one, data_offsets=offsets)
        for value in (np.nan, np.inf, -np.inf, 3e38, 1e-45, 0.0, -1.0):
            numbers = np.frombuffer(data[start:end], dtype="<f4").copy()
            for is_all in (False, True):
                changed = numbers.copy()
                changed[slice(None) if is_all else slice(1)] = value
                damaged = data[:start] + changed.tobytes() + data[end:]
                yield f"{one}: {'all' if is_all else 'the first'} {value}", file(header, damaged)


# ── Parquet ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _of_parquet(path: Path) -> Iterator[Change]:
    whole = pq.read_table(path)

    def table(damaged: pa.Table, **options: Any) -> Callable[[Path], None]:
        return lambda path: pq.write_table(damaged, path, **options)

    n = len(whole)
    yield "no rows", table(whole.slice(0, 0))
    yield "no columns", table(whole.select([]))
    yield "half of the rows", table(whole.slice(0, n // 2))
    yield "all rows twice", table(pa.concat_tables([whole, whole]))
    yield "the last row twice", table(pa.concat_tables([whole, whole.slice(max(n - 1, 0))]))
    yield "rows reversed", table(whole.take(pa.array(np.arange(n)[::-1])))
    yield "rows shuffled", table(whole.take(pa.array(np.random.default_rng(0).permutation(n))))
    yield "without metadata", table(whole.replace_schema_metadata(None))
    yield "an unknown column", table(whole.append_column("unknown", pa.nulls(n)))
    yield "columns reversed", table(whole.select(whole.column_names[::-1]))
    yield "many row groups", table(whole, row_group_size=3)
    metadata = whole.schema.metadata or {}
    for key, value in metadata.items():
        if key.startswith(b"recsys"):
            for name, apply in _of_json(value):
                yield f"metadata, {name}", _metadata(whole, key, apply)
    for number, column in enumerate(whole.column_names):
        yield f"{column} is gone", table(whole.drop_columns([column]))
        yield f"{column} twice", table(whole.append_column(column, whole[column]))
        yield (
            f"{column} renamed",
            table(whole.rename_columns([*whole.column_names[:number], "other", *whole.column_names[number + 1 :]])),
        )
        for name, values in _other_columns(whole[column].combine_chunks()):
            yield f"{column}: {name}", table(whole.set_column(number, column, values))


def _metadata(whole: pa.Table, key: bytes, change: Callable[[Path], None]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        change(path)
        value = path.read_bytes()
        pq.write_table(whole.replace_schema_metadata({**whole.schema.metadata, key: value}), path)

    return apply


def _other_columns(values: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    n = len(values)
    kind = values.type
    some = pa.array(np.arange(n) % 7 == 3)
    yield "null", pa.nulls(n)
    yield "all null", pa.nulls(n, kind)
    if n:
        yield "some null", pc.if_else(some, pa.scalar(None, kind), values)
        yield "all alike", values.take(pa.array(np.zeros(n, dtype=int)))
    yield "struct", pa.StructArray.from_arrays([values], ["inner"])
    yield "list", pa.array([[value] for value in values.to_pylist()])
    yield "integers", pa.array(np.arange(n))
    yield "negative integers", pa.array(-np.arange(n))
    yield "2^63 − 1", pa.array(np.full(n, 2**63 - 1))
    yield "uint64", pa.array(np.full(n, 2**64 - 1, dtype=np.uint64))
    yield "text", pa.array([f"x{i}" for i in range(n)])
    yield "long text", pa.array(["x" * 100_000] * n)
    yield "terminal escapes", pa.array([f"\x1b[31m{i}\n\r" for i in range(n)])
    yield "bytes", pa.array([b"\xff\xfe"] * n)
    yield "booleans", some
    yield "NaN", pa.array(np.full(n, np.nan))
    yield "infinity", pa.array(np.full(n, np.inf))
    yield "1e308", pa.array(np.full(n, 1e308))
    yield "float32 1e38", pa.array(np.full(n, 1e38, dtype=np.float32))
    yield "dates", pa.array(np.arange(n), pa.timestamp("s"))
    yield "dictionary", pa.array([f"x{i % 3}" for i in range(n)]).dictionary_encode()
    if pa.types.is_floating(kind):
        yield "one NaN", pc.if_else(some, pa.scalar(np.nan, kind), values)
        yield "one infinite", pc.if_else(some, pa.scalar(np.inf, kind), values)
        yield "zero", pa.array(np.zeros(n), kind)
    if pa.types.is_fixed_size_list(kind):
        width, flat = kind.list_size, values.flatten()
        for name, number in (("NaN", np.nan), ("infinity", np.inf), ("1e38", 1e38), ("0", 0.0)):
            changed = flat.to_numpy(zero_copy_only=False).copy()
            changed[:: 3 * width + 1] = number
            yield f"some values {name}", pa.FixedSizeListArray.from_arrays(pa.array(changed, flat.type), width)
            yield (
                f"all values {name}",
                pa.FixedSizeListArray.from_arrays(pa.array(np.full_like(changed, number)), width),
            )
        yield "lists", values.cast(pa.list_(flat.type))
        yield "lists of other lengths", pa.array([list(range(i % 3)) for i in range(n)], pa.list_(flat.type))
        yield "shorter lists", pa.FixedSizeListArray.from_arrays(flat.slice(0, n * (width - 1)), width - 1)
        yield (
            "null in lists",
            pa.FixedSizeListArray.from_arrays(
                pc.if_else(pa.array(np.arange(len(flat)) % 11 == 3), pa.scalar(None, flat.type), flat), width
            ),
        )
        yield "lists of text", pa.FixedSizeListArray.from_arrays(pa.array(["x"] * len(flat)), width)
    if pa.types.is_list(kind):
        yield "lists of numbers", pa.array([[1, 2]] * n)
        yield "lists of null", pa.array([[None]] * n, kind)
        yield "lists of lists", pa.array([[["x"]]] * n)
        yield "long lists", pa.array([["x"] * 10_000] * n)


def repeated_rows(path: Path, n_rows: int) -> None:
    """Replace a table by a small file of very many equal rows, such as 100 million in a megabyte."""
    first = pq.read_table(path).slice(0, 1)
    block = 1 << 20
    rows = first.take(pa.array(np.zeros(block, dtype=int)))
    with pq.ParquetWriter(path, first.schema) as writer:
        for _ in range(-(-n_rows // block)):
            writer.write_table(rows, row_group_size=block)
