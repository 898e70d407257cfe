"""Asked axes: known answers are found, absent ones are refused, both evaluated on held-out movies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from recsys.dataset.attributes import Attributes
from recsys.dataset.catalog import Catalog
from recsys.errors import InputError, UnknownId
from recsys.models import Model
from recsys.space.embedding import EmbeddingSpace
from recsys.space.probes import ask, concordance, spearman_interval
from recsys.space.questions import Question, built_in_questions, graded_question, question_of, question_of_items


@pytest.fixture(scope="module")
def attributes(ml100k_model: Model) -> Attributes:
    return Attributes.of(ml100k_model.catalog, ml100k_model.n_ratings)


def made(vectors: np.ndarray, years=None, counts=None) -> tuple[EmbeddingSpace, Attributes]:
    n = len(vectors)
    counts = np.random.default_rng(5).integers(20, 900, n) if counts is None else counts
    catalog = Catalog.of(np.arange(n), [f"Film {i}" for i in range(n)], years)
    return EmbeddingSpace(vectors, np.arange(n)), Attributes.of(catalog, counts)


def test_the_built_in_axes_are_in_movielens(ml100k_model: Model, attributes: Attributes) -> None:
    axes = {q.name: ask(ml100k_model.space, ml100k_model.attributes, q) for q in built_in_questions(attributes)}
    assert list(axes) == ["children's ↔ adult", "art-house ↔ blockbuster", "light ↔ dark", "old ↔ new"]
    for axis in axes.values():
        assert axis.is_valid and axis.evidence.low <= axis.evidence.value <= axis.evidence.high
        assert abs(axis.evidence.controls["shuffled"] - (0.5 if axis.evidence.measure == "auc" else 0)) < 0.12
    place = {label: at for at, label in enumerate(ml100k_model.catalog.labels)}

    def at(axis: str, title: str) -> float:
        return float(axes[axis].positions(ml100k_model.space)[place[title]])

    assert at("children's ↔ adult", "Cinderella (1950)") < -1 < 0 < at("children's ↔ adult", "GoodFellas (1990)")
    assert at("art-house ↔ blockbuster", "Big Night (1996)") < 0 < 1 < at("art-house ↔ blockbuster", "Aliens (1986)")
    assert at("old ↔ new", "Casablanca (1942)") < 0 < at("old ↔ new", "Twister (1996)")


def test_held_out_auc_recomputed_by_hand(ml100k_model: Model, attributes: Attributes) -> None:
    """The same folds with scikit-learn's own scorer; the axis is the probe fitted on all movies."""
    model = ml100k_model
    axis = ask(model.space, model.attributes, question_of("horror", attributes))
    rows = np.flatnonzero(model.attributes.well_known)
    directions = model.space.item_factors[rows].astype(float)
    features = 8 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    horror = np.array(["Horror" in genres for genres in model.catalog.items["genres"]])[rows]
    values = np.empty(len(rows))
    for inside, out in StratifiedKFold(5, shuffle=True, random_state=42).split(features, horror):
        probe = LogisticRegression(C=0.01, class_weight="balanced", max_iter=5000).fit(features[inside], horror[inside])
        values[out] = probe.decision_function(features[out])
    assert axis.evidence.value == pytest.approx(roc_auc_score(horror, values), abs=1e-6)
    probe = LogisticRegression(C=0.01, class_weight="balanced", max_iter=5000).fit(features, horror)
    cosine = probe.coef_[0] @ axis.direction / np.linalg.norm(probe.coef_)
    assert cosine == pytest.approx(1, abs=1e-4)
    assert (axis.evidence.n_high, axis.evidence.n_low) == (horror.sum(), (~horror).sum())


def test_a_rotation_of_the_space_changes_no_answer(ml100k_model: Model, attributes: Attributes) -> None:
    model = ml100k_model
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(64, 64)))[0]
    space = EmbeddingSpace(
        model.space.item_factors @ rotation, model.item_ids, model.space.user_factors @ rotation, model.space.user_ids
    )
    question = question_of("Comedy", attributes)
    a, b = ask(model.space, model.attributes, question), ask(space, model.attributes, question)
    assert a.evidence.value == pytest.approx(b.evidence.value, abs=1e-4)
    np.testing.assert_allclose(a.positions(model.space), b.positions(space), atol=0.01)


def test_answers_that_the_space_does_not_contain_are_not_valid(attributes: Attributes, ml100k_model: Model) -> None:
    """Random values, and the lengths of titles."""
    rng = np.random.default_rng(0)
    coin = graded_question("heads", "tails", rng.normal(size=ml100k_model.space.n_items))
    axis = ask(ml100k_model.space, ml100k_model.attributes, coin)
    assert not axis.is_valid and abs(axis.evidence.value) < 0.15
    lengths = graded_question("short", "long", np.array([float(len(t)) for t in ml100k_model.catalog.items["title"]]))
    assert not ask(ml100k_model.space, ml100k_model.attributes, lengths).is_valid


def test_an_answer_that_popularity_alone_predicts_is_not_valid() -> None:
    """Vectors that contain only popularity do not contain a genre that only popular movies have."""
    rng = np.random.default_rng(2)
    counts = rng.integers(20, 1000, 500)
    vectors = np.column_stack([counts / 500, rng.normal(1, 0.3, 500), rng.normal(size=500)])
    space, attributes = made(vectors, counts=counts)
    answer = graded_question("a", "b", np.zeros(500))
    classes = type(answer)("a", "b", (counts + rng.normal(0, 100, 500) > 500).astype(float))
    axis = ask(space, attributes, classes)
    assert axis.evidence.value > 0.9 and not axis.is_valid
    assert ask(space, attributes, type(answer)("a", "b", classes.answer, by_definition=("popularity",))).is_valid


