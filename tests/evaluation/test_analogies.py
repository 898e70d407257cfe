"""Pairs from difficult titles, and analogies compared with a plain loop, on a space made of them and a shuffled one."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.errors import InputError, SettingError
from recsys.evaluation.analogies import Pair, analogy_quality, title_pairs
from recsys.space.embedding import EmbeddingSpace

VALUES = ("hits", "mrr", "chance", "neighbour_hits")

Movie = tuple[str, int | None] | tuple[str, int | None, str]


def found(movies: list[Movie], n_ratings: list[int] | None = None) -> set[tuple[str, str, str]]:
    """Pairs as labels, (first, second, kind); a movie is given by title, year and optionally genres."""
    genres = [movie[2].split("|") if len(movie) == 3 else [] for movie in movies]
    ids = [f"m{row}" for row in range(len(movies))]
    catalog = Catalog.of(ids, [movie[0] for movie in movies], [movie[1] for movie in movies], genres)
    pairs = title_pairs(catalog, np.full(len(movies), 20) if n_ratings is None else np.array(n_ratings))
    assert all(pair.first != pair.second for pair in pairs)
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == len(pairs)
    return {(str(catalog.labels[pair.first]), str(catalog.labels[pair.second]), pair.kind) for pair in pairs}


def test_pairs_of_difficult_titles() -> None:
    movies: list[Movie] = [
        ("2 Fast 2 Furious", 2003), ("The Fast and the Furious", 2001), ("Apollo 13", 1995), ("Apollo", 1990),
        ("Alien", 1979), ("Aliens", 1986), ("Toy Story 2", 1999), ("Toy Story", 1995), ("Toy Story 3", 2010),
        ("The Godfather", 1972), ("The Godfather: Part II", 1974), ("The Godfather: Part III", 1990),
        ("Terminator 2: Judgment Day", 1991), ("The Terminator", 1984), ("Psycho", 1998), ("Psycho", 1960),
        ("Babe", 1995), ("Babe: Pig in the City", 1998), ("Chaos", 2001), ("Chaos", 2002),
        ("The Naked Gun 2 1/2: The Smell of Fear", 1991), ("The Naked Gun", 1988), ("8 1/2", 1963), ("8", 1950),
        ("It Takes Two", 1995), ("Two Women", 1960), ("Part II", 1999), ("2", 2000), ("II", 2001),
        ("Homeward Bound II: Lost in San Francisco", 1996), ("Homeward Bound: The Incredible Journey", 1993),
        ("Star Trek II: The Wrath of Khan", 1982), ("Star Trek: The Motion Picture", 1979),
        ("Star Trek: Nemesis", 2002), ("The Road Warrior (Mad Max 2)", 1981), ("Mad Max", 1979),
        ("Mission: Impossible", 1996), ("Mission: Impossible II", 2000), ("The Karate Kid, Part II", 1986),
        ("Karate Kid, The", 1984), ("Deathly Hallows: Part 1", 2010), ("Deathly Hallows: Part 2", 2011),
        ("The Ring Two", 2005), ("The Ring", 2002),
    ]  # fmt: skip
    assert found(movies) == {
        ("Toy Story (1995)", "Toy Story 2 (1999)", "sequel"),
        ("The Godfather (1972)", "The Godfather: Part II (1974)", "sequel"),
        ("The Terminator (1984)", "Terminator 2: Judgment Day (1991)", "sequel"),
        ("Psycho (1960)", "Psycho (1998)", "remake"),
        ("Homeward Bound: The Incredible Journey (1993)", "Homeward Bound II: Lost in San Francisco (1996)", "sequel"),
        ("Star Trek: The Motion Picture (1979)", "Star Trek II: The Wrath of Khan (1982)", "sequel"),
        ("Mad Max (1979)", "The Road Warrior (Mad Max 2) (1981)", "sequel"),
        ("Mission: Impossible (1996)", "Mission: Impossible II (2000)", "sequel"),
        ("Karate Kid, The (1984)", "The Karate Kid, Part II (1986)", "sequel"),
        ("Deathly Hallows: Part 1 (2010)", "Deathly Hallows: Part 2 (2011)", "sequel"),
        ("The Ring (2002)", "The Ring Two (2005)", "sequel"),
    }


@pytest.mark.parametrize(
    ("movies", "first"),
    [
        ([("The Fly", 1958), ("The Fly", 1986), ("The Fly", 2010), ("The Fly II", 1989)], "The Fly (1986)"),
        (
            [("Jungle", 1967, "Animation|Musical"), ("Jungle", 1974, "Drama"), ("Jungle 2", 1980, "Animation|Drama")],
            "Jungle (1974)",
        ),
        (
            [("Jungle", 1967, "Animation|Children"), ("Jungle", 1974, "Drama"), ("Jungle 2", 1980, "Animation")],
            "Jungle (1967)",
        ),
        (
            [("Father", 1950), ("Father Part II", 1995)],
            None,
        ),  # 45 years: the second part of a movie that is not in the data
        ([("Condor", 1990), ("Condor 2", 1990)], None),  # the order is unknown
        ([("Condor", 1991), ("Condor 2", 1990)], None),
        ([("Condor", None), ("Condor 2", 1990)], None),
        ([("Hamlet", 2000, "Drama"), ("Hamlet 2", 2008, "Comedy")], None),
        ([("Twin", 1990), ("Twin", 1990), ("Twin 2", 1995)], None),
        ([("One", 1990), ("One 2", 1995), ("One II", 1995)], None),
        ([("One", 1990), ("One 2: Again", 1995), ("One II", 2005)], "One (1990)"),
        ([("Trek: A", 1979), ("Trek: B", 1980), ("Trek II", 1982)], None),
    ],
)
def test_the_first_part_of_a_second_part(movies: list[Movie], first: str | None) -> None:
    sequels = {pair for pair in found(movies) if pair[2] == "sequel"}
    assert {pair[0] for pair in sequels} == ({first} if first else set())


@pytest.mark.parametrize(
    ("movies", "n_pairs"),
    [
        ([("Cape Fear", 1962), ("Cape Fear", 1991)], 1),
        ([("The Little Shop", 1960), ("Little Shop, The", 1986)], 1),
        ([("True Crime", 1995), ("True Crime", 1999)], 0),
        ([("True Crime", 1995), ("True Crime", 2000)], 1),
        ([("Gladiator", 1992), ("Gladiator", 2000)], 0),
        ([("The Arrival", 1986), ("Arrival", 2016)], 0),
        ([("The General", 1927, "Comedy"), ("The General", 1998, "Crime|Drama")], 0),
        ([("The Mummy", 1932, "Horror"), ("The Mummy", 1959), ("The Mummy", 1999, "Action|Horror")], 3),
        ([("King Kong", None), ("King Kong", 1976)], 0),
    ],
)
def test_remakes(movies: list[Movie], n_pairs: int) -> None:
    assert len(found(movies)) == n_pairs


def test_both_movies_of_a_pair_have_enough_ratings() -> None:
    movies: list[Movie] = [("Jaws", 1975), ("Jaws 2", 1978)]
    assert len(found(movies, [20, 20])) == 1
    assert found(movies, [19, 500]) == found(movies, [500, 19]) == set()
    # A rarely rated movie between them is still the first part.
    assert found([*movies, ("Jaws", 1977)], [500, 500, 1]) == set()
    with pytest.raises(InputError, match="catalogue has 2 items"):
        title_pairs(Catalog.of([1, 2]), np.zeros(3))


def test_pairs_of_movielens(ml100k: Dataset) -> None:
    n_ratings = np.bincount(ml100k.interactions.matrix.indices, minlength=len(ml100k.catalog))
    pairs = title_pairs(ml100k.catalog, n_ratings)
    labels = ml100k.catalog.labels
    shown = {(labels[pair.first], labels[pair.second], pair.kind) for pair in pairs}
    assert len(pairs) == len(shown) == 14
    assert ("The Terminator (1984)", "Terminator 2: Judgment Day (1991)", "sequel") in shown
    assert ("Cape Fear (1962)", "Cape Fear (1991)", "remake") in shown
    assert not {second for _, second, _ in shown if second.startswith("Father of the Bride")}  # of 1991, not of 1950


def drawn(n_items: int, n_sequels: int, n_remakes: int, seed: int = 0) -> tuple[np.ndarray, list[Pair]]:
    """Random vectors and pairs of random items; some items are in several pairs."""
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n_items, 8)).astype(np.float32)
    ends = [rng.choice(n_items // 2, 2, replace=False) for _ in range(n_sequels + n_remakes)]
    return vectors, [
        Pair(int(a), int(b), "sequel" if at < n_sequels else "remake") for at, (a, b) in enumerate(ends)
    ]  # fmt: skip


def asked_one_by_one(space: EmbeddingSpace, pairs: list[Pair], candidates: np.ndarray) -> dict[str, float]:
    """The same numbers from a loop over `EmbeddingSpace.analogy` and `neighbours`."""
    hits, reciprocal, chance, neighbour_hits = [], [], [], []
    for p in pairs:
        for q in pairs:
            a, b, c, d = p.first, p.second, q.first, q.second
            zero = not all(space.item_factors[item].any() for item in (a, b, c, d))
            if p is q or p.kind != q.kind or d in (a, b, c) or not candidates[d] or zero:
                continue
            ids, _ = space.analogy(a, b, c, k=space.n_items)
            answers = [item for item in ids if candidates[item]]
            place = answers.index(d) + 1
            near, _ = space.neighbours([c], k=space.n_items)
            neighbours = [item for item in near[0] if candidates[item] and item not in (a, b)]
            hits.append(place <= 10)
            reciprocal.append(1 / place)
            chance.append(min(1, 10 / len(answers)))
            neighbour_hits.append(neighbours.index(d) < 10)
    means = [float(np.mean(values)) for values in (hits, reciprocal, chance, neighbour_hits)]
    return {"n_questions": len(hits)} | dict(zip(VALUES, means, strict=True))


@pytest.mark.parametrize("sparse", [False, True])
def test_quality_agrees_with_a_plain_loop(sparse: bool) -> None:
    vectors, pairs = drawn(80, 12, 7)
    candidates = np.random.default_rng(1).random(80) < 0.7
    vectors[[pairs[2].first, pairs[9].second, 70]] = 0
    vectors[60:63] = vectors[pairs[0].second]  # ties with an answer, behind it in the order of rows
    vectors[5] = 4 * vectors[pairs[1].second]
    space = EmbeddingSpace(vectors, np.arange(80), vectors[:3], np.arange(3))
    given = sp.csr_matrix(vectors) if sparse else vectors
    result = analogy_quality(given, pairs, candidates)
    expected = asked_one_by_one(space, pairs, candidates)
    assert result.n_questions == expected["n_questions"] > 50
    assert [getattr(result, name) for name in VALUES] == pytest.approx([expected[name] for name in VALUES], abs=1e-12)
    for kind, of_kind in result.by_kind.items():
        expected = asked_one_by_one(space, [pair for pair in pairs if pair.kind == kind], candidates)
        assert of_kind.n_questions == expected["n_questions"] > 0
        assert [getattr(of_kind, name) for name in VALUES] == pytest.approx(
            [expected[name] for name in VALUES], abs=1e-12
        )
    assert result.n_pairs == sum(of_kind.n_pairs for of_kind in result.by_kind.values())
    assert result.n_pairs == sum(bool(vectors[p.first].any() and vectors[p.second].any()) for p in pairs)


def test_equal_cosines_are_ranked_in_the_order_of_rows() -> None:
    # Rows 3 to 9 have the same direction and seven lengths: in float64 the last bits of the directions differ.
    copies = np.outer([1, 3, 0.7, 0.3, 11, 1 / 7, 1e3], [-1, 1.3, 1.1])
    vectors = np.vstack([np.eye(3), copies])
    everything = np.ones(len(vectors), dtype=bool)
    # In the other direction, (2, d) to (0, ?), the answer is always row 1: only the rank of d differs.
    reciprocal = [
        analogy_quality(vectors, [Pair(0, 1, "sequel"), Pair(2, d, "sequel")], everything).mrr for d in range(3, 10)
    ]
    assert 2 * (reciprocal[0] - np.array(reciprocal)) == pytest.approx(1 - 1 / np.arange(1, 8))


def test_k_can_exceed_the_number_of_candidates() -> None:
    vectors, pairs = drawn(80, 6, 6)
    result = analogy_quality(vectors, pairs, np.ones(80, dtype=bool), k=100)
    assert result.hits == result.neighbour_hits == result.chance == 1


def test_a_space_made_of_analogies_is_solved_and_a_shuffled_one_is_not() -> None:
    rng = np.random.default_rng(0)
    n_pairs, n_others = 30, 400
    # A first part and its sequel differ in the last dimension alone, so that every b − a is the same.
    flavours = rng.standard_normal((n_pairs + n_others, 24))
    flavours /= np.linalg.norm(flavours, axis=1, keepdims=True)
    sides = rng.choice([-1.0, 1.0], n_others)
    vectors = np.vstack([flavours[:n_pairs], flavours])
    vectors = np.column_stack([vectors, np.concatenate([-np.ones(n_pairs), np.ones(n_pairs), sides])])
    pairs = [Pair(at, n_pairs + at, "sequel") for at in range(n_pairs)]
    everything = np.ones(len(vectors), dtype=bool)
    solved = analogy_quality(vectors, pairs, everything)
    assert solved.n_questions == n_pairs * (n_pairs - 1)
    assert solved.hits == solved.mrr == 1
    assert solved.neighbour_hits == 0  # the arithmetic is what solves them
    assert solved.chance == pytest.approx(10 / (len(vectors) - 3))
    assert solved.by_kind["remake"].n_questions == 0

    shuffled = [analogy_quality(rng.permutation(vectors), pairs, everything) for _ in range(100)]
    for name in ("hits", "neighbour_hits"):
        hits = np.array([getattr(result, name) for result in shuffled])
        assert abs(hits.mean() - solved.chance) < 3 * hits.std() / np.sqrt(len(hits)) < 0.01


def test_without_questions_the_means_are_undefined() -> None:
    vectors, pairs = drawn(30, 3, 0)
    everything = np.ones(30, dtype=bool)
    lone = [Pair(0, 1, "sequel"), Pair(2, 3, "remake")]
    for result in (
        analogy_quality(vectors, [], everything),
        analogy_quality(vectors, lone, everything),  # two pairs, but of two kinds
        analogy_quality(vectors, pairs, ~everything),
        analogy_quality(np.zeros((30, 4)), pairs, everything),
        analogy_quality(sp.csr_matrix((30, 4)), pairs, everything),
        # d is c, a or b of every question
        analogy_quality(vectors, [Pair(0, 1, "sequel"), Pair(2, 1, "sequel")], everything),
    ):
        for part in (result, *result.by_kind.values()):
            assert part.n_questions == 0
            assert all(getattr(part, name) is None for name in VALUES)
    assert analogy_quality(vectors, lone, everything).n_pairs == 2


def test_mismatched_input_is_refused() -> None:
    vectors, pairs = drawn(30, 3, 0)
    with pytest.raises(InputError, match="candidates have shape"):
        analogy_quality(vectors, pairs, np.ones(29, dtype=bool))
    with pytest.raises(InputError, match="another catalogue"):
        analogy_quality(vectors, [Pair(0, 30, "sequel")], np.ones(30, dtype=bool))
    with pytest.raises(SettingError, match="at least 1"):
        analogy_quality(vectors, pairs, np.ones(30, dtype=bool), k=0)


def test_uninformative_titles_are_no_remakes() -> None:
    signs = Catalog.of([1, 2], ["🎬", "!!!"], [1950, 1990])
    assert title_pairs(signs, np.full(2, 50)) == []
    untitled = Catalog.of(np.arange(30), ["The Untitled"] * 30, list(range(1900, 2020, 4)))
    assert title_pairs(untitled, np.full(30, 50)) == []


def test_without_rating_counts_all_movies_are_paired() -> None:
    catalog = Catalog.of([1, 2], ["The Terminator", "Terminator 2: Judgment Day"], [1984, 1991])
    assert title_pairs(catalog) == title_pairs(catalog, np.full(2, 20)) == [Pair(0, 1, "sequel")]
    assert title_pairs(catalog, np.full(2, 19)) == []
