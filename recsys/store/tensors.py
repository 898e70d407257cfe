"""Arrays ↔ a file in the safetensors format: named arrays and nothing that could run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.errors import InputError, quoted
from recsys.limits import check_memory
from recsys.store.artifacts import Artifact


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    """Write arrays. The same arrays give the same bytes."""
    from safetensors.numpy import save

    path.write_bytes(save({name: np.ascontiguousarray(array) for name, array in tensors.items()}))


def read_tensors(artifact: Artifact, name: str) -> dict[str, np.ndarray]:
    """The float32 arrays in a file of an artifact.

    Raises WrongFile as `Artifact.open` does, InputError for content that is not in the format, that NumPy cannot hold,
    that is of another type, or that would not fit into the limit of memory.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    with artifact.open(name) as file:
        n_bytes = artifact.marker["files"][name]["bytes"]
        check_memory(2 * n_bytes, name, f"reading {n_bytes:,} bytes")
        content = file.read()
    try:
        tensors = dict(load(content))
    except SafetensorError as error:
        raise InputError(f"{name} is not in the format safetensors: {error}") from None
    except (KeyError, ValueError) as error:  # numbers or shapes that the format allows and NumPy does not
        raise InputError(f"{name} holds an array that NumPy cannot hold: {error}") from None
    for key, array in tensors.items():
        if array.dtype != np.float32:
            raise InputError(f"{name}: {quoted(key)} holds numbers of the type {array.dtype}, not float32")
    return tensors
