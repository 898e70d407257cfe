"""The ranking metrics of the model compared with other models."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from recsys import store
from recsys.app.axis_text import joined
from recsys.app.chart import show_chart
from recsys.app.escape import plain
from recsys.app.i18n.translate import named, say
from recsys.app.owner import told
from recsys.app.pages.quality.few import draw_from_few
from recsys.app.pages.quality.groups import draw_activity, draw_popularity, labels_of
from recsys.app.pages.quality.measure import SLOW, available_data, run_measurement, show_equivalent_command
from recsys.app.session import Loaded
from recsys.dataset.split import MIN_USERS
from recsys.errors import InputError
from recsys.evaluation.evaluate import Evaluation
from recsys.evaluation.interval import Interval
from recsys.evaluation.significance import compare_first
from recsys.models import MODELS
from recsys.models.ease import MOST_ITEMS as MOST_ITEMS_OF_EASE
from recsys.plots.quality import Dot, dots_with_intervals
from recsys.workflows import evaluate as evaluate_workflow


def draw_ranking(loaded: Loaded) -> None:
    """Draw the ranking metrics, or how to measure them."""
    try:
        found = store.stored_ranking(loaded.folder)
    except InputError as error:
        st.warning(told(error), icon=":material/warning:")
        found = None
    if found is None:
        st.subheader(say("Comparison with other models"), anchor=False)
        if loaded.is_imported:
            st.info(say("Imported vectors cannot be retrained, so they are not evaluated on held-out ratings."))
            return
        if not loaded.is_retrainable:
            st.info(
                say(
                    "This model was trained by Spark and cannot be retrained here, so it is not evaluated on held-out "
                    "ratings. Train it again with recsys train --engine spark."
                )
            )
            return
        st.info(
            say("The recommendations of this model have not been evaluated yet."),
            icon=":material/straighten:",
        )
        _draw_measure_button(loaded)
        return
    _draw_comparison(loaded, found)
    draw_from_few(found)
    draw_activity(found)
    draw_popularity(found)


def _metrics() -> dict[str, tuple[str, str]]:
    """Name and meaning of each metric."""
    return {
        "ndcg": (
            "nDCG",
            say("How many of the held-out movies are in the list, weighted towards the top; 1 is perfect."),
        ),
        "ndcg_beyond": (
            say("Beyond hits"),
            say("nDCG without the best-known movies: they are neither recommended nor counted. 1 is perfect."),
        ),
        "recall": (
            say("Recall"),
            say("The share of the held-out movies that are in the list, counting at most as many as the list is long."),
        ),
        "precision": (say("Precision"), say("The share of the list that is among the user's held-out ratings.")),
        "coverage": (say("Coverage"), say("The share of all movies that are in at least one list.")),
        "novelty": (
            say("Novelty"),
            say("How obscure the recommended movies are: 1 means that half of all users rated them, 2 a quarter."),
        ),
    }


def _draw_comparison(loaded: Loaded, found: Evaluation) -> None:
    labels, k = labels_of(found), found.main_k
    st.subheader(say("Comparison with other models"), anchor=False)
    st.markdown(_standing_text(found, labels, k))
    _chart_of_metric(found, labels, k)
    st.dataframe(
        _table(found, labels, k), hide_index=True, width="stretch", key="ranking-table",
        column_config={
            "model": st.column_config.TextColumn(say("Model"), pinned=True),
            **{name: st.column_config.TextColumn(words, help=help) for name, (words, help) in _metrics().items()},
            "seconds": st.column_config.NumberColumn(say("Training time (s)"), format="%.1f"),
        },
    )  # fmt: skip
    st.caption(_method_text(found, k))
    with st.expander(say("Measure again"), icon=":material/refresh:"):
        _draw_measure_button(loaded)


def _standing_text(found: Evaluation, labels: list[str], k: int) -> str:
    """One or two sentences: which models this one beats on the same users, if enough were evaluated to tell."""
    if len(labels) == 1:
        return say("Only this model was evaluated, so there is no comparison.")
    n_users = found.results[0].evaluated_users
    if n_users < MIN_USERS:
        return say("Evaluated users: {n:,}. That is too few to tell which model is better.", n=n_users)
    compared = compare_first(found.results, f"ndcg@{k}")
    parts = [
        words.format(models=", ".join(f"**{plain(labels[at])}**" for at in places))
        for words, places in (
            (say("ahead of {models}"), compared.ahead_of),
            (say("behind {models}"), compared.behind),
        )
        if places
    ]
    not_shown = ", ".join(f"**{plain(labels[at])}**" for at in compared.not_shown)
    return joined(
        say("By nDCG@{k}, this model is {standing}.", k=k, standing=say("; ").join(parts)) if parts else "",
        say("No difference from {models} in nDCG@{k} is shown.", k=k, models=not_shown) if not_shown else "",
    )


@st.fragment
def _chart_of_metric(found: Evaluation, labels: list[str], k: int) -> None:
    metrics = _metrics()
    chosen = st.segmented_control(
        say("Metric"), list(metrics), default="ndcg", required=True, format_func=lambda name: metrics[name][0],
        key="metric", label_visibility="collapsed",
    )  # fmt: skip
    words, meaning = metrics[chosen or "ndcg"]
    values = [result.metrics[f"{chosen}@{k}"] for result in found.results]
    dots = [
        Dot(label, value.mean, value.low, value.high, at == 0)
        for at, (label, value) in enumerate(zip(labels, values, strict=True))
        if value.mean is not None
    ]
    st.caption(meaning)
    show_chart(
        dots_with_intervals(dots, f"{words}@{k}", 2 if chosen == "novelty" else 3), key="ranking-chart",
        alt=say("{measure} of each model with its 95% interval", measure=words),
    )  # fmt: skip


def _table(found: Evaluation, labels: list[str], k: int) -> pd.DataFrame:
    rows = []
    for label, result in zip(labels, found.results, strict=True):
        cells = {name: _with_interval(result.metrics[f"{name}@{k}"]) for name in _metrics()}
        rows.append({"model": label} | cells | {"seconds": result.seconds_to_train})
    return pd.DataFrame(rows)


def _with_interval(value: Interval) -> str:
    if value.mean is None:
        return "–"
    if value.low is None or value.high is None:
        return f"{value.mean:.3f}"
    return f"{value.mean:.3f} ({value.low:.3f}–{value.high:.3f})"


def _method_text(found: Evaluation, k: int) -> str:
    hidden = {
        "random": say("a random 20% of each user's ratings were held out"),
        "leave-last-out": say("each user's latest rating was held out"),
        "time": say("the latest 20% of all ratings were held out"),
        "new-users": say("20% of the users were excluded from training, and half of their ratings were held out"),
    }[found.protocol]
    least = found.weighting.min_rating
    first = found.results[0]
    lines = [
        say(
            "Method: {hidden} ({n_hidden:,} ratings of {users:,} users); each model was trained on the other "
            "{n_train:,} ratings and recommended {k} movies to every user.",
            hidden=hidden, n_hidden=found.hidden_ratings, users=first.evaluated_users, n_train=found.train_ratings, k=k,
        ),
        say("The other models use default settings.") if len(found.results) > 1 else "",
        say("Split: {part}, seed {seed}.", part=named(found.part), seed=found.seed),
        "" if least is None else say("For all models, ratings of {stars:g} or more count as positive.", stars=least),
        say("Ahead or behind: the 95% interval of the difference over the same users excludes 0.")
        if len(found.results) > 1
        else "",
        say("In parentheses: 95% intervals over users. Duration: {seconds:,.0f} s.", seconds=found.seconds),
    ]  # fmt: skip
    return joined(*lines)


def _draw_measure_button(loaded: Loaded) -> None:
    """A button that starts the measurement, and the equivalent command."""
    data = available_data(loaded)
    if data is None:
        return
    n_items = len(loaded.model.item_ids)
    offered = [name for name in MODELS if name not in SLOW and (name != "ease" or n_items <= MOST_ITEMS_OF_EASE)]
    chosen = st.pills(
        say("Compare with"), offered, selection_mode="multi",
        default=list(evaluate_workflow.baselines_for(loaded.model)), key="baselines",
        help=say("Models with default settings. ease is available for up to {most:,} movies.",
                 most=MOST_ITEMS_OF_EASE),
    )  # fmt: skip
    st.caption(
        say("Trains every model twice on 80% of the data, this one for minutes each time. Leaving the page stops it.")
        if loaded.model.learner.name in SLOW
        else say(
            "Trains every model twice on 80% of the data: about 15 s in all for 100,000 ratings, a few minutes "
            "per model for 25 million. Leaving the page stops it."
        )
    )
    if st.button(say("Measure now"), key="measure-ranking", type="primary", icon=":material/speed:"):
        run_measurement(
            lambda start: evaluate_workflow.evaluate(
                data, trained=loaded.folder, models=list(chosen), start_progress=start
            ),
            3 * (1 + len(chosen)),  # trained again without the users of whom few ratings are known
        )  # fmt: skip
    models = [word for name in chosen for word in ("--model", name)]
    show_equivalent_command("recsys", "evaluate", "--data", str(data), "--trained", str(loaded.folder), *models)
