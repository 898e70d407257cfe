"""The embedding report as one HTML page that works offline.

Text from outside, such as titles and model names, is escaped. Computes no measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from recsys.evaluation.baselines import RANDOM, RATINGS_PCA
from recsys.evaluation.compression import Compression
from recsys.evaluation.report import EmbeddingReport, Representation
from recsys.plots.compression import Measure, compression_curves
from recsys.plots.escape import cell, hover

OURS, OTHER, CIRCULAR, CHANCE = "#0072b2", "#8c8c8c", "#d8d8d8", "#d55e00"
STYLE = """
:root { color-scheme: light dark; --ink: #1c1c1c; --soft: #5a5a5a; --line: #dcdcdc; --paper: #fff; --mark: #e8f1f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --soft: #a8a8a8; --line: #3c3c3c; --paper: #16181b; --mark: #1d3242; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
  max-width: 1200px; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 .25rem; }
p, li { max-width: 75ch; } .soft, caption, small { color: var(--soft); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top; }
th { font-weight: 600; } th:first-child, td:first-child, td.words, th.words { text-align: left; }
tr.ours td { background: var(--mark); font-weight: 600; } td.given { color: var(--soft); font-weight: 400; }
.figure { margin: .5rem 0; overflow-x: auto; }
.figure .js-plotly-plot:not(#figure-map) .main-svg text { fill: var(--soft) !important; }
"""


@dataclass(frozen=True)
class AxisEnds:
    """A named axis with the titles of movies at its ends."""

    name: str
    low: str
    high: str
    low_movies: tuple[str, ...]
    high_movies: tuple[str, ...]


def report_page(
    report: EmbeddingReport,
    *,
    compression: Compression | None = None,
    axes: Sequence[AxisEnds] = (),
    map_figure: go.Figure | None = None,
    map_note: str = "",
) -> str:
    """The page as UTF-8 text, about five megabytes, nearly all of it the plotting library.

    compression  models with bottlenecks of several widths, None if that was not measured
    axes        the axes with a verified name
    map_figure  a map of the items, such as `map_picture` makes, with a note below its heading
    """
    data = report.data
    evaluated = f"the {report.evaluated_items:,} movies"
    if "n_ratings" in data:  # without rating counts all movies are evaluated
        evaluated += " with at least 20 ratings"
    settings = ", ".join(f"{name}={value}" for name, value in report.hyperparameters.items())
    sections = [
        f"<h1>Embedding report: {cell(data.get('name', 'unnamed data'))}, {cell(report.model)}</h1>",
        f"<p class=soft>{_count(data, 'n_items', 'movies')}, {_count(data, 'n_users', 'users')}, "
        f"{_count(data, 'n_ratings', 'ratings')}; evaluated on {evaluated}. {cell(settings)}</p>",
        _summary(report),
        _section(
            "Comparison with representations that need no training",
            "One row per representation, all measured the same way, by cosine. Struck out: the answer is part of the "
            "representation, so the number proves nothing. Retrieval: the share of a movie's ten nearest neighbours "
            "that have a genre (a tag) in common with it; in parentheses, the same for random movies of similar "
            "popularity. Probes: AUC of a linear probe on held-out movies, and the share of the variance of mean "
            "ratings that it explains (R²). Clusters: 18 k-means clusters; their silhouette, and their mutual "
            "information with the rarest genre of each movie (in parentheses, with shuffled labels). Analogies: the "
            "share of sequels and remakes found in the top ten (in parentheses, with the third movie's neighbours "
            "alone).",
            _table_of_representations(report),
        ),
        _figure("retrieval", _retrieval(report)),
        _section(
            "Genres",
            "AUC of a linear probe on held-out movies: 0.5 is chance, 1 is perfect.",
            _figure("genres", _genres(report)),
        ),
    ]
    if report.dimensions:
        sections.append(
            _section(
                "Quality by number of dimensions",
                "The model retrained with d dimensions on 80% of each user's ratings. Left: nDCG@10 on the held-out "
                "ratings, with 95% intervals over users. Right: the share of the 0/1 matrix that the scores leave "
                "unexplained, |P − XYᵀ|² / |P|², and the lowest share that is possible with d dimensions (truncated "
                "SVD).",
                _figure("dimensions", _dimensions(report)),
            )
        )
    if compression is not None and compression.curves:
        sections.append(_compression(compression))
    sections += [_stability(report), _divergence(report)]
    if axes:
        sections.append(_axes(axes))
    if map_figure is not None:
        sections.append(_section("Map", map_note, _figure("map", map_figure)))
    body = "\n".join(sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Embedding report: {cell(report.model)}</title>\n<style>{STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _summary(report: EmbeddingReport) -> str:
    """The main findings in sentences."""
    own, seeds = report.own, report.seeds
    retrieval, analogies = own.genre_retrieval, own.analogies
    lines = [
        f"{_percent(retrieval.precision)} of a movie's ten nearest neighbours share a genre with it; of random movies "
        f"of similar popularity, {_percent(retrieval.chance)} do.",
        f"A linear probe predicts a genre with AUC {_number(own.genre_auc)} and a decade with AUC "
        f"{_number(own.decade_auc)}, on held-out movies.",
        f"The vectors use {_number(own.effective_rank, 1)} of {own.dimensions} dimensions (effective rank).",
    ]
    if analogies.n_questions:
        lines.append(
            f"“Toy Story is to Toy Story 2 as … is to ?”: for {_percent(analogies.hits)} of {analogies.n_questions:,} "
            f"such questions the answer is in the top ten; with the third movie's neighbours alone, for "
            f"{_percent(analogies.neighbour_hits)}; by chance, for {_percent(analogies.chance, 1)}."
        )
    if (smooth := report.smoothness) is not None:
        lines.append(
            f"On the straight line between two random movies: for {_percent(smooth.share)} of the points, the ten "
            "nearest movies are nearer in genre to both ends than those on the line between two other movies. With the "
            f"vectors dealt to the movies at random, for {_percent(smooth.chance)}."
        )
    if seeds.n:
        lines.append(
            f"With another seed, {_percent(seeds.overlap)} of a movie's ten nearest neighbours stay the same (between "
            f"random vectors: {_percent(seeds.chance_overlap, 1)})."
        )
    return "<ul>" + "".join(f"<li>{cell(line)}</li>" for line in lines) + "</ul>"


def _table_of_representations(report: EmbeddingReport) -> str:
    has_tags = any(row.tag_retrieval is not None for row in report.representations.values())
    heads = ["representation", "dim.", "same genre", *(["same tag"] if has_tags else []), "genre AUC", "decade AUC"]
    heads += ["mean rating R²", "silhouette", "NMI genre", "analogies", "eff. rank", "isotropy"]
    rows = ["<tr>" + "".join(f"<th>{cell(head)}</th>" for head in heads) + "</tr>"]
    for name, row in report.representations.items():
        kind = " class=ours" if name == report.model else ""
        rows.append(f"<tr{kind}><td class=words>{cell(name)}</td>{''.join(_cells(row, has_tags))}</tr>")
    return f"<div class=wide><table>{''.join(rows)}</table></div>"


def _cells(row: Representation, has_tags: bool) -> list[str]:
    """The numbers of a representation as table cells; those whose answers it was given are struck out."""

    def one(value: str, measure: str = "") -> str:
        number, small, chance = value.partition(" <small>")
        return f"<td class=given><s>{number}</s>{small}{chance}</td>" if measure in row.given else f"<td>{value}</td>"

    genres, tags, clusters, analogies = row.genre_retrieval, row.tag_retrieval, row.clusters, row.analogies
    tag_cell = "–" if tags is None else _with_chance(tags.precision, tags.chance)
    return [
        one(f"{row.dimensions:,}"),
        one(_with_chance(genres.precision, genres.chance), "genre_retrieval"),
        *([one(tag_cell, "tag_retrieval")] if has_tags else []),
        one(_number(row.genre_auc), "genre_auc"),
        one(_number(row.decade_auc)),
        one(_number(row.mean_rating_r2, 2)),
        one(_number(clusters.silhouette, 2), "clusters"),
        one(_with_chance(clusters.nmi, clusters.chance_nmi, 2), "clusters"),
        one(_with_chance(analogies.hits, analogies.neighbour_hits, 2), "analogies"),
        one(_number(row.effective_rank, 0)),
        one(_number(row.isotropy, 2)),
    ]


def _retrieval(report: EmbeddingReport) -> go.Figure:
    rows = report.representations
    names = list(rows)[::-1]
    values = [rows[name].genre_retrieval.precision for name in names]
    chance = [rows[name].genre_retrieval.chance for name in names]
    colours = [
        OURS if name == report.model else CIRCULAR if "genre_retrieval" in rows[name].given else OTHER for name in names
    ]
    labels = [hover(name) for name in names]
    figure = go.Figure()
    figure.add_bar(
        x=values, y=labels, orientation="h", marker_color=colours, name="nearest neighbours",
        text=[_number(value) for value in values], textposition="outside", cliponaxis=False, showlegend=False,
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=chance, y=labels, mode="markers", name="random movies of similar popularity",
        marker={"symbol": "line-ns", "size": 18, "line": {"width": 3, "color": CHANCE}},
        hovertemplate="chance: %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(range=[0, 1.08], title="share of neighbours with the same genre")
    return _styled(figure, 330)


def _genres(report: EmbeddingReport) -> go.Figure:
    rows = report.representations
    own = report.own.genre_auc_of
    order = [genre for genre, _ in sorted(((g, a) for g, a in own.items() if a is not None), key=lambda x: -x[1])]
    figure = go.Figure()
    for name, symbol, colour in (
        (report.model, "circle", OURS), (RATINGS_PCA, "diamond-open", OTHER), (RANDOM, "x-thin-open", CHANCE),
    ):  # fmt: skip
        if name not in rows:  # vectors without ratings
            continue
        areas = rows[name].genre_auc_of
        figure.add_scatter(
            x=[hover(g) for g in order], y=[areas.get(g) for g in order], mode="markers", name=hover(name),
            marker={"symbol": symbol, "size": 10, "color": colour, "line": {"width": 2}},
            hovertemplate="%{x}: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(title="held-out AUC")
    return _styled(figure, 380)


def _dimensions(report: EmbeddingReport) -> go.Figure:
    rows = report.dimensions
    d = [row.n_factors for row in rows]
    figure = go.Figure()
    figure.add_scatter(
        x=d, y=[row.ndcg for row in rows], mode="lines+markers", name="nDCG@10", marker={"size": 8},
        line={"color": OURS, "width": 3},
        error_y={
            "type": "data", "symmetric": False, "color": OURS, "thickness": 1,
            "array": [row.high - row.ndcg for row in rows],
            "arrayminus": [row.ndcg - row.low for row in rows],
        },
    )  # fmt: skip
    for errors, name, colour, dash in (
        ([row.error for row in rows], "unexplained", CHANCE, "solid"),
        ([row.least_error for row in rows], "lowest possible", OTHER, "dot"),
    ):
        figure.add_scatter(
            x=d, y=errors, mode="lines+markers", name=name, xaxis="x2", yaxis="y2",
            line={"color": colour, "dash": dash},
        )  # fmt: skip
    ticks = {"type": "log", "tickvals": d, "ticktext": [str(n) for n in d], "title": {"text": "dimensions"}}
    figure.update_layout(
        xaxis={**ticks, "domain": [0, 0.46]},
        xaxis2={**ticks, "domain": [0.56, 1], "anchor": "y2"},
        yaxis={"title": {"text": "nDCG@10"}, "rangemode": "tozero"},
        yaxis2={"title": {"text": "share"}, "rangemode": "tozero", "anchor": "x2"},
    )
    return _styled(figure, 380)


def _compression(found: Compression) -> str:
    def chart(name: str, measure: Measure, title: str) -> str:
        return _figure(name, _styled(compression_curves(found, measure, across="dimensions", title=title), 360))

    return _section(
        "Lossy compression",
        f"Each model trained with d dimensions, without the {found.users:,} users it is measured on. Half of their "
        "ratings are encoded into d numbers, which are decoded into scores of all movies. Perplexity: a movie that the "
        "user rated is as hard to guess as one of so many equally likely movies; dotted: from popularity alone. Scores "
        "become probabilities by a softmax whose scale and weight of popularity are the best for each model. The first "
        "chart shows what the vector loses of the ratings it was made from, the others what it says of the rest.",
        chart("known", "known", "perplexity, encoded ratings")
        + chart("other", "other", "perplexity, other ratings")
        + chart("compressed-ndcg", "ndcg", "nDCG@10, other ratings"),
    )


def _stability(report: EmbeddingReport) -> str:
    seeds = report.seeds
    if not seeds.n:
        return ""
    return _section(
        "Stability across seeds",
        f"Models retrained with another seed: {seeds.n}. Overlap: the share of a movie's ten nearest neighbours that "
        "stay the same. CKA: similarity of all item vectors up to rotation; 1 is identical (Kornblith et al. 2019).",
        _pairs(
            ("overlap@10, mean", _number(seeds.overlap)),
            ("overlap@10, minimum", _number(seeds.least_overlap)),
            ("overlap@10 with random vectors", _number(seeds.chance_overlap)),
            ("CKA, mean", _number(seeds.cka, 4)),
            ("CKA, minimum", _number(seeds.least_cka, 4)),
        ),
    )


def _divergence(report: EmbeddingReport) -> str:
    found = report.divergence
    return _section(
        "Distributions of users and movies",
        "Directions on their first eight principal components, in nats. KL divergence from distances to the fifth "
        "neighbour (Wang, Kulkarni & Verdú 2009); Jensen–Shannon divergence (JS) from a vote of thirty neighbours, at "
        "most ln 2 = 0.693. The control splits the same points at random and must be near 0. User vectors point "
        "towards many liked movies, so the two distributions need not match.",
        _pairs(
            ("KL(users ‖ movies)", _number(found.kl_ab, 2)),
            ("KL(movies ‖ users)", _number(found.kl_ba, 2)),
            ("JS", _number(found.js)),
            ("JS, control", _number(found.js_control)),
        ),
    )


def _axes(axes: Sequence[AxisEnds]) -> str:
    rows = ["<tr><th>axis</th><th class=words>low end</th><th class=words>high end</th></tr>"]
    for axis in axes:
        ends = [
            f"<td class=words><b>{cell(name)}</b><br><small>{cell(', '.join(movies))}</small></td>"
            for name, movies in ((axis.low, axis.low_movies), (axis.high, axis.high_movies))
        ]
        rows.append(f"<tr><td>{cell(axis.name)}</td>{''.join(ends)}</tr>")
    return _section(
        "Axes with verified names",
        "First, the requested axes that exist in this space: a probe orders held-out movies correctly. Then, the "
        "discovered axes with a name that holds for held-out movies and that reappear when the model is trained on "
        "other users.",
        f"<div class=wide><table>{''.join(rows)}</table></div>",
    )


def _section(title: str, text: str, content: str) -> str:
    return f"<h2>{cell(title)}</h2>\n<p>{cell(text)}</p>\n{content}"


def _figure(name: str, figure: go.Figure) -> str:
    config = {"displaylogo": False, "responsive": True, "displayModeBar": False, "scrollZoom": name == "map"}
    inside = figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"figure-{name}", config=config)
    return f"<div class=figure>{inside}</div>"


def _styled(figure: go.Figure, height: int) -> go.Figure:
    grid = {"gridcolor": "rgba(128,128,128,.25)", "zerolinecolor": "rgba(128,128,128,.4)"}
    figure.update_xaxes(**grid)
    figure.update_yaxes(**grid)
    return figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": "#808080", "size": 13},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
    )


def _pairs(*pairs: tuple[str, str]) -> str:
    rows = "".join(f"<tr><td class=words>{cell(name)}</td><td>{value}</td></tr>" for name, value in pairs)
    return f"<table>{rows}</table>"


def _with_chance(value: float | None, chance: float | None, digits: int = 3) -> str:
    return f"{_number(value, digits)} <small>({_number(chance, digits)})</small>"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # + 0 makes −0 a 0


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f}%"


def _count(data: Mapping[str, Any], key: str, noun: str) -> str:
    return f"{data[key]:,} {noun}" if key in data else f"an unknown number of {noun}"
