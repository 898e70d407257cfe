"""sequence: the network in NumPy and JAX, what order changes, early stopping, explanations, stored networks, errors."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse as sp

from recsys import store
from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.interactions import Interactions
from recsys.dataset.split import hold_out
from recsys.errors import InputError, NotFinite, Unavailable
from recsys.evaluation.ranking import rank_quality
from recsys.models import IALS, Blend, Model, Sequence, Vectors, sequence_training
from recsys.models.sequence import _batches
from recsys.models.sequence_encoder import NONE, SequenceEncoder, histories, shapes_of, states
from recsys.recommend.topn import batch_of_ratings, batch_of_users, recommend

N_USERS, N_ITEMS = 60, 20


def rounds(shuffle: bool = False) -> Dataset:
    """Each user rates nine items, i, i + 1, … modulo 20, from a random first one; with `shuffle` in random order."""
    rng = np.random.default_rng(5)
    first = rng.integers(0, N_ITEMS, N_USERS)
    columns = (first[:, None] + np.arange(9)) % N_ITEMS
    times = np.stack([rng.permutation(9) if shuffle else np.arange(9) for _ in range(N_USERS)])
    order = np.argsort(columns, axis=1)
    columns, times = (np.take_along_axis(values, order, axis=1).ravel() for values in (columns, times))
    matrix = sp.csr_matrix((np.ones(len(columns)), columns, np.arange(0, 9 * N_USERS + 1, 9)), (N_USERS, N_ITEMS))
    ids = [f"i{i}" for i in range(N_ITEMS)]
    return Dataset(Interactions(matrix, [f"u{u}" for u in range(N_USERS)], ids, times), Catalog.of(ids))


DATA = rounds()
SMALL: dict[str, Any] = {
    "n_factors": 8,
    "max_length": 8,
    "learning_rate": 0.02,
    "dropout": 0.1,
    "batch_size": 8,
    "blocks": 1,
}


@pytest.fixture(scope="module", params=["gru4rec", "sasrec"])
def model(request) -> Model:
    return Sequence(request.param, **SMALL, epochs=15).fit(DATA)


def test_the_network_in_numpy_is_the_one_that_jax_trains(model: Model) -> None:
    assert isinstance(model.fitted, Vectors) and isinstance(model.learner, Sequence)
    items, lengths = histories(DATA.interactions.in_order(), 8)
    x = model.space.item_factors[items, :-1]
    arrays = model.fitted.tensors()
    in_jax = states(jnp, model.learner.variant, arrays, x, scan=sequence_training._scan)
    np.testing.assert_allclose(model.space.user_factors[:, :-1], in_jax[np.arange(N_USERS), lengths - 1], atol=1e-5)
    assert (model.space.user_factors[:, -1] == 1).all()
    later = np.array(x)
    later[:, 4:] = 7
    changed = states(np, model.learner.variant, arrays, later)
    np.testing.assert_allclose(changed[:, :4], in_jax[:, :4], atol=1e-5, err_msg="a state knows nothing of later items")


def test_the_next_item_is_found_from_the_order_alone(model: Model) -> None:
    """Control: in random order the next item cannot be known, and `ials` does not know the order."""
    quality = {}
    for name, data, learner in (
        ("order", DATA, model.learner),
        ("shuffled", rounds(shuffle=True), model.learner),
        ("ials", DATA, IALS(n_factors=8)),
    ):
        split = hold_out(data.interactions, "leave-last-out")
        found = learner.fit(Dataset(split.train, data.catalog))
        quality[name] = rank_quality(found, split, (1,), auc=False).metrics["recall@1"].mean()
    assert quality["order"] > 0.95
    assert quality["shuffled"] < 0.8 and quality["ials"] < 0.6, quality


def test_the_ratings_of_a_new_user_are_read_in_order(model: Model) -> None:
    forwards, backwards = {f"i{i}": 5.0 for i in (3, 4, 5)}, {f"i{i}": 5.0 for i in (5, 4, 3)}
    one, other = (batch_of_ratings(model, ratings) for ratings in (forwards, backwards))
    assert one.ratings.indices.tolist() == [3, 4, 5] and other.ratings.indices.tolist() == [5, 4, 3]
    assert recommend(model, one, 1)["item_id"].tolist() == ["i6"]
    assert np.abs(one.vectors - other.vectors).max() > 0.1  # type: ignore[operator]
    data = DATA.interactions
    strangers = Interactions(data.matrix, [f"s{u}" for u in range(N_USERS)], data.item_ids, data.timestamps)
    batch = batch_of_users(model, strangers, ["s7", "s3"])
    np.testing.assert_allclose(batch.vectors, model.space.user_factors[[7, 3]], atol=1e-5)
    wider = strangers.with_items(np.array(["new", *reversed(data.item_ids)], dtype=object))
    np.testing.assert_allclose(batch_of_users(model, wider, ["s7", "s3"]).vectors, batch.vectors, atol=1e-5)
    with pytest.raises(InputError, match="needs a timestamp for every rating, and some are missing"):
        batch_of_users(model, Interactions(data.matrix, strangers.user_ids, data.item_ids))


def test_an_explanation_is_what_the_score_loses_without_the_rated_item(model: Model) -> None:
    """Of nine ratings the first is beyond the largest length, and counts as soon as another one is left out."""
    names, columns = [f"i{i}" for i in (9, 2, 13, 3, 12, 4, 8, 6, 5)], np.array([7, 1])
    fitted, you = model.fitted, batch_of_ratings(model, dict.fromkeys(names, 4.0))
    found = fitted.contributions(you, model.weighting, columns)
    assert found is not None and found.rated_rows.tolist() == [9, 2, 13, 3, 12, 4, 8, 6, 5]
    scores = fitted.score(you, model.weighting)[0, columns]
    for name, shares in zip(names, found.shares, strict=True):
        others = batch_of_ratings(model, {other: 4.0 for other in names if other != name})
        np.testing.assert_allclose(shares, scores - fitted.score(others, model.weighting)[0, columns], atol=1e-4)
    assert not found.shares[0].any() and np.abs(found.shares[1:]).max() > 0.1
    alone = batch_of_ratings(model, {"i2": 4.0})
    found = fitted.contributions(alone, model.weighting, columns)
    assert found is not None
    cold = model.space.item_factors[columns, -1]
    np.testing.assert_allclose(found.shares[0], fitted.score(alone, model.weighting)[0, columns] - cold, atol=1e-4)


def test_windows_contain_every_step_once_and_no_empty_ones() -> None:
    ordered = sp.csr_matrix((np.ones(26), np.arange(26), [0, 23, 24, 24, 26]), shape=(4, 26))
    rng = np.random.default_rng(0)
    for _ in range(20):
        steps = []
        for items in _batches(ordered, 8, 2, rng):
            assert items.shape in {(8, 3), (4, 5), (2, 9)}
            steps += [(a, b) for row in items for a, b in itertools.pairwise(row) if b != NONE]
        assert sorted(steps) == [(i, i + 1) for i in [*range(22), 24]]


def test_training_stops_on_held_out_ratings_and_an_interrupt_keeps_the_best_epoch(monkeypatch) -> None:
    settings = SMALL | {"variant": "gru4rec", "patience": 2}
    done: list[int] = []
    stopped = Sequence(**settings, epochs=60).fit(DATA, progress=lambda epoch, _: done.append(epoch))
    assert 3 < done[-2] < done[-1] == 60 == stopped.learner.epochs  # type: ignore[attr-defined]
    again = Sequence(**settings, epochs=done[-2] - 2).fit(DATA)
    assert again.space.item_factors.tobytes() == stopped.space.item_factors.tobytes()
    step, n_calls, most = sequence_training.step, 0, 10**6

    def interrupted(*args: Any) -> Any:
        nonlocal n_calls
        n_calls += 1
        if n_calls > most:
            raise KeyboardInterrupt
        return step(*args)

    monkeypatch.setattr(sequence_training, "step", interrupted)
    Sequence(**settings, epochs=1).fit(DATA)
    n_calls, most = 0, 2 * n_calls + 1  # in the third epoch
    kept = Sequence(**settings, epochs=60).fit(DATA)
    assert 1 <= kept.learner.epochs <= 2  # type: ignore[attr-defined]


def test_what_cannot_be_trained_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    data = DATA.interactions
    without = Interactions(data.matrix, data.user_ids, data.item_ids)
    with pytest.raises(InputError, match=r"^the order of the ratings is unknown: .* some are missing$"):
        Sequence(**SMALL).fit(Dataset(without, DATA.catalog))
    single = Interactions(sp.csr_matrix(np.eye(2)), ["a", "b"], ["x", "y"], np.arange(2))
    with pytest.raises(InputError, match="and no user has two ratings"):
        Sequence(**SMALL).fit(Dataset(single, Catalog.of(single.item_ids)))
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(Unavailable, match=r"^'sequence' needs jax: python -m pip install 'recsys-atlas\[deep\]'$"):
        Sequence().fit(DATA)


def test_a_stored_network_must_be_whole(model: Model) -> None:
    assert isinstance(model.fitted, Vectors)
    tensors, learner = model.fitted.tensors(), model.learner
    name = min(tensors)
    with pytest.raises(InputError, match=f"has other arrays than {learner.variant} has: {name}"):  # type: ignore[attr-defined]
        learner.fold_in_rule({key: array for key, array in tensors.items() if key != name})
    with pytest.raises(InputError, match=rf"{name} of the encoder must be float32 of shape .*, not float64 of "):
        learner.fold_in_rule(tensors | {name: tensors[name].astype(np.float64)})
    with pytest.raises(NotFinite):
        learner.fold_in_rule(tensors | {name: np.full_like(tensors[name], np.nan)})
    arrays: dict[str, np.ndarray] = {
        key: np.zeros(shape, np.float32) for key, shape in shapes_of("gru4rec", 3, 1, 8).items()
    }
    with pytest.raises(InputError, match="of 3 dimensions, does not fit the vectors, of 8"):
        Vectors(model.space, SequenceEncoder("gru4rec", 3, 1, 8, arrays))


def test_a_part_of_a_blend_reads_the_order_too(tmp_path: Path) -> None:
    parts = (
        " ".join(f"sequence.{name}={value}" for name, value in SMALL.items()) + " sequence.epochs=5 ials.n_factors=4"
    )
    Blend(of="ials,sequence", parts=parts).fit(DATA).save(tmp_path / "blend")
    blend = store.load_model(tmp_path / "blend")
    data = DATA.interactions
    strangers = Interactions(data.matrix, [f"s{u}" for u in range(N_USERS)], data.item_ids, data.timestamps)
    found = batch_of_users(blend, strangers).vectors
    assert found is not None and np.abs(found - blend.space.user_factors).max() < 0.2
    backwards = Interactions(data.matrix, strangers.user_ids, data.item_ids, 9 - data.timestamps)  # type: ignore[operator]
    assert np.abs(batch_of_users(blend, backwards).vectors - found).max() > 0.5  # type: ignore[operator]
