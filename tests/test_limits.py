"""The limit of memory, and the files that are refused before they are opened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recsys import limits
from recsys.errors import InputError, SettingError


@pytest.mark.parametrize(
    ("text", "n_bytes"), [("8G", 8 * 10**9), ("512 MiB", 2**29), ("1.5gb", 15 * 10**8), ("1000", 1000)]
)
def test_the_environment_sets_the_limit(text: str, n_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.MEMORY_VARIABLE, text)
    assert limits.memory_limit() == n_bytes


@pytest.mark.parametrize("text", ["much", "-5G", "0", "8Q", "nan", "1e400", "9" * 5000])
def test_a_size_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.MEMORY_VARIABLE, text)
    with pytest.raises(SettingError, match="is not a size of memory; write 8G or 512M"):
        limits.memory_limit()


def test_without_the_variable_most_of_the_memory_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(limits.MEMORY_VARIABLE, raising=False)
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 2**20 < limits.memory_limit() <= 0.8 * ram
    monkeypatch.setattr(limits, "_control_group_limits", lambda: [10**6, 10**9])
    assert limits.memory_limit() == 800_000


def test_a_limit_of_address_space_counts() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30));"
        "from recsys import limits; print(limits.memory_limit())"
    )
    environment = {name: value for name, value in os.environ.items() if name != limits.MEMORY_VARIABLE}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert 0 < int(done.stdout) < 0.8 * 2**30


def test_too_much_memory_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(limits.MEMORY_VARIABLE, "2G")
    limits.check_memory(2 * 10**9, "r.csv", "reading 5 rows")
    with pytest.raises(InputError) as caught:
        limits.check_memory(25 * 10**8, Path("r.csv"), "reading 5 rows")
    assert str(caught.value) == (
        "r.csv: reading 5 rows would need 2.5 GB of memory, more than the limit of 2.0 GB (RECSYS_MAX_MEMORY sets it)"
    )


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_text("x")
    limits.check_input(file)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "loop").symlink_to("loop")
    for path, says in {
        tmp_path / "none": "none: no such file of ratings",
        tmp_path: "is a folder, not a file of ratings",
        tmp_path / "pipe": "pipe: is not a regular file but a pipe; save the content to a file and name that",
        tmp_path / "link": "is not a regular file but a pipe",
        tmp_path / "loop": "cannot be read: Too many levels of symbolic links",
        tmp_path / ("x" * 300): "cannot be read: File name too long",
        tmp_path / "a\0b": "cannot be read: embedded null",
        file / "x": "cannot be read: Not a directory",
        Path("/dev/zero"): "is not a regular file but a device",
    }.items():
        with pytest.raises(InputError) as caught:
            limits.check_input(path, "file of ratings")
        assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.csv").touch(mode=0)
    with pytest.raises(InputError, match="Permission denied"):
        limits.check_input(tmp_path / "r.csv")


@pytest.mark.parametrize(
    ("value", "whole", "says"),
    [
        (0, True, "must be between 1 and 9, not 0"),
        (2**70, True, "must be between 1 and 9, not 1180591620717411303424"),
        pytest.param(10**5000, True, "must be between 1 and 9, not an integer of 16610 bits", id="long"),
        (2.0, True, "must be a whole number, not 2.0"),
        (True, True, "must be a whole number, not True"),
        (np.int64(10), True, "must be between 1 and 9, not 10"),
        (float("nan"), False, "must be between 1 and 9, not nan"),
        (float("inf"), False, "must be between 1 and 9, not inf"),
        (np.float32(0.5), False, "must be between 1 and 9, not 0.5"),
        ("x" * 1000, False, f"must be a number, not '{'x' * 60}…'"),
        ([[1]], False, "must be a number, not [[1]]"),
    ],
)
def test_numbers_outside_their_range_are_one_short_line(value: object, whole: bool, says: str) -> None:
    with pytest.raises(SettingError) as caught:
        limits.check_number("k", value, 1, 9, whole=whole)
    assert str(caught.value) == f"k {says}"


def test_seeds_after_the_greatest_start_over() -> None:
    limits.check_seed(limits.MOST_SEED)
    with pytest.raises(SettingError, match="between 0 and 4294967295, not 4294967296"):
        limits.check_seed(2**32)
    assert [limits.next_seed(7, number) for number in range(3)] == [8, 9, 10]
    assert limits.next_seed(limits.MOST_SEED, 0) == 0
