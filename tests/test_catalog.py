"""Titles as MovieLens writes them and as people type them."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.catalog import Catalog, article_first, search_key, split_year
from recsys.errors import InputError, UnknownId


@pytest.mark.parametrize(
    ("published", "title", "year"),
    [
        ("Matrix, The (1999)", "The Matrix", 1999),
        ("Toy Story (1995) ", "Toy Story", 1995),
        ("City of Lost Children, The (Cité des enfants perdus, La) (1995)",
         "The City of Lost Children (La Cité des enfants perdus)", 1995),
        ("Misérables, Les (1995)", "Les Misérables", 1995),
        ("Atlantide, L' (1921)", "L'Atlantide", 1921),
        ("Bicycle Thief, The (Ladri di biciclette)(1948)", "The Bicycle Thief (Ladri di biciclette)", 1948),
        ("Death Note (2006–2007)", "Death Note", 2006),
        ("Babylon 5", "Babylon 5", None),
        ("Live and Let Die", "Live and Let Die", None),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("(1999)", "(1999)", None),
        ("", "", None),
    ],
)  # fmt: skip
def test_published_titles_are_split_and_turned(published: str, title: str, year: int | None) -> None:
    found, found_year = split_year(published)
    assert (article_first(found), found_year) == (title, year)


CATALOG = Catalog.of(
    [1, 2, 3, 4, 5, 6, 7, 8],
    ["The Matrix", "Seven (Se7en)", "Sabrina", "Sabrina", "Nikita (La Femme Nikita)", "Blade Runner 2049",
     "Amélie", "Chasing Amy"],
    [1999, 1995, 1954, 1995, 1990, 2017, 2001, 1997],
    [("Action", "Sci-Fi"), ("Crime",), ("Romance",), ("Romance",), (), ("Sci-Fi",), ("Romance",), ()],
)  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "item"),
    [
        ("The Matrix (1999)", 1), ("matrix", 1), ("Matrix, The", 1), ("MATRIX, THE (1999)", 1), ("the matrix 1999", 1),
        ("seven", 2), ("Se7en", 2), ("se7en (1995)", 2), ("sabrina (1954)", 3), ("sabrina 1995", 4),
        ("la femme nikita", 5), ("blade runner 2049", 6), ("amelie", 7), ("  chasing   AMY ", 8),
    ],
)  # fmt: skip
def test_case_article_accents_and_a_missing_year_are_forgiven(typed: str, item: int) -> None:
    assert CATALOG.item_ids[CATALOG.find(typed)] == item


def test_what_fits_nothing_brings_near_titles() -> None:
    with pytest.raises(UnknownId, match=r"no movie is called 'matirx'; did you mean \"The Matrix \(1999\)\"\?"):
        CATALOG.find("matirx")
    with pytest.raises(UnknownId, match=r"did you mean \"Sabrina \(1954\)\" or \"Sabrina \(1995\)\""):
        CATALOG.find("sabrina (1960)")
    with pytest.raises(UnknownId, match=r"no movie is called 'xqzkw'$"):
        CATALOG.find("xqzkw")
    with pytest.raises(UnknownId, match="no movie is called ''"):
        CATALOG.find("")


def test_what_fits_several_names_them() -> None:
    with pytest.raises(UnknownId, match=r"fits several movies: say \"Sabrina \(1954\)\" or \"Sabrina \(1995\)\""):
        CATALOG.find("sabrina")


def test_popularity_decides_between_items_of_one_title_and_year() -> None:
    twins = Catalog.of([10, 20, 30], ["Chasing Amy", "Chasing Amy", "Other"], [1997, 1997, 1990])
    assert twins.find("chasing amy") == 0
    assert twins.find("chasing amy", np.array([5, 9, 100])) == 1


def test_search_as_you_type_puts_the_likeliest_first() -> None:
    assert CATALOG.search("matr")[0] == 0
    assert CATALOG.search("bladrunner")[0] == 5
    assert CATALOG.search("").size == 0
    popular_first = CATALOG.search("sabrina", popularity=np.array([0, 0, 1, 9, 0, 0, 0, 0]))
    assert popular_first[:2].tolist() == [3, 2]
    assert len(CATALOG.search("a", limit=3)) <= 3


def test_take_reorders_and_titles_the_unknown_by_their_id() -> None:
    taken = CATALOG.take([6, 99, 1])
    assert taken.labels.tolist() == ["Blade Runner 2049 (2017)", "99", "The Matrix (1999)"]
    assert taken.items["genres"].tolist() == [("Sci-Fi",), (), ("Action", "Sci-Fi")]
    assert taken.items["year"].isna().tolist() == [False, True, False]
    assert Catalog.of([]).take(["x"]).labels.tolist() == ["x"]


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(InputError, match="item id 1 stands twice"):
        Catalog.of([1, 1])
    with pytest.raises(InputError, match="a catalogue has the columns"):
        Catalog(CATALOG.items.drop(columns="tags"))


def test_genres_are_listed_by_how_many_carry_them() -> None:
    assert CATALOG.genre_names == ("Romance", "Sci-Fi", "Action", "Crime")


def test_hostile_titles_stay_data() -> None:
    titles = ["<b>x</b>", "🎬 电影", "a" * 300, "فيلم", "   ", "((((", "[.*+?^${}()|"]
    catalog = Catalog.of(range(len(titles)), titles)
    assert catalog.labels.tolist() == titles
    assert catalog.find("电影") == 1
    assert catalog.find("a" * 300) == 2
    assert catalog.find("فيلم") == 3
    assert search_key("((((") == ""


def test_every_movie_of_movielens_100k_is_found_by_its_own_label(ml100k) -> None:
    catalog = ml100k.catalog
    counts = np.bincount(ml100k.interactions.matrix.indices, minlength=len(catalog))
    lost = [label for label in catalog.labels if catalog.labels[catalog.find(label, counts)] != label]
    assert lost == []
    assert catalog.labels[catalog.find("usual suspects")] == "The Usual Suspects (1995)"
    assert catalog.labels[catalog.find("star wars")] == "Star Wars (1977)"
