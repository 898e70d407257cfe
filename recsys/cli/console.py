"""How results look in a terminal: tables, JSON, progress bars. Takes what the stages return; decides nothing."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from recsys.evaluation.evaluate import Evaluation

out_console = Console()
err_console = Console(stderr=True)
NUMBERS = (
    "#",
    "rows",
    "score",
    "movies",
    "similarity",
    "share",
    "stability",
    "was",
    "taste",
    "amount",
    "before",
    "after",
)
"""Columns that stand to the right."""


class Screen:
    """Progress bars and notices on stderr; bars only where a person is watching."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=err_console,
            transient=True,
            disable=not err_console.is_terminal,
        )

    def __enter__(self) -> Screen:
        self._stack.enter_context(self._bars)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.close()

    def report(self, what: str) -> Callable[[int, int], None]:
        task = self._bars.add_task(escape(what), total=None)
        return lambda done, total: self._bars.update(task, completed=done, total=total or None)

    def say(self, line: str) -> None:
        self._bars.console.print(line, markup=False, highlight=False, soft_wrap=True)


def show(done: Mapping[str, Any], as_json: bool, as_table: Callable[[], None]) -> None:
    """A result, as JSON for programs or as a table for people."""
    if as_json:
        print_json(done)
    else:
        as_table()


def print_json(value: Any) -> None:
    """JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def table(title: str, *columns: str) -> Table:
    """An empty table with a title; numbers stand to the right."""
    empty = Table(title=escape(title), title_justify="left")
    for column in columns:
        empty.add_column(column, justify="right" if column in NUMBERS else "left")
    return empty


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """A table of names and values."""
    listed = Table(show_header=False)
    for name, value in pairs.items():
        shown = ", ".join(f"{v:,} {k}" for k, v in value.items()) if isinstance(value, dict) else _number(value)
        listed.add_row(name.replace("_", " "), escape(shown))
    out_console.print(listed)


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def show_prepared(report: Mapping[str, Any]) -> None:
    """What was read, kept and set aside."""
    shown = table(f"{report['source']} → {report['out']}", "", "rows")
    for name in ("read", "kept", "rejected", "duplicates"):
        shown.add_row(name, f"{report[name]:,}", style="bold" if name == "kept" else None)
    for reason, count in report["reasons"].items():
        shown.add_row(f"  {escape(reason)}", f"{count:,}", style="dim")
    out_console.print(shown)
    out_console.print(f"{_count(report['users'], 'user')} × {_count(report['items'], 'item')}", highlight=False)
    for key, words in (
        ("items_without_metadata", "without a title of their own, called by their id"),
        ("items_described_but_not_rated", "described but rated by nobody, left out"),
    ):
        if report[key]:
            out_console.print(f"{_count(report[key], 'item')} {words}", highlight=False)


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def show_trained(done: Mapping[str, Any]) -> None:
    """A model's settings, and its validation where there was one."""
    settings = ", ".join(f"{k}={v}" for k, v in done["hyperparameters"].items())
    weighting = done["confidence"]
    counts = "all" if weighting["min_rating"] is None else f"{weighting['min_rating']:g} or more"
    ratings = f"{counts} count as interest, weighed {weighting['weighting']}"
    if "validation" in done:
        shown = table("On the validation part", *done["validation"][0])
        for row in done["validation"]:
            shown.add_row(*(f"{value:,.4f}" if isinstance(value, float) else str(value) for value in row.values()))
        out_console.print(shown)
    settled = {"model": done["model"], "settings": settings, "ratings": ratings, "out": done["out"]}
    if "interrupted" in done:
        settled["interrupted"] = f"{done['interrupted']}; what was learned until then is kept"
    print_pairs(settled)


def show_evaluation(done: Evaluation) -> None:
    """Metrics with their intervals, one column per model."""
    first = done.results[0]
    title = (
        f"{done.protocol}, {done.part} part: {done.train_ratings:,} ratings to learn from, "
        f"{done.hidden_ratings:,} hidden from {_count(first.evaluated_users, 'user')}"
    )
    names = list(done.labels)
    if done.trained is not None:
        names[0] = f"{names[0]} (as trained)"
    shown = table(title, "metric", *names)
    shown.columns[0].no_wrap = True
    for column in shown.columns[1:]:
        column.justify = "right"
    for metric in first.metrics:
        shown.add_row(metric, *(str(result.metrics[metric]) for result in done.results))
    shown.add_row("seconds to train", *(f"{result.seconds_to_train:.1f}" for result in done.results))
    out_console.print(shown)
    if first.skipped_users:
        out_console.print(f"{_count(first.skipped_users, 'user')} without hidden ratings skipped", highlight=False)


