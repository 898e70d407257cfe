"""Genre affinity against counts by hand and against random groups of users."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.dataset.catalog import Catalog
from recsys.dataset.dataset import Dataset
from recsys.dataset.genre_affinity import GenreAffinity
from recsys.dataset.interactions import Interactions
from recsys.errors import UnknownId


@pytest.fixture(scope="module")
def affinity(ml100k: Dataset) -> GenreAffinity:
    return GenreAffinity.of(ml100k.interactions, ml100k.catalog)


def with_a_movie(data: Interactions, users: np.ndarray) -> Interactions:
    """The same ratings with an additional movie, "new", which these users rate above all others."""
    column = sp.csr_matrix((np.full(len(users), 6.0), (users, np.zeros(len(users), int))), shape=(data.n_users, 1))
    return Interactions(
        sp.hstack([data.matrix, column], format="csr"), data.user_ids, [*data.item_ids.astype(str).tolist(), "new"]
    )


SMALL = Interactions(
    np.array([[5, 4, 1, 0], [5, 5, 0, 2], [1, 0, 5, 4], [0, 0, 0, 3], [2, 0, 5, 0]]),
    [f"u{at}" for at in range(5)], ["a", "b", "c", "d"],
)  # fmt: skip
GENRES = Catalog.of(["a", "b", "c", "d"], genres=[("War",), ("War", "Drama"), ("Comedy",), ()])


def test_shares_count_ratings_above_the_users_own_mean_without_the_movie_itself() -> None:
    table = GenreAffinity.of(SMALL, GENRES).profile("a").set_index("genre")
    # u0 and u1 like the movie; both also like b. All users like, without a: b, b, c and d, d, c.
    assert table["n"].tolist() == [2, 2, 2]
    assert table["share"].to_dict() == {"War": 1.0, "Drama": 1.0, "Comedy": 0.0}
    assert table["everyone"].to_dict() == {"War": 2 / 6, "Drama": 2 / 6, "Comedy": 2 / 6}
    prior = 20 * 2 / 2
    assert table["lift"]["War"] == pytest.approx((2 + prior / 3) / (2 + prior) * 3)
    assert table.index.tolist() == ["Drama", "War", "Comedy"]


def test_equal_ratings_all_count_as_liked() -> None:
    binary = Interactions(SMALL.matrix.sign() * 4.1, SMALL.user_ids, SMALL.item_ids)
    assert GenreAffinity.of(binary, GENRES).profile("a")["n"].tolist() == [4, 4, 4]


def test_a_movie_without_other_liked_ratings_of_its_users_has_a_lift_of_one() -> None:
    lone = Interactions(np.array([[5, 0, 0], [0, 4, 3]]), ["x", "y"], ["a", "b", "d"])
    affinity = GenreAffinity.of(lone, GENRES)
    for item, n in (("a", 1), ("d", 0)):
        table = affinity.profile(item)
        assert (table["lift"] == 1).all() and table["share"].isna().all() and (table["n"] == n).all()
    with pytest.raises(UnknownId):
        affinity.profile("zzz")


def test_users_who_like_movielens_movies_like_their_genres(ml100k: Dataset, affinity: GenreAffinity) -> None:
    for title, genre in (("Aliens", "Sci-Fi"), ("Snow White and the Seven Dwarfs", "Animation"),
                         ("The Big Sleep", "Film-Noir"), ("A Nightmare on Elm Street", "Horror")):  # fmt: skip
        table = affinity.profile(ml100k.catalog.id_of(title))
        assert genre in table["genre"][:3].tolist(), title
        assert table["lift"][0] > 1.15
        assert "unknown" not in table["genre"].tolist()


def test_random_users_have_the_taste_of_all_users(ml100k: Dataset) -> None:
    rng = np.random.default_rng(6)
    for n in (5, 50, 300):
        data = with_a_movie(ml100k.interactions, rng.choice(ml100k.interactions.n_users, n, replace=False))
        catalog = Catalog.of(ml100k.catalog.item_ids.astype(str), genres=list(ml100k.catalog.items["genres"]))
        table = GenreAffinity.of(data, catalog).profile("new")
        common = table[table["everyone"] > 0.02]
        assert table["n"][0] == n
        assert np.abs(np.log(common["lift"])).mean() < 0.07
        assert common["lift"].max() < 1.2


def test_the_lift_of_five_users_is_shrunk(ml100k: Dataset) -> None:
    catalog = Catalog.of(ml100k.catalog.item_ids.astype(str), genres=list(ml100k.catalog.items["genres"]))
    of_all = GenreAffinity.of(ml100k.interactions, ml100k.catalog)
    horror = of_all.by_genre[:, of_all.genres.index("Horror")] / np.maximum(of_all.n_likes, 1)
    table = GenreAffinity.of(with_a_movie(ml100k.interactions, np.argsort(-horror)[:5]), catalog).profile("new")
    table = table.set_index("genre")
    raw = table["share"]["Horror"] / table["everyone"]["Horror"]
    assert raw > 9  # the five most extreme users
    assert table["lift"]["Horror"] < raw / 2.9
    assert table.index[0] == "Horror"
