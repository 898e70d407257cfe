"""The page "Quality": how well the model finds what people like, for whom, at whose cost, and what its space knows."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from threading import Lock
from typing import Any

import pandas as pd
import streamlit as st

from recsys import store
from recsys.app.axis_text import too_few_known
from recsys.app.escape import plain
from recsys.app.i18n.translate import is_chinese, named, say
from recsys.app.session import Loaded, loaded_model
from recsys.errors import InputError, RecsysError
from recsys.evaluation.report import DIMENSIONS, N_SEEDS
from recsys.evaluation.significance import FEWEST_JUDGED, best_representations, gain, standing, value_of, worst_served
from recsys.models import MODELS
from recsys.models.ease import MOST_ITEMS as MOST_ITEMS_OF_EASE
from recsys.plots.quality import Dot, bars_by_popularity, dimension_curve, dots_with_intervals, lines_by_activity
from recsys.workflows import common as common_workflow
from recsys.workflows import evaluate as evaluate_workflow
from recsys.workflows import inspect as inspect_workflow

URL = "quality"
PLOT = {"displayModeBar": False}
_MEASURING = Lock()
"""Held while any session measures: two at a time would slow each other, and all who only look."""


def page() -> None:
    """Draw the page."""
    loaded = loaded_model()
    st.header(say("Quality"), anchor=False)
    st.caption(
        say(
            "How well {model} finds the movies that people rated, measured on ratings that were hidden from it.",
            model=plain(loaded.name),
        )
    )
    _say_what_was_done()
    _ranking(loaded)
    _space(loaded)


def _say_what_was_done() -> None:
    """What the last measurement of this session took; said once."""
    seconds = st.session_state.pop("measured-seconds", None)
    if seconds is not None:
        st.success(say("Measured and stored, in {seconds:,.0f} seconds.", seconds=seconds), icon=":material/check:")


# --- ranking ----------------------------------------------------------------------------------------------------


def _ranking(loaded: Loaded) -> None:
    try:
        found = store.stored_ranking(loaded.folder)
    except InputError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        found = None
    if found is None:
        st.subheader(say("Beside simpler models"), anchor=False)
        st.info(
            say("This model has not been measured yet: nobody knows how good its recommendations are."),
            icon=":material/straighten:",
        )
        _measure_ranking(loaded)
        return
    _beside_others(loaded, found)
    _who_is_served(found)
    _head_to_tail(found)


def _labels(found: dict[str, Any]) -> list[str]:
    """What the models of a result are called: the first is ours."""
    names = [result["model"] for result in found["results"]]
    return [say("{model} (this model)", model=names[0]), *names[1:]]


def _metrics() -> dict[str, tuple[str, str]]:
    """Metric → what it is called, and what it means."""
    return {
        "ndcg": (
            "nDCG",
            say("How many of the hidden movies stand in the list, those near its top counting more; 1 is perfect."),
        ),
        "recall": (say("Recall"), say("Of the hidden ratings that fit into the list, the share that stands in it.")),
        "precision": (say("Precision"), say("The share of the list that the person did rate.")),
        "coverage": (say("Coverage"), say("The share of all movies that stands in anybody's list.")),
        "novelty": (
            say("Novelty"),
            say(
                "How little known the recommended movies are: 1 is a movie that half of all people rated, 2 a quarter."
            ),
        ),
    }


def _beside_others(loaded: Loaded, found: dict[str, Any]) -> None:
    labels, k = _labels(found), _length(found)
    st.subheader(say("Beside simpler models"), anchor=False)
    st.markdown(_verdict(found, labels, k))
    _chart_of_metric(found, labels, k)
    st.dataframe(
        _table(found, labels, k), hide_index=True, width="stretch", key="ranking-table",
        column_config={
            "model": st.column_config.TextColumn(say("Model"), pinned=True),
            **{name: st.column_config.TextColumn(words, help=help) for name, (words, help) in _metrics().items()},
            "seconds": st.column_config.NumberColumn(say("Training, seconds"), format="%.1f"),
        },
    )  # fmt: skip
    st.caption(_what_was_measured(found, k))
    with st.expander(say("Measure again"), icon=":material/refresh:"):
        _measure_ranking(loaded)


def _length(found: dict[str, Any]) -> int:
    """The length of list whose groups were measured: 10 where it was asked for."""
    return 10 if 10 in found["k"] else int(found["k"][0])


def _verdict(found: dict[str, Any], labels: list[str], k: int) -> str:
    """In a sentence or two: whom this model beats, if so many were judged that one can say so."""
    if len(labels) == 1:
        return say("It was measured alone, so there is nothing to compare it with.")
    judged = found["results"][0]["judged"]
    if judged < FEWEST_JUDGED:
        return say("People judged: {n:,}. So few tell nothing of which model is better.", n=judged)
    stands = standing(found["results"], f"ndcg@{k}")
    parts = [
        words.format(models=", ".join(f"**{plain(labels[at])}**" for at in places))
        for words, places in (
            (say("ahead of {models}"), stands.ahead),
            (say("behind {models}"), stands.behind),
        )
        if places
    ]
    overlapping = ", ".join(f"**{plain(labels[at])}**" for at in stands.overlapping)
    return _together(
        say("By nDCG@{k} this model is {standing}.", k=k, standing=say("; ").join(parts)) if parts else "",
        say("Its 95% interval of nDCG@{k} overlaps with that of {models}.", k=k, models=overlapping)
        if overlapping
        else "",
    )


def _together(*sentences: str) -> str:
    """Sentences one after the other; Chinese has no space between them."""
    return ("" if is_chinese() else " ").join(sentence for sentence in sentences if sentence)


@st.fragment
def _chart_of_metric(found: dict[str, Any], labels: list[str], k: int) -> None:
    metrics = _metrics()
    chosen = st.segmented_control(
        say("Measure"), list(metrics), default="ndcg", required=True, format_func=lambda name: metrics[name][0],
        key="metric", label_visibility="collapsed",
    )  # fmt: skip
    words, meaning = metrics[chosen or "ndcg"]
    values = [result["metrics"][f"{chosen}@{k}"] for result in found["results"]]
    dots = [
        Dot(label, value["mean"], value["low"], value["high"], at == 0)
        for at, (label, value) in enumerate(zip(labels, values, strict=True))
        if value["mean"] is not None
    ]
    st.caption(meaning)
    st.plotly_chart(
        dots_with_intervals(dots, f"{words}@{k}", 2 if chosen == "novelty" else 3), config=PLOT, key="ranking-chart",
        alt=say("{measure} of each model with its 95% interval", measure=words),
    )  # fmt: skip


def _table(found: dict[str, Any], labels: list[str], k: int) -> pd.DataFrame:
    rows = []
    for label, result in zip(labels, found["results"], strict=True):
        cells = {name: _with_interval(result["metrics"][f"{name}@{k}"]) for name in _metrics()}
        rows.append({"model": label} | cells | {"seconds": result["seconds_to_train"]})
    return pd.DataFrame(rows)


def _with_interval(value: dict[str, float | None]) -> str:
    if value["mean"] is None:
        return "–"
    if value["low"] is None or value["high"] is None:
        return f"{value['mean']:.3f}"
    return f"{value['mean']:.3f} ({value['low']:.3f}–{value['high']:.3f})"


def _what_was_measured(found: dict[str, Any], k: int) -> str:
    hidden = {
        "random": say("a fifth of each person's ratings, drawn at random, was hidden"),
        "leave-last-out": say("each person's latest rating was hidden"),
        "time": say("the latest fifth of all ratings was hidden"),
        "new-users": say("a fifth of the people was kept from training, and half of their ratings hidden"),
    }[found["protocol"]]
    least = found["confidence"]["min_rating"]
    first = found["results"][0]
    lines = [
        say(
            "What was done: {hidden} (ratings: {n_hidden:,}, people: {users:,}); each model learned from the other "
            "{n_train:,} and named its top {k} for everybody.",
            hidden=hidden, n_hidden=found["hidden_ratings"], users=first["judged"], n_train=found["train_ratings"], k=k,
        ),
        say("The other models have their default settings.") if len(found["results"]) > 1 else "",
        say("Part: {part}, seed of the draw: {seed}.", part=named(found["part"]), seed=found["seed"]),
        "" if least is None else say("Ratings of {stars:g} or more counted as liking, for all models.", stars=least),
        say("Brackets: 95% intervals over people. It took {seconds:,.0f} seconds.", seconds=found["seconds"]),
    ]  # fmt: skip
    return _together(*lines)


def _measure_ranking(loaded: Loaded) -> None:
    """A button that measures, and the command that does the same in a terminal."""
    if not _has_data(loaded):
        return
    n_items = len(loaded.model.item_ids)
    offered = [name for name in MODELS if name != "ease" or n_items <= MOST_ITEMS_OF_EASE]
    chosen = st.pills(
        say("Hold it against"), offered, selection_mode="multi",
        default=list(evaluate_workflow.baselines_for(loaded.model)), key="baselines",
        help=say("Kinds of models with their default settings. Ease is offered for up to {most:,} movies.",
                 most=MOST_ITEMS_OF_EASE),
    )  # fmt: skip
    st.caption(
        say(
            "Every model is trained anew on four fifths of the ratings. On 100,000 ratings all of it takes about ten "
            "seconds, on 25 million some minutes a model. Leaving the page stops it."
        )
    )
    if st.button(say("Measure it now"), key="measure-ranking", type="primary", icon=":material/speed:"):
        _run(
            lambda report: evaluate_workflow.evaluate(
                loaded.data_folder, trained=loaded.folder, models=list(chosen), report=report  # type: ignore[arg-type]
            ),
            2 * (1 + len(chosen)),
        )  # fmt: skip
    models = [word for name in chosen for word in ("--model", name)]
    _command("recsys", "evaluate", "--data", str(loaded.data_folder), "--trained", str(loaded.folder), *models)


# --- for whom ---------------------------------------------------------------------------------------------------


def _who_is_served(found: dict[str, Any]) -> None:
    labels, k = _labels(found), _length(found)
    st.subheader(say("Who is served badly"), anchor=False)
    ours = found["results"][0]["by_activity"]
    judged = found["results"][0]["judged"]
    if judged < FEWEST_JUDGED:
        st.caption(say("People judged: {n:,}. So few cannot be compared in groups.", n=judged))
        return
    if len(ours) < 2:
        st.caption(say("Everybody here has rated equally much, so there are no groups to compare."))
        return
    st.markdown(_worst(ours, k))
    _chart_of_activity(found, labels, k)
    st.caption(
        say(
            "People in tenths by how many ratings are known of them; those with equally many stay together. Of people "
            "who rated more, more is hidden, and so more can be found: compare the models within a tenth, not only the "
            "tenths. Bars: 95% intervals."
        )
    )


def _worst(ours: list[dict[str, Any]], k: int) -> str:
    """One sentence: who is served worst, and how those fare who are served best."""
    worst = ours[worst_served(ours)]
    best = max(ours, key=lambda row: row["mean"])
    if len(worst) == len(ours):
        return say("No group is clearly served worse than the others.")
    users = sum(row["users"] for row in worst)
    mean = sum(row["mean"] * row["users"] for row in worst) / users
    return say(
        "Served worst: the **{users:,} people of whom {fewest:,} to {most:,} ratings are known**, with nDCG@{k} "
        "{mean:.2f}; those with {best_fewest:,} to {best_most:,} get {best:.2f}.",
        users=users, fewest=worst[0]["fewest"], most=worst[-1]["most"], k=k, mean=mean,
        best_fewest=best["fewest"], best_most=best["most"], best=best["mean"],
    )  # fmt: skip


@st.fragment
def _chart_of_activity(found: dict[str, Any], labels: list[str], k: int) -> None:
    results = found["results"]
    others = list(range(1, len(results)))
    shown = [at for at in others if results[at]["model"] == "popular"] or others[:1]
    if len(others) > 1:
        shown = st.pills(
            say("Compare with"), others, selection_mode="multi", default=shown, format_func=labels.__getitem__,
            key="activity-models",
        )  # fmt: skip
    groups = {labels[at]: results[at]["by_activity"] for at in [0, *sorted(shown)]}
    for at in sorted(shown)[:1] if len(shown) == 1 else []:
        more = gain(results[0]["by_activity"], results[at]["by_activity"])
        least = results[0]["by_activity"][int(more.argmin())]
        st.caption(
            say(
                "Over {other} it gains least among people with {fewest:,} to {most:,} known ratings: {gain:+.2f}.",
                other=plain(labels[at]), fewest=least["fewest"], most=least["most"], gain=float(more.min()),
            )
        )  # fmt: skip
    st.plotly_chart(
        lines_by_activity(groups, labels[0], across=say("known ratings of a person"), up=f"nDCG@{k}"),
        config=PLOT, key="activity-chart",
        alt=say("Quality by how many ratings are known of a person, a line a model"),
    )  # fmt: skip


# --- at whose cost ----------------------------------------------------------------------------------------------


def _head_to_tail(found: dict[str, Any]) -> None:
    labels, k = _labels(found), _length(found)
    st.subheader(say("Which movies get recommended"), anchor=False)
    head, middle, tail = found["results"][0]["by_popularity"]
    st.markdown(
        say(
            "The best-known movies (**{n_head:,}**) get {of_head:.0%} of all ratings and **{head:.0%}** of this "
            "model's recommendations; the least known (**{n_tail:,}**) get {of_tail:.0%} and **{tail:.0%}**.",
            n_head=head["items"], of_head=head["ratings"], head=head["recommendations"],
            n_tail=tail["items"], of_tail=tail["ratings"], tail=tail["recommendations"],
        )
    )  # fmt: skip
    parts = [
        say("{n:,} best known", n=head["items"]),
        say("{n:,} in between", n=middle["items"]),
        say("{n:,} least known", n=tail["items"]),
    ]
    shares = {say("what people rated"): [row["ratings"] for row in (head, middle, tail)]}
    for label, result in zip(labels, found["results"], strict=True):
        shares[label] = [row["recommendations"] for row in result["by_popularity"]]
    st.plotly_chart(
        bars_by_popularity(shares, parts, labels[0], say("share of all places in the lists")),
        config=PLOT, key="popularity-chart",
        alt=say("How the recommendations of each model spread over well-known and little-known movies"),
    )  # fmt: skip
    ours = found["results"][0]["metrics"]
    st.caption(
        say(
            "The movies are ordered by ratings and cut in three, each with about a third of all ratings. "
            "{coverage:.0%} of the movies stand in anybody's list; Gini coefficient of how often each does: {gini:.2f} "
            "(0: all equally often, 1: one movie takes all).",
            coverage=ours[f"coverage@{k}"]["mean"], gini=ours[f"gini@{k}"]["mean"],
        )
    )  # fmt: skip


# --- the space --------------------------------------------------------------------------------------------------


def _space(loaded: Loaded) -> None:
    """The embedding report, in short."""
    st.subheader(say("What the space knows"), anchor=False)
    if not loaded.model.has_space:
        st.info(
            say("This model has no vectors, so there is no space to look at. Choose one of the kinds ials, als or bpr.")
        )
        return
    try:
        found = store.stored_report(loaded.folder)
    except InputError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        found = None
    if found is None:
        st.info(say("The space of this model has not been measured yet."), icon=":material/straighten:")
        _measure_space(loaded)
        return
    lines = _findings(found)
    if lines:
        st.markdown("\n".join(f"- {line}" for line in lines))
    _representations(found)
    _dimension_curve(found, loaded)
    page = loaded.folder / store.REPORT_PAGE
    if page.is_file():
        st.download_button(
            say("Download the whole report"), page.read_bytes, help=say("One page that opens without a network."),
            file_name=f"{loaded.name}-{page.name}", mime="text/html", icon=":material/download:", on_click="ignore",
            key="download-report",
        )  # fmt: skip
    with st.expander(say("Measure the space again"), icon=":material/refresh:"):
        _measure_space(loaded)


def _findings(found: dict[str, Any]) -> list[str]:
    ours, seeds, apart = found["representations"][found["model"]], found["seeds"], found["divergence"]
    retrieval, analogies = ours["genre_retrieval"], ours["analogies"]
    lines = []
    if _all_known(retrieval, "precision", "chance"):
        lines.append(say(
            "**Neighbours.** {share:.0%} of a movie's ten nearest share a genre with it; of random movies that are as "
            "popular, {chance:.0%} do.",
            share=retrieval["precision"], chance=retrieval["chance"],
        ))  # fmt: skip
    if analogies["n_questions"] and _all_known(analogies, "hits@10", "neighbour_hits@10"):
        lines.append(
            say(
                "**Analogies.** “Toy Story is to Toy Story 2 as … is to …”: {hits:.0%} of {n:,} such questions have "
                "their answer among ten; the third movie's neighbours alone have {alone:.0%}.",
                hits=analogies["hits@10"], n=analogies["n_questions"], alone=analogies["neighbour_hits@10"],
            )
        )  # fmt: skip
    if seeds["n"] and _all_known(seeds, "overlap@10", "chance_overlap@10"):
        lines.append(
            say(
                "**Luck.** Trained with another seed, {stay:.0%} of the ten nearest stay; between random vectors "
                "{chance:.0%} do.",
                stay=seeds["overlap@10"], chance=seeds["chance_overlap@10"],
            )
        )  # fmt: skip
    if _all_known(apart, "js", "js_control"):
        lines.append(
            say(
                "**People and movies.** They lie apart by a Jensen–Shannon divergence of {js:.2f} (0: mixed, 0.69: "
                "nothing in common; all of them parted at random: {control:.2f}). People point where many movies "
                "are liked, so the two need not agree.",
                js=apart["js"], control=apart["js_control"],
            )
        )  # fmt: skip
    return lines


def _all_known(measured: dict[str, Any], *names: str) -> bool:
    """Whether all of these could be measured."""
    return all(measured[name] is not None for name in names)


def _representations(found: dict[str, Any]) -> None:
    """Representations × measures, the best of each marked."""
    rows = found["representations"]
    heads = {
        "genre_retrieval": (say("Same genre"), say("Share of a movie's ten nearest that share a genre with it.")),
        "tag_retrieval": (say("Same tag"), say("Share of a movie's ten nearest that share a tag with it.")),
        "genre_auc": (say("Genre"), say("How well a line through the space tells a genre: ½ is a coin, 1 perfect.")),
        "decade_auc": (say("Decade"), say("How well a line through the space tells a decade: ½ is a coin, 1 perfect.")),
        "mean_rating_r2": (say("Mean rating"), say("How much of a movie's mean rating it explains: 0 nothing, 1 all.")),
        "clusters": (say("Clusters"), say("What 18 clusters share with the genres: 0 nothing, 1 all.")),
        "analogies": (say("Analogies"), say("Sequels and remakes found among ten answers.")),
    }
    if all(row["tag_retrieval"] is None for row in rows.values()):
        del heads["tag_retrieval"]
    best = best_representations(rows)
    table = []
    for name, row in rows.items():
        label = say("{model} (this model)", model=name) if name == found["model"] else named(name)
        cells = {}
        for measure in heads:
            value = value_of(row, measure)
            mark = " †" if measure in row["told"] else " ★" if name in best[measure] else ""
            cells[measure] = "–" if value is None else f"{value:.3f}{mark}"
        table.append({"name": label, "d": row["dimensions"]} | cells)
    st.dataframe(
        pd.DataFrame(table), hide_index=True, width="stretch", key="representations",
        column_config={
            "name": st.column_config.TextColumn(say("Representation"), pinned=True),
            "d": st.column_config.NumberColumn(say("Dimensions"), format="localized"),
            **{measure: st.column_config.TextColumn(words, help=help) for measure, (words, help) in heads.items()},
        },
    )  # fmt: skip
    st.caption(
        say(
            "Beside representations that need no learning, on the {n:,} movies with twenty ratings or more. ★ best of "
            "the column. † was told this beforehand, so its number proves nothing.",
            n=found["judged_items"],
        )
    )


def _dimension_curve(found: dict[str, Any], loaded: Loaded) -> None:
    if not found["dimensions"]:
        return
    st.markdown("**" + say("What each dimension adds") + "**")
    st.caption(say("The model trained anew with so many dimensions on four fifths of each person's ratings."))
    st.plotly_chart(
        dimension_curve(
            found["dimensions"], loaded.model.space.n_factors, across=say("dimensions"), here=say("this model")
        ),
        config=PLOT, key="dimension-curve", alt=say("nDCG@10 by the number of dimensions, with 95% intervals"),
    )  # fmt: skip


def _measure_space(loaded: Loaded) -> None:
    if not _has_data(loaded):
        return
    if (why := too_few_known(loaded)) is not None:
        st.info(plain(why))
        return
    st.caption(
        say(
            "It trains the model {n} times anew, with other numbers of dimensions and other seeds: expect so many "
            "times its training, and more. On 100,000 ratings that is about fifteen seconds, on 25 million ten minutes "
            "or more. Leaving the page stops it.",
            n=len(DIMENSIONS) + N_SEEDS,
        )
    )
    if st.button(say("Measure the space now"), key="measure-space", type="primary", icon=":material/speed:"):
        _run(lambda report: inspect_workflow.report_embedding(loaded.folder, loaded.data_folder, report=report), 1)  # type: ignore[arg-type]
    _command("recsys", "report", "--model", str(loaded.folder), "--data", str(loaded.data_folder))


# --- measuring --------------------------------------------------------------------------------------------------


def _has_data(loaded: Loaded) -> bool:
    """Whether there is anything to measure with; says what is missing."""
    if loaded.interactions is not None:
        return True
    where = say("an unknown place") if loaded.data_folder is None else plain(str(loaded.data_folder))
    st.info(say("The data this model was trained on is not where it was: {folder}.", folder=where))
    return False


def _command(*words: str) -> None:
    st.caption(say("Or in a terminal:"))
    st.code(shlex.join(words), language="sh", wrap_lines=True)


def _run(measure: Callable[[common_workflow.Report], dict[str, Any]], steps: int) -> None:
    """Measure with a bar that shows how far it is, then show the result; what goes wrong is said in a line."""
    if not _MEASURING.acquire(blocking=False):
        st.info(say("Somebody else is measuring now. Try again when that is done."), icon=":material/hourglass:")
        return
    begun = pd.Timestamp.now()
    bar = st.progress(0.0, say("Reading the data …"))
    started = 0

    def report(what: str) -> common_workflow.Progress:
        nonlocal started
        before, started = started, started + 1

        def progress(done: int, total: int) -> None:
            bar.progress(min((before + done / max(total, 1)) / steps, 1.0), _doing(what))

        progress(0, 1)
        return progress

    try:
        measure(report)
    except (RecsysError, OSError) as error:
        bar.empty()
        st.error(plain(str(error)), icon=":material/error:")
        return
    finally:
        _MEASURING.release()
    st.session_state["measured-seconds"] = (pd.Timestamp.now() - begun).total_seconds()
    st.rerun()


def _doing(what: str) -> str:
    """What a stage says it is doing, in the reader's language."""
    doing, _, model = what.partition(" ")
    if doing == "training":
        return say("Training {model} …", model=plain(model))
    if doing == "judging":
        return say("Judging {model} …", model=plain(model))
    return say("Measuring the space …")