def test_a_quantity_is_evaluated_by_rank(ml100k_model: Model) -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(400, 6))
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    space, attributes = made(vectors)
    axis = ask(
        space,
        attributes,
        graded_question("low", "high", np.exp(3 * directions[:, 2] + rng.normal(0, 0.2, 400))),
    )
    assert axis.is_valid and axis.evidence.value > 0.85
    assert abs(float(axis.direction[2])) > 0.97
    assert spearmanr(axis.positions(space), directions[:, 2]).statistic > 0.97


def test_two_lists_of_titles(ml100k_model: Model, attributes: Attributes) -> None:
    text = "Cinderella, Dumbo, Pinocchio, Aladdin <-> GoodFellas, Reservoir Dogs, Heat, Alien"
    question = question_of(text, attributes)
    assert question.hand_picked and np.nansum(question.answer) == 4 and (question.answer == 0).sum() == 4
    axis = ask(ml100k_model.space, ml100k_model.attributes, question)
    assert axis.is_valid and axis.evidence.value > 0.9
    assert axis.evidence.low < 0.75, "with eight movies the interval is wide"
    lion = ml100k_model.catalog.row_of("The Lion King")
    assert axis.positions(ml100k_model.space)[lion] < -1


@pytest.mark.slow
def test_random_groups_of_few_movies_are_rarely_valid(ml100k_model: Model) -> None:
    """Random groups: of three against three a quarter are ordered correctly by chance."""
    rng = np.random.default_rng(0)
    known = np.flatnonzero(ml100k_model.attributes.well_known)
    valid = {}
    for size in (2, 3, 5):
        found = []
        for _ in range(40):
            drawn = rng.choice(known, 2 * size, replace=False)
            answer = np.full(len(ml100k_model.item_ids), np.nan)
            answer[drawn] = np.repeat([0.0, 1.0], size)
            found.append(
                ask(ml100k_model.space, ml100k_model.attributes, Question("a", "b", answer, hand_picked=True)).is_valid
            )
        valid[size] = np.mean(found)
    assert valid[2] == 0 and valid[3] <= 0.15 and valid[5] <= 0.2, valid


def test_a_question_of_items_has_one_end_for_each_list_and_counts_them_all() -> None:
    question = question_of_items("cosy", "scary", [3, 0], [1], 5)
    np.testing.assert_array_equal(question.answer, [0, 1, np.nan, 0, np.nan])
    assert (question.name, question.hand_picked, question.is_quantity) == ("cosy ↔ scary", True, False)
    with pytest.raises(InputError, match="both ends"):
        question_of_items("cosy", "scary", [3, 0], [1, 3], 5)


def test_concordance_equals_auc_for_two_classes_and_is_one_for_a_perfect_order() -> None:
    rng = np.random.default_rng(3)
    answer = (rng.random(300) < 0.1).astype(float)
    for values in (rng.normal(size=300) + answer, np.round(rng.normal(size=300) + answer), answer):
        assert concordance(values, answer) == pytest.approx(roc_auc_score(answer, values))
    graded = np.where(rng.random(300) < 0.9, 0, rng.normal(3, 1, 300))
    assert concordance(graded + rng.uniform(0, 1e-6, 300), graded) == pytest.approx(1)
    assert concordance(rng.normal(size=300), graded) == pytest.approx(0.5, abs=0.15)


def test_titles_with_commas_are_recognised_or_separated_by_semicolons(ml100k_model, attributes) -> None:
    alone = question_of("The Good, The Bad and The Ugly", attributes)
    assert np.nansum(alone.answer) == 1
    text = "The Good, The Bad and The Ugly; Tombstone <-> Heat; Alien"
    assert np.nansum(question_of(text, attributes).answer == 0) == 2


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("", InputError, "is not a question"),
        ("Horror <->", InputError, "is not a question"),
        ("a <-> b <-> c", InputError, "is not a question"),
        ("Horror <-> horror", InputError, "no movies that are not also at the other end"),
        ("Horror <-> Gone with the Mind", UnknownId, "is not a genre, tag or decade, and no movie is called"),
    ],
)
def test_invalid_questions_are_refused(ml100k_model, attributes, text, error, words) -> None:
    with pytest.raises(error, match=words):
        question_of(text, attributes)


def test_one_movie_per_end_is_too_few(ml100k_model: Model, attributes: Attributes) -> None:
    with pytest.raises(InputError, match="two movies"):
        ask(ml100k_model.space, ml100k_model.attributes, question_of("Alien <-> Babe", attributes))


def test_built_in_questions_need_genres_or_years() -> None:
    """Without years and genres there is no built-in question."""
    assert built_in_questions(made(np.random.default_rng(0).normal(size=(80, 4)))[1]) == []


def test_the_interval_of_a_rank_correlation_has_its_nominal_coverage() -> None:
    rng = np.random.default_rng(6)
    big = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 100_000)
    truth = float(spearmanr(big[:, 0], big[:, 1]).statistic)
    inside = 0
    for _ in range(300):
        x, y = rng.multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 40).T
        low, high = spearman_interval(float(spearmanr(x, y).statistic), 40)
        inside += low <= truth <= high
    assert 0.91 <= inside / 300 <= 0.99
