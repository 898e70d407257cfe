"""The figure of a map: titles do not overlap, names are at their clusters, and text from outside is escaped."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from recsys.dataset.catalog import Catalog
from recsys.plots.colours import OTHER_COLOUR
from recsys.plots.picture import HEIGHT, LETTER, WIDTH, picture, picture_page
from recsys.space.item_clusters import ItemClusters
from recsys.space.item_map import ItemMap

RNG = np.random.default_rng(0)
N = 300
EVIL = '<script>alert(1)</script> & "friends"'
TITLES = [EVIL, *(f"Film {i} of a long line of films" for i in range(1, N))]
CATALOG = Catalog.of(np.arange(N), TITLES, None, [["Drama"], ["Horror"]] * (N // 2))
COUNTS = np.r_[1000, RNG.integers(1, 900, N - 1)]


def a_map(method="tsne", axes=None) -> ItemMap:
    places = RNG.uniform(-1, 1, (N, 2))
    places[7] = np.nan
    return ItemMap(method, np.arange(N), places, 1, axes)


def some_clusters() -> ItemClusters:
    labels = np.repeat([0, 1, 2], [150, 100, 50])
    return ItemClusters("kmeans", np.arange(N), labels, ("Drama", "unnamed", EVIL), np.eye(3), 0.2, (0.9, 0.5, 0.8))


def text_boxes(figure) -> list[tuple[float, float, float, float]]:
    boxes = []
    (left, right), (bottom, top) = figure.layout.xaxis.range, figure.layout.yaxis.range
    for trace in figure.data:
        if trace.mode != "text":
            continue
        for x, y, words in zip(trace.x, trace.y, trace.text, strict=True):
            across, down = (x - left) / (right - left) * WIDTH, (top - y) / (top - bottom) * HEIGHT
            wide = len(html.unescape(words)) * LETTER
            start = across if trace.textposition == "middle right" else across - wide
            boxes.append((start, down - 7, start + wide, down + 7))
    return boxes


def test_titles_do_not_overlap() -> None:
    boxes = text_boxes(picture(a_map(), CATALOG, COUNTS))
    assert 30 < len(boxes) <= 70
    for at, a in enumerate(boxes):
        for b in boxes[at + 1 :]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3])


def test_every_placed_movie_is_a_dot_and_no_other() -> None:
    figure = picture(a_map(), CATALOG, COUNTS)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert sum(len(trace.x) for trace in dots) == N - 1
    assert not any("Film 7 " in text for trace in dots for text in trace.text)


def test_a_label_is_inside_its_cluster_even_if_the_map_tore_it() -> None:
    """Cluster 0 is on the left and the right, cluster 2 between: the median of cluster 0 is inside cluster 2."""
    places = RNG.normal(0, 0.05, (N, 2))
    places[:150, 0] += np.where(np.arange(150) % 2, -1, 1)
    places[150:250, 1] += 0.8
    item_map, clusters = ItemMap("tsne", np.arange(N), places, 1), some_clusters()
    notes = {note.text: (note.x, note.y) for note in picture(item_map, CATALOG, COUNTS, clusters).layout.annotations}
    assert len(notes) == 2 and "<b>Drama</b>" in notes, "named clusters only"

    def around(place: np.ndarray) -> np.ndarray:
        return clusters.labels[np.argsort(np.linalg.norm(places - place, axis=1))[:30]]

    assert (around(np.array(notes["<b>Drama</b>"])) == 0).all()
    assert (around(places[:150].mean(axis=0)) == 2).any(), "the control: the middle of both pieces is in neither"


def test_names_of_clusters_do_not_overlap() -> None:
    places = RNG.normal(0, 0.01, (N, 2))
    places[:2] = [[-1, -1], [1, 1]]
    names = tuple(f"a rather long name {number}" for number in range(3))
    clusters = replace(some_clusters(), names=names)
    figure = picture(ItemMap("tsne", np.arange(N), places, 1), CATALOG, COUNTS, clusters)
    heights = sorted(note.yshift for note in figure.layout.annotations)
    assert len(heights) == 3 and np.diff(heights).min() >= 30


def test_movies_without_a_frequent_genre_are_grey() -> None:
    figure = picture(a_map(), CATALOG, COUNTS)
    colours = {trace.name: trace.marker.color for trace in figure.data if trace.mode == "markers"}
    assert set(colours) == {"Drama", "Horror"} and OTHER_COLOUR not in colours.values()
    none = Catalog.of(np.arange(N), TITLES)
    colours = {t.name: t.marker.color for t in picture(a_map(), none, COUNTS).data if t.mode == "markers"}
    assert colours == {"other": OTHER_COLOUR}


def test_the_ends_of_axes_are_named_at_the_edges() -> None:
    figure = picture(a_map("axes", ("old ↔ new", "axis 3: unnamed ↔ Horror")), CATALOG, COUNTS, some_clusters())
    notes = {note.text: (note.x, note.y) for note in figure.layout.annotations}
    assert notes == {
        "<b>← old</b>": (0, 0.5),
        "<b>new →</b>": (1, 0.5),
        "<b>↓ unnamed</b>": (0.5, 0),
        "<b>↑ Horror</b>": (0.5, 1),
    }


@pytest.mark.parametrize("method", ["tsne", "axes"])
def test_titles_are_escaped_and_the_page_works_offline(method) -> None:
    axes = (f"{EVIL} ↔ b", "c ↔ d") if method == "axes" else None
    page = picture_page(picture(a_map(method, axes), CATALOG, COUNTS, some_clusters()), EVIL, [EVIL])
    assert "<script>alert" not in page
    assert page.count("</script>") == page.count("<script")
    assert not re.search(r"<(script|link|img|iframe)[^>]*(src|href)=", page.split("</head>")[1])
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page.split("<script>")[0])
