"""The public API: what a notebook types, the README's Python block, the doctests, and how light an import is."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recsys

ROOT = Path(__file__).resolve().parents[1]
WITHOUT_EXAMPLE = {"Evaluation", "EmbeddingReport", "Steered"}
"""Results: `evaluate`, `EmbeddingSpace.report` and `Model.steer` return them."""
HEAVY = ("numpy", "pandas", "scipy", "sklearn", "numba", "pyarrow", "implicit", "streamlit", "plotly", "openTSNE")


@pytest.fixture(scope="module")
def data(ml100k) -> recsys.Dataset:
    return ml100k


@pytest.fixture(scope="module")
def model(data: recsys.Dataset) -> recsys.Model:
    return recsys.IALS(n_factors=32, epochs=5).fit(data)


# --- names --------------------------------------------------------------------------------------------------------


def test_every_public_name_is_loaded_from_where_type_checkers_find_it() -> None:
    tree = ast.parse((ROOT / "recsys" / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    checked = {
        alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert checked == recsys._HOMES
    assert sorted(recsys.__all__) == sorted([*checked, "__version__"])
    for name in recsys.__all__:
        assert getattr(recsys, name) is not None
    assert set(recsys.__all__) <= set(dir(recsys))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        recsys.nothing  # noqa: B018


def test_the_documentation_lists_the_public_names() -> None:
    documented = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    missing = [name for name in recsys.__all__ if not re.search(rf"\b{name}\b", documented)]
    assert not missing


@pytest.mark.parametrize("name", sorted(set(recsys.__all__) - {"__version__"}))
def test_public_names_are_documented(name: str) -> None:
    found = getattr(recsys, name)
    documentation = inspect.getdoc(found)
    assert documentation
    if name not in WITHOUT_EXAMPLE and not (inspect.isclass(found) and issubclass(found, Exception)):
        own = (
            [documentation, *(inspect.getdoc(m) or "" for m in vars(found).values())] if inspect.isclass(found) else []
        )
        assert any(">>>" in text for text in own or [documentation]), f"{name} has no example"
    methods = [] if not inspect.isclass(found) else [m for n, m in vars(found).items() if not n.startswith("_")]
    for member in methods:
        if inspect.isfunction(member) or isinstance(member, classmethod | property):
            assert inspect.getdoc(member), f"{name}.{member} has no docstring"


def test_examples_in_docstrings_run() -> None:
    """The doctests of every module that a public name comes from, and of all learners."""
    examples = 0
    for home in sorted(set(recsys._HOMES.values()) | {"recsys", "recsys.models.imported"}):
        result = doctest.testmod(importlib.import_module(home), optionflags=doctest.NORMALIZE_WHITESPACE)
        assert result.failed == 0, home
        examples += result.attempted
    assert examples >= 30


def test_importing_is_light() -> None:
    """Counted in modules, because seconds depend on the machine."""
    script = "import recsys, sys; print(len(sys.modules)); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = done.stdout.splitlines()[1].split()
    assert not [name for name in loaded if name.split(".")[0] in HEAVY]
    assert [name for name in loaded if name.split(".")[0] == "recsys"] == ["recsys"]


def test_the_python_block_of_the_readme_runs(ml100k_folder: Path, tmp_path: Path, monkeypatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 1
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "data" / "raw" / "ml-100k").symlink_to(ml100k_folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECSYS_DATA", raising=False)
    names: dict[str, object] = {}
    exec(compile(blocks[0], "README.md", "exec"), names)
    assert isinstance(names["model"], recsys.Model)


# --- recommending -------------------------------------------------------------------------------------------------


def test_a_known_user_gets_unseen_movies_with_titles(data: recsys.Dataset, model: recsys.Model) -> None:
    table = model.recommend(user=1, k=5)
    assert list(table.columns) == ["rank", "item_id", "title", "score"]
    assert table["rank"].tolist() == [1, 2, 3, 4, 5]
    seen = data.interactions.item_ids[data.interactions.matrix[data.interactions.user_rows([1])].indices]
    assert not set(table["item_id"]) & set(seen)
    assert set(model.recommend(user=1, k=5, exclude_seen=False)["item_id"]) & set(seen)
    several = model.recommend(user=[1, 7], k=3)
    assert several["user_id"].tolist() == [1, 1, 1, 7, 7, 7]
    pd.testing.assert_frame_equal(several[:3].drop(columns="user_id"), table[:3])


def test_a_new_user_is_described_by_titles_or_ids(model: recsys.Model) -> None:
    by_title = model.recommend(ratings={"alien": 5, "Blade Runner (1982)": 4}, k=5)
    ids = {model.catalog.id_of("Alien"): 5.0, model.catalog.id_of("Blade Runner"): 4.0}
    pd.testing.assert_frame_equal(by_title, model.recommend(ratings=ids, k=5))
    assert not set(by_title["item_id"]) & set(ids)


def test_filters_apply_before_the_list_is_cut(model: recsys.Model) -> None:
    table = model.recommend(ratings={"Alien": 5}, k=8, genres=["Sci-Fi"], years=(1980, 1989))
    items = model.catalog.take(table["item_id"].to_numpy()).items
    assert len(table) == 8
    assert all("Sci-Fi" in genres for genres in items["genres"])
    assert items["year"].between(1980, 1989).all()
    pd.testing.assert_frame_equal(
        model.recommend(ratings={"Alien": 5}, k=3, genres="Horror"),
        model.recommend(ratings={"Alien": 5}, k=3, genres=["Horror"]),
    )


def test_reasons_and_steering_are_columns(model: recsys.Model) -> None:
    table = model.recommend(ratings={"Alien": 5, "Toy Story": 4}, k=3, explain=True)
    assert {title for row in table["reasons"] for title, _ in row} <= {"Alien (1979)", "Toy Story (1995)"}
    steered = model.recommend(ratings={"Alien": 5, "Toy Story": 4}, k=3, steer={"children's": 1})
    assert {"taste", "rank_before"} <= set(steered.columns)
    effect = model.steer({"children's": 1}, ratings={"Alien": 5, "Toy Story": 4}, k=3)
    assert effect.table["item_id"].tolist() == steered["item_id"].tolist()
    assert (effect.moved["after"] < effect.moved["before"]).all() or (
        effect.moved["after"] > effect.moved["before"]
    ).all()


def test_an_explanation_adds_up_to_the_score(model: recsys.Model) -> None:
    you = {"Alien": 5, "Toy Story": 4, "Fargo": 2}
    best = model.recommend(ratings=you, k=1).iloc[0]
    shares = model.explain(best["title"], ratings=you)
    assert set(shares["title"]) == {"Alien (1979)", "Toy Story (1995)", "Fargo (1996)"}
    assert 0.8 * best["score"] < shares["share"].sum() < best["score"]  # the rest is what everyone likes
    known = model.recommend(user=5, k=1).iloc[0]
    assert model.explain(known["title"], user=5)["share"].sum() == pytest.approx(known["score"], rel=1e-3)
    assert recsys.Popular().fit(model.dataset).explain("Alien", ratings=you).empty


def test_similar_takes_a_title_or_an_id(model: recsys.Model) -> None:
    table = model.similar("toy story", k=4)
    assert list(table.columns) == ["rank", "item_id", "title", "similarity"]
    pd.testing.assert_frame_equal(table, model.similar(1, k=4))


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({}, recsys.InputError, "either user=ID or ratings="),
        ({"user": 1, "ratings": {"Alien": 5}}, recsys.InputError, "either user=ID or ratings="),
        ({"user": 10**6}, recsys.UnknownId, "1000000"),
        ({"ratings": {"Alein": 5}}, recsys.UnknownId, "did you mean .Alien"),
        ({"ratings": {"Alien": 5, "alien (1979)": 4}}, recsys.InputError, "the same movie"),
        ({"ratings": {"Sabrina": 5}}, recsys.AmbiguousTitle, "1954"),
        ({"ratings": {"Alien": float("nan")}}, recsys.InputError, "finite"),
        ({"ratings": {"Alien": 5}, "genres": ["Scifi"]}, recsys.UnknownId, "Scifi"),
        ({"ratings": {"Alien": 5}, "steer": {"children's": 9}}, recsys.SettingError, "9"),
        ({"ratings": {"Alien": 5}, "k": 0}, recsys.InputError, "at least 1"),
        ({"user": [1, 2], "explain": True}, recsys.InputError, "one user"),
        ({"ratings": ["Alien"]}, recsys.InputError, "mapping"),
        ({"ratings": {"Alien": None}}, recsys.InputError, "finite"),
        ({"ratings": {"Alien": 5}, "years": ("1980", "1989")}, recsys.InputError, "pair of numbers"),
        ({"ratings": {"Alien": 5}, "years": (1989, 1980)}, recsys.InputError, "after the last"),
    ],
)
def test_wrong_use_is_one_clear_line(model: recsys.Model, asked: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says) as raised:
        model.recommend(**asked)
    assert "\n" not in str(raised.value)


def test_learners_take_datasets_only(data: recsys.Dataset) -> None:
    for ratings in (data.interactions, data.interactions.matrix, pd.DataFrame()):
        with pytest.raises(TypeError, match=r"Dataset\.from_frame"):
            recsys.IALS().fit(ratings)  # type: ignore[arg-type]


# --- saving -------------------------------------------------------------------------------------------------------


def test_a_saved_model_recommends_the_same(data: recsys.Dataset, model: recsys.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "mine")
    alone = recsys.load_model(str(tmp_path / "mine"))
    you = {"Alien": 5, "Fargo": 4}
    pd.testing.assert_frame_equal(alone.recommend(ratings=you), model.recommend(ratings=you))
    for asked in ({}, {"exclude_seen": False, "explain": True}):
        with pytest.raises(recsys.InputError, match="load_model"):
            alone.recommend(user=1, **asked)
    pd.testing.assert_frame_equal(
        alone.recommend(user=1, exclude_seen=False), model.recommend(user=1, exclude_seen=False)
    )
    whole = recsys.load_model(tmp_path / "mine", dataset=data)
    pd.testing.assert_frame_equal(whole.recommend(user=1), model.recommend(user=1))
    with pytest.raises(recsys.InputError, match="other data"):
        recsys.load_model(
            tmp_path / "mine", dataset=recsys.Dataset.from_frame(pd.DataFrame({"user": [1], "item": [1]}))
        )


# --- spaces -------------------------------------------------------------------------------------------------------


def test_the_space_of_a_model_answers_questions(model: recsys.Model) -> None:
    horror = model.space.ask("Horror")
    assert horror.is_valid and horror.evidence.value > 0.75
    found = model.space.axes()
    assert len(found.discovered) == 32 and not any(axis.is_valid for axis in found.discovered)
    assert {"children's ↔ adult"} <= {axis.name for axis in found.asked}
    refitted = model.axes(n_refits=1)
    assert refitted.asked == model.built_in_axes.asked
    assert all(axis.evidence.stability is not None for axis in refitted.discovered)


def test_a_map_of_a_space_draws_itself(model: recsys.Model) -> None:
    item_map = model.space.map("pca")
    figure = item_map.plot()
    assert "Toy Story (1995)" in figure.to_json()
    with pytest.raises(recsys.Unsupported, match="titles"):
        recsys.ItemMap("pca", item_map.item_ids, item_map.coordinates, 42).plot()


def test_vectors_of_anyone_can_be_asked_and_grouped(data: recsys.Dataset, model: recsys.Model) -> None:
    items = data.catalog.items
    frame = pd.DataFrame(model.space.item_factors, index=pd.Index(data.catalog.item_ids, name="item_id"))
    space = recsys.EmbeddingSpace.from_frame(frame, items)
    np.testing.assert_array_equal(space.item_factors, model.space.item_factors)
    pd.testing.assert_frame_equal(space.similar("Toy Story", 4), model.similar("Toy Story", 4))
    shuffled = frame.set_axis(np.random.default_rng(1).permutation(frame.index.to_numpy()))
    control = recsys.EmbeddingSpace.from_frame(shuffled.rename_axis("item_id"), items)
    assert space.ask("Horror").evidence.value > control.ask("Horror").evidence.value + 0.1
    assert not control.ask("Horror").is_valid
    assert space.clusters("kmeans").n_clusters >= 2


def test_a_model_and_its_space_can_be_pickled(model: recsys.Model) -> None:
    """For worker processes; the files of a model hold no pickle."""
    assert model.space.attributes is not None
    again = pickle.loads(pickle.dumps(model))  # noqa: S301
    pd.testing.assert_frame_equal(again.similar("Toy Story", 3), model.similar("Toy Story", 3))


def test_the_array_that_was_given_stays_writable() -> None:
    vectors = np.eye(3, dtype=np.float32)
    space = recsys.EmbeddingSpace(vectors, [1, 2, 3])
    vectors[0, 0] = 2
    assert not space.item_factors.flags.writeable


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (np.eye(2), "must be a pandas DataFrame"),
        (pd.DataFrame({"x": [1.0]}), "no column of item ids"),
    ],
)
def test_vectors_that_cannot_be_used_get_one_line(frame: object, says: str) -> None:
    with pytest.raises(recsys.InputError, match=says):
        recsys.EmbeddingSpace.from_frame(frame)  # type: ignore[arg-type]


def test_ids_keep_their_identity_between_vectors_and_items() -> None:
    vectors = pd.DataFrame({"item_id": ["0010", "10"], "x": [1.0, 0.5], "y": [0.0, 1.0]})
    items = pd.DataFrame({"item_id": ["10", "0010"], "title": ["Ten", "Zero ten"]})
    space = recsys.EmbeddingSpace.from_frame(vectors, items)
    assert space.attributes is not None and space.attributes.catalog.labels.tolist() == ["Zero ten", "Ten"]
    gap = pd.DataFrame({"item_id": [1.0, np.nan, 3.0], "x": [1.0, 1.0, 2.0]})
    assert recsys.EmbeddingSpace.from_frame(gap).item_ids.tolist() == [1, 3]
    with pytest.raises(recsys.InputError, match="describes none"):
        recsys.EmbeddingSpace.from_frame(vectors, items.assign(item_id=["a", "b"]))
    zero = recsys.EmbeddingSpace.from_frame(vectors.assign(x=[0.0, 1.0], y=[0.0, 1.0]), items)
    with pytest.raises(recsys.InputError, match="zero vector"):
        zero.similar("Zero ten")
    with pytest.raises(recsys.InputError, match="at least 1"):
        zero.similar("Ten", k=0)


def test_axes_of_another_space_are_refused(model: recsys.Model) -> None:
    other = recsys.IALS(n_factors=8, epochs=1).fit(model.dataset)
    with pytest.raises(recsys.InputError, match="8 dimensions, this space has 32"):
        model.recommend(ratings={"Alien": 5}, steer={"children's": 1}, axes=other.built_in_axes)


def test_evaluate_takes_one_learner_and_refuses_nonsense_before_training(data: recsys.Dataset) -> None:
    found = recsys.evaluate(data, recsys.Popular(), k=5)
    assert found.k == (5,) and found.labels == ("popular",)
    for learners in ([], [recsys.IALS]):
        with pytest.raises(recsys.SettingError, match="at least one learner"):
            recsys.evaluate(data, learners)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Dataset\.from_frame"):
        recsys.evaluate(pd.DataFrame(), recsys.Popular())  # type: ignore[arg-type]


def test_evaluate_compares_learners(data: recsys.Dataset) -> None:
    found = recsys.evaluate(data, [recsys.IALS(n_factors=8, epochs=3), recsys.Popular()], k=(5,))
    table = found.to_frame().set_index(["model", "metric"])["mean"]
    assert table["ials", "ndcg@5"] > table["popular", "ndcg@5"]
