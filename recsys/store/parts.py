"""Parts: results of a long run that are kept on disk until the output is complete, so that the run can be resumed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recsys import atomic
from recsys.errors import InputError
from recsys.store.files import dump_json, open_file, read_json

PLAN = "plan.json"
MOST_PART_BYTES = 2**30
"""A larger file is no part: parts are some ten megabytes, and are read as a whole."""
_PART = re.compile(r"(\d{6})-([0-9a-f]{64})\.part")


def is_part(path: Path) -> bool:
    """Whether a file is a part, a plan, or a lock or temporary file of one, by its name."""
    is_ours = path.name == PLAN or _PART.fullmatch(path.name) or atomic.target_of(path) is not None
    return bool(is_ours) and path.is_file() and not path.is_symlink()


class Parts:
    """The parts of a run: numbered bytes, each of which is safely on disk once it is written.

    They are in a hidden folder next to the output, together with the plan they belong to. The name of a part contains
    the SHA-256 of the plan, the number of the part and its content, so that a part is recognised neither under another
    number nor under another plan. With `resume`, the parts of an interrupted run with the same plan are kept, except
    damaged ones. Without it, or with another plan, they are deleted. The caller holds the lock of the output.

    out      the file or folder that the run makes
    plan     plain values that determine the content, such as fingerprints of the model and the data
    n_found  number of parts that were kept

    Raises InputError when the hidden folder contains a file that is not ours.
    """

    def __init__(self, out: Path, plan: Mapping[str, Any], resume: bool) -> None:
        self.out = out
        self.folder = out.with_name(f".{out.name}.parts")
        self._plan = json.dumps(dict(plan), sort_keys=True).encode()
        self._check_ours()
        with atomic.lock(self.folder):  # also removes the lock of a run that was killed while it wrote the plan
            if self.folder.is_dir() and not (resume and self._has_plan(plan)):
                atomic.remove_folder(self.folder, out)
            if not self.folder.is_dir():
                with atomic.new_folder(self.folder) as temporary:
                    dump_json(temporary / PLAN, dict(plan))
        self._parts = self._intact_parts()
        self.n_found = len(self._parts)

    def has(self, number: int) -> bool:
        """Whether the part is already written."""
        return number in self._parts

    def write(self, number: int, content: bytes) -> None:
        """Write one part, atomically."""
        path = self.folder / f"{number:06d}-{self._digest(number, content)}.part"
        with atomic.new_file(path) as temporary:
            temporary.write_bytes(content)
        self._parts[number] = path

    def read(self, number: int) -> bytes:
        """The content of a part that is written. Raises InputError when it was changed meanwhile."""
        path = self._parts[number]
        content = self._content(path)
        if content is None:
            raise InputError(f"{path}: was changed by another program; run this again with --resume")
        return content

    def remove(self) -> None:
        """Delete the parts, once the output is complete."""
        atomic.remove_folder(self.folder, self.out)

    def _check_ours(self) -> None:
        if not self.folder.exists() and not self.folder.is_symlink():
            return
        if self.folder.is_symlink() or not self.folder.is_dir():
            raise InputError(f"{self.folder}: is in the way of the parts of {self.out.name}; move it")
        for path in self.folder.iterdir():
            if not is_part(path):
                raise InputError(f"{path}: is no part of {self.out.name}; move it out of that folder")

    def _has_plan(self, plan: Mapping[str, Any]) -> bool:
        try:
            return read_json(self.folder / PLAN) == dict(plan)
        except InputError:  # damaged: it cannot say what the parts belong to
            return False

    def _intact_parts(self) -> dict[int, Path]:
        """The parts on disk by number. A part that is not what was written is deleted, to be made again."""
        parts = {}
        for path in sorted(self.folder.iterdir()):
            found = _PART.fullmatch(path.name)
            if found and self._content(path) is not None:
                parts[int(found[1])] = path
            elif path.name != PLAN:
                path.unlink()
        return parts

    def _content(self, path: Path) -> bytes | None:
        """The content of a part; None if it is not what was written."""
        number, digest = path.stem.split("-")
        try:
            if path.stat().st_size > MOST_PART_BYTES:
                return None
            with open_file(path) as file:
                content = file.read(MOST_PART_BYTES)
        except (InputError, OSError):
            return None
        return content if self._digest(int(number), content) == digest else None

    def _digest(self, number: int, content: bytes) -> str:
        digest = hashlib.sha256(b"%d %d " % (number, len(self._plan)) + self._plan)
        digest.update(content)
        return digest.hexdigest()
