"""The results of the commands as tables. One function per result type of `recsys.workflows`."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from recsys.cli.console import count, print_line, print_pairs, print_table, table
from recsys.dataset.split import MIN_USERS
from recsys.space.axis import UNNAMED
from recsys.space.evidence import DiscoveryEvidence, ProbeEvidence
from recsys.workflows.common import rows_of_table

if TYPE_CHECKING:  # each command imports only its own workflow
    from recsys.evaluation.compression import Point
    from recsys.evaluation.evaluate import Evaluation
    from recsys.evaluation.interval import Interval
    from recsys.recommend.reasons import Reason
    from recsys.workflows.demo import DemoResult
    from recsys.workflows.doctor import Examination
    from recsys.workflows.evaluate import TunedSettings
    from recsys.workflows.import_vectors import ImportedVectors
    from recsys.workflows.inspect import (
        AxisWithMovies,
        ClusteredItems,
        MappedItems,
        MeasuredCompression,
        MeasuredSpace,
        NamedAxes,
    )
    from recsys.workflows.nightly_report import Night, RolledBack
    from recsys.workflows.prepare import Fetched, Prepared
    from recsys.workflows.recommend import Recommended, RecommendedBatch, RecommendedNeighbours
    from recsys.workflows.similar import Analogy, Sampled, SimilarItems, Walk
    from recsys.workflows.train import Trained

TOP_AXES = 10
"""Discovered axes that the demo prints."""


def show_demo(done: DemoResult) -> None:
    """The results of all steps."""
    show_prepared(done.prepare)
    show_trained(done.train)
    show_recommended(done.recommend)
    show_map(done.map)
    show_clusters(done.clusters)
    show_axes(done.axes, TOP_AXES)


def show_examination(done: Examination) -> None:
    """The findings by section, in lines: paths are long, and a table would break them."""
    for section in dict.fromkeys(finding.section for finding in done.findings):
        print_line(section)
        for finding in done.findings:
            if finding.section == section:
                print_line(f"  {finding.status:9}{finding.name}: {finding.found}")
                if finding.remedy:
                    print_line(f"{'':11}→ {finding.remedy}")


def show_fetched(done: Fetched) -> None:
    """Where the files are."""
    print_line(f"{done.dataset}: {done.folder} ({', '.join(done.files)})")


def show_prepared(done: Prepared) -> None:
    """How many rows were read, kept and rejected, and why."""
    report = done.report
    shown = table(f"{report['source']} → {done.out}", "", "rows", numbers="rows")
    for name in ("read", "kept", "rejected", "duplicates"):
        shown.add_row(name, f"{report[name]:,}", style="bold" if name == "kept" else None)
    for reason, n_rows in report["reasons"].items():
        shown.add_row(f"  {escape(reason)}", f"{n_rows:,}", style="dim")
    print_table(shown)
    print_line(f"{count(report['users'], 'user')} × {count(report['items'], 'item')}")
    for key, words in (
        ("items_without_metadata", "without metadata: the id is the title"),
        ("items_described_but_not_rated", "with metadata but without ratings: left out"),
    ):
        if report[key]:
            print_line(f"{count(report[key], 'item')} {words}")


def show_imported(done: ImportedVectors) -> None:
    """What was imported, and what was left out."""
    users = count(done.n_users, "user") if done.n_users else "no user vectors: a user is the mean of what they rated"
    print_pairs({"vectors": f"{count(done.n_items, 'item')} × {done.n_factors}", "users": users, "out": done.out})
    if done.rejected_file is not None:
        print_line(f"{count(done.n_rejected, 'row')} could not be used: see {done.rejected_file}")
    if done.n_untitled:
        print_line(f"{count(done.n_untitled, 'item')} without a row in the item table, titled by their id")
    if done.n_not_embedded:
        print_line(f"{count(done.n_not_embedded, 'item')} of the item table without a vector, left out")


def show_trained(done: Trained) -> None:
    """The settings of a model, and the validation curve if there is one."""
    least = done.weighting["min_rating"]
    ratings = f"{'all' if least is None else f'{least:g} or more'}, weighting {done.weighting['weighting']}"
    if done.validation:
        columns = list(done.validation[0].to_json())
        shown = table("On the validation part", *columns)
        for row in done.validation:
            values = row.to_json().values()
            shown.add_row(*(f"{value:,.4f}" if isinstance(value, float) else str(value) for value in values))
        print_table(shown)
    settings = ", ".join(f"{name}={value}" for name, value in done.hyperparameters.items())
    pairs = {"model": done.model, "settings": settings, "ratings": ratings, "out": done.out}
    if done.interrupted is not None:
        pairs["interrupted"] = f"{done.interrupted}; the completed epochs are kept"
    print_pairs(pairs)


def show_evaluation(done: Evaluation) -> None:
    """Metrics with their intervals, one column per model."""
    first = done.results[0]
    title = (
        f"{done.protocol}, {done.part} part: {done.train_ratings:,} training ratings, "
        f"{done.hidden_ratings:,} held out from {count(first.evaluated_users, 'user')}"
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
    print_table(shown)
    if first.from_few:
        _show_from_few(done, names)
    if len(names) > 1:
        _show_leads(done, names)
    movies = count(done.best_known, "most-rated movie")
    print_line(f"ndcg_beyond: quality without the {movies}; best_known: their share of all hits")
    if first.skipped_users:
        print_line(f"{count(first.skipped_users, 'user')} without held-out ratings skipped")


def _show_from_few(done: Evaluation, names: list[str]) -> None:
    """Quality for new users of whom few ratings are known."""
    title = f"{count(done.few_users, 'new user')} of whom few ratings are known; hidden likes and dislikes"
    shown = table(title, "", *names)
    shown.columns[0].no_wrap = True
    for column in shown.columns[1:]:
        column.justify = "right"
    for at, few in enumerate(done.results[0].from_few):
        of_each = [result.from_few[at] for result in done.results]
        shown.add_row(f"ndcg@{done.main_k} from {few.n_known}", *(str(each.ndcg) for each in of_each))
        shown.add_row(f"harm@{done.main_k} from {few.n_known}", *(str(each.harm) for each in of_each))
    print_table(shown)


def _show_leads(done: Evaluation, names: list[str]) -> None:
    """By how much the first model is better than each other one, and whether that is shown."""
    k, others = done.main_k, done.results[1:]
    few_users = done.results[0].evaluated_users < MIN_USERS
    shown = table(f"{names[0]} minus each other model: mean difference over the same users", "metric", *names[1:])
    shown.columns[0].no_wrap = True
    for column in shown.columns[1:]:
        column.justify = "right"
    for metric in (f"ndcg@{k}", f"recall@{k}", f"ndcg_beyond@{k}", "auc"):
        shown.add_row(metric, *(_lead(other.lead_of_first[metric], few_users) for other in others))
    for at, few in enumerate(done.results[0].from_few):
        leads = [(result.from_few[at].ndcg_lead, result.from_few[at].harm_lead) for result in others]
        shown.add_row(f"ndcg@{k} from {few.n_known}", *(_lead(lead, False) for lead, _ in leads))
        shown.add_row(f"harm@{k} from {few.n_known}", *(_lead(lead, False, less_is_better=True) for _, lead in leads))
    print_table(shown)


def _lead(value: Interval | None, few_users: bool, less_is_better: bool = False) -> str:
    """A difference with its interval, and the word for it; none where the users are too few to tell."""
    if value is None or value.mean is None or value.low is None or value.high is None:
        return "–"
    numbers = f"{value.mean:+.4f} ({value.low:+.4f} … {value.high:+.4f})"
    if few_users:
        return f"{numbers} too few users"
    word = {1: "ahead", 0: "not shown", -1: "behind"}[-value.sign if less_is_better else value.sign]
    return f"{numbers} {word}"


def show_tuned(done: TunedSettings) -> None:
    """The best settings of a search, and what they gain."""
    params = ", ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in done.params.items()
    )
    print_pairs(
        {
            f"{done.metric} with defaults": f"{done.default:.4f}",
            f"best {done.metric}": f"{done.best:.4f}",
            "settings": params,
            "trials": done.n_trials,
            "out": done.out,
        }
    )


def show_batch(done: RecommendedBatch | RecommendedNeighbours) -> None:
    """What was written, without the counts that are zero."""
    print_pairs({name: value for name, value in done.to_json().items() if value or name == "rows"})


def show_recommended(done: Recommended) -> None:
    """The list of one user, what steering changed, and the reasons."""
    note = ": a cold start, so these are the most popular" if done.origin == "cold" else ""
    rows = done.to_json()["recommendations"]
    if not rows:
        print_line(f"For user {done.user} nothing is left to recommend: everything is seen")
        return
    extra = (["was", "taste"] if done.steered else []) + (["why"] if done.reasons is not None else [])
    columns = ["#", "title", "genres", "score", *extra]
    shown = table(f"For user {done.user}{note}", *columns, numbers="# score was taste")
    for at, row in enumerate(rows):
        cells = [str(row["rank"]), escape(row["title"]), escape(", ".join(row["genres"])), f"{row['score']:.3f}"]
        if done.steered:
            cells += [str(row["rank_before"]), f"{row['taste']:.3f}"]
        if done.reasons is not None:
            cells.append(escape(_why(done.reasons[at])))
        shown.add_row(*cells)
    print_table(shown)
    if done.steered:
        moved = table(
            "Mean position of the list, in standard deviations",
            "axis", "amount", "before", "after", numbers="amount before after",
        )  # fmt: skip
        for row in rows_of_table(done.steered.axes):
            moved.add_row(escape(row["axis"]), *(f"{row[name]:+.2f}" for name in ("amount", "before", "after")))
        print_table(moved)
        print_line(f"dropped out: {', '.join(done.steered.left) or 'nothing'}")
        if done.steered.loss is not None:
            print_line(f"loss of unsteered score: {done.steered.loss:.0%}")


def _why(reason: Reason) -> str:
    """The largest parts of a score: three rated movies, two named ends of axes."""
    movies = [part for part in reason.ratings if part.title is not None and part.adds > 0]
    parts = [f"{part.title} {part.adds:+.2f}" for part in movies[:3]]
    named = [part for part in reason.axes if part.adds > 0 and part.end not in (None, UNNAMED)]
    return "; ".join(parts + [f"[{part.end}] {part.adds:+.2f}" for part in named[:2]]) or "–"


def show_similar(done: SimilarItems) -> None:
    """The movies most similar to one: a list, or one list per metric side by side with the popularity it favours."""
    rows = rows_of_table(done.table)
    if done.metric is not None:
        shown = table(
            f"Most similar to {done.title} ({done.metric})", "#", "title", "similarity", numbers="# similarity"
        )
        for row in rows:
            shown.add_row(str(row["rank"]), escape(row["title"]), f"{row['similarity']:.3f}")
        print_table(shown)
        return
    lists: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        lists.setdefault(row["metric"], []).append(row)
    shown = table(f"Most similar to {done.title}", "#", *lists, numbers="#")
    for number, side_by_side in enumerate(zip(*lists.values(), strict=True), start=1):
        shown.add_row(str(number), *(escape(f"{row['title']}  {row['similarity']:.3f}") for row in side_by_side))
    if not done.n_ratings:  # rating counts are unknown
        return print_table(shown)
    medians = [statistics.median(row["n_ratings"] for row in found) for found in lists.values()]
    shown.add_section()
    shown.add_row("", *(f"[dim]median {median:,.0f} ratings[/dim]" for median in medians))
    print_table(shown)
    return print_line(
        "In this model vector length correlates with the number of ratings (Spearman "
        f"{done.length_popularity:.2f}): cosine ignores length, the dot product favours popular movies, Euclidean "
        f"distance favours movies about as popular as this one ({done.n_ratings:,} ratings)."
    )


def show_analogy(done: Analogy) -> None:
    """The answers, best first."""
    a, b, c = done.titles
    shown = table(f"{a} is to {b} as {c} is to", "#", "title", "similarity", numbers="# similarity")
    for row in rows_of_table(done.answers):
        shown.add_row(str(row["rank"]), escape(row["title"]), f"{row['similarity']:.3f}")
    print_table(shown)


def show_walk(done: Walk) -> None:
    """The movies at each point, in the order of the way."""
    value = done.points.columns[-1]
    shown = table(f"From {done.ends[0]} to {done.ends[1]}", "way", "#", "title", value, numbers=f"way # {value}")
    for row in rows_of_table(done.points):
        way = f"{row['position']:.0%}" if row["rank"] == 1 else ""
        shown.add_row(way, str(row["rank"]), escape(row["title"]), f"{row[value]:.3f}")
    print_table(shown)


def show_sample(done: Sampled) -> None:
    """The movies of each imaginary viewer."""
    shown = table(f"Imaginary viewers of {done.model}, drawn from {done.prior}", "viewer", "#", "title", numbers="#")
    for number, viewer in enumerate(done.viewers, 1):
        who = "\n".join([str(number), *(f"{end} +{deviations:.1f}" for end, deviations in viewer.leanings)])
        titles = viewer.movies["title"]
        shown.add_row(escape(who), "\n".join(map(str, range(1, len(titles) + 1))), escape("\n".join(titles)))
        shown.add_section()
    print_table(shown)
    if any(viewer.leanings for viewer in done.viewers):
        print_line("Below each number: where the list stands out, in standard deviations over many viewers.")


def show_axes(done: NamedAxes, top: int) -> None:
    """The first `top` discovered axes with names and evidence, then the axes that were asked for."""
    shown = table(
        f"{done.n_named} of {len(done.discovered)} axes by {done.method} have a verified name",
        "axis", "low end", "high end", "share", "stability", "evidence (held-out AUC)", numbers="share stability",
    )  # fmt: skip
    for found in done.discovered[:top]:
        evidence = found.axis.evidence
        assert isinstance(evidence, DiscoveryEvidence)
        names = [f"{name.attribute} {name.auc:.2f}" for name in evidence.low + evidence.high]
        if names and not evidence.is_stable:
            names.append("not stable")
        shown.add_row(
            found.axis.name.removeprefix("axis "),
            *_ends(found),
            f"{evidence.share:.1%}",
            "–" if evidence.stability is None else f"{evidence.stability:.2f}",
            escape(", ".join(names)),
        )
    print_table(shown)
    if not done.is_verifiable:
        print_line("This model cannot be refitted here, so stability is unknown and no discovered axis is named.")
    if done.like is not None:
        match = done.match
        print_line(
            f"{match['matched']} of {match['axes']} axes match those of {done.like} with a cosine of .8 or more; "
            f"median {match['median']:.3f}, lowest {match['lowest']:.3f}"
        )
    if done.asked:
        asked = table("Asked for", "low end", "high end", "in this space", "evidence on held-out movies")
        for found in done.asked:
            evidence = found.axis.evidence
            assert isinstance(evidence, ProbeEvidence)
            measure = "AUC" if evidence.measure == "auc" else "Spearman"
            controls = ", ".join(f"{name} {round(value, 2) + 0.0:.2f}" for name, value in evidence.controls.items())
            interval = f"{evidence.value:.3f} ({evidence.low:.3f} … {evidence.high:.3f})"
            asked.add_row(
                *_ends(found),
                "yes" if found.axis.is_valid else "not in this space",
                f"{measure} {interval}\n[dim]{escape(controls)}[/dim]",
            )
        print_table(asked)


def _ends(found: AxisWithMovies) -> tuple[str, str]:
    return _end(found.axis.low, found.low_movies), _end(found.axis.high, found.high_movies)


def _end(name: str, movies: tuple[str, ...]) -> str:
    style = "dim" if name == UNNAMED else "bold"
    return "\n".join([f"[{style}]{escape(name)}[/{style}]", *(escape(title) for title in movies)])


def show_clusters(done: ClusteredItems) -> None:
    """The clusters, largest first, with movies near the centre."""
    found = done.clusters
    shown = table(
        f"{found.n_clusters} clusters by {found.method}, silhouette {found.silhouette:.2f}",
        "#", "name", "movies", "stability", "near the centre", numbers="# movies stability",
    )  # fmt: skip
    for number, titles in enumerate(done.examples):
        style = "dim" if found.names[number] == UNNAMED else "bold"
        shown.add_row(
            str(number + 1),
            f"[{style}]{escape(found.title(number))}[/{style}]",
            f"{found.sizes[number]:,}",
            f"{found.stability[number]:.2f}",
            escape("; ".join(titles)),
        )
    print_table(shown)
    if done.n_unclustered:
        print_line(f"{count(done.n_unclustered, 'movie')} in no cluster")


def show_map(done: MappedItems) -> None:
    """How the map was made, and its fidelity."""
    shown: dict[str, Any] = {"map": done.item_map.method, "movies": len(done.item_map.item_ids)}
    if done.item_map.axes:
        shown["axes"] = " × ".join(done.item_map.axes)
    if done.not_in_space:
        shown["not in this space"] = ", ".join(done.not_in_space)
    shown |= {name: f"{value:.3f}" for name, value in done.item_map.fidelity.items()}
    print_pairs(shown | {"out": done.out})


def show_report(done: MeasuredSpace) -> None:
    """The main measures of each representation, and where the full report is."""
    report = done.report
    shown = table(
        f"Evaluated on {report.evaluated_items:,} well-known movies",
        "", "same genre@10", "(chance)", "genre AUC", "decade AUC", "mean rating R²", "analogies@10",
    )  # fmt: skip
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, row in report.representations.items():
        found = row.genre_retrieval
        values = (found.precision, found.chance, row.genre_auc, row.decade_auc, row.mean_rating_r2, row.analogies.hits)
        cells = ["–" if value is None else f"{value:.3f}" for value in values]
        for at, measure in ((0, "genre_retrieval"), (2, "genre_auc"), (5, "analogies")):
            if measure in row.given:
                cells[at] = f"[dim]\\[{cells[at]}][/dim]"
        shown.add_row(escape(name), *cells, style="bold" if name == report.model else None)
    print_table(shown)
    print_line("In brackets: the representation is built from the answer.")
    if (smooth := report.smoothness) is not None:
        print_line(f"smoothness between movies: {smooth.share:.3f} (chance {smooth.chance:.3f})")
    if report.dimensions:
        curve = ", ".join(f"{row.n_factors}: {row.ndcg:.3f}" for row in report.dimensions)
        print_line(f"nDCG@10 by dimensions: {curve}")
    print_line(f"page: {done.page}\nnumbers: {done.numbers}")


def show_compression(done: MeasuredCompression) -> None:
    """Perplexities and nDCG by number of dimensions, one row per number."""
    found = done.compression
    names = [curve.model for curve in found.curves]
    points = [{point.n_factors: point for point in curve.points} for curve in found.curves]
    for title, measure in (
        ("Perplexity of the encoded ratings (lower: less is lost)", "known"),
        ("Perplexity of the other ratings (lower is better)", "other"),
        ("nDCG@10 of the other ratings (higher is better)", "ndcg"),
    ):
        shown = table(title, "dimensions", *names, numbers=f"dimensions {' '.join(names)}")
        shown.add_row("0", *[_of_point(found.popular, measure)] * len(names), style="dim")
        for d in sorted({d for of_model in points for d in of_model}):
            cells = [_of_point(of_model[d], measure) if d in of_model else "–" for of_model in points]
            shown.add_row(str(d), *cells)
        print_table(shown)
    print_line(f"{count(found.users, 'new user')}; 0 dimensions: popularity alone")
    for note in done.left_out:
        print_line(note)
    print_line(f"numbers: {done.out}")


def _of_point(point: Point, measure: str) -> str:
    return f"{point.ndcg.mean:.3f}" if measure == "ndcg" else f"{getattr(point, measure):.0f}"


def show_night(done: Night) -> None:
    """The report of a nightly run."""
    from recsys.workflows.nightly_report import facts

    print_pairs(dict(facts(done)))
    print_line(f"report: {done.report}")


def show_rolled_back(done: RolledBack) -> None:
    """Which model is published now."""
    print_pairs(
        {
            "published": f"{done.published[:12]}, which was replaced at {done.replaced}",
            "withdrawn": "–" if done.withdrawn is None else done.withdrawn[:12],
            "lists": "brought back" if done.has_lists else "there are none of that model; not changed",
            "previous models left": done.left,
            "model": done.model,
        }
    )