def show_tuned(done: Mapping[str, Any]) -> None:
    """What a search has found."""
    params = ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in done["params"].items()
    )
    found = {
        f"{done['metric']} by default": f"{done['default']:.4f}",
        f"{done['metric']} at best": f"{done['best']:.4f}",
        "settings": params,
        "trials": done["trials"],
        "out": done["out"],
    }
    print_pairs(found)


def show_list(done: Mapping[str, Any]) -> None:
    """Recommendations for one user; what steering did; the reasons."""
    note = ": nothing is known of them, so these are the most popular" if done["origin"] == "cold" else ""
    rows = done["recommendations"]
    if not rows:
        out_console.print(
            f"For user {done['user']} there is nothing left to recommend: everything is seen", markup=False
        )
        return
    steered = done.get("steered")
    extra = (["was", "taste"] if steered else []) + (["why"] if "why" in rows[0] else [])
    shown = table(f"For user {done['user']}{note}", "#", "title", "genres", "score", *extra)
    for row in rows:
        cells = [str(row["rank"]), escape(row["title"]), escape(", ".join(row["genres"])), f"{row['score']:.3f}"]
        if steered:
            cells += [str(row["rank_before"]), f"{row['taste']:.3f}"]
        if "why" in row:
            cells.append(escape(_why(row["why"])))
        shown.add_row(*cells)
    out_console.print(shown)
    if steered:
        moved = table("The mean place of the list, in standard deviations", "axis", "amount", "before", "after")
        for row in steered["axes"]:
            places = (f"{row[name]:+.2f}" for name in ("amount", "before", "after"))
            moved.add_row(escape(row["axis"]), *places)
        out_console.print(moved)
        left = ", ".join(steered["left"]) or "nothing"
        out_console.print(f"left the list: {left}", markup=False, highlight=False)
        if steered["loss"] is not None:
            out_console.print(f"given up of the score by taste alone: {steered['loss']:.0%}", highlight=False)


def _why(reasons: Mapping[str, Any]) -> str:
    """The greatest shares of a score, in words: three rated movies, two named ends of axes."""
    movies = [r for r in reasons["ratings"] if r["title"] is not None and r["adds"] > 0]
    parts = [f"{r['title']} {r['adds']:+.2f}" for r in movies[:3]]
    named = [r for r in reasons.get("axes", []) if r["adds"] > 0 and r["end"] not in (None, "unnamed")]
    return "; ".join(parts + [f"[{r['end']}] {r['adds']:+.2f}" for r in named[:2]]) or "–"


def show_axes(done: Mapping[str, Any], top: int) -> None:
    """Discovered axes with names and evidence, then what was asked."""
    shown = table(
        f"{done['named']} of {len(done['discovered'])} axes by {done['method']} carry a true name",
        "axis", "low end", "high end", "share", "stability", "evidence (held-out AUC)",
    )  # fmt: skip
    for axis in done["discovered"][:top]:
        evidence = axis["evidence"]
        names = [f"{n['attribute']} {n['auc']:.2f}" for n in evidence["low"] + evidence["high"]]
        if names and not evidence["is_stable"]:
            names.append("not stable")
        stability = "–" if evidence["stability"] is None else f"{evidence['stability']:.2f}"
        shown.add_row(
            axis["name"].removeprefix("axis "),
            _end(axis["low"], axis["low_movies"]),
            _end(axis["high"], axis["high_movies"]),
            f"{evidence['share']:.1%}",
            stability,
            escape(", ".join(names)),
        )
    out_console.print(shown)
    if done["asked"]:
        asked = table("Asked for", "low end", "high end", "in this space", "evidence on movies not seen")
        for axis in done["asked"]:
            e = axis["evidence"]
            measure = "AUC" if e["measure"] == "auc" else "Spearman"
            beside = ", ".join(f"{name} {round(value, 2) + 0.0:.2f}" for name, value in e["controls"].items())
            asked.add_row(
                _end(axis["low"], axis["low_movies"]),
                _end(axis["high"], axis["high_movies"]),
                "yes" if axis["is_valid"] else "not in this space",
                f"{measure} {e['value']:.3f} ({e['low']:.3f} … {e['high']:.3f})\n[dim]{escape(beside)}[/dim]",
            )
        out_console.print(asked)


def _end(name: str, movies: list[str]) -> str:
    style = "dim" if name == "unnamed" else "bold"
    return "\n".join([f"[{style}]{escape(name)}[/{style}]", *(escape(title) for title in movies)])


