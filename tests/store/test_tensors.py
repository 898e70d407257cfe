"""Arrays in safetensors: the same arrays give the same bytes; what is not in the format is refused in one line."""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.errors import InputError, RecsysError
from recsys.models import IALS, VAE, Model, Vectors, with_settings
from recsys.models.blend import Blend, _blended
from recsys.models.encoder import Encoder
from recsys.space.embedding import EmbeddingSpace
from recsys.store.artifacts import MODEL, new_artifact, open_artifact
from recsys.store.tensors import read_tensors, write_tensors
from tests.attack.mutations import of_tensors

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


@pytest.mark.parametrize(
    ("number", "shape", "n_bytes", "says"),
    [
        ("BF16", [2], 4, "NumPy cannot hold: 'BF16'"),
        ("F32", [2**62, 0], 0, "NumPy cannot hold: array is too big"),
        ("F32", [1] * 100, 4, "NumPy cannot hold: maximum supported dimension"),
        ("F64", [1], 8, "'a' holds numbers of the type float64, not float32"),
        ("F32", [2**40], 4, "is not in the format safetensors"),
        ("F32", [2**33, 2**33], 0, "is not in the format safetensors"),
    ],
)
def test_an_array_that_is_not_float32_or_too_large_is_refused(
    tmp_path: Path, number: str, shape: list[int], n_bytes: int, says: str
) -> None:
    header = json.dumps({"a": {"dtype": number, "shape": shape, "data_offsets": [0, n_bytes]}}).encode()
    with new_artifact(tmp_path / "model", MODEL, {}) as folder:
        (folder / NAME).write_bytes(struct.pack("<Q", len(header)) + header + bytes(n_bytes))
    with pytest.raises(InputError, match=rf"^{NAME}.* {says}"):
        read_tensors(open_artifact(tmp_path / "model", MODEL), NAME)


def test_a_file_larger_than_the_limit_of_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_artifact(tmp_path / "model", MODEL, {}) as folder:
        write_tensors(folder / NAME, ARRAYS)
    monkeypatch.setenv("RECSYS_MAX_MEMORY", "100")
    with pytest.raises(InputError, match="more than the limit of 100 bytes"):
        read_tensors(open_artifact(tmp_path / "model", MODEL), NAME)


# ── damaged arrays of a model ────────────────────────────────────────────────────────────────────────────────────────

N_USERS, N_ITEMS = 12, 10


@pytest.fixture(scope="module")
def models() -> dict[str, Model]:
    """A `vae` with random weights, and a blend of it and `ials`; nothing is trained with JAX."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(0, 6, (N_USERS, N_ITEMS))
    data = Interactions(matrix, np.arange(N_USERS), np.arange(N_ITEMS))
    ials = IALS(n_factors=3, epochs=1).fit(Dataset(data, Catalog.of(data.item_ids)))

    def some(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    encoder = Encoder("multvae", ((some(N_ITEMS, 4), some(4)),), (some(4, 2), some(2)))
    space = EmbeddingSpace(some(N_ITEMS, 3), data.item_ids, has_bias=True)
    users = encoder.fold_in(space, data.matrix)
    vectors = Vectors(EmbeddingSpace(space.item_factors, data.item_ids, users, data.user_ids, has_bias=True), encoder)
    blend = with_settings(
        Blend, {"of": "ials,vae", "ials.n_factors": 3, "vae.n_factors": 2, "vae.hidden": 4, "vae.variant": "multvae"}
    )
    return {
        "vae": dataclasses.replace(ials, learner=VAE("multvae", n_factors=2, hidden=4), fitted=vectors),
        "blend": dataclasses.replace(ials, learner=blend, fitted=_blended(blend, [ials.fitted, vectors])),
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["vae", "blend"])
def test_damaged_arrays_are_refused_in_one_line_or_give_numbers(
    name: str, models: dict[str, Model], tmp_path: Path, reseal: Callable[[Path], None]
) -> None:
    path = tmp_path / "model" / NAME
    store.save_model(tmp_path / "model", models[name])
    whole, n_refused, n_read = path.read_bytes(), 0, 0
    for damage, apply in list(of_tensors(whole))[::3]:  # `make attack` tries all
        apply(path)
        reseal(tmp_path / "model")
        try:
            model = store.load_model(tmp_path / "model")
            assert np.isfinite(model.recommend(ratings={1: 5.0, 2: 1.0})["score"]).all(), damage
            n_read += 1
        except RecsysError as error:
            assert "\n" not in str(error) and len(str(error)) < 600, damage
            n_refused += 1
    assert n_refused > 30 and n_read > 5
