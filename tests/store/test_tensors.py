"""Arrays in safetensors: the same arrays give the same bytes; what is not in the format is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.errors import InputError
from recsys.store.artifacts import MODEL, new_artifact, open_artifact
from recsys.store.tensors import read_tensors, write_tensors

NAME = "encoder.safetensors"
ARRAYS = {"b": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones(2, np.float32)}


def test_arrays_survive_and_the_order_of_names_does_not_matter(tmp_path: Path) -> None:
    with new_artifact(tmp_path / "model", MODEL, {}) as folder:
        write_tensors(folder / NAME, {name: array[::-1][::-1] for name, array in ARRAYS.items()})
    content = (tmp_path / "model" / NAME).read_bytes()
    back = read_tensors(open_artifact(tmp_path / "model", MODEL), NAME)
    assert {name: array.tolist() for name, array in back.items()} == {n: a.tolist() for n, a in ARRAYS.items()}
    write_tensors(tmp_path / NAME, dict(sorted(ARRAYS.items())))
    assert (tmp_path / NAME).read_bytes() == content


@pytest.mark.parametrize("cut", [0, 7, 40, -1])
def test_a_file_that_is_not_in_the_format_is_refused(tmp_path: Path, cut: int) -> None:
    with new_artifact(tmp_path / "model", MODEL, {}) as folder:  # its checksum is right
        write_tensors(folder / NAME, ARRAYS)
        (folder / NAME).write_bytes((folder / NAME).read_bytes()[:cut])
    with pytest.raises(InputError, match=rf"^{NAME} is not in the format safetensors: "):
        read_tensors(open_artifact(tmp_path / "model", MODEL), NAME)


def test_a_file_larger_than_the_limit_of_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_artifact(tmp_path / "model", MODEL, {}) as folder:
        write_tensors(folder / NAME, ARRAYS)
    monkeypatch.setenv("RECSYS_MAX_MEMORY", "100")
    with pytest.raises(InputError, match="more than the limit of 100 bytes"):
        read_tensors(open_artifact(tmp_path / "model", MODEL), NAME)