def show_similar(done: Mapping[str, Any]) -> None:
    """The movies most like one: by one metric, or three lists side by side with what each favours."""
    if "length_popularity" not in done:
        shown = table(f"Most like {done['title']} ({done['metric']})", "#", "title", "similarity")
        for row in done["similar"]:
            shown.add_row(str(row["rank"]), escape(row["title"]), f"{row['similarity']:.3f}")
        out_console.print(shown)
        return
    lists: dict[str, list[Mapping[str, Any]]] = {}
    for row in done["similar"]:
        lists.setdefault(row["metric"], []).append(row)
    shown = table(f"Most like {done['title']}", "#", *lists)
    for number, rows in enumerate(zip(*lists.values(), strict=True), start=1):
        shown.add_row(str(number), *(escape(f"{row['title']}  {row['similarity']:.3f}") for row in rows))
    counts = {name: statistics.median(row["n_ratings"] for row in rows) for name, rows in lists.items()}
    shown.add_section()
    shown.add_row("", *(f"[dim]median {count:,.0f} ratings[/dim]" for count in counts.values()))
    out_console.print(shown)
    out_console.print(
        "In this model the length of a vector goes with its number of ratings (Spearman "
        f"{done['length_popularity']:.2f}): cosine leaves length out, the dot product favours the popular, Euclidean "
        f"distance favours those about as popular as the movie itself ({done['n_ratings']:,} ratings).",
        highlight=False,
    )


def show_analogy(done: Mapping[str, Any]) -> None:
    """What the fourth movie may be."""
    a, b, c = done["analogy"]
    shown = table(f"{a} is to {b} as {c} is to", "#", "title", "similarity")
    for row in done["answers"]:
        shown.add_row(str(row["rank"]), escape(row["title"]), f"{row['similarity']:.3f}")
    out_console.print(shown)


def show_report(done: Mapping[str, Any]) -> None:
    """The main measures of each representation, and where the whole report lies."""
    report = done["report"]
    shown = table(
        f"Judged by {report['judged_items']:,} well-known movies",
        "", "same genre@10", "(chance)", "genre AUC", "decade AUC", "mean rating R²", "analogies@10",
    )  # fmt: skip
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, row in report["representations"].items():
        found, analogies = row["genre_retrieval"], row["analogies"]
        values = (found["precision"], found["chance"], row["genre_auc"], row["decade_auc"], row["mean_rating_r2"])
        cells = ["–" if value is None else f"{value:.3f}" for value in (*values, analogies["hits@10"])]
        for at, measure in ((0, "genre_retrieval"), (2, "genre_auc"), (5, "analogies")):
            if measure in row["told"]:
                cells[at] = f"[dim]\\[{cells[at]}][/dim]"
        shown.add_row(escape(name), *cells, style="bold" if name == report["model"] else None)
    out_console.print(shown)
    out_console.print("In brackets: the representation was told the answer beforehand.", highlight=False)
    curve = ", ".join(f"{row['n_factors']}: {row['ndcg@10']:.3f}" for row in report["dimensions"])
    out_console.print(f"nDCG@10 by dimensions: {curve}", highlight=False)
    out_console.print(
        f"page: {done['page']}\nnumbers: {done['numbers']}", markup=False, highlight=False, soft_wrap=True
    )


def show_clusters(done: Mapping[str, Any]) -> None:
    """Clusters, greatest first, with the movies at their middle."""
    shown = table(
        f"{len(done['clusters'])} clusters by {done['method']}, silhouette {done['silhouette']:.2f}",
        "#", "name", "movies", "stability", "at its middle",
    )  # fmt: skip
    for number, cluster in enumerate(done["clusters"], start=1):
        style = "bold" if cluster["is_named"] else "dim"
        shown.add_row(
            str(number),
            f"[{style}]{escape(cluster['title'])}[/{style}]",
            f"{cluster['items']:,}",
            f"{cluster['stability']:.2f}",
            escape("; ".join(cluster["examples"])),
        )
    out_console.print(shown)
    if done["in_no_cluster"]:
        out_console.print(f"{_count(done['in_no_cluster'], 'movie')} in no cluster", highlight=False)


def show_map(done: Mapping[str, Any]) -> None:
    """What was drawn, and how true it is."""
    shown: dict[str, Any] = {"map": done["method"], "movies": done["items"]}
    if done["axes"]:
        shown["axes"] = " × ".join(done["axes"])
    if done["not_in_space"]:
        shown["not in this space"] = ", ".join(done["not_in_space"])
    shown |= {name: f"{value:.3f}" for name, value in done["fidelity"].items()}
    print_pairs(shown | {"out": done["out"]})
