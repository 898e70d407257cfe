"""The embedding report as one HTML page that opens without a network. Takes the plain values of the report, and shows
them.

Everything from outside, titles and names of models, is escaped; no number is computed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

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
tr.ours td { background: var(--mark); font-weight: 600; } td.told { color: var(--soft); font-weight: 400; }
.figure { margin: .5rem 0; overflow-x: auto; }
.figure .js-plotly-plot:not(#figure-map) .main-svg text { fill: var(--soft) !important; }
"""


def report_page(
    report: Mapping[str, Any],
    *,
    axes: Sequence[Mapping[str, Any]] = (),
    map_figure: go.Figure | None = None,
    map_note: str = "",
) -> str:
    """The page, UTF-8 text of some five megabytes, of which the plotting library is nearly all.

    report  as `embedding_report` gives it
    axes    named axes with their ends: name, low, high, is_valid, low_movies, high_movies
    """
    model, data = report["model"], report["data"]
    sections = [
        f"<h1>Embedding report: {cell(data.get('name', 'a data set'))}, {cell(model)}</h1>",
        f"<p class=soft>{_count(data, 'n_items', 'movies')}, {_count(data, 'n_users', 'users')}, "
        f"{_count(data, 'n_ratings', 'ratings')}; judged by the {report['judged_items']:,} movies with twenty ratings "
        f"or more. {cell(', '.join(f'{k}={v}' for k, v in report['hyperparameters'].items()))}</p>",
        _at_a_glance(report),
        _section(
            "Beside representations that need no learning",
            "One row a representation, all measured alike by cosine. Struck out: what the representation was told "
            "beforehand, so that the number proves nothing. Retrieval: share of a movie's ten nearest that share a "
            "genre "
            "(a tag) with it; in brackets the same for random movies as popular as these. Probes: AUC of a linear "
            "probe "
            "on movies it has not seen, and how much of the mean rating's variance it explains (R²). Clusters: 18 by "
            "k-means; silhouette, and mutual information with the rarest genre (in brackets with shuffled labels). "
            "Analogies: sequels and remakes found among ten answers (in brackets by the third movie's neighbours "
            "alone).",
            _table_of_representations(report),
        ),
        _figure("retrieval", _retrieval(report)),
        _section(
            "What the space knows of genres",
            "AUC of a linear probe on movies it has not seen: ½ is a coin, 1 is perfect.",
            _figure("genres", _genres(report)),
        ),
        _section(
            "What each dimension adds",
            "The model trained anew with d dimensions on four fifths of each user's ratings. Left: nDCG@10 on the "
            "hidden fifth, with its 95 % interval over users. Right: the share of the 0/1 matrix that the scores leave "
            "unexplained, |P − XYᵀ|² / |P|², and the least that any d dimensions leave (truncated SVD).",
            _figure("dimensions", _dimensions(report)),
        ),
        _stability(report),
        _divergence(report),
    ]
    if axes:
        sections.append(_axes(axes))
    if map_figure is not None:
        sections.append(_section("The map", map_note, _figure("map", map_figure)))
    body = "\n".join(sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Embedding report: {cell(model)}</title>\n<style>{STYLE}</style>\n"
        f"<script>{get_plotlyjs()}</script>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _at_a_glance(report: Mapping[str, Any]) -> str:
    """The main findings in sentences."""
    ours = report["representations"][report["model"]]
    retrieval, analogies, seeds = ours["genre_retrieval"], ours["analogies"], report["seeds"]
    lines = [
        f"{_percent(retrieval['precision'])} of a movie's ten nearest share a genre with it; of random movies as "
        f"popular, {_percent(retrieval['chance'])} do.",
        f"A straight line through the space tells a genre with AUC {_number(ours['genre_auc'])}, a decade with "
        f"{_number(ours['decade_auc'])}, on movies not seen.",
        f"The vectors fill {_number(ours['effective_rank'], 1)} of {ours['dimensions']} dimensions (effective rank).",
    ]
    if analogies["n_questions"]:
        lines.append(
            f"“Toy Story is to Toy Story 2 as … is to ?”: {_percent(analogies['hits@10'])} of "
            f"{analogies['n_questions']:,} such questions have the answer among ten, by the third movie's neighbours "
            f"alone {_percent(analogies['neighbour_hits@10'])}, by chance {_percent(analogies['chance'], 1)}."
        )
    if seeds["n"]:
        lines.append(
            f"Trained with another seed, {_percent(seeds['overlap@10'])} of the ten nearest stay (chance: "
            f"{_percent(seeds['chance_overlap@10'], 1)})."
        )
    return "<ul>" + "".join(f"<li>{cell(line)}</li>" for line in lines) + "</ul>"


def _table_of_representations(report: Mapping[str, Any]) -> str:
    has_tags = any(row["tag_retrieval"] for row in report["representations"].values())
    heads = ["representation", "dim.", "same genre", *(["same tag"] if has_tags else []), "genre AUC", "decade AUC"]
    heads += ["mean rating R²", "silhouette", "NMI genre", "analogies", "eff. rank", "isotropy"]
    rows = ["<tr>" + "".join(f"<th>{cell(head)}</th>" for head in heads) + "</tr>"]
    for name, row in report["representations"].items():
        told = row["told"]

        def one(value: str, measure: str = "", told: Sequence[str] = told) -> str:
            number, beside, chance = value.partition(" <small>")
            return f"<td class=told><s>{number}</s>{beside}{chance}</td>" if measure in told else f"<td>{value}</td>"

        tags = one(_beside(row["tag_retrieval"], "precision", "chance"), "tag_retrieval") if has_tags else ""
        clusters = row["clusters"]
        cells = [
            f"<td class=words>{cell(name)}</td>",
            one(f"{row['dimensions']:,}"),
            one(_beside(row["genre_retrieval"], "precision", "chance"), "genre_retrieval"),
            tags,
            one(_number(row["genre_auc"]), "genre_auc"),
            one(_number(row["decade_auc"])),
            one(_number(row["mean_rating_r2"], 2)),
            one(_number(clusters["silhouette"], 2), "clusters"),
            one(_beside(clusters, "nmi", "chance_nmi", 2), "clusters"),
            one(_beside(row["analogies"], "hits@10", "neighbour_hits@10", 2), "analogies"),
            one(_number(row["effective_rank"], 0)),
            one(_number(row["isotropy"], 2)),
        ]
        kind = " class=ours" if name == report["model"] else ""
        rows.append(f"<tr{kind}>{''.join(cells)}</tr>")
    return f"<div class=wide><table>{''.join(rows)}</table></div>"


def _retrieval(report: Mapping[str, Any]) -> go.Figure:
    rows = report["representations"]
    names = list(rows)[::-1]
    values = [rows[name]["genre_retrieval"]["precision"] for name in names]
    chance = [rows[name]["genre_retrieval"]["chance"] for name in names]
    colours = [
        OURS if name == report["model"] else CIRCULAR if "genre_retrieval" in rows[name]["told"] else OTHER
        for name in names
    ]
    labels = [hover(name) for name in names]
    figure = go.Figure()
    figure.add_bar(
        x=values, y=labels, orientation="h", marker_color=colours, name="ten nearest",
        text=[_number(value) for value in values], textposition="outside", cliponaxis=False, showlegend=False,
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=chance, y=labels, mode="markers", name="random movies as popular",
        marker={"symbol": "line-ns", "size": 18, "line": {"width": 3, "color": CHANCE}},
        hovertemplate="chance: %{x:.3f}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(range=[0, 1.08], title="share of the ten nearest")
    return _dressed(figure, 330)


def _genres(report: Mapping[str, Any]) -> go.Figure:
    names = [report["model"], "ratings (PCA)", "random"]
    rows = report["representations"]
    ours = rows[report["model"]]["genre_auc_of"]
    order = sorted((g for g in ours if ours[g] is not None), key=lambda g: -ours[g])
    figure = go.Figure()
    for name, symbol, colour in zip(
        names, ("circle", "diamond-open", "x-thin-open"), (OURS, OTHER, CHANCE), strict=True
    ):
        areas = rows[name]["genre_auc_of"]
        figure.add_scatter(
            x=[hover(g) for g in order], y=[areas.get(g) for g in order], mode="markers", name=hover(name),
            marker={"symbol": symbol, "size": 10, "color": colour, "line": {"width": 2}},
            hovertemplate="%{x}: %{y:.3f}<extra></extra>",
        )  # fmt: skip
    figure.update_yaxes(title="held-out AUC")
    return _dressed(figure, 380)


def _dimensions(report: Mapping[str, Any]) -> go.Figure:
    rows = report["dimensions"]
    d = [row["n_factors"] for row in rows]
    figure = go.Figure()
    figure.add_scatter(
        x=d, y=[row["ndcg@10"] for row in rows], mode="lines+markers", name="nDCG@10", marker={"size": 8},
        line={"color": OURS, "width": 3},
        error_y={
            "type": "data", "symmetric": False, "color": OURS, "thickness": 1,
            "array": [row["high"] - row["ndcg@10"] for row in rows],
            "arrayminus": [row["ndcg@10"] - row["low"] for row in rows],
        },
    )  # fmt: skip
    for key, name, dash in (("error", "unexplained", "solid"), ("least_error", "least possible", "dot")):
        figure.add_scatter(
            x=d, y=[row[key] for row in rows], mode="lines+markers", name=name, xaxis="x2", yaxis="y2",
            line={"color": CHANCE if key == "error" else OTHER, "dash": dash},
        )  # fmt: skip
    ticks = {"type": "log", "tickvals": d, "ticktext": [str(n) for n in d], "title": {"text": "dimensions"}}
    figure.update_layout(
        xaxis={**ticks, "domain": [0, 0.46]},
        xaxis2={**ticks, "domain": [0.56, 1], "anchor": "y2"},
        yaxis={"title": {"text": "nDCG@10"}, "rangemode": "tozero"},
        yaxis2={"title": {"text": "share"}, "rangemode": "tozero", "anchor": "x2"},
    )
    return _dressed(figure, 380)


def _stability(report: Mapping[str, Any]) -> str:
    seeds = report["seeds"]
    if not seeds["n"]:
        return ""
    return _section(
        "What stays when only the seed changes",
        f"Models trained anew: {seeds['n']}. Overlap: share of a movie's ten nearest that stay. CKA: likeness of the "
        "whole layout, whatever its turn; 1 is the same (Kornblith et al. 2019).",
        _pairs(
            ("overlap@10, mean", _number(seeds["overlap@10"])),
            ("overlap@10, least", _number(seeds["least_overlap@10"])),
            ("overlap@10 with random vectors", _number(seeds["chance_overlap@10"])),
            ("CKA, mean", _number(seeds["cka"], 4)),
            ("CKA, least", _number(seeds["least_cka"], 4)),
        ),
    )


def _divergence(report: Mapping[str, Any]) -> str:
    found = report["divergence"]
    return _section(
        "Do users and movies lie in the same region?",
        "Directions on their first eight principal components, in nats. KL by distances to the fifth neighbour (Wang, "
        "Kulkarni & Verdú 2009); JS by a vote of thirty neighbours, at most ln 2 = .693. The control halves the same "
        "points at random: it must be near 0. Users point where many movies are liked, so the two need not agree.",
        _pairs(
            ("KL(users ‖ movies)", _number(found["users ‖ items"], 2)),
            ("KL(movies ‖ users)", _number(found["items ‖ users"], 2)),
            ("JS", _number(found["js"])),
            ("JS, control", _number(found["js_control"])),
        ),
    )


def _axes(axes: Sequence[Mapping[str, Any]]) -> str:
    rows = ["<tr><th>axis</th><th class=words>low end</th><th class=words>high end</th></tr>"]
    for axis in axes:
        ends = [
            f"<td class=words><b>{cell(axis[end])}</b><br><small>{cell(', '.join(axis[f'{end}_movies']))}</small></td>"
            for end in ("low", "high")
        ]
        rows.append(f"<tr><td>{cell(axis['name'])}</td>{''.join(ends)}</tr>")
    return _section(
        "Axes with true names",
        "First the axes that were asked for and that the space knows: a probe orders movies it has not seen. Then the "
        "discovered ones whose ends carry a name that held on movies set aside, and that come back when the model is "
        "trained on other users.",
        f"<div class=wide><table>{''.join(rows)}</table></div>",
    )


def _section(title: str, words: str, content: str) -> str:
    return f"<h2>{cell(title)}</h2>\n<p>{cell(words)}</p>\n{content}"


def _figure(name: str, figure: go.Figure) -> str:
    config = {"displaylogo": False, "responsive": True, "displayModeBar": False, "scrollZoom": name == "map"}
    inside = figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"figure-{name}", config=config)
    return f"<div class=figure>{inside}</div>"


def _dressed(figure: go.Figure, height: int) -> go.Figure:
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


def _beside(row: Mapping[str, Any] | None, value: str, chance: str, digits: int = 3) -> str:
    return "–" if row is None else f"{_number(row[value], digits)} <small>({_number(row[chance], digits)})</small>"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"  # + 0 makes −0 a 0


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def _count(data: Mapping[str, Any], key: str, things: str) -> str:
    return f"{data[key]:,} {things}" if key in data else f"some {things}"
